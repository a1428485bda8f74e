"""From rows to buckets: sorted, counted once, a merged lead's with its survivor."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadscore.agreement import Machines
from leadscore.buckets import finish_bucket, in_memory, rows_of, with_copies
from leadscore.features.build import behaviour
from leadscore.hashes import event_keys, hash_texts
from leadscore.interactions import BUCKET
from leadscore.merges import merges_of
from leadscore.sorting import sorted_places
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    DAY,
    instants,
    leads_of,
    snapshots_of,
    us,
)

SECOND = 1_000_000
T = us("2025-06-01T00:00+02:00")
NOBODY = Machines()
MACHINES = Machines(kinds=("email_open", "email_click"), sent="email_sent")
WITHIN = MACHINES.within_s * SECOND


@dataclasses.dataclass(frozen=True)
class Row:
    """One interaction, as a file may tell it."""

    lead: str
    occurred: int
    known: int
    kind: str
    channel: str | None = None
    content: str | None = None
    duration: float | None = None
    event: str | None = None
    origin: str | None = None
    told: int | None = None  # of a copy: when the original was known

    @property
    def since(self) -> tuple[int, int]:
        """When it was known, and for a copy when the original was."""
        return self.known, self.known if self.told is None else self.told

    @property
    def key(self) -> tuple:
        """All that is told, comparable: null before everything."""
        values = (*dataclasses.astuple(self)[:6], self.duration, self.origin)
        return (*((v is not None, v) for v in values), self.event or "")


def table_of(rows: list[Row], *, words: bool = False) -> pa.Table:
    """Return rows as a stream gives them; ``words``: as dictionaries."""
    columns = (
        list(zip(*(dataclasses.astuple(r) for r in rows), strict=True)) or [()] * 10
    )
    names = ("lead_id", "kind", "channel", "content", "event_id", "merged_from")
    texts = dict(zip(names, (columns[i] for i in (0, 3, 4, 5, 7, 8)), strict=True))
    made = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    if words:
        for name in ("lead_id", "kind", "channel", "content"):
            made[name] = made[name].dictionary_encode()
    for name, values in (("occurred_at", columns[1]), ("known_at", columns[2])):
        made[name] = pa.array(values, pa.int64()).view(pa.timestamp("us", "UTC"))
    made["duration_s"] = pa.array(columns[6], pa.float64())
    return pa.table(made)


def as_read(rows: list[Row]) -> pa.Table:
    """Return rows as a file tells them: none of them is a copy."""
    return table_of(rows).drop_columns("merged_from")


def told(bucket: pa.Table) -> list[tuple]:
    """Return what a bucket says, as `counted_once` does."""
    columns = [bucket.column(n).cast(pa.int64()).to_pylist() for n in BUCKET.names[1:3]]
    occurred, known = columns
    known = [at if at is not None else o for o, at in zip(occurred, known, strict=True)]
    names = ("kind", "channel", "content", "duration_s", "merged_from")
    rest = [bucket.column(name).to_pylist() for name in names]
    leads = bucket.column("lead_id").to_pylist()
    return list(zip(leads, occurred, known, *rest, strict=True))


def counted_once(rows: list[Row]) -> list[tuple]:
    """The oracle: what finish_bucket's docstring says, row by row."""
    plain = [
        dataclasses.replace(
            r, duration=None if r.duration is None else r.duration + 0.0
        )
        for r in rows
    ]
    kept = sorted(set(plain), key=lambda r: r.key)
    versions: dict[tuple, list[Row]] = {}
    for row in kept:
        if row.event is not None:
            versions.setdefault((row.lead, row.event), []).append(row)
    first = {k: min(v, key=lambda r: (r.since, r.key)) for k, v in versions.items()}
    kept = [r for r in kept if first.get((r.lead, r.event), r) is r]
    alike: dict[tuple, list[Row]] = {}
    for row in [r for r in kept if r.event is None]:
        facts = (row.lead, row.occurred, row.kind, row.channel, row.content)
        alike.setdefault((*facts, row.duration), []).append(row)
    tellers = {k: min(v, key=lambda r: (r.since, r.key)) for k, v in alike.items()}
    kept = [r for r in kept if r.event is not None] + [
        row
        for key, group in alike.items()
        for row in group
        if row.origin == tellers[key].origin
    ]
    return [
        (*dataclasses.astuple(r)[:7], r.origin)
        for r in sorted(kept, key=lambda r: r.key)
    ]


