"""What the firm knows of each lead, and since when: the rows of `leads`.

A lead starts with little. The profile form adds the person, the enrichment service the
company, a later visit of it the company's growth; unsubscribing and objecting change
their flags. Every row repeats what was known before, so the latest row counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.simulate.days import DATA_END, DAY, HOUR, Floats, Ints, Texts, moment
from leadscore.simulate.events import text_of
from leadscore.simulate.population import Accounts, Leads

__all__ = ["ATTRIBUTES", "draw_rows"]

ATTRIBUTES = (
    "source",
    "country",
    "industry",
    "employees",
    "job_function",
    "seniority",
    "newsletter",
    "message",
    "objects_to_profiling",
)

MESSAGES = ("Call me please", "Do you integrate with our CRM?", "What does it cost?")


def draw_rows(
    accounts: Accounts, leads: Leads, unsubscribed: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the history of attributes.

    Returns
    -------
    DataFrame
        ``lead`` (index), ``known`` (seconds, UTC; increasing within a lead) and
        `ATTRIBUTES`; null where not known yet. All rows known before the export.
    """
    updates = [
        _first(accounts, leads, rng),
        _update(
            leads.profiled,
            job_function=leads.job_function,
            seniority=leads.seniority,
            country=accounts.country[leads.account],
        ),
        *_enriched(accounts, leads, rng),
        _update(unsubscribed, newsletter=np.full(leads.n, "no", dtype=object)),
        _update(leads.objected, objects_to_profiling=np.ones(leads.n)),
    ]
    rows = pd.concat(updates, ignore_index=True)
    rows["known"] = np.maximum(rows["known"], leads.imported[rows["lead"]])
    rows = rows[rows["known"] < DATA_END].sort_values(["lead", "known"], kind="stable")
    known_then = rows.groupby("lead")[list(ATTRIBUTES)].ffill()
    rows = rows[["lead", "known"]].join(known_then)
    # Two updates in one second are one row: the last, which holds both.
    return rows.drop_duplicates(["lead", "known"], keep="last", ignore_index=True)


def _update(known: Ints, **values: Texts | Floats | Ints) -> pd.DataFrame:
    """Return one row a lead, null in all attributes but the given ones."""
    columns: dict[str, object] = {"lead": np.arange(len(known)), "known": known}
    for name in ATTRIBUTES:
        if name in ("employees", "objects_to_profiling"):
            columns[name] = values.get(name, np.full(len(known), np.nan))
        else:
            given = values.get(name)
            text = None if given is None else given.astype(object)
            columns[name] = text_of(text, len(known))
    return pd.DataFrame(columns)


def _first(accounts: Accounts, leads: Leads, rng: np.random.Generator) -> pd.DataFrame:
    """Return the row each lead starts with: source, mostly the country, a message."""
    country = accounts.country[leads.account].copy()
    country[rng.random(leads.n) < 0.15] = None
    message = np.array(MESSAGES, dtype=object)[rng.integers(0, len(MESSAGES), leads.n)]
    message[(rng.random(leads.n) < 0.85) | (leads.source == "outbound")] = None
    return _update(
        leads.imported,
        source=leads.source,
        country=country,
        message=message,
        newsletter=np.where(leads.reads_mail, "yes", "no").astype(object),
        objects_to_profiling=np.zeros(leads.n),
    )


def _enriched(
    accounts: Accounts, leads: Leads, rng: np.random.Generator
) -> list[pd.DataFrame]:
    """Return the enrichment, some night soon, and its renewal the next year."""
    listed = accounts.is_listed[leads.account]
    three = np.full(leads.n, 3.0)
    soon = moment(leads.created_day + rng.integers(1, 11, leads.n), three)
    later = (
        soon + rng.integers(180, 400, leads.n) * DAY + rng.integers(0, HOUR, leads.n)
    )
    employees = accounts.employees[leads.account].astype(np.float64)
    growth = np.round(employees * rng.lognormal(0.05, 0.15, leads.n))
    return [
        _update(
            np.where(listed, soon, DATA_END),
            industry=accounts.industry[leads.account],
            employees=employees,
            country=accounts.country[leads.account],
        ),
        _update(np.where(listed, later, DATA_END), employees=growth),
    ]
