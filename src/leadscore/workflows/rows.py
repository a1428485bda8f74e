"""From snapshots to rows: the one path that training and scoring share.

Goes in: tables, snapshots, a catalogue, an agreement. Comes out: for each snapshot its
features, its points rule by rule, and its persona fit, all as known then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.compiled import is_kept
from leadscore.features import Catalogue, build_features
from leadscore.features.kernel import fold
from leadscore.persona import missing_attributes, persona_fit
from leadscore.points import point_parts
from leadscore.policy import last_raised
from leadscore.progress import Tell, silent
from leadscore.snapshots import attributes_at, rejections_at
from leadscore.tables import Tables

__all__ = ["Rows", "build_rows"]


@dataclass(frozen=True)
class Rows:
    """Everything known about some snapshots; all frames share one index 0..n-1.

    Parameters
    ----------
    snapshots : DataFrame
        As given.
    features : DataFrame
        What a model may take, ``points`` and ``persona_fit`` among it.
    parts : DataFrame of int64
        Points, rule by rule.
    persona : DataFrame
        ``persona, persona_fit, fit_grade, missing``.
    raised : DataFrame
        ``raised_kind, raised_days``: the last time a lead asked to be contacted.
    rejected : DataFrame
        ``rejected_days, rejected_reason``: the last time sales rejected a lead.
    """

    snapshots: pd.DataFrame
    features: pd.DataFrame
    parts: pd.DataFrame
    persona: pd.DataFrame
    raised: pd.DataFrame
    rejected: pd.DataFrame


def build_rows(
    tables: Tables,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
    *,
    with_machines: bool = False,
    tell: Tell = silent,
) -> Rows:
    """Return the rows of some snapshots, in the order given.

    Parameters
    ----------
    tables : Tables
    snapshots : DataFrame
        ``lead_id, created_at, as_of`` and whatever else; it is passed on.
    catalogue : Catalogue
        From training; scoring never declares its own.
    agreement : Agreement
    with_machines : bool, default=False
        Whether what machines did counts, too: to tell how much hangs on it.
    tell : Tell, default=silent
        Told of each part of a long log, and when the kernel is compiled first.
    """
    if not is_kept(fold):
        tell("compiling the feature kernel, once for this version")
    snapshots = snapshots.reset_index(drop=True)
    features = build_features(
        tables.leads,
        tables.interactions,
        snapshots,
        catalogue,
        agreement,
        functions=tables.functions,
        with_machines=with_machines,
        n_threads=os.cpu_count() or 1,
        tell=tell,
    )
    known = attributes_at(tables.leads, snapshots)
    persona = persona_fit(known, agreement.personas, agreement.fit)
    persona["missing"] = missing_attributes(known, agreement.personas)
    parts = point_parts(features, agreement.points)
    features["persona_fit"] = persona["persona_fit"]
    features["points"] = parts.sum(axis=1).astype("float64")
    return Rows(
        snapshots,
        features,
        parts,
        persona,
        last_raised(features, agreement),
        rejections_at(snapshots, tables.outcomes, agreement),
    )
