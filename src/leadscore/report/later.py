"""What later data said: beside the points, in probabilities, and down the list."""

from __future__ import annotations

from functools import partial

import pandas as pd

from leadscore import plots
from leadscore.bundle import Bundle
from leadscore.report.document import Column, Drawing, Section, Table
from leadscore.report.judged import Agreeing, Judged
from leadscore.report.words import Bounds, listed, percent, span

__all__ = ["gains_section", "points_section", "reliability_section"]


def points_section(judged: Judged, bundle: Bundle) -> Section:
    """Return the model beside the points and no ranking, at the same capacity."""
    ways: list[tuple[str, str, Bounds]] = [
        ("this model", "model", judged.precision),
        ("points alone", "points", judged.points_precision),
        ("no ranking", "nothing", judged.base_rate),
    ]
    ways = ways[1:] if judged.is_points else ways
    table = pd.DataFrame(
        [(name, role, percent(b[0] or 0.0), *b) for name, role, b in ways],
        columns=["name", "role", "text", "value", "low", "high"],
    ).fillna(0.0)
    alt = "; ".join(
        f"{name} {percent(bounds[0] or 0.0)} (95% interval {span(bounds)})"
        for name, _, bounds in ways
    )
    return Section(
        "Is it better than the points alone?",
        paragraphs=(_worked(judged, bundle), *_caution(judged)),
        drawings=(
            Drawing(
                partial(plots.precision_bars, table),
                "Of the places at the top of the lists, how many were followed by a "
                "conversion. The line on each bar is its 95% interval: where the true "
                "share lies, as far as this much data can tell.",
                f"Bars of the share that was followed by a conversion: {alt}.",
            ),
        ),
    )


def _worked(judged: Judged, bundle: Bundle) -> str:
    return (
        f"Suppose that sales works the top {percent(judged.taken)} of each of "
        f"{judged.n_lists:,} lists ({_why_taken(bundle)}). Every way of choosing gets "
        "the same number of places on each list, and is judged on what happened "
        f"later, which nobody knew when the list was made. {_several(bundle)}"
    )


def _why_taken(bundle: Bundle) -> str:
    rules = bundle.agreement.labels
    stated = rules.SQL.capacity_per_week or rules.MQL.capacity_per_week
    if stated and bundle.agreement.snapshots.grid_days is not None:
        return f"that is what {stated:g} leads a week come to on the average list"
    if stated:
        return "leads are looked at by age, so no capacity applies; we take a tenth"
    return "the agreement states no capacity, so we take a tenth"


def _several(bundle: Bundle) -> str:
    """Return what a place on a list is: it is not a lead."""
    if bundle.agreement.snapshots.grid_days is not None:
        return "A lead can stand on several lists, and counts on each of them."
    return (
        "Leads are looked at by age here, so there is no list of a day: all that was "
        "judged in one period counts as one list, on which a lead can stand at several "
        "ages."
    )


def _caution(judged: Judged) -> tuple[str, ...]:
    if judged.is_points:
        return (
            "The points won the contest of recipes, so there is nothing to compare "
            "them with but no ranking at all.",
        )
    return (
        "The interval of the difference is narrower than the two lines suggest, "
        "because both ways are judged on the same leads. Another recipe than "
        "the blend ships only if it was better beyond chance on those of them that "
        "prove no promise, which flatters it a little.",
    )


def reliability_section(judged: Judged) -> Section:
    """Return what was said against what happened."""
    agreeing = judged.agreeing()
    table = judged.reliability
    return Section(
        "Can its probabilities be taken at their word?",
        paragraphs=(
            "Leads on later lists are put into groups by the probability that they "
            "were given. If it said 10%, about 10 of 100 should have converted.",
            _read(agreeing),
        ),
        drawings=(
            Drawing(
                partial(plots.reliability_diagram, table),
                "Each dot is a group of leads; on the dashed line, what was said is "
                "what happened. The vertical lines are 95% intervals, the grey bars "
                "below say how many leads a group holds.",
                f"Of {agreeing.n_bins} groups of leads, {agreeing.n_off} lie farther "
                "from the line of agreement than their interval; the table below "
                "holds the numbers.",
            ),
        ),
        tables=(_reliability_table(table),),
    )


def _read(agreeing: Agreeing) -> str:
    if agreeing.is_good:
        return (
            "They did, as far as chance allows. Small groups have wide intervals, so "
            "this is the absence of a contradiction, not a proof."
        )
    off = [] if agreeing.is_mean_good else ["the mean is off by more than chance"]
    if agreeing.n_off:
        off += [
            f"{agreeing.n_off} of {agreeing.n_bins} groups lie beyond their interval"
        ]
    return (
        f"{_SEEN[agreeing.direction]}: {listed(off)}. A model learns from the past; "
        "where the share of leads that convert has changed since, or is known only "
        "late, its numbers follow late. The model in the contest was older than the "
        "one that ships, which has learned from newer leads; where retraining is "
        "replayed below, you read how it is moved by what came of leads lately."
    )


_SEEN = {
    "too low": "More leads converted than it said",
    "too high": "Fewer leads converted than it said",
    "both ways": "What happened differs from what it said, not in one direction",
}


def _reliability_table(table: pd.DataFrame) -> Table:
    return Table(
        "The numbers behind the figure",
        (
            Column("it said, on average", is_number=True),
            Column("converted", is_number=True),
            Column("95% interval", is_number=True),
            Column("leads (accounts)", is_number=True),
        ),
        tuple(
            (
                percent(row.predicted),
                percent(row.observed),
                span((row.observed, row.low, row.high)),
                f"{row.n_groups:,}",
            )
            for row in table.itertuples()
        ),
        form="detail",
    )


def gains_section(judged: Judged) -> Section:
    """Return how much of what is to be found stands at the top of the lists."""
    said = _gained(judged)
    shown = judged.gains.drop(columns="model") if judged.is_points else judged.gains
    return Section(
        "How far down the list does it pay to go?",
        paragraphs=(said,),
        drawings=(
            Drawing(
                partial(
                    plots.gains_curve,
                    shown,
                    taken=judged.taken,
                    text=f"top {percent(judged.taken)}",
                ),
                "Read it from below: work so much of each list, find so many of the "
                "places that were followed by a conversion. The dotted upright line is "
                "the part that is worked.",
                said,
            ),
        ),
        tables=(_gains_table(shown),),
    )


def _gained(judged: Judged) -> str:
    top, model, points = (
        percent(share)
        for share in (judged.taken, judged.found("model"), judged.found("points"))
    )
    by_model = "" if judged.is_points else f"{model} in the model's order, "
    return (
        "Of the places on the lists that were followed by a conversion, the top "
        f"{top} of each list holds {by_model}{points} in the order of the points, and "
        f"about {top} without any order."
    )


def _gains_table(gains: pd.DataFrame) -> Table:
    ways = [name for name in ("model", "points") if name in gains]
    heads = ("share of each list", *(f"found by the {name}" for name in ways))
    return Table(
        "The numbers behind the figure",
        tuple(Column(words, is_number=True) for words in heads),
        tuple(
            tuple(percent(share) for share in row)
            for row in gains[["share", *ways]].iloc[2::2].itertuples(index=False)
        ),
        form="detail",
    )
