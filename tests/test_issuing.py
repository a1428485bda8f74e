"""Issuing: what a move is called in the ledger, and on which promise a label stands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leadscore.judge import Judged
from leadscore.movement import LEVELS, ROADS, State, fresh
from leadscore.workflows.issuing import changes_of, promise_of, promises_of
from leadscore.workflows.memory import Memory
from tests.small_firm import MODEL_ID, Firm, small_firm

OLD = "SQL 0.2 an-older-model"
NEW = {"MQL": f"MQL 0.15 {MODEL_ID}", "SQL": f"SQL 0.25 {MODEL_ID}"}
NONE = ("NURTURE", None)
MQL, SQL, HAND = ("MQL", "nurtured"), ("SQL", "nurtured"), ("SQL", "hand_raised")

Place = tuple[str, str | None]


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return small_firm(tmp_path_factory.mktemp("firm"), n_leads=30)


def state_of(place: Place) -> State:
    state = fresh((1,))
    state.level[0], state.road[0] = LEVELS.index(place[0]), ROADS.index(place[1])
    return state


def moved(
    before: Place, after: Place, *, carried: str | None = None, is_first: bool = False
) -> tuple[Judged, Memory]:
    label = pd.Series([after[0]], dtype="str")
    said = pd.DataFrame({"label": label})
    was = pd.Series(
        [before[0] if before != NONE or not is_first else None], dtype="str"
    )
    promise = pd.Series([None if is_first else carried], dtype="str")
    nobody = pd.DataFrame({"lead_id": pd.Series([], dtype="str")})
    state = state_of(before)
    found = (state.level > 0) & is_first
    memory = Memory(state, was, promise, found, is_relived=is_first, gone=nobody)
    return Judged(said, said, state_of(after)), memory


def words(texts: pd.Series) -> list[str | None]:
    return [text if isinstance(text, str) else None for text in texts]


@pytest.mark.parametrize(
    ("before", "after", "change", "promise"),
    [
        (NONE, MQL, "issued", NEW["MQL"]),
        (NONE, SQL, "issued", NEW["SQL"]),
        (NONE, HAND, "issued", None),
        (MQL, MQL, "kept", OLD),
        (SQL, SQL, "kept", OLD),
        (HAND, HAND, "kept", None),
        (MQL, SQL, "changed", NEW["SQL"]),
        (MQL, HAND, "changed", None),
        # No entries: nothing was promised of those who fall, or had raised a hand.
        (SQL, MQL, "changed", None),
        (HAND, MQL, "changed", None),
        (HAND, SQL, "changed", None),
        (SQL, HAND, "changed", None),
        (MQL, NONE, "withdrawn", None),
        (HAND, NONE, "withdrawn", None),
        (NONE, NONE, "", None),
    ],
)
def test_a_move_has_a_name_and_a_label_its_promise(
    firm: Firm, before: Place, after: Place, change: str, promise: str | None
) -> None:
    judged, memory = moved(before, after, carried=None if before == HAND else OLD)
    assert changes_of(judged, memory).tolist() == [change]
    stands_on, shown = promise_of(firm.bundle, judged, memory, frozenset())
    assert words(stands_on) == [promise]
    assert words(shown) == [promise]


@pytest.mark.parametrize(
    ("before", "after", "change", "promise"),
    [
        (MQL, MQL, "stock", None),
        (SQL, SQL, "stock", None),
        (HAND, HAND, "stock", None),
        (NONE, MQL, "issued", NEW["MQL"]),
        (MQL, SQL, "changed", NEW["SQL"]),
        (SQL, MQL, "changed", None),
        (HAND, SQL, "changed", None),
        (MQL, NONE, "changed", None),
        (NONE, NONE, "", None),
    ],
)
def test_what_a_first_list_finds_standing_is_stock(
    firm: Firm, before: Place, after: Place, change: str, promise: str | None
) -> None:
    judged, memory = moved(before, after, is_first=True)
    assert changes_of(judged, memory).tolist() == [change]
    stands_on, _ = promise_of(firm.bundle, judged, memory, frozenset())
    assert words(stands_on) == [promise]


def test_a_suspended_promise_is_shown_so_and_kept(firm: Firm) -> None:
    judged, memory = moved(SQL, SQL, carried=OLD)
    stands_on, shown = promise_of(firm.bundle, judged, memory, frozenset([OLD]))
    assert (stands_on[0], shown[0]) == (OLD, "suspended")


@pytest.mark.parametrize("clock", ["mql_since", "sql_since"])
def test_who_begins_or_stops_to_wait_has_a_row(clock: str) -> None:
    judged, memory = moved(NONE, NONE)
    getattr(judged.after, clock)[0] = 7
    assert changes_of(judged, memory).tolist() == ["waiting"]
    getattr(memory.before, clock)[0] = 7
    assert changes_of(judged, memory).tolist() == [""]
    getattr(judged.after, clock)[0] = np.iinfo(np.int64).max
    assert changes_of(judged, memory).tolist() == ["waiting"]


def test_who_waits_on_a_first_list_has_a_row() -> None:
    judged, memory = moved(NONE, NONE, is_first=True)
    for state in (judged.after, memory.before):
        state.mql_since[0] = 7
    assert changes_of(judged, memory).tolist() == ["waiting"]


def test_who_was_disqualified_is_told_once() -> None:
    judged, memory = moved(NONE, ("NURTURE", None))
    judged.said["label"] = "DISQUALIFIED"
    assert changes_of(judged, memory).tolist() == ["changed"]
    memory.label[0] = "DISQUALIFIED"
    assert changes_of(judged, memory).tolist() == [""]


def test_a_promise_is_kept_with_what_it_is_about(firm: Firm) -> None:
    both = {of["label"]: of for of in promises_of(firm.bundle)}
    assert {of["id"] for of in both.values()} == set(NEW.values())
    assert both["MQL"]["text"] == (
        "Of the leads entering MQL or better like those of 2025-01-01 to 2025-06-01, "
        "worked as then, at least 15% convert within 90 days, 95% confidence."
    )
    assert both["SQL"]["text"].startswith("Of the leads entering SQL like those of")
