"""Kept proposals: ``models/proposals/<challenger>.json``, beside the bundles.

Outside the bundle, whose bytes follow from data, agreement and code alone: a proposal
depends on the model in use as well, and each training of the challenger writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from leadscore import files
from leadscore.proposal import Proposal

__all__ = ["PROPOSALS", "keep_proposal", "kept_proposal"]

PROPOSALS = "proposals"


def keep_proposal(models: Path, proposal: Proposal) -> None:
    """Write a proposal, replacing the one before, all or nothing.

    Raises
    ------
    OutputError, StorageError
    """
    text = json.dumps(proposal.as_dict(), indent=2, allow_nan=False) + "\n"
    files.write_text(_path(models, proposal.challenger), text)


def kept_proposal(models: Path, challenger: str) -> Proposal | None:
    """Return the proposal of a challenger; None: there is none that can be read."""
    try:
        said = json.loads(_path(models, challenger).read_bytes())
        found = Proposal.from_dict(said)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.challenger == challenger else None


def _path(models: Path, challenger: str) -> Path:
    return models / PROPOSALS / f"{challenger}.json"
