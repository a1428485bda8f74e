"""Merged leads: whose facts are whose, since when, and which merges cannot be."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import buckets, merges, snapshots
from leadscore.agreement import parse_agreement
from leadscore.features import declare_catalogue
from leadscore.merges import merges_of, moved, pass_conversions_on, roots_of
from leadscore.periods import groups_of
from leadscore.snapshots import (
    ELIGIBLE,
    attributes_at,
    cohort_status,
    known_before,
    label_snapshots,
    microseconds,
    snapshots_at,
    training_snapshots,
)
from leadscore.store import read_tables
from leadscore.tables import INSTANT, OUTCOMES, Tables, n_known_from
from tests import folders
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    DAY,
    interactions_of,
    leads_of,
    moment,
    outcomes_of,
    us,
)
from tests.histories import snapshots_of as pairs_of
from tests.test_features import mutant

T = us("2025-06-01T00:00+02:00")
BORN = T - 100 * DAY
FAR = moment(T + 3000 * DAY)
STAGE = AGREEMENT.conversion.stage
IDS = ("a", "b", "c", "d", "e")


def lead(lead_id: str, known_at: int = BORN, **values) -> dict:
    return {"lead_id": lead_id, "created_at": BORN, "known_at": known_at, **values}


def merge(lead_id: str, into: str, at: int, **values) -> list[dict]:
    """A lead, and the row that says that it was merged."""
    return [lead(lead_id), lead(lead_id, at, merged_into=into, **values)]


def rows_of(closure: pd.DataFrame) -> list[tuple]:
    known_at = microseconds(closure["known_at"]).tolist()
    return list(zip(closure["lead_id"], closure["into"], known_at, strict=True))


# ------------------------------------------------------------------- which merges


def test_without_merges_there_is_nothing_in_the_types_of_something() -> None:
    none = merges_of(leads_of([lead("a"), lead("b")]))
    some = merges_of(leads_of([*merge("a", "b", T), lead("b")]))
    assert none.empty
    assert none.dtypes.to_dict() == some.dtypes.to_dict()
    assert some.dtypes["known_at"] == INSTANT


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (1, 1)])
def test_a_chain_is_known_when_its_last_merge_is(first: int, second: int) -> None:
    leads = [*merge("a", "b", T + first), *merge("b", "c", T + second), lead("c")]
    assert rows_of(merges_of(leads_of(leads))) == [
        ("a", "b", T + first),
        ("a", "c", T + max(first, second)),
        ("b", "c", T + second),
    ]


def test_a_merge_is_known_since_the_first_row_that_says_so() -> None:
    leads = [*merge("a", "b", T), lead("a", T + 9, merged_into="b"), lead("b")]
    assert rows_of(merges_of(leads_of(leads))) == [("a", "b", T)]


LEADS = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.integers(-3, 3),
        st.one_of(st.none(), st.sampled_from(IDS)),
        st.booleans(),
    ),
    max_size=14,
    unique_by=lambda row: row[:2],
).map(
    lambda rows: leads_of(
        [lead(i) for i in IDS]
        + [lead(i, T + k, merged_into=m, objects=o) for i, k, m, o in rows]
    )
)
"""Histories of any merges: chains, trees, circles, undone ones, many at one instant."""


def replayed(leads: pd.DataFrame, before: int | None = None) -> list[tuple]:
    """Return the closure by telling the merges one by one, and looking after each."""
    told = leads[leads["merged_into"].notna()]
    rows = zip(
        microseconds(told["known_at"]).tolist(),
        told["lead_id"],
        told["merged_into"],
        strict=True,
    )
    above: dict[str, str] = {}
    seen: dict[tuple[str, str], int] = {}
    for at, lead_id, into in sorted(rows):
        if before is not None and at >= before:
            continue
        if lead_id not in above and lead_id not in [into, *chain(into, above)]:
            above[lead_id] = into
        for each in above:
            for higher in chain(each, above):
                seen.setdefault((each, higher), at)
    return sorted((*pair, at) for pair, at in seen.items())


def chain(lead_id: str, above: dict[str, str]) -> list[str]:
    found = []
    while lead_id in above:
        lead_id = above[lead_id]
        found.append(lead_id)
    return found


@settings(max_examples=examples(50))
@given(leads=LEADS)
def test_the_merges_are_those_of_a_replay(leads: pd.DataFrame) -> None:
    closure = merges_of(leads)
    assert sorted(rows_of(closure)) == replayed(leads)
    assert closure["lead_id"].is_monotonic_increasing


@settings(max_examples=examples(50))
@given(leads=LEADS, seed=st.integers(0, 9))
def test_the_order_of_the_rows_does_not_matter(leads: pd.DataFrame, seed: int) -> None:
    shuffled = leads.sample(frac=1.0, random_state=seed)
    pd.testing.assert_frame_equal(merges_of(shuffled), merges_of(leads))


@settings(max_examples=examples(50))
@given(leads=LEADS, at=st.integers(-3, 4))
def test_merges_known_before_an_instant_need_no_later_row(
    leads: pd.DataFrame, at: int
) -> None:
    now = moment(T + at)
    then = merges_of(known_before(leads, now))
    known = known_before(merges_of(leads), now).reset_index(drop=True)
    pd.testing.assert_frame_equal(then, known)


@settings(max_examples=examples(50))
@given(leads=LEADS)
def test_every_lead_of_a_tree_has_one_root(leads: pd.DataFrame) -> None:
    closure = merges_of(leads)
    roots = roots_of(closure)
    above = {low: high for low, high, _ in rows_of(closure)}
    assert set(roots.index) == set(closure["lead_id"]) | set(closure["into"])
    for lead_id, root in roots.items():
        assert root not in above
        assert root == lead_id or (lead_id, root) in {r[:2] for r in rows_of(closure)}


# --------------------------------------------------------------------- what moves

FACTS = st.lists(
    st.tuples(st.sampled_from(IDS), st.integers(-5, 5), st.integers(0, 4)),
    max_size=12,
).map(
    lambda rows: interactions_of(
        [(i, T + o, T + o + late, "view", None, None, None) for i, o, late in rows]
    )
)


@settings(deadline=None, max_examples=examples(40))
@given(leads=LEADS, facts=FACTS, at=st.integers(-3, 12))
def test_a_lead_has_the_facts_of_all_leads_merged_into_it_by_then(
    leads: pd.DataFrame, facts: pd.DataFrame, at: int
) -> None:
    copies = moved(facts, merges_of(leads))
    assert list(copies) == [*facts, "merged_from"]
    pd.testing.assert_series_equal(copies[list(facts)].dtypes, facts.dtypes)
    now = moment(T + at)
    seen = known_before(pd.concat([facts, copies]), now)
    known = known_before(facts, now)
    tree = replayed(leads, before=T + at)
    for survivor in IDS:
        own = [survivor, *(low for low, high, _ in tree if high == survivor)]
        expected = sorted(known.loc[known["lead_id"].isin(own), "occurred_at"])
        found = sorted(seen.loc[seen["lead_id"] == survivor, "occurred_at"])
        assert found == expected


def test_a_copy_says_whose_it_was_and_when_it_was_known() -> None:
    leads = leads_of([*merge("a", "b", T), *merge("b", "c", T + 5), lead("c")])
    facts = interactions_of(
        [
            ("a", T - 9, T - 8, "view", "web", "/", 3.0),
            ("a", T + 2, T + 3, "call", None, None, None),
            ("c", T, T, "view", None, None, None),
        ]
    )
    copies = moved(facts, merges_of(leads))
    shown = copies[["lead_id", "merged_from", "kind", "channel", "duration_s"]]
    assert shown.astype(object).where(shown.notna(), None).to_numpy().tolist() == [
        ["b", "a", "view", "web", 3.0],
        ["c", "a", "view", "web", 3.0],
        ["b", "a", "call", None, None],
        ["c", "a", "call", None, None],
    ]
    assert microseconds(copies["known_at"]).tolist() == [T, T + 5, T + 3, T + 5]
    assert microseconds(copies["occurred_at"]).tolist() == [T - 9] * 2 + [T + 2] * 2


def test_nothing_moves_without_merges() -> None:
    facts = interactions_of([("a", T, T, "view", None, None, None)])
    copies = moved(facts, merges_of(leads_of([lead("a")])))
    assert copies.empty
    pd.testing.assert_series_equal(copies[list(facts)].dtypes, facts.dtypes)


# ----------------------------------------------------------------------- outcomes


def passed_on(leads: list[dict], outcomes: list[tuple]) -> pd.DataFrame:
    table = leads_of(leads)
    return pass_conversions_on(outcomes_of(outcomes), merges_of(table), STAGE)


def status(leads: list[dict], outcomes: list[tuple], who: str, at: int) -> str:
    asked = pairs_of([(who, at)], {who: BORN})
    known = passed_on(leads, outcomes)
    return cohort_status(asked, leads_of(leads), known, AGREEMENT).iloc[0]


def labelled(leads, outcomes, who: str, at: int = T, data_end=FAR) -> tuple:
    asked = pairs_of([(who, at)])
    known = passed_on(leads, outcomes)
    row = label_snapshots(asked, known, AGREEMENT, data_end).iloc[0]
    return row["converted"], row["set_aside"]


def test_a_survivor_has_converted_once_that_and_the_merge_are_known() -> None:
    leads = [*merge("a", "b", T), lead("b")]
    early = [("a", STAGE, T - 9, T - 9)]
    assert status(leads, early, "b", T) == ELIGIBLE
    assert status(leads, early, "b", T + 1) == "converted"
    assert status(leads, early, "a", T) == "converted"
    late = [("a", STAGE, T - 9, T + 5)]
    assert status(leads, late, "b", T + 5) == ELIGIBLE
    assert status(leads, late, "b", T + 6) == "converted"
    assert status(leads, late, "a", T + 6) == "merged"


@pytest.mark.parametrize("stage", ["lost", "disqualified", "recycled"])
@pytest.mark.parametrize("known", [-5, 5])
def test_only_conversions_move_whenever_they_are_known(stage: str, known: int) -> None:
    """A duplicate is closed as lost because it is one; the person is not."""
    leads = [*merge("a", "b", T), lead("b")]
    own = [("b", "lost", T - 9, T - 9)] * (stage == "recycled")
    outcomes = [*own, ("a", stage, T + known, T + known)]
    pd.testing.assert_frame_equal(passed_on(leads, outcomes), outcomes_of(outcomes))
    expected = "lost" if own else ELIGIBLE
    assert status(leads, outcomes, "b", T + 9) == expected


def test_a_conversion_of_a_lead_that_was_merged_later_is_that_of_both() -> None:
    """Both had been looked at before anybody knew that they were one person."""
    leads = [*merge("a", "b", T + 60 * DAY), lead("b")]
    outcomes = [("a", STAGE, T + DAY, T + DAY)]
    assert labelled(leads, outcomes, "a")[0] == 1.0
    assert labelled(leads, outcomes, "b")[0] == 1.0
    # A backtest that stands before the merge does not know.
    before = moment(T + 60 * DAY)
    assert labelled(leads, outcomes, "a", data_end=before)[0] == 1.0
    assert labelled(leads, outcomes, "b", data_end=before)[0] == 0.0
    after = moment(T + 60 * DAY + 1)
    assert labelled(leads, outcomes, "b", data_end=after)[0] == 1.0


def test_a_conversion_before_as_of_by_a_merge_known_later_is_set_aside() -> None:
    leads = [*merge("a", "b", T + DAY), lead("b")]
    outcomes = [("a", STAGE, T - DAY, T - DAY)]
    assert status(leads, outcomes, "b", T) == ELIGIBLE
    converted, set_aside = labelled(leads, outcomes, "b")
    assert pd.isna(converted)
    assert set_aside == "converted before, known later"


def test_a_conversion_of_the_survivor_is_not_that_of_the_merged_lead() -> None:
    leads = [*merge("a", "b", T + 60 * DAY), lead("b")]
    outcomes = [("b", STAGE, T + DAY, T + DAY)]
    assert labelled(leads, outcomes, "a")[0] == 0.0  # training then says: merged later
    assert labelled(leads, outcomes, "b")[0] == 1.0


@pytest.mark.parametrize("own_known", [-5, 0, 5])
def test_a_conversion_that_both_leads_have_counts_once(own_known: int) -> None:
    leads = [*merge("a", "b", T), lead("b")]
    twice = [
        ("a", STAGE, T - 9, T - 9),
        ("b", STAGE, T - 9, T + own_known),
        ("b", "lost", T - 9, T - 9),
        ("b", "lost", T - 9, T - 8),
    ]
    found = passed_on(leads, twice)
    of_b = found[(found["lead_id"] == "b") & (found["stage"] == STAGE)]
    assert microseconds(of_b["known_at"]).tolist() == [min(T, T + own_known)]
    assert len(found) == 4


def test_two_conversions_of_one_person_are_both_kept() -> None:
    leads = [*merge("a", "b", T), lead("b")]
    outcomes = [("a", STAGE, T - 9, T - 9), ("b", STAGE, T - 8, T - 8)]
    assert len(passed_on(leads, outcomes)) == 3


# ------------------------------------------------------------ consent, attributes


def test_an_objection_counts_for_the_survivor_from_the_merge_on() -> None:
    before = [lead("a", objects=True), lead("a", T, merged_into="b", objects=True)]
    assert status([*before, lead("b")], [], "b", T) == ELIGIBLE
    assert status([*before, lead("b")], [], "b", T + 1) == "objects"


def test_an_objection_after_the_merge_counts_once_it_is_known() -> None:
    later = [*merge("a", "b", T), lead("a", T + 5, merged_into="b", objects=True)]
    again = [*later, lead("a", T + 9, merged_into="b"), lead("b")]
    assert status(again, [], "b", T + 5) == ELIGIBLE
    assert status(again, [], "b", T + 6) == "objects"
    assert status(again, [], "b", T + 10) == ELIGIBLE  # its latest row takes it back


def test_an_objection_goes_up_the_chain_and_not_down() -> None:
    chained = [
        *merge("a", "b", T),
        *merge("b", "c", T + 5, objects=True),
        lead("c"),
    ]
    assert status(chained, [], "a", T + 6) == "merged"
    assert status(chained, [], "c", T + 5) == ELIGIBLE
    assert status(chained, [], "c", T + 6) == "objects"


def test_no_attribute_moves() -> None:
    leads = [lead("a", industry="food"), lead("a", T, industry="food", merged_into="b")]
    known = attributes_at(leads_of([*leads, lead("b")]), pairs_of([("b", T + 1)]))
    assert known["industry"].isna().all()


OUTCOME_LISTS = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.sampled_from([STAGE, STAGE, "lost", "disqualified", "recycled"]),
        st.integers(-5, 5),
        st.integers(0, 4),
    ),
    max_size=10,
).map(lambda rows: [(i, s, T + o, T + o + late) for i, s, o, late in rows])


def told_at(leads: pd.DataFrame, outcomes: list[tuple], at: int, module) -> list:
    """Return what is said of every lead at an instant, from all that is given."""
    asked = pairs_of([(i, T + at) for i in IDS], dict.fromkeys(IDS, BORN))
    passed = pass_conversions_on(outcomes_of(outcomes), merges_of(leads), STAGE)
    said = module.cohort_status(asked, leads, passed, AGREEMENT)
    known = module.attributes_at(leads, asked).drop(columns="account_id")
    return [said.tolist(), known.astype(str).to_numpy().tolist()]


@settings(deadline=None, max_examples=examples(40))
@given(leads=LEADS, outcomes=OUTCOME_LISTS, at=st.integers(-3, 8))
def test_what_is_known_later_changes_nothing(
    leads: pd.DataFrame, outcomes: list[tuple], at: int
) -> None:
    """Merges, objections and outcomes that become known at as_of or after it."""
    past = [row for row in outcomes if row[3] < T + at]
    then = known_before(leads, moment(T + at))
    full = told_at(leads, outcomes, at, snapshots)
    assert full == told_at(then, past, at, snapshots)


@settings(deadline=None, max_examples=examples(40))
@given(leads=LEADS, at=st.integers(-3, 4))
def test_who_objects_is_as_a_replay_says(leads: pd.DataFrame, at: int) -> None:
    asked = pairs_of([(i, T + at) for i in IDS], dict.fromkeys(IDS, BORN))
    said = cohort_status(asked, leads, outcomes_of([]), AGREEMENT)
    latest = known_before(leads, moment(T + at)).groupby("lead_id").last()["objects"]
    tree = replayed(leads, before=T + at)
    for survivor, status_then in zip(IDS, said, strict=True):
        own = [survivor, *(low for low, high, _ in tree if high == survivor)]
        assert (status_then == "objects") == bool(latest[own].any())


def test_a_merge_known_at_as_of_itself_is_not_seen() -> None:
    """And the tests would see it, if it were."""
    leads = leads_of([*merge("a", "b", T, objects=True), lead("b")])
    asked = pairs_of([("b", T)], {"b": BORN})

    def said(found: pd.DataFrame) -> list[str]:
        return found["lead_id"].tolist()

    change = (
        'found["known_at"] < found["as_of"]',
        'found["known_at"] <= found["as_of"]',
    )
    closure = merges_of(leads)
    assert said(merges.merged_in(asked, closure)) == []
    assert said(mutant(merges, change).merged_in(asked, closure)) == ["a"]


# ------------------------------------------------------------------------- groups


def groups_at(leads: list[dict], at: int = T) -> dict[str, str]:
    found = snapshots_at(leads_of(leads), outcomes_of([]), AGREEMENT, moment(at))
    assert found["account_id"].dtype == "str"
    return dict(zip(found["lead_id"], groups_of(found).tolist(), strict=True))


def test_leads_of_a_tree_share_the_account_of_its_root() -> None:
    tree = [
        lead("a", account_id="A1"),
        lead("a", T + DAY, account_id="A1", merged_into="b"),
        *merge("b", "c", T + 2 * DAY),
        lead("c", account_id="A3"),
        lead("d", account_id="A1"),
        lead("e"),
    ]
    assert groups_at(tree) == {  # before any of the merges is known
        "a": "account:A3",
        "b": "account:A3",
        "c": "account:A3",
        "d": "account:A1",
        "e": "lead:e",
    }


def test_a_tree_whose_root_has_no_account_is_a_group_of_its_own() -> None:
    tree = [*merge("a", "b", T), lead("b"), lead("c", account_id="b"), lead("d")]
    tree[0]["account_id"] = "b"
    groups = groups_at(tree)
    assert groups["a"] == groups["b"]
    assert len(set(groups.values())) == 3


def test_training_snapshots_of_a_tree_are_one_group() -> None:
    leads = leads_of([*merge("a", "b", T), lead("b"), lead("c")])
    found = training_snapshots(leads, outcomes_of([]), AGREEMENT, FAR)
    by_lead = found.assign(group=groups_of(found)).groupby("lead_id")["group"].unique()
    assert by_lead["a"].tolist() == by_lead["b"].tolist()
    assert by_lead["c"].tolist() == ["lead:c"]


# ------------------------------------------------------------- folders with merges

HEAD = "lead_id,created_at,known_at,country,merged_into"
GENEROUS = folders.AGREEMENT.replace("[source]", "[source]\nmax_reject_share = 0.9")


def row(lead_id: str, month: int, into: str = "") -> str:
    return f"{lead_id},2025-01-01T09:00Z,2025-{month:02d}-01T09:00Z,fr,{into}"


def read(folder: Path, *rows: str, **texts: str) -> Tables:
    empty = {"interactions": "lead_id,occurred_at,kind\n"}
    empty["outcomes"] = "lead_id,stage,occurred_at\n"
    leads = "\n".join([HEAD, *rows, ""])
    folders.write_folder(folder, **empty | {"leads": leads} | texts)
    return read_tables(folder, parse_agreement(GENEROUS))


def rejected(tables: Tables) -> list[tuple]:
    columns = ["file", "line", "column", "reason"]
    return list(tables.rejects[columns].itertuples(index=False, name=None))


def merged_leads(tables: Tables) -> list[tuple]:
    closure = merges_of(tables.leads)
    return list(zip(closure["lead_id"], closure["into"], strict=True))


def test_a_lead_is_not_merged_into_itself(tmp_path: Path) -> None:
    tables = read(tmp_path, row("A", 1), row("A", 2, "A"), row("B", 1))
    assert rejected(tables) == [
        (
            "leads.csv",
            3,
            "merged_into",
            "lead 'A' cannot be merged into itself; leave merged_into empty where a "
            "lead was not merged",
        )
    ]
    assert tables.leads["lead_id"].tolist() == ["A", "B"]
    assert tables.notes[0].startswith("leads.csv: 3 rows read, 2 used, 1 set aside;")


def test_a_lead_is_not_merged_into_one_that_is_not_there(tmp_path: Path) -> None:
    tables = read(tmp_path, row("A", 1), row("A", 2, "Z"), row("B", 1, "A"))
    assert rejected(tables) == [
        (
            "leads.csv",
            3,
            "merged_into",
            "lead 'A' was merged into lead 'Z', which is not in leads.csv; export that "
            "lead, too",
        )
    ]
    assert merged_leads(tables) == [("B", "A")]


def test_a_lead_that_is_gone_takes_those_merged_into_it_along(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        row("A", 2, "Z"),
        row("B", 1),
        row("B", 2, "A"),
        row("C", 1),
        outcomes="lead_id,stage,occurred_at\nA,opportunity,2025-01-02\n",
    )
    assert rejected(tables)[1:] == [
        (
            "leads.csv",
            4,
            "merged_into",
            "lead 'B' was merged into lead 'A', which was set aside (leads.csv:2)",
        ),
        ("outcomes.csv", 2, "lead_id", "its lead was set aside (leads.csv:2)"),
    ]
    assert tables.leads["lead_id"].tolist() == ["B", "C"]
    assert merged_leads(tables) == []


CIRCLE = [
    *(row(lead_id, 1) for lead_id in "ABCD"),
    row("A", 4, "B"),
    row("B", 2, "C"),
    row("C", 3, "A"),
    row("D", 5, "A"),
]


@pytest.mark.parametrize("shift", range(len(CIRCLE)))
def test_the_merge_known_last_closes_a_circle(tmp_path: Path, shift: int) -> None:
    rows = CIRCLE[shift:] + CIRCLE[:shift]
    tables = read(tmp_path, *rows)
    assert rejected(tables) == [
        (
            "leads.csv",
            rows.index(CIRCLE[4]) + 2,
            "merged_into",
            "lead 'A' cannot be merged into lead 'B', which was merged into lead 'A' "
            "itself, directly or by way of others; of a circle, the merge known last "
            "is set aside",
        )
    ]
    assert merged_leads(tables) == [
        ("B", "C"),
        ("B", "A"),
        ("C", "A"),
        ("D", "A"),
    ]


def test_of_a_circle_known_at_once_the_last_lead_is_set_aside(tmp_path: Path) -> None:
    rows = [row("A", 1), row("B", 1), row("A", 2, "B"), row("B", 2, "A")]
    for order in (rows, rows[::-1]):
        assert merged_leads(read(tmp_path, *order)) == [("A", "B")]


@pytest.mark.parametrize(
    ("into", "says"), [("", "names no lead"), ("C", "names lead 'C'")]
)
def test_a_merge_stands_once_it_is_known(tmp_path: Path, into: str, says: str) -> None:
    """The later row goes: without the earlier one, the past would not be as it was."""
    rows = [row("A", 1), row("B", 1), row("C", 1), row("A", 2, "B"), row("A", 3, into)]
    tables = read(tmp_path, *rows)
    assert rejected(tables) == [
        (
            "leads.csv",
            6,
            "merged_into",
            "lead 'A' is merged into lead 'B' since 2025-02-01T09:00:00+00:00, and a "
            f"merge stands once it is known; this later row {says}",
        )
    ]
    assert merged_leads(tables) == [("A", "B")]


@pytest.mark.parametrize(("month", "n_aside"), [(2, 1), (3, 0), (4, 0)])
def test_a_later_row_may_name_a_lead_further_up_the_chain(
    tmp_path: Path, month: int, n_aside: int
) -> None:
    """As systems do that point all duplicates at the last survivor; not beforehand."""
    chain_of_two = [row("B", 1), row("B", 3, "C"), row("C", 1)]
    first = row("A", 1, "B")
    tables = read(tmp_path, first, row("A", month, "C"), *chain_of_two)
    assert len(tables.rejects) == n_aside
    assert merged_leads(tables) == [("A", "B"), ("A", "C"), ("B", "C")]


def test_the_survivor_has_the_conversions_and_no_file_has_more_rows(
    tmp_path: Path,
) -> None:
    outcomes = "lead_id,stage,occurred_at\nA,opportunity,2025-01-10T09:00Z\n"
    outcomes += "A,lost,2025-01-11T09:00Z\nB,lost,2025-01-12T09:00Z\n"
    rows = [row("A", 1), row("A", 3, "B"), row("B", 1)]
    tables = read(tmp_path, *rows, outcomes=outcomes)
    found = tables.outcomes
    assert list(found) == list(OUTCOMES.names)
    assert list(zip(found["lead_id"], found["stage"], strict=True)) == [
        ("A", "opportunity"),
        ("A", "lost"),
        ("B", "opportunity"),
        ("B", "lost"),
    ]
    assert found["known_at"][2] == moment("2025-03-01T09:00Z")
    assert found["occurred_at"][2] == moment("2025-01-10T09:00Z")
    assert any(
        note.startswith("outcomes.csv: 3 rows read, 3 us") for note in tables.notes
    )
    assert tables.notes[-1] == (
        "Leads merged into others: 1. What they did, and that they converted, counts "
        "for those, too, from the merge on."
    )


def test_a_merge_without_its_own_instant_is_noted(tmp_path: Path) -> None:
    tables = read(tmp_path, row("A", 1, "B"), row("B", 1))
    assert (
        "leads.csv: 1 leads are said to be merged since they were created, which is "
        "hardly so. Export one row a change with its known_at, to say since when."
    ) in tables.notes


FOLDER_ROWS = st.lists(
    st.tuples(
        st.sampled_from("ABCD"),
        st.integers(1, 9),
        st.sampled_from(["", "A", "B", "C", "Z"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda cells: cells[:2],
)


@settings(max_examples=examples(20), deadline=None)  # each reads two folders
@given(cells=FOLDER_ROWS, order=st.randoms(use_true_random=False))
def test_rows_that_are_used_hold_merges_that_stand_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple], order
) -> None:
    folder = tmp_path_factory.mktemp("data")
    shuffled = order.sample(cells, len(cells))
    always = row("Y", 1)  # so that some lead remains
    agreement = GENEROUS.replace("0.9", "1.0")
    tables = []
    for rows in (cells, shuffled):
        folders.write_folder(
            folder, leads="\n".join([HEAD, always, *(row(*c) for c in rows), ""])
        )
        (folder / "interactions.csv").unlink()
        (folder / "outcomes.csv").write_text("lead_id,stage,occurred_at\n")
        tables.append(read_tables(folder, parse_agreement(agreement)))
    leads = tables[0].leads
    pd.testing.assert_frame_equal(tables[1].leads, leads)
    assert sorted(tables[0].rejects["raw"]) == sorted(tables[1].rejects["raw"])
    assert len(leads) + len(tables[0].rejects) == len(cells) + 1
    assert set(leads["merged_into"].dropna()) <= set(leads["lead_id"])
    assert merges.impossible_merges(leads) == []
    for _, history in leads.groupby("lead_id"):
        told = history["merged_into"]
        assert told[told.notna().cummax()].notna().all()
    latest = leads.groupby("lead_id")["merged_into"].apply(lambda told: told.iloc[-1])
    above = set(merged_leads(tables[0]))
    assert all((i, into) in above for i, into in latest.dropna().items())


def test_copies_are_no_people_and_no_rows_of_a_file() -> None:
    """What merged leads did counts for survivors, and as rows of the log only once."""
    leads = [{"lead_id": f"m{n}", "created_at": 0} for n in range(12)]
    survivors = [{"lead_id": f"s{n}", "created_at": 0} for n in range(12)]
    merged = [
        {**row, "known_at": 5, "merged_into": f"s{n}"} for n, row in enumerate(leads)
    ]
    table = leads_of([*leads, *survivors, *merged])
    facts = interactions_of(
        (f"m{n}", 1, 1, "secret", "fax", None, None) for n in range(12)
    )
    rows = buckets.with_copies(buckets.rows_of(facts), merges_of(table))
    log = buckets.in_memory(rows, AGREEMENT.machines)
    assert len(log) == 24
    assert log.by_kind().loc["secret"].tolist() == [12, 12]
    assert n_known_from([], log, moment(2)) == 0
    # Twelve people are too few for a word of the catalogue; twenty-four were enough.
    catalogue = declare_catalogue(AGREEMENT, table, log)
    assert "secret" not in catalogue.kinds
    assert "fax" not in catalogue.channels
