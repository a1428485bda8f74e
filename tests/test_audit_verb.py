"""The verb audit: cards that marketing reads, exit codes, MLflow, and a golden run."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadscore.agreement import parse_agreement
from leadscore.bundle import Bundle, load_bundle, save_bundle, set_current
from leadscore.cli import main
from leadscore.ledger import LEDGER_COLUMNS, Verified, erase, open_ledger
from leadscore.store import read_tables
from leadscore.summary import ledger_lines
from leadscore.tables import INSTANT
from leadscore.workflows.audit import audit, audit_tables
from leadscore.workflows.forget import LEDGER
from leadscore.workflows.record import record_run
from leadscore.workflows.train import train
from tests.audit_oracle import against
from tests.folders import write_folder

Capture = pytest.CaptureFixture[str]
ABOUT = "opportunity within 30 days"
RAISED = "hand_raised"
EARLY, LATER = "2026-01-01-0000000a", "2026-06-01-0000000b"
AGREEMENT = """\
[conversion]
horizon_days = 30
reporting_lag_days = 0
[source]
data_end = "2026-09-01T00:00:00Z"
"""
START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")


def day(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=number)


def promise(label: str, precision: float, model: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{label} {precision:.6g} {model}",
        "label": label,
        "precision": precision,
        "confidence": 0.95,
        "model_version": model,
        "horizon_days": 30,
        "reporting_lag_days": 0,
        "period": ["2025-07-01T00:00:00Z", "2025-10-01T00:00:00Z"],
        "expires": "2027-01-01T00:00:00Z",
        "text": "…",
    } | more


@dataclasses.dataclass
class Firm:
    """A made-up firm: who entered what on which day, and who converted."""

    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    promises: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    conversions: list[tuple[str, float]] = dataclasses.field(default_factory=list)

    def enter(
        self,
        label: str,
        model: str,
        *,
        n: int,
        converted: int,
        since: int,
        every: int = 1,
        road: str = "nurtured",
        name: str = "",
    ) -> None:
        """A lead every so many days; every third converts first, then the rest."""
        order = sorted(range(n), key=lambda i: (i % 3, i))
        for i in range(n):
            lead, at = f"{name or label}-{model[:7]}-{i:03d}", since + i * every
            self.rows.append(
                {
                    "lead_id": lead,
                    "as_of": day(at),
                    "change": "issued",
                    "label": label,
                    "road": road,
                    "label_since": day(at),
                    "model_version": model,
                }
            )
            if order.index(i) < converted:
                self.conversions.append((lead, at + 10.5))

    def write(self, folder: Path) -> None:
        """Append all runs to the ledger of the models, and the tables to data."""
        frame = pd.DataFrame(self.rows).sort_values(["as_of", "lead_id"])
        filled = {"agreement_version": "1", "reason": "why", "features_digest": "0"}
        frame = frame.assign(**filled).reindex(columns=list(LEDGER_COLUMNS))
        frame = frame.astype(dict.fromkeys(["as_of", "label_since"], INSTANT))
        (folder / "models").mkdir(exist_ok=True)
        path = folder / "models" / LEDGER
        with open_ledger(path, conversion=ABOUT) as ledger:
            for as_of in sorted(set(frame["as_of"])):
                rows = frame[frame["as_of"] == as_of]
                model = rows["model_version"].iloc[0]
                promises = [p for p in self.promises if p["model_version"] == model]
                ledger.append(
                    as_of,
                    rows,
                    model_version=model,
                    agreement_version="1",
                    promises=promises,
                )
        leads = [f"{lead},2025-12-01T00:00:00Z" for lead in frame["lead_id"].unique()]
        reached = [
            f"{lead},opportunity,{day(at).isoformat()}" for lead, at in self.conversions
        ]
        write_folder(
            folder / "data",
            leads="\n".join(["lead_id,created_at", *leads, ""]),
            outcomes="\n".join(["lead_id,stage,occurred_at", *reached, ""]),
            agreement=AGREEMENT,
        )
        (folder / "data" / "interactions.csv").unlink()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model of three leads: points alone, trained in a second."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/none/mlflow.db")
        (folder / "none").touch()
        return train(write_folder(folder / "data"), folder / "models").bundle


@pytest.fixture(scope="module")
def firm() -> Firm:
    """All four verdicts: two of a model that was replaced in June, two of its heir."""
    made = Firm()
    made.promises = [
        promise("MQL", 0.2, EARLY),
        promise("SQL", 0.4, EARLY),
        promise("MQL", 0.3, LATER),
        promise("SQL", 0.25, LATER),
    ]
    made.enter("MQL", EARLY, n=60, converted=14, since=10)
    made.enter("SQL", EARLY, n=30, converted=10, since=90)
    made.enter("MQL", LATER, n=40, converted=2, since=151)
    made.enter("SQL", LATER, n=60, converted=12, since=152)
    made.enter(
        "SQL", EARLY, n=5, converted=3, since=20, road="hand_raised", name="hand"
    )
    return made


@pytest.fixture(autouse=True)
def store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking store that does not answer: the quickest one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")


@pytest.fixture(scope="module")
def written(
    firm: Firm, small: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("firm")
    firm.write(folder)
    use(small, folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "firm"))


@pytest.fixture
def young() -> Firm:
    """A smaller one: 20 leads enter SQL from June on, 4 convert; 3 raised a hand."""
    made = Firm()
    made.enter("SQL", LATER, n=20, converted=4, since=152)
    made.enter("SQL", LATER, n=3, converted=2, since=152, road=RAISED, name="hand")
    return made


def use(bundle: Bundle, folder: Path) -> Bundle:
    """Put a model with the firm's agreement into use."""
    agreement = parse_agreement(AGREEMENT, name="agreement.toml")
    own = dataclasses.replace(bundle, agreement=agreement, agreement_text=AGREEMENT)
    save_bundle(own, folder / "models")
    set_current(folder / "models", own.model_id)
    return load_bundle(folder / "models", own.model_id)


