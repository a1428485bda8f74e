"""Persona fit: how well who they are matches whom we sell to.

Goes in: attributes as known at as_of, personas of the agreement. Comes out: the fit of
the best persona, 0-100, and its grade. What they did never enters here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Criterion, Fit, Persona

__all__ = ["grade_of", "missing_attributes", "persona_fit"]


def persona_fit(
    attributes: pd.DataFrame, personas: tuple[Persona, ...], fit: Fit
) -> pd.DataFrame:
    """Return persona, fit and grade of each row.

    Parameters
    ----------
    attributes : DataFrame of shape (n_rows, ...)
        Raw values as known at as_of; null is not known.
    personas : tuple of Persona
    fit : Fit
        Lower edges of the grades.

    Returns
    -------
    DataFrame of shape (n_rows, 3), index of ``attributes``
        ``persona`` and ``fit_grade`` (str) and ``persona_fit`` (float, 0-100): the
        weighted share of a persona's criteria that hold, among those known. The best
        persona wins, the first named one on a tie. All null where nothing is known.
    """
    index = attributes.index
    if not personas:
        empty = pd.Series(np.nan, index, dtype="float64")
        none = pd.Series(None, index, dtype="str")
        return pd.DataFrame(
            {"persona": none, "persona_fit": empty, "fit_grade": none}, index=index
        )
    fits = np.column_stack([_fit(attributes, persona) for persona in personas])
    best = np.argmax(np.nan_to_num(fits, nan=-1.0), axis=1)
    value = pd.Series(fits[np.arange(len(index)), best], index)
    names = np.array([persona.name for persona in personas], dtype=object)[best]
    return pd.DataFrame(
        {
            "persona": pd.Series(names, index, dtype="str").where(value.notna()),
            "persona_fit": value,
            "fit_grade": grade_of(value, fit),
        }
    )


def grade_of(value: pd.Series, fit: Fit) -> pd.Series:
    """Return the grade of each fit; edges belong to the better grade."""
    grades = np.select(
        [value >= fit.A, value >= fit.B, value >= fit.C, value.notna()],
        ["A", "B", "C", "D"],
        default="",
    )
    return pd.Series(grades, value.index, dtype="str").where(value.notna())


def missing_attributes(
    attributes: pd.DataFrame, personas: tuple[Persona, ...]
) -> pd.Series:
    """Return each row's persona attributes that are not known, comma-separated."""
    names = sorted({c.attribute for persona in personas for c in persona.criteria})
    missing = pd.Series("", attributes.index, dtype="object")
    for name in names:
        missing = missing.where(attributes[name].notna(), missing + f", {name}")
    return missing.str.removeprefix(", ").astype("str")


def _fit(attributes: pd.DataFrame, persona: Persona) -> np.ndarray:
    known = np.zeros(len(attributes))
    held = np.zeros(len(attributes))
    for criterion in persona.criteria:
        values = attributes[criterion.attribute]
        known += criterion.weight * values.notna().to_numpy()
        held += criterion.weight * _holds(values, criterion)
    share = 100.0 * held / np.where(known > 0, known, np.nan)
    # Decimal weights: three times 0.2 is 0.6, and an edge that is reached is reached.
    return np.round(share, 9)


def _holds(values: pd.Series, criterion: Criterion) -> np.ndarray:
    if criterion.any_of:
        return values.isin(criterion.any_of).to_numpy(dtype=float)
    low = -np.inf if criterion.min is None else criterion.min
    high = np.inf if criterion.max is None else criterion.max
    return values.between(low, high).to_numpy(dtype=float)
