"""The summary of a training: data, contest, labels, what to do next."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leadscore.kept_apart import machines_said
from leadscore.quarantine import quarantine_words
from leadscore.summary.cadence import cadence_lines
from leadscore.summary.lines import notes, wrapped
from leadscore.summary.proposing import proposal_lines
from leadscore.summary.recording import recorded_facts, recorded_lines
from leadscore.summary.segments import segment_lines

if TYPE_CHECKING:
    from leadscore.workflows.train import Trained

__all__ = ["train_facts", "train_lines"]


def train_lines(trained: Trained) -> list[str]:
    """Return the summary of a training: data, contest, labels, what to do next."""
    bundle = trained.bundle
    facts = bundle.provenance
    lines = [f"model {bundle.model_id}", *notes(tuple(facts["notes"]))]
    if facts["n_snapshots"]:
        lines += wrapped(
            f"{facts['n_leads']:,} leads, {facts['n_snapshots']:,} mature snapshots, "
            f"{facts['n_converted_groups']:,} converted leads (accounts), base rate "
            f"{facts['base_rate']:.1%}, as_of {facts['first_as_of'][:10]} to "
            f"{facts['last_as_of'][:10]}"
        )
    for reason, count in facts["set_aside"].items():
        lines += wrapped(f"set aside: {count:,} snapshots, {reason}")
    if facts["machines"]["n_rows"]:
        lines += wrapped(f"machines: {machines_said(facts['machines'])} kept apart")
    if "candidates" in bundle.metrics:
        lines += [
            "",
            *_contest(bundle.metrics, bundle.model.name if bundle.model else ""),
        ]
    lines += [*cadence_lines(bundle.metrics), *segment_lines(bundle.metrics)]
    for said in bundle.metrics.get("suspects", ()):
        lines += wrapped(f"WARNING: {said}", indent="  ")
    lines += ["", *_labels(trained)]
    if facts["degraded"]:
        lines += ["", *wrapped(f"DEGRADED: {facts['degraded']}")]
    if trained.proposal is not None:
        lines += ["", *proposal_lines(trained.proposal)]
    folder = trained.folder
    where = recorded_lines(trained.recorded, bundle.model_id, folder.parent)
    return [*lines, "", *_next_step(trained), *where, *notes(trained.notes)]


def train_facts(trained: Trained) -> dict[str, Any]:
    """Return the same as plain data."""
    bundle = trained.bundle
    return {
        "model_id": bundle.model_id,
        "folder": str(trained.folder),
        "is_new": trained.is_new,
        "is_in_use": trained.is_in_use,
        "is_degraded": trained.is_degraded,
        "provenance": bundle.provenance,
        "metrics": bundle.metrics,
        "thresholds": {name: asdict(t) for name, t in bundle.thresholds.items()},
        "proposal": trained.proposal.as_dict() if trained.proposal else None,
        "recorded": recorded_facts(trained.recorded),
        "notes": list(trained.notes),
    }


def _contest(contest: dict[str, Any], ships: str) -> list[str]:
    periods = contest["periods"]
    n_test = sum(period["n_test"] for period in periods)
    head = (
        f"judged on {n_test:,} later snapshots from {len(periods)} past origins, "
        f"{periods[0]['origin'][:10]} to {periods[-1]['end'][:10]}:"
    )
    lift = f"lift {contest['taken']:.0%}"
    table = [
        f"{'':<10}{'log loss':<19}{'AUC':<17}{'avg precision':<17}{lift:>8}",
        *(_candidate(row, ships) for row in contest["candidates"]),
    ]
    return [*wrapped(head), *table, "* ships; intervals: 95 %, by lead or account"]


def _candidate(row: dict[str, Any], winner: str) -> str:
    mark = "*" if row["name"] == winner else " "
    loss, auc, precision = (
        _bounded(row[name]) for name in ("log_loss", "auc", "average_precision")
    )
    lift = row["lift_at_capacity"]
    shown = "-" if lift is None else f"{lift:.1f}"
    return f"{row['name']:<9}{mark}{loss:<19}{auc:<17}{precision:<17}{shown:>8}"


def _bounded(measured: tuple[float, float, float] | None) -> str:
    if measured is None:
        return "-"
    value, low, high = (f"{x:.3f}".removeprefix("0") for x in measured)
    return f"{value} [{low} {high}]"


def _labels(trained: Trained) -> list[str]:
    thresholds = trained.bundle.thresholds
    lines = []
    for label in ("SQL", "MQL"):
        if label in thresholds:
            threshold = thresholds[label]
            at = (
                "not issued by probability"
                if threshold.probability is None
                else f"from {threshold.probability:.1%}"
            )
            lines += wrapped(f"{label} {at}: {threshold.because}", indent="  ")
    waiting = trained.bundle.metrics.get("quarantine") or {}
    days = trained.bundle.agreement.quarantine_days
    for said in quarantine_words(waiting, days):
        lines += wrapped(said, indent="  ")
    return lines or ["no label is issued by probability"]


def _next_step(trained: Trained) -> list[str]:
    model_id = trained.bundle.model_id
    if not trained.is_new:
        first = f"nothing to do: {trained.folder} has the same data, agreement and code"
    else:
        first = f"written to {trained.folder}"
    if trained.is_in_use:
        return [first, "it is the model in use"]
    command = f"leadscore promote {model_id} --models {trained.folder.parent}"
    proposal = trained.proposal
    if proposal is None or proposal.is_better:
        return [first, f"to use it: {command}"]
    all_the_same = "to use it all the same, say why:"
    return [first, all_the_same, f'  {command} --because "..."']
