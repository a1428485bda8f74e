"""Text -> instants in UTC, with the end of the day for dates without a time.

Goes in: cells as text and a time zone. Comes out: microseconds in UTC, and why a cell
is not an instant. Read are ISO 8601 (``2025-03-01T10:11:12.5+01:00``, a space for the
T) and dates by day or month first with a four-digit year (``01/03/2025 10:11``). Text
without an offset is local time. Nulls stay null.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.errors import DataError

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "Instants",
    "OrderCount",
    "count_order",
    "day_start",
    "local_to_utc",
    "parse_instants",
]

_SHAPE = (
    r"^(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P<t>[-/.])(?P<c>\d{1,4})"
    r"(?:[Tt ](?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r" ?(?P<z>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?$"
)
FIRST_YEAR, LAST_YEAR = 1970, 2200
_DAY = np.timedelta64(1, "D")
_MICROSECOND = np.timedelta64(1, "us")
_ORDERS = {"ymd": "year first", "dmy": "day first", "mdy": "month first"}

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class OrderCount:
    """What the dates of a column say of the order of day and month.

    Parameters
    ----------
    n_asked : int
        Dates that do not begin with the year.
    n_dmy, n_mdy : int
        Those that can only be read day first, and month first.
    example : tuple of (int or None, str) or None
        Line and text of the first in which the order matters.
    """

    n_asked: int = 0
    n_dmy: int = 0
    n_mdy: int = 0
    example: tuple[int | None, str] | None = None

    def __add__(self, other: OrderCount) -> OrderCount:
        return OrderCount(
            self.n_asked + other.n_asked,
            self.n_dmy + other.n_dmy,
            self.n_mdy + other.n_mdy,
            self.example or other.example,
        )

    @property
    def decides(self) -> bool:
        """Whether one order is said more often than the other."""
        return self.n_dmy != self.n_mdy

    def order(self, where: str) -> str | None:
        """Return dmy or mdy, None if there are no such dates.

        Raises
        ------
        DataError
            Day and month cannot be told apart.
        """
        if not self.n_asked:
            return None
        if not self.decides and self.example is not None:
            raise self.unclear(where)
        return "mdy" if self.n_mdy > self.n_dmy else "dmy"

    def unclear(self, where: str) -> DataError:
        """Return the error that asks for the order."""
        line, shown = self.example or (None, "")
        at = "" if line is None else f"line {line}: "
        msg = (
            f"{where}: day and month cannot be told apart ({at}{shown!r} reads both "
            f"ways; {self.n_dmy} values say day first, {self.n_mdy} month first). Write"
            ' date_order = "dmy" or date_order = "mdy" under [source] in '
            "agreement.toml."
        )
        return DataError(msg)


@dataclass(frozen=True)
class Instants:
    """A column of instants.

    Parameters
    ----------
    start : ndarray of datetime64[us]
        The instant in UTC; the start of the local day where no time was given; NaT for
        null and bad cells.
    end : ndarray of datetime64[us]
        The same, but the last microsecond of the local day where no time was given.
    bad : dict of int to str
        Why a cell is not an instant, by position.
    n_twice : int
        Local times that exist twice (clocks set back), read as the first occurrence.
    order : {"dmy", "mdy"} or None
        How dates without the year first were read; None if there are none.
    """

    start: Times
    end: Times
    bad: dict[int, str]
    n_twice: int
    order: str | None


@dataclass(frozen=True)
class _Parts:
    """The components of every cell; zero where a cell has none."""

    text: dict[str, Any]
    number: dict[str, Ints]
    given: Mask  # not null
    matched: Mask  # has the shape of a date
    year_first: Mask


def parse_instants(
    cells: Any,
    *,
    zone: zoneinfo.ZoneInfo,
    where: str,
    order: str = "auto",
    lines: Ints | None = None,
    settle: Callable[[OrderCount], str | None] | None = None,
) -> Instants:
    """Read a column of text as instants.

    Parameters
    ----------
    cells : large_string Array
        Trimmed text, nulls where there is nothing.
    zone : ZoneInfo
        The zone of text without an offset.
    where : str
        What to call the column in messages: ``leads.csv: column "created_at"``.
    order : {"auto", "ymd", "dmy", "mdy"}
        The order of dates without the year first; "auto" asks the data.
    lines : ndarray of int, optional
        Line numbers, for the messages.
    settle : callable, optional
        Says for "auto" which order holds; without it, these cells alone do.

    Raises
    ------
    DataError
        Day and month cannot be told apart in any value of the column.
    """
    parts = _parts(cells)
    count = _count_order(parts, lines)
    if order != "auto":
        chosen = order if count.n_asked else None
    else:
        chosen = settle(count) if settle is not None else count.order(where)
    bad = _Reasons()
    day = _days(parts, chosen, order, bad)
    clock = _clock(parts, bad)
    offset, has_offset = _offsets(parts, bad)
    usable = parts.given & ~bad.mask(len(day))
    local = np.where(usable, day + clock, np.datetime64("NaT", "us"))
    has_time = pc.not_equal(parts.text["H"], "").to_numpy(zero_copy_only=False)
    start, twice = local_to_utc(local, offset, has_offset, zone)
    timed = usable & has_time
    bad.add(timed & np.isnat(start), f"does not exist in {zone.key}: clocks skip it")
    dated = usable & ~has_time
    start[dated] = day_start(day[dated], zone)
    end = start.copy()
    end[dated] = day_start(day[dated] + _DAY, zone) - _MICROSECOND
    return Instants(start, end, bad.reasons, int((twice & timed).sum()), chosen)


class _Reasons:
    """Why cells are bad: the first reason that is found for a cell stays."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}

    def add(self, bad: Mask, reason: str) -> None:
        for i in np.flatnonzero(bad).tolist():
            self.reasons.setdefault(i, reason)

    def mask(self, size: int) -> Mask:
        mask = np.zeros(size, dtype=np.bool_)
        mask[list(self.reasons)] = True
        return mask


