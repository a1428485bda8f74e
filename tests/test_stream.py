"""Interactions in pieces: nothing differs from the file read whole."""

import csv
import datetime as dt
import gzip
import hashlib
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import Database, parse_agreement
from leadscore.errors import AgreementError, DataError, InputError, RefusedError
from leadscore.store import tally as tally_module
from leadscore.store.database import read_database_rows
from leadscore.store.known import KnownLeads
from leadscore.store.loaded import FACT_END
from leadscore.store.parquet import read_parquet
from leadscore.store.parse import parse_rows
from leadscore.store.reader import read_delimited
from leadscore.store.rejects import LEAD_ASIDE
from leadscore.store.stream import stream_database, stream_interactions
from leadscore.store.typed import typed_instants
from leadscore.tables import INTERACTIONS
from tests.examples import examples

HEADER = "lead_id,occurred_at,known_at,kind,channel,content,duration_s\n"
LEADS = KnownLeads(["L1", "L2", "L1", "Zoé", "12"], {"L8": 7}, "leads.csv")
PARIS = 'time_zone = "Europe/Paris"\n'


def agreement_of(**source):
    lines = [f"{key} = {value!r}" for key, value in source.items()]
    return parse_agreement(PARIS + "[source]\n" + "\n".join(lines))


def streamed(path, leads=LEADS, agreement=None, **options):
    """Read a file in pieces; return the rows and the tally."""
    agreement = agreement or agreement_of()
    stream = stream_interactions(path, agreement, leads, **options)
    tables = list(stream)
    assert tables
    assert all(table.schema == stream.schema for table in tables)
    return plain(pd.concat([table.to_pandas() for table in tables])), stream.tally


def whole(path, leads=LEADS, agreement=None):
    """Read the same file at once, as it has always been read."""
    agreement = agreement or agreement_of()
    options = {"file": path.name, "contract": INTERACTIONS, "mapping": {}}
    if path.suffix == ".parquet":
        rows = read_parquet(path.read_bytes(), **options)
    else:
        rows = read_delimited(path.read_bytes(), source=agreement.source, **options)
    loaded = parse_rows(
        rows, INTERACTIONS, source=agreement.source, zone=agreement.zone
    )
    early = loaded.frame[FACT_END] < pd.Timestamp("1990-01-01", tz="UTC")
    loaded.set_aside(early.to_numpy(), "occurred_at", "lies before 1990")
    for position, lead_id in loaded.frame["lead_id"].items():
        if lead_id not in leads:
            loaded.reject(position, "lead_id", leads.reason(lead_id))
    unknown = [lead_id not in leads for lead_id in loaded.frame["lead_id"]]
    loaded.frame = loaded.frame[~np.array(unknown, dtype=np.bool_)]
    return loaded


def plain(frame):
    """Return rows as objects, nulls as None, in the order of the contract."""
    names = [name for name in INTERACTIONS.names if name in frame]
    return frame[names].astype(object).where(frame[names].notna(), None).to_numpy()


def refused(read, *arguments, **options):
    """Return the kind and the words of the refusal, None if there is none."""
    try:
        read(*arguments, **options)
    except (DataError, InputError) as error:
        return type(error), str(error)
    return None


def assert_same(path, leads=LEADS, agreement=None, **options):
    """Hold the pieces to the whole: rows, rejects, notes, counts, form."""
    refusal = refused(whole, path, leads, agreement)
    if refusal is not None:
        assert refused(streamed, path, leads, agreement, **options) == refusal
        return
    expected = whole(path, leads, agreement)
    rows, tally = streamed(path, leads, agreement, **options)
    columns = rows.shape[1]
    assert rows.tolist() == plain(expected.frame)[:, :columns].tolist()
    assert sorted(tally.rejects, key=repr) == sorted(expected.rejects, key=repr)
    assert tally.notes == expected.notes
    assert tally.form == expected.form
    assert tally.n_read == expected.n_read
    assert tally.n_used == len(rows)
    assert tally.n_aside == len(expected.rejects)
    assert tally.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("stream")


