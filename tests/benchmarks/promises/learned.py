"""Learned: a firm's model, and the slice of held-out leads that is to prove it.

Goes in: looks at the leads of a firm. Comes out: the model of the others, its grid of
thresholds, and the product's own `Slice`, as `leadscore.workflows.promised` makes it
from tables: held-out accounts that were on a list of the period, from their creation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from leadscore.agreement import Agreement
from leadscore.model import threshold_grid
from leadscore.periods import held_out
from leadscore.promise import Slice

from .history import DAY_ZERO, history_of
from .learner import Inputs, fit_out_of_fold, inputs_of

__all__ = ["Learned", "learn"]


@dataclass(frozen=True)
class Learned:
    """A model and what proves it.

    Parameters
    ----------
    model : Pipeline
    inputs : callable
        From looks to what the model takes.
    grid : tuple of float
    found : Slice
    looks : DataFrame
        Those of ``found.held_out``, in its order.
    """

    model: Pipeline
    inputs: Inputs
    grid: tuple[float, ...]
    found: Slice
    looks: pd.DataFrame

    def history(self, looks: pd.DataFrame, agreement: Agreement) -> pd.DataFrame:
        """Return the history of some looks, with what the model says of them."""
        probability = self.model.predict_proba(self.inputs(looks))[:, 1]
        return history_of(looks, probability, agreement)


def learn(
    looks: pd.DataFrame, agreement: Agreement, inputs: Inputs = inputs_of
) -> Learned | None:
    """Return what a firm learns; None where all fitted leads came to one end.

    Parameters
    ----------
    looks : DataFrame
        As `promises.world.draw_looks` gives them, all of them mature.
    agreement : Agreement
    inputs : callable, default=inputs_of
    """
    training = agreement.training
    newest = looks["day"].max()
    accounts = looks["account"].unique()
    is_out = held_out(
        np.array([f"account:{account}" for account in accounts]),
        share=training.promise_share,
        seed=training.seed,
    )
    kept_out = looks["account"].isin(accounts[is_out]).to_numpy()
    every = agreement.snapshots.grid_days
    is_fit = ~kept_out & looks["converted"].notna().to_numpy()
    is_fit &= ((newest - looks["day"]) % every == 0).to_numpy() if every else True
    fit = looks[is_fit]
    converted = fit["converted"].to_numpy()
    if min(converted.sum(), (1 - converted).sum()) < training.min_conversions:
        return None
    model, out_of_fold = fit_out_of_fold(
        inputs(fit), converted, fit["account"].to_numpy()
    )
    days = training.promise_days or agreement.conversion.horizon_days
    since = newest - days
    in_period = np.unique(looks["lead"].to_numpy()[(looks["day"] >= since).to_numpy()])
    is_slice = looks["lead"].isin(in_period).to_numpy()
    mine = looks[kept_out & is_slice].reset_index(drop=True)
    probability = model.predict_proba(inputs(mine))[:, 1]
    found = Slice(
        history_of(mine, probability, agreement),
        history_of(fit, out_of_fold, agreement),
        DAY_ZERO + pd.Timedelta(days=float(since)),
        mine["lead"].nunique() / max(len(in_period), 1),
        DAY_ZERO + pd.Timedelta(days=float(newest) + agreement.labels.valid_days),
    )
    return Learned(model, inputs, threshold_grid(out_of_fold), found, mine)
