"""Bad lessons: data that teaches nothing, or the wrong thing, gets a sentence.

Either a model that says what it lacks, or a refusal that says what is needed; warnings
are errors here, as in all tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadscore.bundle import Bundle, load_bundle
from leadscore.errors import DataError
from leadscore.model import FittedModel
from leadscore.report.verdict import verdict_of
from leadscore.summary import train_lines
from leadscore.workflows.check import check
from leadscore.workflows.train import Trained, train
from tests.folders import write_folder

N = 400
DAYS = 200  # over which leads come in
START = pd.Timestamp("2025-01-01T09:00:00Z")
A_FIFTH = np.arange(N) % 5 == 0  # who converts, where nothing else is said
MARKS = A_FIFTH + np.random.default_rng(1).normal(size=N)  # honest: AUC about 0.75

# Each lead is looked at once, a day old; with contest, by one past origin.
AGREEMENT = """\
[conversion]
horizon_days = 10
reporting_lag_days = 0
[snapshots]
at_age_hours = [24]
[source]
data_end = "2025-09-01T00:00:00Z"
[training]
origins = 1
test_days = 60
min_conversions = {needed}
{more}
"""


@dataclass(frozen=True)
class Lessons:
    """What a folder holds; attributes by name, visits as (lead, hours old, kind)."""

    converted: np.ndarray
    attributes: dict[str, tuple[str, Iterable[object]]]
    visits: tuple[tuple[int, int, str], ...] = ()
    stage: str = "opportunity"
    accounts: Iterable[str] | None = None
    more: str = ""

    def write(self, folder: Path, *, needed: int) -> Path:
        n = len(self.converted)
        created = START + pd.to_timedelta(np.arange(n) * DAYS / n, unit="D").round("s")
        leads = pd.DataFrame({"lead_id": [f"L{i}" for i in range(n)]})
        leads["created_at"] = [at.isoformat() for at in created]
        if self.accounts is not None:
            leads["account_id"] = list(self.accounts)
        declared = [self.more]
        for name, (kind, values) in self.attributes.items():
            leads[name] = list(values)
            declared.append(f'[attributes.{name}]\nkind = "{kind}"\nchanges = false')
        outcomes = [
            f"L{i},{self.stage},{(created[i] + pd.Timedelta(days=5)).isoformat()}"
            for i in np.flatnonzero(self.converted)
        ]
        visits = [
            f"L{i},{(created[i] + pd.Timedelta(hours=hours)).isoformat()},{kind}"
            for i, hours, kind in self.visits
        ]
        return write_folder(
            folder,
            leads=leads.to_csv(index=False),
            outcomes="\n".join(["lead_id,stage,occurred_at", *outcomes, ""]),
            interactions="\n".join(["lead_id,occurred_at,kind", *visits, ""]),
            agreement=AGREEMENT.format(needed=needed, more="\n".join(declared)),
        )


def lessons(
    converted: np.ndarray = A_FIFTH, **attributes: tuple[str, Iterable[object]]
) -> Lessons:
    return Lessons(converted, attributes)


def category(values: Iterable[object]) -> tuple[str, Iterable[object]]:
    return ("category", values)


def number(values: Iterable[object]) -> tuple[str, Iterable[object]]:
    return ("number", values)


CONSTANT = lessons(
    empty=category([None] * N),
    void=number([None] * N),
    same=category(["x"] * N),
    one=number([1.5] * N),
    silent=("text_presence", [None] * N),
    marks=number(MARKS),
)
MANY_WORDS = 5000  # of which 150 are shared by enough leads
COMMON = [f"common {i:03d}" for i in range(150)]
TOWNS = [*np.repeat(COMMON, 20), *(f"rare {i}" for i in range(MANY_WORDS - 150))]
MANY = lessons(
    np.arange(len(TOWNS)) % 25 == 0,
    town=category(np.random.default_rng(0).permutation(TOWNS)),
)
A_WORD_EACH = lessons(town=category([str(n) for n in range(N)]), marks=number(MARKS))
TIED = replace(
    lessons(marks=number(MARKS)),
    visits=tuple((i, 2, "page_view") for i in range(N)),
    more="[points]\nrules = []",
)
ONE_SOURCE = lessons(
    source=category(np.where(A_FIFTH | (np.arange(N) % 4 == 0), "web", "fair")),
    marks=number(MARKS),
)
ENDED = 250  # leads after this one have neither medium nor webinars
VANISHED = replace(
    lessons(
        medium=category([("a", "b")[i % 2] if i < ENDED else None for i in range(N)]),
        marks=number(MARKS),
        **{f"filled_{i}": number(np.arange(N) % (i + 2)) for i in range(3)},
    ),
    visits=tuple(
        [(i, 2 + hour, "page_view") for i in range(N) for hour in range(i % 4)]
        + [(i, 9, "webinar") for i in range(ENDED) if i % 3]
    ),
)
# Won deals are written down, and whoever buys is asked to log in.
PERFECT = replace(
    lessons(deal=category(np.where(A_FIFTH, "won", "open")), marks=number(MARKS)),
    visits=tuple((i, 2, "log_in") for i in np.flatnonzero(A_FIFTH)),
)
# The points themselves know it: only who converts has downloaded.
PERFECT_POINTS = replace(
    lessons(marks=number(MARKS)),
    visits=tuple((i, 3, "whitepaper_download") for i in np.flatnonzero(A_FIFTH)),
)


pytestmark = pytest.mark.slow  # each trains once or twice


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of models: to set up its registry takes longest."""
    return tmp_path_factory.mktemp("models")


