"""Drivers: a model whose effects are known must be described as it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore.bundle import Bundle
from leadscore.drivers import MIN_LEADS, drivers_of
from leadscore.explain import typical_row
from leadscore.features import Catalogue
from leadscore.model import FittedModel

N = 300
CATALOGUE = Catalogue(kinds=(), channels=(), categories={}, columns=())


class Known:
    """Log odds: 2 for a red word, -1 for each demo in 30 days, nothing else."""

    def probability(self, rows: pd.DataFrame) -> np.ndarray:
        odds = 2.0 * (rows["word"] == "red").to_numpy() - rows["n_demo_30d"].to_numpy()
        return 1 / (1 + np.exp(1 - odds))


def rows_of(n: int = N) -> pd.DataFrame:
    """A third red; demos none, 1 and 4; noise of any size that no model looks at."""
    place = np.arange(n)
    n_demo = np.select([place % 10 == 0, place % 10 == 1], [1.0, 4.0], default=0.0)
    return pd.DataFrame(
        {
            "word": pd.Categorical(np.where(place % 3 == 0, "red", "blue")),
            "n_demo_30d": n_demo,
            "days_since_last_demo": np.where(n_demo > 0, 3.0, np.nan),
            "noise": np.random.default_rng(0).normal(size=n),
        }
    )


def described(rows: pd.DataFrame, leads: np.ndarray | None = None) -> dict[str, Any]:
    columns = ("word", "n_demo_30d", "noise")
    model = FittedModel("x", Known(), columns, (), {})
    found = drivers_of(
        rows,
        np.arange(len(rows)) if leads is None else leads,
        model,
        typical_row(rows),
        CATALOGUE,
        {"word": "the word", "noise": "the noise"},
        rng=np.random.default_rng(0),
    )
    return {driver["group"]: driver for driver in found}


def test_a_known_effect_is_found_level_by_level() -> None:
    word = described(rows_of())["word"]
    assert word["words"] == "the word"
    assert word["mean_effect"] == pytest.approx(2 / 3)
    assert [level["words"] for level in word["levels"]] == ["red", "blue"]
    assert word["levels"][0]["odds"] == pytest.approx(np.exp(2))
    assert word["levels"][1]["odds"] == pytest.approx(1)
    assert [level["n_leads"] for level in word["levels"]] == [100, 200]


def test_a_column_that_the_model_does_not_look_at_drives_nothing() -> None:
    noise = described(rows_of())["noise"]
    assert noise["mean_effect"] == 0
    assert {level["odds"] for level in noise["levels"]} == {1.0}


def test_the_strongest_comes_first_and_nulls_are_levels() -> None:
    rows = rows_of().assign(noise=lambda r: r["noise"].mask(r.index % 2 == 0))
    found = described(rows)
    assert list(found) == ["word", "n_demo_30d", "noise"]
    levels = {level["words"] for level in found["noise"]["levels"]}
    assert "not known" in levels
    assert len(levels) == 4


def kind_levels(rows: pd.DataFrame) -> dict[str, float]:
    """The levels of a kind: its columns are one group."""
    columns = ("n_demo_30d", "word")
    model = FittedModel("x", Known(), columns, (), {})
    declared = Catalogue.model_validate(
        {
            "kinds": ["demo"],
            "channels": [],
            "categories": {},
            "columns": [
                {
                    "name": "n_demo_30d",
                    "makes": {"does": "count", "kind": "demo", "days": 30},
                    "description": "number of demo in the last 30 days",
                    "group": "demo",
                }
            ],
        }
    )
    found = drivers_of(
        rows,
        np.arange(len(rows)),
        model,
        typical_row(rows),
        declared,
        {},
        rng=np.random.default_rng(0),
    )
    demo = next(driver for driver in found if driver["group"] == "demo")
    return {level["words"]: level["odds"] for level in demo["levels"]}


def test_a_kind_is_told_as_none_some_and_many() -> None:
    assert kind_levels(rows_of()) == {
        "never": pytest.approx(1),
        "1 to 2 in the last 30 days": pytest.approx(np.exp(-1)),
        "3 or more in the last 30 days": pytest.approx(np.exp(-4)),
    }


def test_a_level_of_few_leads_is_left_out_however_many_rows_it_has() -> None:
    leads = np.arange(N) % (MIN_LEADS - 1)
    assert described(rows_of(), leads)["word"]["levels"] == []


def test_no_rows_have_no_drivers() -> None:
    assert described(rows_of().iloc[:0], np.array([])) == {}


def test_whole_numbers_are_told_by_what_they_are() -> None:
    rows = rows_of().assign(noise=np.arange(N) % 9)
    levels = {level["words"] for level in described(rows)["noise"]["levels"]}
    assert levels == {"up to 2", "3 to 5", "6 or more"}


def test_the_drivers_of_the_sample_are_plain_data(bundle: Bundle) -> None:
    drivers = bundle.metrics["drivers"]
    assert json.loads(json.dumps(drivers)) == drivers
    effects = [driver["mean_effect"] for driver in drivers]
    assert effects == sorted(effects, reverse=True)
    assert effects[0] > 0.05
    assert all(
        level["n_leads"] >= MIN_LEADS
        for driver in drivers
        for level in driver["levels"]
    )
