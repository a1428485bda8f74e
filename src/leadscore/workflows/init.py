"""Init: draft the agreement of a folder of files under their own names.

Straight down: read every file as text, say which is which, read the tables by that, ask
the data, write ``agreement.toml``, and read the tables again by what was written, so
that the draft is proven to read. Where nothing usable is there, nothing is written, and
the error says what was found and what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from leadscore import files
from leadscore.agreement import Agreement, parse_agreement
from leadscore.draft import (
    Denied,
    Draft,
    FileProfile,
    find_roles,
    first_agreement,
    guess,
    profile_file,
    toml_of,
)
from leadscore.draft.missing import what_is_missing, why_unreadable
from leadscore.draft.todo import decisions_of, guesses_of
from leadscore.errors import DataError, InputError, LeadscoreError, OutputError
from leadscore.progress import Tell, silent
from leadscore.store import read_tables
from leadscore.store.find import can_hold_table
from leadscore.store.header import plain_name
from leadscore.store.raw import RawFile, read_raw
from leadscore.tables import Tables

__all__ = ["Drafted", "init"]

AGREEMENT = "agreement.toml"
REJECTS = ".rejects.csv"
# Two columns that only our own files have together, and one that tells which it is.
_OURS = frozenset({"lead_id", "as_of"})
_WRITTEN = {"probability": "a score list", "status": "a table of features"}


@dataclass(frozen=True)
class Drafted:
    """What was drafted.

    Parameters
    ----------
    path : Path
        Of the agreement.
    text : str
        As written.
    agreement : Agreement
    tables : Tables
        Read by it.
    draft : Draft
        All guesses.
    files : dict of str to str
        The file of each table.
    guesses : tuple of str
        What was guessed, in sentences.
    denied : tuple of Denied
        Kinds, then columns, that are no features, with the reason.
    decisions : tuple of str
        What a person must decide, the most important first.
    """

    path: Path
    text: str
    agreement: Agreement
    tables: Tables
    draft: Draft
    files: dict[str, str]
    guesses: tuple[str, ...]
    denied: tuple[Denied, ...]
    decisions: tuple[str, ...]


def init(data: Path, *, overwrite: bool = False, tell: Tell = silent) -> Drafted:
    """Draft ``agreement.toml`` for a folder of exported files.

    Parameters
    ----------
    data : Path
        Holds the files, under whatever names.
    overwrite : bool, default=False
        Replace an agreement that is there.
    tell : Tell, optional
        Called with each step.

    Raises
    ------
    OutputError
        An agreement is there, or cannot be written.
    InputError
        No file is there, or one cannot be read.
    DataError
        The files cannot be the tables of leads; the message says what is missing.
    StorageError
    """
    path = data / AGREEMENT
    if not data.is_dir():
        msg = f"{data} is not a folder; name the one that holds your exported files."
        raise InputError(msg)
    if path.exists() and not overwrite:
        msg = (
            f"{path} is there already and was not replaced. Say --overwrite to replace "
            "it by a new draft."
        )
        raise OutputError(msg)
    profiles, left_out = _profiles(data, tell)
    try:
        draft = replace(_draft(data, profiles, tell), left_out=left_out)
    except DataError as error:
        if not left_out:
            raise
        msg = f"{error} Left out: {_named(left_out)}."
        raise DataError(msg) from error
    text = toml_of(draft)
    agreement = parse_agreement(text)
    tell("reading the tables by the draft")
    tables = read_tables(data, agreement)
    files.write_text(path, text)
    return Drafted(
        path=path,
        text=text,
        agreement=agreement,
        tables=tables,
        draft=draft,
        files={t: role.file.file for t, role in draft.roles.by_table().items()},
        guesses=guesses_of(draft),
        denied=(*draft.denied_kinds, *draft.attributes.denied),
        decisions=decisions_of(draft, tables),
    )


def _profiles(data: Path, tell: Tell) -> tuple[list[FileProfile], tuple[Denied, ...]]:
    """Return the files that may be tables, and those left out, each with the reason."""
    paths = sorted(p for p in data.iterdir() if p.is_file() and can_hold_table(p.name))
    if not paths:
        there = ", ".join(sorted(p.name for p in data.iterdir())) or "nothing"
        msg = (
            f"{data} holds no table. Export your leads, what they did and what came of "
            f"it as CSV files into it; there is: {there}."
        )
        raise InputError(msg)
    profiles, left_out, errors = [], [], []
    for place, path in enumerate(paths):
        tell("reading the files", done=place, total=len(paths))
        try:
            raw = read_raw(path)
        except LeadscoreError as error:
            errors.append(error)
            left_out.append(Denied(path.name, f"it cannot be read; {error}"))
            continue
        if written := _written_by_us(raw):
            left_out.append(Denied(path.name, f"leadscore wrote it: {written}"))
        else:
            profiles.append(profile_file(raw))
    if errors and not profiles:
        raise errors[0]
    if not profiles:
        msg = f"{data} holds no export: {_named(tuple(left_out))}."
        raise InputError(msg)
    return profiles, tuple(left_out)


def _written_by_us(raw: RawFile) -> str:
    """Return which of our own outputs a file is; or nothing.

    Learned from, they would tell the model what a model once said.
    """
    if raw.file.lower().endswith(REJECTS):
        return "rows set aside"
    names = {plain_name(name) for name in raw.columns}
    if not names >= _OURS:
        return ""
    return next((what for name, what in _WRITTEN.items() if name in names), "")


def _named(left_out: tuple[Denied, ...]) -> str:
    return "; ".join(f"{d.name} ({d.reason.rstrip('.')})" for d in left_out)


def _draft(data: Path, profiles: list[FileProfile], tell: Tell) -> Draft:
    tell("telling which file is which")
    roles = find_roles(profiles)
    if roles is None:
        raise DataError(what_is_missing(profiles, None))
    if roles.outcomes is None and not roles.dated_stages:
        raise DataError(what_is_missing(profiles, roles))
    if why := why_unreadable(roles):
        raise DataError(why)
    first = first_agreement(roles)
    tell("reading the tables")
    tables = read_tables(data, first.agreement)
    if tables.outcomes.empty:
        raise DataError(what_is_missing(profiles, roles))
    tell("asking the data")
    return guess(first, tables)
