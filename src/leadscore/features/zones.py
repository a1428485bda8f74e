"""Time zones as arrays: from which instant on local time is how far ahead of UTC.

Goes in: a zone. Comes out: two sorted int64 arrays, so that compiled loops can tell the
local day of an instant without asking Python.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import zoneinfo

import numpy as np
import numpy.typing as npt

__all__ = ["shifts_of"]

_FIRST_YEAR, _LAST_YEAR = 1985, 2101
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SECOND = datetime.timedelta(seconds=1)
_US = 1_000_000

Ints = npt.NDArray[np.int64]


@functools.lru_cache(maxsize=8)
def shifts_of(zone: zoneinfo.ZoneInfo) -> tuple[Ints, Ints]:
    """Return when a zone's offset changes, and to what.

    Parameters
    ----------
    zone : ZoneInfo

    Returns
    -------
    since : int64 array of shape (n_shifts,)
        Microseconds since 1970 UTC, ascending; the first is before any instant. Shifts
        before 1985 and after 2100 are not listed: the nearest offset holds there.
    ahead : int64 array of shape (n_shifts,)
        Microseconds that local time is ahead of UTC from then on.
    """
    days = [
        datetime.datetime(year, month, day, tzinfo=datetime.UTC)
        for year in range(_FIRST_YEAR, _LAST_YEAR)
        for month in range(1, 13)
        for day in (1, 8, 15, 22)  # no zone shifts and shifts back within a week
    ]
    since, ahead = [np.iinfo(np.int64).min], [_ahead(days[0], zone)]
    for before, after in itertools.pairwise(days):
        if _ahead(after, zone) != ahead[-1]:
            shift = _shift_between(before, after, zone) - _EPOCH
            since.append(shift // _SECOND * _US)
            ahead.append(_ahead(after, zone))
    return np.array(since, dtype=np.int64), np.array(ahead, dtype=np.int64)


def _ahead(at: datetime.datetime, zone: zoneinfo.ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset() or datetime.timedelta()
    return offset // _SECOND * _US


def _shift_between(
    before: datetime.datetime, after: datetime.datetime, zone: zoneinfo.ZoneInfo
) -> datetime.datetime:
    """Return the first second at which the offset of ``after`` holds."""
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if _ahead(middle, zone) == _ahead(after, zone):
            after = middle
        else:
            before = middle
    return after
