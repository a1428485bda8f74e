"""From rows of whole leads to a bucket: sorted, each row once, machines told apart.

Goes in: interactions as they were read, in any order. Comes out: a table of
`leadscore.interactions.BUCKET`, with the same bits whatever the order was.

A row that was delivered twice counts once: the same lead and ``event_id``, of which the
version known first stays, or without an id all columns alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Machines
from leadscore.compiled import compiled
from leadscore.interactions import (
    BUCKET,
    Interactions,
    codes_of,
    instants_of,
    one_array,
)
from leadscore.machines import AFTER_SENDING, BURST, find_machines, rules_for
from leadscore.merges import moved

__all__ = [
    "event_keys",
    "finish_bucket",
    "hash_texts",
    "in_memory",
    "rows_of",
    "with_copies",
]

_INSTANT = pa.timestamp("us", "UTC")
_GIVEN_WORDS = ("lead_id", "kind", "channel", "content", "merged_from")
_EVENT = ("event_high", "event_low")  # two halves of a hash
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
    copies = rows_of(moved(_frame(theirs), merges))
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
        channel, content, duration_s, merged_from``; in any order. Words may be
        dictionaries; an ``event_id`` may have become `event_keys` before.
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
    rank = np.full(len(words) + 1, -1, dtype=np.int64)
    rank[met[order]] = np.arange(len(met))
    return _Ranked(rank[codes], kept.take(pa.array(order)).to_pylist())


def _as_words(codes: npt.NDArray[Any], words: list[str]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _as_instants(at: Ints, null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(at, pa.int64(), mask=null).view(_INSTANT)


def _durations(rows: pa.Table) -> npt.NDArray[np.float64]:
    if "duration_s" not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    column = one_array(rows.column("duration_s")).cast(pa.float64())
    return column.to_numpy(zero_copy_only=False)


def _as_key(duration: npt.NDArray[np.float64]) -> Ints:
    """Return integers that sort as durations do, null first; none is below zero."""
    return np.where(np.isnan(duration), -1, (duration + 0.0).view(np.int64))


def event_keys(rows: pa.Table) -> dict[str, Ints]:
    """Return 128 bits of each event id, as two columns, or none where there are none.

    Both are 0 where a row has no id.
    """
    if _EVENT[0] in rows.column_names:
        return {name: one_array(rows.column(name)).to_numpy() for name in _EVENT}
    if "event_id" not in rows.column_names:
        return {}
    ids = one_array(rows.column("event_id")).cast(pa.large_string())
    null = ids.is_null().to_numpy(zero_copy_only=False)
    return {
        name: np.where(null, 0, hash_texts(ids, seed=seed) | 1)
        for seed, name in enumerate(_EVENT, start=1)
    }


def hash_texts(texts: pa.Array, *, seed: int = 0) -> Ints:
    """Return 64 bits of each text; nulls are as the empty text.

    Parameters
    ----------
    texts : large_string Array
    seed : int, default=0
        Another seed, other bits.
    """
    _, offsets, data = texts.buffers()
    at = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data or b"", np.uint8)
    out = np.empty(len(texts), np.int64)
    _hash(at, letters, np.uint64(seed), out)
    return out


@compiled
def _hash(at: Any, letters: Any, seed: Any, out: Any) -> None:
    """Mix eight bytes at a time (a multiply and a shift each, as MurmurHash does)."""
    much = np.uint64(0x9E3779B97F4A7C15)
    for i in range(out.shape[0]):
        begin, end = at[i], at[i + 1]
        mixed = (seed + np.uint64(end - begin) + np.uint64(1)) * much
        for j in range(begin, end, 8):
            eight = np.uint64(0)
            for k in range(j, min(j + 8, end)):
                eight |= np.uint64(letters[k]) << np.uint64(8 * (k - j))
            mixed = (mixed ^ eight) * much
            mixed ^= mixed >> np.uint64(29)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * much
        out[i] = np.int64(mixed ^ (mixed >> np.uint64(29)))


def _each_once(keys: Ints, order: Ints, names: list[str]) -> Ints:
    """Return the places, in order, without those that repeat another row.

    Of the versions of one interaction the one known first stays: what comes later must
    not change what was known before.
    """
    kept = order[_is_new(keys, order)]
    if _EVENT[0] in names:
        has_id = keys[names.index(_EVENT[0])] != 0
        same = [names.index(name) for name in ("lead_id", *_EVENT)]
        kept = _first_known(keys, kept, has_id[kept], same, names)
    if "merged_from" in names:
        # An export may hold what a merged lead did under both leads.
        told = ("lead_id", "occurred_at", "kind", "channel", "content", "duration_s")
        same = [names.index(name) for name in told]
        merged = np.unique(keys[0, keys[names.index("merged_from")] >= 0])
        kept = _first_known(keys, kept, np.isin(keys[0, kept], merged), same, names)
    return kept


def _first_known(
    keys: Ints,
    order: Ints,
    is_asked: npt.NDArray[np.bool_],
    same: list[int],
    names: list[str],
) -> Ints:
    """Return the places without later versions of rows that are the ``same``.

    Rows that are not copies of a merged lead's are versions of one another only by
    their event id.
    """
    asked = order[is_asked]
    ranked = np.lexsort((keys[names.index("known_at"), asked], *keys[same][:, asked]))
    event = keys[same][:, asked[ranked]]
    is_first = np.ones(len(ranked), dtype=np.bool_)
    is_first[1:] = (event[:, 1:] != event[:, :-1]).any(axis=0)
    if _EVENT[0] not in [names[place] for place in same]:
        is_copy = keys[names.index("merged_from"), asked[ranked]] >= 0
        group = np.cumsum(is_first) - 1
        is_first |= ~np.bincount(group, is_copy).astype(np.bool_)[group]
    is_kept = np.ones(len(order), dtype=np.bool_)
    is_kept[np.flatnonzero(is_asked)[ranked[~is_first]]] = False
    return order[is_kept]


@compiled
def _is_new(keys: Any, order: Any) -> Any:
    """Return which places do not repeat the one before them in every key."""
    is_new = np.zeros(order.shape[0], np.bool_)
    for i in range(order.shape[0]):
        for k in range(keys.shape[0]):
            if i == 0 or keys[k, order[i]] != keys[k, order[i - 1]]:
                is_new[i] = True
                break
    return is_new


@compiled
def sorted_places(keys: Any, n_groups: int) -> Any:
    """Return the places of the rows by the first key, then by the others.

    Parameters
    ----------
    keys : int64 array of shape (n_keys, n_rows)
        The first one is ``0 .. n_groups - 1``.
    n_groups : int

    Returns
    -------
    int64 array of shape (n_rows,)
        Rows that are equal in every key stay in their order. Rows that came in order
        cost one comparison each.
    """
    n_rows = keys.shape[1]
    start = np.zeros(n_groups + 1, np.int64)
    for i in range(n_rows):
        start[keys[0, i] + 1] += 1
    longest = 0
    for group in range(n_groups):
        longest = max(longest, start[group + 1])
        start[group + 1] += start[group]
    order = np.empty(n_rows, np.int64)
    place = start[:-1].copy()
    for i in range(n_rows):
        group = keys[0, i]
        order[place[group]] = i
        place[group] += 1
    spare = np.empty(longest, np.int64)
    for group in range(n_groups):
        _merge_sort(keys, order[start[group] : start[group + 1]], spare)
    return order


@compiled
def _merge_sort(keys: Any, order: Any, spare: Any) -> None:
    n_rows = order.shape[0]
    width = 1
    while width < n_rows:
        for left in range(0, n_rows - width, 2 * width):
            middle, end = left + width, min(left + 2 * width, n_rows)
            if _is_before(keys, order[middle], order[middle - 1]):
                _merge(keys, order, left, middle, end, spare)
        width *= 2


@compiled
def _merge(keys: Any, order: Any, left: int, middle: int, end: int, spare: Any) -> None:
    for i in range(left, middle):
        spare[i - left] = order[i]
    i, j, n_left = 0, middle, middle - left
    for at in range(left, end):
        if i == n_left:
            return
        if j < end and _is_before(keys, order[j], spare[i]):
            order[at] = order[j]
            j += 1
        else:
            order[at] = spare[i]
            i += 1


@compiled
def _is_before(keys: Any, one: int, other: int) -> bool:
    for k in range(1, keys.shape[0]):
        if keys[k, one] != keys[k, other]:
            return bool(keys[k, one] < keys[k, other])
    return False
