"""Real: the public sets, resplit, and bank-marketing in time order. Tables of both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.benchmarks.quality.folder_tasks import completejourney_task
from tests.benchmarks.quality.markdown import table
from tests.benchmarks.quality.sheet_tasks import bank_tasks

from .bank_order import bank_order_table
from .resplits import Split, agreement_for, resplit, sheet_of

__all__ = ["order_tables", "resplits_table"]

BANK, JOURNEY = "bank-marketing", "completejourney, by household"
# Leads to fit on, leads that prove; the rest is what comes.
SIZES = {BANK: ((2000, 1000), (6000, 3000)), JOURNEY: ((2000, 1500), (2000, 2500))}
PROMISES = {BANK: (0.2, 0.4), JOURNEY: (0.2, 0.35)}


def resplits_table(n_splits: int, *, seed: int) -> str:
    """Return how often promises on real leads did not hold.

    Raises
    ------
    FileNotFoundError
        The sets are not there.
    """
    tasks = {BANK: bank_tasks()[0], JOURNEY: completejourney_task()}
    lines = []
    for name, task in tasks.items():
        sheet, agreement = sheet_of(task), agreement_for(*PROMISES[name])
        for n_fit, n_held in SIZES[name]:
            rngs = np.random.default_rng([seed, n_fit, n_held]).spawn(n_splits)
            found: list[Split] = []
            for rng in rngs:
                found += resplit(sheet, agreement, n_fit=n_fit, n_held=n_held, rng=rng)
            splits = pd.DataFrame(map(vars, found))
            keys = ["label", "promised", "method"]
            for (label, promised, method), of in splits.groupby(keys, sort=False):
                about = {
                    "set": name,
                    "fitted": f"{n_fit:,}",
                    "proving": f"{n_held:,}",
                    "label": f"{label}, {promised:.0%}",
                    "method": str(method),
                }
                lines.append(about | _shares(of))
    return table(lines)


def order_tables(*, seed: int) -> str:
    """Return bank-marketing in its own order, and reversed.

    Raises
    ------
    FileNotFoundError
        The set is not there.
    """
    task = bank_tasks()[0]
    return "\n\n".join(
        bank_order_table(task, promises, n_past=n, is_reversed=is_reversed, seed=seed)
        for promises, n, is_reversed in (
            ((0.04, 0.05), 20_000, False),
            ((0.2, 0.4), 10_000, True),
        )
    )


def _shares(of: pd.DataFrame) -> dict[str, str]:
    is_issued = of["threshold"].notna()
    n = max(int(is_issued.sum()), 1)
    below, unseen = (
        (is_issued & ~(of[name] >= of["promised"])).sum() for name in ("rest", "unseen")
    )
    return {
        "issued": f"{is_issued.mean():.0%}",
        "rest below, of all": f"{below / len(of):.1%}",
        "of those issued": f"{below / n:.1%}",
        "all unseen below, of those issued": f"{unseen / n:.1%}",
    }
