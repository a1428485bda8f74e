"""Check: what can be trained from a data folder, before training it.

Straight down: read the tables, place the snapshots, say what came of them, prove that
no column sees the future, count. The rules are those of training, by the same
functions; nothing is fitted, so it takes seconds. Figures about labels are rough.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.draft import (
    Denied,
    leaking_attributes,
    leaking_kinds,
)
from leadscore.errors import DataError
from leadscore.features import declare_catalogue
from leadscore.kept_apart import machine_counts
from leadscore.periods import groups_of
from leadscore.progress import Tell, silent
from leadscore.snapshots import training_snapshots
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.assumed import Undated, facts_without_known_at
from leadscore.workflows.backtest import backtest_tasks, period_counts
from leadscore.workflows.counted import (
    attribute_counts,
    delay_facts,
    kind_counts,
    label_prospects,
    snapshot_counts,
)
from leadscore.workflows.doubts import unheard_words
from leadscore.workflows.lacks import lacks_of
from leadscore.workflows.learnable import (
    check_extras,
    check_not_all,
    check_stage,
    label_for_training,
    n_converted_to_fit,
    why_nothing,
    why_points,
)
from leadscore.workflows.machine_facts import coarse_clocks, undeclared_machines
from leadscore.workflows.proof import prove
from leadscore.workflows.proven import Proof

__all__ = ["Checked", "check"]

Verdict = Literal["model", "points", "nothing", "refused"]

FEW_INSIDE = 0.5  # of the conversions within the horizon: then it is short
EARLY_LEFT = 0.2  # of the conversions before the first look


@dataclass(frozen=True)
class Checked:
    """What can be trained.

    Parameters
    ----------
    data : Path
    agreement : Agreement
    tables : Tables
    verdict : {"model", "points", "nothing", "refused"}
        A model can be trained and judged; the points serve alone; they serve without a
        probability; training would refuse.
    why : str
        The sentence that training would say, or what speaks for it.
    counts : dict of str to float
        ``n_leads, n_snapshots, n_snapshot_leads, n_converted, n_immature_leads,
        base_rate``: mature snapshots, converted leads (accounts), leads without a
        mature snapshot. ``base_rate`` is nan where there is none.
    set_aside : dict of str to int
        Snapshots without an outcome, by reason.
    delays : dict of str to float
        Days from creation to conversion: ``n, median, p80, p95`` and ``inside``, the
        share within the horizon; empty where nobody converted.
    origins : list of dict
        The backtest's, see `backtest.period_counts`.
    labels : list of dict
        ``label, entries, is_possible, because``: what thresholds can be set on, rough.
    attributes : list of dict
        ``name, kind, n_leads, n_words``.
    kinds : list of dict
        ``kind, n_rows, n_leads, stands``: feature, denied or too rare.
    machines : dict
        What machines made, as `kept_apart.machine_counts`.
    proof : Proof
        Of every column of a row: that it does not see the future.
    undated : tuple of Undated
        Files with rows that do not say when they were known.
    suspicious : tuple of Denied
        Attributes and kinds that know too much, not on the deny-list.
    advice : tuple of str
        What to do, the most important first.
    """

    data: Path
    agreement: Agreement
    tables: Tables
    verdict: Verdict
    why: str
    counts: dict[str, float]
    set_aside: dict[str, int]
    delays: dict[str, float]
    origins: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    attributes: list[dict[str, Any]]
    kinds: list[dict[str, Any]]
    machines: dict[str, Any]
    proof: Proof
    undated: tuple[Undated, ...]
    suspicious: tuple[Denied, ...]
    advice: tuple[str, ...]

    @property
    def is_trainable(self) -> bool:
        """Whether training would make something."""
        return self.verdict != "refused"

    @property
    def is_proven(self) -> bool:
        """Whether no column sees the future of its row."""
        return self.proof.holds

    @property
    def is_degraded(self) -> bool:
        """Whether that would be less than a model with a judged probability."""
        return self.verdict != "model"


def check(data: Path, *, tell: Tell = silent) -> Checked:
    """Say what can be trained from a data folder.

    Parameters
    ----------
    data : Path
        With ``agreement.toml``.
    tell : Tell, optional
        Called with each step.

    Raises
    ------
    InputError, AgreementError, DataError
        The folder cannot be read; what training would refuse later is a verdict.
    """
    agreement, _ = read_agreement(data)
    check_extras(agreement)
    tell("reading the tables")
    tables = read_tables(data, agreement, tell=tell)
    tell("placing snapshots")
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    labelled = label_for_training(snapshots, tables, agreement)
    settled = labelled[labelled["converted"].notna()].reset_index(drop=True)
    tell("proving that no column sees the future")
    proof = _prove(snapshots, settled, tables, agreement)
    tell("counting")
    origins = _origins(settled, tables, agreement)
    verdict, why = _verdict(settled, origins, tables, agreement)
    delays = delay_facts(tables, agreement)
    suspicious = _suspicious(tables, agreement)
    return Checked(
        data=data,
        agreement=agreement,
        tables=tables,
        verdict=verdict,
        why=why,
        counts=snapshot_counts(settled, tables),
        set_aside={
            str(reason): int(n)
            for reason, n in labelled["set_aside"].value_counts().sort_index().items()
        },
        delays=delays,
        origins=origins,
        labels=label_prospects(settled, agreement) if verdict == "model" else [],
        attributes=attribute_counts(tables, agreement),
        kinds=kind_counts(tables, agreement, settled),
        machines=machine_counts(tables.interactions),
        proof=proof,
        undated=facts_without_known_at(tables),
        suspicious=suspicious,
        advice=(
            *_about_suspicious(suspicious),
            *_about_delays(delays, agreement),
            *unheard_words(tables, agreement),
            *coarse_clocks(tables, agreement),
            *undeclared_machines(tables, agreement),
            *lacks_of(tables, agreement),
        ),
    )


def _prove(
    snapshots: pd.DataFrame,
    settled: pd.DataFrame,
    tables: Tables,
    agreement: Agreement,
) -> Proof:
    """Prove the columns that training would declare."""
    newest = tables.data_end if snapshots.empty else snapshots["as_of"].max()
    catalogue = declare_catalogue(
        agreement, tables.leads, tables.interactions, before=newest
    )
    return prove(
        tables,
        settled if len(settled) else snapshots,
        catalogue,
        agreement,
        seed=agreement.training.seed,
    )


def _origins(
    settled: pd.DataFrame, tables: Tables, agreement: Agreement
) -> list[dict[str, Any]]:
    if settled.empty:
        return []
    groups = groups_of(settled)
    tasks = backtest_tasks(settled, tables.outcomes, agreement)
    return [period_counts(task, settled, groups) for task in tasks]


def _verdict(
    settled: pd.DataFrame,
    origins: list[dict[str, Any]],
    tables: Tables,
    agreement: Agreement,
) -> tuple[Verdict, str]:
    """Return what training would come to, in its own order and words."""
    converted = settled["converted"].to_numpy()
    try:
        check_stage(tables, agreement)
        if not converted.any():
            return "nothing", why_nothing(settled, tables, agreement)
        check_not_all(converted, agreement)
    except DataError as error:
        return "refused", str(error)
    if not origins:
        return "points", why_points(settled, agreement)
    n_converted = n_converted_to_fit(settled, agreement)
    n_tested = sum(origin["n_test_converted"] for origin in origins)
    return "model", (
        f"{n_converted:,} converted leads (accounts) to learn from, and {n_tested:,} "
        f"later ones to judge by, at {len(origins)} past origins"
    )


def _about_delays(delays: dict[str, float], agreement: Agreement) -> list[str]:
    if not delays:
        return []
    said = []
    horizon, looks = agreement.conversion.horizon_days, agreement.snapshots
    if looks.at_age_hours and delays["inside"] < FEW_INSIDE:
        said.append(
            f"Only {delays['inside']:.0%} of the conversions come within the horizon "
            f"of {horizon} days after creation: a longer one sees more of them."
        )
    if delays["before_first"] > EARLY_LEFT:
        said.append(
            f"{delays['before_first']:.0%} of the conversions come before a lead is "
            "first looked at: look earlier, by at_age_hours or a smaller every_days."
        )
    if horizon > 2 * delays["p95"] and not looks.at_age_hours:
        said.append(
            f"95 % of the conversions come within {delays['p95']:.0f} days; a horizon "
            f"of {horizon} days waits longer than that to learn."
        )
    if delays["p80"] > looks.max_age_days:
        said.append(
            f"Leads are off the list after {looks.max_age_days} days, and more than "
            "one conversion in five comes later: raise max_age_days."
        )
    return said


def _suspicious(tables: Tables, agreement: Agreement) -> tuple[Denied, ...]:
    denied = set(agreement.features.deny)
    kinds = [d for d in leaking_kinds(tables, agreement) if d.name not in denied]
    return (*leaking_attributes(tables, agreement), *kinds)


def _about_suspicious(suspicious: tuple[Denied, ...]) -> list[str]:
    if not suspicious:
        return []
    names = ", ".join(d.name for d in suspicious)
    return [
        f"Look at {names}: if they are what sales does or what came of a lead, take "
        "them out of [attributes] and put them on the deny-list under [features]."
    ]
