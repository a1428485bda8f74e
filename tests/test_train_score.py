"""The spine as a whole: one path, no future, truth recovered, the seed case."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadscore.agreement import Agreement
from leadscore.bundle import Bundle
from leadscore.cli import main
from leadscore.snapshots import (
    ELIGIBLE,
    known_before,
    snapshots_at,
    training_snapshots,
)
from leadscore.tables import INSTANT, LABELS, SCORE_COLUMNS, Tables
from leadscore.workflows.rows import build_rows
from leadscore.workflows.score import score_tables
from leadscore.workflows.train import Trained
from tests.benchmarks.truth import by_tenths, judge, log_losses
from tests.histories import log_of

AS_OF = pd.Timestamp("2025-06-03T22:00:00Z").as_unit("us")


def cut(tables: Tables, instant: pd.Timestamp, agreement: Agreement) -> Tables:
    """The tables as they were on that day."""
    return dataclasses.replace(
        tables,
        leads=known_before(tables.leads, instant).reset_index(drop=True),
        interactions=tables.interactions.known_before(instant),
        outcomes=known_before(tables.outcomes, instant).reset_index(drop=True),
    )


def assert_same_bits(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_the_row_of_training_is_the_row_of_scoring_to_the_last_bit(
    bundle: Bundle, tables: Tables
) -> None:
    agreement = bundle.agreement
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    as_of = snapshots["as_of"].unique()[-5]
    trained_on = build_rows(tables, snapshots, bundle.catalogue, agreement)
    at = (trained_on.snapshots["as_of"] == as_of).to_numpy()

    standing = snapshots_at(tables.leads, tables.outcomes, agreement, as_of)
    asked = standing[standing["status"] == ELIGIBLE]
    scored = build_rows(tables, asked, bundle.catalogue, agreement)

    assert at.sum() > 100
    assert list(trained_on.snapshots.loc[at, "lead_id"]) == list(asked["lead_id"])
    for name in ("features", "parts", "persona", "raised"):
        then = getattr(trained_on, name)[at].reset_index(drop=True)
        assert_same_bits(then, getattr(scored, name))
    assert bundle.model is not None
    # Equal rows; but a matrix product may round otherwise in a batch of another size.
    np.testing.assert_allclose(
        bundle.model.predict(trained_on.features)[at],
        bundle.model.predict(scored.features),
        rtol=1e-12,
    )


def test_a_list_scored_later_equals_the_one_scored_on_the_day(
    bundle: Bundle, tables: Tables
) -> None:
    on_the_day, _ = score_tables(bundle, cut(tables, AS_OF, bundle.agreement), AS_OF)
    later, _ = score_tables(bundle, tables, AS_OF)
    assert len(later) > 300
    assert_same_bits(on_the_day, later)


def test_scoring_fewer_leads_changes_no_row(bundle: Bundle, tables: Tables) -> None:
    everybody, _ = score_tables(bundle, tables, AS_OF)
    some = set(everybody["lead_id"][::7])
    log = tables.interactions.frame()
    alone = dataclasses.replace(
        tables,
        leads=tables.leads[tables.leads["lead_id"].isin(some)],
        interactions=log_of(log[log["lead_id"].isin(some)], bundle.agreement),
        outcomes=tables.outcomes[tables.outcomes["lead_id"].isin(some)],
    )
    few, _ = score_tables(bundle, alone, AS_OF)
    kept = everybody[everybody["lead_id"].isin(some)].reset_index(drop=True)
    assert_same_bits(kept, few)


def test_every_lead_has_one_row_or_a_reason_to_be_left_out(
    bundle: Bundle, tables: Tables
) -> None:
    scores, left_out = score_tables(bundle, tables, AS_OF)
    known = tables.leads.loc[tables.leads["known_at"] < AS_OF, "lead_id"].nunique()
    n_later = left_out.pop("not known yet")
    assert n_later == tables.leads["lead_id"].nunique() - known
    assert scores["lead_id"].is_unique
    assert len(scores) + sum(left_out.values()) == known
    assert tuple(scores.columns) == SCORE_COLUMNS
    assert set(scores["label"]) <= set(LABELS)
    assert scores["label_reason"].notna().all()
    assert (scores["road"].notna() == scores["label"].isin(["MQL", "SQL"])).all()


def test_probabilities_lie_inside_their_intervals(
    bundle: Bundle, tables: Tables
) -> None:
    scores, _ = score_tables(bundle, tables, AS_OF)
    given = scores[scores["probability"].notna()]
    assert given["probability"].between(0, 1, inclusive="neither").all()
    assert (given["probability_low"] < given["probability_high"]).all()
    inside = given["probability"].between(
        given["probability_low"], given["probability_high"]
    )
    assert inside.mean() > 0.99


def test_leads_who_object_to_profiling_are_in_no_row(
    bundle: Bundle, tables: Tables
) -> None:
    scores, left_out = score_tables(bundle, tables, AS_OF)
    known = tables.leads[tables.leads["known_at"] < AS_OF]
    last = known.sort_values("known_at").groupby("lead_id").last()
    objecting = set(last.index[last["objects_to_profiling"]])
    assert left_out["objects"] == len(objecting) > 0
    assert not objecting & set(scores["lead_id"])


def test_what_sales_does_is_in_no_feature(bundle: Bundle) -> None:
    names = [column.name for column in bundle.catalogue.columns]
    for kind in bundle.agreement.features.deny:
        assert kind not in bundle.catalogue.kinds
        assert not [name for name in names if f"_{kind}_" in f"{name}_"]


def _visits(lead_id: str, days_before: list[int], kinds: list[str]) -> pd.DataFrame:
    occurred = AS_OF - pd.to_timedelta(days_before, unit="D")
    return pd.DataFrame(
        {
            "lead_id": lead_id,
            "occurred_at": occurred.astype(INSTANT),
            "known_at": occurred.astype(INSTANT),
            "kind": kinds,
            "channel": "web",
            "content": [f"{kind}/{n}" for n, kind in enumerate(kinds)],
            "duration_s": 60.0,
        }
    ).astype({"lead_id": "str", "kind": "str", "channel": "str", "content": "str"})


def test_visits_that_keep_coming_score_above_visits_that_fade(
    bundle: Bundle, tables: Tables
) -> None:
    """The seed case: ten visits each, the same person, the same first day.

    One keeps coming and reaches service pages; the other fades and unsubscribes.
    """
    rising = _visits(
        "rising",
        [40, 30, 24, 18, 14, 10, 7, 5, 3, 1],
        ["page_view"] * 5
        + ["service_view", "page_view", "service_view"]
        + ["pricing_view", "service_view"],
    )
    fading = _visits(
        "fading",
        [40, 39, 38, 37, 36, 34, 33, 31, 30, 28, 25],
        ["page_view"] * 10 + ["unsubscribe"],
    )
    someone = tables.leads.iloc[[0]].assign(
        created_at=AS_OF - pd.Timedelta(days=41),
        known_at=AS_OF - pd.Timedelta(days=41),
        objects_to_profiling=False,
    )
    two = pd.concat(
        [someone.assign(lead_id=name) for name in ("fading", "rising")],
        ignore_index=True,
    ).astype(tables.leads.dtypes)
    world = dataclasses.replace(
        tables,
        leads=two,
        interactions=log_of(
            pd.concat([rising, fading], ignore_index=True), bundle.agreement
        ),
        outcomes=tables.outcomes.iloc[:0],
    )
    scores, _ = score_tables(bundle, world, AS_OF)
    fade, rise = scores.iloc[0], scores.iloc[1]
    assert rise["lead_id"] == "rising"
    assert rise["probability"] > 1.5 * fade["probability"]
    assert rise["points"] > fade["points"]
    assert rise["engagement_level"] > fade["engagement_level"]
    reasons = " ".join(rise[["reason_1", "reason_2", "reason_3"]].dropna())
    assert "+ service view: 3 in the last 30 days" in reasons


@pytest.fixture(scope="session")
def judged(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Another firm of the same kind, scored by the sample's model, with its truth."""
    folder = tmp_path_factory.mktemp("another-firm")
    return judge(bundle, folder, n_leads=3000, seed=7)


