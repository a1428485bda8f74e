"""What sales does once a lead is handed over, and what it says of it.

Goes in: what leads did, and when they convert. Comes out: the hand-over instants,
sales' own interactions and its verdicts. Calls and quotes crowd before a conversion
*because* the deal is already under way: that is why the agreement denies them as
features. Verdicts do not look at the conversion, except that none follows it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.simulate.days import DATA_END, DAY, HOUR, Bools, Floats, Ints, in_office
from leadscore.simulate.events import days_late, events
from leadscore.simulate.population import pick

__all__ = ["HAND_OVER_AT", "HAND_OVER_POINTS", "draw_sales", "hand_overs"]

HAND_OVER_AT = 24
HAND_OVER_POINTS = {
    "demo_request": 100,
    "contact_request": 100,
    "whitepaper_download": 5,
    "webinar_attended": 5,
    "pricing_view": 4,
    "service_view": 2,
    "email_click": 1,
}


def hand_overs(n_leads: int, behaviour: pd.DataFrame) -> Ints:
    """Return when each lead is handed to sales; the export's instant where it never is.

    A crude sum of points without memory for time: the firm's practice so far. A scanner
    that clicks every link gets a lead handed over too.
    """
    counted = behaviour[behaviour["kind"].isin(list(HAND_OVER_POINTS))]
    counted = counted.sort_values(["lead", "known"], kind="stable")
    points = (
        counted["kind"]
        .map(HAND_OVER_POINTS)
        .astype("int64")
        .groupby(counted["lead"])
        .cumsum()
    )
    first = counted[points >= HAND_OVER_AT].drop_duplicates("lead")
    at = np.full(n_leads, DATA_END)
    at[first["lead"].to_numpy()] = first["known"].to_numpy() + 1
    return at


def draw_sales(handed: Ints, converted: Ints, rng: np.random.Generator) -> pd.DataFrame:
    """Draw sales' actions after each hand-over.

    Parameters
    ----------
    handed, converted : ndarray of shape (n_leads,)
        Instants; later than the export where it does not happen.
    rng : Generator
    """
    n = len(handed)
    worked = (handed < DATA_END) & (rng.random(n) < 0.85)
    chased = worked & (rng.random(n) < 0.25)
    closing = (handed < converted) & (converted < DATA_END + 30 * DAY)
    chase_end = handed + days_late(rng.uniform(15, 70, n))
    frames = [
        _burst(worked, handed, +rng.exponential(6, (n, 2)), rng),
        _burst(closing, converted, -rng.exponential(7, (n, 5)), rng),
        _burst(chased, chase_end, -rng.exponential(7, (n, 3)), rng),
        _quotes(closing & (rng.random(n) < 0.6), converted, rng),
        _quotes(chased & (rng.random(n) < 0.3), chase_end, rng),
    ]
    actions = pd.concat(frames, ignore_index=True)
    lead, occurred = actions["lead"].to_numpy(), actions["occurred"].to_numpy()
    # A deal that is won needs no more calls from this desk.
    return actions[(occurred > handed[lead]) & (occurred < converted[lead] + 5 * DAY)]


def _burst(
    active: Bools, around: Ints, days: Floats, rng: np.random.Generator
) -> pd.DataFrame:
    """Return calls and mails at the given days from an instant, noted hours later."""
    lead = np.repeat(np.flatnonzero(active), days.shape[1])
    near = np.repeat(around[active], days.shape[1]) + days_late(days[active].ravel())
    at = in_office(near, rng)
    kind = pick(rng, len(lead), ("call", "sales_email"), [0.6, 0.4])
    known = at + rng.integers(HOUR, 3 * DAY, len(lead))
    calls = kind == "call"
    seconds = np.where(calls, np.clip(rng.lognormal(5.3, 0.9, len(lead)), 5, 3600), 0)
    frames = [
        events(
            lead[calls],
            at[calls],
            "call",
            "phone",
            duration_s=seconds[calls],
            known=known[calls],
        ),
        events(lead[~calls], at[~calls], "sales_email", "email", known=known[~calls]),
    ]
    return pd.concat(frames, ignore_index=True)


def _quotes(active: Bools, before: Ints, rng: np.random.Generator) -> pd.DataFrame:
    lead = np.flatnonzero(active)
    at = in_office(before[lead] - days_late(rng.uniform(1, 10, len(lead))), rng)
    known = at + rng.integers(HOUR, 2 * DAY, len(lead))
    return events(lead, at, "quote", "email", known=known)
