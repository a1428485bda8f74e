"""New kinds: counted, and told once, in a sentence."""

from __future__ import annotations

import pandas as pd

from leadscore.workflows.new_kinds import about_new_kinds, new_kinds
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    interactions_of,
    log_of,
    moment,
)


def found(rows, as_of: int = 10) -> list[tuple[str, int, int]]:
    log = log_of(interactions_of((*row, None, None, None) for row in rows))
    return new_kinds(log, CATALOGUE, AGREEMENT.features.deny, moment(as_of))


def test_only_what_no_training_saw_and_was_known_before_counts() -> None:
    rows = [
        ("L1", 1, 1, "chat"),
        ("L1", 2, 2, "chat"),
        ("L2", 3, 3, "chat"),
        ("L3", 3, 10, "chat"),  # known at as_of
        ("L1", 1, 1, "page_view"),  # a column of its own
        ("L1", 1, 1, "call"),  # denied
        ("L9", 12, 12, "fax"),
    ]
    assert found(rows) == [("chat", 3, 2)]
    assert found([]) == []


def test_the_sentence_names_five_and_counts_the_rest() -> None:
    assert about_new_kinds([]) == ()
    assert about_new_kinds([("chat_message", 312, 45), ("sms", 1, 1)]) == (
        "kinds that the model has not learned from, counted in totals only: "
        "chat_message (312 rows, 45 leads), sms (1 row, 1 lead)",
    )
    many = [(f"k{n}", 9 - n, 1) for n in range(7)]
    (said,) = about_new_kinds(many)
    assert said.endswith("k4 (5 rows, 1 lead), and 2 more")


def test_the_sample_has_no_new_kinds(bundle, tables) -> None:
    then = pd.Timestamp("2026-01-01T00:00Z")
    denied = bundle.agreement.features.deny
    assert new_kinds(tables.interactions, bundle.catalogue, denied, then) == []
