"""How it was judged: candidates, periods, what it was made of, and the words."""

from __future__ import annotations

from typing import Any

from leadscore.bundle import Bundle
from leadscore.recipe.blend import AGREED
from leadscore.report.document import Cell, Column, Lines, Section, Table
from leadscore.report.judged import Judged
from leadscore.report.words import bounded, day, listed, percent

__all__ = ["judging_section", "words_section"]

_METRICS = ("log_loss", "brier", "auc", "average_precision", "precision_interval")
_CANDIDATES = (
    Column("recipe"),
    Column("log loss", is_number=True),
    Column("Brier score", is_number=True),
    Column("AUC", is_number=True),
    Column("average precision", is_number=True),
    Column("precision at the top", is_number=True),
)
_PERIODS = (
    Column("judged from"),
    Column("until"),
    Column("rows learned from", is_number=True),
    Column("leads converted there", is_number=True),
    Column("rows judged", is_number=True),
    Column("leads converted there", is_number=True),
)


def judging_section(bundle: Bundle, judged: Judged | None) -> Section:
    """Return the contest and the papers of the model."""
    paragraphs = _contest_words(judged, bundle) if judged else (_NOT_JUDGED,)
    tables = _contest_tables(bundle, judged) if judged else ()
    return Section(
        "How was this judged?",
        paragraphs=paragraphs,
        tables=(*tables, _papers(bundle)),
    )


_NOT_JUDGED = (
    "It was not: to judge a model, enough conversions must lie before a past date, and "
    "outcomes of both kinds after it."
)


def _contest_words(judged: Judged, bundle: Bundle) -> tuple[str, ...]:
    return (
        f"We stood on {len(judged.periods)} past dates, used only what was known then, "
        f"and looked at what came later: {judged.n_tested:,} rows, each one lead on "
        "one list. A lead stands on many lists, so every interval (95%, in brackets) "
        "resamples whole leads or accounts, never rows. The blend ships, unless "
        "another recipe had a lower log loss by more than chance on the leads that "
        "prove no promise (the table shows all); the winner is then fitted "
        "again on newer data, so these figures are of the recipe, not of the very "
        "model.",
        "Points: the points, made a probability. Ridge and splines: weighted sums of "
        "what is known, held near what is agreed on: points and persona fit; splines "
        f"may bend. Boosting: many small decision trees. {_blend(judged)}, pulled back "
        "to what is agreed on as far as the data is too small to leave it."
        f"{_mixed(bundle)}",
        "Log loss and Brier score: how far probabilities are from what happened, less "
        "is better. AUC: how often a lead that converts stands above one that does "
        "not, 0.5 is chance. Average precision: the mean precision down the list. "
        "Precision at the top: of the places at the top of the lists, how many were "
        "followed by a conversion.",
    )


def _blend(judged: Judged) -> str:
    """Return what the blend is a mean of, an optional learner explained."""
    if "lightgbm" not in judged.rows:
        return "Blend: a mean of these three"
    return "Lightgbm: such trees, of another package. Blend: a mean of these four"


def _mixed(bundle: Bundle) -> str:
    """Return what the shipped blend is made of."""
    model = bundle.model
    if model is None or model.name != "blend" or "blend" not in model.settings:
        return ""
    parts = sorted(model.settings["blend"].items(), key=lambda part: -part[1])
    said = listed([f"{percent(share)} {_SHOWN.get(k, k)}" for k, share in parts])
    return f" Here: {said}."


_SHOWN = {AGREED: "what is agreed on"}


def _contest_tables(bundle: Bundle, judged: Judged) -> tuple[Table, ...]:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(Lines(bounded(row[metric])) for metric in _METRICS))
        for name, row in judged.rows.items()
    )
    periods = tuple(_period(period, bundle) for period in judged.periods)
    return (
        Table("The recipes on later data", _CANDIDATES, rows, strong=judged.name),
        Table("The periods", _PERIODS, periods),
    )


def _period(period: dict[str, Any], bundle: Bundle) -> tuple[str, ...]:
    zone = bundle.agreement.zone
    return (
        day(period["origin"], zone),
        day(period["end"], zone),
        f"{period['n_fit']:,}",
        f"{period['n_fit_converted']:,}",
        f"{period['n_test']:,}",
        f"{period['n_test_converted']:,}",
    )


def _recipe(bundle: Bundle) -> str:
    model = bundle.model
    if model is None:
        return "points, no probability"
    return "points, stated" if "stated" in model.settings else model.name


def _papers(bundle: Bundle) -> Table:
    """Return what the model was made of."""
    facts, zone = bundle.provenance, bundle.agreement.zone
    files = facts["data_digests"] | facts.get("function_digests", {})
    digests = [f"{name} {value[:12]}" for name, value in files.items()]
    first, last = (day(facts[name], zone) for name in ("first_as_of", "last_as_of"))
    rows: tuple[tuple[Cell, ...], ...] = (
        ("model", bundle.model_id),
        ("recipe", _recipe(bundle)),
        ("agreement", f"version {bundle.agreement.version}"),
        ("data up to", day(facts["data_end"], zone)),
        (
            "lists learned from",
            f"{first} to {last}" if facts["first_as_of"] else "none",
        ),
        (
            "leads",
            f"{facts['n_leads']:,}, of them (accounts) {facts['n_converted_groups']:,} "
            "converted",
        ),
        ("rows", f"{facts['n_snapshots']:,}, each one lead on one list"),
        ("set aside", _set_aside(facts)),
        ("data, first digits of sha256", Lines(tuple(digests))),
        ("code, first digits of sha256", facts["code_digest"][:12]),
    )
    return Table("The model's papers", (Column("what"), Column("which")), rows)


def _set_aside(facts: dict[str, Any]) -> Cell:
    said = [f"{count:,} rows: {reason}" for reason, count in facts["set_aside"].items()]
    said += [f"{facts['n_rejects']:,} lines of the files"] * bool(facts["n_rejects"])
    return Lines(tuple(said)) if said else "nothing"


def words_section(bundle: Bundle) -> Section:
    """Return the words of this page and what they mean."""
    horizon = bundle.agreement.conversion.horizon_days
    rows = [
        (
            "probability",
            f"How likely a lead converts within {horizon} days, 0% to 100%.",
        ),
        ("points", "What marketing's rules give for what a lead did; no probability."),
        ("MQL", "Marketing qualified lead: worth a closer look."),
        ("SQL", "Sales qualified lead: for sales to contact."),
        ("nurtured", "Came to a label by a high enough probability."),
        (
            "hand-raised",
            "Asked to be contacted; goes to sales whatever the probability.",
        ),
        ("95% interval", "Where the true number lies, as far as this data can tell."),
        ("odds", "Chance for against chance against: 20% are odds of 1 to 4."),
        (
            "probability_low, probability_high",
            "Built to hold the true probability of nine in ten leads, as far as it "
            "hangs on what is known of a lead; a quiet inner wish is in no data.",
        ),
        ("typical lead", "One with the middle or commonest value in everything."),
    ]
    if not bundle.agreement.hand_raise.kinds:
        rows = [row for row in rows if row[0] != "hand-raised"]
    if bundle.agreement.personas:
        fit = "How well who they are matches whom we sell to: 0 to 100, graded A to D."
        rows.append(("persona fit", fit))
    return Section(
        "The words on this page",
        tables=(Table("Words", (Column("word"), Column("meaning")), tuple(rows)),),
    )
