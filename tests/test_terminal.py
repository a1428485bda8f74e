"""The terminal: progress beside results, never inside them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from leadscore.cli import main
from leadscore.summary import WIDTH
from leadscore.terminal import Terminal
from leadscore.workflows.train import Trained
from tests.folders import AGREEMENT, many_leads, write_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking store that does not answer: the quickest one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")


@pytest.fixture
def own(trained: Trained, tmp_path: Path) -> Path:
    """A folder of models of its own: another test may be training in the shared one."""
    folder = tmp_path / "models"
    shutil.copytree(trained.folder, folder / trained.folder.name)
    (folder / "current").write_text(f"{trained.folder.name}\n")
    return folder


@pytest.fixture
def scoring(sample: Path, own: Path, tmp_path: Path) -> list[str]:
    arguments = ["score", str(sample), "--models", str(own), "--as-of", "2026-01-01"]
    return [*arguments, "--out", str(tmp_path / "scores.csv")]


def test_piped_progress_is_one_line_a_step(capsys: Capture) -> None:
    terminal = Terminal(is_quiet=False, is_json=False, patience_s=0)
    terminal.tell("reading")
    for done in (1, 2, 3):
        terminal.tell("judging", done=done, total=3)
    terminal.show(["done"], {})
    said = capsys.readouterr()
    assert re.fullmatch(r"\[ +0 s\] reading\n\[ +0 s\] judging\n", said.err)
    assert said.out == "done\n"


def test_a_long_step_is_told_of_after_a_while_and_a_short_command_says_nothing(
    capsys: Capture,
) -> None:
    short = Terminal(is_quiet=False, is_json=False, patience_s=60)
    short.tell("reading")
    short.clear()
    long = Terminal(is_quiet=False, is_json=False, patience_s=0.05)
    long.tell("reading")
    long.tell("judging")
    time.sleep(1)
    assert capsys.readouterr().err.count("\n") == 1
    long.clear()
    assert capsys.readouterr() == ("", "")


def test_quiet_says_nothing(scoring: list[str], capsys: Capture) -> None:
    assert main([*scoring, "--quiet"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_json_is_one_object_that_says_what_the_lines_say(
    scoring: list[str], capsys: Capture
) -> None:
    assert main([*scoring, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["n_leads"] == sum(row["n_leads"] for row in facts["labels"])
    main(scoring)
    lines = capsys.readouterr().out
    for row in facts["labels"]:
        assert f"{row['n_leads']:>8,}" in lines
    assert facts["model_id"] in lines


def test_a_training_in_json_has_its_contest_and_thresholds(
    trained: Trained, sample: Path, own: Path, capsys: Capture
) -> None:
    assert main(["train", str(sample), "--models", str(own), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model_id"] == trained.bundle.model_id
    assert not facts["is_new"]
    assert facts["metrics"]["winner"] == trained.bundle.metrics["winner"]
    assert set(facts["thresholds"]) == {"MQL", "SQL"}
    assert facts["recorded"]["why_not"]


def test_no_line_of_a_summary_is_longer_than_the_terminal(
    sample: Path, own: Path, scoring: list[str], capsys: Capture
) -> None:
    main(["train", str(sample), "--models", str(own)])
    main(scoring)
    lines = capsys.readouterr().out.splitlines()
    paths = (str(own), str(own.parent))  # as long as the user made them
    assert not [n for n in lines if len(n) > WIDTH and not any(p in n for p in paths)]


WATCHED = """
import sys
from leadscore.terminal import Terminal
terminal = Terminal(is_quiet=False, is_json=False, patience_s=0)
terminal.tell("judging", done=1, total=15)
terminal.tell("judging", done=2, total=15)
terminal.show(["done"], {})
"""


def test_a_watched_terminal_sees_one_line_that_is_rewritten() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=True,
    )
    os.close(theirs)
    seen = os.read(ours, 4096).decode()
    os.close(ours)
    assert "\n" not in seen
    assert seen.count("\r") == 3
    assert "judging: 2 of 15" in seen
    assert seen.endswith("\r\x1b[K")
    assert done.stdout == "done\n"


def test_an_error_stands_on_a_line_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    assert main(["train", str(tmp_path / "nowhere"), "--json"]) == 66
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("leadscore: ")


def test_steps_that_were_not_begun_clear_nothing(capsys: Capture) -> None:
    Terminal(is_quiet=False, is_json=False).show(["done"], {})
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_ui_prints_links_and_leaves_nothing_running(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts a real server, says where, and takes it along when it is stopped."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "leadscore", "ui", "--models", str(own)]
    process = subprocess.Popen(
        [*command, "--port", port, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "}\n")
    pages = json.loads("".join([*lines, "}"]))
    link = pages["all retrains"]
    assert link.startswith(f"http://127.0.0.1:{port}/#/experiments/")
    assert "workflowType=machine_learning" in link
    health = f"http://127.0.0.1:{port}/health"
    with urllib.request.urlopen(health, timeout=20) as answer:
        assert answer.status == 200
    busy = [*command, "--port", port]
    second = subprocess.run(busy, capture_output=True, text=True, check=False)
    assert second.returncode == 75
    assert f"port {port} of 127.0.0.1 is taken" in second.stderr
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()
    with contextlib.suppress(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
        pytest.fail("the server still answers")


@pytest.mark.parametrize("verb", ["ui", "promote", "log"])
def test_a_mistyped_folder_of_models_is_said_and_not_made(
    verb: str, tmp_path: Path, capsys: Capture
) -> None:
    model = ["2026-01-01-0123abcd"] if verb == "log" else []
    assert main([verb, *model, "--models", str(tmp_path / "nope")]) == 66
    said = capsys.readouterr().err
    assert "leadscore train DATA" in said
    assert not (tmp_path / "nope").exists()


def test_a_quiet_job_still_says_why_it_is_not_0(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write_folder(tmp_path / "data", **many_leads(100, 12))
    own = tmp_path / "models"
    assert main(["train", str(folder), "--models", str(own), "--quiet"]) == 10
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("leadscore: DEGRADED: 12 converted leads (accounts)")


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        ('stage = "signed"\n', 65, "leadscore: no outcome"),
        ("", 10, "leadscore: DEGRADED: 12 converted leads (accounts)"),
    ],
)
def test_a_quiet_check_says_why_it_is_not_0(
    more: str, code: int, why: str, tmp_path: Path, capsys: Capture
) -> None:
    agreement = AGREEMENT.replace("[conversion]\n", f"[conversion]\n{more}")
    data = write_folder(tmp_path / "data", **many_leads(100, 12), agreement=agreement)
    assert main(["check", str(data), "--quiet"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(why)
    assert "stages in the data: opportunity" in said.err or code == 10
