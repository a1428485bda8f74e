"""Which stage is the conversion, and which end a lead or give it a second chance.

Goes in: the stages of the outcomes with the leads of each, and the tables once they are
read. Comes out: `Stages`. Names speak first; the data takes a word back that it belies:
a stage after which leads still convert is no end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from leadscore.draft.hints import converted_at
from leadscore.draft.meanings import ending_of, is_recycled, win_rank
from leadscore.tables import Tables

__all__ = ["Stages", "first_stages", "settle_stages"]

ENOUGH_WON = 300  # leads; fewer, and the stage before is learned better
MOST = 0.5  # of the won leads passed the stage before: the rows are a history
STILL_CONVERT = 0.5  # of the overall share: then a stage is no end


@dataclass(frozen=True)
class Stages:
    """The stages of the agreement's ``[conversion]``.

    Parameters
    ----------
    conversion : str
    because : str
    is_named : bool
        Whether a word says that this is success.
    is_current : bool
        Whether the rows seem to hold where each deal stands today, not its history.
    lost, disqualified, recycled : tuple of str
    taken_back : tuple of str
        Sentences on stages whose name says end and whose leads go on.
    """

    conversion: str
    because: str
    is_named: bool
    lost: tuple[str, ...]
    disqualified: tuple[str, ...]
    recycled: tuple[str, ...]
    taken_back: tuple[str, ...] = ()
    is_current: bool = False


def first_stages(leads: dict[str, frozenset[str]]) -> Stages:
    """Return the stages by their words alone; counts decide between equals.

    Parameters
    ----------
    leads : dict of str to frozenset of str
        The leads of each stage; not empty.
    """
    counts = {stage: len(ids) for stage, ids in leads.items()}
    stage = min(counts, key=lambda s: (-win_rank(s), -counts[s], s))
    before = _stage_before(stage, leads)
    is_current = before is not None and not _is_history(leads, stage, before)
    if before is not None:
        because = _why_before(leads, stage, before)
        stage = stage if is_current else before
    elif win_rank(stage):
        because = f"{counts[stage]:,} leads reached it, and its name speaks of success"
    else:
        stage, because = _most_plausible(counts)
    others = [s for s in sorted(counts) if s != stage]
    return Stages(
        conversion=stage,
        because=because,
        is_named=win_rank(stage) > 0,
        lost=tuple(s for s in others if ending_of(s) == "lost"),
        disqualified=tuple(s for s in others if ending_of(s) == "disqualified"),
        recycled=tuple(s for s in others if is_recycled(s)),
        is_current=is_current,
    )


def _stage_before(won: str, leads: dict[str, frozenset[str]]) -> str | None:
    """Return the open stage from which more could be learned, where few are won."""
    if win_rank(won) != 3 or len(leads[won]) >= ENOUGH_WON:
        return None
    opened = [s for s in leads if win_rank(s) == 2]
    before = max(opened, key=lambda s: (len(leads[s]), s), default=None)
    if before is None or not _is_history(leads, won, before):
        return before
    return before if len(leads[before]) > len(leads[won]) else None


def _is_history(leads: dict[str, frozenset[str]], won: str, before: str) -> bool:
    """Return whether won leads kept the row of the stage before.

    Else each deal has one row, with where it stands today: to predict the stage before
    would call every won lead one that did not convert.
    """
    return len(leads[won] & leads[before]) > MOST * len(leads[won])


def _why_before(leads: dict[str, frozenset[str]], won: str, before: str) -> str:
    n_won, n_before = len(leads[won]), len(leads[before])
    if _is_history(leads, won, before):
        return (
            f'{n_before:,} leads reached it, and only {n_won:,} "{won}": the more '
            "there are, the better it is learned"
        )
    return (
        f"{n_won:,} leads reached it, and its name speaks of success; only "
        f'{len(leads[won] & leads[before]):,} of them have a row of "{before}", too, '
        "so the rows seem to say where each deal stands today: check that the date "
        "beside it is when the deal was won"
    )


def _most_plausible(counts: dict[str, int]) -> tuple[str, str]:
    """Return the rarest stage that does not end a lead: success is rare."""
    open_ = [s for s in counts if not ending_of(s) and not is_recycled(s)] or [*counts]
    often = [s for s in open_ if counts[s] >= 20] or open_
    stage = min(often, key=lambda s: (counts[s], s))
    return stage, (
        f"no stage has a name that speaks of success; this is the rarest, "
        f"{counts[stage]:,} leads"
    )


def settle_stages(stages: Stages, tables: Tables) -> Stages:
    """Return the stages with those taken out that do not end a lead."""
    converted = converted_at(tables, stages.conversion)
    overall = len(converted) / max(tables.leads["lead_id"].nunique(), 1)
    kept: dict[str, tuple[str, ...]] = {}
    sentences = []
    for role in ("lost", "disqualified"):
        kept[role] = ()
        for stage in getattr(stages, role):
            n, n_later = _later(tables.outcomes, stage, converted)
            if n and n_later / n > STILL_CONVERT * overall:
                sentences.append(
                    f'"{stage}" sounds like an end, but {n_later:,} of the {n:,} leads '
                    "that reached it converted afterwards: not taken as one."
                )
            else:
                kept[role] += (stage,)
    return replace(
        stages,
        lost=kept["lost"],
        disqualified=kept["disqualified"],
        taken_back=tuple(sentences),
    )


def _later(outcomes: pd.DataFrame, stage: str, converted: pd.Series) -> tuple[int, int]:
    """Return how many leads reached a stage, and how many of them converted later."""
    of_stage = outcomes[outcomes["stage"] == stage]
    first = of_stage.groupby("lead_id")["occurred_at"].min()
    later = converted.reindex(first.index) > first
    return len(first), int(later.sum())
