"""The part of a check that says whether some column sees the future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leadscore.history import ENOUGH_HISTORY
from leadscore.summary.lines import wrapped

if TYPE_CHECKING:
    from leadscore.workflows.assumed import Undated
    from leadscore.workflows.proven import Blind, ColumnProof, Leak, Proof

__all__ = ["proof_facts", "proof_lines", "undated_facts"]

_SHOWN = 12
_INDENT = "    "
_TRIALS = {
    "removed": "without what is known at as_of or later it differs",
    "injected": "other facts known at as_of or later change it",
    "company": "it differs with who else is asked for, or the order of rows",
}
_SEEN = {
    "interaction": "an interaction",
    "attribute": "a row of leads",
    "conversion": "a conversion",
}


def proof_lines(
    proof: Proof, undated: Sequence[Undated], *, with_columns: bool
) -> list[str]:
    """Return one sentence, then every exception, then what had no known_at."""
    if proof.is_empty:
        lines = wrapped(
            "point in time: nothing is PROVEN, as every lead is merged with thousands "
            "of others and no sample holds them all; look at merged_into",
            indent="  ",
        )
        return [*lines, *_undated(undated)]
    n = len(proof.of("PROVEN"))
    lines = wrapped(
        f"point in time: {n:,} of {len(proof.columns):,} columns PROVEN on "
        f"{proof.n_leads:,} leads x {proof.n_instants} instants (future removed, "
        "future injected, noticed a microsecond before, alone = together; seed "
        f"{proof.seed})",
        indent="  ",
    )
    for column in proof.of("LEAKS"):
        lines += _leaks(column)
    for blind in proof.blind:
        lines += wrapped(f"  BLIND {_blindness(blind)}", indent=_INDENT)
    lines += _listed(
        proof.of("ASSUMED"),
        "PROVEN only if what leads say was known since they were created: "
        f"{_history(proof)}, and history counts as kept from "
        f"{100 * ENOUGH_HISTORY:.0f} % on, with known_at in every row",
    )
    lines += _listed(
        proof.of("UNMOVED"),
        "not proven: no future changed them, but nothing else in this sample did, "
        "either",
    )
    if with_columns:
        lines += ["", *(line for c in proof.columns for line in _column(c))]
    return [*lines, *_undated(undated)]


def _history(proof: Proof) -> str:
    return (
        f"{_percent(proof.history)} of leads have rows that differ, or one that came "
        "later than a day after creation"
    )


def _percent(share: float) -> str:
    """Return a share that is none only where it is none."""
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _leaks(column: ColumnProof) -> list[str]:
    return [
        line
        for leak in column.leaks
        for line in wrapped(
            f"  LEAKS {column.name}: {_TRIALS[leak.trial]}, for {leak.n_leads:,} "
            f"leads; for example {leak.lead_id} at {leak.as_of.isoformat()}",
            indent=_INDENT,
        )
    ]


def _blindness(blind: Blind) -> str:
    return (
        f"{_SEEN[blind.fact]} known a microsecond before as_of does not change "
        f"{blind.n_rows:,} of {blind.n_asked:,} rows"
    )


def _listed(columns: Sequence[ColumnProof], why: str) -> list[str]:
    """Return columns of one verdict, and why they have it."""
    if not columns:
        return []
    names = ", ".join(column.name for column in columns[:_SHOWN])
    more = len(columns) - _SHOWN
    rest = f" and {more:,} more (--columns names them)" if more > 0 else ""
    said = f"  {columns[0].verdict} {len(columns):,} columns, {why}: {names}{rest}"
    return wrapped(said, indent=_INDENT)


def _column(column: ColumnProof) -> list[str]:
    """Return the verdict on a column."""
    if column.leaks:
        return _leaks(column)
    return [f"  {column.verdict:<8} {column.name}"]


def _undated(undated: Sequence[Undated]) -> list[str]:
    if not undated:
        return ["facts without known_at: none"]
    said = ", ".join(_share(file) for file in undated)
    return wrapped(
        f"facts without known_at, taken as known when they happened: {said}",
        indent="  ",
    )


def _share(file: Undated) -> str:
    if file.is_missing:
        return f"{file.file} 100 % (no such column)"
    return f"{file.file} {100 * file.n_rows / file.n_read:.0f} % ({file.n_rows:,} rows)"


def proof_facts(proof: Proof) -> dict[str, Any]:
    """Return the proof as plain data, column by column."""
    return {
        "holds": proof.holds,
        "n_leads": proof.n_leads,
        "n_instants": proof.n_instants,
        "n_rows": proof.n_rows,
        "seed": proof.seed,
        "history": proof.history,
        "blind": [
            {"fact": b.fact, "n_rows": b.n_rows, "n_asked": b.n_asked}
            for b in proof.blind
        ],
        "columns": [
            {
                "name": column.name,
                "verdict": column.verdict,
                "leaks": [_leak(leak) for leak in column.leaks],
                "moved_by": list(column.moved_by),
            }
            for column in proof.columns
        ],
    }


def _leak(leak: Leak) -> dict[str, Any]:
    """Return a leak without its lead: JSON travels further than a terminal."""
    return {
        "trial": leak.trial,
        "n_leads": leak.n_leads,
        "as_of": leak.as_of.isoformat(),
    }


def undated_facts(undated: Sequence[Undated]) -> list[dict[str, Any]]:
    """Return what had no known_at as plain data."""
    return [
        {
            "file": file.file,
            "n_rows": file.n_rows,
            "n_read": file.n_read,
            "is_missing": file.is_missing,
        }
        for file in undated
    ]
