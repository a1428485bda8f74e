"""The catalogue: every column declared once, with its windows and its plain words.

Goes in: an agreement and the words found in the data (kinds, channels, categories).
Comes out: a `Catalogue` of columns, stored with the model, so that scoring builds the
very columns that training saw, whatever the batch holds. A kind that the catalogue does
not know counts in the totals and in ``other`` only.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from leadscore.agreement import Agreement, Section
from leadscore.errors import AgreementError
from leadscore.tables import LEADS

__all__ = [
    "OTHER",
    "ActiveDays",
    "Catalogue",
    "Column",
    "Count",
    "Decay",
    "Distinct",
    "First",
    "GapsOver",
    "LongestGap",
    "Primitive",
    "Recency",
    "Sum",
    "declare_catalogue",
    "words_of",
]

OTHER = "other"
WINDOWS_DAYS: tuple[int | None, ...] = (7, 30, 90, None)
MIN_LEADS = 20  # a category fewer leads have becomes OTHER: no one-person values
MAX_CATEGORIES = 200  # boosting bins at most 255 of them
GAP_DAYS = 14

Words = tuple[str, ...]


class Count(Section):
    """How many interactions of a kind (None: of all) in a window (None: ever)."""

    does: Literal["count"] = "count"
    kind: str | None = None
    days: int | None = None


class Recency(Section):
    """Days since the last interaction of a kind (None: of any); null if never."""

    does: Literal["recency"] = "recency"
    kind: str | None = None


class Decay(Section):
    """Sum of weights, halved every ``half_life_days`` (None: never).

    ``weights`` by kind; a kind not named weighs ``default``.
    """

    does: Literal["decay"] = "decay"
    half_life_days: float | None
    weights: dict[str, float] = Field(default_factory=dict)
    default: float = 0.0


class ActiveDays(Section):
    """Distinct calendar days with an interaction in a window."""

    does: Literal["active_days"] = "active_days"
    days: int | None = None


class Distinct(Section):
    """Distinct contents in a window."""

    does: Literal["distinct"] = "distinct"
    days: int | None = None


class Sum(Section):
    """Seconds spent in a window."""

    does: Literal["sum"] = "sum"
    days: int | None = None


class LongestGap(Section):
    """Longest silence between two interactions, in days; null below two."""

    does: Literal["longest_gap"] = "longest_gap"


class GapsOver(Section):
    """Number of silences longer than `GAP_DAYS` days."""

    does: Literal["gaps_over"] = "gaps_over"


class First(Section):
    """Channel of the first interaction."""

    does: Literal["first"] = "first"


Primitive = Annotated[
    Count
    | Recency
    | Decay
    | ActiveDays
    | Distinct
    | Sum
    | LongestGap
    | GapsOver
    | First,
    Field(discriminator="does"),
]


class Column(Section):
    """One column that the kernel writes.

    Parameters
    ----------
    name : str
        What and window: ``n_demo_request_30d``.
    makes : Primitive
    description : str
        In plain language, for the report and the reasons.
    group : str
        What the reasons call it: all columns of one kind are one reason.
    """

    name: str
    makes: Primitive
    description: str
    group: str


class Catalogue(Section):
    """Columns and vocabularies, frozen with the model.

    Parameters
    ----------
    kinds, channels : tuple of str
        The known words, sorted; others are ``other``.
    categories : dict of str to tuple of str
        The known values of each category attribute, sorted.
    columns : tuple of Column
        What the kernel writes, in order; ``first_channel`` is turned into a category.
    """

    kinds: Annotated[Words, Field(strict=False)]
    channels: Annotated[Words, Field(strict=False)]
    categories: dict[str, Annotated[Words, Field(strict=False)]]
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
    leads = lead_ids.groupby(values).nunique()
    common = leads[leads >= MIN_LEADS].drop(OTHER, errors="ignore").reset_index()
    common.columns = pd.Index(["word", "leads"])
    common = common.sort_values(["leads", "word"], ascending=[False, True])
    return tuple(sorted(str(word) for word in common["word"][:MAX_CATEGORIES]))


def declare_catalogue(
    agreement: Agreement, leads: pd.DataFrame, interactions: pd.DataFrame
) -> Catalogue:
    """Return the catalogue for an agreement, with the words found in the data.

    Parameters
    ----------
    agreement : Agreement
    leads, interactions : DataFrame
        Only vocabularies are taken from them: no outcome, no count, no average.

    Raises
    ------
    AgreementError
        An attribute is one of our own columns: an id, or an instant of the row.
    """
    _check_attributes(agreement)
    allowed = interactions[~interactions["kind"].isin(agreement.features.deny)]
    kinds = words_of(allowed["kind"], allowed["lead_id"])
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
        channels=words_of(allowed["channel"], allowed["lead_id"]),
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


def _kind_columns(kind: str) -> list[Column]:
    words = kind.replace("_", " ")
    columns = [
        Column(
            name=f"n_{kind}_{_suffix(days)}",
            makes=Count(kind=kind, days=days),
            description=f"number of {words} {_span(days)}",
            group=kind,
        )
        for days in WINDOWS_DAYS
    ]
    recency = Column(
        name=f"days_since_last_{kind}",
        makes=Recency(kind=kind),
        description=f"days since the last {words}",
        group=kind,
    )
    return [*columns, recency]


def _total_columns() -> list[Column]:
    counts = [
        Column(
            name=f"n_{_suffix(days)}",
            makes=Count(days=days),
            description=f"number of interactions {_span(days)}",
            group="activity",
        )
        for days in (7, 30, 60, 90, None)
    ]
    active = [
        Column(
            name=f"active_days_{_suffix(days)}",
            makes=ActiveDays(days=days),
            description=f"days with an interaction {_span(days)}",
            group="activity",
        )
        for days in (30, 90, None)
    ]
    contents = [
        Column(
            name=f"n_contents_{_suffix(days)}",
            makes=Distinct(days=days),
            description=f"different pages, mails and documents {_span(days)}",
            group="content",
        )
        for days in (90, None)
    ]
    dwell = [
        Column(
            name=f"dwell_s_{_suffix(days)}",
            makes=Sum(days=days),
            description=f"seconds spent {_span(days)}",
            group="dwell",
        )
        for days in (30, None)
    ]
    return [*counts, *active, *contents, *dwell, *_rhythm_columns()]


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
