"""Resplits: real leads, split anew many times, and what promises came to.

Goes in: a task of `tests.benchmarks.quality`. Comes out: how often the share that
converted, among all other leads that enter, lay below the promise. Leads of such sets
are seen once: each has one look, and enters at it or never. Without time order, so that
leads are exchangeable; drift is `promises.bank_order`.

The rest is a sample, too: where it is small, its share lies below the promise now and
then though the truth does not, the more so as leads that proved the promise by luck are
not among it. So the share of all leads that the model has not seen stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder

from leadscore.agreement import Agreement, parse_agreement
from leadscore.model import threshold_grid
from leadscore.movement import lines_of
from leadscore.policy import Threshold
from leadscore.promise import LEVELS, Slice, prove
from tests.benchmarks.quality.task import Task

from .history import DAY_ZERO
from .learner import fit_out_of_fold
from .truth import lines_at, true_precision

__all__ = ["Sheet", "Split", "agreement_for", "proven_on", "resplit", "sheet_of"]


@dataclass(frozen=True)
class Sheet:
    """Real leads in order: what the model takes, outcomes, numbers of accounts."""

    inputs: np.ndarray
    converted: np.ndarray
    groups: np.ndarray

    def history(self, places: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
        """Return one look a lead, later leads at later instants."""
        converted = self.converted[places]
        return pd.DataFrame(
            {
                "lead_id": places,
                "group": self.groups[places],
                "as_of": DAY_ZERO + pd.to_timedelta(places, unit="s").as_unit("us"),
                "probability": probability,
                "is_raised": False,
                "may_mql": True,
                "may_sql": True,
                "converted": converted,
                "truth": converted,
            }
        )


@dataclass(frozen=True)
class Split:
    """What one split came to, for one label and method; null: not issued."""

    label: str
    method: str
    promised: float
    threshold: float
    rest: float  # share that converted, of the rest that enter
    unseen: float  # the same of the rest and the slice: all that the model has not seen
    n_slice: int


def sheet_of(task: Task) -> Sheet:
    """Return a task as numbers: medians for nulls, a column a word, scaled later."""
    rows = task.rows
    numbers = rows.select_dtypes("number")
    words = rows[rows.columns.difference(numbers.columns)].astype(object).fillna("null")
    filled = numbers.fillna(numbers.median()).fillna(0.0).to_numpy()
    empty = numbers.isna().loc[:, numbers.isna().any()].to_numpy(dtype=np.float64)
    encoder = OneHotEncoder(sparse_output=False, min_frequency=20)
    parts = [filled, empty]
    if words.shape[1]:
        parts.append(encoder.fit_transform(words))
    groups = pd.factorize(task.groups)[0]
    return Sheet(np.column_stack(parts), task.converted, groups)


def agreement_for(mql: float, sql: float) -> Agreement:
    """Return an agreement on leads that are looked at once."""
    return parse_agreement(
        f"""
        [snapshots]
        at_age_hours = [24]
        [labels.MQL]
        precision = {mql}
        [labels.SQL]
        precision = {sql}
        """
    )


def proven_on(
    sheet: Sheet, fit: np.ndarray, held: np.ndarray, agreement: Agreement
) -> tuple[dict[str, Threshold], np.ndarray, Slice]:
    """Return thresholds, what the model says of all leads, and the slice."""
    model, out_of_fold = fit_out_of_fold(
        sheet.inputs[fit], sheet.converted[fit], sheet.groups[fit]
    )
    probability = model.predict_proba(sheet.inputs)[:, 1]
    found = Slice(
        sheet.history(held, probability[held]),
        sheet.history(fit, out_of_fold),
        DAY_ZERO,
        len(held) / len(sheet.converted),
        DAY_ZERO + pd.Timedelta(days=900),
    )
    return prove(found, threshold_grid(out_of_fold), agreement), probability, found


def resplit(
    sheet: Sheet,
    agreement: Agreement,
    *,
    n_fit: int,
    n_held: int,
    rng: np.random.Generator,
) -> list[Split]:
    """Return what one split came to, ours and the naive threshold's.

    Parameters
    ----------
    sheet : Sheet
    agreement : Agreement
    n_fit, n_held : int
        Leads that the model is fitted on, and that prove: about, accounts stay whole.
    rng : Generator
    """
    order = rng.permutation(sheet.groups.max() + 1)[sheet.groups]
    n_groups, n = sheet.groups.max() + 1, len(sheet.groups)
    fit = np.flatnonzero(order < n_groups * n_fit / n)
    is_held = (order >= n_groups * n_fit / n) & (
        order < n_groups * (n_fit + n_held) / n
    )
    held, rest = np.flatnonzero(is_held), np.flatnonzero(~is_held)
    rest = np.setdiff1d(rest, fit)
    given, probability, _ = proven_on(sheet, fit, held, agreement)
    others = np.sort(np.concatenate([held, rest]))
    found = []
    for label, said in given.items():
        promised = getattr(agreement.labels, label).precision
        reached = [
            tried["probability"]
            for tried in said.facts["tried"]
            if tried["n"] and tried["n_converted"] >= promised * tried["n"]
        ]
        naive = reached[-1] if reached else np.nan
        at = np.nan if said.probability is None else said.probability
        for method, threshold in (("leadscore", at), ("naive threshold", naive)):
            lines = lines_of(given, agreement)
            if method != "leadscore":
                lines = lines_at(np.array([threshold]), agreement)
            shares = [np.nan, np.nan]
            if not np.isnan(threshold):
                shares = [
                    true_precision(
                        sheet.history(places, probability[places]),
                        lines,
                        [(0, LEVELS[label])],
                        DAY_ZERO,
                        agreement,
                    )[0].precision
                    for places in (rest, others)
                ]
            found.append(Split(label, method, promised, threshold, *shares, len(held)))
    return found
