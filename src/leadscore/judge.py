"""Judge: from feature rows to probability, points and label.

Goes in: a bundle and rows of features, with the status of each lead. Comes out: what is
said of each row. `leadscore score` and the model in the registry both come through
here, so that they cannot differ. Null: no probability was learned, or the lead is not
eligible.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.errors import DataError
from leadscore.features import category_columns, describe_features
from leadscore.persona import grade_of
from leadscore.policy import assign_labels, engagement_level, last_raised
from leadscore.snapshots import ELIGIBLE

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
    """
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
        A column is missing, or holds what is no number.
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
    other = words[-1]
    known = values.astype("object").where(values.isna() | values.isin(words), other)
    return pd.Categorical(known, categories=words)


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
