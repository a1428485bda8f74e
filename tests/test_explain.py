"""Reasons: signed, strongest first, in words, and about the row alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leadscore import explain as explain_module
from leadscore.bundle import Bundle
from leadscore.calibration import log_odds
from leadscore.drivers import drivers_of
from leadscore.explain import (
    column_groups,
    effects_of,
    lately,
    reasons,
    shown_column,
    typical_row,
)
from leadscore.features import describe_features
from leadscore.model import FittedModel
from leadscore.tables import Tables
from leadscore.workflows.rows import build_rows
from leadscore.workflows.score import rows_at, score_tables
from tests.histories import EXTENDED, MANY_COLUMNS, seeded_world
from tests.test_train_score import AS_OF


class Known:
    """An opinion whose log odds are 3 for a red word, and -1 per unit of noise."""

    def probability(self, rows: pd.DataFrame) -> np.ndarray:
        odds = 3.0 * (rows["word"] == "red").to_numpy() - rows["noise"].to_numpy() - 2
        return 1 / (1 + np.exp(-odds))


ROWS = pd.DataFrame(
    {
        "word": pd.Categorical(["red", "blue", "blue", "blue"]),
        "noise": [0.5, 0.0, 2.0, 0.0],
        "idle": [7.0, 7.0, 7.0, 7.0],
    }
)
MODEL = FittedModel("x", Known(), tuple(ROWS.columns), (), {})


def explain(rows: pd.DataFrame) -> pd.DataFrame:
    groups = {name: name for name in ROWS}
    return reasons(rows, MODEL, typical_row(ROWS), groups, {"word": "the word"})


def test_the_typical_row_is_the_median_and_the_commonest() -> None:
    assert typical_row(ROWS) == {"word": "blue", "noise": 0.25, "idle": 7.0}


def test_reasons_are_signed_and_the_strongest_comes_first() -> None:
    found = explain(ROWS)
    assert list(found.loc[0].dropna()) == ["+ the word: red", "- noise: 0.5"]
    assert list(found.loc[1].dropna()) == ["+ noise: 0"]
    assert list(found.loc[2].dropna()) == ["- noise: 2"]


def test_effects_are_those_of_the_groups_one_by_one() -> None:
    """The model is a sum: 3 for red against blue, -1 a unit of noise, idle nothing."""
    groups = {name: name for name in ROWS}
    effects, names = effects_of(ROWS, MODEL, typical_row(ROWS), groups)
    assert names == ["idle", "noise", "word"]
    np.testing.assert_allclose(effects[:, 0], 0, atol=1e-9)
    np.testing.assert_allclose(effects[:, 1], [-0.25, 0.25, -1.75, 0.25], atol=1e-9)
    np.testing.assert_allclose(effects[:, 2], [3, 0, 0, 0], atol=1e-9)


def test_what_is_asked_at_once_is_what_is_asked_one_by_one(
    bundle: Bundle, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group on its own, all its columns written over in all rows; any slices."""
    model, typical = bundle.model, bundle.typical
    assert model is not None
    rows = rows_at(bundle, tables, AS_OF)[0].features.iloc[:40]
    groups = column_groups(model.columns, bundle.catalogue)
    effects, names = effects_of(rows, model, typical, groups)
    said = log_odds(model.predict(rows))
    for place, name in enumerate(names):
        changed = rows.copy()
        for column in (c for c, group in groups.items() if group == name):
            values = [typical[column]] * len(rows)
            changed[column] = pd.Series(values, rows.index).astype(rows[column].dtype)
        moved = said - log_odds(model.predict(changed))
        np.testing.assert_allclose(effects[:, place], moved, atol=1e-9)
    assert (effects != 0).mean() > 0.2
    monkeypatch.setattr(explain_module, "SLICE", 7)
    again, _ = effects_of(rows, model, typical, groups)
    np.testing.assert_allclose(again, effects, atol=1e-12)


def test_a_typical_row_has_no_effects() -> None:
    typical = typical_row(ROWS)
    one = ROWS.iloc[[1]].assign(noise=typical["noise"])
    effects, _ = effects_of(one, MODEL, typical, {name: name for name in ROWS})
    assert not effects.any()


