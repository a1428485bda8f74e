"""The agreement: what marketing and sales settled, as typed settings.

Goes in: the text of ``agreement.toml``. Comes out: a frozen `Agreement`. Unknown keys
are refused with the allowed list.
"""

from __future__ import annotations

from leadscore.agreement.parse import parse_agreement
from leadscore.agreement.sections import (
    GRADES,
    Agreement,
    Attribute,
    Criterion,
    Fit,
    LabelRule,
    Persona,
    PointRule,
    Points,
    Section,
    Source,
)

__all__ = [
    "GRADES",
    "Agreement",
    "Attribute",
    "Criterion",
    "Fit",
    "LabelRule",
    "Persona",
    "PointRule",
    "Points",
    "Section",
    "Source",
    "parse_agreement",
]
