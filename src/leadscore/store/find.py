"""Which file of a data folder holds which table, and what files may be called.

Goes in: the folder and the names that the agreement gives. Comes out: a path by table.
A table that the agreement does not name is looked for under its own name, as ``.csv``,
``.csv.gz`` or ``.parquet``; the case of letters does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leadscore.agreement import Source
from leadscore.errors import AgreementError, DataError, InputError
from leadscore.tables import INTERACTIONS, LEADS, OUTCOMES

__all__ = [
    "bears_own_name",
    "can_hold_table",
    "find_files",
    "has_interactions",
    "is_parquet",
]

_FORMS = (".csv", ".csv.gz", ".parquet")
_NAMED_FORMS = (*_FORMS, ".tsv", ".txt")  # read where the agreement names the file


def is_parquet(path: Path) -> bool:
    """Return whether a file is read as Parquet, by its name."""
    return path.name.lower().endswith(".parquet")


def can_hold_table(file: str) -> bool:
    """Return whether a file may hold a table, by its name."""
    return file.lower().endswith(_NAMED_FORMS) and not file.startswith(".")


def bears_own_name(file: str, table: str) -> bool:
    """Return whether a file is found as a table without being named."""
    return file.lower() in {f"{table}{form}" for form in _FORMS}


def find_files(folder: Path, source: Source) -> dict[str, Path]:
    """Return the file of each table that is there, by the table's name.

    Parameters
    ----------
    folder : Path
    source : Source
        ``files`` names files; with ``dated_stages`` no outcomes file is needed.

    Returns
    -------
    dict of str to Path
        Without tables that the agreement's database holds.

    Raises
    ------
    AgreementError
        Stages are dated in leads that are in a database.
    InputError
        The folder, a named file, or a table that must be there is missing; or a
        folder bears a table's name.
    DataError
        A table that the agreement does not name is there in two forms.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder. Give the folder that holds the tables."
        raise InputError(msg)
    files: dict[str, Path] = {}
    stored = _in_database(source)
    for table in (LEADS.name, INTERACTIONS.name, OUTCOMES.name):
        if table in stored:
            continue
        named = getattr(source.files, table)
        found = _named(folder, table, named) if named else _own(folder, table)
        if found is not None:
            files[table] = found
    needed = [LEADS.name] if source.dated_stages else [LEADS.name, OUTCOMES.name]
    missing = [table for table in needed if table not in {*files, *stored}]
    if missing:
        msg = (
            f"{folder} lacks {' and '.join(missing)}. Each is one file named like "
            f"{missing[0]}.csv, {missing[0]}.csv.gz or {missing[0]}.parquet, or named "
            f"under [source.files] in agreement.toml; there is: {_there_is(folder)}."
        )
        raise InputError(msg)
    return files


def _in_database(source: Source) -> set[str]:
    if source.database is None:
        return set()
    tables = source.database.tables
    if tables.leads and source.dated_stages:
        msg = (
            "[source.dated_stages] reads columns of a leads file, but the leads are in "
            "a database. Make a view of (lead_id, stage, occurred_at) there, and name "
            "it as outcomes under [source.database.tables]."
        )
        raise AgreementError(msg)
    return {name for name, table in tables.model_dump().items() if table}


def has_interactions(files: Iterable[str], source: Source) -> bool:
    """Return whether there are interactions among the files read, by their names."""
    if source.database is not None and source.database.tables.interactions:
        return source.database.tables.interactions in files
    named = source.files.interactions
    if named is not None:
        return named in files
    return any(bears_own_name(file, INTERACTIONS.name) for file in files)


def _named(folder: Path, table: str, name: str) -> Path:
    path = folder / name
    if path.is_file():
        return path
    msg = (
        f"{folder} lacks {name}, which agreement.toml names under [source.files] as "
        f"{table}; there is: {_there_is(folder)}."
    )
    raise InputError(msg)


def _own(folder: Path, table: str) -> Path | None:
    there = sorted(p for p in folder.iterdir() if bears_own_name(p.name, table))
    for path in there:
        if path.is_dir():
            msg = (
                f"{path} is a folder, not a file. Put {table} there as one file, or "
                "give the folder another name."
            )
            raise InputError(msg)
    if len(there) > 1:
        names = " and ".join(path.name for path in there)
        msg = f"{folder} holds {table} twice: {names}. Keep one of them."
        raise DataError(msg)
    return there[0] if there else None


def _there_is(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
