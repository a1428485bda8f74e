"""The one way to write: whole files and whole folders, or nothing.

Goes in: a path and bytes, text or a table. Comes out: the file, complete. Everything is
written beside its target, synced to the disk and renamed, so that a reader sees the old
content or the new and never a part of it; an error leaves no temporary file. Nulls of a
table become empty cells.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from leadscore.errors import (
    BusyError,
    LeadscoreError,
    OutputError,
    StorageError,
)

__all__ = [
    "check_table_name",
    "lock",
    "new_folder",
    "remove_temporary",
    "sentences",
    "write_bytes",
    "write_table",
    "write_text",
]

_TEMPORARY = ".leadscore-"  # short: a long target name must not make a longer one
_DISK = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT})
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP})
_PAUSE_S = 0.05


def write_bytes(path: str | Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path``, replacing what is there, all or nothing.

    Parameters
    ----------
    path : str or Path
        The target; missing parent folders are created.
    data : bytes
        The whole content.
    mode : int, default=0o644
        Permissions of the file, whatever the umask says.

    Raises
    ------
    OutputError
        The target cannot be created: no permission, read-only, not a folder.
    StorageError
        The disk is full or refuses; the target is as it was, or complete.
    """
    with _replacing(Path(path), mode) as handle:
        handle.write(data)


def write_text(path: str | Path, text: str, *, mode: int = 0o644) -> None:
    """Write ``text`` as UTF-8, line ends as given; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"), mode=mode)


def write_table(path: str | Path, frame: pd.DataFrame, *, mode: int = 0o644) -> None:
    r"""Write a table without its index, as the suffix of ``path`` says.

    A ``.csv`` is the same bytes for the same frame: lines end in ``\n``, instants are
    ISO 8601 in UTC (``2025-03-01T10:11:12Z``, microseconds only when they are not
    zero), booleans ``true`` and ``false``, floats the shortest text that reads back as
    the same number, nulls empty.

    Parameters
    ----------
    path : str or Path
        A name that ends in ``.csv`` or ``.parquet``.
    frame : DataFrame
        Instants must carry a time zone.
    mode : int, default=0o644
        Permissions of the file.

    Raises
    ------
    OutputError
        Another suffix, or the target cannot be created.
    StorageError
        The disk is full or refuses.
    """
    target = Path(path)
    check_table_name(target)
    write_bytes(target, _WRITERS[target.suffix.lower()](frame), mode=mode)


def check_table_name(path: str | Path) -> None:
    """Refuse a name that says no form of table, before the work is done.

    Raises
    ------
    OutputError
        The name ends neither in ``.csv`` nor in ``.parquet``.
    """
    target = Path(path)
    if target.suffix.lower() not in _WRITERS:
        msg = (
            f"{target} cannot hold a table: its name ends in {target.suffix!r}. "
            f"Use a name that ends in {' or '.join(_WRITERS)}."
        )
        raise OutputError(msg)


@contextlib.contextmanager
def new_folder(path: str | Path, *, mode: int = 0o755) -> Iterator[Path]:
    """Give a temporary folder that becomes ``path`` when the block ends well.

    Parameters
    ----------
    path : str or Path
        The folder to create; it must not exist. Missing parents are created.
    mode : int, default=0o755
        Permissions of the folder.

    Yields
    ------
    Path
        A folder beside ``path``; it is removed when the block raises.

    Raises
    ------
    OutputError
        ``path`` exists, or cannot be created.
    StorageError
        The disk is full or refuses, also inside the block.
    """
    target = Path(path)
    with sentences(target):
        _check_absent(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=_TEMPORARY))
    try:
        yield temporary
        with sentences(target):
            temporary.chmod(mode)
            _sync_tree(temporary)
            # A rename silently replaces an empty folder, so look again just before.
            _check_absent(target)
            os.rename(temporary, target)  # noqa: PTH104  # one os.* call to fault
            _sync_folder(target.parent)
    except OSError as error:
        # Only the disk's own refusals are ours to name; the rest is the block's.
        if error.errno in _DISK:
            raise _as_ours(error, target) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that a killed run left; the caller holds its lock.

    Raises
    ------
    OutputError
        They cannot be removed.
    """
    with sentences(folder):
        for path in folder.glob(f"{_TEMPORARY}*"):
            path.unlink()


