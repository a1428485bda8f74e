"""Which columns of a file are ours, by their names and by what they hold.

Goes in: a file and the table it serves as. Comes out: a `Guess` for each of our columns
that is there; each of theirs serves once.
"""

from __future__ import annotations

from dataclasses import dataclass

from leadscore.draft.meanings import is_about_people
from leadscore.draft.profile import ColumnProfile, FileProfile
from leadscore.draft.words import COLUMNS, match, spoken, tokens, word_set

__all__ = ["Guess", "best_columns", "named_guess"]


@dataclass(frozen=True)
class Guess:
    """Why a column was taken; ``is_sure`` where its name says it plainly."""

    column: str
    because: str
    is_sure: bool


_KINDS = {
    "lead_id": ("number", "category", "text", "flag"),
    "account_id": ("number", "category", "text"),
    "merged_into": ("number", "category", "text", "empty"),
    "created_at": ("instant",),
    "occurred_at": ("instant",),
    "known_at": ("instant",),
    "kind": ("category", "flag", "text"),
    "stage": ("category", "flag", "text"),
    "channel": ("category", "flag"),
    "content": ("category", "text", "number"),
    "reason": ("category", "text", "flag"),
    "duration_s": ("number",),
    "amount": ("number",),
}
_NOT_SECONDS = word_set("min mins minutes minuten minutos heures hours ms jours")


def best_columns(
    table: str, file: FileProfile, taken: dict[str, Guess]
) -> dict[str, Guess]:
    """Return the best named column for each of ours; each of theirs serves once."""
    columns = dict(taken)
    wanted = []
    for ours, phrases in COLUMNS[table].items():
        for column in file.columns.values():
            likeness = match(column.name, phrases)
            is_kind = column.looks in _KINDS[ours]
            if likeness and is_kind and _is_usable(ours, column, file):
                wanted.append((likeness, ours, column))
    wanted.sort(key=lambda w: (-w[0], w[1] == "known_at", w[1], spoken(w[2].name)))
    for _, ours, column in wanted:
        used = {guess.column for guess in columns.values()}
        if ours not in columns and column.name not in used:
            columns[ours] = named_guess(column, ours, table)
    order = list(COLUMNS[table])
    return {ours: columns[ours] for ours in order if ours in columns}


def _is_usable(ours: str, column: ColumnProfile, file: FileProfile) -> bool:
    if ours == "duration_s":
        return not tokens(column.name) & _NOT_SECONDS
    if ours == "account_id":
        # One account a lead says nothing, one for all neither.
        is_telling = column.n_distinct > 1 and column.n_filled > 0.2 * column.n_rows
        # An "account manager" is nobody's account.
        return is_telling and not is_about_people(column.name)
    if ours in ("kind", "stage"):
        return column.n_distinct <= 200 and column.n_filled > 0.5 * column.n_rows
    if ours == "occurred_at":
        return column.n_filled > 0.05 * column.n_rows
    return True


def named_guess(column: ColumnProfile, ours: str, table: str) -> Guess:
    """Return why a column is taken, sure where its name says it plainly."""
    likeness = match(column.name, COLUMNS[table].get(ours, ()))
    if likeness >= 0.6:
        return Guess(column.name, "its name says so", is_sure=True)
    if ours == "lead_id":
        why = f"its {column.n_distinct:,} values are those that the other files name"
    elif ours == "created_at":
        why = "it is the first date that every lead has once"
    else:
        why = "its name begins like it"
    return Guess(column.name, why, is_sure=False)
