"""Compile the loops that numpy cannot say, and keep the result where that is possible.

Goes in: a function of arrays and numbers. Comes out: the same one, compiled by numba.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["compiled", "inlined"]


def compiled(function: Any) -> Any:
    """Compile a function, and keep it where that is possible.

    A service without a home and without the right to write beside this file has no
    place for it: it compiles at each start, for some seconds.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


def inlined(function: Any) -> Any:
    """Compile a function into each that calls it.

    An array is passed as seven words: in a loop, a call that takes a dozen of them
    costs more than what it does.
    """
    return njit(inline="always")(function)