def rows(leads=("a", "b"), origins=(None, "b", "c")) -> st.SearchStrategy[list[Row]]:
    """A few rows that repeat each other in all but one column, and in all."""
    one = st.builds(
        lambda lead, at, late, *rest: Row(lead, T + at, T + at + late, *rest),
        st.sampled_from(leads),
        st.sampled_from([0, 1, WITHIN]),
        st.sampled_from([0, 1, WITHIN, 3 * WITHIN]),
        st.sampled_from(["email_open", "email_click", "page_view"]),
        st.sampled_from([None, "web", "É"]),
        st.sampled_from([None, "x", "y"]),
        st.sampled_from([None, 0.0, -0.0, 1.5]),
        st.sampled_from([None, None, "e1", "e2"]),
        st.sampled_from(origins),
    )
    return st.lists(st.tuples(one, st.sampled_from([1, 1, 2])), max_size=12).map(
        lambda drawn: [row for row, times in drawn for _ in range(times)]
    )


TWICE = Row("a", T, T, "page_view", event="e1")
COPY = Row("a", T, T + 9, "page_view", event="e3", origin="b")


@given(rows())
@example([TWICE, dataclasses.replace(TWICE, event="e2", known=T + 1), COPY])
@settings(max_examples=examples(200), deadline=None)
def test_a_bucket_is_what_its_docstring_says(given_rows) -> None:
    assert told(finish_bucket(table_of(given_rows), NOBODY)) == counted_once(given_rows)


@given(rows(), st.randoms(use_true_random=False))
@settings(max_examples=examples(60), deadline=None)
def test_a_bucket_has_the_same_bits_whatever_the_order_and_the_form(
    given_rows, random
) -> None:
    expected = finish_bucket(table_of(given_rows), MACHINES)
    shuffled = random.sample(given_rows, len(given_rows))
    found = finish_bucket(table_of(shuffled, words=True), MACHINES)
    assert found.equals(expected)
    zeros = expected.column("duration_s").drop_null().to_numpy()
    assert not np.signbit(zeros).any()


@given(rows(), st.sampled_from([0, 1, 2, WITHIN, WITHIN + 1, 2 * WITHIN + 1]))
@example([TWICE, dataclasses.replace(TWICE, event="e2", known=T + 1), COPY], 5)
@settings(max_examples=examples(100), deadline=None)
def test_no_row_depends_on_one_that_is_known_later(given_rows, as_of) -> None:
    """Not on later versions, nor on copies of merges that are told later."""

    def seen(some: list[Row]) -> list[dict]:
        bucket = in_memory(table_of(some), MACHINES).frame()
        return bucket[bucket["visible_at"] < instants([T + as_of])[0]].to_dict(
            "records"
        )

    before = [row for row in given_rows if row.known < T + as_of]
    assert repr(seen(given_rows)) == repr(seen(before))


def test_a_version_that_is_told_later_counts_for_nothing() -> None:
    first = Row("a", T, T + 5, "page_view", duration=1.0, event="e")
    late = Row("a", T, T + 6, "page_view", duration=9.0, event="e")
    other = Row("b", T, T + 6, "page_view", duration=9.0, event="e")
    bucket = finish_bucket(table_of([late, first, other]), NOBODY)
    assert bucket.column("duration_s").to_pylist() == [1.0, 9.0]


# ---------------------------------------------------------------------------- ids

IDS = [
    *("", " ", "\x00", "\x00\x00", "a", "a\x00", "é", "e\u0301", "名前"),
    *("x" * n for n in (1, 7, 8, 9, 15, 16, 17, 10_000, 10_001)),
    "x" * 9_999 + "y",
]


def test_ids_of_any_length_are_told_apart() -> None:
    given_rows = [Row(i, T, T, "page_view", event=e) for i in IDS for e in IDS]
    bucket = finish_bucket(table_of(given_rows * 2), NOBODY)
    assert bucket.num_rows == len(given_rows)
    assert bucket.column("lead_id").unique().to_pylist() == sorted(IDS)


