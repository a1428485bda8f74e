"""Features: equal to plain SQL, blind to the future, and nothing but their history."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore import snapshots as snapshots_module
from leadscore.agreement import (
    Agreement,
    Attribute,
    DecayedSum,
    HandRaise,
    PointRule,
    Points,
)
from leadscore.errors import AgreementError
from leadscore.features import (
    Catalogue,
    describe_features,
    fold,
    kernel,
    plan,
    primitives,
)
from leadscore.features import build as build_module
from leadscore.features.build import behaviour, build_features
from leadscore.features.catalogue import declare_catalogue
from leadscore.features.primitives import Column, Count
from leadscore.workflows import rows as rows_module
from leadscore.workflows.rows import Rows, build_rows
from tests import brute_force
from tests.examples import examples
from tests.histories import (
    AGREEMENT,
    CATALOGUE,
    DAY,
    EXTENDED,
    KINDS,
    MANY_COLUMNS,
    World,
    attributes,
    catalogue_of,
    interactions_of,
    leads_of,
    log_of,
    moment,
    outcomes_of,
    seeded_world,
    snapshots_of,
    us,
    world_of,
    worlds,
)
from tests.oracle import expected

PARTS = ("features", "parts", "persona", "raised", "rejected")
SEEDS = st.integers(0, 2**32 - 1)
slow = settings(
    max_examples=examples(20),
    deadline=None,  # DuckDB plans a hundred expressions, the kernel compiles once
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def log() -> World:
    """Return 300 leads, late rows in half of them, at midnight and at odd instants."""
    return seeded_world(20, n_leads=300, n_events=60, n_as_ofs=5)


@pytest.fixture(scope="module")
def small() -> World:
    return seeded_world(3, n_leads=12, n_events=12, n_as_ofs=3, late_share=0.5)


# ---------------------------------------------------------------- against plain SQL


def assert_as_in_sql(
    world: World,
    snapshots: pd.DataFrame | None = None,
    declared: Catalogue = CATALOGUE,
    agreement: Agreement = AGREEMENT,
) -> None:
    asked = world.snapshots() if snapshots is None else snapshots
    given = (asked, declared, agreement)
    found = behaviour(world.tables.interactions, *given)
    wanted = expected(world.log, *given)
    assert_same_values(found, wanted)


def assert_as_by_hand(world: World, declared: Catalogue, agreement: Agreement) -> None:
    given = (world.snapshots(), declared, agreement)
    found = behaviour(world.tables.interactions, *given)
    assert_same_values(found, pd.DataFrame(brute_force.expected(world.log, *given)))


def assert_same_values(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    assert list(found) == list(wanted)
    for name in found:
        if name == "first_channel":
            words = found[name].astype(object).where(found[name].notna(), None)
            other = wanted[name].astype(object).where(wanted[name].notna(), None)
            assert list(words) == list(other)
        else:
            exact = wanted[name].astype("float64")
            near = {"rtol": 1e-12, "atol": 1e-12, "err_msg": name}
            np.testing.assert_allclose(found[name], exact, **near)


@slow
@given(world=worlds())
def test_every_column_is_what_plain_sql_says(world: World) -> None:
    assert_as_in_sql(world)


@slow
@given(world=worlds())
def test_every_declared_column_is_what_plain_sql_says(world: World) -> None:
    assert_as_in_sql(world, None, MANY_COLUMNS, EXTENDED)


@pytest.mark.parametrize(
    ("declared", "agreement"),
    [(CATALOGUE, AGREEMENT), (MANY_COLUMNS, EXTENDED)],
    ids=["default", "extended"],
)
@slow
@given(world=worlds())
def test_every_column_is_what_a_plain_loop_says(declared, agreement, world) -> None:
    assert_as_by_hand(world, declared, agreement)


def test_a_log_with_very_many_contents_is_what_sql_and_a_loop_say() -> None:
    world = pages(seeded_world(11, n_leads=40, n_events=60, n_as_ofs=4))
    assert world.log["content"].nunique() > 64
    assert_as_in_sql(world, None, MANY_COLUMNS, EXTENDED)
    assert_as_by_hand(world, MANY_COLUMNS, EXTENDED)


def pages(world: World) -> World:
    """Return the world with a hundred pages and more for contents."""
    rows = world.log
    numbers = np.random.default_rng(0).integers(0, 130, len(rows))
    named = pd.Series([f"/page/{n}" for n in numbers], dtype="str")
    content = named.where(rows["content"].notna() & (numbers > 9), rows["content"])
    return with_tables(world, interactions=rows.assign(content=content))


def test_every_column_of_a_larger_log_is_what_plain_sql_says(log: World) -> None:
    rows = log.log
    late = rows[rows["known_at"] > rows["occurred_at"]]
    ties = rows.duplicated(["lead_id", "occurred_at"])
    assert len(late) > 100
    assert ties.sum() > 300
    assert_as_in_sql(log)


def test_rows_come_in_the_order_of_the_snapshots(log: World) -> None:
    asked = log.snapshots().sample(frac=1, random_state=5)
    assert_as_in_sql(log, asked.reset_index(drop=True))


def test_a_log_as_of_then_has_what_was_known_then(log: World) -> None:
    t = moment(log.as_ofs[2])
    then = log.tables.interactions.known_before(t)
    expected_rows = log.log[log.log["known_at"] < t].reset_index(drop=True)
    pd.testing.assert_frame_equal(then.frame(), expected_rows)
    assert len(then) == len(expected_rows) < len(log.log)


def test_leads_without_any_interaction_have_a_row() -> None:
    world = world_of(
        leads_of([{"lead_id": "L1", "created_at": 0}]),
        interactions_of([]),
        outcomes_of([]),
        [DAY],
    )
    assert_as_in_sql(world)
    row = build_rows(world.tables, world.snapshots(), CATALOGUE, AGREEMENT)
    assert row.features["n_ever"].tolist() == [0.0]
    assert row.features["days_since_last"].isna().all()
    assert row.raised["raised_kind"].isna().all()


def test_no_snapshots_give_no_rows(small: World) -> None:
    made = build_rows(small.tables, snapshots_of([]), CATALOGUE, AGREEMENT)
    assert {len(getattr(made, part)) for part in PARTS} == {0}


def test_the_tested_catalogue_holds_every_primitive() -> None:
    union = typing.get_args(primitives.Primitive)[0]
    declared = {type(column.makes) for column in CATALOGUE.columns}
    assert declared == set(typing.get_args(union))
    assert {column.makes.does for column in CATALOGUE.columns} == set(plan.CODES)


# ------------------------------------------------------------------- rules of time


def bits(rows: Rows) -> dict[str, bytes]:
    """Return every column as bytes: two rows are the same when their bits are."""
    found = {}
    for part in PARTS:
        frame = getattr(rows, part)
        assert frame.index.equals(pd.RangeIndex(len(frame)))
        for name, values in frame.items():
            if isinstance(values.dtype, pd.CategoricalDtype):
                words = repr(list(values.cat.categories)).encode()
                raw = words + values.cat.codes.to_numpy().tobytes()
            elif pd.api.types.is_numeric_dtype(values.dtype):
                raw = values.dtype.name.encode() + values.to_numpy().tobytes()
            else:
                raw = repr([None if pd.isna(v) else str(v) for v in values]).encode()
            found[f"{part}.{name}"] = raw
    return found


def differing(one: Rows, other: Rows) -> list[str]:
    a, b = bits(one), bits(other)
    assert list(a) == list(b)
    return [name for name in a if a[name] != b[name]]


def rows_at(world: World, *as_ofs: int) -> Rows:
    asked = world.snapshots(*as_ofs)
    return rows_module.build_rows(world.tables, asked, CATALOGUE, AGREEMENT)


def with_tables(world: World, **tables: pd.DataFrame) -> World:
    given = dict(tables)
    if "interactions" in given:
        given["interactions"] = log_of(given["interactions"])
    return dataclasses.replace(world, tables=dataclasses.replace(world.tables, **given))


def without_future(world: World, as_of: int) -> World:
    """Return the world as it was known just before as_of."""
    then = moment(as_of)
    leads, log = world.tables.leads, world.log
    return with_tables(
        world,
        leads=leads[leads["known_at"] < then],
        interactions=log[log["known_at"] < then],
    )


def with_other_future(world: World, as_of: int, seed: int) -> World:
    """Return the world of before as_of, and random facts that became known later.

    Every lead has an interaction at as_of itself, one that occurred a microsecond
    before and was known at as_of, and attributes known at as_of.
    """
    rng = np.random.default_rng(seed)
    past = without_future(world, as_of)
    rows, leads = [], []
    for lead, known in past.tables.leads.groupby("lead_id"):
        kind = [str(k) for k in rng.choice([*KINDS, "quite new"], 4)]
        ago, later = (int(t) for t in rng.integers(1, 90 * DAY, 2))
        rows += [
            (lead, as_of, as_of, kind[0], "web", "a", 3.0),
            (lead, as_of - 1, as_of, kind[1], "fax", "new", 5.0),
            (
                lead,
                as_of - ago,
                as_of + int(rng.integers(0, 2)),
                kind[2],
                None,
                None,
                7.0,
            ),
            (lead, as_of + later, as_of + later, kind[3], "email", "É", None),
        ]
        born = {
            "lead_id": lead,
            "created_at": known["created_at"].iloc[0].value // 1000,
        }
        leads += [
            {**born, "known_at": as_of, **attributes(rng)},
            {**born, "known_at": as_of + later, **attributes(rng)},
        ]
    return with_tables(
        past,
        leads=pd.concat([past.tables.leads, leads_of(leads)], ignore_index=True),
        interactions=pd.concat([past.log, interactions_of(rows)], ignore_index=True),
    )


def time_travellers(world: World, seed: int = 0) -> list[str]:
    """Return the columns that some future changes."""
    found = []
    for as_of in world.as_ofs:
        there = rows_at(world, as_of)
        found += differing(there, rows_at(without_future(world, as_of), as_of))
        found += differing(there, rows_at(with_other_future(world, as_of, seed), as_of))
    return found


@slow
@given(world=worlds(), seed=SEEDS)
def test_the_future_changes_no_bit(world: World, seed: int) -> None:
    """Rows do not see what is known at as_of or later, whatever it is."""
    assert time_travellers(world, seed) == []


def test_the_future_of_a_larger_log_changes_no_bit(log: World) -> None:
    assert time_travellers(log) == []


@pytest.mark.parametrize("kind", ["page_view", "never heard of"])
def test_one_event_a_microsecond_before_changes_the_row_of_every_lead(
    log: World, kind: str
) -> None:
    """Guards the law above against rows that see nothing at all."""
    as_of = log.as_ofs[-1]
    again = [(i, as_of - 1, as_of - 1, kind, "web", "a", 1.0) for i in log.lead_ids]
    more = pd.concat([log.log, interactions_of(again)], ignore_index=True)
    before = rows_at(log, as_of).features
    after = rows_at(with_tables(log, interactions=more), as_of).features
    assert ((after["n_7d"] - before["n_7d"]) == 1).all()
    assert (after["days_since_last"] == 1 / DAY).all()
    assert (after["engagement"] > before["engagement"]).all()


def test_an_attribute_counts_from_a_microsecond_after_it_was_known() -> None:
    t = us("2025-03-30T00:00+01:00")
    leads = leads_of(
        [
            {"lead_id": "L1", "created_at": 0, "industry": "food"},
            {"lead_id": "L1", "created_at": 0, "known_at": t, "industry": "retail"},
        ]
    )
    world = world_of(leads, interactions_of([]), outcomes_of([]), [t, t + 1])
    found = rows_at(world)
    assert found.features["industry"].tolist() == ["food", "retail"]
    assert found.persona["persona"].tolist() == ["large food", "small shop"]


def test_an_interaction_that_occurred_before_but_was_known_at_as_of_is_invisible() -> (
    None
):
    t = us("2025-06-01T13:07:11.000123+02:00")
    late = interactions_of([("L1", t - DAY, t, "demo_request", "web", "a", 3.0)])
    leads = leads_of([{"lead_id": "L1", "created_at": 0}])
    world = world_of(leads, late, outcomes_of([]), [t, t + 1])
    found = rows_at(world)
    assert found.features["n_demo_request_7d"].tolist() == [0.0, 1.0]
    # Once known, it is as old as it is, not as old as the news of it.
    assert found.raised["raised_days"].tolist()[1] == (DAY + 1) / DAY
    assert found.raised["raised_kind"].tolist()[1] == "demo_request"


def test_a_window_holds_its_first_instant_and_not_the_one_before() -> None:
    t = us("2025-10-27T00:00+01:00")
    edges = [t - 7 * DAY, t - 7 * DAY - 1]
    log = log_of(
        interactions_of(
            (str(n), at, at, "email_open", None, None, 1.0)
            for n, at in enumerate(edges)
        )
    )
    asked = snapshots_of([("0", t), ("1", t)])
    found = behaviour(log, asked, CATALOGUE, AGREEMENT)
    assert found["n_email_open_7d"].tolist() == [1.0, 0.0]
    assert found["n_email_open_30d"].tolist() == [1.0, 1.0]


def test_active_days_are_those_of_the_agreement_time_zone() -> None:
    """Paris set its clocks back on 26 October 2025: that day has 25 hours."""
    t = us("2025-10-28T00:00+01:00")
    first, last = us("2025-10-26T00:00+02:00"), us("2025-10-26T23:59:59+01:00")
    log = log_of(
        interactions_of(
            ("L1", at, at, "page_view", None, None, None) for at in (first, last)
        )
    )
    asked = snapshots_of([("L1", t)])
    paris = behaviour(log, asked, CATALOGUE, AGREEMENT)
    utc = behaviour(
        log, asked, CATALOGUE, AGREEMENT.model_copy(update={"time_zone": "UTC"})
    )
    assert paris["active_days_30d"].tolist() == [1.0]
    assert utc["active_days_30d"].tolist() == [2.0]


# ------------------------------------------------------- nothing but their history


@slow
@given(world=worlds(), seed=SEEDS)
def test_the_order_of_the_rows_changes_no_bit(world: World, seed: int) -> None:
    assert differing(rows_at(world), rows_at(shuffled(world, seed))) == []


def test_the_order_of_the_rows_of_a_larger_log_changes_no_bit(log: World) -> None:
    assert differing(rows_at(log), rows_at(shuffled(log, 1))) == []


def shuffled(world: World, seed: int) -> World:
    leads, log = (
        frame.sample(frac=1, random_state=seed)
        for frame in (world.tables.leads, world.log)
    )
    return with_tables(world, leads=leads, interactions=log)


def test_a_row_has_the_same_bits_alone_and_with_eleven_others(log: World) -> None:
    first, last = log.as_ofs[0], log.as_ofs[-1]
    eleven = [int(t) for t in np.linspace(first - 60 * DAY, last + 3 * DAY, 11)]
    for as_of in (first, last):
        alone = rows_at(log, as_of)
        company = log.snapshots(*eleven[:6], as_of, *eleven[6:])
        made = build_rows(log.tables, company, CATALOGUE, AGREEMENT)
        places = np.arange(6 * len(log.lead_ids), 7 * len(log.lead_ids))
        among = Rows(
            company.iloc[places],
            *(
                getattr(made, part).iloc[places].reset_index(drop=True)
                for part in PARTS
            ),
        )
        assert differing(alone, among) == []


def test_a_row_has_the_same_bits_whoever_else_is_asked_for(log: World) -> None:
    asked = log.snapshots(log.as_ofs[-1])
    all_of_them = build_rows(log.tables, asked, CATALOGUE, AGREEMENT)
    for n in range(0, 300, 30):
        alone = build_rows(log.tables, asked.iloc[[n]], CATALOGUE, AGREEMENT)
        frames = (
            getattr(all_of_them, part).iloc[[n]].reset_index(drop=True)
            for part in PARTS
        )
        assert differing(alone, Rows(asked.iloc[[n]], *frames)) == []


@slow
@given(world=worlds())
def test_a_history_folded_once_has_the_bits_of_one_folded_anew(world: World) -> None:
    """The shortcut for facts known in order changes nothing."""
    found = {}
    for name, change in {
        "once": [],
        "anew": [("in_order = _is_", "in_order = not _is_")],
    }.items():
        with pytest.MonkeyPatch.context() as patch:
            twin = mutant(kernel, UNCOMPILED, *change)
            patch.setattr(fold, "fold", twin.fold)
            prompt = world.log.assign(known_at=world.log["occurred_at"])
            found[name] = rows_at(with_tables(world, interactions=prompt))
    assert differing(found["once"], found["anew"]) == []


@slow
@given(world=worlds())
def test_denied_kinds_count_nowhere(world: World) -> None:
    t = world.as_ofs[0]
    calls = interactions_of(
        (i, at, at, "call", "web", "a", 60.0)
        for i in world.lead_ids
        for at in (t - 1, t - DAY, t - 300 * DAY)
    )
    more = pd.concat([world.log, calls], ignore_index=True)
    assert (
        differing(rows_at(world), rows_at(with_tables(world, interactions=more))) == []
    )


# ----------------------------------------------------------------------- mutations


def mutant(module: types.ModuleType, *changes: tuple[str, str]) -> types.ModuleType:
    """Return a module with its source changed, each text found exactly once."""
    source = Path(module.__file__).read_text("utf-8")
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} no longer occurs exactly once"
        source = source.replace(old, new)
    twin = types.ModuleType(f"{module.__name__}_mutant")
    sys.modules[twin.__name__] = twin  # dataclasses look their module up
    exec(compile(source, module.__file__, "exec"), twin.__dict__)  # noqa: S102
    return twin


UNCOMPILED = (
    "from leadscore.compiled import compiled, inlined",
    "compiled = inlined = lambda f: f",
)


KNOWN = "if visible[i] < before and"
SEEN = "history[_SEEN_FROM, i] < now"
INSIDE = "while inner > 0 and at >= now - widths[inner - 1]:\n            inner -= 1"


def breaks_time_travel(world: World) -> bool:
    return time_travellers(world) != []


def breaks_sql(world: World, *given) -> bool:
    try:
        assert_as_in_sql(world, None, *given)
    except (AssertionError, IndexError):
        return True
    return False


@pytest.mark.parametrize(
    ("change", "breaks"),
    [
        pytest.param(None, breaks_time_travel, id="as it is, time travel"),
        pytest.param(None, breaks_sql, id="as it is, sql"),
        (("if visible[i] < before and", "if visible[i] <= before and"), breaks_sql),
        (
            ("if visible[i] < before and", "if visible[i] <= before and"),
            breaks_time_travel,
        ),
        (("if visible[i] < before and", "if at < before and"), breaks_time_travel),
        (("if visible[i] < before and", "if at < before and"), breaks_sql),
        ((SEEN, SEEN.replace("<", "<=")), breaks_sql),
        ((SEEN, "history[_AT, i] < now"), breaks_sql),
        (("in_order = _is_in", "in_order = True or _is_in"), breaks_sql),
        (("history[_AT, i] < edge", "history[_AT, i] <= edge"), breaks_sql),
        ((INSIDE, INSIDE.replace(">= now", "> now")), breaks_sql),
        (("                tail[inner] = i", "                pass"), breaks_sql),
        (("            tail[w] = i\n    if", "            pass\n    if"), breaks_sql),
        (("+= gap > gap_limit", "+= gap >= gap_limit"), breaks_sql),
        (("value = days + 1.0", "value = days"), breaks_sql),
        (("met[w] -= 1", "pass"), breaks_sql),
        (("spent[w] -= history[_MS, i]", "pass"), breaks_sql),
        (("newest[history[_CONTENT, i]] = -1", "pass"), breaks_sql),
    ],
)
def test_mutations_of_the_kernel_are_caught(
    small: World, monkeypatch, change, breaks
) -> None:
    changes = [UNCOMPILED] if change is None else [UNCOMPILED, change]
    monkeypatch.setattr(fold, "fold", mutant(kernel, *changes).fold)
    assert breaks(edgy(small)) == (change is not None)


SLOT = "                last[content_slot[j]] = at"


@pytest.mark.parametrize(
    ("module", "change"),
    [
        (plan, None),
        (plan, ("first_channel = n_kinds if", "first_channel = n_kinds - 1 if")),
        (plan, ("first_channel = n_kinds if", "first_channel = n_kinds + 1 if")),
        (plan, ("{c: n_kinds + i for", "{c: n_kinds + i + 1 for")),
        (plan, ("len(catalogue.channels) + 1 if", "len(catalogue.channels) if")),
        (plan, ("g: n_kinds + n_channels + i", "g: n_kinds + i")),
        (plan, ("g: n_kinds + n_channels + i", "g: n_kinds + n_channels + i + 1")),
        (plan, ("= len(catalogue.kinds) + 1", "= len(catalogue.kinds)")),
        (plan, ("+ n_channels + len(catalogue.groups)", "+ n_channels")),
        (plan, ("heard.get(c, len(heard))", "heard.get(c, 0)")),
        (plan, ("known.get(k, len(known))", "known.get(k, 0)")),
        (plan, ("any(fnmatchcase", "all(fnmatchcase")),
        (plan, ("decay.weights.get(kind, decay.default)", "decay.default")),
        (plan, ("else primitive.days * DAY_US", "else (primitive.days + 1) * DAY_US")),
        (kernel, ("            last[channel] = at", "            pass")),
        (kernel, (SLOT, "                pass")),
        (kernel, ("rings[w, content_slot[j]] -= 1", "pass")),
        (kernel, ("rings[out, channel] += 1", "pass")),
    ],
)
def test_mutations_of_the_slots_are_caught(
    small: World, monkeypatch, module, change
) -> None:
    """Uncompiled: a slot too far is an error there, and not somebody else's memory."""
    given = [change] if change else []
    twins = {
        plan: mutant(plan, *(given if module is plan else [])),
        kernel: mutant(kernel, UNCOMPILED, *(given if module is kernel else [])),
    }
    monkeypatch.setattr(fold, "fold", twins[kernel].fold)
    monkeypatch.setattr(fold, "compile_plan", twins[plan].compile_plan)
    monkeypatch.setattr(fold, "compile_words", twins[plan].compile_words)
    assert breaks_sql(pages(edgy(small)), MANY_COLUMNS, EXTENDED) == bool(change)


