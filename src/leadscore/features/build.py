"""From tables and snapshots to feature rows: the one place where columns are made.

Goes in: the three tables, snapshots (lead, as_of), a catalogue. Comes out: one row a
snapshot, in the order given, with the kernel's columns, the derived ones, and the
attributes as known then. Training and scoring both come through here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.errors import AgreementError
from leadscore.features import kernel
from leadscore.features.catalogue import OTHER, Catalogue
from leadscore.features.kernel import EVER_US, Events, Moments, Plan
from leadscore.features.primitives import (
    GAP_DAYS,
    ActiveDays,
    Count,
    Decay,
    Distinct,
    Primitive,
    Recency,
    Sum,
)
from leadscore.snapshots import DAY_US, attributes_at, microseconds

__all__ = [
    "behaviour",
    "build_features",
    "category_columns",
    "compile_plan",
    "describe_features",
]

FIRST_CHANNEL = "first_channel"
_ADDED_LATER = ("points", "persona_fit")  # features that are made from these columns

_CODES = {
    "count": kernel.COUNT,
    "recency": kernel.RECENCY,
    "decay": kernel.DECAY,
    "active_days": kernel.ACTIVE_DAYS,
    "distinct": kernel.DISTINCT,
    "sum": kernel.SUM,
    "longest_gap": kernel.LONGEST_GAP,
    "gaps_over": kernel.GAPS_OVER,
    "first": kernel.FIRST,
}


def build_features(
    leads: pd.DataFrame,
    interactions: pd.DataFrame,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
) -> pd.DataFrame:
    """Return one row of features a snapshot, in the order of ``snapshots``.

    Parameters
    ----------
    leads, interactions : DataFrame
        As in `leadscore.tables.Tables`.
    snapshots : DataFrame of shape (n_snapshots, ...)
        ``lead_id, as_of`` and ``created_at``; any order, no pair twice.
    catalogue : Catalogue
    agreement : Agreement

    Returns
    -------
    DataFrame of shape (n_snapshots, n_columns)
        Index 0..n-1. float64, or category with the catalogue's categories. Null:
        never happened, or not known then.

    Raises
    ------
    AgreementError
        An attribute or a kind would give a column the name that another one has.
    """
    folded = behaviour(interactions, snapshots, catalogue, agreement)
    derived = _derived(folded, snapshots)
    known = attributes_at(leads, snapshots)
    attributes = _attributes(known, snapshots, catalogue, agreement)
    made = pd.concat([folded, derived, attributes], axis=1)
    _check_names(made.columns)
    return made


def _check_names(names: pd.Index) -> None:
    """Refuse two columns of one name: one would silently stand for the other."""
    twice = sorted(set(names[names.duplicated() | names.isin(_ADDED_LATER)]))
    if twice:
        msg = (
            f"two features would be called {', '.join(twice)}. Give the attribute "
            "another name under [source.columns.leads], or put the kind of interaction "
            "that makes it on the deny-list."
        )
        raise AgreementError(msg)


def describe_features(catalogue: Catalogue, agreement: Agreement) -> dict[str, str]:
    """Return the plain-language description of every column of `build_features`."""
    described = catalogue.describe() | {
        "n_prev_30d": "number of interactions in the 30 days before the last 30",
        "trend_30d": "interactions of the last 30 days less those of the 30 before",
        "tenure_days": "days since the lead was created",
    }
    for name, attribute in agreement.attributes.items():
        words = attribute.description or name.replace("_", " ")
        column = _attribute_column(name, attribute.kind)
        if attribute.kind == "text_presence" and not words.startswith("whether "):
            words = f"whether {words} is known"
        if attribute.kind == "date":
            words = f"days from {words}"
        described[column] = words
    described["profile_completeness"] = "share of the attributes that are known"
    return described


def category_columns(catalogue: Catalogue) -> dict[str, list[str]]:
    """Return the words of each column that is a category, `OTHER` last."""
    words = {FIRST_CHANNEL: catalogue.channels} | catalogue.categories
    return {column: [*known, OTHER] for column, known in words.items()}


def behaviour(
    interactions: pd.DataFrame,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
) -> pd.DataFrame:
    """Return the kernel's columns, one row a snapshot, in the order given."""
    lead_ids = pd.Index(np.sort(snapshots["lead_id"].unique()))
    lead = lead_ids.get_indexer(snapshots["lead_id"])
    as_of = microseconds(snapshots["as_of"])
    order = np.lexsort((as_of, lead))
    moments = Moments(_starts(lead[order], len(lead_ids)), as_of[order])
    events = _events(interactions, lead_ids, catalogue, agreement)
    n_contents = int(events.content.max(initial=-1)) + 1
    plan = compile_plan(catalogue, n_contents=n_contents)
    out = np.empty((len(snapshots), len(catalogue.columns)))
    kernel.fold(events, moments, plan, out)
    unsorted = np.empty_like(out)
    unsorted[order] = out
    frame = pd.DataFrame(unsorted, columns=[c.name for c in catalogue.columns])
    channels = category_columns(catalogue)[FIRST_CHANNEL]
    codes = frame[FIRST_CHANNEL].fillna(-1).astype("int64").to_numpy()
    frame[FIRST_CHANNEL] = pd.Categorical.from_codes(codes, categories=channels)
    return frame


