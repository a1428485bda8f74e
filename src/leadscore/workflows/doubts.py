"""Doubts: what makes a list worth less than it looks, and words that nobody speaks.

Goes in: what was read, what was scored. Comes out: sentences. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from leadscore.agreement import Agreement, Features
from leadscore.bundle import Bundle
from leadscore.revision import code_digest
from leadscore.store.header import plain_name
from leadscore.tables import Tables
from leadscore.workflows.entering import said_of_learned, stale_days
from leadscore.workflows.new_kinds import about_new_kinds, new_kinds

__all__ = ["UNFINISHED", "doubts_of_scores", "unheard_words"]

UNFINISHED = (
    "a promotion was interrupted; this is the model that models/current names. "
    "Any `leadscore promote` or `train` finishes it"
)


def doubts_of_scores(
    scores: pd.DataFrame, tables: Tables, bundle: Bundle, as_of: pd.Timestamp
) -> tuple[str, ...]:
    """Return why a scored list should be trusted less, one sentence each."""
    return (
        *_stale(as_of, tables),
        *said_of_learned(bundle, as_of),
        *_nobody(scores, tables),
        *_unseen_ages(scores, tables, bundle),
        *_new_kinds(tables, bundle, as_of),
        *_other_code(bundle),
    )


def unheard_words(tables: Tables, agreement: Agreement) -> list[str]:
    """Return where the agreement and the tables do not speak of the same things.

    Perhaps nothing of the kind has happened yet; perhaps a word is misspelt.
    """
    conversion = agreement.conversion
    endings = {*conversion.lost, *conversion.disqualified, *conversion.recycled}
    stages = set(tables.outcomes["stage"].unique())
    kinds = set(tables.interactions.by_kind().index)
    asked = {rule.kind for rule in agreement.points.rules}
    asked |= set(agreement.hand_raise.kinds) | set(agreement.engagement.weights)
    asked |= agreement.features.weighted_kinds
    asked |= {*agreement.monotone.raises, *agreement.monotone.lowers}
    machines = agreement.machines
    asked |= {*machines.kinds, *([machines.sent] if machines.sent else [])}
    asked |= _moving(agreement)
    return [
        *_unheard("stages", endings - stages, "outcomes"),
        *_unmentioned(stages - endings - {conversion.stage}),
        *_unheard("kinds", asked - kinds if kinds else (), "interactions"),
        *_unheard_values(tables.leads, agreement),
        *(_unheard_denied(tables, agreement, kinds) if kinds else ()),
    ]


def _moving(agreement: Agreement) -> set[str]:
    """Return the kinds that turn labels; defaults that nobody wrote are no words."""
    movement = agreement.movement
    written = {"leave_kinds", "curiosity"} & movement.model_fields_set
    return {kind for name in written for kind in getattr(movement, name)}


def _unheard_denied(tables: Tables, agreement: Agreement, kinds: set[str]) -> list[str]:
    """Name denied words that are nothing here; defaults guard against what may come.

    What is denied may be a column of leads, also one that nobody reads.
    """
    columns = {*tables.leads.columns, *agreement.source.columns.leads.values()}
    columns |= {name for counts in tables.counts for name in counts.ignored}
    plain = {plain_name(str(name)) for name in columns}
    denied = set(agreement.features.deny) - kinds - set(Features().deny)
    said = ", ".join(sorted(word for word in denied if plain_name(word) not in plain))
    sentence = (
        "the agreement denies what is neither a kind of interactions nor a column of "
        f"leads: {said}"
    )
    return [sentence] * bool(said)


def _unheard(what: str, words: Iterable[str], table: str) -> list[str]:
    said = ", ".join(sorted(words))
    return [f"the agreement names {what} that {table} never has: {said}"] * bool(said)


def _unmentioned(stages: set[str]) -> list[str]:
    said = ", ".join(sorted(stages))
    sentence = f"stages that neither convert nor end a lead in the agreement: {said}"
    return [sentence] * bool(said)


def _unheard_values(leads: pd.DataFrame, agreement: Agreement) -> list[str]:
    unheard = [
        f"{criterion.attribute} = {value}"
        for persona in agreement.personas
        for criterion in persona.criteria
        for value in sorted(set(criterion.any_of) - set(leads[criterion.attribute]))
    ]
    return _unheard("values", unheard, "leads")


def _stale(as_of: pd.Timestamp, tables: Tables) -> tuple[str, ...]:
    """Warn of an as_of so long after the data that behaviour seems to have stopped."""
    days = stale_days(as_of, tables)
    if not days:
        return ()
    return (
        f"the data ends {days:.0f} days before as_of, on {tables.data_end.date()}: "
        "what happened since is missing; export again",
    )


def _nobody(scores: pd.DataFrame, tables: Tables) -> tuple[str, ...]:
    if len(scores):
        return ()
    first, last = tables.leads["known_at"].min(), tables.leads["known_at"].max()
    return (
        f"no lead is on the list: the leads became known from {first.date()} to "
        f"{last.date()}",
    )


def _new_kinds(tables: Tables, bundle: Bundle, as_of: pd.Timestamp) -> tuple[str, ...]:
    denied = bundle.agreement.features.deny
    return about_new_kinds(
        new_kinds(tables.interactions, bundle.catalogue, denied, as_of)
    )


def _other_code(bundle: Bundle) -> tuple[str, ...]:
    if bundle.provenance["code_digest"] == code_digest():
        return ()
    return (
        "the model was trained by another version of leadscore's code; train again to "
        "be sure that its features mean the same",
    )


def _unseen_ages(
    scores: pd.DataFrame, tables: Tables, bundle: Bundle
) -> tuple[str, ...]:
    """Say how many leads are far older than any that the model has learned from."""
    ages = bundle.agreement.snapshots.at_age_hours
    if not ages:
        return ()
    created = tables.leads.groupby("lead_id")["created_at"].first()
    age = scores["as_of"] - created.reindex(scores["lead_id"]).reset_index(drop=True)
    n_older = int((age > pd.Timedelta(hours=2 * max(ages))).sum())
    if n_older == 0:
        return ()
    return (
        f"{n_older:,} leads are older than twice {max(ages):g} hours, the highest age "
        "that the model has learned from: their probabilities are an extrapolation",
    )
