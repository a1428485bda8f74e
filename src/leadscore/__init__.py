"""leadscore: which leads will convert, said in a way that can be held to.

The command line is the usual way in. From Python, the same steps in the same order::

    bundle = train(Path("data/sample"), Path("models")).bundle
    tables = read_tables(Path("data/sample"), bundle.agreement)
    scores, left_out = score_tables(bundle, tables, as_of)

Names are loaded when they are first used: importing leadscore loads no learner.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadscore.agreement import Agreement
    from leadscore.bundle import Bundle, load_bundle
    from leadscore.errors import LeadscoreError
    from leadscore.store import read_agreement, read_tables
    from leadscore.tables import Tables
    from leadscore.workflows.score import score, score_tables
    from leadscore.workflows.train import train

__all__ = [
    "Agreement",
    "Bundle",
    "LeadscoreError",
    "Tables",
    "__version__",
    "load_bundle",
    "read_agreement",
    "read_tables",
    "score",
    "score_tables",
    "train",
]

__version__ = "0.1.0"

_HOMES = {
    "Agreement": "agreement",
    "Bundle": "bundle",
    "LeadscoreError": "errors",
    "Tables": "tables",
    "load_bundle": "bundle",
    "read_agreement": "store",
    "read_tables": "store",
    "score": "workflows.score",
    "score_tables": "workflows.score",
    "train": "workflows.train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"leadscore.{_HOMES[name]}"), name)
    msg = f"module 'leadscore' has no attribute {name!r}"
    raise AttributeError(msg)