def learned(data: Path, registry: Path, taught: Lessons, *, needed: int) -> Trained:
    return train(taught.write(data, needed=needed), registry)


def shown(trained: Trained) -> str:
    """What the terminal says, as one line."""
    return " ".join(" ".join(train_lines(trained)).split())


def about(bundle: Bundle, name: str) -> str:
    """The one sentence that is about a column; the terminal has it, too."""
    (said,) = [s for s in bundle.metrics["suspects"] if s.startswith(f"{name!r} ")]
    return str(said)


def model_of(trained: Trained) -> FittedModel:
    assert trained.bundle.model is not None
    return trained.bundle.model


# --------------------------------------------------------------- too little, too much


@pytest.mark.parametrize(
    ("accounts", "n", "by"),
    [(None, N, ""), ([f"A{i % 40}" for i in range(N)], 40, ", by 40 accounts,")],
)
def test_no_conversion_gives_no_model_and_the_exact_bound(
    tmp_path: Path, registry: Path, accounts: list[str] | None, n: int, by: str
) -> None:
    taught = replace(lessons(np.zeros(N, dtype=bool)), accounts=accounts)
    trained = learned(tmp_path, registry, taught, needed=20)
    why = trained.bundle.provenance["degraded"]
    assert trained.bundle.model is None
    assert trained.is_degraded
    assert f"none of {N} leads with a mature snapshot reached 'opportunity'" in why
    assert "train again when some have" in why
    found = re.search(rf"with 95 % confidence{by} fewer than ([\d.]+) % do", why)
    assert found is not None
    bound = 1 - 0.05 ** (1 / n)
    assert (1 - bound) ** n == pytest.approx(0.05)
    assert bound <= float(found[1]) / 100 < bound * 1.02
    assert f"DEGRADED: {why}" in shown(trained)
    assert check(tmp_path).why == why


def test_without_a_conversion_a_stated_share_is_turned_by_the_points(
    tmp_path: Path, registry: Path
) -> None:
    taught = replace(lessons(np.zeros(N, dtype=bool)), more="prior_rate = 0.02")
    taught = replace(
        taught, visits=tuple((i, 1 + i % 7, "whitepaper_download") for i in range(200))
    )
    trained = learned(tmp_path, registry, taught, needed=20)
    why, model = trained.bundle.provenance["degraded"], trained.bundle.model
    assert model is not None
    assert trained.is_degraded
    assert not trained.bundle.thresholds
    assert "stated, not learned: training.prior_rate says that 2 % of leads" in why
    assert "which so many would contradict" in why  # none of 400: fewer than .75 % do
    assert "after 400 leads (accounts) without any, that is 0.22 % on average" in why
    assert check(tmp_path).why == why
    first, second, _ = verdict_of(trained.bundle, None)
    assert first == "Nothing could be learned yet, so the points serve alone."
    assert "stated, not learned" in second
    assert "expects, 2.0%" in second
    again = load_bundle(registry, trained.bundle.model_id).model
    assert again is not None
    asked = pd.DataFrame({"points": [0.0, 5.0, 10.0]})
    said, (low, high) = again.predict(asked), again.predict_interval(asked)
    assert said[0] < 0.0022 < said[1] < said[2] < 0.02
    assert (low < said / 5).all()
    assert (high > 5 * said).all()


def test_every_lead_converted_is_refused(tmp_path: Path, registry: Path) -> None:
    everybody = lessons(np.ones(N, dtype=bool))
    with pytest.raises(DataError) as refused:
        learned(tmp_path, registry, everybody, needed=20)
    assert "every one of the 400 mature snapshots converted" in str(refused.value)
    assert "leads who did not convert are in leads" in str(refused.value)


