"""The proof on the user's own data: right data passes, and each mutation is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore import snapshots as snapshots_module
from leadscore import summary
from leadscore.agreement import Machines
from leadscore.cli import main
from leadscore.features import build as build_module
from leadscore.features import fold, kernel
from leadscore.snapshots import attributes_at, cohort_status
from leadscore.summary.proving import proof_lines
from leadscore.tables import FileCounts, Tables
from leadscore.workflows import proof as proof_module
from leadscore.workflows import rows as rows_module
from leadscore.workflows import sampled
from leadscore.workflows.check import check
from leadscore.workflows.proof import prove
from leadscore.workflows.proven import Proof
from leadscore.workflows.rows import Rows, build_rows

from .conftest import BRIEF
from .folders import LEADS, many_leads, write_folder
from .histories import (
    AGREEMENT,
    CATALOGUE,
    DAY,
    World,
    interactions_of,
    leads_of,
    outcomes_of,
    seeded_world,
    snapshots_of,
    us,
    world_of,
)
from .test_features import KNOWN, UNCOMPILED, mutant

MACHINES = Machines(kinds=("email_open",), sent="webinaire_été", within_s=3600, burst=2)
JUDGING = AGREEMENT.model_copy(update={"machines": MACHINES})
T = us("2025-06-01T00:00+02:00")


@pytest.fixture(scope="module")
def world() -> World:
    """Return leads with late rows, histories and outcomes; some of them merged."""
    made = seeded_world(7, n_leads=60, n_events=12, n_as_ofs=3, late_share=0.5)
    leads = made.tables.leads
    last = ~leads["lead_id"].duplicated(keep="last")
    into = leads["lead_id"].map({"L0003": "L0004", "L0004": "L0005", "L0010": "L0004"})
    leads = leads.assign(merged_into=into.where(last).astype("str"))
    stages = ("opportunity", "lost", "opportunity")
    outcomes = outcomes_of(
        (f"L{n:04d}", stages[n % 3], T + n * DAY, T + n * DAY + n % 2 * DAY)
        for n in range(0, 60, 4)
    )
    tables = dataclasses.replace(made.tables, leads=leads, outcomes=outcomes)
    return dataclasses.replace(made, tables=tables)


def proof_of(tables: Tables, agreement=AGREEMENT, *, seed=1, **sizes: int) -> Proof:
    """Return a brief proof: a leak that some future shows, any future shows."""
    asked = snapshots_of([])
    return prove(tables, asked, CATALOGUE, agreement, seed=seed, **(BRIEF | sizes))


def leaking(proof: Proof) -> dict[str, set[str]]:
    return {c.name: {leak.trial for leak in c.leaks} for c in proof.of("LEAKS")}


# ------------------------------------------------------------------------ as it is


@pytest.mark.parametrize(
    ("agreement", "seed"), [(AGREEMENT, 1), (JUDGING, 2)], ids=["plain", "machines"]
)
def test_every_column_is_proven_and_sees_what_was_known(world, agreement, seed) -> None:
    made = seeded_tables(world, agreement)
    proof = proof_of(made, agreement, seed=seed, n_leads=60, n_instants=6)
    assert leaking(proof) == {}
    assert proof.blind == ()
    assert proof.holds
    assert {c.name for c in proof.of("UNMOVED")} <= {"profile_completeness"}
    by_name = {c.name: c for c in proof.columns}
    assert by_name["n_page_view_7d"].moved_by == ("event",)
    assert by_name["n_email_open_7d"].moved_by == ("event",)
    assert by_name["industry"].moved_by == ("attribute",)
    assert by_name["raised: raised_days"].moved_by == ("event",)
    assert by_name["cohort status"].moved_by == ("event", "attribute")


def seeded_tables(world: World, agreement) -> Tables:
    """Return the tables, interactions judged by the agreement's own rules."""
    plain = world.log.drop(columns=["visible_at", "machine"])
    log = proof_module.World(world.tables.leads, plain, world.tables.outcomes)
    return log.tables(world.tables, agreement.machines)


def test_the_columns_are_those_that_rows_have(world) -> None:
    rows = build_rows(world.tables, world.snapshots(), CATALOGUE, AGREEMENT)
    names = [c.name for c in proof_of(world.tables, n_leads=5).columns]
    assert names[: rows.features.shape[1]] == list(rows.features)
    n_others = rows.parts.shape[1] + rows.persona.shape[1] + rows.raised.shape[1]
    assert len(names) == rows.features.shape[1] + n_others + 1


