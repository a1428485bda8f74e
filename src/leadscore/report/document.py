"""The document: what a report is made of, in plain words, before it is written down.

Every text here is text, never markup: whoever writes it escapes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = [
    "Bar",
    "Cell",
    "Column",
    "Drawing",
    "Lines",
    "Report",
    "Section",
    "Table",
    "Tile",
]


@dataclass(frozen=True)
class Bar:
    """A cell with a bar: its text, and how full the bar is (0 to 1)."""

    text: str
    filled: float


@dataclass(frozen=True)
class Lines:
    """A cell of several lines."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers stand to the right."""

    words: str
    is_number: bool = False


Cell = str | Bar | Lines


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    caption : str
    columns : tuple of Column
    rows : tuple of tuple of cells
    strong : str
        The first cell of the row that matters most; empty where none does.
    form : {"plain", "detail", "cards"}
        A detail is folded away until it is asked for; of cards, a narrow screen shows
        each row as one.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    strong: str = ""
    form: Literal["plain", "detail", "cards"] = "plain"


@dataclass(frozen=True)
class Drawing:
    """A figure, a caption, and the same in words.

    Parameters
    ----------
    draw : callable
        Makes the figure; called when it is first asked for, because drawing takes as
        long as all else, and who wants the words alone need not wait for it.
    caption, alt : str
    """

    draw: Callable[[], str]
    caption: str
    alt: str

    @cached_property
    def svg(self) -> str:
        """The figure: SVG of our own making."""
        return self.draw()


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tile:
    """One number that stands out, what it is, and what it stands for.

    ``role`` is a key of `leadscore.plots.COLOURS`.
    """

    value: str
    words: str
    role: str


@dataclass(frozen=True)
class Report:
    """The whole report.

    Parameters
    ----------
    title, subtitle : str
    verdict : tuple of three str
        One sentence each: is it better, are its probabilities right, what do labels
        mean.
    tiles : tuple of Tile
    sections : tuple of Section
    """

    title: str
    subtitle: str
    verdict: tuple[str, str, str]
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
