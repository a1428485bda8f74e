"""Plots: tables to figures, as SVG text. Nothing is computed or decided here.

Goes in: tables of numbers that were measured elsewhere; null is left out. Comes out:
one ``<svg>`` element a figure, the same bytes for the same table: no date, no random
ids.
Letters stay letters, so a page can style and a reader can select them. The colours are
those of Okabe and Ito (2008), which colour-blind people can tell apart; each series
also differs by its dashes or its marker.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

__all__ = [
    "COLOURS",
    "gains_curve",
    "precision_bars",
    "reliability_diagram",
]

# By what they stand for; a page may replace each, in the dark.
COLOURS = {
    "model": "#0072b2",
    "points": "#d55e00",
    "nothing": "#6b7280",
    "ink": "#1f2937",
    "line": "#d1d5db",
}

_WIDTH_IN = 6.4
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": 11,
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "text.color": COLOURS["ink"],
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
}


def precision_bars(table: pd.DataFrame) -> str:
    """Draw a share a row as a bar, with its interval and its value.

    Parameters
    ----------
    table : DataFrame
        ``name`` (str), ``role`` (a key of `COLOURS`), ``text`` (the value as people
        write it), ``value, low, high`` (0 to 1); the first row stands on top.
    """
    with _drawn("precision", 0.62 * len(table) + 0.9) as (figure, svg):
        axes = figure.subplots()
        places = range(len(table) - 1, -1, -1)
        for place, row in zip(places, table.itertuples(), strict=True):
            axes.barh(place, row.value, height=0.58, color=COLOURS[row.role])
            axes.plot([row.low, row.high], [place, place], color=COLOURS["ink"], lw=1.4)
            for end in (row.low, row.high):
                axes.plot(
                    [end, end], [place - 0.12, place + 0.12], color=COLOURS["ink"]
                )
            axes.annotate(
                row.text,
                (row.high, place),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
            )
        axes.set_yticks(list(places), list(table["name"]))
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.18 * table["high"].max())
        axes.spines["left"].set_visible(False)
        _percents(axes, "x", "followed by a conversion")
    return svg[0]


def reliability_diagram(table: pd.DataFrame) -> str:
    """Draw what was said against what happened, with intervals and numbers of leads.

    Parameters
    ----------
    table : DataFrame
        As from `leadscore.metrics.reliability`.
    """
    with _drawn("reliability", 5.4) as (figure, svg):
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        most = 1.08 * max(table["high"].max(), table["predicted"].max())
        above.plot(
            [0, most], [0, most], color=COLOURS["nothing"], ls=(0, (4, 3)), lw=1.2
        )
        above.vlines(
            table["predicted"], table["low"], table["high"], COLOURS["model"], lw=1.8
        )
        above.plot(table["predicted"], table["observed"], "o", color=COLOURS["model"])
        above.annotate(
            "said = happened",
            (0.72 * most, 0.72 * most),
            xytext=(8, -8),
            textcoords="offset points",
            va="top",
            color=COLOURS["nothing"],
        )
        above.set_ylim(0, most)
        _percents(above, "y", "how many converted")
        below.bar(
            table["predicted"],
            table["n_groups"],
            width=0.012 * most,
            color=COLOURS["nothing"],
        )
        below.set_ylabel("leads")
        below.set_xlim(0, most)
        _percents(below, "x", "the probability that was said")
    return svg[0]


def gains_curve(table: pd.DataFrame, *, taken: float, text: str) -> str:
    """Draw how many of all conversions the top of each list holds.

    Parameters
    ----------
    table : DataFrame
        ``share, model, points`` (0 to 1), by rising share; one of the last two may be
        missing.
    taken : float
        The share of each list that is worked; marked.
    text : str
        What is written beside the mark.
    """
    with _drawn("gains", 4.3) as (figure, svg):
        axes = figure.subplots()
        axes.axvline(taken, color=COLOURS["ink"], lw=1, ls=(0, (1, 2)))
        axes.annotate(
            text,
            (taken, 1.0),
            xytext=(5, -4),
            textcoords="offset points",
            va="top",
        )
        lines = (
            ("model", "the model", "-"),
            ("points", "points alone", (0, (6, 2))),
        )
        for role, name, dashes in [line for line in lines if line[0] in table]:
            axes.plot(
                table["share"],
                table[role],
                color=COLOURS[role],
                lw=2.2,
                ls=dashes,
                label=name,
            )
        axes.plot([0, 1], [0, 1], color=COLOURS["nothing"], lw=1.4, ls=(0, (1, 1.5)))
        axes.lines[-1].set_label("no ranking")
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="lower right", frameon=False, handlelength=2.6)
        _percents(axes, "x", "share of each list that is worked, best leads first")
        _percents(axes, "y", "found, of what was followed by a conversion")
    return svg[0]


def _percents(axes: Axes, side: str, words: str) -> None:
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_label_text(words)
    axis.grid(visible=True)


@contextmanager
def _drawn(name: str, height_in: float) -> Iterator[tuple[Figure, list[str]]]:
    """Give a figure to draw on; what was drawn is in the list afterwards."""
    svg: list[str] = []
    # The settings are the caller's again afterwards: nobody else's figure changes.
    with mpl.rc_context(_STYLE | {"svg.hashsalt": "leadscore"}):
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        figure.patch.set_alpha(0)
        yield figure, svg
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        svg.append(_as_text(figure, name))


def _as_text(figure: Figure, name: str) -> str:
    """Return the figure as one element that can stand in any page, beside others.

    No prolog, no date, no style of its own that would hold for the page; only its shape
    is kept, the page says how wide it is; every id carries the figure's name.
    """
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=nothing)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    head, rest = text.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    text = f'{head} stroke-linejoin="round">{rest}'
    return re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", text).strip()
