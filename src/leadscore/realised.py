"""Realised: what came of the leads that entered a label, and when it was known.

Goes in: entries, conversions, accounts, an instant. Comes out: counts, at that instant
or at any earlier look. The rules of time:

1. An entry is mature iff ``as_of + horizon + reporting lag <= limit``. Only mature ones
   count, in the order of entry: who converts early must not stand for those who have
   not yet had their time.
2. It converted iff the conversion happened in ``[as_of, as_of + horizon)`` and was
   known before the look.
3. Who had converted before the entry, which was known only later, is neither: set aside
   and counted. So is a lead that the tables no longer have.
4. Each account counts once, at its first entry; a lead without one counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.metrics import proportion_interval
from leadscore.snapshots import DAY_US, NEVER, microseconds

__all__ = ["CONVERTED_BEFORE", "NOT_IN_TABLES", "Cohort", "Realised", "realise"]

CONVERTED_BEFORE = "converted before, known later"
NOT_IN_TABLES = "not in the tables"


@dataclass(frozen=True)
class Cohort:
    """Leads (accounts) that entered by one road, and what came of them.

    Parameters
    ----------
    n_entries : int
        All that entered; those set aside are among them.
    n_matured, n_converted : int
        Whose time is over, and how many of these converted.
    n_open : int
        Whose time is not over.
    n_known_late : int
        Conversions that became known only after the lead had counted as mature.
    set_aside : dict of str to int
        By reason.
    low, high : float
        Exact two-sided interval of the share that converted.
    first_as_of, last_as_of : Timestamp or None
        Of the entries; None where there is none.
    first_mature_at, last_mature_at : Timestamp or None
        When the first entry's time is over, and when that of all those so far is.
    """

    n_entries: int
    n_matured: int
    n_converted: int
    n_open: int
    n_known_late: int
    set_aside: dict[str, int]
    low: float
    high: float
    first_as_of: pd.Timestamp | None
    last_as_of: pd.Timestamp | None
    first_mature_at: pd.Timestamp | None
    last_mature_at: pd.Timestamp | None

    @property
    def share(self) -> float | None:
        """The realised share; None where nobody is mature."""
        return self.n_converted / self.n_matured if self.n_matured else None

    @property
    def share_open(self) -> float:
        """The share of the entries whose time is not over; 0 where there is none."""
        return self.n_open / self.n_entries if self.n_entries else 0.0

    @property
    def facts(self) -> dict[str, Any]:
        """The same as plain data, instants as ISO 8601."""
        facts = {name: _plain(value) for name, value in vars(self).items()}
        return facts | {"share": self.share, "share_open": self.share_open}


@dataclass(frozen=True)
class Realised:
    """Entries in order, as int64 microseconds since 1970 UTC.

    Parameters
    ----------
    as_of, mature : int array of shape (n_entries,)
        Entered; mature from then on.
    converted, before : int array of shape (n_entries,)
        From when on it is known to have converted in its window, or to have done so
        before it; `NEVER`: it is not.
    n_gone : int
        Further entries, of leads that the tables do not have.
    limit : int
        Until when the tables speak.
    """

    as_of: np.ndarray
    mature: np.ndarray
    converted: np.ndarray
    before: np.ndarray
    n_gone: int
    limit: int

    def cohort(self, *, confidence: float) -> Cohort:
        """Return the counts at the limit, with an interval of that confidence."""
        n, n_converted = (int(count[0]) for count in self.counts([self.limit]))
        is_aside = self.before <= self.limit
        n_open = int((~is_aside & (self.mature > self.limit)).sum())
        is_late = (self.converted > self.mature) & (self.converted <= self.limit)
        reasons = {CONVERTED_BEFORE: int(is_aside.sum()), NOT_IN_TABLES: self.n_gone}
        return Cohort(
            len(self.as_of) + self.n_gone,
            n,
            n_converted,
            n_open,
            int((is_late & ~is_aside).sum()),
            {reason: count for reason, count in reasons.items() if count},
            *proportion_interval(n_converted, n, confidence=confidence),
            *_ends(self.as_of),
            *_ends(self.mature),
        )

    @property
    def looks(self) -> np.ndarray:
        """The instants until the limit at which entries became mature, ascending."""
        return np.unique(self.mature[self.mature <= self.limit])

    def counts(self, looks: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return how many were mature, and had converted, as known at each look."""
        out = np.maximum(self.mature, self.before)
        came = np.maximum(self.mature, self.converted)
        went = np.maximum(came, self.before)
        n = _until(self.mature, looks) - _until(out, looks)
        return n, _until(came, looks) - _until(went, looks)


def realise(
    entered: pd.DataFrame,
    conversions: pd.DataFrame,
    accounts: pd.Series[Any],
    *,
    limit: pd.Timestamp,
    horizon_days: int,
    reporting_lag_days: int,
) -> Realised:
    """Return what came of entries.

    Parameters
    ----------
    entered : DataFrame
        ``lead_id, as_of``, a lead once, sorted by as_of, then lead.
    conversions : DataFrame
        ``lead_id, occurred_at, known_at``, without nulls; a lead may have several.
    accounts : Series of str, index of leads
        The account of each lead that the tables have; null: none.
    limit : Timestamp, UTC
        Nothing known at or after it counts.
    horizon_days, reporting_lag_days : int
    """
    there = entered[entered["lead_id"].isin(accounts.index)]
    account = "account " + there["lead_id"].map(accounts).astype("str")
    group = account.fillna("lead " + there["lead_id"])
    once = there[~group.duplicated()].reset_index(drop=True)
    pairs = once.rename_axis("place").reset_index().merge(conversions, on="lead_id")
    entered_us = microseconds(pairs["as_of"])
    occurred = microseconds(pairs["occurred_at"])
    counts_from = microseconds(pairs["known_at"]) + 1  # it is known *before* a look
    is_before = occurred < entered_us
    is_inside = ~is_before & (occurred < entered_us + horizon_days * DAY_US)
    as_of = microseconds(once["as_of"])

    def earliest(which: np.ndarray) -> np.ndarray:
        found = np.full(len(once), NEVER)
        np.minimum.at(found, pairs["place"].to_numpy()[which], counts_from[which])
        return found

    return Realised(
        as_of,
        as_of + (horizon_days + reporting_lag_days) * DAY_US,
        earliest(is_inside),
        earliest(is_before),
        len(entered) - len(there),
        int(microseconds([limit])[0]),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def _until(instants: np.ndarray, looks: Any) -> np.ndarray:
    return np.searchsorted(np.sort(instants), looks, side="right")


def _ends(instants: np.ndarray) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    if len(instants) == 0:
        return None, None
    first, last = (
        pd.Timestamp(int(instant), unit="us", tz="UTC").as_unit("us")
        for instant in (instants.min(), instants.max())
    )
    return first, last
