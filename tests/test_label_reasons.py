"""Label reasons: every state and every change has a sentence that reads well aloud."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import parse_agreement
from leadscore.label_reasons import say_labels
from leadscore.movement import (
    MQL,
    NOBODY,
    NURTURED,
    RAISED,
    SQL,
    Seen,
    State,
    advance,
    fresh,
    lines_of,
)
from leadscore.policy import Threshold
from leadscore.snapshots import DAY_US
from tests.examples import examples
from tests.seen_rows import AGREEMENT, observed

TODAY = pd.Timestamp("2025-03-10T00:00", tz="Europe/Paris").tz_convert("UTC")
TODAY_US = int(TODAY.as_unit("us").asm8.astype("int64"))


def thresholds(
    mql: float | None = 0.1, sql: float | None = 0.3
) -> dict[str, Threshold]:
    return {"MQL": Threshold("MQL", mql, ""), "SQL": Threshold("SQL", sql, "")}


def stood(
    level: int = NOBODY,
    road: int = NURTURED,
    *,
    days: int = 30,
    waiting: tuple[int, ...] = (),
) -> State:
    """A lead that has stood in a level, or waited for levels, for so many days."""
    state = fresh((1,))
    state.level[0], state.road[0] = level, road if level else 0
    state.nurtured[0] = level if road == NURTURED else NOBODY
    ago = TODAY_US - days * DAY_US
    state.since[0] = ago if level else state.since[0]
    for name, of in (("mql_since", MQL), ("sql_since", SQL)):
        if of in waiting or state.nurtured[0] >= of:
            getattr(state, name)[0] = ago
    return state


LONG = stood(waiting=(MQL, SQL))  # above all thresholds long enough


def tell(
    before: State = LONG,
    *,
    at: dict[str, Threshold] | None = None,
    suspended: frozenset[str] = frozenset(),
    **changes: object,
) -> tuple[str, str | None, str]:
    """Return label, road and reason of one row after today's list."""
    seen = observed(changes)
    at = thresholds() if at is None else at
    columns = ["probability", "is_raised", "may_mql", "may_sql"]
    looks = Seen(np.array([TODAY_US]), *(seen[name].to_numpy() for name in columns))
    after = advance(before, looks, lines_of(at, AGREEMENT, suspended=suspended))
    said = say_labels(seen, before, after, at, AGREEMENT, suspended=suspended).iloc[0]
    road = said["road"] if isinstance(said["road"], str) else None
    return said["label"], road, said["label_reason"]


NEW = stood()
IS_MQL, IS_SQL = stood(MQL), stood(SQL)
BY_HAND = stood(SQL, RAISED)

