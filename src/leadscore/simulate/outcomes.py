"""The stages leads reach: the conversion, what follows it, and what sales gives up on.

A frame in the making has ``lead`` (index), ``occurred`` and ``known`` (seconds, UTC),
``stage``, ``reason`` (null where there is none), ``amount`` (NaN where there is none).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.simulate.days import (
    DATA_END,
    DAY,
    MAX_AGE,
    Bools,
    Ints,
    in_office,
    moment,
)
from leadscore.simulate.events import Text, days_late, text_of
from leadscore.simulate.population import Leads, pick

__all__ = ["FAR", "conversion_instants", "disqualified_instants", "draw_outcomes"]

FAR = DATA_END + 10_000 * DAY  # never, in a form that compares

LOST = ("budget", "competitor_won", "no_decision", "timing")
REJECTED = ("not_reachable", "too_small", "no_need")


def conversion_instants(leads: Leads, ages: Ints, rng: np.random.Generator) -> Ints:
    """Return the business hour at which each lead converts; FAR where it never does."""
    hour = rng.uniform(9.0, 18.0, leads.n)
    at = moment(leads.created_day + np.minimum(ages, MAX_AGE - 1), hour)
    return np.where(ages < MAX_AGE, at, FAR)


def disqualified_instants(leads: Leads, rng: np.random.Generator) -> Ints:
    """Return when competitors and students are found out; FAR for the others."""
    at = in_office(leads.created + days_late(rng.uniform(4, 20, leads.n)), rng)
    return np.where(leads.excluded != "", at, FAR)


def draw_outcomes(
    leads: Leads,
    employees: Ints,
    converted: Ints,
    disqualified: Ints,
    handed: Ints,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw every stage reached, with the delay after which it was written down.

    Parameters
    ----------
    leads : Leads
    employees : ndarray of shape (n_leads,)
        Of the lead's account: larger firms sign larger contracts.
    converted, disqualified, handed : ndarray of shape (n_leads,)
        Instants; later than the export where it does not happen.
    rng : Generator
    """
    out = np.flatnonzero(disqualified < DATA_END)
    stages = pd.concat(
        [
            _after_conversion(employees, converted, rng),
            _stage(out, disqualified[out], "disqualified", reason=leads.excluded[out]),
            _given_up(np.where(handed < disqualified, handed, FAR), converted, rng),
        ],
        ignore_index=True,
    )
    n = len(stages)
    delay = np.where(rng.random(n) < 0.98, rng.uniform(0, 6, n), rng.uniform(8, 15, n))
    return stages.assign(known=stages["occurred"] + days_late(delay) + 60)


def _after_conversion(
    employees: Ints, converted: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the opportunities, and the contract or the loss weeks later."""
    lead = np.flatnonzero(converted < DATA_END)
    n = len(lead)
    fate = pick(rng, n, ("customer", "lost", "open"), [0.4, 0.45, 0.15])
    at = in_office(converted[lead] + days_late(rng.uniform(8, 75, n)), rng)
    size = np.log(employees[lead].astype(float))
    amount = 100.0 * np.round(rng.lognormal(2.5 + 0.35 * size, 0.5))
    won, lost = fate == "customer", fate == "lost"
    reason = pick(rng, int(lost.sum()), LOST, [0.3, 0.3, 0.25, 0.15])
    frames = [
        _stage(lead, converted[lead], "opportunity"),
        _stage(lead[won], at[won], "customer").assign(amount=amount[won]),
        _stage(lead[lost], at[lost], "lost", reason=reason),
    ]
    return pd.concat(frames, ignore_index=True)


def _given_up(handed: Ints, converted: Ints, rng: np.random.Generator) -> pd.DataFrame:
    """Return rejections, losses and second chances of leads handed over.

    Drawn without a look at when the lead converts; only what would come after that is
    dropped. So being lost says nothing about the truth, and some lost leads come back
    on their own.
    """
    n = len(handed)
    fate = pick(rng, n, ("rejected", "lost", "kept"), [0.3, 0.25, 0.45])
    wait = np.where(fate == "rejected", rng.uniform(4, 30, n), rng.uniform(35, 110, n))
    at = in_office(handed + days_late(wait), rng)
    again = in_office(at + days_late(rng.uniform(40, 120, n)), rng)
    rejected = _when(fate == "rejected", at, converted)
    lost = _when(fate == "lost", at, converted)
    recycled = _when((fate == "lost") & (rng.random(n) < 0.4), again, converted)
    why_not = pick(rng, len(rejected), REJECTED, [0.45, 0.3, 0.25])
    why_lost = pick(rng, len(lost), LOST, [0.3, 0.2, 0.3, 0.2])
    frames = [
        _stage(rejected, at[rejected], "rejected", reason=why_not),
        _stage(lost, at[lost], "lost", reason=why_lost),
        _stage(recycled, again[recycled], "recycled"),
    ]
    return pd.concat(frames, ignore_index=True)


def _when(happens: Bools, at: Ints, converted: Ints) -> Ints:
    """Return the leads for whom it happens before the export and any conversion."""
    return np.flatnonzero(happens & (at < converted) & (at < DATA_END))


def _stage(lead: Ints, at: Ints, stage: str, *, reason: Text = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lead": lead,
            "occurred": at,
            "stage": text_of(stage, len(lead)),
            "reason": text_of(reason, len(lead)),
            "amount": np.full(len(lead), np.nan),
        }
    )
