"""Segments: no false alarm where all is right, and an alarm where one is off."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import metrics
from leadscore.agreement import parse_agreement
from leadscore.errors import AgreementError
from leadscore.report.segments import segments_section
from leadscore.segments import MIN_GROUPS, NOT_KNOWN, RARE, segment_metrics
from leadscore.summary.segments import segment_lines
from tests.examples import examples

COUNTRIES = ["be", "de", "es", "fr", "it"]


def world(seed: int, *, n_groups: int = 600, shift: float = 0.0) -> dict[str, Any]:
    """Leads with several rows each, which convert all or not at all, by their odds.

    ``shift``: log odds by which leads in fr convert more than is said.
    """
    rng = np.random.default_rng(seed)
    country = rng.choice(COUNTRIES, n_groups)
    grade = rng.choice(["A", "B", "C", None], n_groups, p=[0.2, 0.3, 0.4, 0.1])
    odds = rng.normal(-2.0, 1.0, n_groups)
    true = 1 / (1 + np.exp(-odds - shift * (country == "fr")))
    happened = rng.random(n_groups) < true
    row = np.repeat(np.arange(n_groups), rng.integers(1, 9, n_groups))
    return {
        "converted": happened[row].astype(float),
        "probability": 1 / (1 + np.exp(-odds[row])),
        "groups": np.array([f"lead:{n:05d}" for n in row]),
        "segments": pd.DataFrame({"country": country[row], "fit_grade": grade[row]}),
    }


def off(found: list[dict[str, Any]]) -> list[str]:
    return [f"{row['segment']}={row['value']}" for row in found if row["is_off"]]


# ------------------------------------------------------------------------- metrics


def test_calibrated_probabilities_are_called_off_in_one_training_of_twenty() -> None:
    alarms = sum(bool(off(segment_metrics(**world(seed)))) for seed in range(200))
    assert alarms <= 0.05 * 200


def test_rows_taken_for_leads_would_raise_false_alarms() -> None:
    """The test above can fail: as many trials as rows are too many."""
    alarms = 0
    for seed in range(50):
        given = world(seed)
        given["groups"] = np.arange(len(given["groups"]))
        alarms += bool(off(segment_metrics(**given)))
    assert alarms > 0.2 * 50


def test_a_segment_that_converts_more_than_is_said_is_found_and_no_other() -> None:
    found = [off(segment_metrics(**world(seed, shift=1.5))) for seed in range(30)]
    assert sum("country=fr" in names for names in found) >= 27
    named = [name for names in found for name in names if "country" in name]
    assert set(named) - {"country=fr"} == set()  # grades hold leads in fr, too


def test_each_row_is_in_one_segment_of_each_column() -> None:
    given = world(3)
    found = pd.DataFrame(segment_metrics(**given))
    totals = found.groupby("segment", sort=False)["n_rows"].sum()
    n = len(given["converted"])
    assert totals.to_dict() == {"country": n, "fit_grade": n}
    assert found["value"].tolist() == [*COUNTRIES, "A", "B", "C", NOT_KNOWN]
    weighted = (found["happened"] * found["n_rows"]).groupby(found["segment"]).sum()
    assert weighted.to_numpy() == pytest.approx(given["converted"].sum())


def test_the_figures_of_a_segment_are_those_of_its_rows() -> None:
    given = world(4)
    inside = (given["segments"]["country"] == "fr").to_numpy()
    y, p = given["converted"][inside], given["probability"][inside]
    groups = given["groups"][inside]
    row = next(r for r in segment_metrics(**given) if r["value"] == "fr")
    assert row["said"] == pytest.approx(p.mean())
    assert row["happened"] == pytest.approx(y.mean())
    assert row["n_groups"] == len(set(groups))
    assert row["n_converted_groups"] == len(set(groups[y == 1]))
    assert row["log_loss"] == pytest.approx(metrics.log_loss(y, p).mean())
    assert row["auc"] == pytest.approx(metrics.auc(y, p)[0])


def test_with_as_many_rows_each_the_interval_is_that_of_so_many_leads() -> None:
    y = np.repeat([1.0] * 10 + [0.0] * 30, 3)
    groups = np.repeat(np.arange(40), 3)
    one = pd.DataFrame({"country": ["fr"] * 120})
    (row,) = segment_metrics(y, np.full(120, 0.25), groups, one)
    assert (row["low"], row["high"]) == metrics.proportion_interval(10, 40)
    assert not row["is_off"]


def test_one_account_of_many_rows_is_not_many_leads() -> None:
    """41 groups, but half of all rows are one account's: worth four."""
    groups = np.concatenate([np.zeros(40, int), np.arange(1, 41)])
    y = np.concatenate([np.ones(40), np.zeros(40)])
    one = pd.DataFrame({"country": ["fr"] * 80})
    (row,) = segment_metrics(y, np.full(80, 0.1), groups, one)
    assert row["n_groups"] == 41
    assert row["low"] < 0.1
    assert not row["is_off"]


def test_values_of_few_leads_are_put_together() -> None:
    n = MIN_GROUPS
    values = ["fr"] * n + ["de"] * (n - 1) + ["it"] * 2 + [None] * 3
    groups = np.arange(len(values))
    y = np.zeros(len(values))
    given = pd.DataFrame({"country": values})
    found = segment_metrics(y, np.full(len(y), 0.01), groups, given)
    assert [(r["value"], r["n_groups"]) for r in found] == [("fr", n), (RARE, n + 4)]
    assert all(r["auc"] is None for r in found)


