"""A small made-up firm with a cheap model: whoever is busy with us may convert.

Nothing is trained: what is tested with it is what becomes of labels, not the learner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.features import declare_catalogue
from leadscore.policy import Threshold
from leadscore.revision import code_digest
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows.simulate import simulate_folder

MODEL_ID = "2026-01-01-00000000"
EDGES = (0.5, 2.0, 5.0)


@dataclass(frozen=True)
class Busy:
    """A model in the place of a fitted one: the more engagement, the likelier."""

    name: str = "points"  # so that the points give the reasons
    columns: tuple[str, ...] = ("engagement",)
    grid: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        engagement = rows["engagement"].to_numpy()
        return 0.6 * engagement / (engagement + 4.0)

    def predict_interval(self, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        return 0.9 * self.predict(rows), 1.1 * self.predict(rows)


@dataclass(frozen=True)
class Firm:
    data: Path
    tables: Tables
    bundle: Bundle


def promised(label: str, probability: float | None, precision: float) -> Threshold:
    """A promise that no list is unlike, and that does not expire in these tests."""
    return Threshold(
        label,
        probability,
        "promised by a test",
        precision=precision,
        since="2025-01-01T00:00:00+00:00",
        until="2025-06-01T00:00:00+00:00",
        expires="2027-01-01T00:00:00+00:00",
    )


def small_firm(folder: Path, *, n_leads: int = 160, seed: int = 5) -> Firm:
    """Write the firm's data, and give its tables with a model that issues labels."""
    simulate_folder(folder, n_leads=n_leads, seed=seed)
    agreement, text = read_agreement(folder)
    kinds = (*agreement.hand_raise.kinds, "webinar_registered")  # more hands to see
    hands = agreement.hand_raise.model_copy(update={"kinds": kinds})
    agreement = agreement.model_copy(update={"hand_raise": hands})
    tables = read_tables(folder, agreement)
    bundle = Bundle(
        MODEL_ID,
        agreement,
        text,
        declare_catalogue(agreement, tables.leads, tables.interactions),
        Busy(),  # type: ignore[arg-type]
        {},
        {"MQL": promised("MQL", 0.12, 0.15), "SQL": promised("SQL", 0.3, 0.25)},
        EDGES,
        {},
        {
            "degraded": "",
            "data_digests": tables.digests,
            "code_digest": code_digest(),
        },
    )
    return Firm(folder, tables, bundle)
