"""The sections on the files: how they are written, and whose columns are whose.

Goes in: a draft. Comes out: lines of TOML.
"""

from __future__ import annotations

from leadscore.draft.columns import Guess
from leadscore.draft.guess import Draft, column_names, file_names
from leadscore.draft.roles import Roles
from leadscore.draft.toml import bare_key, comment, guessed, quoted

__all__ = ["column_sections", "source_section"]


def source_section(draft: Draft) -> list[str]:
    """Return how the files are written, where they agree."""
    writing = draft.writing
    lines = ["[source]"]
    pinned = {
        "separator": writing.separator,
        "encoding": writing.encoding,
        "decimal": writing.decimal,
    }
    lines += [f"{k} = {quoted(v)}" for k, v in pinned.items() if v != "auto"]
    if writing.unclear:
        order = "day" if writing.date_order == "dmy" else "month"
        lines += guessed(f"PLEASE LOOK: dates are read {order} first", writing.unclear)
    if writing.date_order != "auto":
        lines.append(f"date_order = {quoted(writing.date_order)}")
    if draft.data_end is not None:
        end, why = draft.data_end
        lines += guessed("this is when the files were exported", why)
        lines.append(f"data_end = {quoted(end)}")
    if draft.budget is not None:
        share, why = draft.budget
        lines += guessed("that many bad rows are bearable", why)
        lines.append(f"max_reject_share = {share:g}")
    return lines if len(lines) > 1 else []


def column_sections(draft: Draft) -> list[str]:
    """Return which file is which table, and their names by ours."""
    roles = draft.roles
    lines = [*_left_out(draft), *_files(roles)]
    mapped = column_names(roles, draft.attributes)
    for table, role in roles.by_table().items():
        unsure = [g for g in role.columns.values() if not g.is_sure]
        if table not in mapped and not unsure:
            continue
        lines += ["", f"[source.columns.{table}]", *comment(_of_table(table))]
        named = mapped.get(table, {})
        for ours, theirs in named.items():
            lines += _column(ours, theirs, role.columns.get(ours))
    return lines[1:] if lines and not lines[0] else lines


def _of_table(table: str) -> str:
    words = {
        "leads": "Who they are: our names on the left, yours on the right.",
        "interactions": "What they did.",
        "outcomes": "What came of it.",
    }
    return words[table]


def _column(ours: str, theirs: str, guess: Guess | None) -> list[str]:
    said = []
    if guess is not None and not guess.is_sure:
        said = guessed(f"{quoted(theirs)} is {ours}", guess.because)
    return [*said, f"{bare_key(ours)} = {quoted(theirs)}"]


def _files(roles: Roles) -> list[str]:
    named = file_names(roles)
    lines = []
    if named:
        lines = ["[source.files]"]
        for table, file in named.items():
            role = roles.by_table()[table]
            if not role.is_sure:
                lines += guessed(f"this file holds the {table}", role.because)
            lines.append(f"{table} = {quoted(file)}")
    if named.get("outcomes") and named["outcomes"] == named.get("interactions"):
        lines.insert(
            -1, "# A log that holds the results, too: rows of the stages below."
        )
    if roles.dated_stages:
        lines += ["", "[source.dated_stages]"]
        lines += comment(
            "Results that stand as dates in the leads file; each filled cell is one."
        )
        lines += [f"{bare_key(s)} = {quoted(c)}" for s, c in roles.dated_stages.items()]
    if roles.unused:
        unused = ", ".join(roles.unused)
        lines += ["", *comment(f"Not used, not about these leads: {unused}.")]
    return lines


def _left_out(draft: Draft) -> list[str]:
    """Return which files of the folder were passed over, and why."""
    said = [f"PLEASE LOOK: {d.name} was left out: {d.reason}" for d in draft.left_out]
    lines = [line for sentence in said for line in comment(sentence)]
    return ["", *lines] if lines else []
