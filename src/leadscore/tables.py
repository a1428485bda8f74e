"""The tables: which columns they have, what each means, which types they hold.

Goes in: nothing. Comes out: the contracts that the reader checks files against, and
`Tables`, the typed form in which every later step receives them.

Instants are ``datetime64[us, UTC]``. After reading, ``known_at`` is never null: it is
the later of what the file said and the moment the fact itself happened, so that
everywhere below *usable at as_of* means ``known_at < as_of`` and nothing else. A date
without a time happened at the start of its day and is known at the day's last
microsecond.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from leadscore.functions import NO_FUNCTIONS, Functions
from leadscore.interactions import Interactions

__all__ = [
    "EARLIEST",
    "INSTANT",
    "INTERACTIONS",
    "LABELS",
    "LEADS",
    "OUTCOMES",
    "SCORE_COLUMNS",
    "Column",
    "Contract",
    "FileCounts",
    "Kind",
    "Tables",
    "latest_known",
    "n_known_from",
]

INSTANT = "datetime64[us, UTC]"
EARLIEST = np.datetime64("1990-01-01", "us")  # no interaction is as old as the web

LABELS = ("DISQUALIFIED", "NURTURE", "MQL", "SQL")

Kind = Literal["id", "instant", "text", "number", "flag"]


@dataclass(frozen=True)
class Column:
    """One column of an input table.

    Parameters
    ----------
    name : str
        The name inside leadscore; the agreement maps other names to it.
    kind : {"id", "instant", "text", "number", "flag"}
        Ids are always text (leading zeros stay). Numbers are float64, flags boolean.
    required : bool
        A missing required column stops the run; a missing optional one is null.
    filled : bool
        The cell must not be empty; a row where it is goes to the rejects.
    meaning : str
        One sentence for the data dictionary and the error messages.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    filled: bool = False


@dataclass(frozen=True)
class Contract:
    """The columns of one table, in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)


def _id(name: str, meaning: str) -> Column:
    return Column(name, "id", meaning, required=True, filled=True)


def _when(name: str, meaning: str) -> Column:
    return Column(name, "instant", meaning, required=True, filled=True)


_KNOWN_AT = Column("known_at", "instant", "when our systems had this row")

LEADS = Contract(
    "leads",
    (
        _id("lead_id", "an identified person who may convert"),
        _when("created_at", "when the lead came to be"),
        _KNOWN_AT,
        Column("account_id", "id", "the company or household the lead belongs to"),
        Column("merged_into", "id", "the lead this one was merged into"),
    ),
)

INTERACTIONS = Contract(
    "interactions",
    (
        _id("lead_id", "who"),
        _when("occurred_at", "when it happened"),
        _KNOWN_AT,
        Column("kind", "text", "what happened", required=True, filled=True),
        Column("channel", "text", "through which channel"),
        Column("content", "text", "which page, mail or document"),
        Column("duration_s", "number", "how long it lasted, in seconds"),
        Column(
            "event_id", "id", "the event's own id; a row delivered twice counts once"
        ),
    ),
)

OUTCOMES = Contract(
    "outcomes",
    (
        _id("lead_id", "who"),
        Column("stage", "text", "the stage reached", required=True, filled=True),
        _when("occurred_at", "when the stage was reached"),
        _KNOWN_AT,
        Column("reason", "text", "why"),
        Column("amount", "number", "worth, in the firm's currency"),
    ),
)

SCORE_COLUMNS = (
    "lead_id",
    "as_of",
    "probability",
    "probability_low",
    "probability_high",
    "points",
    "persona_fit",
    "fit_grade",
    "engagement_level",
    "label",
    "road",
    "label_reason",
    "label_since",
    "previous_label",
    "promise",
    "reason_1",
    "reason_2",
    "reason_3",
    "model_version",
    "agreement_version",
)


@dataclass(frozen=True)
class FileCounts:
    """How many rows of a file were read for a table.

    Parameters
    ----------
    file : str
        Its name.
    n_read : int
        Its rows, those set aside included.
    said : str
        All its counts, in a sentence.
    n_assumed : int
        Rows that do not say when they were known, and count as known when they
        happened.
    has_known_at : bool
        Whether the file has a column to say so.
    ignored : tuple of str
        Columns of leads and outcomes that nobody asked for.
    """

    file: str
    n_read: int
    said: str
    n_assumed: int = 0
    has_known_at: bool = True
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tables:
    """The three tables, typed, with what was set aside and what was assumed.

    Parameters
    ----------
    leads : DataFrame
        One or more rows a lead, ``known_at`` increasing within a lead; the columns of
        `LEADS` and the attributes of the agreement.
    interactions : Interactions
        Only of leads that exist.
    outcomes : DataFrame
        The columns of `OUTCOMES`, only for leads that exist.
    data_end : Timestamp, UTC
        The instant of the export: given, or the latest ``known_at`` of all tables.
    rejects : DataFrame
        ``file, line, column, value, reason, raw``: every row that could not be used.
    notes : tuple of str
        What was detected and what was assumed, in sentences.
    digests : dict of str to str
        sha256 of each input file, by file name.
    counts : tuple of FileCounts
        One for each reading of a file: leads, interactions, outcomes.
    functions : Functions
        Functions of one's own that the agreement names, from the same folder.
    """

    leads: pd.DataFrame
    interactions: Interactions
    outcomes: pd.DataFrame
    data_end: pd.Timestamp
    rejects: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    counts: tuple[FileCounts, ...] = ()
    functions: Functions = NO_FUNCTIONS


def latest_known(
    frames: Iterable[pd.DataFrame], interactions: Interactions, n: int
) -> pd.Series[Any]:
    """Return the ``n`` latest ``known_at`` of all tables, ascending.

    Parameters
    ----------
    frames : iterable of DataFrame
        With ``known_at``.
    interactions : Interactions
    n : int
        All are returned where there are fewer.
    """
    latest = pd.Series([], dtype=INSTANT)
    for frame in itertools.chain(frames, interactions.frames("known_at", copies=False)):
        together = pd.concat([latest, frame["known_at"]], ignore_index=True)
        latest = together.nlargest(n)
    return latest.sort_values(ignore_index=True)


def n_known_from(
    frames: Iterable[pd.DataFrame], interactions: Interactions, instant: pd.Timestamp
) -> int:
    """Return how many rows of all tables are known at an instant or later."""
    parts = itertools.chain(frames, interactions.frames("known_at", copies=False))
    return sum(int((part["known_at"] >= instant).sum()) for part in parts)
