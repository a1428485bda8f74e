"""Audits: what became of a model's promises, beside the model in MLflow.

Goes in: counts and words of one audit, of one model. Comes out: tags, metrics and an
artifact of the run of its training. No lead and no account comes here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadscore.tracking.registry import find_version, has_run
from leadscore.tracking.store import Store

__all__ = ["AUDIT", "AuditRecord", "log_audit"]

AUDIT = "audit.json"
AS_OF = "audit_as_of"


@dataclass(frozen=True)
class AuditRecord:
    """What is logged of an audit.

    Parameters
    ----------
    model_id : str
    at : Timestamp
        When its metrics stand on MLflow's time axis; their step is the day, counted
        from 1970.
    words : dict of str to str
        Tags.
    figures : dict of str to float
        Metrics.
    facts : dict
        Plain data: the artifact. The newest audit replaces older ones.
    """

    model_id: str
    at: pd.Timestamp
    words: dict[str, str]
    figures: dict[str, float]
    facts: dict[str, Any]


def log_audit(store: Store, record: AuditRecord) -> str | None:
    """Log an audit on the run of the model; return the run, None where there is none.

    The same audit once more changes nothing. A look back, as of before the newest one
    there, adds its figures at their time; words and artifact stay those of the newest.
    """
    from mlflow.entities import Metric, RunTag

    version = find_version(store, record.model_id)
    if version is None or not has_run(store, version.run_id):
        return None
    at_ms = int(record.at.timestamp() * 1000)
    day = at_ms // 86_400_000
    metrics = [Metric(name, v, at_ms, day) for name, v in record.figures.items()]
    words = record.words | {AS_OF: record.at.isoformat()}
    newest = store.client.get_run(version.run_id).data.tags.get(AS_OF)
    if newest is not None and pd.Timestamp(newest) > record.at:
        store.client.log_batch(version.run_id, metrics=metrics)
        return version.run_id
    tags = [RunTag(name, said) for name, said in words.items()]
    store.client.log_batch(version.run_id, metrics=metrics, tags=tags)
    text = json.dumps(record.facts, indent=2, allow_nan=False)
    store.client.log_text(version.run_id, text, AUDIT)
    return version.run_id
