"""What a check counts: snapshots, delays, attributes, kinds, held-out leads.

Goes in: tables, mature snapshots with their outcome, the agreement. Comes out: plain
numbers by name. Nothing is judged here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement, LabelRule
from leadscore.draft import conversion_delays
from leadscore.features import declare_catalogue
from leadscore.periods import groups_of, is_held_out
from leadscore.promise import entries_needed
from leadscore.tables import Tables
from leadscore.workflows.backtest import n_converted_groups

BETTER = 1.5  # a list worth promising converts half as often again as it promises

__all__ = [
    "attribute_counts",
    "delay_facts",
    "kind_counts",
    "label_prospects",
    "snapshot_counts",
]


def snapshot_counts(settled: pd.DataFrame, tables: Tables) -> dict[str, float]:
    """Return how many leads and mature snapshots there are, and who converted."""
    converted = settled["converted"].to_numpy()
    n_leads = int(tables.leads["lead_id"].nunique())
    n_seen = int(settled["lead_id"].nunique())
    return {
        "n_leads": n_leads,
        "n_snapshots": len(settled),
        "n_snapshot_leads": n_seen,
        "n_converted": n_converted_groups(converted, groups_of(settled)),
        "n_immature_leads": n_leads - n_seen,
        "base_rate": float(converted.mean()) if len(converted) else float("nan"),
    }


def delay_facts(tables: Tables, agreement: Agreement) -> dict[str, float]:
    """Return how long conversions take, in days; empty where nobody converted."""
    days = conversion_delays(tables, agreement.conversion.stage)
    if len(days) == 0:
        return {}
    median, p80, p95 = (float(q) for q in np.quantile(days, [0.5, 0.8, 0.95]))
    inside = float((days < agreement.conversion.horizon_days).mean())
    return {
        "n": len(days),
        "median": median,
        "p80": p80,
        "p95": p95,
        "inside": inside,
        "before_first": float((days < _first_look_days(agreement)).mean()),
    }


def _first_look_days(agreement: Agreement) -> float:
    """Return how old a lead is, at least on average, when it is first looked at."""
    ages = agreement.snapshots.at_age_hours
    if ages:
        return min(ages) / 24
    return (agreement.snapshots.grid_days or 0) / 2


def label_prospects(
    settled: pd.DataFrame, agreement: Agreement
) -> list[dict[str, Any]]:
    """Return, roughly, how many held-out entries can prove a promise.

    At most as many leads enter a label that promises p as the held-out leads of the
    newest period hold conversions, divided by p; a good model brings about half.
    """
    kept_out = is_held_out(settled, agreement)
    days = agreement.training.promise_days or agreement.conversion.horizon_days
    since = settled["as_of"].max() - pd.Timedelta(days=days)
    newest = settled[kept_out & (settled["as_of"] >= since).to_numpy()]
    n_leads = int(newest["lead_id"].nunique())
    n_one = int(newest.loc[newest["converted"] == 1, "lead_id"].nunique())
    return [
        _label(label, getattr(agreement.labels, label), n_leads, n_one)
        for label in ("MQL", "SQL")
    ]


def _label(label: str, rule: LabelRule, n_leads: int, n_one: int) -> dict[str, Any]:
    held = f"{n_leads:,} held-out leads, of which {n_one:,} convert"
    if rule.precision is None:
        entries, aim = n_leads, f"takes {rule.capacity_per_week:g} leads a week"
        told = ""
        is_possible = n_leads > 0
    else:
        entries = min(int(n_one / rule.precision / 2), n_leads)
        truth = min(rule.precision * BETTER, (1 + rule.precision) / 2)
        needed = entries_needed(truth, rule.precision, rule.confidence) or 0
        aim = f"promises {rule.precision:.0%}"
        is_possible = entries >= needed
        told = f", {needed:,} are needed if {truth:.0%} of them convert"
    because = f"{aim}; {held}: about {entries:,} may enter{told}"
    return {
        "label": label,
        "entries": entries,
        "is_possible": is_possible,
        "because": because,
    }


def attribute_counts(tables: Tables, agreement: Agreement) -> list[dict[str, Any]]:
    """Return of each attribute how many leads have it, and how many values."""
    found = []
    for name, attribute in sorted(agreement.attributes.items()):
        given = tables.leads.dropna(subset=[name])
        found.append(
            {
                "name": name,
                "kind": attribute.kind,
                "n_leads": int(given["lead_id"].nunique()),
                "n_words": int(given[name].nunique()),
            }
        )
    return found


def kind_counts(
    tables: Tables, agreement: Agreement, settled: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return of each kind how common it is, and whether it becomes a feature."""
    newest = tables.data_end if settled.empty else settled["as_of"].max()
    features = declare_catalogue(
        agreement, tables.leads, tables.interactions, before=newest
    ).kinds
    denied = set(agreement.features.deny)
    found = [
        {
            "kind": str(kind),
            "n_rows": int(row["n_rows"]),
            "n_leads": int(row["n_leads"]),
            "stands": _stands(str(kind), denied, features),
        }
        for kind, row in tables.interactions.by_kind().iterrows()
    ]
    return sorted(found, key=lambda k: (-k["n_rows"], k["kind"]))


def _stands(kind: str, denied: set[str], features: tuple[str, ...]) -> str:
    if kind in denied:
        return "denied"
    return "feature" if kind in features else "too rare"
