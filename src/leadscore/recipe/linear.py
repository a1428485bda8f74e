"""Linear learners: ridge logistic regressions that shrink towards what is agreed on.

The log odds that points and persona fit give (`leadscore.recipe.prior`) are one more
column, on which the ridge does not weigh; so the strictest ridge gives these,
calibrated, and each step away from them must be paid for. ``ridge`` takes each number
as it is (on a log-like scale), ``splines`` lets it bend. The strength is the one of the
lowest out-of-fold log loss; the path begins at the strictest and ends where a looser
one was worse.

Columns whose direction is held enter as a straight line; one that would turn the wrong
way is taken out, and the rest fitted anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from leadscore.calibration import log_odds
from leadscore.metrics import log_loss
from leadscore.recipe.columns import Columns
from leadscore.recipe.design import Design, learn_design
from leadscore.recipe.folds import Folds
from leadscore.recipe.newton import Point, newton
from leadscore.recipe.posterior import posterior_root
from leadscore.recipe.prior import FoldPrior

__all__ = ["Fitting", "Linear", "Task"]

# scikit-learn's C, strict to loose; half a decade a step.
RIDGES = tuple(float(c) for c in 10.0 ** np.arange(-4, 1.01, 0.5))
STRICTER = 100  # converted groups below which the path begins a decade earlier
PATIENCE = 1  # looser ridges that may be worse before the path ends
MAX_STEPS = 50
STEPS = 2  # of Newton's method, from one ridge of a path to the next
FIRST_STEPS = 5  # at the strictest
NOTHING = 1e-10  # of the largest sum of squares: as good as none
FREE = 300.0  # scale of the prior's column: the ridge hardly weighs on it


@dataclass(frozen=True)
class Linear:
    """A fitted linear learner.

    Parameters
    ----------
    design : Design
    coefficients : float array of shape (n_design_columns + 1,)
        The last one is that of the prior's log odds.
    intercept : float
    spread : float array of shape (n_design_columns + 2, n_directions)
        Square root of the posterior covariance, the intercept last; see
        `leadscore.recipe.posterior`.
    """

    design: Design
    coefficients: np.ndarray
    intercept: float
    spread: np.ndarray

    def log_odds(self, taken: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the log odds of each row.

        Parameters
        ----------
        taken : float array of shape (n_rows, n_columns)
            From `Columns.take`.
        prior : float array of shape (n_rows,)
            Log odds that points and persona fit give.
        """
        # Not by BLAS: there the last bits of a row depend on how many there are.
        said = np.einsum("ij,j->i", self.matrix(taken, prior), self.coefficients)
        return said + self.intercept

    def deviation(self, taken: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the log odds of each row, shape (n_rows,).

        How sure data and ridge make of the coefficients: `leadscore.recipe.posterior`.
        """
        matrix = self.matrix(taken, prior)
        moved = matrix @ self.spread[:-1] + self.spread[-1]
        return np.sqrt((moved**2).sum(axis=1))

    def matrix(self, taken: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return the rows as numbers, shape (n_rows, n_design_columns + 1)."""
        return np.column_stack([self.design.matrix(taken), FREE * prior])


@dataclass(frozen=True)
class Task:
    """What the linear learners are fitted on, besides the rows.

    Parameters
    ----------
    converted : float array of shape (n,)
    groups : array of shape (n,)
        Lead or account of each row, for the spread.
    columns : Columns
    prior : float array of shape (n,)
        Log odds that points and persona fit give.
    """

    converted: np.ndarray
    groups: np.ndarray
    columns: Columns
    prior: np.ndarray


class Fitting:
    """A ridge logistic regression on its way: first the strength, then the fit.

    Parameters
    ----------
    taken : float array of shape (n, n_columns)
        From `Columns.take`.
    task : Task
    bends : bool
        Splines instead of straight lines.
    """

    def __init__(self, taken: np.ndarray, task: Task, *, bends: bool) -> None:
        self.task = task
        # Knots and medians come from all rows: they see no outcome.
        self.design = learn_design(task.columns, taken, bends=bends)
        n_held = len(task.columns.held)
        turned, self.axes, self.unseen = _rotated(self.design.matrix(taken), n_held)
        # The last two columns: what the prior says, and the intercept.
        self.matrix = np.column_stack([turned, FREE * task.prior, np.ones(len(turned))])
        self.signs = np.zeros(self.matrix.shape[1])
        self.signs[:n_held] = list(task.columns.held.values())
        self.signs[-2] = 1.0

    def choose(
        self, folds: Folds, fold_priors: list[FoldPrior]
    ) -> tuple[dict[str, float], np.ndarray]:
        """Return the strength of the lowest out-of-fold log loss, and those log odds.

        Parameters
        ----------
        folds : list of (fit places, test places)
            Not empty.
        fold_priors : list of FoldPrior
            What the prior says in each fold.
        """
        converted = self.task.converted
        n_converted = len(np.unique(self.task.groups[converted == 1]))
        ridges = RIDGES if n_converted < STRICTER else RIDGES[2:]
        reached = [self._begin() for _ in folds]
        base = log_odds(np.full(len(converted), converted.mean()))
        best, n_worse = (np.inf, ridges[0], base), 0
        for step, ridge in enumerate(ridges):
            said = base.copy()
            for fold, (places, prior) in enumerate(
                zip(folds, fold_priors, strict=True)
            ):
                reached[fold], said[places[1]] = self._fold(
                    reached[fold], ridge, places, prior, is_first=step == 0
                )
            loss = float(log_loss(converted, expit(said)).mean())
            n_worse = 0 if loss < best[0] else n_worse + 1
            best = min(best, (loss, ridge, said), key=lambda tried: tried[0])
            if n_worse == PATIENCE:
                break
        return {"C": best[1]}, best[2]

    def _fold(
        self,
        start: Point,
        ridge: float,
        places: tuple[np.ndarray, np.ndarray],
        prior: FoldPrior,
        *,
        is_first: bool,
    ) -> tuple[Point, np.ndarray]:
        """Return where a fold goes, and the log odds of the rows it has not seen."""
        fit, test = places
        counts = np.zeros(len(self.matrix))
        counts[fit] = 1.0
        # In place: all folds held at once would be five times the table.
        self.matrix[fit, -2], self.matrix[test, -2] = (
            FREE * prior.fit,
            FREE * prior.test,
        )
        if is_first:
            reached = self._anew(start, ridge, counts, FIRST_STEPS)
        else:  # from the last solution two steps are near enough to choose a ridge by
            reached = self._newton(start, ridge, counts, self.signs, STEPS)
        said = self.matrix[test] @ reached.found
        self.matrix[:, -2] = FREE * self.task.prior
        return reached, said

    def fit(self, ridge: float) -> Linear:
        """Return the learner of a strength, fitted on all rows."""
        task, counts = self.task, np.ones(len(self.matrix))
        found = self._anew(self._begin(), ridge, counts, MAX_STEPS).found
        spread = posterior_root(
            self.matrix[:, :-1],
            expit(self.matrix @ found),
            task.converted,
            task.groups,
            ridge=ridge,
        )
        # Where no row goes, nothing but the ridge is known.
        spread = np.hstack([self.axes @ spread, np.sqrt(ridge) * self.unseen])
        found = self.axes @ found
        return Linear(self.design, found[:-1], float(found[-1]), spread)

    def _begin(self) -> Point:
        """Return the coefficients that say what the prior says."""
        found = np.zeros(self.matrix.shape[1])
        found[-2] = 1 / FREE
        return Point(found, np.zeros(len(found), dtype=bool))

    def _anew(
        self, start: Point, ridge: float, counts: np.ndarray, n_steps: int
    ) -> Point:
        """Fit with signs free; then, where some are wrong, without those columns."""
        free = np.zeros(len(self.signs))
        found = self._newton(start, ridge, counts, free, n_steps)
        if (found.found * self.signs >= 0).all():
            return found
        return self._newton(found, ridge, counts, self.signs, n_steps)

    def _newton(
        self,
        start: Point,
        ridge: float,
        counts: np.ndarray,
        signs: np.ndarray,
        n_steps: int,
    ) -> Point:
        precision = np.full(len(signs), 1 / ridge)
        precision[-1] = 0.0
        return newton(
            self.matrix,
            self.task.converted,
            precision,
            start,
            counts=counts,
            signs=signs,
            max_steps=n_steps,
        )


def _rotated(
    matrix: np.ndarray, n_held: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fewer columns that span the same rows, and the axes that lead back.

    A ridge weighs all directions alike, so a rotation changes nothing; nor does a
    shift, where the intercept is free. Then directions in which no two rows differ fall
    away: splines sum to one, and a number of two values bends in one way only. Held
    columns, and that of the prior, stay as they are.

    Returns
    -------
    matrix : float array of shape (n, n_columns)
    axes : float array of shape (n_design_columns + 2, n_columns + 2)
        Coefficients of the design, those of the prior and the intercept last, are
        ``axes @ those of the matrix``.
    unseen : float array of shape (n_design_columns + 2, n_directions)
        Where no row goes, as coefficients of the design; none with fewer rows than
        columns.
    """
    n_design = matrix.shape[1]
    middle = matrix[:, n_held:].mean(axis=0)
    centred = matrix[:, n_held:] - middle
    kept, left = _directions(centred)

    def lead_back(directions: np.ndarray) -> np.ndarray:
        back = np.zeros((n_design + 2, directions.shape[1]))
        back[n_held:n_design] = directions
        back[-1] = -middle @ directions
        return back

    ends = np.eye(n_design + 2)
    axes = np.hstack([ends[:, :n_held], lead_back(kept), ends[:, -2:]])
    return np.hstack([matrix[:, :n_held], centred @ kept]), axes, lead_back(left)


def _directions(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit directions in which rows differ, and those in which they do not."""
    n_rows, n_columns = centred.shape
    if n_rows < n_columns:
        _, sizes, across = np.linalg.svd(centred, full_matrices=False)
        kept = across[sizes > NOTHING**0.5 * sizes.max(initial=0.0)].T
        return kept, np.empty((n_columns, 0))
    sizes, across = np.linalg.eigh(centred.T @ centred)
    is_kept = sizes > NOTHING * sizes.max(initial=0.0)
    return across[:, is_kept], across[:, ~is_kept]
