"""What can be learned from: the rules that training obeys and `check` foretells.

Goes in: tables and the agreement. Comes out: snapshots with what came of them, and the
sentences that say why there is too little. Both verbs ask here, so that they agree.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.errors import AgreementError, DataError
from leadscore.periods import groups_of, is_held_out
from leadscore.recipe.lightgbm_trees import is_installed
from leadscore.recipe.stated import share_after
from leadscore.snapshots import known_before, label_snapshots
from leadscore.tables import Tables
from leadscore.workflows.backtest import n_converted_groups

__all__ = [
    "check_extras",
    "check_not_all",
    "check_stage",
    "label_for_training",
    "n_converted_to_fit",
    "why_nothing",
    "why_points",
]


def label_for_training(
    snapshots: pd.DataFrame, tables: Tables, agreement: Agreement
) -> pd.DataFrame:
    """Return the snapshots with what came of them; see `label_snapshots`.

    Leads that were merged later get no outcome: the other lead may have it.
    """
    labelled = label_snapshots(snapshots, tables.outcomes, agreement, tables.data_end)
    known = known_before(tables.leads, tables.data_end)
    merged = known.loc[known["merged_into"].notna(), "lead_id"].unique()
    is_open = labelled["lead_id"].isin(merged) & (labelled["converted"] == 0)
    return labelled.assign(
        converted=labelled["converted"].mask(is_open),
        set_aside=labelled["set_aside"].mask(is_open, "merged later"),
    )


def check_extras(agreement: Agreement) -> None:
    """Refuse an optional learner whose package is not here, before any work is done.

    Raises
    ------
    AgreementError
    """
    if "lightgbm" in agreement.training.extras and not is_installed():
        msg = (
            "training.extras names 'lightgbm', which cannot be used on this machine. "
            "Install it with pip install 'leadscore[lightgbm]' (Linux needs libgomp, "
            "macOS libomp, too), or take it out of extras in agreement.toml."
        )
        raise AgreementError(msg)


def check_stage(tables: Tables, agreement: Agreement) -> None:
    """Refuse a conversion stage that no outcome has.

    Raises
    ------
    DataError
    """
    stages = sorted(tables.outcomes["stage"].unique())
    if stages and agreement.conversion.stage not in stages:
        msg = (
            f"no outcome has the stage {agreement.conversion.stage!r} that the "
            f"agreement calls the conversion; stages in the data: {', '.join(stages)}. "
            "Set conversion.stage in agreement.toml to one of them."
        )
        raise DataError(msg)


def check_not_all(converted: np.ndarray, agreement: Agreement) -> None:
    """Refuse snapshots of which every one converted.

    Raises
    ------
    DataError
    """
    if len(converted) and converted.all():
        msg = (
            f"every one of the {len(converted)} mature snapshots converted. Check that "
            f"conversion.stage {agreement.conversion.stage!r} is not one that every "
            "lead reaches, and that leads who did not convert are in leads."
        )
        raise DataError(msg)


def why_nothing(snapshots: pd.DataFrame, tables: Tables, agreement: Agreement) -> str:
    """Return why nothing can be learned, where no mature snapshot converted."""
    conversion = agreement.conversion
    if snapshots.empty:
        days = conversion.horizon_days + conversion.reporting_lag_days
        first = tables.leads["known_at"].min() + pd.Timedelta(days=days)
        return (
            f"no snapshot is mature: the data ends on {tables.data_end.date()}, and a "
            f"horizon of {conversion.horizon_days} days and a lag of "
            f"{conversion.reporting_lag_days} end after {first.date()} at the "
            f"earliest. The points serve alone{_stated(0, agreement)}; train again "
            "with newer data, or with a shorter horizon."
        )
    n_groups = len(np.unique(groups_of(snapshots)))
    return (
        f"none of {snapshots['lead_id'].nunique()} leads with a mature snapshot "
        f"reached {conversion.stage!r} within {conversion.horizon_days} days: "
        f"{_at_most(snapshots, n_groups)}. The points serve alone"
        f"{_stated(n_groups, agreement)}; train again when some have."
    )


def _stated(n_silent: int, agreement: Agreement) -> str:
    """Return what is said of the probability, where none can be learned."""
    rate = agreement.training.prior_rate
    if rate is None:
        return ", and no probability is given"
    what = (
        f". Their probability is stated, not learned: training.prior_rate says that "
        f"{100 * rate:.3g} % of leads convert"
    )
    if n_silent == 0:
        return f"{what}, and every lead gets it"
    left = share_after(rate, n_silent)
    odd = ", which so many would contradict" if rate > _bound(n_silent) else ""
    return (
        f"{what}{odd}; taken as one conversion, and after {n_silent:,} leads "
        f"(accounts) without any, that is {100 * left:.2g} % on average, more for more "
        "points, with wide intervals"
    )


def _bound(n_groups: int) -> float:
    """Return the exact (Clopper-Pearson) one-sided 95 % bound where none of n did.

    The share at which none of n has a chance of 5 %, ``1 - 0.05 ** (1 / n)``.
    """
    return float(1 - 0.05 ** (1 / n_groups))


def _at_most(snapshots: pd.DataFrame, n_groups: int) -> str:
    """Return how many may convert where none of so many did, by lead or account."""
    bound = 100 * _bound(n_groups)
    # Two digits, rounded up: what is said must not be less than the bound.
    step = 10.0 ** (np.floor(np.log10(bound)) - 1)
    shown = np.format_float_positional(
        np.ceil(bound / step) * step, precision=2, fractional=False, trim="-"
    )
    n_leads = snapshots["lead_id"].nunique()
    by = f", by {n_groups:,} accounts," if n_groups < n_leads else ""
    return f"with 95 % confidence{by} fewer than {shown} % do"


def n_converted_to_fit(snapshots: pd.DataFrame, agreement: Agreement) -> int:
    """Return how many leads (accounts) converted of those that are not held out."""
    fit = snapshots[~is_held_out(snapshots, agreement)]
    return n_converted_groups(fit["converted"].to_numpy(), groups_of(fit))


def why_points(snapshots: pd.DataFrame, agreement: Agreement) -> str:
    """Return why the points serve alone, where some snapshots converted."""
    training, groups = agreement.training, groups_of(snapshots)
    needed, n_fit = training.min_conversions, n_converted_to_fit(snapshots, agreement)
    n_converted = n_converted_groups(snapshots["converted"].to_numpy(), groups)
    said = (
        f"{n_converted} converted leads (accounts) are mature, {n_fit} of them among "
        f"the {1 - training.promise_share:.0%} that are not held out to prove promises"
    )
    alone = "The points serve alone, and no label is issued by probability"
    if n_fit < needed:
        return (
            f"{said}; at least {needed} of these are needed to learn from behaviour. "
            f"{alone}; train again when there are more."
        )
    return (
        f"{said}, but no past origin has {needed} of these before it and outcomes of "
        f"both kinds after it. {alone}; train again with a longer history, or set "
        "training.test_days or conversion.horizon_days lower."
    )
