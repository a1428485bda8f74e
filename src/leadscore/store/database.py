"""A table or view of a database -> its rows, as text, in batches.

Goes in: the database that the agreement names. Comes out: `Rows`, whose values are
written as the text that the parser reads. A table has no order: its digest does not
depend on one, and its lines are the numbers of the rows as they came. What the
connection says of itself is never told with its password.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import math
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from leadscore.agreement import Database
from leadscore.errors import DataError, InputError
from leadscore.store.header import match_header
from leadscore.store.notes import Note
from leadscore.store.reader import Rows, extra_note
from leadscore.tables import Contract

__all__ = ["DatabaseTable", "read_database_rows"]

_FROM_ENVIRONMENT = "env:"
_MODULUS = 1 << 256
_NUMBERS = (int, float, decimal.Decimal)


class DatabaseTable:
    """A table or view that is read in batches.

    Parameters
    ----------
    database : Database
        Where it is; its table must be named.
    contract : Contract
        The columns to look for, by name.
    mapping : mapping of str to str
        Their column names by ours.
    batch_rows : int
        How many rows to take at once, at most.

    Raises
    ------
    InputError
        The database cannot be reached, or does not have the table.
    DataError, AgreementError
        Required columns are missing, or the agreement maps one that does not exist.
    """

    separator = None

    def __init__(
        self,
        database: Database,
        *,
        contract: Contract,
        mapping: Mapping[str, str],
        batch_rows: int,
    ) -> None:
        self.file = str(getattr(database.tables, contract.name))
        self._contract, self._batch_rows = contract, batch_rows
        self._url = _url_of(database)
        names = self._names()
        positions, extra = match_header(names, contract, mapping, file=self.file)
        self._theirs = {ours: names[j] for ours, j in positions.items()}
        self._n_read, self._sum = 0, 0
        self.notes: list[Note] = [extra_note(self.file, extra)]
        self.ignored = tuple(extra)

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ours that the table has."""
        return frozenset(self._theirs)

    def digest(self) -> str:
        """Return a sha256 of the rows that `rows` gave, in whatever order."""
        told = json.dumps([sorted(self._theirs), self._n_read, hex(self._sum)])
        return hashlib.sha256(told.encode()).hexdigest()

    def rows(self) -> Iterator[Rows]:
        """Yield the rows, batch by batch; at least one, which may be empty."""
        for batch in self._batches():
            rows = self._rows(batch, self._n_read)
            self._add_to_digest(rows)
            self._n_read += len(batch)
            yield rows
        if not self._n_read:
            yield self._rows([], 0)

    def rows_ahead(self) -> Iterator[Rows]:
        """Yield the rows after those that `rows` gave last, without taking them.

        Asked again, a table may give its rows in another order; what is asked of them
        here is what most of them say.
        """
        n = 0
        for batch in self._batches():
            if n >= self._n_read:
                yield self._rows(batch, n)
            n += len(batch)

    def _names(self) -> list[str]:
        with _Session(self._url, self.file) as session:
            nothing: Any = sa.select(sa.literal_column("*")).select_from(self._table())
            return list(session.execute(nothing.where(sa.false())).keys())

    def _table(self) -> sa.TableClause:
        schema, _, name = self.file.rpartition(".")
        return sa.table(name, schema=schema) if schema else sa.table(name)

    def _batches(self) -> Iterator[Sequence[Sequence[Any]]]:
        columns: list[Any] = [sa.column(theirs) for theirs in self._theirs.values()]
        statement = sa.select(*columns).select_from(self._table())
        with _Session(self._url, self.file) as session:
            result = session.execute(statement, n=self._batch_rows)
            yield from result.partitions(self._batch_rows)

    def _rows(self, batch: Sequence[Sequence[Any]], n_before: int) -> Rows:
        values = {n: [row[j] for row in batch] for j, n in enumerate(self._theirs)}
        cells = {n: self._cells(n, column) for n, column in values.items()}
        typed = frozenset(
            c.name
            for c in self._contract.columns
            if c.kind == "number"
            and all(
                v is None or isinstance(v, _NUMBERS) for v in values.get(c.name, ())
            )
        )

        def raw(i: int) -> str:
            return ",".join(cells[name][i].as_py() or "" for name in cells)

        return Rows(
            file=self.file,
            cells=cells,
            lines=np.arange(n_before, n_before + len(batch), dtype=np.int64) + 1,
            raw=raw,
            rejects=[],
            notes=[],
            form="database",
            typed=typed,
        )

    def _cells(self, name: str, values: Sequence[Any]) -> Any:
        try:
            return pa.array([_text_of(v) for v in values], pa.large_string())
        except TypeError as error:
            msg = (
                f'{self.file}: column "{self._theirs[name]}" holds {error}. Make it '
                "text, a number, a date or a timestamp, in a view if need be."
            )
            raise DataError(msg) from error

    def _add_to_digest(self, rows: Rows) -> None:
        columns = [rows.cells[name].to_pylist() for name in sorted(rows.cells)]
        for row in zip(*columns, strict=True):
            told = hashlib.sha256(json.dumps(row).encode()).digest()
            self._sum = (self._sum + int.from_bytes(told)) % _MODULUS


