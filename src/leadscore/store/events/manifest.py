"""``store.json``: what an event store was made from, and which files it consists of.

Goes in: a folder. Comes out: what the manifest says, or nothing where it is missing or
was altered. It is written last, so that a store that has one is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from leadscore import files
from leadscore.errors import BusyError, OutputError, StorageError
from leadscore.store.digest import sha256_of
from leadscore.store.events.bucket import bucket_path

__all__ = [
    "MANIFEST",
    "as_written",
    "is_as_written",
    "note_anew",
    "noted_in",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "store.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what ``store.json`` says; None if it is not there, or was altered."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    digest = found.pop("digest", None)
    return found if digest == _digest(found) else None


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``store.json``, all or nothing, with a digest of what it says.

    Raises
    ------
    OutputError, StorageError
        It cannot be written, or the disk is full.
    """
    whole = manifest | {"digest": _digest(manifest)}
    files.write_text(folder / MANIFEST, json.dumps(whole, indent=1) + "\n")


def as_written(path: Path) -> dict[str, Any]:
    """Return what tells later that a file is still the same."""
    stat = path.stat()
    return {
        "size": stat.st_size,
        "time_ns": stat.st_mtime_ns,
        "sha256": sha256_of(path),
    }


def is_as_written(path: Path, written: dict[str, Any]) -> bool:
    """Return whether a file is that of `as_written`: untouched, or the same bytes."""
    try:
        stat = path.stat()
    except OSError:
        return False
    if stat.st_size != written["size"]:
        return False
    return (
        stat.st_mtime_ns == written["time_ns"] or sha256_of(path) == written["sha256"]
    )


def noted_in(folder: Path) -> dict[str, Any] | None:
    """Return the facts of the store that a folder holds, whatever it was made from."""
    manifest = read_manifest(folder)
    return None if manifest is None else manifest["facts"]


def note_anew(folder: Path, key: str, facts: dict[str, Any]) -> None:
    """Note that all files are as they were written, and facts anew, for the next run.

    It only spares that run a look into each file: where another run holds the store, or
    nothing can be written, all stays as it is.
    """
    with (
        contextlib.suppress(BusyError, OutputError, StorageError),
        files.lock(folder / "lock"),
        files.sentences(folder),
    ):
        manifest = read_manifest(folder)
        if manifest is not None and manifest["key"] == key:
            paths = (bucket_path(folder, b) for b in range(len(manifest["files"])))
            kept = [
                file | {"time_ns": path.stat().st_mtime_ns}
                for path, file in zip(paths, manifest["files"], strict=True)
            ]
            write_manifest(folder, manifest | {"files": kept, "facts": facts})