TABLE = [
    # Nothing happens.
    (NEW, {}, "NURTURE", "Probability 5.0% is below MQL's 10.0%."),
    (
        NEW,
        {"probability": np.nan},
        "NURTURE",
        "No probability: too little was known when the model was made.",
    ),
    # Issued, and kept.
    (
        LONG,
        {"probability": 0.1},
        "MQL",
        "Probability 10.0% reaches MQL's 10.0%; fit A.",
    ),
    (
        LONG,
        {"probability": 0.3},
        "SQL",
        "Probability 30.0% reaches SQL's 30.0%; fit A.",
    ),
    (
        IS_MQL,
        {"probability": 0.085, "fit_grade": None, "missing": "country, industry"},
        "MQL",
        "MQL kept: probability 8.5% is below the 10.0% at which it is issued, but not "
        "below the 8.0% at which it is taken back; fit unknown.",
    ),
    # Not SQL, and why.
    (
        LONG,
        {"probability": 0.4, "fit_grade": "C"},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit C; not SQL: fit C is below B.",
    ),
    (
        LONG,
        {"probability": 0.4, "fit_grade": None, "missing": "country, industry"},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit unknown; "
        "not SQL: fit unknown, ask for country, industry.",
    ),
    (
        LONG,
        {"probability": 0.4, "missing": "country, industry"},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit A; "
        "not SQL: too little is known, ask for country, industry.",
    ),
    (
        LONG,
        {"probability": 0.4, "engagement": 0.5},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit A; "
        "not SQL: engagement 1 is below 2.",
    ),
    # Waiting.
    (
        NEW,
        {"probability": 0.15},
        "NURTURE",
        "Probability 15.0% reaches MQL's 10.0%; "
        "MQL from 2025-03-17 on, if it stays at 10.0% or above.",
    ),
    (
        NEW,
        {"probability": 0.4},
        "NURTURE",
        "Probability 40.0% reaches MQL's 10.0%; "
        "SQL from 2025-03-17 on, if it stays at 30.0% or above; "
        "MQL from 2025-03-17 on, if it stays at 10.0% or above.",
    ),
    (
        IS_MQL,
        {"probability": 0.4},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit A; "
        "SQL from 2025-03-17 on, if it stays at 30.0% or above.",
    ),
    # Fallen, and taken back.
    (
        IS_SQL,
        {"probability": 0.2},
        "MQL",
        "MQL after SQL: probability 20.0% fell below the 24.0% at which SQL is taken "
        "back; 20.0% reaches MQL's 10.0%; fit A.",
    ),
    (
        IS_SQL,
        {"probability": 0.09},
        "MQL",
        "MQL after SQL: probability 9.0% fell below the 24.0% at which SQL is taken "
        "back; 9.0% keeps MQL down to 8.0%; fit A.",
    ),
    (
        IS_SQL,
        {"probability": 0.4, "engagement": 0.5},
        "MQL",
        "MQL after SQL: engagement 1 is below 2; 40.0% reaches MQL's 10.0%; fit A; "
        "not SQL: engagement 1 is below 2.",
    ),
    (
        IS_MQL,
        {"probability": 0.07},
        "NURTURE",
        "MQL withdrawn: probability 7.0% fell below the 8.0% at which MQL is taken "
        "back.",
    ),
    (
        IS_SQL,
        {"probability": 0.4, "rejected_days": 3.0, "rejected_reason": "no budget"},
        "NURTURE",
        "SQL withdrawn: sales rejected the lead (no budget) 3 days ago, it rests for "
        "90 days.",
    ),
    (
        IS_SQL,
        {"probability": 0.4, "left": 0.2},
        "NURTURE",
        "SQL withdrawn: the lead unsubscribed within a day.",
    ),
    (
        NEW,
        {"probability": 0.4, "rejected_days": 3.0},
        "NURTURE",
        "Probability 40.0% reaches MQL's 10.0%; not MQL or SQL: sales rejected the "
        "lead 3 days ago, it rests for 90 days.",
    ),
    (
        NEW,
        {"probability": 0.4, "left": 1.0},
        "NURTURE",
        "Probability 40.0% reaches MQL's 10.0%; not MQL or SQL: the lead unsubscribed "
        "1 day ago.",
    ),
    # Hands.
    (
        NEW,
        {"demo": 3.2},
        "SQL",
        "Asked to be contacted (demo request, 3 days ago); fit A.",
    ),
    (
        IS_MQL,
        {"demo": 3.2, "probability": 0.2},
        "SQL",
        "Asked to be contacted (demo request, 3 days ago); fit A.",
    ),
    (
        IS_SQL,
        {"demo": 3.2, "probability": 0.4},
        "SQL",
        "Probability 40.0% reaches SQL's 30.0%; fit A; "
        "it has asked to be contacted (demo request, 3 days ago), too.",
    ),
    (
        NEW,
        {"demo": 3.2, "fit_grade": "D"},
        "NURTURE",
        "Asked to be contacted (demo request, 3 days ago), but fit D; "
        "probability 5.0% is below MQL's 10.0%.",
    ),
    (
        LONG,
        {"demo": 3.2, "fit_grade": "D", "probability": 0.2},
        "MQL",
        "Probability 20.0% reaches MQL's 10.0%; fit D; "
        "asked to be contacted (demo request, 3 days ago), but fit D.",
    ),
    (
        NEW,
        {"demo": 30.5},
        "NURTURE",
        "Probability 5.0% is below MQL's 10.0%.",
    ),
    (
        BY_HAND,
        {"demo": 30.5},
        "NURTURE",
        "SQL withdrawn: the raised hand no longer counts; "
        "probability 5.0% is below MQL's 10.0%.",
    ),
    (
        stood(SQL, RAISED, waiting=(MQL,)),
        {"demo": 30.5, "probability": 0.2},
        "MQL",
        "MQL after SQL: the raised hand no longer counts; 20.0% reaches MQL's 10.0%; "
        "fit A.",
    ),
    (
        BY_HAND,
        {"demo": 30.5, "probability": 0.4},
        "NURTURE",
        "SQL withdrawn: the raised hand no longer counts; "
        "probability 40.0% reaches MQL's 10.0%; "
        "SQL from 2025-03-17 on, if it stays at 30.0% or above; "
        "MQL from 2025-03-17 on, if it stays at 10.0% or above.",
    ),
    (
        BY_HAND,
        {"demo": 9.0, "rejected_days": 2.0, "rejected_reason": "no budget"},
        "NURTURE",
        "SQL withdrawn: asked to be contacted (demo request, 9 days ago), but sales "
        "rejected the lead (no budget) since; probability 5.0% is below MQL's 10.0%.",
    ),
    (
        BY_HAND,
        {"demo": 9.0, "left": 2.0},
        "NURTURE",
        "SQL withdrawn: asked to be contacted (demo request, 9 days ago), but the lead "
        "unsubscribed since; probability 5.0% is below MQL's 10.0%.",
    ),
    # Off the list.
    (
        NEW,
        {"status": "lost", "probability": np.nan, "demo": 2.0},
        "SQL",
        "Asked to be contacted (demo request, 2 days ago); fit A; "
        "no probability: the lead is lost.",
    ),
    (
        NEW,
        {"status": "too old", "probability": np.nan, "demo": 2.0},
        "SQL",
        "Asked to be contacted (demo request, 2 days ago); fit A; "
        "no probability: the lead is too old for the list (over 365 days).",
    ),
    (
        NEW,
        {"probability": np.nan, "demo": 2.0},
        "SQL",
        "Asked to be contacted (demo request, 2 days ago); fit A; "
        "no probability: too little was known when the model was made.",
    ),
    (
        NEW,
        {"status": "lost", "probability": np.nan, "demo": 2.0, "fit_grade": "D"},
        "NURTURE",
        "The lead is lost; asked to be contacted (demo request, 2 days ago), but fit "
        "D.",
    ),
    (
        IS_MQL,
        {"status": "too old", "probability": np.nan},
        "NURTURE",
        "MQL withdrawn: the lead is too old for the list (over 365 days).",
    ),
    (
        NEW,
        {"status": "disqualified", "probability": np.nan, "demo": 1.0},
        "DISQUALIFIED",
        "Disqualified by then.",
    ),
    (
        IS_SQL,
        {"status": "disqualified", "probability": np.nan},
        "DISQUALIFIED",
        "SQL withdrawn: disqualified by then.",
    ),
]


