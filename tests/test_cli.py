"""The command line as a user meets it: sentences, exit codes, nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pandas as pd
import pytest

from leadscore import files
from leadscore.cli import main, parse_as_of
from leadscore.errors import UsageError
from tests.folders import AGREEMENT, INTERACTIONS, LEADS, OUTCOMES, many_leads
from tests.folders import write_folder as write

Capture = pytest.CaptureFixture[str]
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


@pytest.fixture(autouse=True)
def store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking store that does not answer: the quickest one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def train(folder: Path) -> int:
    return run("train", folder, "--models", folder.parent / "models")


def test_help_answers_without_loading_a_learner() -> None:
    code = (
        "import sys\n"
        "from leadscore.cli import main\n"
        "try:\n    main(['train', '--help'])\nexcept SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'mlflow', 'sklearn', 'pandas', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "DATA" in done.stdout


@pytest.mark.parametrize(
    ("texts", "exit_code", "sentence"),
    [
        (
            {"leads": LEADS.replace("created_at", "created on")},
            65,
            r"leads\.csv.*created_at",
        ),
        (
            {"leads": LEADS.replace("2025-01-02T09:00:00Z,2025", "yesterday,2025")},
            65,
            r'leads\.csv:3 column "?created_at"?.*yesterday',
        ),
        (
            {"leads": LEADS + "L1,2025-01-01T09:00:00Z,2025-01-01T09:00:00Z,de\n"},
            65,
            r"leads\.csv.*lines? 2 and 5.*L1.*known_at",
        ),
        (
            {"interactions": INTERACTIONS + "L9,2025-01-05T09:00:00Z,page_view\n"},
            65,
            r"interactions\.csv:4.*L9.*unknown lead",
        ),
        (
            {"outcomes": OUTCOMES.replace("2025-01-20", "2024-12-20")},
            65,
            r"outcomes\.csv:2.*before the lead was created",
        ),
        (
            {"outcomes": OUTCOMES.replace("opportunity", "won")},
            65,
            r"no outcome has the stage 'opportunity'.*stages in the data: won",
        ),
        (
            {
                "leads": LEADS.replace(",known_at", "")
                .replace("9:00:00Z,2025-01-01T09:00:00Z", "9:00:00Z")
                .replace("9:00:00Z,2025-01-02T09:00:00Z", "9:00:00Z")
                .replace("9:00:00Z,2025-01-03T09:00:00Z", "9:00:00Z"),
                "agreement": AGREEMENT.replace("changes = false", "changes = true"),
            },
            65,
            r"'?country'?.*changes = false.*known_at",
        ),
        (
            {
                "leads": LEADS.replace("2025-01-02T09:00:00Z,de", ",de"),
                "agreement": AGREEMENT.replace("changes = false", "changes = true"),
            },
            65,
            r"no known_at, or not on every row",
        ),
        (
            {"agreement": AGREEMENT.replace("changes = false", "changes = true")},
            65,
            r"country may change.*no history.*changes = false",
        ),
        ({"leads": ""}, 66, r"leads\.csv.*is empty"),
        (
            {"agreement": AGREEMENT.replace("horizon_days", "horizn_days")},
            2,
            r"agreement\.toml line 2: unknown key 'horizn_days'.*'horizon_days'",
        ),
        (
            {"agreement": AGREEMENT.replace('"2025-06-01T00:00:00Z"', '"soon"')},
            2,
            r"data_end.*soon",
        ),
    ],
)
def test_bad_input_gets_a_sentence_and_its_exit_code(
    texts: dict[str, str],
    exit_code: int,
    sentence: str,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    assert train(write(tmp_path / "data", **texts)) == exit_code
    message = capsys.readouterr().err
    assert message.startswith("leadscore: ")
    assert "Traceback" not in message
    assert re.search(sentence, message), message


def test_a_missing_file_names_what_is_there(tmp_path: Path, capsys: Capture) -> None:
    folder = write(tmp_path / "data")
    (folder / "outcomes.csv").unlink()
    assert train(folder) == 66
    message = capsys.readouterr().err
    assert "outcomes" in message
    assert "leads.csv" in message


def test_a_missing_folder_is_an_input_that_is_missing(
    tmp_path: Path, capsys: Capture
) -> None:
    assert train(tmp_path / "nowhere") == 66
    assert "nowhere" in capsys.readouterr().err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nowhere"):
        run("train", tmp_path / "nowhere", "--models", tmp_path, "--debug")


def test_every_lead_converting_is_a_stage_that_means_nothing(
    tmp_path: Path, capsys: Capture
) -> None:
    assert train(write(tmp_path / "data", **many_leads(30, 30))) == 65
    message = capsys.readouterr().err
    assert re.search(r"every one of the \d+ mature snapshots converted", message)


def test_no_mature_snapshot_lets_the_points_serve_alone(
    tmp_path: Path, capsys: Capture
) -> None:
    agreement = AGREEMENT.replace("2025-06-01", "2025-01-25")
    assert train(write(tmp_path / "data", agreement=agreement)) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert "no snapshot is mature: the data ends on 2025-01-25" in shown
    assert "after 2025-01-31 at the earliest. The points serve alone" in shown


def test_no_conversion_yet_lets_the_points_serve_alone(
    tmp_path: Path, capsys: Capture
) -> None:
    """And the list is still scored: points, fit, and hands that were raised."""
    head = OUTCOMES.splitlines()[0] + "\n"
    folder = write(tmp_path / "data", outcomes=head)
    assert train(folder) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert "none of 3 leads with a mature snapshot reached 'opportunity'" in shown
    out = tmp_path / "scores.csv"
    models = tmp_path / "models"
    arguments = ["score", folder, "--models", models, "--out", out]
    assert run(*arguments, "--as-of", "2025-01-10") == 10
    scores = pd.read_csv(out).set_index("lead_id")
    assert scores["probability"].isna().all()
    assert scores.loc["L1", "points"] == 0
    assert scores.loc["L2", "label"] == "SQL"
    assert scores.loc["L2", "road"] == "hand_raised"
    assert scores.loc["L1", "label"] == "NURTURE"


def test_a_dozen_conversions_give_calibrated_points_and_no_label(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(100, 12))
    assert train(folder) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "12 converted leads (accounts) are mature, 11 of them among the 75% that are "
        "not held out to prove promises; at least 20 of these are needed" in shown
    )
    out = tmp_path / "scores.parquet"
    models = tmp_path / "models"
    arguments = ["score", folder, "--models", models, "--out", out]
    assert run(*arguments, "--as-of", "2025-03-01") == 10
    scores = pd.read_parquet(out)
    assert scores["probability"].notna().all()
    assert scores["reason_1"].dropna().str.fullmatch(r"-4 idle|-8 idle").all()
    assert set(scores["label"]) == {"NURTURE"}


def test_a_history_too_short_for_an_origin_says_so(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(60, 40))
    assert train(folder) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "40 converted leads (accounts) are mature, 27 of them among the 75% that are "
        "not held out to prove promises, but no past origin has 20 of these" in shown
    )


def test_a_firm_with_leads_and_outcomes_alone_still_gets_a_model(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(100, 12))
    (folder / "interactions.csv").unlink()
    assert train(folder) == 10
    assert "interactions" in capsys.readouterr().out


def test_rows_over_the_budget_are_kept_with_their_reasons(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(
        tmp_path / "data", interactions=INTERACTIONS + "L9,2025-01-05,page_view\n"
    )
    assert train(folder) == 65
    shown = capsys.readouterr()
    assert "max_reject_share" in shown.err
    rejects = pd.read_csv(tmp_path / "models" / "rejects" / "data.csv")
    assert list(rejects["line"]) == [4]
    assert rejects["raw"].tolist() == ["L9,2025-01-05,page_view"]


def test_training_outlives_a_tracking_store_that_does_not_answer(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(100, 12))
    assert train(folder) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert "NOT LOGGED: " in shown
    assert re.search(r"to log it later: leadscore log \S+ --models", shown)
    assert (tmp_path / "models" / "current").exists()


def test_planned_events_do_not_move_the_end_of_the_data(
    tmp_path: Path, capsys: Capture
) -> None:
    """One webinar next year would make every snapshot mature, and most of them 0."""
    texts = many_leads(120, 30)
    texts["interactions"] += "L1,2027-06-01T10:00:00Z,webinar_registered\n"
    agreement = AGREEMENT.replace('data_end = "2025-06-01T00:00:00Z"', "")
    assert train(write(tmp_path / "data", **texts, agreement=agreement)) == 65
    message = capsys.readouterr().err
    assert "the latest known_at is 2027-06-01T10:00:00+00:00, but all" in message
    assert "data_end under [source]" in message


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (["promote", "2020-01-01-aaaaaaaa"], 66, "is not a folder of models"),
        (["log", "../../etc"], 66, "is no model id"),
        (["simulate", "DIR", "--leads", "0", "--seed", "1"], 2, "0"),
        (["simulate", "DIR", "--leads", "5", "--seed", "-1"], 2, "-1"),
    ],
)
def test_every_verb_turns_an_error_into_a_line(
    arguments: list[str],
    exit_code: int,
    sentence: str,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == exit_code
    assert sentence in capsys.readouterr().err


def test_one_simulated_lead_is_a_firm(tmp_path: Path) -> None:
    assert run("simulate", tmp_path / "one", "--leads", 1, "--seed", 1) == 0


def test_simulate_never_replaces_an_agreement_of_ones_own(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data")
    arguments = ["simulate", folder, "--leads", 5, "--seed", 1]
    assert run(*arguments) == 77
    assert "is not the one that simulate writes" in capsys.readouterr().err
    assert (folder / "agreement.toml").read_text() == AGREEMENT
    assert (folder / "leads.csv").read_text() == LEADS
    assert run(*arguments, "--overwrite") == 0


def test_an_interruption_is_a_line_and_its_exit_code(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("leadscore.workflows.train.train", interrupt)
    assert train(write(tmp_path / "data")) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_second_training_finds_the_first_at_work(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data")
    with files.lock(tmp_path / "models" / "train.lock"):
        assert train(folder) == 75
    assert "train.lock" in capsys.readouterr().err


@pytest.fixture
def scoring(tmp_path: Path, capsys: Capture) -> list[object]:
    """The arguments of a scoring, but for its as_of."""
    folder = write(tmp_path / "data", **many_leads(100, 12))
    train(folder)
    capsys.readouterr()
    out = tmp_path / "scores.csv"
    return ["score", folder, "--models", tmp_path / "models", "--out", out]


def test_scoring_never_replaces_an_input(
    scoring: list[object], tmp_path: Path, capsys: Capture
) -> None:
    leads = tmp_path / "data" / "leads.csv"
    before = leads.read_bytes()
    assert run(*scoring[:-1], leads, "--as-of", "2025-03-01") == 77
    assert "it will not be replaced" in capsys.readouterr().err
    assert leads.read_bytes() == before


def test_scoring_without_the_interactions_of_training_is_refused(
    scoring: list[object], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "data" / "interactions.csv").unlink()
    assert run(*scoring, "--as-of", "2025-03-01") == 66
    assert "everybody would seem idle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("as_of", "sentence"),
    [
        (
            "2020-01-01",
            "no lead is on the list: the leads became known from 2025-01-01",
        ),
        ("2025-07-01", "the data ends 30 days before as_of, on 2025-06-01"),
    ],
)
def test_a_list_that_is_empty_or_stale_is_degraded(
    as_of: str, sentence: str, scoring: list[object], capsys: Capture
) -> None:
    assert run(*scoring, "--as-of", as_of) == 10
    assert f"DEGRADED: {sentence}" in " ".join(capsys.readouterr().out.split())


def test_a_newer_agreement_waits_for_the_next_training(
    scoring: list[object], tmp_path: Path, capsys: Capture
) -> None:
    """Also where it maps a column that the model does not know."""
    agreement = tmp_path / "data" / "agreement.toml"
    agreement.write_text(
        AGREEMENT.replace("= 30", "= 60")
        + '[source.columns.leads]\nsize = "Effectif"\n'
        + '[attributes.size]\nkind = "number"\nchanges = false\n'
    )
    run(*scoring, "--as-of", "2025-03-01")
    shown = " ".join(capsys.readouterr().out.split())
    assert "differs from the model's agreement in attributes, conversion" in shown


def test_words_that_nobody_speaks_are_shown(tmp_path: Path, capsys: Capture) -> None:
    agreement = AGREEMENT + '[hand_raise]\nkinds = ["demo_reqest"]\n'
    outcomes = OUTCOMES + "L2,perdu,2025-01-20T09:00:00Z\n"
    train(write(tmp_path / "data", agreement=agreement, outcomes=outcomes))
    shown = " ".join(capsys.readouterr().out.split())
    assert "kinds that interactions never has: demo_reqest" in shown
    assert "stages that neither convert nor end a lead in the agreement: perdu" in shown


def test_scoring_without_a_model_says_what_to_run(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data")
    arguments = ["score", folder, "--models", tmp_path, "--out", tmp_path / "s.csv"]
    assert run(*arguments, "--as-of", "2025-01-10") == 66
    assert "leadscore train DATA" in capsys.readouterr().err


def test_an_output_of_an_unknown_form_is_refused(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(100, 12))
    train(folder)
    models = tmp_path / "models"
    arguments = ["score", folder, "--models", models, "--out", tmp_path / "s.xlsx"]
    assert run(*arguments, "--as-of", "2025-01-10") == 73
    assert ".csv" in capsys.readouterr().err


def test_a_date_is_the_start_of_that_day_where_the_firm_is() -> None:
    assert parse_as_of("2025-07-01", PARIS) == pd.Timestamp("2025-06-30T22:00Z")
    assert parse_as_of("2025-07-01T09:00+02:00", PARIS) == pd.Timestamp(
        "2025-07-01T07:00Z"
    )


def test_today_is_resolved_by_the_command_line_alone() -> None:
    at = parse_as_of("today", PARIS).tz_convert(PARIS)
    assert (at.hour, at.minute) == (0, 0)


@pytest.mark.parametrize("text", ["soon", "2025-13-01", "01/02/2025"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no date\. Write 2026-01-31, or today"):
        parse_as_of(text, PARIS)


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks an offset"):
        parse_as_of("2025-07-01T09:00", PARIS)


def test_a_call_without_a_verb_is_a_usage_error(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "VERB" in capsys.readouterr().err


def test_promoting_puts_a_model_into_use(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first model is in use at once; a later one waits for a person.

    Where nothing can be compared, as between points that were fitted on all leads, the
    person says why.
    """
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    first = write(tmp_path / "data", **many_leads(100, 12))
    train(first)
    second = write(tmp_path / "more", **many_leads(110, 13))
    capsys.readouterr()
    assert train(second) == 10
    shown = capsys.readouterr().out
    model_id = re.search(r"leadscore promote (\S+)", shown)[1]
    current = tmp_path / "models" / "current"
    assert current.read_text().strip() != model_id
    assert "was fitted on all leads, and none is left" in " ".join(shown.split())
    promote = ["promote", model_id, "--models", tmp_path / "models"]
    assert run(*promote) == 77
    said = capsys.readouterr().err
    assert "not compared with" in said
    assert "was fitted on all leads, and none is left" in said
    assert run(*promote, "--because", "more leads") == 0
    assert "put into use because: more leads" in capsys.readouterr().out
    assert current.read_text().strip() == model_id