def written(place, text, name="interactions.csv", codec="utf-8"):
    path = place / name
    data = text if isinstance(text, bytes) else text.encode(codec)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def lines_of(n, when="2025-01-{day:02}T10:00Z", **cells):
    row = {"lead": "L1", "known": "", "kind": "view", "duration": "1.5"} | cells
    return "".join(
        f"{row['lead']},{when.format(day=i % 28 + 1)},{row['known']},{row['kind']},,,"
        f"{row['duration']}\n"
        for i in range(n)
    )


WHEN = st.sampled_from(
    [
        "2025-01-05T10:00Z",
        "2025-07-05 10:00",
        "2025-03-30 02:30",
        "2025-10-26 02:30",
        "2025-02-01",
        "1985-02-01",
        "1850-01-01",
        "tomorrow",
        "",
    ]
)
CELL = st.sampled_from(
    ["", "a", " b ", "NULL", 'say "yes"', "two\nlines", "é", "e\u0301"]
)
ROW = st.tuples(
    st.sampled_from(["L1", "L1", "L2 ", "Zoé", "L8", "L9", "", "1.5E+11"]),
    WHEN,
    WHEN,
    st.sampled_from(["view", " view", "click", "", "two\r\nlines"]),
    CELL,
    CELL,
    st.sampled_from(["", "1", "2.5", "1.234", "-3", "1e9", "x", "1e400"]),
)
RAW = st.sampled_from(
    ["\n", ",,,,,,\n", "L1,2025\n", 'L1,"open\n', "\0\n", 'L2,"a" b,\n', HEADER, "\r"]
)


