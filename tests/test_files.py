"""Whole files or nothing: `leadscore.files`."""

import errno
import multiprocessing
import os
import stat
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.errors import BusyError, OutputError, StorageError
from leadscore.files import lock, new_folder, write_bytes, write_table, write_text

CALLS = ("open", "fdopen", "fchmod", "chmod", "fsync", "replace", "rename", "mkdir")


def fail_nth_call(monkeypatch, nth, code):
    """Make the nth call of the os functions that files uses fail; return a counter."""
    count = [0]

    def failing(real):
        def call(*args, **kwargs):
            count[0] += 1
            if count[0] == nth:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, failing(getattr(os, name)))
    return count


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_what_is_read(tmp_path):
    write_bytes(tmp_path / "deep" / "er" / "a.bin", b"\x00\xff")
    write_text(tmp_path / "a.txt", "Zoé\r\n")
    assert (tmp_path / "deep" / "er" / "a.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "a.txt").read_bytes() == "Zoé\r\n".encode()
    assert names(tmp_path) == ["a.txt", "deep"]


def test_permissions_do_not_depend_on_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_text(tmp_path / "open.txt", "x")
        write_text(tmp_path / "shut.txt", "x", mode=0o600)
        with new_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.iterdir())]
    assert modes == [0o755, 0o644, 0o600]


@pytest.mark.parametrize(
    ("code", "exception"),
    [
        (errno.ENOSPC, StorageError),
        (errno.EIO, StorageError),
        (errno.EDQUOT, StorageError),
        (errno.EROFS, OutputError),
        (errno.EACCES, OutputError),
    ],
)
@pytest.mark.parametrize("nth", range(2, 12))  # the first makes the folder: it is there
def test_any_failing_call_leaves_the_old_or_the_new_file_and_no_other(
    tmp_path, nth, code, exception
):
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    error = None
    with pytest.MonkeyPatch.context() as patch:
        count = fail_nth_call(patch, nth, code)
        try:
            write_bytes(target, b"new")
        except exception as caught:
            error = caught
    assert (error is not None) == (count[0] >= nth)
    assert error is None or "a.txt" in str(error)
    assert target.read_bytes() in ({b"old", b"new"} if error else {b"new"})
    assert names(tmp_path) == ["a.txt"]


def test_the_fault_loop_reaches_every_call_of_a_write(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        count = fail_nth_call(patch, 10**6, errno.EIO)
        write_bytes(tmp_path / "a.txt", b"new")
    assert 5 <= count[0] < 11


def test_content_is_synced_before_the_rename_and_the_folder_after_it(
    tmp_path, monkeypatch
):
    seen = []

    def recording(name, real):
        def call(*args, **kwargs):
            seen.append(name)
            return real(*args, **kwargs)

        return call

    for name in ("fsync", "replace", "rename"):
        monkeypatch.setattr(os, name, recording(name, getattr(os, name)))
    write_bytes(tmp_path / "a.txt", b"x")
    assert seen == ["fsync", "replace", "fsync"]
    seen.clear()
    with new_folder(tmp_path / "model") as folder:
        (folder / "a.txt").write_text("x")
    assert seen == ["fsync", "fsync", "rename", "fsync"]


def test_a_disk_that_fills_while_writing_keeps_the_old_file(tmp_path, monkeypatch):
    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr("tempfile.mkstemp", _into_dev_full(tmp_path))
    with pytest.raises(StorageError, match=r"a\.txt: the disk refused .*No space left"):
        write_bytes(tmp_path / "a.txt", b"new" * 100_000)
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def _into_dev_full(folder):
    def mkstemp(**_):
        return os.open("/dev/full", os.O_WRONLY), str(folder / "never-made")

    return mkstemp


def test_a_parent_that_is_a_file_is_an_output_error(tmp_path):
    write_text(tmp_path / "a.txt", "x")
    with pytest.raises(
        OutputError, match=r"b\.txt cannot be written: .*Check the fold"
    ):
        write_text(tmp_path / "a.txt" / "b.txt", "x")


def test_a_target_that_is_a_folder_is_an_output_error(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


def test_a_csv_looks_like_this(tmp_path):
    frame = pd.DataFrame(
        {
            "id": pd.Series(["007", 'a "b", c', None], dtype="str"),
            "at": pd.to_datetime(
                ["2025-03-01T10:11:12Z", "2025-03-01T10:11:12.000500Z", None],
                utc=True,
                format="ISO8601",
            ),
            "p": [0.1, 1e22, np.nan],
            "small": np.array([0.1, 2, np.nan], dtype=np.float32),
            "n": [1, 2, 3],
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "any": [pd.Timestamp("2025-03-01", tz="Europe/Paris"), False, None],
        }
    )
    write_table(tmp_path / "a.csv", frame)
    assert (tmp_path / "a.csv").read_text("utf-8") == (
        "id,at,p,small,n,flag,maybe,any\n"
        "007,2025-03-01T10:11:12Z,0.1,0.1,1,true,true,2025-02-28T23:00:00Z\n"
        '"a ""b"", c",2025-03-01T10:11:12.000500Z,1e+22,2.0,2,false,,false\n'
        ",,,,3,true,false,\n"
    )


@given(values=st.lists(st.floats(allow_nan=False), min_size=1))
def test_a_float_in_a_csv_reads_back_as_itself(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write_table(path, pd.DataFrame({"n": range(len(values)), "x": values}))
    lines = path.read_text("utf-8").splitlines()[1:]
    assert [float(line.split(",")[1]) for line in lines] == values


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_identical_frames_give_identical_bytes(tmp_path, name):
    frame = pd.DataFrame({"a": ["x", None], "b": [1.5, None]})
    write_table(tmp_path / name, frame)
    first = (tmp_path / name).read_bytes()
    write_table(tmp_path / name, frame.copy())
    assert (tmp_path / name).read_bytes() == first


def test_a_parquet_file_reads_back(tmp_path):
    frame = pd.DataFrame({"a": ["x", None], "b": [1.5, None]})
    write_table(tmp_path / "a.parquet", frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), frame)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz"])
def test_another_suffix_is_refused_with_the_allowed_ones(tmp_path, name):
    with pytest.raises(OutputError, match=r"ends in \.csv or \.parquet"):
        write_table(tmp_path / name, pd.DataFrame({"a": [1]}))
    assert names(tmp_path) == []


def test_an_instant_without_a_zone_is_a_bug_of_the_caller(tmp_path):
    frame = pd.DataFrame({"at": pd.to_datetime(["2025-03-01"])})
    with pytest.raises(TypeError, match="without a time zone"):
        write_table(tmp_path / "a.csv", frame)


def test_a_new_folder_appears_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "model") as folder:
        write_text(folder / "part" / "a.txt", "x")
        assert not (tmp_path / "deep" / "model").exists()
    assert (tmp_path / "deep" / "model" / "part" / "a.txt").read_text() == "x"
    assert names(tmp_path / "deep") == ["model"]


def test_a_block_that_raises_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "model") as folder:
        write_text(folder / "a.txt", str(1 / 0))
    assert names(tmp_path) == []


