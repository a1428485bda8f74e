"""New kinds of interactions: there when a list is scored, not when the model learned.

Goes in: interactions, a catalogue, the deny-list, an instant. Comes out: how many of
each were known then. They count in the totals and nowhere else: no column knows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from leadscore.features import Catalogue
from leadscore.interactions import Interactions, codes_of, instants_of
from leadscore.snapshots import microseconds

__all__ = ["NewKind", "about_new_kinds", "new_kinds"]

_READ = ("lead_id", "occurred_at", "known_at", "kind")
_SHOWN = 5

NewKind = tuple[str, int, int]  # kind, rows, leads


def new_kinds(
    interactions: Interactions,
    catalogue: Catalogue,
    denied: Iterable[str],
    as_of: pd.Timestamp,
) -> list[NewKind]:
    """Return the kinds known before as_of that no training has seen.

    Returns
    -------
    list of (str, int, int)
        Kind, rows and leads; the most common first. Kinds on the deny-list, and those
        that were there at training but too rare for a column, are not new.
    """
    never, before = set(denied), int(microseconds([as_of])[0])
    n_rows: Counter[str] = Counter()
    n_leads: Counter[str] = Counter()
    for reader in interactions.readers:
        table = reader(_READ)
        kind, words = codes_of(table.column("kind"))
        lead, _ = codes_of(table.column("lead_id"))
        occurred = instants_of(table, "occurred_at", None)
        is_known = instants_of(table, "known_at", occurred) < before
        for code, word in enumerate(words.to_pylist()):
            if word in never or not catalogue.is_new(word):
                continue
            whose = lead[is_known & (kind == code)]
            if len(whose):
                n_rows[word] += len(whose)
                n_leads[word] += len(np.unique(whose))
    found = [(word, n, n_leads[word]) for word, n in n_rows.items()]
    return sorted(found, key=lambda new: (-new[1], new[0]))


def about_new_kinds(found: list[NewKind]) -> tuple[str, ...]:
    """Return a sentence about new kinds; nothing where there are none."""
    if not found:
        return ()
    said = [
        f"{kind} ({rows:,} row{'s' * (rows != 1)}, {leads:,} lead{'s' * (leads != 1)})"
        for kind, rows, leads in found[:_SHOWN]
    ]
    more = [f"and {len(found) - _SHOWN:,} more"] * (len(found) > _SHOWN)
    return (
        "kinds that the model has not learned from, counted in totals only: "
        + ", ".join([*said, *more]),
    )
