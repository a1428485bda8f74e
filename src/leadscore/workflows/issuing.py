"""Issuing: what a list changes for each lead, as rows of the ledger.

Goes in: what was said of the leads, and what is remembered of them. Comes out: one row
for each lead whose label is issued, kept, changed or withdrawn, that waits above a
threshold, or that left the list. A lead that stays where it was, without a label, has
none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.judge import Judged
from leadscore.ledger import LEDGER_COLUMNS
from leadscore.movement import NURTURED
from leadscore.snapshots import NEVER
from leadscore.tables import INSTANT
from leadscore.workflows.memory import Memory
from leadscore.workflows.rows import Rows

__all__ = ["changes_of", "ledger_rows", "promise_of", "promises_of"]


def changes_of(judged: Judged, memory: Memory) -> pd.Series:
    """Return what becomes of each lead's label; empty where nothing does.

    Returns
    -------
    Series of str
        ``stock, issued, kept, changed, withdrawn, waiting``, or empty.
    """
    before, after = memory.before, judged.after
    label = judged.said["label"]
    was = memory.label.fillna("NURTURE")
    stands, stood = after.level > 0, before.level > 0
    moved = (after.level != before.level) | (after.road != before.road)
    waits = (after.mql_since != before.mql_since) | (
        after.sql_since != before.sql_since
    )
    # Whoever waits by the replay of a first list, the ledger does not know yet.
    is_above = (after.mql_since != NEVER) | (after.sql_since != NEVER)
    waits |= memory.is_relived & is_above
    is_told = (label != was).to_numpy(dtype=bool)
    cases: dict[str, np.ndarray] = {
        "stock": stands & stood & ~moved & memory.found,
        "issued": stands & ~stood,
        "kept": stands & stood & ~moved,
        "changed": stands,
        "withdrawn": ~stands & stood & ~memory.found,
        "turned": is_told,
        "waiting": waits,
    }
    found = np.select(list(cases.values()), list(cases), default="")
    return pd.Series(found, label.index, dtype="str").replace("turned", "changed")


def promise_of(
    bundle: Bundle, judged: Judged, memory: Memory, suspended: frozenset[str]
) -> tuple[pd.Series, pd.Series]:
    """Return the promise each label stands on, and what the list says of it.

    Parameters
    ----------
    bundle : Bundle
    judged : Judged
    memory : Memory
    suspended : frozenset of str
        Promises that are suspended.

    Returns
    -------
    stands_on, shown : Series of str
        A label that is issued stands on the promise of the model that issued it, for as
        long as it lasts; stock, and hands that were raised, stand on none. Shown as
        ``suspended`` where it is.
    """
    before, after = memory.before, judged.after
    ids = {
        label: threshold.promise_id(bundle.model_id)
        for label, threshold in bundle.thresholds.items()
    }
    new = judged.said["label"].map(ids)
    # Only who rises by the nurtured road enters; of who falls, or had raised a hand
    # when it rose, nothing was promised.
    rises = after.level > before.level
    stays = (after.level == before.level) & (after.road == before.road)
    promised = new.where(rises, memory.promise.where(stays))
    promised = promised.where(after.road == NURTURED).astype("str")
    return promised, promised.mask(promised.isin(suspended), "suspended")


def ledger_rows(
    bundle: Bundle,
    rows: Rows,
    judged: Judged,
    memory: Memory,
    promised: pd.Series,
    as_of: pd.Timestamp,
    why_gone: pd.Series,
) -> pd.DataFrame:
    """Return the rows that a list adds to the ledger.

    Parameters
    ----------
    bundle : Bundle
    rows : Rows
    judged : Judged
    memory : Memory
    promised : Series of str
        From `promise_of`.
    as_of : Timestamp, UTC
    why_gone : Series of str
        By lead: why it is not on the list.
    """
    after = judged.after
    thresholds = {label: t.probability for label, t in bundle.thresholds.items()}
    is_nurtured = after.road == NURTURED
    said = judged.said
    table = pd.DataFrame(
        {
            "lead_id": rows.snapshots["lead_id"],
            "change": changes_of(judged, memory),
            "label": said["label"],
            "road": said["road"],
            "label_since": _instants(after.since),
            "mql_above_since": _instants(after.mql_since),
            "sql_above_since": _instants(after.sql_since),
            "probability": judged.seen["probability"],
            "threshold": said["label"].map(thresholds).where(is_nurtured),
            "promise": promised,
            "reason": said["label_reason"],
            "features_digest": _digests(rows.features),
        }
    )
    table = pd.concat(
        [table[table["change"] != ""], _left(memory.gone, why_gone)], ignore_index=True
    )
    table = table.assign(
        as_of=pd.Series(as_of, table.index, dtype=INSTANT),
        model_version=bundle.model_id,
        agreement_version=bundle.agreement.version,
    )
    return _typed(table.sort_values("lead_id").reset_index(drop=True))


def promises_of(bundle: Bundle) -> list[dict[str, Any]]:
    """Return what a model promises, as the ledger keeps it."""
    conversion = bundle.agreement.conversion
    promises = []
    for threshold in bundle.thresholds.values():
        name = threshold.promise_id(bundle.model_id)
        if name is None:
            continue
        better = " or better" if threshold.label == "MQL" else ""
        period = f"{threshold.since[:10]} to {threshold.until[:10]}"
        promises.append(
            {
                "id": name,
                "label": threshold.label,
                "precision": threshold.precision,
                "confidence": threshold.confidence,
                "probability": threshold.probability,
                "model_version": bundle.model_id,
                "agreement_version": bundle.agreement.version,
                "stage": conversion.stage,
                "horizon_days": conversion.horizon_days,
                "reporting_lag_days": conversion.reporting_lag_days,
                "period": [threshold.since, threshold.until],
                "expires": threshold.expires,
                "text": (
                    f"Of the leads entering {threshold.label}{better} like those of "
                    f"{period}, worked as then, at least {threshold.precision:.0%} "
                    f"convert within {conversion.horizon_days} days, "
                    f"{threshold.confidence:.0%} confidence."
                ),
            }
        )
    return promises


def _left(gone: pd.DataFrame, why: pd.Series) -> pd.DataFrame:
    """Return a row for each lead that stood on a list and is on this one no more."""
    reasons = why.reindex(gone["lead_id"]).fillna("not known any more").to_numpy()
    return pd.DataFrame(
        {
            "lead_id": gone["lead_id"].to_numpy(),
            "change": "left",
            "label": "NURTURE",
            "reason": [f"Off the list: {reason}." for reason in reasons],
        }
    )


def _instants(microseconds: np.ndarray) -> pd.Series:
    values = np.where(microseconds == NEVER, np.iinfo(np.int64).min, microseconds)
    return pd.Series(values.astype("datetime64[us]")).dt.tz_localize("UTC")


def _digests(features: pd.DataFrame) -> list[str]:
    """Return 64 bits of each row of features: whether a list saw the same facts."""
    hashed = pd.util.hash_pandas_object(features, index=False, categorize=False)
    return [f"{value:016x}" for value in hashed]


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    instants = ("as_of", "label_since", "mql_above_since", "sql_above_since")
    numbers = ("probability", "threshold")
    table = table.reindex(columns=list(LEDGER_COLUMNS))
    for name in LEDGER_COLUMNS:
        kind = INSTANT if name in instants else "float64" if name in numbers else "str"
        table[name] = table[name].astype(kind)
    return table