def edgy(world: World) -> World:
    """Return the world with one more lead, who has what the edges are made of.

    Gaps of exactly 14 days; and facts that become known, in the order in which they
    happened, at every as_of and a microsecond after it.
    """
    t = world.as_ofs[0]
    rows = [(t - n * 14 * DAY, t - n * 14 * DAY) for n in range(1, 9)]
    rows += [(at - 2, at) for at in world.as_ofs]
    rows += [(at - 1, at + 1) for at in world.as_ofs]
    regular = interactions_of(
        ("L0000", at, known, "page_view", "web", "a", 1.5) for at, known in rows
    )
    others = world.log
    others = others[others["lead_id"] != "L0000"]
    return with_tables(
        world, interactions=pd.concat([others, regular], ignore_index=True)
    )


def test_attributes_known_at_as_of_are_caught(small: World, monkeypatch) -> None:
    change = ('side="left"', 'side="right"')
    attributes_at = mutant(snapshots_module, change).attributes_at
    monkeypatch.setattr(build_module, "attributes_at", attributes_at)
    monkeypatch.setattr(rows_module, "attributes_at", attributes_at)
    broken = time_travellers(small)
    assert {"features.industry", "persona.persona_fit"} <= set(broken)


# ------------------------------------------------------------------- the catalogue


