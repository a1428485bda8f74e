"""The event store: the same as in memory, made once, whole or made again."""

from __future__ import annotations

import errno
import gzip
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore import files
from leadscore.agreement import Machines, parse_agreement
from leadscore.buckets import in_memory, rows_of
from leadscore.errors import (
    BusyError,
    DataError,
    InputError,
    OutputError,
    StorageError,
)
from leadscore.features.build import behaviour
from leadscore.features.fold import Folding, fold_buckets
from leadscore.interactions import BUCKET, Interactions
from leadscore.merges import merges_of
from leadscore.store import log as log_module
from leadscore.store import log_source, read_tables
from leadscore.store.events import Recipe, build_store, open_store, scatter
from leadscore.store.events import store as store_module
from leadscore.store.find import find_files, has_interactions
from leadscore.tables import Tables
from tests import folders
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    TOML,
    World,
    leads_of,
    seeded_world,
    snapshots_of,
    worlds,
)

MACHINES = Machines(kinds=("email_open", "page_view"), sent="email_sent", within_s=60)
GIVEN = ("lead_id", "occurred_at", "known_at", "kind", "channel", "content")
NO_MERGES = merges_of(leads_of([{"lead_id": "a", "created_at": 0}]))
TEXT = TOML + '[source]\ndata_end = "2027-01-01T00:00:00Z"\n'


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Every log becomes a store, of some buckets."""
    monkeypatch.delenv("LEADSCORE_STORE", raising=False)
    monkeypatch.setattr(log_module, "IN_MEMORY", 0)
    monkeypatch.setattr(log_module, "BUCKET_ROWS", 20)


def stored(folder, rows, *, n_buckets=3, machines=MACHINES, merges=NO_MERGES, key="k"):
    """Return a store of some batches."""
    recipe = Recipe(key, n_buckets, machines, merges)
    return build_store(folder, recipe, lambda: rows, lambda n_own: {"n_own": n_own})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_clean(folder: Path) -> bool:
    """Say whether nothing lies in a store but what belongs there."""
    n_buckets = len(json.loads((folder / "store.json").read_text())["files"])
    buckets = [f"bucket-{n:04d}.parquet" for n in range(n_buckets)]
    return names(folder) == [*buckets, "lock", "store.json"]


def same(one: Interactions, other: Interactions) -> None:
    assert len(one) == len(other)
    pd.testing.assert_frame_equal(one.frame(), other.frame(), check_exact=True)


def same_features(world: World, one: Interactions, other: Interactions) -> None:
    snapshots = world.snapshots()
    pd.testing.assert_frame_equal(
        *(behaviour(log, snapshots, CATALOGUE, AGREEMENT) for log in (one, other)),
        check_exact=True,
    )


# ------------------------------------------------------------- the same as in memory


def repeated(world: World, seed: int, *, with_ids: bool) -> pd.DataFrame:
    """Return the rows of a world, some of them twice, in any order."""
    rng = np.random.default_rng(seed)
    rows = world.log[[*GIVEN, "duration_s"]]
    if with_ids:
        ids = [f"é{n}" * (n % 40) or None for n in range(len(rows))]
        rows = rows.assign(event_id=pd.Series(ids, dtype="str"))
    again = rows.sample(frac=0.3, random_state=rng)
    late = again.assign(
        known_at=again["known_at"] + pd.to_timedelta(rng.integers(1, 9), "D"),
        duration_s=1.0,
    )
    parts = [rows, again, late] if with_ids else [rows, again]
    together = pd.concat(parts, ignore_index=True)
    return together.sample(frac=1.0, random_state=rng, ignore_index=True)


@given(
    worlds(),
    st.integers(0, 2**32),
    st.integers(1, 9),
    st.integers(1, 20),
    st.booleans(),
    st.sampled_from([1, 2, 5]),
)
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_store_is_what_is_held_in_memory(
    tmp_path_factory, world, seed, n_buckets, batch, with_ids, n_threads
) -> None:
    rows = repeated(world, seed, with_ids=with_ids)
    table = rows_of(rows)
    held = in_memory(table, MACHINES)
    batches = [table.slice(i, batch) for i in range(0, table.num_rows, batch)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: n_threads)
        patch.setattr(os, "fsync", lambda _: None)
        folder = tmp_path_factory.mktemp("store")
        found = stored(folder, batches, n_buckets=n_buckets)
        same(found.interactions, held)
        same_features(world, found.interactions, held)
    assert found.facts == {"n_own": len(held)}
    assert is_clean(folder)


@pytest.fixture(scope="module")
def world() -> World:
    return seeded_world(5, n_leads=60, n_events=25)


def csv_of(rows: pd.DataFrame) -> str:
    return rows.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")


def data_folder(folder: Path, world: World, rows: pd.DataFrame, form: str) -> Path:
    """Write a world as a data folder, its interactions in some form."""
    folder.mkdir()
    files.write_table(folder / "leads.csv", world.tables.leads)
    (folder / "outcomes.csv").write_text(
        "lead_id,stage,occurred_at\nL0000,opportunity,2025-05-01T00:00:00Z\n"
    )
    text = csv_of(rows)
    if form == "csv":
        (folder / "interactions.csv").write_text(text)
    elif form == "csv.gz":
        (folder / "interactions.csv.gz").write_bytes(gzip.compress(text.encode()))
    elif form == "parquet":
        rows.to_parquet(folder / "interactions.parquet")
    elif form == "text":
        lines = [line.split(",") for line in text.splitlines()]
        columns = {n: [row[i] for row in lines[1:]] for i, n in enumerate(lines[0])}
        pq.write_table(pa.table(columns), folder / "interactions.parquet")
    return folder


def database_of(path: Path, **tables: pd.DataFrame) -> str:
    with sqlite3.connect(path) as connection:
        for name, frame in tables.items():
            plain = frame.copy()
            for column in plain.select_dtypes("datetimetz"):
                plain[column] = plain[column].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            plain.to_sql(name, connection, index=False)
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def rows(world) -> pd.DataFrame:
    return repeated(world, 3, with_ids=True)


@pytest.fixture(scope="module")
def held(world, rows) -> Interactions:
    return in_memory(rows_of(rows), AGREEMENT.machines)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "text", "database"])
def test_files_and_databases_of_any_form_give_the_same(
    tmp_path, monkeypatch, world, rows, held, form
) -> None:
    monkeypatch.setattr(log_module, "BUCKET_ROWS", 300)
    monkeypatch.setattr(log_module, "UNKNOWN_BUCKETS", 7)
    folder = data_folder(tmp_path / "data", world, rows, form)
    text = TEXT
    if form == "database":
        url = database_of(tmp_path / "log.db", log=rows)
        text += f'[source.database]\nurl = "{url}"\ntables.interactions = "log"\n'
    tables = read_tables(folder, parse_agreement(text))
    same(tables.interactions, held)
    same_features(world, tables.interactions, held)
    assert len(tables.interactions.readers) > 1
    assert is_clean(folder / "interactions.store")
    monkeypatch.setattr(log_module, "IN_MEMORY", 10**6)
    in_one = read_tables(folder, parse_agreement(text))
    same(in_one.interactions, tables.interactions)
    assert described(in_one) == described(tables)


def described(tables: Tables) -> tuple:
    """Return all that is told of the tables besides the interactions."""
    rejects = tables.rejects.to_csv()
    return tables.notes, tables.digests, tables.counts, tables.data_end, rejects


def test_merged_leads_have_their_copies_in_any_bucket(tmp_path, world, rows) -> None:
    ids = world.lead_ids
    told = [{"lead_id": i, "created_at": 0} for i in ids]
    told += [
        {"lead_id": a, "created_at": 0, "known_at": world.as_ofs[1], "merged_into": b}
        for a, b in itertools.pairwise(ids[::3])
    ]
    merges = merges_of(leads_of(told))
    table = rows_of(rows)
    batches = [table.slice(i, 100) for i in range(0, len(rows), 100)]
    found = stored(tmp_path, batches, n_buckets=5, merges=merges).interactions
    again = stored(tmp_path / "1", batches, n_buckets=1, merges=merges).interactions
    same(found, again)
    same_features(world, found, again)
    n_own = found.frame()["merged_from"].isna().sum()
    assert 0 < n_own < len(found)


@pytest.mark.parametrize("n_words", [0, 1, 3])
def test_words_beyond_those_that_are_numbered_are_the_same(
    tmp_path, monkeypatch, world, n_words
) -> None:
    rows = repeated(world, 1, with_ids=False)
    rows["content"] = [
        None if i % 7 == 0 else f"page {i % 190}" for i in range(len(rows))
    ]
    rows["kind"] = [
        f"kind {i % 200}" if i % 2 else "page_view" for i in range(len(rows))
    ]
    table = rows_of(rows)
    held = in_memory(table, MACHINES)
    monkeypatch.setattr(scatter, "MAX_WORDS", n_words)
    batches = [table.slice(i, 70) for i in range(0, len(rows), 70)]
    found = stored(tmp_path, batches).interactions
    same(found, held)
    same_features(world, found, held)


def test_a_bucket_may_be_empty_and_a_log_too(tmp_path) -> None:
    found = stored(tmp_path / "none", [], n_buckets=4).interactions
    assert len(found) == 0
    assert list(found.frame()) == BUCKET.names
    one = pd.DataFrame({"lead_id": ["a"], "kind": ["page_view"]})
    one["occurred_at"] = pd.to_datetime(["2025-01-01"], utc=True)
    log = stored(tmp_path / "one", [rows_of(one)], n_buckets=4).interactions
    asked = [("a", 2 * 10**15), ("b", 2 * 10**15), ("never heard of", 2 * 10**15)]
    features = behaviour(log, snapshots_of(asked), CATALOGUE, AGREEMENT)
    assert features["n_ever"].tolist() == [1, 0, 0]
    assert behaviour(log, snapshots_of([]), CATALOGUE, AGREEMENT).empty
    assert list(log.frames("lead_id"))
    assert log.by_kind()["n_leads"].tolist() == [1]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_what_goes_wrong_in_a_thread_is_said_as_it_is(world, n_threads) -> None:
    def broken(_):
        msg = "this bucket"
        raise InputError(msg)

    log = Interactions(
        2, (broken, broken), lambda ids: np.arange(len(ids), dtype=np.int64) % 2
    )
    folding = Folding(CATALOGUE, AGREEMENT.zone, ())
    with pytest.raises(InputError, match=r"^this bucket$"):
        fold_buckets(
            log,
            pa.array(["a", "b", "c"]),
            np.zeros(3, np.int64),
            folding,
            n_threads=n_threads,
        )


BAD = """\
lead_id,occurred_at,known_at,kind,duration_s
L1,2025-01-04T09:00:00,,page_view,1
L1,1989-12-31T09:00:00Z,,page_view,1
L1,2999-01-01T09:00:00Z,,page_view,1
L1,99999-01-01T09:00:00Z,,page_view,1
L1,2025-01-04T09:00:00Z,,page_view,-1
,2025-01-04T09:00:00Z,,page_view,1
L1,,,page_view,1
L1,2025-01-04T09:00:00Z,,,1
L9,2025-01-04T09:00:00Z,,page_view,1
L1,2025-01-04T09:00:00Z,2024-01-01T00:00:00Z,page_view,x
L1,2025-01-04T09:00:00Z
L2,2025-01-05T09:00:00Z,,demo_request,1
"""
GENEROUS = folders.AGREEMENT.replace(
    "[source]", '[source]\nmax_reject_share = 1.0\ndate_order = "ymd"'
)


def read(folder: Path, text: str = folders.AGREEMENT, **given_) -> Tables:
    return read_tables(folder, parse_agreement(text), **given_)


def test_bad_rows_are_set_aside_as_they_are_in_memory(tmp_path, monkeypatch) -> None:
    folder = folders.write_folder(tmp_path / "data", interactions=BAD)
    found, again = read(folder, GENEROUS), read(folder, GENEROUS)
    assert (folder / "interactions.store").is_dir()
    monkeypatch.setattr(log_module, "IN_MEMORY", 10**6)
    held = read(folder, GENEROUS)
    assert len(held.rejects) > 5
    for tables in (found, again):
        assert described(tables) == described(held)
        same(tables.interactions, held.interactions)


def test_over_the_budget_nothing_is_left_to_be_misused(tmp_path) -> None:
    folder = folders.write_folder(tmp_path / "data", interactions=BAD)
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"interactions\.csv: .* cannot be used"
        ) as e:
            read(folder)
        assert len(e.value.rejects) > 5
        assert names(folder / "interactions.store") == ["lock"]
    assert len(read(folder, GENEROUS).interactions) > 0
    with pytest.raises(DataError):
        read(folder)
    assert names(folder / "interactions.store") == ["lock"]


# ------------------------------------------------------------------------- made once


@pytest.fixture
def folder(tmp_path) -> Path:
    """A log of 100 rows: five buckets or so."""
    return folders.write_folder(tmp_path / "data", **folders.many_leads(100, 30))


@pytest.fixture
def store(folder) -> Path:
    return folder / "interactions.store"


def no_reading(monkeypatch) -> None:
    def raising(*_, **__):
        pytest.fail("the interactions must not be read anew")

    monkeypatch.setattr(log_source, "stream_interactions", raising)


def written(store: Path) -> dict[str, tuple[int, int]]:
    """Return what tells that a bucket was not written again."""
    stats = {path.name: path.stat() for path in store.glob("bucket-*")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def test_what_is_unchanged_is_opened(folder, store, monkeypatch) -> None:
    first = read(folder)
    before = written(store)
    assert len(before) >= 3
    no_reading(monkeypatch)
    again = read(folder)
    same(first.interactions, again.interactions)
    assert described(first) == described(again)
    assert written(store) == before


def test_what_was_touched_is_looked_at_once(folder, store, monkeypatch) -> None:
    first = read(folder)
    for path in (folder / "interactions.csv", *store.glob("bucket-*")):
        os.utime(path)
    no_reading(monkeypatch)
    told = []
    same(first.interactions, read(folder, tell=teller(told)).interactions)
    assert told == ["looking whether the interactions have changed"]
    read(folder, tell=teller(told))
    assert len(told) == 1


def teller(told: list[str]):
    return lambda step, **_: told.append(step)


def test_a_store_that_cannot_be_written_is_read(folder, store, monkeypatch) -> None:
    first = read(folder)
    os.utime(folder / "interactions.csv")
    no_reading(monkeypatch)
    monkeypatch.setattr(files, "lock", refusing(errno.EROFS))
    same(first.interactions, read(folder).interactions)


def refusing(code: int):
    def call(*_, **__):
        with files.sentences(Path("the-store")):
            raise OSError(code, os.strerror(code))

    return call


LATER = "L0,2025-03-03T12:00:00Z,page_view\n"


def changed_log(folder: Path) -> str:
    path = folder / "interactions.csv"
    path.write_text(path.read_text() + LATER)
    return folders.AGREEMENT


def changed_leads(folder: Path) -> str:
    path = folder / "leads.csv"
    path.write_text(path.read_text() + "new,2025-03-03T12:00:00Z,fr\n")
    return folders.AGREEMENT


def merged_leads(folder: Path) -> str:
    path = folder / "leads.csv"
    header, first, *rest = path.read_text().splitlines()
    lines = [f"{header},merged_into", f"{first},L5", *(f"{line}," for line in rest)]
    path.write_text("\n".join(lines))
    return folders.AGREEMENT


def rejected_leads(folder: Path) -> str:
    """Leads whose attribute is no number are set aside, though not a byte changed."""
    return folders.AGREEMENT.replace('"category"', '"number"').replace(
        "[source]", "[source]\nmax_reject_share = 1.0"
    )


def other_machines(_: Path) -> str:
    return folders.AGREEMENT + '[machines]\nkinds = ["page_view"]\n'


def other_zone(_: Path) -> str:
    return 'time_zone = "Asia/Tokyo"\n' + folders.AGREEMENT


def other_source(_: Path) -> str:
    return folders.AGREEMENT.replace("[source]", '[source]\nnull_words = ["page_view"]')


@pytest.mark.parametrize(
    "change",
    [changed_log, changed_leads, merged_leads, other_machines, other_zone],
)
def test_what_is_read_otherwise_is_made_anew(
    folder, store, change, monkeypatch
) -> None:
    read(folder)
    before = written(store)
    text = change(folder)
    found = read(folder, text)
    assert not {*before.values()} & {*written(store).values()}
    assert is_clean(store)
    monkeypatch.setattr(log_module, "IN_MEMORY", 10**6)
    held = read(folder, text)
    same(found.interactions, held.interactions)
    assert described(found) == described(held)


@pytest.mark.parametrize("change", [rejected_leads, other_source])
def test_a_setting_that_sets_rows_aside_is_heeded(folder, change) -> None:
    read(folder)
    with pytest.raises(DataError, match=r"no lead can be used|cannot be used"):
        read(folder, change(folder))


def test_another_attribute_of_the_same_leads_keeps_the_store(
    folder, store, monkeypatch
) -> None:
    read(folder)
    leads = folder / "leads.csv"
    leads.write_text(leads.read_text().replace(",fr", ",de"))
    no_reading(monkeypatch)
    text = folders.AGREEMENT.replace("2025-06-01", "2025-07-01")
    assert read(folder, text).leads["country"].eq("de").all()


def test_a_lead_set_aside_for_an_attribute_makes_the_store_anew(folder) -> None:
    leads = folder / "leads.csv"
    text = leads.read_text().replace(",fr", ",1")
    leads.write_text(
        text.replace("L7,2025-01-08T09:00:00Z,1", "L7,2025-01-08T09:00:00Z,x")
    )
    generous = folders.AGREEMENT.replace("[source]", "[source]\nmax_reject_share = 0.5")
    n_before = len(read(folder, generous).interactions)
    found = read(folder, generous.replace('"category"', '"number"'))
    assert len(found.interactions) == n_before - 1
    assert "its lead was set aside" in found.rejects["reason"].str.cat()


# --------------------------------------------------------------- altered and damaged


def put(path: Path, data: bytes) -> None:
    """Write a file so that only its bytes tell that it was written."""
    stat = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def one_byte(path: Path) -> bytes:
    """Return a file with one byte altered, inside a page of occurred_at."""
    data = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(1)
    data[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    return bytes(data)


DAMAGES = {
    "truncated": lambda path, _: path.write_bytes(path.read_bytes()[:-9]),
    "emptied": lambda path, _: path.write_bytes(b""),
    "one byte": lambda path, _: path.write_bytes(one_byte(path)),
    "another's": lambda path, other: path.write_bytes(other.read_bytes()),
    "deleted": lambda path, _: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("is_told", [True, False])
def test_a_damaged_bucket_and_only_it_is_made_anew(
    folder, store, damage, is_told
) -> None:
    """Also where ``store.json`` is gone, so that only the file tells what it is."""
    first = read(folder)
    before = written(store)
    bucket = store / "bucket-0001.parquet"
    DAMAGES[damage](bucket, store / "bucket-0002.parquet")
    if not is_told:
        (store / "store.json").unlink()
    found = read(folder)
    after = written(store)
    changed = [n for n in before if bucket.name != n and before[n] != after[n]]
    assert changed == []
    same(first.interactions, found.interactions)
    assert described(first) == described(found)
    assert is_clean(store)


def test_a_byte_that_nothing_else_shows_is_found_when_it_is_read(
    folder, store, monkeypatch
) -> None:
    first = read(folder)
    bucket = store / "bucket-0001.parquet"
    whole = bucket.read_bytes()
    for place in (*range(0, len(whole), 211), len(whole) - 5):
        broken = bytearray(whole)
        broken[place] ^= 4
        put(bucket, bytes(broken))
        with pytest.raises(InputError, match=r"-0001\.parquet is damaged .*Remove it"):
            read(folder)
    bucket.unlink()
    same(first.interactions, read(folder).interactions)


def test_a_damage_while_a_run_reads_is_found(folder, store) -> None:
    log = read(folder).interactions
    log.frame()
    bucket = store / "bucket-0001.parquet"
    put(bucket, one_byte(bucket))
    with pytest.raises(InputError, match="is damaged"):
        log.frame()
    bucket.unlink()
    with pytest.raises(InputError, match="is gone: another run makes the store anew"):
        log.frame()


def test_a_store_made_anew_while_a_run_reads_is_not_mixed_in(folder) -> None:
    log = read(folder).interactions
    changed_log(folder)
    read(folder)
    with pytest.raises(InputError, match="another run made it anew"):
        log.frame()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '{"key": 1}', '{"key": "k", "files": 3, "facts": []}'],
)
def test_a_store_that_says_nothing_sensible_of_itself_is_told_anew(
    folder, store, text
) -> None:
    first = read(folder)
    before = written(store)
    (store / "store.json").write_text(text)
    same(first.interactions, read(folder).interactions)
    assert written(store) == before


def test_a_store_whose_facts_were_altered_is_told_anew(folder, store) -> None:
    first = read(folder)
    path = store / "store.json"
    path.write_text(path.read_text().replace("100 rows read", "999 rows read"))
    assert described(read(folder)) == described(first)


def test_a_key_of_another_store_is_not_opened(tmp_path) -> None:
    assert open_store(tmp_path, "k") is None
    stored(tmp_path, [])
    assert open_store(tmp_path, "k") is not None
    assert open_store(tmp_path, "other") is None


# ---------------------------------------------------------- interrupted, full, locked

KILLED = """
import os, signal, sys
from pathlib import Path
from leadscore.store import log
from leadscore.store.events import scatter, store
from leadscore import files
from leadscore.store import read_agreement, read_tables

