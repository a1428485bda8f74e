"""A draft of the agreement from a stranger's files, and the refusals."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore import summary
from leadscore.agreement import parse_agreement
from leadscore.draft import find_roles, profile_file
from leadscore.draft.words import COLUMNS, FILES, match, spoken
from leadscore.errors import DataError, InputError, OutputError, RefusedError
from leadscore.store import read_agreement, read_tables
from leadscore.store.header import plain_name
from leadscore.store.raw import read_raw
from leadscore.tables import SCORE_COLUMNS
from leadscore.workflows.init import Drafted, init
from leadscore.workflows.score import score
from leadscore.workflows.train import train
from tests.examples import examples

from . import foreign
from .benchmarks.datasets import datasets_folder
from .benchmarks.foreign_data import CAMPAIGN_NAMES, write_bank_log, write_campaigns


@pytest.fixture(scope="module")
def french(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Drafted:
    folder = tmp_path_factory.mktemp("french")
    foreign.write_french(sample, folder)
    return init(folder)


def small(folder: Path, **changed: pd.DataFrame) -> Path:
    return foreign.write_tables(folder, foreign.small_firm() | changed)


def reasons(drafted: Drafted) -> dict[str, str]:
    return {denied.name: denied.reason for denied in drafted.denied}


# The French export of the sample


def test_a_french_export_is_recognised_column_by_column(french: Drafted) -> None:
    source = french.agreement.source
    assert french.files == foreign.FILES
    attributes = {spoken(name) for name in foreign.TRUTH["leads"].values()}
    assert set(french.agreement.attributes) < attributes
    for table, names in source.columns.model_dump().items():
        assert names.items() <= foreign.TRUTH[table].items()
    assert (source.separator, source.encoding) == (";", "cp1252")
    assert (source.decimal, source.date_order) == (",", "dmy")


def test_tables_read_through_the_draft_are_the_sample_s_tables(
    french: Drafted, sample: Path
) -> None:
    """The theorem: other names, words and marks, and not one value lost."""
    ours = read_tables(sample, read_agreement(sample)[0])
    theirs = french.tables
    names = {plain_name(n): o for o, n in foreign.TRUTH["leads"].items()}
    leads = theirs.leads.rename(columns=names)
    pd.testing.assert_frame_equal(leads[list(ours.leads)], ours.leads)
    kinds = {word: kind for kind, word in foreign.KINDS.items()}
    stages = {word: stage for stage, word in foreign.STAGES.items()}
    order = list(ours.interactions.frame())
    for mine, read, column, words in (
        (ours.interactions.frame(), theirs.interactions.frame(), "kind", kinds),
        (ours.outcomes, theirs.outcomes, "stage", stages),
    ):
        back = read.assign(**{column: read[column].map(words).astype("str")})
        order = ["lead_id", "occurred_at", *mine.columns.drop(["lead_id"])]
        by = list(dict.fromkeys(order))
        pd.testing.assert_frame_equal(
            back.sort_values(by, ignore_index=True),
            mine.sort_values(by, ignore_index=True),
        )
    assert theirs.rejects.empty


def test_what_sales_does_is_denied_in_french_too(french: Drafted) -> None:
    denied = {foreign.KINDS[kind] for kind in ("call", "sales_email", "quote")}
    assert set(french.agreement.features.deny) == denied
    assert all("what sales does" in why for why in reasons(french).values())


def test_the_conversion_and_its_time_are_those_of_the_sample(french: Drafted) -> None:
    conversion, snapshots = french.agreement.conversion, french.agreement.snapshots
    assert conversion.stage == foreign.STAGES["opportunity"]
    assert conversion.horizon_days == 90
    assert 5 <= conversion.reporting_lag_days <= 7
    assert conversion.lost == (foreign.STAGES["lost"],)
    assert conversion.disqualified == (foreign.STAGES["disqualified"],)
    assert conversion.recycled == (foreign.STAGES["recycled"],)
    assert (snapshots.every_days, snapshots.max_age_days) == (14, 180)


def test_attributes_change_iff_their_history_shows_it(french: Drafted) -> None:
    changing = {n for n, a in french.agreement.attributes.items() if a.changes}
    assert changing == {"effectif", "newsletter"}
    assert french.agreement.attributes["message"].kind == "text_presence"
    assert french.agreement.consent.exclude_when_true == ("opposition_au_profilage",)


def test_raised_hands_and_points_are_for_kinds_that_exist(french: Drafted) -> None:
    asked = {foreign.KINDS["demo_request"], foreign.KINDS["contact_request"]}
    assert set(french.agreement.hand_raise.kinds) == asked
    points = {r.kind: r.points for r in french.agreement.points.rules}
    assert points[foreign.KINDS["whitepaper_download"]] == 5
    assert points[foreign.KINDS["email_open"]] == 2
    assert set(points) <= set(french.tables.interactions.by_kind().index)


def test_every_guess_in_the_text_says_because(french: Drafted) -> None:
    said = french.text.replace("\n# GUESS", "\n\nGUESS").replace("\n# ", " ")
    guesses = [line for line in said.splitlines() if line.startswith("GUESS")]
    assert len(guesses) > 15
    assert all(" because " in line for line in guesses)
    assert all(len(line) <= 88 for line in french.text.splitlines())
    assert parse_agreement(french.text) == french.agreement


def test_the_summary_is_narrow_and_the_facts_are_plain(french: Drafted) -> None:
    lines = summary.init_lines(french, Path("data/mine"))
    assert all(len(line) <= summary.WIDTH for line in lines)
    assert lines[-1] == "next: leadscore check data/mine"
    facts = summary.init_facts(french)
    assert facts["files"] == foreign.FILES
    assert facts["n_leads"] == 2000


def test_the_sample_in_its_own_names_needs_no_mapping(
    sample: Path, tmp_path: Path
) -> None:
    for table in foreign.FILES:
        (tmp_path / f"{table}.csv").write_bytes((sample / f"{table}.csv").read_bytes())
    drafted = init(tmp_path)
    assert drafted.agreement.source.columns.model_dump() == {
        "leads": {},
        "interactions": {},
        "outcomes": {},
    }
    assert "[source.files]" not in drafted.text
    assert set(drafted.agreement.features.deny) == {"call", "sales_email", "quote"}
    assert drafted.agreement.conversion.stage == "opportunity"


# What a draft obeys


def test_two_drafts_of_one_folder_are_the_same(tmp_path: Path) -> None:
    folder = small(tmp_path)
    assert init(folder).text == init(folder, overwrite=True).text


def test_a_draft_never_replaces_an_agreement_unasked(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / "agreement.toml").write_text("# ours\n")
    with pytest.raises(OutputError, match="--overwrite") as caught:
        init(folder)
    assert caught.value.exit_code == 73
    assert (folder / "agreement.toml").read_text() == "# ours\n"


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of the draft for the small firm."""
    return init(small(tmp_path_factory.mktemp("drafted"))).text


