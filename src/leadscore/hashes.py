"""Texts as numbers that tell them apart: leads to buckets, event ids to keys.

Goes in: texts of any length. Comes out: 64 bits of each, the same on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from leadscore.compiled import compiled
from leadscore.interactions import one_array

__all__ = ["EVENT_KEYS", "event_keys", "hash_texts"]

EVENT_KEYS = ("event_high", "event_low")  # two halves of a hash

Ints = npt.NDArray[np.int64]


def event_keys(rows: pa.Table) -> dict[str, Ints]:
    """Return 128 bits of each event id, as two columns, or none where there are none.

    Both are 0 where a row has no id.
    """
    if EVENT_KEYS[0] in rows.column_names:
        return {name: one_array(rows.column(name)).to_numpy() for name in EVENT_KEYS}
    if "event_id" not in rows.column_names:
        return {}
    ids = one_array(rows.column("event_id")).cast(pa.large_string())
    null = ids.is_null().to_numpy(zero_copy_only=False)
    return {
        name: np.where(null, 0, hash_texts(ids, seed=seed) | 1)
        for seed, name in enumerate(EVENT_KEYS, start=1)
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
    """Mix eight bytes at a time, each time thoroughly: ids are often nearly alike."""
    for i in range(out.shape[0]):
        begin, end = at[i], at[i + 1]
        mixed = _stirred(_stirred(seed) + np.uint64(end - begin))
        for j in range(begin, end, 8):
            eight = np.uint64(0)
            for k in range(j, min(j + 8, end)):
                eight |= np.uint64(letters[k]) << np.uint64(8 * (k - j))
            mixed = _stirred(mixed ^ eight)
        out[i] = np.int64(mixed)


@compiled
def _stirred(value: Any) -> Any:
    """Return 64 bits, each of which depends on all of ``value`` (SplitMix64)."""
    value += np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
