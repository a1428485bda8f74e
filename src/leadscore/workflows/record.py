"""Record: what one training leaves in the tracking store, as facts and figures."""

from __future__ import annotations

from pathlib import Path

from leadscore import tracking
from leadscore.bundle import Bundle

__all__ = ["record_run", "run_facts", "run_figures"]


def record_run(bundle: Bundle, models: Path) -> str:
    """Log a bundle as one run; return where, or why not."""
    name = f"{bundle.model_id} retrain"
    return tracking.log_run(name, run_facts(bundle), run_figures(bundle), models)


def run_facts(bundle: Bundle) -> dict[str, str]:
    """Return the tags of a run: what was trained, on what, until when."""
    provenance = bundle.provenance
    facts = {
        "model_id": bundle.model_id,
        "agreement_version": bundle.agreement.version,
        "data_up_to": provenance["data_end"],
        "first_as_of": provenance["first_as_of"],
        "last_as_of": provenance["last_as_of"],
        "winner": bundle.model.name if bundle.model else "points, not calibrated",
        "degraded": provenance["degraded"],
        "code_digest": provenance["code_digest"][:12],
    }
    return {name: str(value) for name, value in facts.items()}


def run_figures(bundle: Bundle) -> dict[str, float]:
    """Return the metrics of a run: the business first, ``technical/`` for the rest."""
    figures = {
        "leads": bundle.provenance["n_leads"],
        "converted": bundle.provenance["n_converted_groups"],
        "base_rate": bundle.provenance["base_rate"],
        **_label_figures(bundle),
        **_contest_figures(bundle),
    }
    return {name: float(v) for name, v in figures.items() if v is not None}


def _label_figures(bundle: Bundle) -> dict[str, float]:
    figures = {}
    for label, threshold in bundle.thresholds.items():
        if threshold.probability is not None and threshold.n_entries:
            share = threshold.n_converted / threshold.n_entries
            figures[f"{label.lower()}_rate"] = share
            figures[f"technical/{label.lower()}_threshold"] = threshold.probability
    return figures


def _contest_figures(bundle: Bundle) -> dict[str, float]:
    rows = {row["name"]: row for row in bundle.metrics.get("candidates", [])}
    if not rows:
        return {}
    best = rows[bundle.metrics["winner"]]
    technical = ("log_loss", "brier", "auc", "average_precision")
    return {
        "lift": best["lift_at_capacity"],
        "precision": best["precision_at_capacity"][1],
        "points_lift": rows["points"]["lift_at_capacity"],
        "share_worked": bundle.metrics["taken"],
        **{f"technical/{name}": best[name][0] for name in technical},
    }
