"""What the feature columns cost: CPU seconds, memory, ratios.

    python -m tests.benchmarks.features --sizes 1M 10M --snapshots 1 12 --rounds 3

Makes seeded logs of interactions, lets every contender build the default columns from
them, and prints one table a size and number of snapshots a lead. Every run is a line of
JSON in the file that ``--out`` names. A contender that cannot do a size is run at the
largest that it can do, beside the lower bound and ours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .case import Case
from .data import make_case
from .measure import OURS, REFERENCE, Entry, entries, measure

__all__ = ["main"]

WARM_UP = 1_000
ONE_ROUND = 50_000_000  # from which size on a single round must do
UNITS = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
FOLDER = Path(tempfile.gettempdir(), "leadscore-bench-features")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark that the command line asks for."""
    given = _arguments().parse_args(argv)
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    contenders = entries(folder, given.only)
    out = given.out or folder / "results.jsonl"
    print(f"data in {folder}, every run in {out}")
    with out.open("w", encoding="utf-8") as lines:
        for per_lead in given.snapshots:
            for size, chosen in _tasks(contenders, given.sizes, per_lead).items():
                case, warm_up = (_made(given, s, per_lead) for s in (size, WARM_UP))
                rounds = 1 if size >= ONE_ROUND else given.rounds
                records = []
                for record in measure(
                    chosen, case, warm_up, rounds=rounds, timeout_s=given.timeout
                ):
                    records.append(record)
                    lines.write(json.dumps(record) + "\n")
                    lines.flush()
                _print(case, records, rounds)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.features", description=__doc__.split("\n")[0]
    )
    add = parser.add_argument
    add("--sizes", nargs="+", type=_size, default=[1_000_000, 10_000_000])
    add("--snapshots", nargs="+", type=int, default=[1, 12], help="a lead: 1, 12")
    add("--rounds", type=int, default=3)
    add("--only", nargs="+", metavar="NAME", help="names, or how they begin")
    add("--folder", type=Path, default=FOLDER, help="data and environments, kept")
    add("--out", type=Path, help="JSON lines (results.jsonl in the folder)")
    add("--contents", type=int, default=200, help="number of different contents")
    add("--late-share", type=float, default=0.0, help="of facts known days later")
    add("--timeout", type=float, default=3600.0, metavar="SECONDS", help="of one run")
    return parser


def _size(text: str) -> int:
    """Return 1M as a number."""
    unit = UNITS.get(text[-1:], 1)
    return int(float(text.rstrip("".join(UNITS))) * unit)


def _tasks(
    contenders: list[Entry], sizes: list[int], per_lead: int
) -> dict[int, list[Entry]]:
    """Return who runs at which size, the sizes ascending."""
    tasks: dict[int, list[Entry]] = {}
    for entry, size in itertools.product(contenders, sizes):
        within = min(size, entry.limit(per_lead))
        chosen = tasks.setdefault(within, [])
        if within > 0 and entry not in chosen:
            chosen.append(entry)
    compared = [e for e in contenders if e.name in (REFERENCE, OURS)]
    for chosen in tasks.values():
        missing = [entry for entry in compared if entry not in chosen]
        chosen.extend(missing)
        chosen.sort(key=contenders.index)
    tasks.pop(0, None)
    return dict(sorted(tasks.items()))


def _made(given: argparse.Namespace, size: int, per_lead: int) -> Case:
    return make_case(
        given.folder,
        size,
        per_lead,
        n_contents=given.contents,
        late_share=given.late_share,
    )


def _print(case: Case, records: list[dict[str, Any]], rounds: int) -> None:
    """Print the medians of one case."""
    n_interactions = pq.read_metadata(case.interactions).num_rows
    n_snapshots = pq.read_metadata(case.snapshots).num_rows
    print(
        f"\n{n_interactions:,} interactions, {n_snapshots:,} snapshots "
        f"({case.per_lead} a lead at most), median of {rounds}"
    )
    runs: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        runs.setdefault(record["contender"], []).append(record)
    done = {name: rs for name, rs in runs.items() if not any("failed" in r for r in rs)}
    width = max(map(len, runs))
    print(
        f"{'':{width}}  {'CPU s':>7} {'least':>7} {'most':>7} {'wall s':>7} "
        f"{'peak MB':>8} {'x decode':>8} {'x ours':>7} {'wall x ours':>11}"
    )
    for name, rs in done.items():
        cpu_s = sorted(record["cpu_s"] for record in rs)
        peak_mb = max(record["peak_rss_mb"] for record in rs)
        print(
            f"{name:{width}}  {statistics.median(cpu_s):7.2f} {cpu_s[0]:7.2f} "
            f"{cpu_s[-1]:7.2f} {_median(rs, 'wall_s'):7.2f} {peak_mb:8,.0f} "
            f"{_ratio(done, name, REFERENCE, 'cpu_s'):>8} "
            f"{_ratio(done, name, OURS, 'cpu_s'):>7} "
            f"{_ratio(done, name, OURS, 'wall_s'):>11}"
        )
    for name, rs in runs.items():
        if name not in done:
            print(f"{name:{width}}  failed: {rs[-1]['failed']}")
    sys.stdout.flush()


def _median(records: list[dict[str, Any]], figure: str) -> float:
    return float(statistics.median(record[figure] for record in records))


def _ratio(
    done: dict[str, list[dict[str, Any]]], name: str, to: str, figure: str
) -> str:
    if to not in done:
        return ""
    return f"{_median(done[name], figure) / _median(done[to], figure):.1f}"


if __name__ == "__main__":
    main()