@pytest.mark.parametrize(
    ("declared", "agreement"),
    [(CATALOGUE, AGREEMENT), (MANY_COLUMNS, EXTENDED)],
    ids=["default", "extended"],
)
def test_every_column_is_described_in_plain_words(small, declared, agreement) -> None:
    asked = small.snapshots()
    made = build_rows(small.tables, asked, declared, agreement).features
    described = describe_features(declared, agreement)
    assert set(made) - set(described) == {"points", "persona_fit"}
    assert set(described) <= set(made)
    assert all(words.strip() and "_" not in words for words in described.values())


def test_what_the_agreement_adds_is_named_after_what_it_counts() -> None:
    described = MANY_COLUMNS.describe()
    assert described["n_content_pricing_45d"] == (
        "number of interactions with pricing content in the last 45 days"
    )
    assert described["days_since_last_channel_email"] == (
        "days since the last interaction by email"
    )
    assert described["n_page_view_1d"] == "number of page view in the last day"
    assert (
        described["asked_ever"] == "weighted demo request, pricing view, never fading"
    )
    assert not [n for n in described if n.startswith("n_page_view_30d")]
    assert {"n_30d", "n_60d", "n_45d", "n_ever"} <= set(described)


def test_a_content_counts_in_each_group_whose_pattern_it_matches() -> None:
    contents = ["/prix", "/page/17", "/page/2", "a", "É", "x", None]
    rows = [("L1", n, n, "page_view", None, c, None) for n, c in enumerate(contents)]
    found = behaviour(
        log_of(interactions_of(rows)),
        snapshots_of([("L1", 9)]),
        MANY_COLUMNS,
        EXTENDED,
    )
    assert found["n_content_pricing_ever"].tolist() == [2.0]
    assert found["n_content_short_ever"].tolist() == [3.0]
    assert found["n_content_empty_ever"].tolist() == [0.0]
    assert found["days_since_last_content_empty"].isna().all()


