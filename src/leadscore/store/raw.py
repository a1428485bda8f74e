"""A file under its own names -> all its columns as text, and how it is written.

Goes in: a path. Comes out: `RawFile`, every column that has a name, cells trimmed and
null words null. The machinery is the reader's own: what is found here is what
`read_tables` will find.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore.agreement import Source
from leadscore.errors import InputError
from leadscore.store.find import is_parquet
from leadscore.store.header import plain_name
from leadscore.store.parquet import parquet_names, read_parquet
from leadscore.store.parse import clean_cells
from leadscore.store.reader import Rows, header_names, read_delimited
from leadscore.tables import Column, Contract

__all__ = ["RawFile", "read_raw"]


@dataclass(frozen=True)
class RawFile:
    """All columns of a file as text.

    Parameters
    ----------
    file : str
        The file's name.
    columns : dict of str to large_string Array
        By the name in the header, trimmed; sorted by name, so that the order of the
        columns in the file does not matter.
    n_rows : int
        Rows that could be split into cells.
    n_broken : int
        Lines that could not.
    separator : str or None
        None for Parquet.
    encoding : str or None
        None where any would do: the file is plain ASCII, or Parquet.
    """

    file: str
    columns: dict[str, Any]
    n_rows: int
    n_broken: int
    separator: str | None
    encoding: str | None


def read_raw(path: Path, source: Source | None = None) -> RawFile:
    """Read one file without knowing what it is.

    Parameters
    ----------
    path : Path
        A delimited text file, compressed or not, or Parquet.
    source : Source, optional
        Null words, and what is pinned.

    Raises
    ------
    InputError, DataError
        It cannot be read, as `read_tables` would say.
    """
    source = source or Source()
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error
    rows = _rows(data, path, source)
    named = {
        name: clean_cells(rows.cells[name], source)
        for name in sorted(rows.cells, key=lambda name: (plain_name(name), name))
    }
    is_ascii = all(_is_ascii(name, cells) for name, cells in named.items())
    return RawFile(
        file=path.name,
        columns=named,
        n_rows=len(rows.lines),
        n_broken=len(rows.rejects),
        separator=rows.separator,
        encoding=None if is_ascii else rows.encoding,
    )


def _rows(data: bytes, path: Path, source: Source) -> Rows:
    file = path.name
    if is_parquet(path):
        contract = _contract(parquet_names(data, file=file))
        return read_parquet(data, file=file, contract=contract, mapping={})
    contract = _contract(header_names(data, file=file, source=source))
    return read_delimited(data, file=file, contract=contract, mapping={}, source=source)


def _contract(names: list[str]) -> Contract:
    """Return a contract that asks for every column that has a name, as text."""
    return Contract(
        "any", tuple(Column(n.strip(), "text", "") for n in names if plain_name(n))
    )


def _is_ascii(name: str, cells: Any) -> bool:
    text = "".join(cells.drop_null().unique().to_pylist())
    return name.isascii() and text.isascii()
