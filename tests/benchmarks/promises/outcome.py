"""Outcome: what a firm promised, by each method, and what it really was worth.

Goes in: a seed. Comes out: one record a label and method. The same draws serve all.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.movement import lines_of
from leadscore.policy import Threshold
from leadscore.promise import LEVELS, prove

from . import rivals
from .firm import MAX_AGE_DAYS, Firm, agreement_of, draw_firm
from .learned import Learned, learn
from .truth import Truth, lines_at, true_precision
from .world import LAST_DAY, draw_looks

__all__ = ["OURS", "Outcome", "outcomes_of"]

OURS, BEST = "leadscore", "the best"
N_FRESH = 5_000  # leads whose truth is measured
ORACLE_STEP = 4  # of the grid, where the best threshold is looked for


@dataclass(frozen=True)
class Outcome:
    """What one method did for one label of one firm.

    Parameters
    ----------
    seed : int
    is_hard : bool
    label, method : str
    promised : float
    threshold : float
        Null: not issued.
    truth, error : float
        Precision among fresh leads that enter, and its simulation error.
    truth_of_rows : float
        Precision among fresh leads at their first look: what tools for rows aim at.
    recall : float
        Conversions among those who enter, as a share of those at the best threshold;
        null where no threshold keeps the promise, or none is issued.
    best : float
        The best threshold: the loosest whose truth reaches the promise; null: none.
    n, n_converted : int
        Held-out entries at our threshold, or at the one that was to prove it.
    """

    seed: int
    is_hard: bool
    label: str
    method: str
    promised: float
    threshold: float
    truth: float
    error: float
    truth_of_rows: float
    recall: float
    best: float
    n: int
    n_converted: int


def outcomes_of(
    seed: int, *, n_fresh: int = N_FRESH, with_rivals: bool = True
) -> list[Outcome]:
    """Return what became of one firm; nothing where its leads all end alike.

    Parameters
    ----------
    seed : int
    n_fresh : int
        Leads whose truth is measured.
    with_rivals : bool, default=True
        False: ours alone, and no best threshold.
    """
    rng = np.random.default_rng([seed, 6])
    firm = draw_firm(rng)
    agreement = agreement_of(firm)
    learned = learn(draw_looks(firm, firm.n_leads, rng), agreement)
    if learned is None:
        return []
    given = prove(learned.found, learned.grid, agreement)
    chosen = {label: {OURS: _null(said.probability)} for label, said in given.items()}
    if with_rivals:
        for label, said in given.items():
            chosen[label] |= _rivals(learned, said, getattr(firm, label.lower()))
    if not (with_rivals or any(said.probability for said in given.values())):
        n_fresh = 2  # nothing was issued, so there is nothing to measure
    fresh = _fresh(firm, learned, agreement, n_fresh, rng)
    judged = _judge(fresh, chosen, given, learned, agreement, with_best=with_rivals)
    known = fresh[(fresh["as_of"] >= learned.found.since) & fresh["converted"].notna()]
    first = known.drop_duplicates("lead_id")
    return [
        _outcome(seed, firm, label, method, at, judged, first, given[label])
        for label in given
        for method, at in chosen[label].items()
    ]


def _fresh(
    firm: Firm,
    learned: Learned,
    agreement: Agreement,
    n_fresh: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the history of fresh leads of the firm, those that the period can see."""
    first_day = max(LAST_DAY - firm.promise_days - MAX_AGE_DAYS, 0)
    looks = draw_looks(firm, n_fresh, rng, first_day=first_day)
    return learned.history(looks, agreement)


def _rivals(learned: Learned, said: Threshold, promised: float) -> dict[str, float]:
    """Return the threshold of each rival, null where it sets none."""
    history, model = learned.found.held_out, learned.model
    inside = (history["as_of"] >= learned.found.since).to_numpy()
    columns = history.loc[inside, ["converted", "lead_id"]].to_numpy(dtype=float).T
    rows = rivals.first_rows(learned.inputs(learned.looks)[inside], *columns)
    chosen = {
        "naive threshold": rivals.naive(said, promised),
        "F1": rivals.f1(model, rows),
        "TunedThresholdClassifierCV": rivals.tuned(model, rows, promised),
    }
    if rivals.HAS_MAPIE:
        grid = np.array(learned.grid[said.facts["start"] :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nothing, or everything, qualifies
            for name, its in (("MAPIE", None), ("MAPIE, our grid", grid)):
                chosen[name] = rivals.mapie(model, rows, promised, said.confidence, its)
    return chosen


def _judge(
    fresh: pd.DataFrame,
    chosen: dict[str, dict[str, float]],
    given: dict[str, Threshold],
    learned: Learned,
    agreement: Agreement,
    *,
    with_best: bool,
) -> dict[tuple[str, str], tuple[float, Truth]]:
    """Return thresholds and truths by label and method, ours as it is shipped.

    `BEST` is the loosest threshold of a third of the grid that keeps the promise.
    """
    asked = [
        (label, method, at)
        for label, of in chosen.items()
        for method, at in of.items()
        if method != OURS and not np.isnan(at)
    ]
    if with_best:
        grid = learned.grid[::-1][::ORACLE_STEP][::-1]
        asked += [(label, BEST, at) for label in chosen for at in grid]
    since, found = learned.found.since, {}
    if asked:
        tried, column = np.unique([at for *_, at in asked], return_inverse=True)
        lines = lines_at(tried, agreement)
        wanted = [(c, LEVELS[a[0]]) for c, a in zip(column, asked, strict=True)]
        truths = true_precision(fresh, lines, wanted, since, agreement)
        for (label, method, at), truth in zip(asked, truths, strict=True):
            promised = getattr(agreement.labels, label).precision
            if method != BEST or (truth.n and truth.precision >= promised):
                found[label, method] = at, truth
    issued = [label for label in given if given[label].probability is not None]
    lines = lines_of(given, agreement)
    wanted = [(0, LEVELS[label]) for label in issued]
    truths = true_precision(fresh, lines, wanted, since, agreement)
    for label, truth in zip(issued, truths, strict=True):
        found[label, OURS] = chosen[label][OURS], truth
    return found


def _outcome(
    seed: int,
    firm: Firm,
    label: str,
    method: str,
    at: float,
    judged: dict[tuple[str, str], tuple[float, Truth]],
    first: pd.DataFrame,
    said: Threshold,
) -> Outcome:
    nothing = np.nan, Truth(np.nan, np.nan, 0, 0.0)
    truth = judged.get((label, method), nothing)[1]
    best, best_truth = judged.get((label, BEST), nothing)
    chosen = first["truth"][first["probability"] >= at]
    counted = said.facts["tried"][said.facts["start"]]
    if said.probability is not None:
        counted = {"n": said.n_entries, "n_converted": said.n_converted}
    return Outcome(
        seed,
        firm.is_hard,
        label,
        method,
        getattr(firm, label.lower()),
        at,
        truth.precision,
        truth.error,
        float(chosen.mean()) if len(chosen) else np.nan,
        truth.worth / best_truth.worth if best_truth.worth and truth.n else np.nan,
        best,
        counted["n"],
        counted["n_converted"],
    )


def _null(probability: float | None) -> float:
    return np.nan if probability is None else probability
