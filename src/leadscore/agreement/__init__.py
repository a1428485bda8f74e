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
    ColumnNames,
    Consent,
    Conversion,
    Criterion,
    CustomFeature,
    Database,
    DecayedSum,
    Engagement,
    Features,
    FileNames,
    Fit,
    HandRaise,
    LabelRule,
    Labels,
    Machines,
    Monotone,
    Movement,
    Persona,
    PointRule,
    Points,
    Section,
    Snapshots,
    Source,
    Training,
)

__all__ = [
    "GRADES",
    "Agreement",
    "Attribute",
    "ColumnNames",
    "Consent",
    "Conversion",
    "Criterion",
    "CustomFeature",
    "Database",
    "DecayedSum",
    "Engagement",
    "Features",
    "FileNames",
    "Fit",
    "HandRaise",
    "LabelRule",
    "Labels",
    "Machines",
    "Monotone",
    "Movement",
    "Persona",
    "PointRule",
    "Points",
    "Section",
    "Snapshots",
    "Source",
    "Training",
    "parse_agreement",
]