def test_ids_that_differ_in_three_bits_are_told_apart() -> None:
    """Weak mixing let one change of a block undo another one eight bytes later."""
    rng = np.random.default_rng(0)
    ids = rng.integers(64, 128, (20_000, 16), dtype=np.uint8) & 0b11011111
    alike = ids.copy()
    alike[:, 7] ^= 0x40
    alike[:, 15] ^= 0x40
    alike[:, 12] ^= 0x02
    texts = [bytes(i % 128).decode("ascii") for i in (*ids, *alike)]
    assert len({*texts}) > 39_000
    keys = event_keys(pa.table({"event_id": texts}))
    found = {*zip(*(half.tolist() for half in keys.values()), strict=True)}
    assert len(found) == len({*texts})
    for half in keys.values():
        assert len({*half.tolist()}) == len({*texts})


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=20))
def test_a_hash_is_of_the_text_alone(texts) -> None:
    whole = pa.array(["before", *texts, "after"], pa.large_string())
    found = hash_texts(whole.slice(1, len(texts)), seed=3)
    alone = [hash_texts(pa.array([t or ""], pa.large_string()), seed=3) for t in texts]
    assert found.tolist() == [int(one[0]) for one in alone]


def test_a_dictionary_that_holds_a_word_twice_is_read_as_one() -> None:
    rows_twice = table_of([Row("a", T, T, "page_view", content="x")] * 2)
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), ["x", "x"])
    places = rows_twice.column_names.index("content")
    bucket = finish_bucket(rows_twice.set_column(places, "content", twice), NOBODY)
    assert bucket.num_rows == 1
    assert bucket.column("content").combine_chunks().dictionary.to_pylist() == ["x"]


def test_thousands_of_kinds_are_kinds() -> None:
    given_rows = [Row("a", T + i % 7, T + i % 7, f"k{i}") for i in range(2_000)]
    log = in_memory(table_of(given_rows), MACHINES)
    assert log.by_kind()["n_rows"].eq(1).all()
    assert len(log.by_kind()) == 2_000
    snapshots = snapshots_of([("a", T + DAY)])
    features = behaviour(log, snapshots, CATALOGUE, AGREEMENT)
    assert features["n_30d"].tolist() == [2_000]


def test_no_rows_are_a_bucket() -> None:
    bucket = finish_bucket(table_of([]), MACHINES)
    assert bucket.num_rows == 0
    assert bucket.schema == BUCKET
    assert list(in_memory(table_of([])).frame()) == BUCKET.names


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=40))
def test_places_are_sorted_as_python_sorts(keys) -> None:
    columns = np.array(keys, np.int64).reshape(-1, 3).T.copy()
    found = sorted_places(columns, 3)
    assert found.tolist() == sorted(range(len(keys)), key=lambda i: keys[i])


# ------------------------------------------------------------------------- merges

LEADS = ("a", "b", "c", "d")
CHAIN = {"a": ("b", 4), "b": ("c", 2), "c": ("d", WITHIN)}
TREE = {"a": ("c", 0), "b": ("c", 2), "c": ("d", 5)}


def leads_with(merges: dict[str, tuple[str, int]]) -> pd.DataFrame:
    told_first = [
        {"lead_id": i, "created_at": T - 100 * DAY, "known_at": T - 100 * DAY}
        for i in LEADS
    ]
    told_later = [
        {"lead_id": i, "created_at": T, "known_at": T + at, "merged_into": into}
        for i, (into, at) in merges.items()
    ]
    return leads_of([*told_first, *told_later])


def moved_by_hand(some: list[Row], merges: dict[str, tuple[str, int]]) -> list[Row]:
    """Return rows, and those that each lead up the chain has from the merges on."""
    every = list(some)
    for row in some:
        at, lead = row.known, row.lead
        while lead in merges:
            lead, merged = merges[lead]
            at = max(at, T + merged)
            copy = dataclasses.replace(row, lead=lead, known=at, origin=row.lead)
            every.append(dataclasses.replace(copy, told=row.known))
    return every


def drawn_merges() -> st.SearchStrategy[dict[str, tuple[str, int]]]:
    """Chains and trees: each lead into a later one, at any time."""
    at = st.sampled_from([-5, 0, 1, 4, WITHIN, 3 * WITHIN])
    pairs = [
        st.one_of(st.none(), st.tuples(st.sampled_from(LEADS[i + 1 :]), at))
        for i in range(3)
    ]
    return st.tuples(*pairs).map(
        lambda drawn: {i: m for i, m in zip(LEADS, drawn, strict=False) if m}
    )