def test_a_name_by_which_reasons_call_something_else_is_refused() -> None:
    for name in ("rhythm", "trend", "page_view"):
        decays = (DecayedSum(name=name, weights={"email_open": 1.0}),)
        features = AGREEMENT.features.model_copy(update={"decays": decays})
        with pytest.raises(AgreementError, match=f"cannot be called {name}"):
            catalogue_of(AGREEMENT.model_copy(update={"features": features}))


def test_a_decay_with_the_name_of_another_column_is_refused() -> None:
    decays = (DecayedSum(name="n_30d", weights={"email_open": 1.0}),)
    features = AGREEMENT.features.model_copy(update={"decays": decays})
    agreement = AGREEMENT.model_copy(update={"features": features})
    leads = leads_of([{"lead_id": "L1", "created_at": 0}])
    given = (leads, log_of(interactions_of([])), snapshots_of([("L1", 5)]))
    with pytest.raises(AgreementError, match="two features would be called n_30d"):
        build_features(*given, catalogue_of(agreement), agreement)


def test_a_hand_is_raised_whatever_windows_are_declared(small: World) -> None:
    plain = build_rows(small.tables, small.snapshots(), CATALOGUE, AGREEMENT)
    more = build_rows(small.tables, small.snapshots(), MANY_COLUMNS, EXTENDED)
    for part in ("parts", "persona", "raised"):
        left, right = getattr(plain, part), getattr(more, part)
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_kinds_that_were_there_but_rare_are_not_new() -> None:
    """They are kept as digests: a word of one person is in no catalogue."""
    rows = [("L1", 1, 1, "rare", None, None, None)]
    leads = leads_of([{"lead_id": "L1", "created_at": 0}])
    log = log_of(interactions_of([*rows, ("L1", 9, 9, "later", None, None, None)]))
    declared = declare_catalogue(AGREEMENT, leads, log, before=moment(5))
    assert not declared.is_new("rare")
    assert not declared.is_new("demo_request")
    assert declared.is_new("later")
    assert '"rare"' not in declared.model_dump_json()


