"""What Spark's workers fold has the bits of what is folded here (`make test-spark`)."""

from __future__ import annotations

import functools
import os
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from leadscore.buckets import rows_of
from leadscore.features import fold_batches, folded_schema
from tests.histories import MANY_COLUMNS, seeded_world
from tests.test_fold_stream import (
    MACHINES,
    bits,
    expected,
    folding_of,
    plain,
    stream_of,
)

pytest.importorskip("pyspark", reason="make test-spark installs it")

pytestmark = [
    pytest.mark.spark,
    # Of what goes through pandas: nothing here does, rows stay Arrow's.
    pytest.mark.filterwarnings(
        "ignore:PySpark does not yet fully support pandas:FutureWarning"
    ),
]

FOLDING = folding_of(MANY_COLUMNS)
INSTANTS = ("as_of", "occurred_at", "known_at")
CONFIG = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Many partitions and small batches, so that leads are cut.
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.coalescePartitions.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50",
    # A zone with summer time that is neither ours nor the tests': instants survive.
    "spark.sql.session.timeZone": "America/New_York",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.appName("leadscore")
    for name, value in CONFIG.items():
        builder = builder.config(name, value)
    warehouse = tmp_path_factory.mktemp("warehouse")
    session = builder.config("spark.sql.warehouse.dir", str(warehouse)).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def world():
    return seeded_world(7, n_leads=300, n_events=40)


@pytest.fixture(scope="module")
def log(world):
    """Return the interactions as a firm has them: some delivered twice."""
    log = plain(world.log)
    return pd.concat([log, log.iloc[::7]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, world, log):
    folder = tmp_path_factory.mktemp("tables")
    asked = world.snapshots()[["lead_id", "as_of"]]
    pq.write_table(rows_of(log), folder / "interactions.parquet")
    pq.write_table(rows_of(asked), folder / "snapshots.parquet")
    return folder


def rows_in(spark, folder):
    """Return both tables as one, as the README does it."""
    interactions = spark.read.parquet(str(folder / "interactions.parquet"))
    snapshots = spark.read.parquet(str(folder / "snapshots.parquet"))
    return interactions.unionByName(snapshots, allowMissingColumns=True)


def folded_by(spark, rows):
    """Return what the workers make, sorted by lead and as_of."""
    fold = functools.partial(fold_batches, folding=FOLDING, machines=MACHINES)
    schema = spark.createDataFrame(folded_schema(FOLDING).empty_table()).schema
    rows = rows.repartition("lead_id").sortWithinPartitions("lead_id")
    made = rows.mapInArrow(fold, schema)
    assert made.rdd.getNumPartitions() == 4
    return made.toArrow().cast(folded_schema(FOLDING)).sort_by(BY)


BY = [("lead_id", "ascending"), ("as_of", "ascending")]


@pytest.mark.parametrize("instants", ["timestamp", "microseconds"])
def test_the_workers_rows_have_the_bits_of_ours(spark, folder, world, log, instants):
    from pyspark.sql import functions

    rows = rows_in(spark, folder)
    if instants == "microseconds":
        whole = {name: functions.unix_micros(name) for name in INSTANTS}
        rows = rows.withColumns(whole)
    out = folded_by(spark, rows)
    ours = stream_of(log, world.snapshots()).sort_by(BY)
    lead_ids, as_of, features = expected(ours, log, FOLDING, MACHINES)
    assert out.num_rows == 900
    assert out.column("lead_id").to_pylist() == lead_ids.to_pylist()
    assert out.column("as_of").cast(pa.int64()).to_pylist() == as_of.tolist()
    assert np.array_equal(bits(out.combine_chunks()), features)


def test_a_timestamp_without_a_zone_is_refused(spark, folder):
    from pyspark.errors import PythonException
    from pyspark.sql import functions

    rows = rows_in(spark, folder)
    local = functions.col("occurred_at").cast("timestamp_ntz")
    with pytest.raises(PythonException, match="not TIMESTAMP_NTZ"):
        folded_by(spark, rows.withColumn("occurred_at", local))
