"""From tables and snapshots to feature rows: the one place where columns are made.

Goes in: the three tables, snapshots (lead, as_of), a catalogue. Comes out: one row a
snapshot, in the order given, with the kernel's columns, the derived ones, and the
attributes as known then. Training and scoring both come through here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from leadscore.agreement import Agreement
from leadscore.errors import AgreementError
from leadscore.features.catalogue import OTHER, Catalogue
from leadscore.features.custom import custom_columns
from leadscore.features.fold import Folding, fold_buckets
from leadscore.functions import NO_FUNCTIONS, Functions
from leadscore.interactions import Interactions
from leadscore.progress import Tell, silent
from leadscore.snapshots import DAY_US, attributes_at, microseconds

__all__ = [
    "behaviour",
    "build_features",
    "category_columns",
    "describe_features",
]

FIRST_CHANNEL = "first_channel"
_ADDED_LATER = ("points", "persona_fit")  # features that are made from these columns


def build_features(
    leads: pd.DataFrame,
    interactions: Interactions,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
    *,
    functions: Functions = NO_FUNCTIONS,
    with_machines: bool = False,
    n_threads: int = 1,
    tell: Tell = silent,
) -> pd.DataFrame:
    """Return one row of features a snapshot, in the order of ``snapshots``.

    Parameters
    ----------
    leads : DataFrame
        As in `leadscore.tables.Tables`.
    interactions : Interactions
    snapshots : DataFrame of shape (n_snapshots, ...)
        ``lead_id, as_of`` and ``created_at``; any order, no pair twice.
    catalogue : Catalogue
    agreement : Agreement
    functions : Functions, default=NO_FUNCTIONS
        What makes the catalogue's custom columns.
    with_machines : bool, default=False
        Whether what machines did counts, too: to tell how much hangs on it.
    n_threads : int, default=1
        How many buckets to fold at once; the bits are the same for any number.
    tell : Tell, default=silent
        Told of each bucket.

    Returns
    -------
    DataFrame of shape (n_snapshots, n_columns)
        Index 0..n-1. float64, or category with the catalogue's categories. Null:
        never happened, or not known then.

    Raises
    ------
    AgreementError
        An attribute, a kind or a feature of one's own would give a column the name that
        another one has; or a function of one's own cannot be used.
    """
    _check_names(pd.Index([column.name for column in catalogue.columns]))
    folded = behaviour(
        interactions,
        snapshots,
        catalogue,
        agreement,
        with_machines=with_machines,
        n_threads=n_threads,
        tell=tell,
    )
    derived = _derived(folded, snapshots)
    known = attributes_at(leads, snapshots)
    attributes = _attributes(known, snapshots, catalogue, agreement)
    names = [*folded, *derived, *attributes, *(c.name for c in catalogue.custom)]
    _check_names(pd.Index(names))
    custom = custom_columns(
        interactions,
        snapshots,
        catalogue.custom,
        agreement.features.deny,
        functions,
        with_machines=with_machines,
    )
    return pd.concat([folded, derived, attributes, custom], axis=1)


def _check_names(names: pd.Index) -> None:
    """Refuse two columns of one name: one would silently stand for the other."""
    twice = sorted(set(names[names.duplicated() | names.isin(_ADDED_LATER)]))
    if twice:
        msg = (
            f"two features would be called {', '.join(twice)}. Give the attribute "
            "another name under [source.columns.leads], put the kind of interaction "
            "that makes it on the deny-list, or rename what [features] adds."
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
    return described | {c.name: c.description for c in catalogue.custom}


def category_columns(catalogue: Catalogue) -> dict[str, list[str]]:
    """Return the words of each column that is a category, `OTHER` last."""
    words = {FIRST_CHANNEL: catalogue.channels} | catalogue.categories
    return {column: [*known, OTHER] for column, known in words.items()}


def behaviour(
    interactions: Interactions,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
    *,
    with_machines: bool = False,
    n_threads: int = 1,
    tell: Tell = silent,
) -> pd.DataFrame:
    """Return the kernel's columns, one row a snapshot, in the order given."""
    denied = agreement.features.deny
    folding = Folding(catalogue, agreement.zone, denied, with_machines)
    lead_ids = pa.array(snapshots["lead_id"], pa.string(), from_pandas=True)
    out = fold_buckets(
        interactions,
        lead_ids,
        microseconds(snapshots["as_of"]),
        folding,
        n_threads=n_threads,
        tell=tell,
    )
    frame = pd.DataFrame(out.T, columns=[c.name for c in catalogue.columns])
    channels = category_columns(catalogue)[FIRST_CHANNEL]
    codes = frame[FIRST_CHANNEL].fillna(-1).astype("int64").to_numpy()
    frame[FIRST_CHANNEL] = pd.Categorical.from_codes(codes, categories=channels)
    return frame


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
    codes = pd.Index(words, dtype="str").get_indexer(pd.Index(values))
    codes = np.where(codes < 0, len(words), codes)
    codes = np.where(values.isna(), -1, codes)
    return pd.Categorical.from_codes(codes, categories=[*words, OTHER])
