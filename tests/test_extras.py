"""An optional learner: one more part of the same contest, and nothing else changes."""

from __future__ import annotations

import dataclasses
import functools
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from leadscore.agreement import parse_agreement
from leadscore.agreement.sections import OPTIONAL_LEARNERS
from leadscore.bundle import load_bundle, save_bundle
from leadscore.errors import AgreementError, InputError
from leadscore.metrics import log_loss
from leadscore.model import BASELINES, FittedModel, fit_model
from leadscore.recipe import EXTRAS, RECIPES, LeadClassifier, boosting, recipes
from leadscore.recipe import lightgbm_trees as module
from leadscore.recipe.columns import learn_columns
from leadscore.recipe.folds import grouped_folds
from leadscore.recipe.lightgbm_trees import (
    choose_lightgbm,
    fit_lightgbm,
    is_installed,
)
from leadscore.report import page, report_of
from leadscore.workflows.check import check
from leadscore.workflows.train import train
from tests.small_firm import MODEL_ID, small_firm
from tests.test_bad_lessons import MARKS, Lessons, N, category, number
from tests.test_model import Data, leads
from tests.test_recipe import contrary, steps

pytestmark = pytest.mark.xdist_group("extras")
needs_it = pytest.mark.skipif(not is_installed(), reason="LightGBM is optional")

ASKED = ("lightgbm",)
WITH = recipes(ASKED)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held here holds for any number of trees."""
    for trees in (boosting, module):
        monkeypatch.setattr(trees, "MAX_TREES", 40)
        monkeypatch.setattr(trees, "BLOCK", 20)


@functools.cache
def fitted() -> tuple[LeadClassifier, Data]:
    data = leads(300)
    return LeadClassifier(extras=ASKED).fit(*data), data


def test_it_stands_before_the_blend_where_it_is_asked_for() -> None:
    assert WITH == ("points", "ridge", "splines", "boosting", "lightgbm", "blend")
    assert recipes() == RECIPES
    assert EXTRAS == OPTIONAL_LEARNERS  # what the agreement allows is what there is


# scikit-learn's contract.


@needs_it
@pytest.mark.slow
@parametrize_with_checks([LeadClassifier(extras=ASKED)])
def test_it_is_a_classifier_as_scikit_learn_means_it(
    estimator: LeadClassifier, check: Callable[[LeadClassifier], None]
) -> None:
    check(estimator)


@needs_it
@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_fit_idempotent",
        "check_methods_subset_invariance",
        "check_fit2d_1sample",
    ],
)
def test_the_contract_in_short(name: str) -> None:
    getattr(estimator_checks, name)("LeadClassifier", LeadClassifier(extras=ASKED))


# The same bits.


@needs_it
def test_the_other_parts_are_those_of_a_fit_without_it() -> None:
    model, data = fitted()
    without = LeadClassifier().fit(*data)
    for name in RECIPES[:-1]:
        assert model.settings_.get(name) == without.settings_.get(name)
        np.testing.assert_array_equal(
            model.out_of_fold_[name], without.out_of_fold_[name]
        )
        np.testing.assert_array_equal(
            model.probability(data[0], name), without.probability(data[0], name)
        )
    assert set(model.settings_) - set(without.settings_) == {"lightgbm"}


@needs_it
def test_neither_jobs_nor_a_refit_nor_a_file_change_a_bit() -> None:
    first, data = fitted()
    second = LeadClassifier(extras=ASKED, n_jobs=2).fit(*data)
    copies = (second, first.refit(*data), pickle.loads(pickle.dumps(first)))  # noqa: S301
    for other in copies:
        assert other.settings_ == first.settings_
        for recipe in WITH:
            np.testing.assert_array_equal(
                other.probability(data[0], recipe), first.probability(data[0], recipe)
            )


@needs_it
def test_a_row_has_the_same_probability_alone_and_in_company() -> None:
    model, (rows, _, _) = fitted()
    together = model.probability(rows, "lightgbm")
    alone = [model.probability(rows.iloc[[i]], "lightgbm")[0] for i in range(10)]
    np.testing.assert_array_equal(alone, together[:10])


# How it is chosen.


@needs_it
def test_the_number_of_trees_is_the_one_of_the_lowest_loss_out_of_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each number of trees fitted anew on every fold, asked as the product asks."""
    fast = boosting.Shape(4, 0.3, 20, 1.0, 0.5, 0)  # at its best before forty trees
    monkeypatch.setattr(module, "SHAPES", (fast,))
    rows, converted, groups = leads(400)
    columns = learn_columns(rows.drop(columns="points"), groups)
    taken = columns.take(rows)
    folds = grouped_folds(converted, groups, seed=0)
    chosen, said = choose_lightgbm(
        taken, converted, folds, columns, n_conversions=50, seed=3
    )
    oracle = {}
    for n_trees in range(1, 41):
        anew = np.empty(len(converted))
        for fit, test in folds:
            settings_ = {"trees": n_trees, "leaves": 4}
            trees = fit_lightgbm(taken[fit], converted[fit], columns, settings_, seed=3)
            anew[test] = trees.log_odds(taken[test], anew[test])
        oracle[n_trees] = anew
    losses = {n: log_loss(converted, expit(odds)).mean() for n, odds in oracle.items()}
    best = min(losses, key=lambda n: losses[n])
    assert 1 < best < 40
    assert chosen == {"trees": best, "leaves": 4}
    np.testing.assert_allclose(said, oracle[best], rtol=1e-9)


