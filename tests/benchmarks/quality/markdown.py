"""Tables as markdown, and figures as text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["number", "ranged", "table"]


def table(rows: Iterable[dict[str, str]]) -> str:
    """Return rows of the same keys as a table; nothing for no rows."""
    given = list(rows)
    if not given:
        return ""
    lines = [list(given[0]), ["---"] * len(given[0]), *(row.values() for row in given)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float, *, digits: int = 3) -> str:
    """Return a figure, a dash for null."""
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def ranged(interval: tuple[float, float, float], *, digits: int = 2) -> str:
    """Return ``value (low to high)``, a dash for null."""
    value, low, high = interval
    if np.isnan(value):
        return "–"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
