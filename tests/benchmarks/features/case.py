"""What a contender is, and what it is asked to do.

Only the standard library is imported here, so that a contender can live in an
environment of its own where nothing of ours is installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Case", "Contender", "Unavailable"]


class Unavailable(Exception):  # noqa: N818 - it is no error: the table goes on without
    """A contender cannot run here; the message says why."""


@dataclass(frozen=True)
class Case:
    """One task: the files to read and the folders to write to.

    Parameters
    ----------
    interactions : Path
        Parquet, ordered by time: ``lead_id, occurred_at, known_at, kind, channel,
        content, duration_s``; words are strings, ``known_at`` is null where it equals
        ``occurred_at``.
    snapshots : Path
        Parquet: ``lead_id, created_at, as_of``. The result has one row for each, in
        this order.
    catalogue : Path
        JSON of a `leadscore.features.catalogue.Catalogue`.
    kept : Path
        Folder of this data set, for what `Contender.prepare` makes.
    scratch : Path
        Empty folder of this one run, for spilling; removed afterwards.
    size : int
        How many interactions were asked for.
    per_lead : int
        How many instants were asked for: 1, or 12 months.
    """

    interactions: Path
    snapshots: Path
    catalogue: Path
    kept: Path
    scratch: Path
    size: int
    per_lead: int

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Return the case that `to_json` wrote."""
        values = json.loads(text)
        paths = {n: Path(v) for n, v in values.items() if isinstance(v, str)}
        return cls(**values | paths)


@dataclass(frozen=True)
class Contender:
    """One way to make the columns.

    Parameters
    ----------
    run : callable
        Gets a `Case`, returns the finished table (`pyarrow.Table` with the columns of
        the catalogue, one row a snapshot), or nothing if it makes no columns. Only
        this is timed.
    prepare : callable or None
        Called with the case in a process of its own, before the rounds, untimed.
    largest : int
        At more interactions than this it is run at this size instead.
    largest_repeated : int or None
        The same where leads have several snapshots; None: as ``largest``, 0: left out.
    python : callable or None
        Gets a folder for environments, returns the interpreter to run under; may raise
        `Unavailable`. None: the interpreter of the benchmark.
    """

    run: Callable[[Case], object]
    prepare: Callable[[Case], None] | None = None
    largest: int = 10_000_000
    largest_repeated: int | None = None
    python: Callable[[Path], Path] | None = None