def folded(log_rows: pa.Table, as_ofs, machines=NOBODY) -> pd.DataFrame:
    pairs = [(lead, T + at) for lead in LEADS for at in as_ofs]
    log = in_memory(log_rows, machines)
    return behaviour(log, snapshots_of(pairs), CATALOGUE, AGREEMENT)


AS_OFS = (0, 1, 3, 5, WITHIN + 1, 4 * WITHIN)


def test_a_survivor_has_the_version_that_was_known_first() -> None:
    """Both versions are the survivor's from the merge on; the first one counts."""
    some = [
        Row("a", T, T, "zzz", event="e1"),
        Row("a", T, T + 2, "aaa", event="e1"),
    ]
    merges = merges_of(leads_with({"a": ("d", 9)}))
    bucket = finish_bucket(with_copies(as_read(some), merges), NOBODY)
    assert bucket.column("kind").to_pylist() == ["zzz", "zzz"]


def test_events_whose_ids_differ_are_never_one() -> None:
    some = [
        Row("a", T, T, "page_view", event="e1"),
        Row("d", T, T, "page_view", event="e2"),
    ]
    merges = merges_of(leads_with({"a": ("d", 9)}))
    bucket = finish_bucket(with_copies(as_read(some), merges), NOBODY)
    assert bucket.column("lead_id").to_pylist() == ["a", "d", "d"]


@given(rows(LEADS, (None,)), drawn_merges())
@example([Row("a", T, T, "page_view"), Row("d", T, T, "page_view")], CHAIN)
@example([Row("a", T, T, "page_view", event="e"), Row("b", T, T, "x", event="e")], TREE)
@settings(max_examples=examples(60), deadline=None)
def test_a_survivor_has_the_history_that_was_moved_by_hand(some, merges) -> None:
    with_merged = with_copies(as_read(some), merges_of(leads_with(merges)))
    by_hand = moved_by_hand(some, merges)
    assert told(finish_bucket(with_merged, NOBODY)) == counted_once(by_hand)
    # Without the column that says whose they were: plain rows of the survivor.
    plain = [
        Row(lead, occurred, known, kind, channel, content, duration, event=f"{n}")
        for n, (
            lead,
            occurred,
            known,
            kind,
            channel,
            content,
            duration,
            _,
        ) in enumerate(counted_once(by_hand))
    ]
    pd.testing.assert_frame_equal(
        folded(with_merged, AS_OFS), folded(table_of(plain), AS_OFS), check_exact=True
    )


@given(rows(LEADS, (None,)), drawn_merges(), st.sampled_from(AS_OFS))
@settings(max_examples=examples(60), deadline=None)
def test_merges_that_are_told_later_change_nothing(some, merges, as_of) -> None:
    known = {i: m for i, m in merges.items() if m[1] < as_of}
    every, before = (
        with_copies(as_read(some), merges_of(leads_with(m))) for m in (merges, known)
    )
    pd.testing.assert_frame_equal(
        folded(every, [as_of], MACHINES),
        folded(before, [as_of], MACHINES),
        check_exact=True,
    )


@pytest.mark.parametrize("merges", [CHAIN, TREE])
def test_copies_may_be_made_batch_by_batch(merges) -> None:
    some = [
        Row(lead, T + at, T + at, kind, content=content)
        for lead, at, kind, content in itertools.product(
            LEADS, (0, 3), ("page_view", "email_open"), (None, "x")
        )
    ]
    closure = merges_of(leads_with(merges))
    whole = finish_bucket(with_copies(as_read(some), closure), MACHINES)
    parts = [with_copies(as_read([row]), closure) for row in some]
    together = pa.concat_tables(parts, promote_options="default")
    assert finish_bucket(together, MACHINES).equals(whole)
    assert whole.column("merged_from").null_count == len(some)


def test_a_frame_and_its_rows_are_the_same_interactions() -> None:
    some = [Row("a", T, T + 1, "page_view", "web", "x", 2.5), Row("b", T, T, "other")]
    first = in_memory(table_of(some), MACHINES).frame()
    again = in_memory(
        rows_of(first.drop(columns=["visible_at", "machine"])), MACHINES
    ).frame()
    pd.testing.assert_frame_equal(first, again)
