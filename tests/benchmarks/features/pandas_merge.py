"""pandas: one merge of interactions with snapshots, then groupby; no chunks.

Each reduction by snapshot and kind is made once for all kinds, and unstacked.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.features.catalogue import OTHER, Catalogue
from leadscore.features.primitives import GAP_DAYS, Decay, Primitive

from .case import Case, Contender
from .decode import COLUMNS, WORDS
from .needs import DAY_US, DENIED, Window, is_late, read_catalogue

__all__ = ["contenders", "run"]


def run(case: Case) -> pa.Table:
    """Return the columns, by pandas."""
    catalogue = read_catalogue(case)
    table = pq.read_table(case.interactions, columns=COLUMNS, read_dictionary=WORDS)
    events = table.to_pandas()
    del table
    events = events[~events["kind"].isin(DENIED)]
    snapshots = pd.read_parquet(case.snapshots)
    seen = _seen(_coded(events, snapshots, catalogue), snapshots, late=is_late(case))
    made = _Reductions(seen, catalogue, len(snapshots))
    columns = {column.name: made.column(column.makes) for column in catalogue.columns}
    return pa.table(columns)


def _coded(
    events: pd.DataFrame, snapshots: pd.DataFrame, catalogue: Catalogue
) -> pd.DataFrame:
    """Return the interactions of the leads asked for, words as numbers."""
    occurred = _us(events["occurred_at"])
    known = _us(events["known_at"].fillna(events["occurred_at"]))
    coded = pd.DataFrame(
        {
            "lead": _codes(events["lead_id"], snapshots["lead_id"].unique()),
            "occurred": occurred,
            "visible": np.maximum(occurred, known),
            "kind": _codes(events["kind"], catalogue.kinds),
            "channel": _channels(events["channel"], catalogue),
            "content": events["content"].cat.codes.to_numpy(),
            "seconds": events["duration_s"].to_numpy(),
        }
    )
    return coded[coded["lead"] >= 0]


def _us(instants: pd.Series) -> np.ndarray:
    plain = instants.dt.tz_localize(None).to_numpy("datetime64[us]")
    microseconds: np.ndarray = plain.astype(np.int64)
    return microseconds


def _codes(words: pd.Series, known: object) -> np.ndarray:
    """Return the place of each word among the known ones; -1 for others and null."""
    places = pd.Index(known, dtype="str").get_indexer(words.cat.categories)
    codes: np.ndarray = np.append(places, -1)[words.cat.codes.to_numpy()]
    return codes


def _channels(words: pd.Series, catalogue: Catalogue) -> np.ndarray:
    """Return codes as above, but null is -2: it is no channel, not another one."""
    codes = _codes(words, catalogue.channels)
    return np.where(words.cat.codes.to_numpy() < 0, -2, codes)


def _seen(events: pd.DataFrame, snapshots: pd.DataFrame, *, late: bool) -> pd.DataFrame:
    """Return each interaction with each snapshot that sees it, and with its gap."""
    asked = pd.DataFrame(
        {
            "lead": pd.factorize(snapshots["lead_id"])[0],
            "place": np.arange(len(snapshots)),
            "as_of": _us(snapshots["as_of"]),
        }
    )
    if not late:
        events = _after_the_last(events, "lead")
    seen = events.merge(asked, on="lead")
    seen = seen[seen["visible"] < seen["as_of"]]
    if late:
        seen = _after_the_last(seen, "place")
    return seen.assign(age=seen["as_of"] - seen["occurred"])


def _after_the_last(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the rows in order, with the silence before each."""
    ordered = rows.sort_values([group, "occurred"])
    is_same = ordered[group] == ordered[group].shift()
    return ordered.assign(gap=ordered["occurred"].diff().where(is_same))


class _Reductions:
    """The merged table reduced by snapshot, or by snapshot and kind; each once."""

    def __init__(self, seen: pd.DataFrame, catalogue: Catalogue, n_places: int) -> None:
        self.seen = seen
        self.catalogue = catalogue
        self.places = pd.RangeIndex(n_places)
        self.inside = cache(self._inside)
        self.by_kind = cache(self._by_kind)

    def column(self, makes: Primitive) -> pa.Array:
        """Return one column, in the order of the snapshots."""
        values = self._values(makes).reindex(self.places)
        if makes.does == "first":
            return self._first(values)
        if makes.does not in ("recency", "longest_gap"):
            values = values.fillna(0.0)
        return pa.array(values.to_numpy(np.float64), from_pandas=True)

    def _values(self, makes: Primitive) -> pd.Series:
        match makes.does:
            case "count":
                return self._of_kind("size", makes.kind, makes.days)
            case "recency":
                youngest = self.by_kind("min", None)
                if makes.kind is None:
                    return youngest.min(axis=1) / DAY_US
                return self._of_kind("min", makes.kind, None) / DAY_US
            case "decay":
                return self._decayed(makes)
            case "active_days":
                days = self.inside(makes.days)
                days = days.assign(day=days["occurred"] // DAY_US)
                return days.drop_duplicates(["place", "day"]).groupby("place").size()
            case "distinct":
                used = self.inside(makes.days).query("content >= 0")
                used = used.drop_duplicates(["place", "content"])
                return used.groupby("place").size()
            case "sum":
                return self.inside(makes.days).groupby("place")["seconds"].sum()
            case "longest_gap":
                return self.seen.groupby("place")["gap"].max() / DAY_US
            case "gaps_over":
                long = self.seen[self.seen["gap"] > GAP_DAYS * DAY_US]
                return long.groupby("place").size()
            case "first":
                oldest = self.seen.groupby("place")["age"].idxmax()
                return self.seen["channel"].loc[oldest].set_axis(oldest.index)

    def _inside(self, days: Window) -> pd.DataFrame:
        if days is None:
            return self.seen
        return self.seen[self.seen["age"] <= days * DAY_US]

    def _by_kind(self, how: str, days: Window) -> pd.DataFrame:
        """Return one column a kind, the one of unknown kinds is called -1."""
        return self.inside(days).groupby(["place", "kind"])["age"].agg(how).unstack()

    def _of_kind(self, how: str, kind: str | None, days: Window) -> pd.Series:
        table = self.by_kind(how, days)
        if kind is None:
            return table.sum(axis=1)
        code = self.catalogue.kinds.index(kind)
        if code in table:
            return table[code]
        return pd.Series(np.nan, index=table.index)

    def _decayed(self, makes: Decay) -> pd.Series:
        weights = [makes.weights.get(k, makes.default) for k in self.catalogue.kinds]
        weight = np.array([*weights, makes.default])[self.seen["kind"].to_numpy()]
        if makes.half_life_days is not None:
            halvings = self.seen["age"] / (makes.half_life_days * DAY_US)
            weight = weight * np.exp2(-halvings.to_numpy())
        return pd.Series(weight).groupby(self.seen["place"].to_numpy()).sum()

    def _first(self, codes: pd.Series) -> pa.Array:
        words = np.array([*self.catalogue.channels, OTHER], dtype=object)
        is_null = (codes.isna() | (codes == -2)).to_numpy()
        places = np.where(is_null, -1, codes.fillna(-1).to_numpy()).astype(np.int64)
        return pa.array(words[places], pa.string(), mask=is_null)


def contenders() -> dict[str, Contender]:
    """Return the contenders of this file by name."""
    # Merged with twelve snapshots a lead, ten million do not fit a common memory.
    return {"pandas": Contender(run, largest_repeated=1_000_000)}
