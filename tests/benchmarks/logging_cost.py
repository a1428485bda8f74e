"""What logging a training costs: seconds of the second and later runs, and why.

Run as ``python -m tests.benchmarks.logging_cost``: trains the sample once, logs copies
of it, and logs one whose libraries mlflow has to find out by itself.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

from leadscore.bundle import save_bundle
from leadscore.workflows.record import log_model
from leadscore.workflows.train import train

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
N_RUNS = 7


def main() -> None:
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        bundle = train(SAMPLE, models).bundle  # the first run makes the store
        copies = [
            dataclasses.replace(bundle, model_id=f"2026-01-01-{place:08x}")
            for place in range(N_RUNS + 1)
        ]
        for copy in copies:
            save_bundle(copy, models)
        seconds = [_timed(copy, models) for copy in copies[:-1]]
        print(f"log a training: median {statistics.median(seconds):.2f} s of {N_RUNS}")
        import mlflow.pyfunc

        save = mlflow.pyfunc.save_model

        def without(*arguments: object, **named: object) -> object:
            named.pop("pip_requirements")
            return save(*arguments, **named)

        with mock.patch.object(mlflow.pyfunc, "save_model", without):
            inferred = _timed(copies[-1], models)
        print(f"with libraries inferred by mlflow: {inferred:.1f} s")
        print(f"ratio: {inferred / statistics.median(seconds):.0f}")


def _timed(bundle: object, models: Path) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        log_model(bundle, models, now=None)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
