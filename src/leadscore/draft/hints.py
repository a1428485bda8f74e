"""What in the data betrays the outcome: attributes and kinds that know too much.

Goes in: tables and the agreement. Comes out: names with the reason, a number in each.
These hints look at outcomes of the whole file, which a person who writes an agreement
may do; nothing here enters a feature. Fewer than 20 conversions tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from leadscore.agreement import Agreement
from leadscore.tables import Tables

__all__ = [
    "Denied",
    "converted_at",
    "doubtful_attributes",
    "leaking_attributes",
    "leaking_kinds",
]

MIN_LEADS = 20
TELLS_BY_PRESENCE = 0.8  # difference of the filled shares
DECIDES = 0.85  # AUC of one attribute alone
TELLS_MUCH = 0.75  # AUC: rare for what is known when a lead comes to be
SAME_MOMENT = pd.Timedelta(minutes=1)
MOSTLY = 0.8  # of the events of a kind


@dataclass(frozen=True)
class Denied:
    """A kind, an attribute or a file that should not be used, and why."""

    name: str
    reason: str


def converted_at(tables: Tables, stage: str) -> pd.Series:
    """Return when each lead that reached the stage first did, by lead."""
    of_stage = tables.outcomes[tables.outcomes["stage"] == stage]
    return of_stage.groupby("lead_id")["occurred_at"].min()


def leaking_attributes(tables: Tables, agreement: Agreement) -> list[Denied]:
    """Return the declared attributes that almost alone decide the conversion.

    Looked at is the first row of each lead: what was known when it came to be. An
    attribute that is written only later, in a row with its own known_at, is no leak.
    """
    first, converted = _first_rows(tables, agreement)
    if min(converted.sum(), (~converted).sum()) < MIN_LEADS:
        return []
    found = []
    for name, attribute in sorted(agreement.attributes.items()):
        why = _why_presence(first[name], converted)
        if not why and attribute.kind in ("category", "number"):
            why = _why_value(first[name], converted)
        if why:
            found.append(Denied(name, why))
    return found


def doubtful_attributes(tables: Tables, agreement: Agreement) -> list[Denied]:
    """Return the attributes that tell much, and still less than `leaking_attributes`.

    They may be what a firm knows best, or what somebody filled in afterwards.
    """
    first, converted = _first_rows(tables, agreement)
    if min(converted.sum(), (~converted).sum()) < MIN_LEADS:
        return []
    found = []
    for name, attribute in sorted(agreement.attributes.items()):
        if attribute.kind not in ("category", "number"):
            continue
        area = _area(first[name], converted)
        if TELLS_MUCH <= area < DECIDES:
            found.append(Denied(name, _picks(area)))
    return found


def _first_rows(
    tables: Tables, agreement: Agreement
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the first row of each lead, and whether the lead converted."""
    first = tables.leads.sort_values(["lead_id", "known_at"]).drop_duplicates("lead_id")
    ids = converted_at(tables, agreement.conversion.stage).index
    return first, first["lead_id"].isin(ids).to_numpy()


def _why_presence(values: pd.Series, converted: np.ndarray) -> str:
    filled = values.notna().to_numpy()
    with_it, without = filled[converted].mean(), filled[~converted].mean()
    if abs(with_it - without) < TELLS_BY_PRESENCE:
        return ""
    return (
        f"the outcome in disguise: filled for {with_it:.0%} of the leads that "
        f"converted, {without:.0%} of the others"
    )


def _why_value(values: pd.Series, converted: np.ndarray) -> str:
    area = _area(values, converted)
    if area < DECIDES:
        return ""
    return f"almost alone it decides who converted: {_picks(area)}"


def _area(values: pd.Series, converted: np.ndarray) -> float:
    area = float(roc_auc_score(converted, _ranks(values, converted)))
    return max(area, 1 - area)


def _picks(area: float) -> str:
    return (
        "of a lead that converted and one that did not, it picks the right one in "
        f"{area:.0%} of the cases"
    )


def _ranks(values: pd.Series, converted: np.ndarray) -> np.ndarray:
    """Return numbers by which to rank: the number itself, or its word's rate."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.fillna(values.median()).fillna(0.0).to_numpy(dtype=np.float64)
    words = values.astype("str").fillna("").reset_index(drop=True)
    n_leads = words.map(words.value_counts())
    words = words.mask(n_leads < MIN_LEADS, "\0rare")
    return pd.Series(converted).groupby(words).transform("mean").to_numpy(np.float64)


def leaking_kinds(tables: Tables, agreement: Agreement) -> list[Denied]:
    """Return the kinds that mostly happen when a lead's fate is sealed, or later.

    The moment is the lead's conversion, or the first stage that ends it; a minute
    before counts as the same moment.
    """
    conversion = agreement.conversion
    decisive = {conversion.stage, *conversion.lost, *conversion.disqualified}
    ends = tables.outcomes[tables.outcomes["stage"].isin(decisive)]
    if ends.empty or len(tables.interactions) == 0:
        return []
    sealed = ends.sort_values(["occurred_at", "stage"]).drop_duplicates("lead_id")
    sealed = sealed.set_index("lead_id")
    parts = [
        _late_by_kind(rows, sealed["occurred_at"])
        for rows in tables.interactions.frames("lead_id", "occurred_at", "kind")
    ]
    counted = pd.concat(parts).groupby(level=0).sum()
    counted[["late", "same"]] = counted[["late", "same"]].div(counted["n"], axis=0)
    return [
        Denied(str(kind), _why_late(row, conversion.stage))
        for kind, row in counted.iterrows()
        if row["late"] >= MOSTLY and row["n_leads"] >= MIN_LEADS
    ]


def _late_by_kind(rows: pd.DataFrame, sealed: pd.Series) -> pd.DataFrame:
    """Return of each kind how many rows there are, late ones, and leads."""
    at = rows["lead_id"].map(sealed)
    is_late = (rows["occurred_at"] >= at - SAME_MOMENT).to_numpy()
    is_same = is_late & (rows["occurred_at"] <= at + SAME_MOMENT).to_numpy()
    by_kind = rows.assign(is_late=is_late, is_same=is_same).groupby("kind")
    return by_kind.agg(
        n=("kind", "size"),
        late=("is_late", "sum"),
        same=("is_same", "sum"),
        n_leads=("lead_id", "nunique"),
    )


def _why_late(row: pd.Series, stage: str) -> str:
    if row["same"] >= 0.5:
        when = "at the very moment when the lead is decided, or later"
    else:
        when = "after the lead is decided"
    return f"{row['late']:.0%} of its {int(row['n']):,} rows happen {when}"