def test_simulating_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("simulate", tmp_path / name, "--leads", 40, "--seed", 5) == 0
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [
        "agreement.toml",
        "interactions.csv",
        "leads.csv",
        "outcomes.csv",
        "truth.parquet",
    ]
    for left, right in zip(one, two, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_the_committed_sample_is_the_one_that_make_data_makes(sample: Path) -> None:
    committed = Path(__file__).parent.parent / "data" / "sample"
    for name in ("leads.csv", "interactions.csv", "outcomes.csv", "agreement.toml"):
        assert (committed / name).read_bytes() == (sample / name).read_bytes(), name


def test_no_line_on_the_terminal_is_wider_than_eighty_columns(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = write(tmp_path / "data", **many_leads(100, 12))
    train(folder)
    shown = capsys.readouterr().out
    # A path is never cut: it is there to be copied.
    assert not [
        line for line in shown.splitlines() if len(line) > 80 and "/" not in line
    ]


def test_words_of_the_last_weeks_are_no_columns(tmp_path: Path) -> None:
    """A kind that was first known after the newest snapshot is unknown to the model."""
    texts = many_leads(100, 12)
    late = "".join(f"L{i},2025-05-30T12:00:00Z,brand_new\n" for i in range(40))
    texts["interactions"] += late
    train(write(tmp_path / "data", **texts))
    models = tmp_path / "models"
    model_id = (models / "current").read_text().strip()
    catalogue = json.loads((models / model_id / "catalogue.json").read_text())
    assert "page_view" in catalogue["kinds"]
    assert "brand_new" not in catalogue["kinds"]


def test_a_lead_that_was_merged_is_not_learned_as_a_no(
    tmp_path: Path, capsys: Capture
) -> None:
    """Half a year later L50 is merged into L51; L3 had converted before, and counts."""
    texts = many_leads(100, 12)
    head, *rows = texts["leads"].splitlines()
    cells = [row.split(",") for row in rows]
    merged = [
        f"{lead},{day},2025-05-01T00:00:00Z,{land},L51"
        for lead, day, land in cells
        if lead in ("L50", "L3")
    ]
    texts["leads"] = "\n".join(
        [
            "lead_id,created_at,known_at,country,merged_into",
            *(f"{lead},{day},,{land}," for lead, day, land in cells),
            *merged,
            "",
        ]
    )
    assert head == "lead_id,created_at,country"
    assert train(write(tmp_path / "data", **texts)) == 10
    shown = capsys.readouterr().out
    assert "12 converted leads (accounts)" in " ".join(shown.split())
    assert re.search(r"set aside: \d+ snapshots, merged later", shown)


def test_rows_of_a_lead_that_was_set_aside_name_its_line(tmp_path: Path) -> None:
    """And do not count against the budget of their own file."""
    texts = many_leads(200, 12)
    texts["leads"] = texts["leads"].replace("L7,2025-01-08T09", "L7,someday")
    more = "".join(f"L7,2025-01-0{n}T12:00:00Z,page_view\n" for n in range(1, 9))
    texts["interactions"] += more
    assert train(write(tmp_path / "data", **texts)) == 10
    rejects = pd.read_csv(tmp_path / "models" / "rejects" / "data.csv")
    followers = rejects[rejects["file"] != "leads.csv"]
    assert len(followers) == 10  # nine visits and a conversion
    assert set(followers["reason"]) == {"its lead was set aside (leads.csv:9)"}


def test_a_list_beside_the_tables_is_replaced_the_next_night(
    scoring: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "data" / "scores.csv"
    for as_of in ("2025-03-01", "2025-03-02"):
        assert run(*scoring[:-1], out, "--as-of", as_of) == 10
    assert set(pd.read_csv(out)["as_of"]) == {"2025-03-02T00:00:00Z"}


def test_a_name_that_holds_no_table_is_refused_before_the_work(
    scoring: list[object], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "data" / "leads.csv").unlink()  # what the work would begin with
    out = tmp_path / "list.xlsx"
    assert run(*scoring[:-1], out, "--as-of", "2025-03-01") == 73
    assert "ends in '.xlsx'. Use a name that ends in .csv" in capsys.readouterr().err
