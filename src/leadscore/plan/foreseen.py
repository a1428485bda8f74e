"""Foreseen: how many arrive in the coming weeks, convert, and bring how much.

Goes in: recent arrivals by span, what came of held-out arrivals. Comes out: draws of
the coming spans. A draw holds both what is not known of the rates and what chance makes
of them: spans are drawn twice (a past that could have been, a future from it); a share
of conversions is drawn from its Jeffreys posterior and then the conversions by it;
revenue is drawn twice by groups. Trials are counted by group (account, else lead), and
leads of a group convert together: cautious where they do not.

Rates move, too: how far past quarters differed beyond chance is how far the coming one
may be off. Not covered: what the past never showed, and a trend that goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = [
    "Road",
    "draw_conversions",
    "draw_moves",
    "draw_revenue",
    "draw_spans",
    "road_of",
]

_QUARTER = pd.Timedelta(days=91)
_MOST_QUARTERS = 8
_FARTHEST = 3.0  # a t of few degrees would have the rate tenfold now and then

_BLOCK = 50  # draws at a time
_NO_HISTORY = 0.5  # pseudo-conversions and pseudo-failures: Jeffreys' prior


@dataclass(frozen=True)
class Road:
    """What came of held-out arrivals by one road, by group.

    Parameters
    ----------
    n_arrivals, n_converted : int
        Arrivals; leads that converted.
    size, value : float arrays of shape (n_groups,)
        Arrivals and revenue of each group.
    """

    n_arrivals: int
    n_converted: int
    size: np.ndarray
    value: np.ndarray

    @property
    def rate(self) -> float:
        """Conversions an arrival; where nothing arrived, of nothing it is half."""
        return self.n_converted / self.n_arrivals if self.n_arrivals else _NO_HISTORY

    @property
    def value_per_arrival(self) -> float:
        """Revenue an arrival; zero where nothing arrived."""
        return float(self.value.sum() / self.n_arrivals) if self.n_arrivals else 0.0


def road_of(came: pd.DataFrame, *, is_raised: bool) -> Road:
    """Return one road of `leadscore.plan.arrivals.arrivals_with_outcomes`."""
    taken = came[came["is_raised"] == is_raised]
    by_group = taken.groupby("group", sort=True)
    return Road(
        len(taken),
        int(taken["converted"].sum()),
        by_group.size().to_numpy(dtype=np.float64),
        by_group["value"].sum().to_numpy(),
    )


def draw_spans(
    n_spans: int, n_ahead: int, *, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return which recent span each coming span is like.

    Drawn from a draw of the recent spans, so that a total of ``n_ahead`` spans varies
    by ``s^2 n_ahead (1 + n_ahead / n_spans)``, as a prediction must.

    Returns
    -------
    int array of shape (n_draws, n_ahead)
    """
    past = rng.integers(n_spans, size=(n_draws, n_spans))
    taken = rng.integers(n_spans, size=(n_draws, n_ahead))
    return np.take_along_axis(past, taken, axis=1)


def draw_moves(
    mature: pd.DataFrame, *, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return by which factor the coming quarter's rates are off.

    The share of groups on the lists of a quarter that convert, quarter by quarter: the
    variance of its logarithm beyond that of chance (method of moments), drawn as a
    prediction from so few quarters is (Student's t). No model is asked, so all leads
    tell. With fewer than three whole quarters nothing is known of it: factors are 1.

    Parameters
    ----------
    mature : DataFrame
        ``as_of, group, converted`` of all leads on mature lists; null is left out.

    Returns
    -------
    float array of shape (n_draws,)
    """
    known = mature[mature["converted"].notna()]
    back = (known["as_of"].max() - known["as_of"]) // _QUARTER
    first = known.assign(back=back).drop_duplicates(["back", "group"])
    first = first[(first["back"] < back.max()) & (first["back"] < _MOST_QUARTERS)]
    counted = first.groupby("back")["converted"].agg(["size", "sum"])
    n = len(counted)
    if n < 3:
        return np.ones(n_draws)
    hits, of = counted["sum"].to_numpy() + _NO_HISTORY, counted["size"].to_numpy() + 1
    by_chance = (1 / hits - 1 / of).mean()
    apart = max(float(np.log(hits / of).var(ddof=1) - by_chance), 0.0)
    far = np.clip(rng.standard_t(n - 1, n_draws), -_FARTHEST, _FARTHEST)
    return np.exp(np.sqrt(apart * (1 + 1 / n)) * far)


def draw_conversions(
    road: Road, arrivals: np.ndarray, rng: np.random.Generator, moves: np.ndarray
) -> np.ndarray:
    """Return how many of the coming arrivals convert.

    Parameters
    ----------
    road : Road
    arrivals : array of shape (n_draws,)
    rng : Generator
    moves : array of shape (n_draws,)
        By which factor rates are off: `draw_moves`.

    Returns
    -------
    float array of shape (n_draws,)
    """
    n_groups = len(road.size)
    per_group = road.n_arrivals / n_groups if n_groups else 1.0
    hits = road.rate * n_groups
    share = rng.beta(hits + _NO_HISTORY, n_groups - hits + _NO_HISTORY, len(arrivals))
    share = np.minimum(share * moves, 1.0)
    return rng.binomial(np.rint(arrivals / per_group).astype(int), share) * per_group


def draw_revenue(
    road: Road, arrivals: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return what the coming arrivals bring, shape (n_draws,); see `draw_conversions`.

    Where no held-out lead arrived, nothing.
    """
    n_groups = len(road.size)
    if n_groups == 0:
        return np.zeros(len(arrivals))
    equal = np.full(n_groups, 1 / n_groups)
    brought = []
    for totals in np.array_split(arrivals, max(len(arrivals) // _BLOCK, 1)):
        past = rng.multinomial(n_groups, equal, size=len(totals)) / n_groups
        future = rng.multinomial(np.rint(totals / (past @ road.size)).astype(int), past)
        size = future @ road.size
        # The draw of groups settles who comes; how many come is settled already.
        scale = np.divide(totals, size, out=np.zeros(len(totals)), where=size > 0)
        brought.append(future @ road.value * scale)
    return np.concatenate(brought)