def test_a_full_disk_inside_the_block_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="disk refused"), new_folder(tmp_path / "m"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_another_error_of_the_block_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), new_folder(tmp_path / "m"):
        (tmp_path / "nowhere").read_text()


def test_a_folder_that_exists_is_never_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    with (
        pytest.raises(OutputError, match="model exists already"),
        new_folder(tmp_path / "model"),
    ):
        pytest.fail("the block must not run")


def test_a_folder_that_appears_meanwhile_is_never_replaced(tmp_path):
    with (
        pytest.raises(OutputError, match="model exists already"),
        new_folder(tmp_path / "model"),
    ):
        (tmp_path / "model").mkdir()
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("nth", range(1, 14))
def test_any_failing_call_leaves_the_whole_folder_or_none(tmp_path, nth):
    with pytest.MonkeyPatch.context() as patch:
        count = fail_nth_call(patch, nth, errno.ENOSPC)
        try:
            with new_folder(tmp_path / "model") as folder:
                write_bytes(folder / "a.txt", b"x")
        except StorageError:
            assert count[0] >= nth
    there = names(tmp_path)
    assert there in ([], ["model"])
    if there:
        assert (tmp_path / "model" / "a.txt").read_bytes() == b"x"


def test_a_lock_is_held_by_one(tmp_path):
    path = tmp_path / "deep" / "a.lock"
    with (
        lock(path),
        pytest.raises(BusyError, match=rf"held by another run \(pid {os.getpid()}\)"),
        lock(path),
    ):
        pytest.fail("the block must not run")
    with lock(path):
        assert path.read_text().strip() == str(os.getpid())


def test_a_lock_that_waits_gives_up_after_its_time(tmp_path):
    path = tmp_path / "a.lock"
    began = time.monotonic()
    with lock(path), pytest.raises(BusyError), lock(path, wait_s=0.2):
        pytest.fail("the block must not run")
    assert time.monotonic() - began >= 0.2


def test_a_lock_that_waits_gets_it_when_the_holder_is_killed(tmp_path):
    path = tmp_path / "a.lock"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=hold, args=(path, ready))
    holder.start()
    assert ready.wait(20)
    with pytest.raises(BusyError, match=f"pid {holder.pid}"), lock(path):
        pytest.fail("the block must not run")
    holder.kill()
    with lock(path, wait_s=10):
        assert path.read_text().strip() == str(os.getpid())
    holder.join()


def hold(path: Path, ready):
    with lock(path):
        ready.set()
        time.sleep(60)


def test_a_lock_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "a.lock").mkdir()
    with (
        pytest.raises(OutputError, match="cannot be written"),
        lock(tmp_path / "a.lock"),
    ):
        pytest.fail("the block must not run")
