"""DuckDB: two-level SQL, written from the catalogue.

Partials by snapshot and kind come first, so that the fifteen times five counts of kinds
are five filters a row and not seventy-five; a second, small aggregation turns them into
columns. Distinct contents are the groups of another aggregation, by the youngest use.

Distinct days need no distinct: the first interaction of each day is marked. A window
that begins within a day may cut that mark off, and then its own oldest interaction
stands for the day.
"""

from __future__ import annotations

from functools import partial

import duckdb
import pyarrow as pa

from leadscore.features.catalogue import OTHER, Catalogue
from leadscore.features.primitives import GAP_DAYS, Decay, Primitive

from .case import Case, Contender
from .needs import DAY_US, DENIED, Needs, Window, is_late, needs_of, read_catalogue

__all__ = ["contenders", "run"]

LARGE = 50_000_000  # interactions from which on memory is capped
MEMORY_LIMIT = "4GB"

QUERY = """
WITH asked AS (
    SELECT file_row_number AS place, lead, epoch_us(as_of) AS as_of
    FROM read_parquet({snapshots}, file_row_number = true) JOIN leads USING (lead_id)
),
events AS (
    SELECT lead, epoch_us(occurred_at) AS occurred,
        epoch_us(greatest(occurred_at, known_at)) AS visible,
        TRY_CAST(kind AS kinds) AS kind, channel, content, duration_s
    FROM read_parquet({interactions}) JOIN leads USING (lead_id)
    WHERE kind NOT IN ({denied})
),
{seen},
partials AS (
    SELECT place, kind, {partials}
    FROM (
        SELECT *, occurred - previous AS gap,
            (previous IS NULL OR occurred // {day} <> previous // {day})::BIGINT AS new
        FROM seen
    )
    GROUP BY place, kind
),
uses AS (
    SELECT place, min(as_of - occurred) AS youngest
    FROM events JOIN asked USING (lead)
    WHERE visible < as_of AND content IS NOT NULL
    GROUP BY place, content
),
contents AS (SELECT place, {contents} FROM uses GROUP BY place),
columns AS (SELECT place, {columns} FROM partials GROUP BY place)
SELECT {finals}
FROM asked LEFT JOIN columns USING (place) LEFT JOIN contents USING (place)
ORDER BY place
"""

# What happened last before, by lead: right at every as_of, and found once.
BEFORE_THE_JOIN = """
sequence AS (
    SELECT *, lag(occurred) OVER (PARTITION BY lead ORDER BY occurred) AS previous
    FROM events
),
seen AS (
    SELECT place, as_of - occurred AS age, sequence.*
    FROM sequence JOIN asked USING (lead) WHERE visible < as_of
)
"""

# By snapshot: what is not known yet is no neighbour of what is.
AFTER_THE_JOIN = """
seen AS (
    SELECT place, as_of - occurred AS age, events.*,
        lag(occurred) OVER (PARTITION BY place ORDER BY occurred) AS previous
    FROM events JOIN asked USING (lead) WHERE visible < as_of
)
"""


def run(case: Case, *, threads: int | None = None) -> pa.Table:
    """Return the columns, by DuckDB with all cores or with some threads."""
    catalogue = read_catalogue(case)
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(case.scratch),
        "preserve_insertion_order": False,  # the result is sorted at the end
    }
    if threads is not None:
        config["threads"] = threads
    if case.size >= LARGE:
        config["memory_limit"] = MEMORY_LIMIT
    with duckdb.connect(config=config) as con:
        # Kinds as numbers; a kind that is not in the list is null, and counts as such.
        words = ", ".join(map(_text, catalogue.kinds))
        con.sql(f"CREATE TYPE kinds AS ENUM ({words})")
        con.sql(
            "CREATE TEMP TABLE leads AS SELECT lead_id, row_number() OVER () AS lead "
            f"FROM (SELECT DISTINCT lead_id FROM {_text(str(case.snapshots))})"
        )
        return con.sql(_query(case, catalogue)).to_arrow_table()


