"""Words: what a label promises, or why not, as people read it."""

from __future__ import annotations

import math
from typing import Any

from leadscore.agreement import LabelRule
from leadscore.metrics import proportion_interval
from leadscore.promise.counted import Counted
from leadscore.promise.power import POWER

__all__ = ["aim_of", "nobody_enters", "outlook", "why_promised"]


def aim_of(label: str, rule: LabelRule) -> str:
    """Return what a label is to promise, or to take."""
    name = "MQL or better" if label == "MQL" else label
    if rule.precision is None:
        return f"{name} takes {rule.capacity_per_week:g} leads a week"
    return (
        f"{name} promises {rule.precision:.0%} of those who enter "
        f"({rule.confidence:.0%})"
    )


def why_promised(
    rule: LabelRule, label: str, counted: Counted, precision: float | None
) -> str:
    """Return what came of those who entered, beside what is promised."""
    aim, sure = aim_of(label, rule), rule.confidence
    n, n_converted = counted.n, counted.n_converted
    low, high = proportion_interval(n_converted, n, confidence=sure)
    said = (
        f"of {n} held-out leads (accounts) that entered, {n_converted} converted "
        f"({n_converted / max(n, 1):.0%}, {sure:.0%} interval {low:.0%} to {high:.0%})"
    )
    if precision is None:
        return f"{aim}; {said}, too few to promise anything."
    if rule.precision is None:
        return f"{aim}, and promises {precision:.0%} of those who enter; {said}."
    return f"{aim}; {said}."


def nobody_enters(rule: LabelRule) -> str:
    """Return that no lead enters, whatever the threshold."""
    gate = f" of fit {rule.min_fit} or better" if rule.min_fit else ""
    return (
        f"no held-out lead{gate} enters at a threshold that was tried, so it is not "
        "issued by probability."
    )


def outlook(facts: dict[str, Any]) -> str:
    """Return what would make a promise possible, and what is possible today."""
    n_more = facts["n_more"]
    if n_more is None:
        said = (
            "No threshold is expected to reach it, however many outcomes come: promise "
            "less"
        )
    elif n_more == 0:
        said = (
            "Enough leads enter for it: later outcomes will most likely prove it, this "
            "time chance was against it"
        )
    else:
        said = (
            f"About {n_more:,} more held-out leads that enter, with their outcome, "
            f"would prove it in {POWER:.0%} of cases"
        )
    if facts["possible"] < 0.01:
        return f"{said}."
    return f"{said}; today {math.floor(facts['possible'] * 100)}% could be promised."
