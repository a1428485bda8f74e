"""Our own engine: on a store, from raw files, and building the store.

Features of many snapshots are taken bucket by bucket and held as one table, as the
rivals hold theirs; ``streamed`` lets each bucket go when it is made, which is how a
log that is larger than memory is scored.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.agreement import Agreement, Machines
from leadscore.features.fold import Folding, fold_buckets, fold_each
from leadscore.interactions import FOLDED, Interactions
from leadscore.revision import code_digest
from leadscore.snapshots import microseconds
from leadscore.store.events import Recipe, build_store, open_store
from leadscore.store.known import KnownLeads
from leadscore.store.log import BUCKET_ROWS
from leadscore.store.stream import stream_interactions
from leadscore.tables import INSTANT

from .case import Case, Contender
from .needs import DENIED, read_catalogue

__all__ = ["contenders"]

MOST = 1_000_000_000


def contenders() -> dict[str, Contender]:
    """Return the contenders of this file by name."""
    one = Contender(functools.partial(_on_store, 1), _prepare, MOST)
    two = Contender(functools.partial(_on_store, 2), _prepare, MOST)
    return {
        "ours on the store": one,
        "ours on the store, 2 threads": two,
        "ours on the store, streamed": Contender(_streamed, _prepare, MOST),
        "reading the store": Contender(_read, _prepare, MOST),
        "ours from raw": Contender(_from_raw, largest=MOST),
        "building the store": Contender(_build, largest=MOST),
    }


def _folding(case: Case) -> Folding:
    return Folding(read_catalogue(case), Agreement().zone, tuple(DENIED))


def _asked(case: Case) -> tuple[pa.Array, object]:
    """Return who is asked about, and when."""
    table = pq.read_table(
        case.snapshots, columns=["lead_id", "as_of"], read_dictionary=["lead_id"]
    )
    return table.column("lead_id"), microseconds(table.column("as_of").to_pandas())


def _table(case: Case, out: object) -> pa.Table:
    names = [column.name for column in read_catalogue(case).columns]
    return pa.Table.from_arrays([pa.array(row) for row in out], names)


def _prepare(case: Case) -> None:
    """Make the store, unless this code has made it of this file before."""
    folder = case.kept / "store"
    if open_store(folder, _key(case)) is None:
        _build(case, folder)


def _key(case: Case) -> str:
    stat = case.interactions.stat()
    made = f"{stat.st_size} {stat.st_mtime_ns} {code_digest()}"
    return hashlib.sha256(made.encode()).hexdigest()


def _build(case: Case, folder: Path | None = None) -> None:
    """Read the raw file as the product does, and write a store of it."""
    n_rows = pq.read_metadata(case.interactions).num_rows
    leads = pq.read_table(case.snapshots, columns=["lead_id"])["lead_id"].unique()
    stream = stream_interactions(
        case.interactions, Agreement(), KnownLeads(leads.cast(pa.large_string()))
    )
    build_store(
        folder or case.scratch / "store",
        Recipe(_key(case), -(-n_rows // BUCKET_ROWS), Machines(), _no_merges()),
        lambda: iter(stream),
        lambda n_own: {"n_own": n_own},
    )


def _no_merges() -> pd.DataFrame:
    words = pd.Series([], dtype="str")
    known_at = pd.Series([], dtype=INSTANT)
    return pd.DataFrame({"lead_id": words, "into": words, "known_at": known_at})


def _opened(folder: Path) -> Interactions:
    key = json.loads((folder / "store.json").read_text("utf-8"))["key"]
    stored = open_store(folder, key)
    assert stored is not None
    return stored.interactions


def _on_store(n_threads: int, case: Case) -> pa.Table:
    return _folded(case, case.kept / "store", n_threads)


def _from_raw(case: Case) -> pa.Table:
    _build(case)
    return _folded(case, case.scratch / "store", 1)


def _folded(case: Case, folder: Path, n_threads: int) -> pa.Table:
    lead_ids, as_of = _asked(case)
    out = fold_buckets(
        _opened(folder), lead_ids, as_of, _folding(case), n_threads=n_threads
    )
    return _table(case, out)


def _streamed(case: Case) -> None:
    """Let go of every bucket when it is made, as a writer of files would."""
    lead_ids, as_of = _asked(case)
    interactions = _opened(case.kept / "store")
    for _ in fold_each(interactions, lead_ids, as_of, _folding(case), n_threads=2):
        pass


def _read(case: Case) -> None:
    """Read from the store what the kernel reads, and do nothing with it."""
    for reader in _opened(case.kept / "store").readers:
        reader(FOLDED)
