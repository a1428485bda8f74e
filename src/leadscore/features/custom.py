"""Functions of one's own, called with what was visible of a lead, and nothing else.

Goes in: interactions, snapshots, functions of (history, as_of). Comes out: one float64
column a function; null where it gives None or NaN. A history holds what every other
feature sees: interactions with ``visible_at < as_of``, those of merged leads included,
without denied kinds and without machines', oldest first.

The history is cut here, not by the function, so that no function can see the future by
mistake. It gets a copy of its own each time, so that it can change nothing. Functions
are made anew for each column and bucket and called in the order of time, so that what
they keep in globals is never from later. And as a feature must not hang on who else is
asked for, some calls are made once more, backwards, by functions made anew: where a
value differs, the function is refused. (This is for mistakes. Code that opens files can
read anything.)
"""

from __future__ import annotations

import math
import numbers
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from leadscore.errors import AgreementError
from leadscore.features.primitives import CustomColumn
from leadscore.functions import Function, Functions
from leadscore.interactions import Interactions, codes_of
from leadscore.snapshots import microseconds

__all__ = ["HISTORY", "custom_columns"]

HISTORY = ("occurred_at", "kind", "channel", "content", "duration_s")
_READ = ("lead_id", "visible_at", "machine", *HISTORY)
_N_AGAIN = 200  # calls a bucket that are made once more

_CHANGES = (
    "gives another value when it is called again with the same history: it keeps "
    "something between calls, or draws at random"
)


def custom_columns(
    interactions: Interactions,
    snapshots: pd.DataFrame,
    columns: tuple[CustomColumn, ...],
    denied: tuple[str, ...],
    functions: Functions,
    *,
    with_machines: bool = False,
) -> pd.DataFrame:
    """Return what functions of one's own say of each snapshot, in the order given.

    Parameters
    ----------
    interactions : Interactions
    snapshots : DataFrame of shape (n_snapshots, ...)
        With ``lead_id, as_of``.
    columns : tuple of CustomColumn
    denied : tuple of str
        Kinds that no feature may see.
    functions : Functions
        One for each of the columns.
    with_machines : bool, default=False
        Whether what machines did is seen, too.

    Returns
    -------
    DataFrame of float64 of shape (n_snapshots, n_columns)
        Index 0..n-1.

    Raises
    ------
    AgreementError
        A function is not there, raises, does not return a finite number or None, or
        gives another value when called again. One sentence each.
    """
    made = {column.name: np.full(len(snapshots), np.nan) for column in columns}
    if columns and len(snapshots):
        asked = _Asked.of(interactions, snapshots)
        failed = {column.name: _Failed() for column in columns}
        for bucket, rows in enumerate(interactions.frames(*_READ)):
            places = asked.places(bucket)
            if not places:
                continue
            seen = rows[~rows["kind"].isin(denied)]
            if not with_machines:
                seen = seen[seen["machine"].isna()]
            histories = _Histories(seen, asked)
            for column in columns:
                _fill(column, histories, places, functions, made, failed)
        _check(columns, failed, snapshots)
    return pd.DataFrame(made, index=pd.RangeIndex(len(snapshots)))


@dataclass(frozen=True)
class _Asked:
    """The snapshots: whose, as of when, and in which bucket."""

    lead_ids: list[str]
    as_of: list[pd.Timestamp]
    as_of_us: npt.NDArray[np.int64]
    bucket: npt.NDArray[np.int64]

    @classmethod
    def of(cls, interactions: Interactions, snapshots: pd.DataFrame) -> _Asked:
        lead_ids = pa.array(snapshots["lead_id"], pa.string(), from_pandas=True)
        codes, words = codes_of(lead_ids)
        bucket = np.asarray(interactions.bucket_of(words))[codes]
        as_of = snapshots["as_of"]
        return cls(lead_ids.to_pylist(), list(as_of), microseconds(as_of), bucket)

    def places(self, bucket: int) -> list[int]:
        """Return the snapshots of a bucket in the order of time."""
        inside = np.flatnonzero(self.bucket == bucket).tolist()
        return sorted(inside, key=lambda i: (self.as_of_us[i], self.lead_ids[i]))


