"""Judge: from feature rows to probability, points and label.

Goes in: a bundle and rows of features, with the status of each lead. Comes out: what is
said of each row. `leadscore score` and the model in the registry both come through
here, so that they cannot differ. Null: no probability was learned, or the lead is not
eligible.
"""

from __future__ import annotations

import contextlib
import numbers
from collections.abc import Callable

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.errors import DataError
from leadscore.features import category_columns, describe_features
from leadscore.persona import grade_of
from leadscore.policy import assign_labels, engagement_level, last_raised
from leadscore.snapshots import ELIGIBLE, STATUSES

__all__ = ["JUDGED", "feature_columns", "judge", "typed_features"]

JUDGED = (
    "probability",
    "probability_low",
    "probability_high",
    "points",
    "fit_grade",
    "engagement_level",
    "label",
    "road",
    "label_reason",
)
_DECIMALS = 6


def judge(
    bundle: Bundle,
    features: pd.DataFrame,
    status: pd.Series,
    missing: pd.Series,
) -> pd.DataFrame:
    """Return what is said of each row.

    Parameters
    ----------
    bundle : Bundle
    features : DataFrame of shape (n_rows, ...)
        The columns of `feature_columns`, typed as training made them.
    status : Series of str, index of ``features``
        ``eligible`` rows get a probability; see `leadscore.policy`.
    missing : Series of str, index of ``features``
        Persona attributes that are not known, for the reasons.

    Returns
    -------
    DataFrame of shape (n_rows, 9), index of ``features``
        The columns of `JUDGED`. Probabilities are rounded after they were compared with
        the thresholds.

    Raises
    ------
    DataError
        A status is unknown, or a row has no points.
    """
    _check_rows(features, status)
    probability, low, high = _probabilities(bundle, features, status == ELIGIBLE)
    said = pd.DataFrame(
        {
            "status": status,
            "probability": probability,
            "fit_grade": grade_of(features["persona_fit"], bundle.agreement.fit),
            "missing": missing,
        },
        index=features.index,
    )
    said = said.join(last_raised(features, bundle.agreement))
    labels = assign_labels(said, bundle.thresholds, bundle.agreement)
    engagement = features["engagement"].to_numpy()
    judged = labels.assign(
        probability=probability.round(_DECIMALS),
        probability_low=low.round(_DECIMALS),
        probability_high=high.round(_DECIMALS),
        points=features["points"].astype("int64"),
        fit_grade=said["fit_grade"],
        engagement_level=engagement_level(engagement, bundle.engagement_edges),
    )
    return judged[list(JUDGED)]


def _check_rows(features: pd.DataFrame, status: pd.Series) -> None:
    unknown = sorted(set(status) - set(STATUSES))
    if unknown:
        msg = f"status {unknown[0]!r} is unknown; write one of {', '.join(STATUSES)}."
        raise DataError(msg)
    n_without = int(features["points"].isna().sum())
    if n_without:
        msg = (
            f"{n_without:,} of {len(features):,} rows have no points; fill the column."
        )
        raise DataError(msg)


def feature_columns(bundle: Bundle) -> dict[str, str]:
    """Return the type of each feature column, ``string`` or ``double``, in order."""
    words = category_columns(bundle.catalogue)
    described = describe_features(bundle.catalogue, bundle.agreement)
    types = {name: "string" if name in words else "double" for name in described}
    return types | {"persona_fit": "double", "points": "double"}


def typed_features(bundle: Bundle, given: pd.DataFrame) -> pd.DataFrame:
    """Return rows that came from elsewhere, typed as training made them.

    Parameters
    ----------
    bundle : Bundle
    given : DataFrame
        The columns of `feature_columns` in any order, numbers of any type and words; a
        word that training did not know is ``other``.

    Raises
    ------
    DataError
        A column is missing, or holds what is no number, or no word that is known.
    """
    absent = [name for name in feature_columns(bundle) if name not in given]
    if absent:
        msg = f"the rows lack the feature columns {', '.join(absent)}."
        raise DataError(msg)
    words = category_columns(bundle.catalogue)
    columns = {
        name: _category(given[name], words[name])
        if name in words
        else _number(given[name])
        for name in feature_columns(bundle)
    }
    return pd.DataFrame(columns, index=given.index)


def _category(values: pd.Series, words: list[str]) -> pd.Categorical:
    """Return the words; what a file reader took for numbers or flags is spelt back."""
    *known, other = words
    given = values.astype("object")
    if not pd.api.types.is_string_dtype(given.dropna()):
        given = given.map(_spelling(known), na_action="ignore")
        _check_spelt(values, given, known)
    said = given.where(given.isna() | given.isin(known), other)
    return pd.Categorical(said, categories=words)


def _spelling(known: list[str]) -> Callable[[object], object]:
    """Return how a value that is no text was written: 1 or 1.0 as "1", True as "true".

    Nothing is guessed: what could be two words stays as it is.
    """
    as_number: dict[float, list[str]] = {}
    as_flag: dict[str, list[str]] = {}
    for word in known:
        as_flag.setdefault(word.casefold(), []).append(word)
        with contextlib.suppress(ValueError):
            as_number.setdefault(float(word), []).append(word)

    def spelt(value: object) -> object:
        words: list[str] = []
        if isinstance(value, bool | np.bool_):
            words = as_flag.get(str(bool(value)).casefold(), [])
        elif isinstance(value, numbers.Real):
            words = as_number.get(float(value), [])
        return words[0] if len(words) == 1 else value

    return spelt


def _check_spelt(values: pd.Series, given: pd.Series, known: list[str]) -> None:
    """Refuse a column of numbers or flags of which none is a word of the model."""
    there = given.dropna()
    if len(there) and known and not there.isin(known).any():
        msg = (
            f"feature column {values.name!r} holds {values.dropna().iloc[0]}, which "
            f"is no text; the model knows {', '.join(map(repr, known[:5]))}. Read the "
            "column as text, or read the rows from a .parquet file."
        )
        raise DataError(msg)


def _number(values: pd.Series) -> pd.Series:
    try:
        return values.astype("float64")
    except (TypeError, ValueError) as error:
        msg = f"feature column {values.name!r} holds what is no number: {error}."
        raise DataError(msg) from error


def _probabilities(
    bundle: Bundle, features: pd.DataFrame, is_eligible: pd.Series
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    probability, low, high = (np.full(len(features), np.nan) for _ in range(3))
    asked = is_eligible.to_numpy(dtype=bool)
    if bundle.model is not None and asked.any():
        rows = features[asked]
        probability[asked] = bundle.model.predict(rows)
        low[asked], high[asked] = bundle.model.predict_interval(rows)
    return probability, low, high
