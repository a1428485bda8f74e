"""The audit: was a promise kept?

Goes in: what the ledger says was issued and promised, what happened since, an instant.
Comes out: a verdict a promise. Nothing is written, nothing asks what time it is, and a
score run may ask the same question to suspend what is broken.

A promise: of the leads that enter a label by the nurtured road, at least a share
converts within the horizon. Its cohort is the first entries under its model before it
expired (`leadscore.entries`); which of them count, and as what, `leadscore.realised`
says. The verdicts, where alpha is 1 - the promise's confidence:

- ``BROKEN``: at some look until now the confidence sequence of `leadscore.sequence` lay
  below the promise. There is a look whenever leads become mature, with what was known
  then; what was broken stays broken. Null: at every look, the mean probability of the
  leads so far is at or above the promise. It is rejected wrongly with at most alpha,
  all looks together, as long as conversions become known within the reporting lag.
- ``TOO EARLY``: not broken, and entries may still come (the model is in use and the
  promise has not expired) or are not mature; or nobody entered.
- ``KEPT``: closed and mature, the realised share at or above the promise.
- ``MISSED``: closed and mature, below it, but within chance.

Merges of leads are not looked at: the ledger's id is the one that counts, with the
account that the tables give it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadscore.entries import hand_raised_entries, label_rises, nurtured_entries
from leadscore.realised import Cohort, Realised, realise
from leadscore.sequence import log_evidence, upper_bound

__all__ = ["Audit", "Verdict", "audit_promises"]

_MEASURED = 0.95  # confidence of an interval where nothing was promised


@dataclass(frozen=True)
class Verdict:
    """What became of a promise.

    Parameters
    ----------
    promise : mapping
        As the ledger has it.
    word : {"TOO EARLY", "KEPT", "MISSED", "BROKEN"}
    cohort : Cohort
    bound : float
        Upper end of the confidence sequence at the promise's confidence; 1: too little
        is known.
    broken_since : Timestamp or None
        The first look at which it was broken.
    expires : Timestamp or None
        None: never.
    is_expired : bool
    is_in_use : bool
        Its model wrote the newest rows of the ledger.
    """

    promise: Mapping[str, Any]
    word: str
    cohort: Cohort
    bound: float
    broken_since: pd.Timestamp | None
    expires: pd.Timestamp | None
    is_expired: bool
    is_in_use: bool

    @property
    def is_suspended(self) -> bool:
        """Whether its model is in use and no label may stand on it any more."""
        return self.is_in_use and (self.broken_since is not None or self.is_expired)

    def is_suspended_at(self, as_of: pd.Timestamp) -> bool:
        """Return whether it was broken or expired at an instant until the audit's."""
        is_broken = self.broken_since is not None and self.broken_since <= as_of
        return bool(is_broken or _is_past(self.expires, as_of))


@dataclass(frozen=True)
class Audit:
    """The verdicts at an instant, in the order of the promises, and the other road.

    Parameters
    ----------
    at : Timestamp
    verdicts : tuple of Verdict
    hand_raised : Cohort
        Who asked to be contacted: measured, for nothing was promised.
    """

    at: pd.Timestamp
    verdicts: tuple[Verdict, ...]
    hand_raised: Cohort

    @property
    def is_degraded(self) -> bool:
        """Whether a promise is broken, or expired while in use."""
        return any(v.word == "BROKEN" or v.is_suspended for v in self.verdicts)


