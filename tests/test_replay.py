"""Replay: the past of many leads at many thresholds, as plain loops say it, too."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadscore.agreement import parse_agreement
from leadscore.movement import LEVELS, MQL, ROADS, SQL, Lines, quarantine_us
from leadscore.promise.counted import threshold_lines
from leadscore.replay import Replayed, max_gap_us, replay
from leadscore.snapshots import DAY_US, NEVER
from leadscore.tables import INSTANT
from tests.examples import examples
from tests.movement_oracle import INFINITE, RANK, Look, Rules, Shown, tell

START = pd.Timestamp("2025-01-01", tz="UTC").as_unit("us")
GAP = 10  # days; a lead not seen for longer was off the list
GRID = (0.4, 0.3, 0.15, 0.1)

Leads = dict[str, list[Look]]


@st.composite
def lives(draw: st.DrawFn) -> list[Look]:
    day, looks = draw(st.integers(0, 20)), []
    for _ in range(draw(st.integers(1, 8))):
        probability = draw(st.sampled_from([0.05, 0.09, 0.1, 0.13, 0.15, 0.27, 0.4]))
        may_mql = draw(st.sampled_from([True, True, True, False]))
        may_sql = may_mql and draw(st.sampled_from([True, True, False]))
        is_raised = draw(st.sampled_from([False, False, False, True]))
        looks.append(Look(day, probability, is_raised, may_mql, may_sql))
        day += draw(st.sampled_from([3, 7, 7, GAP, GAP + 1]))
    return looks


worlds = st.lists(lives(), min_size=1, max_size=5).map(
    lambda all_looks: {f"L{n}": looks for n, looks in enumerate(all_looks)}
)
quarantines = st.sampled_from([0, 7, 8])


def rules_at(mql: float, sql: float, quarantine: int) -> Rules:
    issue = {"MQL": mql, "SQL": sql}
    return Rules(issue, {label: at * 0.8 for label, at in issue.items()}, quarantine)


def instant(day: int) -> pd.Timestamp:
    return START + pd.Timedelta(days=day)


def us(day: int) -> int:
    return int(instant(day).asm8.astype("int64"))


def history_of(leads: Leads) -> pd.DataFrame:
    rows = [
        (lead, instant(x.day), x.probability, x.is_raised, x.may_mql, x.may_sql)
        for lead, looks in leads.items()
        for x in looks
    ]
    names = ["lead_id", "as_of", "probability", "is_raised", "may_mql", "may_sql"]
    return pd.DataFrame(rows, columns=names).astype({"as_of": INSTANT})


def lines_at(rules: list[Rules]) -> Lines:
    issue, keep = (
        {label: np.array([of[label] for of in them]) for label in ("MQL", "SQL")}
        for them in ([of.issue for of in rules], [of.keep for of in rules])
    )
    quarantine_us = rules[0].quarantine * DAY_US
    return Lines(issue["MQL"], issue["SQL"], keep["MQL"], keep["SQL"], quarantine_us)


def replayed(leads: Leads, rules: list[Rules]) -> Replayed:
    return replay(history_of(leads), lines_at(rules), max_gap_us=GAP * DAY_US)


def stays(looks: list[Look]) -> list[list[Look]]:
    """Return the looks in stretches that no gap interrupts."""
    found = [[looks[0]]]
    for before, look in itertools.pairwise(looks):
        if look.day - before.day > GAP:
            found.append([])
        found[-1].append(look)
    return found


def told(looks: list[Look], of: Rules) -> list[tuple[Look, Shown]]:
    return [
        pair for stay in stays(looks) for pair in zip(stay, tell(stay, of), strict=True)
    ]


@dataclass(frozen=True)
class Counted:
    entries: list[tuple[int, str, str | None]]  # day, lead, road
    stock: set[str]


def count(leads: Leads, of: Rules, label: str, since: int) -> Counted:
    """Who entered a label or better, each lead once, and who stood there before."""
    entries, stock = [], set()
    for lead, looks in leads.items():
        first = None
        for stay in stays(looks):
            before = "NURTURE"
            for i, (look, shown) in enumerate(zip(stay, tell(stay, of), strict=True)):
                if look.day >= since:
                    begins = i > 0 and stay[i - 1].day < since
                    if begins and RANK[before] >= RANK[label]:
                        stock.add(lead)
                    rises = RANK[before] < RANK[label] <= RANK[shown.label]
                    if rises and first is None:
                        first = (look.day, lead, shown.road)
                before = shown.label
        if first is not None and lead not in stock:
            entries.append(first)
    return Counted(sorted(entries), stock)


@settings(max_examples=examples(60), deadline=None)
@given(worlds, quarantines)
def test_many_thresholds_at_once_equal_each_lead_at_each_of_them_alone(
    leads: Leads, quarantine: int
) -> None:
    rules = [
        rules_at(mql, sql, quarantine) for sql in GRID for mql in GRID if mql <= sql
    ]
    done = replayed(leads, rules)
    for column, of in enumerate(rules):
        row = 0
        for place, looks in enumerate(leads.values()):
            for _, shown in told(looks, of):
                assert LEVELS[done.level[row, column]] == shown.label
                assert ROADS[done.road[row, column]] == shown.road
                row += 1
            final = [values[place, column] for values in done.final[:3]]
            assert final[0] == done.level[row - 1, column]
            assert final[1] == done.road[row - 1, column]
            since = NEVER if shown.since is None else us(shown.since)
            assert final[2] == since
        assert row == len(done.level)


@settings(max_examples=examples(80), deadline=None)
@given(worlds, quarantines, st.integers(0, 60))
def test_entries_are_those_that_loops_count(
    leads: Leads, quarantine: int, since: int
) -> None:
    rules = [rules_at(at, at, quarantine) for at in GRID]
    rules.append(rules_at(0.1, 0.3, quarantine))
    done, history = replayed(leads, rules), history_of(leads)
    for column, of in enumerate(rules):
        for label, level in (("MQL", MQL), ("SQL", SQL)):
            found = done.entries(column, level, us(since))
            expected = count(leads, of, label, since)
            rows = history.iloc[found.place]
            entries = [
                ((at - START).days, lead, ROADS[road])
                for at, lead, road in zip(
                    rows["as_of"], rows["lead_id"], found.road, strict=True
                )
            ]
            assert [day for day, _, _ in entries] == sorted(d for d, _, _ in entries)
            assert sorted(entries) == expected.entries
            assert found.n_stock == len(expected.stock)


RAISED_ON_THE_WAY = [
    Look(0, 0.13),
    Look(7, 0.13),
    Look(14, 0.09, is_raised=True),
    Look(21, 0.09),
    Look(28, 0.13),
]


@settings(max_examples=examples(80), deadline=None)
@given(worlds, quarantines, st.integers(0, 60), st.integers(0, 3))
@example({"L0": RAISED_ON_THE_WAY}, 7, 20, 3)
def test_what_enters_mql_does_not_depend_on_where_a_stricter_sql_begins(
    leads: Leads, quarantine: int, since: int, at: int
) -> None:
    """So one replay, with MQL and SQL at each threshold alike, proves both."""
    stricter = (GRID[at], *GRID[:at], INFINITE)
    rules = [rules_at(GRID[at], sql, quarantine) for sql in stricter]
    same_in_all_columns(replayed(leads, rules), MQL, us(since))


def same_in_all_columns(done: Replayed, level: int, since_us: int) -> None:
    reached = done.level >= level
    assert (reached == reached[:, :1]).all()
    first, *others = (
        done.entries(column, level, since_us) for column in range(done.level.shape[1])
    )
    for other in others:
        assert (other.place == first.place).all()
        assert (other.road == first.road).all()
        assert other.n_stock == first.n_stock


@settings(max_examples=examples(50), deadline=None)
@given(worlds, quarantines, st.integers(0, 60), st.integers(0, 3))
def test_what_enters_sql_does_not_depend_on_where_a_looser_mql_begins(
    leads: Leads, quarantine: int, since: int, at: int
) -> None:
    rules = [rules_at(mql, GRID[at], quarantine) for mql in GRID[at:]]
    same_in_all_columns(replayed(leads, rules), SQL, us(since))


def test_the_lines_of_a_proof_have_both_labels_at_each_threshold() -> None:
    agreement = parse_agreement("[movement]\nkeep_share = 0.5\nquarantine_days = 3\n")
    lines = threshold_lines((0.4, 0.2), agreement)
    assert list(lines.mql) == list(lines.sql) == [0.4, 0.2]
    assert list(lines.keep_mql) == list(lines.keep_sql) == [0.2, 0.1]
    assert lines.quarantine_us == quarantine_us(agreement)


@settings(max_examples=examples(50), deadline=None)
@given(worlds, lives(), st.integers(0, 5), quarantines)
def test_the_rows_of_a_lead_do_not_touch_another(
    leads: Leads, more: list[Look], place: int, quarantine: int
) -> None:
    rules = [rules_at(mql, 0.3, quarantine) for mql in (0.3, 0.1)]
    names = list(leads)
    order = [*names[:place], "other", *names[place:]]
    together = replayed(
        {name: more if name == "other" else leads[name] for name in order}, rules
    )
    is_other = np.repeat(
        [name == "other" for name in order],
        [len(more if name == "other" else leads[name]) for name in order],
    )
    alone = replayed(leads, rules)
    assert (together.level[~is_other] == alone.level).all()
    assert (together.road[~is_other] == alone.road).all()
    by_itself = replayed({"other": more}, rules)
    assert (together.level[is_other] == by_itself.level).all()


@settings(max_examples=examples(50), deadline=None)
@given(worlds, quarantines, st.integers(1, 40))
def test_what_comes_later_changes_nothing_before(
    leads: Leads, quarantine: int, until: int
) -> None:
    rules = [rules_at(0.1, 0.3, quarantine)]
    cut = {
        lead: [look for look in looks if look.day < until]
        for lead, looks in leads.items()
    }
    cut = {lead: looks for lead, looks in cut.items() if looks}
    is_before = (history_of(leads)["as_of"] < instant(until)).to_numpy()
    whole = replayed(leads, rules)
    if cut:
        assert (whole.level[is_before] == replayed(cut, rules).level).all()


def test_a_lead_that_was_off_the_list_waits_anew() -> None:
    of = [rules_at(0.1, 0.3, 7)]
    seen = {
        "L0": [Look(0, 0.2), Look(GAP, 0.2)],
        "L1": [Look(0, 0.2), Look(GAP + 1, 0.2)],
    }
    assert list(replayed(seen, of).level[:, 0]) == [0, 1, 0, 0]


def test_no_rows_have_no_entries() -> None:
    done = replay(history_of({}), lines_at([rules_at(0.1, 0.3, 7)]), max_gap_us=1)
    entries = done.entries(0, MQL, 0)
    assert (len(entries.place), entries.n_stock, done.level.shape) == (0, 0, (0, 1))


@pytest.mark.parametrize(
    ("settings_", "days"),
    [
        ("", 10.5),
        ("[movement]\nscore_every_days = 1\n", 1.5),
        ("[snapshots]\nat_age_hours = [24, 48]\n", None),
    ],
)
def test_one_list_may_be_missed_by_half_a_step(
    settings_: str, days: float | None
) -> None:
    gap = max_gap_us(parse_agreement(settings_))
    assert gap == (NEVER if days is None else days * DAY_US)


def test_raising_a_hand_is_an_entry_of_its_own_road() -> None:
    looks = [Look(0, 0.05), Look(7, 0.05, is_raised=True), Look(14, 0.05)]
    seen = {"L0": looks, "L1": [replace(look, is_raised=False) for look in looks]}
    done = replayed(seen, [rules_at(0.1, 0.3, 7)])
    found = done.entries(0, SQL, us(0))
    assert list(found.place) == [1]
    assert [ROADS[road] for road in found.road] == ["hand_raised"]
