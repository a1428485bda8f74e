"""The audit once more, in plain loops over plain rows: what the fast one must equal.

Nothing is shared with leadscore but the words. Instants are whole days as integers; a
world is small enough to be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LEVEL = {"DISQUALIFIED": 0, "NURTURE": 0, "MQL": 1, "SQL": 2}


@dataclass(frozen=True)
class Row:
    lead: str
    day: int
    change: str
    label: str
    road: str | None
    model: str
    since: int | None = None  # None: the label began with this row


@dataclass
class World:
    rows: list[Row]
    conversions: list[tuple[str, float, float]]  # lead, occurred, known
    accounts: dict[str, str | None]
    horizon: int = 3
    lag: int = 1


@dataclass
class Expected:
    entries: list[tuple[str, int]] = field(default_factory=list)
    n_gone: int = 0
    n_aside: int = 0
    n_open: int = 0
    n_matured: int = 0
    n_converted: int = 0
    broken_since: int | None = None


def stands(row: Row | None, label: str) -> bool:
    if row is None or row.change == "left":
        return False
    return LEVEL[row.label] >= LEVEL[label]


def stood_before_the_ledger(row: Row, label: str) -> bool:
    """Where a lead's first row is a change, from which label?"""
    if row.change != "changed" or LEVEL[row.label] == 0:
        return False
    if row.since is not None and row.since < row.day:  # only its road changed
        return LEVEL[row.label] >= LEVEL[label]
    return row.label == "MQL" or label == "MQL"  # from SQL, or from MQL to SQL


def reigns(world: World, model: str, at: int) -> list[list[int]]:
    """The stretches of days on which only this model wrote rows."""
    found: list[list[int]] = []
    before = None
    for day in sorted({row.day for row in world.rows if row.day < at}):
        writer = next(row.model for row in world.rows if row.day == day)
        if writer == model:
            if before != model:
                found.append([])
            found[-1].append(day)
        before = writer
    return found


def entries(world: World, label: str, model: str, at: int) -> list[tuple[str, int]]:
    found = []
    for lead in sorted({row.lead for row in world.rows}):
        own = sorted((r for r in world.rows if r.lead == lead), key=lambda r: r.day)
        first = None
        for days in reigns(world, model, at):
            earlier = [row for row in own if row.day < days[0]]
            during = [row for row in own if row.day in days]
            stock = any(r.change == "stock" and stands(r, label) for r in during)
            if stock or stands(earlier[-1] if earlier else None, label):
                continue
            if during and not earlier and stood_before_the_ledger(during[0], label):
                continue
            last = earlier[-1] if earlier else None
            for row in during:
                if first is None and stands(row, label) and not stands(last, label):
                    first = row
                last = row
        if first is not None and first.road == "nurtured":
            found.append((lead, first.day))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))


def expect(
    world: World,
    label: str,
    model: str,
    at: int,
    *,
    expires: int = 10_000,
    target: float = 0.5,
    alpha: float = 0.05,
) -> Expected:
    result = Expected()
    accounts_seen = set()
    for lead, day in entries(world, label, model, at):
        if day >= expires:
            continue
        if lead not in world.accounts:
            result.n_gone += 1
            continue
        account = world.accounts[lead]
        if account is not None:
            if account in accounts_seen:
                continue
            accounts_seen.add(account)
        result.entries.append((lead, day))
    fates = [fate(world, lead, day, at) for lead, day in result.entries]
    result.n_aside = fates.count("aside")
    result.n_open = fates.count("open")
    result.n_converted = fates.count("yes")
    result.n_matured = fates.count("yes") + fates.count("no")
    for look in range(at + 1):
        then = [fate(world, lead, day, look) for lead, day in result.entries]
        if result.broken_since is None and {"yes", "no"} & set(then):
            evidence = against(then.count("yes"), then.count("no"), target)
            if evidence >= 1 / alpha:
                result.broken_since = look
    return result


def fate(world: World, lead: str, entered: int, at: int) -> str:
    """What is known at an instant of a lead that entered."""
    known = [c[1] for c in world.conversions if c[0] == lead and c[2] < at]
    if any(occurred < entered for occurred in known):
        return "aside"
    if entered + world.horizon + world.lag > at:
        return "open"
    in_time = any(entered <= when < entered + world.horizon for when in known)
    return "yes" if in_time else "no"


def against(n_yes: int, n_no: int, target: float) -> float:
    """The mean of six likelihood ratios."""
    ratios = []
    for share in (0.2, 0.45, 0.65, 0.8, 0.9, 0.96):
        q = share * target
        ratios.append((q / target) ** n_yes * ((1 - q) / (1 - target)) ** n_no)
    return math.fsum(ratios) / len(ratios)
