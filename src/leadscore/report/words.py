"""Numbers and dates as people write them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence

import pandas as pd

__all__ = [
    "bounded",
    "day",
    "decimals",
    "listed",
    "of_100",
    "percent",
    "span",
]

Bounds = Sequence[float | None]  # value, low, high; null where it cannot be measured


def decimals(*shares: float) -> int:
    """Return how many decimals per cent tell these shares from zero."""
    least = min((abs(share) for share in shares if share), default=1.0)
    return next((n for n in (0, 1) if 100 * least >= 10**-n), 2)


def of_100(share: float, n_decimals: int = 0) -> str:
    """Return a share as so many of a hundred."""
    return f"{100 * share:.{n_decimals}f}"


def percent(share: float) -> str:
    """Return a share with the decimals that it needs: 26%, 1.4%, 0%."""
    return f"{of_100(share, decimals(share / 3))}%"


def span(bounds: Bounds) -> str:
    """Return the interval of (value, low, high) in per cent."""
    _, low, high = bounds
    if low is None or high is None:
        return "not measured"
    return f"{percent(low)} to {percent(high)}"


def bounded(bounds: Bounds | None) -> tuple[str, ...]:
    """Return the value and below it ``[low, high]``; a dash for what is null."""
    if bounds is None or bounds[0] is None:
        return ("\N{EN DASH}",)
    value, low, high = bounds
    if low is None or high is None:
        return (f"{value:.3f}",)
    return f"{value:.3f}", f"[{low:.3f}, {high:.3f}]"


def day(instant: str | None, zone: zoneinfo.ZoneInfo) -> str:
    """Return the day of an instant where the firm is: 1 January 2026."""
    if instant is None:
        return "\N{EN DASH}"
    local = pd.Timestamp(instant).tz_convert(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def listed(words: Sequence[str]) -> str:
    """Return words with commas and an and; nothing where there are none."""
    first, last = words[:-1], words[-1:]
    return " and ".join(filter(None, [", ".join(first), *last]))


# Not by strftime: the language of a page is not that of the machine.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
