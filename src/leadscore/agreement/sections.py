"""The sections of an agreement: typed, frozen, every default one the field knows.

The docstring of each section says what its keys mean; a key that is not here is
refused.
"""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from leadscore.agreement.base import (
    Days,
    Names,
    PlacedError,
    Section,
    Share,
    Weight,
    as_share,
)
from leadscore.agreement.base import as_tuple as _as_tuple
from leadscore.agreement.features import CustomFeature, DecayedSum, Features
from leadscore.agreement.labels import (
    GRADES,
    HandRaise,
    LabelRule,
    Labels,
    Movement,
)

__all__ = [
    "GRADES",
    "Agreement",
    "Attribute",
    "ColumnNames",
    "Consent",
    "Conversion",
    "Criterion",
    "CustomFeature",
    "Database",
    "DecayedSum",
    "Engagement",
    "Features",
    "FileNames",
    "Fit",
    "HandRaise",
    "LabelRule",
    "Labels",
    "Machines",
    "Monotone",
    "Movement",
    "Persona",
    "PointRule",
    "Points",
    "Section",
    "Snapshots",
    "Source",
    "TableNames",
    "Training",
]

OPTIONAL_LEARNERS = ("lightgbm",)
_TOLD_APART = ("persona", "fit_grade")  # segments that no file holds


Hours = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]


class Conversion(Section):
    """What converting means, how far we look ahead, and which stages end a lead.

    ``rejected``: sales sent the lead back to marketing; it rests, see `Movement`.
    """

    stage: str = "opportunity"
    horizon_days: Days = 90
    reporting_lag_days: Annotated[int, Field(ge=0)] = 7
    lost: Names = ("lost",)
    disqualified: Names = ("disqualified",)
    recycled: Names = ("recycled",)
    rejected: Names = ("rejected",)


class Snapshots(Section):
    """When leads are looked at: every so many days, or at ages after creation."""

    every_days: Days | None = None
    at_age_hours: Hours = ()
    max_age_days: Days = 365

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if self.every_days is not None and self.at_age_hours:
            msg = "give either every_days or at_age_hours, not both"
            raise ValueError(msg)
        if any(hours <= 0 for hours in self.at_age_hours):
            msg = f"ages must be above zero hours, got {list(self.at_age_hours)}"
            raise ValueError(msg)
        if len(set(self.at_age_hours)) < len(self.at_age_hours):
            msg = f"an age stands there twice: {list(self.at_age_hours)}"
            raise ValueError(msg)
        return self

    @property
    def grid_days(self) -> int | None:
        """Days between calendar snapshots; None when snapshots stand at ages."""
        return None if self.at_age_hours else (self.every_days or 14)


class ColumnNames(Section):
    """Their column names by ours, one table each: ``lead_id = "Contact ID"``."""

    leads: dict[str, str] = Field(default_factory=dict)
    interactions: dict[str, str] = Field(default_factory=dict)
    outcomes: dict[str, str] = Field(default_factory=dict)


class FileNames(Section):
    """The file of each table inside the data folder: ``leads = "contacts.csv"``.

    A table that is not named here is looked for under its own name. One file may serve
    as interactions and outcomes: a log whose events are also the stages.
    """

    leads: str | None = None
    interactions: str | None = None
    outcomes: str | None = None

    @model_validator(mode="after")
    def _inside_the_folder(self) -> Self:
        for name in (self.leads, self.interactions, self.outcomes):
            if name is not None and (name in {"", ".", ".."} or set(name) & set("/\\")):
                msg = (
                    f"{name!r} is not the name of a file inside the data folder; write "
                    "it without a path, like 'contacts.csv'"
                )
                raise ValueError(msg)
        if self.leads is not None and self.leads in (self.interactions, self.outcomes):
            msg = (
                f"{self.leads!r} is named as leads and as another table; only "
                "interactions and outcomes may share a file (results that stand in "
                "the leads file are named under [source.dated_stages])"
            )
            raise ValueError(msg)
        return self


class TableNames(Section):
    """The table or view of each table, ``interactions = "crm.events"``."""

    leads: str | None = None
    interactions: str | None = None
    outcomes: str | None = None


