"""Bank order: promises on bank-marketing in time order, as its base rate multiplies.

Goes in: the sheet, in its own order or reversed. Comes out: what was promised on the
first leads, and, batch by batch of the later ones: what came, what the audit said, and
whether likeness would have suspended the promise. Days are made up: the sheet spans
May 2008 to November 2010 and its rows are taken as evenly spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.audit import Verdict, audit_promises
from leadscore.likeness import describe_levels, is_share_unlike, unlike_columns
from leadscore.policy import Threshold
from leadscore.tables import INSTANT
from tests.benchmarks.quality.markdown import table
from tests.benchmarks.quality.task import Task

from .audits import promise_of
from .firm import HORIZON_DAYS, LAG_DAYS
from .history import DAY_ZERO
from .resplits import agreement_for, proven_on, sheet_of

__all__ = ["bank_order_table"]

N_DAYS = 930
BATCH = 1_000


@dataclass(frozen=True)
class _Batch:
    n: int
    rate: float
    n_entered: int
    n_converted: int
    is_share_unlike: bool
    probability_index: float
    n_unlike: int


def bank_order_table(
    task: Task,
    promises: tuple[float, float],
    *,
    n_past: int,
    is_reversed: bool,
    seed: int,
) -> str:
    """Return one line a label: what was promised, what came, who noticed when.

    Parameters
    ----------
    task : Task
    promises : (float, float)
        Of MQL and of SQL.
    n_past : int
        Leads that are known when the promise is made; a quarter of them prove it.
    is_reversed : bool
    seed : int
        Of which they are.
    """
    sheet = sheet_of(task)
    order = np.arange(len(task.converted))[:: -1 if is_reversed else 1]
    rows = task.rows.drop(columns="points").iloc[order].reset_index(drop=True)
    sheet = type(sheet)(
        sheet.inputs[order], sheet.converted[order], np.arange(len(order))
    )
    past = np.random.default_rng(seed).permutation(n_past)
    fit, held = np.sort(past[: n_past * 3 // 4]), np.sort(past[n_past * 3 // 4 :])
    agreement = agreement_for(*promises)
    given, probability, _ = proven_on(sheet, fit, held, agreement)
    columns = rows.assign(probability=probability)
    described = describe_levels(columns.iloc[held], len(held))
    rates = sheet.converted[:n_past].mean(), sheet.converted[n_past:].mean()
    lines = []
    for label, said in given.items():
        if said.probability is None:
            print(f"{said.because}\n")
            continue
        batches = [
            _batch(said, described, columns, probability, sheet.converted, start)
            for start in range(n_past, len(order), BATCH)
        ]
        verdict = _audited(said, probability, sheet.converted, n_past)
        lines.append(_line(label, said, batches, verdict, rates))
    return table(lines)


def _batch(
    said: Threshold,
    described: dict[str, object],
    columns: pd.DataFrame,
    probability: np.ndarray,
    converted: np.ndarray,
    start: int,
) -> _Batch:
    places = np.arange(start, min(start + BATCH, len(converted)))
    entered = places[probability[places] >= (said.probability or 1)]
    unlike = unlike_columns(described, columns.iloc[places])
    return _Batch(
        len(places),
        float(converted[places].mean()),
        len(entered),
        int(converted[entered].sum()),
        is_share_unlike(said.selected, len(entered), len(places)),
        unlike.get("probability", 0.0),
        len(unlike),
    )


def _audited(
    said: Threshold, probability: np.ndarray, converted: np.ndarray, n_past: int
) -> Verdict:
    """Return the verdict on all later entries; each converts just before its horizon.

    So nothing is known of an entry before its time, which is what an audit may assume.
    """
    entered = np.flatnonzero(probability >= (said.probability or 1))
    entered = entered[entered >= n_past]
    day = np.floor((entered - n_past) * N_DAYS / len(converted))
    as_of = pd.Series(DAY_ZERO + pd.to_timedelta(day, unit="D")).astype(INSTANT)
    lead = pd.Series(entered).astype("str")
    rows = pd.DataFrame(
        {
            "lead_id": lead,
            "as_of": as_of,
            "change": "issued",
            "label": said.label,
            "road": "nurtured",
            "label_since": as_of,
            "model_version": "A",
        }
    )
    came = as_of + pd.Timedelta(days=HORIZON_DAYS - 1)
    hits = converted[entered] == 1
    conversions = pd.DataFrame(
        {"lead_id": lead, "occurred_at": came, "known_at": came}
    )[hits]
    promise = promise_of(said.precision or 0.0) | {"label": said.label}
    (verdict,) = audit_promises(
        rows,
        [promise],
        conversions,
        pd.Series(None, index=lead, dtype="str"),
        at=DAY_ZERO + pd.Timedelta(days=2 * N_DAYS),
        horizon_days=HORIZON_DAYS,
        reporting_lag_days=LAG_DAYS,
    ).verdicts
    return verdict


def _line(
    label: str,
    said: Threshold,
    batches: list[_Batch],
    verdict: Verdict,
    rates: tuple[float, float],
) -> dict[str, str]:
    n = sum(batch.n_entered for batch in batches)
    k = sum(batch.n_converted for batch in batches)
    bad = [
        b.n_entered and b.n_converted < (said.precision or 0) * b.n_entered
        for b in batches
    ]
    since = verdict.broken_since
    days = "never" if since is None else f"day {(since - DAY_ZERO).days}"
    return {
        "label": f"{label}, {said.precision:.0%}",
        "base rate": f"{rates[0]:.0%} to {rates[1]:.0%}",
        "proven by": f"{said.n_converted} of {said.n_entries}",
        "later": f"{k:,} of {n:,} ({k / max(n, 1):.0%})",
        "batches below": f"{sum(map(bool, bad))} of {len(batches)}",
        "found broken": days,
        "suspended by its share": _first([b.is_share_unlike for b in batches]),
        "by the probability": _first([b.probability_index > 0 for b in batches]),
        "by any column": _first([b.n_unlike > 0 for b in batches]),
    }


def _first(flags: list[bool]) -> str:
    if not any(flags):
        return "never"
    first = flags.index(True) + 1
    return f"{sum(flags)} of {len(flags)}, the first is {first}"
