"""The part of a training's summary that warns of segments."""

from __future__ import annotations

from typing import Any

from leadscore.report.words import decimals, of_100
from leadscore.summary.lines import wrapped

__all__ = ["segment_lines"]


def segment_lines(metrics: dict[str, Any]) -> list[str]:
    """Return one warning for each segment whose probabilities are off beyond chance.

    Parameters
    ----------
    metrics : dict
        Of a bundle; ``segments`` as `leadscore.segments.segment_metrics` returns it, or
        not there.
    """
    off = [row for row in metrics.get("segments") or () if row["is_off"]]
    return [line for row in off for line in wrapped(_warning(row), indent="  ")]


def _warning(row: dict[str, Any]) -> str:
    said, happened, low, high = (row[k] for k in ("said", "happened", "low", "high"))
    n = decimals(said / 3, happened / 3, happened - said, low - said, high - said)
    return (
        f"WARNING: in segment {row['segment']} = {row['value']}, of the places on "
        f"lists {of_100(said, n)} % were expected to convert and "
        f"{of_100(happened, n)} % did (95 % interval {of_100(low, n)} to "
        f"{of_100(high, n)} %, from {row['n_groups']:,} leads or accounts)"
    )
