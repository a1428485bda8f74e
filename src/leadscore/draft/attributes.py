"""Which other columns of leads could be attributes, which must not, and why.

Goes in: the leads file and the roles of its columns. Comes out: `Attributes`: declared
ones, denied ones with the reason, consent columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pyarrow.compute as pc

from leadscore.agreement import Attribute
from leadscore.draft.hints import Denied
from leadscore.draft.meanings import (
    is_consent,
    is_consent_inverse,
    is_harmless,
    wants_no_mail,
    why_no_attribute,
)
from leadscore.draft.profile import ColumnProfile
from leadscore.draft.roles import Roles
from leadscore.draft.words import tokens, word_set
from leadscore.store.header import plain_name
from leadscore.tables import LEADS, Tables

__all__ = ["AttributeGuess", "Attributes", "first_attributes", "settle_changes"]

RESERVED = frozenset({*LEADS.names, "as_of", "index"})
OFTEN = 0.005  # of the leads show two values: it changes
MANY_NAMES = 12
_LETTERS = r"[\p{L}'.-]"
_NAME = rf"^\p{{Lu}}{_LETTERS}+(?:,? \p{{Lu}}{_LETTERS}*){{1,2}}$"
_REMARKS = word_set(
    "message comment comments commentaire commentaires bemerkung kommentar nachricht "
    "mensaje comentario remarque remarques"
)
_IDS = word_set("id uuid guid code ref reference numero nr identifiant")


@dataclass(frozen=True)
class AttributeGuess:
    """A column of leads that may be a feature.

    Parameters
    ----------
    name, column : str
        Ours and theirs.
    kind : {"category", "number", "text_presence"}
    changes : bool
    said : str
        What its values are.
    about_change : str
        What its history shows; nothing where it has none.
    doubt : str
        Why it may know too much.
    """

    name: str
    column: str
    kind: str
    changes: bool
    said: str
    about_change: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class Attributes:
    """What becomes of the columns of leads that are none of our own.

    Parameters
    ----------
    declared : tuple of AttributeGuess
    denied : tuple of Denied
        By the name an attribute would have.
    consent : tuple of Denied
        Flags that say that a lead objects.
    remarks : tuple of str
        What a person should know, in sentences.
    """

    declared: tuple[AttributeGuess, ...]
    denied: tuple[Denied, ...]
    consent: tuple[Denied, ...]
    remarks: tuple[str, ...]

    def as_settings(self) -> dict[str, Attribute]:
        """Return the section ``[attributes]``."""
        return {
            a.name: Attribute.model_validate({"kind": a.kind, "changes": a.changes})
            for a in self.declared
        }

    def without(self, leaks: list[Denied]) -> Attributes:
        """Return the same with some declared attributes denied."""
        names = {leak.name for leak in leaks}
        declared = tuple(a for a in self.declared if a.name not in names)
        denied = sorted([*self.denied, *leaks], key=lambda d: d.name)
        return replace(self, declared=declared, denied=tuple(denied))

    def doubting(self, doubts: list[Denied]) -> Attributes:
        """Return the same with what is doubtful marked."""
        why = {doubt.name: doubt.reason for doubt in doubts}
        declared = tuple(replace(a, doubt=why.get(a.name, "")) for a in self.declared)
        return replace(self, declared=declared)


def first_attributes(roles: Roles) -> Attributes:
    """Return what names and values alone say; every attribute is taken as stable."""
    leads = roles.leads
    taken = {guess.column for guess in leads.columns.values()}
    dated = {column: stage for stage, column in roles.dated_stages.items()}
    declared, denied, consent, remarks = [], [], [], []
    for column in leads.file.columns.values():
        if column.name in taken:
            continue
        name = plain_name(column.name)
        if name in RESERVED:
            name = f"their_{name}"
        if is_consent(column.name) and column.looks in ("flag", "empty"):
            consent.append(Denied(name, "a lead for whom it is true is never scored"))
        elif wants_no_mail(column.name) and column.looks in ("flag", "empty"):
            denied.append(Denied(name, "it says who wants no mail, as of today"))
            remarks.append(
                f'Does "{column.name}" forbid to score a lead, or only to write to it? '
                "Only if it forbids, name it as exclude_when_true under [consent]."
            )
        elif is_consent_inverse(column.name) and column.looks == "flag":
            remarks.append(
                f'"{column.name}" seems to say that a lead agrees. Only columns that '
                "say that it objects can be used: export the opposite."
            )
        elif column.looks == "empty":
            continue
        elif why := _why_not(column, dated):
            denied.append(Denied(name, why))
        else:
            declared.append(_declare(name, column))
    return Attributes(tuple(declared), tuple(denied), tuple(consent), tuple(remarks))


def _why_not(column: ColumnProfile, dated: dict[str, str]) -> str:
    if column.name in dated:
        return f'it dates the stage "{dated[column.name]}"'
    if column.personal:
        return f"personal data: {column.personal}"
    if why := why_no_attribute(column.name):
        return why
    if _names_people(column):
        return "personal data: values that look like names of people"
    if column.looks == "instant":
        return "a date; nobody says when it was filled in"
    if column.n_distinct == 1 and column.is_full:
        return "the same in every row"
    if _is_id(column):
        return f"an id: {column.n_distinct:,} different values"
    is_remark = bool(tokens(column.name) & _REMARKS)
    if column.looks == "text" and column.is_full and not is_remark:
        return f"free text: {column.n_distinct:,} different values"
    return ""


def _names_people(column: ColumnProfile) -> bool:
    """Return whether the values look like first and last names, and many of them."""
    if column.looks not in ("category", "text") or is_harmless(column.name):
        return False
    values = pc.unique(column.cells).drop_null()
    if len(values) < MANY_NAMES:
        return False
    return bool(
        pc.mean(pc.match_substring_regex(values, _NAME).cast("float64")).as_py() > 0.6
    )


def _is_id(column: ColumnProfile) -> bool:
    if column.looks not in ("number", "text"):
        return False
    if tokens(column.name) & _IDS:
        return True
    is_unique = column.n_distinct >= 0.95 * column.n_filled and column.n_filled > 20
    if column.looks == "text":
        return is_unique and " " not in column.example
    lengths = pc.unique(pc.utf8_length(column.cells)).drop_null()
    # Numbers that are all different and all as long: a counter, not a size.
    return is_unique and column.decimal is None and len(lengths) == 1


def _declare(name: str, column: ColumnProfile) -> AttributeGuess:
    kind = {"number": "number", "text": "text_presence"}.get(column.looks, "category")
    said = f"{column.n_distinct:,} different values"
    if tokens(column.name) & _REMARKS:
        kind = "text_presence"
    if kind == "text_presence":
        share = column.n_filled / max(column.n_rows, 1)
        said = (
            f"free text, in {share:.0%} of the rows: only whether there is any counts"
        )
    return AttributeGuess(name, column.name, kind, changes=False, said=said)


def settle_changes(attributes: Attributes, tables: Tables) -> Attributes:
    """Return the attributes with what their history shows about change."""
    if not tables.leads["lead_id"].duplicated().any():
        return attributes
    settled = tuple(_with_change(a, tables.leads) for a in attributes.declared)
    return replace(attributes, declared=settled)


def _with_change(attribute: AttributeGuess, leads: pd.DataFrame) -> AttributeGuess:
    values = leads.groupby("lead_id")[attribute.name].nunique()
    n_known, n_two = int((values > 0).sum()), int((values > 1).sum())
    changes = n_two > OFTEN * max(n_known, 1)
    about = f"{n_two or 'none'} of {n_known:,} leads had more than one value over time"
    return replace(attribute, changes=changes, about_change=about)
