r"""Bytes of a text file -> its physical lines, decoded.

Goes in: the bytes of a file, compressed or not. Comes out: its lines without their ends
(CRLF, LF, CR, also mixed), and the few that cannot be decoded, by name. A byte order
mark decides the encoding, then the agreement, then the bytes: UTF-8 if it holds, cp1252
if no line holds valid UTF-8 beyond ASCII. A file that mixes both stays UTF-8 and pays
one line for each that is not.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from leadscore.errors import DataError, InputError, RefusedError

__all__ = [
    "GZIP",
    "Lines",
    "codec_of",
    "decode_lines",
    "detect_codec",
    "empty_file",
    "gzip_error",
    "max_expansion",
    "read_lines",
    "too_large",
    "uncompress",
]

GZIP = b"\x1f\x8b"

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"utf-16-le": "utf-16", "utf-16-be": "utf-16"}
_MAX_EXPANSION = 200
_ALWAYS_FINE = 1 << 30


@dataclass(frozen=True)
class Lines:
    """Physical lines of a file.

    Parameters
    ----------
    texts : list of str
        The lines, without their ends. Line ``i`` is number ``i + 1`` for people.
    unreadable : dict of int to str
        Why a line could not be decoded, by index; its text shows the bytes escaped.
    encoding : str
        What the file was read as.
    """

    texts: list[str]
    unreadable: dict[int, str]
    encoding: str


def uncompress(data: bytes, *, file: str) -> bytes:
    """Return ``data`` as it was before gzip, or as it is.

    Raises
    ------
    DataError
        The compressed file is cut short or damaged.
    RefusedError
        It grows beyond a gibibyte and more than 200 times: a bomb, or a mistake.
    """
    if not data.startswith(GZIP):
        return data
    limit = max_expansion(len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as handle:
            plain = handle.read(limit + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise gzip_error(error, file) from error
    if len(plain) > limit:
        raise too_large(limit, file)
    return plain


def max_expansion(n_compressed: int) -> int:
    """Return how many bytes so many compressed ones may hold."""
    return max(_ALWAYS_FINE, _MAX_EXPANSION * n_compressed)


def too_large(limit: int, file: str) -> RefusedError:
    """Return the error for a file that grows beyond its limit."""
    msg = (
        f"{file}: the compressed file grows to more than {limit:,} bytes, "
        f"{_MAX_EXPANSION} times its size. If that is right, uncompress it first."
    )
    return RefusedError(msg)


def gzip_error(error: Exception, file: str) -> DataError:
    """Return the error for a file that cannot be uncompressed."""
    if isinstance(error, EOFError):
        msg = f"{file}: the compressed file is truncated. Export or copy it again."
        return DataError(msg)
    msg = f"{file}: the compressed file is damaged ({error}). Export it again."
    return DataError(msg)


def read_lines(data: bytes, *, file: str, encoding: str = "auto") -> Lines:
    """Return the physical lines of a text file.

    Parameters
    ----------
    data : bytes
        The file, uncompressed.
    file : str
        What to call it in messages.
    encoding : {"auto", "utf-8", "utf-16", "cp1252"}
        What the agreement says; a byte order mark is believed first.

    Raises
    ------
    InputError
        The file is empty, is a workbook, or looks like UTF-16 without a mark.
    """
    codec, mark = codec_of(data, file=file, encoding=encoding)
    body = data[len(mark) :]
    if not body.strip():
        raise empty_file(file)
    return decode_lines(body, codec or detect_codec([body]))


def empty_file(file: str) -> InputError:
    """Return the error for a file without any content."""
    return InputError(f"{file} is empty. Export it again, with its header line.")


def codec_of(head: bytes, *, file: str, encoding: str) -> tuple[str | None, bytes]:
    """Return the codec, None if it is to be detected, and the byte order mark.

    Parameters
    ----------
    head : bytes
        How the file begins; see `read_lines` for the others, and what is raised.
    """
    if head.startswith(_WORKBOOKS):
        msg = f"{file} is an Excel workbook. Save it as CSV UTF-8 and try again."
        raise InputError(msg)
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec, mark
    if encoding == "utf-16":
        return _utf16_order(head), b""
    if encoding != "auto":
        return encoding, b""
    _check_not_utf16(head, file)
    return None, b""


def decode_lines(body: bytes, codec: str) -> Lines:
    """Return the physical lines of text in a known encoding."""
    try:
        text = body.decode(codec)
    except UnicodeDecodeError:
        return _decode_by_line(body, codec)
    return Lines(_split(text), {}, _NAMES.get(codec, codec))


def _utf16_order(data: bytes) -> str:
    head = data[:4096]
    return "utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le"


def _check_not_utf16(data: bytes, file: str) -> None:
    head = data[:4096]
    if head.count(0) * 4 > len(head):
        msg = (
            f"{file} looks like UTF-16 without a byte order mark. Save it as CSV "
            'UTF-8, or write encoding = "utf-16" under [source] in agreement.toml.'
        )
        raise InputError(msg)


def detect_codec(blocks: Iterable[bytes]) -> str:
    """Return the encoding of a file, given as blocks of whole lines."""
    is_ascii = True
    for block in blocks:
        # One line of real UTF-8 beyond ASCII is no accident in a cp1252 file: then
        # the lines that fail are the guests, and cost themselves only.
        if not block.isascii():
            is_ascii = False
            if _has_utf8_text(block):
                return "utf-8"
    return "utf-8" if is_ascii else "cp1252"


def _has_utf8_text(block: bytes) -> bool:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return any(map(_is_utf8_text, block.splitlines()))
    return True


def _is_utf8_text(line: bytes) -> bool:
    """Tell whether a line is valid UTF-8 and uses it, beyond ASCII."""
    if line.isascii():
        return False
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decode_by_line(body: bytes, codec: str) -> Lines:
    """Decode a file that does not decode whole: only its bad lines are lost."""
    if codec.startswith("utf-16"):
        texts = _split(body.decode(codec, "replace"))
        broken = {i: "invalid utf-16" for i, t in enumerate(texts) if "\ufffd" in t}
        return Lines(texts, broken, _NAMES[codec])
    texts, unreadable = [], {}
    for i, line in enumerate(body.splitlines()):
        try:
            texts.append(line.decode(codec))
        except UnicodeDecodeError as error:
            texts.append(line.decode(codec, "backslashreplace"))
            unreadable[i] = f"invalid {codec} at byte {error.start + 1} of the line"
    return Lines(texts, unreadable, codec)


def _split(text: str) -> list[str]:
    # str.splitlines would also split at form feeds and other characters inside cells.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
