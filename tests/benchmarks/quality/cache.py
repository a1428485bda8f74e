"""Where costly pieces of tasks are kept between runs.

In the folder that LEADSCORE_BENCH_CACHE names, else in one below the system's temporary
folder. A piece is named after its parameters and a digest of the code that makes rows,
so no change of a feature is ever measured on yesterday's rows. What a contender said is
named after the rows themselves and the contender's own code and packages, so that a run
that was stopped goes on where it was. Delete it at will.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import joblib

import leadscore

__all__ = ["VARIABLE", "cache_folder", "digest_of", "kept", "recipe_digest"]

VARIABLE = "LEADSCORE_BENCH_CACHE"
PACKAGE = Path(leadscore.__file__).parent
# All of the package makes rows and splits, but for what judges or shows them.
MAKES_NO_ROWS = (
    "recipe",
    "report",
    "summary",
    "tracking",
    "model.py",
    "calibration.py",
)
MAKES_TASKS = (
    "../bpi2012.py",
    "../completejourney.py",
    "folder_tasks.py",
    "known_task.py",
    "task.py",
)
T = TypeVar("T")


def cache_folder() -> Path:
    """Return the folder, made if it is missing."""
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else Path(tempfile.gettempdir(), "leadscore_bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept(name: str, build: Callable[[], T], *, of: str | None = None) -> T:
    """Return what ``build`` makes, from the folder if it was made before.

    Parameters
    ----------
    name : str
    build : callable
    of : str, default=None
        A digest of all that it depends on; None: the code that makes rows.
    """
    path = cache_folder() / f"{name}-{of or _digest()}.joblib"
    if path.exists():
        return joblib.load(path)
    made = build()
    unfinished = path.with_suffix(f".{os.getpid()}")
    joblib.dump(made, unfinished)
    unfinished.rename(path)  # nobody reads half a piece
    return made


def digest_of(*things: Any) -> str:
    """Return a digest of tables, arrays and plain data."""
    return str(joblib.hash(things))[:12]


@functools.cache
def recipe_digest() -> str:
    """Return a digest of our recipe: its code, and the library below it."""
    code = [*(PACKAGE / "recipe").glob("*.py"), PACKAGE / "calibration.py"]
    return digest_of(_of_files(code), metadata.version("scikit-learn"))


@functools.cache
def _digest() -> str:
    code = [*PACKAGE.rglob("*.py"), *PACKAGE.glob("simulate/*.toml")]
    paths = [p for p in code if p.relative_to(PACKAGE).parts[0] not in MAKES_NO_ROWS]
    paths += [Path(__file__).parent / name for name in MAKES_TASKS]
    return _of_files(paths)


def _of_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
