"""A ledger outlives SIGKILL at any moment: each run is there once, or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore import files
from leadscore.errors import InputError
from leadscore.ledger import erase, open_ledger, verify
from tests.ledgers import CONVERSION, DAY, START, append_runs, copied, run_rows

N_RUNS, N_LEADS = 25, 200


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Children start in milliseconds: the server has imported all already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ledgers"])
    return context


def killed_after(
    server: ForkServerContext, delay_s: float, target: Any, *arguments: Any
) -> bool:
    """Start, wait until it began, kill; return whether it was still at work."""
    began = server.Event()
    process = server.Process(target=target, args=(*arguments, began))
    process.start()
    assert began.wait(60)
    time.sleep(delay_s)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def whole_runs(path: Path) -> int:
    """Return how many runs are there; each is whole and none is twice."""
    try:
        found = verify(path)
    except InputError as error:
        if "holds no ledger yet" in str(error):  # killed before it was begun
            return 0
        raise
    assert found.problems == ()
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        rows, promises = ledger.rows(), ledger.promises()
    n = found.n_runs
    expected = [run_rows(i, N_LEADS) for i in range(n)]
    if n:
        pd.testing.assert_frame_equal(rows, pd.concat(expected, ignore_index=True))
    assert [promise["id"] for promise in promises] == [f"SQL-{i}" for i in range(n)]
    return n


def check_kills(
    server: ForkServerContext, path: Path, n_kills: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Kill `n_kills` times; return kills inside a transaction, and ledgers filled."""
    n_torn = n_filled = n_done = n_killed = 0
    began = time.monotonic()
    append_runs(path.with_name("timed.sqlite"), 4, N_LEADS)
    run_s = (time.monotonic() - began) / 4
    while n_killed < n_kills:
        # Of the runs that are there, each costs a look; then some are appended.
        delay_s = rng.uniform(0, n_done * run_s / 4 + 3 * run_s)
        n_killed += killed_after(server, delay_s, append_runs, path, N_RUNS, N_LEADS)
        n_torn += path.with_name(f"{path.name}-journal").exists()
        if path.exists() and path.stat().st_size:
            n_now = whole_runs(path)
            assert n_now >= n_done  # nothing that was confirmed is lost
            n_done = n_now
        if n_done == N_RUNS:
            clear(path)
            n_filled, n_done = n_filled + 1, 0
    append_runs(path, N_RUNS, N_LEADS)
    assert whole_runs(path) == N_RUNS
    return n_torn, n_filled


def clear(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def test_a_few_kills_leave_whole_runs(
    server: ForkServerContext, tmp_path: Path
) -> None:
    check_kills(server, tmp_path / "ledger.sqlite", 4, np.random.default_rng(1))


@pytest.mark.slow
def test_a_hundred_kills_leave_whole_runs(
    server: ForkServerContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(int(time.monotonic_ns()))  # other moments each time
    n_torn, n_filled = check_kills(server, tmp_path / "ledger.sqlite", 100, rng)
    with capsys.disabled():
        print(f"\n100 kills, {n_torn} inside a transaction, {n_filled} ledgers filled")  # noqa: T201 - a proof shows its figures
    assert n_torn >= 5  # or the kills proved nothing


# ------------------------------------------------ at moments that luck seldom finds


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(place: str, path: Path, began: Any) -> None:
    began.set()
    if place == "before the commit":
        sqlite3.enable_callback_tracebacks(True)
        real = sqlite3.connect

        def traced(*arguments: Any, **keywords: Any) -> sqlite3.Connection:
            connection = real(*arguments, **keywords)
            connection.set_trace_callback(lambda s: s == "COMMIT" and die())
            return connection

        sqlite3.connect = traced
    elif place == "between the commit and the head":
        files.write_text = die
    elif place == "inside the head":
        os.replace = die
    append_runs(path, N_RUNS, N_LEADS)


@pytest.mark.parametrize("n_before", [0, 2])
@pytest.mark.parametrize(
    ("place", "n_more"),
    [
        ("before the commit", 0),
        ("between the commit and the head", 1),
        ("inside the head", 1),
    ],
)
def test_a_kill_at_the_commit_is_made_good(
    server: ForkServerContext, tmp_path: Path, place: str, n_more: int, n_before: int
) -> None:
    path = tmp_path / "ledger.sqlite"
    if n_before:
        append_runs(path, n_before, N_LEADS)
    began = server.Event()
    process = server.Process(target=killed_at, args=(place, path, began))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    if n_before or n_more:  # else not even the beginning was committed
        # The first commit of a new ledger is its beginning, which is no run.
        assert whole_runs(path) == n_before + (n_more if n_before else 0)
    append_runs(path, n_before + 2, N_LEADS)
    assert whole_runs(path) == n_before + 2


# ----------------------------------------------------------------------- while erasing

LEAD = "lead-30"  # in each of the runs


def erase_lead(path: Path, began: Any) -> None:
    began.set()
    erase(path, LEAD, at=START + 99 * DAY)


@pytest.mark.slow
def test_kills_while_erasing_leave_all_of_a_lead_or_nothing(
    server: ForkServerContext, tmp_path: Path
) -> None:
    rng, outcomes = np.random.default_rng(3), set()
    whole = tmp_path / "whole" / "ledger.sqlite"
    append_runs(whole, N_RUNS, N_LEADS)
    began = time.monotonic()
    path = copied(whole, tmp_path / "timed")
    erase(path, LEAD, at=START)
    erase_s = time.monotonic() - began
    for n in range(40):
        path = copied(whole, tmp_path / f"{n}")
        killed_after(server, rng.uniform(0, 1.2 * erase_s), erase_lead, path)
        found = verify(path)
        assert found.problems == ()
        assert found.n_erased in (0, N_RUNS)
        left = erase(path, LEAD, at=START + 99 * DAY).n_rows
        assert left == N_RUNS - found.n_erased
        outcomes.add(left)
        assert LEAD.encode() + b"\x00" not in path.read_bytes()
        assert verify(path).n_erased == N_RUNS
        with open_ledger(path, conversion=CONVERSION) as ledger:
            assert LEAD not in set(ledger.rows()["lead_id"])
    assert outcomes == {0, N_RUNS}