class Database(Section):
    """A database that holds some of the tables, instead of files.

    ``url``: as SQLAlchemy writes it, without a password, or ``env:NAME``: the
    environment variable NAME holds it.
    """

    url: Annotated[str, Field(min_length=1)]
    tables: TableNames

    @model_validator(mode="after")
    def _tells_no_password(self) -> Self:
        if re.search(r"//[^/@]*:[^/]*@|(?i:password|pwd)\s*=", self.url):
            msg = (
                "the url holds a password, which would be kept with every model; put "
                'the url into an environment variable and write url = "env:NAME"'
            )
            raise ValueError(msg)
        is_name = re.fullmatch(r"env:[A-Za-z_]\w*", self.url)
        if self.url.startswith("env:") and not is_name:
            msg = 'after env: stands the name of a variable, like url = "env:CRM_URL"'
            raise ValueError(msg)
        names = (self.tables.leads, self.tables.interactions, self.tables.outcomes)
        if not any(names) or "" in names:
            msg = 'name the tables to read, like interactions = "crm.events"'
            raise ValueError(msg)
        return self


class Source(Section):
    """How the files are written; "auto" is detected, shown, and can be pinned here.

    ``dated_stages``: columns of the leads file that say when a stage was reached, by
    stage, ``customer = "Became a customer on"``: each filled cell is an outcome.
    """

    separator: Literal["auto", ",", ";", "\t", "|"] = "auto"
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252"] = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    date_order: Literal["auto", "ymd", "dmy", "mdy"] = "auto"
    null_words: Names = ("", "NULL", "null", "N/A", "n/a", "#N/A", "NaN", "nan", "-")
    max_reject_share: Annotated[float, Field(ge=0, le=1), BeforeValidator(as_share)] = (
        0.01
    )
    data_end: str | None = None
    files: FileNames = FileNames()
    dated_stages: dict[str, str] = Field(default_factory=dict)
    columns: ColumnNames = ColumnNames()
    database: Database | None = None

    @model_validator(mode="after")
    def _one_place_a_table(self) -> Self:
        names = ("leads", "interactions", "outcomes")
        tables = self.database.tables if self.database else TableNames()
        twice = [n for n in names if getattr(tables, n) and getattr(self.files, n)]
        if twice:
            msg = f"both a file and a table of the database are named: {twice}"
            raise ValueError(msg)
        return self


class Attribute(Section):
    """One column of leads that may be a feature; ``changes`` needs known_at history."""

    kind: Literal["category", "number", "text_presence", "date"]
    changes: bool
    description: str = ""


class Engagement(Section):
    """How interactions fade: decayed engagement, weights by kind (1 when not named)."""

    half_life_days: Annotated[float, Field(gt=0)] = 14.0
    weights: dict[str, Weight] = Field(default_factory=dict)


class Criterion(Section):
    """One condition of a persona on one attribute: a value list, or a range.

    Ranges are closed at both ends: ``min <= value <= max``.
    """

    attribute: str
    any_of: Names = ()
    min: float | None = None
    max: float | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.any_of and self.min is None and self.max is None:
            msg = f"criterion on {self.attribute!r} needs any_of, min or max"
            raise ValueError(msg)
        return self


class Persona(Section):
    """A kind of buyer: the weighted share of criteria that hold is the fit."""

    name: str
    criteria: Annotated[
        tuple[Criterion, ...], BeforeValidator(_as_tuple), Field(min_length=1)
    ]


class Fit(Section):
    """Lower edges of the fit grades, on the 0-100 scale; below C is D."""

    A: float = 75.0
    B: float = 50.0
    C: float = 25.0

    @model_validator(mode="after")
    def _descending(self) -> Self:
        if not 100 >= self.A > self.B > self.C > 0:
            msg = f"edges must fall from A to C, got A={self.A} B={self.B} C={self.C}"
            raise ValueError(msg)
        return self


class PointRule(Section):
    """Points for one kind: signed, repeatable, capped, decayed."""

    kind: str
    points: int
    cap: Annotated[int, Field(gt=0)] | None = None
    half_life_days: Annotated[float, Field(gt=0)] | None = None


