"""Quarantine: what it cost and saved, counted by hand."""

from __future__ import annotations

import pandas as pd

from leadscore.agreement import parse_agreement
from leadscore.policy import Threshold
from leadscore.promise import Slice
from leadscore.quarantine import cost_of_quarantine, quarantine_words

START = pd.Timestamp("2025-01-01", tz="UTC").as_unit("us")
AGREEMENT = parse_agreement("[movement]\nquarantine_days = 7\n")
THRESHOLDS = {
    "MQL": Threshold("MQL", 0.5, ""),
    "SQL": Threshold("SQL", None, "not issued"),
}


def slice_of(lives: dict[str, tuple[list[float], list[int]]]) -> Slice:
    """A slice of leads, each with its probability and outcome week by week."""
    rows = [
        {
            "lead_id": lead,
            "group": lead,
            "as_of": START + pd.Timedelta(days=7 * week),
            "probability": p,
            "converted": float(converted[week]),
        }
        for lead, (said, converted) in sorted(lives.items())
        for week, p in enumerate(said)
    ]
    held_out = pd.DataFrame(rows).assign(is_raised=False, may_mql=True, may_sql=True)
    return Slice(held_out, held_out, START, 1.0, START)


def test_who_fell_back_within_the_quarantine_was_avoided_or_missed() -> None:
    """Two dip after a week; a third stays, converts, and enters a week late."""
    found = slice_of(
        {
            "dips": ([0.9, 0.1, 0.1], [0, 0, 0]),
            "dips and converts": ([0.9, 0.1, 0.1], [1, 1, 1]),
            "stays and converts": ([0.9, 0.9, 0.9], [1, 1, 1]),
            "stays": ([0.9, 0.9, 0.9], [0, 0, 0]),
        }
    )
    cost = cost_of_quarantine(found, THRESHOLDS, AGREEMENT)
    assert cost == {"MQL": {"avoided": 1, "missed": 1, "delayed": 1, "days": 7.0}}
    assert quarantine_words(cost, 7) == (
        "On the held-out leads the quarantine of 7 days kept 1 out of MQL that did not "
        "convert, and 1 that did; 1 that converted entered later, by 7 days on "
        "average.",
    )


def test_without_a_quarantine_nothing_is_said() -> None:
    at_once = parse_agreement("[movement]\nquarantine_days = 0\n")
    found = slice_of({"stays": ([0.9], [1])})
    assert cost_of_quarantine(found, THRESHOLDS, at_once) == {}