def read_database_rows(
    database: Database, contract: Contract, mapping: Mapping[str, str]
) -> tuple[Rows, str]:
    """Read a whole table; for leads and outcomes, which fit into memory.

    Parameters
    ----------
    database : Database
    contract : Contract
        The columns to look for, by name; its name says which table.
    mapping : mapping of str to str
        Their column names by ours.

    Returns
    -------
    rows : Rows
    digest : str
        See `DatabaseTable.digest`.
    """
    table = DatabaseTable(
        database, contract=contract, mapping=mapping, batch_rows=50_000
    )
    parts = list(table.rows())
    cells = {
        name: pa.concat_arrays([part.cells[name] for part in parts])
        for name in parts[0].cells
    }

    def raw(i: int) -> str:
        return ",".join(cells[name][i].as_py() or "" for name in cells)

    rows = replace(
        parts[0],
        cells=cells,
        lines=np.concatenate([part.lines for part in parts]),
        raw=raw,
        notes=table.notes,
        ignored=table.ignored,
        typed=frozenset.intersection(*(part.typed for part in parts)),
    )
    return rows, table.digest()


def _text_of(value: Any) -> str | None:
    """Return a value as the text that the parser reads.

    Raises
    ------
    TypeError
        There is no such text.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dt.date, int, uuid.UUID)):
        return str(value)
    if isinstance(value, float):
        return None if math.isnan(value) else repr(value)
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else format(value, "f")
    raise TypeError(type(value).__name__)


def _url_of(database: Database) -> sa.URL:
    """Return where the database is."""
    given = database.url
    if given.startswith(_FROM_ENVIRONMENT):
        name = given.removeprefix(_FROM_ENVIRONMENT)
        given = os.environ.get(name, "")
        if not given:
            msg = (
                f"the environment variable {name}, which agreement.toml names as the "
                "url under [source.database], is not set. Set it to the url of the "
                "database, like postgresql://user:password@host/name."
            )
            raise InputError(msg)
    try:
        return sa.make_url(given)
    except (sa.exc.ArgumentError, ValueError):
        # Neither the text nor its parts are shown: a password may stand anywhere.
        msg = (
            "the url under [source.database] is not one; write it like "
            "postgresql://user@host/name."
        )
        raise InputError(msg) from None


def _secrets_in(url: sa.URL) -> list[str]:
    """Return what no message may tell: passwords, and what drivers take like them."""
    told = {name: str(value) for name, value in url.query.items()}
    named = [
        v for n, v in told.items() if re.search("(?i)pass|pwd|key|token|secret", n)
    ]
    return [secret for secret in (url.password, *named) if secret]


class _Session:
    """A connection that closes behind itself, and whose errors are sentences."""

    def __init__(self, url: sa.URL, table: str) -> None:
        self._url, self._table = url, table

    def __enter__(self) -> _Session:
        try:
            self._engine = sa.create_engine(self._url)
            self._connection = self._engine.connect()
        except ImportError as error:
            msg = (
                f"the driver of {self._url.drivername} is missing ({error}). Install "
                "it beside leadscore."
            )
            raise InputError(msg) from error
        except sa.exc.SQLAlchemyError as error:
            raise self._problem(error) from None
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._connection.close()
        self._engine.dispose()
        if isinstance(error, sa.exc.SQLAlchemyError):
            raise self._problem(error) from None

    def execute(self, statement: Any, n: int = 1) -> sa.CursorResult[Any]:
        """Ask the database, and take ``n`` rows at once."""
        options = {"stream_results": True, "yield_per": n}
        return self._connection.execute(statement, execution_options=options)

    def _problem(self, error: sa.exc.SQLAlchemyError) -> InputError:
        cause = getattr(error, "orig", None) or error
        said = " ".join(str(cause).split())
        for secret in _secrets_in(self._url):
            for shown in (secret, quote(secret), quote_plus(secret)):
                said = said.replace(shown, "***")
        where = self._url.set(query={}).render_as_string(hide_password=True)
        msg = (
            f"{self._table} cannot be read from {where}: {said}. Check "
            "[source.database] in agreement.toml, and that the database can be reached."
        )
        return InputError(msg)
