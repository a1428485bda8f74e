"""The proposal: two models on the same later rows, and what their labels would do."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore import tracking
from leadscore.bundle import Bundle, load_bundle, save_bundle
from leadscore.cli import main
from leadscore.errors import RefusedError
from leadscore.metrics import log_loss
from leadscore.model import FittedModel
from leadscore.paired import Difference, paired_difference
from leadscore.policy import Threshold
from leadscore.progress import silent
from leadscore.proposal import Change, Proposal
from leadscore.snapshots import label_snapshots, training_snapshots
from leadscore.summary.proposing import proposal_lines
from leadscore.tables import Tables
from leadscore.workflows import changed as changed_module
from leadscore.workflows import compared as compared_module
from leadscore.workflows.changed import changed
from leadscore.workflows.compared import compare
from leadscore.workflows.kept_proposal import keep_proposal, kept_proposal
from leadscore.workflows.promote import promote
from leadscore.workflows.proposal import propose
from leadscore.workflows.score import score_tables
from leadscore.workflows.side import Side
from leadscore.workflows.train import Trained
from tests.rivals import OTHER, hopeful, proposed

NOW = pd.Timestamp("2026-03-04T05:06:00Z")


def difference(
    converted: Any, said: Any, other: Any, groups: Any, seed: int = 0
) -> Difference:
    arrays = (np.asarray(x, dtype=float) for x in (converted, said, other))
    groups = np.asarray(groups)
    rng = np.random.default_rng(seed)
    return paired_difference(*arrays, leads=groups, groups=groups, rng=rng)


FIRM = st.lists(
    st.tuples(
        st.booleans(),
        st.floats(0.01, 0.99),
        st.floats(0.01, 0.99),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=40,
)


@given(FIRM)
def test_swapping_the_models_turns_the_difference_around(firm: Any) -> None:
    converted, said, other, groups = zip(*firm, strict=True)
    one = difference(converted, said, other, groups)
    two = difference(converted, other, said, groups)
    assert one.value == pytest.approx(-two.value)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-9)
    assert one.low - 1e-9 <= one.high


@given(FIRM)
def test_saying_every_row_twice_makes_nothing_surer(firm: Any) -> None:
    """Rows of one lead repeat each other: groups are drawn, never rows."""
    one = difference(*zip(*firm, strict=True))
    two = difference(*zip(*(firm + firm), strict=True))
    assert (one.value, one.low, one.high) == pytest.approx(
        (two.value, two.low, two.high)
    )
    assert (two.n_rows, two.n_groups) == (2 * one.n_rows, one.n_groups)


@given(FIRM)
def test_a_model_is_not_better_than_itself(firm: Any) -> None:
    converted, said, _, groups = zip(*firm, strict=True)
    found = difference(converted, said, said, groups)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert not found.is_better


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    """Written down once more: draw accounts, put their rows together, take the mean."""
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 40, 200)
    converted = (rng.random(200) < 0.3).astype(float)
    said, other = rng.uniform(0.05, 0.6, (2, 200))
    paired = log_loss(converted, said) - log_loss(converted, other)
    rows = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    means = [
        paired[np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])]
        for _ in range(4000)
    ]
    low, high = np.quantile([drawn.mean() for drawn in means], [0.025, 0.975])
    found = difference(converted, said, other, groups)
    assert found.value == pytest.approx(paired.mean())
    assert found.low == pytest.approx(low, abs=0.06 * (high - low))
    assert found.high == pytest.approx(high, abs=0.06 * (high - low))


@pytest.mark.slow
def test_equal_models_are_rarely_told_apart() -> None:
    """100 leads of four rows, about 10 converted: the least that is believed."""
    rng = np.random.default_rng(1)
    n_better = 0
    for _ in range(400):
        truth = np.log(0.1 / 0.9) + rng.normal(size=100)
        converted = (rng.random(100) < 1 / (1 + np.exp(-truth))).astype(float)
        noise = rng.normal(0, 0.4, (2, 100))
        said, other = np.repeat(1 / (1 + np.exp(-(truth + noise))), 4, axis=1)
        groups = np.repeat(np.arange(100), 4)
        found = difference(np.repeat(converted, 4), said, other, groups)
        n_better += found.is_better
    assert n_better / 400 < 0.06  # 2.5 % by design, 3.7 % measured, three errors of it


@pytest.mark.parametrize(
    ("interval", "verdict", "is_better"),
    [
        ((-0.02, -0.03, -0.01), "better", True),
        ((-0.02, -0.03, 0.0), "not shown to be better", False),
        ((0.02, -0.01, 0.03), "not shown to be better", False),
        ((0.02, 0.01, 0.03), "worse", False),
    ],
)
def test_better_is_what_lies_wholly_below_zero(
    interval: tuple[float, float, float], verdict: str, *, is_better: bool
) -> None:
    found = proposed("2026-01-01-aaaaaaaa", *interval)
    assert (found.verdict, found.is_better) == (verdict, is_better)


def test_a_proposal_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = proposed("2026-01-01-aaaaaaaa", -0.02, -0.03, -0.01)
    keep_proposal(tmp_path, found)
    assert kept_proposal(tmp_path, OTHER) == found
    nothing = Proposal(OTHER, "2026-01-01-aaaaaaaa", "2026-01-01", why_not="it is gone")
    keep_proposal(tmp_path, nothing)
    assert kept_proposal(tmp_path, OTHER) == nothing
    assert kept_proposal(tmp_path, "2026-01-01-aaaaaaaa") is None


def test_a_proposal_of_another_model_is_not_taken_for_this_one(tmp_path: Path) -> None:
    keep_proposal(tmp_path, proposed("2026-01-01-aaaaaaaa", -0.02, -0.03, -0.01))
    folder = tmp_path / "proposals"
    (folder / f"{OTHER}.json").rename(folder / "2026-03-01-aaaaaaaa.json")
    assert kept_proposal(tmp_path, "2026-03-01-aaaaaaaa") is None


SAID = """\
Better than 2025-11-01-aaaaaaaa, the model in use: on 312 leads of 290 accounts
that neither was fitted on, 41 of them converted, as_of 2025-07-01 to
2025-09-25, the log loss differs by -0.0021 (95 % interval -0.0040 to -0.0005;
below zero is better).
if it is promoted:
  MQL or better 412 -> 388 leads a month, SQL 96 -> 101; on the newest list 14
    leads lose SQL and 4 gain it, 31 leads lose MQL or better and 11 gain it
  SQL from 30.0% -> not issued, promises 30% -> nothing
  MQL from 10.0% -> 12.0%, promises 15% -> 15%"""


def test_a_proposal_says_what_would_change_in_a_few_lines() -> None:
    lines = proposal_lines(proposed("2025-11-01-aaaaaaaa", -0.0021, -0.004, -0.0005))
    assert max(map(len, lines)) <= 80
    assert "\n".join(lines) == SAID


@pytest.fixture(scope="module")
def both(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: the sample's, and one that is too hopeful."""
    folder = tmp_path_factory.mktemp("both") / "models"
    shutil.copytree(trained.folder, folder / trained.folder.name)
    save_bundle(hopeful(trained.bundle), folder)
    return folder


