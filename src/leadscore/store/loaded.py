"""One table while it is being checked: typed rows, and those set aside.

Goes in: what the parser read. Comes out: the rows that remain, every other one counted.
The index of the frame is the position of the row in its file, so that a row set aside
late still knows its line and its raw text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadscore.errors import DataError
from leadscore.store.reader import Rows
from leadscore.store.rejects import Reject, check_budget

__all__ = ["FACT_END", "Loaded"]

FACT_END = "_fact_end"  # the end of the fact's day where only a date was given


@dataclass
class Loaded:
    """A table between the file and `leadscore.tables.Tables`.

    Parameters
    ----------
    rows : Rows
        The rows as text.
    frame : DataFrame
        The typed rows that remain, and `FACT_END`.
    has_known_at : bool
        Whether the file says of every row when it was known.
    form : str
        How the file is written, for the counts.
    n_assumed : int
        Rows that count as known when they happened, as they do not say it.
    rejects : list of Reject
        The rows set aside so far.
    notes : list of str
        What was detected and assumed.
    n_again : int
        Rows that repeat another one and are counted once.
    n_other : int
        Rows of a log that also serves as another table, and are none of this one.
    ids_aside : dict of str to int
        The lead of each row set aside, and the row's line.
    """

    rows: Rows
    frame: pd.DataFrame
    has_known_at: bool
    form: str
    n_assumed: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_again: int = 0
    n_other: int = 0
    ids_aside: dict[str, int] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name."""
        return self.rows.file

    @property
    def n_read(self) -> int:
        """The rows of the file, lines that are not rows included."""
        return len(self.rows.lines) + len(self.rows.rejects)

    def line(self, position: int) -> int:
        """Return the line number of the row at a position in the file."""
        return int(self.rows.lines[position])

    def reject(self, position: int, column: str, reason: str) -> None:
        """Note why a row is set aside; the caller takes it out of the frame."""
        cells = self.rows.cells.get(column)
        value = None if cells is None else cells[position].as_py()
        lead_id = str(self.rows.cells["lead_id"][position].as_py())
        self.ids_aside[lead_id.strip()] = self.line(position)
        self.rejects.append(
            Reject(
                file=self.file,
                line=self.line(position),
                column=column,
                value=value,
                reason=reason,
                raw=self.rows.raw(position),
            )
        )

    def set_aside(self, bad: npt.NDArray[np.bool_], column: str, reason: str) -> None:
        """Move the marked rows of the frame to the rejects."""
        for position in self.frame.index[bad]:
            self.reject(int(position), column, reason)
        self.frame = self.frame[~bad]

    def count_once(self) -> None:
        """Keep one of the rows that are the same in every column."""
        again = self.frame.duplicated().to_numpy()
        self.n_again = int(again.sum())
        if self.n_again:
            self.frame = self.frame[~again]
            self.notes.append(
                f"{self.file}: {self.n_again:,} rows repeat another one in every "
                "column and were counted once."
            )

    def finish(self, max_share: float, earlier: Sequence[Reject]) -> str:
        """Check that no row was lost, and the budget; return the counts.

        Raises
        ------
        DataError
            The rows do not add up, or more were set aside than ``max_share`` allows.
        """
        used, aside = len(self.frame), len(self.rejects)
        if self.n_read != used + aside + self.n_again + self.n_other:
            msg = (
                f"{self.file}: the rows do not add up: {self.n_read:,} read, "
                f"{used:,} used, {aside:,} set aside, {self.n_again:,} repeated"
                f"{self._others()}. This "
                "is a fault of the reader; please report it with the file."
            )
            raise DataError(msg)
        check_budget(
            self.file, self.n_read, self.rejects, max_share=max_share, earlier=earlier
        )
        repeated = f", {self.n_again:,} counted once" if self.n_again else ""
        return (
            f"{self.file}: {self.n_read:,} rows read, {used:,} used{repeated}"
            f"{self._others()}, {aside:,} set aside; {self.form}."
        )

    def _others(self) -> str:
        return f", {self.n_other:,} no outcome" if self.n_other else ""
