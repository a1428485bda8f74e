"""What a challenger would change, in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadscore.summary.lines import wrapped

if TYPE_CHECKING:
    from leadscore.proposal import Proposal

__all__ = ["proposal_lines"]


def proposal_lines(proposal: Proposal | None) -> list[str]:
    """Return how it compares with the model in use, and what it would change."""
    if proposal is None:
        return []
    entries = proposal.entries_said() or (
        f"what the labels would do is not known: {proposal.why_not_replayed}"
    )
    said = [entries, *proposal.thresholds_said()]
    lines = wrapped(f"{_capital(proposal.compared_said())}.")
    lines.append("if it is promoted:")
    return lines + [
        line for sentence in said for line in wrapped(f"  {sentence}", indent="    ")
    ]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
