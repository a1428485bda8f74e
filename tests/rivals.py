"""Two models to promote and compare, of one training: nothing is fitted twice."""

from __future__ import annotations

import copy
import dataclasses

from leadscore.bundle import Bundle
from leadscore.calibration import Sigmoid
from leadscore.paired import Difference
from leadscore.proposal import Change, Proposal

__all__ = ["OTHER", "hopeful", "proposed"]

OTHER = "2026-02-01-0123abcd"


def hopeful(bundle: Bundle) -> Bundle:
    """The model with all its probabilities too high: it is worse, and known to be."""
    assert bundle.model is not None
    classifier = copy.copy(bundle.model.classifier)
    classifier.sigmoids_ = {
        name: Sigmoid(sigmoid.slope, sigmoid.intercept + 1.5)
        for name, sigmoid in classifier.sigmoids_.items()
    }
    model = dataclasses.replace(bundle.model, classifier=classifier)
    return dataclasses.replace(bundle, model_id=OTHER, model=model)


def proposed(
    champion: str, value: float, low: float, high: float, *, n_converted: int = 41
) -> Proposal:
    """A proposal of `OTHER` with a difference that a test chooses."""
    return Proposal(
        OTHER,
        champion,
        "2026-01-01T00:00:00+00:00",
        Difference(value, low, high, 1_900, 312, 290, n_converted),
        "",
        "2025-07-01T00:00:00+00:00",
        "2025-09-25T00:00:00+00:00",
        (
            Change("SQL", 0.3, None, 0.3, None, 96.4, 101.0, 60, 50, 4, 14),
            Change("MQL", 0.1, 0.12, 0.15, 0.15, 412.0, 388.2, 300, 280, 11, 31),
        ),
        "",
        "2025-10-01T00:00:00+00:00",
        "2025-12-31T00:00:00+00:00",
    )
