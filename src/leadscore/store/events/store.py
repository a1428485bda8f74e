"""The event store: interactions in bucket files, made once for what they are made from.

Goes in: a folder, a key that says what the store is made from, and a stream of rows.
Comes out: `Interactions`. A store of another key is made anew. A bucket that is missing
or is no longer what was written is made anew, and only it; so is every bucket that an
interrupted run had not finished. Nothing half-written is ever read: each file is
written whole, names its key, and ``store.json`` is written last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore import files
from leadscore.agreement import Machines
from leadscore.buckets import finish_bucket
from leadscore.interactions import Interactions
from leadscore.progress import Tell, silent
from leadscore.store.events.bucket import (
    BucketFile,
    bucket_path,
    made_from,
    write_bucket,
)
from leadscore.store.events.manifest import (
    MANIFEST,
    as_written,
    is_as_written,
    read_manifest,
    write_manifest,
)
from leadscore.store.events.scatter import Scattered, bucket_of

__all__ = [
    "FORMAT",
    "Recipe",
    "Stored",
    "build_store",
    "open_store",
]

FORMAT = 2  # of the bucket files; another number makes every store anew
_SCATTER = ".scatter-"


@dataclass(frozen=True)
class Recipe:
    """What a store is made from and how.

    Parameters
    ----------
    key : str
        Another key, another store.
    n_buckets : int
    machines : Machines
    merges : DataFrame
        As `leadscore.merges.merges_of` gives them.
    """

    key: str
    n_buckets: int
    machines: Machines
    merges: pd.DataFrame


@dataclass(frozen=True)
class Stored:
    """A store, open.

    Parameters
    ----------
    interactions : Interactions
    facts : dict
        What was noted about the rows when they were read; see `build_store`.
    """

    interactions: Interactions
    facts: dict[str, Any]


def open_store(folder: Path, key: str) -> Stored | None:
    """Return the store of a folder, if it is whole and made from ``key``.

    A file is taken as it was written if its size and time are; else if its digest is.
    """
    manifest = read_manifest(folder)
    if manifest is None or manifest["key"] != key:
        return None
    for bucket, file in enumerate(manifest["files"]):
        if not is_as_written(bucket_path(folder, bucket), file):
            return None
    return _stored(folder, manifest)


def build_store(
    folder: Path,
    recipe: Recipe,
    rows: Callable[[], Iterable[pa.Table]],
    facts: Callable[[int], dict[str, Any]],
    *,
    tell: Tell = silent,
) -> Stored:
    """Make what is missing of a store, and open it.

    Parameters
    ----------
    folder : Path
        Created if it is missing; what lies there of another store is removed.
    recipe : Recipe
    rows : callable
        Gives all rows in batches, as `leadscore.buckets.finish_bucket` takes them.
    facts : callable
        Asked when all is made, with the number of rows that are no copies of a merged
        lead's: what to keep in ``store.json`` for the next opening.
    tell : Tell, default=silent

    Raises
    ------
    BusyError
        Another run makes this store.
    OutputError, StorageError
        The folder cannot be written, or the disk is full; what is finished stays and
        is used by the next run.
    """
    with files.lock(folder / "lock"):
        already = open_store(folder, recipe.key)
        if already is not None:
            return already
        missing = _missing(folder, recipe)
        _clear(folder, recipe, missing)
        with files.sentences(folder):
            scatter = Path(tempfile.mkdtemp(dir=folder, prefix=_SCATTER))
        try:
            _make(folder, scatter, recipe, missing, rows, tell)
        finally:
            shutil.rmtree(scatter, ignore_errors=True)
        manifest = _describe(folder, recipe, facts)
    return _stored(folder, manifest)


def _make(
    folder: Path,
    scatter: Path,
    recipe: Recipe,
    missing: list[int],
    rows: Callable[[], Iterable[pa.Table]],
    tell: Tell,
) -> None:
    """Scatter the rows of the missing buckets, then finish one bucket a core."""
    n_rows = 0
    scattered = Scattered(scatter, recipe.n_buckets, missing, recipe.merges)
    with _ended(scattered, folder):
        tell("reading the interactions")
        for batch in rows():
            with files.sentences(folder):
                scattered.add(batch)
            n_rows += batch.num_rows
            tell("reading the interactions", done=n_rows)
    with files.sentences(folder):
        tell("sorting the interactions", done=0, total=len(missing))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            finish = partial(_finish, folder, scattered, recipe)
            for done, _ in enumerate(pool.map(finish, missing), start=1):
                tell("sorting the interactions", done=done, total=len(missing))


@contextlib.contextmanager
def _ended(scattered: Scattered, folder: Path) -> Iterator[None]:
    """Write what is left at the end, but after an error nothing counts but that."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            scattered.close()
        raise
    with files.sentences(folder):
        scattered.close()


