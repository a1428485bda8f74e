"""The audit: who counts, when, and the four verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.audit import Audit, Verdict, audit_promises
from leadscore.realised import CONVERTED_BEFORE, NOT_IN_TABLES
from leadscore.tables import INSTANT
from tests.audit_oracle import LEVEL, Expected, Row, World, expect
from tests.examples import examples

START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
MICROSECOND = pd.Timedelta(1, "us")


def day(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=number)


def promise(**changes: Any) -> dict[str, Any]:
    """A promise in a world of three days' horizon and one day's lag."""
    return {
        "id": "SQL 50% A",
        "label": "SQL",
        "precision": 0.5,
        "confidence": 0.95,
        "model_version": "A",
        "horizon_days": 3,
        "reporting_lag_days": 1,
        "period": ["2025-10-01", "2025-12-31"],
        "expires": "2027-01-01T00:00:00Z",
        "text": "of the leads entering SQL at least 50 % convert",
    } | changes


def ledger(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "lead_id": [row.lead for row in rows],
            "as_of": [day(row.day) for row in rows],
            "change": [row.change for row in rows],
            "label": [row.label for row in rows],
            "road": [row.road for row in rows],
            "label_since": [
                day(row.day if row.since is None else row.since)
                if LEVEL[row.label]
                else None
                for row in rows
            ],
            "model_version": [row.model for row in rows],
        }
    )
    words = ["lead_id", "change", "label", "road", "model_version"]
    frame = frame.astype(dict.fromkeys(words, "str"))
    return frame.astype(dict.fromkeys(["as_of", "label_since"], INSTANT))


def audit(
    world: World, promises: list[dict[str, Any]], at: float, **more: Any
) -> Audit:
    conversions = pd.DataFrame(
        {
            "lead_id": [c[0] for c in world.conversions],
            "occurred_at": [day(c[1]) for c in world.conversions],
            "known_at": [day(c[2]) for c in world.conversions],
        }
    ).astype(
        {
            "lead_id": "str",
            "occurred_at": INSTANT,
            "known_at": INSTANT,
        }
    )
    return audit_promises(
        ledger(world.rows),
        promises,
        conversions,
        pd.Series(world.accounts, dtype="str"),
        at=day(at),
        horizon_days=world.horizon,
        reporting_lag_days=world.lag,
        **more,
    )


def only(world: World, at: float, **changes: Any) -> Verdict:
    (verdict,) = audit(world, [promise(**changes)], at).verdicts
    return verdict


def entering(n: int, *, converted: int = 0, model: str = "A", first: int = 0) -> World:
    """A lead a day enters SQL; the first ones convert a day later."""
    leads = [f"L{first + i:03d}" for i in range(n)]
    days = range(first, first + n)
    rows = [
        Row(lead, d, "issued", "SQL", "nurtured", model)
        for lead, d in zip(leads, days, strict=True)
    ]
    conversions = [
        (lead, d + 1.0, d + 1.0)
        for lead, d in zip(leads[:converted], days, strict=False)
    ]
    return World(rows, conversions, dict.fromkeys(leads))


def followed(world: World) -> World:
    """The same, and a day later another model writes."""
    last = max(row.day for row in world.rows)
    later = Row("later", last + 1, "issued", "MQL", "nurtured", "B")
    return World([*world.rows, later], world.conversions, world.accounts)


# ------------------------------------------------------------------ the four verdicts


def test_kept_when_closed_and_mature_and_at_the_promise() -> None:
    verdict = only(followed(entering(10, converted=5)), at=100)
    assert verdict.word == "KEPT"
    assert (verdict.cohort.n_matured, verdict.cohort.n_converted) == (10, 5)
    assert verdict.cohort.share_open == 0
    assert not verdict.is_suspended


def test_missed_when_one_fewer_converted() -> None:
    verdict = only(followed(entering(10, converted=4)), at=100)
    assert verdict.word == "MISSED"
    assert verdict.bound >= 0.5


def test_broken_when_nobody_converts_however_often_it_is_looked_at() -> None:
    verdict = only(entering(20), at=100)
    assert verdict.word == "BROKEN"
    assert verdict.bound < 0.5
    assert verdict.is_suspended
    assert verdict.broken_since is not None
    # The mean of ((1 - q) / .5)^n over the six q is 16 after seven failures, 27 after
    # eight.
    assert verdict.broken_since == day(7 + 4)
    assert not verdict.is_suspended_at(verdict.broken_since - MICROSECOND)
    assert verdict.is_suspended_at(verdict.broken_since)


def test_too_early_while_leads_are_open_or_may_still_come() -> None:
    still_used = only(entering(10, converted=10), at=100)
    assert (still_used.word, still_used.cohort.n_open) == ("TOO EARLY", 0)
    still_open = only(followed(entering(10, converted=10)), at=12)
    assert (still_open.word, still_open.cohort.n_open) == ("TOO EARLY", 1)
    assert still_open.cohort.share_open == pytest.approx(0.1)
    nobody = only(World([], [], {}), at=100)
    assert (nobody.word, nobody.cohort.share) == ("TOO EARLY", None)


def test_an_expired_promise_gets_its_verdict_while_its_model_is_in_use() -> None:
    expires = day(50).isoformat()
    verdict = only(entering(10, converted=6), at=100, expires=expires)
    assert verdict.word == "KEPT"
    assert verdict.is_suspended
    assert verdict.is_suspended_at(day(50))
    assert not verdict.is_suspended_at(day(50) - MICROSECOND)
    assert only(entering(10, converted=6), at=49, expires=expires).word == "TOO EARLY"


def test_who_enters_after_the_expiry_is_not_promised_anything() -> None:
    verdict = only(entering(10), at=100, expires=day(4).isoformat())
    assert verdict.cohort.n_entries == 4


def test_only_a_broken_or_expired_promise_makes_a_scheduler_look() -> None:
    for world, degraded in [
        (followed(entering(10, converted=5)), False),
        (followed(entering(10, converted=4)), False),
        (entering(10, converted=10), False),
        (entering(20), True),
    ]:
        assert audit(world, [promise()], at=100).is_degraded is degraded
    expired = promise(expires=day(50).isoformat())
    assert audit(entering(10, converted=9), [expired], at=100).is_degraded
    replaced = followed(entering(10, converted=9))
    assert not audit(replaced, [expired], at=100).is_degraded


def test_what_was_broken_stays_broken() -> None:
    """A row of successes later does not undo it, and it keeps its day."""
    failures, rest = entering(20), entering(80, converted=80, first=20)
    world = World(
        failures.rows + rest.rows,
        failures.conversions + rest.conversions,
        failures.accounts | rest.accounts,
    )
    verdict = only(followed(world), at=300)
    assert verdict.cohort.share == 0.8
    assert (verdict.word, verdict.broken_since) == ("BROKEN", day(11))


def test_a_promise_of_all_is_refused() -> None:
    from leadscore.errors import UsageError

    with pytest.raises(UsageError, match="above 0 and below 1"):
        only(entering(3), at=100, precision=1.0)


# ------------------------------------------------------------------------- who counts


def test_early_positives_do_not_flatter() -> None:
    """All converters convert at once, the others take their time to fail: a count of
    what is known would say 100 %.
    """
    rng = np.random.default_rng(3)
    n = 200
    world = entering(n)
    hits = rng.random(n) < 0.4
    world.conversions = [
        (row.lead, row.day + 0.1, row.day + 0.1)
        for row, hit in zip(world.rows, hits, strict=True)
        if hit
    ]
    world.horizon = 90
    cohort = only(world, at=150, horizon_days=90).cohort
    known = sum(c[2] < 150 for c in world.conversions)
    assert cohort.n_matured == 60  # entered on days 0 to 59
    assert cohort.n_converted == hits[:60].sum() < known
    assert cohort.n_open == 90  # days 60 to 149


def test_a_conversion_counts_from_entry_to_just_before_the_horizon() -> None:
    for occurred, n_converted in [(0.0, 1), (2.999, 1), (3.0, 0)]:
        world = entering(1)
        world.conversions = [("L000", occurred, occurred)]
        assert only(world, at=100).cohort.n_converted == n_converted, occurred


def test_an_entry_is_mature_at_the_very_instant() -> None:
    assert only(entering(1), at=4).cohort.n_matured == 1
    at = 4 - 1 / 86_400_000_000
    assert only(entering(1), at=at).cohort.n_matured == 0


def test_nothing_matures_after_the_data_ends() -> None:
    """An old export does not make a promise broken."""
    audited = audit(entering(20), [promise()], at=100, data_end=day(3))
    assert audited.verdicts[0].cohort.n_matured == 0
    assert audited.verdicts[0].word == "TOO EARLY"


def test_a_conversion_known_at_the_instant_is_not_known_before_it() -> None:
    world = entering(1)
    world.conversions = [("L000", 1.0, 50.0)]
    assert only(world, at=50).cohort.n_converted == 0
    later = only(world, at=51).cohort
    assert (later.n_converted, later.n_known_late) == (1, 1)


def test_who_had_converted_before_is_set_aside_and_counted() -> None:
    world = entering(3, converted=1)
    world.conversions.append(("L002", 1.5, 30.0))
    cohort = only(world, at=100).cohort
    assert cohort.set_aside == {CONVERTED_BEFORE: 1}
    assert (cohort.n_entries, cohort.n_matured, cohort.n_converted) == (3, 2, 1)


def test_a_lead_that_the_tables_do_not_have_is_no_failure() -> None:
    world = entering(30)
    world.accounts = {"L000": None}
    cohort = only(world, at=100).cohort
    assert cohort.set_aside == {NOT_IN_TABLES: 29}
    assert (cohort.n_entries, cohort.n_matured) == (30, 1)


def test_an_account_counts_once_at_its_first_entry() -> None:
    world = entering(4)
    world.accounts = {"L000": "Acme", "L001": "Acme", "L002": None, "L003": "L002"}
    world.conversions = [("L001", 2.0, 2.0)]
    cohort = only(world, at=100).cohort
    assert (cohort.n_entries, cohort.n_converted) == (3, 0)


def path(*steps: tuple[Any, ...]) -> World:
    rows = [Row("L", *step) for step in steps]
    return World(rows, [], {"L": None})


NURTURED, RAISED = "nurtured", "hand_raised"


@pytest.mark.parametrize(
    ("why", "world", "entered"),
    [
        (
            "from MQL to SQL is an entry",
            path(
                (0, "issued", "MQL", NURTURED, "A"),
                (5, "changed", "SQL", NURTURED, "A"),
            ),
            5,
        ),
        ("found standing is stock", path((0, "stock", "SQL", NURTURED, "A")), None),
        (
            "stock that falls and comes back is stock",
            path(
                (0, "stock", "SQL", NURTURED, "A"),
                (1, "withdrawn", "NURTURE", None, "A"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            None,
        ),
        (
            "stock below the label enters it",
            path(
                (0, "stock", "MQL", NURTURED, "A"), (1, "changed", "SQL", NURTURED, "A")
            ),
            1,
        ),
        (
            "standing when the reign began is stock",
            path(
                (0, "issued", "SQL", NURTURED, "B"),
                (1, "withdrawn", "NURTURE", None, "A"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            None,
        ),
        (
            "fallen before the reign began, it enters anew",
            path(
                (0, "issued", "SQL", NURTURED, "B"),
                (1, "withdrawn", "NURTURE", None, "B"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            2,
        ),
        (
            "stock of the first reign enters in the one after a rollback",
            path(
                (0, "stock", "SQL", NURTURED, "A"),
                (1, "withdrawn", "NURTURE", None, "B"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            2,
        ),
        (
            "by a raised hand first, never by the other road",
            path(
                (0, "issued", "SQL", RAISED, "A"),
                (1, "withdrawn", "NURTURE", None, "A"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            None,
        ),
        (
            "only the first entry counts",
            path(
                (0, "issued", "SQL", NURTURED, "A"),
                (1, "withdrawn", "MQL", NURTURED, "A"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            0,
        ),
        (
            "in the first row from MQL, as the replay had it",
            path((0, "changed", "SQL", NURTURED, "A")),
            0,
        ),
        (
            "in the first row from the other road",
            path((0, "changed", "SQL", NURTURED, "A", -9)),
            None,
        ),
        (
            "in the first row from SQL to MQL, then back",
            path(
                (0, "changed", "MQL", NURTURED, "A"),
                (3, "changed", "SQL", NURTURED, "A"),
            ),
            None,
        ),
        (
            "waiting is not yet standing",
            path(
                (0, "waiting", "NURTURE", None, "A"),
                (7, "issued", "SQL", NURTURED, "A"),
            ),
            7,
        ),
        (
            "who left the list stands nowhere",
            path(
                (0, "issued", "SQL", NURTURED, "B"),
                (1, "left", "SQL", None, "B"),
                (2, "issued", "SQL", NURTURED, "A"),
            ),
            2,
        ),
    ],
)
def test_what_an_entry_is(why: str, world: World, entered: int | None) -> None:
    cohort = only(world, at=100).cohort
    assert cohort.n_entries == (entered is not None), why
    if entered is not None:
        assert cohort.first_as_of == cohort.last_as_of == day(entered)


def test_a_leap_to_sql_enters_mql_too_and_a_step_to_sql_does_not() -> None:
    leap = path((0, "issued", "SQL", NURTURED, "A"))
    assert only(leap, at=9, label="MQL").cohort.first_as_of == day(0)
    steps = path(
        (0, "issued", "MQL", NURTURED, "A"), (5, "changed", "SQL", NURTURED, "A")
    )
    assert only(steps, at=9, label="MQL").cohort.first_as_of == day(0)


def test_who_was_mql_before_the_ledger_began_does_not_enter_mql() -> None:
    raised = path((0, "changed", "SQL", NURTURED, "A"))
    assert only(raised, at=9, label="MQL").cohort.n_entries == 0


def test_the_other_road_is_measured_over_all_models() -> None:
    rows = [
        Row("a", 0, "issued", "SQL", RAISED, "A"),
        Row("b", 1, "stock", "SQL", RAISED, "A"),
        Row("c", 2, "issued", "SQL", RAISED, "B"),
        Row("d", 3, "issued", "SQL", NURTURED, "B"),
        Row("d", 4, "kept", "SQL", RAISED, "B"),
    ]
    world = World(rows, [("a", 1.0, 1.0)], dict.fromkeys("abcd"))
    raised = audit(world, [], at=100).hand_raised
    assert (raised.n_entries, raised.n_matured, raised.n_converted) == (2, 2, 1)


# ------------------------------------------------------------------------- the oracle

LEADS = ("p", "q", "r", "s")
CHANGES = ("issued", "kept", "changed", "withdrawn", "waiting", "left", "stock")
LABELS = ("DISQUALIFIED", "NURTURE", "MQL", "SQL")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    models = draw(st.lists(st.sampled_from("AB"), min_size=1, max_size=8))
    rows = []
    for when, model in enumerate(models):
        for lead in draw(st.lists(st.sampled_from(LEADS), unique=True, max_size=4)):
            label = draw(st.sampled_from(LABELS))
            has_road = label in ("MQL", "SQL")
            road = draw(st.sampled_from((NURTURED, RAISED))) if has_road else None
            change = draw(st.sampled_from(CHANGES[: 7 if when == 0 else 6]))
            since = draw(st.sampled_from([None, -5]))
            rows.append(Row(lead, when, change, label, road, model, since))
    conversions = [
        (lead, occurred, occurred + late)
        for lead, occurred, late in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(LEADS),
                    st.integers(-4, 22).map(lambda half: half / 2),
                    st.sampled_from([0.0, 0.5, 2.0, 6.0]),
                ),
                max_size=5,
            )
        )
    ]
    accounts = {
        lead: draw(st.sampled_from([None, "x", "y"]))
        for lead in draw(st.lists(st.sampled_from(LEADS), unique=True, min_size=2))
    }
    return World(rows, conversions, accounts)


@given(
    worlds(),
    st.sampled_from(["MQL", "SQL"]),
    st.integers(0, 16),
    st.integers(2, 20),
    st.sampled_from([0.5, 0.9]),
)
@settings(max_examples=examples(150), deadline=None)
def test_the_audit_equals_plain_loops(
    world: World, label: str, at: int, expires: int, target: float
) -> None:
    """With half a confidence, so that small worlds break promises, too."""
    found = only(
        world,
        at=at,
        label=label,
        precision=target,
        confidence=0.5,
        expires=day(expires).isoformat(),
    )
    want = expect(world, label, "A", at, expires=expires, target=target, alpha=0.5)
    assert_equal(found, want)
    if want.broken_since is not None:
        assert found.word == "BROKEN"


def assert_equal(found: Verdict, want: Expected) -> None:
    cohort = found.cohort
    assert cohort.n_entries == len(want.entries) + want.n_gone
    assert cohort.set_aside.get(NOT_IN_TABLES, 0) == want.n_gone
    assert cohort.set_aside.get(CONVERTED_BEFORE, 0) == want.n_aside
    assert cohort.n_open == want.n_open
    assert cohort.n_matured == want.n_matured
    assert cohort.n_converted == want.n_converted
    days = [entered for _, entered in want.entries]
    assert cohort.first_as_of == (day(min(days)) if days else None)
    broken = want.broken_since
    assert found.broken_since == (None if broken is None else day(broken))


@given(worlds(), st.integers(0, 12), st.integers(0, 4))
@settings(max_examples=examples(40), deadline=None)
def test_a_later_audit_never_takes_a_broken_promise_back(
    world: World, at: int, later: int
) -> None:
    once = only(world, at=at, precision=0.9, confidence=0.5)
    again = only(world, at=at + later, precision=0.9, confidence=0.5)
    if once.broken_since is not None:
        assert again.broken_since == once.broken_since


@given(worlds(), st.integers(0, 12), st.randoms())
@settings(max_examples=examples(40), deadline=None)
def test_the_order_of_the_rows_is_nothing(world: World, at: int, random: Any) -> None:
    shuffled = World(list(world.rows), list(world.conversions), world.accounts)
    random.shuffle(shuffled.rows)
    random.shuffle(shuffled.conversions)
    assert only(shuffled, at=at) == only(world, at=at)