@given(seed=st.integers(0, 2**32 - 1))
@settings(
    max_examples=examples(5), suppress_health_check=list(HealthCheck), deadline=None
)
def test_the_order_of_columns_and_rows_does_not_matter(
    drafted: str, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    tables = foreign.small_firm()
    rng = np.random.default_rng(seed)
    shuffled = {
        name: frame.iloc[rng.permutation(len(frame)), rng.permutation(frame.shape[1])]
        for name, frame in tables.items()
    }
    folder = foreign.write_tables(tmp_path_factory.mktemp("shuffled"), shuffled)
    assert init(folder).text == drafted


def _spellings(phrases: tuple[str, ...], ours: str) -> st.SearchStrategy[str]:
    """Names people write: a known phrase, in any case, with spaces, accents kept."""
    return st.tuples(
        st.sampled_from(phrases[:12]),
        st.sampled_from([str.lower, str.upper, str.title, str.capitalize]),
        st.sampled_from(["_", " ", "-"]),
    ).map(lambda made: made[1](made[0].replace("_", made[2])))


_FIRM = foreign.small_firm(60)


@given(data=st.data())
@settings(
    max_examples=examples(25), suppress_health_check=list(HealthCheck), deadline=None
)
def test_known_names_are_recognised_in_any_language_case_and_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("names")
    written, renamed = {}, {}
    for table, frame in _FIRM.items():
        names = {
            ours: data.draw(_spellings(COLUMNS[table][ours], ours), label=ours)
            for ours in frame.columns
            if ours in COLUMNS[table]
        }
        if len({plain_name(n) for n in names.values()}) < len(names):
            continue
        file = data.draw(st.sampled_from(FILES[table][:4]), label=table)
        written[file] = frame.rename(columns=names)[
            data.draw(st.permutations([names.get(c, c) for c in frame.columns]))
        ]
        renamed[table] = (file, names)
    if len(written) < 3 or len(renamed) < 3:
        return
    foreign.write_tables(folder, written)
    roles = find_roles([profile_file(read_raw(p)) for p in sorted(folder.iterdir())])
    assert roles is not None
    for table, (file, names) in renamed.items():
        role = getattr(roles, table)
        assert role is not None
        assert role.file.file == f"{file}.csv"
        assert {o: g.column for o, g in role.columns.items() if o in names} == names


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_either_spelling_are_the_same_name(form: str) -> None:
    name = unicodedata.normalize(form, "Créé le")  # type: ignore[arg-type]
    assert match(name, COLUMNS["leads"]["created_at"]) > 0.9


# What knows too much


def test_a_column_filled_only_for_customers_is_denied(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    won = tables["outcomes"].query("stage == 'customer'")["lead_id"]
    leads = tables["leads"]
    leads["plan"] = leads["lead_id"].isin(won).map({True: "gold", False: ""})
    drafted = init(small(tmp_path, leads=leads))
    assert "plan" not in drafted.agreement.attributes
    assert "100% of the leads that converted, 0%" in reasons(drafted)["plan"]
    assert "100% of the leads that converted" in drafted.text


def test_a_column_that_decides_alone_is_denied(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    won = tables["outcomes"].query("stage == 'customer'")["lead_id"]
    leads = tables["leads"]
    is_won = leads["lead_id"].isin(won)
    leads["segment"] = is_won.map({True: "a", False: "b"})
    leads["heat"] = is_won * 100 + np.arange(len(leads)) % 7
    drafted = init(small(tmp_path, leads=leads))
    assert {"segment", "heat"} <= set(reasons(drafted))
    assert "almost alone it decides" in reasons(drafted)["heat"]
    assert {"country", "employees"} == set(drafted.agreement.attributes)


def test_a_kind_at_the_moment_of_the_outcome_is_denied(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    won = tables["outcomes"].query("stage == 'customer'")
    welcome = won[["lead_id", "occurred_at"]].assign(kind="welcome_pack")
    welcome["occurred_at"] -= pd.Timedelta(seconds=1)
    together = pd.concat([tables["interactions"], welcome])
    drafted = init(small(tmp_path, interactions=together))
    assert (
        "at the very moment when the lead is decided"
        in (reasons(drafted)["welcome_pack"])
    )
    assert reasons(drafted)["call"].startswith("what sales does")
    assert "page_view" not in drafted.agreement.features.deny


def test_persons_ids_and_what_sales_decides_are_no_attributes(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"]
    n = range(len(leads))
    leads = leads.assign(
        Courriel=[f"a{i}@example.org" for i in n],
        Kontakt=[f"+33 6 12 34 56 {i:02}" for i in n],
        Nachname=[f"Name {i % 50}" for i in n],
        Owner=[("ann", "bob")[i % 2] for i in n],
        **{
            "Lead Status": [("open", "working", "won")[i % 3] for i in n],
            "Number of Pageviews": [i % 17 for i in n],
            "Last Activity Date": leads["created_at"] + pd.Timedelta(days=9),
            "Code interne": [f"Z{i * 37}" for i in n],
        },
    )
    drafted = init(small(tmp_path, leads=leads))
    said = reasons(drafted)
    assert set(drafted.agreement.attributes) == {"country", "employees"}
    assert said["courriel"].startswith("personal data")
    assert said["kontakt"].startswith("personal data")
    assert said["nachname"] == "personal data"
    assert "sales" in said["owner"]
    assert "outcome in disguise" in said["lead_status"]
    assert "running total" in said["number_of_pageviews"]
    assert "future" in said["last_activity_date"]
    assert said["code_interne"].startswith("an id")
    assert all(f'"{name}", # ' in drafted.text for name in ("owner", "courriel"))


# Other shapes of exports


def hubspot(folder: Path, dates: str = "%m/%d/%Y %H:%M") -> Path:
    """One file of contacts whose results are dated columns, and one of activities."""
    tables = foreign.small_firm()
    leads, ends = tables["leads"], tables["outcomes"].set_index("lead_id")
    won = ends[ends["stage"] == "customer"]["occurred_at"]
    contacts = leads.rename(
        columns={"lead_id": "Record ID", "created_at": "Create Date"}
    ).assign(
        **{
            "Became a Customer Date": leads["lead_id"].map(won),
            "Last Modified Date": pd.Timestamp("2024-09-01 10:00"),
            "Unsubscribed from all email": ["", "true"] * 60,
        }
    )
    activities = tables["interactions"].rename(
        columns={
            "lead_id": "Associated Contact ID",
            "occurred_at": "Activity Date",
            "kind": "Activity Type",
        }
    )
    frames = {"contacts": contacts, "activities": activities}
    return foreign.write_tables(folder, frames, dates=dates)


def test_dated_columns_of_contacts_are_the_outcomes(tmp_path: Path) -> None:
    drafted = init(hubspot(tmp_path))
    source = drafted.agreement.source
    assert source.dated_stages == {"customer": "Became a Customer Date"}
    assert source.date_order == "mdy"
    # Who wants no mail may be scored: a person decides, and it is no feature either.
    assert drafted.agreement.consent.exclude_when_true == ()
    assert "unsubscribed_from_all_email" not in drafted.agreement.attributes
    assert any("forbid to score a lead, or only" in d for d in drafted.decisions)
    assert "known_at" not in source.columns.leads, "one row a lead: a last change"
    expected = foreign.small_firm()["outcomes"].query("stage == 'customer'")
    outcomes = drafted.tables.outcomes
    assert outcomes["lead_id"].tolist() == sorted(expected["lead_id"])
    assert outcomes["stage"].unique().tolist() == ["customer"]


def test_one_log_serves_as_interactions_and_outcomes(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    results = tables["outcomes"].rename(columns={"stage": "kind"})
    log = pd.concat([tables["interactions"], results], ignore_index=True)
    folder = foreign.write_tables(tmp_path, {"people": tables["leads"], "log": log})
    drafted = init(folder)
    assert drafted.files == {
        "leads": "people.csv",
        "interactions": "log.csv",
        "outcomes": "log.csv",
    }
    assert len(drafted.tables.outcomes) == len(results)
    assert len(drafted.tables.interactions) == len(log)
    assert {"customer", "lost", "call"} <= set(drafted.agreement.features.deny)
    assert sorted(drafted.tables.digests) == ["log.csv", "people.csv"]


def test_dates_that_read_both_ways_are_guessed_loudly(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    for frame, column in (
        (tables["leads"], "created_at"),
        (tables["interactions"], "occurred_at"),
        (tables["outcomes"], "occurred_at"),
    ):
        days = (np.arange(len(frame)) % 12) + 1
        frame[column] = [f"{day:02}/{1 + day % 12:02}/2024" for day in days]
    tables["outcomes"]["occurred_at"] = [
        f"{1 + i % 12:02}/01/2025" for i in range(len(tables["outcomes"]))
    ]
    drafted = init(foreign.write_tables(tmp_path, tables))
    assert drafted.agreement.source.date_order == "dmy"
    assert "# GUESS: PLEASE LOOK: dates are read day first" in drafted.text
    assert '"01/02/2024"' in drafted.text.replace("\n# ", " ")
    assert drafted.decisions[0].startswith("Are dates day first?")


def test_a_stage_without_a_telling_name_is_marked(tmp_path: Path) -> None:
    outcomes = foreign.small_firm()["outcomes"]
    outcomes["stage"] = outcomes["stage"].map({"customer": "S9", "lost": "S2"})
    drafted = init(small(tmp_path, outcomes=outcomes))
    assert not drafted.draft.stages.is_named
    assert "PLEASE LOOK" in drafted.text
    assert any("No name says so" in d for d in drafted.decisions)


def test_one_row_in_the_far_future_gets_a_data_end(tmp_path: Path) -> None:
    rows = foreign.small_firm()["interactions"]
    planned = rows.iloc[[0]].assign(occurred_at=pd.Timestamp("2031-05-01"))
    drafted = init(small(tmp_path, interactions=pd.concat([rows, planned])))
    assert drafted.agreement.source.data_end is not None
    assert drafted.tables.data_end < pd.Timestamp("2025-01-01", tz="UTC")
    assert "2031-05-01" in drafted.text


def test_bad_rows_beyond_the_budget_are_allowed_and_said(tmp_path: Path) -> None:
    outcomes = foreign.small_firm()["outcomes"].copy()
    outcomes.loc[:2, "lead_id"] = "nobody"
    drafted = init(small(tmp_path, outcomes=outcomes))
    assert 0.03 < drafted.agreement.source.max_reject_share < 0.08
    assert "mostly: unknown lead" in drafted.text.replace("\n# ", " ")
    assert len(drafted.tables.rejects) == 3


# One row a deal, with where it stands today


def deals_of_today(n: int = 240) -> dict[str, pd.DataFrame]:
    tables = foreign.small_firm(n)
    ids = tables["leads"]["lead_id"]
    when = tables["leads"]["created_at"] + pd.Timedelta(days=20)
    stages = [("Closed Won", "Opportunity", "Opportunity")[i % 3] for i in range(n)]
    deals = pd.DataFrame({"lead_id": ids, "stage": stages, "occurred_at": when})
    return tables | {"outcomes": deals}


def test_one_row_a_deal_never_makes_won_leads_failures(tmp_path: Path) -> None:
    drafted = init(foreign.write_tables(tmp_path, deals_of_today()))
    assert drafted.agreement.conversion.stage == "Closed Won"
    assert drafted.draft.stages.is_current
    assert 'PLEASE LOOK: "Closed Won" is success' in drafted.text
    assert any("stage of today" in said for said in drafted.decisions)


def test_a_history_of_stages_is_learned_by_the_earlier_one(tmp_path: Path) -> None:
    tables = deals_of_today()
    deals = tables["outcomes"]
    opened = deals.assign(stage="Opportunity")
    won = deals[deals["stage"] == "Closed Won"].copy()
    won["occurred_at"] += pd.Timedelta(days=9)
    again = opened.assign(occurred_at=opened["occurred_at"] + pd.Timedelta(days=1))
    tables["outcomes"] = pd.concat([opened, again, won])
    drafted = init(foreign.write_tables(tmp_path, tables))
    assert drafted.agreement.conversion.stage == "Opportunity"
    assert "240 leads reached it, and only 80" in drafted.draft.stages.because


# What else lies in a folder


def test_our_own_outputs_are_left_out_and_said(tmp_path: Path) -> None:
    plain = init(small(tmp_path / "plain"))
    folder = small(tmp_path / "mixed")
    ids = foreign.small_firm()["leads"]["lead_id"]
    scores = pd.DataFrame(dict.fromkeys(SCORE_COLUMNS, ""), index=ids.index)
    scores = scores.assign(lead_id=ids, as_of="2024-06-01", label="SQL")
    ours = {
        "activities": scores,
        "features": scores[["lead_id", "as_of"]].assign(status="eligible", n=1),
        "truth": scores[["lead_id", "as_of", "probability"]],
        "scores.rejects": pd.DataFrame({"file": ["a"], "raw": ["b,c"]}),
    }
    foreign.write_tables(folder, ours)
    drafted = init(folder)
    assert drafted.files == plain.files
    assert drafted.agreement == plain.agreement
    lines = "\n".join(summary.init_lines(drafted, folder))
    for name in ours:
        assert f"{name}.csv was left out" in drafted.text.replace("\n# ", " ")
        assert f"left out     {name}.csv: leadscore wrote it" in lines


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / "broken.parquet").write_bytes(b"no parquet")
    drafted = init(folder)
    assert "broken.parquet was left out" in drafted.text
    assert "broken.parquet" in "\n".join(summary.init_lines(drafted, folder))
    assert summary.init_facts(drafted)["left_out"][0]["file"] == "broken.parquet"


def test_suffixes_in_capitals_are_read(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    deals = tables.pop("outcomes")
    folder = foreign.write_tables(tmp_path, tables)
    deals.to_parquet(folder / "DEALS.PARQUET")
    (folder / "leads.csv").rename(folder / "LEADS.CSV")
    drafted = init(folder)
    assert drafted.files["outcomes"] == "DEALS.PARQUET"
    assert drafted.files["leads"] == "LEADS.CSV"
    assert len(read_tables(folder, drafted.agreement).outcomes) == len(deals)


# Whose data it is


def test_a_birthday_decides_no_order_and_is_never_shown(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"]
    leads["Birthday"] = [f"{1 + i % 12:02}/{2 + i % 11:02}/1980" for i in leads.index]
    drafted = init(small(tmp_path, leads=leads))
    assert drafted.draft.writing.unclear == ""
    assert "1980" not in drafted.text + " ".join(drafted.decisions)


def test_names_of_people_never_enter_the_agreement(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"].drop(columns=["country"])
    people = [f"{a} {b}" for a in ("Ann", "Bob", "Eve", "Max") for b in ("Lee", "Roy")]
    many = [f"{name}{c}" for name in people for c in "abcd"]
    rows = range(len(leads))
    leads["Ansprechpartner"] = [people[i % 8] for i in rows]
    leads["Gestionnaire"] = [people[i % 8] for i in rows]
    leads["Account Manager"] = [people[i % 8] for i in rows]
    leads["Godmother"] = [many[i % 32] for i in rows]
    leads["Mentor"] = [people[i % 8] for i in rows]
    drafted = init(small(tmp_path, leads=leads))
    assert {"mentor", "employees"} == set(drafted.agreement.attributes)
    assert "sales" in reasons(drafted)["account_manager"]
    assert "names of people" in reasons(drafted)["godmother"]
    assert not any(name in drafted.text for name in people)


# Odd names, and numbers that are not read off sentences


def test_a_file_name_like_a_sentence_is_counted(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    tables["outcomes"].loc[:2, "lead_id"] = "nobody"
    tables["export: deals"] = tables.pop("outcomes")
    drafted = init(foreign.write_tables(tmp_path, tables))
    assert 0.03 < drafted.agreement.source.max_reject_share < 0.08


def test_control_characters_give_valid_toml(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    rows = tables["interactions"]
    rows["kind"] = rows["kind"].replace("call", "sales call\x7f\x01")
    tables["leads"] = tables["leads"].rename(columns={"country": "coun\x7ftry"})
    tables["leads"]["un\x7fit"] = "a\x7fb"
    drafted = init(foreign.write_tables(tmp_path, tables))
    assert "sales call\x7f\x01" in drafted.agreement.features.deny
    assert "\x7f" not in drafted.text


def test_an_attribute_that_tells_much_is_marked(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    won = tables["outcomes"].query("stage == 'customer'")["lead_id"]
    leads = tables["leads"]
    is_won = leads["lead_id"].isin(won)
    swapped = np.arange(len(leads)) % 5 == 0
    leads["segment"] = (is_won ^ swapped).map({True: "a", False: "b"})
    drafted = init(small(tmp_path, leads=leads))
    assert "segment" in drafted.agreement.attributes
    assert "# PLEASE LOOK: it tells much, of a lead that converted" in drafted.text
    assert any(s.startswith("PLEASE LOOK: segment") for s in drafted.decisions)


# Refusals


def refusal(folder: Path, kind: type[Exception] = DataError) -> str:
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(kind) as caught:
        init(folder)
    assert sorted(path.name for path in folder.iterdir()) == before
    return str(caught.value)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crm.xlsx").write_bytes(b"PK")
    assert "there is: crm.xlsx" in refusal(tmp_path, InputError)


def test_tables_without_dates_are_refused(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"].drop(columns="created_at")
    foreign.write_tables(tmp_path, {"people": leads})
    said = refusal(tmp_path)
    assert 'people.csv: 120 rows, 3 columns, no date, id "lead_id"' in said
    assert "No column holds dates" in said


def test_dates_nobody_reads_are_named(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"]
    foreign.write_tables(tmp_path, {"people": leads}, dates="%m/%d/%y")
    assert "looks like dates, but '01/01/24' cannot be read" in refusal(tmp_path)


def test_leads_without_any_outcome_are_refused(tmp_path: Path) -> None:
    foreign.write_tables(tmp_path, {"people": foreign.small_firm()["leads"]})
    said = refusal(tmp_path)
    assert 'Taken as leads: people.csv, by "lead_id"' in said
    assert "nothing says who converted" in said


def test_files_whose_ids_do_not_meet_are_refused(tmp_path: Path) -> None:
    tables = foreign.small_firm()
    tables["outcomes"]["lead_id"] = "Q" + tables["outcomes"]["lead_id"]
    del tables["interactions"]
    said = refusal(foreign.write_tables(tmp_path, tables))
    assert "no other file both names these ids" in said


def test_two_rows_a_lead_without_a_clock_are_refused(tmp_path: Path) -> None:
    leads = foreign.small_firm()["leads"]
    twice = pd.concat([leads, leads.assign(country="be")])
    said = refusal(small(tmp_path, leads=twice))
    assert "no column says when each row was known" in said


# Real data


@pytest.fixture(scope="module")
def datasets() -> Path:
    try:
        return datasets_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.real_data
def test_a_bank_s_log_of_everything_is_understood(
    datasets: Path, tmp_path: Path
) -> None:
    write_bank_log(datasets / "bpi2012", tmp_path, every_nth=10)
    drafted = init(tmp_path)
    assert drafted.files["outcomes"] == drafted.files["interactions"]
    conversion = drafted.agreement.conversion
    assert conversion.stage == "A_APPROVED"
    assert {"A_DECLINED", "A_CANCELLED"} <= set(conversion.lost)
    assert "O_CANCELLED" not in conversion.lost, "cases go on after it"
    assert conversion.horizon_days == 30
    assert drafted.agreement.snapshots.at_age_hours == (24.0, 168.0)
    disguised = {"A_REGISTERED", "A_ACTIVATED", "O_ACCEPTED"}
    assert disguised <= set(drafted.agreement.features.deny)
    assert all("moment" in reasons(drafted)[kind] for kind in disguised)
    assert set(drafted.agreement.attributes) == {"montant_demande"}


@pytest.mark.slow
@pytest.mark.real_data
def test_a_grocer_s_campaigns_are_understood(datasets: Path, tmp_path: Path) -> None:
    write_campaigns(datasets / "completejourney", tmp_path)
    drafted = init(tmp_path)
    columns = drafted.agreement.source.columns.model_dump()
    for table, names in CAMPAIGN_NAMES.items():
        declared = {o: n for o, n in names.items() if o in COLUMNS[table]}
        assert columns[table] == declared
    attributes = {n for o, n in CAMPAIGN_NAMES["leads"].items()}
    assert {plain_name(n) for n in attributes} - {
        "contact_id",
        "debut_le",
        "n_foyer",
    } == set(drafted.agreement.attributes)
    assert drafted.agreement.conversion.stage == "redeemed"
    assert drafted.agreement.conversion.horizon_days == 45
    assert drafted.agreement.attributes["taille_du_foyer"].kind == "number"


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["bank-marketing", "online-shoppers"])
def test_data_without_dates_is_refused_honestly(
    datasets: Path, tmp_path: Path, name: str
) -> None:
    for path in (datasets / name).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert "No column holds dates" in refusal(tmp_path)


# From the draft on


def test_a_draft_trains_and_scores_and_never_writes_over_its_files(
    tmp_path: Path,
) -> None:
    data = hubspot(tmp_path / "data")
    init(data)
    trained = train(data, tmp_path / "models")
    assert sorted(trained.tables.digests) == ["activities.csv", "contacts.csv"]
    as_of = pd.Timestamp("2024-04-15", tz="UTC")
    out = tmp_path / "scores.csv"
    scored = score(data, trained.bundle, as_of=as_of, out=out)
    assert len(scored.scores) > 10
    assert scored.scores["probability"].notna().all()
    with pytest.raises(RefusedError, match="is an input of this run"):
        score(data, trained.bundle, as_of=as_of, out=data / "contacts.csv")
    (data / "agreement.toml").unlink()
    (data / "activities.csv").unlink()
    with pytest.raises(InputError, match=r"lacks activities\.csv"):
        score(data, trained.bundle, as_of=as_of, out=out)


def test_a_model_trained_with_interactions_wants_them_under_any_name(
    tmp_path: Path,
) -> None:
    data = hubspot(tmp_path / "data")
    init(data)
    trained = train(data, tmp_path / "models")
    agreement = (data / "agreement.toml").read_text()
    bare = agreement.replace('interactions = "activities.csv"\n', "")
    (data / "agreement.toml").write_text(bare)
    as_of = pd.Timestamp("2024-04-15", tz="UTC")
    with pytest.raises(InputError, match="holds no interactions"):
        score(data, trained.bundle, as_of=as_of, out=tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("name", "is_objection"),
    [
        ("Widerspruch Profilbildung", True),
        ("Opposition au profilage", True),
        ("objects_to_profiling", True),
        ("Do not contact", True),
        ("Marketing emails opted out", False),
        ("HasOptedOutOfEmail", False),
        ("Unsubscribed from all email", False),
        ("Newsletter", False),
    ],
)
def test_an_objection_is_told_from_who_wants_no_mail(
    name: str, is_objection: bool
) -> None:
    from leadscore.draft.meanings import is_consent, wants_no_mail

    assert is_consent(name) == is_objection
    assert not (is_consent(name) and wants_no_mail(name))
