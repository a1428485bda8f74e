"""Changed: what the labels would do under either of two models.

Goes in: two sides. Comes out: for each label its threshold and promise under both, how
many leads a month enter it on the recent lists, and how many of the newest list gain or
lose it. Both are replayed since each lead's creation, by the state machine that scoring
uses, with their own agreement; nothing is read from the ledger, and what was suspended
is not. All leads count, those that the models were fitted on among them: this is about
how many, not about how good.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from leadscore.errors import RefusedError
from leadscore.movement import lines_of
from leadscore.periods import held_out
from leadscore.policy import Threshold
from leadscore.progress import Tell
from leadscore.promise import LEVELS
from leadscore.proposal import Change
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import microseconds, past_lists
from leadscore.workflows.relived import relive
from leadscore.workflows.side import Side

__all__ = ["Changed", "changed", "unreplayed"]

RECENT_DAYS = 91  # thirteen weeks of lists
MONTH_DAYS = 365.25 / 12
MOST_ROWS = 200_000  # of each replay; beyond that, a share of the leads is replayed


@dataclass(frozen=True)
class Changed:
    """What the labels would do.

    Parameters
    ----------
    changes : tuple of Change
        SQL, then MQL.
    since, until : Timestamp
        The recent lists, ``(since, until]``.
    share : float
        Of the leads that were replayed.
    """

    changes: tuple[Change, ...]
    since: pd.Timestamp
    until: pd.Timestamp
    share: float


@dataclass(frozen=True)
class _Recent:
    """What one model would have done: entries by label, and the level by lead."""

    entries: dict[str, int]
    level: pd.Series


def changed(challenger: Side, champion: Side, *, tell: Tell) -> Changed:
    """Return what the labels would do under both models.

    Raises
    ------
    RefusedError
        A model gives no probability, or no lead was on a recent list.
    """
    sides = (challenger, champion)
    lists = [_lists(side) for side in sides]
    share, since, until = _sample(lists[0], challenger)
    now, was = (
        _replayed(side, pairs, share, since, tell)
        for side, pairs in zip(sides, lists, strict=True)
    )
    months = (until - since) / pd.Timedelta(days=MONTH_DAYS) * share
    changes = [
        _with_numbers(change, was, now, months, share)
        for change in unreplayed(challenger, champion)
    ]
    return Changed(tuple(changes), since, until, share)


def unreplayed(challenger: Side, champion: Side) -> tuple[Change, ...]:
    """Return each label's threshold and promise under both models."""
    was, now = champion.bundle.thresholds, challenger.bundle.thresholds
    return tuple(
        Change(
            label,
            *(of[label].probability if label in of else None for of in (was, now)),
            *(_promised(of[label]) if label in of else None for of in (was, now)),
        )
        for label in ("SQL", "MQL")
    )


def _promised(threshold: Threshold) -> float | None:
    return None if threshold.probability is None else threshold.precision


def _sample(
    pairs: pd.DataFrame, side: Side
) -> tuple[float, pd.Timestamp, pd.Timestamp]:
    """Return which share of the leads is replayed, and ``(since, until]``."""
    if pairs.empty:
        msg = "no lead was on a list yet"
        raise RefusedError(msg)
    first, until = pairs["as_of"].min(), pairs["as_of"].max()
    step = side.agreement.movement.score_every_days
    since = max(_days_before(until, RECENT_DAYS, side), _days_before(first, step, side))
    n_rows = len(_of_recent(pairs, since))
    return min(1.0, MOST_ROWS / n_rows), since, until


def _days_before(instant: pd.Timestamp, days: int, side: Side) -> pd.Timestamp:
    """Return the same time of day, where the firm is, so many calendar days before."""
    local = instant.tz_convert(side.agreement.zone) - pd.DateOffset(days=days)
    return local.tz_convert("UTC").as_unit("us")


def _lists(side: Side) -> pd.DataFrame:
    tables = side.tables
    return past_lists(tables.leads, tables.outcomes, side.agreement, tables.data_end)


def _of_recent(pairs: pd.DataFrame, since: pd.Timestamp) -> pd.DataFrame:
    """Return the whole past of the leads that were on a list after ``since``."""
    recent = pairs.loc[pairs["as_of"] > since, "lead_id"]
    return pairs[pairs["lead_id"].isin(recent)]


def _replayed(
    side: Side, pairs: pd.DataFrame, share: float, since: pd.Timestamp, tell: Tell
) -> _Recent:
    agreement, bundle = side.agreement, side.bundle
    pairs = _of_recent(pairs, since)
    pairs = pairs[held_out(pairs["lead_id"].to_numpy(dtype=str), share=share, seed=0)]
    history = relive(
        side.tables,
        pairs,
        side.model,
        bundle.catalogue,
        bundle.engagement_edges,
        agreement,
        tell=tell,
    )
    done = replay(
        history,
        lines_of(side.bundle.thresholds, side.agreement).as_column(),
        max_gap_us=max_gap_us(agreement),
    )
    after = int(microseconds([since])[0]) + 1
    entries = {
        label: len(done.entries(0, level, after).place)
        for label, level in LEVELS.items()
    }
    level = pd.Series(done.level[:, 0], history["lead_id"])
    is_last = ~history["lead_id"].duplicated(keep="last")
    if not agreement.snapshots.at_age_hours:  # the newest list; else each last look
        is_last &= history["as_of"] == history["as_of"].max()
    return _Recent(entries, level[is_last.to_numpy()])


def _with_numbers(
    change: Change, was: _Recent, now: _Recent, months: float, share: float
) -> Change:
    label, level = change.label, LEVELS[change.label]
    stood, stands = (
        set(recent.level.index[recent.level >= level]) for recent in (was, now)
    )
    return replace(
        change,
        monthly_was=was.entries[label] / months,
        monthly_now=now.entries[label] / months,
        n_was=len(stood) / share,
        n_now=len(stands) / share,
        n_gain=len(stands - stood) / share,
        n_lose=len(stood - stands) / share,
    )
