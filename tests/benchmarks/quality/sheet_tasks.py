"""Tasks that are one sheet: bank-marketing and online-shoppers.

No history to fold, so no data folder: a row is a lead. The points are what a marketer
would have written down from the columns' names; nobody fitted them. Left out, since
they show the outcome: ``duration`` of the call, ``PageValues`` of the session.

Category columns: words seen in fewer than 20 rows of the sheet become ``other``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from tests.benchmarks.datasets import datasets_folder

from .task import Task

__all__ = ["bank_tasks", "shoppers_task"]

MIN_ROWS = 20
NEVER = 999  # bank-marketing's "not contacted before"
FIT_SHARE = 0.7
BLOCK = 1000  # rows between two fits, and how long an outcome takes to be known
N_FOLDS = 5
FOLDS_SEED = 20

TEXT_COLUMNS = ["OperatingSystems", "Browser", "Region", "TrafficType", "Weekend"]


def bank_tasks() -> list[Task]:
    """Return bank-marketing fitted once, and with cadence; row order is the clock.

    Once: on the first 70 %. With cadence: the last 30 % in blocks of 1,000 rows, each
    fitted on all rows that ended 1,000 rows before the block starts.
    """
    path = datasets_folder() / "bank-marketing" / "bank-additional-full.csv"
    sheet = pd.read_csv(path, sep=";")
    converted = (sheet["y"] == "yes").to_numpy(dtype=float)
    facts = sheet.drop(columns=["y", "duration"])
    facts["pdays"] = facts["pdays"].mask(facts["pdays"] == NEVER)
    facts.columns = facts.columns.str.replace(".", "_")
    rows = _typed(facts).assign(points=_bank_points(facts))
    groups = np.arange(len(rows)).astype(str)
    clock = np.arange(len(rows)) / BLOCK
    once = ((np.arange(_border(len(rows))), np.arange(_border(len(rows)), len(rows))),)
    return [
        Task("bank, one fit", rows, converted, groups, once, clock=clock),
        Task(
            "bank, with cadence",
            rows,
            converted,
            groups,
            _blocks(len(rows)),
            clock=clock,
        ),
    ]


def shoppers_task() -> Task:
    """Return online-shoppers in five folds; its months do not order the rows."""
    path = datasets_folder() / "online-shoppers" / "online_shoppers_intention.csv"
    sheet = pd.read_csv(path)
    converted = sheet["Revenue"].to_numpy(dtype=float)
    facts = sheet.drop(columns=["Revenue", "PageValues"])
    facts[TEXT_COLUMNS] = facts[TEXT_COLUMNS].astype("str")
    rows = _typed(facts).assign(points=_shoppers_points(facts))
    groups = np.arange(len(rows)).astype(str)
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=FOLDS_SEED)
    splits = tuple(folds.split(rows, converted, groups))
    return Task("online-shoppers", rows, converted, groups, splits)


def _border(n: int) -> int:
    return int(n * FIT_SHARE)


def _blocks(n: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return tuple(
        (np.arange(start - BLOCK), np.arange(start, min(start + BLOCK, n)))
        for start in range(_border(n), n, BLOCK)
    )


def _typed(facts: pd.DataFrame) -> pd.DataFrame:
    numbers = facts.select_dtypes("number").columns
    return pd.DataFrame(
        {
            name: facts[name].astype("float64")
            if name in numbers
            else _category(facts[name])
            for name in facts
        }
    )


def _category(words: pd.Series) -> pd.Series:
    """Return the words as a category; rare ones as ``other``, which always exists."""
    counts = words.value_counts()
    known = sorted(counts[counts >= MIN_ROWS].index)
    named = words.where(words.isin(known), "other")
    return named.astype(pd.CategoricalDtype([*known, "other"]))


def _bank_points(facts: pd.DataFrame) -> pd.Series:
    """A customer who bought before, is at ease with money, and can be reached."""
    calls_too_many = (facts["campaign"] - 3).clip(0, 10)
    return (
        20.0 * (facts["poutcome"] == "success")
        - 2.0 * (facts["poutcome"] == "failure")
        + 5.0 * (facts["pdays"] <= 7)
        + 3.0 * (facts["contact"] == "cellular")
        + 3.0 * facts["job"].isin(["retired", "management", "admin."])
        + 2.0 * (facts["education"] == "university.degree")
        + 2.0 * (facts["age"] >= 60)
        - 4.0 * (facts["default"] != "no")
        - 2.0 * (facts["loan"] == "yes")
        - 1.0 * (facts["housing"] == "yes")
        - 1.0 * calls_too_many
    )


def _shoppers_points(facts: pd.DataFrame) -> pd.Series:
    """A visitor who looks at many products for long, comes back, does not bounce."""
    return (
        (facts["ProductRelated"] // 10).clip(0, 10).astype("float64")
        + (facts["ProductRelated_Duration"] // 300).clip(0, 10)
        + facts["Administrative"].clip(0, 5)
        + facts["Informational"].clip(0, 3)
        + 3.0 * (facts["VisitorType"] == "Returning_Visitor")
        + 3.0 * (facts["SpecialDay"] > 0)
        + 3.0 * facts["Month"].isin(["Nov", "Dec"])
        - 5.0 * (facts["BounceRates"] > 0.05)
        - 5.0 * (facts["ExitRates"] > 0.1)
    )
