"""Compile the loops that numpy cannot say, and keep the result where that is possible.

Goes in: a function of arrays and numbers. Comes out: the same one, compiled by numba.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from numba import njit

__all__ = ["compiled", "inlined", "is_kept"]

# Less to compile: nobody calls these from C, and no loop divides by what may be zero.
_LEAN: dict[str, Any] = {
    "nogil": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",
}


def compiled(function: Any) -> Any:
    """Compile a function, and keep it where that is possible.

    A service without a home and without the right to write beside this file has no
    place for it: it compiles at each start, for some seconds.
    """
    try:
        return njit(cache=True, **_LEAN)(function)
    except RuntimeError:
        return njit(**_LEAN)(function)


def inlined(function: Any) -> Any:
    """Compile a function into each that calls it.

    An array is passed as seven words: in a loop, a call that takes a dozen of them
    costs more than what it does.
    """
    return njit(inline="always")(function)


def is_kept(function: Any) -> bool:
    """Return whether a compiled function starts at once, from what was kept of it.

    Else its first call takes some seconds, and the user should be told why.
    """
    if getattr(function, "signatures", ()):
        return True
    source = Path(inspect.getsourcefile(getattr(function, "py_func", function)) or "")
    try:
        since = source.stat().st_mtime
        kept = Path(function.stats.cache_path).glob(f"*.{function.__name__}-*.nbi")
        return any(index.stat().st_mtime >= since for index in kept)
    except (AttributeError, OSError, TypeError):  # it is kept nowhere
        return False
