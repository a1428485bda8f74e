"""The summary of a scoring: how many of what, and who was left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.workflows.score import Scored

__all__ = ["score_facts", "score_lines"]


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
    for (label, road), count in _counts(scored).items():
        lines.append(f"  {label:<13}{road:<12}{count:>8,}")
    lines += _issued(scored)
    for reason, count in scored.left_out.items():
        lines.append(f"  left out, {reason}: {count:,}")
    if scored.machines:
        lines += wrapped(scored.machines.said, indent="  ")
    for note in scored.notes:
        lines += wrapped(f"note: {note}")
    for warning in (*scored.warnings, scored.bundle.provenance["degraded"]):
        lines += wrapped(f"DEGRADED: {warning}") if warning else []
    return lines


def score_facts(scored: Scored, as_of: pd.Timestamp, out: Path) -> dict[str, Any]:
    """Return the same as plain data."""
    degraded = scored.bundle.provenance["degraded"]
    return {
        "as_of": as_of.isoformat(),
        "out": str(out),
        "model_id": scored.bundle.model_id,
        "n_leads": len(scored.scores),
        "labels": [
            {"label": label, "road": road or None, "n_leads": n_leads}
            for (label, road), n_leads in _counts(scored).items()
        ],
        "left_out": scored.left_out,
        "machines": scored.machines.facts if scored.machines else None,
        "ledger": None
        if scored.issued is None
        else {
            "path": str(scored.issued.path),
            "is_new": scored.issued.is_new,
            "changes": scored.issued.changes,
        },
        "not_entered": scored.unentered or None,
        "n_rejects": len(scored.tables.rejects),
        "notes": [*scored.tables.notes, *scored.notes],
        "is_degraded": scored.is_degraded,
        "warnings": [*scored.warnings, *([degraded] if degraded else [])],
    }


def _issued(scored: Scored) -> list[str]:
    """Return what the list changed, as the ledger has it now."""
    issued = scored.issued
    if issued is None:
        if scored.unentered:
            return wrapped(f"nothing was entered into the ledger: {scored.unentered}")
        return ["a look: nothing was entered into the ledger"]
    if not issued.is_new:
        return [f"issued before, nothing new in {issued.path}"]
    said = ", ".join(
        f"{_CHANGES[change]} {n:,}"
        for change in _CHANGES
        if (n := issued.changes.get(change, 0))
    )
    lines = wrapped(f"ledger {issued.path}: {said or 'no label changed'}")
    if issued.changes.get("stock"):
        lines += wrapped(
            "the first list of a model: who stands in a label by now is stock, of whom "
            "nothing is promised",
            indent="  ",
        )
    return lines


_CHANGES = {
    "stock": "stock",
    "issued": "issued",
    "kept": "kept",
    "changed": "changed",
    "withdrawn": "withdrawn",
    "waiting": "waiting or no longer",
    "left": "left the list",
}


def _counts(scored: Scored) -> dict[tuple[str, str], int]:
    roads = scored.scores["road"].fillna("")
    counts = scored.scores.groupby(["label", roads]).size()
    return {(label, road): int(n) for (label, road), n in counts.items()}
