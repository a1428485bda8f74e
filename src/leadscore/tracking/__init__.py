"""Tracking: what MLflow keeps of our trainings. The only importer of mlflow.

Goes in: facts, figures, a page, a bundle. Comes out: a run, a version of the registered
model, aliases. No rows and no personal data ever come here. The store is an embedded
SQLite file below the models, or what ``MLFLOW_TRACKING_URI`` names.

    store.py     open it safely, and say in a sentence why it did not open
    runs.py      one run a training
    proposals.py what it would change, beside the model in use
    audits.py    what became of its promises
    package.py   the model as MLflow serves it, built from code
    pyfunc.py    that code
    registry.py  versions, aliases, and what is live in words
    views.py     what a reader of the run table sees first, and the links
    server.py    MLflow's pages on this machine

mlflow takes seconds to import: nothing here imports it before it is used.
"""

from __future__ import annotations

from leadscore.tracking.audits import AuditRecord, log_audit
from leadscore.tracking.proposals import ProposalRecord, log_proposal
from leadscore.tracking.registry import (
    Version,
    aliases,
    describe,
    find_version,
    live_before,
    mark_runs,
    marked_runs,
    say_because,
    set_aliases,
    set_live_since,
    versions,
)
from leadscore.tracking.runs import Logged, Record, log_run
from leadscore.tracking.server import Server, serve
from leadscore.tracking.store import Store, opened, store_name, store_uri
from leadscore.tracking.views import links

__all__ = [
    "AuditRecord",
    "Logged",
    "ProposalRecord",
    "Record",
    "Server",
    "Store",
    "Version",
    "aliases",
    "describe",
    "find_version",
    "links",
    "live_before",
    "log_audit",
    "log_proposal",
    "log_run",
    "mark_runs",
    "marked_runs",
    "opened",
    "say_because",
    "serve",
    "set_aliases",
    "set_live_since",
    "store_name",
    "store_uri",
    "versions",
]
