"""The recipe: scikit-learn's contract, and what holds of every lead and every table."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from leadscore.metrics import log_loss
from leadscore.recipe import RECIPES, LeadClassifier, boosting, linear
from leadscore.recipe.blend import AGREED, fit_blend, trust
from leadscore.recipe.boosting import choose_trees
from leadscore.recipe.columns import Columns, learn_columns
from leadscore.recipe.design import N_BENT, learn_design
from leadscore.recipe.folds import grouped_folds
from leadscore.recipe.linear import FREE, Fitting, Task
from leadscore.recipe.newton import Point, newton
from leadscore.recipe.posterior import posterior_root
from leadscore.recipe.prior import FIT, fit_prior, fold_priors
from tests.examples import examples
from tests.test_model import Data, leads

OF_FACTS = ("ridge", "splines", "boosting", "blend")


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """These theorems hold for any number of trees; forty take a tenth of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(boosting, "MAX_TREES", 40)
        patched.setattr(boosting, "BLOCK", 20)
        yield


@functools.cache
def fitted() -> tuple[LeadClassifier, Data]:
    data = leads(300)
    return LeadClassifier().fit(*data), data


def with_converted(n: int, *, n_groups: int = 40) -> Data:
    """Two rows a group, of which the first ``n`` convert, in both rows."""
    rows, _, groups = leads(2 * n_groups)
    return rows, np.repeat(np.arange(n_groups) < n, 2).astype(float), groups


# scikit-learn's contract.


@pytest.mark.slow
@parametrize_with_checks([LeadClassifier()])
def test_it_is_a_classifier_as_scikit_learn_means_it(
    estimator: LeadClassifier, check: Callable[[LeadClassifier], None]
) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_n_features_in",
        "check_fit_idempotent",
        "check_methods_subset_invariance",
    ],
)
def test_the_contract_in_short(name: str) -> None:
    getattr(estimator_checks, name)("LeadClassifier", LeadClassifier())


# The same rows, the same bits.


