"""How a file writes dates and decimals: found once, and held for the whole file.

Goes in: what each part of a file says of the order of day and month, and of its decimal
mark. Comes out: one order a column and one mark a file. A part that leaves it open asks
the parts after it. What all parts say together is compared at the end, so that a file
never gets in pieces what would be refused whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leadscore.agreement import Source
from leadscore.store.instants import OrderCount, count_order
from leadscore.store.numbers import MarkCount, count_marks

__all__ = ["Detection", "Part"]


@dataclass(frozen=True)
class Part:
    """Cells of a part of a file, trimmed, nulls as nulls, and their lines."""

    cells: Mapping[str, Any]
    lines: npt.NDArray[np.int64]


def _nothing() -> Iterator[Part]:
    return iter(())


class Detection:
    """What is known of a file so far.

    Parameters
    ----------
    source : Source
        What the agreement pins.
    file : str
        What to call the file in messages.
    separator : str or None
        The separator of the file; None for a file whose numbers are typed.
    ahead : callable, optional
        Gives the parts after the one at hand; without it, there are none.
    """

    def __init__(
        self,
        source: Source,
        file: str,
        separator: str | None,
        ahead: Callable[[], Iterator[Part]] = _nothing,
    ) -> None:
        self._source, self._file, self._separator = source, file, separator
        self._ahead = ahead
        self._orders: dict[str, OrderCount] = {}
        self._marks = MarkCount()
        self._order: dict[str, str] = {}
        self._decimal: str | None = None

    def where(self, column: str) -> str:
        """Return what to call a column in messages."""
        return f'{self._file}: column "{column}"'

    def settle_order(self, column: str, count: OrderCount) -> str | None:
        """Return the order of a column of dates, None if this part does not ask.

        Raises
        ------
        DataError
            No part of the file tells day and month apart.
        """
        if not count.n_asked:
            return None
        self._orders[column] = self._orders.get(column, OrderCount()) + count
        if column not in self._order:
            total = self._orders[column]
            parts = iter(()) if total.decides else self._ahead()
            for part in parts:
                if column in part.cells:
                    total += count_order(part.cells[column], part.lines)
                if total.decides:
                    break
            self._order[column] = str(total.order(self.where(column)))
        return self._order[column]

    def settle_decimal(self, columns: Mapping[str, Any]) -> str:
        """Return the decimal mark of number columns.

        Raises
        ------
        DataError
            No part of the file tells it.
        """
        if self._source.decimal != "auto":
            return self._source.decimal
        count = count_marks(columns)
        self._marks += count
        if self._decimal is None and count.n_asked:
            total = self._marks
            parts = iter(()) if total.decides else self._ahead()
            for part in parts:
                total += count_marks({name: part.cells[name] for name in columns})
                if total.decides:
                    break
            self._decimal = total.decimal(separator=self._separator, file=self._file)
        return self.decimal

    @property
    def decimal(self) -> str:
        """The decimal mark; a point where no number has any."""
        if self._source.decimal != "auto":
            return self._source.decimal
        return self._decimal or "."

    def check(self) -> None:
        """Refuse a file of which all parts together say something else.

        Raises
        ------
        DataError
            The early parts of the file say one thing, and the later ones another.
        """
        if self._decimal is not None:
            told = self._marks.decimal(separator=self._separator, file=self._file)
            if told != self._decimal:
                raise self._marks.unclear(self._file)
        for column, order in self._order.items():
            total = self._orders[column]
            if total.order(self.where(column)) != order:
                raise total.unclear(self.where(column))
