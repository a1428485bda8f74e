"""Where a training stands in the tracking store, in lines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import wrapped

if TYPE_CHECKING:
    from leadscore.workflows.record import Recorded

__all__ = ["recorded_facts", "recorded_lines"]


def recorded_lines(recorded: Recorded, model_id: str, models: Path) -> list[str]:
    """Return where the run is, or why it is nowhere and how to log it later."""
    if recorded.why_not:
        return [
            *wrapped(f"NOT LOGGED: {recorded.why_not}", indent="  "),
            f"to log it later: leadscore log {model_id} --models {models}",
        ]
    alias = f", {recorded.alias}" if recorded.alias else ""
    first = f"tracking: version {recorded.version}{alias}, run {recorded.run_id}"
    return [first, f"  in {recorded.store}"]


def recorded_facts(recorded: Recorded) -> dict[str, Any]:
    """Return the same as plain data."""
    return asdict(recorded)
