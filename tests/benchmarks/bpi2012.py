"""BPI Challenge 2012 as a data folder: loan applications at a Dutch bank.

A lead is an application (case), created when it was registered. It converts when the
bank approves it. Every event of the log becomes an interaction unless it is the
outcome, or the outcome in disguise:

- ``A_APPROVED``, ``A_DECLINED``, ``A_CANCELLED`` are the outcomes.
- ``A_REGISTERED``, ``A_ACTIVATED``, ``O_ACCEPTED`` happen within a second of the
  approval, and only to approved cases: dropped.
- ``O_DECLINED`` always comes within a millisecond of ``A_DECLINED``: dropped.
- ``O_CANCELLED`` has two meanings. Within seconds of ``A_CANCELLED`` it is the end of
  the case; otherwise an offer was withdrawn for a new one while the case went on, which
  is behaviour. Only the latter is kept (the next rule).
- Whatever happens from `CLOSING` before the decision on is the paperwork of it.

``A_PARTLYSUBMITTED`` comes within seconds of ``A_SUBMITTED`` in every case and says
nothing. Work items (``W_``) are scheduled, started and completed; a start is folded
into the completion, as its duration.

Most events are what the bank does, not what the applicant does. For a sales team they
would stand on the deny-list; the public figures on this log use them, so do we.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leadscore.files import write_table, write_text

from .datasets import run

__all__ = ["CONVERTED", "DISGUISED", "approvals_seen", "write_folder"]

CONVERTED = "A_APPROVED"
STAGES = {
    CONVERTED: "approved",
    "A_DECLINED": "declined",
    "A_CANCELLED": "cancelled",
}
DISGUISED = ("A_REGISTERED", "A_ACTIVATED", "O_ACCEPTED", "O_DECLINED")
SAYS_NOTHING = ("A_PARTLYSUBMITTED",)
CLOSING = pd.Timedelta(seconds=1)
AUTOMATIC = "112"  # the resource that submits every case, at any hour

AGES_HOURS = (24, 168)
HORIZON_DAYS = 30
FIRST_DAY, LAST_INSTANT = "2011-10-01", "2012-03-14T15:04:55Z"  # last event, rounded up

AGREEMENT = f"""\
# BPI Challenge 2012: loan applications at a Dutch bank. Made by tests/benchmarks.
version = "bpi2012-1"
time_zone = "Europe/Amsterdam"

[source]
data_end = "{LAST_INSTANT}" # the last event of the log

[conversion]
stage = "approved"
horizon_days = {HORIZON_DAYS}
reporting_lag_days = 0 # the log is written by the system that decides
lost = ["declined", "cancelled"]
disqualified = []
recycled = []

[snapshots]
at_age_hours = {list(AGES_HOURS)}
max_age_days = 60

[attributes.amount_req]
kind = "number"
changes = false
description = "amount asked for"

[points]
idle_points = -2
idle_days = 7
rules = [
    {{ kind = "a_preaccepted", points = 5 }},
    {{ kind = "a_accepted", points = 10 }},
    {{ kind = "o_sent", points = 5, cap = 10 }},
    {{ kind = "o_sent_back", points = 20, cap = 20 }},
    {{ kind = "w_nabellen_offertes_complete", points = 1, cap = 3 }},
    {{ kind = "w_nabellen_incomplete_dossiers_complete", points = 2, cap = 6 }},
    {{ kind = "w_beoordelen_fraude_schedule", points = -20, cap = 20 }},
]

[engagement]
half_life_days = 7

[hand_raise] # an application is one; nobody raises a hand after it
kinds = []

[labels.MQL]
precision = 0.35

[labels.SQL]
precision = 0.50