@pytest.mark.parametrize(("before", "changes", "label", "reason"), TABLE)
def test_a_label_and_its_sentence(
    before: State, changes: dict[str, object], label: str, reason: str
) -> None:
    given_, _, why = tell(before, **changes)
    assert (given_, why) == (label, reason)


CURIOUS: dict[str, object] = {"n_ever": 3.0, "fit_grade": "C", "probability": 0.4}


def test_curiosity_alone_is_called_so() -> None:
    agreement = parse_agreement("[labels.SQL]\nprecision = 0.3\n")
    seen = observed(CURIOUS, agreement=agreement)
    columns = ["probability", "is_raised", "may_mql", "may_sql"]
    looks = Seen(np.array([TODAY_US]), *(seen[name].to_numpy() for name in columns))
    after = advance(LONG, looks, lines_of(thresholds(), agreement))
    said = say_labels(seen, LONG, after, thresholds(), agreement)
    assert said["label_reason"].iloc[0] == (
        "Probability 40.0% reaches MQL's 10.0%; fit C; "
        "not SQL: nothing but curiosity so far (email open, like, blog view)."
    )


SUSPENDED = [
    (
        IS_MQL,
        ("MQL",),
        {"probability": 0.15},
        "MQL",
        "Probability 15.0% reaches MQL's 10.0%; fit A; "
        "the promise of MQL is suspended.",
    ),
    (
        IS_MQL,
        ("SQL",),
        {"probability": 0.4},
        "MQL",
        "Probability 40.0% reaches MQL's 10.0%; fit A; "
        "not SQL: its promise is suspended, the list is ranked only.",
    ),
    (
        LONG,
        ("MQL", "SQL"),
        {"probability": 0.4},
        "NURTURE",
        "Probability 40.0% reaches MQL's 10.0%; "
        "not MQL or SQL: its promise is suspended, the list is ranked only.",
    ),
    (
        NEW,
        ("MQL", "SQL"),
        {"probability": 0.4, "demo": 1.0},
        "SQL",
        "Asked to be contacted (demo request, 1 day ago); fit A.",
    ),
]


@pytest.mark.parametrize(("before", "names", "changes", "label", "reason"), SUSPENDED)
def test_a_suspended_label_says_so(
    before: State,
    names: tuple[str, ...],
    changes: dict[str, object],
    label: str,
    reason: str,
) -> None:
    given_, _, why = tell(before, suspended=frozenset(names), **changes)
    assert (given_, why) == (label, reason)


