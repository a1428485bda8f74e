"""The ledger: what was appended is what is read, once, and stands."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import string
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.errors import (
    BusyError,
    InputError,
    OutputError,
    RefusedError,
    StorageError,
)
from leadscore.ledger import CHANGES, LEDGER_COLUMNS, open_ledger, verify
from leadscore.ledger import book as module
from leadscore.tables import INSTANT, LABELS
from tests.examples import examples
from tests.ledgers import CONVERSION, DAY, PROMISE, START, VERSIONS, append, rows_of

NEXT = r"Score a later instant, or look without issuing with --no-ledger\."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def read(path: Path, **until: Any) -> pd.DataFrame:
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        return ledger.rows(**until)


def standing(path: Path, as_of: pd.Timestamp) -> pd.DataFrame:
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        return ledger.standing(as_of)


# ------------------------------------------------------------- what goes in comes out

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
shares = st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.just(-0.0)
instants = st.none() | st.integers(-(2**50), 2**52)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    leads = draw(st.lists(words, min_size=0, max_size=5, unique=True))
    n = len(leads)

    def some(values: st.SearchStrategy[Any], dtype: str) -> pd.Series[Any]:
        drawn = draw(st.lists(values, min_size=n, max_size=n))
        return pd.Series(drawn, dtype=dtype)

    def when() -> pd.Series[Any]:
        drawn = draw(st.lists(instants, min_size=n, max_size=n))
        stamps = [np.datetime64("NaT" if at is None else at, "us") for at in drawn]
        return pd.Series(np.array(stamps, "datetime64[us]")).dt.tz_localize("UTC")

    columns = {
        "lead_id": pd.Series(leads, dtype="str"),
        "as_of": pd.Series([START] * n, dtype=INSTANT),
        "change": some(st.sampled_from(CHANGES), "str"),
        "label": some(st.sampled_from(LABELS), "str"),
        "road": some(words | st.none(), "str"),
        "label_since": when(),
        "mql_above_since": when(),
        "sql_above_since": when(),
        "probability": some(shares, "float64"),
        "threshold": some(shares, "float64"),
        "promise": some(words | st.none(), "str"),
        "reason": some(words, "str"),
        "model_version": pd.Series(["m1"] * n, dtype="str"),
        "agreement_version": pd.Series(["a1"] * n, dtype="str"),
        "features_digest": some(words | st.none(), "str"),
    }
    return pd.DataFrame(columns)


def bits(column: pd.Series[Any]) -> list[bytes]:
    return [struct.pack(">d", x) for x in column]


@settings(max_examples=examples(60), deadline=None)  # each waits for the disk
@given(rows=tables())
def test_what_is_read_is_what_was_appended_bit_for_bit(
    rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    assert append(path, START, rows[sorted(rows.columns)])
    found = read(path)
    pd.testing.assert_frame_equal(found, rows, check_exact=True)
    for name in ("probability", "threshold"):
        assert bits(found[name]) == bits(rows[name])
    assert verify(path).problems == ()
    assert not append(path, START, found)
    shutil.rmtree(path.parent)


def test_columns_without_a_value_keep_their_types(path: Path) -> None:
    nulls = ("road", "label_since", "probability", "threshold", "promise")
    given_ = rows_of(START, ["a", "b"]).assign(**dict.fromkeys(nulls))
    append(path, START, given_)
    found = read(path)
    assert list(found.columns) == list(LEDGER_COLUMNS)
    filled = rows_of(START, ["a"])
    assert found.dtypes.to_dict() == filled.dtypes.to_dict()
    assert found[list(nulls)].isna().all(axis=None)


def test_a_run_without_rows_is_a_run(path: Path) -> None:
    assert append(path, START, rows_of(START, []))
    assert not append(path, START, rows_of(START, []))
    with open_ledger(path, conversion=CONVERSION) as ledger:
        newest = ledger.newest()
        found = ledger.standing(START + DAY)
    assert newest is not None
    assert (newest.as_of, newest.n_rows) == (START, 0)
    assert found.dtypes.to_dict() == rows_of(START, ["a"]).dtypes.to_dict()


def test_an_empty_ledger_has_no_newest_run(path: Path) -> None:
    with open_ledger(path, conversion=CONVERSION) as ledger:
        assert ledger.newest() is None
        assert ledger.promises() == []
        assert len(ledger.rows()) == len(ledger.standing(START)) == 0


@settings(max_examples=examples(30), deadline=None)
@given(
    runs=st.lists(
        st.lists(st.sampled_from("abcdef"), unique=True, max_size=6), max_size=6
    ),
    day=st.integers(-1, 7),
)
def test_what_stands_is_each_leads_latest_row_strictly_before(
    runs: list[list[str]], day: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against pandas, on random ledgers."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    at = START + day * DAY
    with open_ledger(path, conversion=CONVERSION) as ledger:
        for n, leads in enumerate(runs):
            when = START + n * DAY
            ledger.append(when, rows_of(when, leads, reason=f"run {n}"), **VERSIONS)
        found, before, all_rows = ledger.standing(at), ledger.rows(at), ledger.rows()
    expected = all_rows[all_rows["as_of"] < at]
    pd.testing.assert_frame_equal(before, expected)
    latest = expected.drop_duplicates("lead_id", keep="last").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, latest)
    shutil.rmtree(path.parent)


def test_a_row_of_this_very_instant_is_not_seen(path: Path) -> None:
    append(path, START, rows_of(START, ["a"]))
    assert len(standing(path, START)) == len(read(path, before=START)) == 0
    just_after = START + pd.Timedelta(microseconds=1)
    assert len(standing(path, just_after)) == len(read(path, before=just_after)) == 1


def test_an_instant_in_another_zone_is_the_same_instant(path: Path) -> None:
    append(path, START.tz_convert("Europe/Paris"), rows_of(START, ["a"]))
    assert not append(path, START, rows_of(START, ["a"]))
    with open_ledger(path, conversion=CONVERSION) as ledger:
        newest = ledger.newest()
    assert newest is not None
    assert str(newest.as_of) == "2026-01-05 00:00:00+00:00"


# ------------------------------------------------------------------ once, and it stands


def test_the_same_run_again_is_nothing_to_do(path: Path) -> None:
    rows = rows_of(START, ["a", "b"])
    assert append(path, START, rows, promises=[PROMISE])
    content, head = path.read_bytes(), verify(path).head
    assert path.with_name("ledger.sqlite.head").read_text() == f"{head}\n"
    assert not append(path, START, rows[::-1], promises=[PROMISE])
    assert path.read_bytes() == content
    assert verify(path).head == head


def test_the_same_run_of_an_older_day_is_nothing_to_do_either(path: Path) -> None:
    for at in (START, START + DAY):
        append(path, at, rows_of(at, ["a"]))
    assert not append(path, START, rows_of(START, ["a"]))


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (rows_of(START, ["a", "b"], threshold=0.26), "other rows for 2 leads"),
        (rows_of(START, ["a"]), "other rows for 2 leads"),  # its probability, too
        (rows_of(START, ["a", "b", "c"]).iloc[:0], "other rows for 2 leads"),
        (rows_of(START, ["b", "a"]), "other rows for 2 leads"),
    ],
)
def test_other_rows_for_an_instant_that_was_issued_are_refused(
    path: Path, rows: pd.DataFrame, what: str
) -> None:
    append(path, START, rows_of(START, ["a", "b"]))
    before = read(path)
    with pytest.raises(
        RefusedError,
        match=rf"holds the run of 2026-01-05T00:00:00Z, issued by model m1 under "
        rf"agreement a1; .* has {what}\. What was issued stands\. {NEXT}",
    ):
        append(path, START, rows)
    pd.testing.assert_frame_equal(read(path), before)


def test_one_row_more_is_another_run(path: Path) -> None:
    more = rows_of(START, ["a", "b"])
    append(path, START, more[:1])
    with pytest.raises(RefusedError, match="other rows for 1 leads"):
        append(path, START, more)


def test_zero_and_minus_zero_are_two_numbers(path: Path) -> None:
    append(path, START, rows_of(START, ["a"], threshold=0.0))
    with pytest.raises(RefusedError, match="other rows"):
        append(path, START, rows_of(START, ["a"], threshold=-0.0))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_rows_by_another_model_or_agreement_are_refused(
    path: Path, version: str
) -> None:
    append(path, START, rows_of(START, ["a"]))
    other = rows_of(START, ["a"]).assign(**{version: "x9"})
    with pytest.raises(RefusedError, match=r"issued by model m1 .*x9.*the same rows"):
        append(path, START, other, **{version: "x9"})


@pytest.mark.parametrize("same", [True, False])
def test_clocks_do_not_go_backwards(path: Path, same: bool) -> None:
    append(path, START, rows_of(START, ["a"]))
    at = START - pd.Timedelta(microseconds=1)
    leads = ["a"] if same else []
    with pytest.raises(
        RefusedError,
        match=r"newest run .* is of 2026-01-05T00:00:00Z, by model m1 under agreement "
        rf"a1; 2026-01-04T23:59:59.999999Z is before it, and clocks.*{NEXT}",
    ):
        append(path, at, rows_of(at, leads))


@pytest.mark.parametrize("create", [True, False])
def test_another_conversion_needs_another_ledger(path: Path, create: bool) -> None:
    append(path, START, rows_of(START, ["a"]))
    with (
        pytest.raises(
            RefusedError,
            match=r"begun for 'opportunity within 90 days'.*'customer within 30 days'"
            r".*another with --ledger",
        ),
        open_ledger(path, conversion="customer within 30 days", create=create),
    ):
        pytest.fail("the block must not run")


def test_a_promise_is_kept_once_and_says_one_thing(path: Path) -> None:
    other = {"id": "MQL-1", "precision": 0.1, "on": ["2026-01", {"n": 3}]}
    append(path, START, rows_of(START, ["a"]), promises=[PROMISE])
    at = START + DAY
    append(path, at, rows_of(at, ["a"]), promises=[other, PROMISE, PROMISE])
    with open_ledger(path, conversion=CONVERSION) as ledger:
        assert ledger.promises() == [PROMISE, other]
    at += DAY
    with pytest.raises(RefusedError, match=r"promise SQL-1 with another content"):
        append(path, at, rows_of(at, ["a"]), promises=[PROMISE | {"precision": 0.2}])
    assert len(read(path)) == 2
    with pytest.raises(RefusedError, match="has other promises"):
        append(path, START, rows_of(START, ["a"]), promises=[{"id": "new"}])


def test_an_error_inside_a_run_appends_nothing_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, START, rows_of(START, ["a"]))
    head = verify(path).head
    real = module.insert_run

    def failing(*arguments: Any) -> None:
        real(*arguments)
        raise sqlite3.OperationalError

    at = START + DAY
    monkeypatch.setattr(module, "insert_run", failing)
    with pytest.raises(InputError, match="ledger"):
        append(path, at, rows_of(at, ["a"]), promises=[PROMISE])
    monkeypatch.undo()
    assert verify(path) == verify(path, head=head)
    assert verify(path).head == head
    assert append(path, at, rows_of(at, ["a"]), promises=[PROMISE])


# ------------------------------------------------------------------------ one at a time


def test_one_writes_and_others_read(path: Path) -> None:
    append(path, START, rows_of(START, ["a"]))
    at = START + DAY
    with open_ledger(path, conversion=CONVERSION) as ledger:
        with (
            pytest.raises(BusyError, match=rf"held by another run .*{os.getpid()}"),
            open_ledger(path, conversion=CONVERSION),
        ):
            pytest.fail("the block must not run")
        assert len(read(path)) == 1
        ledger.append(at, rows_of(at, ["a"]), **VERSIONS)
        assert len(read(path)) == 2


def test_another_program_that_holds_the_file_makes_us_busy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadscore.ledger.database._PATIENCE_S", 0.05)
    append(path, START, rows_of(START, ["a"]))
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyError, match=r"held by another program\. Try again later"):
        append(path, START + DAY, rows_of(START + DAY, ["a"]))
    other.close()
    assert append(path, START + DAY, rows_of(START + DAY, ["a"]))


def test_who_reads_cannot_append(path: Path) -> None:
    append(path, START, rows_of(START, ["a"]))
    with (
        open_ledger(path, conversion=CONVERSION, create=False) as ledger,
        pytest.raises(ValueError, match="opened to read"),
    ):
        ledger.append(START + DAY, rows_of(START + DAY, ["a"]), **VERSIONS)


# ----------------------------------------------------------------- the file and its kin


def test_the_files_are_the_owners_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        append(path, START, rows_of(START, ["a"]))
    finally:
        os.umask(before)
    for name in ("ledger.sqlite", "ledger.sqlite.head"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "ledger.sqlite",
        "ledger.sqlite.head",
        "ledger.sqlite.lock",
    ]


def test_no_ledger_is_an_input_that_is_missing(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(InputError, match=r"holds no ledger yet.*leadscore score"):
            read(path)
        with pytest.raises(InputError, match="holds no ledger yet"):
            verify(path)
        path.touch()  # as a kill leaves it, before the first commit
    assert append(path, START, rows_of(START, ["a"]))


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE experiments (id)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(RefusedError, match=r"another program, not a ledger.*--ledger"):
        append(path, START, rows_of(START, ["a"]))
    assert path.read_bytes() == content


def test_a_later_format_is_refused(path: Path) -> None:
    append(path, START, rows_of(START, ["a"]))
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(InputError, match=r"format 9; this version .* reads format 1"):
        read(path)


def test_a_file_that_is_no_database_is_said(path: Path) -> None:
    path.write_text("lead_id,label\n" * 500)
    with pytest.raises(InputError, match="is not a ledger"):
        append(path, START, rows_of(START, ["a"]))


def test_a_damaged_file_is_said(path: Path) -> None:
    append(path, START, rows_of(START, [f"lead-{i}" for i in range(500)]))
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged.*Restore it and its head file"):
        read(path)


def test_a_folder_in_its_place_is_an_output_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutputError):
        append(path, START, rows_of(START, ["a"]))


def test_a_full_disk_leaves_the_ledger_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, START, rows_of(START, ["a"]))
    at = START + DAY
    many = rows_of(at, [f"lead-{i}" for i in range(2000)])
    with open_ledger(path, conversion=CONVERSION) as ledger:
        pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(StorageError, match=r"disk refused.*nothing half-written"):
            ledger.append(at, many, **VERSIONS)
        assert len(ledger.rows()) == 1
    assert verify(path).problems == ()
    assert append(path, at, many)


READER = f"""
import os, sys
from leadscore.ledger import open_ledger, verify
if os.getuid() == 0:
    os.setuid(65534)
