"""Opens and clicks that a machine made, recognised by the agreement's rules.

Goes in: interactions sorted by (lead, occurred_at), as plain arrays. Comes out: who
made each, and the instant from which it may be seen. Null contents: see the rules.

Two rules, for the kinds that a machine can make (the judged kinds):

after sending
    It occurred in ``[s, s + within)``, where ``s`` is when a mail was sent to the same
    lead with the same content; where either content is null, any mail sent to it.
burst
    It is one of at least ``burst`` interactions of judged kinds by one lead, all in
    some ``[t, t + within)``, with two kinds or two contents among them. A null is no
    content: the same mail opened thrice may be a nervous thumb.

A verdict needs what follows, and what follows is the future. Therefore a judged
interaction is seen later than it is known: at ``visible = max(known, occurred +
within)``, when no interaction that is known on time can change its verdict any more.
The verdict uses what was known by then, ``known <= visible``, and is final: a fact that
becomes known afterwards never changes it, even where it would have. So all that is seen
before an as_of (``visible < as_of``) rests on facts known before that as_of, and
nothing known at as_of or later can change a verdict on it, nor what is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from leadscore.agreement import Machines
from leadscore.compiled import compiled

__all__ = [
    "AFTER_SENDING",
    "BURST",
    "PERSON",
    "Rules",
    "find_machines",
    "rules_for",
]

PERSON = 0
AFTER_SENDING = 1  # the one that is said when both rules hold
BURST = 2

SECOND_US = 1_000_000


class Rules(NamedTuple):
    """The rules, for kinds that are codes.

    Parameters
    ----------
    is_judged, is_sent : bool arrays of shape (n_kinds,)
        Whether a kind is one that a machine can make, or the sending of a mail.
    within_us : int
        Microseconds, above 0.
    burst : int
        The fewest interactions that are a burst, at least 2.
    """

    is_judged: Any
    is_sent: Any
    within_us: int
    burst: int


def rules_for(machines: Machines, kinds: Sequence[str]) -> Rules:
    """Return the agreement's rules for interactions whose code is a place in ``kinds``.

    Parameters
    ----------
    machines : Machines
    kinds : sequence of str, length n_kinds
        The name of each code. A kind of the agreement that is not there has no code,
        and no interactions.
    """
    judged = set(machines.kinds)
    return Rules(
        is_judged=np.array([kind in judged for kind in kinds], dtype=bool),
        is_sent=np.array([kind == machines.sent for kind in kinds], dtype=bool),
        within_us=machines.within_s * SECOND_US,
        burst=machines.burst,
    )


def find_machines(
    start: Any, occurred: Any, known: Any, kind: Any, content: Any, rules: Rules
) -> tuple[Any, Any]:
    """Return who made each interaction, and when it becomes visible.

    The order of interactions that occurred at the same instant makes no difference.
    Time grows with the instants at which something of a judged kind occurred, times how
    many of the lead's such interactions lie inside ``within_us``.

    Parameters
    ----------
    start : int64 array of shape (n_leads + 1,)
        Lead ``g`` owns the interactions ``start[g]:start[g + 1]``, all that it has.
    occurred, known : int64 arrays of shape (n,)
        Microseconds since 1970 UTC; ``occurred`` ascends within a lead, ``known`` is
        never before it.
    kind : int array of shape (n,)
        Codes ``0 .. n_kinds - 1``.
    content : int array of shape (n,)
        Codes; -1 where null.
    rules : Rules

    Returns
    -------
    verdict : int8 array of shape (n,)
        `PERSON`, `AFTER_SENDING` or `BURST`; `PERSON` for kinds that are not judged.
    visible : int64 array of shape (n,)
        Microseconds; ``known`` for kinds that are not judged.
    """
    verdict = np.zeros(len(occurred), np.int8)
    visible = np.array(known, np.int64)
    if not rules.is_judged.any():
        return verdict, visible
    judged = np.flatnonzero(rules.is_judged[kind])
    sent = np.flatnonzero(rules.is_sent[kind])
    at = occurred[judged]
    by = np.maximum(known[judged], at + rules.within_us)
    judged_start = np.searchsorted(judged, start)
    found = np.zeros(len(judged), np.int8)
    _find_bursts(
        judged_start,
        at,
        by,
        known[judged],
        kind[judged],
        content[judged],
        rules.within_us,
        rules.burst,
        found,
    )
    _find_sent(
        judged_start,
        at,
        by,
        content[judged],
        np.searchsorted(sent, start),
        occurred[sent],
        known[sent],
        content[sent],
        rules.within_us,
        found,
    )
    verdict[judged], visible[judged] = found, by
    return verdict, visible


@compiled
def _find_bursts(
    start: Any,
    at: Any,
    by: Any,
    known: Any,
    kind: Any,
    content: Any,
    within_us: int,
    burst: int,
    found: Any,
) -> None:
    for lead in range(start.shape[0] - 1):
        begin, end = start[lead], start[lead + 1]
        first = begin
        for i in range(begin, end):
            # The same instants, the same burst: coarse clocks make thousands of them.
            if i > begin and at[i] == at[i - 1] and by[i] == by[i - 1]:
                found[i] = found[i - 1]
                continue
            while at[i] - at[first] >= within_us:
                first += 1
            if _is_in_burst(
                i, first, end, at, by[i], known, kind, content, within_us, burst
            ):
                found[i] = BURST


@compiled
def _is_in_burst(
    i: int,
    first: int,
    end: int,
    at: Any,
    by: int,
    known: Any,
    kind: Any,
    content: Any,
    within_us: int,
    burst: int,
) -> bool:
    """Say whether a window around ``i`` holds a burst, as was known ``by`` then.

    ``first`` is the first interaction less than ``within_us`` before ``i``: each window
    that begins there or later, and not after ``i``, holds ``i``. The window slides
    over ``tail .. j``. ``split`` is the last interaction that one of another kind or
    content follows: the window is not all of one if it still holds that.
    """
    tail, count = first, 0
    split, before, before_content = -1, -1, -1  # none yet
    for j in range(first, end):
        if at[j] - at[i] >= within_us:
            break
        if known[j] > by:
            continue
        count += 1
        if before >= 0 and kind[before] != kind[j]:
            split = max(split, before)
        before = j
        if content[j] >= 0:
            if before_content >= 0 and content[before_content] != content[j]:
                split = max(split, before_content)
            before_content = j
        while at[j] - at[tail] >= within_us:
            count -= known[tail] <= by
            tail += 1
        if count >= burst and split >= tail:
            return True
    return False


@compiled
def _find_sent(
    start: Any,
    at: Any,
    by: Any,
    content: Any,
    sent_start: Any,
    sent_at: Any,
    sent_known: Any,
    sent_content: Any,
    within_us: int,
    found: Any,
) -> None:
    for lead in range(start.shape[0] - 1):
        first, end = sent_start[lead], sent_start[lead + 1]
        for i in range(start[lead], start[lead + 1]):
            while first < end and at[i] - sent_at[first] >= within_us:
                first += 1
            for j in range(first, end):
                if sent_at[j] > at[i]:  # what was sent at this instant counts
                    break
                same = sent_content[j] == content[i]
                is_it = same or sent_content[j] < 0 or content[i] < 0
                if is_it and sent_known[j] <= by[i]:
                    found[i] = AFTER_SENDING
                    break
