"""How many made-up worlds a property is tried on."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples"]

USUAL = 50


def examples(n: int) -> int:
    """Return ``n`` in a usual run, and in others as many times more as they try.

    A number that stands in `hypothesis.settings` itself would be the same in all.
    """
    return max(n * settings().max_examples // USUAL, 1)
