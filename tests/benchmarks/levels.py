"""What following the level brings: in simulated firms, and where there are real data.

    python -m tests.benchmarks.levels [--firms 12]

Goes in: firms that `leadscore simulate` makes (their base rate rises and swings with
the season) and, where they are there, the public data sets. Each is trained as the
product does. Comes out, on the terminal: one line each, read off the bundle: log loss
of the replayed retrainings as they were fitted less that of the same at their levels
(above zero: following pays), and what both said beside what happened.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from leadscore.workflows.simulate import simulate_folder
from leadscore.workflows.train import train

from . import bpi2012, completejourney
from .datasets import datasets_folder
from .quality.markdown import ranged, table

FIRST_SEED = 301
SIZES = (2000, 4000, 8000)  # leads of the firms, in turn

Write = Callable[[Path], Any]


def main() -> None:
    """Train on each, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.levels")
    parser.add_argument("--firms", type=int, default=12)
    lines, gains = [], []
    for name, write in _cases(parser.parse_args().firms):
        found = _replayed(write)
        if found is None:
            print(f"{name}: nothing was replayed.\n")
            continue
        lines.append(_line(name, found))
        gains.append(found["as_fitted"]["difference"][0])
    print(table(lines))
    better = sum(gain > 0 for gain in gains)
    print(f"\nBetter in {better} of {len(gains)}, worst {1e3 * min(gains):+.2f}e-3.")


def _cases(n_firms: int) -> Iterator[tuple[str, Write]]:
    try:
        public = datasets_folder()
    except FileNotFoundError as error:
        print(f"Real data: skipped. {error}\n")
    else:
        for module in (bpi2012, completejourney):
            name = module.__name__.rpartition(".")[2]
            yield name, _writes(module, public / name)
    for place in range(n_firms):
        n_leads, seed = SIZES[place % len(SIZES)], FIRST_SEED + place
        yield f"firm {seed}, {n_leads:,} leads", _simulates(n_leads, seed)


def _writes(module: Any, source: Path) -> Write:
    return lambda folder: module.write_folder(source, folder)


def _simulates(n_leads: int, seed: int) -> Write:
    return lambda folder: simulate_folder(folder, n_leads=n_leads, seed=seed)


def _replayed(write: Write) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "data")
        folder.mkdir()
        write(folder)
        bundle = train(folder, Path(name, "models")).bundle
    found: dict[str, Any] | None = bundle.metrics.get("cadence")
    return found


def _line(name: str, found: dict[str, Any]) -> dict[str, str]:
    agreed = next(row for row in found["table"] if row["is_agreed"])
    value, low, high = (1e3 * x for x in found["as_fitted"]["difference"])
    return {
        "data": name,
        "as fitted, less followed": ranged((value, low, high)) + "e-3",
        "said, as fitted": f"{found['as_fitted']['said']:.1%}",
        "said": f"{agreed['said']:.1%}",
        "happened": f"{agreed['happened']:.1%}",
        "level now": f"{found['level']:+.2f}",
    }


if __name__ == "__main__":
    main()