def test_the_same_seed_proves_the_same(world) -> None:
    one, same = (proof_of(world.tables, seed=3, n_leads=5) for _ in range(2))
    assert one == same
    drawn = [
        proof_module.draw_sample(
            world.tables, snapshots_of([]), np.random.default_rng(seed), n_leads=5
        )
        for seed in (3, 4)
    ]
    assert drawn[0].as_of.tolist() != drawn[1].as_of.tolist()


def test_merged_leads_are_looked_at_together(world) -> None:
    sample = proof_module.draw_sample(
        world.tables, snapshots_of([]), np.random.default_rng(1), n_leads=4
    )
    kept = sample.lead_ids.tolist()
    assert {"L0003", "L0004", "L0005", "L0010"} <= set(kept)
    tree = [kept.index(f"L{n:04d}") for n in (3, 4, 5, 10)]
    assert np.ptp(sample.as_of[:, tree], axis=1).tolist() == [0] * len(sample.as_of)


def test_a_folder_without_interactions_is_proven() -> None:
    leads = [
        {"lead_id": f"L{n}", "created_at": T, "known_at": T + k * DAY, "employees": k}
        for n in range(5)
        for k in (0, 9)
    ]
    nothing = interactions_of([]), outcomes_of([])
    proof = proof_of(world_of(leads_of(leads), *nothing, [T]).tables)
    assert proof.holds
    assert proof.n_leads == 5
    assert not proof.of("ASSUMED")


def test_one_row_a_lead_is_proven_only_as_assumed() -> None:
    leads = leads_of(
        {"lead_id": f"L{n}", "created_at": T, "industry": "food"} for n in range(30)
    )
    visits = interactions_of(
        (f"L{n}", T + n, T + n, "page_view", "web", "a", 1.0) for n in range(30)
    )
    proof = proof_of(world_of(leads, visits, outcomes_of([]), [T]).tables)
    assert proof.holds
    assumed = {c.name for c in proof.of("ASSUMED")}
    assert {"industry", "employees", "has_job_title", "persona_fit"} <= assumed
    assert "n_page_view_7d" not in assumed
    said = " ".join(" ".join(proof_lines(proof, (), with_columns=False)).split())
    assert (
        "PROVEN only if what leads say was known since they were created: 0 %" in said
    )


def with_history(n: int, *, n_leads: int = 30, late: int = 0, **later: Any) -> Tables:
    """Return leads of which some have a second row, and some came late."""
    rows = [
        {"lead_id": f"L{i}", "created_at": T, "known_at": T, "industry": "food"}
        for i in range(n_leads - late)
    ]
    rows += [{**rows[i], "known_at": T + 9 * DAY, **later} for i in range(n)]
    rows += [
        {"lead_id": f"M{i}", "created_at": T, "known_at": T + 9 * DAY}
        for i in range(late)
    ]
    visits = interactions_of([("L0", T, T, "page_view", "web", "a", 1.0)])
    return world_of(leads_of(rows), visits, outcomes_of([]), [T]).tables


@pytest.mark.parametrize(
    ("tables", "share"),
    [
        (with_history(1, industry="tech"), "3 %"),
        (with_history(1, n_leads=150, industry="tech"), "under 1 %"),
        (with_history(9, merged_into="L20"), "0 %"),
    ],
    ids=["one", "one of many", "merges"],
)
def test_a_few_leads_with_history_do_not_prove_the_others(tables, share) -> None:
    proof = proof_of(tables, n_leads=10)
    assert "industry" in {c.name for c in proof.of("ASSUMED")}
    said = " ".join(" ".join(proof_lines(proof, (), with_columns=False)).split())
    assert f"created: {share} of leads have rows that differ, or one that came" in said
    assert "history counts as kept from 5 % on" in said


@pytest.mark.parametrize(
    "tables",
    [with_history(2, industry="tech"), with_history(0, late=2)],
    ids=["told again", "told late"],
)
def test_where_history_is_kept_one_row_is_a_lead_that_never_changed(tables) -> None:
    proof = proof_of(tables, n_leads=10)
    assert not proof.of("ASSUMED")
    assert proof.history == pytest.approx(2 / 30)


def test_history_needs_known_at_in_every_row() -> None:
    counts = FileCounts("leads.csv", 32, "", n_assumed=1)
    tables = dataclasses.replace(with_history(2, industry="tech"), counts=(counts,))
    assert proof_of(tables, n_leads=10).of("ASSUMED")


