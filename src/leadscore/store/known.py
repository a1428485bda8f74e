"""The leads that exist, ready to be asked about millions of ids.

Goes in: the ids of the leads table, and the lines of those set aside. Comes out: which
of some ids exist, and why one does not. The ids are hashed once, not once a batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.compiled import compiled
from leadscore.store.rejects import LEAD_ASIDE

__all__ = ["KnownLeads"]


class KnownLeads:
    """The leads that exist.

    Parameters
    ----------
    ids : Array, Index, Series or other iterable of str
        Their ids, cleaned; an id may stand there more than once.
    aside : mapping of str to int
        The line of each row of the leads table that was set aside, by its lead.
    file : str
        The file of the leads table, for the reasons.
    """

    def __init__(
        self,
        ids: Iterable[str] | Any,
        aside: Mapping[str, int] | None = None,
        file: str = "leads",
    ) -> None:
        self._aside, self._file = aside or {}, file
        self._ids = pc.cast(_as_array(ids), pa.large_string())
        self._offsets, self._data = _bytes_of(self._ids)
        n_slots = 1 << max(2 * len(self._offsets), 8).bit_length()
        self._slots = np.full(n_slots, -1, dtype=np.int32)
        _fill(self._offsets, self._data, self._slots)

    def __contains__(self, lead_id: str) -> bool:
        return bool(self.has(pa.array([lead_id], pa.large_string()))[0])

    def has(self, ids: Any) -> npt.NDArray[np.bool_]:
        """Return which ids exist; null does not.

        Parameters
        ----------
        ids : Array of string or large_string, or a dictionary of them
        """
        if pa.types.is_dictionary(ids.type):
            codes = pc.fill_null(ids.indices, len(ids.dictionary))
            found = np.append(self.has(ids.dictionary), False)
            return found[codes.to_numpy(zero_copy_only=False)]
        offsets, data = _bytes_of(ids)
        answer = np.empty(len(ids), dtype=np.bool_)
        _find(offsets, data, self._slots, self._offsets, self._data, answer)
        if ids.null_count:
            answer &= pc.is_valid(ids).to_numpy(zero_copy_only=False)
        return answer

    def digest(self) -> str:
        """Return a sha256 of all that is known, whatever the order of the ids is."""
        ids = pc.unique(self._ids)
        offsets, data = _bytes_of(ids.take(pc.sort_indices(ids)))
        said = json.dumps([self._file, dict(self._aside)], sort_keys=True)
        told = hashlib.sha256(said.encode())
        told.update(offsets.tobytes())
        told.update(data.tobytes())
        return told.hexdigest()

    def reason(self, lead_id: str) -> str:
        """Return why a row of a lead that does not exist is set aside."""
        line = self._aside.get(lead_id)
        return "unknown lead" if line is None else f"{LEAD_ASIDE} ({self._file}:{line})"


def _as_array(ids: Any) -> Any:
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if not isinstance(ids, pa.Array):
        values = ids if hasattr(ids, "dtype") else list(ids)
        ids = pa.array(values, from_pandas=True)
    if isinstance(ids, pa.ChunkedArray):
        ids = pa.concat_arrays(ids.chunks or [pa.array([], ids.type)])
    if pa.types.is_dictionary(ids.type):
        ids = ids.dictionary_decode()
    return ids.drop_null()


def _bytes_of(ids: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return where each text begins and ends, and all their bytes."""
    texts = pc.cast(ids, pa.large_string())
    _, places, data = texts.buffers()
    if len(texts) == 0 or places is None:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    first = texts.offset
    offsets = np.frombuffer(places, dtype=np.int64)[first : first + len(texts) + 1]
    if data is None:
        return offsets, np.zeros(0, dtype=np.uint8)
    return offsets, np.frombuffer(data, dtype=np.uint8)


@compiled
def _hash(data: Any, start: int, stop: int) -> Any:
    """FNV-1a, whose low bits are then mixed with the high ones."""
    value = np.uint64(14695981039346656037)
    for i in range(start, stop):
        value = (value ^ np.uint64(data[i])) * np.uint64(1099511628211)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return value ^ (value >> np.uint64(32))


@compiled
def _is_same(a: Any, start: int, stop: int, b: Any, other: int, end: int) -> bool:
    if stop - start != end - other:
        return False
    for k in range(stop - start):  # noqa: SIM110 - compiled code knows no generators
        if a[start + k] != b[other + k]:
            return False
    return True


@compiled
def _fill(offsets: Any, data: Any, slots: Any) -> None:
    """Put each id, once, into the first free slot from its hash on."""
    mask = np.uint64(len(slots) - 1)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        slot = _hash(data, start, stop) & mask
        while slots[slot] >= 0:
            j = slots[slot]
            if _is_same(data, start, stop, data, offsets[j], offsets[j + 1]):
                break
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = i


@compiled
def _find(
    offsets: Any, data: Any, slots: Any, known: Any, known_data: Any, answer: Any
) -> None:
    """Look each id up from its slot on, until it or a free slot is found."""
    mask = np.uint64(len(slots) - 1)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        slot = _hash(data, start, stop) & mask
        answer[i] = False
        while slots[slot] >= 0:
            j = slots[slot]
            if _is_same(data, start, stop, known_data, known[j], known[j + 1]):
                answer[i] = True
                break
            slot = (slot + np.uint64(1)) & mask
