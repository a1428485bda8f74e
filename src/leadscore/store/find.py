"""Which file of a data folder holds which table.

Goes in: the folder and the names that the agreement gives. Comes out: a path by table.
A table that the agreement does not name is looked for under its own name, as ``.csv``,
``.csv.gz`` or ``.parquet``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leadscore.agreement import Source
from leadscore.errors import DataError, InputError
from leadscore.tables import INTERACTIONS, LEADS, OUTCOMES

__all__ = ["find_files", "has_interactions"]

_FORMS = (".csv", ".csv.gz", ".parquet")


def find_files(folder: Path, source: Source) -> dict[str, Path]:
    """Return the file of each table that is there, by the table's name.

    Parameters
    ----------
    folder : Path
    source : Source
        ``files`` names files; with ``dated_stages`` no outcomes file is needed.

    Raises
    ------
    InputError
        The folder, a named file, or a table that must be there is missing.
    DataError
        A table that the agreement does not name is there in two forms.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder. Give the folder that holds the tables."
        raise InputError(msg)
    files: dict[str, Path] = {}
    for table in (LEADS.name, INTERACTIONS.name, OUTCOMES.name):
        named = getattr(source.files, table)
        found = _named(folder, table, named) if named else _own(folder, table)
        if found is not None:
            files[table] = found
    needed = [LEADS.name] if source.dated_stages else [LEADS.name, OUTCOMES.name]
    missing = [table for table in needed if table not in files]
    if missing:
        msg = (
            f"{folder} lacks {' and '.join(missing)}. Each is one file named like "
            f"{missing[0]}.csv, {missing[0]}.csv.gz or {missing[0]}.parquet, or named "
            f"under [source.files] in agreement.toml; there is: {_there_is(folder)}."
        )
        raise InputError(msg)
    return files


def has_interactions(files: Iterable[str], source: Source) -> bool:
    """Return whether there are interactions among the files read, by their names."""
    named = source.files.interactions
    if named is not None:
        return named in files
    own = {f"{INTERACTIONS.name}{form}" for form in _FORMS}
    return not own.isdisjoint(files)


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
    there = [p for form in _FORMS if (p := folder / f"{table}{form}").is_file()]
    if len(there) > 1:
        names = " and ".join(path.name for path in there)
        msg = f"{folder} holds {table} twice: {names}. Keep one of them."
        raise DataError(msg)
    return there[0] if there else None


def _there_is(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
