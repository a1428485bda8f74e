"""Snapshots: which (lead, as_of) rows exist, what was known then, what came of them."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import snapshots
from leadscore.agreement import Conversion, Snapshots
from leadscore.snapshots import (
    ELIGIBLE,
    NEVER,
    attributes_at,
    calendar_grid,
    cohort_status,
    known_before,
    label_snapshots,
    microseconds,
    snapshots_at,
    training_snapshots,
)
from leadscore.tables import INSTANT
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    DAY,
    PARIS,
    instants,
    leads_of,
    moment,
    outcomes_of,
    us,
)
from tests.histories import snapshots_of as pairs_of
from tests.test_features import mutant

T = us("2025-06-01T00:00+02:00")
HORIZON, LAG = 30 * DAY, 7 * DAY
HOUR = DAY // 24
ZONES = ["Europe/Paris", "America/New_York", "Africa/Cairo", "UTC", "Asia/Kolkata"]
FAR = moment(T + 3000 * DAY)


def lead(created: int = T - 10 * DAY, **values) -> dict:
    return {"lead_id": "L1", "created_at": created, **values}


def agreed(**sections):
    return AGREEMENT.model_copy(update=sections)


# ------------------------------------------------------------------------ the grid


def grid(first: str, last: str, every_days: int, zone=PARIS) -> list[str]:
    found = calendar_grid(moment(first), moment(last), every_days=every_days, zone=zone)
    assert str(found.dtype) == INSTANT
    return [at.tz_convert(zone).isoformat() for at in found]


def test_the_grid_holds_local_midnights_when_clocks_go_forward() -> None:
    assert grid("2025-03-29T00:00+01:00", "2025-04-01T09:00+02:00", 1) == [
        "2025-03-29T00:00:00+01:00",
        "2025-03-30T00:00:00+01:00",
        "2025-03-31T00:00:00+02:00",
        "2025-04-01T00:00:00+02:00",
    ]


def test_the_grid_holds_local_midnights_when_clocks_go_back() -> None:
    assert grid("2025-10-19T00:00+02:00", "2025-11-02T00:00+01:00", 7) == [
        "2025-10-19T00:00:00+02:00",
        "2025-10-26T00:00:00+02:00",
        "2025-11-02T00:00:00+01:00",
    ]


def test_the_grid_walks_back_from_the_end() -> None:
    found = grid("2025-05-01T00:00+02:00", "2025-05-31T23:59+02:00", 14)
    assert found == [
        "2025-05-03T00:00:00+02:00",
        "2025-05-17T00:00:00+02:00",
        "2025-05-31T00:00:00+02:00",
    ]


def test_both_ends_of_the_grid_are_included_to_the_microsecond() -> None:
    first, last = us("2025-05-03T00:00+02:00"), us("2025-05-17T00:00+02:00")

    def n_found(a: int, b: int) -> int:
        ends = (moment(a), moment(b))
        return len(calendar_grid(*ends, every_days=14, zone=PARIS))

    assert n_found(first, last) == 2
    assert n_found(first + 1, last) == 1
    assert n_found(first + 1, last - 1) == 1  # 16 May, then 2 May, which is too early
    assert n_found(first - DAY, last - 1) == 2


def test_a_grid_that_ends_before_it_begins_is_empty() -> None:
    assert grid("2025-05-02T00:00Z", "2025-05-01T00:00Z", 1) == []
    assert grid("2025-05-02T01:00+02:00", "2025-05-02T02:00+02:00", 1) == []


@settings(max_examples=examples(60))
@given(
    zone=st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    first=st.integers(us("2024-01-01T00:00Z"), us("2025-12-31T00:00Z")),
    days=st.integers(0, 400),
    hours=st.integers(0, 23),
    every=st.integers(1, 60),
)
def test_grid_days_are_evenly_spaced_on_the_local_calendar(
    zone, first, days, hours, every
) -> None:
    last = moment(first + days * DAY + hours * HOUR)
    found = calendar_grid(moment(first), last, every_days=every, zone=zone)
    local = found.tz_convert(zone)
    dates = [at.date() for at in local]
    assert [at for at in found if not moment(first) <= at <= last] == []
    steps = {b - a for a, b in itertools.pairwise(dates)}
    assert steps <= {datetime.timedelta(days=every)}
    # Where midnight does not exist (Cairo, in April), the day starts at one.
    starts = {at.time() for at in local}
    assert starts <= {datetime.time(0), datetime.time(1)}
    if zone.key != "Africa/Cairo":
        assert starts <= {datetime.time(0)}


# ------------------------------------------------------------- which pairs there are


def standing(leads, outcomes, data_end, agreement=AGREEMENT) -> list[int]:
    found = training_snapshots(
        leads_of(leads), outcomes_of(outcomes), agreement, moment(data_end)
    )
    assert list(found) == ["lead_id", "account_id", "created_at", "as_of"]
    return microseconds(found["as_of"]).tolist()


def test_training_stands_on_the_grid_of_each_life() -> None:
    weekly = [T + n * 7 * DAY for n in range(4)]
    end = weekly[-1] + HORIZON + LAG
    assert standing([lead(T)], [], end) == weekly[1:]  # not yet known at T itself
    assert standing([lead(T - 1)], [], end) == weekly
    assert standing([lead(T - 9 * DAY, known_at=T)], [], end) == weekly[1:]


def test_the_newest_training_snapshot_is_the_last_mature_midnight() -> None:
    one = T + HORIZON + LAG
    assert standing([lead()], [], one)[-1] == T
    assert standing([lead()], [], one - 1)[-1] == T - DAY
    assert standing([lead()], [], one + DAY - 1)[-1] == T


def test_a_lead_is_looked_at_up_to_its_maximum_age_included() -> None:
    aged = agreed(snapshots=Snapshots(every_days=7, max_age_days=14))
    end = T + 100 * DAY
    newest = end - HORIZON - LAG
    week = [newest - 21 * DAY + n * 7 * DAY for n in range(4)]
    assert standing([lead(week[0])], [], end, aged) == week[1:3]
    assert standing([lead(week[0] - 1)], [], end, aged) == week[:2]
    assert standing([lead(week[0] + 1)], [], end, aged) == week[1:3]


def test_snapshots_stand_at_ages_after_creation() -> None:
    aged = agreed(snapshots=Snapshots(at_age_hours=(1.5, 48.0)))
    end = T + HORIZON + LAG + 48 * HOUR
    ages = [T + 3 * HOUR // 2, T + 48 * HOUR]
    assert standing([lead(T)], [], end, aged) == ages
    assert standing([lead(T)], [], end - 1, aged) == ages[:1]
    assert standing([lead(T, known_at=T + 48 * HOUR)], [], end, aged) == []
    assert standing([lead(T, known_at=T + 48 * HOUR - 1)], [], end, aged) == ages[1:]


def test_snapshots_are_sorted_by_as_of_and_then_lead() -> None:
    leads = [lead(T - 1, lead_id=name) for name in ("b", "a", "c")]
    found = training_snapshots(
        leads_of(leads), outcomes_of([]), AGREEMENT, moment(T + 7 * DAY + HORIZON + LAG)
    )
    assert found["lead_id"].tolist() == ["a", "b", "c"] * 2
    assert found["as_of"].is_monotonic_increasing


def test_no_mature_instant_gives_no_training_snapshots() -> None:
    assert standing([lead()], [], T) == []


def test_scoring_sees_the_leads_known_before_as_of() -> None:
    leads = leads_of(
        [lead(lead_id="old"), lead(T - 1, lead_id="new"), lead(T, lead_id="later")]
    )
    found = snapshots_at(leads, outcomes_of([]), AGREEMENT, moment(T))
    assert found["lead_id"].tolist() == ["new", "old"]
    assert found["status"].tolist() == [ELIGIBLE] * 2
    assert set(found["as_of"]) == {moment(T)}


# -------------------------------------------------------------------- the cohort


def status(
    leads=None, outcomes=(), at: int = T, agreement=AGREEMENT, module=snapshots
) -> str:
    known = leads_of([lead()] if leads is None else leads)
    born = microseconds(known["created_at"])[0]
    asked = pairs_of([("L1", at)], {"L1": int(born)})
    found = module.cohort_status(asked, known, outcomes_of(outcomes), agreement)
    return found.iloc[0]


def reached(stage: str, occurred: int = T - 2 * DAY, known: int | None = None) -> tuple:
    return ("L1", stage, occurred, occurred if known is None else known)


def test_a_lead_without_outcomes_is_eligible() -> None:
    assert status() == ELIGIBLE


def test_outcomes_of_other_leads_and_other_stages_do_not_matter() -> None:
    others = [("L2", "opportunity", T - DAY, T - DAY), reached("meeting held")]
    assert status(outcomes=others) == ELIGIBLE


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("opportunity", "converted"),
        ("lost", "lost"),
        ("disqualified", "disqualified"),
    ],
)
def test_a_lead_leaves_a_microsecond_after_its_end_is_known(
    stage: str, reason: str
) -> None:
    late = [reached(stage, T - 9 * DAY, T)]
    assert status(outcomes=late, at=T) == ELIGIBLE
    assert status(outcomes=late, at=T + 1) == reason


def test_a_recycled_lead_returns_when_that_is_known() -> None:
    story = [reached("lost", T - 5 * DAY), reached("recycled", T - 3 * DAY, T)]
    assert status(outcomes=story, at=T - 5 * DAY) == ELIGIBLE
    assert status(outcomes=story, at=T) == "lost"
    assert status(outcomes=story, at=T + 1) == ELIGIBLE
    again = [*story, reached("lost", T + DAY)]
    assert status(outcomes=again, at=T + DAY + 1) == "lost"


def test_what_was_heard_last_counts_not_what_happened_last() -> None:
    """The news that a lead was lost came after the news that it was recycled."""
    story = [
        reached("lost", T - 9 * DAY, T - 1),
        reached("recycled", T - 5 * DAY, T - 2),
    ]
    assert status(outcomes=story) == "lost"


def test_of_two_stages_known_at_once_the_later_one_counts() -> None:
    story = [
        reached("lost", T - 9 * DAY, T - 1),
        reached("recycled", T - 5 * DAY, T - 1),
    ]
    assert status(outcomes=story) == ELIGIBLE
    assert status(outcomes=story[::-1]) == ELIGIBLE


def test_a_converted_lead_does_not_return() -> None:
    story = [reached("opportunity", T - 9 * DAY), reached("recycled", T - 5 * DAY)]
    assert status(outcomes=story) == "converted"


def test_a_lead_one_microsecond_above_the_maximum_age_is_too_old() -> None:
    assert status([lead(T - 365 * DAY)]) == ELIGIBLE
    assert status([lead(T - 365 * DAY - 1)]) == "too old"


def test_a_merged_lead_leaves_once_the_merge_is_known() -> None:
    rows = [lead(), lead(known_at=T, merged_into="L2")]
    assert status(rows, at=T) == ELIGIBLE
    assert status(rows, at=T + 1) == "merged"


def test_a_lead_that_objects_leaves_once_that_is_known_and_may_come_back() -> None:
    rows = [lead(), lead(known_at=T, objects=True), lead(known_at=T + DAY)]
    assert status(rows, at=T) == ELIGIBLE
    assert status(rows, at=T + 1) == "objects"
    assert status(rows, at=T + DAY) == "objects"
    assert status(rows, at=T + DAY + 1) == ELIGIBLE


def test_consent_is_only_asked_where_the_agreement_names_a_column() -> None:
    free = agreed(
        consent=AGREEMENT.consent.model_copy(update={"exclude_when_true": ()})
    )
    assert status([lead(objects=True)], agreement=free) == ELIGIBLE


def test_the_first_reason_that_applies_is_given() -> None:
    everything = lead(T - 400 * DAY, objects=True, merged_into="L2")
    ends = [reached("opportunity"), reached("lost")]
    assert status([everything], ends) == "objects"
    assert status([{**everything, "objects": False}], ends) == "merged"
    assert status([lead(T - 400 * DAY)], ends) == "converted"
    assert status([lead(T - 400 * DAY)], ends[1:]) == "too old"
    assert status([lead()], ends[1:]) == "lost"


def test_the_cohort_knows_nothing_of_as_of_or_later() -> None:
    rng = np.random.default_rng(4)
    leads, outcomes = random_history(rng, n_leads=200)
    asked = [(f"L{n}", T + k * DAY) for n in range(200) for k in range(-6, 6)]
    born = {row["lead_id"]: row["created_at"] for row in leads[::-1]}
    pairs = pairs_of(asked, born)
    full = cohort_status(pairs, leads_of(leads), outcomes_of(outcomes), AGREEMENT)
    assert set(full) == {
        ELIGIBLE,
        "objects",
        "merged",
        "converted",
        "disqualified",
        "lost",
    }
    for as_of in sorted({at for _, at in asked}):
        here = (pairs["as_of"] == moment(as_of)).to_numpy()
        then = cohort_status(
            pairs[here],
            known_before(leads_of(leads), moment(as_of)),
            known_before(outcomes_of(outcomes), moment(as_of)),
            AGREEMENT,
        )
        assert then.tolist() == full[here].tolist()


def random_history(rng, n_leads: int) -> tuple[list[dict], list[tuple]]:
    leads, outcomes = [], []
    stages = ["opportunity", "lost", "disqualified", "recycled", "recycled"]
    for n in range(n_leads):
        born = T - int(rng.integers(1, 300)) * DAY
        leads.append(lead(born, lead_id=f"L{n}"))
        changed = T + int(rng.integers(-6, 6)) * DAY + int(rng.integers(-1, 2))
        flags = {"objects": rng.random() < 0.1}
        merged = "L0" if rng.random() < 0.1 else None
        leads.append(
            lead(born, lead_id=f"L{n}", known_at=changed, merged_into=merged, **flags)
        )
        for _ in range(rng.integers(0, 4)):
            known = T + int(rng.integers(-6, 6)) * DAY + int(rng.integers(-1, 2))
            happened = known - int(rng.integers(0, 3)) * DAY
            outcomes.append((f"L{n}", str(rng.choice(stages)), happened, known))
    return leads, outcomes


# ---------------------------------------------------------------- what was known then


def test_the_latest_row_known_before_as_of_counts() -> None:
    rows = [
        lead(industry="food", employees=3.0),
        lead(known_at=T, industry=None, employees=7.0),
    ]
    asked = pairs_of([("L1", T + 1), ("nobody", T), ("L1", T), ("L1", T - 10 * DAY)])
    found = attributes_at(leads_of(rows), asked)
    assert found.index.tolist() == [0, 1, 2, 3]
    # A null that is news is news: the older value does not shine through.
    assert found["industry"].isna().tolist() == [True, True, False, True]
    assert found["industry"][2] == "food"
    np.testing.assert_array_equal(found["employees"], [7.0, np.nan, 3.0, np.nan])


# ------------------------------------------------------------------- what came of them


def labelled(outcomes, data_end=FAR, at: int = T, module=snapshots) -> dict:
    asked = pairs_of([("L1", at)])
    end = moment(data_end) if isinstance(data_end, int) else data_end
    found = module.label_snapshots(asked, outcomes_of(outcomes), AGREEMENT, end)
    row = found.iloc[0]
    return {
        "is_mature": bool(row["is_mature"]),
        "converted": None if pd.isna(row["converted"]) else row["converted"],
        "set_aside": None if pd.isna(row["set_aside"]) else row["set_aside"],
    }


def converted(occurred: int, known: int | None = None, **options) -> float | None:
    return labelled([reached("opportunity", occurred, known)], **options)["converted"]


def test_the_outcome_window_is_half_open_to_the_microsecond() -> None:
    assert converted(T) == 1.0
    assert converted(T + HORIZON - 1) == 1.0
    assert converted(T + HORIZON) == 0.0
    assert labelled([])["converted"] == 0.0


def test_the_first_conversion_of_the_agreed_stage_counts() -> None:
    twice = [reached("opportunity", T + HORIZON), reached("opportunity", T + 5)]
    assert labelled(twice)["converted"] == 1.0
    assert labelled([reached("customer", T + 5)])["converted"] == 0.0
    assert labelled([("L2", "opportunity", T, T)])["converted"] == 0.0


def test_a_snapshot_is_mature_when_window_and_lag_have_passed_to_the_microsecond() -> (
    None
):
    end = T + HORIZON + LAG
    assert labelled([], data_end=end)["is_mature"]
    assert not labelled([], data_end=end - 1)["is_mature"]


def test_an_immature_snapshot_has_no_outcome_even_if_the_lead_converted() -> None:
    early = labelled([reached("opportunity", T + 1)], data_end=T + HORIZON + LAG - 1)
    assert early == {"is_mature": False, "converted": None, "set_aside": "immature"}


def test_a_conversion_from_before_that_became_known_later_is_set_aside() -> None:
    late = labelled([reached("opportunity", T - 1, T + DAY)])
    assert late["converted"] is None
    assert late["set_aside"] == "converted before, known later"
    assert labelled([reached("opportunity", T, T + DAY)])["set_aside"] is None


def test_an_outcome_at_an_earlier_end_is_the_one_known_then() -> None:
    """A backtest that stands on a day uses only outcomes known before it."""
    origin = T + HORIZON + LAG
    assert converted(T + 1, origin - 1, data_end=origin) == 1.0
    assert converted(T + 1, origin, data_end=origin) == 0.0
    assert converted(T + 1, origin, data_end=origin + 1) == 1.0
    unknown = labelled([reached("opportunity", T - 1, origin)], data_end=origin)
    assert unknown == {"is_mature": True, "converted": 0.0, "set_aside": None}


def test_labelling_keeps_the_rows_and_their_order() -> None:
    asked = pairs_of([("b", T), ("a", T + DAY), ("b", T - DAY)]).set_index(
        pd.Index([7, 3, 5])
    )
    found = label_snapshots(
        asked, outcomes_of([("b", "opportunity", T, T)]), AGREEMENT, FAR
    )
    pd.testing.assert_frame_equal(found[list(asked)], asked)
    assert found["converted"].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("days", [1, 30, 365])
def test_the_horizon_is_the_agreed_one(days: int) -> None:
    agreement = agreed(conversion=Conversion(horizon_days=days))
    asked = pairs_of([("L1", T), ("L1", T - 1)])
    known = outcomes_of([reached("opportunity", T + days * DAY - 1)])
    found = label_snapshots(asked, known, agreement, FAR)
    assert found["converted"].tolist() == [1.0, 0.0]


def test_null_instants_never_happen() -> None:
    assert microseconds(instants([5, None])).tolist() == [5, NEVER]


# ----------------------------------------------------------------------- mutations

MUTATIONS = {
    "attributes known at as_of": (
        'side="left"',
        'side="right"',
    ),
    "the end of the window": (
        "converted_at < as_of + horizon_us",
        "converted_at <= as_of + horizon_us",
    ),
    "the start of the window": (
        "before = converted_at < as_of",
        "before = converted_at <= as_of",
    ),
    "maturity": (
        "_look_ahead(agreement) <= data_end",
        "_look_ahead(agreement) < data_end",
    ),
    "outcomes known at data_end": (
        'table["known_at"] < instant',
        'table["known_at"] <= instant',
    ),
    "conversions known at as_of": (
        'microseconds(converted) < microseconds(pairs["as_of"])',
        'microseconds(converted) <= microseconds(pairs["as_of"])',
    ),
    "maximum age": ("age_days > agreement", "age_days >= agreement"),
}


def edges(module) -> list:
    """Return what a module says at each edge of the rules of time."""
    origin = T + HORIZON + LAG
    return [
        status([lead(), lead(known_at=T, merged_into="L2")], module=module),
        status(outcomes=[reached("lost", T)], module=module),
        status(outcomes=[reached("opportunity", T)], module=module),
        status([lead(T - 365 * DAY)], module=module),
        converted(T + HORIZON, module=module),
        converted(T, module=module),
        labelled([], data_end=origin, module=module)["is_mature"],
        converted(T + 1, origin, data_end=origin, module=module),
    ]


def test_the_edges_are_where_they_should_be() -> None:
    assert edges(snapshots) == [ELIGIBLE] * 4 + [0.0, 1.0, True, 0.0]


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_of_the_edges_are_caught(name: str) -> None:
    assert edges(mutant(snapshots, MUTATIONS[name])) != edges(snapshots)