with open_ledger(sys.argv[1], conversion={CONVERSION!r}, create=False) as ledger:
    print(len(ledger.rows()), verify(sys.argv[1]).problems)
"""


def test_reading_needs_no_right_to_write() -> None:
    # Not in tmp_path: nobody else may look into that.
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.sqlite"
        append(path, START, rows_of(START, ["a"]))
        for file in path.parent.iterdir():
            file.chmod(0o444)
        path.parent.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        path.parent.chmod(0o755)
    assert done.stdout == "1 ()\n", done.stderr


# -------------------------------------------------------------- a bug of the caller


def broken(**cells: Any) -> pd.DataFrame:
    return rows_of(START, ["a", "b"]).assign(**cells)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (broken(extra=1), "not LEDGER_COLUMNS: extra"),
        (broken().drop(columns="reason"), "not LEDGER_COLUMNS: reason"),
        (broken(lead_id="a"), "1 of its rows name a lead for a 2nd time"),
        (broken(lead_id=["a", None]), "lead_id is null in 1 rows"),
        (broken(lead_id=[1, 2]), "lead_id is int64, not large_string"),
        (broken(reason=None), "reason is null in 2 rows"),
        (broken(label="HOT"), "label is 'HOT', not one of DISQUALIFIED, NURTURE"),
        (broken(change="made"), "change is 'made', not one of stock, issued"),
        (broken(threshold="0.3"), "threshold is str, not double"),
        (broken(threshold=np.inf), "threshold is infinite"),
        (broken(as_of=START + DAY), "as_of is .* in a row, .* of the run"),
        (broken(model_version="m2"), "model_version is 'm2' in a row, 'm1' of the run"),
        (broken(label_since=pd.Timestamp("2026-01-01")), "not instants with a time"),
        (broken(label_since="2026-01-01"), "label_since is str, not timestamp"),
        (broken(sql_above_since=START.as_unit("ns") + pd.Timedelta(1)), "sql_above"),
    ],
)
def test_rows_that_break_the_contract_are_not_taken(
    path: Path, rows: pd.DataFrame, sentence: str
) -> None:
    with pytest.raises(ValueError, match=rf"cannot take these rows: .*{sentence}"):
        append(path, START, rows)
    assert len(read(path)) == 0


@pytest.mark.parametrize(
    "promise", [{"precision": 1}, {"id": 3}, {"id": "a", "x": (1,)}, {"id": "a", 1: 2}]
)
def test_a_promise_is_plain_data_with_an_id(path: Path, promise: Any) -> None:
    with pytest.raises(ValueError, match="promise"):
        append(path, START, rows_of(START, ["a"]), promises=[promise])


def test_an_instant_without_a_zone_is_not_taken(path: Path) -> None:
    with pytest.raises(ValueError, match="instants with a time zone"):
        append(path, pd.Timestamp("2026-01-05"), rows_of(START, ["a"]))


def test_finer_than_a_microsecond_is_not_taken(path: Path) -> None:
    with pytest.raises(ValueError, match="losslessly"):
        append(path, START.as_unit("ns") + pd.Timedelta(1), rows_of(START, ["a"]))


def test_nothing_here_loads_a_learner_or_mlflow() -> None:
    code = (
        "import sys\nimport leadscore.ledger\n"
        "heavy = {'mlflow', 'sklearn', 'leadscore.policy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ids_of_any_letters_are_told_apart(path: Path) -> None:
    leads = ["1", "01", " 1", "1 ", "", "null", "Zoé", "Zoe\u0301", *string.punctuation]
    append(path, START, rows_of(START, leads))
    assert list(read(path)["lead_id"]) == leads
