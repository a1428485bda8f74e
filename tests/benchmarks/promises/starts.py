"""Starts: what the rule for the first threshold is worth, on the same held-out leads.

A sequence may start at any threshold that was chosen without the held-out leads; each
start keeps the promise's confidence, so only the power tells them apart. The share of
labels that would be issued from: the strictest threshold; the strictest at which ten,
or thirty, held-out leads enter (outcomes do not say that either); ours. The last column
looks at the outcomes, which is not allowed: the most that any start could reach.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.stats import binom

from leadscore.promise import prove
from tests.benchmarks.quality.markdown import table

from .firm import agreement_of, draw_firm
from .learned import learn
from .world import draw_looks

__all__ = ["starts_table"]


def starts_table(seeds: Iterable[int]) -> str:
    """Return the share of labels issued by start, over firms."""
    issued: dict[str, list[bool]] = {}
    for seed in seeds:
        rng = np.random.default_rng([seed, 6])
        firm = draw_firm(rng)
        agreement = agreement_of(firm)
        learned = learn(draw_looks(firm, firm.n_leads, rng), agreement)
        if learned is None:
            continue
        for label, said in prove(learned.found, learned.grid, agreement).items():
            promised = getattr(agreement.labels, label).precision
            passes = _passes(said.facts["tried"], promised, said.confidence)
            sizes = np.array([tried["n"] for tried in said.facts["tried"]])
            for name, is_issued in {
                "the strictest": bool(passes[0]),
                "ten enter": bool(passes[_first(sizes >= 10)]),
                "thirty enter": bool(passes[_first(sizes >= 30)]),
                "ours": bool(passes[said.facts["start"]]),
                "ours, as issued": said.probability is not None,
                "any (not allowed)": bool(passes.any()),
            }.items():
                issued.setdefault(name, []).append(is_issued)
    lines = [
        {"start": name, "labels": f"{len(of):,}", "issued": f"{np.mean(of):.1%}"}
        for name, of in issued.items()
    ]
    return table(lines)


def _passes(tried: list[dict[str, float]], promised: float, sure: float) -> np.ndarray:
    """Return at which thresholds the exact bound would hold."""
    n, k = (np.array([one[name] for one in tried]) for name in ("n", "n_converted"))
    return (n > 0) & (binom.sf(k - 1, n, promised) <= 1 - sure)


def _first(holds: np.ndarray) -> int:
    return int(holds.argmax()) if holds.any() else len(holds) - 1
