"""The journal: what a promotion wants, written down before anything moves.

One small file beside the models. While it is there, a promotion was begun and neither
finished nor undone. It says what shall be, what was, and which store it is about.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from leadscore import files
from leadscore.errors import RefusedError

__all__ = [
    "JOURNAL",
    "Entry",
    "Standing",
    "cross_out",
    "is_unfinished",
    "read_entry",
    "write_entry",
]

JOURNAL = "promotion.json"


@dataclass(frozen=True)
class Standing:
    """Which model is in use, and what the registry calls it.

    Parameters
    ----------
    model_id : str
        The model in use; empty: none.
    aliases : dict of str to (str or None)
        The version that each alias names; None: none.
    since : str
        Since when the champion is live; empty: as it is said already.
    reasons : dict of str to str
        Why a version was put into use all the same, by its number; empty: no reason was
        needed. Versions that are not in it keep what is said of them.
    """

    model_id: str
    aliases: dict[str, str | None]
    since: str = ""
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A promotion under way.

    Parameters
    ----------
    store : str
        Which tracking store it is about; no password.
    before, after : Standing
    """

    store: str
    before: Standing
    after: Standing


def is_unfinished(models: Path) -> bool:
    """Return whether a promotion was begun and neither finished nor undone."""
    return (models / JOURNAL).exists()


def write_entry(models: Path, entry: Entry) -> None:
    """Write down what shall be, all or nothing."""
    files.write_text(models / JOURNAL, json.dumps(asdict(entry), indent=2) + "\n")


def read_entry(models: Path) -> Entry:
    """Return what was written down.

    Raises
    ------
    RefusedError
        It cannot be read.
    """
    path = models / JOURNAL
    try:
        said = json.loads(path.read_bytes())
        return Entry(
            said["store"], Standing(**said["before"]), Standing(**said["after"])
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path}, the note of an interrupted promotion, cannot be read. Look which "
            f"model {models / 'current'} names, remove the note, and promote again."
        )
        raise RefusedError(msg) from error


def cross_out(models: Path) -> None:
    """Note that it is done, or undone."""
    (models / JOURNAL).unlink(missing_ok=True)
