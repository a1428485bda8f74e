"""Promotion: the alias and the model in use move together, or neither does."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadscore import tracking
from leadscore.bundle import Bundle, save_bundle
from leadscore.calibration import Sigmoid
from leadscore.cli import main
from leadscore.errors import InputError, RefusedError, StorageError
from leadscore.workflows import promote as module
from leadscore.workflows.journal import JOURNAL, is_unfinished
from leadscore.workflows.live import in_use
from leadscore.workflows.promote import finish_promotion, promote, roll_back
from leadscore.workflows.record import log_model
from leadscore.workflows.train import Trained

NOW = pd.Timestamp("2026-02-03T04:05:00Z")
LATER = pd.Timestamp("2026-03-04T05:06:00Z")
OTHER = "2026-02-01-0123abcd"


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def logged(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's model in use, and another that is more hopeful, both logged."""
    folder = tmp_path_factory.mktemp("logged") / "models"
    shutil.copytree(trained.folder, folder / trained.folder.name)
    (folder / "current").write_text(f"{trained.folder.name}\n")
    save_bundle(hopeful(trained.bundle), folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        for bundle in (trained.bundle, hopeful(trained.bundle)):
            log_model(bundle, folder, now=NOW)
    return folder


@pytest.fixture
def own(logged: Path, tmp_path: Path) -> Path:
    """A copy to promote in; its runs' artifacts stay where they were logged."""
    skipped = shutil.ignore_patterns("mlartifacts")
    return Path(shutil.copytree(logged, tmp_path / "models", ignore=skipped))


def hopeful(bundle: Bundle) -> Bundle:
    assert bundle.model is not None
    classifier = copy.copy(bundle.model.classifier)
    classifier.sigmoids_ = {
        name: Sigmoid(sigmoid.slope, sigmoid.intercept + 0.5)
        for name, sigmoid in classifier.sigmoids_.items()
    }
    model = dataclasses.replace(bundle.model, classifier=classifier)
    return dataclasses.replace(bundle, model_id=OTHER, model=model)


def standing(own: Path) -> tuple[str, dict[str, str]]:
    """What is in use, and the model of each alias."""
    with tracking.opened(own) as store:
        named = tracking.aliases(store)
    return in_use(own), {alias: v.model_id for alias, v in named.items()}


def words(own: Path) -> str:
    with tracking.opened(own) as store:
        return str(store.client.get_registered_model("leadscore").description)


def before(bundle: Bundle) -> tuple[str, dict[str, str]]:
    return bundle.model_id, {"champion": bundle.model_id, "challenger": OTHER}


def after(bundle: Bundle) -> tuple[str, dict[str, str]]:
    return OTHER, {"champion": OTHER, "previous": bundle.model_id}


def test_the_challenger_is_promoted_and_a_rollback_brings_the_old_one_back(
    bundle: Bundle, own: Path
) -> None:
    assert standing(own) == before(bundle)
    promoted = promote(own, None, now=LATER)
    assert (promoted.bundle.model_id, promoted.before_id) == (OTHER, bundle.model_id)
    assert standing(own) == after(bundle)
    assert words(own).startswith(
        f"Live now: version 2, model {OTHER}, since 2026-03-04 05:06 UTC."
    )
    assert "Before that: version 1" in words(own)
    roll_back(own, now=LATER)
    back = (bundle.model_id, {"champion": bundle.model_id})
    assert standing(own) == back
    with pytest.raises(InputError, match="no model to go back to"):
        roll_back(own, now=LATER)  # in a panic, or by a job: not forward again
    assert standing(own) == back
    promote(own, OTHER, now=LATER)
    assert standing(own) == after(bundle)


def test_runs_say_which_is_live(bundle: Bundle, own: Path) -> None:
    promote(own, None, now=LATER)
    with tracking.opened(own) as store:
        runs = store.client.search_runs([store.experiment_id])
    statuses = {run.data.tags["model_id"]: run.data.tags["status"] for run in runs}
    assert statuses == {OTHER: "LIVE", bundle.model_id: "previous"}
    roll_back(own, now=LATER)
    with tracking.opened(own) as store:
        runs = store.client.search_runs([store.experiment_id])
    statuses = {run.data.tags["model_id"]: run.data.tags["status"] for run in runs}
    assert statuses == {OTHER: "retired", bundle.model_id: "LIVE"}


def test_a_rollback_restores_the_list_byte_for_byte(
    sample: Path, own: Path, tmp_path: Path
) -> None:
    def scored(name: str) -> bytes:
        arguments = ["score", str(sample), "--models", str(own)]
        out = tmp_path / name
        arguments += ["--as-of", "2025-06-04", "--out", str(out), "--quiet"]
        assert main(arguments) == 0
        return out.read_bytes()

    first = scored("first.csv")
    assert main(["promote", "--models", str(own), "--quiet"]) == 0
    second = scored("second.csv")
    assert main(["promote", "--rollback", "--models", str(own), "--quiet"]) == 0
    assert scored("third.csv") == first != second


def test_promoting_what_is_in_use_does_nothing(
    bundle: Bundle, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", bundle.model_id, "--models", str(own)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert standing(own) == before(bundle)


KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from leadscore import tracking
from leadscore.workflows import promote as module

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def kill_if_any(store, wanted):
    if wanted:
        kill()

def after(function):
    def then_kill(*args, **kwargs):
        function(*args, **kwargs)
        kill()
    return then_kill

place = sys.argv[2]
if place == "before the aliases":
    tracking.set_aliases = kill_if_any
elif place == "between two aliases":
    def first_only(store, wanted):
        if not wanted:
            return
        alias, number = next(iter(wanted.items()))
        store.client.set_registered_model_alias("leadscore", alias, number)
        kill()
    tracking.set_aliases = first_only
elif place == "before the model in use":
    module.name_current = kill
elif place == "after the model in use":
    module.name_current = after(module.name_current)
elif place == "after the words":
    module.describe_live = after(module.describe_live)
module.promote(Path(sys.argv[1]), None, now=pd.Timestamp("2026-03-04T05:06:00Z"))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "before the aliases",
        "between two aliases",
        "before the model in use",
        "after the model in use",
        "after the words",
    ],
)
def test_what_a_kill_left_half_done_is_finished_by_the_next_command(
    place: str, bundle: Bundle, own: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(own), place],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert is_unfinished(own)
    with pytest.raises(InputError, match="no challenger to promote"):
        promote(own, None, now=LATER)  # it finishes the first, then finds nothing
    assert standing(own) == after(bundle)
    assert not is_unfinished(own)
    assert "since 2026-03-04 05:06 UTC" in words(own)


