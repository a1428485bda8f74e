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
from dataclasses import dataclass

from leadscore.errors import DataError, InputError, RefusedError

__all__ = ["Lines", "read_lines", "uncompress"]

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
    if not data.startswith(b"\x1f\x8b"):
        return data
    limit = max(_ALWAYS_FINE, _MAX_EXPANSION * len(data))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as handle:
            plain = handle.read(limit + 1)
    except EOFError as error:
        msg = f"{file}: the compressed file is truncated. Export or copy it again."
        raise DataError(msg) from error
    except (OSError, zlib.error) as error:
        msg = f"{file}: the compressed file is damaged ({error}). Export it again."
        raise DataError(msg) from error
    if len(plain) > limit:
        msg = (
            f"{file}: the compressed file grows to more than {limit:,} bytes, "
            f"{_MAX_EXPANSION} times its size. If that is right, uncompress it first."
        )
        raise RefusedError(msg)
    return plain


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
    if data.startswith(_WORKBOOKS):
        msg = f"{file} is an Excel workbook. Save it as CSV UTF-8 and try again."
        raise InputError(msg)
    codec, body = _codec(data, file, encoding)
    if not body.strip():
        msg = f"{file} is empty. Export it again, with its header line."
        raise InputError(msg)
    try:
        text = body.decode(codec)
    except UnicodeDecodeError:
        return _decode_by_line(body, codec)
    return Lines(_split(text), {}, _NAMES.get(codec, codec))


def _codec(data: bytes, file: str, encoding: str) -> tuple[str, bytes]:
    """Return the codec, and the bytes after the byte order mark."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return codec, data[len(mark) :]
    if encoding == "utf-16":
        return _utf16_order(data), data
    if encoding != "auto":
        return encoding, data
    _check_not_utf16(data, file)
    return _detect(data), data


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


def _detect(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        # One line of real UTF-8 beyond ASCII is no accident in a cp1252 file: then
        # the lines that fail are the guests, and cost themselves only.
        return "utf-8" if any(map(_is_utf8_text, data.splitlines())) else "cp1252"
    return "utf-8"


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
