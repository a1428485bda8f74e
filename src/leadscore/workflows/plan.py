"""Plan: from a data folder and a capacity to the threshold that fills it.

Goes in: a data folder, the model in use, how many leads sales can work. Comes out: the
plan. Past lists are replayed as `score` would have made them, with nothing but what was
known then; outcomes come from leads that the model was not fitted on: the hash of
training holds them out, for new leads, too.

Revenue of an arrival: the amounts of its lead in ``[as_of, as_of + horizon)``, those of
the stage that it reached last with an amount there, so that what an opportunity was
expected to bring and what the customer paid are not added; nothing where the lead was
lost after that. The window is that of conversions: later revenue is not in it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement, LabelRule
from leadscore.bundle import Bundle
from leadscore.errors import DataError, UsageError
from leadscore.model import FittedModel
from leadscore.periods import groups_of, held_out
from leadscore.plan import RECENT_WEEKS, Past, Plan, make_plan
from leadscore.progress import Tell, silent
from leadscore.snapshots import known_before, label_snapshots, past_lists
from leadscore.tables import Tables
from leadscore.workflows.relived import relive
from leadscore.workflows.score import agreement_for, check_functions, read_for

__all__ = ["Planned", "parse_capacity", "past_of", "plan", "plan_tables", "revenue_of"]

_DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4}
_CAPACITY = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(?:/\s*(day|week|month|quarter))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made of.

    Parameters
    ----------
    plan : Plan
    past : Past
    bundle : Bundle
    tables : Tables
    notes : tuple of str
        What is good to know.
    """

    plan: Plan
    past: Past
    bundle: Bundle
    tables: Tables
    notes: tuple[str, ...]


def parse_capacity(text: str) -> float:
    """Return leads a week: 25/week, 25 (a week), 100/month, 5/day, 300/quarter.

    Raises
    ------
    UsageError
        It is none of these, or not above zero.
    """
    found = _CAPACITY.fullmatch(text.strip())
    if not found:
        msg = (
            f"--capacity {text!r} is no number of leads. Write 25/week, or 100/month "
            "(day and quarter are known, too)."
        )
        raise UsageError(msg)
    number = float(found[1].replace(",", "."))
    if number <= 0:
        msg = f"--capacity {text!r} leaves no lead to work. Write a number above zero."
        raise UsageError(msg)
    return number * 7 / _DAYS[(found[2] or "week").lower()]


def plan(
    data: Path,
    bundle: Bundle,
    *,
    label: str = "SQL",
    capacity: float | None = None,
    per_rep: float | None = None,
    tell: Tell = silent,
) -> Planned:
    """Plan for a capacity with the leads of a data folder.

    Parameters
    ----------
    data : Path
    bundle : Bundle
    label : {"SQL", "MQL"}
        MQL means MQL or better.
    capacity : float, default=None
        Leads a week; None: the ``capacity_per_week`` of the label in the agreement.
    per_rep : float, default=None
        Leads a week that one rep works; None: a quarter of the capacity.
    tell : Tell, default=silent
        Told of each step.

    Raises
    ------
    UsageError, InputError, AgreementError, DataError, RefusedError
    """
    weekly = _capacity(bundle.agreement, label, capacity)
    rep = weekly / 4 if per_rep is None else per_rep
    if rep <= 0:
        msg = f"--per-rep {rep:g} leads a week is no work. Write a number above zero."
        raise UsageError(msg)
    check_plannable(bundle)
    agreement, notes = agreement_for(data, bundle)
    tell("reading the tables")
    tables = read_for(data, agreement, bundle, tell)
    check_functions(bundle, tables)
    tell("replaying the past lists")
    past = past_of(bundle, tables, tell=tell)
    tell("planning")
    planned = plan_tables(bundle, past, label=label, capacity=weekly, per_rep=rep)
    return Planned(planned, past, bundle, tables, notes)


def plan_tables(
    bundle: Bundle, past: Past, *, label: str, capacity: float, per_rep: float
) -> Plan:
    """Return the plan of a past; the same past gives the same plan."""
    threshold = bundle.thresholds.get(label)
    return make_plan(
        past,
        check_plannable(bundle).grid,
        bundle.agreement,
        label=label,
        capacity=capacity,
        per_rep=per_rep,
        in_use=threshold.probability if threshold else None,
        rng=np.random.default_rng(bundle.agreement.training.seed),
    )


def check_plannable(bundle: Bundle) -> FittedModel:
    """Return the model, if it left out leads that can tell what a threshold brings.

    Raises
    ------
    DataError
        It learned nothing, or the points alone, from all leads.
    """
    if bundle.model is not None and bundle.thresholds:
        return bundle.model
    msg = (
        f"model {bundle.model_id} cannot be planned with: it had too little to learn "
        "from, so no lead was held out that could tell what a threshold brings. "
        f"({bundle.provenance['degraded']}) Train again when more outcomes are known."
    )
    raise DataError(msg)


