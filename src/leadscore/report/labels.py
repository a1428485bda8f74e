"""What each label promises, by the road on which leads come to it."""

from __future__ import annotations

from leadscore.agreement import Agreement, LabelRule
from leadscore.bundle import Bundle
from leadscore.policy import Threshold
from leadscore.quarantine import quarantine_words
from leadscore.report.document import Cell, Column, Lines, Section, Table
from leadscore.report.words import listed, percent, span

__all__ = ["labels_section"]

_DASH = "\N{EN DASH}"
_COLUMNS = (
    Column("label"),
    Column("road"),
    Column("promised", is_number=True),
    Column("from probability", is_number=True),
    Column("leads entered", is_number=True),
    Column("converted", is_number=True),
    Column("share, interval", is_number=True),
)


def labels_section(bundle: Bundle) -> Section:
    """Return promises and their proof; a label that is not issued says why."""
    rows = [
        _nurtured(bundle.thresholds[name], getattr(bundle.agreement.labels, name))
        for name in ("SQL", "MQL")
        if name in bundle.thresholds
    ]
    rows += _raised(bundle)
    silent = [t.because for t in bundle.thresholds.values() if t.probability is None]
    caption = "Labels, what they promise, and the leads that proved it"
    tables = (Table(caption, _COLUMNS, tuple(rows), form="cards"),)
    return Section(
        "What does each label promise?",
        paragraphs=(
            _roads(bundle.agreement),
            *(_reading(bundle) if bundle.thresholds else (_nothing(bundle.agreement),)),
            *silent,
        ),
        tables=tables if rows else (),
    )


def _roads(agreement: Agreement) -> str:
    asked = listed([kind.replace("_", " ") for kind in agreement.hand_raise.kinds])
    raised = f"hand-raised, if they asked to be contacted ({asked})" if asked else ""
    by_probability = "nurtured, if their probability is high enough"
    roads = " or ".join(filter(None, [raised, by_probability]))
    return f"Leads come to a label by a road: {roads}."


def _reading(bundle: Bundle) -> tuple[str, ...]:
    """Return the promises in full, and how they were proven."""
    issued = [t for t in bundle.thresholds.values() if t.probability is not None]
    promised = [t for t in issued if t.precision is not None]
    if not issued:
        asked = bool(bundle.agreement.hand_raise.kinds)
        n_raised = asked and (bundle.metrics.get("hand_raised") or {}).get("n", 0)
        return (*_nobody(bundle), _MEASURED) if n_raised else _nobody(bundle)
    conversion = bundle.agreement.conversion
    said = [
        f"{_promise(t)} convert within {conversion.horizon_days} days, with "
        f"{percent(t.confidence)} confidence. Valid until {t.expires[:10]}."
        for t in promised
    ]
    return (*said, f"{_MEASURED} {_PROVEN}" if promised else _MEASURED, *_moves(bundle))


_MEASURED = (
    "The shares below were measured on leads that had not taught the model. Their past "
    "lists were replayed as they would have been scored; each lead counts once, when "
    "it first entered, and who stood in the label before the period does not count."
)
_PROVEN = (
    "The thresholds to try were fixed before, and tried from strict to loose until the "
    "exact test failed once: a promise that does not hold is made at most as often as "
    "its confidence allows. Nothing is promised of leads that asked to be contacted: "
    "their share is measured."
)


def _promise(threshold: Threshold) -> str:
    better = " or better" if threshold.label == "MQL" else ""
    period = f"{threshold.since[:10]} to {threshold.until[:10]}"
    return (
        f"Of the leads entering {threshold.label}{better} like those of {period}, "
        f"worked as then, at least {percent(threshold.precision or 0.0)}"
    )


def _moves(bundle: Bundle) -> tuple[str, ...]:
    """Return how labels come and go."""
    agreement = bundle.agreement
    days, rest = agreement.quarantine_days, agreement.movement.rest_days
    waits = f"after {days} days above its threshold" if days else "at once"
    keep = percent(agreement.movement.keep_share)
    return (
        f"A label by probability is issued {waits}, and kept down to {keep} of the "
        f"threshold. After a rejection by sales, or an unsubscription, none is issued "
        f"or kept for {rest} days.",
        *quarantine_words(bundle.metrics.get("quarantine") or {}, days),
    )


def _nobody(bundle: Bundle) -> tuple[str, ...]:
    """Return who becomes SQL where no label is issued by probability."""
    if any(t.probability is not None for t in bundle.thresholds.values()):
        return ()
    if bundle.agreement.hand_raise.kinds:
        return ()
    return ("No label is issued by probability: no lead becomes SQL.",)


def _nothing(agreement: Agreement) -> str:
    if agreement.hand_raise.kinds:
        return (
            "No label is issued by probability yet. Raised hands still go to sales, "
            "and the points order the rest."
        )
    return (
        "No label is issued by probability yet, and no kind of interaction counts as "
        "a raised hand: no lead becomes SQL, and the points order the list."
    )


def _nurtured(threshold: Threshold, rule: LabelRule) -> tuple[Cell, ...]:
    name = "MQL or better" if threshold.label == "MQL" else threshold.label
    aim = _DASH if threshold.precision is None else percent(threshold.precision)
    if rule.precision is None:
        weekly = f"{rule.capacity_per_week:g} a week"
        aim = weekly if threshold.precision is None else f"{aim}, {weekly}"
    elif threshold.precision is None:
        aim = f"{percent(rule.precision)} not proven"
    if threshold.probability is None:
        return (name, "nurtured", aim, "not issued", _DASH, _DASH, _DASH)
    return (
        name,
        "nurtured",
        aim,
        f"{threshold.probability:.1%}",
        f"{threshold.n_entries:,}",
        f"{threshold.n_converted:,}",
        _share(threshold, rule),
    )


def _share(threshold: Threshold, rule: LabelRule) -> Cell:
    if threshold.n_entries == 0:
        return _DASH
    share = threshold.n_converted / threshold.n_entries
    interval = span((share, threshold.low, threshold.high))
    return Lines((percent(share), f"{interval} ({percent(rule.confidence)})"))


def _raised(bundle: Bundle) -> list[tuple[Cell, ...]]:
    found = bundle.metrics.get("hand_raised")
    if not found or not bundle.agreement.hand_raise.kinds:
        return []
    n, n_converted = int(found["n"]), int(found["n_converted"])
    share: Cell = _DASH
    if n:
        interval = span((n_converted / n, found["low"], found["high"]))
        share = Lines((percent(n_converted / n), f"{interval} (95%)"))
    return [
        ("SQL", "hand-raised", _DASH, "any", f"{n:,}", f"{n_converted:,}", share),
    ]
