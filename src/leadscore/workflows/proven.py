"""What a proof of point-in-time correctness found, column by column.

Goes in: nothing. Comes out: the types that `leadscore.workflows.proof` fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

__all__ = ["Blind", "ColumnProof", "Leak", "Proof", "Verdict"]

Verdict = Literal["PROVEN", "ASSUMED", "UNMOVED", "LEAKS"]


@dataclass(frozen=True)
class Leak:
    """A trial that changed a column.

    Parameters
    ----------
    trial : {"removed", "injected", "company"}
    n_leads : int
        Whose rows it changed.
    lead_id : str
    as_of : Timestamp
        An example.
    """

    trial: str
    n_leads: int
    lead_id: str
    as_of: pd.Timestamp


@dataclass(frozen=True)
class ColumnProof:
    """The verdict on a column.

    Parameters
    ----------
    name : str
        As the model knows it; ``parts``, ``persona`` and ``raised`` stand before what
        is no feature.
    verdict : {"PROVEN", "ASSUMED", "UNMOVED", "LEAKS"}
        ASSUMED: proven if what leads say was known since they came to be; too few of
        them have a history to show that they would tell of a change. UNMOVED: no
        future changed it, but nothing else did either, so there is nothing to prove.
    leaks : tuple of Leak
    moved_by : tuple of str
        What changed it when known a microsecond before: ``event``, ``attribute``.
    """

    name: str
    verdict: Verdict
    leaks: tuple[Leak, ...] = ()
    moved_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blind:
    """Rows that a fact did not change although it was known before.

    Parameters
    ----------
    fact : {"interaction", "attribute", "conversion"}
    n_rows, n_asked : int
    """

    fact: str
    n_rows: int
    n_asked: int


@dataclass(frozen=True)
class Proof:
    """What was proven, column by column.

    Parameters
    ----------
    columns : tuple of ColumnProof
    blind : tuple of Blind
        Empty where every fact is seen from a microsecond after it was known.
    n_leads, n_instants, n_rows : int
        Leads looked at, instants for each, rows in all.
    seed : int
        Of the sample, and of the futures.
    history : float
        The share of all leads of which the table says when they changed.
    """

    columns: tuple[ColumnProof, ...]
    blind: tuple[Blind, ...]
    n_leads: int
    n_instants: int
    n_rows: int
    seed: int
    history: float

    @property
    def is_empty(self) -> bool:
        """Whether no lead could be looked at."""
        return self.n_rows == 0

    @property
    def holds(self) -> bool:
        """Whether no column sees the future, and none of what was known is missed.

        Where nothing was looked at, nothing holds.
        """
        return not self.is_empty and not self.blind and not self.of("LEAKS")

    def of(self, verdict: Verdict) -> tuple[ColumnProof, ...]:
        """Return the columns with a verdict."""
        return tuple(c for c in self.columns if c.verdict == verdict)