def compile_plan(catalogue: Catalogue, *, n_contents: int) -> Plan:
    """Turn the declared columns into the kernel's arrays."""
    kinds = {kind: code for code, kind in enumerate(catalogue.kinds)}
    widths: list[int] = []
    decays: list[Decay] = []
    coded = [_code(column.makes, kinds, widths, decays) for column in catalogue.columns]
    op, a, b = np.array(coded, dtype=np.int64).reshape(-1, 3).T.copy()
    rates = [
        0.0 if d.half_life_days is None else 1.0 / (d.half_life_days * DAY_US)
        for d in decays
    ]
    weights = [
        [*(d.weights.get(kind, d.default) for kind in kinds), d.default] for d in decays
    ]
    return Plan(
        np.array(widths, dtype=np.int64),
        np.array(rates, dtype=np.float64),
        np.array(weights, dtype=np.float64).reshape(len(decays), len(kinds) + 1),
        GAP_DAYS * DAY_US,
        n_contents,
        op,
        a,
        b,
    )


def _code(
    primitive: Primitive, kinds: dict[str, int], widths: list[int], decays: list[Decay]
) -> tuple[int, int, int]:
    """Return (op, a, b) of one column; windows and decays are shared by value.

    The code after the last known kind is for all unknown ones, the next for all kinds.
    """
    a = b = 0
    if isinstance(primitive, Count | Recency):
        a = len(kinds) + 1 if primitive.kind is None else kinds[primitive.kind]
    if isinstance(primitive, Count | ActiveDays | Distinct | Sum):
        width = EVER_US if primitive.days is None else primitive.days * DAY_US
        b = _place(width, widths)
    if isinstance(primitive, Decay):
        a = _place(primitive, decays)
    return _CODES[primitive.does], a, b


def _place(item: Any, items: list[Any]) -> int:
    if item not in items:
        items.append(item)
    return items.index(item)


def _events(
    interactions: pd.DataFrame,
    lead_ids: pd.Index,
    catalogue: Catalogue,
    agreement: Agreement,
) -> Events:
    """Return the allowed interactions of these leads as the kernel's arrays.

    Rows at the same microsecond are ordered by what they say, never by their place in
    a file; rows that say the same are interchangeable.
    """
    denied = interactions["kind"].isin(agreement.features.deny)
    used = interactions[~denied & interactions["lead_id"].isin(lead_ids)]
    occurred = used["occurred_at"]
    lead = lead_ids.get_indexer(used["lead_id"])
    kind, channel, content = (
        pd.factorize(used[name], sort=True)[0]
        for name in ("kind", "channel", "content")
    )
    milliseconds = (used["duration_s"].fillna(0.0) * 1000).round().astype("int64")
    occurred_us, known_us = microseconds(occurred), microseconds(used["known_at"])
    duration = milliseconds.to_numpy()
    order = np.lexsort((duration, content, channel, kind, known_us, occurred_us, lead))
    day = occurred.dt.tz_convert(agreement.zone).dt.tz_localize(None)
    day_number = day.dt.floor("D").astype("datetime64[us]").astype("int64") // DAY_US
    columns = (
        occurred_us,
        known_us,
        _known_codes(used["kind"], catalogue.kinds),
        np.where(channel < 0, -1, _known_codes(used["channel"], catalogue.channels)),
        content.astype(np.int64),
        duration,
        day_number.to_numpy(),
    )
    start = _starts(lead[order], len(lead_ids))
    return Events(start, *(np.ascontiguousarray(c[order]) for c in columns))


def _known_codes(values: pd.Series, words: tuple[str, ...]) -> np.ndarray:
    """Return the place of each value in the vocabulary; unknown ones come last."""
    codes = pd.Index(words, dtype="str").get_indexer(pd.Index(values))
    return np.where(codes < 0, len(words), codes).astype(np.int64)


def _starts(group: np.ndarray, n_groups: int) -> np.ndarray:
    """Return where each group starts in a sorted array of group numbers."""
    return np.searchsorted(group, np.arange(n_groups + 1)).astype(np.int64)


def _derived(folded: pd.DataFrame, snapshots: pd.DataFrame) -> pd.DataFrame:
    previous = folded["n_60d"] - folded["n_30d"]
    age = microseconds(snapshots["as_of"]) - microseconds(snapshots["created_at"])
    return pd.DataFrame(
        {
            "n_prev_30d": previous,
            "trend_30d": folded["n_30d"] - previous,
            "tenure_days": age / DAY_US,
        }
    )


def _attribute_column(name: str, kind: str) -> str:
    prefix = {"text_presence": "has_", "date": "days_from_"}.get(kind, "")
    return f"{prefix}{name}"


def _attributes(
    known: pd.DataFrame,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
) -> pd.DataFrame:
    """Return the attributes as features, and the share of them that is known."""
    declared = agreement.attributes
    columns: dict[str, object] = {}
    for name, attribute in declared.items():
        values, column = known[name], _attribute_column(name, attribute.kind)
        if attribute.kind == "category":
            columns[column] = _category(values, catalogue.categories[name])
        elif attribute.kind == "number":
            columns[column] = values.to_numpy(dtype=np.float64)
        elif attribute.kind == "text_presence":
            columns[column] = values.notna().to_numpy(dtype=np.float64)
        else:
            since = snapshots["as_of"].reset_index(drop=True) - values
            columns[column] = since / pd.Timedelta(days=1)
    share = known[list(declared)].notna().mean(axis=1) if declared else 1.0
    columns["profile_completeness"] = share
    return pd.DataFrame(columns, index=known.index)


def _category(values: pd.Series, words: tuple[str, ...]) -> pd.Categorical:
    codes = np.where(values.isna(), -1, _known_codes(values, words))
    return pd.Categorical.from_codes(codes, categories=[*words, OTHER])
