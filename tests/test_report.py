"""The report: a function of the bundle alone, safe to open, and honest in its words."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore import metrics
from leadscore.agreement import parse_agreement
from leadscore.bundle import Bundle, load_bundle
from leadscore.errors import RefusedError
from leadscore.report import markdown, page, report_of
from leadscore.report.judged import Agreeing, judged_of
from leadscore.report.later import _read
from leadscore.report.verdict import _agreement
from leadscore.report.words import decimals, listed, of_100, percent
from leadscore.tables import Tables
from leadscore.workflows.train import Trained

HOSTILE = "<script>alert('x')</script>&\"|**_"


@pytest.fixture(scope="session")
def html(bundle: Bundle) -> str:
    return page(report_of(bundle))


def changed(bundle: Bundle, **figures: Any) -> Bundle:
    return dataclasses.replace(bundle, metrics=bundle.metrics | figures)


def with_precision(
    bundle: Bundle, model: float, points: float, advantage: tuple[float, float, float]
) -> Bundle:
    rows = []
    for row in bundle.metrics["candidates"]:
        value = points if row["name"] == "points" else model
        said = row["precision_interval"] and (value, value - 0.05, value + 0.05)
        rows.append(row | {"precision_interval": said})
    return changed(
        bundle, candidates=rows, base_rate=(0.1, 0.08, 0.12), advantage=advantage
    )


def thin(bundle: Bundle, *, why: str = "too little to learn from.") -> Bundle:
    """The bundle of a firm where the points serve alone, as a probability."""
    return dataclasses.replace(
        bundle,
        metrics={},
        thresholds={},
        provenance=bundle.provenance | {"degraded": why},
    )


def empty(bundle: Bundle) -> Bundle:
    """The bundle of a firm that has just begun: no row, no model."""
    nothing = {
        "first_as_of": None,
        "last_as_of": None,
        "n_leads": 0,
        "n_snapshots": 0,
        "base_rate": None,
    }
    made = thin(bundle)
    return dataclasses.replace(made, model=None, provenance=made.provenance | nothing)


def test_the_page_is_a_function_of_the_bundle(
    trained: Trained, bundle: Bundle, html: str
) -> None:
    """Just trained or read back, today or in a year: the same bytes."""
    again = load_bundle(trained.folder.parent, bundle.model_id)
    assert page(report_of(again)) == html
    assert markdown(report_of(again)) == markdown(report_of(bundle))


def test_the_page_asks_nothing_of_anybody(html: str) -> None:
    assert len(html) < 1_000_000
    assert not re.search(r"<(script|link|iframe|object|embed|img|form|base)\b", html)
    assert not re.search(r"\b(?:src|srcset|action|data)\s*=", html)
    assert set(re.findall(r"href\s*=\s*(..)", html)) <= {'"#'}
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    addresses = {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}
    assert set(re.findall(r"\w+://[^\"]*", html)) <= addresses  # names, not requests
    assert not re.search(r"\son\w+=", html)


class _Balance(HTMLParser):
    """Collects what is open; void elements never are."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.pictures: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        if found.get("role") == "img":
            self.pictures.append(found.get("aria-label"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_says_its_pictures_in_words(html: str) -> None:
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert len(parser.pictures) == html.count("<svg") == 3
    assert all(parser.pictures)
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert html.count("<table") == html.count("<caption>")


def test_no_lead_stands_on_the_page(html: str, tables: Tables) -> None:
    for column in ("lead_id", "account_id"):
        ids = set(tables.leads[column].dropna())
        assert not ids & set(re.findall(r"\w+", html))


def test_words_of_users_are_text_and_never_markup(bundle: Bundle) -> None:
    drivers = [
        {
            "group": HOSTILE,
            "words": HOSTILE,
            "mean_effect": 1.0,
            "levels": [{"words": HOSTILE, "odds": 2.0, "n_leads": 30}],
        }
    ]
    agreement = parse_agreement(
        "[conversion]\nstage = '''" + HOSTILE + "'''\n[hand_raise]\nkinds = ['''"
        f"{HOSTILE}''']\n"
    ).model_copy(update={"version": HOSTILE})
    hostile = dataclasses.replace(
        changed(bundle, drivers=drivers, lacks=[HOSTILE]),
        agreement=agreement,
        provenance=bundle.provenance
        | {
            "degraded": HOSTILE,
            "set_aside": {HOSTILE: 1},
            "data_digests": {HOSTILE: "0" * 64},
        },
    )
    report = report_of(hostile)
    assert page(report).count("&lt;script&gt;alert(") >= 8
    assert "<script" not in page(report)
    assert "<script" not in markdown(report)
    assert "&lt;script&gt;alert('x')&lt;/script&gt;" in markdown(report)
    assert r"\|\*\*\_" in markdown(report)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_can_be_seen_by_day_and_by_night(html: str) -> None:
    """4.5 for text and 3 for what figures draw, as WCAG 2.2 AA asks."""
    schemes = re.findall(r":root \{(.*?)\}", html, flags=re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        for ground in ("card", "page", "tint"):
            assert contrast(colours["ink"], colours[ground]) >= 7
            assert contrast(colours["soft"], colours[ground]) >= 4.5
        assert contrast(colours["nothing"], colours["card"]) >= 4.5  # it is text, too
        for drawn in ("model", "points"):
            assert contrast(colours[drawn], colours["card"]) >= 3


def test_the_figures_take_the_colours_of_the_page(html: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert "var(--model)" in drawn
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)


def test_better_is_said_only_where_the_interval_is_above_zero(bundle: Bundle) -> None:
    found = report_of(with_precision(bundle, 0.24, 0.16, (0.08, 0.04, 0.11))).verdict[0]
    assert found == (
        "Of 100 places at the top of the lists, 24 were followed by a conversion with "
        "this model and 16 with the points alone, against 10 without any ranking: it "
        "is better (8 more than with the points, 95% interval +4 to +11)."
    )


def test_an_interval_that_touches_zero_tells_nothing(bundle: Bundle) -> None:
    for low in (-0.01, 0.0):
        unsure = with_precision(bundle, 0.24, 0.16, (0.08, low, 0.17))
        found = report_of(unsure).verdict[0]
        assert "later data cannot tell model and points apart" in found
        assert "better" not in found


def test_worse_is_said_as_plainly_as_better(bundle: Bundle) -> None:
    worse = with_precision(bundle, 0.16, 0.24, (-0.08, -0.11, -0.04))
    found = report_of(worse).verdict[0]
    assert "there the points are better (8 fewer" in found
    assert "\N{MINUS SIGN}11 to \N{MINUS SIGN}4" in found


def test_points_that_won_are_not_compared_with_themselves(bundle: Bundle) -> None:
    assert bundle.model is not None
    model = dataclasses.replace(bundle.model, name="points")
    won = dataclasses.replace(
        changed(bundle, winner="points", advantage=(0.0, 0.0, 0.0)), model=model
    )
    report = report_of(won)
    assert report.verdict[0].startswith("The points are the model: no other recipe")
    assert len(report.tiles) == 2
    html = page(report)
    assert "nothing to compare them with" in html
    assert "found by the points" in html
    assert "found by the model" not in html
    assert ">the model<" not in html  # the legend of a second, identical series


def test_the_part_that_is_worked_is_the_stated_capacity(bundle: Bundle) -> None:
    text = page(report_of(bundle))
    assert "the agreement states no capacity, so we take a tenth" in text
    agreement = parse_agreement("[labels.SQL]\ncapacity_per_week = 25\n")
    stated = dataclasses.replace(bundle, agreement=agreement)
    html = page(report_of(stated))
    assert "that is what 25 leads a week come to on the average list" in html
    assert "A lead can stand on several lists" in html


def test_where_there_are_no_lists_of_a_day_the_page_says_so(bundle: Bundle) -> None:
    agreement = parse_agreement("[snapshots]\nat_age_hours = [24, 168]\n")
    html = page(report_of(dataclasses.replace(bundle, agreement=agreement)))
    assert "all that was judged in one period counts as one list" in html
    assert "A lead can stand on several lists" not in html


def test_places_on_lists_are_not_said_to_be_leads(bundle: Bundle) -> None:
    report = report_of(bundle)
    html = page(report)
    assert "works the same number of leads" not in html
    assert "of all conversions" not in html
    assert "places on the lists that were followed by a conversion" in html
    assert all("followed by a conversion" in tile.words for tile in report.tiles)


def test_figures_and_text_round_alike(bundle: Bundle) -> None:
    small = with_precision(bundle, 0.0257, 0.0163, (0.0094, 0.004, 0.011))
    html = page(report_of(small))
    for text in ("2.6%", "1.6%"):
        assert f">{text}</text>" in html


def agreeing(said: float, n_low: int = 0, n_high: int = 0) -> Agreeing:
    return Agreeing(said, 0.1, 10, n_low, n_high, 0, 0.06, 0.14)


@pytest.mark.parametrize(
    ("found", "said", "seen"),
    [
        (agreeing(0.1, 1), "does not contradict its probabilities", "They did"),
        (agreeing(0.07, 5), "came out too low on later data", "More leads converted"),
        (agreeing(0.12, 0, 3), "came out too high on later", "Fewer leads converted"),
        (agreeing(0.1, 2, 2), "did not agree with later data", "not in one direction"),
        (agreeing(0.11, 2), "did not agree with later data", "not in one direction"),
        (agreeing(0.09, 0, 2), "did not agree with later data", "not in one direction"),
        (agreeing(0.15), "too high on later data: on average", "the mean is off"),
    ],
)
def test_probabilities_are_trusted_as_far_as_they_held(
    found: Agreeing, said: str, seen: str
) -> None:
    """And the verdict and the section below it see the same."""
    assert said in _agreement(found)
    assert seen in _read(found)
    assert "0 of 10" not in _agreement(found) + _read(found)


def judged_by(bundle: Bundle, said: np.ndarray, happened: np.ndarray) -> Agreeing:
    """How ten groups of 100 leads each would be judged."""
    bounds = [metrics.proportion_interval(100 * share, 100) for share in happened]
    table = pd.DataFrame(bounds, columns=["low", "high"]).assign(
        predicted=said, observed=happened, n_rows=100, n_groups=100
    )
    mean = float(happened.mean())
    base = (mean, mean - 0.02, mean + 0.02)
    judged = judged_of(
        changed(bundle, reliability=table.to_dict("records"), base_rate=base)
    )
    assert judged is not None
    return judged.agreeing()


def test_a_little_too_high_everywhere_is_seen_in_the_mean(bundle: Bundle) -> None:
    """Each of the ten groups would pass alone."""
    happened = np.linspace(0.04, 0.13, 10)
    found = judged_by(bundle, 1.5 * happened, happened)
    assert found.n_off == 0
    assert not found.is_good
    assert found.direction == "too high"
    assert judged_by(bundle, 1.1 * happened, happened).is_good


def test_one_group_can_be_too_far_off_for_chance(bundle: Bundle) -> None:
    happened = np.full(10, 0.05)
    said = happened.copy()
    said[-1] = 0.12  # one of ten groups may be off so much
    assert judged_by(bundle, said, happened).n_off == 1
    assert judged_by(bundle, said, happened).is_good
    said[:] = 0.018  # each inside its interval, so that the mean stays within, too
    said[-1] = 0.4
    found = judged_by(bundle, said, happened)
    assert found.is_mean_good
    assert found.n_off == found.n_far == 1
    assert not found.is_good


def test_an_interval_that_was_not_measured_contradicts_nothing(bundle: Bundle) -> None:
    judged = judged_of(changed(bundle, base_rate=(0.1, None, None)))
    assert judged is not None
    assert judged.agreeing().is_mean_good


def test_the_mean_that_was_said_is_that_of_all_rows(bundle: Bundle) -> None:
    judged = judged_of(bundle)
    assert judged is not None
    assert judged.agreeing().happened == pytest.approx(bundle.metrics["base_rate"][0])


def test_a_promise_is_said_in_full_with_its_period_and_its_end(
    bundle: Bundle, html: str
) -> None:
    issued = [t for t in bundle.thresholds.values() if t.probability is not None]
    assert issued
    for threshold in issued:
        assert f"Of the leads entering {threshold.label}" in html
        assert f"at least {threshold.precision:.0%} convert within 90 days" in html
        assert f"Valid until {threshold.expires[:10]}." in html
    third = report_of(bundle).verdict[2]
    for name, threshold in bundle.thresholds.items():
        if threshold.probability is not None:
            assert f"{threshold.n_entries} entered {name}" in third


def silent(bundle: Bundle) -> Bundle:
    """The bundle of a firm where no label is issued by probability."""
    thresholds = {
        name: dataclasses.replace(t, probability=None, because=f"why not {name}")
        for name, t in bundle.thresholds.items()
    }
    return dataclasses.replace(bundle, thresholds=thresholds)


def test_a_label_that_is_not_issued_says_so(bundle: Bundle) -> None:
    report = report_of(silent(bundle))
    assert report.verdict[2] == (
        "No label is issued by probability: only leads that asked to be contacted "
        "become SQL."
    )
    assert "why not SQL" in page(report)
    one = bundle.thresholds | {"SQL": silent(bundle).thresholds["SQL"]}
    third = report_of(dataclasses.replace(bundle, thresholds=one)).verdict[2]
    assert third.startswith("On the leads that prove it, ")
    assert third.endswith("; SQL is not issued by probability.")


def test_a_model_that_nobody_judged_says_so_in_a_shorter_page(
    bundle: Bundle, html: str
) -> None:
    report = report_of(thin(bundle))
    assert len(report.verdict) == 3
    assert report.verdict[0].startswith("No later data could judge this model")
    assert report.tiles == ()
    short = page(report)
    assert "<svg" not in short
    assert "Too little to learn from." in short
    assert len(short) < len(html)


def test_without_a_model_there_is_a_page_all_the_same(bundle: Bundle) -> None:
    report = report_of(empty(bundle))
    assert report.verdict[0].startswith("Nothing could be learned yet")
    assert "No lead gets a probability" in page(report)


def test_points_that_serve_alone_are_not_said_to_be_judged(bundle: Bundle) -> None:
    assert bundle.model is not None
    points = dataclasses.replace(bundle.model, name="points")
    alone = dataclasses.replace(thin(bundle), model=points)
    first, second, third = report_of(alone).verdict
    assert first.startswith("The points serve alone")
    assert "not compared with what happened later" in second
    assert third.startswith("No label is issued by probability")


def test_another_recipe_than_the_winner_was_not_judged(bundle: Bundle) -> None:
    assert bundle.model is not None
    other = dataclasses.replace(bundle.model, name="points")
    assert judged_of(dataclasses.replace(bundle, model=other)) is None


def test_a_bundle_of_before_is_refused_with_the_next_step(bundle: Bundle) -> None:
    for missing in ("advantage", "n_lists"):
        old = {k: v for k, v in bundle.metrics.items() if k != missing}
        with pytest.raises(RefusedError, match="Train again to get one"):
            report_of(dataclasses.replace(bundle, metrics=old))


def test_intervals_that_could_not_be_measured_are_no_numbers(bundle: Bundle) -> None:
    rows = [
        row | {"auc": row["auc"] and (row["auc"][0], None, None)}
        for row in bundle.metrics["candidates"]
    ]
    html = page(report_of(changed(bundle, candidates=rows)))
    assert "nan" not in re.findall(r"\w+", html)
    assert "None" not in html


def test_the_description_is_short_and_begins_with_the_verdict(bundle: Bundle) -> None:
    report = report_of(bundle)
    text = markdown(report)
    assert len(text) < 3000
    assert text.startswith("Of 100 places at the top")
    assert text.count("\n|") == 2 + len(report.tiles)
    long = dataclasses.replace(report, subtitle="x" * 5000)
    assert len(markdown(long)) <= 3000


def test_the_sections_answer_the_questions_in_order(bundle: Bundle) -> None:
    assert [section.heading for section in report_of(bundle).sections] == [
        "Is it better than the points alone?",
        "Can its probabilities be taken at their word?",
        "Does it hold for every kind of lead?",
        "What does it cost not to retrain?",
        "How far down the list does it pay to go?",
        "What does each label promise?",
        "What moves the probability?",
        "What the data lacks, and what to do about it",
        "How was this judged?",
        "The words on this page",
    ]


def test_numbers_have_the_decimals_that_they_need() -> None:
    assert [percent(share) for share in (0.0, 0.257, 0.0257, 0.0012)] == [
        "0%",
        "26%",
        "2.6%",
        "0.12%",
    ]
    assert decimals(0.08, -0.04, 0.0) == 0
    assert decimals(0.08, 0.002) == 1
    assert of_100(0.0816, 1) == "8.2"


def test_words_are_listed_as_people_do() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def without_hands(bundle: Bundle) -> Bundle:
    agreement = parse_agreement("[hand_raise]\nkinds = []\n")
    return dataclasses.replace(bundle, agreement=agreement)


def test_without_hands_to_raise_there_is_one_road(bundle: Bundle) -> None:
    html = page(report_of(without_hands(bundle)))
    assert "by a road: nurtured, if their probability is high enough." in html


@pytest.mark.parametrize("has_thresholds", [True, False])
def test_without_any_road_to_sql_no_lead_becomes_one(
    bundle: Bundle, *, has_thresholds: bool
) -> None:
    made = silent(bundle) if has_thresholds else thin(bundle)
    report = report_of(without_hands(made))
    said = "No label is issued by probability: no lead becomes SQL."
    assert report.verdict[2] == said
    html = page(report)
    assert "only leads that asked" not in html
    assert "Raised hands" not in html
    assert "hand-raised" not in html
    section = next(s for s in report.sections if s.heading.startswith("What does each"))
    assert "no lead becomes SQL" in " ".join(section.paragraphs)


def test_shares_are_said_to_be_measured_only_where_they_were(bundle: Bundle) -> None:
    html = page(report_of(bundle))
    assert "were measured on leads" in html
    nobody = changed(silent(bundle), hand_raised={"n": 0, "n_converted": 0})
    for made in (nobody, without_hands(silent(bundle))):
        html = page(report_of(made))
        assert "were measured on leads" not in html
        assert "the exact test failed" not in html
    asked = {"n": 9, "n_converted": 3, "low": 0.1, "high": 0.6}
    html = page(report_of(changed(silent(bundle), hand_raised=asked)))
    assert "were measured on leads" in html
    assert "the exact test failed" not in html


def test_a_label_that_nobody_entered_is_issued_all_the_same(bundle: Bundle) -> None:
    empty = {
        name: dataclasses.replace(t, probability=0.9, n_entries=0, n_converted=0)
        for name, t in bundle.thresholds.items()
    }
    third = report_of(dataclasses.replace(bundle, thresholds=empty)).verdict[2]
    assert "nobody entered SQL" in third
    assert "No label is issued" not in third


def test_an_entity_of_users_is_text_in_markdown(bundle: Bundle) -> None:
    report = dataclasses.replace(report_of(bundle), subtitle="R&D &lt;b&gt;")
    assert "R&amp;D &amp;lt;b&amp;gt;" in markdown(report)
