"""Writing a report down: as one HTML page, or in short as markdown.

Goes in: a `Report`. Comes out: text. The page needs nothing but itself: no script, no
font, no picture from elsewhere. Every word is escaped; only our own figures are not.
"""

from __future__ import annotations

import re
from functools import cache

import jinja2

from leadscore.plots import COLOURS
from leadscore.report.document import Report

__all__ = ["markdown", "page"]

MAX_MARKDOWN = 3000  # characters; longer descriptions are cut by some stores


def page(report: Report) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        The same for the same report.
    """
    return _template().render(report=report)


def markdown(report: Report) -> str:
    """Return the verdict and the main numbers, for a description of few lines.

    Returns
    -------
    str
        Below `MAX_MARKDOWN` characters; begins with plain text, because lists show the
        first few characters as they are.
    """
    lines = [_escaped(sentence) for sentence in report.verdict]
    text = "\n\n".join([*lines, _escaped(report.subtitle)])
    if report.tiles:
        rows = [f"| {_escaped(t.value)} | {_escaped(t.words)} |" for t in report.tiles]
        text = "\n".join([f"{text}\n", "| how many | of what |", "|--:|---|", *rows])
    if len(text) >= MAX_MARKDOWN:
        text = f"{text[: MAX_MARKDOWN - 2]}\N{HORIZONTAL ELLIPSIS}"
    return f"{text}\n"


def _escaped(text: str) -> str:
    """Return text that markdown takes as text."""
    text = text.replace("\n", " ").replace("&", "&amp;")
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", text)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leadscore.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_our_colours"] = _in_our_colours
    return environment.get_template("page.html.j2")


def _in_our_colours(svg: str) -> str:
    """Return a figure of our own for the page, its colours those of the page."""
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
