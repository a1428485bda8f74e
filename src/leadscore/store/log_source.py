"""Where interactions are, and what decides how they are read.

Goes in: a file or a database, the leads, the agreement. Comes out: the rows as a
stream, the place of their event store, and its key: where that is the same, every byte
of a store is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.agreement import Agreement, Database
from leadscore.revision import code_digest
from leadscore.store.events import FORMAT
from leadscore.store.find import is_parquet
from leadscore.store.known import KnownLeads
from leadscore.store.rejects import Reject
from leadscore.store.stream import (
    InteractionStream,
    stream_database,
    stream_interactions,
)

__all__ = ["LogSource", "count_rows", "store_key", "written_of"]

_BYTES_A_LINE = 50
_GZIP = 6  # a compressed log is about so many times as large


@dataclass(frozen=True)
class LogSource:
    """Where interactions are, and what decides how they are read.

    Parameters
    ----------
    where : Path or Database
    folder : Path
        The data folder.
    agreement : Agreement
    leads : KnownLeads
    merges : DataFrame
        As `leadscore.merges.merges_of` gives them.
    earlier : list of Reject
        Of the tables before, handed on with an error about the budget.
    """

    where: Path | Database
    folder: Path
    agreement: Agreement
    leads: KnownLeads
    merges: pd.DataFrame
    earlier: list[Reject]

    def stream(self) -> InteractionStream:
        """Return the rows, from the first on."""
        if isinstance(self.where, Database):
            return stream_database(self.where, self.agreement, self.leads)
        return stream_interactions(self.where, self.agreement, self.leads)

    @property
    def store(self) -> Path:
        """The folder of the event store."""
        chosen = os.environ.get("LEADSCORE_STORE")
        if not chosen:
            return self.folder / "interactions.store"
        whole = self.folder.resolve()
        digest = hashlib.sha256(os.fsencode(whole)).hexdigest()
        return Path(chosen) / f"{whole.name}-{digest[:12]}"


def store_key(source: LogSource, path: Path, digest: str) -> str:
    """Return what decides every byte of a store, as one digest.

    What [source] says of other tables is not among it: what counts of the leads is
    which there are, and how they were merged.
    """
    agreement = source.agreement
    others = {"files", "dated_stages", "data_end", "database"}
    reading = agreement.source.model_dump(mode="json", exclude=others)
    reading["columns"] = reading["columns"]["interactions"]
    parts = [
        FORMAT,
        code_digest(),
        path.name,
        digest,
        source.leads.digest(),
        source.merges.to_csv(index=False),
        reading,
        agreement.machines.model_dump(mode="json"),
        agreement.time_zone,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def count_rows(path: Path) -> int:
    """Return about how many rows a file has, without reading it."""
    try:
        if is_parquet(path):
            return int(pq.read_metadata(path).num_rows)
        size = path.stat().st_size
    except (OSError, pa.ArrowException):
        return 0  # the reader says what is wrong with it
    return size * (_GZIP if path.suffix.lower() == ".gz" else 1) // _BYTES_A_LINE


def written_of(path: Path) -> list[int]:
    """Return what tells, without a look at its bytes, that a file is unchanged."""
    stat = path.stat()
    # A tool that keeps the time of a file that it changes cannot keep st_ctime.
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
