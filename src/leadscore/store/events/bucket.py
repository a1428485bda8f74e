"""One bucket as a Parquet file: written whole, and read back or refused.

Goes in: a finished bucket. Comes out: a file that any tool can read, with zstd, words
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

__all__ = ["bucket_path", "made_from", "read_bucket", "write_bucket"]

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
        compression="zstd",
        compression_level=1,
        use_dictionary=_WORDS,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        row_group_size=max(table.num_rows, 1),
        write_page_checksum=True,
        write_statistics=False,  # a bucket is read whole: they cost a third of writing
    )
    files.write_bytes(path, buffer.getvalue())


def made_from(path: Path) -> dict[str, Any] | None:
    """Return what a bucket was made from; None if there is no whole file of ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    found = metadata.get(_NOTE)
    return None if found is None else json.loads(found)


def read_bucket(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """Read some columns of a bucket; may be called by several threads at once.

    Raises
    ------
    InputError
        The file is gone, or is not what was written.
    """
    try:
        with pq.ParquetFile(
            path,
            read_dictionary=[name for name in _WORDS if name in columns],
            page_checksum_verification=True,
        ) as file:
            return file.read(list(columns), use_threads=False)
    except (OSError, pa.ArrowException) as error:
        msg = (
            f"{path} is damaged ({error}). Remove it and run again: this part of the "
            "store is made anew from the interactions."
        )
        raise InputError(msg) from error
