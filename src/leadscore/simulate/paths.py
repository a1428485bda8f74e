"""What truly goes on in a lead: its engagement path and its conversion hazard.

Both are matrices (lead, age in days), fixed by what was drawn at creation. Nothing that
happens later feeds back into them, so the probability of converting within a horizon is
known in closed form on every day: ``1 - exp(-sum of the daily hazards)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadscore.simulate.days import HORIZON, MAX_AGE, Floats, Ints, base_rate
from leadscore.simulate.population import Leads

__all__ = ["TYPES", "Paths", "conversion_ages", "draw_paths", "true_probability"]

TYPES = ("buyer", "sleeper", "fader", "curious")
_BUYER, _SLEEPER, _FADER, _CURIOUS = range(4)

HAZARD_SCALE = 0.0034


@dataclass(frozen=True)
class Paths:
    """The latent course of every lead.

    Parameters
    ----------
    engagement : ndarray of shape (n_leads, MAX_AGE)
        Around 1 when a lead is busy with us, by age in days; age 0 is the day of
        creation.
    hazard : ndarray of shape (n_leads, MAX_AGE)
        Daily conversion hazard; 0 on the day of creation and for who never buys.
    intent : ndarray of shape (n_leads,)
        Share of page views that go to pricing and service pages.
    course : ndarray of shape (n_leads,)
        Index into `TYPES`.
    """

    engagement: Floats
    hazard: Floats
    intent: Floats
    course: Ints


def draw_paths(leads: Leads, rng: np.random.Generator) -> Paths:
    """Draw each lead's course and intent, and lay out its path and hazard."""
    course = _courses(leads, rng)
    engagement = _engagement(course, rng)
    beta = np.array([[4.0, 7.0], [4.0, 8.0], [2.0, 8.0], [1.0, 9.0]])[course]
    intent = np.where(course == _CURIOUS, 0.0, rng.beta(beta[:, 0], beta[:, 1]))
    return Paths(engagement, _hazard(leads, engagement, intent), intent, course)


def _courses(leads: Leads, rng: np.random.Generator) -> Ints:
    """Return each lead's type; who fits well is a buyer more often."""
    lean = np.array([1.6, 1.0, 0.0, -0.4]) * (leads.fit[:, None] - 0.5)
    weight = np.array([0.22, 0.10, 0.43, 0.25]) * np.exp(lean)
    edges = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    below: Ints = (rng.random(leads.n)[:, None] > edges[:, :-1]).sum(axis=1)
    return below


def _engagement(course: Ints, rng: np.random.Generator) -> Floats:
    """Return level * rise * fall: buyers ramp up, sleepers wake, faders decline."""
    level_of = np.array([1.2, 1.2, 0.9, 0.5])
    delay_of = np.array([[0, 1], [40, 170], [0, 1], [0, 1]])
    rise_of = np.array([[15, 70], [10, 40], [1, 2], [3, 10]])
    hold_of = np.array([[60, 180], [50, 130], [3, 25], [90, 330]])
    fade_of = np.array([[20, 60], [15, 50], [6, 30], [30, 90]])

    def between(edges: Ints) -> Floats:
        low, high = edges[course].T
        return rng.uniform(low, high)[:, None]

    level = (level_of[course] * rng.lognormal(0.0, 0.4, len(course)))[:, None]
    delay, rise = between(delay_of), between(rise_of)
    hold, fade = between(hold_of), between(fade_of)
    # Half a day: what happens on a day is felt at its noon.
    awake = np.maximum(0.0, np.arange(MAX_AGE) + 0.5 - delay)
    rising = 0.1 + 0.9 * (1.0 - np.exp(-awake / rise))
    path: Floats = level * rising * np.exp(-np.maximum(0.0, awake - hold) / fade)
    return path


def _hazard(leads: Leads, engagement: Floats, intent: Floats) -> Floats:
    """Return the daily hazard from appeal, intent, engagement, age and the calendar."""
    ages = np.arange(MAX_AGE)
    drive = np.exp(leads.appeal) * (0.4 + 1.4 * intent)
    drive[leads.excluded != ""] = 0.0
    # A decision takes weeks to ripen, and a lead that waits a year has gone stale.
    ripe = (1.0 - np.exp(-ages / 20.0)) * np.exp(-ages / 400.0)
    season = base_rate(leads.created_day[:, None] + ages)
    hazard = drive[:, None] * (0.03 + engagement) ** 0.9 * ripe * season
    return HAZARD_SCALE * hazard


def true_probability(hazard: Floats) -> Floats:
    """Return P(conversion in [midnight of age k, 90 days on)) for k = 1..365.

    Returns
    -------
    ndarray of shape (n_leads, 365)
        Given no conversion before; column 0 is the midnight after creation.
    """
    total = np.cumsum(hazard, axis=1)
    ahead = total[:, HORIZON:-1] - total[:, : -HORIZON - 1]
    # The last bits of exp differ between processors; the file should not.
    probability = np.round(-np.expm1(-ahead), 12)
    return probability.astype(np.float64, copy=False)


def conversion_ages(hazard: Floats, rng: np.random.Generator) -> Ints:
    """Draw the age in days at which each lead converts; MAX_AGE where it never does."""
    patience = rng.exponential(size=len(hazard))
    ages: Ints = (np.cumsum(hazard, axis=1) < patience[:, None]).sum(axis=1)
    return ages
