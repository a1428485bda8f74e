"""A log of interactions of any size, seeded, ordered by time, made in little memory.

Each lead has a number of interactions drawn from a log-normal (100 on average), in
sessions that last at most 40 minutes, more of them soon after its creation than later.
The sessions of a lead are a Poisson process, so the log can be drawn slice by slice of
time; what runs over the end of a slice is carried into the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leadscore.agreement import Agreement
from leadscore.buckets import in_memory
from leadscore.features.catalogue import MIN_LEADS, Catalogue, declare_catalogue

from .case import Case

__all__ = ["CHANNELS", "KINDS", "declared", "make_case"]

# How common each kind is; none stands on the default deny-list.
KINDS = {
    "page_view": 30.0,
    "email_open": 25.0,
    "email_click": 10.0,
    "ad_click": 6.0,
    "search": 5.0,
    "video_play": 4.0,
    "whitepaper_download": 4.0,
    "social_click": 4.0,
    "webinar_signup": 3.0,
    "webinar_attendance": 2.0,
    "event_visit": 2.0,
    "chat": 2.0,
    "pricing_view": 2.0,
    "contact_request": 0.6,
    "demo_request": 0.4,
}
CHANNELS = {
    "website": 35.0,
    "email": 30.0,
    "paid_search": 10.0,
    "organic_search": 10.0,
    "social": 6.0,
    "webinar": 4.0,
    "event": 3.0,
    "partner": 2.0,
}

N_DAYS = 730
DAY_US = 86_400_000_000
START_US = 19_723 * DAY_US  # 2024-01-01
END_US = START_US + N_DAYS * DAY_US
PER_LEAD = 100
SPREAD = 1.0  # of the logarithm of the number of interactions
PER_SESSION = 10 / 3
SESSION_US = 40 * 60 * 1_000_000
FADES_DAYS = 180  # activity after creation falls by a factor e
LATEST_CREATED_DAYS = 700
NO_CHANNEL, NO_CONTENT, NO_DURATION = 0.01, 0.05, 0.3
LATE_US = 2.0 * DAY_US  # how late a late fact becomes known, on average
ODD_US = (13 * 60 + 7) * 60_000_000 + 11  # 13:07:00.000011: no midnight, no minute
SLICE_ROWS = 1_000_000  # of a slice, on average; a slice is a row group

_SCHEMA = pa.schema(
    [
        ("lead_id", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("known_at", pa.timestamp("us", "UTC")),
        ("kind", pa.string()),
        ("channel", pa.string()),
        ("content", pa.string()),
        ("duration_s", pa.float64()),
    ]
)


def make_case(
    folder: Path,
    size: int,
    per_lead: int,
    *,
    n_contents: int = 200,
    late_share: float = 0.0,
    seed: int = 1,
) -> Case:
    """Return the case of a size, its files made unless they are there.

    Parameters
    ----------
    folder : Path
        Where the data sets are kept.
    size : int
        Number of interactions, about; leads are a hundredth of it.
    per_lead : int
        1: one instant for all leads, at the end of the log. More: so many months
        before the end, for each lead those after its first interaction.
    n_contents : int
    late_share : float
        Share of the interactions that become known some days after they happened.
    seed : int
    """
    named = f"{size}-{n_contents}-{late_share:g}-{seed}"
    kept = folder / named
    interactions, leads = kept / "interactions.parquet", kept / "leads.parquet"
    if not leads.exists():
        kept.mkdir(parents=True, exist_ok=True)
        drawn = _Log(size, n_contents, late_share, seed)
        _write_leads(leads, drawn, _write_interactions(interactions, drawn))
    snapshots = kept / f"snapshots-{per_lead}.parquet"
    if not snapshots.exists():
        _write_snapshots(snapshots, pq.read_table(leads), per_lead)
    catalogue = kept / "catalogue.json"
    catalogue.write_text(declared().model_dump_json(), encoding="utf-8")
    return Case(
        interactions=interactions,
        snapshots=snapshots,
        catalogue=catalogue,
        kept=kept,
        scratch=kept / "scratch",
        size=size,
        per_lead=per_lead,
    )


def declared() -> Catalogue:
    """Return the default catalogue for all words of the generator, at any size."""
    agreement = Agreement()
    lead_ids = [str(lead) for lead in range(MIN_LEADS)]
    rows = list(itertools.product(lead_ids, KINDS, CHANNELS))
    lead_id, kind, channel = zip(*rows, strict=True)
    nothing = pa.nulls(len(rows))
    spoken = [lead_id, np.zeros(len(rows), np.int64), nothing, kind, channel]
    table = pa.table([*spoken, nothing, nothing], names=_SCHEMA.names).cast(_SCHEMA)
    leads = pd.DataFrame({"lead_id": lead_ids})
    log = in_memory(table, agreement.machines)
    return declare_catalogue(agreement, leads, log)


@dataclass
class _Slice:
    """Interactions of a slice of time, as codes; not yet in order."""

    lead: np.ndarray
    occurred: np.ndarray

    def picked(self, rows: np.ndarray) -> _Slice:
        return _Slice(self.lead[rows], self.occurred[rows])

    def joined(self, other: _Slice) -> _Slice:
        return _Slice(
            np.concatenate([self.lead, other.lead]),
            np.concatenate([self.occurred, other.occurred]),
        )


class _Log:
    """The leads, and their interactions slice by slice."""

    def __init__(
        self, size: int, n_contents: int, late_share: float, seed: int
    ) -> None:
        self.random = np.random.default_rng([seed, size])
        self.late_share = late_share
        n_leads = max(size // PER_LEAD, 1)
        mean = np.log(PER_LEAD / PER_SESSION) - SPREAD**2 / 2
        self.n_slices = -(-size // SLICE_ROWS)
        self.created_days = self.random.uniform(0, LATEST_CREATED_DAYS, n_leads)
        self.sessions = self.random.lognormal(mean, SPREAD, n_leads)
        self.lead_ids = _lead_ids(self.random.permutation(n_leads))
        self.contents = pa.array([f"/content/{i:05d}" for i in range(n_contents)])
        self.content_odds = [1 / (5 + place) for place in range(n_contents)]

    def slices(self) -> Iterator[_Slice]:
        """Yield the interactions, each slice ordered and after the one before."""
        edges = np.linspace(0, N_DAYS, self.n_slices + 1)
        carried = _Slice(np.empty(0, np.int64), np.empty(0, np.int64))
        for first, end in itertools.pairwise(edges):
            both = carried.joined(self._drawn(first, end))
            is_after = both.occurred >= START_US + int(end * DAY_US)
            carried, inside = both.picked(is_after), both.picked(~is_after)
            yield inside.picked(np.lexsort((inside.lead, inside.occurred)))

    def _drawn(self, first: float, end: float) -> _Slice:
        """Draw the sessions that start in a slice, and what happens in them."""
        whole = _faded(N_DAYS - self.created_days)
        before = _faded(np.maximum(first - self.created_days, 0))
        after = _faded(np.maximum(end - self.created_days, 0))
        n_sessions = self.random.poisson(self.sessions * (after - before) / whole)
        lead = np.repeat(np.arange(len(n_sessions)), n_sessions)
        share = self.random.uniform(before[lead], after[lead])
        days = self.created_days[lead] - FADES_DAYS * np.log1p(-share)
        n_events = self.random.geometric(1 / PER_SESSION, len(lead))
        began = np.repeat(days, n_events) * DAY_US
        within = self.random.uniform(0, SESSION_US, len(began))
        # A session begins where its first interaction is drawn, or a little after.
        return _Slice(
            np.repeat(lead, n_events), START_US + (began + within).astype(np.int64)
        )

    def table(self, drawn: _Slice) -> pa.Table:
        """Return a slice with all columns."""
        n = len(drawn.lead)
        random = self.random
        late = random.random(n) < self.late_share
        known = drawn.occurred + random.exponential(LATE_US, n).astype(np.int64)
        seconds = np.round(random.lognormal(3.5, 1.2, n), 1)
        columns = [
            self.lead_ids.take(pa.array(drawn.lead)),
            pa.array(drawn.occurred).cast(_SCHEMA.field("occurred_at").type),
            pa.array(known, mask=~late).cast(_SCHEMA.field("known_at").type),
            self._words(list(KINDS), list(KINDS.values()), n, nulls=0.0),
            self._words(list(CHANNELS), list(CHANNELS.values()), n, nulls=NO_CHANNEL),
            self._words(self.contents, self.content_odds, n, nulls=NO_CONTENT),
            pa.array(seconds, mask=random.random(n) < NO_DURATION),
        ]
        return pa.table(columns, names=_SCHEMA.names)

    def _words(
        self,
        words: list[str] | pa.Array,
        odds: Sequence[float],
        n: int,
        *,
        nulls: float,
    ) -> pa.DictionaryArray:
        chances = np.asarray(odds) / np.sum(odds)
        edges = np.cumsum(chances)[:-1]
        codes = np.searchsorted(edges, self.random.random(n), side="right")
        missing = self.random.random(n) < nulls
        indices = pa.array(codes.astype(np.int32), mask=missing)
        return pa.DictionaryArray.from_arrays(indices, pa.array(words))


def _faded(days: np.ndarray) -> np.ndarray:
    """Return the share of an endless life's activity that falls into its first days."""
    return -np.expm1(-days / FADES_DAYS)


