"""Column names of a file -> ours; columns are matched by name, never by position.

Goes in: the names in the header, the contract of the table and the names that the
agreement maps. Comes out: the position of each of our columns, and the names nobody
asked for. Case, spaces and accents do not matter.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from leadscore.errors import AgreementError, DataError
from leadscore.tables import Contract

__all__ = ["match_header", "n_recognised", "plain_name"]

_SHOWN_NAMES = 20


def plain_name(name: str) -> str:
    """Return a name without case, accents and punctuation.

    Examples
    --------
    >>> plain_name(" Date de Création ")
    'date_de_creation'
    """
    letters = unicodedata.normalize("NFKD", name.replace("\ufeff", ""))
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    return re.sub(r"\W+", "_", bare.casefold()).strip("_")


def match_header(
    names: Sequence[str],
    contract: Contract,
    mapping: Mapping[str, str],
    *,
    file: str,
) -> tuple[dict[str, int], list[str]]:
    """Return the position of each column of ours that is there, and the extra names.

    Parameters
    ----------
    names : sequence of str
        The header.
    contract : Contract
        The columns we look for.
    mapping : mapping of str to str
        Their name by ours, from ``[source.columns.<table>]``.
    file : str
        What to call the file in messages.

    Raises
    ------
    AgreementError
        The mapping names a column that the table does not have.
    DataError
        A name stands twice, or required columns are missing (all are named).
    """
    _check_mapping(contract, mapping)
    positions = _positions(names, file)
    wanted = _wanted(contract, mapping)
    found = {
        ours: positions[theirs]
        for ours, theirs in wanted.items()
        if theirs in positions
    }
    required = {column.name for column in contract.columns if column.required}
    # A name written in the agreement must exist: else a typo reads as "no such data".
    missing = sorted((required | set(mapping)) - set(found))
    if missing:
        raise DataError(_missing_columns(missing, names, contract, mapping, file))
    taken = set(found.values())
    extra = [name for i, name in enumerate(names) if i not in taken and name.strip()]
    return found, extra


def n_recognised(
    names: Sequence[str], contract: Contract, mapping: Mapping[str, str]
) -> int:
    """Return how many columns of ours a header holds."""
    return len(
        {plain_name(name) for name in names} & set(_wanted(contract, mapping).values())
    )


def _wanted(contract: Contract, mapping: Mapping[str, str]) -> dict[str, str]:
    return {name: plain_name(mapping.get(name, name)) for name in contract.names}


def _check_mapping(contract: Contract, mapping: Mapping[str, str]) -> None:
    unknown = sorted(set(mapping) - set(contract.names))
    if unknown:
        msg = (
            f"agreement.toml: [source.columns.{contract.name}] maps "
            f"{', '.join(unknown)}, which {contract.name} does not have. "
            f"Allowed: {', '.join(contract.names)}."
        )
        raise AgreementError(msg)


def _positions(names: Sequence[str], file: str) -> dict[str, int]:
    """Return the position by plain name; a name that stands twice is refused."""
    positions: dict[str, int] = {}
    for i, name in enumerate(names):
        plain = plain_name(name)
        if plain and plain in positions:
            msg = (
                f'{file}: the column name "{name.strip()}" stands twice in the header, '
                f"at positions {positions[plain] + 1} and {i + 1}. Rename one of them."
            )
            raise DataError(msg)
        positions[plain] = i
    positions.pop("", None)
    return positions


def _missing_columns(
    missing: list[str],
    names: Sequence[str],
    contract: Contract,
    mapping: Mapping[str, str],
    file: str,
) -> str:
    """Say which columns are missing, what comes closest, and what to write."""
    present = [name.strip() for name in names if name.strip()]
    if n_recognised(names, contract, mapping) == 0 and _looks_like_data(present):
        shown = ", ".join(sorted(missing))
        return (
            f"{file}: line 1 looks like data, not like column names. Add a header line "
            f"with at least {shown}."
        )
    close = {name: _closest(mapping.get(name, name), present) for name in missing}
    listed = ", ".join(
        f'{name} (closest: "{near}")' if (near := close[name]) else name
        for name in missing
    )
    lines = "; ".join(
        f'{name} = "{close[name] or "its name in the file"}"' for name in missing
    )
    shown = ", ".join(f'"{name}"' for name in present[:_SHOWN_NAMES])
    msg = (
        f"{file}: missing columns: {listed}. The file has {shown}. If a column has "
        f"another name, write under [source.columns.{contract.name}] in "
        f"agreement.toml: {lines}."
    )
    declared = sorted(set(missing) & _optional_by_agreement(contract))
    if declared:
        msg += (
            f" A column that does not exist ({', '.join(declared)}) must not be "
            "declared under [attributes] or [consent]."
        )
    return msg


def _optional_by_agreement(contract: Contract) -> set[str]:
    """Return the columns that stand in the contract because the agreement says so."""
    return {c.name for c in contract.columns if c.required and not c.filled}


def _looks_like_data(present: list[str]) -> bool:
    return any(re.match(r"[+-]?\d", name) for name in present)


def _closest(name: str, present: list[str]) -> str | None:
    by_plain = {plain_name(theirs): theirs for theirs in present}
    near = difflib.get_close_matches(plain_name(name), by_plain, n=1, cutoff=0.5)
    return by_plain[near[0]] if near else None
