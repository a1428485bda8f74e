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
    if "stated" in bundle.model.settings:
        return (
            "Nothing could be learned yet, so the points serve alone.",
            "Its probabilities are stated, not learned: no lead is known to have "
            "converted in time, and they stand on the share that the agreement "
            f"expects, {percent(bundle.model.settings['stated']['rate'])}.",
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
        "The points are the model: no other recipe foretold later data better. Of the "
        f"places at the top of the lists in their order, {value} were followed by a "
        f"conversion, against {percent(judged.base_rate[0] or 0.0)} without any "
        "ranking."
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
        f"Of 100 places at the top of the lists, {of_100(model, n)} were followed by a "
        f"conversion with this model and {of_100(points, n)} with the points alone, "
        f"against {of_100(base, n)} without any ranking"
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
        f"Its probabilities {_DIRECTIONS[agreeing.direction]}: {means}"
        f"{_beyond_chance(agreeing)}, so trust the order of the list more than the "
        "numbers on it."
    )


_DIRECTIONS = {
    "too low": "came out too low on later data",
    "too high": "came out too high on later data",
    "both ways": "did not agree with later data",
}


def _beyond_chance(agreeing: Agreeing) -> str:
    """Return what chance does not explain: the mean, some groups, or both."""
    mean = "" if agreeing.is_mean_good else ", more than chance explains"
    if agreeing.n_off == 0:
        return mean
    return (
        f"{mean}, and in {agreeing.n_off} of {agreeing.n_bins} groups of leads the two "
        "differ by more than chance"
    )


def _labels(bundle: Bundle) -> str:
    """Return what each label meant, or that it is not issued."""
    thresholds = [
        bundle.thresholds[n] for n in ("SQL", "MQL") if n in bundle.thresholds
    ]
    issued = [t for t in thresholds if t.probability is not None]
    silent = [t.label for t in thresholds if t.probability is None]
    if not issued:
        asked = bool(bundle.agreement.hand_raise.kinds)
        who = "only leads that asked to be contacted become SQL"
        sql = who if asked else "no lead becomes SQL"
        return f"No label is issued by probability: {sql}."
    said = "; ".join(
        _meant(t, getattr(bundle.agreement.labels, t.label)) for t in issued
    )
    rest = f"; {listed(silent)} is not issued by probability" if silent else ""
    return f"On the leads that prove it, which had not taught the model, {said}{rest}."


def _meant(threshold: Threshold, rule: LabelRule) -> str:
    name = "MQL or better" if threshold.label == "MQL" else threshold.label
    if threshold.n_entries == 0:
        return f"nobody entered {name}"
    share = threshold.n_converted / threshold.n_entries
    promised = threshold.precision
    aim = "" if promised is None else f"promised {percent(promised)}, "
    interval = span((share, threshold.low, threshold.high))
    return (
        f"{threshold.n_entries:,} entered {name} and {percent(share)} of them "
        f"converted ({aim}{percent(rule.confidence)} interval {interval})"
    )
