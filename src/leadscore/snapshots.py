"""Which (lead, as_of) rows exist, what was known then, and what came of them.

Goes in: leads and outcomes, instants. Comes out: tables of snapshots. The rules of time
(all instants UTC):

1. A fact is usable at as_of iff ``known_at < as_of``; an instant belongs to the future
   of itself.
2. The outcome window is ``[as_of, as_of + horizon)``.
3. A snapshot is mature iff ``as_of + horizon + reporting lag <= data_end``. An immature
   one has no outcome: not 0, and an early 1 is left out too.
4. A lead that converted before as_of, but was known to have done so only later, is
   neither 0 nor 1 there: it is set aside and counted.

What a merge of leads changes, and from when on, `leadscore.merges` says.

Nothing here asks what time it is.
"""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.merges import merged_in, merges_of, roots_of
from leadscore.tables import INSTANT

__all__ = [
    "DAY_US",
    "ELIGIBLE",
    "NEVER",
    "STATUSES",
    "attributes_at",
    "calendar_grid",
    "cohort_status",
    "known_before",
    "label_snapshots",
    "microseconds",
    "past_lists",
    "rejections_at",
    "snapshots_at",
    "training_snapshots",
]

DAY_US = 86_400_000_000
ELIGIBLE = "eligible"
# What a lead may be at an instant, the first that holds.
OUT_OF_COHORT = ("objects", "merged", "converted", "too old", "disqualified", "lost")
STATUSES = (ELIGIBLE, *OUT_OF_COHORT)
_DAY = pd.Timedelta(days=1)
NEVER = np.iinfo(np.int64).max  # later than any instant: what never happened


def microseconds(instants: Any) -> np.ndarray:
    """Return instants as int64 microseconds since 1970 UTC; null becomes `NEVER`."""
    counted = pd.DatetimeIndex(pd.Series(instants).astype(INSTANT)).asi8
    return np.where(counted == pd.NaT.value, NEVER, counted)


def known_before(table: pd.DataFrame, instant: pd.Timestamp) -> pd.DataFrame:
    """Return the rows known strictly before an instant: the world as of then."""
    return table[table["known_at"] < instant]


