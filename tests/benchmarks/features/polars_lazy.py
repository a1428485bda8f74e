"""Polars: a lazy query for the streaming engine, two levels like the SQL."""

from __future__ import annotations

import math

import polars as pl
import pyarrow as pa

from leadscore.features.catalogue import OTHER, Catalogue
from leadscore.features.primitives import GAP_DAYS, Decay, Primitive

from .case import Case, Contender
from .needs import DAY_US, DENIED, Needs, Window, is_late, needs_of, read_catalogue

__all__ = ["contenders", "run"]

AGE = pl.col("age")


def run(case: Case) -> pa.Table:
    """Return the columns, by Polars."""
    catalogue = read_catalogue(case)
    needs = needs_of(catalogue)
    asked = (
        pl.scan_parquet(case.snapshots)
        .with_row_index("place")
        .select("place", "lead_id", _us("as_of"))
    )
    # Leads by number: a snapshot is then an integer key, and not a text.
    leads = asked.select(pl.col("lead_id").unique()).with_row_index("lead")
    asked = asked.join(leads, on="lead_id").drop("lead_id")
    events = (
        pl.scan_parquet(case.interactions)
        .filter(~pl.col("kind").is_in(DENIED))
        .join(leads, on="lead_id")
        .select(
            "lead",
            _us("occurred_at").alias("occurred"),
            pl.max_horizontal(_us("occurred_at"), _us("known_at")).alias("visible"),
            _kind(catalogue),
            "channel",
            "content",
            "duration_s",
        )
    )
    seen = _seen(events, asked, late=is_late(case))
    partials = seen.group_by("place", "kind").agg(_partials(needs))
    uses = seen.drop_nulls("content").group_by("place", "content")
    makes = {column.name: column.makes for column in catalogue.columns}
    distinct = {n: m for n, m in makes.items() if m.does == "distinct"}
    contents = (
        uses.agg(youngest=AGE.min())
        .group_by("place")
        .agg(_n(m.days, "youngest").alias(n) for n, m in distinct.items())
    )
    columns = partials.group_by("place").agg(
        _column(m, catalogue, needs).alias(n)
        for n, m in makes.items()
        if n not in distinct
    )
    finished = (
        asked.select("place")
        .join(columns, on="place", how="left")
        .join(contents, on="place", how="left")
        .sort("place")
        .select(_final(n, m) for n, m in makes.items())
    )
    return finished.collect(engine="streaming").to_arrow()


def _us(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64)


def _kind(catalogue: Catalogue) -> pl.Expr:
    """Return the kind as a number; one that is not in the list is null."""
    codes = {kind: code for code, kind in enumerate(catalogue.kinds)}
    return pl.col("kind").replace_strict(codes, default=None, return_dtype=pl.UInt8)


def _seen(events: pl.LazyFrame, asked: pl.LazyFrame, *, late: bool) -> pl.LazyFrame:
    """Return each interaction with each snapshot that sees it, and with its gap."""
    is_known = pl.col("visible") < pl.col("as_of")
    if late:
        joined = events.join(asked, on="lead").filter(is_known)
        ordered = _after_the_last(joined, "place")
    else:
        ordered = _after_the_last(events, "lead").join(asked, on="lead")
        ordered = ordered.filter(is_known)
    return ordered.with_columns(age=pl.col("as_of") - pl.col("occurred"))


def _after_the_last(rows: pl.LazyFrame, group: str) -> pl.LazyFrame:
    """Return the rows with the silence before each, and a mark on each new day."""
    occurred = pl.col("occurred")
    ordered = rows.sort(group, "occurred")
    is_first = pl.col(group) != pl.col(group).shift(1)
    is_first = is_first.fill_null(True)
    day = occurred // DAY_US
    return ordered.with_columns(
        gap=pl.when(~is_first).then(occurred - occurred.shift(1)),
        new=(is_first | (day != day.shift(1))).cast(pl.Int64),
    )


def _partials(needs: Needs) -> list[pl.Expr]:
    new = pl.col("new")
    return [
        AGE.min().alias("youngest"),
        AGE.max().alias("oldest"),
        pl.col("gap").max(),
        (pl.col("gap") > GAP_DAYS * DAY_US).sum().alias("gaps"),
        pl.col("channel").get(AGE.arg_max()),
        *(_n(d, "age").alias(f"n_{d}") for d in needs.counts),
        *(_in(pl.col("duration_s"), d).sum().alias(f"s_{d}") for d in needs.sums),
        *(_in(new, d).sum().alias(f"d_{d}") for d in needs.active),
        # The oldest in the window, and in the last bit whether it is marked.
        *(_in(AGE * 2 + new, d).max().alias(f"o_{d}") for d in needs.active),
        *(_faded(h).alias(f"f_{h}") for h in needs.half_lives),
    ]


def _n(days: Window, age: str) -> pl.Expr:
    if days is None:
        return pl.len()
    return (pl.col(age) <= days * DAY_US).sum()


def _in(values: pl.Expr, days: Window) -> pl.Expr:
    return values if days is None else values.filter(pl.col("age") <= days * DAY_US)


def _faded(half_life_days: float | None) -> pl.Expr:
    if half_life_days is None:
        return pl.len()
    return (AGE * (-math.log(2) / (half_life_days * DAY_US))).exp().sum()


def _column(makes: Primitive, catalogue: Catalogue, needs: Needs) -> pl.Expr:
    """Return the second level of one column: over the partials of all kinds."""

    def of_kind(values: pl.Expr) -> pl.Expr:
        kind = getattr(makes, "kind", None)
        if kind is None:
            return values
        return values.filter(pl.col("kind") == catalogue.kinds.index(kind))

    days = getattr(makes, "days", None)
    match makes.does:
        case "count":
            return of_kind(pl.col(f"n_{days}")).sum()
        case "recency":
            return of_kind(pl.col("youngest")).min() / DAY_US
        case "decay":
            faded = pl.col(f"f_{makes.half_life_days}")
            return (faded * _weight(makes, catalogue)).sum()
        case "active_days":
            return pl.col(f"d_{days}").sum() + 1 - pl.col(f"o_{days}").max() % 2
        case "sum":
            return pl.col(f"s_{days}").sum()
        case "longest_gap":
            return pl.col("gap").max() / DAY_US
        case "gaps_over":
            return pl.col("gaps").sum()
        case "first":
            first = pl.col("channel").get(pl.col("oldest").arg_max())
            is_known = first.is_in(catalogue.channels) | first.is_null()
            return pl.when(is_known).then(first).otherwise(pl.lit(OTHER))
    msg = f"no expression for {makes.does}"
    raise NotImplementedError(msg)


def _weight(makes: Decay, catalogue: Catalogue) -> pl.Expr:
    weights = {
        catalogue.kinds.index(kind): weight
        for kind, weight in makes.weights.items()
        if kind in catalogue.kinds
    }
    if not weights:
        return pl.lit(makes.default)
    return pl.col("kind").replace_strict(
        weights, default=makes.default, return_dtype=pl.Float64
    )


def _final(name: str, makes: Primitive) -> pl.Expr:
    """Return one column of the result: what never happened is zero, or null."""
    if makes.does in ("recency", "longest_gap", "first"):
        return pl.col(name)
    return pl.col(name).fill_null(0).cast(pl.Float64)


def contenders() -> dict[str, Contender]:
    """Return the contenders of this file by name."""
    # Joined with twelve snapshots a lead, ten million do not fit a common memory.
    return {"Polars": Contender(run, largest_repeated=1_000_000)}