def test_a_label_that_the_new_model_does_not_issue_is_taken_back() -> None:
    only_mql = thresholds(sql=None)
    assert tell(IS_SQL, at=only_mql, probability=0.4)[::2] == (
        "MQL",
        "MQL after SQL: SQL is not issued by probability any more; "
        "40.0% reaches MQL's 10.0%; fit A.",
    )
    assert tell(IS_MQL, at={}, probability=np.nan)[::2] == (
        "NURTURE",
        "MQL withdrawn: MQL is not issued by probability any more; "
        "no probability: too little was known when the model was made.",
    )


def test_a_label_that_is_not_issued_is_not_issued_however_high_the_probability() -> (
    None
):
    assert tell(at=thresholds(sql=None), probability=0.99)[0] == "MQL"
    assert tell(at=thresholds(None, None), probability=0.99)[::2] == (
        "NURTURE",
        "Probability 99.0%; MQL is not issued by probability.",
    )


@pytest.mark.parametrize(
    ("days", "words"), [(0.4, "within a day"), (1.9, "1 day ago"), (2.0, "2 days ago")]
)
def test_days_are_counted_as_people_do(days: float, words: str) -> None:
    assert f"(demo request, {words})" in tell(demo=days)[2]


@pytest.mark.parametrize(
    ("probability", "line", "words"),
    [
        (0.1001, 0.1004, "Probability 10.01% is below MQL's 10.04%."),
        (0.1, 0.1000002, "Probability 10.00000% is below MQL's 10.00002%."),
    ],
)
def test_figures_that_round_to_the_same_get_more_decimals(
    probability: float, line: float, words: str
) -> None:
    assert tell(at=thresholds(line), probability=probability)[2] == words


def test_a_reason_that_sales_wrote_is_told_as_it_is() -> None:
    """Braces and percent signs in it are no instructions."""
    odd = "wants {50%} off; {} said"
    why = tell(NEW, probability=0.4, rejected_days=3.0, rejected_reason=odd)[2]
    assert f"sales rejected the lead ({odd}) 3 days ago" in why


states = st.builds(
    stood,
    st.sampled_from([NOBODY, MQL, SQL]),
    st.sampled_from([NURTURED, RAISED]),
    days=st.sampled_from([0, 3, 7, 40]),
    waiting=st.sampled_from([(), (MQL,), (MQL, SQL)]),
)
days = st.sampled_from([np.nan, 0.0, 0.5, 1.0, 20.0, 200.0])


@settings(max_examples=examples(120), deadline=None)
@given(
    states,
    st.sampled_from([{}, thresholds(), thresholds(sql=None), thresholds(None, None)]),
    st.sampled_from([frozenset(), frozenset(["MQL"]), frozenset(["MQL", "SQL"])]),
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["eligible", "eligible", "lost", "too old"]),
            "fit_grade": st.sampled_from(["A", "C", "D", None]),
            "missing": st.sampled_from(["", "industry", "country, industry", None]),
            "engagement": st.sampled_from([0.0, 5.0]),
            "rejected_days": days,
            "rejected_reason": st.sampled_from([None, "no budget"]),
            "left": days,
            "demo": days,
            "probability": st.sampled_from([np.nan, 0.0, 0.09, 0.1, 0.25, 0.3, 1.0]),
        }
    ),
)
def test_every_state_and_every_change_has_a_sentence(
    before: State,
    at: dict[str, Threshold],
    suspended: frozenset[str],
    changes: dict[str, object],
) -> None:
    if changes["status"] != "eligible":
        changes = changes | {"probability": np.nan}
    label, road, why = tell(before, at=at, suspended=suspended, **changes)
    assert re.fullmatch(r"[A-Z][^{}]+[^;:,. ]\.", why), why
    assert not re.search(r"\bnan\b|None|NaT|  |;;|\.\.|; [A-Z][a-z]", why), why
    assert (road is None) == (label not in ("MQL", "SQL"))
    was = ("NURTURE", "MQL", "SQL")[before.level[0]]
    if was != "NURTURE" and label == "NURTURE":
        assert why.startswith(f"{was} withdrawn: ")
    if (was, label) == ("SQL", "MQL"):
        assert why.startswith("MQL after SQL: ")
    said = why.split("; ")
    assert len(said) == len(set(said)), f"said twice: {why}"
    if road == "nurtured":
        assert ("the promise of" in why) == (label in suspended)
    if np.isnan(changes["probability"]):  # type: ignore[call-overload]
        because = "no probability: too little was known|lead is lost|lead is too old"
        assert re.search(because, why, re.IGNORECASE), why
    if road == "hand_raised":
        assert why.startswith("Asked to be contacted (demo request, ")
