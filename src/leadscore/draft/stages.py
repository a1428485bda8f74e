"""Which stage is the conversion, and which end a lead or give it a second chance.

Goes in: the stages of the outcomes, as words with counts, and the tables once they are
read. Comes out: `Stages`. Names speak first; the data takes a word back that it belies:
a stage after which leads still convert is no end.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from leadscore.draft.hints import converted_at
from leadscore.draft.meanings import ending_of, is_recycled, win_rank
from leadscore.tables import Tables

__all__ = ["Stages", "first_stages", "settle_stages"]

ENOUGH_WON = 300  # leads; fewer, and the stage before is learned better
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


def first_stages(counts: dict[str, int]) -> Stages:
    """Return the stages by their words alone; counts decide between equals.

    Parameters
    ----------
    counts : dict of str to int
        Rows (or leads) by stage; not empty.
    """
    ranked = sorted(counts, key=lambda s: (-win_rank(s), -counts[s], s))
    stage, rest = ranked[0], ranked[1:]
    because = f"of {len(counts)} stages its name speaks most of success"
    opened = [s for s in rest if win_rank(s) == 2]
    if win_rank(stage) == 3 and opened and counts[stage] < ENOUGH_WON:
        before = max(opened, key=lambda s: (counts[s], s))
        if counts[before] > counts[stage]:
            because = (
                f"{counts[before]:,} leads reached it, and only {counts[stage]:,} "
                f'"{stage}": the more there are, the better it is learned'
            )
            stage = before
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
    return Stages(
        stages.conversion,
        stages.because,
        stages.is_named,
        kept["lost"],
        kept["disqualified"],
        stages.recycled,
        tuple(sentences),
    )


def _later(outcomes: pd.DataFrame, stage: str, converted: pd.Series) -> tuple[int, int]:
    """Return how many leads reached a stage, and how many of them converted later."""
    of_stage = outcomes[outcomes["stage"] == stage]
    first = of_stage.groupby("lead_id")["occurred_at"].min()
    later = converted.reindex(first.index) > first
    return len(first), int(later.sum())