def in_one_tree(n_leads: int) -> Tables:
    leads = [
        {"lead_id": f"L{i}", "created_at": T, "known_at": T + k * DAY, "industry": "a"}
        | ({"merged_into": "L0"} if k and i else {})
        for i in range(n_leads)
        for k in (0, 1)
    ]
    visits = interactions_of(
        (f"L{i}", T + i, T + i, "page_view", "web", "a", 1.0) for i in range(n_leads)
    )
    return world_of(leads_of(leads), visits, outcomes_of([]), [T]).tables


def test_leads_that_are_all_merged_are_looked_at_together(monkeypatch) -> None:
    tables = in_one_tree(60)
    proof = proof_of(tables, n_leads=2)
    assert leaking(proof) == {}
    assert proof.holds
    assert proof.n_leads == 60
    monkeypatch.setattr(sampled, "LARGEST_TREE", 59)
    nothing = proof_of(tables)
    assert not nothing.holds
    assert nothing.columns == ()
    said = " ".join(" ".join(proof_lines(nothing, (), with_columns=True)).split())
    assert "nothing is PROVEN, as every lead is merged with thousands" in said


def test_leads_in_small_trees_are_preferred_to_snapshots_in_large_ones() -> None:
    tables = in_one_tree(60)
    alone = tables.leads.iloc[:1].assign(lead_id="alone", merged_into=None)
    leads = pd.concat([tables.leads, alone.astype(tables.leads.dtypes)])
    tables = dataclasses.replace(tables, leads=leads.reset_index(drop=True))
    sample = proof_module.draw_sample(
        tables,
        snapshots_of([("L1", T + DAY)]),
        np.random.default_rng(1),
        n_leads=5,
    )
    assert sample.lead_ids.tolist() == ["alone"]


# ----------------------------------------------------------------------- mutations


def test_attributes_known_at_as_of_are_named(world, monkeypatch) -> None:
    change = ('side="left"', 'side="right"')
    broken = mutant(snapshots_module, change).attributes_at
    monkeypatch.setattr(build_module, "attributes_at", broken)
    monkeypatch.setattr(rows_module, "attributes_at", broken)
    found = leaking(proof_of(world.tables))
    assert {"industry", "employees", "persona_fit", "persona: persona"} <= set(found)
    assert "injected" in found["industry"]
    assert not [
        name for name in found if name.startswith(("n_", "dwell", "days_since"))
    ]


@pytest.mark.parametrize(
    "change",
    [(KNOWN, KNOWN.replace("<", "<=")), (KNOWN, KNOWN.replace("visible[i]", "at"))],
    ids=["known at as_of", "known later"],
)
def test_interactions_known_too_late_are_named(world, monkeypatch, change) -> None:
    monkeypatch.setattr(fold, "fold", mutant(kernel, UNCOMPILED, change).fold)
    proof = proof_of(world.tables, n_leads=6, n_instants=3)
    found = leaking(proof)
    assert {"n_7d", "n_ever", "days_since_last", "engagement"} <= set(found)
    assert {"removed", "injected"} <= found["n_ever"]
    assert "industry" not in found
    assert not proof.holds


def test_rows_that_see_too_little_are_said_to_be_blind(world, monkeypatch) -> None:
    def too_early(tables: Tables, asked: pd.DataFrame, *others: Any) -> Rows:
        before = asked["as_of"] - pd.Timedelta(microseconds=1)
        return build_rows(tables, asked.assign(as_of=before), *others)

    monkeypatch.setattr(proof_module, "build_rows", too_early)
    proof = proof_of(world.tables)
    assert leaking(proof) == {}
    assert [b.fact for b in proof.blind] == ["interaction", "attribute"]
    assert not proof.holds
    said = " ".join(proof_lines(proof, (), with_columns=False))
    assert "BLIND an interaction known a microsecond before as_of does not" in said


def with_columns(*peeks: Any) -> Any:
    """Return `build_rows` with more columns, each by what makes it."""

    def build(tables: Tables, asked: pd.DataFrame, *others: Any) -> Rows:
        rows = build_rows(tables, asked, *others)
        more = {peek.__name__: peek(tables, asked) for peek in peeks}
        return dataclasses.replace(rows, features=rows.features.assign(**more))

    return build