def test_a_stage_that_nobody_reached_is_refused(tmp_path: Path, registry: Path) -> None:
    taught = replace(lessons(), stage="lost")
    with pytest.raises(DataError, match=r"'opportunity'.*stages in the data: lost\."):
        learned(tmp_path, registry, taught, needed=20)


def test_three_conversions_leave_the_points(tmp_path: Path, registry: Path) -> None:
    trained = learned(tmp_path, registry, lessons(np.arange(N) % 150 == 0), needed=20)
    why = trained.bundle.provenance["degraded"]
    assert model_of(trained).name == "points"
    assert why.startswith(
        "3 converted leads (accounts) are mature, 3 of them among the 75% that are not "
        "held out to prove promises; at least 20 of these are needed"
    )
    assert "train again when there are more" in why
    assert trained.bundle.thresholds == {}
    assert f"DEGRADED: {why}" in shown(trained)


# ---------------------------------------------------------------- what tells nothing


def test_empty_and_constant_attributes_are_named(
    tmp_path: Path, registry: Path
) -> None:
    trained = learned(tmp_path, registry, CONSTANT, needed=1000)
    said = {
        "empty": "is empty for all 400 leads",
        "void": "is empty for all 400 leads",
        "one": "is always 1.5 for all 400 leads",
        "same": "is always 'x' for all 400 leads",
        "silent": "is always 0 for all 400 leads",
    }
    for name, words in said.items():
        assert words in about(trained.bundle, name)
        assert about(trained.bundle, name) in shown(trained)
    assert "marks" not in " ".join(trained.bundle.metrics["suspects"])


def test_a_category_of_one_value_a_lead_is_named(
    tmp_path: Path, registry: Path
) -> None:
    trained = learned(tmp_path, registry, A_WORD_EACH, needed=1000)
    assert "no value that 20 leads share" in about(trained.bundle, "town")
    assert about(trained.bundle, "town") in shown(trained)
    assert trained.bundle.catalogue.categories["town"] == ()


def test_of_five_thousand_categories_the_common_ones_are_kept(
    tmp_path: Path, registry: Path
) -> None:
    assert len(set(TOWNS)) == MANY_WORDS
    trained = learned(tmp_path, registry, MANY, needed=1000)
    assert set(trained.bundle.catalogue.categories["town"]) == set(COMMON)
    assert not any("'town'" in said for said in trained.bundle.metrics["suspects"])


def test_points_that_are_the_same_for_all_are_named(
    tmp_path: Path, registry: Path
) -> None:
    trained = learned(tmp_path, registry, TIED, needed=1000)
    (said,) = trained.bundle.metrics["suspects"]
    assert said.startswith("the points are 0 for all 400 leads (accounts)")
    assert "under [points]" in said
    assert said in shown(trained)
    some = pd.DataFrame({"points": [0.0, 0.0, 7.0, np.nan]})
    base_rate = A_FIFTH.mean()
    np.testing.assert_allclose(model_of(trained).predict(some), base_rate, rtol=1e-6)


# ------------------------------------------------------------- what tells the wrong


def test_a_perfect_attribute_is_left_out_by_name(
    tmp_path: Path, registry: Path
) -> None:
    """And what only buyers do is, too, although a baseline asks for it."""
    trained = learned(tmp_path, registry, PERFECT, needed=20)
    bundle, model = trained.bundle, model_of(trained)
    left_out = {
        said.split("'")[1]: said
        for said in bundle.metrics["suspects"]
        if said.startswith("left out of the model: ")
    }
    assert {"deal", "n_log_in_7d", "n_7d", "days_since_last"} <= set(left_out)
    for said in left_out.values():
        assert "AUC 1.0000, with 65 converted leads (accounts)" in said
        assert "features.deny" in said
        assert said in shown(trained)
    # Columns of one kind are one sentence that names the others.
    assert not {"n_log_in_30d", "days_since_last_log_in"} & set(left_out)
    assert "'days_since_last_log_in'" in left_out["n_log_in_7d"]
    assert not {"deal", "n_7d", "engagement"} & set(model.columns)
    assert not [name for name in model.columns if "log_in" in name]
    assert "marks" in model.columns
    (blend,) = [r for r in bundle.metrics["candidates"] if r["name"] == "blend"]
    assert blend["auc"][0] < 0.9  # it knows the marks, and no more


def test_conversions_from_one_source_alone_are_named(
    tmp_path: Path, registry: Path
) -> None:
    trained = learned(tmp_path, registry, ONE_SOURCE, needed=1000)
    said = about(trained.bundle, "source")
    assert "is 'web' for all 80 converted leads (accounts), and for 40.0%" in said
    assert "outcomes reach you from there alone" in said
    assert said in shown(trained)


