"""Suspended: which promises a list must not be given, and why.

Goes in: what a model promises, what became of earlier labels, the list. Comes out:
labels that are not issued by probability today (those that stand are kept), the
promises shown as ``suspended``, and a sentence for each. A promise is suspended where
it is broken, where it has expired, and where the list no longer looks like the leads
that proved it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.bundle import Bundle
from leadscore.features import describe_features
from leadscore.judge import Judged
from leadscore.likeness import is_share_unlike, unlike_columns
from leadscore.movement import NURTURED, RAISED, State
from leadscore.promise import LEVELS
from leadscore.snapshots import ELIGIBLE, NEVER
from leadscore.workflows.rows import Rows

RANKED = "the list is ranked, and no new label is issued by probability"

__all__ = ["NOTHING", "RANKED", "Suspended", "expired", "unlike_slice"]


@dataclass(frozen=True)
class Suspended:
    """What is suspended.

    Parameters
    ----------
    labels : frozenset of str
        Not issued by probability; those that stand are kept.
    promises : frozenset of str
        Shown as ``suspended``.
    because : tuple of str
        A sentence each.
    """

    labels: frozenset[str] = frozenset()
    promises: frozenset[str] = frozenset()
    because: tuple[str, ...] = ()

    def and_also(self, other: Suspended) -> Suspended:
        """Return what either suspends; a label suspended twice needs one reason."""
        return Suspended(
            self.labels | other.labels,
            self.promises | other.promises,
            self.because + (other.because if other.labels - self.labels else ()),
        )


NOTHING = Suspended()


def expired(bundle: Bundle, as_of: pd.Timestamp) -> Suspended:
    """Return the promises of the model in use that are not valid any more."""
    found = NOTHING
    for label, threshold in bundle.thresholds.items():
        name = threshold.promise_id(bundle.model_id)
        if name is None or as_of < pd.Timestamp(threshold.expires):
            continue
        because = (
            f"the promise of {label} expired on {threshold.expires[:10]}: {RANKED}; "
            "train again and promote"
        )
        found = found.and_also(
            Suspended(frozenset([label]), frozenset([name]), (because,))
        )
    return found


def unlike_slice(bundle: Bundle, rows: Rows, judged: Judged) -> Suspended:
    """Return the promises that were proven on leads unlike those of the list.

    Parameters
    ----------
    bundle : Bundle
    rows : Rows
        Of the list.
    judged : Judged
    """
    is_listed = (rows.snapshots["status"] == ELIGIBLE).to_numpy()
    columns = rows.features.assign(probability=judged.seen["probability"])[is_listed]
    described = bundle.metrics.get("slice_levels") or {}
    shifted = unlike_columns(described, columns)
    found = NOTHING
    for label, threshold in bundle.thresholds.items():
        name = threshold.promise_id(bundle.model_id)
        if name is None:
            continue
        is_in, waits = _standing(judged.after, label)
        n_in, n_waiting, n_listed = (
            int((which & is_listed).sum()) for which in (is_in, waits, is_listed)
        )
        because = ""
        if shifted:
            because = f"shifted: {_in_words(list(shifted)[:3], bundle)}"
        elif is_share_unlike(threshold.selected, n_in, n_listed, n_waiting=n_waiting):
            because = (
                f"{n_in:,} of {n_listed:,} leads stand in it, against "
                f"{threshold.selected:.1%} of the leads that proved it"
            )
        if because:
            said = (
                f"the promise of {label} is suspended: the list no longer looks like "
                f"the leads that proved it ({because}); {RANKED}. Look at the data, "
                "or train again and promote"
            )
            found = found.and_also(
                Suspended(frozenset([label]), frozenset([name]), (said,))
            )
    return found


def _in_words(columns: list[str], bundle: Bundle) -> str:
    """Name columns as reports name them."""
    words = describe_features(bundle.catalogue, bundle.agreement)
    return "; ".join(words.get(name, name.replace("_", " ")) for name in columns)


def _standing(after: State, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return who stands in a label by the nurtured road, and who waits for it."""
    since = after.sql_since if label == "SQL" else after.mql_since
    has_it = after.level >= LEVELS[label]
    waits = ~has_it & (since != NEVER) & (after.road != RAISED)
    return has_it & (after.road == NURTURED), waits
