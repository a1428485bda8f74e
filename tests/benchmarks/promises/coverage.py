"""Coverage: how many of the promises made were false, by us and by others.

Goes in: outcomes of many firms. Comes out: markdown tables.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from leadscore.metrics import proportion_interval
from tests.benchmarks.quality.markdown import table

from .outcome import OURS

__all__ = ["coverage_table", "false_promises", "power_table", "rivals_table"]

BANDS = (0, 25, 50, 100, 200, 400, np.inf)


def false_promises(outcomes: pd.DataFrame) -> pd.Series:
    """Return which outcomes are promises that do not hold; none where none is issued.

    Parameters
    ----------
    outcomes : DataFrame
        Of `Outcome`.
    """
    return outcomes["threshold"].notna() & ~(outcomes["truth"] >= outcomes["promised"])


def coverage_table(outcomes: pd.DataFrame) -> str:
    """Return how often our promises were false: by label and kind of firm."""
    ours = outcomes[outcomes["method"] == OURS]
    lines = []
    for kind, of_kind, labels in (
        ("ordinary", ours[~ours["is_hard"]], ("MQL", "SQL")),
        ("hard", ours[ours["is_hard"]], ("MQL", "SQL")),
        ("all", ours, ("MQL", "SQL", "both")),
    ):
        for label in labels:
            is_asked = of_kind["label"] == label
            given = of_kind if label == "both" else of_kind[is_asked]
            is_false = false_promises(given)
            n_issued = int(given["threshold"].notna().sum())
            lines.append(
                {
                    "firms": kind,
                    "label": label,
                    "tried": f"{len(given):,}",
                    "issued": f"{n_issued:,}",
                    "false": f"{int(is_false.sum())}",
                    "of those issued": _share(int(is_false.sum()), n_issued),
                    "of all tried": _share(int(is_false.sum()), len(given)),
                }
            )
    return table(lines)


def rivals_table(outcomes: pd.DataFrame) -> str:
    """Return what each method issued, how often falsely, and what it left out.

    Recall: conversions among those who enter, as a share of those at the loosest
    threshold that keeps the promise; labels that could be promised, but were not,
    count as none.
    """
    lines = []
    for method, given in outcomes.groupby("method", sort=False):
        is_issued = given["threshold"].notna()
        is_false = false_promises(given)
        of_rows = is_issued & ~(given["truth_of_rows"] >= given["promised"])
        could = given[given["best"].notna()]
        is_right = could["threshold"].notna() & ~is_false[could.index]
        honest = could["recall"].where(~is_false).fillna(0.0).clip(upper=1.0)
        lines.append(
            {
                "": f"**{method}**" if method == OURS else str(method),
                "issued": f"{is_issued.mean():.0%}",
                "false, of those issued": _percent(is_false.sum(), is_issued.sum()),
                "false, of all tried": f"{is_false.mean():.1%}",
                "false of rows, of those issued": _percent(
                    of_rows.sum(), is_issued.sum()
                ),
                "issued and true, of those possible": f"{is_right.mean():.0%}",
                "recall kept": f"{honest.mean():.0%}",
            }
        )
    return table(lines)


def power_table(outcomes: pd.DataFrame) -> str:
    """Return how many labels that could be promised are, by held-out entries."""
    ours = outcomes[(outcomes["method"] == OURS) & outcomes["best"].notna()]
    lines = []
    for low, high in itertools.pairwise(BANDS):
        given = ours[(ours["n"] >= low) & (ours["n"] < high)]
        if given.empty:
            continue
        is_issued = given["threshold"].notna()
        recall = given.loc[is_issued, "recall"].clip(upper=1.0)
        lines.append(
            {
                "held-out entries": f"{low} to {high - 1:g}"
                if np.isfinite(high)
                else f"{low} and more",
                "labels": f"{len(given):,}",
                "issued": f"{is_issued.mean():.0%}",
                "recall kept where issued": f"{recall.mean():.0%}"
                if len(recall)
                else "–",
            }
        )
    return table(lines)


def _share(k: int, n: int) -> str:
    if n == 0:
        return "–"
    low, high = proportion_interval(k, n)
    return f"{k / n:.1%} ({low:.1%} to {high:.1%})"


def _percent(k: int, n: int) -> str:
    return f"{k / n:.1%}" if n else "–"
