"""Features: a declared catalogue, folded over histories strictly before as_of."""

from __future__ import annotations

from leadscore.features.build import (
    build_features,
    category_columns,
    describe_features,
)
from leadscore.features.catalogue import Catalogue, declare_catalogue

__all__ = [
    "Catalogue",
    "build_features",
    "category_columns",
    "declare_catalogue",
    "describe_features",
]
