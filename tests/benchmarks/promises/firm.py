"""A firm: what differs between the simulated ones.

Goes in: a generator. Comes out: one firm, and the agreement it made. Time changes
nothing in it: what is true of last year's leads is true of next year's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.agreement import Agreement, parse_agreement

__all__ = ["Firm", "agreement_of", "draw_firm"]

SIZES = (500, 5000)
TARGETS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
HORIZON_DAYS, LAG_DAYS, MAX_AGE_DAYS = 90, 7, 84


@dataclass(frozen=True)
class Firm:
    """One firm.

    Parameters
    ----------
    is_hard : bool
        See `draw_firm`.
    n_leads : int
        That arrive in a year.
    base_rate : float
        Share of new leads that convert within the horizon.
    signal : float
        Standard deviation of the log of the leads' hazards.
    seen : float
        From 0 to 1: how much of that the model can see.
    mates : float
        Mean number of further leads of an account.
    raisers : float
        Share of leads that ask to be contacted.
    mql, sql : float
        What is promised; both below 1.
    min_fit : str
        Of an SQL.
    promise_share, promise_days : float, int
        How many leads are held out, and how long the period is.
    seed : int
        Of which leads are held out.
    """

    is_hard: bool
    n_leads: int
    base_rate: float
    signal: float
    seen: float
    mates: float
    raisers: float
    mql: float
    sql: float
    min_fit: str
    promise_share: float
    promise_days: int
    seed: int


def draw_firm(rng: np.random.Generator) -> Firm:
    """Return a firm; what it promises is between .15 and .5, its SQL the higher.

    In half of the firms, those ``hard``, about as many leads convert as one of the
    labels promises, and little tells them apart: there a promise fails most easily.
    """
    low, high = np.log(SIZES)
    two = np.sort(rng.choice(TARGETS, 2, replace=False))
    is_hard = bool(rng.random() < 0.5)
    hard_rate = rng.choice(two) * rng.uniform(0.75, 1.05)
    return Firm(
        is_hard=is_hard,
        n_leads=int(np.exp(rng.uniform(low, high))),
        base_rate=float(hard_rate if is_hard else rng.uniform(0.05, 0.35)),
        signal=rng.uniform(0.0, 0.7) if is_hard else rng.uniform(0.7, 2.0),
        seen=rng.uniform(0.3, 1.0),
        mates=float(rng.choice([0.0, 0.5, 2.0])),
        raisers=float(rng.choice([0.0, 0.05, 0.2])),
        mql=float(two[0]),
        sql=float(two[1]),
        min_fit=str(rng.choice(["B", "C", "D"])),
        promise_share=float(rng.choice([0.25, 0.4])),
        promise_days=int(rng.choice([90, 180, 270])),
        seed=int(rng.integers(2**31)),
    )


def agreement_of(firm: Firm) -> Agreement:
    """Return what the firm's marketing and sales agreed on."""
    return parse_agreement(
        f"""
        [conversion]
        horizon_days = {HORIZON_DAYS}
        reporting_lag_days = {LAG_DAYS}
        [snapshots]
        every_days = 14
        max_age_days = {MAX_AGE_DAYS}
        [training]
        promise_share = {firm.promise_share}
        promise_days = {firm.promise_days}
        seed = {firm.seed}
        [labels.MQL]
        precision = {firm.mql}
        [labels.SQL]
        precision = {firm.sql}
        min_fit = "{firm.min_fit}"
        [hand_raise]
        kinds = ["demo_request"]
        [attributes.industry]
        kind = "category"
        changes = false
        [attributes.employees]
        kind = "number"
        changes = false
        [[personas]]
        name = "buyer"
        criteria = [
          {{ attribute = "industry", any_of = ["software"] }},
          {{ attribute = "employees", min = 50 }},
        ]
        """
    )