def test_neither_jobs_nor_a_second_fit_nor_a_file_change_a_bit() -> None:
    first, data = fitted()
    second = LeadClassifier(n_jobs=2).fit(*data)
    for other in (second, pickle.loads(pickle.dumps(first))):  # noqa: S301
        assert other.settings_ == first.settings_
        for recipe in RECIPES:
            np.testing.assert_array_equal(
                other.probability(data[0], recipe), first.probability(data[0], recipe)
            )
        for ours, theirs in zip(
            first.interval(data[0]), other.interval(data[0]), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_refit_on_the_same_rows_is_the_fit() -> None:
    first, data = fitted()
    again = first.refit(*data)
    assert again is not first
    assert again.settings_ == first.settings_
    for recipe in RECIPES:
        np.testing.assert_array_equal(
            again.probability(data[0], recipe), first.probability(data[0], recipe)
        )


def test_a_refit_on_other_rows_keeps_what_the_folds_chose_and_nothing_else() -> None:
    first, (rows, _, _) = fitted()
    before = first.probability(rows)
    again = first.refit(*leads(200, seed=5))
    assert again.settings_ == first.settings_
    assert again.blend_ == first.blend_
    assert again.sigmoids_ == first.sigmoids_
    for recipe in RECIPES:
        assert (
            again.probability(rows, recipe) != first.probability(rows, recipe)
        ).any()
    np.testing.assert_array_equal(first.probability(rows), before)


def test_a_row_has_the_same_probability_alone_and_in_company() -> None:
    model, (rows, _, _) = fitted()
    for recipe in RECIPES:
        together = model.probability(rows, recipe)
        alone = [model.probability(rows.iloc[[i]], recipe)[0] for i in range(10)]
        np.testing.assert_allclose(alone, together[:10], rtol=1e-12)
    low = [model.interval(rows.iloc[[i]])[0][0] for i in range(10)]
    np.testing.assert_allclose(low, model.interval(rows)[0][:10], rtol=1e-12)


# Calibration.


def test_calibration_never_reorders_leads() -> None:
    model, (rows, _, _) = fitted()
    for recipe in RECIPES:
        assert model.sigmoids_[recipe].slope > 0
        weights = model._weights(recipe)
        said = model._said(*model._taken(rows), weights)
        raw = sum(weight * said[name] for name, weight in weights.items())
        order = np.argsort(raw)
        rises = np.diff(model.probability(rows, recipe)[order])
        assert (rises >= 0).all()
        assert (rises[np.diff(raw[order]) > 1e-9] > 0).all()


# Directions that are held.


def contrary(seed: int, n: int = 240) -> Data:
    """The truth is the opposite of what is held: ``more`` lowers, ``ago`` raises.

    Nulls, too: of those who never did it, more convert than of those who did it long
    ago where that should be fewer, and the other way round.
    """
    rng = np.random.default_rng(seed)
    more, ago = rng.poisson(2, n).astype(float), rng.exponential(30, n).round()
    odds = -0.9 * (more - 2) + 0.05 * (ago - 30)
    rows = pd.DataFrame({"points": rng.normal(size=n), "more": more, "ago": ago})
    rows.loc[rng.uniform(size=n) < 0.2, "ago"] = np.nan
    rows.loc[rng.uniform(size=n) < 0.2, "more"] = np.nan
    rows["free"] = rng.normal(size=n)
    odds += np.where(rows["ago"].isna(), 1.0, 0.0) + 0.4 * rows["points"]
    converted = (rng.uniform(size=n) < expit(odds)).astype(float)
    return rows, converted, np.arange(n) // 2


def steps(
    model: LeadClassifier,
    rows: pd.DataFrame,
    column: str,
    asked: tuple[str, ...] = RECIPES,
) -> dict[str, tuple[float, float]]:
    """The steepest fall and rise, by recipe, of a column that goes from least to null.

    All else stays as it is, in each of the rows.
    """
    least, most = rows[column].min() - 1, 2 * rows[column].max()
    values = np.array([*np.linspace(least, most, 25), np.nan])
    swept = pd.concat([rows] * len(values), ignore_index=True)
    swept[column] = np.repeat(values, len(rows))
    found = {}
    for recipe in asked:
        said = model.probability(swept, recipe).reshape(len(values), len(rows))
        found[recipe] = (np.diff(said, axis=0).min(), np.diff(said, axis=0).max())
    return found


# A seed does not get simpler by shrinking, and each try is a fit.
@settings(max_examples=6, deadline=None, derandomize=True, phases=(Phase.generate,))
@given(st.integers(0, 10**6))
def test_a_held_column_never_turns_a_probability_the_wrong_way(seed: int) -> None:
    rows, converted, groups = contrary(seed)
    held = LeadClassifier(raises=("more",), lowers=("ago",))
    held.fit(rows, converted, groups)
    for fall, _ in steps(held, rows.head(15), "more").values():
        assert fall >= -1e-12
    for _, rise in steps(held, rows.head(15), "ago").values():
        assert rise <= 1e-12


def test_a_column_that_is_not_held_does_turn() -> None:
    rows, converted, groups = contrary(0)
    free = LeadClassifier().fit(rows, converted, groups)
    falls = steps(free, rows.head(15), "more")
    climbs = steps(free, rows.head(15), "ago")
    for recipe in OF_FACTS:
        assert falls[recipe][0] < -0.02
        assert climbs[recipe][1] > 0.02


def test_a_held_column_that_is_right_is_used() -> None:
    rows, converted, groups = contrary(1)
    held = LeadClassifier(lowers=("more",), raises=("ago",))
    held.fit(rows, converted, groups)
    found = steps(held, rows.head(15), "more")
    for recipe in OF_FACTS:
        assert found[recipe][0] < -0.02
        assert found[recipe][1] <= 1e-12


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=5, unique=True))
def test_never_is_beyond_all_that_were_seen(seen: list[float]) -> None:
    rows = pd.DataFrame({"ago": [*seen, np.nan]})
    columns = learn_columns(rows, np.arange(len(rows)), lowers=("ago",))
    assert columns.take(rows)[-1, 0] > max(seen)


# Folds.


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=4, max_size=60),
    st.integers(0, 3),
)
def test_no_group_is_on_both_sides_of_a_fold(
    drawn: list[tuple[int, bool]], seed: int
) -> None:
    groups, converted = (np.array(column) for column in zip(*drawn, strict=True))
    if len(np.unique(converted)) < 2:
        return
    tested: list[int] = []
    for fit, test in grouped_folds(converted.astype(float), groups, seed=seed):
        assert not set(groups[fit]) & set(groups[test])
        assert len(fit) + len(test) == len(groups)
        assert set(converted[fit]) == {0, 1}
        tested.extend(test)
    assert len(tested) == len(set(tested))


def out_of_fold(name: str, rows: pd.DataFrame, converted: np.ndarray) -> np.ndarray:
    """What a part says out of fold; the folds are those of `leads`, held."""
    _, first, groups = leads(len(rows))
    folds = grouped_folds(first, groups, seed=0)
    agreed = np.arcsinh(rows[["points"]].to_numpy())
    priors, of_points = fold_priors(agreed, converted, groups, folds)
    if name == "points":
        return of_points
    columns = learn_columns(rows.drop(columns="points"), groups)
    taken = columns.take(rows)
    if name == "boosting":
        found = choose_trees(taken, converted, folds, columns, n_conversions=50, seed=0)
        return found[1]
    prior = fit_prior(agreed, converted, groups).log_odds(agreed)
    task = Task(converted, groups, columns, prior)
    return Fitting(taken, task, bends=name == "splines").choose(folds, priors)[1]


