"""All guesses together: what the drafted agreement will say, and why.

Goes in: the roles of the files, then the tables read by them. Comes out: `Draft`. Two
steps, since the second one needs typed tables: `first_agreement` is just enough to read
them, `guess` then asks the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from leadscore.agreement import (
    Agreement,
    ColumnNames,
    Consent,
    Conversion,
    Features,
    FileNames,
    HandRaise,
    Points,
    Snapshots,
    Source,
)
from leadscore.draft.attributes import Attributes, first_attributes, settle_changes
from leadscore.draft.hints import (
    Denied,
    doubtful_attributes,
    leaking_attributes,
    leaking_kinds,
)
from leadscore.draft.mail import MachineGuess, guess_machines
from leadscore.draft.meanings import Earns, is_hand_raise, is_sales_action, points_of
from leadscore.draft.roles import Roles, dated_leads, stage_leads
from leadscore.draft.source import Writing, find_writing
from leadscore.draft.stages import Stages, first_stages, settle_stages
from leadscore.draft.timing import Aims, Timing, guess_aims, guess_timing
from leadscore.store.find import bears_own_name
from leadscore.store.header import plain_name
from leadscore.tables import Tables, latest_known

__all__ = ["Draft", "First", "first_agreement", "guess"]

FAR_END = "2199-12-31"  # while reading for the first time: no row is in the future
USUAL_BUDGET = 0.01
LARGEST_BUDGET = 0.2  # beyond that the files are broken, and reading refuses them
_SILENCE = pd.Timedelta(days=30)


@dataclass(frozen=True)
class First:
    """What is known before the tables are read, and an agreement to read them by."""

    roles: Roles
    writing: Writing
    stages: Stages
    attributes: Attributes
    agreement: Agreement


@dataclass(frozen=True)
class Draft:
    """Everything that the drafted agreement says.

    Parameters
    ----------
    roles : Roles
    writing : Writing
    stages : Stages
    timing : Timing
    attributes : Attributes
    denied_kinds : tuple of Denied
    hand_raises : tuple of str
    points : tuple of (str, Earns)
        By kind.
    aims : Aims
    budget : tuple of (float, str) or None
        ``max_reject_share`` and why; None where the usual one does.
    data_end : tuple of (str, str) or None
        Given where a few rows lie far in the future, and why.
    machines : MachineGuess or None
        None where nothing sounds like opens and clicks of mail.
    left_out : tuple of Denied
        Files of the folder that are no tables of ours, by name.
    """

    roles: Roles
    writing: Writing
    stages: Stages
    timing: Timing
    attributes: Attributes
    denied_kinds: tuple[Denied, ...]
    hand_raises: tuple[str, ...]
    points: tuple[tuple[str, Earns], ...]
    aims: Aims
    budget: tuple[float, str] | None
    data_end: tuple[str, str] | None
    machines: MachineGuess | None = None
    left_out: tuple[Denied, ...] = ()


def first_agreement(roles: Roles) -> First:
    """Return an agreement that reads the tables: names, form, attributes, stages."""
    attributes = first_attributes(roles)
    writing = find_writing(roles, [a.column for a in attributes.declared])
    leads = stage_leads(roles.outcomes) if roles.outcomes else dated_leads(roles)
    stages = first_stages(leads)
    source = Source.model_validate(
        {
            "separator": writing.separator,
            "encoding": writing.encoding,
            "decimal": writing.decimal,
            "date_order": writing.date_order,
            "max_reject_share": 1.0,
            "data_end": FAR_END,
            "files": FileNames(**file_names(roles)),
            "dated_stages": roles.dated_stages,
            "columns": ColumnNames(**column_names(roles, attributes)),
        }
    )
    agreement = Agreement(
        source=source,
        conversion=_conversion(stages),
        attributes=attributes.as_settings(),
        consent=Consent(exclude_when_true=tuple(c.name for c in attributes.consent)),
        features=Features(deny=()),
        points=Points(rules=()),
        hand_raise=HandRaise(kinds=()),
    )
    return First(roles, writing, stages, attributes, agreement)


def file_names(roles: Roles) -> dict[str, str]:
    """Return the file of each table that does not bear the table's own name."""
    named = {table: role.file.file for table, role in roles.by_table().items()}
    return {
        table: file for table, file in named.items() if not bears_own_name(file, table)
    }


def column_names(roles: Roles, attributes: Attributes) -> dict[str, dict[str, str]]:
    """Return their names by ours, where the plain spelling differs."""
    mapped = {
        table: {
            ours: guess.column
            for ours, guess in role.columns.items()
            if plain_name(guess.column) != ours
        }
        for table, role in roles.by_table().items()
    }
    renamed = {
        a.name: a.column for a in attributes.declared if plain_name(a.column) != a.name
    }
    mapped["leads"] = mapped["leads"] | renamed
    return {table: names for table, names in mapped.items() if names}


