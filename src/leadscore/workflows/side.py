"""A side: one of two models that are compared, with the data as it wants it.

Goes in: a bundle, the data folder, what was read for the other model. Comes out: the
bundle with its own agreement and tables; read once more only where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.errors import RefusedError
from leadscore.judge import feature_columns
from leadscore.model import FittedModel
from leadscore.progress import Tell
from leadscore.store import read_tables
from leadscore.tables import Tables
from leadscore.workflows.rows import Rows, build_rows
from leadscore.workflows.score import agreement_for, check_functions

__all__ = ["Side", "side_of"]


@dataclass(frozen=True)
class Side:
    """A model, its agreement with the folder's way of writing files, its tables."""

    bundle: Bundle
    agreement: Agreement
    tables: Tables

    @property
    def model(self) -> FittedModel:
        """The fitted model.

        Raises
        ------
        RefusedError
            There is none: the points serve alone.
        """
        if self.bundle.model is None:
            msg = f"{self.bundle.model_id} gives no probability"
            raise RefusedError(msg)
        return self.bundle.model

    def rows(self, snapshots: pd.DataFrame, tell: Tell) -> Rows:
        """Return rows as the model wants them."""
        catalogue = self.bundle.catalogue
        return build_rows(self.tables, snapshots, catalogue, self.agreement, tell=tell)


def side_of(bundle: Bundle, data: Path, other: Side, tell: Tell) -> Side:
    """Return a model with the data of a folder.

    Parameters
    ----------
    bundle : Bundle
    data : Path
    other : Side
        What was read of the folder already.
    tell : Tell

    Raises
    ------
    LeadscoreError
        The folder cannot be read as the model wants it, its functions of one's own are
        not those of the training, or it wants columns that are made no more.
    """
    agreement, _ = agreement_for(data, bundle)
    tables = other.tables
    if agreement != other.agreement:
        tell(f"reading the tables as {bundle.model_id} wants them")
        tables = read_tables(data, agreement, tell=tell)
    check_functions(bundle, tables)
    _check_columns(bundle)
    return Side(bundle, agreement, tables)


def _check_columns(bundle: Bundle) -> None:
    """Refuse a model of another version's code that wants other columns."""
    wanted = bundle.model.columns if bundle.model else ()
    absent = sorted(set(wanted) - set(feature_columns(bundle)))
    if absent:
        msg = (
            f"{bundle.model_id} was trained by another version of leadscore: it wants "
            f"columns that are made no more ({', '.join(absent[:3])})."
        )
        raise RefusedError(msg)
