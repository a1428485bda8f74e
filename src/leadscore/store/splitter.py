"""Physical lines -> rows of cells; a broken line costs itself and nothing else.

Goes in: lines, a separator and the number of cells a row has. Comes out: the rows, with
where each began, the lines that were rejected, and how many were blank. A quoted cell
may span lines; a quote that is never closed would swallow the good rows after it, so a
row may span 50 lines at most, and after a rejected line reading starts again on the
very next one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from leadscore.store.lines import Lines

__all__ = ["MAX_LINES_A_ROW", "Split", "split_line", "split_rows"]

MAX_LINES_A_ROW = 50


@dataclass
class Split:
    """The rows of a file, by line index (0-based).

    Parameters
    ----------
    rows : list of list of str
        The cells of each usable row.
    first, n_lines : list of int
        Index of the first line of each row, and how many lines it takes.
    rejected : list of (int, str)
        Lines that could not be used, each with the reason.
    n_blank : int
        Lines without any content, or with nothing but separators.
    end : int
        Index of the first line that was not looked at.
    """

    rows: list[list[str]] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    n_lines: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    n_blank: int = 0
    end: int = 0


class _BadLineError(Exception):
    """Why one line is rejected; never leaves this module."""


def split_rows(
    lines: Lines,
    *,
    separator: str,
    n_cells: int,
    start: int = 0,
    is_last: bool = True,
) -> Split:
    r"""Split the lines from index ``start`` on into rows of ``n_cells`` cells.

    Line ends inside quoted cells become ``\n``. One empty cell too many at the end of a
    row (a trailing separator) is dropped.

    Parameters
    ----------
    lines : Lines
        Physical lines of the file.
    separator : str
        One character.
    n_cells : int
        The number of columns.
    start : int
        Index of the first line after the header.
    is_last : bool
        Whether the file ends with these lines; if not, rows that might need more lines
        than there are stay for the next time.
    """
    split = Split()
    empty = separator + " \t\u00a0"
    stop = len(lines.texts) - (0 if is_last else MAX_LINES_A_ROW - 1)
    i = start
    while i < stop:
        if not lines.texts[i].strip(empty):
            split.n_blank += 1
            i += 1
            continue
        try:
            cells, n_lines = _row_at(lines, i, separator, n_cells)
        except _BadLineError as problem:
            split.rejected.append((i, str(problem)))
            i += 1
            continue
        split.rows.append(cells)
        split.first.append(i)
        split.n_lines.append(n_lines)
        i += n_lines
    split.end = i
    return split


def split_line(lines: Lines, i: int, *, separator: str) -> tuple[list[str], int] | None:
    """Return the cells of the row at line ``i`` and its lines, or None if broken."""
    try:
        return _cells_at(lines, i, separator)
    except _BadLineError:
        return None


def _row_at(
    lines: Lines, i: int, separator: str, n_cells: int
) -> tuple[list[str], int]:
    cells, n_lines = _cells_at(lines, i, separator)
    if len(cells) == n_cells + 1 and not cells[-1]:
        cells.pop()
    if len(cells) != n_cells:
        reason = f"{len(cells)} cells where the header has {n_cells}"
        if i == len(lines.texts) - 1:
            reason += "; the file may be cut short"
        raise _BadLineError(reason)
    return cells, n_lines


def _cells_at(lines: Lines, i: int, separator: str) -> tuple[list[str], int]:
    line = lines.texts[i]
    if i in lines.unreadable:
        raise _BadLineError(lines.unreadable[i])
    if "\0" in line:
        msg = "a NUL byte"
        raise _BadLineError(msg)
    if '"' not in line:
        return line.split(separator), 1
    return _quoted_cells(lines, i, separator)


def _quoted_cells(lines: Lines, i: int, separator: str) -> tuple[list[str], int]:
    """Split a row that holds quotes; the csv module reads these lines and no others."""
    reader = csv.reader(_from(lines, i), delimiter=separator, strict=True)
    try:
        return next(reader), reader.line_num
    except csv.Error as error:
        raise _BadLineError(_reason(str(error))) from error


def _from(lines: Lines, i: int) -> Iterator[str]:
    """Give the lines that a row at ``i`` may span."""
    for j in range(i, min(i + MAX_LINES_A_ROW, len(lines.texts))):
        if j in lines.unreadable or "\0" in lines.texts[j]:
            return
        yield lines.texts[j] + "\n"


def _reason(message: str) -> str:
    if "expected after" in message:
        return "text after a closing quote; double the quotes inside a quoted cell"
    if "field limit" in message:
        return f"a cell longer than {csv.field_size_limit():,} characters"
    return f"a quote is opened and not closed within {MAX_LINES_A_ROW} lines"
