"""The classifier: one recipe, with scikit-learn's contract.

Goes in: feature rows, what came of them, groups. Comes out: calibrated probabilities
with intervals. The recipe, simplest part first:

========= =============================================================================
points    the points alone, made a probability
ridge     a ridge logistic regression that shrinks towards what is agreed on: points
          and persona fit (`leadscore.recipe.prior`)
splines   the same, each number free to bend (`leadscore.recipe.linear`)
boosting  histogram gradient boosting with small trees (`leadscore.recipe.boosting`)
blend     a mean of these learners, pulled back to what is agreed on the more, the
          fewer leads converted (`leadscore.recipe.blend`)
========= =============================================================================

Optional ones stand before the blend, and in it: ``lightgbm``, for whoever asks for it
(`leadscore.recipe.lightgbm_trees`).

All of them are fitted; which one speaks is a parameter. Every choice is made by
out-of-fold log loss, folds grouped by lead (account), and each part is calibrated by a
sigmoid on those same out-of-fold probabilities.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_y,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)
from threadpoolctl import threadpool_limits

from leadscore.calibration import fit_sigmoid
from leadscore.recipe.blend import AGREED, Blend, fit_blend
from leadscore.recipe.boosting import choose_trees, fit_trees
from leadscore.recipe.columns import learn_columns
from leadscore.recipe.folds import Folds, grouped_folds
from leadscore.recipe.lightgbm_trees import choose_lightgbm, fit_lightgbm
from leadscore.recipe.linear import Fitting, Task
from leadscore.recipe.prior import FoldPrior, fit_prior, fold_priors
from leadscore.recipe.spread import WIDE, deviation

__all__ = ["EXTRAS", "RECIPES", "LeadClassifier", "recipes"]

BELIEF = 200.0  # in leads (accounts): how sure the parts are to be calibrated already
Learned = tuple[dict[str, Any], np.ndarray, Any]
LINEAR = ("ridge", "splines")
LEARNERS = (*LINEAR, "boosting")
RECIPES = ("points", *LEARNERS, "blend")
GROWN = {  # how trees are chosen, and fitted
    "boosting": (choose_trees, fit_trees),
    "lightgbm": (choose_lightgbm, fit_lightgbm),
}
EXTRAS = tuple(name for name in GROWN if name not in LEARNERS)


def recipes(extras: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what can speak: `RECIPES`, and optional learners, of `EXTRAS`."""
    return (*RECIPES[:-1], *extras, RECIPES[-1])


class LeadClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probability that a lead converts, from facts and from points.

    Parameters
    ----------
    recipe : {"blend", "points", "ridge", "splines", "boosting"}, default="blend"
        Which one speaks; or one of the extras.
    points : str, default="points"
        The column that holds the points; without such a column they say nothing.
    persona : str, default="persona_fit"
        The column that holds the persona fit; likewise. The learners take it, too.
    raises, lowers : tuple of str, default=()
        Number columns of which more never lowers, never raises the probability, all
        else equal. Null is more than any number: never is long ago.
    extras : tuple of str, default=()
        Optional learners: ``lightgbm``. They must be installed.
    random_state : int, RandomState instance or None, default=0
    n_jobs : int, default=None
        Learners that are tuned at the same time, each on one thread; None: 1. The
        result is the same.

    Attributes
    ----------
    classes_ : array of shape (2,)
    n_conversions_ : int
        Groups of the second class.
    settings_ : dict of str to dict
        What the folds chose for each learner; empty where there were too few
        conversions for folds, and what is agreed on serves alone.
    out_of_fold_ : dict of str to float array of shape (n_samples,)
        Probability of each row by fits that had not seen its group, by recipe.
    """

    def __init__(
        self,
        recipe: str = "blend",
        *,
        points: str = "points",
        persona: str = "persona_fit",
        raises: tuple[str, ...] = (),
        lowers: tuple[str, ...] = (),
        extras: tuple[str, ...] = (),
        random_state: Any = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.points = points
        self.persona = persona
        self.raises = raises
        self.lowers = lowers
        self.extras = extras
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Fit.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Numbers and, in a DataFrame, categories; null allowed, infinity not.
        y : array of shape (n_samples,)
            Two classes; the second, in sorted order, is the conversion.
        groups : array of shape (n_samples,), default=None
            Lead or account of each row; None: each row is one.

        Raises
        ------
        ValueError
            One class only, more than two, an infinite number, or an unknown recipe.
        ImportError
            An extra is not installed.
        """
        rows, converted, groups = self._checked(X, y, groups)
        agreed = self._agreed(rows)
        with _one_thread():
            folds = grouped_folds(converted, groups, seed=self._seed())
            _, of_points = fold_priors(agreed[:, :1], converted, groups, folds)
            priors, of_both = fold_priors(agreed, converted, groups, folds)
            taken, task = self._begin(rows, converted, groups)
            said = {"points": of_points, AGREED: of_both}
            if folds and not self.columns_.is_empty:
                said |= self._learn(taken, task, folds, priors)
            self._calibrate(said, converted, groups)
        return self

    def refit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Return a copy fitted on other rows that keeps what the folds chose.

        Strengths, trees, weights and calibration stay. Parameters and errors as in
        `fit`.
        """
        check_is_fitted(self)
        copy = clone(self)
        rows, converted, groups = copy._checked(X, y, groups)
        with _one_thread():
            taken, task = copy._begin(rows, converted, groups)
            if not copy.columns_.is_empty:
                copy._fit_parts(taken, task, self.settings_)
        copy.blend_, copy.sigmoids_ = self.blend_, self.sigmoids_
        return copy

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the probability of both classes, shape (n_samples, 2)."""
        positive = self.probability(X)
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the likelier class of each row, shape (n_samples,)."""
        check_is_fitted(self)
        return self.classes_[(self.probability(X) > 0.5).astype(int)]

    def probability(self, X: Any, recipe: str | None = None) -> np.ndarray:  # noqa: N803
        """Return the probability of conversion, shape (n_samples,).

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
        recipe : str, default=None
            One of `recipes` instead of the one that was asked for.
        """
        check_is_fitted(self)
        recipe = recipe or self.recipe
        said = self._said(*self._taken(X), self._weights(recipe))
        return self._calibrated(said, recipe)

    def interval(self, X: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        """Return low and high of each probability, each of shape (n_samples,).

        The middle nine tenths; what they cover: `leadscore.recipe.spread`.
        """
        check_is_fitted(self)
        agreed, taken = self._taken(X)
        said = self._said(agreed, taken, self._weights(self.recipe))
        reach = WIDE * self._deviation(agreed, taken, said[AGREED])
        low = self._calibrated(said, self.recipe, by=-reach)
        return low, self._calibrated(said, self.recipe, by=reach)

    def _calibrated(
        self, said: dict[str, np.ndarray], recipe: str, *, by: np.ndarray | float = 0.0
    ) -> np.ndarray:
        weights = self._weights(recipe)
        mixed = sum(weight * said[name] for name, weight in weights.items())
        return self.sigmoids_[recipe].apply(expit(mixed + by))

    def _weights(self, recipe: str) -> dict[str, float]:
        """Return what each part weighs in the log odds of a recipe, zeros left out."""
        if recipe == "blend":
            return self.blend_.shares()
        return {recipe: 1.0} if recipe in ("points", *self.learners_) else {AGREED: 1.0}

    def _taken(self, X: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        """Return what is agreed on of each row, and the columns of the learners."""
        rows = self._rows(X)
        return self._agreed(rows), self.columns_.take(rows)

    def _said(
        self, agreed: np.ndarray, taken: np.ndarray, parts: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Return the log odds of each part; what is agreed on is always among them."""
        prior = self.agreed_.log_odds(agreed)
        said = {AGREED: prior, "points": self.prior_.log_odds(agreed[:, :1])}
        with threadpool_limits(limits=1):
            for name in parts:
                if name in self.learners_ and len(taken):
                    said[name] = self.learners_[name].log_odds(taken, prior)
        return said if len(taken) else said | dict.fromkeys(self.learners_, prior)

    def _deviation(
        self, agreed: np.ndarray, taken: np.ndarray, prior: np.ndarray
    ) -> np.ndarray:
        """Return the standard deviation of each row's log odds."""
        if self.recipe == "points":
            unsure = self.prior_.deviation(agreed[:, :1])
            return deviation([], unsure, 1.0, knows_fit=False)
        unsure, knows_fit = self.agreed_.deviation(agreed), self.agreed_.knows_fit
        if not self.learners_ or len(taken) == 0:
            return deviation([], unsure, 1.0, knows_fit=knows_fit)
        learners = [self.learners_[name].deviation(taken, prior) for name in LINEAR]
        share = self._weights("blend").get(AGREED, 0.0)
        return deviation(learners, unsure, share, knows_fit=knows_fit)

    def _begin(
        self, rows: pd.DataFrame, converted: np.ndarray, groups: np.ndarray
    ) -> tuple[np.ndarray, Task]:
        """Learn what the agreement says, and which columns tell; nothing else yet."""
        agreed = self._agreed(rows)
        self.prior_ = fit_prior(agreed[:, :1], converted, groups)
        self.agreed_ = fit_prior(agreed, converted, groups)
        facts = rows.drop(columns=self.points, errors="ignore")
        self.columns_ = learn_columns(
            facts, groups, raises=self.raises, lowers=self.lowers
        )
        self.settings_: dict[str, dict[str, Any]] = {}
        self.learners_: dict[str, Any] = {}
        task = Task(converted, groups, self.columns_, self.agreed_.log_odds(agreed))
        return self.columns_.take(rows), task

    def _learn(
        self, taken: np.ndarray, task: Task, folds: Folds, priors: list[FoldPrior]
    ) -> dict[str, np.ndarray]:
        """Choose by the folds, fit on all rows; return what was said out of fold."""

        def linear(name: str) -> Learned:
            with _one_thread():
                fitting = Fitting(taken, task, bends=name == "splines")
                settings, said = fitting.choose(folds, priors)
                return settings, said, fitting.fit(settings["C"])

        def trees(name: str) -> Learned:
            with _one_thread():
                settings, said = GROWN[name][0](
                    taken,
                    task.converted,
                    folds,
                    task.columns,
                    n_conversions=self.n_conversions_,
                    seed=self._seed(),
                )
                return settings, said, self._trees(name, taken, task, settings)

        jobs = {name: delayed(trees)(name) for name in (*self.extras, "boosting")}
        jobs |= {name: delayed(linear)(name) for name in reversed(LINEAR)}
        # Threads: the work is in compiled code, and the rows need not travel.
        found = Parallel(n_jobs=self.n_jobs, backend="threading")(jobs.values())
        learned = dict(zip(jobs, found, strict=True))
        names = (*LEARNERS, *self.extras)
        self.settings_ = {name: learned[name][0] for name in names}
        self.learners_ = {name: learned[name][2] for name in names}
        return {name: learned[name][1] for name in names}

    def _fit_parts(
        self, taken: np.ndarray, task: Task, settings: dict[str, dict[str, Any]]
    ) -> None:
        """Fit each part on all rows, as folds have chosen elsewhere."""
        self.settings_ = settings
        for name, chosen in settings.items():
            if name in LINEAR:
                fitting = Fitting(taken, task, bends=name == "splines")
                self.learners_[name] = fitting.fit(chosen["C"])
            else:
                self.learners_[name] = self._trees(name, taken, task, chosen)

    def _trees(
        self, name: str, taken: np.ndarray, task: Task, settings: dict[str, int]
    ) -> Any:
        return GROWN[name][1](
            taken, task.converted, task.columns, settings, seed=self._seed()
        )

    def _calibrate(
        self, said: dict[str, np.ndarray], converted: np.ndarray, groups: np.ndarray
    ) -> None:
        """Mix the parts, and fit a sigmoid for each recipe, out of fold."""
        agreed = said[AGREED]
        learners = {name: said[name] for name in said if name not in ("points", AGREED)}
        self.blend_ = Blend({}, 0.0)
        if learners:
            self.blend_ = fit_blend(agreed, learners, converted, groups)
        mixed = {name: said.get(name, agreed) for name in recipes(self.extras)[:-1]}
        mixed["blend"] = self.blend_.mix(agreed, learners)
        belief = BELIEF * len(converted) / len(np.unique(groups))
        self.sigmoids_ = {
            name: fit_sigmoid(expit(log_odds), converted, belief=belief)
            for name, log_odds in mixed.items()
        }
        self.out_of_fold_ = {
            name: self.sigmoids_[name].apply(expit(log_odds))
            for name, log_odds in mixed.items()
        }

    def _agreed(self, rows: pd.DataFrame) -> np.ndarray:
        """Return ``asinh(points)`` and, where there is one, the persona fit."""
        agreed = np.full((len(rows), 2 if self.persona in rows else 1), np.nan)
        if self.points in rows:
            agreed[:, 0] = np.arcsinh(rows[self.points].to_numpy(dtype=np.float64))
        if self.persona in rows:
            agreed[:, 1] = rows[self.persona].to_numpy(dtype=np.float64)
        return agreed

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _checked(
        self,
        X: Any,  # noqa: N803
        y: Any,
        groups: Any,
    ) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        odd = [name for name in self.extras if name not in EXTRAS]
        if odd or len(set(self.extras)) < len(self.extras):
            msg = f"extras is {self.extras!r}; it holds, once: {', '.join(EXTRAS)}"
            raise ValueError(msg)
        if self.recipe not in recipes(self.extras):
            known = ", ".join(recipes(self.extras))
            msg = f"recipe is {self.recipe!r}; it is one of {known}"
            raise ValueError(msg)
        rows = self._rows(X, is_first=True)
        y = _check_y(y, estimator=self)
        check_consistent_length(rows, y)
        check_classification_targets(y)
        kind = type_of_target(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            msg = (
                "Only binary classification is supported. The type of the target is "
                f"{kind}."
            )
            raise ValueError(msg)
        if len(self.classes_) < 2:
            msg = (
                f"y holds one class only, {self.classes_[0]}; leads that converted and "
                "leads that did not are needed"
            )
            raise ValueError(msg)
        groups = np.arange(len(rows)) if groups is None else np.asarray(groups)
        check_consistent_length(rows, groups)
        self.n_conversions_ = len(np.unique(groups[places == 1]))
        return rows, places.astype(np.float64), groups

    def _rows(self, X: Any, *, is_first: bool = False) -> pd.DataFrame:  # noqa: N803
        """Return the rows as a frame, checked; numbers finite or null."""
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=is_first, skip_check_array=True)
            _check_frame(X)
            return X.set_axis(X.columns.astype(str), axis="columns")
        values = validate_data(
            self, X, reset=is_first, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])

    def described(self) -> dict[str, Any]:
        """Return what the folds chose, and how the parts are mixed."""
        check_is_fitted(self)
        return {**self.settings_, "blend": self.blend_.shares()}

    def __sklearn_tags__(self) -> Tags:
        """Say that null is taken, and that there are two classes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


def _check_frame(rows: pd.DataFrame) -> None:
    numbers = rows.select_dtypes("number")
    is_infinite = np.isinf(numbers.to_numpy(dtype=np.float64)).any(axis=0)
    if is_infinite.any():
        names = ", ".join(map(str, numbers.columns[is_infinite]))
        msg = f"Input X contains infinity in {names}; write null where none is known"
        raise ValueError(msg)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Fit on one thread: the same bits on any number of cores, and no fight for them.

    An unfinished fit is judged like any other, by its out-of-fold log loss.
    """
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
