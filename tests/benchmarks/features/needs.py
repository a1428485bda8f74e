"""What the columns of a catalogue need from the first level of an aggregation.

The rivals aggregate twice: partials by snapshot and kind, then one row a snapshot from
the partials of its kinds. Which partials there must be follows from the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.parquet as pq

from leadscore.agreement import Agreement
from leadscore.features.catalogue import Catalogue

from .case import Case

__all__ = [
    "DAY_US",
    "DENIED",
    "Needs",
    "Window",
    "is_late",
    "needs_of",
    "read_catalogue",
]

DAY_US = 86_400_000_000
DENIED = Agreement().features.deny

Window = int | None  # days; None: ever


@dataclass(frozen=True)
class Needs:
    """Windows of each aggregate, and half-lives in days, each once."""

    counts: tuple[Window, ...]
    sums: tuple[Window, ...]
    active: tuple[Window, ...]
    half_lives: tuple[float | None, ...]


def needs_of(catalogue: Catalogue) -> Needs:
    """Return what the columns of a catalogue need."""

    def windows(does: str) -> tuple[Window, ...]:
        makes = (column.makes for column in catalogue.columns)
        found = [getattr(m, "days", None) for m in makes if m.does == does]
        return tuple(dict.fromkeys(found))

    lives = [
        c.makes.half_life_days for c in catalogue.columns if c.makes.does == "decay"
    ]
    return Needs(
        counts=windows("count"),
        sums=windows("sum"),
        active=windows("active_days"),
        half_lives=tuple(dict.fromkeys(lives)),
    )


def read_catalogue(case: Case) -> Catalogue:
    """Return the catalogue of a case.

    Raises
    ------
    NotImplementedError
        A column is about one channel or a group of contents: the partials of the rivals
        are by kind.
    """
    text = case.catalogue.read_text(encoding="utf-8")
    catalogue = Catalogue.model_validate_json(text)
    for column in catalogue.columns:
        for name in ("channel", "group"):
            if getattr(column.makes, name, None) is not None:
                msg = f"{column.name}: the rivals have no partials by {name}"
                raise NotImplementedError(msg)
    return catalogue


def is_late(case: Case) -> bool:
    """Return whether a fact may have become known after it happened.

    From the statistics in the Parquet footer, so it costs nothing. Where every
    ``known_at`` is null, a lead's facts become visible in the order in which they
    happened, and the silence before one is the same at every as_of.
    """
    metadata = pq.read_metadata(case.interactions)
    place = metadata.schema.to_arrow_schema().get_field_index("known_at")
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(place).statistics
        if statistics is None or statistics.num_values > 0:
            return True
    return False
