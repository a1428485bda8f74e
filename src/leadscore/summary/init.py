"""The summary of a draft: which file is what, what was guessed, what to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    from leadscore.workflows.init import Drafted

__all__ = ["init_facts", "init_lines"]

_SHOWN_REJECTS = 3


def init_lines(drafted: Drafted, path: Path) -> list[str]:
    """Return what was drafted, and what a person must decide now.

    Parameters
    ----------
    drafted : Drafted
    path : Path
        The data folder, as it was called.
    """
    tables = drafted.tables
    sizes = {
        "leads": f"{tables.leads['lead_id'].nunique():,} leads",
        "interactions": f"{len(tables.interactions):,} interactions",
        "outcomes": f"{len(tables.outcomes):,} outcomes",
    }
    lines = [f"drafted {drafted.path}"]
    for table, size in sizes.items():
        where = drafted.files.get(table) or _elsewhere(drafted, table)
        lines += wrapped(f"  {table:<13}{where}: {size}", indent=" " * 15)
    for left in drafted.draft.left_out:
        lines += wrapped(f"  left out     {left.name}: {left.reason}", indent=" " * 15)
    lines += ["", "guessed from your data:", *notes(drafted.guesses)]
    attributes = ", ".join(drafted.agreement.attributes) or "none"
    lines += ["", *wrapped(f"attributes: {attributes}", indent="  ")]
    lines += _denied(drafted)
    if len(tables.rejects):
        lines += ["", *_rejects(drafted)]
    lines += ["", "for you to decide, in agreement.toml:"]
    for place, decision in enumerate(drafted.decisions, start=1):
        lines += wrapped(f"{place}. {decision}", indent="   ")
    return [*lines, "", f"next: leadscore check {path}"]


def _elsewhere(drafted: Drafted, table: str) -> str:
    dated = drafted.agreement.source.dated_stages
    if table == "outcomes" and dated:
        return f"dates in {drafted.files['leads']}"
    return "no file"


def _denied(drafted: Drafted) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for denied in drafted.denied:
        by_reason.setdefault(denied.reason, []).append(denied.name)
    if not by_reason:
        return ["never a feature: nothing looked like it"]
    lines = ["never a feature:"]
    for reason, names in by_reason.items():
        lines += wrapped(f"- {', '.join(names)} ({reason})", indent="  ")
    return lines


def _rejects(drafted: Drafted) -> list[str]:
    rejects = drafted.tables.rejects
    counts = rejects.groupby(["file", "reason"]).size().sort_values(ascending=False)
    lines = [f"{len(rejects):,} rows could not be used:"]
    for (file, reason), n in list(counts.items())[:_SHOWN_REJECTS]:
        lines += wrapped(f"- {file}: {n:,} rows, {reason}", indent="  ")
    return lines


def init_facts(drafted: Drafted) -> dict[str, Any]:
    """Return the same as plain data."""
    tables = drafted.tables
    return {
        "agreement": str(drafted.path),
        "files": drafted.files,
        "dated_stages": dict(drafted.agreement.source.dated_stages),
        "columns": drafted.agreement.source.columns.model_dump(),
        "conversion": drafted.agreement.conversion.model_dump(mode="json"),
        "n_leads": int(tables.leads["lead_id"].nunique()),
        "n_interactions": len(tables.interactions),
        "n_outcomes": len(tables.outcomes),
        "n_rejects": len(tables.rejects),
        "attributes": list(drafted.agreement.attributes),
        "guesses": list(drafted.guesses),
        "denied": [{"name": d.name, "reason": d.reason} for d in drafted.denied],
        "left_out": [
            {"file": d.name, "reason": d.reason} for d in drafted.draft.left_out
        ],
        "decisions": list(drafted.decisions),
    }
