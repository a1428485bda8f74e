"""leadscore: which leads will convert, said in a way that can be held to."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
