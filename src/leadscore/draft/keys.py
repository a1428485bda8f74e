"""Which column of which file names the leads: a key that the other files point to.

Goes in: profiles of the files. Comes out: every way in which a file could be the leads,
with a weight: what names say, whether the key is unique or its date of creation is, and
which other files name the same ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.draft.profile import ColumnProfile, FileProfile
from leadscore.draft.words import COLUMNS, FILES, match, spoken, tokens
from leadscore.store.header import plain_name

__all__ = ["Key", "file_named", "find_keys"]

LINKED = 0.9  # of a file's ids must be leads for it to be about leads
ONCE = 0.995  # of the leads have one value: it belongs to the lead
_CREATED = COLUMNS["leads"]["created_at"]


@dataclass(frozen=True)
class Key:
    """A way in which a file could be the leads.

    Parameters
    ----------
    file : FileProfile
    column : ColumnProfile
        Whose values are the ids.
    created : ColumnProfile
        The date that a lead has once.
    links : dict of str to str
        The id column of each other file that names these leads, by file.
    weight : float
        The higher the likelier.
    """

    file: FileProfile
    column: ColumnProfile
    created: ColumnProfile
    links: dict[str, str]
    weight: float


def find_keys(file: FileProfile, files: list[FileProfile]) -> list[Key]:
    """Return the ways in which a file could be the leads."""
    found = []
    for column in file.columns.values():
        if not column.is_key_like or column.personal:
            continue
        named = match(column.name, COLUMNS["leads"]["lead_id"])
        is_unique = column.n_distinct == column.n_filled
        if not named and not is_unique:
            continue
        created = _created(file, column, is_unique=is_unique)
        if created is None:
            continue
        links = {
            other.file: link
            for other in files
            if other is not file and (link := _link(other, column)) is not None
        }
        by_name = file_named(file.file)
        weight = 3 * named + is_unique + 2 * len(links) + match(created.name, _CREATED)
        weight += 3 * by_name["leads"]
        weight -= 2 * max(by_name["interactions"], by_name["outcomes"])
        found.append(Key(file, column, created, links, weight))
    return found


def file_named(file: str) -> dict[str, float]:
    """Return how much the name of a file speaks for each table, 0 to 1."""
    stem = file.split(".")[0]
    words = tokens(stem)
    return {
        table: max(
            match(stem, phrases),
            0.9 * any(phrase in words for phrase in phrases),
        )
        for table, phrases in FILES.items()
    }


def _created(
    file: FileProfile, key: ColumnProfile, *, is_unique: bool
) -> ColumnProfile | None:
    """Return the date that a lead has once: the best named, then the fullest."""
    instants = [
        c
        for c in file.instants()
        if c.is_full and (is_unique or _is_once(key, c.cells))
    ]
    ranked = sorted(
        instants, key=lambda c: (-match(c.name, _CREATED), _median(c), spoken(c.name))
    )
    return ranked[0] if ranked else None


def _median(column: ColumnProfile) -> float:
    instants = column.instants()
    known = instants[~np.isnat(instants)].astype("datetime64[us]").astype(np.int64)
    return float(np.median(known)) if len(known) else float("inf")


def _is_once(key: ColumnProfile, cells: Any) -> bool:
    """Return whether (nearly) every lead has one value only."""
    pairs = pa.table({"key": key.cells, "value": cells})
    distinct = pairs.group_by("key").aggregate([("value", "count_distinct")])
    once = pc.less_equal(distinct["value_count_distinct"], 1)
    return float(pc.mean(once.cast("float64")).as_py()) >= ONCE


def _link(file: FileProfile, key: ColumnProfile) -> str | None:
    """Return the column of a file whose values are leads, or None."""
    leads = pc.unique(key.cells)
    found = []
    for column in file.columns.values():
        if not column.is_key_like and column.n_distinct != 1:
            continue
        values = pc.unique(column.cells).drop_null()
        if not len(values) or column.looks in ("empty", "instant"):
            continue
        share = pc.mean(pc.is_in(values, value_set=leads).cast("float64")).as_py()
        named = match(column.name, COLUMNS["leads"]["lead_id"])
        is_same = plain_name(column.name) == plain_name(key.name)
        if share >= LINKED and (named or is_same or column.n_distinct > 20):
            found.append((named + is_same, share, column.n_distinct, column.name))
    return max(found)[3] if found else None