def _finish(folder: Path, scattered: Scattered, recipe: Recipe, bucket: int) -> None:
    table = finish_bucket(scattered.rows(bucket), recipe.machines)
    n_own = pc.sum(table.column("merged_from").is_null()).as_py() or 0
    origin = _origin(recipe.key, bucket, recipe.n_buckets)
    made = {**origin, "n_rows": table.num_rows, "n_own": n_own}
    write_bucket(bucket_path(folder, bucket), table, made)


def _origin(key: str, bucket: int, n_buckets: int) -> dict[str, Any]:
    return {"key": key, "bucket": bucket, "n_buckets": n_buckets}


def _missing(folder: Path, recipe: Recipe) -> list[int]:
    """Return the buckets that are not there, or not as they were written."""
    manifest = read_manifest(folder)
    written = {}
    if manifest is not None and manifest["key"] == recipe.key:
        # Of another number of buckets, none is among those that are asked for.
        is_same = len(manifest["files"]) == recipe.n_buckets
        written = dict(enumerate(manifest["files"])) if is_same else {}
    return [
        bucket
        for bucket in range(recipe.n_buckets)
        if not _is_finished(folder, recipe, bucket, written.get(bucket))
    ]


def _is_finished(
    folder: Path, recipe: Recipe, bucket: int, written: dict[str, Any] | None
) -> bool:
    path = bucket_path(folder, bucket)
    if written is not None:
        return is_as_written(path, written)
    origin = _origin(recipe.key, bucket, recipe.n_buckets)
    return origin.items() <= (made_from(path) or {}).items()


def _clear(folder: Path, recipe: Recipe, missing: list[int]) -> None:
    """Remove what belongs to another store, or to a run that was interrupted."""
    kept = {bucket_path(folder, b) for b in range(recipe.n_buckets)}
    kept -= {bucket_path(folder, b) for b in missing}
    with files.sentences(folder):
        (folder / MANIFEST).unlink(missing_ok=True)
        for path in folder.glob("bucket-*.parquet"):
            if path not in kept:
                path.unlink()
        for path in folder.glob(f"{_SCATTER}*"):
            shutil.rmtree(path, ignore_errors=True)
        files.remove_temporary(folder)


def _describe(
    folder: Path, recipe: Recipe, facts: Callable[[int], dict[str, Any]]
) -> dict[str, Any]:
    paths = [bucket_path(folder, bucket) for bucket in range(recipe.n_buckets)]
    made = [made_from(path) or {} for path in paths]
    manifest = {
        "key": recipe.key,
        "n_rows": sum(m["n_rows"] for m in made),
        "facts": facts(sum(m["n_own"] for m in made)),
        "files": [as_written(path) for path in paths],
    }
    write_manifest(folder, manifest)
    return manifest


def _stored(folder: Path, manifest: dict[str, Any]) -> Stored:
    n_buckets = len(manifest["files"])
    readers = tuple(
        BucketFile(
            bucket_path(folder, bucket),
            _origin(manifest["key"], bucket, n_buckets),
            file,
        )
        for bucket, file in enumerate(manifest["files"])
    )
    interactions = Interactions(
        n_rows=manifest["n_rows"],
        readers=readers,
        bucket_of=partial(bucket_of, n_buckets=n_buckets),
    )
    return Stored(interactions, manifest["facts"])
