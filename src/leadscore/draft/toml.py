"""Pieces of TOML: comments, strings, keys, arrays.

Goes in: plain values. Comes out: text of at most `WIDTH` columns, where words allow it.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable

__all__ = [
    "WIDTH",
    "array",
    "bare_key",
    "comment",
    "guessed",
    "number",
    "printable",
    "quoted",
]

WIDTH = 88


def comment(text: str) -> list[str]:
    """Return a comment, wrapped."""
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def printable(text: str) -> str:
    """Return a text without control characters, which no comment may hold."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)


def guessed(what: str, because: str) -> list[str]:
    """Return a comment that marks a guess, with its reason."""
    return comment(f"GUESS: {what}, because {because}.")


def quoted(value: str) -> str:
    """Return a TOML string."""
    # JSON lets DEL stand as it is, TOML does not.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def bare_key(name: str) -> str:
    """Return a key as TOML writes it, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def number(value: float) -> str:
    """Return a number without needless decimals."""
    return f"{value:g}"


def array(values: Iterable[str]) -> str:
    """Return a TOML array of strings, on several lines where it is long."""
    texts = [quoted(value) for value in values]
    line = f"[{', '.join(texts)}]"
    if len(line) <= WIDTH - 20:
        return line
    return "[\n" + "".join(f"    {text},\n" for text in texts) + "]"
