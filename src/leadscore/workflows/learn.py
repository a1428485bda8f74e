"""Learn: from rows of mature snapshots to a model with thresholds, or less.

Goes in: rows and what came of them. Comes out: the winner of the contest, fitted on all
leads but the held-out ones, with thresholds set on those; the points alone where there
is too little; nothing where nobody converted. Nothing that a promise rests on saw what
became of the held-out leads: not the screen, not the contest, not the fit, not the
thresholds that are tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.drivers import drivers_of, main_columns
from leadscore.explain import typical_row
from leadscore.features import Catalogue, describe_features
from leadscore.level import raised
from leadscore.likeness import describe_levels
from leadscore.model import FittedModel, fit_out_of_fold
from leadscore.monotone import Held, held_columns
from leadscore.periods import groups_of, is_held_out
from leadscore.policy import Threshold
from leadscore.progress import Tell
from leadscore.promise import hand_raised_rate, prove
from leadscore.quarantine import cost_of_quarantine
from leadscore.tables import Tables
from leadscore.workflows.backtest import Tuned, run_contest
from leadscore.workflows.cadence import Cadence, replay_cadence
from leadscore.workflows.contest import Contest
from leadscore.workflows.learnable import check_not_all, why_nothing, why_points
from leadscore.workflows.promised import promise_slice
from leadscore.workflows.retrained import Predict
from leadscore.workflows.rows import Rows
from leadscore.workflows.screen import screen
from leadscore.workflows.stated import stated_model

__all__ = ["Learned", "learn"]


@dataclass(frozen=True)
class Learned:
    """What could be learned: all of it, the points alone, or nothing.

    Parameters
    ----------
    model : FittedModel or None
    thresholds : dict of str to Threshold
    contest : Contest or None
        None: no past origin had enough to judge by.
    degraded : str
        Why it is less than it could be; empty where it is not.
    facts : dict
        For the report: ``drivers, hand_raised, quarantine, cadence, suspects``; for
        scoring: ``slice_levels``.
    """

    model: FittedModel | None
    thresholds: dict[str, Threshold]
    contest: Contest | None
    degraded: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Any]:
        """What the bundle keeps of how it was judged; empty if it was not."""
        return (self.contest.as_dict() if self.contest else {}) | self.facts


def learn(
    rows: Rows,
    tables: Tables,
    catalogue: Catalogue,
    agreement: Agreement,
    tell: Tell,
) -> Learned:
    """Return what the rows of mature snapshots teach.

    Parameters
    ----------
    rows : Rows
        ``snapshots`` with ``converted``, 1.0 or 0.0.
    tables : Tables
    catalogue : Catalogue
    agreement : Agreement
    tell : Tell

    Raises
    ------
    DataError
        Every one of them converted.
    """
    converted = rows.snapshots["converted"].to_numpy()
    check_not_all(converted, agreement)
    told = rows.features
    rows, suspects = screen(rows, catalogue, agreement)
    if not converted.any():
        why = why_nothing(rows.snapshots, tables, agreement)
        return Learned(
            stated_model(rows, agreement), {}, None, why, {"suspects": suspects}
        )
    held = held_columns(catalogue, agreement)
    found = run_contest(
        rows, tables.outcomes, agreement, held=held, told=told, tell=tell
    )
    if found is None:
        model = _fit("points", rows, agreement, held)
        why = why_points(rows.snapshots, agreement)
        return Learned(model, {}, None, why, {"suspects": suspects})
    contest, tuned = found
    cadence = _cadence(contest, tuned, rows, tables, agreement, tell)
    tell(f"fitting {contest.winner}, and setting thresholds")
    learned = _ship(
        contest,
        cadence.level if cadence else 0.0,
        rows,
        told,
        tables,
        catalogue,
        held,
        agreement,
        tell=tell,
    )
    facts = {"cadence": cadence and cadence.as_dict(), "suspects": suspects}
    return replace(learned, facts=learned.facts | facts)


def _cadence(
    contest: Contest,
    tuned: list[Tuned],
    rows: Rows,
    tables: Tables,
    agreement: Agreement,
    tell: Tell,
) -> Cadence | None:
    """Return what retraining less often would have cost, from the first origin on."""
    groups, features = groups_of(rows.snapshots), rows.features
    as_of = rows.snapshots["as_of"]

    def fit(places: np.ndarray, converted: np.ndarray) -> Predict:
        newest = as_of.iloc[places].max()
        # What the folds chose at the newest origin that knew no more than this day.
        known = [at for at in tuned if at.newest <= newest] or tuned[:1]
        again = known[-1].recipe.refit(features.iloc[places], converted, groups[places])
        return lambda asked: again.probability(features.iloc[asked], contest.winner)

    return replay_cadence(
        rows,
        tables.outcomes,
        agreement,
        fit,
        since=pd.Timestamp(contest.periods[0]["origin"]),
        taken=contest.taken,
        tell=tell,
    )


def _ship(
    contest: Contest,
    level: float,
    rows: Rows,
    told: pd.DataFrame,
    tables: Tables,
    catalogue: Catalogue,
    held: Held,
    agreement: Agreement,
    *,
    tell: Tell,
) -> Learned:
    """Fit the winner on all leads but the held-out ones; set thresholds on those.

    ``level``: what lately came of leads, in log odds; held-out ones did not tell it.
    ``told``: all features, those that were left out among them: words of the others,
    such as "earlier, none lately", are made of several columns.
    """
    kept_out = is_held_out(rows.snapshots, agreement)
    fit = np.flatnonzero(~kept_out)
    fitted, out_of_fold = _fitted(contest.winner, rows, agreement, held, places=fit)
    model, out_of_fold = fitted.at_level(level), raised(out_of_fold, level)
    tell("replaying the past lists of the held-out leads")
    rows = replace(rows, features=told)
    found = promise_slice(
        model, out_of_fold, rows, fit, tables, catalogue, agreement, tell=tell
    )
    is_newest = (rows.snapshots["as_of"] >= found.since).to_numpy()
    thresholds = prove(found, model.grid, agreement)
    missing = [name for name, t in thresholds.items() if t.probability is None]
    degraded = f"{' and '.join(missing)} not issued by probability." if missing else ""
    asked = kept_out & is_newest
    drivers = _drivers(model, rows, asked, catalogue, agreement)
    facts = {
        "drivers": drivers,
        "slice_levels": _slice_levels(model, rows, asked, drivers, catalogue),
        "hand_raised": hand_raised_rate(found, agreement),
        "quarantine": cost_of_quarantine(found, thresholds, agreement),
    }
    return Learned(model, thresholds, contest, degraded, facts)


def _drivers(
    model: FittedModel,
    rows: Rows,
    places: np.ndarray,
    catalogue: Catalogue,
    agreement: Agreement,
) -> list[dict[str, Any]]:
    return drivers_of(
        rows.features[places],
        rows.snapshots.loc[places, "lead_id"].to_numpy(),
        model,
        typical_row(rows.features),
        catalogue,
        describe_features(catalogue, agreement),
        rng=np.random.default_rng(agreement.training.seed),
    )


def _slice_levels(
    model: FittedModel,
    rows: Rows,
    places: np.ndarray,
    drivers: list[dict[str, Any]],
    catalogue: Catalogue,
) -> dict[str, Any]:
    """Return how what matters most is spread over the leads that prove the promises."""
    features = rows.features[places]
    columns = features[main_columns(drivers, model.columns, catalogue)]
    columns = columns.assign(probability=model.predict(features))
    n_leads = rows.snapshots.loc[places, "lead_id"].nunique()
    return describe_levels(columns, n_leads)


def _fit(
    name: str,
    rows: Rows,
    agreement: Agreement,
    held: Held,
    *,
    places: np.ndarray | None = None,
) -> FittedModel:
    return _fitted(name, rows, agreement, held, places=places)[0]


def _fitted(
    name: str,
    rows: Rows,
    agreement: Agreement,
    held: Held,
    *,
    places: np.ndarray | None = None,
) -> tuple[FittedModel, np.ndarray]:
    converted = rows.snapshots["converted"].to_numpy()
    groups = groups_of(rows.snapshots)
    places = np.arange(len(converted)) if places is None else places
    return fit_out_of_fold(
        name,
        rows.features.iloc[places],
        converted[places],
        groups[places],
        seed=agreement.training.seed,
        held=held,
        extras=agreement.training.extras,
    )