@pytest.fixture(scope="module")
def sides(trained: Trained, tables: Tables) -> tuple[Side, Side]:
    """The sample's model, and the hopeful one."""
    good, bad = trained.bundle, hopeful(trained.bundle)
    return Side(good, good.agreement, tables), Side(bad, bad.agreement, tables)


def changed_side(side: Side, **updates: Any) -> Side:
    """The side with another section of the agreement, as it was trained with it."""
    agreement = side.agreement.model_copy(
        update={
            name: getattr(side.agreement, name).model_copy(update=values)
            for name, values in updates.items()
        }
    )
    bundle = dataclasses.replace(side.bundle, agreement=agreement)
    return Side(bundle, agreement, side.tables)


def leads_held_out(side: Side, *others: Side) -> set[str]:
    """Who must be compared, counted apart from the code: newest period, held out."""
    return set(rows_held_out(side, *others)["lead_id"])


def rows_held_out(side: Side, *others: Side) -> pd.DataFrame:
    tables, agreement = side.tables, side.agreement
    rows = training_snapshots(tables.leads, tables.outcomes, agreement, tables.data_end)
    rows = label_snapshots(rows, tables.outcomes, agreement, tables.data_end)
    merged = tables.leads.loc[tables.leads["merged_into"].notna(), "lead_id"]
    is_open = rows["lead_id"].isin(merged) & rows["converted"].eq(0)
    rows = rows[rows["converted"].notna() & ~is_open]
    days = agreement.training.promise_days or agreement.conversion.horizon_days
    rows = rows[rows["as_of"] >= rows["as_of"].max() - pd.Timedelta(days=days)]
    is_found = []
    for lead, account in zip(rows["lead_id"], rows["account_id"], strict=True):
        name = f"lead:{lead}" if pd.isna(account) else f"account:{account}"
        places = []
        for seed in (s.agreement.training.seed for s in (side, *others)):
            digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
            places.append(int.from_bytes(digest[:8], "big") / 2**64)
        is_found.append(max(places) < agreement.training.promise_share)
    return rows[is_found]


