"""Provenance: what a model was made of, and the name that follows from it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.kept_apart import machine_counts
from leadscore.periods import groups_of
from leadscore.revision import code_digest, git_revision
from leadscore.tables import Tables
from leadscore.workflows.backtest import n_converted_groups
from leadscore.workflows.doubts import unheard_words
from leadscore.workflows.machine_facts import coarse_clocks
from leadscore.workflows.rows import Rows

__all__ = ["model_id_of", "provenance_of"]

_LIBRARIES = (
    "leadscore",
    "numba",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "skops",
)


def model_id_of(agreement: Agreement, tables: Tables) -> str:
    """Return a name that says until when the data goes and is unique to the inputs."""
    digest = hashlib.sha256(agreement.model_dump_json().encode())
    for name in sorted(tables.digests):
        digest.update(f"{name} {tables.digests[name]}\n".encode())
    for name, own in sorted(tables.functions.digests.items()):
        digest.update(f"{name} {own}\n".encode())
    digest.update(f"{code_digest()} {_versions(agreement)}".encode())
    return f"{tables.data_end:%Y-%m-%d}-{digest.hexdigest()[:8]}"


def provenance_of(
    rows: Rows,
    labelled: pd.DataFrame,
    tables: Tables,
    agreement: Agreement,
    *,
    degraded: str,
) -> dict[str, Any]:
    """Return what a model was made of: counts, windows, digests, versions; no rows.

    Parameters
    ----------
    rows : Rows
        Of the snapshots that have an outcome.
    labelled : DataFrame
        Those and the ones set aside.
    tables : Tables
    agreement : Agreement
    degraded : str
        Why the model is less than it could be; empty where it is not.
    """
    as_of = rows.snapshots["as_of"]
    groups = groups_of(rows.snapshots)
    converted = rows.snapshots["converted"].to_numpy()
    return {
        "degraded": degraded,
        "data_end": tables.data_end.isoformat(),
        "data_digests": tables.digests,
        "function_digests": tables.functions.digests,
        "code_digest": code_digest(),
        "git": git_revision(Path(__file__).parent.parent),
        "agreement_version": agreement.version,
        "first_as_of": None if as_of.empty else as_of.min().isoformat(),
        "last_as_of": None if as_of.empty else as_of.max().isoformat(),
        "n_snapshots": len(rows.snapshots),
        "n_leads": int(rows.snapshots["lead_id"].nunique()),
        "n_groups": len(np.unique(groups)),
        "n_converted_groups": n_converted_groups(converted, groups),
        "base_rate": float(converted.mean()) if len(converted) else None,
        "set_aside": labelled["set_aside"].value_counts().sort_index().to_dict(),
        "n_rejects": len(tables.rejects),
        "machines": machine_counts(tables.interactions),
        "notes": [
            *tables.notes,
            *unheard_words(tables, agreement),
            *coarse_clocks(tables, agreement),
        ],
        "seed": agreement.training.seed,
        "versions": _versions(agreement),
    }


def _versions(agreement: Agreement) -> dict[str, str]:
    used = (*_LIBRARIES, *agreement.training.extras)
    libraries = {name: version(name) for name in used}
    return libraries | {"python": platform.python_version()}