@pytest.mark.parametrize("name", RECIPES[:-1])
def test_what_is_said_out_of_fold_never_used_the_outcomes_of_the_fold(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one strength and one tree to choose from: choices are made by all folds."""
    monkeypatch.setattr(linear, "RIDGES", (0.1,))
    monkeypatch.setattr(boosting, "MAX_TREES", 1)
    monkeypatch.setattr(boosting, "BLOCK", 1)
    rows, converted, groups = leads(240)
    (_, test), *rest = grouped_folds(converted, groups, seed=0)
    turned = converted.copy()
    turned[test] = 1 - turned[test]
    before, after = (out_of_fold(name, rows, y) for y in (converted, turned))
    np.testing.assert_array_equal(after[test], before[test])
    for _, other in rest:
        assert (after[other] != before[other]).any()


# Sliding to the points.


@pytest.mark.parametrize("n_converted", [1, 2, 3])
def test_up_to_three_conversions_the_blend_is_the_points(n_converted: int) -> None:
    rows, converted, groups = with_converted(n_converted)
    model = LeadClassifier().fit(rows, converted, groups)
    assert model.n_conversions_ == n_converted
    assert model.blend_.pull == 0
    np.testing.assert_array_equal(
        model.probability(rows), model.probability(rows, "points")
    )
    np.testing.assert_array_equal(
        model.out_of_fold_["blend"], model.out_of_fold_["points"]
    )


@given(st.integers(0, 500), st.integers(1, 500))
def test_trust_is_none_up_to_three_then_rises_and_stays_below_one(
    n_converted: int, n_others: int
) -> None:
    found = trust(n_converted, n_converted + n_others)
    assert 0 <= found < 1
    if min(n_converted, n_others) <= 3:  # a class is as little as the other
        assert found == 0
    twice = trust(2 * n_converted, 2 * (n_converted + n_others))
    assert twice > found or twice == found == 0


def test_trust_is_what_the_page_says() -> None:
    shown = [trust(n, 10**6) for n in (10, 33, 273)]
    assert shown == pytest.approx([0.19, 0.5, 0.9], abs=0.005)


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 60), st.floats(-2, 2))
def test_the_blend_never_steps_further_than_trust(
    seed: int, n: int, skill: float
) -> None:
    rng = np.random.default_rng(seed)
    converted = (np.arange(n) % 3 == 0).astype(float)
    groups = np.arange(n) // 2
    learners = {
        name: skill * (converted - 0.3) + rng.normal(0, 0.5, n) for name in "abc"
    }
    found = fit_blend(rng.normal(-1, 0.3, n), learners, converted, groups)
    n_converted = len(np.unique(groups[converted == 1]))
    assert 0 <= found.pull <= trust(n_converted, len(np.unique(groups)))
    assert sum(found.weights.values()) == pytest.approx(1)
    assert sum(found.shares().values()) == pytest.approx(1)


def test_learners_that_know_are_followed_and_those_that_guess_are_not() -> None:
    _, converted, groups = leads(300)
    rng = np.random.default_rng(0)
    known, guessed = 3 * (converted - 0.5), rng.normal(0, 2, (2, 300))
    names = ("knows", "guesses", "guesses_too")
    points = np.full(300, -1.4)
    says = dict(zip(names, (known, *guessed), strict=True))
    found = fit_blend(points, says, converted, groups)
    assert found.weights["knows"] > 0.8
    assert found.pull > 0.5
    says["knows"] = rng.normal(0, 2, 300)
    assert fit_blend(points, says, converted, groups).pull == 0


# The linear learners.


def wide(n_rows: int = 60, n_columns: int = 90) -> tuple[pd.DataFrame, Task]:
    """More columns than rows, of which the last ten say something; points do, too."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(n_rows, n_columns))
    rows = pd.DataFrame(values, columns=[f"c{i}" for i in range(n_columns)])
    prior = rng.normal(-1, 1, n_rows)
    odds = prior + values[:, -10:].sum(axis=1) / 2
    converted = (rng.uniform(size=n_rows) < expit(odds)).astype(float)
    groups = np.arange(n_rows)
    return rows, Task(converted, groups, learn_columns(rows, groups), prior)


def plain_design(columns: Columns, *, bends: bool) -> ColumnTransformer:
    """The design by scikit-learn's own parts; columns by their place."""
    steps = [
        FunctionTransformer(np.arcsinh),
        SimpleImputer(strategy="median", keep_empty_features=True),
    ]
    straight = make_pipeline(*steps, MinMaxScaler(clip=True), StandardScaler())
    splines = SplineTransformer(n_knots=4, degree=2, extrapolation="constant")
    held = list(range(len(columns.held)))
    numbers = [len(held) + place for place in range(len(columns.numbers))]
    words = list(range(len(held) + len(numbers), columns.n_columns))
    missing = MissingIndicator(features="missing-only", error_on_new=False)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("held", straight, held),
            ("numbers", make_pipeline(*steps, splines) if bends else straight, numbers),
            ("missing", missing, numbers),
            ("words", one_hot, words),
        ]
    )


