"""Audits: how soon a promise that does not hold is found, and how often a true one is
called broken.

Goes in: the chance of each entry over a year. Comes out: when the product's audit said
BROKEN. One audit at the end tells of all looks: it goes through every day on which
leads matured, with what was known then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from leadscore.audit import audit_promises
from leadscore.metrics import proportion_interval
from leadscore.tables import INSTANT
from tests.benchmarks.quality.markdown import table

from .firm import HORIZON_DAYS, LAG_DAYS
from .history import DAY_ZERO

__all__ = ["broken_day", "delay_table", "false_alarm_table", "promise_of"]

YEAR = 365
ENTRIES_A_WEEK = (5, 20)
# Promise, entries a week, how far leads differ.
ALARMS = ((0.15, 20, 0.0), (0.3, 20, 0.0), (0.5, 20, 0.0), (0.3, 20, 0.9))
Drift = Callable[[np.ndarray], np.ndarray]


def promise_of(precision: float, confidence: float = 0.95) -> dict[str, Any]:
    """Return a promise of SQL, as the ledger keeps it, that never expires."""
    return {
        "id": f"SQL {precision:.6g} A",
        "label": "SQL",
        "precision": precision,
        "confidence": confidence,
        "model_version": "A",
        "horizon_days": HORIZON_DAYS,
        "reporting_lag_days": LAG_DAYS,
        "expires": "",
    }


def broken_day(
    day: np.ndarray, chance: np.ndarray, precision: float, rng: np.random.Generator
) -> float:
    """Return on which day a promise was found broken; infinite: never.

    Parameters
    ----------
    day, chance : float array of shape (n_entries,)
        When each lead entered, ascending, and its true probability to convert.
    precision : float
        What was promised.
    rng : Generator
    """
    n = len(day)
    lead = pd.Series(np.arange(n)).astype("str")
    as_of = _at(np.floor(day))
    rows = pd.DataFrame(
        {
            "lead_id": lead,
            "as_of": as_of,
            "change": "issued",
            "label": "SQL",
            "road": "nurtured",
            "label_since": as_of,
            "model_version": "A",
        }
    )
    converts = rng.random(n) < chance
    occurred = np.floor(day) + rng.uniform(0, HORIZON_DAYS, n)
    known = occurred + rng.uniform(0, LAG_DAYS, n)
    conversions = pd.DataFrame(
        {"lead_id": lead, "occurred_at": _at(occurred), "known_at": _at(known)}
    )[converts]
    (verdict,) = audit_promises(
        rows,
        [promise_of(precision)],
        conversions,
        pd.Series(None, index=lead, dtype="str"),
        at=DAY_ZERO + pd.Timedelta(days=2 * YEAR),
        horizon_days=HORIZON_DAYS,
        reporting_lag_days=LAG_DAYS,
    ).verdicts
    if verdict.broken_since is None:
        return np.inf
    return float((verdict.broken_since - DAY_ZERO) / pd.Timedelta(days=1))


def false_alarm_table(n_audits: int, *, seed: int) -> str:
    """Return how often a promise that is true, but no more than true, is called broken.

    Leads are all alike, or differ: then their mean is the promised one, or a little
    above it, at every look.
    """
    lines = []
    for precision, a_week, spread in ALARMS:
        rng = np.random.default_rng([seed, int(100 * precision), a_week])
        found = [
            broken_day(*_even(precision, spread, a_week, rng), precision, rng)
            for _ in range(n_audits)
        ]
        k = int(np.isfinite(found).sum())
        low, high = proportion_interval(k, n_audits)
        lines.append(
            {
                "promise and truth": f"{precision:.0%}",
                "entries a week": f"{a_week}",
                "leads": "differ" if spread else "all alike",
                "audits": f"{n_audits:,}",
                "called broken within a year": (
                    f"{k / n_audits:.1%} ({low:.1%} to {high:.1%})"
                ),
            }
        )
    return table(lines)


def delay_table(n_audits: int, *, seed: int) -> str:
    """Return how soon, from the day of the change on, a promise is found broken.

    Before the change the truth is a fifth above the promise, for half a year; after it
    the table's share of the promise.
    """
    changes: dict[str, Drift] = {
        f"at once to {share:.0%}": _to(share) for share in (0.9, 0.8, 2 / 3, 0.5, 0.25)
    } | {"within a year to 50%": _slowly(0.5)}
    lines = []
    for name, drift in changes.items():
        line = {"the truth falls": name + " of it"}
        for a_week in ENTRIES_A_WEEK:
            for since, words in (
                (0, "from the start"),
                (YEAR / 2, "after half a year"),
            ):
                rng = np.random.default_rng([seed, a_week, int(since)])
                days = [
                    broken_day(day, 0.3 * _changed(day, since, drift), 0.3, rng) - since
                    for day in (
                        _days(a_week, since + YEAR, rng) for _ in range(n_audits)
                    )
                ]
                line[f"{words}, {a_week} a week"] = _said(np.array(days))
        lines.append(line)
    return table(lines)


def _said(days: np.ndarray) -> str:
    found = np.isfinite(days)
    if found.mean() <= 0.5:
        return f"{found.mean():.0%}"
    return f"{found.mean():.0%}, {np.median(days):.0f} days"


def _days(a_week: float, until: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.uniform(0, until, rng.poisson(a_week * until / 7)))


def _even(
    precision: float, spread: float, a_week: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return days and chances; leads that differ come in pairs about the mean."""
    day = _days(a_week, YEAR, rng)
    half = spread * min(precision, 1 - precision)
    # The first of a pair is the better one, so no running mean is below the promise.
    return day, precision + half * np.where(np.arange(len(day)) % 2, -1.0, 1.0)


def _changed(day: np.ndarray, since: float, drift: Drift) -> np.ndarray:
    """Return the truth as a share of the promise, by day."""
    return np.where(day < since, 1.2, drift(day - since))


def _to(share: float) -> Drift:
    return lambda day: np.full(len(day), share)


def _slowly(share: float) -> Drift:
    return lambda day: np.interp(day, [0, YEAR], [1.2, share])


def _at(days: np.ndarray) -> pd.Series:
    return (DAY_ZERO + pd.Series(pd.to_timedelta(days, unit="D"))).astype(INSTANT)
