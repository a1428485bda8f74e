"""Progress: how a long workflow says which step it is at.

A workflow takes a `Tell` and calls it with a few words when a step begins, and again
when a part of it is done: ``tell("contest", done=3, total=15)``. The command line shows
them; from Python nothing is shown unless one is given.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Tell", "silent"]


class Tell(Protocol):
    """Called with the step, and how much of it is done where that is known."""

    def __call__(self, step: str, *, done: int = 0, total: int = 0) -> None:
        """Take note of a step."""


def silent(step: str, *, done: int = 0, total: int = 0) -> None:
    """Say nothing."""
