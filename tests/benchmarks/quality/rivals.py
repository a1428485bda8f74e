"""The rivals: what else somebody with these rows would use, as it comes.

Each is a `Contender`: it takes the rows, outcomes and groups of a fit, the later rows
and a seed, and returns a probability for each later row. All but the points get every
column. Packages are imported where they are used; none is needed by leadscore.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from .cache import digest_of, recipe_digest
from .field_bayes import fit_field_bayes

__all__ = [
    "OURS",
    "WITH_LIGHTGBM",
    "Contender",
    "contenders",
    "depends_on",
    "ours",
    "points",
    "with_lightgbm",
]

Contender = Callable[
    [pd.DataFrame, np.ndarray, np.ndarray, pd.DataFrame, int], np.ndarray
]
OURS = "leadscore"
WITH_LIGHTGBM = "leadscore, LightGBM among its learners"


def contenders(*, flaml_seconds: float) -> tuple[dict[str, Contender], list[str]]:
    """Return ours and its rivals by name, and those whose package is missing.

    Parameters
    ----------
    flaml_seconds : float
        What FLAML may search in each fit; 0 leaves it out.
    """
    own: dict[str, Contender] = {
        OURS: ours,
        "base rate": base_rate,
        "points": points,
        "logistic, defaults": logistic,
        "HGB, defaults": boosting,
        "Odoo's recipe, fields": field_bayes,
        "Odoo's recipe, all": all_bayes,
    }
    others: dict[str, tuple[tuple[str, ...], Contender]] = {
        WITH_LIGHTGBM: (("lightgbm",), with_lightgbm),
        "LightGBM, defaults": (("lightgbm",), lightgbm),
        "CatBoost, defaults": (("catboost",), catboost),
    }
    if flaml_seconds > 0:
        searched = partial(flaml, seconds=flaml_seconds)
        others[f"FLAML, {flaml_seconds:g} s"] = (("flaml", "xgboost"), searched)
    missing = [
        name
        for name, (packages, _) in others.items()
        if any(importlib.util.find_spec(package) is None for package in packages)
    ]
    there = {name: take for name, (_, take) in others.items() if name not in missing}
    return own | there, missing


def depends_on(name: str) -> str:
    """Return a digest of the code and the packages that a contender is made of."""
    if name == OURS:
        return recipe_digest()
    if name == WITH_LIGHTGBM:
        return digest_of(recipe_digest(), metadata.version("lightgbm"))
    code = [Path(__file__), Path(fit_field_bayes.__code__.co_filename)]
    versions = [
        metadata.version(package)
        for package in ("scikit-learn", "lightgbm", "catboost", "flaml")
        if importlib.util.find_spec(package.replace("scikit-learn", "sklearn"))
    ]
    return digest_of([path.read_bytes() for path in code], versions)


def ours(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return what leadscore's classifier says, as it comes."""
    from leadscore.recipe import LeadClassifier

    fitted = LeadClassifier(random_state=seed).fit(rows, converted, groups=groups)
    return fitted.predict_proba(later)[:, 1]


def with_lightgbm(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return what leadscore's classifier says with its optional learner."""
    from leadscore.recipe import LeadClassifier

    model = LeadClassifier(extras=("lightgbm",), random_state=seed)
    return model.fit(rows, converted, groups=groups).predict_proba(later)[:, 1]


def base_rate(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return the share that converted in the fit."""
    return np.full(len(later), converted.mean())


def points(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return a logistic regression on the points, on a log-like scale."""
    scaled = make_pipeline(FunctionTransformer(np.arcsinh), StandardScaler())
    made = make_pipeline(scaled, LogisticRegression())
    fitted = made.fit(rows[["points"]], converted)
    return fitted.predict_proba(later[["points"]])[:, 1]


def logistic(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return scikit-learn's default logistic regression on prepared columns.

    Only the number of steps is not the default: a fit that stops halfway would be a
    weaker rival than it need be.
    """
    numbers = rows.select_dtypes("number").columns.tolist()
    words = rows.select_dtypes("category").columns.tolist()
    prepared = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    one_hot = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("n", prepared, numbers), ("w", one_hot, words)])
    made = make_pipeline(columns, LogisticRegression(max_iter=2000))
    with threadpool_limits(limits=1):
        return made.fit(rows, converted).predict_proba(later)[:, 1]


def boosting(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return scikit-learn's default histogram gradient boosting.

    It stops at a column without any value in the fit (scikit-learn 1.9), so it is not
    given one.
    """
    filled = rows.columns[rows.notna().any()]
    made = HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=seed
    )
    with threadpool_limits(limits=1):
        return made.fit(rows[filled], converted).predict_proba(later[filled])[:, 1]


def field_bayes(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return naive Bayes over the category columns: the fields that a CRM has."""
    words = rows.select_dtypes("category").columns
    return fit_field_bayes(rows[words], converted).predict(later[words])


def all_bayes(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return naive Bayes over every column, although many say the same."""
    return fit_field_bayes(rows, converted).predict(later)


def lightgbm(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return LightGBM with its defaults."""
    from lightgbm import LGBMClassifier

    made = LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1)
    return np.asarray(made.fit(rows, converted).predict_proba(later))[:, 1]


def catboost(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
) -> np.ndarray:
    """Return CatBoost with its defaults; it takes words, but no null among them."""
    from catboost import CatBoostClassifier

    words = rows.select_dtypes("category").columns.tolist()
    made = CatBoostClassifier(
        cat_features=words,
        random_seed=seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    made.fit(_named_nulls(rows, words), converted)
    return made.predict_proba(_named_nulls(later, words))[:, 1]


def flaml(
    rows: pd.DataFrame,
    converted: np.ndarray,
    groups: np.ndarray,
    later: pd.DataFrame,
    seed: int,
    *,
    seconds: float,
) -> np.ndarray:
    """Return the best that FLAML finds on one core, by log loss over grouped folds."""
    from flaml import AutoML

    settings: dict[str, Any] = {
        "task": "classification",
        "metric": "log_loss",
        "time_budget": seconds,
        "n_jobs": 1,
        "seed": seed,
        "verbose": 0,
        "split_type": "group",
        "groups": np.unique(groups, return_inverse=True)[1],
    }
    logging.getLogger("flaml").setLevel(logging.ERROR)
    made = AutoML()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its learners about each other's settings
        made.fit(rows, converted.astype(int), **settings)
        return np.asarray(made.predict_proba(later))[:, 1]


def _named_nulls(rows: pd.DataFrame, words: list[str]) -> pd.DataFrame:
    named = {name: rows[name].astype(object).fillna("null") for name in words}
    return rows.assign(**named)