@st.composite
def files(draw):
    """Write rows as a spreadsheet would, with what goes wrong between them."""
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    n = draw(st.sampled_from([3, 30, 200]))
    parts = draw(st.lists(st.one_of(ROW, ROW, ROW, RAW), max_size=12))
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    text.write(draw(st.sampled_from(["", "\n\n"])) + HEADER)
    for i in range(n if parts else 0):
        part = parts[(i * 7 + i // 5) % len(parts)]
        if isinstance(part, str):
            text.write(part)
        else:
            writer.writerow(part)
    data = text.getvalue()
    return data[:-1] if draw(st.booleans()) and data.endswith(end) else data


@settings(deadline=None, max_examples=examples(40))
@given(
    text=files(),
    chunk_bytes=st.sampled_from([70, 300, 1_000, 4_000, 1 << 20]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    name=st.sampled_from(["interactions.csv", "interactions.csv.gz"]),
)
def test_chunks_give_what_the_file_gives_whole(place, text, chunk_bytes, codec, name):
    data = text.encode(codec, "replace")
    assert_same(written(place, data, name), chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("chunk_bytes", [300, 2_000, 1 << 20])
@pytest.mark.parametrize("last", ["25/02/2025", "02/25/2025"])
def test_the_last_chunk_may_decide_the_order_of_dates(place, chunk_bytes, last):
    text = HEADER + lines_of(200, "03/04/2025 10:00", known="04/05/2025 11:00")
    text += f"L1,{last},{last},view,,,1\n"
    assert_same(written(place, text), chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("chunk_bytes", [300, 1_000, 1 << 20])
def test_dates_that_no_chunk_decides_are_refused(place, chunk_bytes):
    text = HEADER + lines_of(200) + lines_of(200, "03/04/2025 10:00")
    path = written(place, text)
    with pytest.raises(
        DataError, match="line 202: '03/04/2025' reads both ways; 0 val"
    ):
        streamed(path, chunk_bytes=chunk_bytes)
    assert_same(path, chunk_bytes=chunk_bytes)
    assert_same(path, agreement=agreement_of(date_order="mdy"), chunk_bytes=chunk_bytes)


@pytest.mark.parametrize("n_later", [100, 150])
def test_a_later_chunk_that_contradicts_the_order_is_refused(place, n_later):
    text = HEADER + lines_of(100, "25/02/2025") + lines_of(n_later, "02/25/2025")
    said = f"100 values say day first, {n_later} month first"
    with pytest.raises(DataError, match=said):
        streamed(written(place, text), chunk_bytes=1_000)


def test_a_few_dates_of_the_other_order_cost_their_rows(place):
    text = HEADER + lines_of(100, "25/02/2025") + lines_of(5, "02/25/2025")
    assert_same(written(place, text), chunk_bytes=1_000)


@pytest.mark.parametrize("chunk_bytes", [300, 1_000, 1 << 20])
@pytest.mark.parametrize("last", ["1,5", "1234,5", "2.345", "x"])
def test_the_last_chunk_may_decide_the_decimal_mark(place, chunk_bytes, last):
    header = HEADER.replace(",", ";")
    text = header + lines_of(200, duration="1.234").replace(",", ";")
    text += f"L1;2025-01-01;;view;;;{last}\n"
    assert_same(written(place, text), chunk_bytes=chunk_bytes)


def test_a_later_chunk_that_contradicts_the_decimal_mark_is_refused(place):
    header = HEADER.replace(",", ";")
    text = header + lines_of(100, duration="1.5").replace(",", ";")
    text += lines_of(100).replace(",", ";").replace("1.5", "1,5")
    with pytest.raises(DataError, match="as many with a point"):
        streamed(written(place, text), chunk_bytes=1_000)


@pytest.mark.parametrize("later", ["é".encode(), "é".encode("cp1252")])
@pytest.mark.parametrize("first", [b"e", "é".encode("cp1252")])
def test_the_encoding_is_that_of_the_whole_file(place, first, later):
    row = lines_of(1).encode()
    text = HEADER.encode() + row.replace(b",,,", b"," + first + b",,", 1) * 100
    text += row.replace(b",,,", b"," + later + b",,", 1) * 100
    assert_same(written(place, text), chunk_bytes=500)


def test_a_quote_that_is_never_closed_costs_one_line_across_chunks(place):
    text = HEADER + lines_of(60) + 'L1,"open,,,,,\n' + lines_of(200)
    path = written(place, text)
    assert_same(path, chunk_bytes=200)
    _, tally = streamed(path, chunk_bytes=200)
    assert [reject.line for reject in tally.rejects] == [62]


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", b"PK\x03\x04", b"only\n", b"a,b\n1,2\n"]
)
def test_what_is_no_table_is_refused_as_ever(place, data):
    assert_same(written(place, data), chunk_bytes=64)


def test_damaged_archives_are_refused_as_ever(place, monkeypatch):
    path = written(place, HEADER + lines_of(100), "i.csv.gz")
    data = path.read_bytes()
    assert_same(written(place, HEADER, "i.csv.gz"), chunk_bytes=64)
    path.write_bytes(data[:-12])
    assert_same(path, chunk_bytes=64)
    path.write_bytes(data[:-6] + b"abcdef")
    assert_same(path, chunk_bytes=64)
    monkeypatch.setattr("leadscore.store.chunks.max_expansion", lambda n: 1_000)
    path.write_bytes(data)
    with pytest.raises(RefusedError, match="grows to more than 1,000 bytes"):
        streamed(path, chunk_bytes=64)


def test_a_file_that_is_missing_is_an_input_error(place):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(InputError):
            streamed(place / name)


def test_event_ids_are_given_where_the_file_has_them(place):
    text = (
        "event_id,lead_id,occurred_at,kind\ne1,L1,2025-01-01,view\n,L2,2025-01-01,x\n"
    )
    path = written(place, text)
    assert_same(path)
    rows, _ = streamed(path)
    assert rows[:, -1].tolist() == ["e1", None]
    stream = stream_interactions(
        written(place, HEADER + lines_of(1)), agreement_of(), LEADS
    )
    assert "event_id" not in stream.schema.names


def test_rejects_beyond_the_first_are_counted_by_reason(place, monkeypatch):
    monkeypatch.setattr(tally_module, "MAX_REJECTS", 5)
    bad = lines_of(20, lead="L9") + lines_of(30, lead="L8") + lines_of(40, kind="")
    path = written(place, HEADER + lines_of(50) + bad + "L1,x\n" * 10)
    expected = whole(path)
    for chunk_bytes in (500, 1 << 20):
        _, tally = streamed(path, chunk_bytes=chunk_bytes)
        assert len(tally.rejects) == 5
        assert tally.n_aside == 100
        assert sum(tally.beyond.values()) == 95
        assert tally.beyond[LEAD_ASIDE] == 30
        assert "5 of 100 rows set aside are listed; of the others: " in tally.notes[-1]
        with pytest.raises(DataError, match="70 of 150 rows cannot be used") as caught:
            tally.check_budget(0.1)
        assert len(caught.value.rejects) == 5
        tally.check_budget(0.5)
    assert len(expected.rejects) == 100


INSTANTS = st.one_of(
    st.none(),
    st.datetimes(dt.datetime(1960, 1, 1), dt.datetime(2205, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        [
            dt.datetime(2025, 3, 30, 2, 30),  # noqa: DTZ001
            dt.datetime(2025, 10, 26, 2, 30),  # noqa: DTZ001
            dt.datetime(1989, 12, 31, 23, 59),  # noqa: DTZ001
            dt.datetime(1, 1, 1),  # noqa: DTZ001
        ]
    ),
)
KINDS = st.sampled_from(
    [
        pa.timestamp("us", "UTC"),
        pa.timestamp("ms", "Europe/Paris"),
        pa.timestamp("us"),
        pa.timestamp("s"),
        pa.date32(),
        pa.date64(),
        pa.string(),
    ]
)
WORDS = st.sampled_from(
    ["L1", "L1 ", "L2", "Zoé", "Zoe\u0301", "L8", "L9", "", "-", "1.5E+11", None]
)
NUMBERS = st.one_of(
    st.none(), st.floats(width=32), st.sampled_from([-1.0, 0.0, 1e8, 1e-7, 12.5])
)


def instants_as(values, kind):
    if kind == pa.string():
        return pa.array([v and v.isoformat(sep=" ") for v in values], kind)
    return pa.array(values, pa.timestamp("us")).cast(kind, safe=False)


def words_as(values, form):
    array = pa.array(values, pa.string())
    if form == "dictionary":
        return array.dictionary_encode()
    if form == "int":
        return pa.array(
            [None if v is None else len(v) + 10 for v in values], pa.int32()
        )
    return array.cast(pa.large_string()) if form == "large" else array


@st.composite
def parquet_tables(draw):
    n = draw(st.integers(0, 25))

    def column(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    numbers = draw(
        st.sampled_from([pa.float64(), pa.float32(), pa.int64(), pa.string()])
    )
    durations = column(NUMBERS)
    if numbers == pa.int64():
        durations = [
            v and (int(v) if abs(v) < 1e15 else 3) for v in map(zero_nan, durations)
        ]
    columns = {
        "lead_id": words_as(column(WORDS), draw(FORMS)),
        "occurred_at": instants_as(column(INSTANTS), draw(KINDS)),
        "known_at": instants_as(column(INSTANTS), draw(KINDS)),
        "kind": words_as(column(WORDS), draw(FORMS)),
        "content": words_as(column(WORDS), draw(FORMS)),
        "duration_s": pa.array(durations).cast(numbers, safe=False)
        if n
        else pa.array([], numbers),
        "event_id": words_as(column(WORDS), draw(FORMS)),
        "more": pa.array(range(n), pa.int8()),
    }
    left_out = draw(st.sampled_from(["none", "known_at", "duration_s", "event_id"]))
    return pa.table({k: v for k, v in columns.items() if k != left_out})


FORMS = st.sampled_from(["string", "large", "dictionary", "int"])


def zero_nan(value):
    return 0.0 if value is not None and value != value else value


@settings(deadline=None, max_examples=examples(60))
@given(
    table=parquet_tables(),
    batch_rows=st.sampled_from([1, 4, 1_000]),
    group=st.sampled_from([3, 1_000]),
    decimal=st.sampled_from(["auto", ".", ","]),
    use_dictionary=st.booleans(),
)
def test_typed_batches_give_what_the_text_of_the_file_gives(
    place, table, batch_rows, group, decimal, use_dictionary
):
    path = place / "interactions.parquet"
    pq.write_table(table, path, row_group_size=group, use_dictionary=use_dictionary)
    agreement = agreement_of(decimal=decimal)
    assert_same(path, agreement=agreement, batch_rows=batch_rows)


@pytest.mark.parametrize("at", [18_448_444_073_709, -(2**53), 2**53, -(2**63) + 1])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_instants_too_far_away_for_microseconds_are_bad_cells(place, at, zone, unit):
    """They would wrap: 18,448,444,073,709 seconds become November 2023."""
    kind = pa.timestamp(unit, zone)
    if unit == "ms" and abs(at) < 2**62:
        at *= 1000
    path = place / "i.parquet"
    columns = {
        "lead_id": ["L1", "L1"],
        "occurred_at": pa.array([at, None], pa.int64()).cast(kind),
        "kind": ["x", "x"],
    }
    found = typed_instants(columns["occurred_at"], agreement_of().zone)
    assert list(found.bad) == [0]
    assert np.isnat(found.start).all()
    if unit == "ms":  # Parquet has no seconds
        pq.write_table(pa.table(columns), path)
        assert_same(path)
        assert len(streamed(path)[1].rejects) == 2


def test_dates_too_far_away_for_microseconds_are_bad_cells(place):
    path = place / "i.parquet"
    days = pa.array([2**31 - 1, -(2**31), 213_503_982 + 20_000], pa.int32())
    columns = {
        "lead_id": ["L1"] * 3,
        "occurred_at": days.cast(pa.date32()),
        "kind": ["x"] * 3,
    }
    pq.write_table(pa.table(columns), path)
    assert_same(path)
    assert len(streamed(path)[1].rejects) == 3


def test_a_decimal_comma_of_other_files_leaves_typed_numbers_alone(place):
    path = place / "i.parquet"
    frame = pd.DataFrame(
        {
            "lead_id": "L1",
            "occurred_at": "2025-01-01",
            "kind": "x",
            "duration_s": [1.25],
        }
    )
    frame.to_parquet(path)
    rows, tally = streamed(path, agreement=agreement_of(decimal=","))
    assert rows[0, 6] == 1.25
    assert tally.rejects == []
    assert_same(path, agreement=agreement_of(decimal=","))


def test_lists_are_no_cells(place):
    path = place / "i.parquet"
    columns = {"lead_id": ["L1"], "occurred_at": ["2025-01-01"], "kind": [["x"]]}
    pq.write_table(pa.table(columns), path)
    assert_same(path)


def test_broken_parquet_is_an_input_error(place):
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        streamed(written(place, b"PAR1 not at all", "i.parquet"))


@given(
    known=st.lists(st.text(max_size=5)),
    asked=st.lists(st.one_of(st.none(), st.text(max_size=5))),
)
def test_known_leads_are_those_that_were_given(known, asked):
    leads = KnownLeads(known + known)
    asked = asked + known
    expected = [lead_id in set(known) for lead_id in asked]
    array = pa.array(asked, pa.string())
    assert leads.has(array).tolist() == expected
    assert leads.has(array.dictionary_encode()).tolist() == expected
    assert leads.has(array.slice(1)).tolist() == expected[1:]


@pytest.mark.parametrize("make", [list, pd.Index, pd.Series, pa.array, np.array])
def test_known_leads_take_what_holds_ids(make):
    leads = KnownLeads(make(["L1", "L2"]))
    assert ("L1" in leads, "L3" in leads) == (True, False)


ROWS = [
    ("L1", dt.datetime(2025, 3, 1, 10, 30), "view", 1.5, "a"),  # noqa: DTZ001
    ("L2", dt.datetime(2025, 3, 30, 2, 30), "view", None, "b"),  # noqa: DTZ001
    ("L1", dt.datetime(2025, 7, 1), "click", 2.0, None),  # noqa: DTZ001
    ("L9", dt.datetime(2025, 7, 1), "click", 1e-7, "d"),  # noqa: DTZ001
    (None, dt.datetime(2025, 7, 1), "click", -1.0, "e"),  # noqa: DTZ001
]


def filled_database(place, rows, name="events"):
    path = place / "crm.sqlite"
    path.unlink(missing_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}")
    kinds = (sa.String, sa.DateTime, sa.String, sa.Float, sa.String)
    names = ("Contact ID", "occurred_at", "kind", "duration_s", "event_id")
    columns = [sa.Column(n, k) for n, k in zip(names, kinds, strict=True)]
    table = sa.Table(name, sa.MetaData(), *columns)
    with engine.begin() as connection:
        table.create(connection)
        if rows:
            connection.execute(
                table.insert(), [dict(zip(names, row, strict=True)) for row in rows]
            )
    engine.dispose()
    return f"sqlite:///{path}"


def from_database(url, batch_rows=2, table="events"):
    agreement = parse_agreement(
        PARIS
        + '[source.columns.interactions]\nlead_id = "Contact ID"\n'
        + f'[source.database]\nurl = "{url}"\ntables.interactions = "{table}"\n'
    )
    database = agreement.source.database
    stream = stream_database(database, agreement, LEADS, batch_rows=batch_rows)
    tables = list(stream)
    return plain(pd.concat([t.to_pandas() for t in tables])), stream.tally


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_table_of_a_database_is_read_like_a_file(place, monkeypatch, batch_rows):
    url = filled_database(place, ROWS)
    rows, tally = from_database(url, batch_rows)
    assert rows[:, 0].tolist() == ["L1", "L1"]
    assert rows[:, 1].tolist() == [
        pd.Timestamp("2025-03-01 09:30", tz="UTC"),
        pd.Timestamp("2025-06-30 22:00", tz="UTC"),
    ]
    assert rows[:, -2].tolist() == [1.5, 2.0]
    assert [(r.file, r.line, r.column) for r in tally.rejects] == [
        ("events", 2, "occurred_at"),
        ("events", 4, "lead_id"),
        ("events", 5, "lead_id"),
    ]
    assert tally.counts() == "events: 5 rows read, 2 used, 3 set aside; database."
    monkeypatch.setenv("CRM_URL", url)
    assert from_database("env:CRM_URL")[0].tolist() == rows.tolist()


def test_the_digest_of_a_table_knows_its_rows_and_not_their_order(place):
    digests = [
        from_database(filled_database(place, rows))[1].digest
        for rows in (ROWS, ROWS[::-1], ROWS[1:], ROWS + ROWS[:1], [])
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_leads_of_a_database_are_read_whole(place):
    url = filled_database(place, ROWS)
    settings = {"url": url, "tables": {"interactions": "events"}}
    database = Database.model_validate(settings)
    rows, digest = read_database_rows(database, INTERACTIONS, {"lead_id": "Contact ID"})
    assert rows.cells["lead_id"].to_pylist() == ["L1", "L2", "L1", "L9", None]
    assert rows.lines.tolist() == [1, 2, 3, 4, 5]
    assert rows.typed == {"duration_s"}
    assert digest == from_database(url)[1].digest


def test_a_database_that_cannot_be_read_says_so_without_its_password(
    place, monkeypatch
):
    url = filled_database(place, ROWS)
    with pytest.raises(InputError, match=r"nowhere cannot be read from sqlite:"):
        from_database(url, table="nowhere")
    monkeypatch.delenv("CRM_URL", raising=False)
    with pytest.raises(InputError, match="variable CRM_URL, which"):
        from_database("env:CRM_URL")
    for secret in (
        "sqlite://joe:s3cret@host/x",
        "s3cret@",
        "foo://joe@host/x?pwd=s3cret",
    ):
        monkeypatch.setenv("CRM_URL", secret)
        with pytest.raises(InputError) as caught:
            from_database("env:CRM_URL")
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('url = "postgresql://joe:s3cret@host/x"', 'write url = "env:NAME"'),
        ('url = "mssql://host/x?Password=s3cret"', 'write url = "env:NAME"'),
        ('url = "env:not a name"', "the name of a variable"),
        ('url = "sqlite:///x"\ntables = {}', "name the tables to read"),
        ('url = "sqlite:///x"\nfiles = 1', "unknown key 'files'"),
    ],
)
def test_a_database_section_that_cannot_be_is_refused(toml, said):
    tables = "" if "tables" in toml else '\ntables.leads = "x"'
    with pytest.raises(AgreementError) as caught:
        parse_agreement(f"[source.database]\n{toml}{tables}")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_table_is_in_one_place():
    toml = '[source.files]\nleads = "a.csv"\n[source.database]\nurl = "env:A"\n'
    with pytest.raises(AgreementError, match="both a file and a table"):
        parse_agreement(toml + 'tables.leads = "x"')
