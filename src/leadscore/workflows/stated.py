"""Stated: a model of what was agreed upon, where nobody has converted yet.

Goes in: mature rows of which none converted, and the agreement. Comes out: the points
with the agreement's own share of leads that convert, and the sentence that says so; or
None and the sentence that no probability is given. Nothing is learned here.
"""

from __future__ import annotations

import numpy as np

from leadscore.agreement import Agreement
from leadscore.model import FittedModel
from leadscore.periods import groups_of
from leadscore.recipe.stated import share_after, stated_classifier
from leadscore.workflows.rows import Rows

__all__ = ["stated_model"]


def stated_model(rows: Rows, agreement: Agreement) -> FittedModel | None:
    """Return the points with the stated share; None where none is stated.

    Parameters
    ----------
    rows : Rows
        Mature ones, none of which converted; may be empty.
    agreement : Agreement
    """
    rate = agreement.training.prior_rate
    if rate is None:
        return None
    groups = groups_of(rows.snapshots)
    points = rows.features["points"].to_numpy(dtype=np.float64)
    n_groups = len(np.unique(groups))
    stated = {"rate": rate, "n_silent": n_groups, "share": share_after(rate, n_groups)}
    return FittedModel(
        "points",
        stated_classifier(points, groups, rate=rate),
        ("points",),
        (),
        {"stated": stated},
    )
