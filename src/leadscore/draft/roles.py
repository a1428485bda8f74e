"""Which file is which table, and which of its columns are ours.

Goes in: profiles of the files. Comes out: `Roles`. Names speak first (words.py), then
structure: a key that the other files point to, a date of creation that a lead has once,
rows per lead, words that sound like stages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.draft.columns import Guess, best_columns, named_guess
from leadscore.draft.keys import Key, file_named, find_keys
from leadscore.draft.meanings import (
    ending_of,
    is_about_people,
    is_sales_action,
    points_of,
    win_rank,
)
from leadscore.draft.profile import FileProfile
from leadscore.draft.words import (
    COLUMNS,
    match,
    phrase_list,
    spoken,
)

__all__ = ["Roles", "TableRole", "dated_leads", "find_roles", "stage_leads"]

MANY = 3.0  # rows a lead: a log rather than results

_DATED = {
    "customer": phrase_list(
        "became_a_customer_date became_a_customer_on became_a_customer customer_since "
        "client_depuis devenu_client_le date_de_signature signe_le won_time won_date "
        "closed_won_date date_gagne gagne_le gewonnen_am kunde_seit cliente_desde "
        "converted_date conversion_date converted_at date_de_conversion "
        "date_conversion devenu_client purchase_date date_d_achat"
    ),
    "opportunity": phrase_list(
        "became_an_opportunity_date became_an_opportunity_on opportunity_date "
        "devenu_opportunite_le date_opportunite opportunite_le verkaufschance_am "
        "opportunity_created_date"
    ),
    "lost": phrase_list(
        "lost_time lost_date lost_on perdu_le date_perdu date_de_perte verloren_am "
        "perdido_el closed_lost_date"
    ),
    "disqualified": phrase_list(
        "disqualified_date disqualified_at disqualified_on unqualified_date "
        "disqualifie_le date_de_disqualification"
    ),
}


@dataclass(frozen=True)
class TableRole:
    """A file that serves as a table, and its columns by our names."""

    file: FileProfile
    because: str
    is_sure: bool
    columns: dict[str, Guess] = field(default_factory=dict)


@dataclass(frozen=True)
class Roles:
    """Who is who.

    Parameters
    ----------
    leads : TableRole
    interactions, outcomes : TableRole or None
        Both on one file where a log holds the stages, too.
    dated_stages : dict of str to str
        Columns of leads that say when a stage was reached, by stage.
    unused : tuple of str
        Files that are not about these leads.
    """

    leads: TableRole
    interactions: TableRole | None
    outcomes: TableRole | None
    dated_stages: dict[str, str]
    unused: tuple[str, ...]

    def by_table(self) -> dict[str, TableRole]:
        """Return the roles that are filled, by table."""
        roles = {
            "leads": self.leads,
            "interactions": self.interactions,
            "outcomes": self.outcomes,
        }
        return {table: role for table, role in roles.items() if role is not None}


def find_roles(files: list[FileProfile]) -> Roles | None:
    """Return who is who, or None where no file can be the leads."""
    keys = [key for file in files for key in find_keys(file, files)]
    if not keys:
        return None
    best = max(keys, key=lambda k: (k.weight, k.file.file, spoken(k.column.name)))
    linked = [f for f in files if f.file in best.links]
    outcomes, interactions = _share_out(linked, best)
    leads = _leads(best, files)
    dated = {} if outcomes is not None else _dated_stages(leads)
    roles = [
        _role(table, file, best)
        for table, file in (("interactions", interactions), ("outcomes", outcomes))
    ]
    used = {best.file.file, *(r.file.file for r in roles if r is not None)}
    unused = tuple(sorted(f.file for f in files if f.file not in used))
    return Roles(leads, roles[0], roles[1], dated, unused)


def _share_out(
    linked: list[FileProfile], key: Key
) -> tuple[FileProfile | None, FileProfile | None]:
    """Return (outcomes, interactions): the most likely of each, one file for both."""
    usable = [f for f in linked if f.instants() and _words_column(f)]
    if not usable:
        return None, None
    lean = {f.file: _leaning(f, key) for f in usable}
    ranked = sorted(usable, key=lambda f: (-lean[f.file], f.file))
    first, last = ranked[0], ranked[-1]
    if len(ranked) > 1:
        is_result = lean[first.file] > 0 or lean[first.file] > lean[last.file]
        return (first if is_result else None), last
    if lean[first.file] > 0:
        return first, None
    holds_stages = any(win_rank(w) == 3 for w in _all_words(first))
    return (first if holds_stages and not _dated_of(key.file) else None), first


def _leaning(file: FileProfile, key: Key) -> float:
    """Return how much a file is about results (above zero) rather than about doing."""
    named = file_named(file.file)
    lean = 3 * named["outcomes"] - 3 * named["interactions"]
    rows_a_lead = file.raw.n_rows / max(
        file.columns[key.links[file.file]].n_distinct, 1
    )
    lean += 1 if rows_a_lead < MANY else -1
    words = _all_words(file)
    n = max(len(words), 1)
    lean += 3 * sum(bool(win_rank(w) or ending_of(w)) for w in words) / n
    lean -= 3 * sum(bool(points_of(w) or is_sales_action(w)) for w in words) / n
    return lean


def _all_words(file: FileProfile) -> list[str]:
    column = _words_column(file)
    if column is None:
        return []
    return [
        str(w) for w in pc.unique(file.columns[column].cells).drop_null().to_pylist()
    ]


def _words_column(file: FileProfile) -> str | None:
    """Return the column that says what happened: kind or stage."""
    phrases = (*COLUMNS["interactions"]["kind"], *COLUMNS["outcomes"]["stage"])
    candidates = [
        c
        for c in file.columns.values()
        if c.n_filled
        and c.is_full
        and (c.looks == "category" or (c.n_distinct == 1 and c.looks == "text"))
        and (match(c.name, phrases) or not (c.personal or is_about_people(c.name)))
    ]
    ranked = sorted(
        candidates, key=lambda c: (-match(c.name, phrases), c.n_distinct, c.name)
    )
    return ranked[0].name if ranked else None


def _leads(key: Key, files: list[FileProfile]) -> TableRole:
    n_links = len(key.links)
    named = file_named(key.file.file)["leads"] > 0
    because = f'{key.column.n_distinct:,} different values of "{key.column.name}"' + (
        f", which {' and '.join(sorted(key.links))} point to" if n_links else ""
    )
    is_history = key.column.n_distinct < key.column.n_filled
    taken = {
        "lead_id": named_guess(key.column, "lead_id", "leads"),
        "created_at": named_guess(key.created, "created_at", "leads"),
    }
    columns = best_columns("leads", key.file, taken)
    known = columns.get("known_at")
    if known is not None and not is_history:
        del columns["known_at"]  # a last change: the lead was known long before
    if is_history and known is None:
        fallback = _history_clock(key, columns)
        if fallback is not None:
            columns["known_at"] = fallback
    return TableRole(key.file, because, named or len(files) == 1, columns)


def _history_clock(key: Key, columns: dict[str, Guess]) -> Guess | None:
    """Return the date that tells the rows of one lead apart."""
    used = {guess.column for guess in columns.values()}
    clocks = [c for c in key.file.instants() if c.is_full and c.name not in used]
    if not clocks:
        return None
    best = max(clocks, key=lambda c: (c.n_distinct, c.name))
    return Guess(best.name, "it tells the rows of one lead apart", is_sure=False)


def _role(table: str, file: FileProfile | None, key: Key) -> TableRole | None:
    if file is None:
        return None
    link = file.columns[key.links[file.file]]
    taken = {"lead_id": named_guess(link, "lead_id", table)}
    words_of = "kind" if table == "interactions" else "stage"
    words = _words_column(file)
    columns = best_columns(table, file, taken)
    if words_of not in columns and words is not None:
        n = file.columns[words].n_distinct
        columns[words_of] = Guess(words, f"it holds {n} different words", is_sure=False)
    if "occurred_at" not in columns:
        used = {guess.column for guess in columns.values()}
        dates = [c for c in file.instants() if c.name not in used]
        if dates:
            fullest = max(dates, key=lambda c: (c.n_filled, c.name))
            columns["occurred_at"] = Guess(fullest.name, "it is a date", is_sure=False)
    _drop_early_known(file, columns)
    columns = {ours: columns[ours] for ours in COLUMNS[table] if ours in columns}
    named = file_named(file.file)[table] > 0
    rows = file.raw.n_rows / max(link.n_distinct, 1)
    because = f"it has {file.raw.n_rows:,} dated rows, {rows:.1f} a lead it names"
    won = [word for word in _all_words(file) if win_rank(word) == 3]
    if table == "outcomes" and won:
        because = f'"{min(won)}" is one of its words'
    return TableRole(file, because, named, columns)


def _drop_early_known(file: FileProfile, columns: dict[str, Guess]) -> None:
    """Forget a known_at that mostly lies before the fact, or is the fact."""
    known, fact = columns.get("known_at"), columns.get("occurred_at")
    if known is None or fact is None:
        return
    later = file.columns[known.column].instants()
    first = file.columns[fact.column].instants()
    both = ~np.isnat(later) & ~np.isnat(first)
    if not both.any() or (later >= first)[both].mean() < 0.9:
        del columns["known_at"]


def _dated_stages(leads: TableRole) -> dict[str, str]:
    taken = {guess.column for guess in leads.columns.values()}
    return {s: c for s, c in _dated_of(leads.file).items() if c not in taken}


def _dated_of(file: FileProfile) -> dict[str, str]:
    """Return the columns that say when a lead reached a stage, by stage."""
    found = {}
    for stage, phrases in _DATED.items():
        matching = [
            (match(c.name, phrases), c.name)
            for c in file.instants()
            if match(c.name, phrases) and c.n_filled < c.n_rows
        ]
        if matching:
            found[stage] = max(matching)[1]
    return found


def stage_leads(role: TableRole) -> dict[str, frozenset[str]]:
    """Return the leads that stand beside each stage."""
    names = role.columns
    stages = role.file.columns[names["stage"].column].cells
    leads = role.file.columns[names["lead_id"].column].cells
    pairs = pa.table({"stage": stages, "lead": leads}).drop_null()
    grouped = pairs.group_by("stage").aggregate([("lead", "distinct")]).to_pylist()
    return {row["stage"]: frozenset(row["lead_distinct"]) for row in grouped}


def dated_leads(roles: Roles) -> dict[str, frozenset[str]]:
    """Return the leads that have a date of each stage."""
    columns = roles.leads.file.columns
    key = columns[roles.leads.columns["lead_id"].column].cells
    return {
        stage: frozenset(key.filter(columns[name].cells.is_valid()).to_pylist())
        for stage, name in roles.dated_stages.items()
    }
