"""Screen: rows without columns that know the outcome, and what else is odd in them.

Goes in: rows of mature snapshots. Comes out: the same rows, less what tells conversions
apart too well, and sentences: what was left out, what has fallen silent, what all
conversions share, what tells nothing. Columns of one source are one sentence. What is
left out does not depend on what became of leads that are held out to prove promises.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.explain import column_groups
from leadscore.features import Catalogue
from leadscore.features.catalogue import MIN_LEADS, OTHER
from leadscore.periods import groups_of, is_held_out
from leadscore.suspects import (
    check_finite,
    leaking_columns,
    one_level_only,
    vanished_columns,
)
from leadscore.workflows.rows import Rows

__all__ = ["screen"]

# The points speak in every recipe, and a baseline asks for the last interaction: where
# they know the outcome, they fall silent instead.
_ASKED_FOR = ("points", "days_since_last")


def screen(
    rows: Rows, catalogue: Catalogue, agreement: Agreement
) -> tuple[Rows, list[str]]:
    """Return the rows without columns that know the outcome, and what is suspicious.

    Parameters
    ----------
    rows : Rows
        ``snapshots`` with ``converted``, 1.0 or 0.0. May be empty.
    catalogue : Catalogue
        Says which columns have one source.
    agreement : Agreement

    Returns
    -------
    rows : Rows
        ``features`` less the leaking columns; of those, ``points`` and
        ``days_since_last`` are null throughout instead.
    said : list of str
        See `leadscore.suspects`; each with a figure and the next step.

    Raises
    ------
    DataError
        A number is infinite: tables that no file held can have one.
    """
    check_finite(rows.features)
    converted = rows.snapshots["converted"].to_numpy()
    groups, as_of = groups_of(rows.snapshots), rows.snapshots["as_of"]
    fit = ~is_held_out(rows.snapshots, agreement)
    leaking = leaking_columns(rows.features[fit], converted[fit], groups[fit])
    features = _without(rows.features, list(leaking))
    newest = as_of.max() - (as_of.max() - as_of.min()) / 4
    vanished = vanished_columns(features, as_of, newest, groups)
    one_level = one_level_only(features, converted, groups)
    left_out = {k: f"left out of the model: {said}" for k, said in leaking.items()}
    said = [
        *_one_a_source(left_out, catalogue, "Left out, too, for the same reason"),
        *_one_a_source(vanished, catalogue, "Silent since then, too"),
        *one_level.values(),
        *_mute(features, agreement, len(np.unique(groups))),
    ]
    return replace(rows, features=features), said


def _without(features: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    silent = {name: np.nan for name in _ASKED_FOR if name in names}
    dropped = [name for name in names if name not in silent]
    return features.drop(columns=dropped).assign(**silent)


def _one_a_source(
    sentences: dict[str, str], catalogue: Catalogue, too: str
) -> list[str]:
    """Return the first sentence of each group of columns, and names for the others."""
    members: dict[str, list[str]] = {}
    for name, group in column_groups(tuple(sentences), catalogue).items():
        members.setdefault(group, []).append(name)
    return [
        sentences[first] + (f" {too}: {_quoted(others)}." if others else "")
        for first, *others in members.values()
    ]


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _mute(features: pd.DataFrame, agreement: Agreement, n_groups: int) -> list[str]:
    """Return what tells no two leads apart: attributes, and the points."""
    if n_groups < MIN_LEADS:
        return []
    said = []
    for name in sorted(agreement.attributes):
        # As the features call them: a date and a text become numbers.
        for column in (name, f"has_{name}", f"days_from_{name}"):
            if column in features:
                said += _about_attribute(name, features[column], n_groups)
    points = features["points"].dropna().unique()
    if len(points) == 1:
        said.append(
            f"the points are {points[0]:g} for all {n_groups:,} leads (accounts): they "
            "rank nobody. Give points to kinds that interactions have, under [points]."
        )
    return said


def _about_attribute(name: str, values: pd.Series, n_groups: int) -> list[str]:
    known = values.dropna()
    if len(known) and (known == OTHER).all():
        return [
            f"{name!r} has no value that {MIN_LEADS} leads share: all count as "
            f"{OTHER!r}, and it tells at most who has one. Export something coarser "
            "(the region, not the town), or take it out of [attributes]."
        ]
    if values.nunique(dropna=False) > 1:
        return []
    held = f"is always {_spelt(known.iloc[0])}" if len(known) else "is empty"
    return [
        f"{name!r} {held} for all {n_groups:,} leads (accounts): it tells nothing. "
        "Look whether the export has lost it; if not, take it out of [attributes]."
    ]


def _spelt(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