@pytest.mark.parametrize("bends", [False, True])
def test_the_design_is_the_one_that_scikit_learn_makes(bends: bool) -> None:
    """Numbers beyond those seen, nulls where there were none, words never seen."""
    rows, _, groups = leads(300)
    facts = rows.drop(columns="points")
    facts["shrinks"] = np.random.default_rng(0).normal(size=300) ** 3
    columns = learn_columns(facts, groups, lowers=("n_page_view_30d",))
    assert len(columns.held) == 1
    taken = columns.take(facts)
    odd = facts.assign(
        days_since_last=facts["days_since_last"].fillna(1e4) * 3,
        word=pd.Categorical(["green", None, "red"] * 100),
    )
    odd.loc[:9, "shrinks"] = np.nan
    plain = plain_design(columns, bends=bends).fit(taken)
    design = learn_design(columns, taken, bends=bends)
    for asked in (taken, columns.take(odd)):
        np.testing.assert_allclose(
            design.matrix(asked), plain.transform(asked), rtol=1e-9, atol=1e-12
        )


def test_a_number_that_is_one_value_or_null_bends_nowhere() -> None:
    rows = pd.DataFrame({"a": [3.0, np.nan] * 30, "b": np.arange(60.0)})
    columns = learn_columns(rows, np.arange(60))
    matrix = learn_design(columns, columns.take(rows), bends=True).matrix(
        columns.take(rows)
    )
    assert np.isfinite(matrix).all()
    assert np.ptp(matrix[:, :5], axis=0).max() == 0
    np.testing.assert_array_equal(matrix[:, 10], [0.0, 1.0] * 30)


@pytest.mark.parametrize("bends", [False, True])
@pytest.mark.parametrize("n_rows", [60, 400])
@pytest.mark.parametrize("strength", [0.003, 0.1, 3.0])
def test_the_rotation_changes_nothing(
    strength: float, n_rows: int, bends: bool
) -> None:
    """A plain ridge on the design as it is, by another solver, is the same learner.

    With fewer rows than columns, and with more; there what is unsure is the same, too.
    """
    rows, task = wide(n_rows, 70)
    rows["c0"] = (rows["c0"] > 0).astype(float)  # two values, five columns that bend
    taken = task.columns.take(rows)
    fitting = Fitting(taken, task, bends=bends)
    found = fitting.fit(strength)
    design = found.design.matrix(taken)
    assert fitting.matrix.shape[1] <= min(n_rows, design.shape[1]) + 2
    assert design.shape[1] == 70 * (N_BENT if bends else 1)
    plain = LogisticRegression(C=strength, solver="newton-cg", tol=1e-12)
    whole = np.column_stack([design, FREE * task.prior])
    plain.fit(whole, task.converted)
    drawn = np.random.default_rng(4).normal(size=(20, 70))
    later, prior = pd.DataFrame(drawn, columns=rows.columns), np.linspace(-2, 2, 20)
    asked = found.matrix(task.columns.take(later), prior)
    np.testing.assert_allclose(
        found.log_odds(task.columns.take(later), prior),
        plain.decision_function(asked),
        rtol=1e-5,
    )
    if n_rows > design.shape[1]:
        said = expit(plain.decision_function(whole))
        root = posterior_root(whole, said, task.converted, task.groups, ridge=strength)
        moved = np.column_stack([asked, np.ones(20)]) @ root
        np.testing.assert_allclose(
            found.deviation(task.columns.take(later), prior),
            np.linalg.norm(moved, axis=1),
            rtol=1e-4,
        )


def test_bent_numbers_need_four_columns_and_those_of_two_values_one() -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"bent": rng.normal(size=200), "two": np.arange(200.0) % 2})
    columns = learn_columns(rows, np.arange(200))
    task = Task(np.arange(200.0) % 2, np.arange(200), columns, np.zeros(200))
    fitting = Fitting(columns.take(rows), task, bends=True)
    assert fitting.matrix.shape[1] == N_BENT - 1 + 1 + 2  # the points, the intercept


