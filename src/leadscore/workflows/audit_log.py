"""The log of an audit: verdicts beside the models they concern.

Goes in: verdicts. Comes out: on the run of each model a tag a label in words, figures
over time, and all of it as an artifact. A store that does not take it costs the log,
never the audit.
"""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore import tracking
from leadscore.audit import Audit, Verdict
from leadscore.errors import LeadscoreError

__all__ = ["AuditLog", "log_verdicts", "verdict_facts"]


@dataclass(frozen=True)
class AuditLog:
    """Where an audit was logged.

    Parameters
    ----------
    store : str
        The address of the store.
    runs : dict of str to str
        The run by the model it is of.
    missing : tuple of str
        Models of which the store has no run.
    why_not : str
        Why nothing was logged; else empty.
    """

    store: str
    runs: dict[str, str]
    missing: tuple[str, ...] = ()
    why_not: str = ""


def log_verdicts(
    audit: Audit, models: Path, zone: zoneinfo.ZoneInfo, *, head: str
) -> AuditLog:
    """Log the verdicts on the run of each model that promised something.

    Parameters
    ----------
    audit : Audit
    models : Path
    zone : ZoneInfo
        In which days are said.
    head : str
        Of the ledger: kept outside of it, it shows whether the chain is written anew.
    """
    name = tracking.store_name(models)
    records = _records(audit, zone, head)
    if not records:
        return AuditLog(name, {})
    try:
        with tracking.opened(models) as store:
            logged = {r.model_id: tracking.log_audit(store, r) for r in records}
    except LeadscoreError as error:
        return AuditLog(name, {}, why_not=str(error))
    runs = {model: run for model, run in logged.items() if run is not None}
    missing = tuple(model for model, run in logged.items() if run is None)
    return AuditLog(name, runs, missing)


def _records(
    audit: Audit, zone: zoneinfo.ZoneInfo, head: str
) -> list[tracking.AuditRecord]:
    """Return one record a model, in the order of their first promises."""
    of_model: dict[str, list[Verdict]] = {}
    for verdict in audit.verdicts:
        of_model.setdefault(verdict.promise["model_version"], []).append(verdict)
    day = f"{audit.at.tz_convert(zone):%Y-%m-%d}"
    return [
        tracking.AuditRecord(
            model,
            audit.at,
            {f"promise_{v.promise['label']}": _words(v, day) for v in verdicts}
            | {"ledger_head": head},
            {name: value for v in verdicts for name, value in _figures(v).items()},
            {
                "as_of": audit.at.isoformat(),
                "ledger_head": head,
                "promises": [verdict_facts(v) for v in verdicts],
            },
        )
        for model, verdicts in of_model.items()
    ]


def _words(verdict: Verdict, day: str) -> str:
    cohort = verdict.cohort
    if cohort.share is None:
        return f"{verdict.word}, nobody's time is over as of {day}"
    counts = f"{cohort.n_converted} of {cohort.n_matured} ({cohort.share:.0%})"
    return f"{verdict.word}, {counts.replace('%', ' %')} as of {day}"


def _figures(verdict: Verdict) -> dict[str, float]:
    cohort, label = verdict.cohort, verdict.promise["label"].lower()
    figures = {
        "rate": cohort.share,
        "bound": verdict.bound,
        "promised": verdict.promise["precision"],
        "matured": cohort.n_matured,
        "open": cohort.n_open,
    }
    return {
        f"audit/{label}_{name}": float(value)
        for name, value in figures.items()
        if value is not None
    }


def verdict_facts(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain data."""
    cohort = verdict.cohort
    since, expires = verdict.broken_since, verdict.expires
    return {
        "promise": dict(verdict.promise),
        "verdict": verdict.word,
        **cohort.facts,
        "bound": verdict.bound,
        "broken_since": since.isoformat() if since is not None else None,
        "expires": expires.isoformat() if expires is not None else None,
        "is_expired": verdict.is_expired,
        "is_in_use": verdict.is_in_use,
        "is_suspended": verdict.is_suspended,
    }
