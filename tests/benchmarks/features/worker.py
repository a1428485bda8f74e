"""One run in a fresh process: warm up, then time one contender on one case.

    python -m tests.benchmarks.features.worker MODULE NAME CASE WARM_UP REPORT

``CASE`` and ``WARM_UP`` are JSON. ``MODULE`` is imported and nothing else of ours, for
it may run under an interpreter of its own. With ``--prepare`` as the last word, only
its preparation is done, for both cases.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import shutil
import sys
import time
from pathlib import Path

from .case import Case, Contender

__all__ = ["main"]


def main() -> None:
    """Do what the command line says."""
    module, name, case_json, warm_json, report, *rest = sys.argv[1:]
    package = __package__ or ""
    contender = importlib.import_module(f".{module}", package).contenders()[name]
    case, warm_up = Case.from_json(case_json), Case.from_json(warm_json)
    if rest:
        if contender.prepare is not None:
            contender.prepare(warm_up)
            contender.prepare(case)
        return
    _run(contender, warm_up)
    measured = _run(contender, case)
    Path(report).write_text(json.dumps(measured), encoding="utf-8")


def _run(contender: Contender, case: Case) -> dict[str, float | int | None]:
    """Run once, return what it took."""
    shutil.rmtree(case.scratch, ignore_errors=True)
    case.scratch.mkdir(parents=True)
    try:
        gc.collect()
        cpu_s, started = _cpu_s(), time.perf_counter()
        result = contender.run(case)
        wall_s = time.perf_counter() - started
        cpu_s = _cpu_s() - cpu_s
        n_rows = getattr(result, "num_rows", None)
        n_columns = getattr(result, "num_columns", None)
    finally:
        shutil.rmtree(case.scratch, ignore_errors=True)
    return {
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "peak_rss_mb": _peak_rss_mb(),
        "n_rows": n_rows,
        "n_columns": n_columns,
    }


def _cpu_s() -> float:
    """Return user and system seconds of this process and of ended children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_rss_mb() -> float:
    """Return the peak of this process; that of its children is sampled from outside.

    ``ru_maxrss`` starts at the size of the process that started this one, so it is
    used only where the system does not say better.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(
            line.split(":", 1)
            for line in status.read_text(encoding="utf-8").split("\n")
            if line
        )
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
