"""The catalogue: every column declared once, with its windows and its plain words.

Goes in: an agreement and the words found in the data (kinds, channels, categories).
Comes out: a `Catalogue` of columns, stored with the model, so that scoring builds the
very columns that training saw, whatever the batch holds. A kind that the catalogue does
not know counts in the totals and in ``other`` only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import pandas as pd
from pydantic import Field

from leadscore.agreement import Agreement, Section
from leadscore.errors import AgreementError
from leadscore.features.primitives import (
    GAP_DAYS,
    ActiveDays,
    Column,
    Count,
    Decay,
    Distinct,
    First,
    GapsOver,
    LongestGap,
    Primitive,
    Recency,
    Sum,
)
from leadscore.interactions import Interactions
from leadscore.snapshots import known_before
from leadscore.tables import LEADS

__all__ = ["OTHER", "Catalogue", "declare_catalogue", "words_of"]

OTHER = "other"
WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, 90, None)
MIN_LEADS = 20  # a category fewer leads have becomes OTHER: no one-person values
MAX_CATEGORIES = 200  # boosting bins at most 255 of them

Words = tuple[str, ...]


_InWindow = Count | ActiveDays | Distinct | Sum
_Windowed = tuple[str, type[_InWindow], str, str, tuple[int | None, ...]]


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
    """

    kinds: Annotated[Words, Field(strict=False)]
    channels: Annotated[Words, Field(strict=False)]
    categories: dict[str, Annotated[Words, Field(strict=False)]]
    groups: dict[str, Annotated[Words, Field(strict=False)]] = Field(
        default_factory=dict
    )
    columns: Annotated[tuple[Column, ...], Field(strict=False)]

    def describe(self) -> dict[str, str]:
        """Return the description of each kernel column by name."""
        return {column.name: column.description for column in self.columns}


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
    for rows in interactions.frames("lead_id", "known_at", "kind", "channel"):
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
    kinds = tuple(sorted(set(kinds) | (spoken_of - set(agreement.features.deny))))
    categories = {
        name: words_of(leads[name], leads["lead_id"])
        for name, attribute in agreement.attributes.items()
        if attribute.kind == "category"
    }
    return Catalogue(
        kinds=kinds,
        channels=_common(heard["channel"]),
        categories=categories,
        columns=(
            *_total_columns(),
            *(column for kind in kinds for column in _kind_columns(kind)),
            _engagement_column(agreement),
            *_points_columns(agreement),
        ),
    )


def _check_attributes(agreement: Agreement) -> None:
    own = sorted({*LEADS.names, "as_of", "index"} & set(agreement.attributes))
    if own:
        msg = (
            f"an attribute cannot be called {', '.join(own)}: that is a column of our "
            "own. If it is another one, rename it under [source.columns.leads]."
        )
        raise AgreementError(msg)


def _suffix(days: int | None) -> str:
    return "ever" if days is None else f"{days}d"


def _span(days: int | None) -> str:
    return "ever" if days is None else f"in the last {days} days"


def _over_windows(
    stem: str,
    makes: Callable[[int | None], Primitive],
    words: str,
    group: str,
    windows: tuple[int | None, ...],
) -> list[Column]:
    """Return one column a window, named and described after it."""
    return [
        Column(
            name=f"{stem}_{_suffix(days)}",
            makes=makes(days),
            description=f"{words} {_span(days)}",
            group=group,
        )
        for days in windows
    ]


def _kind_columns(kind: str) -> list[Column]:
    words = kind.replace("_", " ")
    recency = Column(
        name=f"days_since_last_{kind}",
        makes=Recency(kind=kind),
        description=f"days since the last {words}",
        group=kind,
    )
    counts = _over_windows(
        f"n_{kind}",
        lambda days: Count(kind=kind, days=days),
        f"number of {words}",
        kind,
        WINDOWS_DAYS,
    )
    return [*counts, recency]


def _total_columns() -> list[Column]:
    declared: list[_Windowed] = [
        ("n", Count, "number of interactions", "activity", (7, 30, 60, 90, None)),
        ("active_days", ActiveDays, "active days", "activity", (30, 90, None)),
        ("n_contents", Distinct, "different contents", "content", (90, None)),
        ("dwell_s", Sum, "seconds spent", "dwell", (30, None)),
    ]
    columns = [
        column
        for stem, primitive, words, group, windows in declared
        for column in _over_windows(
            stem, partial(_make, primitive), words, group, windows
        )
    ]
    return [*columns, *_rhythm_columns()]


def _make(primitive: type[_InWindow], days: int | None) -> Primitive:
    return primitive(days=days)


def _rhythm_columns() -> list[Column]:
    return [
        Column(
            name="days_since_last",
            makes=Recency(),
            description="days since the last interaction",
            group="recency",
        ),
        Column(
            name="longest_gap_days",
            makes=LongestGap(),
            description="longest silence between two interactions, in days",
            group="rhythm",
        ),
        Column(
            name=f"n_gaps_over_{GAP_DAYS}d",
            makes=GapsOver(),
            description=f"silences longer than {GAP_DAYS} days",
            group="rhythm",
        ),
        Column(
            name="first_channel",
            makes=First(),
            description="channel of the first interaction",
            group="first_channel",
        ),
    ]


def _engagement_column(agreement: Agreement) -> Column:
    half_life = agreement.engagement.half_life_days
    return Column(
        name="engagement",
        makes=Decay(
            half_life_days=half_life,
            weights=dict(agreement.engagement.weights),
            default=1.0,
        ),
        description=f"weighted interactions, halved every {half_life:g} days",
        group="activity",
    )


def _points_columns(agreement: Agreement) -> list[Column]:
    """Return one helper column a points rule; points.py turns them into points."""
    return [
        Column(
            name=f"decayed_{rule.kind}",
            makes=Decay(half_life_days=rule.half_life_days, weights={rule.kind: 1.0}),
            description=f"{rule.kind.replace('_', ' ')} that still counts for points",
            group=rule.kind,
        )
        for rule in agreement.points.rules
    ]
