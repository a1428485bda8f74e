"""The registered model says what `leadscore score` says, also over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore.bundle import Bundle
from leadscore.cli import main
from leadscore.errors import DataError
from leadscore.judge import feature_columns, judge, typed_features
from leadscore.tables import LABELS, Tables
from leadscore.workflows.record import record_run
from leadscore.workflows.score import rows_at
from leadscore.workflows.train import Trained

SAID = ["probability", "points", "label"]
FIGURES = SAID[:2]
READY_S = 180


@pytest.fixture(scope="session")
def registered(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models whose champion is the sample's model."""
    own = tmp_path_factory.mktemp("registered")
    shutil.copytree(trained.folder, own / trained.folder.name)
    (own / "current").write_text(f"{trained.folder.name}\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert record_run(trained.bundle, own, now=None).alias == "champion"
    return own


@pytest.fixture(scope="session")
def scored(
    sample: Path, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The list, and the rows that the model saw, as a stranger reads them.

    A look, hence 10: the model has learned from outcomes of that time.
    """
    folder = tmp_path_factory.mktemp("scored")
    arguments = ["score", str(sample), "--models", str(registered), "--quiet"]
    arguments += ["--as-of", "2025-06-04", "--out", str(folder / "scores.csv")]
    assert main([*arguments, "--features", str(folder / "rows.csv")]) == 10
    assert (folder / "rows.csv").stat().st_mode & 0o777 == 0o600
    return pd.read_csv(folder / "scores.csv"), pd.read_csv(folder / "rows.csv")


@pytest.fixture(scope="session")
def parquet(
    sample: Path, registered: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    rows = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    arguments = ["score", str(sample), "--models", str(registered), "--quiet"]
    arguments += ["--as-of", "2025-06-04", "--out", str(rows.with_name("list.csv"))]
    assert main([*arguments, "--features", str(rows)]) == 10  # a look
    return rows


def load(registered: Path) -> Any:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{registered}/mlflow.db")
    return mlflow.pyfunc.load_model("models:/leadscore@champion")


@pytest.fixture(scope="session")
def model(registered: Path) -> Any:
    return load(registered)


def test_the_registered_model_says_what_the_list_says(
    model: Any, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    scores, rows = scored
    assert len(scores) > 300
    assert scores["label"].nunique() == 4
    said = model.predict(rows.drop(columns=["lead_id", "as_of"]))
    pd.testing.assert_frame_equal(said[FIGURES], scores[FIGURES], check_exact=True)


def test_the_registered_model_says_what_a_row_alone_is_worth(
    model: Any, bundle: Bundle, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    """It remembers nothing: no lead is in quarantine, and none is kept from before."""
    scores, rows = scored
    said = model.predict(rows.drop(columns=["lead_id", "as_of"]))["label"]
    listed, by_hand = scores["label"], scores["road"] == "hand_raised"
    for same in (by_hand, listed == "DISQUALIFIED"):
        assert same.sum() > 5
        assert (said[same] == listed[same]).all()
    for label in ("MQL", "SQL"):
        reached = scores["probability"] >= bundle.thresholds[label].probability
        stands = (listed == label) & ~by_hand
        assert (stands & reached).sum() > 5
        better = LABELS[LABELS.index(label) :]
        assert said[stands & reached].isin(better).all()
    # Neither reached nor asked: what the list does not label, the row does not either.
    # (What sales rejected, the list knows and the row does not.)
    asked = scores["label_reason"].str.contains("contacted|rejected|hand")
    below = scores["probability"] < bundle.thresholds["MQL"].probability
    unlabelled = below & (listed == "NURTURE") & ~asked
    assert unlabelled.sum() > 50
    assert (said[unlabelled] == "NURTURE").all()


def test_rows_in_parquet_do_as_well(
    model: Any, scored: tuple[pd.DataFrame, pd.DataFrame], parquet: Path
) -> None:
    rows = pd.read_parquet(parquet).drop(columns=["lead_id", "as_of"])
    said = model.predict(rows)
    pd.testing.assert_frame_equal(said[FIGURES], scored[0][FIGURES], check_exact=True)


def test_the_order_of_columns_and_rows_does_not_matter(
    model: Any, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    scores, rows = scored
    few = rows.drop(columns=["lead_id", "as_of"]).iloc[40:20:-3]
    said = model.predict(few[sorted(few, reverse=True)])
    expected = scores[FIGURES].iloc[40:20:-3]
    pd.testing.assert_frame_equal(said[FIGURES], expected, check_exact=True)


def test_it_takes_what_pandas_gives(
    model: Any, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    """Counts with nulls, columns of nulls only, new words, no rows at all."""
    scores, rows = scored
    eligible = scores["probability"].notna()
    few = rows.drop(columns=["lead_id", "as_of", "status"])[eligible].iloc[:5]
    expected = scores.loc[eligible, FIGURES].iloc[:5]
    for n in range(5):  # one lead alone: what it lacks is a column of nulls
        said = model.predict(few.iloc[[n]])
        pd.testing.assert_frame_equal(
            said[FIGURES], expected.iloc[[n]], check_exact=True
        )
    unknown = few.assign(country="Atlantis", source=np.nan)
    assert model.predict(unknown)["probability"].notna().all()
    nobody = model.predict(few.iloc[:0])
    assert list(nobody.columns) == SAID
    assert len(nobody) == 0


def test_nothing_in_the_package_is_a_pickle(registered: Path) -> None:
    package = next((registered / "mlartifacts" / "models").glob("m-*/artifacts"))
    logged = (path for path in package.rglob("*") if path.is_file())
    # Whoever has loaded the model has left compiled code beside its own.
    names = {path.suffix for path in logged if "__pycache__" not in path.parts}
    assert names <= {".py", ".json", ".toml", ".skops", ".yaml", ".txt", ".j2", ""}
    described = (package / "MLmodel").read_text()
    assert "python_model:" not in described
    requirements = (package / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)


def test_the_signature_holds_the_columns_that_are_built(
    bundle: Bundle, tables: Tables, model: Any
) -> None:
    as_of = pd.Timestamp("2025-06-03T22:00:00Z").as_unit("us")
    rows, _ = rows_at(bundle, tables, as_of)
    assert list(feature_columns(bundle)) == list(rows.features)
    taken = {column.name: column for column in model.metadata.signature.inputs}
    assert [n for n in taken if n != "status"] == list(rows.features)
    for name, values in rows.features.items():
        is_word = isinstance(values.dtype, pd.CategoricalDtype)
        assert str(taken[name].type).lower() == (
            "any" if is_word else "datatype.double"
        )
    through_text = rows.features.astype(
        {n: "object" for n, kind in feature_columns(bundle).items() if kind == "string"}
    )
    pd.testing.assert_frame_equal(
        typed_features(bundle, through_text), rows.features, check_exact=True
    )


def test_rows_without_a_column_are_refused_by_name(
    bundle: Bundle, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DataError, match="lack the feature columns n_30d, points"):
        typed_features(bundle, scored[1].drop(columns=["n_30d", "points"]))
    with pytest.raises(DataError, match="'n_30d' holds what is no number"):
        typed_features(bundle, scored[1].assign(n_30d="many"))


@contextlib.contextmanager
def served(registered: Path) -> Iterator[str]:
    """The champion behind `mlflow models serve`, as the README says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scripts = Path(sys.executable).parent
    command = [str(scripts / "mlflow"), "models", "serve", "--env-manager", "local"]
    command += ["-m", "models:/leadscore@champion", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--workers", "1"],
        env=os.environ
        | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{registered}/mlflow.db",
            "PATH": f"{scripts}:{os.environ['PATH']}",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(READY_S):
            assert process.poll() is None
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{address}/ping", timeout=5).close()
                break
            time.sleep(1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_a_server_gives_the_same_numbers(
    registered: Path, scored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    scores, rows = scored
    few = rows.drop(columns=["lead_id", "as_of"]).iloc[:60]
    split = json.loads(few.to_json(orient="split", double_precision=15))
    body = json.dumps({"dataframe_split": split}).encode()
    with served(registered) as address:
        request = urllib.request.Request(
            f"{address}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = pd.DataFrame(json.loads(answer.read())["predictions"])
    expected = scores[FIGURES].iloc[:60]
    assert list(said) == SAID
    pd.testing.assert_frame_equal(
        said[FIGURES].astype({"probability": "float64"}), expected, check_exact=True
    )


@pytest.mark.parametrize(
    ("known", "given", "said"),
    [
        (["0", "1"], [0, 1, 1], ["0", "1", "1"]),
        (["0", "1"], [0.0, np.nan, 1.0], ["0", None, "1"]),
        (["false", "true"], [True, False, True], ["true", "false", "true"]),
        (["FALSE", "TRUE"], [True, False, None], ["TRUE", "FALSE", None]),
        (["01", "02"], [1, 2, 7], ["01", "02", "other"]),
        (["1.5", "NA"], [1.5, 1.5, 3.0], ["1.5", "1.5", "other"]),
        (["blue", "red"], ["red", None, "green"], ["red", None, "other"]),
        (["blue", "red"], [np.nan, np.nan, np.nan], [None, None, None]),
    ],
)
def test_words_that_a_reader_took_for_numbers_are_spelt_back(
    known: list[str], given: list[object], said: list[str | None], bundle: Bundle
) -> None:
    """A csv has no types: pandas reads a column of 0 and 1 as numbers."""
    categories = bundle.catalogue.categories | {"country": tuple(known)}
    catalogue = bundle.catalogue.model_copy(update={"categories": categories})
    other = dataclasses.replace(bundle, catalogue=catalogue)
    kinds = feature_columns(other)
    rows = pd.DataFrame({n: [0.0] * 3 for n in kinds if kinds[n] == "double"})
    rows = rows.assign(**{n: None for n in kinds if kinds[n] == "string"})
    rows["country"] = given
    found = typed_features(other, rows)["country"].astype("object")
    assert [None if pd.isna(word) else word for word in found] == said


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("country", 33, r"'country' holds 33, which is no text; the model knows 'BE'"),
        ("points", np.nan, "3 of 3 rows have no points"),
        ("status", "Eligible ", "status 'Eligible ' is unknown; write one of eligible"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    column: str,
    value: object,
    sentence: str,
    bundle: Bundle,
    scored: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    rows = scored[1].head(3).assign(**{column: value})

    def judged() -> pd.DataFrame:
        features = typed_features(bundle, rows)
        return judge(bundle, features, rows["status"], rows["status"])

    with pytest.raises(DataError, match=sentence):
        judged()
