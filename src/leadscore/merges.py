"""Which lead was merged into which, since when, and whose facts thereby move.

Goes in: leads, whose ``merged_into`` names the lead that a lead was merged into; tables
of facts. Comes out: for every merged lead each lead further up its chain, and the
copies of its facts that those receive. A null ``merged_into`` says nothing.

What a merge does, by the rule of time:

1. A lead is merged from the first row on that says so, and a merge, once known, stands:
   a later row cannot undo it, or what is known now would change what was known then.
2. From then on the lead is out of the cohort, and the survivor has its facts as its
   own: each is known at the later of its own ``known_at`` and the merge's, and ages by
   its own ``occurred_at``. Along a chain, all merges on the way must be known.
3. Of the outcomes, only conversions move. A duplicate is often closed as lost or
   disqualified *because* it is one; that ends the duplicate and not the person.
4. An objection moves: it is the person's.
5. No attribute moves, nor the creation: what is null in the survivor's latest row stays
   null, because the firm's own system chose what to keep.

Merges that cannot be (a lead into itself, or around in a circle) are none; of a circle,
the merge that was known last closes it (of those known at once, that of the last
``lead_id``), so that the order of the rows does not matter and no later fact changes
what stood before.
"""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

__all__ = [
    "impossible_merges",
    "merged_in",
    "merges_of",
    "moved",
    "pass_conversions_on",
    "roots_of",
    "undone_merges",
]

_TOLD = ["lead_id", "merged_into", "known_at"]


def merges_of(leads: pd.DataFrame) -> pd.DataFrame:
    """Return every merged lead with every lead further up its chain.

    Parameters
    ----------
    leads : DataFrame
        With ``lead_id``, ``merged_into`` and ``known_at``; its index has no repeats.

    Returns
    -------
    DataFrame
        ``lead_id, into, known_at``, sorted by lead: ``known_at`` is that of the latest
        merge on the way. A pair occurs once.
    """
    steps = _steps(leads)
    if steps.empty:
        return steps
    upwards = steps.set_axis(["into", "further", "later_at"], axis=1)
    reached = [steps]
    while len(reached[-1]):
        longer = reached[-1].merge(upwards, on="into")
        known_at = longer[["known_at", "later_at"]].max(axis=1)
        longer = longer.assign(into=longer["further"], known_at=known_at)
        reached.append(longer[list(steps)])
    together = pd.concat(reached).astype(steps.dtypes)
    return together.sort_values(["lead_id", "known_at", "into"], ignore_index=True)


