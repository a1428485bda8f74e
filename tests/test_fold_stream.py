"""Batches of a stream: cut anywhere, they give the bits of the log folded at once."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import Machines
from leadscore.buckets import in_memory, rows_of
from leadscore.errors import DataError
from leadscore.features import fold_batches, folded_schema
from leadscore.features.build import behaviour
from leadscore.features.fold import Folding, fold_buckets
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    DAY,
    MANY_COLUMNS,
    interactions_of,
    seeded_world,
    snapshots_of,
    us,
    worlds,
)

NO_MACHINES = Machines()
MACHINES = Machines(
    kinds=("email_open", "page_view", "call"), sent="unsubscribe", within_s=3600
)
INSTANT = pa.timestamp("us", "UTC")
AT = us("2025-06-01T00:00Z")
SEEDS = st.integers(0, 2**32 - 1)


def folding_of(catalogue=CATALOGUE, *, with_machines=False):
    denied = AGREEMENT.features.deny
    return Folding(catalogue, AGREEMENT.zone, denied, with_machines)


def stream_of(interactions, snapshots, rng=None):
    """Return both as one table, sorted by lead, shuffled within each."""
    asked = rows_of(snapshots[["lead_id", "as_of"]])
    rows = pa.concat_tables([rows_of(interactions), asked], promote_options="default")
    if rng is not None:
        rows = rows.take(rng.permutation(rows.num_rows))
    leads = [lead.encode() for lead in rows.column("lead_id").to_pylist()]
    return rows.take(np.argsort(np.array(leads, dtype=object), kind="stable"))


def cut(rows, rng, longest):
    """Return the rows in batches of random sizes, some of them empty."""
    rows = rows.combine_chunks()
    at, batches = 0, []
    while at < rows.num_rows:
        n = int(rng.integers(0, longest + 1))
        part = rows.slice(at, n)
        batches += part.to_batches() or [pa.RecordBatch.from_pylist([], rows.schema)]
        at += n
    return batches


def folded(batches, folding=None, machines=NO_MACHINES, **options):
    """Return what comes out of a stream as one table."""
    folding = folding or folding_of()
    made = list(fold_batches(batches, folding, machines=machines, **options))
    return pa.Table.from_batches(made, folded_schema(folding))


def bits(table):
    """Return the features of a table, so that equal means the same bits."""
    columns = [column.to_numpy().view(np.int64) for column in table.columns[2:]]
    return np.stack(columns) if table.num_rows else np.empty((len(columns), 0))


def expected(rows, interactions, folding, machines=NO_MACHINES):
    """Return the lead ids and instants asked for, and the bits of the log folded."""
    asked = rows.filter(rows.column("as_of").is_valid()).select(["lead_id", "as_of"])
    as_of = asked.column("as_of").combine_chunks().cast(pa.int64()).to_numpy()
    lead_ids = asked.column("lead_id").combine_chunks().cast(pa.string())
    log = in_memory(rows_of(interactions), machines)
    out = fold_buckets(log, lead_ids, as_of, folding, n_threads=1)
    return lead_ids, as_of, out.view(np.int64)


def check(out, wanted):
    lead_ids, as_of, features = wanted
    assert out.column("lead_id").to_pylist() == lead_ids.to_pylist()
    assert out.column("as_of").cast(pa.int64()).to_pylist() == as_of.tolist()
    assert np.array_equal(bits(out), features)


def plain(log):
    return log.drop(columns=["visible_at", "machine", "merged_from"])


@settings(max_examples=examples(60), deadline=None)
@given(
    worlds(),
    SEEDS,
    st.sampled_from([1, 2, 5, 1000]),
    st.sampled_from([1, 10, 1000]),
    st.sampled_from([NO_MACHINES, MACHINES]),
    st.booleans(),
)
def test_batches_cut_anywhere_give_the_bits_of_the_whole_log(
    world, seed, longest, gathered_rows, machines, with_machines
):
    rng = np.random.default_rng(seed)
    log = plain(world.log)
    twice = log.iloc[: rng.integers(0, len(log) + 1)]
    folding = folding_of(MANY_COLUMNS, with_machines=with_machines)
    rows = stream_of(pd.concat([log, twice]), world.snapshots(), rng)
    out = folded(
        cut(rows, rng, longest), folding, machines, gathered_rows=gathered_rows
    )
    check(out, expected(rows, log, folding, machines))


def test_a_large_stream_gives_what_training_sees():
    world = seeded_world(5, n_leads=200, n_events=30)
    rng = np.random.default_rng(5)
    rows = stream_of(plain(world.log), world.snapshots(), rng)
    out = folded(cut(rows, rng, 300), gathered_rows=500)
    asked = out.select(["lead_id", "as_of"]).to_pandas()
    seen = behaviour(world.tables.interactions, asked, CATALOGUE, AGREEMENT)
    seen["first_channel"] = seen["first_channel"].cat.codes.replace(-1, np.nan)
    assert out.num_rows == 600
    assert np.array_equal(
        bits(out), np.ascontiguousarray(seen.to_numpy("float64").T).view(np.int64)
    )


def test_leads_without_interactions_have_rows_and_leads_without_snapshots_none():
    log = interactions_of(
        [("B", AT - DAY, None, "page_view", "web", None, None)] * 2
        + [("D", AT - DAY, None, "page_view", "web", None, None)]
    )
    rows = stream_of(log, snapshots_of([("A", AT), ("B", AT), ("C", AT)]))
    out = folded(rows.to_batches(max_chunksize=1), gathered_rows=1)
    assert out.column("lead_id").to_pylist() == ["A", "B", "C"]
    assert out.column("n_ever").to_pylist() == [0.0, 1.0, 0.0]


def test_only_interactions_only_snapshots_or_nothing():
    log = interactions_of([("A", AT - DAY, None, "page_view", "web", "a", 1.0)])
    rows = stream_of(log, snapshots_of([("A", AT)]))
    assert folded([]).num_rows == 0
    assert folded([rows.slice(0, 0).combine_chunks()]).num_rows == 0
    only_log = rows.filter(rows.column("as_of").is_null())
    only_asked = rows.filter(rows.column("as_of").is_valid())
    assert folded(only_log.to_batches()).num_rows == 0
    assert folded(only_asked.to_batches()).column("n_ever").to_pylist() == [0.0]


def test_snapshots_come_out_in_the_order_in_which_they_came():
    as_ofs = [AT, AT - 3 * DAY, AT, AT + DAY]
    asked = snapshots_of([("A", as_of) for as_of in as_ofs])
    rows = stream_of(interactions_of([]), asked)
    out = folded(rows.to_batches(max_chunksize=1))
    assert out.column("as_of").cast(pa.int64()).to_pylist() == as_ofs


def test_one_lead_larger_than_what_is_gathered_and_than_what_is_yielded_at_once():
    n = 25_000
    at = [AT - k * 1_000_000 for k in range(n)]
    log = interactions_of([("A", t, None, "page_view", "web", None, None) for t in at])
    asked = snapshots_of([("A", t + 1) for t in at])
    rows = stream_of(log, asked)
    made = list(
        fold_batches(
            rows.to_batches(max_chunksize=700),
            folding_of(),
            machines=NO_MACHINES,
            gathered_rows=100,
        )
    )
    assert [batch.num_rows for batch in made] == [10_000, 10_000, 5_000]
    out = pa.Table.from_batches(made)
    assert out.column("n_ever").to_pylist() == [float(n - k) for k in range(n)]


def test_rows_come_out_while_the_stream_goes_on():
    leads = [f"{n:03d}" for n in range(100)]
    log = interactions_of(
        [
            (i, AT - t, None, "page_view", None, None, None)
            for i in leads
            for t in (1, 2)
        ]
    )
    rows = stream_of(log, snapshots_of([(lead, AT) for lead in leads]))
    n_taken = 0

    def batches():
        nonlocal n_taken
        for batch in rows.to_batches(max_chunksize=7):
            n_taken += batch.num_rows
            yield batch

    n_given = 0
    for made in fold_batches(
        batches(), folding_of(), machines=NO_MACHINES, gathered_rows=10
    ):
        assert n_taken - 3 * n_given <= 10 + 2 * 7  # three rows make one
        n_given += made.num_rows
    assert n_given == 100


def test_an_event_delivered_in_two_batches_counts_once():
    rows = pa.table(
        {
            "lead_id": ["A"] * 4,
            "as_of": pa.array([AT, None, None, None], INSTANT),
            "occurred_at": pa.array([None, AT - 9, AT - 5, AT - 7], INSTANT),
            "known_at": pa.array([None, AT - 2, None, None], INSTANT),
            "event_id": [None, "e1", "e1", "e2"],
            "kind": [None, "page_view", "page_view", "page_view"],
        }
    )
    out = folded(rows.to_batches(max_chunksize=1), gathered_rows=1)
    assert out.column("n_ever").to_pylist() == [2.0]


def test_nothing_is_known_before_it_happens():
    rows = pa.table(
        {
            "lead_id": ["A"] * 3,
            "as_of": pa.array([AT, AT + 1, None], INSTANT),
            "occurred_at": pa.array([None, None, AT], INSTANT),
            "known_at": pa.array([None, None, AT - DAY], INSTANT),
            "kind": [None, None, "page_view"],
        }
    )
    assert folded(rows.to_batches()).column("n_ever").to_pylist() == [0.0, 1.0]


AN_HOUR = 3_600_000_000
LONG_AGO = us("1990-01-01T01:00Z")


@pytest.mark.parametrize(
    ("kind", "per_us"),
    [
        (pa.timestamp("s", "UTC"), 1_000_000),
        (pa.timestamp("ms", "America/New_York"), 1000),
        (pa.timestamp("us", "+05:30"), 1),
        (pa.timestamp("ns", "Europe/Paris"), 0.001),
        (pa.int64(), 1),
    ],
)
@pytest.mark.parametrize("at", [AT, LONG_AGO])
def test_instants_of_any_unit_and_zone_are_the_same_instants(kind, per_us, at):
    def column(*values):
        given = [None if v is None else int(v / per_us) for v in values]
        return pa.array(given, pa.int64()).cast(kind)

    rows = pa.table(
        {
            "lead_id": ["A"] * 4,
            "as_of": column(at, None, at + 1_000_000, None),
            "occurred_at": column(None, at, None, at - AN_HOUR),
            "known_at": column(None, None, None, None),
            "kind": [None, "page_view", None, "page_view"],
        }
    )
    out = folded(rows.to_batches())
    assert out.schema.field("as_of").type == INSTANT
    assert out.column("as_of").cast(pa.int64()).to_pylist() == [at, at + 1_000_000]
    assert out.column("n_ever").to_pylist() == [1.0, 2.0]
    assert out.column("days_since_last").to_pylist()[0] == 1 / 24


@pytest.mark.parametrize("at", [AT, LONG_AGO])
def test_what_happens_nanoseconds_after_as_of_is_not_seen(at):
    kind = pa.timestamp("ns", "UTC")
    rows = pa.table(
        {
            "lead_id": ["A"] * 3,
            "as_of": pa.array([at * 1000 + 999, at * 1000 + 1000, None], kind),
            "occurred_at": pa.array([None, None, at * 1000 + 1], kind),
            "kind": [None, None, "page_view"],
        }
    )
    assert folded(rows.to_batches()).column("n_ever").to_pylist() == [0.0, 1.0]


def test_words_may_be_dictionaries_large_or_of_no_type():
    rows = pa.table(
        {
            "lead_id": pa.array(["A", "A", "B", "B"]).dictionary_encode(),
            "as_of": pa.array([AT, None, AT, None], INSTANT),
            "occurred_at": pa.array([None, AT - 9, None, AT - 7], INSTANT),
            "known_at": pa.nulls(4),
            "kind": pa.array(
                [None, "page_view", None, "email_open"], pa.large_string()
            ).dictionary_encode(),
            "channel": pa.nulls(4),
            "content": pa.array([None, "a", None, "b"], pa.large_string()),
            "duration_s": pa.array([None, 3, None, 4], pa.int32()),
            "seen_by": [1, 2, 3, 4],
        }
    )
    out = folded(rows.to_batches(max_chunksize=1))
    assert out.column("lead_id").to_pylist() == ["A", "B"]
    assert out.column("n_page_view_ever").to_pylist() == [1.0, 0.0]
    assert out.column("dwell_s_ever").to_pylist() == [3.0, 4.0]


GOOD = {
    "lead_id": pa.array(["A", "A", "B"]),
    "as_of": pa.array([AT, None, AT], INSTANT),
    "occurred_at": pa.array([None, AT - 1, None], INSTANT),
    "kind": pa.array([None, "page_view", None]),
    "duration_s": pa.array([None, 1.0, None]),
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lead_id": pa.array(["B", "B", "A"])}, "not sorted by lead_id"),
        ({"lead_id": pa.array(["A", "B", "A"])}, "not sorted by lead_id"),
        ({"lead_id": pa.array(["é", "é", "f"])}, "not sorted by lead_id"),
        ({"lead_id": pa.array(["A", None, "B"])}, "no lead_id"),
        ({"kind": pa.nulls(3, pa.string())}, "no kind"),
        ({"occurred_at": pa.nulls(3, INSTANT)}, "no occurred_at"),
        ({"kind": None}, "no column kind"),
        ({"as_of": GOOD["as_of"].cast(pa.timestamp("us"))}, "as_of is timestamp"),
        ({"as_of": GOOD["as_of"].cast(pa.date32(), safe=False)}, "as_of is date32"),
        ({"occurred_at": pa.array([None, "2025", None])}, "occurred_at is string"),
        ({"duration_s": pa.array([None, -1.0, None])}, "below zero"),
        ({"duration_s": pa.array([None, np.inf, None])}, "above a year"),
        ({"duration_s": pa.array([None, "1", None])}, "duration_s is string: it has"),
        ({"duration_s": pa.array([None, True, None])}, "duration_s is bool: it has"),
        ({"kind": pa.array([None, {"a": 1}, None])}, "kind is struct<a: int64>: it h"),
        ({"content": pa.array([None, 1.5, None])}, "content is double: it has to be"),
        (
            {"lead_id": pa.array([b"A", b"A\xff", b"B"])},
            "lead_id is binary and cannot be read as text: ",
        ),
        (
            {"occurred_at": pa.array([None, 2**60, None], pa.timestamp("s", "UTC"))},
            r"occurred_at is timestamp\[s, tz=UTC\] and cannot be read as an instant: ",
        ),
        (
            {"occurred_at": pa.array([None, us("1990-01-01T00:00Z") - 1, None])},
            "1 rows to fold have an occurred_at before 1990",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 3])
def test_what_would_be_folded_wrong_is_refused(changed, message, size):
    columns = {n: c for n, c in {**GOOD, **changed}.items() if c is not None}
    batches = pa.table(columns).to_batches(max_chunksize=size)
    assert folded(pa.table(GOOD).to_batches(max_chunksize=size)).num_rows == 2
    with pytest.raises(DataError, match=message):
        folded(batches, gathered_rows=1)


def test_a_column_that_is_there_twice_is_refused():
    names = [*GOOD, "kind"]
    batch = pa.RecordBatch.from_arrays([*GOOD.values(), GOOD["kind"]], names)
    with pytest.raises(DataError, match="have two columns kind"):
        folded([batch])


TYPES = {
    "lead_id": [pa.string(), pa.large_string(), pa.string_view(), pa.binary()],
    "as_of": [INSTANT, pa.timestamp("ms", "Europe/Paris"), pa.int64()],
    "occurred_at": [INSTANT, pa.timestamp("ns", "UTC"), pa.int64()],
    "known_at": [None, pa.null(), INSTANT, pa.timestamp("s", "UTC")],
    "kind": [pa.string(), pa.dictionary(pa.int8(), pa.string())],
    "channel": [None, pa.null(), pa.string(), pa.dictionary(pa.int8(), pa.string())],
    "content": [None, pa.null(), pa.large_string(), pa.int32()],
    "duration_s": [None, pa.null(), pa.int16(), pa.float32(), pa.decimal128(21, 2)],
    "event_id": [None, pa.null(), pa.string(), pa.int64()],
}


def typed_batch(draw, row):
    """Return one row as a batch, each column of any type that can hold it, or none."""
    made = {}
    for name, value in row.items():
        fit = [t for t in TYPES[name] if value is None or t not in (None, pa.null())]
        kind = draw(st.sampled_from(fit))
        if kind is not None:
            own = INSTANT if INSTANT in TYPES[name] else None
            made[name] = pa.nulls(1, kind)
            if value is not None:
                made[name] = pa.array([value], own).cast(kind)
    return pa.RecordBatch.from_pydict(made)


@settings(max_examples=examples(25), deadline=None)
@given(st.data(), st.sampled_from([1, 3, 1000]))
def test_each_batch_may_have_types_of_its_own(data, gathered_rows):
    nothing = dict.fromkeys(TYPES)
    rows = []
    for lead in "ABC":
        rows.append(nothing | {"lead_id": lead, "as_of": AT})
        for n in range(3):
            seen = {"lead_id": lead, "occurred_at": AT - (n + 1) * DAY}
            rows.append(nothing | seen | {"kind": "page_view"})
        rows[-1] |= {"known_at": AT - DAY, "channel": "web", "duration_s": 3}
        rows[-2] |= {"content": "12", "event_id": "7"}
    batches = [typed_batch(data.draw, row) for row in rows]
    plain = pa.Table.from_pylist(rows)
    for name in ("as_of", "occurred_at", "known_at"):
        place = plain.column_names.index(name)
        plain = plain.set_column(place, name, plain.column(name).cast(INSTANT))
    out = folded(batches, gathered_rows=gathered_rows)
    assert np.array_equal(bits(out), bits(folded(plain.to_batches())))
    assert out.column("n_ever").to_pylist() == [3.0] * 3
    assert out.column("dwell_s_ever").to_pylist() == [3.0] * 3


def test_a_duration_that_is_no_number_is_as_none():
    rows = pa.table(GOOD | {"duration_s": pa.array([None, np.nan, None])})
    assert folded(rows.to_batches()).column("dwell_s_ever").to_pylist() == [0.0, 0.0]


def test_the_function_travels():
    world = seeded_world(3, n_leads=10, n_events=5)
    fold = functools.partial(
        fold_batches, folding=folding_of(MANY_COLUMNS), machines=MACHINES
    )
    there = pickle.loads(pickle.dumps(fold))  # noqa: S301 - what a cluster does
    batches = stream_of(plain(world.log), world.snapshots()).to_batches()
    here = pa.Table.from_batches(list(fold(batches)))
    assert there.keywords["folding"] == fold.keywords["folding"]
    assert np.array_equal(bits(pa.Table.from_batches(list(there(batches)))), bits(here))
