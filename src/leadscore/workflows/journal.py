"""The journal: what a promotion wants, written down before anything moves.

One small file beside the models. While it is there, a promotion was begun and neither
finished nor undone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from leadscore import files

__all__ = ["Wish", "cross_out", "is_unfinished", "read_wish", "write_wish"]

JOURNAL = "promotion.json"


@dataclass(frozen=True)
class Wish:
    """What shall be.

    Parameters
    ----------
    model_id : str
        The model in use; empty: none.
    aliases : dict of str to (str or None)
        The version that each alias names; None: none.
    since : str
        Since when the champion is live; empty: as it is said already.
    """

    model_id: str
    aliases: dict[str, str | None]
    since: str


def is_unfinished(models: Path) -> bool:
    """Return whether a promotion was begun and neither finished nor undone."""
    return (models / JOURNAL).exists()


def write_wish(models: Path, wish: Wish) -> None:
    """Write down what shall be, all or nothing."""
    files.write_text(models / JOURNAL, json.dumps(asdict(wish), indent=2) + "\n")


def read_wish(models: Path) -> Wish:
    """Return what was written down."""
    return Wish(**json.loads((models / JOURNAL).read_bytes()))


def cross_out(models: Path) -> None:
    """Note that it is done, or undone."""
    (models / JOURNAL).unlink(missing_ok=True)