def test_scoring_says_that_a_promotion_is_unfinished(
    sample: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / JOURNAL).write_text("{}")
    arguments = ["score", str(sample), "--models", str(own), "--as-of", "2025-06-04"]
    assert main([*arguments, "--out", str(tmp_path / "s.csv")]) == 10
    said = " ".join(capsys.readouterr().out.split())
    assert "a promotion was interrupted" in said


@pytest.mark.parametrize("failing", ["name_current", "set_live_since"])
def test_an_error_in_the_middle_undoes_everything(
    failing: str, bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def once(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            msg = "the disk is full."
            raise StorageError(msg)
        real(*arguments)

    owner = module if failing == "name_current" else tracking
    real = getattr(owner, failing)
    monkeypatch.setattr(owner, failing, once)
    with pytest.raises(StorageError, match=r"the disk is full\. Nothing was changed\."):
        promote(own, None, now=LATER)
    assert standing(own) == before(bundle)
    assert not is_unfinished(own)


def test_without_a_challenger_there_is_nothing_to_promote(
    bundle: Bundle, own: Path
) -> None:
    promote(own, None, now=LATER)
    with pytest.raises(
        InputError, match=rf"no challenger to promote; {OTHER} is in use"
    ):
        promote(own, None, now=LATER)


def test_without_a_previous_one_there_is_nothing_to_go_back_to(
    bundle: Bundle, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--rollback", "--models", str(own)]) == 66
    message = capsys.readouterr().err
    assert "there is no model to go back to" in message
    assert f"{bundle.model_id} is in use" in message


def test_a_model_whose_bundle_is_gone_cannot_be_put_into_use(
    bundle: Bundle, own: Path
) -> None:
    shutil.rmtree(own / OTHER)
    with pytest.raises(InputError, match=r"is gone.*Restore the folder"):
        promote(own, None, now=LATER)
    assert standing(own) == before(bundle)


def test_a_run_deleted_under_the_champion_is_said(bundle: Bundle, own: Path) -> None:
    with tracking.opened(own) as store:
        champion = tracking.aliases(store)["champion"]
        store.client.delete_run(champion.run_id)
    promoted = promote(own, None, now=LATER)
    (note,) = promoted.notes
    assert note.startswith("the run of version 1 (previous) was deleted in MLflow")
    assert f"leadscore log {bundle.model_id}" in note
    assert standing(own) == after(bundle)


def test_a_model_that_was_never_logged_is_logged_when_it_is_promoted(
    bundle: Bundle, own: Path
) -> None:
    third = dataclasses.replace(bundle, model_id="2026-03-01-0123abcd")
    save_bundle(third, own)
    promoted = promote(own, third.model_id, now=LATER)
    assert promoted.version == "3"
    now = {"champion": third.model_id, "previous": bundle.model_id, "challenger": OTHER}
    assert standing(own) == (third.model_id, now)


def test_a_store_that_does_not_answer_leaves_everything_as_it_was(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own}/file/mlflow.db")
    assert main(["promote", OTHER, "--models", str(own), "--quiet"]) == 73
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert standing(own) == before(bundle)


def test_the_summary_puts_both_models_side_by_side(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--models", str(own)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{OTHER} is in use now: version 2, champion"
    assert any(line.startswith("log loss") for line in lines)
    assert "to go back: leadscore promote --rollback" in lines
    assert max(map(len, lines)) <= 80


@pytest.fixture
def half_done(own: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a kill leaves it after the aliases moved, before the model in use did."""

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, "name_current", killed)  # undoing dies there, too
        patched.setattr(module, "replace", lambda entry, **_: entry)
        with pytest.raises(Killed):
            promote(own, None, now=LATER)
    with tracking.opened(own) as store:
        tracking.set_aliases(store, {"champion": "2", "previous": "1"})
        tracking.set_aliases(store, {"challenger": None})
    in_between = (bundle.model_id, {"champion": OTHER, "previous": bundle.model_id})
    assert standing(own) == in_between
    assert is_unfinished(own)
    return own


@pytest.mark.slow
def test_a_training_finishes_what_a_kill_left(
    half_done: Path, bundle: Bundle, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(sample), "--models", str(half_done)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"an interrupted promotion of {OTHER} was finished" in said
    assert standing(half_done) == after(bundle)


def test_a_promotion_whose_bundle_is_gone_since_is_undone(
    half_done: Path, bundle: Bundle
) -> None:
    shutil.rmtree(half_done / OTHER)
    promoted = promote(half_done, bundle.model_id, now=LATER)
    assert f"an interrupted promotion of {OTHER} was undone" in promoted.notes[0]
    assert standing(half_done) == before(bundle)
    assert not is_unfinished(half_done)


def test_a_promotion_whose_version_is_gone_since_is_undone(
    half_done: Path, bundle: Bundle
) -> None:
    with tracking.opened(half_done) as store:
        store.client.delete_registered_model_alias("leadscore", "champion")
        store.client.delete_model_version("leadscore", "2")
    (note,) = finish_promotion(half_done)
    assert "was undone: its bundle or its version is gone" in note
    assert standing(half_done) == (bundle.model_id, {"champion": bundle.model_id})


def test_a_damaged_model_in_use_does_not_stop_its_own_replacement(
    own: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / bundle.model_id / "policy.json").write_text("{}")
    calls = []

    def once(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            msg = "the disk is full."
            raise StorageError(msg)
        real(*arguments)

    real = module.name_current
    monkeypatch.setattr(module, "name_current", once)
    with pytest.raises(StorageError, match=r"Nothing was changed\."):
        promote(own, None, now=LATER)
    assert standing(own) == before(bundle)
    promote(own, None, now=LATER)
    assert standing(own) == after(bundle)


def test_an_interrupted_promotion_is_not_finished_in_another_store(
    half_done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(RefusedError, match="that was about the tracking store sqlite"):
        promote(half_done, None, now=LATER)
    assert is_unfinished(half_done)


def test_a_note_that_cannot_be_read_says_what_to_do(own: Path) -> None:
    (own / JOURNAL).write_text("{")
    with pytest.raises(RefusedError, match="remove the note, and promote again"):
        promote(own, None, now=LATER)


def test_a_registry_that_others_share_is_said(
    own: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder of models promoted a model of its own in the meantime."""
    third = dataclasses.replace(bundle, model_id="2026-03-01-0123abcd")
    elsewhere = own.parent / "elsewhere"
    save_bundle(third, elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own}/mlflow.db")
    promote(elsewhere, third.model_id, now=LATER)
    promoted = promote(own, OTHER, now=LATER)
    assert f"champion was {third.model_id}, another model" in promoted.notes[-1]
