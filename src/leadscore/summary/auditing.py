"""The summary of an audit: one card a promise, in marketing's words."""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.summary.lines import notes, wrapped
from leadscore.workflows.audit_log import verdict_facts

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.audit import Audit, Verdict
    from leadscore.ledger import Verified
    from leadscore.realised import Cohort
    from leadscore.workflows.audit import Audited

__all__ = [
    "audit_degraded",
    "audit_facts",
    "audit_lines",
    "ledger_facts",
    "ledger_lines",
]

_WORD = 11  # characters for a verdict
_INDENT = " " * _WORD


def audit_lines(audited: Audited) -> list[str]:
    """Return the audit: the cards, then the other road, then where it was logged."""
    audit, zone = audited.audit, audited.bundle.agreement.zone
    at = audit.at.tz_convert(zone)
    lines = [f"audit as of {at:%Y-%m-%d %H:%M} ({zone})"]
    lines += ledger_lines(audited.verified, audited.ledger)
    lines += [""]
    for verdict in audit.verdicts:
        lines += _card(verdict, zone)
    lines += _erased(audited)
    lines += _hand_raised(audit.hand_raised, zone)
    lines += ["", *(line for said in _nothing_yet(audited) for line in wrapped(said))]
    lines += [*_logged(audited), *notes(audited.notes)]
    degraded = audit_degraded(audit, zone)
    return [*lines, *(_held(f"DEGRADED: {degraded}") if degraded else [])]


def audit_facts(audited: Audited) -> dict[str, Any]:
    """Return the same as plain data."""
    audit, log = audited.audit, audited.log
    zone = audited.bundle.agreement.zone
    return {
        "as_of": audit.at.isoformat(),
        "ledger": ledger_facts(audited.verified, audited.ledger),
        "promises": [verdict_facts(verdict) for verdict in audit.verdicts],
        "hand_raised": audit.hand_raised.facts,
        "n_erased_leads": audited.n_erased_leads,
        "is_degraded": audit.is_degraded,
        "degraded": audit_degraded(audit, zone),
        "logged": {"store": log.store, "runs": log.runs, "why_not": log.why_not},
        "notes": [*_nothing_yet(audited), *audited.notes],
    }


def audit_degraded(audit: Audit, zone: zoneinfo.ZoneInfo) -> str:
    """Return which promises are broken or suspended; empty: none."""
    said = []
    for verdict in audit.verdicts:
        name = f"{_promised(verdict)} (model {verdict.promise['model_version']})"
        if verdict.broken_since is not None:
            said.append(f"{name} is broken since {_day(verdict.broken_since, zone)}")
        elif verdict.is_suspended and verdict.expires is not None:
            said.append(f"{name} expired on {_day(verdict.expires, zone)}")
    return "; ".join(said)


def ledger_lines(verified: Verified, ledger: Path) -> list[str]:
    """Return what a ledger holds, and what is wrong with it."""
    n = len(verified.problems)
    found = f"{n:,} problem{'s' * (n != 1)}"
    state = f"NOT as it was written ({found})" if n else "all as it was written"
    erased = f", {verified.n_erased:,} erased on request" if verified.n_erased else ""
    runs = f"{verified.n_runs:,} run{'s' * (verified.n_runs != 1)}"
    rows = f"{verified.n_rows:,} row{'s' * (verified.n_rows != 1)}"
    held = f"{runs}, {rows}{erased}; {state}"
    next_ = "Restore the ledger and its head file from the same backup."
    said = (*verified.problems, next_) if n else ()
    return [f"ledger {ledger}", *wrapped(f"  {held}"), *notes(said)]


def ledger_facts(verified: Verified, ledger: Path) -> dict[str, Any]:
    """Return the same as plain data."""
    return {"path": str(ledger)} | vars(verified) | {"is_whole": not verified.problems}


def _held(text: str, *, indent: str = "") -> list[str]:
    """Return wrapped lines in which no number is parted from its per cent."""
    kept = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = wrapped(kept, indent=indent)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _card(verdict: Verdict, zone: zoneinfo.ZoneInfo) -> list[str]:
    cohort = verdict.cohort
    counted = _counted(cohort, zone, so_far=verdict.word == "TOO EARLY")
    first = f"{verdict.word:<{_WORD}}{_promised(verdict)}: {counted}"
    said = [*_why(verdict, zone), *_aside(cohort)]
    rest = f"model {verdict.promise['model_version']}"
    period = verdict.promise.get("period")
    if period:
        rest += f", promised of leads like those of {_dates(period)}"
    lines = _held(first, indent=_INDENT)
    for sentence in (*said, rest):
        lines += _held(f"{_INDENT}{sentence}", indent=_INDENT)
    return lines


def _promised(verdict: Verdict) -> str:
    promise = verdict.promise
    better = " or better" if promise["label"] == "MQL" else ""
    return f"{promise['label']}{better} at least {100 * promise['precision']:.4g} %"


def _counted(cohort: Cohort, zone: zoneinfo.ZoneInfo, *, so_far: bool = False) -> str:
    """Return the counts in words; the interval is the exact one of the share."""
    if cohort.first_as_of is None:
        gone = f" of which the tables know ({cohort.n_entries:,} others)"
        return f"nobody entered{gone if cohort.n_entries else ''}"
    if cohort.share is None:
        said = f"none of {cohort.n_entries:,} has had its time yet"
    else:
        share = f"{_percent(cohort.share)}, {_percent(cohort.low)} to "
        share += _percent(cohort.high)
        said = f"{cohort.n_converted:,} of {cohort.n_matured:,} converted"
        said += f"{' so far' * so_far} ({share})"
    return f"{said}, entered {_months(cohort, zone)}, {_still_open(cohort)}"


