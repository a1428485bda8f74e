"""Functions of one's own: how they are handed to whoever calls them.

A function takes a lead's history and an instant and returns a number, or None. What it
is called with is `leadscore.features.custom`'s to say; where it comes from is
`leadscore.store.functions`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["NO_FUNCTIONS", "Function", "Functions"]

Function = Callable[[pd.DataFrame, pd.Timestamp], float | None]


@dataclass(frozen=True)
class Functions:
    """Functions of one's own, by the column that each of them makes.

    Parameters
    ----------
    load : callable
        Makes all of them anew, with globals of their own; nothing runs before it is
        called.
    digests : dict of str to str
        sha256 of the files that hold them, by file name.
    """

    load: Callable[[], Mapping[str, Function]]
    digests: dict[str, str] = field(default_factory=dict)


NO_FUNCTIONS = Functions(dict)
