"""How labels move, once more: one lead at a time, from its whole past, in plain Python.

Nothing is shared with leadscore, and nothing is carried from look to look but what a
salesperson could tell: the label that was shown, and the label that the probability
alone had given. Whether a quarantine has passed is looked up in the past each time.
Instants are whole days. A probability may be NaN: it reaches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

RANK = {"NURTURE": 0, "MQL": 1, "SQL": 2}
INFINITE = float("inf")


@dataclass(frozen=True)
class Look:
    """One look at one lead."""

    day: int
    probability: float
    is_raised: bool = False
    may_mql: bool = True
    may_sql: bool = True

    def may(self, label: str) -> bool:
        return self.may_sql if label == "SQL" else self.may_mql


@dataclass(frozen=True)
class Rules:
    """From where a label is issued, down to where it is kept, after how many days."""

    issue: dict[str, float]
    keep: dict[str, float]
    quarantine: int


@dataclass(frozen=True)
class Shown:
    """What is shown of a lead after a look."""

    label: str
    road: str | None
    since: int | None


def is_above(look: Look, label: str, rules: Rules) -> bool:
    return look.may(label) and look.probability >= rules.issue[label]


def has_passed(past: list[Look], label: str, rules: list[Rules]) -> bool:
    """Was the lead above at every look back to one that lies a quarantine ago?"""
    for look, then in zip(reversed(past), reversed(rules), strict=True):
        if not is_above(look, label, then):
            return False
        if past[-1].day - look.day >= rules[-1].quarantine:
            return True
    return False


def tell(looks: list[Look], of: Rules, *, suspended_from: int = 99) -> list[Shown]:
    """Return what is shown after each look; from one on, nothing may be issued."""
    closed = Rules(dict.fromkeys(of.issue, INFINITE), of.keep, of.quarantine)
    rules = [closed if i >= suspended_from else of for i in range(len(looks))]
    told: list[Shown] = []
    alone = "NURTURE"  # the label that the probability alone gives
    shown = Shown("NURTURE", None, None)
    for i, look in enumerate(looks):
        stood, alone = alone, "NURTURE"
        for label in ("MQL", "SQL"):
            is_kept = (
                RANK[stood] >= RANK[label]
                and look.may(label)
                and look.probability >= of.keep[label]
            )
            if is_kept or has_passed(looks[: i + 1], label, rules[: i + 1]):
                alone = label
        label, road = alone, "nurtured" if alone != "NURTURE" else None
        was_there = shown.label == "SQL" and shown.road == "nurtured"
        if look.is_raised and not (alone == "SQL" and was_there):
            label, road = "SQL", "hand_raised"
        since = shown.since if label == shown.label else look.day
        shown = Shown(label, road, since if label != "NURTURE" else None)
        told.append(shown)
    return told
