"""Proposals: what a challenger would change, on its version and its run in MLflow.

Goes in: figures and words of one proposal, of one version. Comes out: the description
of the version and of its run, a tag, and an artifact. No lead and no account comes
here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from leadscore.tracking.registry import MODEL_NAME, Version, has_run
from leadscore.tracking.runs import MAX_TAG, NOTE
from leadscore.tracking.store import Store

__all__ = ["PROPOSAL", "ProposalRecord", "log_proposal"]

PROPOSAL = "proposal.json"


@dataclass(frozen=True)
class ProposalRecord:
    """What is logged of a proposal.

    Parameters
    ----------
    verdict : str
        In two or three words: a tag.
    words : str
        The whole description of the version, in Markdown, the proposal included.
    facts : dict
        Plain data: the artifact. The newest proposal replaces the one before.
    """

    verdict: str
    words: str
    facts: dict[str, Any]


def log_proposal(store: Store, version: Version, record: ProposalRecord) -> bool:
    """Log a proposal with its version; return whether anything changed.

    The description is written last: it tells whether the rest is there.
    """
    client = store.client
    described = client.get_model_version(MODEL_NAME, version.number).description
    if described == record.words:
        return False
    if has_run(store, version.run_id):
        client.set_tag(version.run_id, "proposal", record.verdict)
        client.set_tag(version.run_id, NOTE, record.words[:MAX_TAG])
        text = json.dumps(record.facts, indent=2, allow_nan=False)
        client.log_text(version.run_id, text, PROPOSAL)
    client.update_model_version(MODEL_NAME, version.number, record.words)
    return True