# Newton's method.


def test_newton_ends_where_another_method_ends_and_signs_are_right() -> None:
    matrix, _, converted = known_world(500, 1)
    matrix = np.column_stack([matrix, np.ones(500)])
    counts = np.repeat([1.0, 0.0], [400, 100])  # the last hundred are left out
    precision = np.array([2.0, 2.0, 0.0])
    start = Point(np.zeros(3), np.zeros(3, dtype=bool))
    asked = {"counts": counts, "max_steps": 50}
    free = newton(matrix, converted, precision, start, signs=np.zeros(3), **asked)
    plain = LogisticRegression(C=0.5, solver="newton-cg", tol=1e-12)
    plain.fit(matrix[:400, :2], converted[:400])
    np.testing.assert_allclose(free.found[:2], plain.coef_[0], rtol=1e-6)
    assert free.found[1] < 0
    held = newton(
        matrix, converted, precision, start, signs=np.array([1.0, 1.0, 0.0]), **asked
    )
    assert list(held.is_out) == [False, True, False]
    plain.fit(matrix[:400, :1], converted[:400])
    np.testing.assert_allclose(held.found[[0, 2]], [*plain.coef_[0], *plain.intercept_])
    assert held.found[1] == 0


def test_newton_halves_a_step_that_would_go_too_far() -> None:
    """From far out, where the curve is flat, a whole step would overshoot."""
    matrix, _, converted = known_world(200, 1)
    start = Point(np.array([30.0, 30.0]), np.zeros(2, dtype=bool))
    precision, counts = np.full(2, 1e-3), np.ones(200)
    losses = []
    for n in range(8):
        found = newton(
            matrix,
            converted,
            precision,
            start,
            counts=counts,
            signs=np.zeros(2),
            max_steps=n,
        ).found
        said = matrix @ found
        loss = np.logaddexp(0, said).sum() - converted @ said
        losses.append(loss + precision @ found**2 / 2)
    assert (np.diff(losses) <= 0).all()
    assert losses[1] < losses[0] / 2


# The posterior.