class Points(Section):
    """The rule-based points: the rules, and a penalty for each full idle period."""

    rules: Annotated[tuple[PointRule, ...], BeforeValidator(_as_tuple)] = (
        PointRule(kind="whitepaper_download", points=5),
        PointRule(kind="email_open", points=2, cap=10),
    )
    idle_points: Annotated[int, Field(le=0)] = -4
    idle_days: Days = 30

    @model_validator(mode="after")
    def _one_rule_a_kind(self) -> Self:
        kinds = [rule.kind for rule in self.rules]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            msg = f"two rules for the same kind: {', '.join(twice)}"
            raise ValueError(msg)
        if "idle" in kinds:
            msg = "'idle' is the name of the penalty; map the kind to another name"
            raise ValueError(msg)
        return self


class Machines(Section):
    """Opens and clicks that a machine made: mail scanners, link checkers, prefetching.

    ``kinds``: what a machine can make, such as email_open and email_click; without any
    there is no rule. One of them is a machine's when it comes less than ``within_s``
    seconds after an interaction of kind ``sent`` (to the same lead, with the same
    content, or where one of the two has no content), or when it is one of a ``burst``:
    so many of these kinds by one lead, the last less than ``within_s`` seconds after
    the first, not all of one kind and content. Each is seen only when ``within_s``
    seconds have passed, so that what is seen is never judged again.
    """

    kinds: Names = ()
    sent: str | None = None
    within_s: Annotated[int, Field(gt=0, le=3600)] = 10
    burst: Annotated[int, Field(ge=2)] = 3

    @model_validator(mode="after")
    def _sending_is_not_judged(self) -> Self:
        if self.sent is not None and not self.kinds:
            msg = f"sent is {self.sent!r}, but kinds does not say what machines make"
            raise ValueError(msg)
        if self.sent in self.kinds:
            msg = f"{self.sent!r} is the sending itself; take it out of kinds"
            raise ValueError(msg)
        return self


class Monotone(Section):
    """What everybody agrees on: kinds that never lower, or never raise, a probability.

    Held for the columns of the kind itself, all else equal.
    """

    raises: Names = ()
    lowers: Names = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        both = sorted(set(self.raises) & set(self.lowers))
        if both:
            msg = f"both in raises and in lowers: {', '.join(both)}"
            raise ValueError(msg)
        return self


class Consent(Section):
    """Flag columns of leads: a lead for whom one is true is never scored."""

    exclude_when_true: Names = ()


class Training(Section):
    """How the recipe is judged and what is held out to set thresholds.

    ``retrain_every_days``: how often marketing and sales agreed to train again; past
    retrainings are replayed so, and beside it monthly, quarterly and never.
    ``prior_rate``: the share of leads that they expect to convert; it is asked only
    while none is known to have, and what stands on it is said to be stated.
    ``extras``: optional learners that enter the contest and the blend; each is a
    package of its own, ``pip install 'leadscore[lightgbm]'``.
    """

    seed: int = 0
    origins: Days = 3
    test_days: Days | None = None
    promise_share: Share = 0.25
    promise_days: Days | None = None
    min_conversions: Days = 20
    retrain_every_days: Days = 30
    prior_rate: Share | None = None
    extras: Names = ()

    @field_validator("extras")
    @classmethod
    def _extras_are_known(cls, extras: tuple[str, ...]) -> tuple[str, ...]:
        for name in extras:
            if name not in OPTIONAL_LEARNERS or extras.count(name) > 1:
                allowed = ", ".join(OPTIONAL_LEARNERS)
                msg = f"{name!r}: an optional learner, once, was expected: {allowed}"
                raise ValueError(msg)
        return extras