def _query(case: Case, catalogue: Catalogue) -> str:
    needs = needs_of(catalogue)
    makes = {column.name: column.makes for column in catalogue.columns}
    distinct = {n: m for n, m in makes.items() if m.does == "distinct"}
    contents = [f"{_uses(m.days)} AS {_name(n)}" for n, m in distinct.items()]
    columns = [
        f"{_column(m, catalogue)} AS {_name(n)}"
        for n, m in makes.items()
        if n not in distinct
    ]
    return QUERY.format(
        snapshots=_text(str(case.snapshots)),
        interactions=_text(str(case.interactions)),
        denied=", ".join(map(_text, DENIED)),
        seen=AFTER_THE_JOIN if is_late(case) else BEFORE_THE_JOIN,
        partials=", ".join(_partials(needs)),
        contents=", ".join(contents or ["0"]),
        columns=", ".join(columns),
        finals=", ".join(_final(n, m) for n, m in makes.items()),
        day=DAY_US,
    )


def _partials(needs: Needs) -> list[str]:
    return [
        "min(age) AS youngest",
        "max(age) AS oldest",
        "max(gap) AS gap",
        f"count(*) FILTER (WHERE gap > {GAP_DAYS * DAY_US}) AS gaps",
        "arg_max_null(channel, age) AS channel",
        *(f"count(*) {_within(d)} AS n_{_suffix(d)}" for d in needs.counts),
        *(f"sum(duration_s) {_within(d)} AS s_{_suffix(d)}" for d in needs.sums),
        *(f"sum(new) {_within(d)} AS d_{_suffix(d)}" for d in needs.active),
        # The oldest in the window, and in the last bit whether it is marked.
        *(f"max(age * 2 + new) {_within(d)} AS o_{_suffix(d)}" for d in needs.active),
        *(f"{_decay(h)} AS f_{i}" for i, h in enumerate(needs.half_lives)),
    ]


def _decay(half_life_days: float | None) -> str:
    if half_life_days is None:
        return "count(*)"
    return f"sum(exp(-age * (ln(2) / {half_life_days * DAY_US!r})))"


def _within(days: Window) -> str:
    return "" if days is None else f"FILTER (WHERE age <= {days * DAY_US})"


def _uses(days: Window) -> str:
    seen = "" if days is None else f"FILTER (WHERE youngest <= {days * DAY_US})"
    return f"count(*) {seen}"


def _column(makes: Primitive, catalogue: Catalogue) -> str:
    """Return the second level of one column: over the partials of all kinds."""
    kind = getattr(makes, "kind", None)
    only = "" if kind is None else f"FILTER (WHERE kind = {_text(kind)})"
    suffix = _suffix(getattr(makes, "days", None))
    match makes.does:
        case "count":
            return f"sum(n_{suffix}) {only}"
        case "recency":
            return f"min(youngest) {only} / {DAY_US}"
        case "decay":
            return _weighted(makes, needs_of(catalogue))
        case "active_days":
            return f"sum(d_{suffix}) + 1 - (max(o_{suffix}) & 1)"
        case "sum":
            return f"sum(s_{suffix})"
        case "longest_gap":
            return f"max(gap) / {DAY_US}"
        case "gaps_over":
            return "sum(gaps)"
        case "first":
            words = ", ".join(map(_text, catalogue.channels))
            first = "arg_max_null(channel, oldest)"
            other = f"CASE WHEN {first} IN ({words}) THEN {first} ELSE '{OTHER}' END"
            return f"CASE WHEN {first} IS NOT NULL THEN {other} END"
    msg = f"no SQL for {makes.does}"
    raise NotImplementedError(msg)


def _weighted(makes: Decay, needs: Needs) -> str:
    """Return the weighted sum; the weight is the same for all of a kind."""
    faded = f"f_{needs.half_lives.index(makes.half_life_days)}"
    if not makes.weights:
        return f"sum({makes.default!r} * {faded})"
    cases = " ".join(
        f"WHEN {_text(kind)} THEN {weight!r}" for kind, weight in makes.weights.items()
    )
    return f"sum(CASE kind {cases} ELSE {makes.default!r} END * {faded})"


def _final(name: str, makes: Primitive) -> str:
    """Return one column of the result: what never happened is zero, or null."""
    if makes.does in ("recency", "longest_gap", "first"):
        return _name(name)
    return f"coalesce({_name(name)}, 0)::DOUBLE AS {_name(name)}"


def _suffix(days: Window) -> str:
    return "ever" if days is None else str(days)


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def contenders() -> dict[str, Contender]:
    """Return the contenders of this file by name."""
    largest = 100_000_000
    return {
        "DuckDB": Contender(run, largest=largest),
        "DuckDB, 1 thread": Contender(partial(run, threads=1), largest=largest),
    }
