"""The summary of a plan: what to expect, in marketing's and sales' words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from leadscore.plan import CONFIDENCE, WEEKS_AHEAD
from leadscore.summary.lines import notes, wrapped

if TYPE_CHECKING:
    from leadscore.agreement import LabelRule
    from leadscore.plan.words import Change, Interval, Plan, Step
    from leadscore.workflows.plan import Planned

__all__ = ["plan_facts", "plan_lines"]

_WORD = 13  # characters for the name of a line
_INDENT = " " * _WORD


def plan_lines(planned: Planned) -> list[str]:
    """Return the plan: threshold, expectation, waits, one rep more and one fewer."""
    plan, model_id = planned.plan, planned.bundle.model_id
    better = " or better" if plan.label == "MQL" else ""
    lines = wrapped(
        f"plan for {plan.label}{better} at {_few(plan.step.capacity)} leads a week, "
        f"model {model_id}"
    )
    said = {
        "threshold": _threshold(plan),
        "conversions": _conversions(plan.step),
        "precision": _precision(planned),
        "revenue": _revenue(planned),
        "wait": _wait(plan),
        "one rep more": _change(plan.more, plan),
        "one fewer": _change(plan.fewer, plan),
        "coming weeks": _outlook(plan),
    }
    for name, sentence in said.items():
        lines += wrapped(f"{name:<{_WORD}}{sentence}", indent=_INDENT)
    return [*lines, "", *notes((*_rests_on(plan), *planned.notes))]


def plan_facts(planned: Planned) -> dict[str, Any]:
    """Return the same as plain data."""
    plan = planned.plan
    return {
        "label": plan.label,
        "model_id": planned.bundle.model_id,
        "interval": CONFIDENCE,
        "weeks_ahead": WEEKS_AHEAD,
        "plan": _step_facts(plan.step),
        "promise": {"precision": _promised(plan.step), "confidence": plan.confidence},
        "per_rep": plan.per_rep,
        "one_rep_more": _change_facts(plan.more),
        "one_rep_fewer": None if plan.fewer is None else _change_facts(plan.fewer),
        "queue": {
            "left": plan.queue.left.tolist(),
            "mean_wait": plan.queue.mean_wait,
            "longest_wait": plan.queue.longest_wait,
            "longest_queue": plan.queue.longest_queue,
            "expected_length": plan.queue_spans,
            "span_days": plan.span_days,
        },
        "quarantine": vars(plan.quarantine),
        "coming": vars(plan.outlook),
        "changed": plan.changed,
        "n_spans": plan.n_spans,
        "curve": [
            {name: _plain(value) for name, value in row.items()}
            for row in plan.curve.to_dict("records")
        ],
        "notes": list(planned.notes),
    }


def _threshold(plan: Plan) -> str:
    step = plan.step
    n = f"{_few(step.raised)} a week raise a hand"
    if step.probability is None:
        more = "" if step.raised <= step.capacity else ", more than can be worked"
        return f"none: {n}{more}; nothing is left for the nurtured road"
    return (
        f"{_percent(step.probability)}: {_interval(step.arrivals)} leads enter a week; "
        f"{n}, {_few(step.nurtured)} are nurtured"
    )


def _conversions(step: Step) -> str:
    return (
        f"{_interval(step.conversions)} a week, {_interval(step.conversions, 13)} in "
        "a quarter"
    )


def _precision(planned: Planned) -> str:
    plan, step = planned.plan, planned.plan.step
    if step.probability is None:
        return "nothing to promise without a threshold"
    if step.n == 0:
        return "no held-out lead (account) entered at it; nothing can be promised"
    rule: LabelRule = getattr(planned.bundle.agreement.labels, plan.label)
    asked = ""
    if rule.precision is not None:
        asked = f"; the agreement asks for {_percent(rule.precision)}"
    return (
        f"{step.n_converted} of {step.n} held-out leads (accounts) that entered "
        f"nurtured converted ({_percent(step.n_converted / step.n)}); "
        f"{_percent(_promised(step))} can be promised with {_percent(plan.confidence)} "
        f"confidence{asked}"
    )


def _revenue(planned: Planned) -> str:
    revenue = planned.plan.step.revenue
    if revenue is None:
        return "no outcome has an amount, so nothing is said of revenue"
    days = planned.bundle.agreement.conversion.horizon_days
    return (
        f"{_interval(revenue)} a week, of what leads bring within {days} days of "
        "entering; later revenue is not in it"
    )


def _wait(plan: Plan) -> str:
    queue, days = plan.queue, plan.span_days
    said = []
    if plan.quarantine.days > 0:
        kept = plan.quarantine
        said.append(
            f"{kept.days:.0f} days in quarantine on average (it kept out "
            f"{kept.n_kept_out} held-out leads, {kept.n_kept_out_converted} of whom "
            "converted)"
        )
    waits = int((queue.left > 0).sum())
    if waits == 0:
        said.append(
            f"no queue: none of the last {plan.n_spans} {_spans(days)} brought more "
            "than could be worked"
        )
    else:
        said.append(
            f"of the last {plan.n_spans} {_spans(days)}, {waits} would have ended with "
            f"leads waiting ({queue.longest_queue} in a row); a lead waits "
            f"{queue.mean_wait * days:.0f} days on average, "
            f"{queue.longest_wait * days} at most; {_lasts(plan)}"
        )
    return "; then ".join(said)


def _lasts(plan: Plan) -> str:
    too_many = plan.step.arrivals[0] - plan.step.capacity
    if too_many > 0:
        return f"the queue never ends, it grows by {_few(too_many)} a week"
    return f"a queue lasts {plan.queue_spans * plan.span_days / 7:.1f} weeks"


def _change(change: Change | None, plan: Plan) -> str:
    if change is None:
        return (
            f"nobody would be left: a rep works {_few(plan.per_rep)} leads a week "
            "(--per-rep)"
        )
    precision = change.precision
    what = (
        f"{change.arrivals:+.1f} leads and {change.conversions:+.2f} conversions "
        f"({change.low:+.2f} to {change.high:+.2f}) a week"
    )
    if precision is None:
        return f"changes nothing: all who may enter do ({_few(change.step.capacity)})"
    at = change.step.probability
    threshold = "raised hands alone" if at is None else f"threshold {_percent(at)}"
    return f"{what}: {_percent(max(precision, 0.0))} of them convert; {threshold}"


def _outlook(plan: Plan) -> str:
    outlook, capacity = plan.outlook, _few(plan.step.capacity)
    weekly = _few(outlook.per_week)
    who = f"no threshold is in use, so raised hands alone enter, {weekly} a week"
    if outlook.probability is not None:
        at = _percent(outlook.probability)
        who = f"at the threshold in use ({at}) {weekly} a week enter"
    waiting = ""
    if outlook.n_waiting:
        waiting = f", and {outlook.n_waiting} are in quarantine now"
    return (
        f"{who}{waiting}; that a week of the next {WEEKS_AHEAD} brings more than "
        f"{capacity} has a probability of {_percent(outlook.chance)} "
        f"({outlook.expected:.1f} weeks to expect)"
    )


def _rests_on(plan: Plan) -> list[str]:
    said = [
        f"{_percent(CONFIDENCE)} intervals, of the mean of the coming {WEEKS_AHEAD} "
        "weeks: what is not known of the rates, counted by lead (account), how much "
        "quarters differed so far, and chance. A trend that goes on is not in them",
        f"one rep: {_few(plan.per_rep)} leads a week (--per-rep); their interval is of "
        "the rates alone",
    ]
    if plan.changed:
        older, newer = plan.changed
        word = "risen" if newer > older else "fallen"
        said.append(
            f"weekly entries have {word} from {_few(older)} to {_few(newer)}, beyond "
            f"chance: the newest {plan.n_spans} {_spans(plan.span_days)} alone count"
        )
    return said


def _spans(days: int) -> str:
    return "weeks" if days == 7 else f"spans of {days} days"


def _promised(step: Step) -> float:
    return math.floor(step.bound * 100) / 100


def _interval(of: Interval, times: int = 1) -> str:
    expected, low, high = (_few(value * times) for value in of)
    return f"{expected} ({low} to {high})"


def _few(value: float) -> str:
    """Return a number of leads or of money as one says it."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 1 else 2
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _percent(share: float) -> str:
    is_tiny = 0 < share < 0.1
    return f"{100 * share:.{1 if is_tiny else 0}f} %"


def _step_facts(step: Step) -> dict[str, Any]:
    return vars(step) | {"promised": _promised(step)}


def _change_facts(change: Change) -> dict[str, Any]:
    facts = vars(change) | {"precision": change.precision}
    return facts | {"step": _step_facts(change.step)}


def _plain(value: Any) -> Any:
    """Return a number as JSON has it; the threshold that nobody reaches is null."""
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None
