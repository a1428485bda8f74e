"""Foreseen: how many arrive in the coming weeks, convert, and bring how much.

Goes in: recent arrivals by span, what came of held-out arrivals. Comes out: draws of
the coming spans. A draw holds both what is not known of the rates and what chance makes
of them: spans are drawn twice (a past that could have been, a future from it); a share
of conversions is drawn from its Jeffreys posterior and then the conversions by it;
revenue likewise, and what each payer pays from a draw of earlier payers. Trials are
counted by group (account, else lead), and leads of a group convert together: cautious
where they do not.

Rates move, too: how far past quarters differed beyond chance is how far the coming one
may be off. Not covered: what the past never showed, and a trend that goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, t

__all__ = [
    "Road",
    "draw_conversions",
    "draw_moves",
    "draw_revenue",
    "draw_spans",
    "draw_totals",
    "road_of",
]

_QUARTER = pd.Timedelta(days=91)
_MOST_QUARTERS = 8
_FARTHEST = 3.0  # a t of few degrees would have the rate tenfold now and then

_BLOCK = 50  # draws at a time
_TAIL = 0.05  # where the normal and Student's t are compared
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
    def per_group(self) -> float:
        """Arrivals a group."""
        return self.n_arrivals / len(self.size) if self.n_arrivals else 1.0

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
    """Return which recent span each coming span is like, drawn from a draw of them.

    Returns
    -------
    int array of shape (n_draws, n_ahead)
    """
    past = rng.integers(n_spans, size=(n_draws, n_spans))
    taken = rng.integers(n_spans, size=(n_draws, n_ahead))
    return np.take_along_axis(past, taken, axis=1)


def draw_totals(counts: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return arrivals in all the coming spans together.

    Their variance is ``s^2 n_ahead (1 + n_ahead / n_spans)``, as a prediction's must
    be; s comes from few spans, so deviations are stretched as Student's t is wider than
    the normal. (Drawing neighbouring spans together was tried, and held less often.)

    Parameters
    ----------
    counts : int array of shape (n_spans,)
        At least two.
    spans : int array of shape (n_draws, n_ahead)
        From `draw_spans`.

    Returns
    -------
    float array of shape (n_draws,)
        At least zero.
    """
    n_spans, expected = len(counts), counts.mean() * spans.shape[1]
    wider = float(t.isf(_TAIL, n_spans - 1) / norm.isf(_TAIL))
    wider *= (n_spans / (n_spans - 1)) ** 0.5
    totals = counts[spans].sum(axis=1)
    return np.maximum(expected + (totals - expected) * wider, 0.0)


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
    hits = road.rate * len(road.size)
    return _draw_groups(road, hits, arrivals, rng, moves) * road.per_group


def draw_revenue(
    road: Road, arrivals: np.ndarray, rng: np.random.Generator, moves: np.ndarray
) -> np.ndarray:
    """Return what the coming arrivals bring, shape (n_draws,).

    How many groups pay is drawn as conversions are; what each pays, from a draw of what
    those before paid. Where none has paid yet, nothing. Parameters as in
    `draw_conversions`.
    """
    paid = road.value[road.value > 0]
    n_paid = len(paid)
    if n_paid == 0:
        return np.zeros(len(arrivals))
    n_payers = _draw_groups(road, n_paid, arrivals, rng, moves)
    equal = np.full(n_paid, 1 / n_paid)
    brought = []
    for payers in np.array_split(n_payers, max(len(arrivals) // _BLOCK, 1)):
        past = rng.multinomial(n_paid, equal, size=len(payers)) / n_paid
        brought.append(rng.multinomial(payers, past) @ paid)
    return np.concatenate(brought)


def _draw_groups(
    road: Road,
    hits: float,
    arrivals: np.ndarray,
    rng: np.random.Generator,
    moves: np.ndarray,
) -> np.ndarray:
    """Return of how many of the coming groups it is true, as of ``hits`` before."""
    prior = _NO_HISTORY
    misses = len(road.size) - hits
    share = rng.beta(hits + prior, misses + prior, len(arrivals)) * moves
    n_groups = np.rint(arrivals / road.per_group).astype(int)
    return rng.binomial(n_groups, np.minimum(share, 1.0))
