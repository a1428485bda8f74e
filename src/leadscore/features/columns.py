"""The columns of a catalogue: what the kernel shall fold, each with its plain words.

Goes in: an agreement and the words found in the data. Comes out: `Column` after
`Column`, in the order in which the kernel writes them. What `[features]` adds stands
after what every catalogue has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from leadscore.agreement import Agreement, DecayedSum
from leadscore.features.primitives import (
    GAP_DAYS,
    ActiveDays,
    Column,
    Count,
    Decay,
    Distinct,
    First,
    GapsOver,
    LongestGap,
    Primitive,
    Recency,
    Sum,
)

__all__ = ["columns_for"]

_Days = tuple[int | None, ...]  # widths of windows, None: ever
_InWindow = Count | ActiveDays | Distinct | Sum
_Windowed = tuple[str, type[_InWindow], str, str, _Days]

_TREND_DAYS = {30, 60}  # the trend is made of these two, whatever else is counted


def columns_for(
    agreement: Agreement, kinds: tuple[str, ...], channels: tuple[str, ...]
) -> tuple[Column, ...]:
    """Return every column that the kernel writes for an agreement.

    Parameters
    ----------
    agreement : Agreement
    kinds, channels : tuple of str
        The known words.
    """
    features = agreement.features
    windows = (*sorted(features.windows_days), None)
    heard = channels if features.by_channel else ()
    return (
        *_total_columns(windows),
        *(column for kind in kinds for column in _kind_columns(kind, windows)),
        _engagement_column(agreement),
        *_points_columns(agreement),
        *(column for name in heard for column in _channel_columns(name, windows)),
        *(
            column
            for group in features.content_groups
            for column in _group_columns(group, windows)
        ),
        *(_decay_column(decay) for decay in features.decays),
    )


def _suffix(days: int | None) -> str:
    return "ever" if days is None else f"{days}d"


def _span(days: int | None) -> str:
    if days is None:
        return "ever"
    return f"in the last {days} days" if days > 1 else "in the last day"


def _over_windows(
    stem: str,
    makes: Callable[[int | None], Primitive],
    words: str,
    group: str,
    windows: _Days,
) -> list[Column]:
    """Return one column a window, named and described after it."""
    return [
        Column(
            name=f"{stem}_{_suffix(days)}",
            makes=makes(days),
            description=f"{words} {_span(days)}",
            group=group,
        )
        for days in windows
    ]


def _counted(
    last: Recency, stem: str, words: tuple[str, str], windows: _Days
) -> list[Column]:
    """Return how often something was, and how long ago it last was: one reason.

    ``words``: what one of them is called, and several.
    """
    one, several = words
    counts = _over_windows(
        f"n_{stem}",
        lambda days: Count(
            kind=last.kind, channel=last.channel, group=last.group, days=days
        ),
        f"number of {several}",
        stem,
        windows,
    )
    recency = Column(
        name=f"days_since_last_{stem}",
        makes=last,
        description=f"days since the last {one}",
        group=stem,
    )
    return [*counts, recency]


def _kind_columns(kind: str, windows: _Days) -> list[Column]:
    words = _spelt(kind)
    return _counted(Recency(kind=kind), kind, (words, words), windows)


def _channel_columns(channel: str, windows: _Days) -> list[Column]:
    by = f"by {_spelt(channel)}"
    words = (f"interaction {by}", f"interactions {by}")
    return _counted(Recency(channel=channel), f"channel_{channel}", words, windows)


def _group_columns(group: str, windows: _Days) -> list[Column]:
    of = f"with {_spelt(group)} content"
    words = (f"interaction {of}", f"interactions {of}")
    return _counted(Recency(group=group), f"content_{group}", words, windows)


def _total_columns(windows: _Days) -> list[Column]:
    every = (*sorted(_TREND_DAYS.union(d for d in windows if d is not None)), None)
    declared: list[_Windowed] = [
        ("n", Count, "number of interactions", "activity", every),
        ("active_days", ActiveDays, "active days", "activity", (30, 90, None)),
        ("n_contents", Distinct, "different contents", "content", (90, None)),
        ("dwell_s", Sum, "seconds spent", "dwell", (30, None)),
    ]
    columns = [
        column
        for stem, primitive, words, group, days in declared
        for column in _over_windows(stem, partial(_make, primitive), words, group, days)
    ]
    return [*columns, *_rhythm_columns()]


def _make(primitive: type[_InWindow], days: int | None) -> Primitive:
    return primitive(days=days)


def _rhythm_columns() -> list[Column]:
    return [
        Column(
            name="days_since_last",
            makes=Recency(),
            description="days since the last interaction",
            group="recency",
        ),
        Column(
            name="longest_gap_days",
            makes=LongestGap(),
            description="longest silence between two interactions, in days",
            group="rhythm",
        ),
        Column(
            name=f"n_gaps_over_{GAP_DAYS}d",
            makes=GapsOver(),
            description=f"silences longer than {GAP_DAYS} days",
            group="rhythm",
        ),
        Column(
            name="first_channel",
            makes=First(),
            description="channel of the first interaction",
            group="first_channel",
        ),
    ]


def _engagement_column(agreement: Agreement) -> Column:
    half_life = agreement.engagement.half_life_days
    return Column(
        name="engagement",
        makes=Decay(
            half_life_days=half_life,
            weights=dict(agreement.engagement.weights),
            default=1.0,
        ),
        description=f"weighted interactions, halved every {half_life:g} days",
        group="activity",
    )


def _points_columns(agreement: Agreement) -> list[Column]:
    """Return one helper column a points rule; points.py turns them into points."""
    return [
        Column(
            name=f"decayed_{rule.kind}",
            makes=Decay(half_life_days=rule.half_life_days, weights={rule.kind: 1.0}),
            description=f"{_spelt(rule.kind)} that still counts for points",
            group=rule.kind,
        )
        for rule in agreement.points.rules
    ]


def _decay_column(decay: DecayedSum) -> Column:
    life = decay.half_life_days
    kinds = ", ".join(map(_spelt, decay.weights))
    fading = "never fading" if life is None else f"halved every {life:g} days"
    return Column(
        name=decay.name,
        makes=Decay(half_life_days=life, weights=dict(decay.weights)),
        description=decay.description or f"weighted {kinds}, {fading}",
        group=decay.name,
    )


def _spelt(word: str) -> str:
    return word.replace("_", " ")
