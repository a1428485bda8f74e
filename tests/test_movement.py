"""Movement: labels come, stay and go by one state machine, as plain loops say too."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import movement
from leadscore.agreement import parse_agreement
from leadscore.movement import (
    LEVELS,
    ROADS,
    Lines,
    Seen,
    State,
    advance,
    fresh,
    lines_of,
    quarantine_us,
)
from leadscore.policy import Threshold
from leadscore.snapshots import DAY_US, NEVER
from tests.examples import examples
from tests.movement_oracle import INFINITE, RANK, Look, Rules, Shown, tell

Advance = Callable[[State, Seen, Lines], State]

# Few values, among them the lines themselves: equality is where mistakes hide.
PROBABILITIES = (0.0, 0.05, 0.08, 0.09, 0.1, 0.15, 0.24, 0.27, 0.3, 0.4, math.nan)
probabilities = st.sampled_from(PROBABILITIES)


@st.composite
def gates(draw: st.DrawFn) -> tuple[bool, bool]:
    """Whether MQL and SQL are allowed; who may be SQL may be MQL."""
    may_mql = draw(st.sampled_from([True, True, True, False]))
    return may_mql, may_mql and draw(st.sampled_from([True, True, False]))


@st.composite
def lives(draw: st.DrawFn, *, hands: bool = True) -> list[Look]:
    n_looks = draw(st.integers(1, 9))
    day, looks = 0, []
    for _ in range(n_looks):
        day += draw(st.sampled_from([1, 3, 4, 7]))
        is_raised = hands and draw(st.sampled_from([False, False, True]))
        looks.append(Look(day, draw(probabilities), is_raised, *draw(gates())))
    return looks


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    """Lines with MQL's not above SQL's, one or both perhaps not issued."""
    mql = draw(st.sampled_from([0.1, 0.3, INFINITE]))
    sql = draw(st.sampled_from([at for at in (0.1, 0.3, INFINITE) if at >= mql]))
    share = draw(st.sampled_from([0.8, 1.0]))
    issue = {"MQL": mql, "SQL": sql}
    keep = {label: at * share for label, at in issue.items()}
    return Rules(issue, keep, draw(st.sampled_from([0, 1, 7, 14])))


def lines_for(of: Rules) -> Lines:
    return Lines(
        of.issue["MQL"],
        of.issue["SQL"],
        of.keep["MQL"],
        of.keep["SQL"],
        of.quarantine * DAY_US,
    )


def seen_of(looks: list[Look]) -> Seen:
    """One look at each of some leads, shape (n,)."""
    return Seen(
        np.array([look.day * DAY_US for look in looks]),
        np.array([look.probability for look in looks]),
        np.array([look.is_raised for look in looks]),
        np.array([look.may_mql for look in looks]),
        np.array([look.may_sql for look in looks]),
    )


def walk(
    looks: list[Look],
    of: Rules,
    advance: Advance = advance,
    *,
    suspended_from: int = 99,
) -> tuple[list[Shown], list[State]]:
    """Return what is shown of one lead after each look, and the states."""
    state, shown, states = fresh((1,)), [], []
    closed = replace(of, issue=dict.fromkeys(of.issue, INFINITE))
    for i, look in enumerate(looks):
        lines = lines_for(closed if i >= suspended_from else of)
        state = advance(state, seen_of([look]), lines)
        states.append(state)
        since = int(state.since[0])
        shown.append(
            Shown(
                LEVELS[state.level[0]],
                ROADS[state.road[0]],
                None if since == NEVER else since // DAY_US,
            )
        )
    return shown, states


@settings(max_examples=examples(200), deadline=None)
@given(lives(), rules())
def test_a_lead_moves_as_plain_loops_over_its_past_say(
    looks: list[Look], of: Rules
) -> None:
    assert walk(looks, of)[0] == tell(looks, of)


@settings(max_examples=examples(100), deadline=None)
@given(lives(), rules(), st.integers(0, 8))
def test_what_is_suspended_is_kept_and_never_issued(
    looks: list[Look], of: Rules, suspended_from: int
) -> None:
    shown = walk(looks, of, suspended_from=suspended_from)[0]
    assert shown == tell(looks, of, suspended_from=suspended_from)
    lowered = [replace(look, is_raised=False) for look in looks]
    alone = walk(lowered, of, suspended_from=suspended_from)[0]
    ranks = [RANK[of.label] for of in alone][max(suspended_from - 1, 0) :]
    assert ranks == sorted(ranks, reverse=True)
    assert suspended_from > 0 or not any(ranks)


@settings(deadline=None)
@given(lives(hands=False), rules())
def test_no_path_skips_quarantine_but_a_raised_hand(
    looks: list[Look], of: Rules
) -> None:
    """Said without the oracle: look back from each rise for the time that it took."""
    shown, _ = walk(looks, of)
    before = "NURTURE"
    for i, now in enumerate(shown):
        if RANK[now.label] > RANK[before]:
            at = of.issue[now.label]
            run = [look.day for look in looks[: i + 1]]
            for look in reversed(looks[: i + 1]):
                if not (look.may(now.label) and look.probability >= at):
                    break
                run.append(look.day)
                first = look.day
            assert looks[i].day - first >= of.quarantine
        before = now.label


@settings(deadline=None)
@given(lives(), rules(), st.data())
def test_other_state_equal_a_higher_probability_never_gives_a_lower_label(
    looks: list[Look], of: Rules, data: st.DataObject
) -> None:
    """Whatever happened before: one look differs by its probability alone."""
    _, states = walk(looks, of)
    standing = states[-1]
    day = looks[-1].day + data.draw(st.sampled_from([1, 7, 20]))
    low, high = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    may_mql, may_sql = data.draw(gates())
    is_raised = data.draw(st.booleans())
    levels = [
        advance(
            standing,
            seen_of([Look(day, p, is_raised, may_mql, may_sql)]),
            lines_for(of),
        ).level[0]
        for p in (low, high)
    ]
    assert levels[0] <= levels[1]


@settings(max_examples=examples(100), deadline=None)
@given(lives(), rules(), st.data())
def test_higher_probabilities_at_every_look_never_give_a_lower_label_at_any(
    looks: list[Look], of: Rules, data: st.DataObject
) -> None:
    higher = [
        replace(
            look,
            probability=data.draw(
                st.sampled_from([p for p in PROBABILITIES if p >= look.probability])
                if look.probability == look.probability
                else probabilities
            ),
        )
        for look in looks
    ]
    shown, above = walk(looks, of)[0], walk(higher, of)[0]
    for one, other in zip(shown, above, strict=True):
        assert RANK[one.label] <= RANK[other.label]


@settings(deadline=None)
@given(lives(), rules())
def test_once_a_hand_is_down_the_lead_is_as_if_it_had_never_been_raised(
    looks: list[Look], of: Rules
) -> None:
    lowered = [replace(look, is_raised=False) for look in looks]
    for look, one, other in zip(
        looks, walk(looks, of)[0], walk(lowered, of)[0], strict=True
    ):
        if not look.is_raised:
            assert (one.label, one.road) == (other.label, other.road)
        else:
            assert one.label == "SQL"


@settings(deadline=None)
@given(lives(), rules())
def test_how_long_a_lead_stood_there_tells_what_a_raised_hand_hides(
    looks: list[Look], of: Rules
) -> None:
    """So the ledger need not keep it: label, road and two instants are enough."""
    for look, state in zip(looks, walk(looks, of)[1], strict=True):
        waited = [
            since[0] != NEVER and look.day * DAY_US - since[0] >= of.quarantine * DAY_US
            for since in (state.mql_since, state.sql_since)
        ]
        assert state.nurtured[0] == (2 if waited[1] else int(waited[0]))


@settings(deadline=None)
@given(lives(), rules())
def test_who_is_not_allowed_has_no_label_but_by_a_raised_hand(
    looks: list[Look], of: Rules
) -> None:
    for look, shown in zip(looks, walk(looks, of)[0], strict=True):
        if shown.road == "nurtured":
            assert look.may(shown.label)
            assert look.probability >= of.keep[shown.label]
        assert (shown.road == "hand_raised") <= look.is_raised


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(lives(), min_size=1, max_size=4), st.lists(rules(), min_size=1))
def test_leads_and_thresholds_move_apart_whatever_the_shape(
    all_looks: list[list[Look]], many: list[Rules]
) -> None:
    """Leads by thresholds at once equal each lead at each threshold alone."""
    many = [replace(of, quarantine=many[0].quarantine) for of in many]
    n_looks = min(map(len, all_looks))
    columns = [lines_for(of) for of in many]
    lines = Lines(
        *(
            np.array([getattr(c, name) for c in columns])
            for name in ("mql", "sql", "keep_mql", "keep_sql")
        ),
        columns[0].quarantine_us,
    )
    state = fresh((len(all_looks), len(many)))
    for step in range(n_looks):
        flat = seen_of([looks[step] for looks in all_looks])
        state = advance(state, Seen(*(values[:, None] for values in flat)), lines)
    for i, looks in enumerate(all_looks):
        for j, of in enumerate(many):
            _, states = walk(looks[:n_looks], of)
            alone = [values[0] for values in states[-1]]
            assert [values[i, j] for values in state] == alone


def test_an_mql_that_raises_its_hand_is_mql_again_once_the_hand_is_down() -> None:
    """Also where its probability has fallen to where MQL is kept, but not issued."""
    of = Rules({"MQL": 0.1, "SQL": 0.3}, {"MQL": 0.08, "SQL": 0.24}, 7)
    looks = [Look(0, 0.1), Look(7, 0.1), Look(14, 0.09, is_raised=True), Look(21, 0.09)]
    shown = [(of.label, of.road) for of in walk(looks, of)[0]]
    assert shown == [
        ("NURTURE", None),
        ("MQL", "nurtured"),
        ("SQL", "hand_raised"),
        ("MQL", "nurtured"),
    ]


def test_a_label_is_kept_below_its_threshold_and_taken_back_below_a_lower_one() -> None:
    of = Rules({"MQL": 0.1, "SQL": 0.3}, {"MQL": 0.08, "SQL": 0.24}, 7)
    days = (0.3, 0.3, 0.24, 0.2399, 0.08, 0.0799, 0.08)
    shown, _ = walk([Look(7 * i, p) for i, p in enumerate(days)], of)
    labels = [of.label for of in shown]
    assert labels == ["NURTURE", "SQL", "SQL", "MQL", "MQL", "NURTURE", "NURTURE"]
    assert [of.since for of in shown] == [None, 7, 7, 21, 21, None, None]


def test_suspended_labels_are_kept_and_never_issued() -> None:
    issued = {
        "MQL": Threshold("MQL", 0.1, ""),
        "SQL": Threshold("SQL", 0.3, ""),
    }
    agreement = parse_agreement("[movement]\nkeep_share = 0.5\nquarantine_days = 0\n")
    open_, closed = (
        lines_of(issued, agreement, suspended=frozenset(names))
        for names in ((), ("MQL", "SQL"))
    )
    high, middle = (seen_of([Look(day, 0.2)]) for day in (0, 1))
    standing = advance(fresh((1,)), high, open_)
    assert advance(standing, middle, closed).level[0] == RANK["MQL"]
    assert advance(fresh((1,)), middle, closed).level[0] == RANK["NURTURE"]
    asked = seen_of([Look(1, 0.2, is_raised=True)])
    assert advance(fresh((1,)), asked, closed).level[0] == RANK["SQL"]


def test_a_label_without_a_threshold_is_never_issued() -> None:
    lines = lines_of({"SQL": Threshold("SQL", None, "")}, parse_agreement(""))
    assert [lines.mql, lines.sql, lines.keep_mql, lines.keep_sql] == [np.inf] * 4
    moved = advance(fresh((1,)), seen_of([Look(0, 1.0)]), lines)
    assert moved.level[0] == RANK["NURTURE"]


def test_lines_follow_the_agreement() -> None:
    agreement = parse_agreement("[movement]\nkeep_share = 0.5\nquarantine_days = 3\n")
    thresholds = {
        "MQL": Threshold("MQL", 0.1, ""),
        "SQL": Threshold("SQL", 0.3, ""),
    }
    waits_us = quarantine_us(agreement)
    assert lines_of(thresholds, agreement) == Lines(0.1, 0.3, 0.05, 0.15, waits_us)
    assert lines_of(thresholds, agreement, quarantine=False).quarantine_us == 0


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York"])
def test_a_week_in_which_clocks_go_forward_is_a_week(zone: str) -> None:
    agreement = parse_agreement(f'time_zone = "{zone}"\n')
    mondays = pd.date_range("2025-01-06", "2025-12-29", freq="7D", tz=zone)
    waited = np.diff(mondays.tz_convert("UTC").as_unit("us").asi8)
    assert (waited >= quarantine_us(agreement)).all()
    assert (waited - DAY_US < quarantine_us(agreement)).all()


def test_at_ages_the_quarantine_is_as_long_as_it_says() -> None:
    ages = "[snapshots]\nat_age_hours = [24, 48]\n"
    assert quarantine_us(parse_agreement(ages)) == 0
    wanted = parse_agreement(f"{ages}[movement]\nquarantine_days = 1\n")
    assert quarantine_us(wanted) == DAY_US


MUTATIONS = [
    ("seen.probability >= line", "seen.probability > line"),
    ("seen.probability >= keep", "seen.probability > keep"),
    (
        "seen.as_of - since >= lines.quarantine_us",
        "seen.as_of - since > lines.quarantine_us",
    ),
    (
        "seen.as_of - since >= lines.quarantine_us",
        "seen.as_of - since >= lines.quarantine_us - 86_400_000_000",
    ),
    ("has_waited | is_kept", "is_above | is_kept"),
    ("has_waited | is_kept", "has_waited"),
    ("is_kept = may & (", "is_kept = ("),
    ("is_above = may & (", "is_above = ("),
    ("(state.nurtured >= level)", "(state.level >= level)"),
    ("(state.nurtured >= level)", "(state.nurtured > level)"),
    ("seen.is_raised & ~stays", "seen.is_raised"),
    ("(nurtured == SQL) & (state.road == NURTURED)", "(state.road == NURTURED)"),
    ("np.minimum(before, seen.as_of)", "seen.as_of"),
    ("(level == state.level) & (level > NOBODY)", "(level > NOBODY)"),
]


def mutated(old: str, new: str) -> Advance:
    """Return `advance` of a movement.py in which one thing is written otherwise."""
    source = inspect.getsource(movement)
    assert old in source, f"{old!r} is no line of movement.py any more"
    names: dict[str, Any] = {"__name__": "leadscore.movement"}
    exec(compile(source.replace(old, new), "mutated.py", "exec"), names)  # noqa: S102
    made: Advance = names["advance"]
    return made


@pytest.mark.parametrize(("old", "new"), MUTATIONS)
def test_the_oracle_notices_what_is_written_otherwise(old: str, new: str) -> None:
    """Of random lives, one at least must differ: else the oracle could not tell."""
    wrong = mutated(old, new)
    rng = np.random.default_rng(0)
    of = [
        Rules({"MQL": 0.1, "SQL": sql}, {"MQL": 0.08, "SQL": 0.8 * sql}, quarantine)
        for sql in (0.1, 0.3)
        for quarantine in (1, 7)
    ]
    for n in range(3000):
        days = np.cumsum(rng.choice([1, 3, 4, 7], 8))
        looks = [
            Look(
                int(day),
                float(rng.choice(PROBABILITIES)),
                rng.random() < 0.2,
                may_mql := rng.random() < 0.9,
                may_mql and rng.random() < 0.8,
            )
            for day in days
        ]
        if walk(looks, of[n % len(of)], wrong)[0] != tell(looks, of[n % len(of)]):
            return
    pytest.fail(f"nobody noticed {new!r}")
