"""Tables in: a data folder is read, checked and typed here, and nowhere else."""

from __future__ import annotations

from leadscore.store.folder import read_agreement, read_tables

__all__ = ["read_agreement", "read_tables"]