def known_world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two columns, log odds ``0.8 a - 0.5 b - 1``, and what came of them."""
    matrix = np.random.default_rng(0).normal(size=(n, 2))
    probability = expit(matrix @ [0.8, -0.5] - 1)
    drawn = np.random.default_rng(seed).uniform(size=n) < probability
    return matrix, probability, drawn.astype(float)


def test_the_posterior_is_the_sandwich_computed_the_naive_way() -> None:
    matrix, probability, converted = known_world(60, 1)
    groups = np.arange(60) // 3
    root = posterior_root(matrix, probability, converted, groups, ridge=0.7)
    precision = np.diag([1 / 0.7, 1 / 0.7, 0.0])
    hessian, information = precision.copy(), precision.copy()
    for group in range(20):
        score = np.zeros(3)
        for row in np.flatnonzero(groups == group):
            x = np.array([*matrix[row], 1.0])
            hessian += probability[row] * (1 - probability[row]) * np.outer(x, x)
            score += (converted[row] - probability[row]) * x
        information += np.outer(score, score)
    inverse = np.linalg.inv(hessian)
    np.testing.assert_allclose(
        root @ root.T, inverse @ information @ inverse, rtol=1e-9
    )


def test_the_posterior_is_how_far_fits_on_other_leads_would_lie() -> None:
    """Rows their own groups, the model right: the spread of fits, and 1/Hessian."""
    fits = []
    for seed in range(300):
        matrix, probability, converted = known_world(400, seed)
        fit = LogisticRegression(C=1e6, solver="newton-cholesky").fit(matrix, converted)
        fits.append([*fit.coef_[0], fit.intercept_[0]])
    spread = np.std(fits, axis=0)
    matrix, probability, converted = known_world(400, 1)
    root = posterior_root(matrix, probability, converted, np.arange(400), ridge=1e6)
    found = np.sqrt(np.diag(root @ root.T))
    np.testing.assert_allclose(found, spread, rtol=0.2)
    padded = np.column_stack([matrix, np.ones(400)])
    inverse = np.linalg.inv((padded.T * probability * (1 - probability)) @ padded)
    np.testing.assert_allclose(found, np.sqrt(np.diag(inverse)), rtol=0.15)


def test_rows_that_repeat_a_lead_teach_nothing() -> None:
    matrix, probability, converted = known_world(50, 2)
    once, twice = (
        posterior_root(
            np.tile(matrix, (n, 1)),
            np.tile(probability, n),
            np.tile(converted, n),
            np.tile(np.arange(50), n),
            ridge=np.inf,
        )
        for n in (1, 2)
    )
    np.testing.assert_allclose(twice @ twice.T, once @ once.T, rtol=1e-9)


@pytest.mark.parametrize("n_agreed", [1, 2])
def test_the_prior_is_as_sure_as_its_posterior(n_agreed: int) -> None:
    rows, converted, groups = leads(200)
    agreed = np.arcsinh(rows[["points", "points"]].to_numpy())[:, :n_agreed]
    agreed[:, 1:] = np.random.default_rng(2).normal(50, 20, (200, n_agreed - 1))
    prior = fit_prior(agreed, converted, groups)
    believed = np.array([1.0, FIT])[:n_agreed]
    scaled = (agreed - prior.middles) / prior.spreads * believed
    n_alike = 200 / len(np.unique(groups)) - 1
    said, ridge = expit(prior.log_odds(agreed)), 1 / (1 + 0.1 * n_alike)
    root = posterior_root(scaled, said, converted, groups, ridge=ridge)
    moved = np.column_stack([scaled, np.ones(200)]) @ root
    np.testing.assert_allclose(prior.deviation(agreed), np.linalg.norm(moved, axis=1))


def test_a_lead_looked_at_ten_times_teaches_more_than_once_but_less_than_ten() -> None:
    rng = np.random.default_rng(4)
    agreed = np.arcsinh(rng.gamma(1.0, 8.0, (60, 1)))
    converted = (rng.random(60) < expit(agreed[:, 0] - 3.5)).astype(float)
    leads, often = np.arange(60), np.repeat(np.arange(60), 10)
    once = fit_prior(agreed, converted, leads).slopes
    alike = fit_prior(agreed[often], converted[often], often).slopes
    apart = fit_prior(agreed[often], converted[often], np.arange(600)).slopes
    assert (0,) < once < alike < apart


# What is agreed on: points and persona fit.


def agreed_world(n: int, seed: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """``asinh(points)`` and a persona fit, of which a deviation is worth ``slope``."""
    rng = np.random.default_rng(seed)
    agreed = np.column_stack([np.arcsinh(rng.gamma(0.7, 9, n)), rng.normal(50, 20, n)])
    odds = -3.4 + 0.6 * (agreed[:, 0] - 2) + slope * (agreed[:, 1] - 50) / 20
    return agreed, expit(odds)


def gap_to_points(seed: int, slope: float, n_leads: int) -> float:
    """Expected log loss with the persona fit less that of the points alone."""
    agreed, truth = agreed_world(n_leads, seed, slope)
    converted = (np.random.default_rng(seed).random(n_leads) < truth).astype(float)
    later, of_later = agreed_world(4000, seed + 10_000, slope)
    losses = []
    for n_agreed in (2, 1):
        prior = fit_prior(agreed[:, :n_agreed], converted, np.arange(n_leads))
        odds = prior.log_odds(later[:, :n_agreed])
        losses.append(float((np.logaddexp(0, odds) - of_later * odds).mean()))
    return losses[0] - losses[1]


@pytest.mark.parametrize("n_leads", [200, 400, 1000])  # about 10, 20, 50 conversions
def test_a_persona_fit_that_tells_nothing_costs_next_to_nothing(n_leads: int) -> None:
    gaps = np.array([gap_to_points(seed, 0.0, n_leads) for seed in range(80)])
    assert (gaps > 0.001).mean() <= 0.05
    assert gaps.max() < 0.005
    assert gaps.max() > 0  # it is not that it is never used


def test_a_persona_fit_that_tells_is_used_from_the_first_conversions_on() -> None:
    few, more = (
        np.mean([gap_to_points(seed, 0.6, n) for seed in range(20)])
        for n in (100, 1000)
    )
    assert more < few < -0.001


@pytest.mark.parametrize("value", [np.nan, 70.0])
def test_a_persona_fit_of_one_value_says_nothing(value: float) -> None:
    agreed, truth = agreed_world(300, 1, 0.5)
    converted = (np.random.default_rng(0).random(300) < truth).astype(float)
    alone = fit_prior(agreed[:, :1], converted, np.arange(300))
    agreed[:, 1] = value
    both = fit_prior(agreed, converted, np.arange(300))
    assert both.slopes == (*alone.slopes, 0.0)
    np.testing.assert_array_equal(both.log_odds(agreed), alone.log_odds(agreed[:, :1]))
    # Nor later, where it has other values: the interval stays what it was.
    agreed[:, 1] = np.linspace(0, 100, 300)
    np.testing.assert_allclose(
        both.deviation(agreed), alone.deviation(agreed[:, :1]), rtol=1e-9
    )
    assert not both.knows_fit


@pytest.mark.parametrize("turned", [0, 1])
def test_what_tells_the_wrong_way_round_is_left_out(turned: int) -> None:
    agreed, truth = agreed_world(2000, 2, 0.8)
    converted = (np.random.default_rng(1).random(2000) < truth).astype(float)
    agreed[:, turned] *= -1
    slopes = fit_prior(agreed, converted, np.arange(2000)).slopes
    assert slopes[turned] == 0
    assert slopes[1 - turned] > 0.3


def test_with_few_conversions_the_blend_is_what_is_agreed_on() -> None:
    rows, converted, groups = with_converted(3)
    rows["persona_fit"] = np.where(converted > 0, 80.0, 20.0)
    model = LeadClassifier().fit(rows, converted, groups)
    assert model.blend_.shares() == {AGREED: 1.0}
    slope = model.agreed_.slopes[1]
    assert 0 < slope < 1
    nearer = rows.assign(persona_fit=90.0)
    assert (model.probability(nearer) > model.probability(rows)).all()
    np.testing.assert_array_equal(
        model.probability(nearer, "points"), model.probability(rows, "points")
    )


def test_few_conversions_must_pay_more_than_many_for_the_same_step() -> None:
    """The same gain a lead, as sure a lead: many are followed, few are not."""
    rng = np.random.default_rng(8)
    says = np.concatenate([np.full(2, 1.6), np.full(4, -1.7), np.full(14, -0.9)])
    converted = np.concatenate([np.ones(2), np.zeros(18)])
    points = np.full(20, -2.2)

    def pull(n_times: int) -> float:
        outcome = np.tile(converted, n_times)
        said = {"one": np.tile(says, n_times)}
        groups = rng.permutation(len(outcome))
        found = fit_blend(np.tile(points, n_times), said, outcome, groups)
        n = int(outcome.sum())
        return found.pull / trust(n, len(outcome))

    assert pull(10) < pull(100) <= 1


# The interval.


def test_the_interval_holds_the_probability_and_narrows_with_data() -> None:
    asked = leads(200, seed=9)[0]
    widths = []
    for n in (60, 300, 3000):
        model = fitted()[0] if n == 300 else LeadClassifier().fit(*leads(n))
        low, high = model.interval(asked)
        said = model.probability(asked)
        assert ((low <= said) & (said <= high)).all()
        assert (low < high).all()
        widths.append((high - low).mean())
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < widths[0] / 2


@pytest.mark.parametrize("n", [80, 400])
def test_nine_intervals_in_ten_hold_the_truth(n: int) -> None:
    """Of leads of simulated firms whose probabilities are a known function."""
    held = []
    for seed in range(5):
        rows, converted, groups, _ = plain_world(n, seed)
        later, _, _, truth = plain_world(300, 1000 + seed)
        low, high = LeadClassifier().fit(rows, converted, groups).interval(later)
        held.append(((low <= truth) & (truth <= high)).mean())
    assert 0.85 <= np.mean(held) <= 0.995


def plain_world(
    n: int, seed: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Points that are half right, two numbers and a word; one row a lead."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    word = rng.choice(["red", "blue"], n)
    odds = -1.5 + 0.7 * a + 0.4 * b + 0.5 * (word == "red")
    points = np.sinh(a + rng.normal(0, 0.7, n))
    rows = pd.DataFrame({"points": points, "a": a, "b": b, "word": word})
    converted = (rng.uniform(size=n) < expit(odds)).astype(float)
    return rows, converted, np.arange(n), expit(odds)


# What is wrong with a table.


def test_infinity_is_refused_by_the_name_of_its_column() -> None:
    model, (rows, converted, groups) = fitted()
    odd = rows.assign(days_since_last=rows["days_since_last"].replace(0, 1))
    odd.loc[3, "days_since_last"] = np.inf
    with pytest.raises(ValueError, match="infinity in days_since_last;"):
        LeadClassifier().fit(odd, converted, groups)
    with pytest.raises(ValueError, match="infinity in days_since_last;"):
        model.probability(odd)


def test_one_class_and_unknown_recipes_are_refused() -> None:
    rows, converted, groups = leads(40)
    with pytest.raises(ValueError, match="one class only, 0"):
        LeadClassifier().fit(rows, np.zeros(40), groups)
    with pytest.raises(ValueError, match="recipe is 'magic'; it is one of points,"):
        LeadClassifier("magic").fit(rows, converted, groups)


def test_columns_that_say_nothing_are_ignored() -> None:
    """Nulls, constants, and words of which each stands for a person."""
    model, (rows, converted, groups) = fitted()
    n = len(rows)
    many = pd.CategoricalDtype([f"word {i}" for i in range(5000)])
    empty = rows.assign(
        all_null=np.nan,
        constant=7.0,
        no_word=pd.Categorical([None] * n, categories=["a", "b"]),
        one_word=pd.Categorical(["a"] * n),
        own_word=[f"lead {i}" for i in range(n)],
        five_thousand=pd.Series([f"word {i * 13 % 5000}" for i in range(n)]).astype(
            many
        ),
    )
    padded = LeadClassifier().fit(empty, converted, groups)
    kept = padded.columns_
    assert list(kept.words) == ["word"]
    assert set(kept.numbers) == {"days_since_last", "n_page_view_30d"}
    for recipe in RECIPES:
        np.testing.assert_array_equal(
            padded.probability(empty, recipe), model.probability(rows, recipe)
        )


def test_points_that_are_tied_or_missing_say_nothing() -> None:
    rows, converted, groups = leads(200)
    base = converted.mean()
    tied, null = rows.assign(points=3.0), rows.assign(points=np.nan)
    without = rows.drop(columns="points")
    said = []
    for odd in (tied, null, without):
        model = LeadClassifier().fit(odd, converted, groups)
        assert model.probability(odd, "points") == pytest.approx(base, abs=1e-3)
        said.append(model.probability(odd))
        assert np.ptp(said[-1]) > 0.05  # the facts still do
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[1], said[2])


def test_accounts_that_are_all_alike_are_no_crash() -> None:
    """One of two leads of each converts: between accounts nothing is left open."""
    rows = pd.DataFrame({"fact": np.random.default_rng(0).normal(size=40)})
    model = LeadClassifier().fit(rows, np.tile([0, 1], 20), np.arange(40) // 2)
    low, high = model.interval(rows)
    assert (low < high).all()


def test_words_and_nulls_that_were_never_seen_have_a_probability() -> None:
    rows, converted, groups = leads(200)
    known = rows.assign(days_since_last=rows["days_since_last"].fillna(3.0))
    model = LeadClassifier().fit(known, converted, groups)
    odd = rows.assign(
        word=pd.Categorical(["green"] * 199 + [None]),
        points=np.nan,
        days_since_last=np.nan,
        n_page_view_30d=1e9,
    )
    for recipe in RECIPES:
        said = model.probability(odd, recipe)
        assert ((said > 0) & (said < 1)).all()
    rare = odd.assign(word=pd.Categorical(["other"] * 199 + [None]))
    np.testing.assert_array_equal(model.probability(odd), model.probability(rare))


@given(st.sampled_from(["lowers", "raises", None]), st.floats(0, 1e9))
def test_numbers_beyond_all_that_were_seen_count_as_the_last_of_them(
    way: str | None, further: float
) -> None:
    """A straight line drawn on would end at 0 and 1 once the world has moved."""
    model, rows = never_that_many(way)
    most = rows["n_page_view_30d"].max()
    beyond = rows.assign(n_page_view_30d=np.nextafter(most, np.inf) + further)
    least = rows.assign(n_page_view_30d=-further)
    for recipe in OF_FACTS:
        for odd, end in ((beyond, most), (least, 0.0)):
            np.testing.assert_array_equal(
                model.probability(odd, recipe),
                model.probability(rows.assign(n_page_view_30d=end), recipe),
            )


@functools.cache
def never_that_many(way: str | None) -> tuple[LeadClassifier, pd.DataFrame]:
    rows, converted, groups = leads(200)
    held = {way: ("n_page_view_30d",)} if way else {}
    return LeadClassifier(**held).fit(rows, converted, groups), rows


def test_no_rows_give_no_probabilities() -> None:
    model, (rows, _, _) = fitted()
    nobody = rows.iloc[:0]
    for recipe in RECIPES:
        assert model.probability(nobody, recipe).shape == (0,)
    assert model.predict(nobody).shape == (0,)
    assert model.predict_proba(nobody).shape == (0, 2)
    assert [part.shape for part in model.interval(nobody)] == [(0,), (0,)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_learns_and_is_calibrated(recipe: str) -> None:
    model, (rows, converted, _) = fitted()
    assert model.probability(rows, recipe).mean() == pytest.approx(
        converted.mean(), abs=0.03
    )
    later, happened, _ = leads(4000, seed=1)
    base = log_loss(happened, np.full(4000, happened.mean())).mean()
    assert log_loss(happened, model.probability(later, recipe)).mean() < base - 0.01
