"""Points: rules as marketing wrote them, and parts that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import PointRule, Points
from leadscore.features.plan import compile_plan
from leadscore.points import point_parts, point_reasons
from leadscore.tables import Tables
from leadscore.workflows.rows import build_rows
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    DAY,
    catalogue_of,
    interactions_of,
    leads_of,
    log_of,
    moment,
    outcomes_of,
    snapshots_of,
    us,
    worlds,
)

T = us("2025-06-01T00:00+02:00")
DOWNLOAD = "whitepaper_download"


def earned(*events: tuple[str, float], **settled) -> dict[str, int]:
    """Return the parts of a lead; ``events``: (kind, days ago)."""
    return all_earned([events], **settled)[0]


def all_earned(histories, *, born: float = 500.0, **points) -> list[dict[str, int]]:
    """Return the parts of one lead a history, created ``born`` days ago."""
    agreement, catalogue = AGREEMENT, CATALOGUE
    if points:
        settled = AGREEMENT.points.model_copy(update=points)
        agreement = AGREEMENT.model_copy(update={"points": settled})
        catalogue = catalogue_of(agreement)
    created = {f"L{n}": T - round(born * DAY) for n in range(len(histories))}
    rows = [
        # Contents differ: a row that is the same in every column counts once.
        (lead, T - round(ago * DAY), T - round(ago * DAY), kind, None, str(n), None)
        for lead, events in zip(created, histories, strict=True)
        for n, (kind, ago) in enumerate(events)
    ]
    leads = leads_of({"lead_id": i, "created_at": at} for i, at in created.items())
    tables = Tables(leads, log_of(interactions_of(rows)), outcomes_of([]), moment(T))
    asked = snapshots_of([(lead, T) for lead in created], created)
    made = build_rows(tables, asked, catalogue, agreement)
    assert (made.parts.sum(axis=1) == made.features["points"]).all()
    return made.parts.to_dict("records")


def features(
    silent: float | None = 0.0, tenure: float = 900.0, **decayed
) -> pd.DataFrame:
    since = np.nan if silent is None else silent
    columns = {f"decayed_{kind}": [float(n)] for kind, n in decayed.items()}
    return pd.DataFrame(
        {"days_since_last": [since], "tenure_days": [tenure], **columns}
    )


def part(n: float, **rule) -> int:
    points = Points(rules=(PointRule(kind="x", **rule),))
    return int(point_parts(features(x=n), points)["x"].iloc[0])


@settings(max_examples=examples(15), deadline=None)  # the kernel compiles once
@given(world=worlds())
def test_the_parts_add_up_to_the_points(world) -> None:
    made = build_rows(world.tables, world.snapshots(), CATALOGUE, AGREEMENT)
    assert (made.parts.sum(axis=1) == made.features["points"]).all()
    assert {str(kind) for kind in made.parts.dtypes} == {"int64"}
    assert list(made.parts) == [*(r.kind for r in AGREEMENT.points.rules), "idle"]


def test_a_rule_counts_each_time() -> None:
    assert earned((DOWNLOAD, 1.0))[DOWNLOAD] == 5
    assert earned(*[(DOWNLOAD, 1.0)] * 3)[DOWNLOAD] == 15


def test_a_cap_ends_what_a_rule_gives_or_takes() -> None:
    assert [part(n, points=2, cap=10) for n in (4, 5, 6, 500)] == [8, 10, 10, 10]
    assert [part(n, points=-2, cap=10) for n in (4, 5, 6, 500)] == [-8, -10, -10, -10]


def test_a_cap_of_one_rule_leaves_the_others_alone() -> None:
    found = earned(*[("email_open", 1.0)] * 20, (DOWNLOAD, 1.0))
    assert found["email_open"] == 10
    assert found[DOWNLOAD] == 5


def test_a_negative_rule_takes_points_away() -> None:
    assert earned(("unsubscribe", 1.0))["unsubscribe"] == -8


def test_after_one_half_life_exactly_half_counts() -> None:
    assert earned(("pricing_view", 7.0))["pricing_view"] == 5
    assert earned(("pricing_view", 14.0))["pricing_view"] == 3  # 2.5, rounded away
    assert earned(("pricing_view", 21.0))["pricing_view"] == 1  # 1.25


@pytest.mark.parametrize("life", [0.25, 0.5, *map(float, range(1, 400, 7)), 10.1])
def test_half_is_exact_for_every_half_life(life: float) -> None:
    """2 ** -1 has no error, so a half-life must give exactly one halving."""
    rule = Points(rules=(PointRule(kind="x", points=1, half_life_days=life),))
    agreement = AGREEMENT.model_copy(update={"points": rule})
    plan = compile_plan(catalogue_of(agreement), agreement.zone)
    assert 2.0 ** (-plan.decay_rate[-1] * round(life * DAY)) == 0.5


def test_a_rule_without_half_life_never_fades() -> None:
    assert earned((DOWNLOAD, 300.0))[DOWNLOAD] == 5


@pytest.mark.parametrize(
    ("exact", "rounded"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.4999, 2)]
)
def test_halves_are_rounded_away_from_zero_on_both_sides(
    exact: float, rounded: int
) -> None:
    assert part(exact, points=1) == rounded
    assert part(exact, points=-1) == -rounded


def test_each_full_idle_period_since_the_last_interaction_costs() -> None:
    just = 30 - 1 / DAY
    costs = [
        earned(("page_view", ago))["idle"]
        for ago in (1, just, 30, 60 - 1 / DAY, 60, 95)
    ]
    assert costs == [0, 0, -4, -4, -8, -12]


def test_without_interaction_the_idle_periods_run_from_creation() -> None:
    assert [earned(born=days)["idle"] for days in (29.9, 30, 61)] == [0, -4, -8]


def test_a_lead_is_not_idle_before_it_was_created() -> None:
    """Visits from before the lead left its name do not make it idle since then."""
    assert earned(("page_view", 100.0), born=10.0)["idle"] == 0
    assert earned(("page_view", 100.0), born=65.0)["idle"] == -8


def test_the_idle_penalty_is_the_agreed_one() -> None:
    assert earned(("page_view", 21.0), idle_points=-3, idle_days=7)["idle"] == -9
    assert earned(("page_view", 200.0), idle_points=0)["idle"] == 0


POSITIVE = st.sampled_from([DOWNLOAD, "email_open", "pricing_view"])
ANY = st.sampled_from([*"abc", DOWNLOAD, "pricing_view", "unsubscribe"])
AGO = st.one_of(
    st.integers(1, 400 * DAY).map(lambda n: n / DAY),
    st.sampled_from([7.0, 14.0, 30.0, 60.0, 1 / DAY]),
)


@settings(max_examples=examples(40), deadline=None)  # the kernel compiles once
@given(
    history=st.one_of(st.just([]), st.lists(st.tuples(ANY, AGO), max_size=8)),
    more=st.tuples(POSITIVE, AGO),
    born=st.sampled_from([1.0, 45.0, 500.0]),
)
def test_one_more_positive_interaction_never_lowers_the_points(
    history, more, born
) -> None:
    before, after = all_earned([history, [*history, more]], born=born)
    assert all(after[name] >= before[name] for name in before)


def test_a_reason_names_the_parts_largest_first() -> None:
    parts = pd.DataFrame(
        {"pricing_view": [10, 0, 4], "email_open": [2, 0, 0], "idle": [-4, 0, -4]},
        index=[5, 6, 7],
    )
    reasons = point_reasons(parts)
    assert reasons.index.tolist() == [5, 6, 7]
    assert [list(row.dropna()) for _, row in reasons.iterrows()] == [
        ["+10 pricing view", "-4 idle", "+2 email open"],
        [],
        ["-4 idle", "+4 pricing view"],
    ]


def test_no_rules_leave_idleness() -> None:
    found = point_parts(features(silent=31.0), Points(rules=()))
    assert found.to_dict("records") == [{"idle": -4}]


def test_never_seen_is_not_the_same_as_seen_just_now() -> None:
    assert (
        point_parts(features(silent=None, tenure=31.0), Points(rules=()))["idle"][0]
        == -4
    )
    assert (
        point_parts(features(silent=0.0, tenure=31.0), Points(rules=()))["idle"][0] == 0
    )
