"""The primitives: the kinds of columns that the kernel can fold, and their words.

A column is declared by naming a primitive with its kind, its window and its weights;
the kernel knows how to fold each of them, `plan` turns one into the other.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from leadscore.agreement import Section

__all__ = [
    "GAP_DAYS",
    "ActiveDays",
    "Column",
    "Count",
    "CustomColumn",
    "Decay",
    "Distinct",
    "First",
    "GapsOver",
    "LongestGap",
    "Primitive",
    "Recency",
    "Sum",
]

GAP_DAYS = 14


class Count(Section):
    """How many interactions in a window (None: ever).

    Of a kind, through a channel, or with a content of a group; all where none is given.
    """

    does: Literal["count"] = "count"
    kind: str | None = None
    channel: str | None = None
    group: str | None = None
    days: int | None = None


class Recency(Section):
    """Days since the last interaction; null if never.

    Of a kind, through a channel, or with a content of a group; any where none is given.
    """

    does: Literal["recency"] = "recency"
    kind: str | None = None
    channel: str | None = None
    group: str | None = None


class Decay(Section):
    """Sum of weights, halved every ``half_life_days`` (None: never).

    ``weights`` by kind; a kind not named weighs ``default``.
    """

    does: Literal["decay"] = "decay"
    half_life_days: float | None
    weights: dict[str, float] = Field(default_factory=dict)
    default: float = 0.0


class ActiveDays(Section):
    """Distinct calendar days with an interaction in a window.

    Where clocks are set back across midnight (St. John's, until 2011), the hour that
    the day before then has twice may count as one day more.
    """

    does: Literal["active_days"] = "active_days"
    days: int | None = None


class Distinct(Section):
    """Distinct contents in a window."""

    does: Literal["distinct"] = "distinct"
    days: int | None = None


class Sum(Section):
    """Seconds spent in a window."""

    does: Literal["sum"] = "sum"
    days: int | None = None


class LongestGap(Section):
    """Longest silence between two interactions, in days; null below two."""

    does: Literal["longest_gap"] = "longest_gap"


class GapsOver(Section):
    """Number of silences longer than `GAP_DAYS` days."""

    does: Literal["gaps_over"] = "gaps_over"


class First(Section):
    """Channel of the first interaction."""

    does: Literal["first"] = "first"


Primitive = Annotated[
    Count
    | Recency
    | Decay
    | ActiveDays
    | Distinct
    | Sum
    | LongestGap
    | GapsOver
    | First,
    Field(discriminator="does"),
]


class Column(Section):
    """One column that the kernel writes.

    Parameters
    ----------
    name : str
        What and window: ``n_demo_request_30d``.
    makes : Primitive
    description : str
        In plain language, for the report and the reasons.
    group : str
        What the reasons call it: all columns of one kind are one reason.
    """

    name: str
    makes: Primitive
    description: str
    group: str


class CustomColumn(Section):
    """One column that a function of one's own makes.

    Parameters
    ----------
    name : str
    function : str
        File and function, ``my_features.py:intent``; never the code itself.
    description, group : str
        As of `Column`.
    """

    name: str
    function: str
    description: str
    group: str