def audit_promises(
    rows: pd.DataFrame,
    promises: Sequence[Mapping[str, Any]],
    conversions: pd.DataFrame,
    accounts: pd.Series[Any],
    *,
    at: pd.Timestamp,
    horizon_days: int,
    reporting_lag_days: int,
    data_end: pd.Timestamp | None = None,
) -> Audit:
    """Return the verdict on each promise.

    Parameters
    ----------
    rows : DataFrame
        Of the ledger; those at or after ``at`` are not looked at.
    promises : sequence of mapping
        ``id, label, precision, confidence, model_version, horizon_days,
        reporting_lag_days, expires`` (empty: never).
    conversions : DataFrame
        ``lead_id, occurred_at, known_at``: outcomes of the conversion's stage, without
        nulls; those known at or after ``at`` are not looked at.
    accounts : Series of str, index of leads
        The account of each lead that the tables have; null: none, it counts alone.
    at : Timestamp, UTC
    horizon_days, reporting_lag_days : int
        For those who raised a hand; a promise has its own.
    data_end : Timestamp, default=None
        Until when the tables hold all outcomes; None: until ``at``. Nothing matures
        after it: who has no outcome in an old export has not failed to convert.

    Raises
    ------
    UsageError
        A promise is of nothing or of all, or of no or all confidence.
    """
    rows = rows[rows["as_of"] < at]
    limit = at if data_end is None else min(at, data_end)
    follow = functools.partial(
        realise, conversions=conversions, accounts=accounts, limit=limit
    )
    is_newest = rows["as_of"] == rows["as_of"].max()
    in_use = set(rows.loc[is_newest, "model_version"])
    labels = {"SQL", *(promise["label"] for promise in promises)}
    rises = {label: label_rises(rows, label) for label in labels}
    verdicts = tuple(
        _judge(promise, rises[promise["label"]], follow, at, in_use)
        for promise in promises
    )
    raised = follow(
        hand_raised_entries(rises["SQL"]),
        horizon_days=horizon_days,
        reporting_lag_days=reporting_lag_days,
    )
    return Audit(at, verdicts, raised.cohort(confidence=_MEASURED))


def _judge(
    promise: Mapping[str, Any],
    rises: pd.DataFrame,
    follow: Callable[..., Realised],
    at: pd.Timestamp,
    in_use: set[str],
) -> Verdict:
    target, model = promise["precision"], promise["model_version"]
    expires = pd.Timestamp(promise["expires"]) if promise["expires"] else None
    entered = nurtured_entries(rises, model_version=model)
    if expires is not None:
        entered = entered[entered["as_of"] < expires]
    realised = follow(
        entered,
        horizon_days=promise["horizon_days"],
        reporting_lag_days=promise["reporting_lag_days"],
    )
    cohort = realised.cohort(confidence=promise["confidence"])
    alpha = 1 - promise["confidence"]
    counts = cohort.n_converted, cohort.n_matured
    bound = upper_bound(*counts, target=target, alpha=alpha)
    since = _broken_since(realised, target, alpha)
    is_expired, is_in_use = _is_past(expires, at), model in in_use
    word = _word(cohort, target, is_closed=is_expired or not is_in_use)
    return Verdict(
        promise,
        "BROKEN" if since is not None else word,
        cohort,
        bound,
        since,
        expires,
        is_expired,
        is_in_use,
    )


def _is_past(expires: pd.Timestamp | None, at: pd.Timestamp) -> bool:
    return expires is not None and bool(expires <= at)


def _broken_since(
    realised: Realised, target: float, alpha: float
) -> pd.Timestamp | None:
    """Return the first look at which the sequence lay below the promise."""
    looks = realised.looks
    n, n_converted = realised.counts(looks)
    evidence = log_evidence(n_converted, n, target=target)
    broken = looks[evidence >= math.log(1 / alpha)]
    if len(broken) == 0:
        return None
    return pd.Timestamp(int(broken[0]), unit="us", tz="UTC").as_unit("us")


def _word(cohort: Cohort, target: float, *, is_closed: bool) -> str:
    if not is_closed or cohort.n_open or not cohort.n_matured:
        return "TOO EARLY"
    # 0.07 * 100 is a little more than 7: a promise is not missed by a rounding.
    is_kept = cohort.n_converted >= target * cohort.n_matured * (1 - 1e-12)
    return "KEPT" if is_kept else "MISSED"
