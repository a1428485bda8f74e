"""Suspects: columns that know too much, have fallen silent, or are no numbers.

Goes in: rows of features (numbers or categories) and what came of them. Comes out:
sentences by column, each with a figure and the next step; nothing is changed, and
nothing is fitted. Null is a level of its own: *that* a cell is filled can tell as much
as what it holds. Leads (accounts) are counted, never rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from leadscore.errors import DataError

__all__ = [
    "MIN_CONVERTED",
    "check_finite",
    "leaking_columns",
    "one_level_only",
    "vanished_columns",
]

MIN_CONVERTED = 10  # converted leads (accounts): with fewer, anything can look perfect
MIN_GROUPS = 20  # leads (accounts) before and in the newest period

_MISSED = 0.005  # 1 - AUC of a column that tells conversions apart almost perfectly
_ENOUGH = 100  # leads (accounts) of each class with which that is no chance
_MIN_PAIRS = 4000  # of a converted lead and another: the least that shows perfection
_FEW_LEVELS = 20  # a number with no more values than that may be a code
_COMMON = 0.8  # of the leads: that all conversions are in such a level says nothing
_ERROR = 0.05  # the chance that a column is named where all is chance

_Places = npt.NDArray[np.intp]
_Floats = npt.NDArray[np.float64]


def check_finite(rows: pd.DataFrame) -> None:
    """Refuse infinite numbers: no learner takes them, and no file could have held them.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
        Nulls are fine, and columns that are no numbers are not looked at.

    Raises
    ------
    DataError
        Names each column, and how many of its values are infinite.
    """
    numbers = rows.select_dtypes("floating")
    n_bad = np.isinf(numbers.to_numpy(dtype=np.float64)).sum(axis=0)
    if n_bad.any():
        found = zip(numbers.columns, n_bad, strict=True)
        said = ", ".join(f"{name} ({n:,} of {len(rows):,})" for name, n in found if n)
        msg = (
            f"infinite values in columns of numbers: {said}. Write a finite number, or "
            "leave the value empty where it is not known."
        )
        raise DataError(msg)


def leaking_columns(
    rows: pd.DataFrame, converted: np.ndarray, groups: np.ndarray
) -> dict[str, str]:
    """Return the columns that alone tell conversions apart, almost perfectly.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
        Numbers, flags, or categories.
    converted : float array of shape (n_rows,)
        1.0 or 0.0.
    groups : array of shape (n_rows,)
        Lead or account of each row.

    Returns
    -------
    dict of str to str
        A sentence by column, in the order of ``rows``. Empty with fewer than
        `MIN_CONVERTED` converted groups, or where they and the others make fewer than
        4,000 pairs: so few may be told apart perfectly by an honest column.

    Notes
    -----
    The figure is the area under the ROC curve: for numbers in the better direction,
    null below or above all others; for categories, and for numbers of few values, with
    levels in the order of their share of conversions, those of fewer than
    `MIN_CONVERTED` groups as one. Each group weighs as much as any other within a
    class. A column is named from 0.995 on, and with fewer than 100 groups in a class
    only if it is nearer to 1: an area of 0.97 is honest, and looks better in some
    samples. Where the column is normal in both classes, 10 converted groups are told
    from 400 others so well in one sample of 1,000, and 20 from 600 in fewer than one of
    10,000.
    """
    classes = (converted == 1, converted == 0)
    n_converted, n_others = (len(np.unique(groups[part])) for part in classes)
    if n_converted < MIN_CONVERTED or n_converted * n_others < _MIN_PAIRS:
        return {}
    weights = _class_weights(classes, groups)
    allowed = _MISSED * min(1.0, n_converted / _ENOUGH, n_others / _ENOUGH) ** 2
    areas = {name: _area(levels, *weights) for name, levels in _levels(rows, groups)}
    return {
        name: _leak_sentence(name, area, n_converted)
        for name, area in areas.items()
        if area >= 1 - allowed
    }


def one_level_only(
    rows: pd.DataFrame, converted: np.ndarray, groups: np.ndarray
) -> dict[str, str]:
    """Return the categories of which one level holds all the conversions.

    Parameters
    ----------
    rows, converted, groups
        As in `leaking_columns`; columns of numbers are not looked at.

    Returns
    -------
    dict of str to str
        A sentence by column. Empty with fewer than `MIN_CONVERTED` converted groups.

    Notes
    -----
    The level must be one that fewer than 80 % of the groups have, and so few that
    chance alone would put all conversions there in no more than one of twenty data
    sets, whichever category it is: with ten conversions and five categories, 63 %.
    """
    n_converted = len(np.unique(groups[converted == 1]))
    if n_converted < MIN_CONVERTED:
        return {}
    weight = _group_weights(groups)
    names = [name for name in rows.columns if not _is_number(rows[name])]
    limit = min(_COMMON, (_ERROR / max(len(names), 1)) ** (1 / n_converted))
    found = {}
    for name in names:
        codes = pd.factorize(rows[name])[0]
        level = codes[converted == 1]
        share = float(weight[codes == level[0]].sum())
        if (level == level[0]).all() and share < limit:
            value = rows[name].iloc[int(np.argmax(converted == 1))]
            found[str(name)] = _level_sentence(str(name), value, share, n_converted)
    return found


def vanished_columns(
    rows: pd.DataFrame, as_of: pd.Series, newest: pd.Timestamp, groups: np.ndarray
) -> dict[str, str]:
    """Return the columns that said something before, and nothing since ``newest``.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
    as_of : Series of shape (n_rows,)
    newest : Timestamp
        Start of the newest period; rows with an as_of at or after it are its rows.
    groups : array of shape (n_rows,)

    Returns
    -------
    dict of str to str
        A sentence by column. Empty with fewer than `MIN_GROUPS` groups before, or
        since.

    Notes
    -----
    A column is named if it has one value, or null, in all the newest rows, and had
    others before so often that this is no chance: what was rare may well be missing
    for a while. If ``k`` groups of ``n`` before and ``m`` since have other values, all
    of them stand before with a chance of about ``(n / (n + m)) ** k`` (Fisher's exact
    test, one-sided); it must lie below 0.05 over the number of columns (Bonferroni).
    """
    is_new = (as_of >= newest).to_numpy()
    n_old, n_new = (len(np.unique(groups[part])) for part in (~is_new, is_new))
    if min(n_old, n_new) < MIN_GROUPS:
        return {}
    weight = _group_weights(groups[~is_new])
    found = {}
    for name, value, differs in _constants(rows, is_new):
        share = float(weight[differs].sum())
        if (n_old / (n_old + n_new)) ** (share * n_old) <= _ERROR / rows.shape[1]:
            found[name] = _vanished_sentence(name, value, share, newest, n_new)
    return found


def _constants(
    rows: pd.DataFrame, is_new: npt.NDArray[np.bool_]
) -> Iterator[tuple[str, object, npt.NDArray[np.bool_]]]:
    """Return columns of one newest value: name, value, which rows before differ."""
    first = int(np.argmax(is_new))
    for name in rows.columns:
        column = rows[name]
        value = column.iloc[first]
        same = column.isna() if pd.isna(value) else column == value
        same = same.to_numpy(dtype=bool, na_value=False)
        if same[is_new].all() and not same.all():
            yield str(name), value, ~same[~is_new]


def _is_number(column: pd.Series) -> bool:
    return bool(
        pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    )


def _levels(
    rows: pd.DataFrame, groups: np.ndarray
) -> Iterator[tuple[str, tuple[_Places, bool]]]:
    """Return the level of each row by column, and whether it is a code.

    Levels of numbers rise with them; null is -1.
    """
    place = np.unique(groups, return_inverse=True)[1]
    for name in rows.columns:
        is_number = _is_number(rows[name])
        codes, levels = pd.factorize(rows[name], sort=is_number)
        is_code = not is_number or len(levels) <= _FEW_LEVELS
        yield str(name), (_common(codes, place) if is_code else codes, is_code)


def _common(codes: _Places, place: _Places) -> _Places:
    """Return codes from zero on, those of few groups as one: ids tell all apart."""
    pairs = np.unique((codes + 1) * (place.max() + 1) + place)
    n_groups = np.bincount(pairs // (place.max() + 1))
    renamed = np.where(n_groups < MIN_CONVERTED, 0, np.arange(len(n_groups)) + 1)
    return renamed[codes + 1]


def _area(levels: tuple[_Places, bool], positive: _Floats, negative: _Floats) -> float:
    """Return the best area under the ROC curve that the levels allow."""
    codes, is_code = levels
    # The first place counts the nulls.
    hits = np.bincount(codes + 1, positive).astype(np.float64)
    others = np.bincount(codes + 1, negative).astype(np.float64)
    if is_code:
        total = hits + others
        order = np.argsort(hits / np.where(total > 0, total, 1.0), kind="stable")
        return _auc(hits[order], others[order])
    areas = [_auc(hits, others), _auc(_nulls_last(hits), _nulls_last(others))]
    return max(*areas, *(1 - area for area in areas))


def _nulls_last(counts: _Floats) -> _Floats:
    return np.concatenate([counts[1:], counts[:1]])


def _auc(hits: _Floats, others: _Floats) -> float:
    """Return the area of levels from low to high; both classes sum to one."""
    below = np.cumsum(others) - others
    return float(hits @ (below + others / 2))


def _class_weights(
    classes: tuple[np.ndarray, np.ndarray], groups: np.ndarray
) -> list[_Floats]:
    """Return weights by class that sum to one, each group of it the same in all."""
    weights = []
    for inside in classes:
        weight = np.zeros(len(groups))
        weight[inside] = _group_weights(groups[inside])
        weights.append(weight)
    return weights


def _group_weights(groups: np.ndarray) -> _Floats:
    """Return weights that sum to one, each group the same in all."""
    _, place, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / (n_rows[place] * len(n_rows))


def _leak_sentence(name: str, area: float, n_converted: int) -> str:
    return (
        f"{name!r} alone tells leads that convert from the others almost perfectly: "
        f"AUC {area:.4f}, with {n_converted:,} converted leads (accounts). {_NEXT}"
    )


def _level_sentence(name: str, value: object, share: float, n_converted: int) -> str:
    held = f"is empty for all {n_converted:,} converted leads (accounts)"
    if not pd.isna(value):
        held = f"is {str(value)!r} for all {n_converted:,} converted leads (accounts)"
    return (
        f"{name!r} {held}, and for {share:.1%} of all leads. If outcomes reach you "
        "from there alone, export those of the others, too: else the model learns "
        f"where outcomes are kept. {_NEXT}"
    )


_NEXT = (
    "If it is known only after the outcome, or only because of it, put it on "
    "features.deny (of an attribute, take it out of [attributes], too; of a count, put "
    "the kind of interaction there). If it is known before, say when, by known_at."
)


def _spelt(value: object) -> str:
    """Return a value as people write it: a count without a decimal point."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _vanished_sentence(
    name: str, value: object, share: float, newest: pd.Timestamp, n_new: int
) -> str:
    now = "empty" if pd.isna(value) else f"always {_spelt(value)}"
    return (
        f"{name!r} is {now} for all {n_new:,} leads (accounts) since {newest.date()}; "
        f"before, it was something else in {share:.1%} of cases. Look whether its "
        "source has ended or is late; if it has ended, take it out of [attributes], or "
        "put the kind of interaction on features.deny."
    )
