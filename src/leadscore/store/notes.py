"""Notes of what was noticed in a table: counted, and merged over its parts.

Goes in: notes of each part of a file, a note that counts nothing included, so that the
order does not depend on which part has what. Comes out: sentences, each said once, with
the counts of all parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Note", "merge_notes"]


@dataclass(frozen=True)
class Note:
    """One thing noticed, and how often.

    Parameters
    ----------
    topic : str
        What the note is about; notes on one topic are merged.
    n : int
        How often; nothing is said of none.
    before : str
        The sentence, or what stands before the count.
    after : str or None
        What stands after the count; None if the sentence does not tell it.
    """

    topic: str
    n: int
    before: str
    after: str | None = None

    @property
    def sentence(self) -> str:
        """The note in words."""
        told = "" if self.after is None else f"{self.n:,}{self.after}"
        return f"{self.before}{told}"


def merge_notes(notes: Iterable[Note]) -> list[Note]:
    """Return one note a topic, counts summed, in the order topics first come up."""
    merged: dict[str, Note] = {}
    for note in notes:
        earlier = merged.get(note.topic)
        if earlier is None:
            merged[note.topic] = note
        else:
            said = earlier if earlier.n else note  # a silent note may have no words
            merged[note.topic] = replace(said, n=earlier.n + note.n)
    return list(merged.values())
