"""Planning: which threshold sends sales as many leads as they can work.

Goes in: the replayed past. Comes out: a `Plan`. `make` makes it of `arrivals` (how many
came), `foreseen` (how many will) and `waiting` (who waits); `words` says what it holds.
"""

from __future__ import annotations

from leadscore.plan.make import CONFIDENCE, RECENT_WEEKS, WEEKS_AHEAD, make_plan
from leadscore.plan.words import Change, Past, Plan, Step

__all__ = [
    "CONFIDENCE",
    "RECENT_WEEKS",
    "WEEKS_AHEAD",
    "Change",
    "Past",
    "Plan",
    "Step",
    "make_plan",
]