def n_in_all(tables: Tables, asked: pd.DataFrame) -> np.ndarray:
    n = tables.interactions.frame().groupby("lead_id").size()
    return asked["lead_id"].map(n).fillna(0.0).to_numpy(dtype=np.float64)


def n_asked(tables: Tables, asked: pd.DataFrame) -> float:
    return float(len(asked))


def nothing_at_all(tables: Tables, asked: pd.DataFrame) -> float:
    return 0.0


@pytest.fixture(scope="module")
def peeking(world) -> Proof:
    """Return the proof of rows with three columns of more or less virtue."""
    more = with_columns(n_in_all, n_asked, nothing_at_all)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof_module, "build_rows", more)
        return proof_of(world.tables)


def test_a_column_of_the_whole_history_is_named(peeking) -> None:
    assert set(leaking(peeking)) == {"n_in_all", "n_asked"}
    assert {"removed", "injected"} <= leaking(peeking)["n_in_all"]
    said = " ".join(" ".join(proof_lines(peeking, (), with_columns=False)).split())
    assert "LEAKS n_in_all: without what is known at as_of or later it differs" in said
    assert "for example L" in said


def test_a_column_that_depends_on_the_others_asked_for_is_named(peeking) -> None:
    assert "company" in leaking(peeking)["n_asked"]


def test_a_column_that_is_always_the_same_is_not_called_proven(peeking) -> None:
    assert "nothing_at_all" in {c.name for c in peeking.of("UNMOVED")}
    assert dataclasses.replace(peeking, columns=peeking.of("UNMOVED")).holds


@pytest.mark.parametrize(
    "change",
    [
        ("microseconds(converted) < micro", "microseconds(converted) <= micro"),
        ('side="left"', 'side="right"'),
        ('found["known_at"] < found["as_of"]', 'found["known_at"] <= found["as_of"]'),
    ],
    ids=["conversions", "turns and flags", "objections of merged leads"],
)
def test_a_cohort_that_sees_as_of_itself_is_named(world, monkeypatch, change) -> None:
    from leadscore import merges

    module = merges if "found[" in change[0] else snapshots_module
    twin = mutant(module, change)
    if module is merges:
        monkeypatch.setattr(snapshots_module, "merged_in", twin.merged_in)
    else:
        monkeypatch.setattr(proof_module, "cohort_status", twin.cohort_status)
    found = leaking(proof_of(world.tables))
    assert set(found) == {"cohort status"}
    assert "injected" in found["cohort status"]


def test_the_functions_that_were_mutated_are_whole() -> None:
    assert proof_module.cohort_status is cohort_status
    assert rows_module.attributes_at is attributes_at


# ------------------------------------------------------------------ what a user sees


@pytest.mark.usefixtures("brief")
def test_what_says_no_known_at_is_told_by_file(tmp_path: Path) -> None:
    late = ",".join(["lead_id", "stage", "occurred_at", "known_at"])
    outcomes = f"{late}\nL1,opportunity,2025-01-20T09:00:00Z,\n"
    outcomes += "L2,opportunity,2025-01-20T09:00:00Z,2025-01-21T09:00:00Z\n"
    checked = check(write_folder(tmp_path, outcomes=outcomes))
    said = {u.file: (u.n_rows, u.n_read, u.is_missing) for u in checked.undated}
    assert said == {"interactions.csv": (2, 2, True), "outcomes.csv": (1, 2, False)}
    page = " ".join(" ".join(summary.check_lines(checked)).split())
    assert "interactions.csv 100 % (no such column), outcomes.csv 50 % (1 rows)" in page


@pytest.mark.usefixtures("brief")
def test_a_leak_ends_a_check_with_65(tmp_path: Path, monkeypatch, capsys) -> None:
    data = write_folder(tmp_path / "data", **many_leads(60, 30))
    assert main(["check", str(data), "--columns"]) == 10
    assert "  ASSUMED  country" in capsys.readouterr().out
    monkeypatch.setattr(proof_module, "build_rows", with_columns(n_in_all))
    assert main(["check", str(data)]) == 65
    said = capsys.readouterr().out
    assert "LEAKS n_in_all" in said
    assert "next: repair" in said


@pytest.mark.usefixtures("brief")
def test_a_folder_with_leads_alone_is_checked(tmp_path: Path) -> None:
    data = write_folder(tmp_path, leads=LEADS)
    (data / "interactions.csv").unlink()
    checked = check(data)
    assert checked.is_proven
    assert "country" in {c.name for c in checked.proof.of("ASSUMED")}