def test_a_description_that_asks_whether_is_not_asked_twice(bundle: Bundle) -> None:
    words = describe_features(bundle.catalogue, bundle.agreement)
    assert words["has_message"].startswith("whether the lead wrote us something")


def test_what_is_counted_is_told_in_the_window_nearest_to_thirty_days() -> None:
    """Whatever windows are declared."""
    since = "days_since_last_x"
    assert lately("x", [since, "n_x_7d", "n_x_30d", "n_x_90d", "n_x_ever"]) == (
        "n_x_30d",
        "in the last 30 days",
    )
    assert lately("x", [since, "n_x_1d", "n_x_45d"]) == (
        "n_x_45d",
        "in the last 45 days",
    )
    assert lately("x", [since, "n_x_1d", "n_x_ever"]) == ("n_x_1d", "in the last day")
    assert lately("x", [since, "n_x_ever", "n_x_y_30d"]) == ("n_x_ever", "ever")
    assert lately("activity", ["n_30d", "days_since_last"]) is None


def test_columns_of_ones_own_that_share_a_group_are_told_by_the_first() -> None:
    assert shown_column("intent", {"a": "b", "one": "intent", "two": "intent"}) == "one"
    assert shown_column("one", {"one": "one"}) == "one"
    groups = {"word": "mine", "noise": "mine", "idle": "idle"}
    found = reasons(ROWS, MODEL, typical_row(ROWS), groups, {"word": "the word"})
    assert found["reason_1"].tolist()[0] == "+ the word: red"


def test_reasons_and_drivers_speak_of_everything_that_can_be_declared() -> None:
    world = seeded_world(4, n_leads=60, n_events=20)
    made = build_rows(world.tables, world.snapshots(), MANY_COLUMNS, EXTENDED)
    rows = made.features
    names = tuple(rows)
    model = FittedModel("x", Everything(), names, (), {})
    groups = column_groups(names, MANY_COLUMNS)
    words = describe_features(MANY_COLUMNS, EXTENDED)
    typical = typical_row(rows)
    said = " ".join(
        reasons(
            rows, model, typical, {n: g for n, g in groups.items() if g == group}, words
        )["reason_1"]
        .dropna()
        .iloc[0]
        for group in ("channel_email", "content_short", "heat", "page_view")
    )
    assert "channel email: " in said
    assert "in the last 45 days, last " in said
    assert "weighted page view, unsubscribe" in said
    told = drivers_of(
        rows,
        made.snapshots["lead_id"].to_numpy(),
        model,
        typical,
        MANY_COLUMNS,
        words,
        rng=np.random.default_rng(0),
    )
    assert {driver["group"] for driver in told} == set(groups.values())


class Everything:
    """An opinion on which every number has some weight."""

    def probability(self, rows: pd.DataFrame) -> np.ndarray:
        numbers = rows.select_dtypes("number").fillna(-1.0).to_numpy()
        return 1 / (1 + np.exp(-np.tanh(numbers).sum(axis=1) / 10))


def test_a_reason_depends_on_no_other_row() -> None:
    together = explain(ROWS)
    alone = explain(ROWS.iloc[[2]])
    pd.testing.assert_series_equal(together.loc[2], alone.loc[2])


def test_every_column_of_the_model_is_in_a_group_with_words(bundle: Bundle) -> None:
    assert bundle.model is not None
    groups = column_groups(bundle.model.columns, bundle.catalogue)
    assert set(groups) == set(bundle.model.columns)
    words = describe_features(bundle.catalogue, bundle.agreement)
    alone = {group for column, group in groups.items() if column == group}
    assert alone <= set(words) | {"persona_fit", "points"}


def test_every_scored_lead_has_a_reason(bundle: Bundle, tables: Tables) -> None:
    scores, _ = score_tables(bundle, tables, AS_OF)
    given = scores[scores["probability"].notna()]
    assert given["reason_1"].notna().mean() > 0.95
    assert given["reason_1"].dropna().str.match(r"[+-] \S").all()
