"""What it costs not to retrain: the cadence replay in plain words.

Goes in: ``bundle.metrics["cadence"]``. Comes out: a section, or none where nothing was
replayed. A difference is spoken of as one only where its interval leaves zero out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from leadscore.bundle import Bundle
from leadscore.level import raised
from leadscore.report.document import Cell, Column, Lines, Section, Table
from leadscore.report.words import (
    Bounds,
    bounded,
    day,
    decimals,
    listed,
    of_100,
    percent,
)

__all__ = ["beyond_chance", "cadence_section", "standing"]

_EXAMPLE = 0.1  # a probability to show a level by
_COLUMNS = (
    Column("retrained"),
    Column("models", is_number=True),
    Column("of 100 at the top, converted", is_number=True),
    Column("less the agreed", is_number=True),
    Column("it said", is_number=True),
    Column("converted", is_number=True),
    Column("log loss", is_number=True),
    Column("less the agreed", is_number=True),
)


def beyond_chance(bounds: Bounds) -> int:
    """Return the sign of a difference, 0 where its interval holds zero.

    Parameters
    ----------
    bounds : (value, low, high)
        An interval that is not known holds everything.
    """
    _, low, high = bounds
    if low is not None and low > 0:
        return 1
    return -1 if high is not None and high < 0 else 0


def standing(row: Mapping[str, Any]) -> Literal["better", "worse", "mixed", "level"]:
    """Return how a cadence stands beside the agreed one, beyond chance.

    Parameters
    ----------
    row : dict
        One of ``metrics["cadence"]["table"]``. More conversions at the top and less log
        loss are better; one better and the other worse is mixed.
    """
    top = beyond_chance(row["precision_difference"])
    loss = -beyond_chance(row["difference"])
    if top * loss < 0:
        return "mixed"
    if top + loss == 0:
        return "level"
    return "better" if top + loss > 0 else "worse"


def cadence_section(bundle: Bundle) -> tuple[Section, ...]:
    """Return what retraining less often, or never, would have cost."""
    found = bundle.metrics.get("cadence")
    if not found:
        return ()
    agreed, others = _split(found["table"])
    return (
        Section(
            "What does it cost not to retrain?",
            paragraphs=(
                _how(found, bundle),
                _as_agreed(agreed),
                _levelled(found),
                *(_compared(row, agreed) for row in others),
                _read(agreed, others),
            ),
            tables=(_table(found["table"], agreed),),
        ),
    )


def _split(table: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    agreed = next(row for row in table if row["is_agreed"])
    return agreed, [row for row in table if not row["is_agreed"]]


def _how(found: dict[str, Any], bundle: Bundle) -> str:
    zone, conversion = bundle.agreement.zone, bundle.agreement.conversion
    waits = conversion.horizon_days + conversion.reporting_lag_days
    names = [row["name"] for row in found["table"]]
    return (
        f"We went back to {day(found['since'], zone)} and retrained from then on "
        f"{', '.join(names[:-1])} or {names[-1]}, each time with what was known on "
        "that day only; how strict its parts are was chosen anew at the dates of the "
        f"contest, not each time. All were judged on the same {found['n_rows']:,} "
        f"places on lists up to {day(found['until'], zone)}, of which the top "
        f"{percent(found['taken'])} of each list counts as worked. {_lists(bundle)}"
        f"Even on the day of a retraining, what a model has learned from is {waits} "
        "days old or older: outcomes take so long to be known."
    )


def _lists(bundle: Bundle) -> str:
    if bundle.agreement.snapshots.grid_days is not None:
        return ""
    return (
        "Leads are looked at by age, so all that one model of the agreed cadence was "
        "asked about counts as one list. "
    )


def _as_agreed(row: dict[str, Any]) -> str:
    top, _, _ = row["precision"]
    is_off = beyond_chance(row["gap"]) != 0
    explained = (
        "more than chance explains" if is_off else "no more than chance explains"
    )
    return (
        f"Retrained {row['name']}, as agreed, {_counted(top, top)} of 100 places at "
        "the top were followed by a conversion. On average the probabilities "
        f"{_said(row)}, {explained}."
    )


def _levelled(found: dict[str, Any]) -> str:
    """Return what following the level is, brought, and does to the shipped model."""
    row, level = found["as_fitted"], found["level"]
    sign = beyond_chance(row["difference"])
    how = (
        "no more of a difference than chance explains",
        "worse by more than chance",
        "better by more than chance",
    )[sign]
    ships = "stays as it was fitted"
    if level != 0:
        says = float(raised(np.array(_EXAMPLE), level))
        ships = (
            f"says {says:.1%} where it was fitted to say {_EXAMPLE:.1%}, and other "
            "probabilities move likewise"
        )
    return (
        "Outcomes are known late, and the share of leads that convert moves. So on the "
        "day that it is trained, a model is moved by half of how far leads had come "
        "out above or below what had been said of them in advance, as far as that is "
        "known by then and more than chance; the order of leads stays. Without that, "
        f"the probabilities above would have {_said(row)} ({_loss_interval(row)}): "
        f"{how}. The model that ships {ships}."
    )


def _compared(row: dict[str, Any], agreed: dict[str, Any]) -> str:
    top = beyond_chance(row["precision_difference"])
    loss = beyond_chance(row["difference"])
    how = "Never retrained" if row["days"] is None else f"Retrained {row['name']}"
    beside = agreed["name"]
    if top == loss == 0:
        return (
            f"{how}, it cannot be told apart from {beside}: neither at the top "
            f"({_top_interval(row)}) nor in its probabilities, which {_said(row)} "
            f"({_loss_interval(row)})."
        )
    return f"{how}, {_at_top(row, top, beside)}, and {_probabilities(row, loss)}."


def _at_top(row: dict[str, Any], sign: int, beside: str) -> str:
    if sign == 0:
        return f"the top cannot be told apart from {beside} ({_top_interval(row)})"
    value, low, high = row["precision_difference"]
    more = "more" if sign > 0 else "fewer"
    return (
        f"of 100 places at the top {_counted(abs(value), low, high)} {more} were "
        f"followed by a conversion than {beside} ({_interval(low, high)})"
    )


def _probabilities(row: dict[str, Any], sign: int) -> str:
    if sign == 0:
        return (
            f"the probabilities cannot be told apart: they {_said(row)} "
            f"({_loss_interval(row)})"
        )
    worse = "worse" if sign > 0 else "better"
    return (
        f"the probabilities were {worse} by more than chance ({_loss_interval(row)}): "
        f"on average they {_said(row)}"
    )


def _said(row: dict[str, Any]) -> str:
    return f"said {percent(row['said'])} where {percent(row['happened'])} converted"


def _top_interval(row: dict[str, Any]) -> str:
    value, low, high = row["precision_difference"]
    n = decimals(value, low, high)
    return f"a difference of {_signed(value, n)} in 100, {_interval(low, high)}"


def _loss_interval(row: dict[str, Any]) -> str:
    value, low, high = row["difference"]
    return f"log loss {_fine(value)}, 95% interval {_fine(low)} to {_fine(high)}"


def _interval(low: float, high: float) -> str:
    n = decimals(low, high)
    return f"95% interval {_signed(low, n)} to {_signed(high, n)}"


def _counted(value: float, *others: float) -> str:
    return of_100(value, decimals(value, *others))


def _signed(share: float, n_decimals: int) -> str:
    """Return so many of a hundred with a sign; what rounds to nothing has none."""
    text = of_100(abs(share), n_decimals)
    return text if float(text) == 0 else f"{_sign(share)}{text}"


def _fine(difference: float) -> str:
    text = f"{abs(difference):.4f}"
    return text if float(text) == 0 else f"{_sign(difference)}{text}"


def _sign(value: float) -> str:
    return "\N{MINUS SIGN}" if value < 0 else "+"


def _read(agreed: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """Return what follows for the cadence that is agreed."""
    by = {how: listed(_named(others, how)) for how in ("better", "worse", "mixed")}
    if not any(by.values()):
        return _LEVEL
    said = []
    if by["better"]:
        said.append(f"Better than {agreed['name']} was {by['better']}.")
    if by["worse"]:
        said.append(f"Worse than {agreed['name']} was {by['worse']}.")
    if by["mixed"]:
        said.append(f"Better in one and worse in the other was {by['mixed']}.")
    return f"{' '.join(said)} {_ONE_PAST}"


def _named(rows: list[dict[str, Any]], how: str) -> list[str]:
    named = [row for row in rows if standing(row) == how]
    return [
        "never retraining" if row["days"] is None else f"retraining {row['name']}"
        for row in named
    ]


_ONE_PAST = (
    "This is one stretch of the past, and the intervals know the chance in what was "
    "judged, not in what each model happened to learn from: a small difference may "
    "turn round."
)
_LEVEL = (
    "In this stretch of the past, nothing shows that the cadence matters. It does not "
    "follow that it never will: only by retraining does a model learn that the world "
    "has changed."
)


def _table(rows: list[dict[str, Any]], agreed: dict[str, Any]) -> Table:
    return Table(
        "The cadences on the same later places",
        _COLUMNS,
        tuple(_cells(row) for row in rows),
        strong=agreed["name"],
    )


def _cells(row: dict[str, Any]) -> tuple[Cell, ...]:
    is_agreed = row["is_agreed"]
    return (
        row["name"],
        f"{row['n_fits']:,}",
        _hundreds(row["precision"]),
        _DASH if is_agreed else _hundreds(row["precision_difference"], _signed),
        percent(row["said"]),
        percent(row["happened"]),
        Lines(bounded(row["log_loss"])),
        _DASH if is_agreed else _in_lines(*map(_fine, row["difference"])),
    )


_DASH = "\N{EN DASH}"


def _hundreds(bounds: Bounds, write: Callable[[float, int], str] = of_100) -> Lines:
    known = [float("nan") if x is None else x for x in bounds]
    n = decimals(*known)
    return _in_lines(*(write(share, n) for share in known))


def _in_lines(value: str, low: str, high: str) -> Lines:
    return Lines((value, f"[{low}, {high}]"))
