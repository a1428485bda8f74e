"""A data folder -> the agreement and the typed tables.

Goes in: a folder with ``agreement.toml``, ``leads``, ``outcomes`` and maybe
``interactions``, each ``.csv``, ``.csv.gz`` or ``.parquet``, under the names that the
agreement gives. A table may come from a database instead. Comes out: `Tables`, in an
order that does not depend on the files'; interactions too many for memory are in an
event store on the disk (`leadscore.store.log`). Outcomes may also stand as dates in the
leads file. Rows that cannot be used are among the rejects, each with its reason; too
many of them, and nothing comes out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from leadscore.agreement import Agreement, Database, Source, parse_agreement
from leadscore.buckets import in_memory, rows_of
from leadscore.errors import AgreementError, DataError, InputError
from leadscore.interactions import Interactions
from leadscore.merges import merges_of, pass_conversions_on
from leadscore.progress import Tell, silent
from leadscore.store.database import read_database_rows
from leadscore.store.dated import (
    count_repeats_once,
    dated_contract,
    read_dated_stage,
)
from leadscore.store.find import find_files, is_parquet
from leadscore.store.functions import read_functions
from leadscore.store.instants import parse_instants
from leadscore.store.known import KnownLeads
from leadscore.store.loaded import FACT_END, Loaded
from leadscore.store.log import read_log
from leadscore.store.log_source import LogSource
from leadscore.store.parquet import read_parquet
from leadscore.store.parse import parse_rows
from leadscore.store.reader import Rows, read_delimited
from leadscore.store.rejects import Reject, rejects_table
from leadscore.store.relations import (
    check_history,
    relate_leads,
    relate_outcomes,
)
from leadscore.tables import (
    INTERACTIONS,
    LEADS,
    OUTCOMES,
    Column,
    Contract,
    FileCounts,
    Kind,
    Tables,
    latest_known,
    n_known_from,
)

__all__ = ["read_agreement", "read_tables"]

_AGREEMENT = "agreement.toml"
_KINDS: dict[str, Kind] = {
    "category": "text",
    "text_presence": "text",
    "number": "number",
    "date": "instant",
}


_ENOUGH_TO_TELL = 100  # rows; fewer may well be months apart
_LONG_SILENCE = pd.Timedelta(days=30)


def read_agreement(folder: str | Path) -> tuple[Agreement, str]:
    """Read the agreement of a data folder.

    Parameters
    ----------
    folder : str or Path
        The folder that holds ``agreement.toml``.

    Returns
    -------
    agreement : Agreement
    text : str
        The file as written, to be kept with the model.

    Raises
    ------
    InputError
        The file is missing or is not UTF-8.
    AgreementError
        It says something that cannot be.
    """
    path = Path(folder) / _AGREEMENT
    if not Path(folder).is_dir():
        msg = f"{folder} is not a folder; name the one that holds your tables."
        raise InputError(msg)
    if not path.is_file():
        msg = (
            f"{path} is missing. Write one; two lines are enough: [conversion] and "
            "stage = the stage of outcomes that you want to predict. The sample's "
            "agreement.toml shows every section."
        )
        raise InputError(msg)
    try:
        text = _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text ({error.reason}). Save it as UTF-8."
        raise InputError(msg) from error
    return parse_agreement(text, name=_AGREEMENT), text


def read_tables(
    folder: str | Path, agreement: Agreement, *, tell: Tell = silent
) -> Tables:
    """Read the tables of a data folder.

    Parameters
    ----------
    folder : str or Path
        The data folder.
    agreement : Agreement
        Column names, attributes, time zone and how the files are written.
    tell : Tell, default=silent
        Told of each step where there are many interactions.

    Returns
    -------
    Tables
        Leads by lead and ``known_at``, interactions in sorted buckets, outcomes by
        lead and ``occurred_at`` and then all other columns.

    Raises
    ------
    InputError
        A file is missing, empty or cannot be read.
    DataError
        A file breaks its contract, or more rows are set aside than the budget allows;
        then the exception has the attribute ``rejects``, a table.
    AgreementError
        The agreement maps a column that does not exist, its ``data_end`` cannot be
        read, or a file of functions that it names is missing or no Python.
    """
    given_end = _given_end(agreement)
    functions = read_functions(folder, agreement)
    files = find_files(Path(folder), agreement.source)
    reading = _Reading(agreement, tell)
    loaded, leads = _leads(files, reading)
    merges = merges_of(leads)
    interactions = _interactions(Path(folder), files, loaded, merges, reading)
    outcomes = _outcomes(files, reading, loaded)
    return Tables(
        leads=leads,
        interactions=interactions,
        outcomes=_with_merged(outcomes, merges, reading),
        data_end=_data_end(given_end, (leads, outcomes), interactions, reading),
        rejects=rejects_table(reading.rejects),
        notes=tuple(reading.notes),
        digests=reading.digests,
        counts=tuple(reading.counts),
        functions=functions,
    )


@dataclass
class _Reading:
    """What the tables share and gather while they are read."""

    agreement: Agreement
    tell: Tell
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    counts: list[FileCounts] = field(default_factory=list)


def _leads(files: Mapping[str, Path], reading: _Reading) -> tuple[Loaded, pd.DataFrame]:
    leads = _load(_leads_contract(reading.agreement), files, reading)
    if leads.n_read == 0:
        msg = (
            f"{leads.file} has column names, but no rows: the export was empty. Export "
            "the leads once more, one row each."
        )
        raise DataError(msg)
    check_history(leads, reading.agreement)
    relate_leads(leads)
    frame = _finish(leads, reading, ["lead_id", "known_at"])
    if frame.empty:
        msg = f"{leads.file}: no lead can be used. Export the leads, one row each."
        raise DataError(msg)
    return leads, frame


def _interactions(
    folder: Path,
    files: Mapping[str, Path],
    leads: Loaded,
    merges: pd.DataFrame,
    reading: _Reading,
) -> Interactions:
    where = _where(INTERACTIONS, files, reading)
    if where is None:
        reading.notes.append("No interactions file; leads are judged without any.")
        return in_memory(rows_of(_empty(INTERACTIONS)), reading.agreement.machines)
    known = KnownLeads(leads.frame["lead_id"], leads.ids_aside, leads.file)
    source = LogSource(
        where=where,
        folder=folder,
        agreement=reading.agreement,
        leads=known,
        merges=merges,
        earlier=reading.rejects,
    )
    log = read_log(source, tell=reading.tell)
    reading.digests[log.file] = log.digest
    reading.rejects += log.rejects
    reading.notes += [log.counts.said, *log.notes]
    reading.counts.append(log.counts)
    return log.interactions


def _where(
    contract: Contract, files: Mapping[str, Path], reading: _Reading
) -> Path | Database | None:
    """Return where a table is: in the database that names it, or in a file."""
    database = reading.agreement.source.database
    if database is not None and getattr(database.tables, contract.name):
        return database
    return files.get(contract.name)


def _are_one(files: Mapping[str, Path], reading: _Reading) -> bool:
    """Say whether interactions and outcomes are one log."""
    where = _where(INTERACTIONS, files, reading)
    if where is None or where != _where(OUTCOMES, files, reading):
        return False
    if isinstance(where, Database):
        return where.tables.interactions == where.tables.outcomes
    return True


def _outcomes(
    files: Mapping[str, Path], reading: _Reading, leads: Loaded
) -> pd.DataFrame:
    """Return the outcomes of their own file, and those dated in the leads file."""
    parts = []
    if _where(OUTCOMES, files, reading) is not None:
        outcomes = _load(OUTCOMES, files, reading)
        is_shared = _are_one(files, reading)
        if is_shared:
            _keep_stages(outcomes, reading.agreement)
        relate_outcomes(outcomes, leads)
        n_earlier = len(reading.rejects)
        parts.append(_finish(outcomes, reading, _order(OUTCOMES)))
        if is_shared:
            _count_lines_once(reading, n_earlier)
    for stage, column in reading.agreement.source.dated_stages.items():
        dated = _dated(files[LEADS.name], stage, column, reading)
        relate_outcomes(dated, leads)
        count_repeats_once(dated)
        parts.append(_finish(dated, reading, _order(OUTCOMES))[list(OUTCOMES.names)])
    together = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return together.sort_values(_order(OUTCOMES), ignore_index=True)


def _with_merged(
    outcomes: pd.DataFrame, merges: pd.DataFrame, reading: _Reading
) -> pd.DataFrame:
    """Return the outcomes with the conversions that survivors have from merged leads.

    After everything that counts or dates rows of files: the copies are none.
    """
    stage = reading.agreement.conversion.stage
    passed_on = pass_conversions_on(outcomes, merges, stage)
    if len(merges):
        n_merged = merges["lead_id"].nunique()
        reading.notes.append(
            f"Leads merged into others: {n_merged:,}. What they did, and that they "
            "converted, counts for those, too, from the merge on."
        )
    return passed_on.sort_values(_order(OUTCOMES), ignore_index=True)


def _count_lines_once(reading: _Reading, n_earlier: int) -> None:
    """Drop the later rejects of lines of a shared log that are rejects already."""
    earlier = reading.rejects[:n_earlier]
    lines = {(reject.file, reject.line) for reject in earlier}
    later = [r for r in reading.rejects[n_earlier:] if (r.file, r.line) not in lines]
    reading.rejects = [*earlier, *later]


def _keep_stages(outcomes: Loaded, agreement: Agreement) -> None:
    """Keep the stages that the agreement names, in a log of everything that happens."""
    conversion = agreement.conversion
    named = {conversion.stage, *conversion.lost}
    named |= {*conversion.disqualified, *conversion.recycled}
    is_stage = outcomes.frame["stage"].isin(named).to_numpy()
    outcomes.n_other = int((~is_stage).sum())
    outcomes.frame = outcomes.frame[is_stage]


def _dated(path: Path, stage: str, column: str, reading: _Reading) -> Loaded:
    """Read one dated column of the leads file as outcomes."""
    source = reading.agreement.source
    names = source.columns.leads
    mapping: dict[str, str] = {
        ours: theirs
        for ours, theirs in names.items()
        if ours in ("lead_id", "known_at")
    }
    mapping["occurred_at"] = column
    try:
        rows = _rows(_bytes(path), path, dated_contract(stage), mapping, source)
    except DataError as error:
        where = f'agreement.toml: [source.dated_stages] {stage} = "{column}"'
        msg = f"{where}: {error}"
        raise DataError(msg) from error
    return read_dated_stage(
        rows, stage, column, source=source, zone=reading.agreement.zone
    )


def _load(contract: Contract, files: Mapping[str, Path], reading: _Reading) -> Loaded:
    """Read one table as typed rows."""
    source = reading.agreement.source
    mapping: Mapping[str, str] = getattr(source.columns, contract.name)
    where = _where(contract, files, reading)
    if isinstance(where, Database):
        rows, digest = read_database_rows(where, contract, mapping)
        reading.digests[rows.file] = digest
    else:
        path = files[contract.name]
        data = _bytes(path)
        reading.digests[path.name] = hashlib.sha256(data).hexdigest()
        rows = _rows(data, path, contract, mapping, source)
    return parse_rows(rows, contract, source=source, zone=reading.agreement.zone)


def _rows(
    data: bytes,
    path: Path,
    contract: Contract,
    mapping: Mapping[str, str],
    source: Source,
) -> Rows:
    if is_parquet(path):
        return read_parquet(data, file=path.name, contract=contract, mapping=mapping)
    return read_delimited(
        data, file=path.name, contract=contract, mapping=mapping, source=source
    )


def _finish(loaded: Loaded, reading: _Reading, order: list[str]) -> pd.DataFrame:
    """Check the counts of a table and return it in its own order."""
    share = reading.agreement.source.max_reject_share
    said = loaded.finish(share, reading.rejects)
    reading.rejects += loaded.rejects
    reading.notes += [said, *loaded.notes]
    reading.counts.append(
        FileCounts(
            loaded.file,
            loaded.n_read,
            said,
            n_assumed=loaded.n_assumed,
            has_known_at="known_at" in loaded.rows.cells,
            ignored=loaded.rows.ignored,
        )
    )
    frame = loaded.frame.drop(columns=FACT_END)
    return frame.sort_values(order, ignore_index=True)


def _order(contract: Contract) -> list[str]:
    first = ["lead_id", "occurred_at"]
    return first + [name for name in contract.names if name not in first]


def _leads_contract(agreement: Agreement) -> Contract:
    """Return leads with the columns that the agreement declares; all must be there."""
    declared = {
        name: Column(name, _KINDS[a.kind], a.description, required=True)
        for name, a in agreement.attributes.items()
    }
    declared |= {
        name: Column(name, "flag", "never scored when true", required=True)
        for name in agreement.consent.exclude_when_true
    }
    own = tuple(
        replace(column, required=column.required or column.name in declared)
        for column in LEADS.columns
    )
    extra = tuple(c for name, c in declared.items() if name not in LEADS.names)
    return Contract(LEADS.name, own + extra)


def _empty(contract: Contract) -> pd.DataFrame:
    types = {"instant": "datetime64[us, UTC]", "number": "float64"}
    columns = {c.name: types.get(c.kind, "str") for c in contract.columns}
    return pd.DataFrame({n: pd.Series([], dtype=t) for n, t in columns.items()})


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error


def _given_end(agreement: Agreement) -> pd.Timestamp | None:
    """Return the data_end of the agreement; a date is the start of that local day."""
    text = agreement.source.data_end
    if text is None:
        return None
    order = agreement.source.date_order
    cells = pa.array([text.strip()], pa.large_string())
    try:
        found = parse_instants(
            cells, zone=agreement.zone, order=order, where=_AGREEMENT
        )
    except DataError as error:
        msg = f"{_AGREEMENT}: data_end {text!r} under [source] reads both ways. "
        raise AgreementError(msg + "Write it like 2025-03-01.") from error
    if found.bad:
        msg = f"{_AGREEMENT}: data_end {text!r} under [source] {found.bad[0]}."
        raise AgreementError(msg)
    return pd.Timestamp(found.start[0]).tz_localize("UTC")


def _check_no_outlier(known: pd.Series[Any], n_rows: int) -> None:
    """Refuse to let a few rows from the future say when the export was made.

    One webinar that is planned for next year would make every snapshot mature, and
    every lead of the last months a false "did not convert".

    Raises
    ------
    DataError
        The latest rows, one in a thousand, are months after all others.
    """
    latest, others = known.iloc[-1], known.iloc[0]
    if n_rows < _ENOUGH_TO_TELL or latest - others <= _LONG_SILENCE:
        return
    msg = (
        f"the latest known_at is {latest.isoformat()}, but all rows but "
        f"{len(known) - 1:,} are known by {others.isoformat()}. Repair what is dated "
        "in the future, or write when the export was made as data_end under [source] "
        "in agreement.toml."
    )
    raise DataError(msg)


def _data_end(
    given: pd.Timestamp | None,
    frames: tuple[pd.DataFrame, ...],
    interactions: Interactions,
    reading: _Reading,
) -> pd.Timestamp:
    """Return the instant of the export, and note where it comes from."""
    if given is None:
        n_rows = len(interactions) + sum(map(len, frames))
        known = latest_known(frames, interactions, max(n_rows // 1000, 1) + 1)
        _check_no_outlier(known, n_rows)
        latest = known.iloc[-1]
        reading.notes.append(
            f"data_end is not given; the latest known_at was taken, "
            f"{latest.isoformat()}."
        )
        return latest
    n_later = n_known_from(frames, interactions, given)
    if n_later:
        reading.notes.append(
            f"{n_later:,} rows are known at or after data_end, {given.isoformat()}; "
            "they are kept, and no snapshot sees them."
        )
    return given
