"""History: what the product's own policy sees of the simulated looks.

Goes in: looks of `promises.world`, their probabilities. Comes out: what
`leadscore.promise.Slice` and `leadscore.replay.replay` take.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.policy import engagement_edges, observe
from leadscore.snapshots import ELIGIBLE

__all__ = ["DAY_ZERO", "history_of"]

DAY_ZERO = pd.Timestamp("2025-01-01", tz="UTC").as_unit("us")
GRADE = pd.array(["A", "B", "C", "D", None], dtype="str")
MISSING = pd.array(["", "industry", "employees, industry"], dtype="str")
SEEN = ["is_raised", "may_mql", "may_sql"]


def history_of(
    looks: pd.DataFrame, probability: np.ndarray, agreement: Agreement
) -> pd.DataFrame:
    """Return the history of leads, in the order of ``looks``.

    Returns
    -------
    DataFrame
        ``lead_id, group, as_of, probability, is_raised, may_mql, may_sql, converted,
        truth``.
    """
    features = pd.DataFrame(
        {
            "engagement": looks["engagement"],
            "n_ever": looks["n_visits"] + looks["n_opens"],
            "n_email_open_ever": looks["n_opens"],
            "days_since_last_demo_request": looks["raised_days"],
            "days_since_last_unsubscribe": looks["left_days"],
        }
    )
    said = pd.DataFrame(
        {
            "status": ELIGIBLE,
            "fit_grade": GRADE.take(looks["grade"]),
            "missing": MISSING.take(looks["n_missing"]),
            "rejected_days": looks["rejected_days"],
        },
        index=looks.index,
    )
    edges = engagement_edges(looks["engagement"].to_numpy())
    seen = observe(features, said, edges, agreement)
    return pd.DataFrame(
        {
            "lead_id": looks["lead"],
            "group": looks["account"],
            "as_of": DAY_ZERO
            + pd.to_timedelta(looks["day"], unit="D").dt.as_unit("us"),
            "probability": probability,
            **{name: seen[name] for name in SEEN},
            "converted": looks["converted"],
            "truth": looks["truth"],
        }
    )