@needs_it
def test_what_is_said_out_of_fold_never_used_the_outcomes_of_the_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one tree to choose from: choices are made by all folds."""
    monkeypatch.setattr(module, "MAX_TREES", 1)
    rows, converted, groups = leads(400)
    columns = learn_columns(rows.drop(columns="points"), groups)
    folds = grouped_folds(converted, groups, seed=0)
    turned = converted.copy()
    turned[folds[0][1]] = 1 - turned[folds[0][1]]
    before, after = (
        choose_lightgbm(
            columns.take(rows), y, folds, columns, n_conversions=50, seed=0
        )[1]
        for y in (converted, turned)
    )
    np.testing.assert_array_equal(after[folds[0][1]], before[folds[0][1]])
    for _, other in folds[1:]:
        assert (after[other] != before[other]).any()


# Directions that are held.


@needs_it
@settings(max_examples=4, deadline=None, derandomize=True, phases=(Phase.generate,))
@given(st.integers(0, 10**6))
def test_a_held_column_never_turns_a_probability_the_wrong_way(seed: int) -> None:
    rows, converted, groups = contrary(seed)
    held = LeadClassifier(raises=("more",), lowers=("ago",), extras=ASKED)
    held.fit(rows, converted, groups)
    for fall, _ in steps(held, rows.head(15), "more", WITH).values():
        assert fall >= -1e-12
    for _, rise in steps(held, rows.head(15), "ago", WITH).values():
        assert rise <= 1e-12


@needs_it
def test_a_column_that_is_not_held_does_turn() -> None:
    rows, converted, groups = contrary(0)
    free = LeadClassifier(extras=ASKED).fit(rows, converted, groups)
    assert steps(free, rows.head(15), "more", WITH)["lightgbm"][0] < -0.02
    assert steps(free, rows.head(15), "ago", WITH)["lightgbm"][1] > 0.02


# The bundle.


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[FittedModel], Path]:
    """Save a model in a bundle of a made-up firm; return the folder of models."""

    def save(model: FittedModel) -> Path:
        firm = small_firm(tmp_path / "data").bundle
        versions = {"versions": {"scikit-learn": sklearn.__version__}}
        provenance = firm.provenance | versions
        bundle = dataclasses.replace(firm, model=model, provenance=provenance)
        return save_bundle(bundle, tmp_path / "models").parent

    return save


@needs_it
@pytest.mark.parametrize("name", ["lightgbm", "blend"])
def test_it_survives_the_bundle_to_the_last_bit_and_as_text(
    name: str, saved: Callable[[FittedModel], Path]
) -> None:
    rows, converted, groups = leads(200)
    model = fit_model(name, rows, converted, groups, seed=0, extras=ASKED)
    loaded = load_bundle(saved(model), MODEL_ID).model
    assert loaded is not None
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    np.testing.assert_array_equal(
        loaded.predict_interval(rows), model.predict_interval(rows)
    )
    text = loaded.classifier.learners_["lightgbm"].text
    assert text.startswith("tree\n")
    assert "num_threads: 1" in text


@needs_it
def test_a_model_that_needs_it_is_not_read_without_it(
    saved: Callable[[FittedModel], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = saved(fit_model("blend", *leads(200), seed=0, extras=ASKED))
    monkeypatch.setitem(sys.modules, "lightgbm", None)  # an import of it fails
    with pytest.raises(InputError) as refused:
        load_bundle(models, MODEL_ID)
    assert f"{MODEL_ID} has trees of LightGBM" in str(refused.value)
    assert "pip install 'leadscore[lightgbm]'" in str(refused.value)


# What is said of a name that is not there, and of a package.


@pytest.mark.parametrize("asked", ['["ebm"]', '["lightgbm", "lightgbm"]'])
def test_the_agreement_names_the_value_and_what_is_allowed(asked: str) -> None:
    with pytest.raises(AgreementError) as refused:
        parse_agreement(f"[training]\nseed = 1\nextras = {asked}\n")
    name = asked.strip("[]").split(",")[0].strip('"')
    assert str(refused.value) == (
        f"agreement.toml line 3: [training.extras]: {name!r}: an optional learner, "
        "once, was expected: lightgbm."
    )


def test_an_extra_that_is_not_known_is_refused_by_name() -> None:
    data = leads(40)
    with pytest.raises(ValueError, match=r"extras is \('ebm',\); it holds, once: ligh"):
        LeadClassifier(extras=("ebm",)).fit(*data)
    with pytest.raises(ValueError, match="recipe is 'lightgbm'; it is one of points"):
        LeadClassifier("lightgbm").fit(*data)


@pytest.mark.parametrize("verb", ["train", "check"])
def test_a_package_that_is_missing_is_said_before_any_work(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    data = asking().write(tmp_path / "data", needed=20)
    for path in data.glob("*.csv"):
        path.unlink()  # no table is read before
    with pytest.raises(AgreementError) as refused:
        train(data, tmp_path / "models") if verb == "train" else check(data)
    assert str(refused.value).startswith("training.extras names 'lightgbm', which can")
    assert "pip install 'leadscore[lightgbm]'" in str(refused.value)
    assert "or take it out of extras in agreement.toml" in str(refused.value)


def test_the_classifier_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ImportError, match=r"no LightGBM .*'leadscore\[lightgbm\]'"):
        LeadClassifier(extras=ASKED).fit(*leads(100))


def test_a_package_whose_library_is_missing_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: not there')")
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_installed()
    with pytest.raises(ImportError, match=r"no LightGBM here \(libgomp.so.1"):
        LeadClassifier(extras=ASKED).fit(*leads(100))


# From the agreement to the bundle.


def asking() -> Lessons:
    """A firm that asks for it; who converts depends on a number.

    Of those who ask for a demo nobody does, which is held to raise all the same.
    """
    converted = np.quantile(MARKS, 0.8) < MARKS
    word = np.where(np.arange(N) % 3 == 0, "web", "fair")
    marks = MARKS + np.random.default_rng(2).normal(size=N)
    told = {"marks": number(marks), "source": category(word)}
    asked = tuple((i, 2, "demo_request") for i in np.flatnonzero(~converted)[::3])
    more = 'extras = ["lightgbm"]\n[monotone]\nraises = ["demo_request"]'
    return Lessons(converted, told, asked, more=more)


@needs_it
@pytest.mark.slow
def test_a_training_holds_the_contest_with_it_and_the_report_explains_it(
    tmp_path: Path,
) -> None:
    data = asking().write(tmp_path / "data", needed=20)
    trained = train(data, tmp_path / "models")
    bundle = trained.bundle
    table = bundle.metrics["candidates"]
    assert [row["name"] for row in table] == [*BASELINES, *WITH]
    assert [row["name"] for row in table if row["ships"]] == list(WITH)
    assert bundle.model is not None
    assert "lightgbm" in bundle.model.settings
    assert "lightgbm" in bundle.provenance["versions"]
    shown = page(report_of(bundle))
    assert "Blend: a mean of these four" in shown
    assert "Lightgbm: such trees" in shown
    assert_monotone(bundle.model, bundle.typical)
    again = load_bundle(tmp_path / "models", bundle.model_id)
    assert again.agreement.training.extras == ASKED
    (written,) = (tmp_path / "models").rglob("requirements.txt")
    assert "lightgbm==" in written.read_text()


def assert_monotone(model: FittedModel, typical: Mapping[str, object]) -> None:
    """One more demo request never lowers what the shipped model says."""
    rows = pd.DataFrame([typical] * 4)
    counts = [name for name in rows if name.startswith("n_demo_request_")]
    assert counts
    for name in counts:
        rows[name] = [0.0, 1.0, 2.0, 3.0]
    rows["days_since_last_demo_request"] = [np.nan, 0.9, 0.5, 0.1]
    rows["decayed_demo_request"] = [0.0, 0.8, 1.6, 2.4]
    for recipe in WITH:
        said = model.classifier.probability(rows[list(model.columns)], recipe)
        assert np.diff(said).min() >= -1e-12
