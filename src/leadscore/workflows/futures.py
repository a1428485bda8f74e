"""Other futures: what a sample could come to know at an as_of or after it.

Goes in: a world and the as_of of each of its leads. Comes out: the world without what
was known then or later; with other things in its place; or with something that was
known one microsecond before. The first two may change no row, the last one must.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.features import Catalogue
from leadscore.merges import merges_of, moved, pass_conversions_on
from leadscore.snapshots import DAY_US
from leadscore.workflows.other_values import other_values
from leadscore.workflows.sampled import World, as_instants

__all__ = ["Futures"]

_SECOND_US = 1_000_000
_UNHEARD = "never heard of"
_TWIN = " twin"

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Futures:
    """Makes other worlds, out of what the agreement and the data speak of.

    Parameters
    ----------
    agreement : Agreement
    catalogue : Catalogue
    world : World
        Whose words and values are used again.
    lead_ids : Index of shape (n_leads,)
        All leads of the world.
    """

    agreement: Agreement
    catalogue: Catalogue
    world: World
    lead_ids: pd.Index

    def removed(self, as_of: Ints) -> World:
        """Return the world as it was known just before each lead's as_of."""
        at = pd.Series(as_instants(as_of).array, self.lead_ids)
        frames = (self.world.leads, self.world.log, self.world.outcomes)
        return World(
            *(f[f["known_at"] < f["lead_id"].map(at)] for f in frames),
        )

    def injected(self, as_of: Ints, rng: np.random.Generator) -> World:
        """Return that world with facts that became known at as_of or later."""
        past, twins = self.removed(as_of), self._twins(as_of)
        leads = [past.leads, *self._told_later(past.leads, as_of, rng), twins.leads]
        log = [past.log, *self._done_later(past.log, as_of, rng), twins.log]
        outcomes = [past.outcomes, *self._reached_later(as_of, rng), twins.outcomes]
        world = World(
            *(pd.concat(parts, ignore_index=True) for parts in (leads, log, outcomes))
        )
        return self._after_merges(world, past)

    def one_more_event(
        self, as_of: Ints, rng: np.random.Generator
    ) -> tuple[World, npt.NDArray[np.bool_]]:
        """Return the world with an interaction and a conversion a lead, known before.

        By a microsecond. What a machine may have made must have been known so much
        earlier as it takes to judge it, and may be judged to be none of the lead's:
        which leads have another one, whose rows must change, is returned as well.
        """
        machines = self.agreement.machines
        denied = set(self.agreement.features.deny)
        kinds = [k for k in (*self.catalogue.kinds, _UNHEARD) if k not in denied]
        kind = rng.choice(np.array(kinds, dtype=object), len(as_of))
        is_judged = pd.Index(kind).isin(machines.kinds)
        at = as_of - 1 - is_judged * machines.within_s * _SECOND_US
        log = pd.concat([self.world.log, self._log(at, at, kind, rng)])
        stage = self.agreement.conversion.stage
        won = self._outcomes(stage, as_of - 1, as_of - 1)
        world = replace(
            self.world,
            log=log.reset_index(drop=True),
            outcomes=pd.concat([self.world.outcomes, won], ignore_index=True),
        )
        return world, ~is_judged

    def one_more_row(self, as_of: Ints, rng: np.random.Generator) -> World:
        """Return the world with a row of leads known a microsecond before as_of.

        Each attribute differs from what it was, and each lead objects.
        """
        leads = self.world.leads
        rows = self._changed(self._latest(self.removed(as_of).leads), as_of - 1, rng)
        return replace(self.world, leads=pd.concat([leads, rows], ignore_index=True))

    # ------------------------------------------------------------------ interactions

    def _done_later(
        self, past: pd.DataFrame, as_of: Ints, rng: np.random.Generator
    ) -> list[pd.DataFrame]:
        """Return interactions that nobody knows of before as_of, whenever they were."""
        n, machines = len(as_of), self.agreement.machines
        ago, later = rng.integers(1, 365 * DAY_US, (2, n))
        kinds = self._kinds()
        moments = [
            (as_of, as_of),
            (as_of - 1, as_of),
            (as_of - ago, as_of + rng.integers(0, 2, n)),
            (as_of + later, as_of + later),
        ]
        found = [
            self._log(occurred, known, rng.choice(kinds, n), rng)
            for occurred, known in moments
        ]
        # What would make a machine of whoever opened a mail just before.
        for kind in (*machines.kinds * machines.burst, machines.sent):
            if kind is not None:
                before = rng.integers(1, machines.within_s * _SECOND_US, n)
                found.append(self._log(as_of - before, as_of, np.full(n, kind), rng))
        return [*found, self._versions(past, as_of, rng)]

    def _versions(
        self, past: pd.DataFrame, as_of: Ints, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Return, of one interaction a lead, another version that came later."""
        some = past.sample(frac=1, random_state=rng).drop_duplicates("lead_id")
        at = as_of[self.lead_ids.get_indexer(some["lead_id"])]
        return some.assign(
            known_at=as_instants(at).array,
            kind=pd.array(rng.choice(self._kinds(), len(some)), dtype="str"),
            content=pd.Series("another version", some.index, dtype="str"),
        )

    def _kinds(self) -> Texts:
        agreement = self.agreement
        known = {*self.catalogue.kinds, *agreement.features.deny, _UNHEARD}
        return np.array(sorted(known | {*agreement.machines.kinds}), dtype=object)

    def _log(
        self, occurred: Ints, known: Ints, kind: Any, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Return one interaction a lead."""
        n = len(self.lead_ids)
        met = [*self.catalogue.channels, "new channel", None]
        channel = rng.choice(np.array(met, dtype=object), n)
        content = rng.choice(np.array(["a", "b", "new content", None], object), n)
        ids = rng.integers(0, 2**62, n)
        return pd.DataFrame(
            {
                "lead_id": pd.array(self.lead_ids, dtype="str"),
                "occurred_at": as_instants(occurred),
                "known_at": as_instants(known),
                "kind": pd.array(kind, dtype="str"),
                "channel": pd.array(channel, dtype="str"),
                "content": pd.array(content, dtype="str"),
                "duration_s": rng.integers(1, 9000, n) / 8,
                "event_id": pd.array([f"new {i}" for i in ids], dtype="str"),
                "merged_from": pd.array([None] * n, dtype="str"),
            }
        )

    # -------------------------------------------------------------------------- leads

    def _told_later(
        self, past: pd.DataFrame, as_of: Ints, rng: np.random.Generator
    ) -> list[pd.DataFrame]:
        """Return rows of leads: other attributes, an objection, a merge."""
        latest = self._latest(past)
        later = rng.integers(1, 365 * DAY_US, len(as_of))
        return [
            self._changed(latest, as_of, rng),
            self._changed(latest, as_of + later, rng),
            self._merged(latest, as_of, rng),
        ]

    def _latest(self, leads: pd.DataFrame) -> pd.DataFrame:
        """Return each lead's latest row, or its first one, where none is known yet."""
        ordered = self.world.leads.sort_values("known_at", kind="stable")
        known = leads.sort_values("known_at", kind="stable").groupby("lead_id").tail(1)
        first = ordered.drop_duplicates("lead_id")
        together = pd.concat([known, first]).drop_duplicates("lead_id")
        return together.set_index("lead_id").loc[self.lead_ids].reset_index()

    def _changed(
        self, rows: pd.DataFrame, known: Ints, rng: np.random.Generator
    ) -> pd.DataFrame:
        new: dict[str, Any] = {
            name: other_values(rows[name], self._values(name), rng)
            for name in self.agreement.attributes
        }
        new |= dict.fromkeys(self.agreement.consent.exclude_when_true, True)
        return rows.assign(**new, known_at=as_instants(known).array)

    def _values(self, name: str) -> Any:
        """Return the values that make a difference; none where only null does."""
        kind = self.agreement.attributes[name].kind
        if kind == "category":
            return pd.Series(self.catalogue.categories[name], dtype="str")
        met = self.world.leads[name].dropna().drop_duplicates()
        return met.iloc[:0] if kind == "text_presence" else met

    def _merged(
        self, rows: pd.DataFrame, as_of: Ints, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Return rows that merge every other lead into the next one.

        Known when the later of the two is looked at: it is the future of both.
        """
        order = rng.permutation(len(rows))
        order = order[np.argsort(as_of[order], kind="stable")]
        first, into = order[:-1:2], order[1::2]
        names = self.lead_ids.to_numpy()[into]
        return rows.iloc[first].assign(
            merged_into=pd.array(names, dtype="str"),
            known_at=as_instants(np.maximum(as_of[first], as_of[into])).array,
        )

    def _twins(self, as_of: Ints) -> World:
        """Return a duplicate of each lead, merged into it as it becomes known at as_of.

        It did all that the lead did, at the same instants, and converted and objected
        before. None of it is the lead's until the merge is known.
        """
        past = self.removed(as_of)
        born = self._latest(past.leads)
        born = born.assign(
            lead_id=born["lead_id"] + _TWIN,
            known_at=as_instants(as_of - 2).array,
            merged_into=pd.Series(None, born.index, dtype="str"),
            **dict.fromkeys(self.agreement.consent.exclude_when_true, True),
        )
        merged = born.assign(
            merged_into=pd.array(self.lead_ids, dtype="str"),
            known_at=as_instants(as_of).array,
        )
        own = past.log[past.log["merged_from"].isna()]
        won = self._outcomes(self.agreement.conversion.stage, as_of - 2, as_of - 2)
        return World(
            pd.concat([born, merged], ignore_index=True),
            own.assign(**{n: own[n] + _TWIN for n in ("lead_id", "event_id")}),
            won.assign(lead_id=won["lead_id"] + _TWIN),
        )

    # ----------------------------------------------------------------------- outcomes

    def _reached_later(
        self, as_of: Ints, rng: np.random.Generator
    ) -> list[pd.DataFrame]:
        conversion = self.agreement.conversion
        stages = [conversion.stage, *conversion.lost, *conversion.disqualified]
        ago, later = rng.integers(1, 365 * DAY_US, (2, len(as_of)))
        return [
            self._outcomes(stage, occurred, known)
            for stage in (*stages, *conversion.recycled)
            for occurred, known in (
                (as_of, as_of),
                (as_of - ago, as_of),
                (as_of - 1, as_of + later),
            )
        ]

    def _outcomes(self, stage: str, occurred: Ints, known: Ints) -> pd.DataFrame:
        """Return one outcome a lead."""
        n = len(self.lead_ids)
        return pd.DataFrame(
            {
                "lead_id": pd.array(self.lead_ids, dtype="str"),
                "stage": pd.array([stage] * n, dtype="str"),
                "occurred_at": as_instants(occurred),
                "known_at": as_instants(known),
                "reason": pd.array([None] * n, dtype="str"),
                "amount": 1.0,
            }
        )

    def _after_merges(self, world: World, past: World) -> World:
        """Return the world with what survivors have from leads merged into them."""
        merges = merges_of(world.leads)
        old = pd.MultiIndex.from_frame(merges_of(past.leads))
        new = merges[~pd.MultiIndex.from_frame(merges).isin(old)]
        own = world.log[world.log["merged_from"].isna()]
        copies = moved(own.drop(columns="merged_from"), new)
        log = pd.concat([world.log, copies], ignore_index=True)
        stage = self.agreement.conversion.stage
        return replace(
            world, log=log, outcomes=pass_conversions_on(world.outcomes, new, stage)
        )
