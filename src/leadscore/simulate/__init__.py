"""A simulated firm whose true conversion probabilities are known.

Goes in: how many leads and a seed. Comes out: the three tables as a firm would export
them, an agreement for them, and the truth that only tests and benchmarks may read. The
same arguments give the same frames. Nulls: ``known_at`` of interactions and outcomes is
null where it equals ``occurred_at``; attributes are null until they are known.

The firm sells software to firms. `population` says who there is, `paths` what truly
goes on in each lead, `behaviour`, `mailing`, `sales` and `outcomes` what can be seen of
it, `attributes` what the firm knows of the lead and since when.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

from leadscore.errors import UsageError
from leadscore.simulate.attributes import ATTRIBUTES, draw_rows
from leadscore.simulate.behaviour import draw_behaviour
from leadscore.simulate.days import DATA_END, DAY, Floats, Ints, instants, midnights
from leadscore.simulate.events import exported
from leadscore.simulate.mailing import draw_mail
from leadscore.simulate.outcomes import (
    conversion_instants,
    disqualified_instants,
    draw_outcomes,
)
from leadscore.simulate.paths import (
    conversion_ages,
    draw_paths,
    true_probability,
)
from leadscore.simulate.population import Accounts, Leads, draw_leads
from leadscore.simulate.sales import draw_sales, hand_overs
from leadscore.tables import INTERACTIONS, LEADS, OUTCOMES

__all__ = ["Simulation", "simulate"]


@dataclass(frozen=True)
class Simulation:
    """The export of a simulated firm, and the truth behind it.

    Parameters
    ----------
    leads, interactions, outcomes : DataFrame
        The columns of `LEADS` (and the attributes of the agreement, and
        ``objects_to_profiling``), `INTERACTIONS` and `OUTCOMES`. Instants are whole
        seconds, UTC. Nothing was known, nothing happened, at or after ``data_end``.
    truth : DataFrame
        ``lead_id, as_of, probability``: one row a lead and local midnight, from the day
        after its creation while it is at most 365 days old, neither converted nor
        disqualified before, and ``as_of < data_end``. The probability of converting in
        ``[as_of, as_of + 90 days)`` given all that was drawn at creation.
    agreement : str
        The text of an ``agreement.toml`` for these tables.
    data_end : Timestamp, UTC
        The instant of the export.
    """

    leads: pd.DataFrame
    interactions: pd.DataFrame
    outcomes: pd.DataFrame
    truth: pd.DataFrame
    agreement: str
    data_end: pd.Timestamp


def simulate(*, n_leads: int, seed: int) -> Simulation:
    """Simulate two years of a firm's leads.

    Parameters
    ----------
    n_leads : int
        At least 1; time and memory grow in proportion (20,000 leads: some 4 s, 1 GB).
    seed : int
        At least 0.

    Raises
    ------
    UsageError
        ``n_leads`` or ``seed`` is out of range.
    """
    if n_leads < 1 or seed < 0:
        msg = f"need at least 1 lead and a seed from 0, got {n_leads} and {seed}."
        raise UsageError(msg)
    # One stream a part: a change in one leaves the draws of the others alone.
    streams = np.random.default_rng(seed).spawn(8)
    accounts, leads = draw_leads(n_leads, streams[0])
    paths = draw_paths(leads, streams[1])
    ages = conversion_ages(paths.hazard, streams[2])
    converted = conversion_instants(leads, ages, streams[2])
    disqualified = disqualified_instants(leads, streams[2])
    mail, unsubscribed = draw_mail(accounts, leads, paths, streams[3])
    behaviour = pd.concat(
        [draw_behaviour(leads, paths, streams[4]), mail], ignore_index=True
    )
    behaviour = _until_the_end(behaviour, np.minimum(converted, disqualified))
    handed = hand_overs(n_leads, behaviour)
    handed = np.where(handed < disqualified, handed, DATA_END)
    sales = draw_sales(handed, converted, streams[5])
    employees = accounts.employees[leads.account]
    stages = draw_outcomes(
        leads, employees, converted, disqualified, handed, streams[6]
    )
    rows = draw_rows(accounts, leads, unsubscribed, streams[7])
    return Simulation(
        leads=_leads(rows, accounts, leads),
        interactions=_interactions(pd.concat([behaviour, sales]), leads),
        outcomes=_outcomes(stages, leads),
        truth=_truth(paths.hazard, leads, np.minimum(converted, disqualified)),
        agreement=_sample_agreement(),
        data_end=instants(np.array([DATA_END]))[0],
    )


def _until_the_end(behaviour: pd.DataFrame, ended: Ints) -> pd.DataFrame:
    """Drop what a lead would do more than three weeks after it left the funnel."""
    limit = ended[behaviour["lead"].to_numpy()] + 21 * DAY
    return behaviour[behaviour["occurred"].to_numpy() < limit]


def _leads(rows: pd.DataFrame, accounts: Accounts, leads: Leads) -> pd.DataFrame:
    """Return the rows of leads in the contract's columns, then the attributes."""
    lead = rows["lead"].to_numpy()
    table = rows[list(ATTRIBUTES)].assign(
        lead_id=pd.Series(leads.ids[lead], dtype="str"),
        created_at=instants(leads.created[lead]),
        known_at=instants(rows["known"].to_numpy()),
        account_id=pd.Series(accounts.ids[leads.account[lead]], dtype="str"),
        merged_into=pd.Series(np.full(len(rows), None, dtype=object), dtype="str"),
        employees=rows["employees"].astype("Int64"),
        objects_to_profiling=rows["objects_to_profiling"] > 0,
    )
    return table[[*LEADS.names, *ATTRIBUTES]]


