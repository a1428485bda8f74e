"""Whether the probabilities hold for each kind of lead."""

from __future__ import annotations

from typing import Any

from leadscore.bundle import Bundle
from leadscore.report.document import Cell, Column, Section, Table
from leadscore.report.words import decimals, of_100, percent, span

__all__ = ["segments_section"]

_DASH = "\N{EN DASH}"
_COLUMNS = (
    Column("segment"),
    Column("leads (accounts)", is_number=True),
    Column("of them converted", is_number=True),
    Column("it said, on average", is_number=True),
    Column("converted", is_number=True),
    Column("95% interval", is_number=True),
    Column("AUC", is_number=True),
    Column("agrees"),
)


def segments_section(bundle: Bundle) -> tuple[Section, ...]:
    """Return said against happened by segment; nothing where none was asked for.

    Parameters
    ----------
    bundle : Bundle
        ``metrics["segments"]`` as `leadscore.segments.segment_metrics` returns it.
    """
    found = bundle.metrics.get("segments")
    if not found:
        return ()
    off = sorted((row for row in found if row["is_off"]), key=_distance, reverse=True)
    return (
        Section(
            "Does it hold for every kind of lead?",
            paragraphs=(_how_told(), _off(off, len(found)) if off else _none(found)),
            tables=(_table(found, off),),
        ),
    )


def _how_told() -> str:
    return (
        "What was said against what happened on later lists, for each value of what "
        "the agreement names as segments; values that fewer than 20 leads have are put "
        "together. What it said and what converted are means over places on lists, and "
        "a lead can stand on several; the intervals take its places for one."
    )


def _none(found: list[dict[str, Any]]) -> str:
    least = min(row["n_groups"] for row in found)
    return (
        f"In no segment (of {len(found):,}) are the probabilities off by more than "
        f"chance explains. The smallest holds {least:,} leads (accounts); small "
        "segments have wide intervals, so this is the absence of a contradiction, not "
        "a proof."
    )


def _off(off: list[dict[str, Any]], n_segments: int) -> str:
    return (
        f"In {len(off):,} of {n_segments:,} segments the probabilities are off by more "
        f"than chance explains: {'; '.join(map(_said, off))}. Where it says too "
        "little, leads stand lower on a common list than they should, and where it "
        "says too much, higher."
    )


def _said(row: dict[str, Any]) -> str:
    """Return a segment that is off, with the decimals that show by how much."""
    gaps = [row[name] - row["said"] for name in ("happened", "low", "high")]
    n = decimals(row["said"] / 3, row["happened"] / 3, *gaps)
    said, happened = (of_100(row[name], n) for name in ("said", "happened"))
    return (
        f"{_name(row)}, where it said {said}% and {happened}% of the places on lists "
        f"converted (95% interval {span((row['happened'], row['low'], row['high']))}, "
        f"from {row['n_groups']:,} leads or accounts)"
    )


def _name(row: dict[str, Any]) -> str:
    return f"{row['segment'].replace('_', ' ')}: {row['value']}"


def _distance(row: dict[str, Any]) -> float:
    return abs(row["happened"] - row["said"])


def _table(found: list[dict[str, Any]], off: list[dict[str, Any]]) -> Table:
    rows = tuple(_row(row) for row in found)
    strong = _name(off[0]) if off else ""
    return Table("Segments on later lists", _COLUMNS, rows, strong, form="cards")


def _row(row: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        _name(row),
        f"{row['n_groups']:,}",
        f"{row['n_converted_groups']:,}",
        percent(row["said"]),
        percent(row["happened"]),
        span((row["happened"], row["low"], row["high"])),
        _DASH if row["auc"] is None else f"{row['auc']:.3f}",
        _verdict(row),
    )


def _verdict(row: dict[str, Any]) -> str:
    if not row["is_off"]:
        return "within chance"
    return "said too little" if row["said"] < row["happened"] else "said too much"
