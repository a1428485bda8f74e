"""Plots: the same bytes for the same table, nothing from elsewhere, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from leadscore import plots


def precision() -> str:
    rows = [
        ("this model", "model", "0.26%", 0.0026, 0.002, 0.0031),
        ("no ranking", "nothing", "0.1%", 0.001, 0, 0.01),
    ]
    return plots.precision_bars(
        pd.DataFrame(rows, columns=["name", "role", "text", "value", "low", "high"])
    )


def reliability() -> str:
    said = np.linspace(0.02, 0.2, 5)
    return plots.reliability_diagram(
        pd.DataFrame(
            {
                "predicted": said,
                "observed": said,
                "low": said - 0.01,
                "high": said + 0.01,
                "n_groups": [10, 20, 30, 40, 50],
            }
        )
    )


def gains() -> str:
    share = np.linspace(0, 1, 21)
    table = pd.DataFrame({"share": share, "model": share**0.5, "points": share**0.8})
    return plots.gains_curve(table, taken=0.004, text="top 0.4%")


FIGURES = [precision, reliability, gains]


@pytest.mark.parametrize("draw", FIGURES)
def test_the_same_table_gives_the_same_bytes(draw: Callable[[], str]) -> None:
    assert draw() == draw()


@pytest.mark.parametrize("draw", FIGURES)
def test_a_figure_stands_alone(draw: Callable[[], str]) -> None:
    svg = draw()
    root = ElementTree.fromstring(svg)  # noqa: S314  (our own)
    assert root.tag.endswith("svg")
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    assert not re.search(r"<(script|image|style|metadata)", svg)
    assert set(re.findall(r'href="(.)', svg)) <= {"#"}
    assert set(re.findall(r"url\((.)", svg)) <= {"#"}


def test_figures_on_one_page_share_no_id() -> None:
    ids = [set(re.findall(r' id="([^"]+)"', draw())) for draw in FIGURES]
    assert len(set.union(*ids)) == sum(len(found) for found in ids)
    for draw in FIGURES:
        svg = draw()
        named = set(re.findall(r' id="([^"]+)"', svg))
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) <= named


def test_letters_stay_letters() -> None:
    assert ">this model<" in precision()
    assert ">0.26%<" in precision()  # as it was given, not rounded again
    assert ">said = happened<" in reliability()
    assert ">top 0.4%<" in gains()


def test_a_series_that_is_not_there_is_not_drawn() -> None:
    table = pd.DataFrame({"share": [0.0, 1.0], "points": [0.0, 1.0]})
    svg = plots.gains_curve(table, taken=0.1, text="top 10%")
    assert ">points alone<" in svg
    assert ">the model<" not in svg
    assert ">the model<" in gains()


def test_drawing_leaves_the_settings_of_others_alone() -> None:
    before = dict(mpl.rcParams)
    precision()
    assert dict(mpl.rcParams) == before


def test_every_colour_is_one_that_a_page_knows() -> None:
    known = set(plots.COLOURS.values())
    for draw in FIGURES:
        assert set(re.findall(r"#[0-9a-f]{6}\b", draw())) <= known
