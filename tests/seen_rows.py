"""One row of a list, as `observe` takes it, with little said unless a test says it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement, parse_agreement
from leadscore.policy import observe

AGREEMENT = parse_agreement(
    """
    time_zone = "Europe/Paris"
    [labels.MQL]
    precision = 0.15
    [labels.SQL]
    precision = 0.30
    min_fit = "B"
    min_engagement = 2
    [hand_raise]
    kinds = ["demo_request", "contact_request"]
    within_days = 30
    min_fit = "C"
    [attributes.country]
    kind = "category"
    changes = false
    [attributes.industry]
    kind = "category"
    changes = false
    [[personas]]
    name = "buyer"
    criteria = [
        { attribute = "country", any_of = ["fr"] },
        { attribute = "industry", any_of = ["software"] },
    ]
    """
)
EDGES = (1.0, 2.0, 3.0)
FEATURES = {
    "engagement": 5.0,
    "n_ever": 10.0,
    "n_email_open_ever": 2.0,
    "n_like_ever": 0.0,
    "n_blog_view_ever": 1.0,
    "days_since_last_demo_request": np.nan,
    "days_since_last_contact_request": np.nan,
    "days_since_last_unsubscribe": np.nan,
}
SAID = {
    "status": "eligible",
    "fit_grade": "A",
    "missing": "",
    "rejected_days": np.nan,
    "rejected_reason": None,
}
# How a test says it, and the column that it means.
SHORT = {
    "demo": "days_since_last_demo_request",
    "contact": "days_since_last_contact_request",
    "left": "days_since_last_unsubscribe",
}


def observed(
    *rows: dict[str, object],
    agreement: Agreement = AGREEMENT,
    probability: float = 0.05,
) -> pd.DataFrame:
    """Return what is seen of rows; each says in what it differs from a plain one.

    ``probability`` is that of rows that do not say it.
    """
    full = [{SHORT.get(name, name): value for name, value in r.items()} for r in rows]
    features = pd.DataFrame([_picked(FEATURES, row) for row in full]).astype("float64")
    said = pd.DataFrame([_picked(SAID, row) for row in full])
    texts = dict.fromkeys(["status", "fit_grade", "missing", "rejected_reason"], "str")
    said = said.astype({**texts, "rejected_days": "float64"})
    chance = [row.get("probability", probability) for row in full]
    seen = observe(features, said, EDGES, agreement)
    return seen.assign(probability=np.array(chance, dtype=np.float64))


def _picked(plain: dict[str, object], row: dict[str, object]) -> dict[str, object]:
    unknown = set(row) - {*FEATURES, *SAID, "probability"}
    assert not unknown, f"no such thing to say of a row: {unknown}"
    return {name: row.get(name, value) for name, value in plain.items()}
