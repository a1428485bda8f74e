"""Lines of at most 80 columns."""

from __future__ import annotations

import textwrap

__all__ = ["WIDTH", "notes", "wrapped"]

WIDTH = 80


def notes(said: tuple[str, ...]) -> list[str]:
    """Return each note as an item of a list."""
    return [line for note in said for line in wrapped(f"- {note}", indent="  ")]


def wrapped(text: str, *, indent: str = "") -> list[str]:
    """Return a sentence as lines; those after the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent) or [""]
