"""The rivals of the benchmark make what the plain SQL says, so that it times like work.

Small, seeded logs; the contenders run in this process.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leadscore.agreement import Agreement
from tests.oracle import expected

from .features.data import CHANNELS, KINDS, declared, make_case
from .features.decode import COLUMNS

pytest.importorskip("duckdb")
pytest.importorskip("polars")

from .features import decode, duckdb_sql, pandas_merge, polars_lazy

# One group, one worker: the logs are made once.

SIZE = 2_000
RIVALS = {
    name: contender
    for module in (duckdb_sql, polars_lazy, pandas_merge)
    for name, contender in module.contenders().items()
}
TASKS = list(itertools.product((1, 12), (0.0, 0.2)))  # snapshots a lead, late share


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("features_bench")


def made(folder, per_lead, late_share):
    case = make_case(folder, SIZE, per_lead, n_contents=30, late_share=late_share)
    case.scratch.mkdir(exist_ok=True)
    return case


@pytest.fixture(scope="module", params=TASKS, ids=str)
def task(request, folder):
    """A case, and what the plain SQL makes of it."""
    case = made(folder, *request.param)
    interactions = pq.read_table(case.interactions).to_pandas()
    known = interactions["known_at"].fillna(interactions["occurred_at"])
    wanted = expected(
        interactions.assign(known_at=known),
        pq.read_table(case.snapshots).to_pandas(),
        declared(),
        Agreement(),
    )
    return case, wanted


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_makes_what_the_oracle_makes(name, task):
    case, wanted = task
    found = RIVALS[name].run(case)
    assert isinstance(found, pa.Table)
    assert found.column_names == list(wanted.columns)
    for column in wanted.columns:
        values = found[column].to_pandas()
        if column == "first_channel":
            assert list(values.isna()) == list(wanted[column].isna())
            assert list(values.dropna()) == list(wanted[column].dropna())
        else:
            np.testing.assert_allclose(
                values.astype("float64"),
                wanted[column].astype("float64"),
                rtol=1e-9,
                err_msg=column,
            )


def test_the_log_is_what_it_says(folder):
    case = made(folder, 12, 0.2)
    log = pq.read_table(case.interactions).to_pandas()
    snapshots = pq.read_table(case.snapshots).to_pandas()
    assert list(log) == pq.read_schema(case.interactions).names
    assert set(log) == set(COLUMNS)
    assert log["occurred_at"].is_monotonic_increasing
    assert log["lead_id"].str.len().eq(18).all()
    assert log["lead_id"].nunique() == pytest.approx(SIZE / 100, abs=2)
    assert set(log["kind"]) <= set(KINDS)
    assert set(log["channel"].dropna()) <= set(CHANNELS)
    assert log["known_at"].notna().mean() == pytest.approx(0.2, abs=0.05)
    late = log[log["known_at"].notna()]
    assert (late["known_at"] >= late["occurred_at"]).all()
    assert snapshots["as_of"].nunique() == 12
    assert not snapshots.duplicated(["lead_id", "as_of"]).any()
    first = snapshots["lead_id"].map(log.groupby("lead_id")["occurred_at"].min())
    assert (first < snapshots["as_of"]).all()
    assert (snapshots["created_at"] <= first).all()


def test_the_same_seed_makes_the_same_log(folder, tmp_path):
    one = pq.read_table(made(folder, 1, 0.0).interactions)
    assert one.equals(pq.read_table(made(tmp_path, 1, 0.0).interactions))
    other = make_case(tmp_path, SIZE, 1, n_contents=30, seed=2)
    assert not one.equals(pq.read_table(other.interactions))


def test_slices_join_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.features.data.SLICE_ROWS", SIZE // 7)
    log = pq.read_table(made(tmp_path, 1, 0.0).interactions)
    assert pd.Series(log["occurred_at"].to_pandas()).is_monotonic_increasing
    assert log.num_rows == pytest.approx(SIZE, rel=0.8)


def test_reading_alone_makes_nothing(folder):
    assert decode.decode(made(folder, 1, 0.0)) is None
