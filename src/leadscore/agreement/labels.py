"""What MQL and SQL mean, who asked to be contacted, and how labels move.

The docstring of each section says what its keys mean.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from leadscore.agreement.base import (
    Days,
    Names,
    PlacedError,
    Section,
    Share,
    as_share,
)

__all__ = ["GRADES", "Grade", "HandRaise", "LabelRule", "Labels", "Movement"]

Grade = Literal["A", "B", "C", "D"]
GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")

_A_COIN = 0.5
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:(?:/|per|a)\s*week)?\s*", re.IGNORECASE)


def _provable(value: Any) -> Any:
    if isinstance(value, int | float) and value == 1:
        msg = (
            "no number of outcomes proves 100 %; promise less, like 0.9, or 0.3 as "
            "many firms do"
        )
        raise ValueError(msg)
    return value


def _confident(value: float) -> float:
    if value < _A_COIN:
        msg = (
            f"{value:g}: a promise that is right less often than a coin; write 0.5 or "
            "more, 0.95 is usual"
        )
        raise ValueError(msg)
    return value


def _a_week(value: Any) -> Any:
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value)
        what = number[1] if number else "how many leads a week, like 25"
        msg = f"{value!r} is text; write {what}, without quotes"
        raise ValueError(msg)
    return value


class LabelRule(Section):
    """When a label is issued: what it promises, or what sales can take a week.

    ``precision``: of the leads that enter the label, at least this share converts, with
    ``confidence``, 0.5 or more. ``min_fit`` and ``min_engagement``: who is below has no
    such label by the nurtured road.
    """

    precision: Annotated[Share, BeforeValidator(_provable)] | None = None
    capacity_per_week: (
        Annotated[float, BeforeValidator(_a_week), Field(gt=0)] | None
    ) = None
    confidence: Annotated[Share, AfterValidator(_confident)] = 0.95
    min_fit: Grade | None = None
    min_engagement: Annotated[int, Field(ge=1, le=4)] | None = None

    @model_validator(mode="after")
    def _one_lever(self) -> Self:
        if (self.precision is None) == (self.capacity_per_week is None):
            msg = "give either precision or capacity_per_week"
            raise ValueError(msg)
        return self


class Labels(Section):
    """MQL and SQL. A promise is valid for ``valid_days`` after the data it rests on."""

    MQL: LabelRule = LabelRule(precision=0.15)
    SQL: LabelRule = LabelRule(precision=0.30, min_fit="B")
    valid_days: Days = 180

    @model_validator(mode="after")
    def _sql_is_stricter(self) -> Self:
        mql, sql = self.MQL, self.SQL
        if mql.precision and sql.precision and sql.precision < mql.precision:
            msg = (
                f"SQL promises {sql.precision:.0%}, below MQL's {mql.precision:.0%}; "
                "SQL is the stricter"
            )
            raise _between(msg, "precision", "SQL", "MQL")
        weekly = (mql.capacity_per_week, sql.capacity_per_week)
        if weekly[0] and weekly[1] and weekly[1] > weekly[0]:
            msg = (
                f"SQL takes {weekly[1]:g} leads a week, MQL or better {weekly[0]:g}; "
                "every SQL is MQL or better, so give MQL no less"
            )
            raise _between(msg, "capacity_per_week", "SQL", "MQL")
        if mql.min_fit and mql.min_fit < (sql.min_fit or "D"):
            msg = (
                f"MQL needs fit {mql.min_fit}, SQL takes {sql.min_fit or 'any fit'}; "
                "who may be SQL must be allowed to be MQL"
            )
            raise _between(msg, "min_fit", "MQL", "SQL")
        if (mql.min_engagement or 1) > (sql.min_engagement or 1):
            msg = (
                f"MQL needs engagement {mql.min_engagement}, SQL "
                f"{sql.min_engagement or 1}; who may be SQL must be allowed to be MQL"
            )
            raise _between(msg, "min_engagement", "MQL", "SQL")
        return self


def _between(msg: str, key: str, *labels: str) -> PlacedError:
    return PlacedError(msg, *((label, key) for label in labels))


class HandRaise(Section):
    """Kinds by which a lead asks to be contacted, and how long that counts."""

    kinds: Names = ("demo_request", "contact_request")
    within_days: Days = 30
    min_fit: Grade = "C"


class Movement(Section):
    """How labels come and go by the nurtured road.

    ``score_every_days``: how often lists are scored; past lists are replayed so.
    ``quarantine_days``: how long a lead stands above a threshold before the label is
    issued; by default a week, and not at all where leads are looked at at ages.
    ``keep_share``: a label is kept down to this share of its threshold.
    ``rest_days``: how long after a rejection by sales, or after one of ``leave_kinds``,
    no label is issued or kept. ``curiosity``: kinds that alone make no SQL.
    ``min_known``: share of the personas' attributes that must be known of an SQL.
    """

    score_every_days: Days = 7
    quarantine_days: Annotated[int, Field(ge=0)] | None = None
    keep_share: Annotated[float, Field(gt=0, le=1), BeforeValidator(as_share)] = 0.8
    rest_days: Days = 90
    leave_kinds: Names = ("unsubscribe",)
    curiosity: Names = ("email_open", "like", "blog_view")
    min_known: Annotated[float, Field(ge=0, le=1), BeforeValidator(as_share)] = 0.5