def test_columns_are_named_once_and_none_is_named_for_two_things() -> None:
    names = [column.name for column in CATALOGUE.columns]
    assert len(names) == len(set(names))


def test_the_catalogue_survives_json() -> None:
    again = Catalogue.model_validate_json(CATALOGUE.model_dump_json())
    assert again == CATALOGUE
    assert again.model_dump_json() == CATALOGUE.model_dump_json()


def test_words_of_one_person_are_in_no_catalogue() -> None:
    """A word needs 20 leads; 19 leads who say it often are not enough."""
    rows = [
        (f"L{n}", 1, 1, kind, None, None, None)
        for n in range(19)
        for kind in ("rare", "rare", "common")
    ]
    rows.append(("L19", 1, 1, "common", None, None, None))
    leads = leads_of({"lead_id": f"L{n}", "created_at": 0} for n in range(20))
    declared = declare_catalogue(AGREEMENT, leads, log_of(interactions_of(rows)))
    assert "common" in declared.kinds
    assert "rare" not in declared.kinds
    assert declared.categories == {"industry": ()}


def test_denied_kinds_have_no_column_of_their_own() -> None:
    rows = [(f"L{n}", 1, 1, "call", "phone", None, None) for n in range(30)]
    leads = leads_of({"lead_id": f"L{n}", "created_at": 0} for n in range(30))
    declared = declare_catalogue(AGREEMENT, leads, log_of(interactions_of(rows)))
    assert "call" not in declared.kinds
    assert declared.channels == ()
    assert not any(column.name.startswith("n_call") for column in declared.columns)


