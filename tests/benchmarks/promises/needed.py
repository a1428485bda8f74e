"""Needed: what a promise costs in outcomes of held-out leads that enter."""

from __future__ import annotations

from leadscore.promise import entries_needed
from tests.benchmarks.quality.markdown import table

__all__ = ["needed_table"]

PROMISES = (0.15, 0.2, 0.3, 0.4, 0.5)
ABOVE = (0.05, 0.1, 0.15, 0.2, 0.3)
CONFIDENCE = 0.95


def needed_table() -> str:
    """Return entries that prove a promise, by how far above it the truth lies."""
    lines = []
    for promised in PROMISES:
        line = {"promise": f"{promised:.0%}"}
        for more in ABOVE:
            needed = entries_needed(promised + more, promised, CONFIDENCE)
            line[f"+{100 * more:.0f} points"] = f"{needed:,}" if needed else "–"
        lines.append(line)
    return table(lines)
