"""What every section of an agreement is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "Days",
    "Names",
    "PlacedError",
    "Section",
    "Share",
    "Weight",
    "as_share",
    "as_tuple",
]


def as_tuple(value: Any) -> Any:
    """Return a list as a tuple: TOML has lists only."""
    return tuple(value) if isinstance(value, list) else value


def as_share(value: Any) -> Any:
    """Return the value; a share that is written in percent is refused with the share.

    Raises
    ------
    ValueError
        It lies above 1, up to 100.
    """
    if isinstance(value, int | float) and 1 < value <= 100:
        msg = f"{value:g} is more than 1; write {value / 100:g} for {value:g} %"
        raise ValueError(msg)
    return value


class PlacedError(ValueError):
    """What a whole section finds, with the place in the text that it is about.

    Parameters
    ----------
    message : str
    *paths : tuple of str
        Keys from the section on; the first that the text sets gives the line.
    sets : tuple of (str, str), optional
        A key and its value instead, for keys that stand there many times.
    """

    def __init__(
        self, message: str, *paths: tuple[str, ...], sets: tuple[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.paths, self.sets = paths, sets


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Days = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1), BeforeValidator(as_share)]
Weight = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the agreement: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
