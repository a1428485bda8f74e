"""Contenders on a case, round by round, each run in a process of its own.

What is reported: CPU seconds (user and system, of all threads and children) and wall
seconds of the work alone, without imports and warm-up, and the peak memory of the
process and its children.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .case import Case, Contender, Unavailable

__all__ = ["OURS", "REFERENCE", "Entry", "entries", "measure"]

ROOT = Path(__file__).parents[3]
# Ours joins the table as soon as there is a file `ours`.
MODULES = (
    "decode",
    "ours",
    "duckdb_sql",
    "polars_lazy",
    "pandas_merge",
    "featuretools_dfs",
)
OURS = "ours on the store"
REFERENCE = "decode only"
EVERY_S = 0.05
MIB = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A contender, where it is declared and under which interpreter it runs."""

    name: str
    module: str
    contender: Contender
    python: Path

    def limit(self, per_lead: int) -> int:
        """Return the largest number of interactions it is asked for."""
        repeated = self.contender.largest_repeated
        if per_lead > 1 and repeated is not None:
            return repeated
        return self.contender.largest


def entries(folder: Path, only: list[str] | None = None) -> list[Entry]:
    """Return the contenders that can run here; say of the others why not.

    Parameters
    ----------
    folder : Path
        Where environments are kept.
    only : list of str, optional
        Names, or beginnings of names; the reference is always in.
    """
    found = []
    for module in MODULES:
        for name, contender in _declared(module).items():
            if only and not any(name.startswith(o) for o in (*only, REFERENCE)):
                continue
            try:
                made = contender.python
                python = Path(sys.executable) if made is None else made(folder)
            except Unavailable as reason:
                print(f"skipped: {name}: {reason}")
                continue
            found.append(Entry(name, module, contender, python))
    return found


def _declared(module: str) -> dict[str, Contender]:
    whole = f"{__package__}.{module}"
    if importlib.util.find_spec(whole) is None:
        return {}
    try:
        declared: dict[str, Contender] = importlib.import_module(whole).contenders()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("tests", "leadscore")):
            raise
        print(f"skipped: {module}: {error.name} is not installed")
        return {}
    return declared


def measure(
    contenders: list[Entry], case: Case, warm_up: Case, *, rounds: int, timeout_s: float
) -> Iterator[dict[str, Any]]:
    """Yield one record a run, round-robin, so that a busy hour hits all alike.

    A contender that fails yields a record with ``failed`` and is not run again.
    """
    out = set()
    for entry in contenders:
        if entry.contender.prepare is not None:
            failed = _in_process(entry, case, warm_up, timeout_s, "--prepare")
            if "failed" in failed:
                out.add(entry.name)
                yield _record(entry, case, 0) | failed
    for nth in range(rounds):
        for entry in contenders:
            if entry.name in out:
                continue
            measured = _in_process(entry, case, warm_up, timeout_s)
            if "failed" in measured:
                out.add(entry.name)
            yield _record(entry, case, nth) | measured


def _record(entry: Entry, case: Case, nth: int) -> dict[str, Any]:
    return {
        "contender": entry.name,
        "size": case.size,
        "per_lead": case.per_lead,
        "round": nth,
        "load": round(os.getloadavg()[0], 2),
    }


def _in_process(
    entry: Entry, case: Case, warm_up: Case, timeout_s: float, *more: str
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        report, errors = Path(folder, "report.json"), Path(folder, "errors.txt")
        command = [str(entry.python), "-m", f"{__package__}.worker", entry.module]
        command += [entry.name, case.to_json(), warm_up.to_json(), str(report), *more]
        with errors.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stream
            )
            peak_mb, timed_out = _watch(process, timeout_s)
        if timed_out:
            return {"failed": f"not finished after {timeout_s:.0f} s"}
        if process.returncode != 0:
            text = errors.read_text(encoding="utf-8", errors="replace").strip()
            last = text.splitlines()[-1] if text else "no message"
            return {"failed": f"exit code {process.returncode}: {last}"}
        if more:
            return {}
        measured: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return measured | {"peak_rss_mb": max(peak_mb, measured["peak_rss_mb"])}


def _watch(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[float, bool]:
    """Return the peak memory of a process and its children, and whether it was ended.

    Sampled; the process itself also reports its own peak, which no sample misses.
    """
    watched = psutil.Process(process.pid)
    peak, started = 0, time.monotonic()
    while True:
        try:
            process.wait(EVERY_S)
        except subprocess.TimeoutExpired:
            peak = max(peak, _tree_rss(watched))
        else:
            return peak / MIB, False
        if time.monotonic() - started > timeout_s:
            for child in watched.children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
            return peak / MIB, True


def _tree_rss(watched: psutil.Process) -> int:
    total = 0
    try:
        for process in (watched, *watched.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0  # it ended between two looks
    return total