def _parts(cells: Any) -> _Parts:
    found = pc.extract_regex(cells, _SHAPE)
    text = {
        name: pc.fill_null(pc.struct_field(found, [name]), "") for name in "asbtcHMSfz"
    }
    number = {name: _integers(text[name]) for name in "abcHMS"}
    # Digits beyond the microsecond are cut: an instant before a whole-microsecond as_of
    # stays before it, one after stays after.
    padded = pc.utf8_slice_codeunits(pc.utf8_rpad(text["f"], 6, "0"), 0, 6)
    number["f"] = _integers(padded)
    four_digits = pc.equal(pc.utf8_length(text["a"]), 4)
    return _Parts(
        text=text,
        number=number,
        given=pc.is_valid(cells).to_numpy(zero_copy_only=False),
        matched=pc.is_valid(found).to_numpy(zero_copy_only=False),
        year_first=four_digits.to_numpy(zero_copy_only=False),
    )


def _integers(digits: Any) -> Ints:
    filled = pc.if_else(pc.equal(digits, ""), "0", digits)
    numbers: Ints = pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def count_order(cells: Any, lines: Ints | None = None) -> OrderCount:
    """Return what a column of trimmed text says of the order of day and month."""
    return _count_order(_parts(cells), lines)


def _count_order(parts: _Parts, lines: Ints | None) -> OrderCount:
    asked = parts.matched & ~parts.year_first
    if not asked.any():
        return OrderCount()
    first, second = parts.number["a"], parts.number["b"]
    day_first = asked & (first > 12) & (first <= 31) & (second <= 12)
    month_first = asked & (second > 12) & (second <= 31) & (first <= 12)
    differs = asked & (first != second)
    example = None
    if differs.any():
        i = int(np.argmax(differs))
        shown = "".join(str(parts.text[name][i]) for name in "asbtc")
        example = (None if lines is None else int(lines[i]), shown)
    n_asked, n_dmy, n_mdy = (int(m.sum()) for m in (asked, day_first, month_first))
    return OrderCount(n_asked, n_dmy, n_mdy, example)


