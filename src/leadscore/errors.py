"""The exceptions of leadscore, one tree; the command line turns each into one line.

    LeadscoreError            anything we raise on purpose
    ├── UsageError        2   the command was called wrongly
    ├── AgreementError    2   agreement.toml says something that cannot be
    ├── DataError        65   the tables break their contract, or too many rows do
    ├── InputError       66   an input is missing or cannot be read
    ├── OutputError      73   an output cannot be created
    ├── StorageError     74   the disk refused while we wrote
    ├── BusyError        75   another run holds what we need; try later
    └── RefusedError     77   we will not do this, for safety

A message says what was expected, what came (file, line, column, value) and the next
step. Exit code 1 is reserved for bugs: an exception that is not in this tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EXIT_DEGRADED",
    "EXIT_OK",
    "AgreementError",
    "BusyError",
    "DataError",
    "InputError",
    "LeadscoreError",
    "OutputError",
    "RefusedError",
    "StorageError",
    "UsageError",
]

EXIT_OK = 0
EXIT_DEGRADED = 10  # the work is done, but a label is not issued or a model is missing


class LeadscoreError(Exception):
    """Anything leadscore raises on purpose; ``exit_code`` is what the shell sees."""

    exit_code = 1


class UsageError(LeadscoreError):
    """The command was called wrongly."""

    exit_code = 2


class AgreementError(LeadscoreError):
    """The agreement file says something that cannot be."""

    exit_code = 2


class DataError(LeadscoreError):
    """The tables break their contract, or more rows than the budget allows do.

    ``rejects`` holds the rows that were set aside until then, or None.
    """

    exit_code = 65
    rejects: pd.DataFrame | None = None


class InputError(LeadscoreError):
    """An input is missing or cannot be read."""

    exit_code = 66


class OutputError(LeadscoreError):
    """An output cannot be created."""

    exit_code = 73


class StorageError(LeadscoreError):
    """The disk refused while we wrote; nothing half-written is visible."""

    exit_code = 74


class BusyError(LeadscoreError):
    """Another run holds what this one needs."""

    exit_code = 75


class RefusedError(LeadscoreError):
    """Refused for safety: an altered model, an untrusted type."""

    exit_code = 77
