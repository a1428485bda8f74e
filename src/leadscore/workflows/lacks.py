"""Lacks: what the data does not say, what that costs, and what to do about it.

Goes in: the tables and the agreement. Comes out: sentences, the costliest first.
Nothing is changed, and nothing is refused: a firm without it still gets a model.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.periods import groups_of
from leadscore.snapshots import known_before, training_snapshots
from leadscore.tables import Tables
from leadscore.workflows.backtest import backtest_tasks, period_counts
from leadscore.workflows.learnable import label_for_training

__all__ = ["lacks_of"]

MOST = 0.5  # of the leads, or of the rows
FEW_CONVERSIONS = 50  # a share of fifty is good to 14 percentage points either way

Found = list[str]


def lacks_of(tables: Tables, agreement: Agreement) -> list[str]:
    """Return what the data lacks, each with its cost and the next step.

    Parameters
    ----------
    tables : Tables
    agreement : Agreement

    Returns
    -------
    list of str
        No lead is named; counts are of leads, or of accounts where given. Empty where
        nothing lacks.
    """
    return [
        *_behaviour(tables),
        *_known_at(tables, agreement),
        *_history(tables, agreement),
        *_attributes(tables, agreement),
        *_accounts(tables),
        *_few_conversions(tables, agreement),
        *_open(tables, agreement),
        *_endings(tables, agreement),
        *_amounts(tables),
        *_consent(agreement),
    ]


def _behaviour(tables: Tables) -> Found:
    if len(tables.interactions) == 0:
        return [
            "There are no interactions: what leads do cannot count, only who they are. "
            "Export visits, downloads, mail opens and requests as interactions."
        ]
    optional = ("channel", "content", "duration_s")
    said = {n for rows in tables.interactions.frames(*optional) for n in _filled(rows)}
    empty = [name for name in optional if name not in said]
    if not empty:
        return []
    return [
        f"Interactions have no {_listed(empty)}: two contacts of one kind look the "
        "same. Add the columns to the export if your tools keep them."
    ]


def _known_at(tables: Tables, agreement: Agreement) -> Found:
    """Say where it is assumed that a fact was known as soon as it happened."""
    log = tables.interactions.frames("occurred_at", "known_at", copies=False)
    assumed = {
        name: share
        for name, parts in {"interactions": log, "outcomes": [tables.outcomes]}.items()
        if (share := _share_at_once(parts, agreement)) is not None
    }
    said = [f"{name} ({share:.0%})" for name, share in assumed.items() if share > MOST]
    if not said:
        return []
    return [
        f"Most rows of {_listed(said)} are taken as known the moment they happened, "
        "because known_at is missing or says so. If they reach you later, the model "
        "has learned from facts that will be late in daily use, and looks better here "
        "than it will be. Export when each row was loaded as known_at."
    ]


def _filled(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows if rows[name].notna().any()]


def _share_at_once(parts: Iterable[pd.DataFrame], agreement: Agreement) -> float | None:
    """Return the share of rows known when they happened; None where there are none."""
    counts = [(_n_at_once(part, agreement), len(part)) for part in parts]
    n_rows = sum(n for _, n in counts)
    return sum(n for n, _ in counts) / n_rows if n_rows else None


def _n_at_once(table: pd.DataFrame, agreement: Agreement) -> int:
    """Return how many rows are known when they happened, or at the end of that day."""
    happened, known = table["occurred_at"], table["known_at"]
    local = happened.dt.tz_convert(agreement.zone)
    is_day = local == local.dt.normalize()
    late = known - happened
    ended = is_day & (late > pd.Timedelta(0)) & (late <= pd.Timedelta(hours=25))
    return int(((late == pd.Timedelta(0)) | ended).sum())


def _history(tables: Tables, agreement: Agreement) -> Found:
    if not agreement.attributes or tables.leads["lead_id"].duplicated().any():
        return []
    return [
        "Every lead has a single row: how attributes changed is not known. What was "
        "filled in later counts as if known from the start, so its effect may be "
        "overstated. Keep a copy of leads at each export, with its known_at."
    ]


def _attributes(tables: Tables, agreement: Agreement) -> Found:
    if not agreement.attributes:
        return [
            "The agreement declares no attributes: who leads are cannot count, and "
            "there is no fit grade. Declare columns of leads under [attributes]."
        ]
    latest = tables.leads.sort_values(["lead_id", "known_at"]).groupby("lead_id").last()
    shares = {
        name: float(latest[name].notna().mean())
        for name, attribute in agreement.attributes.items()
        if attribute.kind != "text_presence"  # absence is what it says
    }
    few = [f"{name} ({share:.0%})" for name, share in shares.items() if share < MOST]
    if not few:
        return []
    return [
        f"Few leads have a known {_listed(few)}: for the others the model knows less, "
        "and their fit grade rests on what is left. Ask for it in forms, or buy it in."
    ]


def _accounts(tables: Tables) -> Found:
    known = tables.leads.groupby("lead_id")["account_id"].first().notna().mean()
    if known >= MOST:
        return []
    has = "no account_id" if known == 0 else f"an account_id for {known:.0%} only"
    return [
        f"Leads have {has}: colleagues of one company count as strangers, so intervals "
        "look narrower than they are. Export the company or household as account_id."
    ]


def _few_conversions(tables: Tables, agreement: Agreement) -> Found:
    """Say in how few conversions the candidates were judged."""
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    labelled = label_for_training(snapshots, tables, agreement)
    settled = labelled[labelled["converted"].notna()].reset_index(drop=True)
    if settled.empty:
        return []
    groups = groups_of(settled)
    counts = [
        period_counts(task, settled, groups)["n_test_converted"]
        for task in backtest_tasks(settled, tables.outcomes, agreement)
    ]
    if not counts or min(counts) >= FEW_CONVERSIONS:
        return []
    return [
        f"One of the {len(counts)} later periods on which models are judged holds only "
        f"{min(counts)} converted leads (accounts): its figures may be chance. Export "
        "a longer history, or set training.test_days higher."
    ]


def _open(tables: Tables, agreement: Agreement) -> Found:
    """Say how many leads came too late to be learned from."""
    conversion = agreement.conversion
    days = conversion.horizon_days + conversion.reporting_lag_days
    first = tables.leads.groupby("lead_id")["known_at"].min()
    since = tables.data_end - pd.Timedelta(days=days)
    n_open = int((first >= since).sum())
    if n_open == 0:
        return []
    return [
        f"{n_open:,} of {len(first):,} leads came in the last {days} days: whether "
        f"they reach {conversion.stage!r} in time is still open, so nothing was "
        "learned from them. Train again when it is known."
    ]


def _endings(tables: Tables, agreement: Agreement) -> Found:
    conversion = agreement.conversion
    ended = tables.outcomes["stage"].isin([*conversion.lost, *conversion.disqualified])
    if ended.any():
        return []
    return [
        "No lead is ever lost or disqualified in outcomes: leads that sales has given "
        "up stay on the list. Export these stages, and name them under [conversion]."
    ]


def _amounts(tables: Tables) -> Found:
    known = known_before(tables.outcomes, tables.data_end)
    if known["amount"].notna().any():
        return []
    return [
        "Outcomes carry no amount: a lead is judged by its chance to convert, not by "
        "its worth, and no revenue can be estimated. Export the amount of the deal."
    ]


def _consent(agreement: Agreement) -> Found:
    if agreement.consent.exclude_when_true:
        return []
    return [
        "No consent column is declared: leads who object to profiling cannot be left "
        "out. Name the flag under [consent] exclude_when_true."
    ]


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