def _days(parts: _Parts, chosen: str | None, order: str, bad: _Reasons) -> Times:
    """Return the local day of each cell, and note those that are none."""
    a, b, c = (parts.number[name] for name in "abc")
    day_first = chosen != "mdy"
    year = np.where(parts.year_first, a, c)
    month = np.where(parts.year_first | day_first, b, a)
    day = np.where(parts.year_first, c, a if day_first else b)
    shape = "is not a date or time we read; write it like 2025-03-01T10:11:12Z"
    bad.add(parts.given & ~parts.matched, shape)
    mixed = pc.not_equal(parts.text["s"], parts.text["t"])
    bad.add(parts.matched & mixed.to_numpy(zero_copy_only=False), shape)
    if order == "ymd":
        reason = "does not begin with the year, as date_order says"
        bad.add(parts.matched & ~parts.year_first, reason)
    four = pc.equal(pc.utf8_length(parts.text["c"]), 4).to_numpy(zero_copy_only=False)
    bad.add(parts.matched & (parts.year_first == four), "needs a year of four digits")
    outside = (year < FIRST_YEAR) | (year > LAST_YEAR)
    reason = f"has a year outside {FIRST_YEAR} to {LAST_YEAR}"
    bad.add(parts.matched & outside, reason)
    whole_month = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = whole_month.astype("datetime64[M]").astype("datetime64[D]")
    after = (whole_month + 1).astype("datetime64[M]").astype("datetime64[D]")
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= (after - first) / _DAY)
    read = f", read {_ORDERS[chosen]}" if chosen else ""
    bad.add(parts.matched & ~exists, f"is not a day of the calendar{read}")
    days: Times = (first + (day - 1).astype("timedelta64[D]")).astype("datetime64[us]")
    return days


def _clock(parts: _Parts, bad: _Reasons) -> npt.NDArray[np.timedelta64]:
    """Return the time of day, zero where none is given."""
    hour, minute, second, micro = (parts.number[name] for name in "HMSf")
    bad.add((hour > 23) | (minute > 59) | (second > 59), "is not a time of day")
    seconds = (hour * 60 + minute) * 60 + second
    return (seconds * 1_000_000 + micro).astype("timedelta64[us]")


def _offsets(parts: _Parts, bad: _Reasons) -> tuple[npt.NDArray[np.timedelta64], Mask]:
    """Return the offset from UTC, and which cells have one."""
    encoded = pc.dictionary_encode(parts.text["z"])
    minutes = np.array(
        [_offset_minutes(text) for text in encoded.dictionary.to_pylist()],
        dtype="int64",
    )
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    offset = minutes[codes] if len(codes) else np.zeros(0, dtype=np.int64)
    bad.add(np.abs(offset) >= 24 * 60, "has an offset that does not exist")
    given = pc.not_equal(parts.text["z"], "").to_numpy(zero_copy_only=False)
    return offset.astype("timedelta64[m]"), given


def _offset_minutes(text: str) -> int:
    """Return minutes for "", "Z", "+01", "+0100" or "+01:00"; a day or more is bad."""
    if text in ("", "Z", "z"):
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 15 or minutes > 59:
        return 24 * 60
    return (-1 if text[0] == "-" else 1) * (hours * 60 + minutes)


def local_to_utc(
    local: Times,
    offset: npt.NDArray[np.timedelta64],
    has_offset: Mask,
    zone: zoneinfo.ZoneInfo,
) -> tuple[Times, Mask]:
    """Return UTC (NaT where no such local time exists), and which times exist twice."""
    utc = (local - offset).astype("datetime64[us]")
    twice = np.zeros(len(local), dtype=np.bool_)
    naive = ~has_offset
    if naive.any():
        times = pd.DatetimeIndex(local[naive])
        first = np.ones(len(times), dtype=np.bool_)  # "is summer time": comes first
        utc[naive] = _utc(times.tz_localize(zone, ambiguous=first, nonexistent="NaT"))
        unsure = _utc(times.tz_localize(zone, ambiguous="NaT", nonexistent="NaT"))
        twice[naive] = np.isnat(unsure) & ~np.isnat(utc[naive])
    return utc, twice


def day_start(days: Times, zone: zoneinfo.ZoneInfo) -> Times:
    """Return the first instant of local days; some begin at one o'clock."""
    times = pd.DatetimeIndex(days)
    first = np.ones(len(times), dtype=np.bool_)
    return _utc(times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward"))


def _utc(times: pd.DatetimeIndex) -> Times:
    naive: Times = times.tz_convert("UTC").tz_localize(None).to_numpy()
    return naive.astype("datetime64[us]")
