"""Simulate: write the data folder of a made-up firm, and the truth beside it."""

from __future__ import annotations

from pathlib import Path

from leadscore import files
from leadscore.simulate import Simulation, simulate

__all__ = ["simulate_folder"]


def simulate_folder(folder: Path, *, n_leads: int, seed: int) -> Simulation:
    """Write the three tables as CSV, ``agreement.toml`` and ``truth.parquet``.

    Parameters
    ----------
    folder : Path
        Created if missing; files of these names are replaced.
    n_leads, seed : int
        The same numbers give the same bytes.

    Raises
    ------
    UsageError, OutputError, StorageError
    """
    made = simulate(n_leads=n_leads, seed=seed)
    files.write_table(folder / "leads.csv", made.leads)
    files.write_table(folder / "interactions.csv", made.interactions)
    files.write_table(folder / "outcomes.csv", made.outcomes)
    files.write_text(folder / "agreement.toml", made.agreement)
    files.write_table(folder / "truth.parquet", made.truth)
    return made
