"""What machines did: what hangs on it, and whether the rules can tell it at all.

Goes in: what was read, what was scored. Comes out: counts and sentences. Nothing is
changed: points and features are without machines before and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.draft import guess_machines
from leadscore.judge import judge
from leadscore.kept_apart import clock_units, machine_counts, machines_said
from leadscore.tables import LABELS, Tables
from leadscore.workflows.rows import Rows, build_rows

__all__ = ["Hanging", "coarse_clocks", "hanging_on_machines", "undeclared_machines"]

_UNITS = {60: "minute", 3_600: "hour", 86_400: "day"}


@dataclass(frozen=True)
class Hanging:
    """What hangs on the opens and clicks that machines made.

    Parameters
    ----------
    counts : dict
        Of the leads on the list and before as_of, as `kept_apart.machine_counts`.
    labels : tuple of (str, str, int)
        The label, the one it would be with machines, how many leads; only where they
        differ.
    points : int
        How many more points all these leads would have with machines.
    """

    counts: dict[str, Any]
    labels: tuple[tuple[str, str, int], ...]
    points: int

    @property
    def n_higher(self) -> int:
        """How many labels would be higher."""
        return sum(n for own, other, n in self.labels if _rank(other) > _rank(own))

    @property
    def n_lower(self) -> int:
        """How many labels would be lower."""
        return sum(n for own, other, n in self.labels if _rank(other) < _rank(own))

    @property
    def said(self) -> str:
        """All of it in a sentence."""
        labels = "label" if self.n_higher == 1 else "labels"
        than = "more" if self.points >= 0 else "fewer"
        return (
            f"machines: {machines_said(self.counts)} were kept apart; with them "
            f"{self.n_higher:,} {labels} would be higher and {self.n_lower:,} lower, "
            f"and there would be {abs(self.points):,} points {than}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The same as plain data."""
        return self.counts | {
            "n_higher": self.n_higher,
            "n_lower": self.n_lower,
            "labels": [
                {"label": own, "with_machines": other, "n_leads": n}
                for own, other, n in self.labels
            ],
            "points": self.points,
            "said": self.said,
        }


def _rank(label: str) -> int:
    return LABELS.index(label)


def hanging_on_machines(
    bundle: Bundle,
    tables: Tables,
    rows: Rows,
    as_of: pd.Timestamp,
) -> Hanging | None:
    """Return what hangs on machines: the leads that have any are judged with them, too.

    Parameters
    ----------
    bundle : Bundle
    tables : Tables
    rows : Rows
        Of the leads on the list.
    as_of : Timestamp, UTC

    Returns
    -------
    Hanging or None
        None where machines made nothing, or nothing was looked for.
    """
    if not bundle.agreement.machines.kinds or rows.snapshots.empty:
        return None
    counts = machine_counts(
        tables.interactions, leads=rows.snapshots["lead_id"], before=as_of
    )
    if counts["n_rows"] == 0:
        return None
    touched = _touched(tables, rows, as_of)
    asked = rows.snapshots[touched]
    # Both without memory: a quarantine would hide for a week what hangs on them.
    own = _judged(bundle, build_rows(tables, asked, bundle.catalogue, bundle.agreement))
    other = _judged(
        bundle,
        build_rows(
            tables, asked, bundle.catalogue, bundle.agreement, with_machines=True
        ),
    )
    pairs = pd.DataFrame({"own": own["label"], "other": other["label"]})
    changed = pairs[pairs["own"] != pairs["other"]].groupby(["own", "other"]).size()
    return Hanging(
        counts,
        tuple((str(a), str(b), int(n)) for (a, b), n in changed.items()),
        int(other["points"].sum() - own["points"].sum()),
    )


def _judged(bundle: Bundle, rows: Rows) -> pd.DataFrame:
    """Return the labels that rows alone have, whatever was before."""
    status, missing = rows.snapshots["status"], rows.persona["missing"]
    return judge(bundle, rows.features, status, missing, rejected=rows.rejected).said


def _touched(tables: Tables, rows: Rows, as_of: pd.Timestamp) -> pd.Series:
    """Return which rows are of leads for whom machines did something before as_of."""
    parts = tables.interactions.by_machines()
    leads = {x for part in parts for x in part["lead_id"][part["visible_at"] < as_of]}
    return rows.snapshots["lead_id"].isin(leads)


def coarse_clocks(tables: Tables, agreement: Agreement) -> list[str]:
    """Return where a clock is too coarse for the rules: then people look like machines.

    A clock of whole minutes tells apart what is a minute apart; rules that look at
    less than that see everything of a minute at once.
    """
    machines = agreement.machines
    if not machines.kinds:
        return []
    units = clock_units(tables.interactions, machines.kinds, agreement.zone)
    by_unit: dict[int, list[str]] = {}
    for kind, unit in sorted(units.items()):
        if unit > machines.within_s:
            by_unit.setdefault(unit, []).append(kind)
    return [
        f"the clock of {' and '.join(kinds)} is to the {_UNITS[unit]}, and [machines] "
        f"looks at {machines.within_s} seconds: all of one {_UNITS[unit]} seems to "
        "come at once, and people may be taken for machines. Export the seconds, or "
        "take these kinds out of [machines]"
        for unit, kinds in sorted(by_unit.items())
    ]


def undeclared_machines(tables: Tables, agreement: Agreement) -> list[str]:
    """Return whether usual rules would find machines where the agreement has none."""
    if agreement.machines.kinds:
        return []
    never = {*agreement.features.deny, *agreement.hand_raise.kinds}
    guess = guess_machines(tables, never)
    if guess is None or not guess.is_likely:
        return []
    kinds = ", ".join(f'"{kind}"' for kind in guess.rules.kinds)
    return [
        f"{guess.said}: machines? They count as interest until the agreement says "
        f"[machines] with kinds = [{kinds}], within_s = {guess.rules.within_s}"
    ]