def _conversion(stages: Stages) -> Conversion:
    return Conversion(
        stage=stages.conversion,
        lost=stages.lost,
        disqualified=stages.disqualified,
        recycled=stages.recycled,
    )


def guess(first: First, tables: Tables) -> Draft:
    """Return all guesses, now that the tables are read.

    Parameters
    ----------
    first : First
    tables : Tables
        Read by the agreement of ``first``.
    """
    data_end, why_end = _data_end(tables)
    tables = replace(tables, data_end=data_end)
    stages = settle_stages(first.stages, tables)
    agreement = first.agreement.model_copy(update={"conversion": _conversion(stages)})
    attributes = settle_changes(first.attributes, tables)
    attributes = attributes.without(leaking_attributes(tables, agreement))
    attributes = attributes.doubting(doubtful_attributes(tables, agreement))
    outcomes = first.roles.outcomes
    timing = guess_timing(
        tables,
        stages.conversion,
        has_known_at=outcomes is not None and "known_at" in outcomes.columns,
    )
    agreement = _timed(agreement, timing)
    denied = _denied_kinds(tables, agreement)
    kinds = sorted(set(tables.interactions.by_kind().index) - {d.name for d in denied})
    hand_raises = tuple(k for k in kinds if is_hand_raise(k))
    return Draft(
        roles=first.roles,
        writing=first.writing,
        stages=stages,
        timing=timing,
        attributes=attributes,
        denied_kinds=tuple(denied),
        hand_raises=hand_raises,
        points=tuple((k, e) for k in kinds if (e := points_of(k)) is not None),
        aims=guess_aims(tables, agreement),
        budget=_budget(tables),
        data_end=(f"{data_end:%Y-%m-%dT%H:%M:%SZ}", why_end) if why_end else None,
        machines=guess_machines(tables, {*hand_raises, *(d.name for d in denied)}),
    )


def _timed(agreement: Agreement, timing: Timing) -> Agreement:
    conversion = agreement.conversion.model_copy(
        update={
            "horizon_days": timing.horizon_days,
            "reporting_lag_days": timing.lag_days,
        }
    )
    snapshots = Snapshots(
        every_days=None if timing.ages_hours else timing.every_days,
        at_age_hours=timing.ages_hours,
        max_age_days=timing.max_age_days,
    )
    return agreement.model_copy(
        update={"conversion": conversion, "snapshots": snapshots}
    )


def _denied_kinds(tables: Tables, agreement: Agreement) -> list[Denied]:
    """Return kinds that sales does, that are outcomes, or that the data gives away."""
    conversion = agreement.conversion
    stages = {conversion.stage, *conversion.lost, *conversion.disqualified}
    stages |= {*conversion.recycled}
    late = {d.name: d for d in leaking_kinds(tables, agreement)}
    found = []
    for kind in sorted(set(tables.interactions.by_kind().index)):
        if kind in stages:
            found.append(Denied(kind, "an outcome itself"))
        elif is_sales_action(kind):
            reason = "what sales does, because it already believes in the lead"
            found.append(Denied(kind, reason))
        elif kind in late:
            found.append(late[kind])
    return found


def _data_end(tables: Tables) -> tuple[pd.Timestamp, str]:
    """Return when the export was made, and why it must be said, if it must.

    The same measure as the reader's: one row in a thousand, a month after all others.
    """
    frames = (tables.leads, tables.outcomes)
    n_rows = len(tables.interactions) + sum(map(len, frames))
    n_last = max(n_rows // 1000, 1)
    known = latest_known(frames, tables.interactions, n_last + 1)
    latest, others = known.iloc[-1], known.iloc[0]
    if n_rows < 100 or latest - others <= _SILENCE:
        return latest, ""
    end = others.ceil("D")
    return end, (
        f"all rows but {n_last:,} were known by {others:%Y-%m-%d}, and the latest is "
        f"dated {latest:%Y-%m-%d}, in the future"
    )


def _budget(tables: Tables) -> tuple[float, str] | None:
    """Return the share of rows that must be allowed to be set aside, if it is large."""
    if tables.rejects.empty:
        return None
    sizes = {counts.file: counts.n_read for counts in tables.counts}
    counts = tables.rejects["file"].value_counts()
    shares = {f: n / max(sizes.get(f, n), 1) for f, n in counts.items()}
    worst = max(shares, key=lambda f: (shares[f], f))
    if shares[worst] <= USUAL_BUDGET:
        return None
    of_file = tables.rejects[tables.rejects["file"] == worst]
    reason = of_file["reason"].value_counts().index[0]
    share = min(round(shares[worst] * 1.25 + 0.005, 2), LARGEST_BUDGET)
    return share, (
        f"{counts[worst]:,} rows of {worst} ({shares[worst]:.1%}) cannot be used, "
        f"mostly: {reason}"
    )
