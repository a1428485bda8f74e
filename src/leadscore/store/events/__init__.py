"""The event store: interactions of any number as immutable bucket files."""

from __future__ import annotations

from leadscore.store.events.manifest import note_anew, noted_in
from leadscore.store.events.store import (
    FORMAT,
    Recipe,
    Stored,
    build_store,
    open_store,
)

__all__ = [
    "FORMAT",
    "Recipe",
    "Stored",
    "build_store",
    "note_anew",
    "noted_in",
    "open_store",
]
