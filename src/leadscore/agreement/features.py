"""The section of the features: windows, counts, decays and functions of one's own.

Whatever is added here becomes columns of the catalogue, with a description and with a
group by which reasons name it. Names become names of columns, so they are identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from leadscore.agreement.base import Names, Section, Weight, as_tuple

__all__ = ["CustomFeature", "DecayedSum", "Features"]

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTION = re.compile(r"([A-Za-z_]\w*\.py):([A-Za-z_]\w*)", re.ASCII)
# Columns beside the features where those are written, or made from them.
_TAKEN = frozenset({"lead_id", "as_of", "status", "index", "points", "persona_fit"})
_MAX_DAYS = 36_500

Windows = Annotated[
    tuple[Annotated[int, Field(gt=0, le=_MAX_DAYS)], ...], BeforeValidator(as_tuple)
]


class DecayedSum(Section):
    """A sum of weights by kind, halved every ``half_life_days`` (left out: never).

    A kind that ``weights`` does not name adds nothing.
    """

    name: str
    weights: Annotated[dict[str, Weight], Field(min_length=1)]
    half_life_days: Annotated[float, Field(gt=0)] | None = None
    description: str = ""

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        _check_names([self.name], "a decay")
        return self


class CustomFeature(Section):
    """A column by a function of one's own: ``function = "my_features.py:intent"``.

    The file lies beside ``agreement.toml``. ``description`` is what reasons say before
    the value; columns of one ``group`` are one reason.
    """

    name: str
    function: str
    description: Annotated[str, Field(min_length=1)]
    group: str | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        _check_names([self.name], "a feature of one's own")
        _check_names([self.group] if self.group is not None else [], "a group")
        if not _FUNCTION.fullmatch(self.function):
            msg = (
                f"function {self.function!r} does not name a function in a file beside "
                "agreement.toml; write it like 'my_features.py:intent'"
            )
            raise ValueError(msg)
        return self

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.function.partition(":")[0]

    @property
    def call(self) -> str:
        """The name of the function in it."""
        return self.function.partition(":")[2]


class Features(Section):
    """What becomes a feature, and what never does.

    ``deny``: kinds and attributes that never become features. It starts with what sales
    does: a call or a quote happens *because* somebody already believes in the lead, so
    it would predict the past.

    ``windows_days``: the windows of counts; "ever" is always one more. ``by_channel``:
    count by channel, too. ``content_groups``: groups of contents by patterns, ``pricing
    = ["/pricing*", "/tarifs*"]``, counted as kinds are; a content may be in several.
    ``decays``: more sums that fade. ``custom``: functions of one's own.
    """

    deny: Names = (
        "call",
        "sales_call",
        "sales_email",
        "sales_meeting",
        "meeting",
        "quote",
        "proposal",
        "owner",
        "lead_status",
        "lead_quality",
    )
    windows_days: Windows = (7, 30, 90)
    by_channel: bool = False
    content_groups: dict[str, Names] = Field(default_factory=dict)
    decays: Annotated[tuple[DecayedSum, ...], BeforeValidator(as_tuple)] = ()
    custom: Annotated[tuple[CustomFeature, ...], BeforeValidator(as_tuple)] = ()

    @model_validator(mode="after")
    def _says_each_once(self) -> Self:
        twice = _repeated(map(str, self.windows_days))
        if twice:
            msg = f"windows_days names a window twice: {', '.join(twice)}"
            raise ValueError(msg)
        _check_names(self.content_groups, "a content group")
        empty = [n for n, like in self.content_groups.items() if not any(like)]
        if empty:
            msg = f"content groups without a pattern: {', '.join(sorted(empty))}"
            raise ValueError(msg)
        twice = _repeated([*(d.name for d in self.decays), *self._custom_names])
        if twice:
            msg = f"two features would be called {', '.join(twice)}"
            raise ValueError(msg)
        return self

    @property
    def _custom_names(self) -> list[str]:
        return [feature.name for feature in self.custom]

    @property
    def weighted_kinds(self) -> set[str]:
        """The kinds that the decays name."""
        return {kind for decay in self.decays for kind in decay.weights}


def _check_names(names: Iterable[str], what: str) -> None:
    odd = sorted(n for n in names if not _IDENTIFIER.fullmatch(n) or n in _TAKEN)
    if odd:
        msg = (
            f"{what} cannot be called {', '.join(map(repr, odd))}: take lower-case "
            "letters, digits and _, a letter first, and no name of a column of our own"
        )
        raise ValueError(msg)


def _repeated(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})
