"""The event store: interactions of any number as immutable bucket files."""

from __future__ import annotations

from leadscore.store.events.store import (
    FORMAT,
    Recipe,
    Stored,
    build_store,
    noted_in,
    open_store,
)

__all__ = ["FORMAT", "Recipe", "Stored", "build_store", "noted_in", "open_store"]
