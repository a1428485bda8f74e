"""Record: what one training leaves in the tracking store, and under which alias.

Goes in: a bundle. Comes out: a run, a version of the registered model, and where they
stand. All of it follows from the bundle and the proposal kept beside it, so a training
that could not be logged is logged later just the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from leadscore import tracking
from leadscore.bundle import Bundle
from leadscore.errors import LeadscoreError
from leadscore.report import markdown, page, report_of
from leadscore.workflows.kept_proposal import kept_proposal
from leadscore.workflows.live import describe_live, name_version

__all__ = [
    "Recorded",
    "log_model",
    "record_run",
    "run_candidates",
    "run_facts",
    "run_figures",
]


@dataclass(frozen=True)
class Recorded:
    """Where a training stands in the tracking store.

    Parameters
    ----------
    store : str
        The address of the store.
    run_id, version, alias : str
        Empty where it was not logged; the alias also where the version has none.
    is_new : bool
        False: it had been logged before.
    why_not : str
        Why it was not logged, and what to do; else empty.
    """

    store: str
    run_id: str = ""
    version: str = ""
    alias: str = ""
    is_new: bool = False
    why_not: str = ""


def record_run(bundle: Bundle, models: Path, *, now: pd.Timestamp | None) -> Recorded:
    """Log a bundle; a store that does not take it costs the log, never the bundle.

    Parameters
    ----------
    bundle : Bundle
    models : Path
    now : Timestamp or None
        Since when the model is live, if it is; None: not said.
    """
    try:
        return log_model(bundle, models, now=now)
    except LeadscoreError as error:
        return Recorded(tracking.store_name(models), why_not=str(error))


def log_model(bundle: Bundle, models: Path, *, now: pd.Timestamp | None) -> Recorded:
    """Log a bundle as one run and one version, unless that was done before.

    Raises
    ------
    BusyError, InputError, OutputError, StorageError
        The store did not take it.
    """
    record = _record(bundle, models)  # not the store's fault if this fails
    with tracking.opened(models) as store:
        logged = tracking.log_run(store, record)
        alias = name_version(store, logged, models, now=now)
        if _log_proposal(store, logged, record, models) or logged.is_new:
            describe_live(store, models, known=bundle)
    version = logged.version
    where = tracking.store_name(models)
    return Recorded(where, logged.run_id, version.number, alias, logged.is_new)


def _log_proposal(
    store: tracking.Store,
    logged: tracking.Logged,
    record: tracking.Record,
    models: Path,
) -> bool:
    """Log what it would change, if it was compared; return whether that is news."""
    proposal = kept_proposal(models, record.bundle.model_id)
    if proposal is None:
        return False
    said = (
        proposal.compared_said(),
        proposal.entries_said(),
        *proposal.thresholds_said(),
    )
    items = "\n".join(f"- {sentence}" for sentence in said if sentence)
    words = f"{record.words}\n\nWhat it would change:\n\n{items}"
    wanted = tracking.ProposalRecord(proposal.verdict, words, proposal.as_dict())
    return tracking.log_proposal(store, logged.version, wanted)


def _record(bundle: Bundle, models: Path) -> tracking.Record:
    report = report_of(bundle)
    return tracking.Record(
        bundle,
        models / bundle.model_id,
        f"{bundle.provenance['data_end'][:10]} retrain {bundle.model_id[-8:]}",
        run_facts(bundle),
        run_figures(bundle),
        _settings(bundle),
        run_candidates(bundle),
        bundle.provenance["data_digests"],
        partial(page, report),
        markdown(report),
    )


def run_facts(bundle: Bundle) -> dict[str, str]:
    """Return the tags of a run: what was trained, on what, until when."""
    provenance = bundle.provenance
    facts = {
        "model_id": bundle.model_id,
        "status": "trained",
        "agreement_version": bundle.agreement.version,
        "data_up_to": provenance["data_end"][:10],
        "data_end": provenance["data_end"],
        "first_as_of": provenance["first_as_of"],
        "last_as_of": provenance["last_as_of"],
        "winner": bundle.model.name if bundle.model else "points, not calibrated",
        "degraded": provenance["degraded"],
        "code_digest": provenance["code_digest"][:12],
        # MLflow shows these under names of its own.
        "mlflow.source.name": "leadscore train",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": provenance["git"]["commit"],
        "git_commit": provenance["git"]["commit"],
        "git_changed": provenance["git"]["changed"],
    }
    digests = provenance["data_digests"] | provenance.get("function_digests", {})
    facts |= {f"sha256/{name}": digest for name, digest in digests.items()}
    return {name: str(value) for name, value in facts.items() if value}


def run_figures(bundle: Bundle) -> dict[str, float]:
    """Return the metrics of a run: the business first, ``technical/`` for the rest."""
    figures = {
        "leads": bundle.provenance["n_leads"],
        "converted": bundle.provenance["n_converted_groups"],
        "base_rate": bundle.provenance["base_rate"],
        **_label_figures(bundle),
        **_contest_figures(bundle),
    }
    return {
        # MLflow shows all digits that there are; marketing reads three.
        name: float(v) if "/" in name else round(float(v), 3)
        for name, v in figures.items()
        if v is not None
    }


def run_candidates(bundle: Bundle) -> pd.DataFrame:
    """Return the contest as a table: one row a candidate, intervals beside values."""
    table = []
    for row in bundle.metrics.get("candidates", []):
        flat: dict[str, object] = {"candidate": row["name"], "may_ship": row["ships"]}
        for name in ("log_loss", "brier", "auc", "average_precision"):
            value, low, high = row[name] or (None, None, None)
            flat |= {name: value, f"{name}_low": low, f"{name}_high": high}
        flat["lift"] = row["lift_at_capacity"]
        table.append(flat)
    return pd.DataFrame(table)


def _settings(bundle: Bundle) -> dict[str, str]:
    agreement = bundle.agreement
    chosen = bundle.model.settings if bundle.model else {}
    settings = {
        "conversion_stage": agreement.conversion.stage,
        "horizon_days": agreement.conversion.horizon_days,
        "reporting_lag_days": agreement.conversion.reporting_lag_days,
        "seed": agreement.training.seed,
        **chosen,
    }
    return {name: str(value) for name, value in settings.items()}


def _label_figures(bundle: Bundle) -> dict[str, float]:
    figures = {} if bundle.model is None else {"technical/level": bundle.model.level}
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
    best, points = rows[bundle.metrics["winner"]], rows["points"]
    technical = ("log_loss", "brier", "auc", "average_precision")
    return {
        "lift": best["lift_at_capacity"],
        "precision": best["precision_at_capacity"][1],
        "points_only": points["precision_at_capacity"][1],
        "share_worked": bundle.metrics["taken"],
        **{f"technical/{name}": best[name][0] for name in technical},
        **{f"technical/points_{name}": points[name][0] for name in technical},
    }