def past_of(bundle: Bundle, tables: Tables, *, tell: Tell = silent) -> Past:
    """Return the past lists of a folder, as the model in use would have seen them.

    Raises
    ------
    DataError
        No list is mature yet, or none of its leads was held out.
    """
    agreement, training = bundle.agreement, bundle.agreement.training
    model, end = check_plannable(bundle), tables.data_end
    pairs = past_lists(tables.leads, tables.outcomes, agreement, end)
    pairs = label_snapshots(pairs, tables.outcomes, agreement, end)
    if not pairs["is_mature"].any():
        raise DataError(_nothing_mature(pairs, agreement, end))
    days = training.promise_days or agreement.conversion.horizon_days
    since = pairs.loc[pairs["is_mature"], "as_of"].max() - pd.Timedelta(days=days)
    pairs = pairs.assign(group=groups_of(pairs))
    share, seed = training.promise_share, training.seed
    is_out = held_out(pairs["group"].to_numpy(), share=share, seed=seed)
    newest, first = pairs["as_of"].max(), pairs["as_of"].min()
    recent = newest - pd.Timedelta(weeks=RECENT_WEEKS)
    asked = (pairs["as_of"] >= recent) | is_out & (pairs["as_of"] >= since)
    there = pairs["lead_id"].isin(pairs.loc[asked, "lead_id"])
    columns = bundle.catalogue, bundle.engagement_edges, agreement
    seen = relive(tables, pairs[there], model, *columns, tell=tell)
    is_out = held_out(seen["group"].to_numpy(), share=share, seed=seed)
    proven = seen[is_out & seen["is_mature"].to_numpy()].reset_index(drop=True)
    if proven.empty:
        msg = (
            "no lead of a mature list was held out from training, so nothing tells "
            "what a threshold brings. Plan again with more leads, or train with a "
            f"higher training.promise_share than {share:g}."
        )
        raise DataError(msg)
    value, has_amounts = revenue_of(proven, tables.outcomes, agreement, end)
    weeks = (newest - first) / pd.Timedelta(weeks=1) + 1
    mature = pairs.loc[pairs["is_mature"], ["as_of", "group", "converted"]]
    proven = proven.assign(value=value)
    return Past(seen, proven, mature, since, float(weeks), has_amounts)


def revenue_of(
    pairs: pd.DataFrame,
    outcomes: pd.DataFrame,
    agreement: Agreement,
    data_end: pd.Timestamp,
) -> tuple[np.ndarray, bool]:
    """Return what each (lead, as_of) brought within the horizon; see the module.

    Returns
    -------
    revenue : float array of shape (n_pairs,)
        Zero where nothing came, or no amount is known at all.
    has_amounts : bool
        Whether any amount is known.
    """
    horizon = pd.Timedelta(days=agreement.conversion.horizon_days)
    known = known_before(outcomes, data_end)
    known = known[known["lead_id"].isin(pairs["lead_id"])]
    has_amounts = bool(known["amount"].notna().any())
    asked = pairs[["lead_id", "as_of"]].reset_index(drop=True).reset_index(names="row")
    is_told = known["amount"].notna() | known["stage"].isin(agreement.conversion.lost)
    columns = ["lead_id", "stage", "occurred_at", "known_at", "amount"]
    found = asked.merge(known.loc[is_told, columns], on="lead_id")
    found = found[found["occurred_at"] >= found["as_of"]]
    found = found[found["occurred_at"] < found["as_of"] + horizon]
    found = found.sort_values(["row", "occurred_at", "known_at", "stage"])
    last = found.groupby("row")["stage"].transform("last")
    taken = found[found["stage"] == last]
    total = taken["amount"].groupby(taken["row"]).sum()
    is_lost = taken["stage"].isin(agreement.conversion.lost)
    total = total[~is_lost.groupby(taken["row"]).any()]
    return total.reindex(asked["row"], fill_value=0.0).to_numpy(np.float64), has_amounts


def _capacity(agreement: Agreement, label: str, capacity: float | None) -> float:
    rule: LabelRule = getattr(agreement.labels, label)
    weekly = rule.capacity_per_week if capacity is None else capacity
    if weekly is None:
        msg = (
            "how many leads can be worked? Write --capacity 25/week, or "
            f"capacity_per_week in [labels.{label}] of the agreement."
        )
        raise UsageError(msg)
    if not 0 < weekly < math.inf:
        msg = (
            f"a capacity of {weekly:g} leads a week plans nothing; it must be above 0."
        )
        raise UsageError(msg)
    return weekly


def _nothing_mature(
    pairs: pd.DataFrame, agreement: Agreement, end: pd.Timestamp
) -> str:
    conversion = agreement.conversion
    needed = conversion.horizon_days + conversion.reporting_lag_days
    if pairs.empty:
        return (
            "no lead was ever on a list, so there is nothing to plan with. `leadscore "
            "check` says why."
        )
    days = (end - pairs["as_of"].min()) / pd.Timedelta(days=1)
    return (
        f"the lists go back {days:.0f} days, the outcome window and the reporting lag "
        f"take {needed}: no outcome is known yet, so nothing says what a threshold "
        f"brings. Plan again in {math.ceil(needed - days)} days, or agree on a shorter "
        "conversion.horizon_days."
    )
