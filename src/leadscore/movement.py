"""Movement: how a lead's label comes, stays and goes. The state machine.

Goes in: where each lead stands and what is seen of it at the next instant. Comes out:
where it stands then. Scoring and every replay come through `advance`, so a promise is
proven for the very moves that are made later. Nothing here knows a lead from another,
so arrays may have any shape: leads, or leads by thresholds.

By the nurtured road a label is *issued* once a lead has stood above its threshold, and
was allowed to, at every instant seen for the quarantine; it is *kept* while the
probability is above a lower one and the lead is allowed to. By the other road a hand
raised makes an SQL at once. All else equal, a higher probability never gives a lower
label: a threshold that is reached stays reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from leadscore.agreement import Agreement
from leadscore.policy import Threshold
from leadscore.snapshots import DAY_US, NEVER

__all__ = [
    "LEVELS",
    "MQL",
    "NOBODY",
    "NURTURED",
    "RAISED",
    "ROADS",
    "SQL",
    "Lines",
    "Seen",
    "State",
    "advance",
    "fresh",
    "lines_of",
    "quarantine_us",
]

NOBODY, MQL, SQL = 0, 1, 2
LEVELS = ("NURTURE", "MQL", "SQL")
NURTURED, RAISED = 1, 2
ROADS = (None, "nurtured", "hand_raised")

CLOCK_CHANGE_US = 2 * 3_600_000_000  # no zone's clocks go forward by more

Array = np.ndarray


class State(NamedTuple):
    """Where leads stand; arrays of one shape, instants in microseconds.

    ``level`` and ``road``: places in `LEVELS` and `ROADS`. ``since``: when the level
    began. ``nurtured``: the level by the nurtured road alone, whatever hand is raised.
    ``mql_since``, ``sql_since``: since when above each threshold, or kept there, and
    allowed to; `NEVER` where not.
    """

    level: Array
    road: Array
    since: Array
    nurtured: Array
    mql_since: Array
    sql_since: Array


class Seen(NamedTuple):
    """What is seen at an instant, arrays that broadcast to the state's shape.

    ``may_mql``, ``may_sql``: whether all but the probability allows the label by the
    nurtured road; who may be SQL may be MQL. A null probability reaches nothing.
    """

    as_of: Array
    probability: Array
    is_raised: Array
    may_mql: Array
    may_sql: Array


@dataclass(frozen=True)
class Lines:
    """From which probability a label is issued, and down to which it is kept.

    Parameters
    ----------
    mql, sql : float array or float
        Infinite: not issued.
    keep_mql, keep_sql : float array or float
        Not above the former.
    quarantine_us : int
        Microseconds above a threshold before the label is issued.
    """

    mql: Array | float
    sql: Array | float
    keep_mql: Array | float
    keep_sql: Array | float
    quarantine_us: int

    def as_column(self) -> Lines:
        """Return them as arrays of one threshold, for a replay."""
        mql, sql, keep_mql, keep_sql = (
            np.atleast_1d(line)
            for line in (self.mql, self.sql, self.keep_mql, self.keep_sql)
        )
        return Lines(mql, sql, keep_mql, keep_sql, self.quarantine_us)


def fresh(shape: tuple[int, ...]) -> State:
    """Return the state of leads of whom nothing was seen."""
    level, road, nurtured = (np.zeros(shape, dtype=np.int8) for _ in range(3))
    since, *above = (np.full(shape, NEVER, dtype=np.int64) for _ in range(3))
    return State(level, road, since, nurtured, *above)


def lines_of(
    thresholds: dict[str, Threshold],
    agreement: Agreement,
    *,
    suspended: frozenset[str] = frozenset(),
    quarantine: bool = True,
) -> Lines:
    """Return the lines of a model's thresholds.

    Parameters
    ----------
    thresholds : dict of str to Threshold
    agreement : Agreement
    suspended : frozenset of str
        Labels whose promise is suspended: kept, but not issued.
    quarantine : bool, default=True
        False: as if all had stood there long enough.
    """
    issue, keep = {}, {}
    for label in ("MQL", "SQL"):
        threshold = thresholds.get(label)
        at = threshold.probability if threshold else None
        at = np.inf if at is None else at
        keep[label] = at * agreement.movement.keep_share
        issue[label] = np.inf if label in suspended else at
    waits_us = quarantine_us(agreement) if quarantine else 0
    return Lines(issue["MQL"], issue["SQL"], keep["MQL"], keep["SQL"], waits_us)


def quarantine_us(agreement: Agreement) -> int:
    """Return the quarantine in microseconds.

    Lists stand at local midnights: a week in which clocks go forward is a week, though
    it is an hour short.
    """
    days = agreement.quarantine_days
    if days == 0 or agreement.snapshots.at_age_hours:
        return days * DAY_US
    return days * DAY_US - CLOCK_CHANGE_US


def advance(state: State, seen: Seen, lines: Lines) -> State:
    """Return where leads stand after what is seen of them; see the module.

    Who is SQL by the nurtured road stays on it when they raise a hand as well. Once a
    hand no longer counts, the lead is what it would be had it never been raised.
    """
    mql_since, is_mql = _stand(state, MQL, seen, lines)
    sql_since, is_sql = _stand(state, SQL, seen, lines)
    nurtured = np.where(is_sql, SQL, np.where(is_mql, MQL, NOBODY)).astype(np.int8)
    stays = (nurtured == SQL) & (state.road == NURTURED) & (state.level == SQL)
    by_hand = seen.is_raised & ~stays
    level = np.where(by_hand, np.int8(SQL), nurtured)
    road = np.where(by_hand, RAISED, np.where(level > NOBODY, NURTURED, 0))
    since = np.where((level == state.level) & (level > NOBODY), state.since, seen.as_of)
    since = np.where(level > NOBODY, since, NEVER)
    return State(level, road.astype(np.int8), since, nurtured, mql_since, sql_since)


def _stand(state: State, level: int, seen: Seen, lines: Lines) -> tuple[Array, Array]:
    """Return since when each is above a level's line or kept there, and who has it."""
    before, may, line, keep = (
        (state.sql_since, seen.may_sql, lines.sql, lines.keep_sql)
        if level == SQL
        else (state.mql_since, seen.may_mql, lines.mql, lines.keep_mql)
    )
    is_kept = may & (state.nurtured >= level) & (seen.probability >= keep)
    is_above = may & (seen.probability >= line)
    since = np.where(is_above | is_kept, np.minimum(before, seen.as_of), NEVER)
    # What never was has waited a negative time.
    has_waited = is_above & (seen.as_of - since >= lines.quarantine_us)
    return since, has_waited | is_kept
