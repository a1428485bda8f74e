"""The two splits: time order judges the recipe, leads prove the promises.

Goes in: labelled snapshots. Comes out: backtest periods and the held-out leads.

One worked example, horizon 30 days, lag 7, three origins of 30 days each, an as_of each
midnight, the newest mature one 25 May: the last test period holds the as_ofs 26 Apr to
25 May, the one before 27 Mar to 25 Apr, and so on backwards. The origin of the last is
the microsecond after 25 Apr, 0:00. There we stand: only facts known before it are used,
and a snapshot may be fitted on iff its window and the lag ended by then, so its as_of
is 19 Mar at the latest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.errors import DataError

__all__ = [
    "Period",
    "backtest_periods",
    "check_periods",
    "groups_of",
    "held_out",
    "is_held_out",
]


@dataclass(frozen=True)
class Period:
    """A test period, half-open: ``[origin, end)``; the fit knows only the past of it.

    Parameters
    ----------
    origin : Timestamp, UTC
        Where the backtest stands.
    end : Timestamp, UTC
        Not in the period any more.
    """

    origin: pd.Timestamp
    end: pd.Timestamp

    def holds(self, as_of: pd.Series) -> pd.Series:
        """Return which instants lie in the period."""
        return (as_of >= self.origin) & (as_of < self.end)


def backtest_periods(as_of: pd.Series, agreement: Agreement) -> list[Period]:
    """Return the backtest periods, oldest first, walking back from the newest as_of.

    Parameters
    ----------
    as_of : Series of Timestamp
        Of the mature snapshots; not empty.
    agreement : Agreement
        ``training.origins`` periods of ``training.test_days`` (default: the horizon).
        Periods that begin before the first snapshot are left out.
    """
    training = agreement.training
    length = pd.Timedelta(days=training.test_days or agreement.conversion.horizon_days)
    end = as_of.max() + pd.Timedelta(microseconds=1)
    periods = [
        Period(end - length * (step + 1), end - length * step)
        for step in range(training.origins - 1, -1, -1)
    ]
    return [period for period in periods if period.origin > as_of.min()]


def check_periods(
    fit_as_of: pd.Series, test_as_of: pd.Series, agreement: Agreement
) -> None:
    """Refuse a split in which a fitted outcome window reaches into the test.

    Recomputed from the instants alone, on purpose not by the code that made the split.

    Raises
    ------
    DataError
        ``max(fit) + horizon + lag`` lies after ``min(test)``.
    """
    days = agreement.conversion.horizon_days + agreement.conversion.reporting_lag_days
    needed = pd.Timedelta(days=days)
    if len(fit_as_of) == 0 or len(test_as_of) == 0:
        return
    gap = test_as_of.min() - fit_as_of.max()
    if gap < needed:
        msg = (
            f"the last fitted as_of {fit_as_of.max()} and the first tested one "
            f"{test_as_of.min()} are {gap} apart; the outcome window and the lag take "
            f"{needed}. This is an error in the split, please report it."
        )
        raise DataError(msg)


def groups_of(snapshots: pd.DataFrame) -> np.ndarray:
    """Return what is counted: the account where known, else the lead."""
    accounts = snapshots["account_id"].astype(object)
    own = "lead:" + snapshots["lead_id"].astype(object)
    return ("account:" + accounts).where(accounts.notna(), own).to_numpy(dtype=str)


def held_out(groups: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Return which groups are kept from the fit, by a hash of their name.

    Parameters
    ----------
    groups : array of str of shape (n_rows,)
    share : float
        Expected share of groups that is held out.
    seed : int

    Returns
    -------
    bool array of shape (n_rows,)
        All rows of a group agree; adding leads moves no other lead.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    out = np.array([_place(f"{seed}:{name}") < share for name in names], dtype=bool)
    return out[inverse] if len(names) else np.zeros(0, dtype=bool)


def is_held_out(snapshots: pd.DataFrame, agreement: Agreement) -> np.ndarray:
    """Return which snapshots are of leads (accounts) that prove promises.

    What is fitted, chosen or left out before a promise is proven must not depend on
    what became of them.

    Parameters
    ----------
    snapshots : DataFrame
        ``lead_id, account_id``.
    agreement : Agreement
        ``training.promise_share`` of the leads (accounts), drawn by ``training.seed``.

    Returns
    -------
    bool array of shape (n_snapshots,)
    """
    training = agreement.training
    return held_out(
        groups_of(snapshots), share=training.promise_share, seed=training.seed
    )


def _place(name: str) -> float:
    """Return a number in [0, 1) that depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return float(int.from_bytes(digest[:8], "big") / 2**64)
