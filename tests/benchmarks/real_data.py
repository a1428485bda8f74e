"""Train and score on the public data sets through the command line; print the figures.

    python -m tests.benchmarks.real_data [--keep DIR]

Goes in: the folder of public data sets. Comes out, on the terminal: markdown tables of
the candidates, the periods, the labels, and what the runs cost. Nothing is computed
here that the bundle does not hold, but time and memory, and the share of approvals that
the snapshots of bpi2012 see.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import bpi2012, completejourney
from .datasets import datasets_folder

__all__ = ["main"]


@dataclass(frozen=True)
class Case:
    """A data set, how its folder is written, and an as_of late in its log."""

    name: str
    write_folder: Callable[[Path, Path], None]
    as_of: str


CASES = (
    Case("bpi2012", bpi2012.write_folder, "2012-03-01"),
    Case("completejourney", completejourney.write_folder, "2017-12-07"),
)


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Parameters
    ----------
    seconds : float
        Wall time, imports included.
    largest_mb : float
        Peak resident memory of the largest process, as the kernel counted it.
    together_mb : float
        Peak of the proportional memory of all processes together, sampled; 0 where the
        system does not tell.
    """

    seconds: float
    largest_mb: float
    together_mb: float


def main() -> None:
    """Run both data sets and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data and models")
    keep = parser.parse_args().keep
    source = datasets_folder()
    with tempfile.TemporaryDirectory() as temporary:
        work = (keep or Path(temporary)).resolve()
        for case in CASES:
            _run_case(case, source / case.name, work)
    for name, (seen, of_all) in bpi2012.approvals_seen(source / "bpi2012").items():
        share = seen / of_all
        print(f"- bpi2012, {name}: {seen:,} of {of_all:,} approvals seen ({share:.1%})")


def _run_case(case: Case, source: Path, work: Path) -> None:
    data, models = work / "data" / case.name, work / "models" / case.name
    scores = work / "scores" / f"{case.name}.csv"
    case.write_folder(source, data)
    trained = _measured("train", str(data), "--models", str(models))
    scored = _measured(
        *("score", str(data), "--models", str(models)),
        *("--as-of", case.as_of, "--out", str(scores)),
    )
    bundle = models / (models / "current").read_text().strip()
    metrics, provenance, policy = (
        json.loads((bundle / f"{name}.json").read_text())
        for name in ("metrics", "provenance", "policy")
    )
    print(f"\n## {case.name}\n\n{_facts(provenance)}\n")
    if metrics:
        print(_table(_candidates(metrics)), _table(_periods(metrics)), sep="\n\n")
    print()
    print(_table(_labels(policy)), end="\n\n")
    print(f"Scored as of {case.as_of}:\n\n{_table(_counts(scores))}\n")
    print(_table(_costs(train=trained, score=scored)), end="\n\n", flush=True)


def _measured(*arguments: str) -> Cost:
    """Run a verb to its end; its words come out only where it fails."""
    command = [sys.executable, "-m", "leadscore", *arguments]
    started = time.monotonic()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            command, stdout=words, stderr=subprocess.STDOUT, start_new_session=True
        )
        peak = _Peak(process.pid)
        # wait4 counts this one child and those it waited for, not earlier commands.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds, together = time.monotonic() - started, peak.stop()
        if process.returncode not in (0, 10):  # 10: done, but degraded
            words.seek(0)
            text = words.read().decode(errors="replace")
            sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{text}")
    return Cost(seconds, usage.ru_maxrss / 1024, together)


class _Peak:
    """Samples the memory of all processes of a session until stopped."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._peak_kb = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the peak in MB."""
        self._is_over.set()
        self._thread.join()
        return self._peak_kb / 1024

    def _watch(self) -> None:
        while not self._is_over.wait(0.2):
            total = sum(self._memory_kb(p) for p in Path("/proc").glob("[0-9]*"))
            self._peak_kb = max(self._peak_kb, total)

    def _memory_kb(self, process: Path) -> int:
        try:
            # The command's name may hold spaces; what follows its bracket does not.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != self._session:
                return 0
            lines = (process / "smaps_rollup").read_text().splitlines()
        except (OSError, IndexError):  # it ended in between
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _facts(provenance: dict[str, Any]) -> str:
    base_rate = provenance["base_rate"]
    return (
        f"{provenance['n_leads']:,} leads with {provenance['n_snapshots']:,} mature "
        f"snapshots, {provenance['n_converted_groups']:,} converted leads (accounts), "
        f"base rate {base_rate:.1%}; {provenance['n_rejects']} rows set aside."
    )


def _candidates(metrics: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "": f"**{row['name']}**"
            if row["name"] == metrics["winner"]
            else row["name"],
            "log loss": _interval(row["log_loss"]),
            "AUC": _interval(row["auc"]),
            "average precision": _interval(row["average_precision"]),
            "lift, top 10 %": _lift(row["lift_at_capacity"]),
        }
        for row in metrics["candidates"]
    )


def _interval(measured: list[float] | None) -> str:
    if measured is None:
        return "-"
    value, low, high = measured
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _lift(lift: float | None) -> str:
    return "-" if lift is None else f"{lift:.1f}"


def _periods(metrics: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "test period": f"{period['origin'][:10]} to {period['end'][:10]}",
            "fitted on": f"{period['n_fit']:,}",
            "of them converted": f"{period['n_fit_converted']:,}",
            "tested on": f"{period['n_test']:,}",
            "thereof converted": f"{period['n_test_converted']:,}",
        }
        for period in metrics["periods"]
    )


def _labels(policy: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for label, threshold in policy["labels"].items():
        share = threshold["n_converted"] / max(threshold["n_entries"], 1)
        at = threshold["probability"]
        rows.append(
            {
                "label": label,
                "from": "not issued" if at is None else f"{at:.1%}",
                "held-out leads that entered": threshold["n_entries"],
                "of them converted": f"{share:.1%} "
                f"[{threshold['low']:.1%}, {threshold['high']:.1%}]",
            }
        )
    return pd.DataFrame(rows)


def _counts(scores: Path) -> pd.DataFrame:
    labels = pd.read_csv(scores)["label"].value_counts()
    return labels.rename_axis("label").reset_index(name="leads")


def _costs(**costs: Cost) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "verb": verb,
            "seconds": f"{cost.seconds:.0f}",
            "MB, largest process": f"{cost.largest_mb:,.0f}",
            "MB, all processes": f"{cost.together_mb:,.0f}",
        }
        for verb, cost in costs.items()
    )


def _table(frame: pd.DataFrame) -> str:
    """Return a frame as a markdown table."""
    rows = [list(frame), ["---"] * len(frame.columns), *frame.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
