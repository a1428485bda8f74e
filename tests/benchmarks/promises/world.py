"""The world: leads of a firm, each at every list of its life, and their true chances.

Goes in: a firm, a generator. Comes out: one row a lead and list, sorted by lead, then
day; ``converted`` is null where a conversion was known too late.

A lead has a hazard of converting that stays the same all its life, ``h`` a day. So,
whatever was seen of it until it still had not converted, it converts within the horizon
with ``1 - exp(-horizon h)``: the column ``truth``, exactly. The hazard is made of what
the account is (``persona``, seen), of what the lead wants (``wish``, seen better each
week by its visits) and of what nobody sees, half of which the account's leads share.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from .firm import HORIZON_DAYS, MAX_AGE_DAYS, Firm

__all__ = ["LAST_DAY", "draw_looks"]

LAST_DAY = 365  # the newest mature list
EVERY = 7
N_LOOKS = MAX_AGE_DAYS // EVERY
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


def draw_looks(
    firm: Firm, n_leads: int, rng: np.random.Generator, *, first_day: float = 0.0
) -> pd.DataFrame:
    """Return the looks at leads that arrive evenly in ``[first_day, LAST_DAY)``.

    Returns
    -------
    DataFrame
        ``lead, account`` (numbers), ``day``, ``persona, engagement, n_lately, n_visits,
        n_opens, age_days``, ``grade`` (0 to 3, 4: unknown), ``n_missing``,
        ``raised_days, left_days, rejected_days, converted`` (null: never, not known),
        ``truth``.
    """
    account = np.repeat(np.arange(n_leads), 1 + rng.poisson(firm.mates, n_leads))
    account = account[:n_leads]
    persona, shared = (rng.normal(size=n_leads)[account] for _ in range(2))
    wish, own = rng.normal(size=(2, n_leads))
    seen = np.sqrt(firm.seen) * (0.6 * persona + 0.8 * wish)
    unseen = np.sqrt((1 - firm.seen) / 2) * (shared + own)
    hazard = np.exp(_middle(firm) + firm.signal * (seen + unseen))
    created = rng.uniform(first_day, LAST_DAY, n_leads)
    converted = created + rng.exponential(1 / hazard)
    known = converted + rng.uniform(0, 3, n_leads)
    first = LAST_DAY - EVERY * np.ceil((LAST_DAY - created) / EVERY) + EVERY
    day = first[:, None] + EVERY * np.arange(N_LOOKS)
    visits = rng.poisson(np.exp(-0.3 + 0.7 * wish)[:, None], day.shape)
    opens = rng.poisson(0.5, day.shape)
    is_listed = (day <= LAST_DAY) & (known[:, None] >= day)
    is_listed &= day - created[:, None] <= MAX_AGE_DAYS
    is_listed &= ~_away(n_leads, rng)
    before = converted[:, None] < day
    inside = converted[:, None] < day + HORIZON_DAYS
    noisy = persona + rng.normal(0, 0.5, n_leads)
    grade = 3 - np.searchsorted([-1.0, -0.2, 0.6], noisy)
    n_missing = rng.choice(3, n_leads, p=[0.85, 0.1, 0.05])
    lead = np.arange(n_leads)
    wide = {
        "lead": lead[:, None],
        "account": account[:, None],
        "day": day,
        "persona": persona[:, None],
        "engagement": _decayed(visits),
        "n_lately": visits,
        "n_visits": visits.cumsum(axis=1),
        "n_opens": opens.cumsum(axis=1),
        "age_days": day - created[:, None],
        "grade": np.where(n_missing == 2, 4, grade)[:, None],
        "n_missing": n_missing[:, None],
        "raised_days": _since(firm.raisers * np.exp(wish / 2 - 1 / 8), rng),
        "left_days": _since(np.full(n_leads, 0.02), rng),
        "rejected_days": _since(np.full(n_leads, 0.03), rng),
        "converted": np.where(before, np.nan, inside),
        "truth": -np.expm1(-HORIZON_DAYS * hazard)[:, None],
    }
    return pd.DataFrame(
        {name: np.broadcast_to(of, day.shape)[is_listed] for name, of in wide.items()}
    )


def _middle(firm: Firm) -> float:
    """Return the mean log hazard that leads to the base rate."""

    def beyond(middle: float) -> float:
        chance = -np.expm1(-HORIZON_DAYS * np.exp(middle + firm.signal * NODES))
        return float(chance @ WEIGHTS / WEIGHTS.sum()) - firm.base_rate

    return float(brentq(beyond, -20, 5))


def _decayed(visits: np.ndarray) -> np.ndarray:
    """Return visits that count half after four weeks, shape of ``visits``."""
    engagement = visits.astype(np.float64)
    for look in range(1, visits.shape[1]):
        engagement[:, look] += 0.84 * engagement[:, look - 1]
    return engagement


def _since(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return days since something that happens once to some leads, null: not yet."""
    at = rng.integers(0, N_LOOKS, len(chance))
    at = np.where(rng.random(len(chance)) < chance, at, N_LOOKS)
    looks = np.arange(N_LOOKS) - at[:, None]
    return np.where(looks < 0, np.nan, EVERY * looks + 3.0)


def _away(n_leads: int, rng: np.random.Generator) -> np.ndarray:
    """Say when one lead in twenty is off the list for three weeks."""
    at = np.where(rng.random(n_leads) < 0.05, rng.integers(1, 9, n_leads), N_LOOKS)
    looks = np.arange(N_LOOKS) - at[:, None]
    return (looks >= 0) & (looks < 3)
