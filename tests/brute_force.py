"""What the kernel's columns should be, one snapshot after another, in plain Python.

A second opinion beside `tests.oracle`: loops over lists, whole numbers of microseconds,
days by the standard library. No array and no frame takes part in the arithmetic.
"""

from __future__ import annotations

import datetime
import fnmatch
import itertools
import math
import zoneinfo
from typing import Any, NamedTuple

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features.catalogue import Catalogue

DAY = datetime.timedelta(days=1)
US = datetime.timedelta(microseconds=1)


class Fact(NamedTuple):
    """One interaction; facts sort as they happened, then by what they say."""

    occurred: datetime.datetime
    known: datetime.datetime
    kind: str
    channel: str  # empty: none
    content: str
    duration: float


def expected(
    interactions: pd.DataFrame,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
) -> dict[str, list[Any]]:
    """Return what `leadscore.features.build.behaviour` should return, by column."""
    found: dict[str, list[Any]] = {column.name: [] for column in catalogue.columns}
    histories = _histories(interactions, agreement)
    for lead, as_of in zip(snapshots["lead_id"], snapshots["as_of"], strict=True):
        now = as_of.to_pydatetime()
        seen = [
            fact
            for fact in histories.get(lead, [])
            if fact.occurred < now and fact.known < now
        ]
        for column in catalogue.columns:
            value = _value(column.makes, seen, now, catalogue, agreement.zone)
            found[column.name].append(value)
    return found


def _histories(
    interactions: pd.DataFrame, agreement: Agreement
) -> dict[str, list[Fact]]:
    histories: dict[str, list[Fact]] = {}
    for row in interactions.to_dict("records"):
        if row["kind"] not in agreement.features.deny:
            fact = Fact(
                row["occurred_at"].to_pydatetime(),
                row["known_at"].to_pydatetime(),
                row["kind"],
                "" if pd.isna(row["channel"]) else row["channel"],
                "" if pd.isna(row["content"]) else row["content"],
                0.0 if pd.isna(row["duration_s"]) else row["duration_s"],
            )
            histories.setdefault(row["lead_id"], []).append(fact)
    return {lead: sorted(facts) for lead, facts in histories.items()}


def _value(
    makes: Any,
    seen: list[Fact],
    now: datetime.datetime,
    catalogue: Catalogue,
    zone: zoneinfo.ZoneInfo,
) -> Any:
    days = getattr(makes, "days", None)
    inside = [f for f in seen if days is None or f.occurred >= now - days * DAY]
    match makes.does:
        case "count":
            return len([f for f in inside if _counts(makes, f, catalogue)])
        case "recency":
            times = [f.occurred for f in seen if _counts(makes, f, catalogue)]
            return (now - max(times)) / DAY if times else math.nan
        case "decay":
            return math.fsum(_weight(makes, f) * _left(makes, f, now) for f in seen)
        case "active_days":
            return len({f.occurred.astimezone(zone).date() for f in inside})
        case "distinct":
            return len({f.content for f in inside} - {""})
        case "sum":
            return math.fsum(f.duration for f in inside)
        case "longest_gap":
            return max(_gaps(seen)) / DAY if len(seen) > 1 else math.nan
        case "gaps_over":
            return len([gap for gap in _gaps(seen) if gap > 14 * DAY])
        case "first":
            if not seen or not seen[0].channel:
                return None
            is_known = seen[0].channel in catalogue.channels
            return seen[0].channel if is_known else "other"


def _counts(makes: Any, fact: Fact, catalogue: Catalogue) -> bool:
    if makes.kind is not None:
        return fact.kind == makes.kind
    if makes.channel is not None:
        return fact.channel == makes.channel
    if makes.group is not None:
        patterns = catalogue.groups[makes.group]
        return fact.content != "" and any(
            fnmatch.fnmatchcase(fact.content, pattern) for pattern in patterns
        )
    return True


def _weight(makes: Any, fact: Fact) -> float:
    return makes.weights.get(fact.kind, makes.default)


def _left(makes: Any, fact: Fact, now: datetime.datetime) -> float:
    if makes.half_life_days is None:
        return 1.0
    return 0.5 ** (((now - fact.occurred) // US) / (makes.half_life_days * (DAY // US)))


def _gaps(seen: list[Fact]) -> list[datetime.timedelta]:
    times = [fact.occurred for fact in seen]
    return [later - at for at, later in itertools.pairwise(times)]