def run(folder: Path, *arguments: object) -> int:
    given = ["audit", folder / "data", "--models", folder / "models", *arguments]
    return main([str(argument) for argument in given])


GOLDEN = """\
audit as of 2026-09-01 00:00 (UTC)
ledger LEDGER
  151 runs, 195 rows; all as it was written

KEPT       MQL or better at least 20 %: 24 of 90 converted (27 %, 18 % to 37 %),
           entered Jan to Apr 2026, all matured
           model 2026-01-01-0000000a, promised of leads like those of 2025-07-01
           to 2025-10-01
MISSED     SQL at least 40 %: 10 of 30 converted (33 %, 17 % to 53 %), entered
           Apr 2026, all matured
           below the promise, but within chance: the true share may be up to
           60 % (95 % confidence)
           model 2026-01-01-0000000a, promised of leads like those of 2025-07-01
           to 2025-10-01
BROKEN     MQL or better at least 30 %: 14 of 100 converted (14 %, 8 % to 22 %),
           entered Jun to Jul 2026, all matured
           broken since 2026-08-16; score issues no label by it any more: train
           again
           the true share is below 26 %, 95 % confidence, on whatever day it is
           read
           model 2026-06-01-0000000b, promised of leads like those of 2025-07-01
           to 2025-10-01
TOO EARLY  SQL at least 25 %: 12 of 60 converted so far (20 %, 11 % to 32 %),
           entered Jun to Jul 2026, all matured
           leads may still enter until its model is replaced or the promise
           expires (2027-01-01)
           model 2026-06-01-0000000b, promised of leads like those of 2025-07-01
           to 2025-10-01
measured   SQL by a raised hand, nothing promised: 3 of 5 converted (60 %, 15 %
           to 95 %), entered Jan 2026, all matured

NOT LOGGED
DEGRADED: MQL or better at least 30 % (model 2026-06-01-0000000b) is broken
since 2026-08-16
"""


def test_all_four_verdicts_read_like_this(folder: Path, capsys: Capture) -> None:
    assert run(folder) == 10
    said = capsys.readouterr().out
    said = said.replace(str(folder / "models" / LEDGER), "LEDGER")
    # Its path differs from run to run, and with it where lines are broken.
    said = re.sub(r"NOT LOGGED: .*?(?=DEGRADED)", "NOT LOGGED\n", said, flags=re.S)
    assert said == GOLDEN


