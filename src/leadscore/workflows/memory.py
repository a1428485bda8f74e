"""Memory: where each lead of a list stood before it.

Goes in: the rows of a list, the ledger's rows before as_of. Comes out: the state of
each lead, and what the ledger last said of it. On the first list of a model, that of an
empty ledger among them, the past since each lead's creation is replayed with it: whom
it finds standing in a label by then is stock, of whom nothing is promised. So it is
where promises are proven. Labels of the model before are kept as far as its lines go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.movement import (
    LEVELS,
    MQL,
    RAISED,
    ROADS,
    SQL,
    State,
    fresh,
    lines_of,
    quarantine_us,
)
from leadscore.progress import Tell, silent
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import ELIGIBLE, NEVER, microseconds, past_lists
from leadscore.tables import Tables
from leadscore.workflows.relived import relive
from leadscore.workflows.rows import Rows

__all__ = ["Memory", "recall", "relive_state"]


@dataclass(frozen=True)
class Memory:
    """What is remembered of the leads of a list, in its order.

    Parameters
    ----------
    before : State, arrays of shape (n_rows,)
        Where each lead stood.
    label, promise : Series of str
        What the ledger last said; null: nothing, or nothing promised.
    found : bool array of shape (n_rows,)
        Who stands in a label by the replay alone: stock, as long as it does not move.
    is_relived : bool
        Whether this is the first list of the model: who waits was found by the replay.
    gone : DataFrame
        The ledger's last rows of leads that stood in a label, or waited for one, and
        are on the list no more.
    """

    before: State
    label: pd.Series
    promise: pd.Series
    found: np.ndarray
    is_relived: bool
    gone: pd.DataFrame


def recall(
    bundle: Bundle,
    tables: Tables,
    rows: Rows,
    as_of: pd.Timestamp,
    standing: pd.DataFrame | None,
    *,
    tell: Tell = silent,
) -> Memory:
    """Return what is remembered of the leads of a list.

    Parameters
    ----------
    bundle : Bundle
    tables : Tables
    rows : Rows
        Of the list.
    as_of : Timestamp, UTC
        Of the list.
    standing : DataFrame or None
        Each lead's latest row of the ledger before as_of; None: no list was issued by
        then.
    tell : Tell, default=silent
    """
    leads = rows.snapshots["lead_id"]
    if standing is None:
        # It may hold this very list, or later ones.
        tell("replaying the past of the leads: no list before this as_of is entered")
        before = relive_state(bundle, tables, rows, as_of, tell=tell)
        label = pd.Series(np.array(LEVELS)[before.level], leads.index, dtype="str")
        nothing = pd.Series(None, leads.index, dtype="str")
        label = label.mask(before.level == 0)
        found = before.level > 0
        return Memory(before, label, nothing, found, is_relived=True, gone=_none())
    known = standing.set_index("lead_id").reindex(leads)
    before = _state_of(known, quarantine_us(bundle.agreement))
    label = known["label"].set_axis(leads.index)
    promise = known["promise"].set_axis(leads.index)
    is_gone = ~standing["lead_id"].isin(leads) & _is_on_the_way(standing)
    gone = standing[is_gone]
    newest = standing.loc[standing["as_of"].idxmax(), "model_version"]
    if newest == bundle.model_id:
        nobody = np.zeros(len(leads), dtype=bool)
        return Memory(before, label, promise, nobody, is_relived=False, gone=gone)
    tell("replaying the past of the leads with the model that is in use now")
    lived = relive_state(bundle, tables, rows, as_of, tell=tell)
    before, found = _with_lived(before, lived)
    promise = promise.mask(found)
    return Memory(before, label, promise, found, is_relived=True, gone=gone)


def _with_lived(before: State, lived: State) -> tuple[State, np.ndarray]:
    """Return where leads stand for a new model, and whom it finds standing itself.

    Who stands higher by its replay stands there; the others keep what they had. How
    long they were above its thresholds, its replay alone knows.
    """
    found = (lived.level > before.level) & (lived.level > 0)
    merged = State(
        *(np.where(found, new, old) for new, old in zip(lived, before, strict=True))
    )
    return merged._replace(mql_since=lived.mql_since, sql_since=lived.sql_since), found


def relive_state(
    bundle: Bundle,
    tables: Tables,
    rows: Rows,
    as_of: pd.Timestamp,
    *,
    tell: Tell = silent,
) -> State:
    """Return where each lead of a list stood, had the model in use always been."""
    n_rows, model = len(rows.snapshots), bundle.model
    state = fresh((n_rows,))
    asked = rows.snapshots.loc[rows.snapshots["status"] == ELIGIBLE, "lead_id"]
    if model is None or asked.empty:
        return state
    agreement = bundle.agreement
    # Of all leads: one that was merged into another may object for it.
    pairs = past_lists(
        tables.leads, tables.outcomes, agreement, _list_before(as_of, agreement)
    )
    pairs = pairs[(pairs["as_of"] < as_of) & pairs["lead_id"].isin(asked)]
    if pairs.empty:
        return state
    edges = bundle.engagement_edges
    history = relive(
        tables, pairs, model, bundle.catalogue, edges, agreement, tell=tell
    )
    gap = max_gap_us(agreement)
    done = replay(
        history, lines_of(bundle.thresholds, agreement).as_column(), max_gap_us=gap
    )
    last = history.groupby("lead_id", sort=True)["as_of"].max()
    # Past lists stand at midnights: so does this one, for the gap before it.
    today = as_of.tz_convert(agreement.zone).normalize()
    is_near = microseconds([today])[0] - microseconds(last) <= gap
    places = pd.Series(np.arange(len(last)), last.index)[is_near]
    place = places.reindex(rows.snapshots["lead_id"])
    found = place.notna().to_numpy()
    at = place[found].astype(int).to_numpy()
    for values, final in zip(state, done.final, strict=True):
        values[found] = final[at, 0]
    return state


def _list_before(as_of: pd.Timestamp, agreement: Agreement) -> pd.Timestamp:
    """Return the local midnight of the list before: one cadence ago."""
    if agreement.snapshots.at_age_hours:
        return as_of
    day = as_of.tz_convert(agreement.zone).normalize()
    before = day - pd.DateOffset(days=agreement.movement.score_every_days)
    return before.tz_convert("UTC").as_unit("us")


def _state_of(known: pd.DataFrame, waits_us: int) -> State:
    """Return the state that rows of the ledger hold; null: never seen."""
    level = known["label"].map({name: n for n, name in enumerate(LEVELS)})
    road = known["road"].map({name: n for n, name in enumerate(ROADS) if name})
    stands = level.fillna(0).to_numpy(dtype=np.int8)
    roads = road.fillna(0).to_numpy(dtype=np.int8)
    above = {
        level: microseconds(known[f"{label}_above_since"])
        for level, label in ((MQL, "mql"), (SQL, "sql"))
    }
    # A raised hand hides what the lead is by the nurtured road; its waiting tells.
    as_of = microseconds(known["as_of"])
    hidden = np.zeros(len(known), dtype=np.int8)
    for level_there, since in above.items():
        has_waited = (since != NEVER) & (as_of - since >= waits_us)
        hidden[has_waited] = level_there
    return State(
        stands,
        roads,
        np.where(stands > 0, microseconds(known["label_since"]), NEVER),
        np.where(roads == RAISED, hidden, stands),
        above[MQL],
        above[SQL],
    )


def _is_on_the_way(standing: pd.DataFrame) -> pd.Series:
    waits = standing[["mql_above_since", "sql_above_since"]].notna().any(axis=1)
    return standing["label"].isin(["MQL", "SQL"]) | waits


def _none() -> pd.DataFrame:
    return pd.DataFrame({"lead_id": pd.Series([], dtype="str")})
