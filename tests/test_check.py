"""What can be trained, told before training, by the rules of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadscore import summary
from leadscore.store import read_agreement, read_tables
from leadscore.workflows.check import Checked, check
from leadscore.workflows.doubts import unheard_words
from leadscore.workflows.train import Trained, train

from . import foreign
from .folders import AGREEMENT, LEADS, many_leads, write_folder


def test_check_foretells_what_training_found(
    checked: Checked, trained: Trained
) -> None:
    """Same snapshots, conversions, base rate, origins: the rules are shared."""
    facts = trained.bundle.provenance
    assert checked.verdict == "model"
    assert checked.is_trainable
    assert not checked.is_degraded
    assert checked.counts["n_snapshots"] == facts["n_snapshots"]
    assert checked.counts["n_snapshot_leads"] == facts["n_leads"]
    assert checked.counts["n_converted"] == facts["n_converted_groups"]
    assert checked.counts["base_rate"] == facts["base_rate"]
    assert checked.set_aside == facts["set_aside"]
    assert checked.origins == trained.bundle.metrics["periods"]
    assert checked.suspicious == ()


def test_check_counts_leads_words_and_kinds(checked: Checked) -> None:
    counts = checked.counts
    assert counts["n_leads"] == 2000
    assert counts["n_leads"] == counts["n_snapshot_leads"] + counts["n_immature_leads"]
    stands = {kind["kind"]: kind["stands"] for kind in checked.kinds}
    assert {k for k, how in stands.items() if how == "denied"} == {
        "call",
        "sales_email",
        "quote",
    }
    assert stands["page_view"] == "feature"
    attributes = {a["name"]: a for a in checked.attributes}
    assert attributes["newsletter"]["n_words"] == 2
    assert attributes["newsletter"]["n_leads"] == 2000
    delays = checked.delays
    assert delays["median"] < delays["p80"] < delays["p95"]


def test_the_page_is_narrow_and_the_facts_are_json(
    checked: Checked, sample: Path
) -> None:
    lines = summary.check_lines(checked)
    assert lines[0].startswith("A model can be trained and judged: ")
    assert all(len(line) <= summary.WIDTH for line in lines)
    assert lines[-1] == f"next: leadscore train {sample}"
    facts = json.loads(json.dumps(summary.check_facts(checked), allow_nan=False))
    assert facts["verdict"] == "model"


def test_the_sample_is_proven_in_one_sentence(checked: Checked) -> None:
    assert checked.is_proven
    n = len(checked.proof.columns)
    page = " ".join(" ".join(summary.check_lines(checked)).split())
    assert f"point in time: {n} of {n} columns PROVEN on 500 leads x 6" in page
    assert "when they happened: interactions.csv 93 % (45,473 rows)" in page
    whole = summary.check_lines(checked, with_columns=True)
    assert "  PROVEN   n_page_view_7d" in whole
    assert all(len(line) <= summary.WIDTH for line in whole)
    facts = json.loads(json.dumps(summary.check_facts(checked), allow_nan=False))
    columns = facts["point_in_time"]["columns"]
    assert {column["verdict"] for column in columns} == {"PROVEN"}
    assert facts["facts_without_known_at"][0]["n_rows"] == 45473


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(
    ("n_leads", "n_converted", "verdict"), [(60, 10, "points"), (60, 0, "nothing")]
)
def test_too_little_is_said_as_training_says_it(
    tmp_path: Path, n_leads: int, n_converted: int, verdict: str
) -> None:
    data = write_folder(tmp_path / "data", **many_leads(n_leads, n_converted))
    checked = check(data)
    made = train(data, tmp_path / "models")
    assert checked.verdict == verdict
    assert checked.is_degraded
    assert made.is_degraded
    assert checked.why == made.bundle.provenance["degraded"]
    assert checked.labels == []


@pytest.mark.usefixtures("brief")
def test_what_training_would_refuse_is_a_verdict(tmp_path: Path) -> None:
    agreement = AGREEMENT.replace("[conversion]", '[conversion]\nstage = "signed"')
    checked = check(write_folder(tmp_path, agreement=agreement))
    assert checked.verdict == "refused"
    assert not checked.is_trainable
    assert "stages in the data: opportunity" in checked.why
    lines = summary.check_lines(checked)
    assert lines[-1].startswith("next: repair")


@pytest.mark.usefixtures("brief")
def test_an_attribute_that_knows_too_much_is_suspicious(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    won = tables["outcomes"].query("stage == 'customer'")["lead_id"]
    leads = tables["leads"]
    leads["segment"] = leads["lead_id"].isin(won).map({True: "a", False: "b"})
    folder = foreign.write_tables(tmp_path, tables | {"leads": leads})
    (folder / "agreement.toml").write_text(
        '[conversion]\nstage = "customer"\nhorizon_days = 30\n[features]\ndeny = []\n'
        '[attributes.segment]\nkind = "category"\nchanges = false\n'
    )
    checked = check(folder)
    assert [denied.name for denied in checked.suspicious] == ["segment"]
    assert checked.advice[0].startswith("Look at segment")
    assert any("suspicious" in line for line in summary.check_lines(checked))


@pytest.mark.usefixtures("brief")
def test_an_agreement_that_looks_too_late_gets_advice(tmp_path: Path) -> None:
    folder = foreign.write_tables(tmp_path, foreign.small_firm())
    (folder / "agreement.toml").write_text(
        '[conversion]\nstage = "customer"\nhorizon_days = 7\nreporting_lag_days = 0\n'
        "[snapshots]\nat_age_hours = [840]\nmax_age_days = 20\n"
    )
    said = " ".join(check(folder).advice)
    assert "Only 0% of the conversions come within the horizon of 7 days" in said
    assert "come before a lead is first looked at" in said
    assert "raise max_age_days" in said


def unheard(folder: Path, more: str) -> str:
    """What the page says of words that nobody speaks, as one text."""
    leads = LEADS.replace("country", "country,Rep Name").replace("fr", "fr,Ann")
    leads = leads.replace("de\n", "de,Bob\n")
    data = write_folder(folder, leads=leads, agreement=AGREEMENT + more)
    agreement, _ = read_agreement(data)
    return "\n".join(unheard_words(read_tables(data, agreement), agreement))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            '[movement]\nleave_kinds = ["unsubscibe", "page_view"]\n',
            "kinds that interactions never has: demo_reqest, unsubscibe\n",
        ),
        (
            '[movement]\ncuriosity = ["page_veiw", "page_view"]\n',
            "kinds that interactions never has: demo_reqest, page_veiw\n",
        ),
        (
            '[features]\ndeny = ["cal", "call", "rep_name", "country2", "page_view"]\n',
            "neither a kind of interactions nor a column of leads: cal, country2\n",
        ),
    ],
)
def test_a_misspelt_kind_is_said_wherever_the_agreement_names_kinds(
    tmp_path: Path, more: str, sentence: str
) -> None:
    asks = '[hand_raise]\nkinds = ["demo_reqest"]\n[points]\nrules = []\n'
    assert sentence in unheard(tmp_path, asks + more) + "\n"


def test_defaults_that_nobody_wrote_are_no_misspelt_words(tmp_path: Path) -> None:
    asks = '[hand_raise]\nkinds = ["demo_request"]\n[points]\nrules = []\n'
    said = unheard(tmp_path, asks)
    assert "kind" not in said
    assert said.startswith("the agreement names stages that")