def test_leads_are_counted_and_not_rows_to_call_a_value_rare() -> None:
    y, p = np.zeros(60), np.full(60, 0.1)
    given = pd.DataFrame({"country": ["fr"] * 30 + ["de"] * 30})
    groups = np.concatenate([np.arange(30), np.repeat(np.arange(15), 2) + 30])
    (kept,) = segment_metrics(y, p, groups, given)  # 15 leads even together: left out
    assert kept["value"] == "fr"
    more = np.concatenate(
        [np.repeat(np.arange(15), 2), np.repeat(np.arange(15), 2) + 30]
    )
    (row,) = segment_metrics(y, p, more, given)
    assert (row["value"], row["n_groups"]) == (RARE, 30)


def test_categories_and_any_index_are_fine() -> None:
    given = world(5)
    same = given | {"segments": given["segments"].astype("category").iloc[::-1][::-1]}
    same["segments"].index += 1000
    assert segment_metrics(**same) == segment_metrics(**given)


def test_nothing_comes_of_nothing() -> None:
    none = np.zeros(0)
    assert segment_metrics(none, none, none, pd.DataFrame({"country": []})) == []
    y = np.zeros(30)
    assert (
        segment_metrics(y, y + 0.1, np.arange(30), pd.DataFrame(index=range(30))) == []
    )


@settings(max_examples=examples(30), deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(40)))
def test_the_order_of_rows_does_not_matter(seed: int, order: list[int]) -> None:
    given = world(seed, n_groups=40)
    first = np.arange(len(given["groups"]))
    moved = np.concatenate([first[40:], np.array(order)])
    shuffled = {name: given[name][moved] for name in ("converted", "probability")}
    shuffled |= {
        "groups": given["groups"][moved],
        "segments": given["segments"].iloc[moved],
    }
    for a, b in zip(segment_metrics(**given), segment_metrics(**shuffled), strict=True):
        assert a == pytest.approx(b)


# ------------------------------------------------------------------------ agreement

DECLARED = (
    "[attributes.country]\nkind = 'category'\nchanges = false\n"
    "[attributes.employees]\nkind = 'number'\nchanges = true\n"
)


def test_segments_are_categories_persona_and_fit_grade() -> None:
    text = "segments = ['country', 'fit_grade', 'persona']\n" + DECLARED
    assert parse_agreement(text).segments == ("country", "fit_grade", "persona")
    assert parse_agreement("").segments == ()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            "['employees', 'country', 'speed']",
            "segments names what is no category: employees, speed. "
            "Allowed: country, persona, fit_grade",
        ),
        ("['country', 'country']", "names the same twice: country, country"),
        ("'country'", "line 1: 'segments' in the top level is 'country'"),
    ],
)
def test_a_wrong_segment_is_refused_with_what_is_allowed(
    names: str, sentence: str
) -> None:
    with pytest.raises(AgreementError, match=sentence):
        parse_agreement(f"segments = {names}\n{DECLARED}")


# ---------------------------------------------------------------------------- words


@dataclasses.dataclass
class Trained:
    """As much of a bundle as the section reads."""

    metrics: dict[str, Any]


def judged(value: str, *, said: float, is_off: bool, **more: Any) -> dict[str, Any]:
    low, high = metrics.proportion_interval(90, 1000)
    row = {
        "segment": "country",
        "value": value,
        "n_rows": 4000,
        "n_groups": 1000,
        "n_converted_groups": 90,
        "said": said,
        "happened": 0.09,
        "low": low,
        "high": high,
        "log_loss": 0.2,
        "auc": 0.7,
        "is_off": is_off,
    }
    return row | more


FOUND = [
    judged("de", said=0.1, is_off=False, auc=None),
    judged("es", said=0.12, is_off=True),
    judged("fr", said=0.05, is_off=True),
]


def test_the_section_says_where_it_is_off_and_the_farthest_first() -> None:
    (section,) = segments_section(Trained({"segments": FOUND}))  # type: ignore[arg-type]
    said = " ".join(section.paragraphs)
    assert "In 2 of 3 segments" in said
    assert "country: fr, where it said 5% and 9% of the places on lists" in said
    assert "from 1,000 leads or accounts)" in said
    assert said.index("country: fr") < said.index("country: es")
    (table,) = section.tables
    assert table.strong == "country: fr"
    assert [row[0] for row in table.rows] == [
        "country: de",
        "country: es",
        table.strong,
    ]
    verdicts = [row[-1] for row in table.rows]
    assert verdicts == ["within chance", "said too much", "said too little"]
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_section_says_that_none_is_off() -> None:
    (section,) = segments_section(Trained({"segments": FOUND[:1]}))  # type: ignore[arg-type]
    assert "In no segment (of 1)" in section.paragraphs[1]
    assert "1,000 leads" in section.paragraphs[1]
    assert section.tables[0].strong == ""


@pytest.mark.parametrize("found", [{}, {"segments": []}, {"segments": None}])
def test_without_segments_nothing_is_said(found: dict[str, Any]) -> None:
    assert segments_section(Trained(found)) == ()  # type: ignore[arg-type]
    assert segment_lines(found) == []


def test_the_terminal_warns_of_what_is_off_alone() -> None:
    lines = segment_lines({"segments": FOUND})
    assert all(len(line) <= 80 for line in lines)
    said = " ".join(line.strip() for line in lines)
    assert said.count("WARNING") == 2
    assert (
        "in segment country = fr, of the places on lists 5 % were expected to convert "
        "and 9 % did (95 % interval 7 to 11 %, from 1,000 leads or accounts)"
    ) in said
    assert segment_lines({"segments": FOUND[:1]}) == []


def test_a_small_gap_is_shown_with_the_decimals_that_it_needs() -> None:
    close = judged("fr", said=0.0521, is_off=True, happened=0.0549)
    said = " ".join(" ".join(segment_lines({"segments": [close]})).split())
    assert "5.2 % were expected to convert and 5.5 % did" in said
