"""The proof that no row sees the future, on the user's own data.

Goes in: tables, snapshots, a catalogue, an agreement. Comes out: a verdict on every
column of the rows that training learns from and scoring reads, and on who is in the
cohort. Nothing is taken on trust: rows are built by the one path that builds them, in
worlds that differ in what is known at as_of or later, and compared bit by bit.

The trials, for each lead at a few instants of its own:

removed
    Without all that is known at as_of or later, the row is the same.
injected
    So it is with other facts in their place: some occurred before, some are known
    at as_of itself; interactions, attributes, objections, merges, outcomes.
company
    So it is asked alone, with other leads and instants, or of tables in another order.
before
    A fact that is known one microsecond before as_of changes it: else a row that sees
    nothing at all would pass.

What a lead's only row says was known since the lead came to be, or is how things stood
at the export. Where history is kept (``known_at`` in every row of leads, and rows that
differ, or came later, for `ENOUGH_HISTORY` of the leads) it is taken at its word. Else
columns that leads change are at best ASSUMED.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features import Catalogue
from leadscore.history import ENOUGH_HISTORY, history_share
from leadscore.snapshots import ELIGIBLE, cohort_status
from leadscore.tables import Tables
from leadscore.workflows.futures import Futures
from leadscore.workflows.proven import Blind, ColumnProof, Leak, Proof, Verdict
from leadscore.workflows.rows import build_rows
from leadscore.workflows.sampled import INSTANTS, Sample, World, draw_sample

__all__ = ["prove"]

Bits = dict[str, npt.NDArray[Any]]
Marks = npt.NDArray[np.bool_]

PARTS = ("features", "parts", "persona", "raised")  # of `Rows`; snapshots are given
STATUS = "cohort status"
N_LEADS = 500
N_ALONE = 8


def prove(
    tables: Tables,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
    *,
    seed: int,
    n_leads: int = N_LEADS,
    n_instants: int = INSTANTS,
    n_alone: int = N_ALONE,
) -> Proof:
    """Say of every column whether it sees the future.

    Parameters
    ----------
    tables : Tables
    snapshots : DataFrame
        Those of training; may be empty.
    catalogue : Catalogue
        That of training.
    agreement : Agreement
    seed : int
    n_leads : int, default=500
        So many at most, and those merged with them.
    n_instants : int, default=6
        For each lead; fewer take less time and meet less.
    n_alone : int, default=8
        So many rows are asked for alone.
    """
    rng = np.random.default_rng(seed)
    history = history_share(tables.leads, agreement)
    sample = draw_sample(tables, snapshots, rng, n_leads=n_leads, n_instants=n_instants)
    if sample is None:
        return Proof((), (), 0, n_instants, 0, seed, history)
    proving = _Proving(
        tables,
        sample,
        catalogue,
        agreement,
        is_assumed=not _keeps_history(tables, history),
    )
    proving.try_company(rng, n_alone)
    proving.try_futures(rng)
    return Proof(
        columns=proving.columns(),
        blind=tuple(proving.blind),
        n_leads=int(sample.asked["lead_id"].nunique()),
        n_instants=n_instants,
        n_rows=len(sample.asked),
        seed=seed,
        history=history,
    )


def _keeps_history(tables: Tables, share: float) -> bool:
    """Say whether leads with one row can be taken as leads that never changed.

    All leads are asked, not the sample, which prefers those with a history.
    """
    is_told = all(counts.n_assumed == 0 for counts in tables.counts[:1])  # of leads
    return is_told and share >= ENOUGH_HISTORY


class _Proving:
    """The rows of a sample, and what the trials found.

    Where ``is_assumed``, what leads say counts as known since they came to be, and the
    data does not show that it was.

    Rows are compared with those of `base`: all instants of all leads, asked at once.
    """

    def __init__(
        self,
        tables: Tables,
        sample: Sample,
        catalogue: Catalogue,
        agreement: Agreement,
        *,
        is_assumed: bool,
    ) -> None:
        self.is_assumed = is_assumed
        self.like, self.sample = tables, sample
        self.catalogue, self.agreement = catalogue, agreement
        self.asked = sample.asked
        self.base = self.bits(self.tables_of(sample.world), self.asked)
        nothing = np.zeros(len(self.asked), dtype=np.bool_)
        trials = ("removed", "injected", "company", "event", "attribute")
        self.changed = {
            trial: {name: nothing.copy() for name in self.base} for trial in trials
        }
        self.blind: list[Blind] = []

    def try_company(self, rng: np.random.Generator, n_alone: int) -> None:
        """Ask in another order, among all leads of the tables, and alone."""
        order = rng.permutation(len(self.asked))
        self.compare("company", self.like, order)
        world = self.sample.world
        shuffled = (
            frame.sample(frac=1, random_state=rng)
            for frame in (world.leads, world.log, world.outcomes)
        )
        self.compare("company", self.tables_of(World(*shuffled)), order)
        tables = self.tables_of(world)
        for place in order[:n_alone]:
            self.compare("company", tables, np.array([place]))

    def try_futures(self, rng: np.random.Generator) -> None:
        """Ask at each instant, in worlds that differ in what is known then."""
        sample = self.sample
        futures = Futures(self.agreement, self.catalogue, sample.world, sample.lead_ids)
        seen: dict[str, list[Marks]] = {"interaction": [], "attribute": []}
        won: list[Marks] = []
        for n, as_of in enumerate(sample.as_of):
            places = np.flatnonzero(self.asked["round"] == n)
            if len(places) == 0:
                continue
            self.compare("removed", self.tables_of(futures.removed(as_of)), places)
            other = futures.injected(as_of, rng)
            self.compare("injected", self.tables_of(other), places)
            world, must_change = futures.one_more_event(as_of, rng)
            changes, bits = self.compare("event", self.tables_of(world), places)
            lead = sample.lead_ids.get_indexer(self.asked["lead_id"].iloc[places])
            seen["interaction"].append(changes | ~must_change[lead])
            won.append(bits[STATUS] != ELIGIBLE)
            other = futures.one_more_row(as_of, rng)
            changes, _ = self.compare("attribute", self.tables_of(other), places)
            if self.agreement.attributes:
                seen["attribute"].append(changes)
        self.note_blind(seen | {"conversion": won})

    def note_blind(self, seen: dict[str, list[Marks]]) -> None:
        """Keep the kinds of facts that some rows did not see."""
        for fact, marks in seen.items():
            together = np.concatenate([*marks, np.ones(0, dtype=np.bool_)])
            n_rows = int((~together).sum())
            if n_rows:
                self.blind.append(Blind(fact, n_rows, len(together)))

    def compare(
        self, trial: str, tables: Tables, places: npt.NDArray[np.int64]
    ) -> tuple[Marks, Bits]:
        """Ask for some rows again, and mark what differs from the base.

        Returns
        -------
        bool array of shape (n_places,)
            Which rows changed; who is in the cohort is no part of a row.
        dict of str to array
            The rows.
        """
        found = self.bits(tables, self.asked.iloc[places].reset_index(drop=True))
        changed = np.zeros(len(places), dtype=np.bool_)
        for name in {**self.base, **found}:
            marks = self.changed[trial].setdefault(
                name, np.zeros(len(self.asked), dtype=np.bool_)
            )
            differs = _differs(self.base.get(name), found.get(name), places)
            marks[places] |= differs
            if name != STATUS:
                changed |= differs
        return changed, found

    def bits(self, tables: Tables, asked: pd.DataFrame) -> Bits:
        """Return every column of the rows asked for, as what can be compared."""
        rows = build_rows(tables, asked, self.catalogue, self.agreement)
        found = {
            _named(part, str(name)): _bits(values)
            for part in PARTS
            for name, values in getattr(rows, part).items()
        }
        status = cohort_status(asked, tables.leads, tables.outcomes, self.agreement)
        return found | {STATUS: status.to_numpy(dtype=object)}

    def tables_of(self, world: World) -> Tables:
        """Return a world of the sample as tables."""
        return world.tables(self.like, self.agreement.machines)

    def columns(self) -> tuple[ColumnProof, ...]:
        """Return the verdict on each column."""
        names = [name for marks in self.changed.values() for name in marks]
        return tuple(self.verdict(name) for name in dict.fromkeys(names))

    def verdict(self, name: str) -> ColumnProof:
        """Return the verdict on a column."""
        leaks = tuple(self.leaks(name))
        moved_by = tuple(
            fact
            for fact in ("event", "attribute")
            if name in self.changed[fact] and self.changed[fact][name].any()
        )
        verdict: Verdict = "PROVEN"
        if leaks:
            verdict = "LEAKS"
        elif self.is_assumed and "attribute" in moved_by:
            verdict = "ASSUMED"
        elif not moved_by and _is_constant(self.base.get(name)):
            verdict = "UNMOVED"
        return ColumnProof(name, verdict, leaks, moved_by)

    def leaks(self, name: str) -> Iterator[Leak]:
        """Yield the trials that changed a column and must not."""
        for trial in ("removed", "injected", "company"):
            marks = self.changed[trial].get(name)
            if marks is None or not marks.any():
                continue
            rows = self.asked[marks]
            yield Leak(
                trial,
                int(rows["lead_id"].nunique()),
                str(rows["lead_id"].iloc[0]),
                rows["as_of"].iloc[0],
            )


def _named(part: str, name: str) -> str:
    return name if part == "features" else f"{part}: {name}"


def _bits(values: Any) -> npt.NDArray[Any]:
    """Return a column so that two cells are equal if and only if their bits are."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_float_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64).view(np.int64)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy()
    return np.array([None if pd.isna(v) else str(v) for v in values], dtype=object)


def _differs(
    base: npt.NDArray[Any] | None,
    found: npt.NDArray[Any] | None,
    places: npt.NDArray[np.int64],
) -> Marks:
    """Return which rows differ; all, where one of the two lacks the column."""
    if base is None or found is None or base.dtype != found.dtype:
        return np.ones(len(places), dtype=np.bool_)
    differs: Marks = np.asarray(base[places] != found, dtype=np.bool_)
    return differs


def _is_constant(bits: npt.NDArray[Any] | None) -> bool:
    return bits is None or len(bits) == 0 or bool((bits == bits[0]).all())