def test_what_has_vanished_is_one_sentence_a_source(
    tmp_path: Path, registry: Path
) -> None:
    trained = learned(tmp_path, registry, VANISHED, needed=1000)
    medium, webinar = (about(trained.bundle, n) for n in ("medium", "n_webinar_7d"))
    assert "is empty for all 100 leads (accounts) since 2025-06-01" in medium
    assert "is always 0 for all 100 leads (accounts) since 2025-06-01" in webinar
    assert "Look whether its source has ended or is late" in webinar
    for other in ("n_webinar_90d", "n_webinar_ever", "days_since_last_webinar"):
        assert f"{other!r}" in webinar
    assert medium in shown(trained)
    assert webinar in shown(trained)
    about_webinars = [s for s in trained.bundle.metrics["suspects"] if "webinar" in s]
    assert about_webinars == [webinar]


# ------------------------------------------------------------------------- infinite


@pytest.mark.parametrize(
    ("written", "reason"),
    [("inf", "is not a number"), ("1e999", "is too large for a number")],
)
def test_an_infinite_number_is_set_aside_by_name(
    tmp_path: Path, registry: Path, written: str, reason: str
) -> None:
    marks = [f"{mark:.2f}" for mark in MARKS]
    marks[7] = written
    taught = lessons(marks=number(marks))
    trained = learned(tmp_path, registry, taught, needed=1000)
    (reject,) = trained.tables.rejects.to_dict("records")
    place = (reject["file"], reject["line"], reject["column"])
    assert place == ("leads.csv", 9, "marks")
    assert reject["value"] == written
    assert reason in reject["reason"]
    assert "400 rows read, 399 used, 1 set aside" in shown(trained)


def test_many_infinite_numbers_are_refused_by_name(
    tmp_path: Path, registry: Path
) -> None:
    marks = ["inf" if i % 10 == 0 else f"{mark:.2f}" for i, mark in enumerate(MARKS)]
    with pytest.raises(DataError) as refused:
        learned(tmp_path, registry, lessons(marks=number(marks)), needed=1000)
    for word in ("leads.csv", "marks", "inf"):
        assert word in str(refused.value)


def test_an_infinite_number_in_a_typed_file_is_set_aside_by_name(
    tmp_path: Path, registry: Path
) -> None:
    marks = MARKS.copy()
    marks[7] = np.inf
    folder = lessons(marks=number(MARKS)).write(tmp_path, needed=1000)
    leads = pd.read_csv(folder / "leads.csv").assign(marks=marks)
    (folder / "leads.csv").unlink()
    leads.to_parquet(folder / "leads.parquet")
    (reject,) = train(folder, registry).tables.rejects.to_dict("records")
    assert (reject["file"], reject["column"]) == ("leads.parquet", "marks")
    assert "inf" in f"{reject['value']} {reject['reason']}"


# ------------------------------------------------------------------------- whole


@pytest.mark.parametrize(
    "taught",
    [
        pytest.param(CONSTANT, id="constant"),
        pytest.param(replace(CONSTANT, attributes={}), id="nothing at all"),
        pytest.param(MANY, id="many words"),
        pytest.param(A_WORD_EACH, id="a word each"),
        pytest.param(TIED, id="tied"),
        pytest.param(ONE_SOURCE, id="one source"),
        pytest.param(VANISHED, id="vanished"),
        pytest.param(PERFECT_POINTS, id="perfect points"),
        pytest.param(lessons(np.arange(N) % 70 != 9, marks=number(MARKS)), id="most"),
    ],
)
def test_every_recipe_is_judged_on_bad_lessons(
    tmp_path: Path, registry: Path, taught: Lessons
) -> None:
    """No learner stumbles, the blend is no worse than the points, all is said."""
    trained = learned(tmp_path, registry, taught, needed=20)
    bundle = trained.bundle
    loss = {row["name"]: row["log_loss"][0] for row in bundle.metrics["candidates"]}
    assert np.isfinite(list(loss.values())).all()
    assert loss["blend"] < loss["points"] + 0.01
    assert model_of(trained).name == bundle.metrics["winner"]
    for said in (*bundle.metrics["suspects"], bundle.provenance["degraded"]):
        assert said in shown(trained)


def test_without_anything_to_tell_leads_apart_the_base_rate_is_said(
    tmp_path: Path, registry: Path
) -> None:
    taught = replace(CONSTANT, attributes={})
    trained = learned(tmp_path, registry, taught, needed=20)
    rows = {row["name"]: row for row in trained.bundle.metrics["candidates"]}
    assert rows["blend"]["auc"][0] == 0.5
    assert rows["blend"]["log_loss"][0] == pytest.approx(
        rows["base rate"]["log_loss"][0], abs=1e-3
    )
