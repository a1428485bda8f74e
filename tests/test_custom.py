"""Functions of one's own: cut off before as_of whatever they try, and told plainly."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from leadscore.agreement import parse_agreement
from leadscore.bundle import load_bundle
from leadscore.cli import main
from leadscore.errors import AgreementError, RefusedError
from leadscore.explain import column_groups
from leadscore.features import build as build_module
from leadscore.features import custom as custom_module
from leadscore.features import describe_features
from leadscore.functions import Functions
from leadscore.store import read_tables
from leadscore.store.functions import read_functions
from leadscore.workflows.record import Recorded
from leadscore.workflows.rows import Rows, build_rows
from leadscore.workflows.score import score_tables
from leadscore.workflows.train import train
from tests.examples import examples
from tests.folders import AGREEMENT as FOLDER_AGREEMENT
from tests.folders import many_leads, write_folder
from tests.histories import (
    DAY,
    TOML,
    World,
    catalogue_of,
    interactions_of,
    leads_of,
    moment,
    outcomes_of,
    seeded_world,
    us,
    world_of,
    worlds,
)
from tests.test_features import mutant, with_other_future, without_future

COLUMNS = ("occurred_at", "kind", "channel", "content", "duration_s")
slow = settings(
    max_examples=examples(8),
    deadline=None,  # the kernel compiles once
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rows_with(world: World, *as_ofs: int, load=None, **functions) -> Rows:
    """Return the rows of a world with functions of one's own, by column."""
    names = load() if load else functions
    more = "".join(
        f'[[features.custom]]\nname = "{name}"\nfunction = "my.py:{name}"\n'
        'description = "words"\n'
        for name in names
    )
    agreement = parse_agreement(TOML + more)
    loaded = Functions(load or (lambda: functions))
    tables = dataclasses.replace(world.tables, functions=loaded)
    asked = world.snapshots(*as_ofs)
    return build_rows(tables, asked, catalogue_of(agreement), agreement)


def number(history: pd.DataFrame, as_of: pd.Timestamp) -> float:
    return len(history)


