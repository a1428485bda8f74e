"""Text -> numbers and flags.

Goes in: cells as text. Comes out: float64 or booleans, and why a cell is neither. A
decimal comma is found from the data of a file; thousands may be grouped by a space, a
no-break space, a narrow one, or the mark that is not the decimal one. Nulls stay null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from leadscore.errors import DataError

__all__ = [
    "MarkCount",
    "count_marks",
    "detect_decimal",
    "parse_flags",
    "parse_numbers",
]

_SPACES = " \u00a0\u202f"
_OTHER = {".": ",", ",": "."}
_YES = ("true", "1", "yes", "oui", "vrai", "ja", "wahr", "si", "s\u00ed", "verdadero")
_NO = ("false", "0", "no", "non", "faux", "nein", "falsch", "falso")
_FLAGS = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)


def detect_decimal(
    columns: Mapping[str, Any], *, separator: str | None, file: str
) -> str:
    """Return the decimal mark of a file, "." or ",".

    Values that read one way only decide: ``1,5`` and ``1.234,56`` are decimal commas,
    ``0.5`` and ``1,234.56`` decimal points. ``1.234`` is read as a decimal point in a
    file separated by commas, since such files are written with points.

    Parameters
    ----------
    columns : mapping of str to large_string Array
        The number columns of the file, by name.
    separator : str or None
        The separator of the file; None for a file whose numbers are typed.
    file : str
        What to call the file in messages.

    Raises
    ------
    DataError
        The values can be read both ways.
    """
    return count_marks(columns).decimal(separator=separator, file=file)


@dataclass(frozen=True)
class MarkCount:
    """What the numbers of a file say of its decimal mark.

    Parameters
    ----------
    n_asked : int
        Cells that are more than digits.
    n_point, n_comma : int
        Those in which the mark can only be a point, and a comma.
    example : tuple of str or None
        The first in which a point, and in which a comma, reads both ways.
    """

    n_asked: int = 0
    n_point: int = 0
    n_comma: int = 0
    example: tuple[str | None, str | None] = (None, None)

    def __add__(self, other: MarkCount) -> MarkCount:
        return MarkCount(
            self.n_asked + other.n_asked,
            self.n_point + other.n_point,
            self.n_comma + other.n_comma,
            (self.example[0] or other.example[0], self.example[1] or other.example[1]),
        )

    @property
    def decides(self) -> bool:
        """Whether one mark is said more often than the other."""
        return self.n_point != self.n_comma

    def decimal(self, *, separator: str | None, file: str) -> str:
        """Return the decimal mark; see `detect_decimal`."""
        if self.decides:
            return "." if self.n_point > self.n_comma else ","
        has_comma = self.example[1] is not None
        if not self.n_point and (
            self.example == (None, None) or (separator in {",", None} and not has_comma)
        ):
            return "."
        raise self.unclear(file)

    def unclear(self, file: str) -> DataError:
        """Return the error that asks for the mark."""
        shown = self.example[0] or self.example[1]
        shown = shown or "values with a comma and as many with a point"
        msg = (
            f"{file}: the decimal mark cannot be told from the values ({shown} can be "
            'read two ways). Write decimal = "." or decimal = "," under [source] in '
            "agreement.toml."
        )
        return DataError(msg)


def count_marks(columns: Mapping[str, Any]) -> MarkCount:
    """Return what number columns of trimmed text say of the decimal mark."""
    return MarkCount(
        sum(len(c) - c.null_count for c in columns.values())
        - _count(columns, r"^\d+$"),
        _count(columns, _sure(".")),
        _count(columns, _sure(",")),
        (_first(columns, _unsure(".")), _first(columns, _unsure(","))),
    )


def _sure(mark: str) -> str:
    """Return the pattern of numbers in which ``mark`` can only be the decimal mark."""
    other = _OTHER[mark]
    return (
        rf"^[+-]?(?:[\d{_SPACES}]*[{mark}](?:\d{{1,2}}|\d{{4,}})"
        rf"|0[{mark}]\d+|\d{{4,}}[{mark}]\d+"
        rf"|\d{{1,3}}(?:[{other}{_SPACES}]\d{{3}})+[{mark}]\d+"
        rf"|\d{{1,3}}(?:[{other}]\d{{3}}){{2,}})(?:[eE][+-]?\d+)?$"
    )


def _unsure(mark: str) -> str:
    """Return the pattern of numbers in which ``mark`` decides or groups thousands."""
    return rf"^[+-]?[1-9]\d{{0,2}}[{mark}]\d{{3}}$"


def _count(columns: Mapping[str, Any], pattern: str) -> int:
    hits = [pc.sum(pc.match_substring_regex(c, pattern)) for c in columns.values()]
    return sum(hit.as_py() or 0 for hit in hits)


def _first(columns: Mapping[str, Any], pattern: str) -> str | None:
    """Return the first value that fits, with its column, for the message."""
    for name, cells in columns.items():
        found = pc.filter(cells, pc.match_substring_regex(cells, pattern))
        if len(found):
            return f'column "{name}": {str(found[0])!r}'
    return None


def parse_numbers(
    cells: Any, *, decimal: str
) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Read a column of text as numbers.

    Parameters
    ----------
    cells : large_string Array
        Trimmed text, nulls where there is nothing.
    decimal : {".", ","}
        The decimal mark.

    Returns
    -------
    values : ndarray of float64
        NaN for nulls and bad cells.
    bad : dict of int to str
        Why a cell is not a number, by position.
    """
    group = _SPACES + _OTHER[decimal]
    whole = rf"(?:\d+|\d{{1,3}}(?:[{group}]\d{{3}})+)"
    shape = rf"^[+-]?(?:{whole}(?:[{decimal}]\d*)?|[{decimal}]\d+)(?:[eE][+-]?\d+)?$"
    fits = pc.fill_null(pc.match_substring_regex(cells, shape), fill_value=False)
    bare = pc.replace_substring_regex(cells, f"[{group}]", "")
    texts = pc.replace_substring(bare, decimal, ".").filter(fits).to_pylist()
    good = fits.to_numpy(zero_copy_only=False)
    values = np.full(len(cells), np.nan)
    values[good] = [float(text) for text in texts]
    given = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    reason = f"is not a number with the decimal mark '{decimal}'"
    bad = dict.fromkeys(np.flatnonzero(given & ~good).tolist(), reason)
    infinite = np.flatnonzero(np.isinf(values)).tolist()
    values[infinite] = np.nan
    return values, bad | dict.fromkeys(infinite, "is too large for a number")


def parse_flags(cells: Any) -> tuple[npt.NDArray[np.bool_], dict[int, str]]:
    """Read a column of text as flags; null is False, bad cells too.

    Parameters
    ----------
    cells : large_string Array
        Trimmed text, nulls where there is nothing.

    Returns
    -------
    values : ndarray of bool
    bad : dict of int to str
        Why a cell is not a flag, by position.
    """
    encoded = pc.dictionary_encode(cells)
    words = [text.casefold() for text in encoded.dictionary.to_pylist()]
    codes = pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)
    value = np.array([_FLAGS.get(word, False) for word in words] + [False])
    known = np.array([word in _FLAGS for word in words] + [True])
    reason = f"is not a flag; write one of {', '.join(sorted(_FLAGS))}"
    return value[codes], dict.fromkeys(np.flatnonzero(~known[codes]).tolist(), reason)