def test_what_the_data_calls_other_is_other() -> None:
    """The word is common in real exports, and ours for all that is not known."""
    rows = [
        (f"L{n}", 1, 1, kind, "other", None, None)
        for n in range(30)
        for kind in ("other", "page_view", "zoo")
    ]
    leads = leads_of(
        {"lead_id": f"L{n}", "created_at": 0, "industry": "other"} for n in range(30)
    )
    log = log_of(interactions_of(rows))
    declared = declare_catalogue(AGREEMENT, leads, log)
    asked = snapshots_of([("L3", 5)])
    found = build_features(leads, log, asked, declared, AGREEMENT)
    assert found["industry"].tolist() == ["other"]
    assert found["first_channel"].tolist() == ["other"]
    assert found["n_ever"].tolist() == [3.0]
    assert found["n_zoo_ever"].tolist() == [1.0]
    assert list(behaviour(log, asked, declared, AGREEMENT)) == [
        c.name for c in declared.columns
    ]


def test_points_for_a_kind_called_other_count_that_kind_alone() -> None:
    rule = Points(rules=(PointRule(kind="other", points=3),))
    agreement = AGREEMENT.model_copy(update={"points": rule})
    declared = catalogue_of(agreement)
    rows = [
        ("L1", n, n, kind, None, None, None)
        for n, kind in enumerate(["other", "novel", "page_view"])
    ]
    found = behaviour(
        log_of(interactions_of(rows)), snapshots_of([("L1", 9)]), declared, agreement
    )
    assert found["decayed_other"].tolist() == [1.0]
    assert found["n_ever"].tolist() == [3.0]
    assert found["n_page_view_ever"].tolist() == [1.0]


