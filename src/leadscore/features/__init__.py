"""Features: a declared catalogue, folded over histories strictly before as_of."""

from __future__ import annotations

from leadscore.features.build import (
    build_features,
    category_columns,
    describe_features,
)
from leadscore.features.catalogue import Catalogue, declare_catalogue
from leadscore.features.fold import Folding
from leadscore.features.stream import fold_batches, folded_schema

__all__ = [
    "Catalogue",
    "Folding",
    "build_features",
    "category_columns",
    "declare_catalogue",
    "describe_features",
    "fold_batches",
    "folded_schema",
]
