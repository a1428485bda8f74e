"""The verdict: three sentences that stand for the whole report.

Is it better than the points, are its probabilities right, what did each label mean.
Where later data cannot tell, the sentence says so.
"""

from __future__ import annotations

from leadscore.agreement import LabelRule
from leadscore.bundle import Bundle
from leadscore.policy import Threshold
from leadscore.report.judged import Agreeing, Judged
from leadscore.report.words import decimals, listed, of_100, percent, span

__all__ = ["verdict_of"]


def verdict_of(bundle: Bundle, judged: Judged | None) -> tuple[str, str, str]:
    """Return the three sentences.

    Parameters
    ----------
    bundle : Bundle
    judged : Judged or None
        None: no later data has judged the model.
    """
    labels = _labels(bundle)
    if bundle.model is None:
        return (
            "Nothing could be learned yet, so the points serve alone.",
            "No lead gets a probability, because no lead is known to have converted "
            "in time.",
            labels,
        )
    if judged is None and bundle.model.name == "points":
        return (
            "The points serve alone: there was too little to learn more from.",
            "Its probabilities are the points turned into a chance, and were not "
            "compared with what happened later.",
            labels,
        )
    if judged is None:
        return (
            "No later data could judge this model, so nobody knows yet whether it is "
            "better than the points.",
            "Its probabilities are the best guess that the data allows, and were not "
            "compared with what happened later.",
            labels,
        )
    better = _points_won(judged) if judged.is_points else _better(judged)
    return better, _agreement(judged.agreeing()), labels


def _points_won(judged: Judged) -> str:
    value = percent(judged.precision[0] or 0.0)
    return (
        "The points are the model: no other recipe foretold later data better, and of "
        f"the leads worked in their order {value} converted, against "
        f"{percent(judged.base_rate[0] or 0.0)} without any ranking."
    )


def _better(judged: Judged) -> str:
    model, points, base = (
        bounds[0] or 0.0
        for bounds in (judged.precision, judged.points_precision, judged.base_rate)
    )
    value, low, high = judged.advantage
    n = decimals(model / 3, points / 3, base / 3)
    finer = max(n, decimals(value, low, high))
    counted = (
        f"Of 100 leads worked from the top of the list, {of_100(model, n)} converted "
        f"with this model and {of_100(points, n)} with the points alone, against "
        f"{of_100(base, n)} without any ranking"
    )
    interval = f"95% interval {_signed(low, finer)} to {_signed(high, finer)}"
    if low > 0:
        more = f"{of_100(value, finer)} more than with the points, {interval}"
        return f"{counted}: it is better ({more})."
    if high < 0:
        fewer = f"{of_100(-value, finer)} fewer, {interval}"
        return f"{counted}: there the points are better ({fewer})."
    between = f"a difference of {_signed(value, finer)}, {interval}"
    return f"{counted}: later data cannot tell model and points apart ({between})."


def _signed(share: float, n_decimals: int) -> str:
    sign = "\N{MINUS SIGN}" if share < 0 else "+"
    return f"{sign}{of_100(abs(share), n_decimals)}"


def _agreement(agreeing: Agreeing) -> str:
    n_good = agreeing.n_bins - agreeing.n_off
    means = (
        f"on average it said {percent(agreeing.said)} and "
        f"{percent(agreeing.happened)} converted"
    )
    if agreeing.is_good:
        return (
            f"Later data does not contradict its probabilities: {means}, and in "
            f"{n_good} of {agreeing.n_bins} groups of leads the two differ by no more "
            "than chance."
        )
    return (
        f"Its probabilities {_direction(agreeing)}: {means}, and in {agreeing.n_off} "
        f"of {agreeing.n_bins} groups of leads the two differ by more than chance, so "
        "trust the order of the list more than the numbers on it."
    )


def _direction(agreeing: Agreeing) -> str:
    if agreeing.n_high == 0 and agreeing.said < agreeing.happened:
        return "came out too low on later data"
    if agreeing.n_low == 0 and agreeing.said > agreeing.happened:
        return "came out too high on later data"
    return "did not agree with later data"


def _labels(bundle: Bundle) -> str:
    """Return what each label meant, or that it is not issued."""
    thresholds = [
        bundle.thresholds[n] for n in ("SQL", "MQL") if n in bundle.thresholds
    ]
    issued = [t for t in thresholds if t.probability is not None and t.n_entries]
    silent = [t.label for t in thresholds if t.probability is None]
    if not issued:
        return (
            "No label is issued by probability: only leads that asked to be contacted "
            "become SQL."
        )
    said = "; ".join(
        _meant(t, getattr(bundle.agreement.labels, t.label)) for t in issued
    )
    rest = f"; {listed(silent)} is not issued by probability" if silent else ""
    return f"Of leads that had not taught the model, {said}{rest}."


def _meant(threshold: Threshold, rule: LabelRule) -> str:
    share = threshold.n_converted / threshold.n_entries
    name = "MQL or better" if threshold.label == "MQL" else threshold.label
    aim = f"aim {percent(rule.precision)}, " if rule.precision is not None else ""
    interval = span((share, threshold.low, threshold.high))
    return (
        f"{threshold.n_entries:,} entered {name} and {percent(share)} of them "
        f"converted ({aim}{percent(rule.confidence)} interval {interval})"
    )