class _Histories:
    """What is visible of each lead of a bucket."""

    def __init__(self, rows: pd.DataFrame, asked: _Asked) -> None:
        self.asked = asked
        self._facts = {name: rows[name].array for name in HISTORY}
        self._visible = microseconds(rows["visible_at"])
        ids = rows["lead_id"].to_numpy(dtype=object)
        first = np.flatnonzero(ids[1:] != ids[:-1]) + 1
        begin = np.append(0, first)[: len(ids)]
        stop = np.append(first, len(ids))[: len(ids)]
        ranges = zip(begin.tolist(), stop.tolist(), strict=True)
        self._ranges = dict(zip(ids[begin], ranges, strict=True))

    def of(self, place: int) -> pd.DataFrame:
        """Return the history of a snapshot, a copy that shares nothing."""
        begin, stop = self._ranges.get(self.asked.lead_ids[place], (0, 0))
        is_seen = self._visible[begin:stop] < self.asked.as_of_us[place]
        seen = begin + np.flatnonzero(is_seen)
        taken = {name: column.take(seen) for name, column in self._facts.items()}
        return pd.DataFrame(taken, copy=False)  # to take is to copy


@dataclass
class _Failed:
    """How a function failed first, and for which leads it did."""

    how: str = ""
    where: int = -1
    leads: set[str] = field(default_factory=set)

    def add(self, how: str, place: int, lead_id: str) -> None:
        if not self.leads:
            self.how, self.where = how, place
        self.leads.add(lead_id)


def _fill(
    column: CustomColumn,
    histories: _Histories,
    places: list[int],
    functions: Functions,
    made: dict[str, npt.NDArray[np.float64]],
    failed: dict[str, _Failed],
) -> None:
    """Call a function for the snapshots of a bucket, and for some of them again."""
    values, failures = made[column.name], failed[column.name]
    _call(column, _find(column, functions.load()), histories, places, values, failures)
    some = places[:: max(len(places) // _N_AGAIN, 1)]
    if not some or failures.leads:
        return
    again = np.full(len(values), np.nan)
    function = _find(column, functions.load())
    _call(column, function, histories, reversed(some), again, failures)
    for place in some:
        if not np.array_equal(values[[place]], again[[place]], equal_nan=True):
            failures.add(_CHANGES, place, histories.asked.lead_ids[place])


def _find(column: CustomColumn, functions: Mapping[str, Function]) -> Function:
    if column.name not in functions:
        msg = (
            f"the column {column.name} needs {column.function}, which was not loaded. "
            "Read the tables with the agreement that names it."
        )
        raise AgreementError(msg)
    return functions[column.name]


def _call(
    column: CustomColumn,
    function: Function,
    histories: _Histories,
    places: Iterable[int],
    values: npt.NDArray[np.float64],
    failures: _Failed,
) -> None:
    asked = histories.asked
    for place in places:
        try:
            returned = function(histories.of(place), asked.as_of[place])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of the user's own
            failures.add(_raised(error, column), place, asked.lead_ids[place])
            continue
        value = _number(returned)
        if value is None:
            failures.add(_no_number(returned), place, asked.lead_ids[place])
        else:
            values[place] = value


def _number(returned: Any) -> float | None:
    """Return what was returned as a number, NaN for nothing; None: it is no number."""
    if returned is None or returned is pd.NA:
        return math.nan
    if not isinstance(returned, numbers.Real | np.bool_):
        return None
    try:
        value = float(returned)
    except OverflowError:
        return None
    return None if math.isinf(value) else value


def _no_number(returned: Any) -> str:
    what = type(returned).__name__
    if isinstance(returned, numbers.Real):
        what = "a number that is not finite"
    return f"returned {what}; return a finite number, or None"


def _raised(error: BaseException, column: CustomColumn) -> str:
    file = column.function.partition(":")[0]
    steps = traceback.walk_tb(error.__traceback__)
    lines = [n for frame, n in steps if frame.f_code.co_filename.endswith(file)]
    where = f" in line {lines[-1]}" if lines else ""
    said = str(error).strip().splitlines()
    return f"raised {type(error).__name__}{where}" + (f" ({said[0]})" if said else "")


def _check(
    columns: tuple[CustomColumn, ...],
    failed: dict[str, _Failed],
    snapshots: pd.DataFrame,
) -> None:
    n_leads = snapshots["lead_id"].nunique()
    said = []
    for column in columns:
        failures = failed[column.name]
        if failures.leads:
            row = snapshots.iloc[failures.where]
            said.append(
                f"{column.function} {failures.how}: {len(failures.leads):,} of "
                f"{n_leads:,} leads, first {row['lead_id']} as of "
                f"{row['as_of'].isoformat()}. Repair it, or take {column.name} out of "
                "[[features.custom]]."
            )
    if said:
        raise AgreementError("\n".join(said))