def _still_open(cohort: Cohort) -> str:
    if not cohort.n_open:
        return "all matured"
    return (
        f"{cohort.n_open:,} of {cohort.n_entries:,} still open "
        f"({_percent(cohort.share_open)})"
    )


def _why(verdict: Verdict, zone: zoneinfo.ZoneInfo) -> list[str]:
    """Return what the verdict rests on, and what follows from it."""
    confidence = f"{100 * verdict.promise['confidence']:.4g} %"
    said = []
    if verdict.broken_since is not None:
        next_ = "; score issues no label by it any more: train again"
        since = f"broken since {_day(verdict.broken_since, zone)}"
        said.append(since + next_ * verdict.is_in_use)
        if verdict.bound < verdict.promise["precision"]:
            said.append(
                f"the true share is below {_percent(verdict.bound)}, {confidence} "
                "confidence, on whatever day it is read"
            )
    elif verdict.word == "MISSED":
        said.append(
            "below the promise, but within chance: the true share may be up to "
            f"{_percent(verdict.bound)} ({confidence} confidence)"
        )
    elif verdict.word == "TOO EARLY":
        said.append(_when(verdict, zone))
    if verdict.is_in_use and verdict.is_expired and verdict.expires is not None:
        when = _day(verdict.expires, zone)
        said.append(f"suspended: it expired on {when}; train again")
    return said


def _when(verdict: Verdict, zone: zoneinfo.ZoneInfo) -> str:
    """Return what is waited for."""
    cohort = verdict.cohort
    is_open = verdict.is_in_use and not verdict.is_expired
    if cohort.first_mature_at is None or cohort.last_mature_at is None:
        return "nothing to judge" if not is_open else "no lead has entered yet"
    first, last = (
        _day(d, zone) for d in (cohort.first_mature_at, cohort.last_mature_at)
    )
    until = "its model is replaced or the promise expires"
    if cohort.share is None:
        return f"the first matures on {first}; no verdict is possible before"
    if is_open:
        expires = f" ({_day(verdict.expires, zone)})" if verdict.expires else ""
        return f"leads may still enter until {until}{expires}"
    return f"the last one matures on {last}" if cohort.n_open else "nothing to judge"


def _aside(cohort: Cohort) -> list[str]:
    said = [f"set aside: {n:,} {reason}" for reason, n in cohort.set_aside.items()]
    if cohort.n_known_late:
        said.append(
            f"{cohort.n_known_late:,} conversion{'s' * (cohort.n_known_late != 1)} "
            "became known only after the "
            "reporting lag: a longer one in the agreement would judge more surely"
        )
    return said


def _hand_raised(cohort: Cohort, zone: zoneinfo.ZoneInfo) -> list[str]:
    said = f"{'measured':<{_WORD}}SQL by a raised hand, nothing promised: "
    lines = _held(said + _counted(cohort, zone), indent=_INDENT)
    for sentence in _aside(cohort):
        lines += _held(f"{_INDENT}{sentence}", indent=_INDENT)
    return lines


def _erased(audited: Audited) -> list[str]:
    """Return of how many leads the verdicts know nothing any more."""
    lines = []
    for model, n in audited.n_erased_leads.items():
        said = (
            f"{'erased':<{_WORD}}{n:,} lead{'s' * (n > 1)} of the lists of model "
            f"{model}, on request: whoever of them had entered is counted nowhere above"
        )
        lines += _held(said, indent=_INDENT)
    return lines


def _nothing_yet(audited: Audited) -> list[str]:
    """Return why there is no verdict, and the next step; nothing where there is one."""
    audit, zone = audited.audit, audited.bundle.agreement.zone
    if not audited.verified.n_runs:
        return ["The ledger holds no list yet. Next: leadscore score issues one."]
    if not audit.verdicts:
        return [
            "No promise was made: no label is issued by probability. Next: leadscore "
            "train, which says how many more outcomes a promise needs."
        ]
    if any(v.cohort.n_matured for v in audit.verdicts):
        return []
    firsts = [v.cohort.first_mature_at for v in audit.verdicts]
    known = [first for first in firsts if first is not None]
    if not known:
        return ["No lead has entered a promised label yet: there is nothing to judge."]
    return [
        "Nothing has matured yet. The first verdict is possible on "
        f"{_day(min(known), zone)}; audit again then."
    ]


def _logged(audited: Audited) -> list[str]:
    log = audited.log
    if log.why_not:
        return wrapped(f"NOT LOGGED: {log.why_not}", indent="  ")
    lines = [
        line
        for model, run in log.runs.items()
        for line in wrapped(f"logged on the run of model {model}: {run}", indent="  ")
    ]
    for model in log.missing:
        lines += wrapped(
            f"not logged: {log.store} has no run of model {model}; `leadscore log "
            f"{model}` makes one",
            indent="  ",
        )
    return lines


def _percent(share: float) -> str:
    is_tiny = 0 < share < 0.01 or 0.99 < share < 1
    return f"{100 * share:.{1 if is_tiny else 0}f} %"


def _months(cohort: Cohort, zone: zoneinfo.ZoneInfo) -> str:
    """Return when the cohort entered: Jan to Mar 2026."""
    if cohort.first_as_of is None or cohort.last_as_of is None:
        return "never"
    first, last = (d.tz_convert(zone) for d in (cohort.first_as_of, cohort.last_as_of))
    end = f"{last:%b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return end
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first:%b}{year} to {end}"


def _day(instant: pd.Timestamp, zone: zoneinfo.ZoneInfo) -> str:
    return f"{instant.tz_convert(zone):%Y-%m-%d}"


def _dates(period: list[str]) -> str:
    first, last = (text[:10] for text in period)
    return f"{first} to {last}"
