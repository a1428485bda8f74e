"""Why nothing can be drafted: what was found in each file, what is missing, what next.

Goes in: profiles, and the roles as far as they could be told. Comes out: sentences.
"""

from __future__ import annotations

from leadscore.draft.meanings import is_about_people
from leadscore.draft.profile import FileProfile
from leadscore.draft.roles import Roles
from leadscore.draft.words import COLUMNS, match

__all__ = ["what_is_missing", "why_unreadable"]

_SHOWN = 6


def what_is_missing(files: list[FileProfile], roles: Roles | None) -> str:
    """Return what was found and what is missing, in a few sentences."""
    found = " ".join(_found(file) for file in files)
    return f"No agreement can be drafted. {found} {_missing(files, roles)}"


def _found(file: FileProfile) -> str:
    """Return one sentence on a file."""
    columns = list(file.columns.values())
    dates = [c.name for c in columns if c.looks == "instant"]
    keys = [
        c.name
        for c in columns
        if c.is_key_like and c.n_distinct == c.n_filled and c.looks != "instant"
    ]
    # A birthday is a date that nobody needs: its values are not shown.
    odd = [c for c in columns if c.is_odd_date and not is_about_people(c.name)]
    said = (
        f"{file.file}: {file.raw.n_rows:,} rows, {len(columns)} columns, "
        f"{_listed('date', dates)}, {_listed('id', keys)}"
    )
    if odd:
        said += (
            f'; "{odd[0].name}" looks like dates, but {odd[0].example!r} cannot be '
            "read, write it like 2025-03-01 15:04"
        )
    return f"{said}."


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return f"no {what}"
    shown = ", ".join(f'"{name}"' for name in names[:_SHOWN])
    return f"{what}{'s' * (len(names) > 1)} {shown}"


def _missing(files: list[FileProfile], roles: Roles | None) -> str:
    has_dates = any(file.instants() for file in files)
    if not has_dates:
        return (
            "No column holds dates, so nobody can tell what was known before what. "
            "Export when each lead was created and when it converted, as dates."
        )
    if roles is None:
        return (
            "No file has both an id that names its leads and the date at which each "
            "came to be. Export the leads with an id and a date of creation."
        )
    key = roles.leads.columns["lead_id"].column
    if len(files) > 1:
        return (
            f'Taken as leads: {roles.leads.file.file}, by "{key}"; but no other file '
            "both names these ids and says in a dated row what stage was reached. "
            f'Export results (won, lost, ...) with "{key}", the stage and its date.'
        )
    return (
        f'Taken as leads: {roles.leads.file.file}, by "{key}"; but nothing says who '
        "converted, and when. Add a file of results (won, lost, ...) with "
        f'"{key}", the stage and its date, or a column of dates such as "Became a '
        'customer on".'
    )


def why_unreadable(roles: Roles) -> str:
    """Return why the tables cannot be read although they are there; or nothing."""
    leads = roles.leads
    key = leads.file.columns[leads.columns["lead_id"].column]
    n_again = key.n_filled - key.n_distinct
    if n_again > 0.01 * key.n_filled and "known_at" not in leads.columns:
        return (
            f"{leads.file.file}: {key.n_filled:,} rows, but {key.n_distinct:,} "
            f'different "{key.name}", and no column says when each row was known. '
            "Export one row a lead, or add the date of each change."
        )
    for table, role in (
        ("interactions", roles.interactions),
        ("outcomes", roles.outcomes),
    ):
        if role is None:
            continue
        for ours in ("occurred_at", "kind" if table == "interactions" else "stage"):
            if ours not in role.columns:
                wanted = COLUMNS[table][ours][0].replace("_", " ")
                return (
                    f"{role.file.file} seems to hold the {table}, but no column of it "
                    f"can be their {wanted}. Export it with one."
                )
    if not match(key.name, COLUMNS["leads"]["lead_id"]) and key.n_distinct < 2:
        return f'{leads.file.file}: "{key.name}" names one lead only.'
    return ""
