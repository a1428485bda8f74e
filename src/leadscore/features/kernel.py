"""One pass over each lead's history: interactions folded into feature columns.

Goes in: interactions sorted by (lead, occurred_at, content key), snapshots sorted by
(lead, as_of), and a compiled catalogue, all as plain arrays. Comes out: one column of
float64 a feature; NaN says that it never happened. No join of interactions with
snapshots ever exists.

The rule of time lives in one comparison, ``visible[i] < before``: a fact known at as_of
or later is invisible. Windows are half-open, ``[as_of - width, as_of)``, by
``occurred``. Nothing depends on which other snapshots are asked for: counts are
integers, and decayed sums are carried from interaction to interaction, never from
snapshot to snapshot, so a row has the same bits alone and in company.

A lead whose facts became known in the order in which they happened is folded once,
whatever the number of its snapshots. A lead with late facts is folded anew for each
snapshot over what was known then; that is exact, and rare.

Windows nest, so the kernel keeps *rings*: ring 0 is inside the narrowest window, ring 1
between the two narrowest, and so on. Each interaction stands in one ring and moves
outwards as time passes; a window's count is the sum of the rings inside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from leadscore.compiled import compiled, inlined
from leadscore.snapshots import DAY_US

__all__ = [
    "ACTIVE_DAYS",
    "COUNT",
    "DECAY",
    "DISTINCT",
    "EVER_US",
    "FIRST",
    "GAPS_OVER",
    "LONGEST_GAP",
    "RECENCY",
    "SUM",
    "Events",
    "Moments",
    "Plan",
    "Words",
    "fold",
]

EVER_US = 1 << 61  # a width that reaches before any instant, and cannot overflow

COUNT = 0  # a: slot; b: window
RECENCY = 1  # a: slot
DECAY = 2  # a: decay
ACTIVE_DAYS = 3  # b: window
DISTINCT = 4  # b: window
SUM = 5  # b: window
LONGEST_GAP = 6
GAPS_OVER = 7
FIRST = 8

_NEVER = np.iinfo(np.int64).min


class Events(NamedTuple):
    """Interactions; those of a lead stand together, by time, then what they say.

    Parameters
    ----------
    begin, stop : int64 arrays of shape (n_leads,)
        Lead ``g`` owns the events ``begin[g]:stop[g]``.
    occurred, visible : int64 arrays of shape (n_events,)
        Microseconds since 1970 UTC; ``visible`` is when it counts from, never before
        ``occurred``.
    kind, channel, content : int32 arrays of shape (n_events,)
        Codes of the bucket's own dictionaries; -1 where null, and for a kind that is
        not to be seen at all.
    duration : float64 array of shape (n_events,)
        Seconds; NaN where null.
    """

    begin: Any
    stop: Any
    occurred: Any
    visible: Any
    kind: Any
    channel: Any
    content: Any
    duration: Any


class Words(NamedTuple):
    """What the codes of the bucket's dictionaries are in the catalogue.

    Parameters
    ----------
    kind_slot : int64 array of shape (n_words,)
        Where each kind counts; -1 for one on the deny-list: it does not exist.
    channel_code : int64 array of shape (n_words,)
        Code of each channel in the catalogue.
    content_start, content_slot : int64 arrays of shape (n_words + 1,), (n_members,)
        Content ``c`` counts in the slots ``content_slot[content_start[c]:...]``.
    """

    kind_slot: Any
    channel_code: Any
    content_start: Any
    content_slot: Any


class Moments(NamedTuple):
    """Snapshots, sorted by lead, then as_of.

    Parameters
    ----------
    start : int64 array of shape (n_leads + 1,)
        Lead ``g`` owns the snapshots ``start[g]:start[g + 1]``.
    as_of : int64 array of shape (n_snapshots,)
        Microseconds since 1970 UTC, ascending within a lead.
    place : int64 array of shape (n_snapshots,)
        The column of ``out`` that each of them writes.
    """

    start: Any
    as_of: Any
    place: Any


class Plan(NamedTuple):
    """A compiled catalogue.

    A *slot* is something that is counted: each kind, the kinds not known, each channel
    and each content group where columns ask for them, and last the total.

    Parameters
    ----------
    widths : int64 array of shape (n_windows,)
        Window widths in microseconds, ascending; `EVER_US` is the last.
    ring : int64 array of shape (n_windows,)
        The ring in which what is inside a window, and inside no narrower one, stands:
        its own number, or, for a window that needs no ring of its own because only
        totals are asked of it, that of the next wider one.
    n_slots : int
    first_channel : int
        Slot of channel code 0; -1 where no column counts channels.
    decay_start, decay_item : int64 arrays of shape (n_kinds + 1,), (n_items,)
        Kind slot ``k`` adds to the decays ``decay_item[decay_start[k]:...]``,
    decay_weight : float64 array of shape (n_items,)
        and how much.
    decay_rate : float64 array of shape (n_decays,)
        Halvings a microsecond; 0 for a sum that does not fade.
    gap_limit : int
        Microseconds; `GAPS_OVER` counts silences strictly longer.
    shift_from, shift : int64 arrays of shape (n_shifts,)
        From which instant on local time is how many microseconds ahead of UTC; the
        first instant is before all others.
    op, a, b : int64 arrays of shape (n_columns,)
        What each column is; see the constants.
    """

    widths: Any
    ring: Any
    n_slots: int
    first_channel: int
    decay_start: Any
    decay_item: Any
    decay_weight: Any
    decay_rate: Any
    gap_limit: int
    shift_from: Any
    shift: Any
    op: Any
    a: Any
    b: Any


# Rows of `history`: what is seen of one lead, oldest first.
_AT, _SEEN_FROM, _KIND, _CHANNEL, _CONTENT, _MS, _DAY_RANK = 0, 1, 2, 3, 4, 5, 6
# Places in `scalar`: the few numbers that a history carries along.
_HEAD, _LONGEST, _N_GAPS = 0, 1, 2

_BLOCK = 32


@compiled
def fold(events: Any, words: Any, moments: Any, plan: Any, out: Any) -> None:
    """Write one row of features a snapshot into the columns of ``out``.

    Parameters
    ----------
    events : Events
    words : Words
    moments : Moments
    plan : Plan
    out : float64 array of shape (n_columns, n_rows)
        The cells ``out[:, place]`` are overwritten.

    Notes
    -----
    The arrays are unpacked here once: numba counts references each time that a field
    of a tuple is touched, which made the loops ten times slower.
    """
    begin, stop, occurred, visible, kind, channel, content, duration = events
    kind_slot, channel_code, content_start, content_slot = words
    moment_start, as_of, place = moments
    widths, ring_of = plan.widths, plan.ring
    n_slots, first_channel = plan.n_slots, plan.first_channel
    decay_start, decay_item = plan.decay_start, plan.decay_item
    decay_weight, decay_rate = plan.decay_weight, plan.decay_rate
    gap_limit, shift_from, shift = plan.gap_limit, plan.shift_from, plan.shift
    op, a, b = plan.op, plan.a, plan.b
    n_windows, n_leads = widths.shape[0], begin.shape[0]
    longest = 0
    for lead in range(n_leads):
        longest = max(longest, stop[lead] - begin[lead])

    history = np.empty((7, longest), np.int64)
    rings = np.zeros((n_windows, n_slots), np.int64)
    inside = np.zeros((n_windows, n_slots), np.int64)
    counts, others = _columns(op)
    count_at = b[counts] * n_slots + a[counts]
    flat = inside.reshape(n_windows * n_slots)
    spent = np.zeros(n_windows, np.int64)  # milliseconds in each ring
    met = np.zeros(n_windows, np.int64)  # contents whose last time is in each ring
    tail = np.zeros(n_windows, np.int64)  # first of the history inside each window
    newest = np.full(content_start.shape[0], -1, np.int64)  # last time of each content
    last = np.zeros(n_slots, np.int64)
    decayed = np.zeros(decay_rate.shape[0], np.float64)
    decayed_at = np.zeros(decay_rate.shape[0], np.int64)
    scalar = np.zeros(3, np.int64)
    # Columns of `out` lie far apart: rows are gathered before they are written.
    block = np.empty((_BLOCK, op.shape[0]), np.float64)
    places = np.empty(_BLOCK, np.int64)
    n_block = 0

    for lead in range(n_leads):
        first, end = moment_start[lead], moment_start[lead + 1]
        if first == end:
            continue
        in_order = _is_in_order(visible, begin[lead], stop[lead], as_of, first, end)
        n_seen = 0
        for s in range(first, end):
            now = as_of[s]
            if s == first or not in_order:
                _forget_contents(n_seen, history, newest)
                n_seen = _gather(
                    as_of[end - 1] if in_order else now,
                    begin[lead],
                    stop[lead],
                    occurred,
                    visible,
                    kind,
                    channel,
                    content,
                    duration,
                    kind_slot,
                    channel_code,
                    shift_from,
                    shift,
                    history,
                )
                rings[:] = 0
                spent[:] = 0
                met[:] = 0
                tail[:] = 0
                last[:] = _NEVER
                decayed[:] = 0.0
                decayed_at[:] = 0
                scalar[:] = 0
                scalar[_LONGEST] = -1
            _move_outwards(
                now,
                first_channel,
                widths,
                ring_of,
                content_start,
                content_slot,
                history,
                newest,
                tail,
                rings,
                spent,
                met,
                scalar,
            )
            head = scalar[_HEAD]
            _add_to_rings(
                now,
                n_seen,
                first_channel,
                widths,
                ring_of,
                content_start,
                content_slot,
                history,
                newest,
                tail,
                rings,
                spent,
                met,
                last,
                scalar,
            )
            _add_to_sums(
                head,
                gap_limit,
                decay_start,
                decay_item,
                decay_weight,
                decay_rate,
                history,
                decayed,
                decayed_at,
                scalar,
            )
            _emit(
                now,
                op,
                a,
                b,
                decay_rate,
                history,
                rings,
                spent,
                met,
                tail,
                last,
                decayed,
                decayed_at,
                scalar,
                inside,
                flat,
                counts,
                count_at,
                others,
                n_block,
                block,
            )
            places[n_block] = place[s]
            n_block += 1
            if n_block == _BLOCK:
                _write(block, places, n_block, out)
                n_block = 0
        _forget_contents(n_seen, history, newest)
    _write(block, places, n_block, out)


@inlined
def _emit(
    now: int,
    op: Any,
    a: Any,
    b: Any,
    decay_rate: Any,
    history: Any,
    rings: Any,
    spent: Any,
    met: Any,
    tail: Any,
    last: Any,
    decayed: Any,
    decayed_at: Any,
    scalar: Any,
    inside: Any,
    flat: Any,
    counts: Any,
    count_at: Any,
    others: Any,
    row: int,
    block: Any,
) -> None:
    """Write what the history comes to at an instant into one row of ``block``."""
    n_windows, n_slots = rings.shape
    head = scalar[_HEAD]
    for slot in range(n_slots):
        inside[0, slot] = rings[0, slot]
    for w in range(1, n_windows):
        for slot in range(n_slots):
            inside[w, slot] = inside[w - 1, slot] + rings[w, slot]
    for w in range(n_windows):
        inside[w, n_slots - 1] = head - tail[w]
    for j in range(counts.shape[0]):
        block[row, counts[j]] = flat[count_at[j]]
    for j in range(others.shape[0]):
        c = others[j]
        does, x, w = op[c], a[c], b[c]
        if does == RECENCY:
            value = np.nan if last[x] == _NEVER else (now - last[x]) / DAY_US
        elif does == DECAY:
            value = _faded(decayed[x], decayed_at[x], now, decay_rate[x])
        elif does == ACTIVE_DAYS:
            value = 0.0
            if tail[w] < head:
                days = history[_DAY_RANK, head - 1] - history[_DAY_RANK, tail[w]]
                value = days + 1.0
        elif does == DISTINCT:
            n_met = 0
            for ring in range(w + 1):
                n_met += met[ring]
            value = float(n_met)
        elif does == SUM:
            milliseconds = 0
            for ring in range(w + 1):
                milliseconds += spent[ring]
            value = milliseconds / 1000.0
        elif does == LONGEST_GAP:
            longest = scalar[_LONGEST]
            value = longest / DAY_US if longest >= 0 else np.nan
        elif does == GAPS_OVER:
            value = float(scalar[_N_GAPS])
        else:
            value = np.nan
            if head > 0 and history[_CHANNEL, 0] >= 0:
                value = float(history[_CHANNEL, 0])
        block[row, c] = value


@compiled
def _columns(op: Any) -> Any:
    """Return the columns that count, and the others (numpy's way compiles longer)."""
    counts, others = np.empty_like(op), np.empty_like(op)
    n_counts = 0
    for c in range(op.shape[0]):
        if op[c] == COUNT:
            counts[n_counts] = c
            n_counts += 1
        else:
            others[c - n_counts] = c
    return counts[:n_counts], others[: op.shape[0] - n_counts]


@compiled
def _write(block: Any, places: Any, n_block: int, out: Any) -> None:
    for c in range(block.shape[1]):
        for s in range(n_block):
            out[c, places[s]] = block[s, c]


@compiled
def _is_in_order(
    visible: Any, begin: int, stop: int, as_of: Any, first: int, end: int
) -> bool:
    """Return whether what each snapshot sees is what the one before saw, and then more.

    It is not where an interaction is seen by a snapshot that does not yet see an older
    one, which a later snapshot sees.
    """
    before = as_of[end - 1]
    latest = _NEVER
    for i in range(begin, stop):
        if visible[i] < latest:
            s = first  # by hand: half a second less to compile
            while as_of[s] <= visible[i]:
                s += 1
            if as_of[s] <= latest:
                return False
        elif visible[i] < before:
            latest = visible[i]
    return True


@compiled
def _forget_contents(n_seen: int, history: Any, newest: Any) -> None:
    """Clear only what the last history touched; there may be very many contents."""
    for i in range(n_seen):
        if history[_CONTENT, i] >= 0:
            newest[history[_CONTENT, i]] = -1


@compiled
def _gather(
    before: int,
    begin: int,
    stop: int,
    occurred: Any,
    visible: Any,
    kind: Any,
    channel: Any,
    content: Any,
    duration: Any,
    kind_slot: Any,
    channel_code: Any,
    shift_from: Any,
    shift: Any,
    history: Any,
) -> int:
    """Copy what is visible before an instant into ``history``; return how much."""
    n_seen = 0
    zone = 0
    day_before = 0
    rank = 0
    for i in range(begin, stop):
        at = occurred[i]
        if at >= before:
            break
        if visible[i] < before and kind[i] >= 0 and kind_slot[kind[i]] >= 0:
            while zone + 1 < shift_from.shape[0] and shift_from[zone + 1] <= at:
                zone += 1
            day = (at + shift[zone]) // DAY_US
            rank += n_seen > 0 and day != day_before
            day_before = day
            spent = duration[i]
            history[_AT, n_seen] = at
            history[_SEEN_FROM, n_seen] = visible[i]
            history[_KIND, n_seen] = kind_slot[kind[i]]
            history[_CHANNEL, n_seen] = (
                channel_code[channel[i]] if channel[i] >= 0 else -1
            )
            history[_CONTENT, n_seen] = content[i]
            history[_MS, n_seen] = 0 if np.isnan(spent) else int(np.rint(spent * 1e3))
            history[_DAY_RANK, n_seen] = rank
            n_seen += 1
    return n_seen


@inlined
def _move_outwards(
    now: int,
    first_channel: int,
    widths: Any,
    ring_of: Any,
    content_start: Any,
    content_slot: Any,
    history: Any,
    newest: Any,
    tail: Any,
    rings: Any,
    spent: Any,
    met: Any,
    scalar: Any,
) -> None:
    """Move what time has carried out of a window into the next ring."""
    has_groups = content_slot.shape[0] > 0
    head = scalar[_HEAD]
    for w in range(widths.shape[0] - 1):
        edge = now - widths[w]
        out = ring_of[w + 1]
        i = tail[w]
        while i < head and history[_AT, i] < edge:
            if ring_of[w] == w:
                kind, content = history[_KIND, i], history[_CONTENT, i]
                rings[w, kind] -= 1
                rings[out, kind] += 1
                if first_channel >= 0 and history[_CHANNEL, i] >= 0:
                    channel = first_channel + history[_CHANNEL, i]
                    rings[w, channel] -= 1
                    rings[out, channel] += 1
                if content >= 0 and has_groups:
                    for j in range(content_start[content], content_start[content + 1]):
                        rings[w, content_slot[j]] -= 1
                        rings[out, content_slot[j]] += 1
                if content >= 0 and newest[content] == i:
                    met[w] -= 1
                    met[out] += 1
                spent[w] -= history[_MS, i]
                spent[out] += history[_MS, i]
            i += 1
        tail[w] = i


@inlined
def _add_to_rings(
    now: int,
    n_seen: int,
    first_channel: int,
    widths: Any,
    ring_of: Any,
    content_start: Any,
    content_slot: Any,
    history: Any,
    newest: Any,
    tail: Any,
    rings: Any,
    spent: Any,
    met: Any,
    last: Any,
    scalar: Any,
) -> None:
    """Put what has become visible into its ring, oldest and outermost first."""
    has_groups = content_slot.shape[0] > 0
    head = scalar[_HEAD]
    inner = widths.shape[0] - 1  # the narrowest window that it is inside
    i = head
    while i < n_seen and history[_SEEN_FROM, i] < now:
        at, kind, content = history[_AT, i], history[_KIND, i], history[_CONTENT, i]
        while inner > 0 and at >= now - widths[inner - 1]:
            inner -= 1
            if tail[inner] >= head:  # nothing older is inside this window
                tail[inner] = i
        ring = ring_of[inner]
        rings[ring, kind] += 1
        last[kind] = at
        if first_channel >= 0 and history[_CHANNEL, i] >= 0:
            channel = first_channel + history[_CHANNEL, i]
            rings[ring, channel] += 1
            last[channel] = at
        if content >= 0 and has_groups:
            for j in range(content_start[content], content_start[content + 1]):
                rings[ring, content_slot[j]] += 1
                last[content_slot[j]] = at
        if content >= 0:
            before = newest[content]
            if before >= 0:
                met[_ring_at(history[_AT, before], now, widths, ring_of)] -= 1
            met[ring] += 1
            newest[content] = i
        spent[ring] += history[_MS, i]
        i += 1
    for w in range(inner):  # windows that none of these is inside
        if tail[w] >= head:
            tail[w] = i
    if i > 0:
        last[last.shape[0] - 1] = history[_AT, i - 1]
    scalar[_HEAD] = i


@inlined
def _ring_at(at: int, now: int, widths: Any, ring_of: Any) -> int:
    inner = widths.shape[0] - 1
    while inner > 0 and at >= now - widths[inner - 1]:
        inner -= 1
    return int(ring_of[inner])


@inlined
def _add_to_sums(
    begin: int,
    gap_limit: int,
    decay_start: Any,
    decay_item: Any,
    decay_weight: Any,
    decay_rate: Any,
    history: Any,
    decayed: Any,
    decayed_at: Any,
    scalar: Any,
) -> None:
    """Carry silences and decayed sums over the interactions from ``begin`` on."""
    for i in range(begin, scalar[_HEAD]):
        at, kind = history[_AT, i], history[_KIND, i]
        if i > 0:
            gap = at - history[_AT, i - 1]
            scalar[_LONGEST] = max(scalar[_LONGEST], gap)
            scalar[_N_GAPS] += gap > gap_limit
        for j in range(decay_start[kind], decay_start[kind + 1]):
            d = decay_item[j]
            faded = _faded(decayed[d], decayed_at[d], at, decay_rate[d])
            decayed[d] = faded + decay_weight[j]
            decayed_at[d] = at


@compiled
def _faded(value: float, since: int, now: int, rate: float) -> float:
    if value == 0.0 or rate == 0.0 or now == since:
        return value
    return float(value * 2.0 ** (-rate * (now - since)))
