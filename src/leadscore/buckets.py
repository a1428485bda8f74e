"""From rows of whole leads to a bucket: sorted, each row once, machines told apart.

Goes in: interactions as they were read, in any order. Comes out: a table of
`leadscore.interactions.BUCKET`, with the same bits whatever the order was.

A row that was delivered twice counts once: the same lead and ``event_id``, of which the
version known first stays, or without an id all columns alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Machines
from leadscore.hashes import EVENT_KEYS, event_keys
from leadscore.interactions import (
    BUCKET,
    Interactions,
    codes_of,
    instants_of,
    one_array,
)
from leadscore.machines import AFTER_SENDING, BURST, find_machines, rules_for
from leadscore.merges import moved
from leadscore.sorting import is_new, sorted_places

__all__ = [
    "finish_bucket",
    "in_memory",
    "rows_of",
    "with_copies",
]

_INSTANT = pa.timestamp("us", "UTC")
_GIVEN_WORDS = ("lead_id", "kind", "channel", "content", "merged_from")
_TOLD = ("lead_id", "occurred_at", "kind", "channel", "content", "duration_s")
_RULES = {AFTER_SENDING: "after sending", BURST: "burst"}

Ints = npt.NDArray[np.int64]


def in_memory(rows: pa.Table, machines: Machines | None = None) -> Interactions:
    """Return interactions that are held in memory, as one bucket.

    Parameters
    ----------
    rows : Table
        As `finish_bucket` takes them.
    machines : Machines, default=None
        The rules by which opens and clicks are a machine's; None: there are none.
    """
    bucket = finish_bucket(rows, machines or Machines())
    return Interactions(
        n_rows=bucket.num_rows,
        readers=(bucket.select,),
        bucket_of=lambda leads: np.zeros(len(leads), dtype=np.int64),
    )


def rows_of(frame: pd.DataFrame) -> pa.Table:
    """Return a frame of interactions as `finish_bucket` takes it."""
    return pa.table({name: _arrow(frame[name]) for name in frame})


def _arrow(column: pd.Series[Any]) -> pa.Array:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        plain = column.dt.tz_convert("UTC").dt.tz_localize(None)
        at = plain.to_numpy("datetime64[us]").astype(np.int64)
        return _as_instants(at, null=column.isna().to_numpy())
    if column.dtype.kind == "f":
        return pa.array(column.to_numpy(), from_pandas=True)
    return pa.array(column.astype(object), pa.large_string(), from_pandas=True)


def with_copies(rows: pa.Table, merges: pd.DataFrame) -> pa.Table:
    """Return rows, and what merged leads did once more for their survivors.

    Parameters
    ----------
    rows : Table
        As `finish_bucket` takes them.
    merges : DataFrame
        As `leadscore.merges.merges_of` gives them.
    """
    if merges.empty:
        return rows
    merged = pa.array(merges["lead_id"].unique().tolist(), pa.string())
    lead_ids = one_array(rows.column("lead_id")).cast(pa.string())
    theirs = rows.filter(pc.is_in(lead_ids, value_set=merged))
    if theirs.num_rows == 0:
        return rows
    # Which version of an interaction was known first is asked of the originals.
    told = _frame(theirs)
    copies = rows_of(moved(told.assign(told_at=told["known_at"]), merges))
    return pa.concat_tables([_plain(rows), _plain(copies)], promote_options="default")


def _frame(rows: pa.Table) -> pd.DataFrame:
    occurred = instants_of(rows, "occurred_at", None)
    at = {"occurred_at": occurred, "known_at": instants_of(rows, "known_at", occurred)}
    columns = {n: one_array(rows.column(n)).to_pandas() for n in rows.column_names}
    columns |= {
        name: pd.Series(us.astype("datetime64[us]")).dt.tz_localize("UTC")
        for name, us in at.items()
    }
    return pd.DataFrame(columns)


def _plain(rows: pa.Table) -> pa.Table:
    """Return rows with words written out, so that two tables fit together."""
    texts = {pa.string(), pa.large_string()}
    columns = {}
    for name in rows.column_names:
        array = one_array(rows.column(name))
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        columns[name] = array.cast(pa.string()) if array.type in texts else array
    return pa.table(columns)


def finish_bucket(rows: pa.Table, machines: Machines) -> pa.Table:
    """Sort the rows of whole leads, count each once, and tell machines apart.

    Parameters
    ----------
    rows : Table
        ``lead_id, occurred_at, kind``, and, where there are any, ``known_at, event_id,
        channel, content, duration_s, merged_from, told_at`` (of a copy: when the
        original was known); in any order. Words may be dictionaries; an ``event_id``
        may have become `event_keys` before.
    machines : Machines

    Returns
    -------
    Table of `BUCKET`
        The same bits for the same rows, whatever their order was.
    """
    words = {name: _ranked(rows, name) for name in _GIVEN_WORDS}
    occurred = instants_of(rows, "occurred_at", None)
    duration = _durations(rows)
    columns = {
        "lead_id": words["lead_id"].codes,
        "occurred_at": occurred,
        "known_at": instants_of(rows, "known_at", occurred),
        "kind": words["kind"].codes,
        "channel": words["channel"].codes,
        "content": words["content"].codes,
        "duration_s": _as_key(duration),
    }
    if words["merged_from"].words:
        columns["merged_from"] = words["merged_from"].codes
        columns["told_at"] = instants_of(rows, "told_at", columns["known_at"])
    columns |= event_keys(rows)
    keys = np.stack(list(columns.values()))
    order = sorted_places(keys, len(words["lead_id"].words))
    order = _each_once(keys, order, list(columns))
    del keys
    kept: dict[str, npt.NDArray[Any]] = {
        name: column[order] for name, column in columns.items() if name in BUCKET.names
    }
    kept["duration_s"] = duration[order]
    return _bucket(kept, words, machines)


def _bucket(
    kept: dict[str, npt.NDArray[Any]], words: dict[str, _Ranked], machines: Machines
) -> pa.Table:
    """Return sorted rows as a table, with the verdict on each."""
    known, occurred = kept["known_at"], kept["occurred_at"]
    start = np.searchsorted(kept["lead_id"], np.arange(len(words["lead_id"].words) + 1))
    rules = rules_for(machines, words["kind"].words)
    verdict, visible = find_machines(
        start, occurred, known, kept["kind"], kept["content"], rules
    )
    made = {
        "occurred_at": _as_instants(occurred),
        "known_at": _as_instants(known, null=known == occurred),
        "visible_at": _as_instants(visible, null=visible == known),
        "duration_s": pa.array(kept["duration_s"], from_pandas=True),
        "machine": _as_words(verdict.astype(np.int32) - 1, list(_RULES.values())),
    }
    for name, word in words.items():
        codes = kept.get(name)
        made[name] = (
            pa.nulls(len(occurred), BUCKET.field(name).type)
            if codes is None
            else _as_words(codes, word.words)
        )
    return pa.table([made[name] for name in BUCKET.names], schema=BUCKET)


@dataclass(frozen=True)
class _Ranked:
    """A column of words, -1 where null; the codes are in the order of the words."""

    codes: Ints
    words: list[str]


def _ranked(rows: pa.Table, name: str) -> _Ranked:
    if name not in rows.column_names:
        return _Ranked(np.full(rows.num_rows, -1, dtype=np.int64), [])
    codes, words = codes_of(rows.column(name))
    is_met = np.zeros(len(words) + 1, dtype=np.bool_)  # the last one is for nulls
    is_met[codes] = True
    met = np.flatnonzero(is_met[:-1])
    kept = words.cast(pa.string()).take(pa.array(met))
    order = pc.sort_indices(kept).to_numpy()
    ordered = kept.take(pa.array(order))
    # A dictionary of a file may hold a word twice.
    is_new = np.ones(len(met), dtype=np.bool_)
    if len(met) > 1:
        is_new[1:] = pc.not_equal(ordered[1:], ordered[:-1]).to_numpy(
            zero_copy_only=False
        )
    rank = np.full(len(words) + 1, -1, dtype=np.int64)
    rank[met[order]] = np.cumsum(is_new) - 1
    return _Ranked(rank[codes], ordered.filter(pa.array(is_new)).to_pylist())


def _as_words(codes: npt.NDArray[Any], words: list[str]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _as_instants(at: Ints, null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(at, pa.int64(), mask=null).view(_INSTANT)


def _durations(rows: pa.Table) -> npt.NDArray[np.float64]:
    if "duration_s" not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    column = one_array(rows.column("duration_s")).cast(pa.float64())
    return column.to_numpy(zero_copy_only=False) + 0.0  # one zero: -0.0 is the same


def _as_key(duration: npt.NDArray[np.float64]) -> Ints:
    """Return integers that sort as durations do, null first; none is below zero."""
    return np.where(np.isnan(duration), -1, duration.view(np.int64))


def _each_once(keys: Ints, order: Ints, names: list[str]) -> Ints:
    """Return the places, in order, without those that repeat another row.

    Of the versions of one interaction the one known first stays: what comes later must
    not change what was known before.
    """
    kept = order[is_new(keys, order)]
    if EVENT_KEYS[0] in names:
        has_id = keys[names.index(EVENT_KEYS[0]), kept] != 0
        versions, first = _versions(keys, kept[has_id], ["lead_id", *EVENT_KEYS], names)
        kept = _without(kept, versions[versions != first])
    if "merged_from" in names:
        # An export may hold what a merged lead did under both leads. Who told it first
        # counts, with all that is alike; rows of one lead are not compared, nor are
        # rows that have ids: those were, above.
        origin = keys[names.index("merged_from")]
        survivors = np.unique(keys[0, origin >= 0])
        asked = kept[np.isin(keys[0, kept], survivors)]
        if EVENT_KEYS[0] in names:
            asked = asked[keys[names.index(EVENT_KEYS[0]), asked] == 0]
        versions, first = _versions(keys, asked, _TOLD, names)
        kept = _without(kept, versions[origin[versions] != origin[first]])
    return kept


def _versions(
    keys: Ints, places: Ints, same: Sequence[str], names: list[str]
) -> tuple[Ints, Ints]:
    """Return the places by what is the ``same``, then time known; beside, the first.

    The first is that of the same rows that was known first.
    """
    same_keys = keys[[names.index(name) for name in same]]
    known = [
        keys[names.index(n), places] for n in ("told_at", "known_at") if n in names
    ]
    ranked = places[np.lexsort((*known, *same_keys[:, places]))]
    told = same_keys[:, ranked]
    is_first = np.ones(len(ranked), dtype=np.bool_)
    is_first[1:] = (told[:, 1:] != told[:, :-1]).any(axis=0)
    return ranked, ranked[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]


def _without(places: Ints, dropped: Ints) -> Ints:
    is_kept = np.ones(places.max(initial=-1) + 1, dtype=np.bool_)
    is_kept[dropped] = False
    return places[is_kept[places]]