def _write_interactions(path: Path, log: _Log) -> np.ndarray:
    """Write the log, return the first instant of each lead (-1: nothing happened)."""
    firsts = np.full(len(log.created_days), -1, dtype=np.int64)
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(
        partial,
        _SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=["lead_id", "kind", "channel", "content", "duration_s"],
        # Ids are unique for a lead: a million of them must still fit one dictionary.
        dictionary_pagesize_limit=1 << 28,
        # Without our schema beside Parquet's own, every reader meets plain strings.
        store_schema=False,
    ) as writer:
        for drawn in log.slices():
            leads, places = np.unique(drawn.lead, return_index=True)
            is_new = firsts[leads] < 0
            firsts[leads[is_new]] = drawn.occurred[places[is_new]]
            table = log.table(drawn).cast(_SCHEMA)
            writer.write_table(table, row_group_size=2 * SLICE_ROWS)
    partial.rename(path)
    return firsts


def _write_leads(path: Path, log: _Log, firsts: np.ndarray) -> None:
    created = START_US + (log.created_days * DAY_US).astype(np.int64)
    table = pa.table(
        {
            "lead_id": log.lead_ids,
            "created_at": pa.array(created).cast(pa.timestamp("us", "UTC")),
            "first_at": pa.array(firsts, mask=firsts < 0).cast(
                pa.timestamp("us", "UTC")
            ),
        }
    )
    pq.write_table(table.drop_null(), path)