def calendar_grid(
    first: pd.Timestamp,
    last: pd.Timestamp,
    *,
    every_days: int,
    zone: zoneinfo.ZoneInfo,
) -> pd.DatetimeIndex:
    """Return local midnights every so many days, walking back from ``last``.

    Parameters
    ----------
    first, last : Timestamp, UTC
        Both ends included; the newest as_of is the last local midnight that is not
        after ``last``.
    every_days : int
        Calendar days, so that midnight stays midnight when clocks change.
    zone : ZoneInfo
        Where midnight is.
    """
    newest = last.tz_convert(zone).date()
    oldest = first.tz_convert(zone).date()
    n_steps = max((newest - oldest).days // every_days, 0) if last >= first else -1
    days = [
        newest - datetime.timedelta(days=every_days * step)
        for step in range(n_steps, -1, -1)
    ]
    midnights = pd.DatetimeIndex(
        [datetime.datetime.combine(day, datetime.time(), zone) for day in days],
        dtype=INSTANT,
    )
    return midnights[(midnights >= first) & (midnights <= last)]


def training_snapshots(
    leads: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    data_end: pd.Timestamp,
) -> pd.DataFrame:
    """Return every eligible snapshot that is mature at ``data_end``.

    Returns
    -------
    DataFrame
        ``lead_id, account_id, created_at, as_of``, sorted by as_of, then lead.
    """
    newest = data_end - _look_ahead(agreement)
    firsts = _first_rows(leads)
    if agreement.snapshots.grid_days is None:
        pairs = _pairs_at_ages(firsts, agreement.snapshots.at_age_hours)
    else:
        grid = calendar_grid(
            firsts["known_at"].min(),
            newest,
            every_days=agreement.snapshots.grid_days,
            zone=agreement.zone,
        )
        pairs = _pairs_on_grid(firsts, grid, agreement.snapshots.max_age_days)
    pairs = pairs[pairs["as_of"] <= newest]
    status = cohort_status(pairs, leads, outcomes, agreement)
    return _sorted(pairs[status == ELIGIBLE])


def past_lists(
    leads: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    newest: pd.Timestamp,
) -> pd.DataFrame:
    """Return every eligible (lead, as_of) of the lists scored up to ``newest``.

    Lists stand every ``movement.score_every_days``, walking back from ``newest``; where
    leads are looked at at ages, at those ages.

    Returns
    -------
    DataFrame
        As `training_snapshots`, whether mature or not.
    """
    firsts = _first_rows(leads)
    if agreement.snapshots.at_age_hours:
        pairs = _pairs_at_ages(firsts, agreement.snapshots.at_age_hours)
        pairs = pairs[pairs["as_of"] <= newest]
    else:
        grid = calendar_grid(
            firsts["known_at"].min(),
            newest,
            every_days=agreement.movement.score_every_days,
            zone=agreement.zone,
        )
        pairs = _pairs_on_grid(firsts, grid, agreement.snapshots.max_age_days)
    status = cohort_status(pairs, leads, outcomes, agreement)
    return _sorted(pairs[status == ELIGIBLE])


def snapshots_at(
    leads: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """Return one row for each lead known before ``as_of``, with its status then.

    Returns
    -------
    DataFrame
        ``lead_id, account_id, created_at, as_of, status``; the status is ``eligible``
        or why the lead is out of the cohort.
    """
    firsts = _first_rows(leads)
    pairs = firsts[firsts["known_at"] < as_of].drop(columns="known_at")
    pairs = _sorted(pairs.assign(as_of=pd.Series(as_of, pairs.index, dtype=INSTANT)))
    return pairs.assign(status=cohort_status(pairs, leads, outcomes, agreement))


def cohort_status(
    pairs: pd.DataFrame,
    leads: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
) -> pd.Series:
    """Say of each (lead, as_of) whether it is in the cohort, as known then.

    Returns
    -------
    Series of str, index of ``pairs``
        ``eligible``, or the first that applies of: ``objects``, ``merged``,
        ``converted``, ``too old``, ``disqualified``, ``lost``. A lead objects, too, if
        one does that was merged into it, and both that and the merge were known.
    """
    conversion = agreement.conversion
    known = attributes_at(leads, pairs)
    converted = _first_known(outcomes, conversion.stage).reindex(pairs["lead_id"])
    is_converted = microseconds(converted) < microseconds(pairs["as_of"])
    stage = _standing(pairs, outcomes, agreement)
    age_days = (pairs["as_of"] - pairs["created_at"]) / pd.Timedelta(days=1)
    conditions = [
        _objects(known, pairs, leads, agreement),
        known["merged_into"].notna().to_numpy(),
        is_converted,
        (age_days > agreement.snapshots.max_age_days).to_numpy(),
        stage.isin(conversion.disqualified).to_numpy(),
        stage.isin(conversion.lost).to_numpy(),
    ]
    status = np.select(conditions, list(OUT_OF_COHORT), default=ELIGIBLE)
    return pd.Series(status, index=pairs.index, dtype="str")


def attributes_at(leads: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return, for each (lead, as_of), the latest row of leads known before as_of.

    The lead's own row: what is null in it stays null, whatever is known of leads that
    were merged into it.

    Returns
    -------
    DataFrame of shape (n_pairs, ...)
        The columns of ``leads`` without ids and instants of the row itself, in the
        order of ``pairs``, index 0..n-1; null where no row was known.
    """
    return _latest_before(leads.drop(columns="created_at"), pairs)


def label_snapshots(
    snapshots: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    data_end: pd.Timestamp,
) -> pd.DataFrame:
    """Return the snapshots with what came of them, as known at ``data_end``.

    Returns
    -------
    DataFrame
        The columns of ``snapshots`` and ``is_mature`` (bool), ``converted`` (1.0, 0.0,
        or null) and ``set_aside`` (str: "immature", "converted before, known later",
        or null).
    """
    horizon_us = agreement.conversion.horizon_days * DAY_US
    of_stage = outcomes["stage"] == agreement.conversion.stage
    conversions = known_before(outcomes[of_stage], data_end)
    occurred = conversions.groupby("lead_id")["occurred_at"].min()
    converted_at = microseconds(occurred.reindex(snapshots["lead_id"]))
    as_of = microseconds(snapshots["as_of"])
    is_mature = (snapshots["as_of"] + _look_ahead(agreement) <= data_end).to_numpy()
    before = converted_at < as_of
    inside = ~before & (converted_at < as_of + horizon_us)
    set_aside = np.select(
        [~is_mature, before], ["immature", "converted before, known later"], default=""
    )
    converted = np.where(set_aside == "", inside.astype(np.float64), np.nan)
    aside = pd.Series(set_aside, index=snapshots.index, dtype="str")
    return snapshots.assign(
        is_mature=is_mature, converted=converted, set_aside=aside.mask(aside == "")
    )


def rejections_at(
    pairs: pd.DataFrame, outcomes: pd.DataFrame, agreement: Agreement
) -> pd.DataFrame:
    """Return, for each (lead, as_of), when sales last rejected the lead, and why.

    Returns
    -------
    DataFrame of shape (n_pairs, 2), in the order of ``pairs``, index 0..n-1
        ``rejected_days`` (since it happened) and ``rejected_reason``, as known then;
        null: not rejected, or recycled since.
    """
    conversion = agreement.conversion
    turns = outcomes.loc[
        outcomes["stage"].isin({*conversion.rejected, *conversion.recycled}),
        ["lead_id", "known_at", "occurred_at", "stage", "reason"],
    ]
    turns = turns.sort_values(["known_at", "occurred_at", "stage"])
    found = _latest_before(turns, pairs)
    days = (pairs["as_of"].reset_index(drop=True) - found["occurred_at"]) / _DAY
    is_rejected = found["stage"].isin(conversion.rejected)
    reason = found["reason"].where(is_rejected).astype("str")
    return pd.DataFrame(
        {"rejected_days": days.where(is_rejected), "rejected_reason": reason}
    )


def _look_ahead(agreement: Agreement) -> pd.Timedelta:
    conversion = agreement.conversion
    return pd.Timedelta(days=conversion.horizon_days + conversion.reporting_lag_days)


def _first_rows(leads: pd.DataFrame) -> pd.DataFrame:
    """Return one row a lead: who, since when, and since when known.

    The account is the first one ever known, and leads of a merge tree share that of its
    root: it groups leads, it is never a feature, so it may know of every merge.
    """
    grouped = leads.sort_values(["lead_id", "known_at"]).groupby("lead_id")
    columns = ["account_id", "created_at", "known_at"]
    firsts = grouped[columns].first().reset_index()
    roots = roots_of(merges_of(leads))
    account = firsts["lead_id"].map(_accounts_of_trees(firsts, roots))
    is_in_tree = firsts["lead_id"].isin(roots.index)
    return firsts.assign(account_id=firsts["account_id"].mask(is_in_tree, account))


def _accounts_of_trees(firsts: pd.DataFrame, roots: pd.Series) -> pd.Series:
    """Return, by lead, the account of its root; or one of its own, if that has none.

    Else one person, under two ids, could be on both sides of a split.
    """
    accounts = firsts.set_index("lead_id")["account_id"].reindex(roots)
    return accounts.fillna("lead:" + roots).set_axis(roots.index)


def _objects(
    known: pd.DataFrame, pairs: pd.DataFrame, leads: pd.DataFrame, agreement: Agreement
) -> np.ndarray:
    """Return which pairs object, by their latest row or by that of a merged lead."""
    columns = list(agreement.consent.exclude_when_true)
    objects = _any_true(known[columns])
    merges = merges_of(leads)
    if merges.empty:
        return objects
    others = merged_in(pairs, merges)
    told = leads.loc[leads["lead_id"].isin(others["lead_id"])]
    told = _latest_before(told[["lead_id", "known_at", *columns]], others)
    objects[others["place"][_any_true(told)]] = True
    return objects


def _any_true(flags: pd.DataFrame) -> np.ndarray:
    """Return which rows have a true flag; null is false."""
    found = np.zeros(len(flags), dtype=bool)
    for column in flags:
        found |= flags[column].fillna(value=False).to_numpy(dtype=bool)
    return found


def _pairs_on_grid(
    firsts: pd.DataFrame, grid: pd.DatetimeIndex, max_age_days: int
) -> pd.DataFrame:
    """Return each lead at each as_of of its life, without a cross join."""
    oldest = firsts["created_at"] + pd.Timedelta(days=max_age_days)
    instants = microseconds(grid)
    begin = np.searchsorted(instants, microseconds(firsts["known_at"]), side="right")
    end = np.searchsorted(instants, microseconds(oldest), side="right")
    n_rows = np.maximum(end - begin, 0)
    pairs = firsts.loc[firsts.index.repeat(n_rows)].drop(columns="known_at")
    within = np.arange(n_rows.sum()) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    places = np.repeat(begin, n_rows) + within
    return pairs.assign(as_of=grid[places]).reset_index(drop=True)


def _pairs_at_ages(firsts: pd.DataFrame, hours: tuple[float, ...]) -> pd.DataFrame:
    ages = [
        firsts.assign(as_of=firsts["created_at"] + pd.Timedelta(hours=age))
        for age in hours
    ]
    pairs = pd.concat(ages, ignore_index=True).astype({"as_of": INSTANT})
    return pairs[pairs["known_at"] < pairs["as_of"]].drop(columns="known_at")


def _first_known(outcomes: pd.DataFrame, stage: str) -> pd.Series:
    """Return, by lead, when a stage first became known."""
    return outcomes[outcomes["stage"] == stage].groupby("lead_id")["known_at"].min()


def _standing(
    pairs: pd.DataFrame, outcomes: pd.DataFrame, agreement: Agreement
) -> pd.Series:
    """Return the latest stage known before as_of among those that end or reopen."""
    conversion = agreement.conversion
    decisive = {*conversion.lost, *conversion.disqualified, *conversion.recycled}
    turns = outcomes.loc[
        outcomes["stage"].isin(decisive),
        ["lead_id", "known_at", "occurred_at", "stage"],
    ]
    turns = turns.sort_values(["known_at", "occurred_at", "stage"])
    return _latest_before(turns.drop(columns="occurred_at"), pairs)["stage"]


def _latest_before(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return, for each pair, its lead's latest row with ``known_at < as_of``.

    Of rows known at once, the last one.
    """
    lead, lead_ids = pd.factorize(rows["lead_id"])
    asked = lead_ids.get_indexer(pairs["lead_id"])
    known = microseconds(rows["known_at"])
    order = np.lexsort((known, lead))
    # One ascending number a row, lead by lead: the instants are numbered from 0.
    instants, number = np.unique(known, return_inverse=True)
    n = len(instants) + 1
    before = np.searchsorted(instants, microseconds(pairs["as_of"]), side="left")
    places = np.searchsorted((lead * n + number)[order], asked * n + before) - 1
    is_own = (places >= 0) & (np.append(lead[order], -1)[places] == asked)
    found = np.where(is_own, np.append(order, -1)[places], -1)
    rows = rows.drop(columns=["lead_id", "known_at"]).reset_index(drop=True)
    return rows.reindex(found).reset_index(drop=True)


def _sorted(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.sort_values(["as_of", "lead_id"]).reset_index(drop=True)
