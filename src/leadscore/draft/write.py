"""A draft -> the text of ``agreement.toml``, to be read from top to bottom.

Goes in: `Draft`. Comes out: TOML. What is a guess says so in a comment above it, with
the reason; what is denied is listed with its reason beside it.
"""

from __future__ import annotations

import textwrap

from leadscore.draft.attributes import AttributeGuess
from leadscore.draft.guess import Draft
from leadscore.draft.hints import Denied
from leadscore.draft.meanings import Earns, is_harmless
from leadscore.draft.toml import (
    WIDTH,
    array,
    bare_key,
    comment,
    guessed,
    number,
    printable,
    quoted,
)
from leadscore.draft.write_machines import machines_section
from leadscore.draft.write_source import column_sections, source_section

__all__ = ["toml_of"]

_HEAD = """\
Drafted by leadscore from the files in this folder. Read it once from top to bottom: \
what is a GUESS says why, and is yours to change. Marketing and sales agree on what \
stands here; it is kept with every model."""


def toml_of(draft: Draft) -> str:
    """Return the drafted agreement as text."""
    sections = [
        _top(),
        source_section(draft),
        column_sections(draft),
        _conversion(draft),
        _snapshots(draft),
        _attributes(draft),
        _consent(draft),
        _personas(draft),
        _points(draft),
        _features(draft),
        _labels(draft),
        _hand_raise(draft),
        machines_section(draft.machines),
        _training(draft),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _top() -> list[str]:
    return [
        *comment(_HEAD),
        'version = "draft-1"',
        *guessed(
            "days start at midnight in UTC",
            "the files do not say where you are; write a zone like Europe/Paris",
        ),
        'time_zone = "UTC"',
    ]


def _conversion(draft: Draft) -> list[str]:
    stages, timing = draft.stages, draft.timing
    is_clear = stages.is_named and not stages.is_current
    loud = "" if is_clear else "PLEASE LOOK: "
    return [
        *comment("What we predict, and how far ahead."),
        "[conversion]",
        *guessed(f"{loud}{quoted(stages.conversion)} is success", stages.because),
        f"stage = {quoted(stages.conversion)}",
        *guessed("we look this many days ahead", timing.horizon_because),
        f"horizon_days = {timing.horizon_days}",
        *guessed("an outcome is written down within so many days", timing.lag_because),
        f"reporting_lag_days = {timing.lag_days}",
        *_endings(draft),
    ]


def _endings(draft: Draft) -> list[str]:
    stages = draft.stages
    lines = []
    if stages.lost or stages.disqualified or stages.recycled:
        lines += guessed(
            "these stages end a lead, or give it a second chance",
            "their names say so and few of their leads convert afterwards",
        )
    for sentence in stages.taken_back:
        lines += comment(sentence)
    for role in ("lost", "disqualified", "recycled"):
        lines.append(f"{role} = {array(getattr(stages, role))}")
    return lines


def _snapshots(draft: Draft) -> list[str]:
    timing = draft.timing
    if timing.ages_hours:
        ages = ", ".join(number(hours) for hours in timing.ages_hours)
        when = f"at_age_hours = [{ages}]"
        what = "leads are looked at this many hours after they came to be"
    else:
        when = f"every_days = {timing.every_days}"
        what = "leads are looked at every so many days"
    return [
        *comment("When we look at a lead."),
        "[snapshots]",
        *guessed(what, timing.snapshots_because),
        when,
        *guessed("older leads are off the list", timing.max_age_because),
        f"max_age_days = {timing.max_age_days}",
    ]


def _attributes(draft: Draft) -> list[str]:
    declared = draft.attributes.declared
    if not declared:
        return comment(
            "No column of the leads file can be an attribute: only behaviour counts."
        )
    lines = comment(
        "What is known about a lead. `changes`: the value may differ over time, and "
        "only its history makes it usable."
    )
    if not any(attribute.about_change for attribute in declared):
        lines += guessed(
            "none of them changes",
            "the file has one row a lead, and nothing to tell; take out what somebody "
            "fills in later, such as sales",
        )
    for attribute in declared:
        lines += ["", f"[attributes.{bare_key(attribute.name)}]"]
        lines += _attribute(attribute)
    return lines


def _attribute(attribute: AttributeGuess) -> list[str]:
    said = comment(f"{attribute.said[0].upper()}{attribute.said[1:]}.")
    if attribute.about_change:
        what = "its value changes" if attribute.changes else "its value stays"
        said = [*said, *guessed(what, attribute.about_change)]
    if attribute.doubt:
        said += comment(
            f"PLEASE LOOK: it tells much, {attribute.doubt}. If it is filled in after "
            "a lead came to be, take it out and put it on the deny-list."
        )
    return [
        *said,
        f"kind = {quoted(attribute.kind)}",
        f"changes = {str(attribute.changes).lower()}",
        f"description = {quoted(attribute.column)}",
    ]


def _consent(draft: Draft) -> list[str]:
    consent, remarks = draft.attributes.consent, draft.attributes.remarks
    lines = [line for remark in remarks for line in comment(remark)]
    if consent:
        names = [c.name for c in consent]
        lines += [
            "[consent]",
            *guessed("a lead for whom one is true objects", "the names say so"),
            f"exclude_when_true = {array(names)}",
        ]
    return lines


def _personas(draft: Draft) -> list[str]:
    lines = comment(
        "Whom do you sell to? Nobody can guess that. Take the # away and say it; until "
        "then nobody has a fit, and no label asks for one."
    )
    # Only values that cannot be names of people are copied into the agreement.
    declared = [a for a in draft.attributes.declared if a.kind == "category"]
    harmless = next((a for a in declared if is_harmless(a.column)), None)
    name = harmless.name if harmless else "country"
    values = _common(draft, harmless.column) if harmless else ["FR", "BE"]
    return [
        *lines,
        "# [[personas]]",
        '# name = "our usual buyer"',
        "# criteria = [",
        f"#     {{ attribute = {quoted(name)}, any_of = {array(values)} }},",
        "# ]",
    ]


def _common(draft: Draft, column: str) -> list[str]:
    """Return the two most common values of a column."""
    cells = draft.roles.leads.file.columns[column].cells.drop_null()
    counted = sorted(
        cells.value_counts().to_pylist(), key=lambda c: (-c["counts"], c["values"])
    )
    return [str(c["values"]) for c in counted[:2]]


def _points(draft: Draft) -> list[str]:
    lines = [*comment("The points that marketing gives."), "[points]"]
    if not draft.points:
        why = "no kind of interaction is one for which points are usual"
        return [*lines, *guessed("there are none", why), "rules = []"]
    lines += guessed("these points", "they are usual in the field for such kinds")
    rules = [f"    {_rule(kind, earns)}," for kind, earns in draft.points]
    return [*lines, "rules = [", *rules, "]"]


def _rule(kind: str, earns: Earns) -> str:
    parts = [f"kind = {quoted(kind)}", f"points = {earns.points}"]
    if earns.cap is not None:
        parts.append(f"cap = {earns.cap}")
    if earns.half_life_days is not None:
        parts.append(f"half_life_days = {earns.half_life_days}")
    return f"{{ {', '.join(parts)} }}"


def _features(draft: Draft) -> list[str]:
    kinds, columns = draft.denied_kinds, draft.attributes.denied
    if not kinds and not columns:
        said = guessed("nothing", "no name sounds like sales, a result or a person")
        return ["# What never becomes a feature.", "[features]", *said, "deny = []"]
    lines = [
        *comment(
            "What never becomes a feature: it would predict the past, or it is "
            "nobody's business."
        ),
        "[features]",
        "deny = [",
    ]
    if kinds:
        lines += ["    # GUESS: kinds of interactions", *map(_denied, kinds)]
    names = {kind.name for kind in kinds}
    if columns:
        lines.append("    # GUESS: columns of the leads file")
        lines += [_denied(c) for c in columns if c.name not in names]
    return [*lines, "]"]


def _denied(denied: Denied) -> str:
    item = f"    {quoted(denied.name)},"
    line = f"{item} # {printable(denied.reason)}"
    if len(line) <= WIDTH:
        return line
    reason = textwrap.wrap(printable(denied.reason), WIDTH - 6)
    return "\n".join([*(f"    # {part}" for part in reason), item])


def _labels(draft: Draft) -> list[str]:
    aims = draft.aims
    if aims.mql is None or aims.sql is None:
        return comment(
            "What MQL and SQL promise: the usual 15 % and 30 %, since the data has no "
            "base rate yet."
        )
    return [
        *comment(
            "What the labels promise: of those who enter, at least this share converts "
            "in time. Training proves it, or says why not."
        ),
        "[labels.MQL]",
        *guessed("these promises", aims.because),
        f"precision = {aims.mql:g}",
        "",
        "[labels.SQL]",
        f"precision = {aims.sql:g}",
    ]


def _hand_raise(draft: Draft) -> list[str]:
    if draft.hand_raises:
        said = guessed(
            "with these a lead asks to be contacted",
            "their names say so; sales gets it",
        )
    else:
        said = guessed(
            "nobody asks to be contacted", "no kind of interaction has such a name"
        )
    return [
        *comment("Who asked to be contacted goes to sales at once."),
        "[hand_raise]",
        *said,
        f"kinds = {array(draft.hand_raises)}",
    ]


def _training(draft: Draft) -> list[str]:
    aims = draft.aims
    if aims.promise_days is None:
        return []
    return [
        *comment("What proves the promises of the labels."),
        "[training]",
        *guessed(
            "promises are proven on held-out leads of so many days",
            aims.promise_because,
        ),
        f"promise_days = {aims.promise_days}",
        *([f"promise_share = {aims.promise_share:g}"] if aims.promise_share else []),
    ]