def days(history: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
    """Return the days since the last interaction; ``None`` where there is none."""
    if history.empty:
        return None
    return (as_of - history["occurred_at"].iloc[-1]) / pd.Timedelta(days=1)


def everything(history: pd.DataFrame, as_of: pd.Timestamp) -> float:
    """Return a digest of all that can be read."""
    said = f"{as_of} {list(history)} {list(history.index)} {history.dtypes.tolist()}"
    rows = [[str(cell) for cell in row] for row in history.to_numpy(dtype=object)]
    return float(zlib.crc32(f"{said} {rows} {history.attrs}".encode()))


@pytest.fixture(scope="module", autouse=True)
def unrecorded() -> Iterator[None]:
    """Log no run: it takes as long as the training, and nothing here looks at it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "leadscore.workflows.train.record_run",
            lambda bundle, models, now: Recorded("none", why_not="nobody looks"),
        )
        yield


@pytest.fixture(scope="module")
def log() -> World:
    return seeded_world(5, n_leads=40, n_events=25, n_as_ofs=3, late_share=0.5)


# -------------------------------------------------------------- what a function sees


@slow
@given(world=worlds())
def test_a_history_is_what_the_other_features_are_made_of(world: World) -> None:
    made = rows_with(world, number=number, days=days).features
    assert made["number"].tolist() == made["n_ever"].tolist()
    np.testing.assert_allclose(made["days"], made["days_since_last"], rtol=1e-12)
    assert {str(made[name].dtype) for name in ("number", "days")} == {"float64"}


@slow
@given(world=worlds())
def test_the_future_changes_nothing_that_a_function_can_read(world: World) -> None:
    for as_of in world.as_ofs:
        found = [
            rows_with(other, as_of, everything=everything).features["everything"]
            for other in (
                world,
                without_future(world, as_of),
                with_other_future(world, as_of, 7),
            )
        ]
        assert found[0].tolist() == found[1].tolist() == found[2].tolist()


@pytest.mark.parametrize("change", ["<=", None])
def test_a_cut_that_is_one_instant_late_is_caught(log, monkeypatch, change) -> None:
    cut = "self._visible[begin:stop] < self"
    changes = [(cut, cut.replace("<", change))] if change else []
    broken = mutant(custom_module, *changes)
    monkeypatch.setattr(build_module, "custom_columns", broken.custom_columns)
    as_of = log.as_ofs[0]
    there, other = (
        rows_with(world, as_of, everything=everything).features["everything"].tolist()
        for world in (log, with_other_future(log, as_of, 1))
    )
    assert (there != other) == bool(change)


def test_what_was_known_a_microsecond_before_is_seen_and_no_later_one() -> None:
    t = us("2025-06-01T00:00+02:00")
    rows = [
        ("L1", t - DAY, t - 1, "page_view", "web", "a", 1.0),
        ("L1", t - DAY, t, "email_open", "web", "a", 1.0),
        ("L1", t, t, "email_open", "web", "a", 1.0),
        ("L1", t - DAY, t - DAY, "call", "phone", "a", 1.0),  # on the deny-list
    ]
    leads = leads_of([{"lead_id": i, "created_at": 0} for i in ("L1", "L2")])
    world = world_of(leads, interactions_of(rows), outcomes_of([]), [t])
    seen = {}

    def look(history, as_of):
        seen.setdefault(len(history), history)
        assert as_of == moment(t)

    made = rows_with(world, look=look).features
    assert made["look"].isna().all()
    assert seen[1]["kind"].tolist() == ["page_view"]
    assert list(seen[1]) == list(seen[0]) == list(COLUMNS)
    assert seen[0].dtypes.tolist() == seen[1].dtypes.tolist()
    assert str(seen[0]["occurred_at"].dtype) == "datetime64[us, UTC]"


def test_what_a_lead_merged_in_did_is_seen_from_the_merge_on(tmp_path: Path) -> None:
    leads = (
        "lead_id,created_at,known_at,merged_into\n"
        "L1,2025-01-01T09:00:00Z,2025-01-01T09:00:00Z,\n"
        "L2,2025-01-02T09:00:00Z,2025-01-02T09:00:00Z,\n"
        "L2,2025-01-02T09:00:00Z,2025-02-01T09:00:00Z,L1\n"
    )
    agreement = "\n".join(
        line for line in CUSTOM.splitlines() if "country" not in line
    ).replace('kind = "category"\nchanges = false\n', "")
    folder = write_folder(tmp_path, leads=leads, agreement=agreement)
    (folder / "my_features.py").write_text(SOURCE)
    agreed = parse_agreement(agreement)
    tables = read_tables(folder, agreed)
    world = World(tables, (us("2025-01-31T00:00Z"), us("2025-03-01T00:00Z")))
    made = build_rows(tables, world.snapshots(), catalogue_of(agreed), agreed)
    is_first = made.snapshots["lead_id"] == "L1"
    assert made.features.loc[is_first, "intent"].tolist() == [1.0, 2.0]


def test_the_example_of_the_readme_works(log: World) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    section = readme.split("## Your own features")[1].split("\n## ")[0]
    texts = dict(re.findall(r"```(toml|python)\n(.*?)```", section, re.DOTALL))
    features = parse_agreement(texts["toml"]).features
    assert [decay.name for decay in features.decays] == ["buying_heat"]
    held: dict = {}
    exec(texts["python"], held)  # noqa: S102 - the README's own
    name = features.custom[0].call
    made = rows_with(log, **{name: held[name]}).features[name]
    assert made.isna().any()
    assert made.dropna().between(0, 1).all()


# ------------------------------------------------------------------ what it may try


def test_what_it_keeps_between_calls_is_never_from_later(log: World) -> None:
    """It remembers all that it was shown, and looks whether any of it is too new."""
    loads = []

    def load():
        known: list[pd.Timestamp] = []
        calls: list[tuple[pd.Timestamp, bool]] = []
        loads.append(calls)

        def nosy(history, as_of):
            known.extend(history["occurred_at"])
            calls.append((as_of, any(at >= as_of for at in known)))
            return 0.0

        return {"nosy": nosy}

    rows_with(log, load=load)
    first = next(calls for calls in loads if calls)
    assert len(first) == len(log.snapshots())
    assert not any(is_too_new for _, is_too_new in first)
    assert [at for at, _ in first] == sorted(at for at, _ in first)


def test_one_that_hangs_on_what_it_was_asked_before_is_refused(log: World) -> None:
    def load():
        n_calls = itertools.count()
        return {"counting": lambda history, as_of: next(n_calls)}

    with pytest.raises(AgreementError, match=r"my.py:counting gives another value"):
        rows_with(log, load=load)


def test_one_that_draws_at_random_is_refused(log: World) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(AgreementError, match="or draws at random"):
        rows_with(log, chance=lambda history, as_of: rng.random())


def test_it_can_change_nothing(log: World) -> None:
    def vandal(history, as_of):
        before = everything(history, as_of)
        for name in history:
            values = history[name].to_numpy()
            values.setflags(write=values.base is None and values.flags.owndata)
        history["duration_s"] = -1.0
        history["kind"] = "demo_request"
        history.loc[:, "occurred_at"] = as_of + pd.Timedelta(days=1)
        del history["content"]
        history.columns.name = "mine"
        history.attrs["kept"] = 1
        return before

    alone = rows_with(log, everything=everything)
    among = rows_with(log, vandal=vandal, everything=everything, again=vandal)
    plain = alone.features["everything"].tolist()
    for name in ("vandal", "everything", "again"):
        assert among.features[name].tolist() == plain
    names = [name for name in alone.features if name != "everything"]
    pd.testing.assert_frame_equal(
        alone.features[names], among.features[names], check_exact=True
    )


def test_who_else_is_asked_for_and_in_which_order_changes_no_value(log: World) -> None:
    made = rows_with(log, everything=everything)
    by_row = dict(
        zip(
            made.snapshots[["lead_id", "as_of"]].itertuples(index=False, name=None),
            made.features["everything"],
            strict=True,
        )
    )
    for as_of in reversed(log.as_ofs):
        alone = rows_with(log, as_of, everything=everything)
        for row, value in zip(
            alone.snapshots[["lead_id", "as_of"]].itertuples(index=False, name=None),
            alone.features["everything"],
            strict=True,
        ):
            assert by_row[row] == value


# --------------------------------------------------------------- what it may return


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (None, math.nan),
        (math.nan, math.nan),
        (pd.NA, math.nan),
        (3, 3.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.bool_(False), 0.0),
        (-0.0, -0.0),
    ],
)
def test_numbers_and_nothing_are_taken(log: World, returned, value) -> None:
    made = rows_with(log, log.as_ofs[0], mine=lambda history, as_of: returned)
    expected = np.full(len(made.features), value)
    np.testing.assert_array_equal(made.features["mine"], expected)


@pytest.mark.parametrize(
    ("returned", "what"),
    [
        ("high", "returned str"),
        (math.inf, "returned a number that is not finite"),
        (10**400, "returned a number that is not finite"),
        ([1.0], "returned list"),
        (pd.NaT, "returned NaTType"),
        (1j, "returned complex"),
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(log, returned, what) -> None:
    with pytest.raises(AgreementError) as caught:
        rows_with(log, log.as_ofs[0], mine=lambda history, as_of: returned)
    assert str(caught.value).startswith(f"my.py:mine {what}; return a finite number")
    assert "40 of 40 leads" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_are_counted_by_lead_and_said_once(log: World) -> None:
    def picky(history, as_of):
        return 1 / len(history)

    empty = (rows_with(log, number=number).features["number"] == 0).to_numpy()
    leads = log.snapshots().loc[empty, "lead_id"].nunique()
    assert 0 < leads < 40
    with pytest.raises(AgreementError) as caught:
        rows_with(log, picky=picky)
    assert f"ZeroDivisionError (division by zero): {leads} of 40" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_column_whose_function_was_not_loaded_is_refused(log: World) -> None:
    with pytest.raises(AgreementError, match=r"mine needs my.py:mine, which was not"):
        rows_with(log, load=iter([{"mine": number}, {}, {}]).__next__)


# ------------------------------------------------------------------------- the file

SOURCE = '''
"""Features of our own."""
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Weights:
    visit: float = 1.0

print("loaded")

def intent(history, as_of):
    print("called")
    return Weights().visit * len(history) if len(history) else None

NOT_CALLABLE = 3
'''
CUSTOM = FOLDER_AGREEMENT + (
    "[[features.custom]]\nname = 'intent'\nfunction = 'my_features.py:intent'\n"
    "description = 'interactions in all'\n"
)


def own(tmp_path: Path, source: str | None = SOURCE, agreement: str = CUSTOM) -> Path:
    tables = many_leads(60, 12)
    folder = write_folder(tmp_path / "own", agreement=agreement, **tables)
    if source is not None:
        (folder / "my_features.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    folder = own(tmp_path_factory.mktemp("custom"))
    models = folder.parent / "models"
    return folder, models, train(folder, models)


def score(folder: Path, models: Path, *more: str) -> int:
    out = folder.parent / f"{folder.name}.csv"
    arguments = ["score", str(folder), "--models", str(models), "--out", str(out)]
    return main([*arguments, "--as-of", "2025-03-01", *more])


def test_the_bundle_keeps_name_and_digest_and_not_the_code(trained) -> None:
    folder, _, made = trained
    bundle = made.bundle
    digests = read_functions(folder, bundle.agreement).digests
    assert bundle.provenance["function_digests"] == digests
    assert bundle.catalogue.custom[0].function == "my_features.py:intent"
    for path in made.folder.iterdir():
        assert b"Weights" not in path.read_bytes()
        assert path.suffix != ".py"


def test_own_columns_are_described_and_grouped(trained) -> None:
    bundle = trained[2].bundle
    words = describe_features(bundle.catalogue, bundle.agreement)
    assert words["intent"] == "interactions in all"
    assert column_groups(("intent",), bundle.catalogue) == {"intent": "intent"}


def test_a_list_is_scored_with_the_file_of_the_data_folder(
    trained, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, models, _ = trained
    rows = folder.parent / "rows.parquet"
    assert score(folder, models, "--json", "--features", str(rows)) == 10  # points
    said = capsys.readouterr()
    assert said.out.startswith("{")
    assert "called" in said.err
    assert pd.read_parquet(rows)["intent"].dropna().eq(1.0).all()


def test_another_file_is_another_model(trained, tmp_path: Path) -> None:
    folder, _, made = trained
    other = shutil.copytree(folder, tmp_path / "other")
    with (other / "my_features.py").open("a") as file:
        file.write("# changed\n")
    assert train(other, tmp_path / "models").bundle.model_id != made.bundle.model_id


def test_a_file_that_differs_or_is_missing_is_refused_before_it_runs(
    trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, models, made = trained
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "my_features.py").write_text("raise SystemExit('ran')\n")
    assert score(other, models) == 77
    said = capsys.readouterr().err
    assert "my_features.py in the data folder is not what model" in said
    assert "ran" not in said.replace("train", "")
    (other / "my_features.py").unlink()
    assert score(other, models) == 2
    assert "No such file" in capsys.readouterr().err
    plain = dataclasses.replace(
        read_tables(folder, made.bundle.agreement), functions=Functions(dict)
    )
    with pytest.raises(RefusedError, match=r"my_features\.py"):
        score_tables(made.bundle, plain, moment("2025-03-01T00:00Z"))


def test_code_beside_a_model_is_never_run(trained, tmp_path: Path) -> None:
    """A file in a model folder is one too many, whatever it is called."""
    _, models, made = trained
    stolen = shutil.copytree(models, tmp_path / "models")
    (stolen / made.bundle.model_id / "my_features.py").write_text("1 / 0\n")
    with pytest.raises(RefusedError, match=r"too many: my_features\.py"):
        load_bundle(stolen, made.bundle.model_id)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, r"my_features.py cannot be read: No such file or directory. \[\[feat"),
        ("def intent(:\n", "my_features.py line 1: no valid Python: "),
        ("def other(h, t): pass\n", "my_features.py has no function intent, which"),
        ("intent = 3\n", "my_features.py has no function intent"),
        ("import nowhere\n", r"cannot be loaded: it raised ModuleNotFoundError \(No"),
        ("raise SystemExit(3)\n", r"cannot be loaded: it raised SystemExit \(3\)"),
        (
            "def intent(h, t):\n    return h['kidn']\n",
            r"my_features.py:intent raised KeyError in line 2 \('kidn'\): 60 of 60 l",
        ),
        ("def intent(h):\n    return 1\n", "intent raised TypeError"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source, sentence
) -> None:
    folder = own(tmp_path, source)
    assert main(["train", str(folder), "--models", str(tmp_path / "models")]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    with pytest.raises(AgreementError, match=sentence):
        train(folder, tmp_path / "models")
