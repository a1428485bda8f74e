"""The summary of a scoring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.workflows.score import Scored

__all__ = ["score_lines"]


def score_lines(scored: Scored, as_of: pd.Timestamp, out: Path) -> list[str]:
    """Return the summary of a scoring: how many of what, and who was left out."""
    scores = scored.scores
    local = as_of.tz_convert(scored.bundle.agreement.zone)
    lines = [
        f"{len(scores):,} leads scored as of {local:%Y-%m-%d %H:%M} ({local.tzinfo})",
        f"into {out}",
        f"model {scored.bundle.model_id}",
        *notes(scored.tables.notes),
    ]
    roads = scores["road"].fillna("")
    counts = scores.groupby(["label", roads]).size()
    for (label, road), count in counts.items():
        lines.append(f"  {label:<13}{road:<12}{count:>8,}")
    for reason, count in scored.left_out.items():
        lines.append(f"  left out, {reason}: {count:,}")
    for note in scored.notes:
        lines += wrapped(f"note: {note}")
    for warning in (*scored.warnings, scored.bundle.provenance["degraded"]):
        lines += wrapped(f"DEGRADED: {warning}") if warning else []
    return lines
