"""Simulate: write the data folder of a made-up firm, and the truth beside it."""

from __future__ import annotations

from pathlib import Path

from leadscore import files
from leadscore.errors import RefusedError
from leadscore.simulate import Simulation, simulate

__all__ = ["simulate_folder"]


def simulate_folder(
    folder: Path, *, n_leads: int, seed: int, overwrite: bool = False
) -> Simulation:
    """Write the three tables as CSV, ``agreement.toml`` and ``truth.parquet``.

    Parameters
    ----------
    folder : Path
        Created if missing; files of these names are replaced.
    n_leads, seed : int
        The same numbers give the same bytes.
    overwrite : bool, default=False
        Replace the agreement of a folder even if it is not the one written here.

    Raises
    ------
    RefusedError
        The folder holds an agreement of somebody's own.
    UsageError, OutputError, StorageError
    """
    made = simulate(n_leads=n_leads, seed=seed)
    written = folder / "agreement.toml"
    is_foreign = written.exists() and written.read_bytes() != made.agreement.encode()
    if is_foreign and not overwrite:
        msg = (
            f"{written} is not the one that simulate writes; nothing was replaced. "
            "Name an empty folder, or say --overwrite."
        )
        raise RefusedError(msg)
    files.write_table(folder / "leads.csv", made.leads)
    files.write_table(folder / "interactions.csv", made.interactions)
    files.write_table(folder / "outcomes.csv", made.outcomes)
    files.write_text(folder / "agreement.toml", made.agreement)
    files.write_table(folder / "truth.parquet", made.truth)
    return made