def _interactions(frame: pd.DataFrame, leads: Leads) -> pd.DataFrame:
    """Return the log in the order it happened; ties in the order of their content."""
    order = ["occurred", "lead", "kind", "content"]
    log = exported(frame).sort_values(order, kind="stable", ignore_index=True)
    log = _dated(log.drop_duplicates(order, ignore_index=True), leads)
    log["duration_s"] = log["duration_s"].astype("Int64")
    return log[[name for name in INTERACTIONS.names if name in log]]


def _outcomes(frame: pd.DataFrame, leads: Leads) -> pd.DataFrame:
    """Return the stages in the order they were reached."""
    order = ["occurred", "lead", "stage"]
    log = exported(frame).sort_values(order, kind="stable", ignore_index=True)
    log = _dated(log, leads)
    log["amount"] = log["amount"].astype("Int64")
    return log[list(OUTCOMES.names)]


def _dated(frame: pd.DataFrame, leads: Leads) -> pd.DataFrame:
    """Name the leads and date the rows; ``known_at`` only where it says something."""
    occurred, known = frame["occurred"].to_numpy(), frame["known"].to_numpy()
    known_at = pd.Series(instants(known)).where(known > occurred)
    return frame.assign(
        lead_id=pd.Series(leads.ids[frame["lead"]], dtype="str"),
        occurred_at=instants(occurred),
        known_at=known_at,
    )


def _truth(hazard: Floats, leads: Leads, ended: Ints) -> pd.DataFrame:
    probability = true_probability(hazard)
    day = leads.created_day[:, None] + np.arange(1, probability.shape[1] + 1)
    as_of = midnights()[day]
    lead, column = np.nonzero((as_of <= ended[:, None]) & (as_of < DATA_END))
    return pd.DataFrame(
        {
            "lead_id": pd.Series(leads.ids, dtype="str")
            .take(lead)
            .reset_index(drop=True),
            "as_of": instants(as_of[lead, column]),
            "probability": probability[lead, column],
        }
    )


def _sample_agreement() -> str:
    return resources.files(__package__).joinpath("agreement.toml").read_text("utf-8")