def test_models_are_compared_on_held_out_leads_of_the_newest_period(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = sides
    asked: list[pd.DataFrame] = []
    real = Side.rows

    def kept(self: Side, snapshots: pd.DataFrame, tell: Any) -> Any:
        asked.append(snapshots)
        return real(self, snapshots, tell)

    monkeypatch.setattr(Side, "rows", kept)
    found = compare(good, bad, tell=silent)
    expected = leads_held_out(good)
    assert set(asked[0]["lead_id"]) == expected
    assert asked[0].equals(asked[1])
    assert found.difference.n_leads == len(expected)
    assert found.difference.is_better  # the other one is too hopeful, by construction
    turned = compare(bad, good, tell=silent)
    assert turned.difference.value == pytest.approx(-found.difference.value)
    assert turned.difference.low > 0


def test_the_difference_is_that_of_what_the_models_say(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that says the truth's rate against one that says another, by hand."""
    good, bad = sides

    def constant(self: FittedModel, rows: pd.DataFrame) -> np.ndarray:
        return np.full(len(rows), 0.2 if self is good.bundle.model else 0.5)

    monkeypatch.setattr(FittedModel, "predict", constant)
    found = compare(good, bad, tell=silent).difference
    y = rows_held_out(good)["converted"]
    by_hand = np.where(y == 1, np.log(0.5 / 0.2), np.log(0.5 / 0.8)).mean()
    assert found.n_rows == len(y)
    assert found.value == pytest.approx(by_hand)


def test_with_other_seeds_only_leads_that_both_held_out_count(
    sides: tuple[Side, Side],
) -> None:
    good, bad = sides
    other = changed_side(bad, training={"seed": 7})
    found = compare(good, other, tell=silent)
    both = leads_held_out(good, other)
    assert found.difference.n_leads == len(both) < len(leads_held_out(good))


def test_a_lead_that_the_model_in_use_may_have_been_fitted_on_is_left_out(
    sides: tuple[Side, Side],
) -> None:
    """One that was fitted on all leads has seen them all, but those that came later."""
    good, bad = sides
    all_seen = Side(
        dataclasses.replace(bad.bundle, thresholds={}), bad.agreement, bad.tables
    )
    with pytest.raises(RefusedError, match=f"{OTHER} was fitted on all leads"):
        compare(good, all_seen, tell=silent)
    then = "2025-05-01T00:00:00+00:00"
    provenance = bad.bundle.provenance | {"last_as_of": then, "data_end": then}
    older = dataclasses.replace(all_seen.bundle, provenance=provenance)
    found = compare(good, dataclasses.replace(all_seen, bundle=older), tell=silent)
    known = good.tables.leads.groupby("lead_id")["known_at"].min()
    late = set(known.index[known >= pd.Timestamp(then)])
    assert 0 < found.difference.n_leads <= len(late & leads_held_out(good))


def test_a_lead_whose_account_became_known_later_counts_under_neither_name(
    bundle: Bundle,
) -> None:
    """Held out by today's account, but fitted on as the lead it was then."""
    training = bundle.agreement.training
    share, seed = training.promise_share, training.seed

    def place(name: str) -> float:
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    account = next(f"A{n}" for n in range(999) if place(f"account:A{n}") < share)
    fitted = next(f"L{n}" for n in range(999) if place(f"lead:L{n}") >= share)
    kept = next(f"L{n}" for n in range(999) if place(f"lead:L{n}") < share)
    day = pd.Timestamp("2025-01-01T00:00Z")
    late = pd.Timestamp("2025-11-01T00:00Z")
    rows = [
        (lead, at, named)
        for lead in (fitted, kept)
        for at, named in ((day, None), (late, account))
    ]
    leads = pd.DataFrame(rows, columns=["lead_id", "known_at", "account_id"])
    leads = leads.assign(created_at=day, merged_into=pd.Series(None, dtype="str"))
    leads = leads.astype({"account_id": "str"})
    bare = bundle.agreement.model_copy(
        update={"consent": type(bundle.agreement.consent)()}
    )
    outcomes = pd.DataFrame(
        columns=["lead_id", "stage", "occurred_at", "known_at", "reason"]
    ).astype({"lead_id": "str", "stage": "str", "reason": "str"})
    outcomes = outcomes.astype(
        dict.fromkeys(["occurred_at", "known_at"], leads["known_at"].dtype)
    )
    settled = pd.DataFrame(
        {"lead_id": [fitted, kept], "account_id": [account, account], "as_of": late}
    ).astype({"lead_id": "str", "account_id": "str"})
    provenance = bundle.provenance | {
        "last_as_of": "2025-06-01T00:00:00+00:00",
        "data_end": "2025-10-01T00:00:00+00:00",
    }
    older = dataclasses.replace(bundle, provenance=provenance)
    assert older.thresholds
    known: Any = SimpleNamespace(leads=leads, outcomes=outcomes)
    side = Side(older, bare, known)
    seen = compared_module._may_be_seen(settled, side)
    assert list(seen) == [True, False]


def test_too_few_conversions_are_said(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compared_module, "MIN_CONVERTED", 10_000)
    found = compare(*sides, tell=silent)
    assert found.why_not == (
        "at least 10000 converted leads (accounts) are needed to tell two models apart"
    )


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("conversion", {"horizon_days": 60}, r"days ahead: 90, not 60"),
        ("conversion", {"stage": "customer"}, r"means: opportunity, not customer"),
        ("snapshots", {"every_days": None, "at_age_hours": (24.0,)}, r"ages at which"),
    ],
)
def test_models_that_predict_different_things_are_not_compared(
    section: str, values: dict[str, Any], said: str, sides: tuple[Side, Side]
) -> None:
    good, bad = sides
    other = changed_side(bad, **{section: values})
    with pytest.raises(RefusedError, match=rf"predict different things \(.*{said}"):
        compare(good, other, tell=silent)


