"""Monotone: which columns may turn the probability in one direction only.

Goes in: the agreement's ``[monotone]`` and the catalogue. Comes out: column names. More
interactions of a kind that raises never lower the probability, all other columns equal;
days since the last one turn the other way, and never is longer ago than any day.

The columns held are those of the kind alone. An interaction also counts in the totals
(all kinds, engagement, silences), which are free.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadscore.agreement import Agreement
from leadscore.features import Catalogue

__all__ = ["Held", "held_columns"]

_AGO = "days_since_"


@dataclass(frozen=True)
class Held:
    """Columns whose direction is held.

    Parameters
    ----------
    raises, lowers : tuple of str
        More never lowers, and never raises, the probability.
    """

    raises: tuple[str, ...] = ()
    lowers: tuple[str, ...] = ()


def held_columns(catalogue: Catalogue, agreement: Agreement) -> Held:
    """Return the columns of what ``[monotone]`` names."""
    raises: list[str] = []
    lowers: list[str] = []
    for column in catalogue.columns:
        is_ago = column.name.startswith(_AGO)
        if column.group in agreement.monotone.raises:
            (lowers if is_ago else raises).append(column.name)
        elif column.group in agreement.monotone.lowers:
            (raises if is_ago else lowers).append(column.name)
    return Held(tuple(raises), tuple(lowers))
