"""What each label meant so far, by the road on which leads came to it."""

from __future__ import annotations

from leadscore.agreement import Agreement, LabelRule
from leadscore.bundle import Bundle
from leadscore.policy import Threshold
from leadscore.report.document import Cell, Column, Lines, Section, Table
from leadscore.report.words import listed, percent, span

__all__ = ["labels_section"]

_DASH = "\N{EN DASH}"
_COLUMNS = (
    Column("label"),
    Column("road"),
    Column("aimed at", is_number=True),
    Column("from probability", is_number=True),
    Column("leads entered", is_number=True),
    Column("converted", is_number=True),
    Column("share, interval", is_number=True),
)


def labels_section(bundle: Bundle) -> Section:
    """Return aims and what came of them; a label that is not issued says why."""
    rows = [
        _nurtured(bundle.thresholds[name], getattr(bundle.agreement.labels, name))
        for name in ("SQL", "MQL")
        if name in bundle.thresholds
    ]
    rows += _raised(bundle)
    silent = [t.because for t in bundle.thresholds.values() if t.probability is None]
    caption = "Labels and what came of them"
    tables = (Table(caption, _COLUMNS, tuple(rows), form="cards"),)
    return Section(
        "What did each label mean so far?",
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
    """Return how to read the table; nothing of shares where none was measured."""
    aims, asked = "Aims are aims, no guarantee.", bundle.agreement.hand_raise.kinds
    is_chosen = any(
        t.probability is not None and t.n_entries for t in bundle.thresholds.values()
    )
    n_raised = (bundle.metrics.get("hand_raised") or {}).get("n", 0) if asked else 0
    if not is_chosen and not n_raised:
        return (*_nobody(bundle), aims)
    measured = (
        f"{aims} The shares below were measured on leads that had not taught the "
        "model; each lead counts once, when it first entered."
    )
    if not is_chosen:
        return (*_nobody(bundle), measured)
    return (
        f"{measured} The probability from which a label is issued was chosen on these "
        "very leads, which flatters the shares a little, and an interval that begins "
        "below the aim means that the aim may well be missed.",
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
    aim = _DASH if rule.precision is None else percent(rule.precision)
    if rule.precision is None:
        aim = f"{rule.capacity_per_week:g} a week"
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
