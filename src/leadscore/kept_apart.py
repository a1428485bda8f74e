"""Kept apart: how many opens and clicks machines made, and what the clock can tell.

Goes in: interactions, with the verdict on each or with rules to try on them. Comes out:
counts, in the plain form that goes into JSON. Nothing is changed.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from leadscore.agreement import Machines
from leadscore.interactions import Interactions, codes_of, instants_of
from leadscore.machines import PERSON, find_machines, rules_for

__all__ = ["clock_units", "machine_counts", "machines_said", "tried"]

UNITS_S = (86_400, 3_600, 60)  # the coarsest first
MOST = 0.5  # of the rows
ENOUGH = 20  # rows; fewer may stand at whole minutes by chance
SECOND_US = 1_000_000

_JUDGED = ("lead_id", "occurred_at", "known_at", "kind", "content")


def machine_counts(
    interactions: Interactions,
    *,
    leads: Collection[str] | None = None,
    before: pd.Timestamp | None = None,
) -> dict[str, Any]:
    """Return how many interactions were kept apart as made by machines.

    Parameters
    ----------
    interactions : Interactions
    leads : collection of str, default=None
        Only those of these leads.
    before : Timestamp, UTC, default=None
        Only those that would be seen before this instant: ``visible_at < before``.

    Returns
    -------
    dict
        ``n_rows``; ``n_leads``, each counted once; ``by``: a list of ``rule, kind,
        n_rows, n_leads``, sorted by rule and kind.
    """
    n_leads, found = 0, []
    for rows in _asked(interactions, leads, before):
        n_leads += rows["lead_id"].nunique()  # no lead is in two parts
        by = rows.groupby(["machine", "kind"])["lead_id"]
        found.append(by.agg(n_rows="size", n_leads="nunique"))
    sums = pd.concat(found).groupby(level=[0, 1]).sum() if n_leads else pd.DataFrame()
    rows = [
        {"rule": rule, "kind": kind, "n_rows": int(n), "n_leads": int(n_of)}
        for (rule, kind), (n, n_of) in zip(sums.index, sums.to_numpy(), strict=True)
    ]
    return {"n_rows": sum(r["n_rows"] for r in rows), "n_leads": n_leads, "by": rows}


def _asked(
    interactions: Interactions,
    leads: Collection[str] | None,
    before: pd.Timestamp | None,
) -> Iterator[pd.DataFrame]:
    wanted = None if leads is None else set(leads)
    # Copies of a merged lead's are its survivor's where leads are named.
    for rows in interactions.by_machines(copies=leads is not None):
        asked = rows if before is None else rows[rows["visible_at"] < before]
        yield asked if wanted is None else asked[asked["lead_id"].isin(wanted)]


def machines_said(counts: dict[str, Any]) -> str:
    """Return counts in words: ``30 opens and clicks on 4 leads (burst: click 30)``."""
    rules = sorted({row["rule"] for row in counts["by"]})
    said = "; ".join(f"{rule}: {_kinds_said(counts, rule)}" for rule in rules)
    leads = f"{counts['n_leads']:,} lead{'s' * (counts['n_leads'] != 1)}"
    return f"{counts['n_rows']:,} opens and clicks on {leads} ({said})"


def _kinds_said(counts: dict[str, Any], rule: str) -> str:
    of_rule = [row for row in counts["by"] if row["rule"] == rule]
    return ", ".join(f"{row['kind']} {row['n_rows']:,}" for row in of_rule)


def tried(
    interactions: Interactions, machines: Machines
) -> tuple[dict[str, tuple[int, int]], int]:
    """Return what rules would find that are not in force.

    Parameters
    ----------
    interactions : Interactions
    machines : Machines

    Returns
    -------
    found : dict of str to (int, int)
        Of each kind of the rules that is there: rows found, rows in all.
    n_leads : int
        On how many leads they were found.
    """
    n_leads, found = 0, dict.fromkeys(machines.kinds, (0, 0))
    for reader in interactions.readers:
        table = reader(_JUDGED)
        lead, _ = codes_of(table.column("lead_id"))
        kind, kinds = codes_of(table.column("kind"))
        words, is_found = kinds.to_pylist(), _verdicts(table, machines) != PERSON
        n_leads += len(np.unique(lead[is_found]))
        all_of, found_of = _tally(kind, words), _tally(kind[is_found], words)
        for name, (n_found, n_rows) in found.items():
            more = found_of.get(name, 0), all_of.get(name, 0)
            found[name] = n_found + more[0], n_rows + more[1]
    return {name: counts for name, counts in found.items() if counts[1]}, n_leads


def _verdicts(table: pa.Table, machines: Machines) -> npt.NDArray[np.int8]:
    lead, kind, content = (
        codes_of(table.column(name)) for name in ("lead_id", "kind", "content")
    )
    occurred = instants_of(table, "occurred_at", None)
    first = np.flatnonzero(np.diff(lead[0], prepend=-1))
    verdict, _ = find_machines(
        np.append(first, len(occurred)),
        occurred,
        instants_of(table, "known_at", occurred),
        kind[0].astype(np.int64),
        content[0].astype(np.int64),
        rules_for(machines, kind[1].to_pylist()),
    )
    found: npt.NDArray[np.int8] = verdict
    return found


def _tally(codes: npt.NDArray[np.int32], words: list[str]) -> dict[str, int]:
    counts = np.bincount(codes, minlength=len(words))
    return dict(zip(words, counts.tolist(), strict=True))


def clock_units(
    interactions: Interactions, kinds: Collection[str], zone: datetime.tzinfo
) -> dict[str, int]:
    """Return in which seconds the clock of each kind counts, where that is coarse.

    Parameters
    ----------
    interactions : Interactions
    kinds : collection of str
    zone : tzinfo
        Where a day begins, and an hour.

    Returns
    -------
    dict of str to int
        60, 3,600 or 86,400 for the kinds of which most rows stand at whole minutes,
        hours or days; not the others, nor those with fewer than 20 rows.
    """
    n_rows = dict.fromkeys(kinds, 0)
    n_whole = {kind: dict.fromkeys(UNITS_S, 0) for kind in kinds}
    for rows in interactions.frames("occurred_at", "kind"):
        asked = rows[rows["kind"].isin(n_rows)]
        local = asked["occurred_at"].dt.tz_convert(zone).dt.tz_localize(None)
        at = local.to_numpy("datetime64[us]").astype(np.int64)
        for kind, places in asked.groupby("kind").indices.items():
            n_rows[str(kind)] += len(places)
            for unit in UNITS_S:
                is_whole = at[places] % (unit * SECOND_US) == 0
                n_whole[str(kind)][unit] += int(is_whole.sum())
    return {
        kind: unit
        for kind, n in n_rows.items()
        if (unit := _coarsest(n_whole[kind], n))
    }


def _coarsest(n_whole: dict[int, int], n_rows: int) -> int:
    if n_rows < ENOUGH:
        return 0
    return next((unit for unit, n in n_whole.items() if n > MOST * n_rows), 0)
