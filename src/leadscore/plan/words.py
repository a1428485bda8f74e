"""The words of a plan: what it rests on, and what it says.

Goes in: nothing. Comes out: the types that `leadscore.plan.make` takes and fills. All
counts are per week, and intervals those of `leadscore.plan.make.CONFIDENCE`. Null
probability of a step: nobody is let in by probability. Null revenue: no amount is
known.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from leadscore.plan.waiting import Queue

__all__ = ["Change", "Interval", "Outlook", "Past", "Plan", "Quarantine", "Step"]

Interval = tuple[float, float, float]  # expected, low, high


@dataclass(frozen=True)
class Past:
    """What a plan rests on.

    Parameters
    ----------
    listed : DataFrame
        ``lead_id, as_of, probability, is_raised, may_mql, may_sql`` of all leads up to
        the newest list, from each lead's first list on, sorted by lead, then instant.
    proven : DataFrame
        The same of the held-out leads up to the newest mature list, with ``group``,
        ``converted`` (null: not known) and ``value`` (revenue within the horizon).
    mature : DataFrame
        ``as_of, group, converted`` of all leads on all mature lists, held out or not.
    since : Timestamp
        The outcomes of arrivals in ``[since, newest mature list]`` count.
    n_weeks : int
        How far the lists go back.
    has_amounts : bool
        Whether ``value`` says anything.
    """

    listed: pd.DataFrame
    proven: pd.DataFrame
    mature: pd.DataFrame
    since: pd.Timestamp
    n_weeks: float
    has_amounts: bool


@dataclass(frozen=True)
class Step:
    """What a capacity brings; all per week, intervals of the mean of the coming weeks.

    Parameters
    ----------
    capacity : float
        Leads a week.
    probability : float or None
        The threshold.
    raised, nurtured : float
        Arrivals by road, the mean of the recent weeks.
    arrivals, conversions : (expected, low, high)
    revenue : (expected, low, high) or None
    n, n_converted : int
        Held-out groups that entered by the nurtured road, each once, and converted.
    bound : float
        Exact lower bound of their share, at the label's confidence.
    """

    capacity: float
    probability: float | None
    raised: float
    nurtured: float
    arrivals: Interval
    conversions: Interval
    revenue: Interval | None
    n: int
    n_converted: int
    bound: float


@dataclass(frozen=True)
class Change:
    """What another capacity changes; null where it cannot be.

    ``arrivals`` and ``conversions`` a week; ``low, high``: of the conversions, in the
    long run (by bootstrap over groups). ``precision``: conversions an arrival more or
    less; null where no arrival is.
    """

    step: Step
    arrivals: float
    conversions: float
    low: float
    high: float

    @property
    def precision(self) -> float | None:
        """Conversions an arrival, of those more or less."""
        return self.conversions / self.arrivals if self.arrivals else None


@dataclass(frozen=True)
class Quarantine:
    """What quarantine costs and saves at the threshold.

    ``days``: how much later the nurtured arrivals of the recent weeks come, on average.
    ``n_kept_out, n_kept_out_converted``: held-out leads that would have entered without
    it and never did.
    """

    days: float
    n_kept_out: int
    n_kept_out_converted: int


@dataclass(frozen=True)
class Outlook:
    """The coming weeks at the threshold in use.

    ``probability``: null where the label is not issued by probability. ``chance``: that
    at least one span brings more than the capacity; ``expected``: how many spans do.
    ``n_waiting``: leads of the newest list that stand above it and wait.
    """

    probability: float | None
    per_week: float
    chance: float
    expected: float
    n_waiting: int


@dataclass(frozen=True)
class Plan:
    """A plan for one label and capacity.

    Parameters
    ----------
    label : str
    confidence : float
        Of what can be promised.
    step : Step
    more, fewer : Change or None
        With one rep more, one fewer; None: nobody would be left.
    per_rep : float
        Leads a week that one rep works.
    queue : Queue
        The recent weeks, worked at this capacity and threshold.
    queue_spans : float
        How long a queue lasts once there is one, mean of the draws, in spans.
    quarantine : Quarantine
    outlook : Outlook
    changed : tuple of float or None
        Arrivals a week in the older and in the newer half of the recent weeks, where
        they differ beyond chance; the newer half alone counts then.
    n_spans, span_days : int
        The recent weeks.
    curve : DataFrame
        A row a threshold: ``probability, per_week, conversions, n, n_converted,
        bound``.
    """

    label: str
    confidence: float
    step: Step
    more: Change
    fewer: Change | None
    per_rep: float
    queue: Queue
    queue_spans: float
    quarantine: Quarantine
    outlook: Outlook
    changed: tuple[float, float] | None
    n_spans: int
    span_days: int
    curve: pd.DataFrame
