"""Compared: a challenger and the model in use, on the same later rows.

Goes in: two sides. Comes out: the difference of their log losses on mature snapshots of
the newest period, of leads that neither model was fitted on; or why there is none.

Neither has seen a row or a lead of those. The challenger has seen what came of other
leads in that period, and the model in use has not: so it will be when both are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.errors import RefusedError
from leadscore.paired import MIN_CONVERTED, Difference, paired_difference
from leadscore.periods import groups_of, held_out
from leadscore.progress import Tell
from leadscore.snapshots import (
    ELIGIBLE,
    cohort_status,
    known_before,
    training_snapshots,
)
from leadscore.workflows.learnable import label_for_training
from leadscore.workflows.side import Side

__all__ = ["Compared", "compare"]


@dataclass(frozen=True)
class Compared:
    """How two models compare.

    Parameters
    ----------
    difference : Difference
        The challenger's log loss less that of the model in use.
    why_not : str
        Why it says little; else empty.
    since, until : Timestamp
        As_of of the first and the last row.
    """

    difference: Difference
    why_not: str
    since: pd.Timestamp
    until: pd.Timestamp


def compare(challenger: Side, champion: Side, *, tell: Tell) -> Compared:
    """Return how two models compare on leads that neither was fitted on.

    Raises
    ------
    RefusedError
        They cannot be compared; the sentence says why, without its full stop.
    """
    _check_same_question(challenger, champion)
    asked = _later_rows(challenger, champion)
    said, other = (
        side.model.predict(side.rows(asked, tell).features)
        for side in (challenger, champion)
    )
    difference = paired_difference(
        asked["converted"].to_numpy(),
        said,
        other,
        leads=asked["lead_id"].to_numpy(),
        groups=groups_of(asked),
        rng=np.random.default_rng(challenger.agreement.training.seed),
    )
    why_not = ""
    if difference.n_converted < MIN_CONVERTED:
        why_not = (
            f"at least {MIN_CONVERTED} converted leads (accounts) are needed to tell "
            "two models apart"
        )
    return Compared(difference, why_not, asked["as_of"].min(), asked["as_of"].max())


def _check_same_question(challenger: Side, champion: Side) -> None:
    """Refuse to compare answers to different questions."""
    ours, theirs = challenger.agreement, champion.agreement
    pairs = {
        "to convert means": (ours.conversion.stage, theirs.conversion.stage),
        "days ahead": (ours.conversion.horizon_days, theirs.conversion.horizon_days),
        "ages at which leads are looked at": (
            ours.snapshots.at_age_hours,
            theirs.snapshots.at_age_hours,
        ),
    }
    unlike = [f"{what}: {a}, not {b}" for what, (a, b) in pairs.items() if a != b]
    if unlike:
        msg = f"they predict different things ({'; '.join(unlike)})"
        raise RefusedError(msg)


def _later_rows(challenger: Side, champion: Side) -> pd.DataFrame:
    """Return the snapshots with what came of them; at least one.

    Raises
    ------
    RefusedError
    """
    tables, agreement = challenger.tables, challenger.agreement
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    labelled = label_for_training(snapshots, tables, agreement)
    settled = labelled[labelled["converted"].notna()].reset_index(drop=True)
    if settled.empty:
        msg = "no snapshot is mature"
        raise RefusedError(msg)
    days = agreement.training.promise_days or agreement.conversion.horizon_days
    is_newest = settled["as_of"] >= settled["as_of"].max() - pd.Timedelta(days=days)
    may_be_seen = [_may_be_seen(settled, side) for side in (challenger, champion)]
    seen = np.logical_or(*may_be_seen)
    groups = groups_of(settled)
    asked = settled[~np.isin(groups, groups[seen]) & is_newest.to_numpy()]
    theirs = champion.tables
    status = cohort_status(asked, theirs.leads, theirs.outcomes, champion.agreement)
    asked = asked[(status == ELIGIBLE).to_numpy()].reset_index(drop=True)
    if asked.empty:
        msg = _why_nobody(challenger, champion)
        raise RefusedError(msg)
    return asked


def _may_be_seen(settled: pd.DataFrame, side: Side) -> np.ndarray:
    """Return which rows are of leads that a model may have been fitted on.

    A model of a stated share was fitted on nobody, and no model on leads that were not
    known at its newest as_of. Of the others it held some out, by account. Accounts may
    have become known since, so what it held out is asked by the account of then and by
    that of today, and only what both say is believed.
    """
    if "stated" in side.model.settings:
        return np.zeros(len(settled), dtype=bool)
    bundle, newest = side.bundle, pd.Timestamp(side.bundle.provenance["last_as_of"])
    first_known = side.tables.leads.groupby("lead_id")["known_at"].min()
    was_there = first_known.reindex(settled["lead_id"]).to_numpy() < newest
    if not _holds_out(bundle):
        return np.asarray(was_there)
    training = bundle.agreement.training
    is_kept = np.ones(len(settled), dtype=bool)
    for groups in (groups_of(settled), _groups_then(settled, side)):
        is_kept &= held_out(groups, share=training.promise_share, seed=training.seed)
    return np.asarray(was_there & ~is_kept)


def _groups_then(settled: pd.DataFrame, side: Side) -> np.ndarray:
    """Return the groups as the data of the model's training had them."""
    then = pd.Timestamp(side.bundle.provenance["data_end"])
    leads = known_before(side.tables.leads, then)
    if leads.empty:
        return groups_of(settled)
    snapshots = training_snapshots(leads, side.tables.outcomes, side.agreement, then)
    account = snapshots.drop_duplicates("lead_id").set_index("lead_id")["account_id"]
    of_then = account.reindex(settled["lead_id"]).set_axis(settled.index)
    was_asked = settled["lead_id"].isin(account.index)
    return groups_of(
        settled.assign(account_id=of_then.where(was_asked, settled["account_id"]))
    )


def _holds_out(bundle: Bundle) -> bool:
    """Return whether some leads were kept from the fit: they set the thresholds."""
    return bool(bundle.thresholds)


def _why_nobody(challenger: Side, champion: Side) -> str:
    for side in (challenger, champion):
        if not _holds_out(side.bundle):
            return (
                f"{side.bundle.model_id} was fitted on all leads, and none is left "
                "that neither model was fitted on"
            )
    ours, theirs = (s.bundle.agreement.training for s in (challenger, champion))
    if ours.seed != theirs.seed:
        return (
            f"they hold out other leads (training.seed {ours.seed} and {theirs.seed}), "
            "and no lead of the newest mature period is held out by both"
        )
    return "no held-out lead was on a list of the newest mature period"
