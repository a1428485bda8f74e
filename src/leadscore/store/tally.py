"""What became of the rows of a table that is too large to be held.

Goes in: every part of the table, when it has been read. Comes out: the counts, the
notes, and the rows set aside: the first of them in full, the others by their reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from leadscore.store.notes import Note, merge_notes
from leadscore.store.rejects import LEAD_ASIDE, Reject, check_budget

__all__ = ["MAX_REJECTS", "Tally"]

MAX_REJECTS = 10_000


@dataclass
class Tally:
    """The counts of one table; complete once its stream is exhausted.

    Parameters
    ----------
    file : str
        What the table is called.
    n_read, n_used : int
        Rows of the file, lines that are not rows included, and those given out.
    n_assumed : int
        Rows that count as known when they happened, as they do not say it.
    has_known_at : bool
        Whether the file has a column to say it.
    rejects : list of Reject
        The first rows set aside, `MAX_REJECTS` at most.
    beyond : Counter of str
        How many more there are, by reason.
    form : str
        How the file is written.
    digest : str
        sha256 of the file.
    """

    file: str
    n_read: int = 0
    n_used: int = 0
    n_assumed: int = 0
    has_known_at: bool = True
    rejects: list[Reject] = field(default_factory=list)
    beyond: Counter[str] = field(default_factory=Counter)
    form: str = ""
    digest: str = ""
    _notes: list[Note] = field(default_factory=list)

    @property
    def n_aside(self) -> int:
        """Rows set aside, kept in full or not."""
        return len(self.rejects) + sum(self.beyond.values())

    @property
    def room(self) -> int:
        """How many more rejects are kept in full."""
        return MAX_REJECTS - len(self.rejects)

    @property
    def notes(self) -> list[str]:
        """What was detected and assumed, each said once for the whole file."""
        said = [note.sentence for note in self._notes if note.n]
        if self.beyond:
            shown = ", ".join(f"{n:,} {why!r}" for why, n in self.beyond.most_common())
            listed = f"{len(self.rejects):,} of {self.n_aside:,} rows set aside"
            said.append(f"{self.file}: {listed} are listed; of the others: {shown}.")
        return said

    def note(self, notes: Iterable[Note]) -> None:
        """Merge what was noticed in a part of the file."""
        self._notes = merge_notes([*self._notes, *notes])

    def set_aside(self, rejects: Sequence[Reject], beyond: Counter[str]) -> None:
        """Take rows set aside: some in full, and how many more by reason."""
        ordered = sorted(rejects, key=lambda reject: reject.line)
        kept = ordered[: self.room]
        self.beyond += Counter(plain_reason(r.reason) for r in ordered[len(kept) :])
        self.beyond += beyond
        self.rejects += kept

    def check_budget(self, max_share: float, earlier: Sequence[Reject] = ()) -> None:
        """Refuse a table of which more was set aside than the agreement allows.

        Raises
        ------
        DataError
            See `leadscore.store.rejects.check_budget`.
        """
        check_budget(
            self.file,
            self.n_read,
            self.rejects,
            max_share=max_share,
            earlier=earlier,
            n_more=sum(n for why, n in self.beyond.items() if why != LEAD_ASIDE),
        )

    def counts(self, n_again: int = 0) -> str:
        """Return all counts in a sentence; ``n_again`` rows repeat another one."""
        repeated = f", {n_again:,} counted once" if n_again else ""
        return (
            f"{self.file}: {self.n_read:,} rows read, {self.n_used - n_again:,} used"
            f"{repeated}, {self.n_aside:,} set aside; {self.form}."
        )


def plain_reason(reason: str) -> str:
    """Return a reason without the line that it names."""
    return LEAD_ASIDE if reason.startswith(LEAD_ASIDE) else reason
