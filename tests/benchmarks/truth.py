"""How near the sample's model comes to the truth, on a firm that it has never seen.

    python -m tests.benchmarks.truth

Goes in: data/sample. Comes out, on the terminal: log loss of the base rate, the model
and the oracle (who knows the simulated probability), and predicted against true
probability by tenths of the list.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore import metrics
from leadscore.bundle import Bundle
from leadscore.snapshots import label_snapshots, training_snapshots
from leadscore.store import read_tables
from leadscore.workflows.rows import build_rows
from leadscore.workflows.simulate import simulate_folder
from leadscore.workflows.train import train

__all__ = ["by_tenths", "judge", "log_losses"]

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def judge(bundle: Bundle, folder: Path, *, n_leads: int, seed: int) -> pd.DataFrame:
    """Return every mature snapshot of another firm: converted, predicted, truth."""
    simulate_folder(folder, n_leads=n_leads, seed=seed)
    agreement = bundle.agreement
    tables = read_tables(folder, agreement)
    end = tables.data_end
    snapshots = training_snapshots(tables.leads, tables.outcomes, agreement, end)
    labelled = label_snapshots(snapshots, tables.outcomes, agreement, end)
    settled = labelled[labelled["converted"].notna()]
    rows = build_rows(tables, settled, bundle.catalogue, agreement)
    assert bundle.model is not None
    predicted = rows.snapshots.assign(predicted=bundle.model.predict(rows.features))
    truth = pd.read_parquet(folder / "truth.parquet")
    renamed = truth.rename(columns={"probability": "truth"})
    return predicted.merge(renamed, on=["lead_id", "as_of"])


def log_losses(judged: pd.DataFrame) -> dict[str, float]:
    """Return the mean log loss of the base rate, the model and the oracle."""
    converted = judged["converted"].to_numpy()
    said = {
        "base rate": np.full(len(judged), converted.mean()),
        "model": judged["predicted"].to_numpy(),
        "oracle": judged["truth"].to_numpy(),
    }
    return {
        name: float(metrics.log_loss(converted, p).mean()) for name, p in said.items()
    }


def by_tenths(judged: pd.DataFrame) -> pd.DataFrame:
    """Return mean prediction and mean truth by tenths of the ranked list."""
    tenth = pd.qcut(judged["predicted"], 10, labels=False)
    return judged.groupby(tenth)[["predicted", "truth"]].mean()


def main() -> None:
    """Train on the sample, judge on another firm, print."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = train(SAMPLE, Path(folder, "models")).bundle
        judged = judge(bundle, Path(folder, "firm"), n_leads=3000, seed=7)
    losses = log_losses(judged)
    print(f"{len(judged):,} snapshots of {judged['lead_id'].nunique():,} leads")
    for name, loss in losses.items():
        print(f"log loss of the {name}: {loss:.4f}")
    way = (losses["base rate"] - losses["model"]) / (
        losses["base rate"] - losses["oracle"]
    )
    print(f"share of the way from the base rate to the oracle: {way:.0%}")
    print(by_tenths(judged).to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
