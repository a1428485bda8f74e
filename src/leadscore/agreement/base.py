"""What every section of an agreement is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Days", "Names", "Section", "Weight", "as_tuple"]


def as_tuple(value: Any) -> Any:
    """Return a list as a tuple: TOML has lists only."""
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Days = Annotated[int, Field(gt=0)]
Weight = Annotated[float, Field(allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the agreement: frozen, strictly typed, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