def _write_snapshots(path: Path, leads: pa.Table, per_lead: int) -> None:
    """Write pairs of leads and instants, by instant, as a training asks for them."""
    first = leads["first_at"].cast(pa.int64()).to_numpy()
    steps = np.arange(per_lead - 1, -1, -1)
    instants = END_US + ODD_US - steps * 30 * DAY_US
    lead = [np.flatnonzero(first < instant) for instant in instants]
    as_of = np.repeat(instants, [len(part) for part in lead])
    rows = leads.select(["lead_id", "created_at"]).take(np.concatenate(lead))
    asked = pa.array(as_of).cast(pa.timestamp("us", "UTC"))
    pq.write_table(rows.append_column("as_of", asked), path)


def _lead_ids(numbers: np.ndarray) -> pa.Array:
    """Return 18 characters a number, like the ids of a CRM.

    Fifteen that say who it is, and three that tell upper from lower case.
    """
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    letters = np.frombuffer(digits.encode(), np.uint8)
    head = np.frombuffer(b"00Q5g00000", np.uint8)
    who = np.empty((len(numbers), 15), np.uint8)
    who[:, : len(head)] = head
    rest = numbers.copy()
    for place in range(14, len(head) - 1, -1):
        who[:, place] = letters[rest % len(letters)]
        rest //= len(letters)
    is_upper = (who >= ord("A")) & (who <= ord("Z"))
    bits = is_upper.reshape(-1, 3, 5) @ (1 << np.arange(5))
    marks = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", np.uint8)[bits]
    whole = np.concatenate([who, marks], axis=1)
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * whole.shape[1]
    return pa.StringArray.from_buffers(
        len(numbers), pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(whole))
    )