def moved(facts: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Return the copies of facts that leads have from those merged into them.

    Parameters
    ----------
    facts : DataFrame
        With ``lead_id`` and ``known_at``, and whatever else.
    merges : DataFrame
        From `merges_of`.

    Returns
    -------
    DataFrame
        The columns of ``facts`` and ``merged_from``, the lead of the original:
        ``lead_id`` is a lead further up, ``known_at`` the later of the fact's and the
        merge's, all else is kept. In the order of the facts, then of ``merges``; to be
        added to ``facts``, which stay with the merged lead as well.
    """
    since = merges.rename(columns={"known_at": "merged_at"})
    of_merged = facts[facts["lead_id"].isin(merges["lead_id"])]
    copies = of_merged.merge(since, on="lead_id", how="inner")
    is_news = copies["known_at"] >= copies["merged_at"]
    copies = copies.assign(
        known_at=copies["known_at"].where(is_news, copies["merged_at"]),
        merged_from=copies["lead_id"],
        lead_id=copies["into"],
    )
    return copies[[*facts.columns, "merged_from"]]


def pass_conversions_on(
    outcomes: pd.DataFrame, merges: pd.DataFrame, stage: str
) -> pd.DataFrame:
    """Return the outcomes, and the conversions that survivors have from merged leads.

    A conversion that both leads have, because the firm's system moved it to the
    survivor as well, counts once: from when it was first known of the survivor.

    Parameters
    ----------
    outcomes : DataFrame
    merges : DataFrame
        From `merges_of`.
    stage : str
        That of a conversion; outcomes of other stages stay where they are.
    """
    if merges.empty:
        return outcomes
    copies = moved(outcomes[outcomes["stage"] == stage], merges)
    if copies.empty:
        return outcomes
    together = pd.concat([outcomes, copies[list(outcomes)]], ignore_index=True)
    together = together.sort_values("known_at", kind="stable")
    may_repeat = together["lead_id"].isin(copies["lead_id"])
    may_repeat &= together["stage"] == stage
    again = together.duplicated([n for n in outcomes if n != "known_at"])
    return together[~(again & may_repeat)].reset_index(drop=True)


def merged_in(pairs: pd.DataFrame, merges: pd.DataFrame) -> pd.DataFrame:
    """Return, for each (lead, as_of), the leads known by then to be merged into it.

    Returns
    -------
    DataFrame
        ``place, lead_id, as_of``: the position of the pair, and a lead merged into its
        lead.
    """
    asked = pairs[["lead_id", "as_of"]].set_axis(["into", "as_of"], axis=1)
    asked = asked.reset_index(drop=True).rename_axis("place").reset_index()
    found = asked[asked["into"].isin(merges["into"])].merge(merges, on="into")
    is_known = found["known_at"] < found["as_of"]
    return found.loc[is_known, ["place", "lead_id", "as_of"]].reset_index(drop=True)


def roots_of(merges: pd.DataFrame) -> pd.Series:
    """Return the lead in which each lead of a merge tree ends, by lead; a root too."""
    is_end = ~merges["into"].isin(merges["lead_id"])
    ends = merges[is_end].set_index("lead_id")["into"]
    roots = ends.drop_duplicates()
    return pd.concat([ends, roots.set_axis(roots)]).sort_index()


def impossible_merges(leads: pd.DataFrame) -> list[Hashable]:
    """Return the rows that merge a lead into itself, or around in a circle."""
    return _stand_and_fall(leads)[1]


def undone_merges(leads: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that drop or change what an earlier row of the lead told.

    To name, later, a lead that is by then known to be further up the chain changes
    nothing: some systems point all duplicates at the last survivor.

    Returns
    -------
    DataFrame
        ``into, merged_at``: the merge that stands; index: the rows of ``leads``.
    """
    steps = _steps(leads).rename(columns={"known_at": "merged_at"})
    rows = leads[_TOLD].rename_axis("place").reset_index()
    later = rows.merge(steps, on="lead_id")
    later = later[later["known_at"] > later["merged_at"]]
    chain = merges_of(leads).set_axis(["lead_id", "merged_into", "reached_at"], axis=1)
    later = later.merge(chain, on=["lead_id", "merged_into"], how="left")
    is_same = later["reached_at"] <= later["known_at"]
    return later[~is_same].set_index("place")[["into", "merged_at"]]


def _steps(leads: pd.DataFrame) -> pd.DataFrame:
    """Return the merge that stands of each lead: ``lead_id, into, known_at``."""
    steps = leads.loc[_stand_and_fall(leads)[0], _TOLD]
    return steps.rename(columns={"merged_into": "into"}).reset_index(drop=True)


def _stand_and_fall(leads: pd.DataFrame) -> tuple[list[Hashable], list[Hashable]]:
    """Return the rows whose merges stand, one a lead, and those that cannot be.

    In the order in which they were known, so that only what was known before decides.
    """
    told = leads.loc[leads["merged_into"].notna(), _TOLD]
    told = told.sort_values(["known_at", "lead_id"])
    above: dict[str, str] = {}
    stands, falls = [], []
    for row, lead_id, into in zip(
        told.index, told["lead_id"], told["merged_into"], strict=True
    ):
        if lead_id in above:
            continue  # a later row of a lead that is merged already
        if _leads_to(into, lead_id, above):
            falls.append(row)
        else:
            above[lead_id] = into
            stands.append(row)
    return stands, falls


def _leads_to(start: str, goal: str, above: dict[str, str]) -> bool:
    at: str | None = start
    while at is not None and at != goal:
        at = above.get(at)
    return at == goal
