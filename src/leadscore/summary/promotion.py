"""The summary of a promotion: what is in use, and what it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    from leadscore.bundle import Bundle
    from leadscore.workflows.promote import Promoted

__all__ = ["promote_facts", "promote_lines"]

_SHOWN = 23  # characters of a name
_ROWS = (
    ("data up to", "data_up_to", "{}"),
    ("agreement", "agreement", "{}"),
    ("predicts", "predicts", "{}"),
    ("within days", "horizon_days", "{}"),
    ("learner", "learner", "{}"),
    ("leads", "leads", "{:,}"),
    ("converted", "converted", "{:,}"),
    ("base rate", "base_rate", "{:.1%}"),
    ("log loss", "log_loss", "{:.3f}"),
    ("AUC", "auc", "{:.3f}"),
    ("of those worked, convert", "precision", "{:.1%}"),
    ("  with points alone", "points_precision", "{:.1%}"),
    ("SQL from", "sql_from", "{:.1%}"),
    ("MQL from", "mql_from", "{:.1%}"),
)


def promote_lines(promoted: Promoted) -> list[str]:
    """Return what is in use now, beside what was."""
    model_id = promoted.bundle.model_id
    if not promoted.is_new:
        lines = wrapped(
            f"{model_id} is in use already, version {promoted.version}; nothing to do"
        )
        return [*lines, *notes(promoted.notes)]
    lines = [f"{model_id} is in use now: version {promoted.version}, champion"]
    if promoted.before_id:
        lines += [f"before: {promoted.before_id}", "", *_table(promoted), ""]
        lines += _compared(promoted)
        lines += wrapped(f"to go back: leadscore promote {promoted.way_back}")
    degraded = promoted.bundle.provenance["degraded"]
    lines += wrapped(f"note: {degraded}") if degraded else []
    return [*lines, *notes(promoted.notes)]


def promote_facts(promoted: Promoted) -> dict[str, Any]:
    """Return the same as plain data."""
    before = promoted.before
    return {
        "model_id": promoted.bundle.model_id,
        "version": promoted.version,
        "is_new": promoted.is_new,
        "before": promoted.before_id or None,
        "because": promoted.because or None,
        "proposal": promoted.proposal.as_dict() if promoted.proposal else None,
        "now_figures": _figures(promoted.bundle),
        "before_figures": None if before is None else _figures(before),
        "notes": list(promoted.notes),
    }


def _compared(promoted: Promoted) -> list[str]:
    lines = []
    if promoted.proposal is not None:
        said = promoted.proposal.compared_said()
        lines += wrapped(f"On the same later data it is {said}.")
    if promoted.because:
        lines += wrapped(f"put into use because: {promoted.because}", indent="  ")
    return lines


def _table(promoted: Promoted) -> list[str]:
    now = _figures(promoted.bundle)
    before = _figures(promoted.before) if promoted.before else {}
    lines = [f"{'':<26}{'before':>24}{'now':>24}"]
    for words, key, form in _ROWS:
        shown = [_shown(figures.get(key), form) for figures in (before, now)]
        lines.append(f"{words:<26}{shown[0]:>24}{shown[1]:>24}")
    lines += wrapped("Each was judged on the later part of its own data.")
    if before and not _predict_the_same(before, now):
        differ = "They predict different things: their figures cannot be compared."
        lines += wrapped(differ)
    return lines


def _predict_the_same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    return all(before[key] == now[key] for key in ("predicts", "horizon_days"))


def _shown(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)[:_SHOWN]


def _figures(bundle: Bundle) -> dict[str, Any]:
    candidates = {row["name"]: row for row in bundle.metrics.get("candidates", [])}
    best = candidates.get(bundle.metrics.get("winner", ""))
    thresholds = bundle.thresholds
    figures: dict[str, Any] = {
        "data_up_to": bundle.provenance["data_end"][:10],
        "learner": bundle.model.name if bundle.model else "points only",
        "agreement": bundle.agreement.version,
        "predicts": bundle.agreement.conversion.stage,
        "horizon_days": bundle.agreement.conversion.horizon_days,
        "base_rate": bundle.provenance["base_rate"],
        "leads": bundle.provenance["n_leads"],
        "converted": bundle.provenance["n_converted_groups"],
    }
    for label in ("SQL", "MQL"):
        if label in thresholds:
            figures[f"{label.lower()}_from"] = thresholds[label].probability
    if best is not None:
        points = candidates["points"]
        figures |= {
            "log_loss": best["log_loss"][0],
            "auc": best["auc"][0],
            "precision": best["precision_at_capacity"][1],
            "points_precision": points["precision_at_capacity"][1],
        }
    return figures
