"""Who there is: accounts, their leads, and everything drawn at a lead's creation.

Goes in: how many leads, a generator. Comes out: `Accounts` and `Leads`, arrays aligned
by account and by lead. They hold the full truth; what the firm gets to know of it, and
when, is told by `attributes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.simulate.days import (
    DATA_END,
    DAY,
    HOUR,
    N_DAYS,
    Bools,
    Floats,
    Ints,
    Texts,
    is_weekend,
    moment,
)

__all__ = ["Accounts", "Leads", "draw_accounts", "draw_leads"]

INDUSTRIES = ("software", "manufacturing", "retail", "finance", "health", "education")
COUNTRIES = ("FR", "BE", "CH", "DE", "ES")
SOURCES = ("organic", "paid", "referral", "event", "outbound")
FUNCTIONS = ("engineering", "it", "operations", "finance", "marketing", "sales")
SENIORITIES = ("junior", "senior", "manager", "director", "c_level")


@dataclass(frozen=True)
class Accounts:
    """The companies: one entry each."""

    ids: Texts
    industry: Texts
    country: Texts
    employees: Ints
    warmth: Floats  # how well the product suits them, seen by nobody
    has_scanner: Bools  # their mail server opens every mail and clicks every link
    is_listed: Bools  # the enrichment service knows them


@dataclass(frozen=True)
class Leads:
    """The people: one entry each, in order of creation."""

    ids: Texts
    account: Ints
    created: Ints
    created_day: Ints
    source: Texts
    job_function: Texts
    seniority: Texts
    excluded: Texts  # "", "competitor" or "student": the last two never buy
    fit: Floats  # 0 to 1: the better persona's share of criteria that hold
    appeal: Floats  # log factor on the hazard from fit, account and source
    reads_mail: Bools
    imported: Ints  # when the first row reached the firm
    profiled: Ints  # when they fill the profile form; after the export: never
    objected: Ints  # when they object to profiling; after the export: never

    @property
    def n(self) -> int:
        """The number of leads."""
        return len(self.ids)


def names(letter: str, n: int) -> Texts:
    """Return ids like L00001, wide enough to sort as they count."""
    width = max(5 if letter == "L" else 4, len(str(n)))
    return np.array([f"{letter}{i:0{width}d}" for i in range(1, n + 1)], dtype=object)


def pick(
    rng: np.random.Generator, n: int, values: tuple[str, ...], weights: list[float]
) -> Texts:
    """Return ``n`` values drawn with the given weights, which sum to 1."""
    return np.array(values, dtype=object)[rng.choice(len(values), n, p=weights)]


def draw_accounts(n_leads: int, rng: np.random.Generator) -> tuple[Accounts, Ints]:
    """Draw companies until they hold all leads; return them and each lead's account."""
    sizes = 1 + rng.poisson(0.6, n_leads)
    owner = np.repeat(np.arange(n_leads), sizes)[:n_leads]
    n = int(owner[-1]) + 1
    accounts = Accounts(
        ids=names("A", n),
        industry=pick(rng, n, INDUSTRIES, [0.25, 0.2, 0.15, 0.15, 0.15, 0.1]),
        country=pick(rng, n, COUNTRIES, [0.6, 0.12, 0.1, 0.1, 0.08]),
        employees=np.clip(rng.lognormal(5.0, 1.3, n), 3, 50_000).astype(np.int64),
        warmth=rng.normal(0.0, 0.35, n),
        has_scanner=rng.random(n) < 0.08,
        is_listed=rng.random(n) < 0.75,
    )
    return accounts, owner


def draw_leads(n: int, rng: np.random.Generator) -> tuple[Accounts, Leads]:
    """Draw the companies and their people, sorted by creation."""
    accounts, owner = draw_accounts(n, rng)
    created = _creation(owner, rng)
    order = np.argsort(created, kind="stable")
    account, created = owner[order], created[order]
    source = pick(rng, n, SOURCES, [0.35, 0.25, 0.12, 0.15, 0.13])
    excluded = pick(rng, n, ("", "competitor", "student"), [0.95, 0.02, 0.03])
    job_function = pick(rng, n, FUNCTIONS, [0.25, 0.2, 0.18, 0.12, 0.15, 0.1])
    seniority = pick(rng, n, SENIORITIES, [0.25, 0.3, 0.22, 0.15, 0.08])
    job_function[excluded == "student"] = "student"
    seniority[excluded == "student"] = "junior"
    fit = _fit(accounts, account, job_function, seniority)
    leads = Leads(
        ids=names("L", n),
        account=account,
        created=created,
        created_day=_day_of(created),
        source=source,
        job_function=job_function,
        seniority=seniority,
        excluded=excluded,
        fit=fit,
        appeal=1.5 * (fit - 0.5) + accounts.warmth[account] + _pull(source),
        reads_mail=rng.random(n) < 0.88,
        imported=_imported(created, source, rng),
        profiled=_later(created, rng.lognormal(1.3, 1.3, n), rng.random(n) < 0.75),
        objected=_later(created, rng.uniform(1, 200, n), rng.random(n) < 0.013),
    )
    return accounts, leads


def _creation(owner: Ints, rng: np.random.Generator) -> Ints:
    """Return creation instants: colleagues follow each other within months."""
    n = len(owner)
    first = (N_DAYS * rng.random(n)[owner]).astype(np.int64)
    is_follower = np.append(False, owner[1:] == owner[:-1])
    day = first + is_follower * rng.exponential(60, n).astype(np.int64)
    # Who would come after the two years comes at any time within them instead.
    day = np.where(day < N_DAYS, day, rng.integers(0, N_DAYS, n))
    day -= is_weekend(day) * np.minimum(day % 7 - 4, day)
    return moment(day, rng.uniform(8.0, 18.5, n))


def _day_of(seconds: Ints) -> Ints:
    start = int(moment(np.zeros(1, np.int64), np.zeros(1))[0])
    # Created in office hours, so the hour that summer time moves changes no day.
    return (seconds - start) // DAY


def _fit(
    accounts: Accounts, account: Ints, job_function: Texts, seniority: Texts
) -> Floats:
    """Return the better share of the two personas that the sample agreement names."""
    industry, employees = accounts.industry[account], accounts.employees[account]
    size_ok = (employees >= 50) & (employees <= 5000)
    evaluator = (
        2.0 * np.isin(job_function, ("engineering", "it"))
        + np.isin(seniority, ("senior", "manager"))
        + np.isin(industry, ("software", "manufacturing", "finance"))
        + size_ok
    )
    owner = (
        np.isin(job_function, ("operations", "finance", "it"))
        + 2.0 * np.isin(seniority, ("director", "c_level"))
        + np.isin(industry, ("manufacturing", "finance", "health"))
        + (employees >= 100)
    )
    share: Floats = np.maximum(evaluator, owner) / 5.0
    return share


def _pull(source: Texts) -> Floats:
    pull = {"organic": 0.0, "paid": -0.35, "referral": 0.5, "event": 0.0}
    return np.array([pull.get(name, -0.25) for name in source])


def _imported(created: Ints, source: Texts, rng: np.random.Generator) -> Ints:
    """Return when the first row arrived: badge lists of events come days later."""
    delay = np.where(source == "event", rng.integers(DAY, 4 * DAY, len(created)), 0)
    # The last badge list came in before the export.
    return np.minimum(created + delay, DATA_END - HOUR)


def _later(created: Ints, days: Floats, happens: Bools) -> Ints:
    """Return an instant some days after creation, or the export for never."""
    at = created + 600 + (days * DAY).astype(np.int64)
    return np.where(happens, np.minimum(at, DATA_END), DATA_END)
