"""A delimited file of any size -> its rows, in chunks that fit into memory.

Goes in: a path, compressed or not. Comes out: `Rows` of one chunk after the other, with
the line numbers of the file. A row belongs to the chunk in which it begins; the lines
that it may need stay for the next one, so that chunks hold the rows, and lose the
lines, that the file would read whole. Files in UTF-16 are read whole: they are exports
from Excel, and never large.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from leadscore.agreement import Source
from leadscore.errors import InputError
from leadscore.store.header import match_header
from leadscore.store.lines import (
    GZIP,
    Lines,
    codec_of,
    decode_lines,
    detect_codec,
    empty_file,
    gzip_error,
    max_expansion,
    too_large,
)
from leadscore.store.notes import Note
from leadscore.store.reader import (
    HEAD_LINES,
    Header,
    Rows,
    Window,
    extra_note,
    read_header,
    read_window,
)
from leadscore.store.splitter import MAX_LINES_A_ROW
from leadscore.tables import Contract

__all__ = ["DelimitedFile"]

_HEAD_BYTES = 4096
_NO_LINES = Lines([], {}, "utf-8")


class _Handle(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class _Place:
    """Where reading stands: blocks taken, lines not read yet, lines before those."""

    n_blocks: int = 0
    lines: Lines = field(default=_NO_LINES)
    base: int = 0
    start: int = 0


class DelimitedFile:
    """A csv file that is read in chunks.

    Parameters
    ----------
    path : Path
        The file; gzip is told by its first bytes.
    contract : Contract
        The columns to look for, by name.
    mapping : mapping of str to str
        Their column names by ours.
    source : Source
        Pinned encoding and separator, or "auto".
    chunk_bytes : int
        How much text to take at once; a chunk ends with a line.

    Raises
    ------
    InputError, DataError
        As `read_delimited`: here for the header, while chunks are read for the rest.
    """

    def __init__(
        self,
        path: Path,
        *,
        contract: Contract,
        mapping: Mapping[str, str],
        source: Source,
        chunk_bytes: int,
    ) -> None:
        self.file = path.name
        self._path, self._size = path, chunk_bytes
        head = next(_pieces(path, _HEAD_BYTES), b"")
        self._codec, self._mark = codec_of(
            head, file=self.file, encoding=source.encoding
        )
        self._header = self._read_header(contract, mapping, source.separator)
        self._positions, extra = match_header(
            self._header.names, contract, mapping, file=self.file
        )
        self._place = _Place(start=self._header.start + self._header.n_lines)
        self.notes: list[Note] = [extra_note(self.file, extra)]

    @property
    def separator(self) -> str:
        """The separator of the file."""
        return self._header.separator

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ours that the file has."""
        return frozenset(self._positions)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows, chunk by chunk, from the first one on."""
        for rows, place in self._rows_from(self._place):
            self._place = place
            yield rows

    def rows_ahead(self) -> Iterator[Rows]:
        """Yield the rows after those that `rows` gave last, without taking them."""
        return (rows for rows, _ in self._rows_from(self._place))

    def _rows_from(self, place: _Place) -> Iterator[tuple[Rows, _Place]]:
        n_blocks, lines, base, start = (
            place.n_blocks,
            place.lines,
            place.base,
            place.start,
        )
        for block, is_last in _flagged(self._blocks(n_blocks)):
            n_blocks += 1
            lines = _joined(lines, self._decoded(block, n_blocks))
            if not is_last and len(lines.texts) < start + MAX_LINES_A_ROW:
                continue  # no row is sure to be here whole
            window = Window(lines, base, start, is_last)
            rows, end = read_window(
                window, self._header, self._positions, file=self.file
            )
            lines, base, start = _after(lines, end), base + end, 0
            yield rows, _Place(n_blocks, lines, base)

    def _blocks(self, n_before: int = 0) -> Iterator[bytes]:
        """Yield blocks of whole lines, without the byte order mark."""
        if self._codec is not None and self._codec.startswith("utf-16"):
            whole: Iterable[bytes] = [b"".join(_pieces(self._path, self._size))]
        else:
            whole = _whole_lines(_pieces(self._path, self._size))
        for i, block in enumerate(whole):
            if i >= n_before:
                yield block if i else block.removeprefix(self._mark)

    def _decoded(self, block: bytes, n_blocks: int) -> Lines:
        """Decode a block; the first that is not ASCII settles how, for all."""
        if self._codec is None and not block.isascii():
            ahead = self._blocks(n_blocks)
            self._codec = detect_codec(itertools.chain([block], ahead))
        return decode_lines(block, self._codec or "utf-8")

    def _read_header(
        self, contract: Contract, mapping: Mapping[str, str], separator: str
    ) -> Header:
        lines, is_empty = _NO_LINES, True
        for n, block in enumerate(self._blocks(), 1):
            is_empty = is_empty and not block.strip()
            lines = _joined(lines, self._decoded(block, n))
            first = next((i for i, t in enumerate(lines.texts) if t.strip()), None)
            if first is not None and len(lines.texts) >= first + HEAD_LINES:
                break
        if is_empty:
            raise empty_file(self.file)
        return read_header(lines, self.file, contract, mapping, separator)


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file, uncompressed, ``size`` at a time."""
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(len(GZIP)) == GZIP
            raw.seek(0)
            yield from _gunzipped(raw, path, size) if is_gzip else _read(raw, size)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error


def _read(handle: _Handle, size: int) -> Iterator[bytes]:
    while piece := handle.read(size):
        yield piece


def _gunzipped(raw: BinaryIO, path: Path, size: int) -> Iterator[bytes]:
    limit, n = max_expansion(path.stat().st_size), 0
    pieces = _read(gzip.GzipFile(fileobj=raw), size)
    while True:
        try:
            piece = next(pieces, b"")
        except (EOFError, OSError, zlib.error) as error:
            raise gzip_error(error, path.name) from error
        if not piece:
            return
        n += len(piece)
        if n > limit:
            raise too_large(limit, path.name)
        yield piece


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes, cut at the ends of lines."""
    rest = b""
    for piece in pieces:
        block = rest + piece
        # A CR that comes last may be half of a CRLF.
        cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, len(block) - 1)) + 1
        rest = block[cut:]
        if cut:
            yield block[:cut]
    if rest:
        yield rest


def _flagged(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each block, and whether it is the last."""
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        yield block, following is None
        block = following


def _joined(lines: Lines, more: Lines) -> Lines:
    n = len(lines.texts)
    unreadable = lines.unreadable | {n + i: why for i, why in more.unreadable.items()}
    texts = lines.texts + more.texts if n else more.texts
    return Lines(texts, unreadable, more.encoding)


def _after(lines: Lines, end: int) -> Lines:
    """Return the lines from an index on."""
    unreadable = {i - end: why for i, why in lines.unreadable.items() if i >= end}
    return Lines(lines.texts[end:], unreadable, lines.encoding)