@pytest.mark.parametrize("name", ["points", "persona_fit", "tenure_days", "n_30d"])
def test_an_attribute_with_the_name_of_a_feature_is_refused(name: str) -> None:
    """Else one of the two would silently take the place of the other."""
    declared = {name: Attribute(kind="number", changes=False)}
    agreement = AGREEMENT.model_copy(update={"attributes": declared, "personas": ()})
    leads = leads_of([{"lead_id": "L1", "created_at": 0}]).assign(**{name: 1.0})
    given = (leads, log_of(interactions_of([])), snapshots_of([("L1", 5)]))
    with pytest.raises(AgreementError, match=name):
        build_features(*given, catalogue_of(agreement), agreement)


@pytest.mark.parametrize("name", ["account_id", "created_at", "as_of", "index"])
def test_an_attribute_with_a_name_of_our_own_is_refused(name: str) -> None:
    """Ids never become features, and instants of the row are not attributes of it."""
    declared = {name: Attribute(kind="category", changes=False)}
    agreement = AGREEMENT.model_copy(update={"attributes": declared, "personas": ()})
    with pytest.raises(AgreementError, match=f"cannot be called {name}"):
        catalogue_of(agreement)


@pytest.mark.parametrize(
    ("kind", "name"), [("prev", "n_prev_30d"), ("contents", "n_contents_90d")]
)
def test_a_kind_whose_column_has_the_name_of_another_is_refused(kind, name) -> None:
    agreement = AGREEMENT.model_copy(update={"hand_raise": HandRaise(kinds=(kind,))})
    leads = leads_of([{"lead_id": "L1", "created_at": 0}])
    given = (leads, log_of(interactions_of([])), snapshots_of([("L1", 5)]))
    with pytest.raises(AgreementError, match=name):
        build_features(*given, catalogue_of(agreement), agreement)


