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
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.errors import DataError
from leadscore.features import category_columns, describe_features
from leadscore.label_reasons import say_labels
from leadscore.movement import Seen, State, advance, fresh, lines_of
from leadscore.persona import grade_of
from leadscore.policy import observe
from leadscore.snapshots import ELIGIBLE, NEVER, STATUSES, microseconds

__all__ = ["JUDGED", "Judged", "feature_columns", "judge", "typed_features"]

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
_NOT = np.iinfo(np.int64).min  # as an instant: none


@dataclass(frozen=True)
class Judged:
    """What is said of rows, what it rests on, and where the leads stand now.

    Parameters
    ----------
    said : DataFrame
        The columns of `JUDGED`. Probabilities are rounded after they were compared with
        the thresholds.
    seen : DataFrame
        From `leadscore.policy.observe`, with the exact probability.
    after : State
        Where each lead stands now.
    """

    said: pd.DataFrame
    seen: pd.DataFrame
    after: State

    @property
    def label_since(self) -> pd.Series:
        """When each label began; null where the lead has none."""
        since = np.where(self.after.since == NEVER, _NOT, self.after.since)
        at = pd.Series(since.astype("datetime64[us]"), self.said.index)
        return at.dt.tz_localize("UTC")


def judge(
    bundle: Bundle,
    features: pd.DataFrame,
    status: pd.Series,
    missing: pd.Series,
    *,
    rejected: pd.DataFrame | None = None,
    as_of: pd.Timestamp | None = None,
    before: State | None = None,
    suspended: frozenset[str] = frozenset(),
) -> Judged:
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
    rejected : DataFrame, default=None
        ``rejected_days, rejected_reason``; None: sales rejected nobody.
    as_of : Timestamp, default=None
        Of the list; needed where the leads' memory is given.
    before : State, default=None
        Where each lead stood. None: nothing is remembered, and labels are those that
        the rows would have without quarantine.
    suspended : frozenset of str
        Labels whose promise is suspended.

    Raises
    ------
    DataError
        A status is unknown, or a row has no points.
    """
    _check_rows(features, status)
    agreement = bundle.agreement
    probability, low, high = _probabilities(bundle, features, status == ELIGIBLE)
    told = pd.DataFrame(
        {
            "status": status,
            "fit_grade": grade_of(features["persona_fit"], agreement.fit),
            "missing": missing,
            "rejected_days": np.nan,
            "rejected_reason": pd.Series(None, features.index, dtype="str"),
        },
        index=features.index,
    )
    if rejected is not None:
        told[list(rejected)] = rejected
    seen = observe(features, told, bundle.engagement_edges, agreement)
    seen = seen.assign(probability=probability)
    lines = lines_of(
        bundle.thresholds,
        agreement,
        suspended=suspended,
        quarantine=before is not None,
    )
    stood = fresh((len(features),)) if before is None else before
    instant = 0 if as_of is None else microseconds([as_of])[0]
    after = advance(stood, _seen(seen, instant), lines)
    labels = say_labels(
        seen, stood, after, bundle.thresholds, agreement, suspended=suspended
    )
    said = labels.assign(
        probability=probability.round(_DECIMALS),
        probability_low=low.round(_DECIMALS),
        probability_high=high.round(_DECIMALS),
        points=features["points"].astype("int64"),
        fit_grade=seen["fit_grade"],
        engagement_level=seen["engagement_level"],
    )
    return Judged(said[list(JUDGED)], seen, after)


def _seen(seen: pd.DataFrame, as_of: int) -> Seen:
    columns = ["probability", "is_raised", "may_mql", "may_sql"]
    values = (seen[name].to_numpy() for name in columns)
    return Seen(np.full(len(seen), as_of, dtype=np.int64), *values)


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
