"""Columns that a file keeps typed -> instants and numbers, without text between.

Goes in: timestamps, dates and numbers as Arrow arrays. Comes out: the very values, and
the very reasons, that their text would give. Nulls and NaN stay null.
"""

from __future__ import annotations

import zoneinfo
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.store.instants import (
    FIRST_YEAR,
    LAST_YEAR,
    Instants,
    day_start,
    local_to_utc,
    parse_instants,
)

__all__ = ["is_typed", "time_text", "typed_instants", "typed_numbers"]

_DAY = np.timedelta64(1, "D")
_MICROSECOND = np.timedelta64(1, "us")
_FIRST = np.datetime64(f"{FIRST_YEAR}-01-01", "us")
_AFTER = np.datetime64(f"{LAST_YEAR + 1}-01-01", "us")
_PER_UNIT = {"s": 1_000_000, "ms": 1_000}
_MOST = 2**63 - 1


def is_typed(cells: Any) -> bool:
    """Return whether an array is one that this module reads.

    Narrow floats are not: their text has fewer digits than their value has.
    """
    kind = cells.type
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date32(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_float64(kind)
    return bool(is_time or is_number)


def typed_instants(values: Any, zone: zoneinfo.ZoneInfo) -> Instants:
    """Return timestamps and dates as instants; see `parse_instants`.

    Parameters
    ----------
    values : Array of timestamp or date32
        Timestamps without a zone, and dates, are local.
    zone : ZoneInfo
        The zone of local times.
    """
    told = values.to_numpy(zero_copy_only=False)
    # In their own unit: as microseconds, what is far away would come near again.
    first, after = _FIRST.astype(told.dtype), _AFTER.astype(told.dtype)
    outside = np.flatnonzero((told < first) | (told >= after))
    bad: dict[int, str] = {}
    if len(outside):
        bad = _reasons(values, outside, zone)
        told = told.copy()
        told[outside] = np.datetime64("NaT")
    if pa.types.is_date32(values.type):
        return _dates(told, zone, bad)
    # Floor, as the parser does: an instant stays on its side of every as_of.
    local = told.astype("datetime64[us]")
    if values.type.tz is not None:
        return Instants(local, local, bad, 0, None)
    offset = np.zeros(len(local), dtype="timedelta64[m]")
    has_offset = np.zeros(len(local), dtype=np.bool_)
    start, twice = local_to_utc(local, offset, has_offset, zone)
    skipped = np.flatnonzero(np.isnat(start) & ~np.isnat(local)).tolist()
    bad |= dict.fromkeys(skipped, f"does not exist in {zone.key}: clocks skip it")
    return Instants(start, start, bad, int(twice.sum()), None)


def time_text(values: Any) -> Any:
    """Return timestamps as the text that the parser reads, to the microsecond.

    What microseconds cannot hold becomes text that no parser reads.
    """
    kind = values.type
    in_us = pa.timestamp("us", None if kind.tz is None else "UTC")
    raw = pc.cast(values, pa.int64())
    most = _MOST // _PER_UNIT.get(kind.unit, 1)
    is_held = pc.and_(pc.less_equal(raw, most), pc.greater_equal(raw, -most))
    # Floor, as the parser does: an instant stays on its side of every as_of.
    held = pc.cast(pc.if_else(is_held, values, None), in_us, safe=False)
    text = pc.cast(held, pa.large_string())
    if pc.all(is_held).as_py() is not False:
        return text
    there = pc.cast(pc.cast(raw, pa.timestamp(kind.unit)), pa.large_string())
    return pc.if_else(is_held, text, there)


def _reasons(
    values: Any, outside: npt.NDArray[np.int64], zone: zoneinfo.ZoneInfo
) -> dict[int, str]:
    """Return what the parser says of the text of values that are out of range."""
    far = pc.take(values, outside)
    is_time = pa.types.is_timestamp(far.type)
    text = time_text(far) if is_time else pc.cast(far, pa.large_string())
    found = parse_instants(text, zone=zone, where="")
    return {int(outside[i]): reason for i, reason in found.bad.items()}


def _dates(
    days: npt.NDArray[np.datetime64], zone: zoneinfo.ZoneInfo, bad: dict[int, str]
) -> Instants:
    given = ~np.isnat(days)
    distinct, place = np.unique(days[given], return_inverse=True)
    start = np.full(len(days), np.datetime64("NaT", "us"))
    end = start.copy()
    start[given] = day_start(distinct, zone)[place]
    end[given] = (day_start(distinct + _DAY, zone) - _MICROSECOND)[place]
    return Instants(start, end, bad, 0, None)


def typed_numbers(values: Any) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Return integers and floats as numbers; see `parse_numbers`.

    Parameters
    ----------
    values : Array of any integer, or float64
        NaN is null.
    """
    numbers = pc.cast(values, pa.float64(), safe=False)
    found = numbers.to_numpy(zero_copy_only=False)
    infinite = np.flatnonzero(np.isinf(found)).tolist()
    if infinite:
        found = found.copy()
        found[infinite] = np.nan
    reason = "is not a number with the decimal mark '.'"
    return found, dict.fromkeys(infinite, reason)
