"""How soon a broken promise is found, for several sets of alternatives.

``python -m tests.benchmarks.sequence_power`` prints, for promises of 15, 30 and 50 %
and truths of so many hundredths of them: leads until half of the firms are alarmed, and
the share alarmed at all within `N_LEADS` leads. The last column is the truth at the
promise itself: false alarms, to be at most 5 %.
"""

from __future__ import annotations

import math

import numpy as np

from leadscore.sequence import ALTERNATIVES, log_evidence

SETS = {
    "one: .7": (0.7,),
    "three: .3 .6 .85": (0.3, 0.6, 0.85),
    "nine: .1 to .9": tuple(i / 10 for i in range(1, 10)),
    "forty: .0125 to .9875": tuple((i + 0.5) / 40 for i in range(40)),
    "upper half: .525 to .975": tuple(0.525 + i / 20 for i in range(10)),
    "without .96": (0.2, 0.45, 0.65, 0.8, 0.9),
    "ours": ALTERNATIVES,
}
TARGETS = (0.15, 0.3, 0.5)
TRUTHS = (0.4, 0.6, 0.75, 0.85, 0.92, 1.0)
N_FIRMS, N_LEADS, BLOCK = 1_000, 2_000, 50
ALPHA = 0.05


def first_alarms(
    truth: float, target: float, alternatives: tuple[float, ...], seed: int
) -> np.ndarray:
    """Return after how many leads each firm is alarmed; infinite: never."""
    rng = np.random.default_rng(seed)
    n = np.arange(1, N_LEADS + 1)
    firsts = []
    for _ in range(N_FIRMS // BLOCK):
        hits = np.cumsum(rng.random((BLOCK, N_LEADS)) < truth, axis=1)
        evidence = log_evidence(hits, n, target=target, alternatives=alternatives)
        is_enough = evidence >= math.log(1 / ALPHA)
        at = n[is_enough.argmax(axis=1)]
        firsts.append(np.where(is_enough.any(axis=1), at, np.inf))
    return np.concatenate(firsts)


def main() -> None:
    """Print a table a promise."""
    for target in TARGETS:
        heads = "".join(f"{truth:>15.0%}" for truth in TRUTHS)
        print(f"\npromise {target:.0%}, truth as a share of it\n{'':<26}{heads}")
        for name, alternatives in SETS.items():
            cells = []
            for truth in TRUTHS:
                firsts = first_alarms(truth * target, target, alternatives, seed=1)
                found = np.isfinite(firsts).mean()
                cells.append(f"{np.median(firsts):>7.0f} {found:>6.1%}")
            print(f"{name:<26}" + "".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
