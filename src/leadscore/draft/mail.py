"""Mail: which kinds are opens and clicks, and whether machines made some of them.

Goes in: names of kinds, then the tables. Comes out: rules for ``[machines]``, with what
they would find in the log; nothing where no kind sounds like mail.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from leadscore.agreement import Machines
from leadscore.draft.words import tokens, word_set
from leadscore.kept_apart import clock_units, tried
from leadscore.tables import Tables

__all__ = ["MachineGuess", "guess_machines", "is_click", "is_open", "is_sending"]

WITHIN_S = 30  # scanners take seconds, people minutes
BURST = 3
MIN_ROWS, MIN_LEADS = 20, 5  # fewer bursts may be nervous thumbs

_MAIL = word_set("email mail e_mail courriel correo newsletter e mails emails")
_CLICK = word_set("click clicked clic clics clique cliquee klick geklickt")
_OPEN = word_set("open opened ouvert ouverte ouverture geoffnet abierto apertura")
_SENT = word_set(
    "sent delivered envoye envoyee envoi gesendet versendet zugestellt enviado envio"
)


def is_open(kind: str) -> bool:
    """Return whether a kind is the opening of a mail."""
    words = tokens(kind)
    return bool(words & _MAIL and words & _OPEN)


def is_click(kind: str) -> bool:
    """Return whether a kind is a click in a mail."""
    words = tokens(kind)
    return bool(words & _MAIL and words & _CLICK)


def is_sending(kind: str) -> bool:
    """Return whether a kind is the sending of a mail."""
    words = tokens(kind)
    return bool(words & _MAIL and words & _SENT)


@dataclass(frozen=True)
class MachineGuess:
    """Rules for ``[machines]``, and what they would find.

    Parameters
    ----------
    rules : Machines
    found : dict of str to (int, int)
        Of each kind: rows that the rules find, rows in all.
    n_leads : int
        On how many leads they find any.
    is_coarse : bool
        The clock of a kind is too coarse: whoever opens thrice in a minute would be a
        machine.
    """

    rules: Machines
    found: dict[str, tuple[int, int]]
    n_leads: int
    is_coarse: bool

    @property
    def is_likely(self) -> bool:
        """Whether machines made enough of it that chance is no excuse."""
        n_found = sum(n for n, _ in self.found.values())
        is_enough = n_found >= MIN_ROWS and self.n_leads >= MIN_LEADS
        return is_enough and not self.is_coarse

    @property
    def said(self) -> str:
        """What was found: ``open: 30 of 90 rows ... on 7 leads``."""
        rows = [
            f"{kind}: {n:,} of {n_rows:,} rows"
            for kind, (n, n_rows) in self.found.items()
            if n
        ]
        when = f"came in bursts within {self.rules.within_s} s"
        if self.rules.sent:
            when += f", or so soon after {self.rules.sent}"
        return f"{', '.join(rows)} {when}, on {self.n_leads:,} leads"


def guess_machines(tables: Tables, but: Collection[str]) -> MachineGuess | None:
    """Return rules for the opens and clicks that are there, and what they would find.

    Parameters
    ----------
    tables : Tables
    but : collection of str
        Kinds that are no features, so that nothing hangs on who made them; and those by
        which a lead asks to be contacted: they are never taken for a machine's.
    """
    there = sorted(set(tables.interactions.by_kind().index))
    kinds = [k for k in there if (is_open(k) or is_click(k)) and k not in but]
    if not kinds:
        return None
    sendings = [kind for kind in there if is_sending(kind) and kind not in kinds]
    rules = Machines(
        kinds=tuple(kinds),
        sent=sendings[0] if len(sendings) == 1 else None,
        within_s=WITHIN_S,
        burst=BURST,
    )
    found, n_leads = tried(tables.interactions, rules)
    # Minutes are minutes in every zone, and coarser clocks are coarse in minutes, too.
    units = clock_units(tables.interactions, kinds, tables.data_end.tz)
    return MachineGuess(rules, found, n_leads, is_coarse=bool(units))