def test_values_the_catalogue_does_not_know_are_other_and_null_stays_null() -> None:
    leads = leads_of(
        [
            {"lead_id": "a", "created_at": 0, "industry": "mining"},
            {"lead_id": "b", "created_at": 0},
            {
                "lead_id": "c",
                "created_at": 0,
                "industry": "food",
                "employees": 3.0,
                "job_title": "CTO",
                "renewal_on": 0,
            },
        ]
    )
    log = log_of(
        interactions_of(
            [
                ("a", 1, 1, "page_view", "fax", None, None),
                ("b", 1, 1, "page_view", None, None, None),
            ]
        )
    )
    asked = snapshots_of([(i, DAY) for i in "abc"])
    found = build_features(leads, log, asked, CATALOGUE, AGREEMENT)
    assert found["industry"].astype(object).where(
        found["industry"].notna(), None
    ).tolist() == ["other", None, "food"]
    assert found["first_channel"].tolist()[0] == "other"
    assert found["first_channel"].isna().tolist() == [False, True, True]
    assert list(found["first_channel"].cat.categories) == [*CATALOGUE.channels, "other"]
    assert list(found["industry"].cat.categories) == [
        *CATALOGUE.categories["industry"],
        "other",
    ]
    assert found["profile_completeness"].tolist() == [0.25, 0.0, 1.0]
    assert found["has_job_title"].tolist() == [0.0, 0.0, 1.0]
    assert found["days_from_renewal_on"].tolist()[2] == 1.0


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="does"):
        Column.model_validate(
            {"name": "x", "makes": {"does": "median"}, "description": "", "group": ""}
        )


def test_columns_of_one_window_share_it() -> None:
    """Windows cost time each, so that the same width is declared once."""
    made = plan.compile_plan(CATALOGUE, AGREEMENT.zone)
    assert len(set(made.widths.tolist())) == len(made.widths)
    asked = {c.makes.days for c in CATALOGUE.columns if isinstance(c.makes, Count)}
    assert len(made.widths) == len(asked)