@contextlib.contextmanager
def lock(path: str | Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file for the length of the block; the kernel frees it on a kill.

    Parameters
    ----------
    path : str or Path
        The lock file. It holds the process id of the holder and is left behind:
        removing it would let two runs lock two different files of the same name.
    wait_s : float, default=0.0
        Seconds to wait for another holder.

    Raises
    ------
    BusyError
        Another process, or another block of this one, holds it still.
    OutputError
        The lock file cannot be created.
    """
    target = Path(path)
    with sentences(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with sentences(target):
            _take(descriptor, target, wait_s)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, target: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                msg = (
                    f"{target} is held by another run (pid {holder or 'unknown'}). "
                    "Wait until it ends, then start again."
                )
                raise BusyError(msg) from error
            time.sleep(min(_PAUSE_S, left_s))
        else:
            return


@contextlib.contextmanager
def _replacing(target: Path, mode: int) -> Iterator[IO[bytes]]:
    """Give a file beside ``target`` that replaces it when the block ends well."""
    with sentences(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                yield handle
                handle.flush()
                os.fchmod(handle.fileno(), mode)
                os.fsync(handle.fileno())
            os.replace(name, target)  # noqa: PTH105  # one os.* call to fault
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(parent) / name)
        _sync_folder(Path(parent))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the names inside ``folder`` durable, where the file system can."""
    try:
        _sync(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder; the rename is still atomic.
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _check_absent(target: Path) -> None:
    if os.path.lexists(target):
        msg = f"{target} exists already. Choose another name, or remove it first."
        raise OutputError(msg)


@contextlib.contextmanager
def sentences(target: Path) -> Iterator[None]:
    """Turn an OSError of the block into one of ours that names ``target``."""
    try:
        yield
    except OSError as error:
        raise _as_ours(error, target) from error


def _as_ours(error: OSError, target: Path) -> LeadscoreError:
    what = error.strerror or str(error)
    if error.errno in _DISK:
        msg = (
            f"{target}: the disk refused while writing: {what}. Nothing half-written "
            "is left; free some space or check the disk, then run again."
        )
        return StorageError(msg)
    msg = f"{target} cannot be written: {what}. Check the folder and its permissions."
    return OutputError(msg)


def _csv_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([str(name) for name in frame.columns])
    columns = [_cells(frame.iloc[:, i]) for i in range(frame.shape[1])]
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue().encode("utf-8")


def _cells(column: pd.Series[Any]) -> list[str]:
    """Return the cells of one column as csv text."""
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        return _instants(column)
    missing = column.isna().to_numpy()
    # As objects, 32-bit floats would become 64-bit ones: 0.1 as 0.10000000149011612.
    values = column.to_numpy(dtype=None if column.dtype.kind == "f" else object)
    return [
        "" if null else _cell(value)
        for value, null in zip(values, missing, strict=True)
    ]


def _cell(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float):  # np.float64 included, whose own repr names its type
        return repr(float(value))
    if isinstance(value, pd.Timestamp):
        return _instants(pd.Series([value]))[0]
    return str(value)


def _instants(column: pd.Series[Any]) -> list[str]:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        msg = f"column {column.name!r} holds instants without a time zone"
        raise TypeError(msg)
    # Floor, not round: rounding up could move a fact past the instant it precedes.
    naive = column.dt.tz_convert("UTC").dt.tz_localize(None).dt.floor("us")
    values = naive.to_numpy().astype("datetime64[us]")
    texts = np.datetime_as_string(values, unit="us")
    return [
        "" if text == "NaT" else text.removesuffix(".000000") + "Z"
        for text in texts.tolist()
    ]


def _parquet_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


_WRITERS = {".csv": _csv_bytes, ".parquet": _parquet_bytes}
