"""Held-out leads prove the promises: nothing learned may know what became of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadscore.agreement import parse_agreement
from leadscore.bundle import Bundle
from leadscore.periods import held_out
from leadscore.workflows.train import train
from tests.folders import write_folder

N = 500
START = pd.Timestamp("2025-01-01T09:00:00Z")
CREATED = START + pd.to_timedelta(np.arange(N) * 200 / N, unit="D").round("s")
LEADS = np.array([f"L{i:03d}" for i in range(N)])
MARKS = np.random.default_rng(3).normal(size=N)
CONVERTED = np.random.default_rng(4).normal(size=N) + MARKS > 1.0

AGREEMENT = """\
[conversion]
horizon_days = 10
reporting_lag_days = 0
[snapshots]
at_age_hours = [24]
[source]
data_end = "2025-09-01T00:00:00Z"
[training]
origins = 2
test_days = 60
promise_days = 150
promise_share = 0.4
[labels.MQL]
precision = 0.2
[labels.SQL]
precision = 0.4
[attributes.marks]
kind = "number"
changes = false
[attributes.deal]
kind = "category"
changes = false
"""
TRAINING = parse_agreement(AGREEMENT).training
PROVES = held_out(
    np.char.add("lead:", LEADS), share=TRAINING.promise_share, seed=TRAINING.seed
)


def learned(folder: Path, converted: np.ndarray, deal: np.ndarray) -> Bundle:
    leads = pd.DataFrame({"lead_id": LEADS, "created_at": CREATED, "marks": MARKS})
    outcomes = pd.DataFrame(
        {
            "lead_id": LEADS[converted],
            "stage": "opportunity",
            "occurred_at": CREATED[converted] + pd.Timedelta(days=5),
        }
    )
    data = write_folder(
        folder / "data",
        leads=leads.assign(deal=deal).to_csv(index=False),
        outcomes=outcomes.to_csv(index=False),
        interactions="lead_id,occurred_at,kind\nL000,2025-01-01T10:00:00Z,visit\n",
        agreement=AGREEMENT,
    )
    return train(data, folder / "models").bundle


def said(bundle: Bundle) -> tuple[object, ...]:
    """What a promise rests on: the recipe, its columns, numbers, grid and starts."""
    assert bundle.model is not None
    asked = pd.DataFrame({name: np.zeros(N) for name in bundle.model.columns})
    asked["marks"] = MARKS
    if "deal" in asked:
        asked["deal"] = pd.Categorical(["open"] * N, ["open", "won"])
    return (
        bundle.model.name,
        bundle.model.columns,
        bundle.model.predict(asked).tobytes(),
        bundle.model.grid,
        [threshold.facts["start"] for threshold in bundle.thresholds.values()],
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return learned(tmp_path_factory.mktemp("usual"), CONVERTED, np.full(N, "open"))


def test_whatever_becomes_of_held_out_leads_the_model_is_the_same(
    usual: Bundle, tmp_path: Path
) -> None:
    other = np.where(PROVES, ~CONVERTED, CONVERTED)
    turned = learned(tmp_path, other, np.full(N, "open"))
    assert said(turned) == said(usual)
    # They were looked at all the same: by the promises, and by the figures of later.
    assert usual.thresholds["SQL"].probability is not None
    assert turned.thresholds["SQL"].probability is None
    assert turned.metrics["candidates"] != usual.metrics["candidates"]


def test_whatever_becomes_of_held_out_leads_a_column_that_leaks_is_left_out(
    tmp_path: Path,
) -> None:
    """Of all leads together it tells conversions no better than the marks do."""
    other = np.where(PROVES, ~CONVERTED, CONVERTED)
    bundle = learned(tmp_path, other, np.where(CONVERTED, "won", "open"))
    assert bundle.model is not None
    assert "deal" not in bundle.model.columns
    why = bundle.metrics["suspects"][0]
    assert why.startswith("left out of the model: 'deal' alone tells")


def test_what_becomes_of_the_others_does_change_it(
    usual: Bundle, tmp_path: Path
) -> None:
    first = int(np.flatnonzero(~PROVES & ~CONVERTED)[0])
    other = CONVERTED.copy()
    other[first] = True
    assert said(learned(tmp_path, other, np.full(N, "open"))) != said(usual)
