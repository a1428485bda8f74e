"""What the kernel's columns should be, in plain SQL, written from the definitions.

Goes in: interactions, snapshots, a catalogue. Comes out: one row a snapshot, one column
for each declared one. Every snapshot is joined with every interaction that was known
before it, which nobody could afford at size; and that is all the cleverness there is.
"""

from __future__ import annotations

import datetime
import fnmatch

import duckdb
import pandas as pd
import pyarrow as pa

from leadscore.agreement import Agreement
from leadscore.features.catalogue import Catalogue
from leadscore.features.primitives import Primitive

DAY = 86_400_000_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

QUERY = """
WITH seen AS (
    SELECT asked.place, interactions.*,
        lag(occurred) OVER history AS previous,
        row_number() OVER history AS nth
    FROM asked
    JOIN interactions
        ON interactions.lead = asked.lead
        AND greatest(interactions.occurred, interactions.known) < asked.as_of
    WHERE kind NOT IN ({denied})
    WINDOW history AS (
        PARTITION BY asked.place
        ORDER BY occurred, known, kind, channel NULLS FIRST, content NULLS FIRST,
            coalesce(duration, 0)
    )
)
SELECT {columns}
FROM asked LEFT JOIN seen ON seen.place = asked.place
GROUP BY asked.place, asked.as_of
ORDER BY asked.place
"""


def expected(
    interactions: pd.DataFrame,
    snapshots: pd.DataFrame,
    catalogue: Catalogue,
    agreement: Agreement,
) -> pd.DataFrame:
    """Return what `leadscore.features.build.behaviour` should return."""
    contents = set(_texts(interactions["content"])) - {None}
    members = {
        group: [c for c in contents if any(fnmatch.fnmatchcase(c, p) for p in like)]
        for group, like in catalogue.groups.items()
    }
    columns = [
        f"{_expression(column.makes, catalogue, members)} AS {_name(column.name)}"
        for column in catalogue.columns
    ]
    denied = ", ".join(map(_text, ["", *agreement.features.deny]))
    with duckdb.connect(config={"threads": 1}) as con:
        con.register("asked", _asked(snapshots))
        con.register("interactions", _interactions(interactions, agreement))
        query = QUERY.format(columns=", ".join(columns), denied=denied)
        return con.sql(query).df()


def _expression(
    makes: Primitive, catalogue: Catalogue, members: dict[str, list[str]]
) -> str:
    inside = _inside(makes, members)
    match makes.does:
        case "count":
            return f"count(occurred) FILTER (WHERE {inside})"
        case "recency":
            last = f"max(occurred) FILTER (WHERE {inside})"
            return f"(asked.as_of - {last}) / {DAY}"
        case "decay":
            age = "(asked.as_of - occurred)"
            life = makes.half_life_days
            faded = "1.0" if life is None else f"pow(2.0, -{age} / {life * DAY!r})"
            return f"coalesce(sum(({_weight(makes)}) * {faded}) FILTER ({_SEEN}), 0.0)"
        case "active_days":
            return f"count(DISTINCT day) FILTER (WHERE {inside})"
        case "distinct":
            return f"count(DISTINCT content) FILTER (WHERE {inside})"
        case "sum":
            return f"coalesce(sum(duration) FILTER (WHERE {inside}), 0.0)"
        case "longest_gap":
            return f"max(occurred - previous) / {DAY}"
        case "gaps_over":
            return f"count(*) FILTER (WHERE occurred - previous > {14 * DAY})"
        case "first":
            known = ", ".join(map(_text, ["", *catalogue.channels]))
            word = f"CASE WHEN channel IN ({known}) THEN channel ELSE 'other' END"
            return f"max({word}) FILTER (WHERE nth = 1 AND channel IS NOT NULL)"


_SEEN = "WHERE occurred IS NOT NULL"


def _inside(makes: Primitive, members: dict[str, list[str]]) -> str:
    """Return the condition on the window ``[as_of - days, as_of)`` and what counts."""
    kind, days = getattr(makes, "kind", None), getattr(makes, "days", None)
    conditions = ["occurred IS NOT NULL"]
    if days is not None:
        conditions.append(f"occurred >= asked.as_of - {days * DAY}")
    if kind is not None:
        conditions.append(f"kind = {_text(kind)}")
    if getattr(makes, "channel", None) is not None:
        conditions.append(f"channel = {_text(makes.channel)}")
    if getattr(makes, "group", None) is not None:
        known = ", ".join(map(_text, ["", *sorted(members[makes.group])]))
        conditions.append(f"content IN ({known})")
    return " AND ".join(conditions)


def _weight(makes: Primitive) -> str:
    cases = [f"WHEN {_text(k)} THEN {float(w)!r}" for k, w in makes.weights.items()]
    if not cases:
        return repr(float(makes.default))
    return f"CASE kind {' '.join(cases)} ELSE {float(makes.default)!r} END"


def _asked(snapshots: pd.DataFrame) -> pa.Table:
    return pa.table(
        {
            "place": pa.array(range(len(snapshots)), pa.int64()),
            "lead": pa.array(_texts(snapshots["lead_id"]), pa.string()),
            "as_of": pa.array(map(_us, snapshots["as_of"]), pa.int64()),
        }
    )


def _interactions(interactions: pd.DataFrame, agreement: Agreement) -> pa.Table:
    occurred = [_us(at) for at in interactions["occurred_at"]]
    texts = {
        name: pa.array(_texts(interactions[column]), pa.string())
        for name, column in [
            ("lead", "lead_id"),
            ("kind", "kind"),
            ("channel", "channel"),
            ("content", "content"),
        ]
    }
    numbers = [None if pd.isna(x) else float(x) for x in interactions["duration_s"]]
    return pa.table(
        {
            **texts,
            "occurred": pa.array(occurred, pa.int64()),
            "known": pa.array(map(_us, interactions["known_at"]), pa.int64()),
            "duration": pa.array(numbers, pa.float64()),
            "day": pa.array([_day(at, agreement) for at in occurred], pa.int64()),
        }
    )


def _us(at: pd.Timestamp) -> int:
    return (at.to_pydatetime() - EPOCH) // datetime.timedelta(microseconds=1)


def _day(at: int, agreement: Agreement) -> int:
    """Return the calendar day in the agreement's time zone, by the standard library."""
    local = (EPOCH + datetime.timedelta(microseconds=at)).astimezone(agreement.zone)
    return local.toordinal()


def _texts(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in values]


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
