"""The catalogue: every column declared once, with its windows and its plain words.

Goes in: an agreement and the words found in the data (kinds, channels, categories).
Comes out: a `Catalogue` of columns, stored with the model, so that scoring builds the
very columns that training saw, whatever the batch holds. A kind that the catalogue does
not know counts in the totals only: a column of such kinds would hold others in scoring
than those that a model learned from.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import pandas as pd
from pydantic import Field

from leadscore.agreement import Agreement, Section
from leadscore.errors import AgreementError
from leadscore.features.columns import columns_for
from leadscore.features.primitives import Column, CustomColumn
from leadscore.interactions import Interactions
from leadscore.snapshots import known_before
from leadscore.tables import LEADS

__all__ = ["OTHER", "Catalogue", "declare_catalogue", "word_digest", "words_of"]

OTHER = "other"
MIN_LEADS = 20  # a category fewer leads have becomes OTHER: no one-person values
MAX_CATEGORIES = 200  # boosting bins at most 255 of them

Words = tuple[str, ...]


class Catalogue(Section):
    """Columns and vocabularies, frozen with the model.

    Parameters
    ----------
    kinds, channels : tuple of str
        The known words, sorted; others are ``other``.
    categories : dict of str to tuple of str
        The known values of each category attribute, sorted.
    groups : dict of str to tuple of str
        Groups of contents, by patterns like ``/pricing*``.
    columns : tuple of Column
        What the kernel writes, in order; ``first_channel`` is turned into a category.
    custom : tuple of CustomColumn
        What functions of one's own make.
    rare_kinds : tuple of str
        `word_digest` of the kinds that were there, but are no words: not new ones.
    """

    kinds: Annotated[Words, Field(strict=False)]
    channels: Annotated[Words, Field(strict=False)]
    categories: dict[str, Annotated[Words, Field(strict=False)]]
    groups: dict[str, Annotated[Words, Field(strict=False)]] = Field(
        default_factory=dict
    )
    columns: Annotated[tuple[Column, ...], Field(strict=False)]
    custom: Annotated[tuple[CustomColumn, ...], Field(strict=False)] = ()
    rare_kinds: Annotated[Words, Field(strict=False)] = ()

    def describe(self) -> dict[str, str]:
        """Return the description of each kernel column by name."""
        return {column.name: column.description for column in self.columns}

    def is_new(self, kind: str) -> bool:
        """Return whether no interaction of a kind was there when this was declared."""
        return kind not in self.kinds and word_digest(kind) not in self.rare_kinds


def word_digest(word: str) -> str:
    """Return what is kept of a word that too few leads have to be kept itself."""
    return hashlib.sha256(word.encode()).hexdigest()[:16]


def words_of(values: pd.Series, lead_ids: pd.Series) -> Words:
    """Return the values that at least `MIN_LEADS` leads have, sorted.

    What the data itself calls `OTHER` is not a word: it goes where the rare ones go.

    Parameters
    ----------
    values, lead_ids : Series of shape (n_rows,)
        Nulls are not words. At most `MAX_CATEGORIES`, the most common first.
    """
    return _common(lead_ids.groupby(values).nunique())


def _heard(
    interactions: Interactions, denied: set[str], before: pd.Timestamp | None
) -> dict[str, pd.Series]:
    """Return how many leads each kind and each channel has."""
    found: dict[str, list[pd.Series]] = {"kind": [], "channel": []}
    for rows in interactions.frames(
        "lead_id", "known_at", "kind", "channel", copies=False
    ):
        allowed = rows[~rows["kind"].isin(denied)]
        known = allowed if before is None else known_before(allowed, before)
        for name, counts in found.items():
            counts.append(known.groupby(name)["lead_id"].nunique())
    return {n: pd.concat(counts).groupby(level=0).sum() for n, counts in found.items()}


def _common(n_leads: pd.Series) -> Words:
    common = n_leads[n_leads >= MIN_LEADS].drop(OTHER, errors="ignore").reset_index()
    common.columns = pd.Index(["word", "leads"])
    common = common.sort_values(["leads", "word"], ascending=[False, True])
    return tuple(sorted(str(word) for word in common["word"][:MAX_CATEGORIES]))


def declare_catalogue(
    agreement: Agreement,
    leads: pd.DataFrame,
    interactions: Interactions,
    *,
    before: pd.Timestamp | None = None,
) -> Catalogue:
    """Return the catalogue for an agreement, with the words found in the data.

    Parameters
    ----------
    agreement : Agreement
    leads : DataFrame
    interactions : Interactions
        Only vocabularies are taken from them: no outcome, no count, no average.
    before : Timestamp, default=None
        Only from rows known before it; None: from all.

    Raises
    ------
    AgreementError
        An attribute is one of our own columns: an id, or an instant of the row.
    """
    _check_attributes(agreement)
    if before is not None:
        leads = known_before(leads, before)
    heard = _heard(interactions, set(agreement.features.deny), before)
    kinds = _common(heard["kind"])
    spoken_of = {rule.kind for rule in agreement.points.rules}
    spoken_of |= set(agreement.hand_raise.kinds) | set(agreement.engagement.weights)
    moving = {*agreement.movement.leave_kinds, *agreement.movement.curiosity}
    spoken_of |= moving & set(heard["kind"].index)  # rare ones turn labels, too
    spoken_of |= agreement.features.weighted_kinds
    kinds = tuple(sorted(set(kinds) | (spoken_of - set(agreement.features.deny))))
    categories = {
        name: words_of(leads[name], leads["lead_id"])
        for name, attribute in agreement.attributes.items()
        if attribute.kind == "category"
    }
    channels = _common(heard["channel"])
    columns = columns_for(agreement, kinds, channels)
    custom = tuple(
        CustomColumn(
            name=feature.name,
            function=feature.function,
            description=feature.description,
            group=feature.group or feature.name,
        )
        for feature in agreement.features.custom
    )
    _check_groups(agreement, columns)
    return Catalogue(
        kinds=kinds,
        channels=channels,
        categories=categories,
        groups=dict(agreement.features.content_groups),
        columns=columns,
        custom=custom,
        rare_kinds=tuple(
            sorted(
                word_digest(str(kind)) for kind in set(heard["kind"].index) - {*kinds}
            )
        ),
    )


def _check_groups(agreement: Agreement, columns: tuple[Column, ...]) -> None:
    """Refuse a name by which reasons already speak of something else."""
    features = agreement.features
    named = {decay.name for decay in features.decays}
    named |= {custom.name for custom in features.custom if custom.group is None}
    spoken_of = {c.group for c in columns if c.name not in named} | {"trend"}
    twice = sorted(named & spoken_of)
    if twice:
        msg = (
            f"a feature under [features] cannot be called {', '.join(twice)}: reasons "
            "call something else by that name. Give it another one."
        )
        raise AgreementError(msg)


def _check_attributes(agreement: Agreement) -> None:
    own = sorted({*LEADS.names, "as_of", "index"} & set(agreement.attributes))
    if own:
        msg = (
            f"an attribute cannot be called {', '.join(own)}: that is a column of our "
            "own. If it is another one, rename it under [source.columns.leads]."
        )
        raise AgreementError(msg)
