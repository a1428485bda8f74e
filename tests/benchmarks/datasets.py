"""Where the public data sets lie. They are not ours to ship, so they may be missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["BESIDE", "VARIABLE", "datasets_folder", "run"]

VARIABLE = "LEADSCORE_DATASETS"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "datasets"


def datasets_folder() -> Path:
    """Return the folder that holds ``bpi2012`` and ``completejourney``.

    Raises
    ------
    FileNotFoundError
        Neither the environment variable nor the folder beside the checkout leads to
        one.
    """
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else BESIDE
    if not folder.is_dir():
        where = f"{VARIABLE}={given}" if given else f"{BESIDE}, the default,"
        msg = (
            f"{where} is not a folder. Set {VARIABLE} to the folder that holds the "
            "public data sets bpi2012 and completejourney."
        )
        raise FileNotFoundError(msg)
    return folder


def run(name: str, write_folder: Callable[[Path, Path], None]) -> None:
    """Write one data folder, from ``python -m tests.benchmarks.NAME TARGET``."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m tests.benchmarks.{name} TARGET")
    target = Path(sys.argv[1])
    write_folder(datasets_folder() / name, target)
    print(f"written: {target}")