def with_thresholds(side: Side, mql: float, sql: float) -> Side:
    """The side with thresholds that promise nothing."""
    thresholds = {
        label: Threshold(label, at, "by hand")
        for label, at in (("SQL", sql), ("MQL", mql))
    }
    bundle = dataclasses.replace(side.bundle, thresholds=thresholds)
    return dataclasses.replace(side, bundle=bundle)


def test_what_would_change_is_what_scoring_would_say_of_the_newest_list(
    sides: tuple[Side, Side],
) -> None:
    """Counted by another road: the list that `score` makes where nothing was issued."""
    good, bad = (with_thresholds(side, 0.1, 0.2) for side in sides)
    found = changed(good, bad, tell=silent)
    labels = []
    for side in (bad, good):
        scores, _ = score_tables(side.bundle, side.tables, found.until)
        scores = scores[scores["probability"].notna()].set_index("lead_id")
        labels.append(scores["label"])
    sql, mql = found.changes
    for change, names in ((sql, {"SQL"}), (mql, {"SQL", "MQL"})):
        was, now = (set(label.index[label.isin(names)]) for label in labels)
        assert (change.n_was, change.n_now) == (len(was), len(now))
        assert (change.n_gain, change.n_lose) == (len(now - was), len(was - now))
    assert mql.n_lose  # the other one is too hopeful: fewer stand in it under this one
    assert mql.monthly_was > mql.monthly_now
    assert (sql.threshold_was, mql.threshold_now) == (0.2, 0.1)


def test_the_same_thresholds_of_the_same_model_change_nothing(
    sides: tuple[Side, Side],
) -> None:
    good = with_thresholds(sides[0], 0.1, 0.2)
    found = changed(good, good, tell=silent)
    for change in found.changes:
        assert change.monthly_was == change.monthly_now
        assert (change.n_gain, change.n_lose) == (0, 0)
    sql, mql = found.changes
    assert 0 < sql.monthly_now <= mql.monthly_now


