"""Promotion: the alias and the model in use move together, or neither does."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadscore import plots, tracking
from leadscore.bundle import Bundle, load_bundle, save_bundle
from leadscore.cli import main
from leadscore.errors import InputError, RefusedError, StorageError, UsageError
from leadscore.workflows import live as live_module
from leadscore.workflows import promote as module
from leadscore.workflows.journal import JOURNAL, is_unfinished
from leadscore.workflows.kept_proposal import keep_proposal
from leadscore.workflows.live import in_use
from leadscore.workflows.promote import finish_promotion, promote, roll_back
from leadscore.workflows.record import log_model
from leadscore.workflows.train import Trained
from tests.rivals import OTHER, hopeful, proposed

NOW = pd.Timestamp("2026-02-03T04:05:00Z")
LATER = pd.Timestamp("2026-03-04T05:06:00Z")
WHY = "the price list is new since May"
PROMOTE = ("promote", "--because", WHY)


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


def standing(own: Path) -> tuple[str, dict[str, str]]:
    """What is in use, and the model of each alias."""
    with tracking.opened(own) as store:
        named = tracking.aliases(store)
    return in_use(own), {alias: v.model_id for alias, v in named.items()}


def words(own: Path) -> str:
    with tracking.opened(own) as store:
        return str(store.client.get_registered_model("leadscore").description)


def reasons(own: Path) -> dict[str, str]:
    """Why each model was put into use, where a reason is kept."""
    with tracking.opened(own) as store:
        found = store.client.search_model_versions("name = 'leadscore'")
    return {v.tags["model_id"]: v.tags["because"] for v in found if "because" in v.tags}


def before(bundle: Bundle) -> tuple[str, dict[str, str]]:
    return bundle.model_id, {"champion": bundle.model_id, "challenger": OTHER}


def after(bundle: Bundle) -> tuple[str, dict[str, str]]:
    return OTHER, {"champion": OTHER, "previous": bundle.model_id}


def test_the_challenger_is_promoted_and_a_rollback_brings_the_old_one_back(
    bundle: Bundle, own: Path
) -> None:
    assert standing(own) == before(bundle)
    promoted = promote(own, None, now=LATER, because=WHY)
    assert (promoted.bundle.model_id, promoted.before_id) == (OTHER, bundle.model_id)
    assert standing(own) == after(bundle)
    assert words(own).startswith(
        f"Live now: version 2, model {OTHER}, since 2026-03-04 05:06 UTC."
    )
    assert "Before that: version 1" in words(own)
    roll_back(own, now=LATER)
    back = (bundle.model_id, {"champion": bundle.model_id})
    assert standing(own) == back
    said = rf"once more; {bundle.model_id} is in use\. .*promote {OTHER} --because"
    with pytest.raises(InputError, match=said):
        roll_back(own, now=LATER)  # in a panic, or by a job: not forward again
    assert standing(own) == back
    promote(own, OTHER, now=LATER, because=WHY)
    assert standing(own) == after(bundle)


def test_putting_a_logged_model_into_use_draws_nothing_and_reads_a_model_once(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are in the report of its run already, and they take long."""
    read: list[str] = []

    def told(models: Path, model_id: str) -> Bundle:
        read.append(model_id)
        return load_bundle(models, model_id)

    def drawn(*_: object, **__: object) -> str:
        raise AssertionError

    for where in (module, live_module):
        monkeypatch.setattr(where, "load_bundle", told)
    for name in ("precision_bars", "reliability_diagram", "gains_curve"):
        monkeypatch.setattr(plots, name, drawn)
    promote(own, None, now=LATER, because=WHY)
    assert standing(own) == after(bundle)
    assert sorted(read) == sorted([OTHER, bundle.model_id])