def test_the_day_of_the_break_is_that_of_plain_loops(firm: Firm, folder: Path) -> None:
    hits = dict(firm.conversions)
    entered = sorted(
        (row["as_of"], row["lead_id"])
        for row in firm.rows
        if row["model_version"] == LATER
    )
    n_yes = n_no = 0
    for place, (as_of, lead) in enumerate(entered):
        n_yes, n_no = n_yes + (lead in hits), n_no + (lead not in hits)
        is_last = entered[place + 1 :][:1] != [] and entered[place + 1][0] != as_of
        if is_last and against(n_yes, n_no, 0.3) >= 20:
            break
    facts = facts_of(folder)
    since = facts["promises"][2]["broken_since"]
    assert pd.Timestamp(since) == as_of + pd.Timedelta(days=30)


def facts_of(folder: Path, *arguments: object) -> dict[str, Any]:
    """What --json says."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run(folder, "--json", *arguments)
    return json.loads(out.getvalue())


def test_json_says_the_same(folder: Path) -> None:
    facts = facts_of(folder)
    found = [
        (p["verdict"], p["n_matured"], p["n_converted"], p["is_suspended"])
        for p in facts["promises"]
    ]
    assert found == [
        ("KEPT", 90, 24, False),
        ("MISSED", 30, 10, False),
        ("BROKEN", 100, 14, True),
        ("TOO EARLY", 60, 12, False),
    ]
    assert (facts["is_degraded"], facts["ledger"]["is_whole"]) == (True, True)
    assert facts["promises"][2]["bound"] < 0.3
    assert facts["hand_raised"]["share"] == 0.6


def test_kept_missed_and_too_early_exit_with_0(folder: Path, capsys: Capture) -> None:
    """In June the later model has issued nothing that is mature."""
    assert run(folder, "--as-of", "2026-06-20") == 0
    said = capsys.readouterr().out
    words = re.findall(r"^(KEPT|MISSED|BROKEN|TOO EARLY) ", said, flags=re.M)
    assert words == ["KEPT", "MISSED", "TOO EARLY", "TOO EARLY"]
    assert "the first matures on 2026-07-01; no verdict is possible before" in said


def test_an_expired_promise_in_use_exits_with_10(
    young: Firm, small: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    young.promises = [promise("SQL", 0.1, LATER, expires="2026-08-15T00:00:00Z")]
    young.write(tmp_path)
    use(small, tmp_path)
    assert run(tmp_path) == 10
    said = capsys.readouterr().out
    assert "suspended: it expired on 2026-08-15; train again" in said
    assert "KEPT       SQL at least 10 %: 4 of 20 converted" in said
    assert run(tmp_path, "--as-of", "2026-08-14") == 0


def test_quiet_says_only_what_is_degraded(folder: Path, capsys: Capture) -> None:
    assert run(folder, "--quiet") == 10
    said = capsys.readouterr()
    assert said.out == ""
    assert "DEGRADED: MQL or better at least 30 %" in said.err


def test_before_anything_matured_it_says_when_to_come_back(
    folder: Path, capsys: Capture
) -> None:
    assert run(folder, "--as-of", "2026-01-20") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Nothing has matured yet. The first verdict is possible on 2026-02-10; audit "
        "again then."
    ) in said


def test_before_anybody_entered_there_is_nothing_to_judge(
    folder: Path, capsys: Capture
) -> None:
    assert run(folder, "--as-of", "2025-12-15") == 0
    assert "there is nothing to judge" in " ".join(capsys.readouterr().out.split())


def test_later_than_the_data_is_as_of_their_end(folder: Path) -> None:
    """Who is not in an old export has not failed to convert."""
    late, end = facts_of(folder, "--as-of", "2030-01-01"), facts_of(folder)
    assert late["promises"] == end["promises"]
    assert "is after the end of the data" in late["notes"][0]


def test_no_ledger_names_the_next_step(folder: Path, capsys: Capture) -> None:
    assert run(folder, "--ledger", folder / "none.sqlite") == 66
    assert "`leadscore score` begins one" in capsys.readouterr().err


def test_an_empty_ledger_names_the_next_step(folder: Path, capsys: Capture) -> None:
    with open_ledger(folder / "empty.sqlite", conversion=ABOUT):
        pass
    assert run(folder, "--ledger", folder / "empty.sqlite") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The ledger holds no list yet. Next: leadscore score" in said


def test_without_promises_the_other_road_is_measured_still(
    young: Firm, small: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    young.write(tmp_path)
    use(small, tmp_path)
    assert run(tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No promise was made: no label is issued by probability" in said
    assert "nothing promised: 2 of 3 converted" in said


def test_a_ledger_of_another_conversion_is_refused(
    folder: Path, capsys: Capture
) -> None:
    with open_ledger(folder / "other.sqlite", conversion="customer within 9 days"):
        pass
    assert run(folder, "--ledger", folder / "other.sqlite") == 77
    assert "customer within 9 days" in capsys.readouterr().err


def test_audit_without_data_and_without_verify_is_told_what_to_give(
    folder: Path, capsys: Capture
) -> None:
    assert main(["audit", "--models", str(folder / "models")]) == 2
    assert "leadscore audit DATA, or --verify" in capsys.readouterr().err


# ------------------------------------------------------------------------- the chain


def verified(folder: Path, *arguments: str) -> int:
    return main(["audit", "--verify", "--models", str(folder / "models"), *arguments])


def test_a_ledger_can_be_checked_without_data(folder: Path, capsys: Capture) -> None:
    assert verified(folder) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "151 runs, 195 rows; all as it was written" in said
    assert re.search(r"head: \d+ [0-9a-f]{64}", said)


def test_an_altered_row_is_found_and_nothing_is_judged(
    folder: Path, capsys: Capture
) -> None:
    ledger = folder / "models" / LEDGER
    with contextlib.closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE rows SET label = 'MQL' WHERE label = 'SQL'")
    assert verified(folder) == 77
    said = capsys.readouterr().out
    assert "NOT as it was written (95 problems)" in " ".join(said.split())
    assert "Restore the ledger and its head file from the same backup." in said
    assert run(folder) == 77
    refused = capsys.readouterr()
    assert refused.out == ""
    assert "is not what was written" in refused.err
    assert verified(folder, "--json") == 77
    facts = json.loads(capsys.readouterr().out)
    assert (facts["is_whole"], len(facts["problems"])) == (False, 95)


def test_an_erased_lead_counts_nowhere_and_the_chain_holds(
    folder: Path, capsys: Capture
) -> None:
    erase(folder / "models" / LEDGER, "SQL-2026-01-000", at=day(300))
    facts = facts_of(folder)
    assert facts["promises"][1]["n_matured"] == 29
    assert run(folder) == 10
    said = " ".join(capsys.readouterr().out.split())
    assert "151 runs, 194 rows, 1 erased on request; all as it was written" in said
    model = facts["promises"][1]["promise"]["model_version"]
    assert facts["n_erased_leads"] == {model: 1}
    assert f"erased 1 lead of the lists of model {model}, on request: whoever" in said


def test_one_run_and_one_problem_are_told_as_one() -> None:
    (_, said) = ledger_lines(Verified(1, 1, 0, "", ("row 1 is gone",)), Path("l"))[:2]
    assert said == "  1 run, 1 row; NOT as it was written (1 problem)"


# ---------------------------------------------------------------------------- MLflow


def judged_by(own: Bundle, folder: Path, at: pd.Timestamp | None = None) -> Any:
    models = folder / "models"
    return audit(folder / "data", own, models, ledger=models / LEDGER, as_of=at)


def test_verdicts_stand_on_the_run_of_their_model(
    small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    own, firm = small.model_id, Firm()
    firm.promises = [
        promise("SQL", 0.4, EARLY),
        promise("SQL", 0.25, own),
        promise("MQL", 0.6, own),
    ]
    firm.enter("SQL", EARLY, n=2, converted=1, since=90)
    firm.enter("SQL", own, n=24, converted=6, since=160)
    firm.write(tmp_path)
    bundle = use(small, tmp_path)
    recorded = record_run(bundle, tmp_path / "models", now=None)
    assert not recorded.why_not
    once = judged_by(bundle, tmp_path, day(205))
    again = judged_by(bundle, tmp_path)
    assert again.log.runs == once.log.runs == {own: recorded.run_id}
    assert again.log.missing == (EARLY,)
    uri = f"sqlite:///{tmp_path}/models/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    run_ = client.get_run(recorded.run_id)
    tags, metrics = run_.data.tags, run_.data.metrics
    assert tags["promise_SQL"] == "TOO EARLY, 6 of 24 (25 %) as of 2026-09-01"
    assert tags["promise_MQL"] == "BROKEN, 6 of 24 (25 %) as of 2026-09-01"
    assert tags["ledger_head"] == again.verified.head
    assert tags["status"] == "LIVE"  # what else stands there is left alone
    assert metrics["audit/sql_rate"] == 0.25
    assert metrics["audit/mql_bound"] < 0.6
    history = client.get_metric_history(recorded.run_id, "audit/sql_matured")
    times = [int(at.timestamp() * 1000) for at in (day(205), again.audit.at)]
    counted = [(m.timestamp, m.value) for m in history]
    assert counted == [(times[0], 16.0), (times[1], 24.0)]
    assert history[1].step - history[0].step == 38  # days
    stored = client.download_artifacts(recorded.run_id, "audit.json")
    text = Path(stored).read_text()
    assert [p["verdict"] for p in json.loads(text)["promises"]] == [
        "TOO EARLY",
        "BROKEN",
    ]
    assert not any(row["lead_id"] in text for row in firm.rows)
    judged_by(bundle, tmp_path)  # once more: nothing changes
    same = client.get_metric_history(recorded.run_id, "audit/sql_matured")
    assert len(same) == 2
    judged_by(bundle, tmp_path, day(170))  # a look back is no news
    tags = client.get_run(recorded.run_id).data.tags
    assert tags["promise_SQL"] == "TOO EARLY, 6 of 24 (25 %) as of 2026-09-01"
    stored = client.download_artifacts(recorded.run_id, "audit.json")
    assert Path(stored).read_text() == text


def test_a_store_that_does_not_answer_costs_the_log_only(
    folder: Path, capsys: Capture
) -> None:
    assert run(folder) == 10
    said = capsys.readouterr().out
    assert "NOT LOGGED: " in said
    assert "KEPT " in said


# --------------------------------------------------- as a score run asks, to suspend


def test_a_score_run_learns_what_was_broken_by_then(
    folder: Path, small: Bundle
) -> None:
    own = load_bundle(folder / "models", small.model_id)
    tables = read_tables(folder / "data", own.agreement)
    ledger = folder / "models" / LEDGER
    broken = pd.Timestamp("2026-08-16", tz="UTC")
    for at, suspended in [
        (broken - pd.Timedelta(1, "us"), []),
        (broken, [f"MQL 0.3 {LATER}"]),
        (broken + pd.Timedelta(days=9), [f"MQL 0.3 {LATER}"]),
    ]:
        verdicts = audit_tables(own, tables, ledger, at).verdicts
        found = [v.promise["id"] for v in verdicts if v.is_suspended_at(at)]
        assert found == suspended, at


def test_a_merge_that_is_known_later_changes_no_verdict_of_before(
    folder: Path, small: Bundle
) -> None:
    """A merge joins accounts, and an account counts once: from when it is known on."""
    own = load_bundle(folder / "models", small.model_id)
    tables = read_tables(folder / "data", own.agreement)
    ledger, at = folder / "models" / LEDGER, pd.Timestamp("2026-08-16", tz="UTC")
    is_late = tables.leads["lead_id"].str.startswith(f"MQL-{LATER[:7]}-")
    root, *others = tables.leads.loc[is_late, "lead_id"]
    merged = tables.leads[tables.leads["lead_id"].isin(others)]
    merged = merged.assign(merged_into=root, known_at=at)
    leads = pd.concat([tables.leads, merged], ignore_index=True)
    then, now = tables, dataclasses.replace(tables, leads=leads)
    before, after = (audit_tables(own, of, ledger, at) for of in (then, now))
    assert after == before
    later = audit_tables(own, now, ledger, at + pd.Timedelta(1, "us"))
    n_before, n_later = (a.verdicts[2].cohort.n_entries for a in (before, later))
    assert n_later == n_before - len(others)
