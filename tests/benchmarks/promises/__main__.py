"""The proof that promises hold, and its tables.

    python -m tests.benchmarks.promises [--firms 2000] [--seed 0] [--only PART ...]

Goes in: nothing, or the public data sets where they are there. Comes out, on the
terminal: markdown tables. Parts: ``firms`` (promises of simulated firms, beside the
rivals, power), ``starts``, ``real`` (resplits), ``order`` (bank-marketing in time
order), ``alarms`` (audits of true promises), ``drift`` (audits of promises that turn
false), ``needed``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pandas as pd

from .audits import delay_table, false_alarm_table
from .coverage import coverage_table, power_table, rivals_table
from .needed import needed_table
from .outcome import outcomes_of
from .real import order_tables, resplits_table
from .rivals import HAS_MAPIE
from .starts import starts_table

N_STARTS, N_SPLITS, N_ALARMS, N_DELAYS = 300, 200, 2000, 60


def main() -> None:
    """Run what was chosen, print as it comes."""
    chosen = _parse()
    seed = chosen.seed
    firms = range(seed * chosen.firms, (seed + 1) * chosen.firms)
    parts: dict[str, Callable[[], str]] = {
        "needed": needed_table,
        "firms": lambda: _firms(firms),
        "starts": lambda: starts_table(firms[:N_STARTS]),
        "real": lambda: _where_there(lambda: resplits_table(N_SPLITS, seed=seed)),
        "order": lambda: _where_there(lambda: order_tables(seed=seed + 1)),
        "alarms": lambda: false_alarm_table(N_ALARMS, seed=seed),
        "drift": lambda: delay_table(N_DELAYS, seed=seed),
    }
    for name, made in parts.items():
        if not chosen.only or name in chosen.only:
            print(f"### {name}\n\n{made()}\n", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.promises")
    parser.add_argument("--firms", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="PART")
    return parser.parse_args()


def _firms(seeds: range) -> str:
    found = [
        vars(one)
        for seed in seeds
        for one in outcomes_of(seed, with_rivals=_has_rivals(seed))
    ]
    outcomes = pd.DataFrame(found)
    beside = outcomes[outcomes["seed"].map(_has_rivals)]
    made = [coverage_table(outcomes), rivals_table(beside), power_table(beside)]
    if not HAS_MAPIE:
        made.append("MAPIE: skipped, its package is not installed.")
    return "\n\n".join(made)


def _has_rivals(seed: int) -> bool:
    """Say whether rivals run on a firm: on one in four, they take most of the time."""
    return seed % 1000 < 250


def _where_there(make: Callable[[], str]) -> str:
    try:
        return make()
    except FileNotFoundError as error:
        return f"Skipped. {error}"


if __name__ == "__main__":
    main()