[training]
origins = 3
test_days = 28
"""


def write_folder(source: Path, target: Path) -> None:
    """Write the data folder.

    Parameters
    ----------
    source : Path
        Holds ``bpi2012_cases.csv`` and ``bpi2012_events.csv.gz``.
    target : Path
        Gets ``leads.csv, interactions.csv, outcomes.csv, agreement.toml``.
    """
    cases, events = _read(source)
    leads = cases.rename(columns={"case_id": "lead_id", "reg_date": "created_at"})
    write_table(target / "leads.csv", leads)
    write_table(target / "interactions.csv", _interactions(events))
    write_table(target / "outcomes.csv", _outcomes(events))
    write_text(target / "agreement.toml", AGREEMENT)


def approvals_seen(source: Path) -> dict[str, tuple[int, int]]:
    """Return how many of all approvals fall into the outcome windows of the snapshots.

    Returns
    -------
    dict of str to (seen, all)
        By age of the snapshot, and ``either``: what any snapshot of the lead sees. A
        snapshot is in the cohort iff the case was not yet approved, so an approval is
        seen iff it lies in ``[age, age + horizon)`` after creation.
    """
    cases, events = _read(source)
    approved = events[events["activity"] == CONVERTED].groupby("case_id")["timestamp"]
    age = approved.min() - cases.set_index("case_id")["reg_date"]
    age = age.dropna()
    horizon = pd.Timedelta(days=HORIZON_DAYS)
    inside = {
        f"{hours} h": (age >= pd.Timedelta(hours=hours))
        & (age < pd.Timedelta(hours=hours) + horizon)
        for hours in AGES_HOURS
    }
    inside["either"] = pd.concat(inside, axis=1).any(axis=1)
    return {name: (int(seen.sum()), len(age)) for name, seen in inside.items()}


def _read(source: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    cases = pd.read_csv(source / "bpi2012_cases.csv", dtype={"case_id": str})
    texts = {"case_id": str, "resource": str}
    events = pd.read_csv(source / "bpi2012_events.csv.gz", dtype=texts)
    for frame, column in ((cases, "reg_date"), (events, "timestamp")):
        # Amsterdam changes its clocks within the log: offsets differ, so parse as UTC.
        frame[column] = pd.to_datetime(frame[column], format="ISO8601", utc=True)
    return cases, events


def _outcomes(events: pd.DataFrame) -> pd.DataFrame:
    ends = events[events["activity"].isin(STAGES)]
    return pd.DataFrame(
        {
            "lead_id": ends["case_id"],
            "stage": ends["activity"].map(STAGES),
            "occurred_at": ends["timestamp"],
        }
    )


def _interactions(events: pd.DataFrame) -> pd.DataFrame:
    duration_s = _durations(events)
    decided = events[events["activity"].isin(STAGES)].groupby("case_id")["timestamp"]
    closing = events["case_id"].map(decided.min()) - CLOSING
    not_behaviour = events["activity"].isin([*STAGES, *DISGUISED, *SAYS_NOTHING])
    # A case never decided has no closing: every comparison with NaT is false. The
    # submission itself stays, also where the bank declined within two seconds.
    is_paperwork = (events["timestamp"] >= closing) & (
        events["activity"] != "A_SUBMITTED"
    )
    kept = events[~not_behaviour & ~is_paperwork & (events["lifecycle"] != "START")]
    return pd.DataFrame(
        {
            "lead_id": kept["case_id"],
            "occurred_at": kept["timestamp"],
            "kind": _kinds(kept),
            "channel": _channels(kept["resource"]),
            "content": kept["activity"],
            "duration_s": duration_s.reindex(kept.index),
        }
    )


def _kinds(events: pd.DataFrame) -> pd.Series:
    """Return ``w_nabellen_offertes_complete``; only work items have a life cycle."""
    slug = events["activity"].str.lower().str.replace(r"[^a-z0-9]+", "_", regex=True)
    is_work = events["activity"].str.startswith("W_")
    return slug.where(~is_work, slug + "_" + events["lifecycle"].str.lower())


def _channels(resource: pd.Series) -> pd.Series:
    person = resource.notna().map({True: "person", False: None})
    return person.mask(resource == AUTOMATIC, "automatic")


def _durations(events: pd.DataFrame) -> pd.Series:
    """Return seconds from the latest start to the completion of each work item."""
    ordered = events.sort_values(["case_id", "seq"])
    work = ordered[ordered["lifecycle"].isin(["START", "COMPLETE"])]
    work = work[work["activity"].str.startswith("W_")]
    started = work["timestamp"].where(work["lifecycle"] == "START")
    latest = started.groupby([work["case_id"], work["activity"]]).ffill()
    seconds = (work["timestamp"] - latest).dt.total_seconds()
    return seconds[work["lifecycle"] == "COMPLETE"]


if __name__ == "__main__":
    run("bpi2012", write_folder)
