"""A sample of leads and the instants at which their rows are put to the proof.

Goes in: tables, snapshots, a generator of random numbers. Comes out: everything about
some leads and those they were merged with, small enough to be changed again and again,
and for each of them a few instants. Where something can go wrong is preferred: merges,
facts that became known late, histories; and the very instants at which facts are known.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.agreement import Machines
from leadscore.buckets import in_memory, rows_of
from leadscore.interactions import BUCKET, Interactions, codes_of
from leadscore.merges import merges_of, roots_of
from leadscore.snapshots import microseconds
from leadscore.tables import Tables

__all__ = ["INSTANTS", "LARGEST_TREE", "Sample", "World", "as_instants", "draw_sample"]

INSTANTS = 6  # a lead: see `_instants`
_LARGE_TREE = 50  # leads merged together; more are hardly one person
LARGEST_TREE = 5_000  # that is looked at where there is no other
_FURTHER = 4  # so many candidates for one place
_JUDGED_ANEW = ["visible_at", "machine"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """What is known of the sample, or would be in another world.

    Parameters
    ----------
    leads, outcomes : DataFrame
        As in `leadscore.tables.Tables`.
    log : DataFrame
        Interactions, each with an ``event_id`` of its own.
    """

    leads: pd.DataFrame
    log: pd.DataFrame
    outcomes: pd.DataFrame

    def tables(self, like: Tables, machines: Machines) -> Tables:
        """Return the world as tables, as if it had been read."""
        return dataclasses.replace(
            like,
            leads=self.leads,
            interactions=in_memory(rows_of(self.log), machines),
            outcomes=self.outcomes,
        )


@dataclass(frozen=True)
class Sample:
    """Some leads, and when to look at them.

    Parameters
    ----------
    world : World
        All that the tables hold about them, later facts included.
    as_of : int64 array of shape (n_instants, n_leads)
        Microseconds since 1970 UTC; leads of one merge tree share theirs, so that what
        is the future of one is the future of the others.
    lead_ids : Index of shape (n_leads,)
    asked : DataFrame
        ``lead_id, created_at, as_of, round``: the leads known by then, no pair twice.
    """

    world: World
    as_of: Ints
    lead_ids: pd.Index
    asked: pd.DataFrame


def as_instants(counted: Ints) -> pd.Series:
    """Return microseconds since 1970 UTC as a column of instants."""
    plain = np.ascontiguousarray(counted, dtype=np.int64).view("datetime64[us]")
    return pd.Series(plain).dt.tz_localize("UTC")


def draw_sample(
    tables: Tables,
    snapshots: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_leads: int,
    n_instants: int = INSTANTS,
) -> Sample | None:
    """Draw leads, and instants for each.

    Parameters
    ----------
    tables : Tables
    snapshots : DataFrame
        ``lead_id, as_of``; their leads are drawn, or any where there are none.
    rng : Generator
    n_leads : int
        At most; leads merged with them come on top.
    n_instants : int, default=6
        For each lead.

    Returns
    -------
    Sample or None
        None where every lead is merged with more than `LARGEST_TREE` others: part of
        them would be other leads.
    """
    root = roots_of(merges_of(tables.leads))
    candidates = _candidates(tables, snapshots, root, rng, _FURTHER * n_leads)
    if not candidates:
        return None
    wide = _of_leads(tables, _with_mates(candidates, root))
    drawn = _preferred(candidates, wide, root, rng, n_leads)
    kept = pd.Index(_with_mates(drawn, root), dtype="str", name="lead_id")
    world = World(
        *(
            frame[frame["lead_id"].isin(kept)].reset_index(drop=True)
            for frame in (wide.leads, wide.log, wide.outcomes)
        )
    )
    as_of = _instants(drawn, kept, root, world, snapshots, tables.data_end, rng)
    as_of = as_of[:n_instants]
    return Sample(world, as_of, kept, _asked(world, kept, as_of))


def _candidates(
    tables: Tables,
    snapshots: pd.DataFrame,
    root: pd.Series,
    rng: np.random.Generator,
    n: int,
) -> list[str]:
    """Return leads to choose from: merged ones and those with a history first."""
    leads = tables.leads["lead_id"]
    ids = _in_small_trees(snapshots["lead_id"], root)
    if ids.empty:
        ids = _in_small_trees(leads, root)
    if ids.empty:
        ids = _smallest_tree(root)
    ids = ids[rng.permutation(len(ids))]
    told_more = pd.Index(leads[leads.duplicated()].unique())
    first = ids[ids.isin(root.index)][: n // 4]
    second = ids[ids.isin(told_more)][: n // 4]
    return first.append([second, ids]).drop_duplicates()[:n].tolist()


def _in_small_trees(ids: pd.Series, root: pd.Series) -> pd.Index:
    """Return leads that may well be one person, sorted."""
    sizes = root.value_counts()
    in_large = root.index[root.isin(sizes.index[sizes > _LARGE_TREE])]
    return pd.Index(np.sort(ids.unique())).difference(in_large)


def _smallest_tree(root: pd.Series) -> pd.Index:
    """Return the leads of the smallest tree, none if it is too large, too."""
    sizes = root.value_counts().sort_index().sort_values(kind="stable")
    if sizes.iloc[0] > LARGEST_TREE:
        return root.index[:0]
    return pd.Index(np.sort(root.index[root == sizes.index[0]]))


def _with_mates(ids: list[str], root: pd.Series) -> list[str]:
    """Return the leads and all that are merged with them, sorted."""
    trees = root.reindex(ids).dropna().unique()
    return sorted({*ids, *root.index[root.isin(trees)]})


def _of_leads(tables: Tables, ids: list[str]) -> World:
    leads, outcomes = tables.leads, tables.outcomes
    return World(
        leads[leads["lead_id"].isin(ids)],
        _log_of(tables.interactions, ids),
        outcomes[outcomes["lead_id"].isin(ids)],
    )


def _log_of(interactions: Interactions, ids: list[str]) -> pd.DataFrame:
    """Return the interactions of some leads, each with an id of its own.

    Whatever repeated another one is gone already; two that look alike are two.
    """
    asked = pa.array(ids, pa.string())
    names = tuple(name for name in BUCKET.names if name not in _JUDGED_ANEW)
    parts: list[pd.DataFrame] = []
    for bucket in np.unique(interactions.bucket_of(asked)):
        table = interactions.readers[bucket](names)
        codes, words = codes_of(table.column("lead_id"))
        is_asked = pc.is_in(words.cast(pa.string()), value_set=asked).to_numpy(
            zero_copy_only=False
        )
        some = table.take(np.flatnonzero(is_asked[codes]))
        reader = some.select
        parts += Interactions(len(some), (reader,), interactions.bucket_of).frames(
            *names
        )
    log = pd.concat(parts, ignore_index=True)
    return log.assign(event_id=pd.Series(range(len(log)), dtype="int64").astype("str"))


def _preferred(
    candidates: list[str],
    wide: World,
    root: pd.Series,
    rng: np.random.Generator,
    n: int,
) -> list[str]:
    """Return half of them as the most can go wrong there, half as they come."""
    ids = pd.Index(candidates)
    late = wide.log.loc[wide.log["known_at"] > wide.log["occurred_at"], "lead_id"]
    again = wide.leads.loc[wide.leads["lead_id"].duplicated(), "lead_id"]
    score = 4 * ids.isin(root.index) + 2 * ids.isin(late) + ids.isin(again)
    score = score + ids.isin(wide.log["lead_id"])
    order = np.lexsort((rng.permutation(len(ids)), -score))
    rest = rng.permutation(order[n // 2 :])
    chosen: list[str] = ids[np.append(order[: n // 2], rest)[:n]].tolist()
    return chosen


def _instants(
    drawn: list[str],
    kept: pd.Index,
    root: pd.Series,
    world: World,
    snapshots: pd.DataFrame,
    data_end: pd.Timestamp,
    rng: np.random.Generator,
) -> Ints:
    """Return when to look at each lead that is kept, by that of its tree drawn first.

    As in training; anywhere; at the instant at which an interaction is known, and a
    microsecond after another one is; when one occurred; when a lead's row, or an
    outcome, is known. Anywhere instead, where there is none such.
    """
    of_grid = _by_lead(snapshots, "as_of", drawn)
    known, occurred = (
        _by_lead(world.log, name, drawn) for name in ("known_at", "occurred_at")
    )
    late_rows = world.log[world.log["known_at"] > world.log["occurred_at"]]
    late = _by_lead(late_rows, "known_at", drawn)
    told = _by_lead(pd.concat([world.leads, world.outcomes]), "known_at", drawn)
    first = _by_lead(world.leads, "known_at", drawn)
    nothing = np.zeros(0, dtype=np.int64)
    end = int(microseconds([data_end])[0])
    by_tree: dict[str, list[int]] = {}
    for lead in drawn:
        tree = root.get(lead, lead)
        if tree in by_tree:
            continue
        since = int(first[lead].min())
        choices = [
            of_grid.get(lead, nothing),
            nothing,
            late.get(lead, known.get(lead, nothing)),
            known.get(lead, nothing) + 1,
            occurred.get(lead, nothing),
            told[lead] + int(rng.integers(0, 2)),
        ]
        by_tree[tree] = [_one_of(some, since, end, rng) for some in choices]
    return np.array([by_tree[root.get(i, i)] for i in kept], dtype=np.int64).T


def _one_of(some: Ints, since: int, end: int, rng: np.random.Generator) -> int:
    """Return one of some instants after ``since``, or anything until ``end``."""
    later = some[some > since]
    if len(later):
        return int(rng.choice(later))
    return since + 1 + int(rng.integers(0, max(end - since, 86_400_000_000)))


def _by_lead(frame: pd.DataFrame, name: str, ids: list[str]) -> dict[str, Ints]:
    some = frame.loc[frame["lead_id"].isin(ids), ["lead_id", name]]
    counted = pd.Series(microseconds(some[name]), dtype="int64")
    groups = counted.groupby(some["lead_id"].to_numpy())
    return {str(lead): values.to_numpy() for lead, values in groups}


def _asked(world: World, kept: pd.Index, as_of: Ints) -> pd.DataFrame:
    firsts = world.leads.sort_values(["lead_id", "known_at"]).groupby("lead_id")
    firsts = firsts[["created_at", "known_at"]].first().reindex(kept).reset_index()
    rounds = [
        firsts.assign(as_of=as_instants(instants), round=n)
        for n, instants in enumerate(as_of)
    ]
    asked = pd.concat(rounds, ignore_index=True)
    asked = asked[asked["known_at"] < asked["as_of"]].drop(columns="known_at")
    return asked.drop_duplicates(["lead_id", "as_of"], ignore_index=True)
