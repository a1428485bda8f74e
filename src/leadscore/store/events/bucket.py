"""One bucket as a Parquet file: written whole, and read back or refused.

Goes in: a finished bucket. Comes out: a file that any tool can read, with LZ4, words
as dictionaries, checksums on every page, and in its metadata what it was made from.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leadscore import files
from leadscore.errors import InputError
from leadscore.interactions import BUCKET
from leadscore.store.digest import sha256_of

__all__ = ["BucketFile", "bucket_path", "made_from", "write_bucket"]

_NOTE = b"leadscore"
_WORDS = [field.name for field in BUCKET if pa.types.is_dictionary(field.type)]
_DICTIONARY_BYTES = 1 << 30  # lead ids and contents stay codes, however many there are


def bucket_path(folder: Path, bucket: int) -> Path:
    """Return the file of a bucket."""
    return folder / f"bucket-{bucket:04d}.parquet"


def write_bucket(path: Path, table: pa.Table, made: dict[str, Any]) -> None:
    """Write a bucket, all or nothing.

    Parameters
    ----------
    path : Path
    table : Table of `leadscore.interactions.BUCKET`
    made : dict
        What it was made from; `made_from` returns it.

    Raises
    ------
    OutputError, StorageError
        It cannot be written, or the disk is full.
    """
    noted = table.replace_schema_metadata({_NOTE: json.dumps(made, sort_keys=True)})
    buffer = io.BytesIO()
    pq.write_table(
        noted,
        buffer,
        compression="lz4",  # a sixth larger than zstd, and read in two thirds of it
        use_dictionary=_WORDS,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        row_group_size=max(table.num_rows, 1),
        write_page_checksum=True,
        write_statistics=False,  # a bucket is read whole: they cost a third of writing
    )
    files.write_bytes(path, buffer.getvalue())


def made_from(path: Path) -> dict[str, Any] | None:
    """Return what a bucket was made from; None if there is no whole file of ours.

    All its pages are read, for their checksums.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            made = _noted(file.metadata.metadata)
            table = file.read(use_threads=False)
    except (OSError, pa.ArrowException):
        return None
    is_whole = made is not None and made.get("n_rows") == table.num_rows
    return made if is_whole and table.column_names == BUCKET.names else None


def _noted(metadata: dict[bytes, bytes] | None) -> dict[str, Any] | None:
    try:
        made = json.loads((metadata or {}).get(_NOTE, b"null"))
    except ValueError:
        return None
    return made if isinstance(made, dict) else None


class BucketFile:
    """A bucket file to read from, by several threads at once.

    The whole file is compared with its digest before it is first read, and whenever it
    was touched since: the checksums of its pages cover neither their headers nor the
    end of the file, where a damaged byte may give other rows without an error.

    Parameters
    ----------
    path : Path
    origin : dict
        What it must have been made from, among other things.
    written : dict
        ``time_ns`` and ``sha256`` of the file, as it was written.
    """

    def __init__(
        self, path: Path, origin: dict[str, Any], written: dict[str, Any]
    ) -> None:
        self._path, self._origin, self._written = path, origin, written
        self._looked_at: tuple[int, ...] | None = None

    def __call__(self, columns: tuple[str, ...]) -> pa.Table:
        """Read some columns.

        Raises
        ------
        InputError
            The file is gone, or is not what was written.
        """
        try:
            self._look()
            with pq.ParquetFile(
                self._path,
                read_dictionary=[name for name in _WORDS if name in columns],
                page_checksum_verification=True,
            ) as file:
                self._check_origin(_noted(file.metadata.metadata))
                return file.read(list(columns), use_threads=False)
        except FileNotFoundError as error:
            msg = (
                f"{self._path} is gone: another run makes the store anew, or somebody "
                "removed it. Run again."
            )
            raise InputError(msg) from error
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(" ".join(str(error).split())) from error

    def _look(self) -> None:
        stat = self._path.stat()
        now = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if now == self._looked_at:
            return
        if sha256_of(self._path) != self._written["sha256"]:
            if stat.st_mtime_ns != self._written["time_ns"]:
                self._check_origin(_noted(pq.read_metadata(self._path).metadata))
            why = "its bytes are not those that were written"
            raise self._damaged(why)
        self._looked_at = now

    def _check_origin(self, made: dict[str, Any] | None) -> None:
        if made is not None and not self._origin.items() <= made.items():
            msg = (
                f"{self._path} is not of the store that this run opened: another run "
                "made it anew meanwhile. Run again."
            )
            raise InputError(msg)

    def _damaged(self, why: str) -> InputError:
        return InputError(
            f"{self._path} is damaged ({why}). Remove it and run again: this part of "
            "the store is made anew from the interactions."
        )
