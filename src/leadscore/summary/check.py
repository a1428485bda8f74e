"""The summary of a check: one page on what can be trained, and what to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from leadscore.kept_apart import machines_said
from leadscore.summary.lines import notes, wrapped
from leadscore.summary.proving import proof_facts, proof_lines, undated_facts
from leadscore.tables import n_known_from

if TYPE_CHECKING:
    from leadscore.workflows.check import Checked

__all__ = ["check_facts", "check_lines", "refusal"]

_VERDICTS = {
    "model": "A model can be trained and judged",
    "points": "The points can serve alone, as a probability",
    "nothing": "Nothing can be learned; the points serve without a probability",
    "refused": "Training would refuse this data",
}
_SHOWN_KINDS = 12
_SHOWN_REASONS = 6
_SHOWN_ATTRIBUTES = 20


def check_lines(checked: Checked, *, with_columns: bool = False) -> list[str]:
    """Return one page: the verdict first, then what it rests on, then advice.

    Parameters
    ----------
    checked : Checked
    with_columns : bool, default=False
        Also say of every column whether it is proven not to see the future.
    """
    verdict = f"{_VERDICTS[checked.verdict]}: {checked.why.rstrip('.')}."
    lines = [
        *wrapped(verdict),
        "",
        *_rows(checked),
        "",
        *_span(checked),
        *_snapshots(checked),
        *_delays(checked),
        *_origins(checked),
        *_labels(checked),
        "",
        *_attributes(checked),
        *_kinds(checked),
        "",
        *proof_lines(checked.proof, checked.undated, with_columns=with_columns),
    ]
    if checked.suspicious:
        lines += ["", "suspicious, because they know too much:"]
        for found in checked.suspicious:
            lines += wrapped(f"- {found.name}: {found.reason}", indent="  ")
    if checked.advice:
        lines += ["", "to do, or to know:"]
        lines += notes(tuple(_sentence(a) for a in checked.advice))
    return [*lines, "", *_next(checked)]


def _rows(checked: Checked) -> list[str]:
    """Return the rows used and set aside of each table, and the reasons."""
    tables = checked.tables
    lines = notes((*(counts.said for counts in tables.counts), _end(checked)))
    reasons = tables.rejects.groupby(["file", "reason"]).size()
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    for (file, reason), n in ranked[:_SHOWN_REASONS]:
        lines += wrapped(f"  set aside in {file}: {n:,} rows, {reason}", indent="    ")
    return lines


def _end(checked: Checked) -> str:
    """Return where the end of the data comes from."""
    tables = checked.tables
    end = tables.data_end.isoformat()
    if checked.agreement.source.data_end is None:
        return f"data_end is not given; the latest known_at was taken, {end}."
    frames = (tables.leads, tables.outcomes)
    n_later = n_known_from(frames, tables.interactions, tables.data_end)
    return f"data_end is given, {end}; {n_later:,} rows are known then or later."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _span(checked: Checked) -> list[str]:
    leads, end = checked.tables.leads, checked.tables.data_end
    first = leads["created_at"].min()
    days = (end - first).days
    return wrapped(
        f"time: leads from {first.date()} on, data up to {end.date()} ({days:,} days)"
    )


def _snapshots(checked: Checked) -> list[str]:
    counts = checked.counts
    lines = wrapped(
        f"leads: {counts['n_leads']:,}, of which {counts['n_snapshot_leads']:,} with "
        f"{counts['n_snapshots']:,} mature snapshots; {counts['n_immature_leads']:,} "
        "without one (too new, too old, objecting, or decided before the first look)",
        indent="  ",
    )
    rate = counts["base_rate"]
    said = "" if math.isnan(rate) else f", base rate {rate:.1%} of the snapshots"
    lines += wrapped(
        f"converted: {counts['n_converted']:,} leads (accounts){said}", indent="  "
    )
    for reason, n in checked.set_aside.items():
        lines += wrapped(f"  set aside: {n:,} snapshots, {reason}", indent="  ")
    return lines


def _delays(checked: Checked) -> list[str]:
    delays, horizon = checked.delays, checked.agreement.conversion.horizon_days
    if not delays:
        return []
    return wrapped(
        f"from creation to conversion: half within {delays['median']:.1f} days, 80 % "
        f"within {delays['p80']:.1f}, 95 % within {delays['p95']:.1f}; the horizon is "
        f"{horizon} days",
        indent="  ",
    )


def _origins(checked: Checked) -> list[str]:
    lines = []
    for origin in checked.origins:
        lines += wrapped(
            f"origin {origin['origin'][:10]}: fits on {origin['n_fit_converted']:,} "
            f"converted leads, tests on {origin['n_test_converted']:,} until "
            f"{origin['end'][:10]}",
            indent="  ",
        )
    return lines or ["past origins to judge at: none"]


def _labels(checked: Checked) -> list[str]:
    lines = []
    for label in checked.labels:
        enough = "enough" if label["is_possible"] else "too few"
        lines += wrapped(
            f"{label['label']}, {enough} held-out leads to set a threshold on, "
            f"roughly: {label['because']}",
            indent="  ",
        )
    return lines


def _attributes(checked: Checked) -> list[str]:
    if not checked.attributes:
        return ["attributes: none"]
    lines = [f"{'attribute':<32}{'kind':<16}{'leads':>10}{'values':>10}"]
    lines += [
        f"{found['name'][:31]:<32}{found['kind']:<16}{found['n_leads']:>10,}"
        f"{found['n_words']:>10,}"
        for found in checked.attributes[:_SHOWN_ATTRIBUTES]
    ]
    return [*lines, *_more(len(checked.attributes) - _SHOWN_ATTRIBUTES)]


def _kinds(checked: Checked) -> list[str]:
    if not checked.kinds:
        return ["interactions: none"]
    lines = ["", f"{'kind of interaction':<38}{'rows':>10}{'leads':>10}  stands as"]
    lines += [
        f"{found['kind'][:37]:<38}{found['n_rows']:>10,}{found['n_leads']:>10,}"
        f"  {found['stands']}"
        for found in checked.kinds[:_SHOWN_KINDS]
    ]
    lines += _more(len(checked.kinds) - _SHOWN_KINDS)
    if checked.machines["n_rows"]:
        said = f"machines: {machines_said(checked.machines)} are kept apart"
        lines += wrapped(said, indent="  ")
    return lines


def _more(n: int) -> list[str]:
    return [f"  and {n} more"] if n > 0 else []


def _next(checked: Checked) -> list[str]:
    if checked.verdict == "refused" or not checked.is_proven:
        return ["next: repair what is said above, then check again"]
    return [f"next: leadscore train {checked.data}"]


def refusal(checked: Checked) -> str:
    """Return in one sentence why the data is refused, for a job that is quiet."""
    if not checked.is_trainable:
        return checked.why
    return (
        f"not proven for {checked.data}: that no column sees the future. Run "
        "`leadscore check` without --quiet to see which."
    )


def check_facts(checked: Checked) -> dict[str, Any]:
    """Return the same as plain data."""
    rate = checked.counts["base_rate"]
    counts = checked.counts | {"base_rate": None if math.isnan(rate) else rate}
    return {
        "verdict": checked.verdict,
        "why": checked.why,
        "is_trainable": checked.is_trainable,
        "is_degraded": checked.is_degraded,
        "notes": list(checked.tables.notes),
        "n_rejects": len(checked.tables.rejects),
        "data_end": checked.tables.data_end.isoformat(),
        "counts": counts,
        "set_aside": checked.set_aside,
        "delays": checked.delays,
        "origins": checked.origins,
        "labels": checked.labels,
        "attributes": checked.attributes,
        "kinds": checked.kinds,
        "machines": checked.machines,
        "point_in_time": proof_facts(checked.proof),
        "facts_without_known_at": undated_facts(checked.undated),
        "suspicious": [
            {"name": d.name, "reason": d.reason} for d in checked.suspicious
        ],
        "advice": list(checked.advice),
    }
