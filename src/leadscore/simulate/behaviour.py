"""What leads do by themselves: visits, downloads, webinars, requests.

Goes in: leads and their paths. Comes out: frames as in `events`. Rates follow the
latent engagement; requests follow the hazard, of which they are a sign and never a
cause. Nothing here looks at whether the lead converts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.simulate.days import (
    DAY,
    HOUR,
    MAX_AGE,
    N_DAYS,
    Floats,
    Ints,
    Texts,
    is_weekend,
    moment,
)
from leadscore.simulate.events import daily, days_late, events, when
from leadscore.simulate.paths import TYPES, Paths
from leadscore.simulate.population import Leads

__all__ = ["draw_behaviour"]

BLOG = ("attribution", "crm-hygiene", "forecasts", "gdpr", "nurturing", "pipelines")
PRODUCT = ("analytics", "connectors", "security", "workflows")
SERVICE = ("onboarding", "support", "training")
WHITEPAPERS = ("buyers-guide", "roi-study", "security-brief")


def draw_behaviour(
    leads: Leads, paths: Paths, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw everything that leads do on their own account, late rows included."""
    pace = paths.engagement * _week(leads)
    own = [
        _visits(leads, paths, pace, rng),
        _forms(leads, rng),
        _downloads(leads, pace, rng),
        _requests(leads, paths, pace, rng),
    ]
    web = _made_late(pd.concat(own, ignore_index=True), rng)
    others = [_webinars(leads, paths, rng), _booth(leads)]
    return pd.concat([web, *others], ignore_index=True)


def _week(leads: Leads) -> Floats:
    """Return how much work gets done on each day of each lead's life."""
    weekend = is_weekend(leads.created_day[:, None] + np.arange(MAX_AGE))
    return np.where(weekend, 0.25, 1.3)


def _visits(
    leads: Leads, paths: Paths, pace: Floats, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw sessions and the pages read in each, one after the other."""
    lead, age = daily(leads, 0.135 * pace, rng)
    start = when(leads, lead, age, rng)
    n_pages = 1 + rng.poisson(0.8, len(lead))
    lead, start = np.repeat(lead, n_pages), np.repeat(start, n_pages)
    seconds = np.ceil(np.clip(rng.lognormal(3.7, 0.9, len(lead)), 2, 1800))
    before = np.cumsum(seconds) - seconds
    first = np.repeat(np.cumsum(n_pages) - n_pages, n_pages)
    occurred = start + (before - before[first]).astype(np.int64)
    kind, content = _pages(lead, paths, rng)
    return events(lead, occurred, kind, "web", content=content, duration_s=seconds)


def _pages(lead: Ints, paths: Paths, rng: np.random.Generator) -> tuple[Texts, Texts]:
    """Return each page's kind and path: intent leads to prices and services."""
    n = len(lead)
    is_serious = rng.random(n) < paths.intent[lead]
    is_pricing = is_serious & (rng.random(n) < 0.4)
    is_curious = paths.course[lead] == TYPES.index("curious")
    is_blog = is_curious | (rng.random(n) < 0.55)
    kind = np.where(is_serious, "service_view", "page_view").astype(object)
    kind[is_pricing] = "pricing_view"
    content = np.where(is_blog, _some(BLOG, "blog", n, rng), "")
    content = np.where(is_blog, content, _some(PRODUCT, "product", n, rng))
    content = np.where(is_serious, _some(SERVICE, "services", n, rng), content)
    return kind, np.where(is_pricing, "pricing/plans", content)


def _some(
    names: tuple[str, ...], folder: str, n: int, rng: np.random.Generator
) -> Texts:
    paths = np.array([f"{folder}/{name}" for name in names], dtype=object)
    return paths[rng.integers(0, len(names), n)]


def _forms(leads: Leads, rng: np.random.Generator) -> pd.DataFrame:
    """Return the form that made the lead, and the profile form some fill in later."""
    came = np.flatnonzero(~np.isin(leads.source, ("event", "outbound")))
    first = events(
        came, leads.created[came], "form_fill", "web", content="form/contact"
    )
    everyone = np.arange(leads.n)
    profile = events(
        everyone, leads.profiled, "form_fill", "web", content="form/profile"
    )
    both = pd.concat([first, profile], ignore_index=True)
    return both.assign(duration_s=rng.integers(20, 240, len(both)).astype(float))


def _downloads(leads: Leads, pace: Floats, rng: np.random.Generator) -> pd.DataFrame:
    lead, age = daily(leads, 0.008 * pace, rng)
    content = _some(WHITEPAPERS, "whitepaper", len(lead), rng)
    at = when(leads, lead, age, rng)
    return events(lead, at, "whitepaper_download", "web", content=content)


def _requests(
    leads: Leads, paths: Paths, pace: Floats, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw requests to be contacted; a few come from people who will never buy."""
    # Who is lukewarm asks less than in proportion, or a request would promise little.
    urge = paths.hazard**2 / (paths.hazard + 0.003)
    lead, age = daily(leads, 3.0 * urge + 0.0001 * pace, rng)
    demo = events(lead, when(leads, lead, age, rng), "demo_request", "web")
    lead, age = daily(leads, 1.0 * urge + 0.0001 * pace, rng)
    call = events(lead, when(leads, lead, age, rng), "contact_request", "phone")
    return pd.concat([demo, call], ignore_index=True)


def _made_late(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Let the tracker deliver a few percent of the rows hours or days afterwards."""
    days = np.clip(rng.lognormal(-0.7, 1.3, len(frame)), 0.04, 12.0)
    delay = np.where(rng.random(len(frame)) < 0.03, days_late(days), 0)
    return frame.assign(known=frame["occurred"] + delay)


def _webinars(leads: Leads, paths: Paths, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a webinar every five weeks; who attended is imported days afterwards."""
    days = np.arange(24, N_DAYS, 35)  # Thursdays
    age = days - leads.created_day[:, None]
    busy = np.take_along_axis(paths.engagement, np.clip(age, 0, MAX_AGE - 1), axis=1)
    chance = np.where((age >= 2) & (age < MAX_AGE), 1.0 - np.exp(-0.05 * busy), 0.0)
    lead, which = np.nonzero(rng.random(chance.shape) < chance)
    at = moment(days[which], np.full(len(which), 11.0))
    signed_up = np.maximum(
        at - rng.integers(2 * HOUR, 14 * DAY, len(lead)),
        leads.created[lead] + rng.integers(600, DAY, len(lead)),
    )
    name = np.array([f"webinar/{i + 1:02d}" for i in range(len(days))], dtype=object)
    registered = events(
        lead, signed_up, "webinar_registered", "web", content=name[which]
    )
    came = rng.random(len(lead)) < 0.55
    attended = events(
        lead[came],
        at[came] + rng.integers(0, 600, came.sum()),
        "webinar_attended",
        "event",
        content=name[which[came]],
        duration_s=rng.uniform(600, 3600, came.sum()),
        known=at[came] + days_late(rng.uniform(1, 10, came.sum())),
    )
    return pd.concat([registered, attended], ignore_index=True)


def _booth(leads: Leads) -> pd.DataFrame:
    """Return the visit at which event leads were met, known when they were imported."""
    met = np.flatnonzero(leads.source == "event")
    return events(
        met, leads.created[met], "event_visit", "event", known=leads.imported[met]
    )
