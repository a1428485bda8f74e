"""The proposal: what a challenger would change, beside the model in use, in words.

Goes in: two models' ids, the difference of their losses, what each label would do under
both. Comes out: the same as plain data, and sentences for the terminal, the registry
and a refusal. Nothing is decided by it: a person promotes. Null: not known, because
there was nothing to compare with; the proposal says why.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from leadscore.paired import Difference

__all__ = ["Change", "Proposal"]


@dataclass(frozen=True)
class Change:
    """What would become of one label; MQL means MQL or better.

    Parameters
    ----------
    label : {"MQL", "SQL"}
    threshold_was, threshold_now : float or None
        None: not issued by probability.
    promise_was, promise_now : float or None
        The least share that converts; None: nothing is promised.
    monthly_was, monthly_now : float or None
        Leads that enter in a month, by any road. None: not replayed.
    n_was, n_now : float or None
        Leads that stand in it on the newest list.
    n_gain, n_lose : float or None
        Leads of the newest list that stand in it only under the one model.
    """

    label: str
    threshold_was: float | None = None
    threshold_now: float | None = None
    promise_was: float | None = None
    promise_now: float | None = None
    monthly_was: float | None = None
    monthly_now: float | None = None
    n_was: float | None = None
    n_now: float | None = None
    n_gain: float | None = None
    n_lose: float | None = None


@dataclass(frozen=True)
class Proposal:
    """A challenger beside the model that was in use when it was trained.

    Parameters
    ----------
    challenger, champion : str
        Ids of the models; differences are those of the first less the second.
    data_end : str
        Until when the data goes that both were compared on, ISO 8601.
    difference : Difference or None
        Of their log losses; None: not compared.
    why_not : str
        Why they were not compared, or why the difference says little; else empty.
    since, until : str
        As_of of the first and the last row compared, ISO 8601; empty: none.
    changes : tuple of Change
        SQL, then MQL.
    why_not_replayed : str
        Why it is not known what the labels would do; else empty.
    replayed_since, replayed_until : str
        The lists that were replayed, both included, ISO 8601; empty: none.
    share : float
        Of the leads that were replayed; numbers of leads are scaled up by it.
    """

    challenger: str
    champion: str
    data_end: str
    difference: Difference | None = None
    why_not: str = ""
    since: str = ""
    until: str = ""
    changes: tuple[Change, ...] = field(default=())
    why_not_replayed: str = ""
    replayed_since: str = ""
    replayed_until: str = ""
    share: float = 1.0

    @property
    def is_better(self) -> bool:
        """Whether the challenger was shown to be better: beyond chance, on enough."""
        found = self.difference
        return found is not None and not self.why_not and found.is_better

    @property
    def verdict(self) -> str:
        """Whether it is better, in two or three words."""
        if self.difference is None:
            return "not compared"
        if self.why_not:
            return "too little to tell"
        if self.is_better:
            return "better"
        return "worse" if self.difference.low > 0 else "not shown to be better"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, the verdict included."""
        return asdict(self) | {
            "changes": [asdict(change) for change in self.changes],
            "is_better": self.is_better,
            "verdict": self.verdict,
        }

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Proposal:
        """Return what `as_dict` made plain; what follows from the rest is not read.

        Raises
        ------
        KeyError, TypeError
            It is no proposal.
        """
        own = {name: said[name] for name in cls.__dataclass_fields__}
        difference = own["difference"]
        return cls(
            **own
            | {
                "difference": None if difference is None else Difference(**difference),
                "changes": tuple(Change(**change) for change in own["changes"]),
            }
        )

    def compared_said(self) -> str:
        """Return how they compare, in a sentence without its full stop."""
        found = self.difference
        if found is None:
            return (
                f"not compared with {self.champion}, the model in use: {self.why_not}"
            )
        accounts = (
            ""
            if found.n_groups == found.n_leads
            else (f" of {found.n_groups:,} accounts")
        )
        said = (
            f"{self.verdict} than {self.champion}, the model in use"
            if self.verdict in ("better", "worse")
            else f"{self.verdict}, beside {self.champion}, the model in use"
        )
        why = f"; {self.why_not}" if self.why_not else ""
        return (
            f"{said}: on {found.n_leads:,} leads{accounts} that neither was fitted on, "
            f"{found.n_converted:,} of them converted, as_of {self.since[:10]} to "
            f"{self.until[:10]}, the log loss differs by {found.value:+.4f} (95 % "
            f"interval {found.low:+.4f} to {found.high:+.4f}; below zero is better)"
            f"{why}"
        )

    def entries_said(self) -> str:
        """Return how many would enter and who would move; empty: not replayed."""
        changes = {change.label: change for change in self.changes}
        mql, sql = changes.get("MQL"), changes.get("SQL")
        if mql is None or sql is None or sql.monthly_was is None:
            return ""
        about = "" if self.share >= 1 else "about "
        return (
            f"{about}MQL or better {_count(mql.monthly_was)} -> "
            f"{_count(mql.monthly_now)} leads a month, SQL {_count(sql.monthly_was)} "
            f"-> {_count(sql.monthly_now)}; on the newest list {_moves(sql)}, "
            f"{_moves(mql)}"
        )

    def thresholds_said(self) -> tuple[str, ...]:
        """Return each label's threshold and promise under both, a sentence a label."""
        return tuple(
            f"{change.label} from {_share(change.threshold_was)} -> "
            f"{_share(change.threshold_now)}, promises {_promised(change.promise_was)} "
            f"-> {_promised(change.promise_now)}"
            for change in self.changes
        )


def _count(n: float | None) -> str:
    return "?" if n is None else f"{n:,.0f}"


def _moves(change: Change) -> str:
    name = "SQL" if change.label == "SQL" else "MQL or better"
    lose, gain = _count(change.n_lose), _count(change.n_gain)
    losing = "1 lead loses" if lose == "1" else f"{lose} leads lose"
    return f"{losing} {name} and {gain} gain{'s' * (gain == '1')} it"


def _share(probability: float | None) -> str:
    return "not issued" if probability is None else f"{probability:.1%}"


def _promised(precision: float | None) -> str:
    return "nothing" if precision is None else f"{precision:.0%}"
