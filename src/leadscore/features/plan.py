"""From a declared catalogue to the kernel's arrays.

Goes in: a catalogue, a time zone, the words of a bucket. Comes out: `Plan`, the same
for every bucket, and `Words`, what the codes of one bucket stand for.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from leadscore.features import kernel
from leadscore.features.catalogue import Catalogue
from leadscore.features.kernel import EVER_US, Plan, Words
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
from leadscore.features.zones import shifts_of
from leadscore.snapshots import DAY_US

__all__ = ["CODES", "compile_plan", "compile_words"]

CODES = {
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


def compile_plan(catalogue: Catalogue, zone: zoneinfo.ZoneInfo) -> Plan:
    """Turn the declared columns into the kernel's arrays.

    Parameters
    ----------
    catalogue : Catalogue
    zone : ZoneInfo
        Where an active day begins and ends.
    """
    made = [column.makes for column in catalogue.columns]
    widths = sorted({_width(m) for m in made if _has_window(m)} | {EVER_US})
    decays = [m for m in made if isinstance(m, Decay)]
    decays = [d for i, d in enumerate(decays) if d not in decays[:i]]
    slots = _Slots(catalogue)
    coded = [_code(m, slots, widths, decays) for m in made]
    op, a, b = np.array(coded, dtype=np.int64).reshape(-1, 3).T.copy()
    return Plan(
        np.array(widths, dtype=np.int64),
        _rings(made, widths),
        slots.total + 1,
        slots.first_channel,
        *_decays_by_kind(decays, catalogue),
        np.array([_rate(d) for d in decays], dtype=np.float64),
        GAP_DAYS * DAY_US,
        *shifts_of(zone),
        op,
        a,
        b,
    )


def compile_words(
    catalogue: Catalogue,
    denied: Iterable[str],
    *,
    kinds: list[str],
    channels: list[str],
    contents: list[str],
) -> Words:
    """Say what the codes of a bucket's words are.

    Parameters
    ----------
    catalogue : Catalogue
    denied : iterable of str
        Kinds that no feature may see.
    kinds, channels, contents : list of str
        The words of the bucket, by their codes.
    """
    never, slots = set(denied), _Slots(catalogue)
    known = {word: code for code, word in enumerate(catalogue.kinds)}
    heard = {word: code for code, word in enumerate(catalogue.channels)}
    members = _members(catalogue, slots, contents)
    return Words(
        _ints(-1 if k in never else known.get(k, len(known)) for k in kinds),
        _ints(heard.get(c, len(heard)) for c in channels),
        np.append(0, np.cumsum([len(m) for m in members])).astype(np.int64),
        _ints(slot for m in members for slot in m),
    )


def _members(
    catalogue: Catalogue, slots: _Slots, contents: list[str]
) -> list[list[int]]:
    """Return the groups that each content is in, by their slots."""
    if not catalogue.groups:
        return [[]] * len(contents)
    return [
        [slots.groups[g] for g in catalogue.groups if _is_in(content, catalogue, g)]
        for content in contents
    ]


def _is_in(content: str, catalogue: Catalogue, group: str) -> bool:
    return any(fnmatchcase(content, like) for like in catalogue.groups[group])


class _Slots:
    """Where each thing is counted: kinds, channels, content groups, and all."""

    def __init__(self, catalogue: Catalogue) -> None:
        made = [column.makes for column in catalogue.columns]
        counts = [m for m in made if isinstance(m, Count | Recency)]
        has_channels = any(m.channel is not None for m in counts)
        n_kinds = len(catalogue.kinds) + 1
        n_channels = len(catalogue.channels) + 1 if has_channels else 0
        self.kinds = {kind: code for code, kind in enumerate(catalogue.kinds)}
        self.first_channel = n_kinds if has_channels else -1
        self.channels = {c: n_kinds + i for i, c in enumerate(catalogue.channels)}
        self.groups = {
            g: n_kinds + n_channels + i for i, g in enumerate(catalogue.groups)
        }
        self.total = n_kinds + n_channels + len(catalogue.groups)

    def of(self, counted: Count | Recency) -> int:
        """Return the slot of what a column counts."""
        if counted.kind is not None:
            return self.kinds[counted.kind]
        if counted.channel is not None:
            return self.channels[counted.channel]
        if counted.group is not None:
            return self.groups[counted.group]
        return self.total


def _rings(made: list[Primitive], widths: list[int]) -> np.ndarray:
    """Return the ring of each window; totals and active days need none."""
    needed = {
        _width(m)
        for m in made
        if isinstance(m, Distinct | Sum) or (isinstance(m, Count) and not _is_total(m))
    }
    own = [w for w, width in enumerate(widths) if width in {*needed, EVER_US}]
    return _ints(min(ring for ring in own if ring >= w) for w in range(len(widths)))


def _is_total(count: Count) -> bool:
    return count.kind is count.channel is count.group is None


def _has_window(primitive: Primitive) -> bool:
    return isinstance(primitive, Count | ActiveDays | Distinct | Sum)


def _width(primitive: Any) -> int:
    return EVER_US if primitive.days is None else primitive.days * DAY_US


def _code(
    primitive: Primitive, slots: _Slots, widths: list[int], decays: list[Decay]
) -> tuple[int, int, int]:
    """Return (op, a, b) of one column; windows and decays are shared by value."""
    a = b = 0
    if isinstance(primitive, Count | Recency):
        a = slots.of(primitive)
    if _has_window(primitive):
        b = widths.index(_width(primitive))
    if isinstance(primitive, Decay):
        a = decays.index(primitive)
    return CODES[primitive.does], a, b


def _decays_by_kind(
    decays: list[Decay], catalogue: Catalogue
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which decays each kind adds to, the unknown kinds last, and how much."""
    start, items, weights = [0], [], []
    for kind in [*catalogue.kinds, None]:
        for place, decay in enumerate(decays):
            weight = decay.default
            if kind is not None:
                weight = decay.weights.get(kind, decay.default)
            if weight != 0.0:
                items.append(place)
                weights.append(weight)
        start.append(len(items))
    return _ints(start), _ints(items), np.array(weights, dtype=np.float64)


def _rate(decay: Decay) -> float:
    life = decay.half_life_days
    return 0.0 if life is None else 1.0 / (life * DAY_US)


def _ints(values: Iterable[Any]) -> np.ndarray:
    return np.array(list(values), dtype=np.int64)
