"""The text of the report: a bundle in, a `Report` out. All words are decided here.

A bundle that later data has not judged gives a shorter report, which says why.
"""

from __future__ import annotations

from leadscore.bundle import Bundle
from leadscore.kept_apart import machines_said
from leadscore.report.cadence import cadence_section
from leadscore.report.document import Report, Section, Tile
from leadscore.report.drivers import drivers_section
from leadscore.report.judged import Judged, judged_of
from leadscore.report.judging import judging_section, words_section
from leadscore.report.labels import labels_section
from leadscore.report.later import gains_section, points_section, reliability_section
from leadscore.report.segments import segments_section
from leadscore.report.verdict import verdict_of
from leadscore.report.words import day, percent

__all__ = ["report_of"]


def report_of(bundle: Bundle) -> Report:
    """Return the report of a model, a function of its bundle alone.

    Parameters
    ----------
    bundle : Bundle
        Just trained, or read back: the report is the same.

    Raises
    ------
    RefusedError
        The bundle was trained before there were reports.
    """
    judged = judged_of(bundle)
    sections = (
        *_why_less(bundle),
        *(_later(judged, bundle) if judged else ()),
        labels_section(bundle),
        *drivers_section(bundle),
        *_lacks(bundle),
        judging_section(bundle, judged),
        words_section(bundle),
    )
    return Report(
        title="What the lead model can do",
        subtitle=_subtitle(bundle),
        verdict=verdict_of(bundle, judged),
        tiles=_tiles(judged) if judged else (),
        sections=sections,
    )


def _subtitle(bundle: Bundle) -> str:
    conversion, facts = bundle.agreement.conversion, bundle.provenance
    return (
        f"Model {bundle.model_id}, data up to "
        f"{day(facts['data_end'], bundle.agreement.zone)}. To convert means to reach "
        f"\N{LEFT DOUBLE QUOTATION MARK}{conversion.stage}"
        f"\N{RIGHT DOUBLE QUOTATION MARK} within {conversion.horizon_days} days."
    )


def _tiles(judged: Judged) -> tuple[Tile, ...]:
    worked = f"of the top {percent(judged.taken)} of each list were followed by a"
    model, points, base = (
        percent(bounds[0] or 0.0)
        for bounds in (judged.precision, judged.points_precision, judged.base_rate)
    )
    by_points = Tile(
        points, f"{worked} conversion, in the order of the points", "points"
    )
    by_chance = Tile(
        base, "of all places on the lists were followed by a conversion", "nothing"
    )
    if judged.is_points:
        return by_points, by_chance
    by_model = Tile(model, f"{worked} conversion, in the model's order", "model")
    return by_model, by_points, by_chance


def _why_less(bundle: Bundle) -> tuple[Section, ...]:
    degraded = str(bundle.provenance["degraded"])
    if not degraded:
        return ()
    sentence = degraded[0].upper() + degraded[1:]
    return (Section("What is missing in this model", paragraphs=(sentence,)),)


def _later(judged: Judged, bundle: Bundle) -> tuple[Section, ...]:
    return (
        points_section(judged, bundle),
        reliability_section(judged),
        *segments_section(bundle),
        *cadence_section(bundle),
        gains_section(judged),
    )


def _lacks(bundle: Bundle) -> tuple[Section, ...]:
    heading = "What the data lacks, and what to do about it"
    found = bundle.metrics
    lacks = (*found.get("suspects", ()), *found.get("lacks", ()))
    nothing = () if lacks else ("Nothing that we look for is missing.",)
    return (Section(heading, (*nothing, *_machines(bundle)), items=lacks),)


def _machines(bundle: Bundle) -> tuple[str, ...]:
    """Return how many opens and clicks machines made; bundles of before do not know."""
    counts = bundle.provenance.get("machines", {"n_rows": 0})
    if not counts["n_rows"]:
        return ()
    return (
        f"Machines made {machines_said(counts)}. They were recognised by the rules of "
        "the agreement and kept apart: they earn no points, and the model has not "
        "learned from them.",
    )