def test_a_large_firm_is_counted_on_a_share_of_its_leads(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = (with_thresholds(side, 0.1, 0.2) for side in sides)
    whole = changed(good, bad, tell=silent)
    monkeypatch.setattr(changed_module, "MOST_ROWS", 8_000)
    part = changed(good, bad, tell=silent)
    assert part.share < 0.8
    for one, other in zip(whole.changes, part.changes, strict=True):
        assert one.monthly_now == pytest.approx(other.monthly_now, rel=0.35)
    assert whole.share == 1.0


def test_a_model_without_probabilities_is_named(
    both: Path, sides: tuple[Side, Side], sample: Path
) -> None:
    good, _ = sides
    none = dataclasses.replace(good.bundle, model=None, thresholds={})
    found = propose(
        dataclasses.replace(good, bundle=none),
        OTHER,
        data=sample,
        models=both,
        tell=silent,
    )
    assert found.verdict == "not compared"
    assert found.why_not_replayed == f"{good.bundle.model_id} gives no probability"


def test_a_model_in_use_that_cannot_be_loaded_costs_no_training(
    both: Path, sides: tuple[Side, Side], sample: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(both, tmp_path / "models"))
    (own / OTHER / "policy.json").write_text("{}")
    found = propose(sides[0], OTHER, data=sample, models=own, tell=silent)
    assert found.difference is None
    assert "policy.json was altered after training" in found.compared_said()


def test_a_model_of_other_columns_is_not_asked(
    both: Path, sides: tuple[Side, Side], sample: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(both, tmp_path / "models"))
    shutil.rmtree(own / OTHER)
    bad = hopeful(sides[0].bundle)
    model = dataclasses.replace(bad.model, columns=(*bad.model.columns, "n_faxes_30d"))
    save_bundle(dataclasses.replace(bad, model=model), own)
    found = propose(sides[0], OTHER, data=sample, models=own, tell=silent)
    assert "columns that are made no more (n_faxes_30d)" in found.why_not


def test_a_training_compares_keeps_prints_and_logs_and_the_better_one_is_promoted(
    both: Path,
    bundle: Bundle,
    sample: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where the bundle is not new; and the bundle keeps its bytes."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    own = Path(shutil.copytree(both, tmp_path / "models"))
    (own / "current").write_text(f"{OTHER}\n")
    manifest = (own / bundle.model_id / "manifest.json").read_bytes()
    code = main(["train", str(sample), "--models", str(own), "--json"])
    assert code == (10 if bundle.provenance["degraded"] else 0)
    said = json.loads(capsys.readouterr().out)["proposal"]
    kept = kept_proposal(own, bundle.model_id)
    assert kept is not None
    assert said == json.loads(json.dumps(kept.as_dict()))
    assert (said["champion"], said["verdict"]) == (OTHER, "better")
    assert said["difference"]["n_leads"] == len(
        leads_held_out(Side(bundle, bundle.agreement, tables_of(sample, bundle)))
    )
    assert (own / bundle.model_id / "manifest.json").read_bytes() == manifest
    assert load_bundle(own, bundle.model_id).model_id == bundle.model_id
    with tracking.opened(own) as store:
        version = tracking.find_version(store, bundle.model_id)
        assert version is not None
        described = store.client.get_model_version("leadscore", version.number)
    assert f"- better than {OTHER}, the model in use" in described.description
    promote(own, bundle.model_id, now=NOW)  # no reason is needed
    assert (own / "current").read_text().strip() == bundle.model_id


def tables_of(sample: Path, bundle: Bundle) -> Tables:
    from leadscore.store import read_tables

    return read_tables(sample, bundle.agreement)


def test_one_lead_loses_and_one_gains() -> None:
    change = Change("SQL", 0.3, 0.3, 0.3, 0.3, 9.0, 9.0, 9, 9, 1, 1)
    found = proposed("2025-11-01-aaaaaaaa", -0.0021, -0.004, -0.0005)
    found = dataclasses.replace(
        found, changes=(change, dataclasses.replace(change, label="MQL"))
    )
    said = " ".join(" ".join(proposal_lines(found)).split())
    assert "1 lead loses SQL and 1 gains it" in said