def test_runs_say_which_is_live(bundle: Bundle, own: Path) -> None:
    promote(own, None, now=LATER, because=WHY)
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
        # A look: what was issued for an instant stands, whatever is in use later. (10:
        # to the hopeful model the list looks unlike the leads of its promises.)
        assert main([*arguments, "--no-ledger"]) in (0, 10)
        return out.read_bytes()

    first = scored("first.csv")
    assert main([*PROMOTE, "--models", str(own), "--quiet"]) == 0
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
from leadscore.workflows import live as live_module
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
module.promote(
    Path(sys.argv[1]),
    None,
    now=pd.Timestamp("2026-03-04T05:06:00Z"),
    because=sys.argv[3],
)
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
        [sys.executable, "-c", KILLED, str(own), place, WHY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert is_unfinished(own)
    with pytest.raises(InputError, match="no challenger to promote"):
        promote(
            own, None, now=LATER, because=WHY
        )  # it finishes the first, then finds nothing
    assert standing(own) == after(bundle)
    assert not is_unfinished(own)
    assert "since 2026-03-04 05:06 UTC" in words(own)
    assert WHY in words(own)
    assert reasons(own) == {OTHER: WHY}


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
        promote(own, None, now=LATER, because=WHY)
    assert standing(own) == before(bundle)
    assert not is_unfinished(own)


def test_without_a_challenger_there_is_nothing_to_promote(
    bundle: Bundle, own: Path
) -> None:
    promote(own, None, now=LATER, because=WHY)
    with pytest.raises(
        InputError, match=rf"no challenger to promote; {OTHER} is in use"
    ):
        promote(own, None, now=LATER, because=WHY)


def test_without_a_previous_one_there_is_nothing_to_go_back_to(
    bundle: Bundle, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--rollback", "--models", str(own)]) == 66
    message = capsys.readouterr().err
    assert "there is no model to go back to: none was in use before" in message
    assert f"{bundle.model_id} is in use" in message


def test_a_model_whose_bundle_is_gone_cannot_be_put_into_use(
    bundle: Bundle, own: Path
) -> None:
    shutil.rmtree(own / OTHER)
    with pytest.raises(InputError, match=r"is gone.*Restore the folder"):
        promote(own, None, now=LATER, because=WHY)
    assert standing(own) == before(bundle)


def test_a_run_deleted_under_the_champion_is_said(bundle: Bundle, own: Path) -> None:
    with tracking.opened(own) as store:
        champion = tracking.aliases(store)["champion"]
        store.client.delete_run(champion.run_id)
    promoted = promote(own, None, now=LATER, because=WHY)
    (note,) = promoted.notes
    assert note.startswith("the run of version 1 (previous) was deleted in MLflow")
    assert f"leadscore log {bundle.model_id}" in note
    assert standing(own) == after(bundle)


def test_a_model_that_was_never_logged_is_logged_when_it_is_promoted(
    bundle: Bundle, own: Path
) -> None:
    third = dataclasses.replace(bundle, model_id="2026-03-01-0123abcd")
    save_bundle(third, own)
    promoted = promote(own, third.model_id, now=LATER, because=WHY)
    assert promoted.version == "3"
    now = {"champion": third.model_id, "previous": bundle.model_id, "challenger": OTHER}
    assert standing(own) == (third.model_id, now)


def test_a_store_that_does_not_answer_leaves_everything_as_it_was(
    bundle: Bundle, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own}/file/mlflow.db")
    assert main([*PROMOTE, OTHER, "--models", str(own), "--quiet"]) == 73
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert standing(own) == before(bundle)


def test_the_summary_puts_both_models_side_by_side(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PROMOTE, "--models", str(own)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{OTHER} is in use now: version 2, champion"
    assert any(line.startswith("log loss") for line in lines)
    assert "to go back: leadscore promote --rollback" in lines
    assert max(map(len, lines)) <= 80


def test_after_a_rollback_the_way_back_names_the_model(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(own, None, now=LATER, because=WHY)
    assert main(["promote", "--rollback", "--models", str(own)]) == 0
    said = capsys.readouterr().out
    assert f'to go back: leadscore promote {OTHER} --because "..."' in said
    assert "--rollback" not in said


def test_what_a_model_lacks_is_no_degraded_promotion(
    bundle: Bundle, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 0, and the word is one that ends with 10."""
    lacking = bundle.provenance | {"degraded": "SQL not issued by probability."}
    third = dataclasses.replace(
        bundle, model_id="2026-03-01-0123abcd", provenance=lacking
    )
    save_bundle(third, own)
    assert main([*PROMOTE, third.model_id, "--models", str(own)]) == 0
    said = capsys.readouterr().out
    assert "note: SQL not issued by probability." in said
    assert "DEGRADED" not in said


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
            promote(own, None, now=LATER, because=WHY)
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
    promoted = promote(half_done, bundle.model_id, now=LATER, because=WHY)
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
        promote(own, None, now=LATER, because=WHY)
    assert standing(own) == before(bundle)
    promote(own, None, now=LATER, because=WHY)
    assert standing(own) == after(bundle)


def test_an_interrupted_promotion_is_not_finished_in_another_store(
    half_done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(RefusedError, match="that was about the tracking store sqlite"):
        promote(half_done, None, now=LATER, because=WHY)
    assert is_unfinished(half_done)


def test_a_note_that_cannot_be_read_says_what_to_do(own: Path) -> None:
    (own / JOURNAL).write_text("{")
    with pytest.raises(RefusedError, match="remove the note, and promote again"):
        promote(own, None, now=LATER, because=WHY)


def test_a_registry_that_others_share_is_said(
    own: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder of models promoted a model of its own in the meantime."""
    third = dataclasses.replace(bundle, model_id="2026-03-01-0123abcd")
    elsewhere = own.parent / "elsewhere"
    save_bundle(third, elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own}/mlflow.db")
    promote(elsewhere, third.model_id, now=LATER, because=WHY)
    promoted = promote(own, OTHER, now=LATER, because=WHY)
    assert f"champion was {third.model_id}, another model" in promoted.notes[-1]


def test_a_challenger_that_is_better_is_promoted_without_a_reason(
    own: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_proposal(own, proposed(bundle.model_id, -0.012, -0.020, -0.003))
    assert main(["promote", "--models", str(own)]) == 0
    assert standing(own) == after(bundle)
    said = " ".join(capsys.readouterr().out.split())
    assert f"On the same later data it is better than {bundle.model_id}" in said
    assert reasons(own) == {}
    assert "because" not in words(own)


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.012, 0.003, 0.020), "worse than"),
        ((-0.004, -0.012, 0.003), "not shown to be better, beside"),
        ((0.0, 0.0, 0.0), "not shown to be better, beside"),
        ((-0.004, -0.012, 0.0), "not shown to be better, beside"),
    ],
)
def test_a_challenger_that_is_not_better_is_refused_with_what_was_measured(
    interval: tuple[float, float, float],
    verdict: str,
    own: Path,
    bundle: Bundle,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keep_proposal(own, proposed(bundle.model_id, *interval))
    assert main(["promote", "--models", str(own)]) == 77
    value, low, high = (f"{x:+.4f}" for x in interval)
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"leadscore: {OTHER} is {verdict} {bundle.model_id}, the model in use: on 312 "
        "leads of 290 accounts that neither was fitted on, 41 of them converted, as_of "
        f"2025-07-01 to 2025-09-25, the log loss differs by {value} (95 % interval "
        f"{low} to {high}; below zero is better). Train again when more outcomes are "
        f"in. To use it all the same, say why: leadscore promote {OTHER} --models "
        f'{own} --because "...". Nothing was changed.'
    )
    assert standing(own) == before(bundle)


def test_a_reason_is_kept_with_the_version_shown_and_printed(
    own: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_proposal(own, proposed(bundle.model_id, 0.012, 0.003, 0.020))
    assert main([*PROMOTE, "--models", str(own)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"put into use because: {WHY}" in shown
    assert f"On the same later data it is worse than {bundle.model_id}" in shown
    assert reasons(own) == {OTHER: WHY}
    assert f"Put into use without being shown to be better, because: {WHY}" in words(
        own
    )
    roll_back(own, now=LATER)  # needs no reason, and takes none away
    assert WHY not in words(own)
    assert reasons(own) == {OTHER: WHY}


def test_a_reason_of_before_goes_when_none_is_needed_any_more(
    own: Path, bundle: Bundle
) -> None:
    promote(own, None, now=LATER, because=WHY)
    roll_back(own, now=LATER)
    keep_proposal(own, proposed(bundle.model_id, -0.012, -0.020, -0.003))
    promote(own, OTHER, now=LATER)
    assert reasons(own) == {}


def test_a_rollback_needs_no_comparison_and_takes_no_reason(
    own: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(own, None, now=LATER, because=WHY)
    assert main(["promote", "--rollback", "--because", "no", "--models", str(own)]) == 2
    assert "--rollback needs no reason" in capsys.readouterr().err
    assert standing(own) == after(bundle)
    assert main(["promote", "--rollback", "--models", str(own)]) == 0
    assert in_use(own) == bundle.model_id


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_a_reason_that_says_nothing_is_none(
    reason: str, own: Path, bundle: Bundle
) -> None:
    with pytest.raises(UsageError, match="--because says nothing"):
        promote(own, None, now=LATER, because=reason)
    assert standing(own) == before(bundle)


def test_a_reason_too_long_for_the_registry_is_not_cut(own: Path) -> None:
    with pytest.raises(UsageError, match="--because has 600 characters"):
        promote(own, None, now=LATER, because="x" * 600)


def test_a_model_that_was_never_compared_is_refused(own: Path, bundle: Bundle) -> None:
    with pytest.raises(RefusedError) as refused:
        promote(own, None, now=LATER)
    assert str(refused.value).startswith(
        f"{OTHER} was not compared with {bundle.model_id}, the model in use: no "
        "training of it found that one in use. Run `leadscore train` on its data"
    )
    assert standing(own) == before(bundle)


def test_a_model_compared_with_another_than_the_one_in_use_is_refused(
    own: Path, bundle: Bundle
) -> None:
    """The champion changed since: better than the last one says nothing of this one."""
    keep_proposal(own, proposed("2025-11-01-aaaaaaaa", -0.012, -0.020, -0.003))
    with pytest.raises(RefusedError) as refused:
        promote(own, None, now=LATER)
    assert str(refused.value).startswith(
        f"{OTHER} was compared with 2025-11-01-aaaaaaaa, but the model in use is "
        f"{bundle.model_id} now. Run `leadscore train` on its data"
    )


def test_models_that_predict_different_things_are_refused(
    own: Path, bundle: Bundle
) -> None:
    why = "they predict different things (days ahead: 60, not 90)"
    found = proposed(bundle.model_id, -0.012, -0.020, -0.003)
    keep_proposal(own, dataclasses.replace(found, difference=None, why_not=why))
    with pytest.raises(RefusedError) as refused:
        promote(own, None, now=LATER)
    assert str(refused.value).startswith(
        f"{OTHER} is not compared with {bundle.model_id}, the model in use: {why}. To "
        "use it all the same, say why"
    )


def test_a_difference_on_too_few_conversions_is_not_enough(
    own: Path, bundle: Bundle
) -> None:
    found = proposed(bundle.model_id, -0.012, -0.020, -0.003, n_converted=4)
    keep_proposal(own, dataclasses.replace(found, why_not="at least 10 are needed"))
    with pytest.raises(RefusedError, match=r"too little to tell, .*at least 10 are"):
        promote(own, None, now=LATER)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"challenger": 1}'])
def test_a_proposal_that_cannot_be_read_is_none(
    text: str, own: Path, bundle: Bundle
) -> None:
    keep_proposal(own, proposed(bundle.model_id, -0.012, -0.020, -0.003))
    (own / "proposals" / f"{OTHER}.json").write_text(text)
    with pytest.raises(RefusedError, match="was not compared with"):
        promote(own, None, now=LATER)


def test_the_first_model_has_nothing_to_be_better_than(
    own: Path, bundle: Bundle
) -> None:
    (own / "current").unlink()
    promote(own, OTHER, now=LATER)
    assert in_use(own) == OTHER


def test_an_error_in_the_middle_takes_the_reason_back(
    own: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the one that was there before."""
    promote(own, None, now=LATER, because=WHY)
    roll_back(own, now=LATER)
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
        promote(own, OTHER, now=LATER, because="another reason")
    assert reasons(own) == {OTHER: WHY}
    assert in_use(own) == bundle.model_id


def test_a_proposal_stands_with_its_version_and_run_and_a_newer_one_replaces_it(
    own: Path, bundle: Bundle
) -> None:
    def logged() -> tuple[str, str, str]:
        with tracking.opened(own) as store:
            version = tracking.find_version(store, OTHER)
            assert version is not None
            said = store.client.get_model_version("leadscore", version.number)
            tags = store.client.get_run(version.run_id).data.tags
        return said.description, tags["mlflow.note.content"], tags["proposal"]

    changes = "MQL or better 412 -> 388 leads a month, SQL 96 -> 101; on the newest"
    for interval, verdict in (
        ((-0.012, -0.020, -0.003), "better"),
        ((0.012, 0.003, 0.020), "worse"),
    ):
        keep_proposal(own, proposed(bundle.model_id, *interval))
        log_model(hopeful(bundle), own, now=NOW)
        described, note, tag = logged()
        assert tag == verdict
        assert described == note
        assert described.count("What it would change") == 1
        assert f"- {verdict} than {bundle.model_id}, the model in use" in described
        assert f"- {changes} list 14 leads lose SQL and 4 gain it" in described
        assert "- SQL from 30.0% -> not issued, promises 30% -> nothing" in described
        assert f"Version 2: {verdict} than {bundle.model_id}" in words(own)