class Agreement(Section):
    """The whole agreement; see the sections for the meaning of each key.

    ``segments``: attributes by which leads are told apart, ``persona`` and
    ``fit_grade`` among them, to see whether probabilities hold for each value.
    """

    version: str = "1"
    time_zone: str = "UTC"
    conversion: Conversion = Conversion()
    snapshots: Snapshots = Snapshots()
    source: Source = Source()
    attributes: dict[str, Attribute] = Field(default_factory=dict)
    engagement: Engagement = Engagement()
    features: Features = Features()
    personas: Annotated[tuple[Persona, ...], BeforeValidator(_as_tuple)] = ()
    fit: Fit = Fit()
    points: Points = Points()
    labels: Labels = Labels()
    hand_raise: HandRaise = HandRaise()
    movement: Movement = Movement()
    machines: Machines = Machines()
    monotone: Monotone = Monotone()
    consent: Consent = Consent()
    training: Training = Training()
    segments: Names = ()

    @model_validator(mode="after")
    def _segments_are_categories(self) -> Self:
        known = self.attributes.items()
        categories = sorted(name for name, a in known if a.kind == "category")
        allowed = list(dict.fromkeys([*categories, *_TOLD_APART]))
        wrong = [name for name in self.segments if name not in allowed]
        if wrong:
            msg = (
                f"segments names what is no category: {', '.join(wrong)}. Allowed: "
                f"{', '.join(allowed)}"
            )
            raise PlacedError(msg, ("segments",))
        if len(set(self.segments)) < len(self.segments):
            msg = f"segments names the same twice: {', '.join(self.segments)}"
            raise PlacedError(msg, ("segments",))
        return self

    @model_validator(mode="after")
    def _names_hold_together(self) -> Self:
        _check_zone(self.time_zone)
        _check_criteria(self.personas, self.attributes)
        denied = sorted(set(self.attributes) & set(self.features.deny))
        if denied:
            msg = f"attributes both declared and on the deny-list: {', '.join(denied)}"
            raise PlacedError(msg, *(("attributes", name) for name in denied))
        named = {rule.kind for rule in self.points.rules}
        named |= set(self.hand_raise.kinds) | set(self.engagement.weights)
        named |= self.features.weighted_kinds
        named |= set(self.monotone.raises) | set(self.monotone.lowers)
        useless = sorted(named & set(self.features.deny))
        if useless:
            msg = (
                "kinds on the deny-list earn no points, no engagement, weigh nothing "
                "in a decay, raise no hand and turn no probability: "
                f"{', '.join(useless)}"
            )
            raise PlacedError(msg, ("features", "deny"))
        judged = set(self.machines.kinds)
        if judged and judged <= set(self.features.deny):
            msg = (
                "[machines] has nothing to keep apart: all its kinds are on the "
                f"deny-list and count for nothing: {', '.join(sorted(judged))}"
            )
            raise PlacedError(msg, ("machines", "kinds"))
        asking = sorted(judged & set(self.hand_raise.kinds))
        if asking:
            msg = (
                "[machines] and [hand_raise] name the same kinds: what a machine made "
                f"raises no hand; take them out of one of the two: {', '.join(asking)}"
            )
            raise PlacedError(msg, ("machines", "kinds"))
        turned = {*self.monotone.raises, *self.monotone.lowers}
        no_kinds = sorted(turned & {*self.attributes, "persona_fit", "points"})
        if no_kinds:
            msg = (
                "[monotone] takes kinds of interactions; these are none: "
                f"{', '.join(no_kinds)}"
            )
            raise PlacedError(msg, ("monotone", "raises"), ("monotone", "lowers"))
        asked = sorted(set(self.attributes) & set(self.consent.exclude_when_true))
        if asked:
            msg = f"consent columns cannot be attributes too: {', '.join(asked)}"
            raise PlacedError(msg, *(("attributes", name) for name in asked))
        return self

    @property
    def quarantine_days(self) -> int:
        """How long a lead stands above a threshold before a label is issued."""
        given = self.movement.quarantine_days
        if given is not None:
            return given
        return 0 if self.snapshots.at_age_hours else 7

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The agreement's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)


def _check_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        msg = f"time_zone {name!r} is not known; write one like 'Europe/Paris'"
        raise PlacedError(msg, ("time_zone",)) from error


def _check_criteria(
    personas: tuple[Persona, ...], attributes: dict[str, Attribute]
) -> None:
    for persona in personas:
        for criterion in persona.criteria:
            attribute = attributes.get(criterion.attribute)
            if attribute is None:
                known = ", ".join(sorted(attributes)) or "none"
                msg = (
                    f"persona {persona.name!r} asks for {criterion.attribute!r}, which "
                    f"[attributes] does not declare (declared: {known})"
                )
                raise PlacedError(msg, sets=("attribute", criterion.attribute))
            if criterion.any_of and attribute.kind != "category":
                msg = f"any_of needs a category, {criterion.attribute!r} is not one"
                raise PlacedError(msg, sets=("attribute", criterion.attribute))
            if not criterion.any_of and attribute.kind != "number":
                msg = f"min and max need a number, {criterion.attribute!r} is not one"
                raise PlacedError(msg, sets=("attribute", criterion.attribute))