place, folder = sys.argv[1], Path(sys.argv[2])
log.IN_MEMORY, log.BUCKET_ROWS = 0, 20
os.cpu_count = lambda: 1
seen = [0]

def dying(real, after, of=lambda *_: True):
    def call(*args, **kwargs):
        seen[0] += of(*args)
        if seen[0] > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

if place == "while scattering":
    scatter.Scattered._writer = dying(scatter.Scattered._writer, 2)
elif place == "after some buckets":
    store.write_bucket = dying(store.write_bucket, 2)
elif place == "inside a bucket":
    # The compiler keeps its own files by replacing, too.
    in_store = lambda _, to, **__: "interactions.store" in str(to)
    os.replace = dying(os.replace, 2, in_store)
elif place == "before store.json":
    files.write_text = dying(files.write_text, 0)
read_tables(folder, read_agreement(folder)[0])
"""
PLACES = {
    "while scattering": 0,
    "after some buckets": 2,
    "inside a bucket": 2,
    "before store.json": 4,
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> dict[str, Path]:
    """Folders in which a run was killed."""
    base, running = tmp_path_factory.mktemp("killed"), {}
    tables = folders.many_leads(100, 30)
    for n, place in enumerate(PLACES):
        folder = folders.write_folder(base / f"{n}", **tables)
        command = [sys.executable, "-c", KILLED, place, str(folder)]
        running[place] = folder, subprocess.Popen(command)
    for _, process in running.values():
        assert process.wait(60) == -signal.SIGKILL
    return {place: folder for place, (folder, _) in running.items()}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_was_killed_is_taken_up(killed, monkeypatch, place) -> None:
    folder = killed[place]
    store = folder / "interactions.store"
    left = names(store)
    finished = written(store)
    assert "store.json" not in left
    assert any(name.startswith(".") for name in left) == (place != "before store.json")
    assert len(finished) >= PLACES[place]
    found = read(folder)
    after = written(store)
    assert {n: after[n] for n in finished} == finished
    assert is_clean(store)
    monkeypatch.setattr(log_module, "IN_MEMORY", 10**6)
    held = read(folder)
    same(found.interactions, held.interactions)
    assert described(found) == described(held)


@pytest.mark.parametrize("nth", [0, 1, 3])
@pytest.mark.parametrize("where", ["add", "write_bucket", "save"])
def test_an_error_leaves_what_is_finished(
    folder, store, monkeypatch, where, nth
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    owner, name = {
        "add": (scatter.Scattered, "_write"),
        "write_bucket": (store_module, "write_bucket"),
        "save": (store_module, "write_manifest"),
    }[where]
    real, count = getattr(owner, name), itertools.count()

    def failing(*args, **kwargs):
        if next(count) >= (nth if where == "write_bucket" else 0):
            raise ZeroDivisionError
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing)
        with pytest.raises(ZeroDivisionError):
            read(folder)
    finished = written(store)
    assert names(store) == sorted([*finished, "lock"])
    found = read(folder)
    assert {n: written(store)[n] for n in finished} == finished
    assert len(found.interactions) == 100
    assert is_clean(store)


def test_a_disk_that_is_full_while_rows_are_scattered(
    folder, store, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scatter.Scattered, "_path", lambda *_: Path("/dev/full"))
        with pytest.raises(StorageError, match=r"disk refused .*LEADSCORE_STORE"):
            read(folder)
    assert names(store) == ["lock"]
    assert len(read(folder).interactions) == 100


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("nth", [1, 3, 6])
def test_a_disk_that_is_full_while_files_are_written(
    folder, store, monkeypatch, code, nth
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    real, count = os.fsync, itertools.count(1)

    def full(descriptor):
        if next(count) >= nth:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"disk refused .*LEADSCORE_STORE"):
            read(folder)
    assert not [name for name in names(store) if name.startswith(".")]
    finished = written(store)
    assert len(read(folder).interactions) == 100
    assert {n: written(store)[n] for n in finished} == finished


def test_two_runs_at_once_do_not_harm_each_other(folder, store, monkeypatch) -> None:
    real = scatter.Scattered.add
    said = []

    def other_run(self, batch):
        if not said:
            said.append("")
            with pytest.raises(BusyError) as caught:
                read(folder)
            said.append(str(caught.value))
            assert caught.value.exit_code == 75
        real(self, batch)

    monkeypatch.setattr(scatter.Scattered, "add", other_run)
    assert len(read(folder).interactions) == 100
    assert "is held by another run" in said[1]
    assert is_clean(store)


def test_a_folder_that_cannot_be_written_says_what_to_do(
    folder, store, tmp_path, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "lock", refusing(errno.EROFS))
        with pytest.raises(OutputError, match=r"Read-only.*too many.*LEADSCORE_STORE"):
            read(folder)
    store.write_text("a file is in the way")
    with pytest.raises(OutputError, match="LEADSCORE_STORE names another folder"):
        read(folder)
    monkeypatch.setenv("LEADSCORE_STORE", str(tmp_path / "else" / "where"))
    assert len(read(folder).interactions) == 100
    assert store.read_text() == "a file is in the way"


def test_folders_that_share_a_place_have_a_store_each(
    tmp_path, folder, monkeypatch
) -> None:
    other = folders.write_folder(tmp_path / "b" / "data", **folders.many_leads(40, 9))
    monkeypatch.setenv("LEADSCORE_STORE", str(tmp_path / "shared"))
    first, second = read(folder), read(other)
    no_reading(monkeypatch)
    same(read(folder).interactions, first.interactions)
    same(read(other).interactions, second.interactions)
    monkeypatch.chdir(folder)
    same(read(Path()).interactions, first.interactions)
    assert len(names(tmp_path / "shared")) == 2
    assert all(name.startswith("data-") for name in names(tmp_path / "shared"))


def test_a_file_that_changes_while_it_is_read_is_refused(
    folder, store, monkeypatch
) -> None:
    real = scatter.Scattered.add

    def add(self, batch):
        real(self, batch)
        changed_log(folder)

    with monkeypatch.context() as patch:
        patch.setattr(scatter.Scattered, "add", add)
        with pytest.raises(InputError, match="changed while it was read"):
            read(folder)
    assert names(store) == ["lock"]
    assert len(read(folder).interactions) == 101


@pytest.mark.parametrize(
    ("most", "expected"), [(256, 156), (1024, 900), (50, 1), (-1, 900)]
)
def test_no_more_files_are_open_than_may_be(monkeypatch, most, expected) -> None:
    monkeypatch.setattr(log_module.resource, "getrlimit", lambda _: (most, most))
    assert log_module._n_buckets(10**6) == expected
    assert log_module._n_buckets(1) == 1


def test_each_step_is_told(folder) -> None:
    told = []

    def tell(step, *, done=0, total=0):
        told.append((step, done, total))

    read(folder, tell=tell)
    n_buckets = len(list((folder / "interactions.store").glob("bucket-*")))
    assert list(dict.fromkeys(step for step, _, _ in told)) == [
        "looking whether the interactions have changed",
        "reading the interactions",
        "sorting the interactions",
    ]
    assert ("reading the interactions", 100, 0) in told
    assert told[-1] == ("sorting the interactions", n_buckets, n_buckets)


# ------------------------------------------------------------------------- databases


@pytest.mark.parametrize("in_memory_rows", [0, 10**6])
def test_tables_in_a_database_are_those_of_files(
    tmp_path, folder, monkeypatch, in_memory_rows
) -> None:
    expected = read(folder)
    monkeypatch.setattr(log_module, "IN_MEMORY", in_memory_rows)
    tables = {
        n: pd.read_csv(folder / f"{n}.csv")
        for n in ("leads", "interactions", "outcomes")
    }
    url = database_of(tmp_path / "crm.db", **tables)
    monkeypatch.setenv("CRM_URL", url)
    empty = tmp_path / "empty"
    empty.mkdir()
    text = folders.AGREEMENT + (
        '[source.database]\nurl = "env:CRM_URL"\n[source.database.tables]\n'
        'leads = "leads"\ninteractions = "interactions"\noutcomes = "outcomes"\n'
    )
    for _ in range(2):
        found = read(empty, text)
        assert has_interactions(found.digests, parse_agreement(text).source)
        same(found.interactions, expected.interactions)
        pd.testing.assert_frame_equal(found.leads, expected.leads)
        pd.testing.assert_frame_equal(found.outcomes, expected.outcomes)
    monkeypatch.delenv("CRM_URL")
    with pytest.raises(InputError, match="environment variable CRM_URL"):
        read(empty, text)
    monkeypatch.setenv("CRM_URL", "sqlite:////nowhere/at/all.db")
    with pytest.raises(InputError, match=r"leads cannot be read from sqlite"):
        read(empty, text)
    monkeypatch.setenv("CRM_URL", url)
    wrong = text.replace('interactions = "interactions"', 'interactions = "visits"')
    with pytest.raises(InputError, match="visits cannot be read"):
        read(empty, wrong)


def test_outcomes_of_a_database_keep_their_stages_without_interactions(
    tmp_path, folder
) -> None:
    (folder / "interactions.csv").unlink()
    outcomes = folder / "outcomes.csv"
    outcomes.write_text(outcomes.read_text() + "L99,demo,2025-05-03T10:00:00Z\n")
    expected = read(folder)
    url = database_of(tmp_path / "crm.db", won=pd.read_csv(outcomes))
    outcomes.unlink()
    text = f'[source.database]\nurl = "{url}"\ntables.outcomes = "won"\n'
    found = read(folder, folders.AGREEMENT + text)
    pd.testing.assert_frame_equal(found.outcomes, expected.outcomes)


def test_one_log_of_a_database_serves_as_both_tables(tmp_path, folder) -> None:
    names_ = ("lead_id", "occurred_at", "kind")
    visits = pd.read_csv(folder / "interactions.csv")[[*names_]]
    won = pd.read_csv(folder / "outcomes.csv").rename(columns={"stage": "kind"})
    log = pd.concat([visits, won[[*names_]]])
    for name in ("interactions", "outcomes"):
        (folder / f"{name}.csv").unlink()
    log.to_csv(folder / "log.csv", index=False)
    stage = '[source.columns.outcomes]\nstage = "kind"\n'
    of_file = f'[source.files]\ninteractions = "log.csv"\noutcomes = "log.csv"\n{stage}'
    url = database_of(tmp_path / "crm.db", log=log)
    of_database = (
        f'[source.database]\nurl = "{url}"\n[source.database.tables]\n'
        f'interactions = "log"\noutcomes = "log"\n{stage}'
    )
    other = shutil.copytree(folder, tmp_path / "other")
    expected = read(folder, folders.AGREEMENT + of_file)
    found = read(other, folders.AGREEMENT + of_database)
    assert len(expected.outcomes) == 30
    pd.testing.assert_frame_equal(found.outcomes, expected.outcomes)
    same(found.interactions, expected.interactions)


# ------------------------------------------------------------------------ for others


def test_any_tool_reads_the_buckets(folder, store) -> None:
    frame = read(folder).interactions.frame()
    found = duckdb.sql(
        f"select lead_id, kind from '{store}/bucket-*.parquet' "
        "order by lead_id, occurred_at"
    ).fetchall()
    assert found == list(zip(frame["lead_id"], frame["kind"], strict=True))


def test_a_store_is_no_table_and_not_for_git(folder) -> None:
    read(folder)
    assert sorted(find_files(folder, parse_agreement(folders.AGREEMENT).source)) == [
        "interactions",
        "leads",
        "outcomes",
    ]
    ignored = (Path(__file__).parent.parent / ".gitignore").read_text().split()
    assert "interactions.store/" in ignored