def test_the_simulated_truth_is_recovered(judged: pd.DataFrame) -> None:
    """Calibrated: in each tenth of the list, prediction and truth agree on average.

    As well as some 200 conversions can teach: the rate of a tenth that holds 60 of them
    is known to 13 % (one standard error).
    """
    assert judged["predicted"].mean() == pytest.approx(judged["truth"].mean(), rel=0.15)
    means = by_tenths(judged)
    np.testing.assert_allclose(means["predicted"], means["truth"], atol=0.02, rtol=0.3)
    assert means["truth"].iloc[-1] > 5 * means["truth"].iloc[0]


def test_the_model_stands_between_the_base_rate_and_the_oracle(
    judged: pd.DataFrame,
) -> None:
    """No model can pass the oracle, and a quarter of its lead on the base rate is ours.

    The rest hangs on what the simulation draws and never shows in an interaction.
    """
    losses = log_losses(judged)
    assert losses["oracle"] < losses["model"] < losses["base rate"]
    gained = losses["base rate"] - losses["model"]
    assert gained > (losses["base rate"] - losses["oracle"]) / 4


def test_training_twice_finds_nothing_to_do(
    trained: Trained, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.folder, tmp_path / trained.folder.name)
    assert main(["train", str(sample), "--models", str(tmp_path)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_the_written_list_has_the_same_bytes_each_time(
    trained: Trained, sample: Path, models: Path, tmp_path: Path
) -> None:
    order = np.random.default_rng(0)
    other = tmp_path / "shuffled"
    other.mkdir()
    for name in ("leads.csv", "interactions.csv", "outcomes.csv"):
        head, *lines = (sample / name).read_text().splitlines(keepends=True)
        order.shuffle(lines)
        (other / name).write_text(head + "".join(lines))
    (other / "agreement.toml").write_text((sample / "agreement.toml").read_text())
    written = []
    for place, folder in enumerate((sample, sample, other)):
        out = tmp_path / f"{place}.csv"
        arguments = ["score", str(folder), "--models", str(models), "--out", str(out)]
        arguments += ["--ledger", str(tmp_path / "ledger.sqlite")]
        assert main([*arguments, "--as-of", "2026-01-01"]) == 0
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]
    assert out.stat().st_mode & 0o777 == 0o600


def test_the_bundle_says_what_it_was_made_of(trained: Trained) -> None:
    provenance = json.loads((trained.folder / "provenance.json").read_bytes())
    assert set(provenance["data_digests"]) == {
        "leads.csv",
        "interactions.csv",
        "outcomes.csv",
    }
    assert provenance["data_end"] == "2026-01-01T00:00:00+00:00"
    assert provenance["n_converted_groups"] > 100
    assert provenance["last_as_of"] < "2025-09-27"  # horizon and lag before the end


def test_no_lead_id_is_in_the_bundle(trained: Trained, tables: Tables) -> None:
    ids = set(tables.leads["lead_id"]) | set(tables.leads["account_id"].dropna())
    held = {path.name: path.read_bytes() for path in trained.folder.iterdir()}
    with zipfile.ZipFile(trained.folder / "classifier.skops") as members:
        held |= {name: members.read(name) for name in members.namelist()}
    assert len(held) > 10
    for name, data in held.items():
        words = set(re.findall(rb"[A-Z]\d{4,5}", data))
        assert not {word.decode() for word in words} & ids, name
