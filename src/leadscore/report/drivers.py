"""What moves the probability over all, in words and with counts."""

from __future__ import annotations

import math
from typing import Any

from leadscore.bundle import Bundle
from leadscore.explain import MIN_EFFECT
from leadscore.report.document import Bar, Cell, Column, Lines, Section, Table
from leadscore.report.words import percent

__all__ = ["drivers_section"]

N_SHOWN = 12
N_LEVELS = 2  # a side
_SIDE = 1.02  # odds closer to one than that neither raise nor lower

_COLUMNS = (
    Column("what is known of a lead"),
    Column("moves the odds by"),
    Column("raises the odds most"),
    Column("lowers the odds most"),
)


def drivers_section(bundle: Bundle) -> tuple[Section, ...]:
    """Return the strongest drivers; nothing where none was measured."""
    drivers = [
        driver
        for driver in bundle.metrics.get("drivers", [])
        if driver["mean_effect"] >= MIN_EFFECT
    ][:N_SHOWN]
    if not drivers:
        return ()
    most = max(driver["mean_effect"] for driver in drivers)
    rows = tuple(_row(driver, most) for driver in drivers)
    return (
        Section(
            "What moves the probability?",
            paragraphs=(
                "Each line takes one thing that is known of a lead, and asks how the "
                "odds would change if it were as for a typical lead: on average by the "
                f"factor shown, up or down. {_odds(bundle)}",
                "This describes the model, not a cause: to make leads look like the "
                "left side will not make them convert. Things that go together share "
                "their weight. Counts are of leads that had not taught the model; "
                "levels with fewer than 20 leads are left out.",
            ),
            tables=(
                Table("What moves the probability most", _COLUMNS, rows, form="cards"),
            ),
        ),
    )


def _odds(bundle: Bundle) -> str:
    """Return what odds mean, at this firm's own rate."""
    base = bundle.provenance["base_rate"] or 0.1
    example = " and ".join(
        f"{_times_words(odds, n)} makes it {percent(_times(base, odds))}"
        for odds, n in ((2.0, 0), (0.5, 1))
    )
    return f"For a lead with a probability of {percent(base)}, odds {example}."


def _times(probability: float, odds: float) -> float:
    raised = odds * probability / (1 - probability)
    return raised / (1 + raised)


def _row(driver: dict[str, Any], most: float) -> tuple[Cell, ...]:
    levels = driver["levels"]
    raising = [level for level in levels if level["odds"] >= _SIDE][:N_LEVELS]
    lowering = [level for level in levels if level["odds"] <= 1 / _SIDE][::-1]
    moved = _times_words(math.exp(driver["mean_effect"]), 2)
    return (
        str(driver["words"]),
        Bar(moved, driver["mean_effect"] / most),
        _said(raising),
        _said(lowering[:N_LEVELS]),
    )


def _said(levels: list[dict[str, Any]]) -> Cell:
    if not levels:
        return "\N{EN DASH}"
    return Lines(tuple(_level(level) for level in levels))


def _level(level: dict[str, Any]) -> str:
    times = _times_words(level["odds"], 1 if level["odds"] > 1 else 2)
    return f"{times}: {level['words']} ({level['n_leads']:,}\N{NO-BREAK SPACE}leads)"


def _times_words(odds: float, n_decimals: int) -> str:
    return f"\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}{odds:.{n_decimals}f}"
