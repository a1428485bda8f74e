"""How the files are written: separator, encoding, decimal mark, order of day and month.

Goes in: profiles of the files and which of their columns are used. Comes out:
`Writing`: what all files agree on, and what stays open, with a value that shows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leadscore.draft.profile import ColumnProfile
from leadscore.draft.roles import Roles

__all__ = ["Writing", "find_writing"]


@dataclass(frozen=True)
class Writing:
    """What can be pinned under ``[source]``; "auto" where the files differ or are mute.

    ``unclear`` is a sentence with a value, where the order of day and month is a guess.
    """

    separator: str
    encoding: str
    decimal: str
    date_order: str
    unclear: str


def find_writing(roles: Roles, attributes: Iterable[str]) -> Writing:
    """Return how the files are written.

    Only columns that are used say so: what nobody reads, such as a birthday, neither
    decides nor is shown.

    Parameters
    ----------
    roles : Roles
    attributes : iterable of str
        Columns of leads that are attributes.
    """
    used = [r for r in (roles.leads, roles.interactions, roles.outcomes) if r]
    files = {role.file.file: role.file for role in used}
    leads = {*attributes, *roles.dated_stages.values()}
    columns = [roles.leads.file.columns[name] for name in sorted(leads)]
    columns += [r.file.columns[g.column] for r in used for g in r.columns.values()]
    separators = {f.raw.separator for f in files.values() if f.raw.separator}
    encodings = {f.raw.encoding for f in files.values() if f.raw.encoding}
    decimals = {c.decimal for c in columns if c.decimal}
    order, unclear = _order(columns, separators)
    return Writing(
        _agreed(separators), _agreed(encodings), _agreed(decimals), order, unclear
    )


def _agreed(found: set[str]) -> str:
    """Return what all agree on, or auto."""
    return next(iter(found)) if len(found) == 1 else "auto"


def _order(columns: list[ColumnProfile], separators: set[str]) -> tuple[str, str]:
    sure = {str(c.date_order) for c in columns if c.date_order in ("dmy", "mdy")}
    unsure = [c for c in columns if c.date_order == "unclear"]
    if not unsure:
        return _agreed(sure), ""
    column = min(unsure, key=lambda c: c.name)
    shown = f'"{column.example}" in "{column.name}"'
    if len(sure) == 1:
        return next(iter(sure)), f"{shown} reads both ways; the other dates decide"
    order = "dmy"
    return order, (
        f"{shown} reads both ways and no value of the column decides; day first is "
        "what most of the world writes"
    )
