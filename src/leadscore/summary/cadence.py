"""The lines of a training that say what not retraining would have cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from leadscore.report.cadence import standing
from leadscore.report.words import of_100, percent
from leadscore.summary.lines import wrapped

__all__ = ["cadence_lines"]

_STANDING = {
    "better": "better beyond chance",
    "worse": "worse beyond chance",
    "mixed": "better in one, worse in the other",
    "level": "cannot be told apart",
}


def cadence_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return what each cadence would have brought; nothing where none was replayed.

    Parameters
    ----------
    metrics : mapping
        Of a bundle; ``cadence`` as `leadscore.workflows.cadence.Cadence` gives it.
    """
    found = metrics.get("cadence")
    if not found:
        return []
    agreed = next(row for row in found["table"] if row["is_agreed"])
    head = (
        f"retrained {agreed['name']} since {found['since'][:10]}: log loss "
        f"{_short(agreed['log_loss'][0])}, said {percent(agreed['said'])} where "
        f"{percent(agreed['happened'])} converted"
    )
    others = [_level(found)]
    others += [_beside(row) for row in found["table"] if not row["is_agreed"]]
    return [
        *wrapped(head),
        *(line for said in others for line in wrapped(said, indent="  ")),
    ]


def _level(found: Mapping[str, Any]) -> str:
    """Return how far the shipped model is moved by what came of leads lately."""
    row, level = found["as_fitted"], found["level"]
    moved = f"odds times {math.exp(level):.2f}" if level else "as fitted"
    return (
        f"  level, by what came of leads lately: {moved} (always as fitted: log loss "
        f"{_differing(row)}, said {percent(row['said'])})"
    )


def _beside(row: Mapping[str, Any]) -> str:
    return (
        f"  {row['name']}: {_STANDING[standing(row)]} (log loss {_differing(row)}, "
        "of 100 at the top "
        f"{_signed(row['precision_difference'])}, said {percent(row['said'])})"
    )


def _differing(row: Mapping[str, Any]) -> str:
    loss, low, high = row["difference"]
    return f"{loss:+.4f} [{low:+.4f} {high:+.4f}]"


def _signed(bounds: tuple[float, float, float]) -> str:
    value, low, high = (float(of_100(share, 1)) + 0.0 for share in bounds)
    return f"{value:+.1f} [{low:+.1f} {high:+.1f}]"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
