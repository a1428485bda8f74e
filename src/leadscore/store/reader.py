"""Bytes of a delimited file -> rows of text with their line numbers.

Goes in: the bytes, the contract of the table and how the agreement says the file is
written. Comes out: `Rows`, the cells of each of our columns as text, untouched, and the
lines that were set aside. Nothing is lost in silence: every physical line is header,
used, blank or rejected, and that sum is checked on every file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from leadscore.agreement import Source
from leadscore.errors import DataError
from leadscore.store.header import match_header, n_recognised
from leadscore.store.lines import Lines, read_lines, uncompress
from leadscore.store.notes import Note
from leadscore.store.rejects import Reject
from leadscore.store.splitter import MAX_LINES_A_ROW, Split, split_line, split_rows
from leadscore.tables import Contract

__all__ = [
    "HEAD_LINES",
    "Header",
    "Rows",
    "Window",
    "extra_note",
    "header_names",
    "read_delimited",
    "read_header",
    "read_window",
]

_SEPARATORS = (",", ";", "\t", "|")
_LINES_TRIED = 50
HEAD_LINES = _LINES_TRIED + 2 * MAX_LINES_A_ROW  # from the header on: enough to read it
_SHOWN = {"\t": "tab"}
_ANY = Contract("any", ())  # no name is looked for: only the separator decides


@dataclass(frozen=True)
class Rows:
    """The rows of one file, or of a part of it.

    Parameters
    ----------
    file : str
        The file's name.
    cells : dict of str to large_string Array
        One array a column of ours that the file has; null where the file has no cell.
        A part of a typed file may hold what `leadscore.store.typed` reads, and
        dictionaries.
    lines : ndarray of int
        Line number of each row: physical, 1-based, the header is line 1.
    raw : callable
        The raw text of the row at a position.
    rejects : list of Reject
        Lines that are not rows.
    notes : list of Note
        What was noticed.
    form : str
        How the file is written, for the counts: ``separator ',', utf-8``.
    separator, encoding : str or None
        None where the file has none.
    typed : frozenset of str
        Columns of numbers that are numbers in the file: they have no decimal mark.
    as_text : callable
        Gives cells as text.
    ignored : tuple of str
        Columns that nobody asked for, where the whole file was read.
    """

    file: str
    cells: dict[str, Any]
    lines: npt.NDArray[np.int64]
    raw: Callable[[int], str]
    rejects: list[Reject]
    notes: list[Note]
    form: str
    separator: str | None = None
    encoding: str | None = None
    typed: frozenset[str] = frozenset()
    as_text: Callable[[Any], Any] = lambda cells: cells
    ignored: tuple[str, ...] = ()

    def reject(self, position: int, column: str, reason: str) -> Reject:
        """Return why the row at a position is set aside."""
        value = None
        if column in self.cells:
            value = self.as_text(self.cells[column].slice(position, 1))[0].as_py()
        line = int(self.lines[position])
        return Reject(self.file, line, column, value, reason, self.raw(position))


@dataclass(frozen=True)
class Header:
    """The header of a delimited file.

    Parameters
    ----------
    names : list of str
        As they stand.
    separator : str
    start, n_lines : int
        Index of its first line, and how many it takes.
    """

    names: list[str]
    separator: str
    start: int
    n_lines: int


@dataclass(frozen=True)
class Window:
    """Lines of a file at hand.

    Parameters
    ----------
    lines : Lines
    base : int
        How many lines of the file stand before them.
    start : int
        Index of the first of them that is not read yet.
    is_last : bool
        Whether the file ends with them.
    """

    lines: Lines
    base: int = 0
    start: int = 0
    is_last: bool = True


def read_delimited(
    data: bytes,
    *,
    file: str,
    contract: Contract,
    mapping: Mapping[str, str],
    source: Source,
) -> Rows:
    """Read a csv file, compressed or not.

    Parameters
    ----------
    data : bytes
        The whole file.
    file : str
        What to call it in messages.
    contract : Contract
        The columns to look for, by name.
    mapping : mapping of str to str
        Their column names by ours.
    source : Source
        Pinned encoding and separator, or "auto".

    Raises
    ------
    InputError
        The file is empty, or not text.
    DataError
        The header is broken or lacks a column, no separator fits, or the lines do not
        add up.
    """
    plain = uncompress(data, file=file)
    lines = read_lines(plain, file=file, encoding=source.encoding)
    header = read_header(lines, file, contract, mapping, source.separator)
    positions, extra = match_header(header.names, contract, mapping, file=file)
    window = Window(lines, start=header.start + header.n_lines)
    rows, _ = read_window(window, header, positions, file=file)
    rows.notes[:0] = [extra_note(file, extra)]
    return replace(rows, ignored=tuple(extra))


def read_window(
    window: Window, header: Header, positions: Mapping[str, int], *, file: str
) -> tuple[Rows, int]:
    """Return the rows that begin in a window, and the index of the first line left.

    Parameters
    ----------
    window : Window
    header : Header
    positions : mapping of str to int
        Where each column of ours stands.
    file : str
        What to call the file in messages.
    """
    lines, base = window.lines, window.base
    split = split_rows(
        lines,
        separator=header.separator,
        n_cells=len(header.names),
        start=window.start,
        is_last=window.is_last,
    )
    _set_repeated_headers_aside(split, header.names)
    _check_conservation(split, window, file)
    shown = _SHOWN.get(header.separator, f"'{header.separator}'")
    rows = Rows(
        file=file,
        cells=_cells(split.rows, positions),
        lines=np.array(split.first, dtype=np.int64) + base + 1,
        raw=_raw(lines, split),
        rejects=[
            Reject(file, base + i + 1, None, None, reason, lines.texts[i])
            for i, reason in split.rejected
        ],
        notes=[Note("blank", split.n_blank, f"{file}: ", " blank lines were skipped.")],
        form=f"separator {shown}, {lines.encoding}",
        separator=header.separator,
        encoding=lines.encoding,
    )
    return rows, split.end


def header_names(data: bytes, *, file: str, source: Source) -> list[str]:
    """Return the column names of a csv file as they stand; see `read_delimited`."""
    lines = read_lines(uncompress(data, file=file), file=file, encoding=source.encoding)
    return read_header(lines, file, _ANY, {}, source.separator).names


def extra_note(file: str, extra: Sequence[str]) -> Note:
    """Return the note that names the columns nobody asked for."""
    names = ", ".join(name.strip() for name in extra)
    said = f"{file}: columns that nobody asked for were ignored: {names}."
    return Note("extra", int(bool(extra)), said)


def _cells(
    rows: Sequence[Sequence[str]], positions: Mapping[str, int]
) -> dict[str, Any]:
    return {
        name: pa.array([row[j] for row in rows], pa.large_string())
        for name, j in positions.items()
    }


def _raw(lines: Lines, split: Split) -> Callable[[int], str]:
    first, n_lines = split.first, split.n_lines

    def raw(i: int) -> str:
        return "\n".join(lines.texts[first[i] : first[i] + n_lines[i]])

    return raw


def read_header(
    lines: Lines,
    file: str,
    contract: Contract,
    mapping: Mapping[str, str],
    separator: str,
) -> Header:
    """Return the names in the first line that is not blank.

    Parameters
    ----------
    lines : Lines
        The file, or its beginning: `HEAD_LINES` from that line on.
    file : str
        What to call it in messages.
    contract : Contract
    mapping : mapping of str to str
    separator : str
        Of the agreement, or "auto"; see `read_delimited`.

    Raises
    ------
    DataError
        The header is broken, or no separator fits.
    """
    start = next((i for i, line in enumerate(lines.texts) if line.strip()), 0)
    tried = _SEPARATORS if separator == "auto" else (separator,)
    candidates = [
        (_merit(lines, header, contract, mapping), header)
        for mark in tried
        if (header := _header_with(lines, start, mark)) is not None
    ]
    best = (
        max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None
    )
    if best is None or (len(best.names) == 1 and len(candidates) < len(tried)):
        reason = lines.unreadable.get(start, "its quotes or its bytes are broken")
        msg = f"{file}: line {start + 1}, the header, cannot be read: {reason}."
        raise DataError(msg)
    if len(best.names) == 1:
        hint = ", ".join(_SHOWN.get(mark, f"'{mark}'") for mark in tried)
        msg = (
            f"{file}: line {start + 1} has one column only, split at {hint}. Save the "
            "file with one of these between columns, or check separator under [source]."
        )
        raise DataError(msg)
    return best


def _header_with(lines: Lines, start: int, separator: str) -> Header | None:
    found = split_line(lines, start, separator=separator)
    if found is None:
        return None
    names, n_lines = found
    if len(names) > 1 and not names[-1].strip():
        names = names[:-1]  # a trailing separator names no column
    return Header(names, separator, start, n_lines)


def _merit(
    lines: Lines, header: Header, contract: Contract, mapping: Mapping[str, str]
) -> tuple[int, int, int]:
    """Rank a separator: names that we know, then lines that agree, then columns."""
    first = header.start + header.n_lines
    head = Lines(lines.texts[: first + _LINES_TRIED], lines.unreadable, lines.encoding)
    split = split_rows(
        head, separator=header.separator, n_cells=len(header.names), start=first
    )
    agreeing = len(split.rows) if len(header.names) > 1 else 0
    return n_recognised(header.names, contract, mapping), agreeing, len(header.names)


def _set_repeated_headers_aside(split: Split, names: list[str]) -> None:
    """Reject the header where it stands again: two exports, one after the other."""
    again = {i for i, row in enumerate(split.rows) if row == names}
    if not again:
        return
    reason = "the header stands here again"
    for i in again:
        # A header takes one line but for names with line breaks, which none has twice.
        last = split.first[i] + split.n_lines[i]
        split.rejected += [(line, reason) for line in range(split.first[i], last)]
    kept = [i for i in range(len(split.rows)) if i not in again]
    split.rows = [split.rows[i] for i in kept]
    split.first = [split.first[i] for i in kept]
    split.n_lines = [split.n_lines[i] for i in kept]


def _check_conservation(split: Split, window: Window, file: str) -> None:
    """Every line is read before, used, blank, rejected or left; else nothing is."""
    lines = window.lines.texts
    parts = {
        "before": window.start,
        "used": sum(split.n_lines),
        "blank": split.n_blank,
        "rejected": len({i for i, _ in split.rejected}),
        "left": len(lines) - split.end if not window.is_last else 0,
    }
    if sum(parts.values()) != len(lines):
        told = ", ".join(f"{n:,} {part}" for part, n in parts.items())
        msg = (
            f"{file}: the lines do not add up: {len(lines):,} in the file, but {told}. "
            "This is a fault of the reader; please report it with the file."
        )
        raise DataError(msg)
