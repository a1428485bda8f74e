"""A data folder in, typed tables out."""

import gzip
import hashlib
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore import store
from leadscore.agreement import parse_agreement
from leadscore.errors import AgreementError, DataError, InputError
from leadscore.interactions import BUCKET
from leadscore.store import read_agreement, read_tables
from leadscore.store.raw import read_raw
from leadscore.tables import INSTANT, LEADS, OUTCOMES

LEADS_CSV = """\
lead_id,created_at,known_at,industry
L1,2025-01-01T10:00Z,2025-01-01T10:00Z,retail
L2,2025-01-02T10:00Z,2025-01-02T10:00Z,
L1,2025-01-01T10:00Z,2025-02-01T10:00Z,food
"""
INTERACTIONS_CSV = """\
lead_id,occurred_at,kind
L2,2025-01-05T10:00Z,view
L1,2025-01-03T10:00Z,view
"""
OUTCOMES_CSV = """\
lead_id,stage,occurred_at
L1,opportunity,2025-02-03T10:00Z
"""
INDUSTRY = '[attributes.industry]\nkind = "category"\nchanges = true\n'
GENEROUS = "[source]\nmax_reject_share = 0.9\n"


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, leads=LEADS_CSV, interactions=INTERACTIONS_CSV)
    write(tmp_path, outcomes=OUTCOMES_CSV)
    return tmp_path


def write(folder, **tables):
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")


def read(folder, toml=GENEROUS + INDUSTRY):
    return read_tables(folder, parse_agreement(toml))


def refusal(folder, toml=GENEROUS + INDUSTRY):
    with pytest.raises(DataError) as caught:
        read(folder, toml)
    return str(caught.value)


def reasons(tables):
    return (
        tables.rejects[["file", "line", "column", "value", "reason"]]
        .to_numpy(dtype=object)
        .tolist()
    )


def test_the_door_is_two_functions():
    assert store.__all__ == ["read_agreement", "read_tables"]


def test_a_folder_is_read_as_typed_tables_in_their_own_order(folder):
    tables = read(folder)
    assert tables.leads["lead_id"].tolist() == ["L1", "L1", "L2"]
    assert tables.leads["industry"].fillna("?").tolist() == ["retail", "food", "?"]
    assert tables.interactions.frame()["lead_id"].tolist() == ["L1", "L2"]
    assert tables.outcomes["stage"].tolist() == ["opportunity"]
    assert list(tables.leads) == [*LEADS.names, "industry"]
    assert list(tables.interactions.frame()) == BUCKET.names
    assert list(tables.outcomes) == list(OUTCOMES.names)
    assert str(tables.data_end) == "2025-02-03 10:00:00+00:00"
    assert tables.rejects.empty
    assert list(tables.rejects) == ["file", "line", "column", "value", "reason", "raw"]


def test_the_notes_tell_counts_and_assumptions(folder):
    assert read(folder).notes == (
        "leads.csv: 3 rows read, 3 used, 0 set aside; separator ',', utf-8.",
        "interactions.csv: 2 rows read, 2 used, 0 set aside; separator ',', utf-8.",
        "interactions.csv: no known_at column; rows count as known at their "
        "occurred_at.",
        "outcomes.csv: 1 rows read, 1 used, 0 set aside; separator ',', utf-8.",
        "outcomes.csv: no known_at column; rows count as known at their occurred_at.",
        "data_end is not given; the latest known_at was taken, "
        "2025-02-03T10:00:00+00:00.",
    )


def test_rows_that_do_not_say_when_they_were_known_are_counted(folder):
    leads = LEADS_CSV.replace(
        "L2,2025-01-02T10:00Z,2025-01-02T10:00Z", "L2,2025-01-02,"
    )
    write(folder, leads=leads)
    counts = read(folder, GENEROUS + INDUSTRY.replace("true", "false")).counts
    assert [(c.file, c.n_assumed, c.has_known_at) for c in counts] == [
        ("leads.csv", 1, True),
        ("interactions.csv", 2, False),
        ("outcomes.csv", 1, False),
    ]


def test_the_digests_are_those_of_the_files(folder):
    digests = read(folder).digests
    assert sorted(digests) == ["interactions.csv", "leads.csv", "outcomes.csv"]
    assert digests["leads.csv"] == hashlib.sha256(LEADS_CSV.encode()).hexdigest()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_rows_of_a_file_does_not_matter(folder, order):
    expected = read(folder)
    header, *rows = LEADS_CSV.splitlines()
    shuffled = "\n".join([header, *(rows[i] for i in order)])
    write(folder, leads=shuffled)
    pd.testing.assert_frame_equal(read(folder).leads, expected.leads)


def test_gzip_and_parquet_give_the_same_tables(folder):
    expected = read(folder)
    (folder / "leads.csv").unlink()
    (folder / "leads.csv.gz").write_bytes(gzip.compress(LEADS_CSV.encode()))
    (folder / "interactions.csv").unlink()
    frame = pd.DataFrame(
        {
            "lead_id": ["L2", "L1"],
            "occurred_at": pd.to_datetime(["2025-01-05 10:00", "2025-01-03 10:00"]),
            "kind": pd.Categorical(["view", "view"]),
        }
    )
    frame.to_parquet(folder / "interactions.parquet")
    tables = read(folder)
    pd.testing.assert_frame_equal(tables.leads, expected.leads)
    pd.testing.assert_frame_equal(
        tables.interactions.frame(), expected.interactions.frame()
    )


def parquet_leads(folder, toml="", **columns):
    """Read leads of a Parquet file with no other table but an empty outcomes."""
    pd.DataFrame(columns).to_parquet(folder / "leads.parquet")
    write(folder, outcomes="lead_id,stage,occurred_at\n")
    return read(folder, toml)


def test_parquet_types_go_through_the_same_contract(tmp_path):
    toml = 'time_zone = "Europe/Paris"\n' + "".join(
        f'[attributes.{name}]\nkind = "{kind}"\nchanges = false\n'
        for name, kind in [("size", "number"), ("since", "date"), ("vip", "category")]
    )
    tables = parquet_leads(
        tmp_path,
        toml,
        lead_id=[7, 8],
        created_at=pd.to_datetime(["2025-07-01 02:00", "2025-07-02 00:00"]),
        known_at=pd.to_datetime(["2025-07-01 02:00", None], utc=True),
        account_id=[12.0, None],
        size=[12.345, None],
        since=[pd.Timestamp("2020-01-01").date(), None],
        vip=[True, False],
    )
    leads = tables.leads
    assert leads["lead_id"].tolist() == ["7", "8"]
    assert leads["account_id"].fillna("?").tolist() == ["12", "?"]
    assert str(leads["created_at"][0]) == "2025-07-01 00:00:00+00:00"
    assert str(leads["known_at"][0]) == "2025-07-01 02:00:00+00:00"
    assert str(leads["since"][0]) == "2019-12-31 23:00:00+00:00"
    assert leads["size"][0] == 12.345
    assert np.isnan(leads["size"][1])
    assert leads["vip"].tolist() == ["true", "false"]
    assert leads.dtypes[["created_at", "known_at", "since"]].tolist() == [INSTANT] * 3


def test_a_bad_parquet_row_is_told_by_its_number_plus_one(tmp_path):
    tables = parquet_leads(
        tmp_path,
        GENEROUS,
        lead_id=["L1", None],
        created_at=["2025-01-01", "2025-01-02"],
    )
    (reject,) = tables.rejects.to_dict("records")
    assert (reject["line"], reject["column"]) == (3, "lead_id")
    assert reject["reason"] == "is empty"
    assert pd.isna(reject["value"])
    assert tables.rejects["raw"].tolist() == [",2025-01-02"]


def test_a_parquet_column_of_lists_is_refused(tmp_path):
    with pytest.raises(DataError, match='column "created_at" holds list'):
        parquet_leads(tmp_path, lead_id=["L1"], created_at=[[1, 2]])


def test_a_broken_parquet_file_is_an_input_error(folder):
    (folder / "leads.csv").unlink()
    (folder / "leads.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match=r"leads\.parquet cannot be read as Parquet"):
        read(folder)


def test_leads_and_outcomes_are_required(tmp_path):
    (tmp_path / "prospects.csv").write_text("x")
    with pytest.raises(InputError, match=r"lacks leads and outcomes.*: prospects\.csv"):
        read(tmp_path)


def test_a_folder_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        read(tmp_path / "nowhere")


def test_interactions_are_optional_and_keep_their_types(folder):
    typed = read(folder).interactions.frame().dtypes
    (folder / "interactions.csv").unlink()
    tables = read(folder)
    assert len(tables.interactions) == 0
    pd.testing.assert_series_equal(tables.interactions.frame().dtypes, typed)
    assert "No interactions file; leads are judged without any." in tables.notes


def test_one_table_in_two_forms_is_refused(folder):
    (folder / "leads.csv.gz").write_bytes(gzip.compress(LEADS_CSV.encode()))
    assert "holds leads twice: leads.csv and leads.csv.gz" in refusal(folder)


def test_leads_without_a_usable_row_are_refused(folder):
    write(folder, leads="lead_id,created_at,known_at\nL1,soon,\n")
    assert "no lead can be used" in refusal(folder, "[source]\nmax_reject_share = 1\n")


def test_leads_without_a_row_are_an_empty_export(folder):
    """Also where the agreement says that an attribute changes."""
    write(folder, leads="lead_id,created_at,known_at,size\n")
    changing = "[attributes.size]\nkind = 'number'\nchanges = true\n"
    for agreement in ("", changing):
        assert "leads.csv has column names, but no rows" in refusal(folder, agreement)


def test_a_folder_is_no_table(folder):
    (folder / "interactions.csv").unlink()
    (folder / "interactions.csv").mkdir()
    with pytest.raises(InputError, match=r"interactions\.csv is a folder, not a file"):
        read(folder)


def test_a_missing_agreement_tells_the_next_step(tmp_path):
    with pytest.raises(
        InputError,
        match=r"agreement\.toml is missing\. Write one; two lines",
    ):
        read_agreement(tmp_path)


def test_an_agreement_is_returned_with_its_text(tmp_path):
    (tmp_path / "agreement.toml").write_text('version = "7"\n')
    agreement, text = read_agreement(tmp_path)
    assert (agreement.version, text) == ("7", 'version = "7"\n')


def test_an_agreement_that_is_not_text_is_an_input_error(tmp_path):
    (tmp_path / "agreement.toml").write_bytes(b'version = "\xff"\n')
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_agreement(tmp_path)


def test_a_wrong_agreement_says_where(tmp_path):
    (tmp_path / "agreement.toml").write_text("versoin = '7'\n")
    with pytest.raises(AgreementError, match=r"agreement\.toml line 1: unknown key"):
        read_agreement(tmp_path)


def test_two_rows_of_a_lead_known_at_one_instant_are_refused(folder):
    write(folder, leads=LEADS_CSV + "L2,2025-01-02T10:00Z,2025-01-02T10:00Z,food\n")
    assert refusal(folder) == (
        "leads.csv: lines 3 and 5 hold different rows of lead 'L2' with the same "
        "known_at, 2025-01-02T10:00:00+00:00. Keep one of them, or give each its own "
        "known_at."
    )


def test_a_lead_is_created_once(folder):
    write(folder, leads=LEADS_CSV + "L2,2025-01-03T10:00Z,2025-01-04T10:00Z,food\n")
    tables = read(folder)
    assert reasons(tables) == [
        [
            "leads.csv",
            5,
            "created_at",
            "2025-01-03T10:00Z",
            "is not the created_at that the lead's first row has",
        ]
    ]
    assert tables.rejects["raw"].tolist() == [
        "L2,2025-01-03T10:00Z,2025-01-04T10:00Z,food"
    ]
    assert tables.leads["lead_id"].tolist() == ["L1", "L1", "L2"]


def test_a_row_delivered_twice_counts_once(folder):
    write(
        folder,
        leads=LEADS_CSV + LEADS_CSV.splitlines()[1] + "\n",
        interactions=INTERACTIONS_CSV + "L1,2025-01-03T11:00+01:00,view\n",
    )
    tables = read(folder, INDUSTRY)
    assert len(tables.leads) == 3
    assert len(tables.interactions) == 2
    assert tables.notes[0].startswith(
        "leads.csv: 4 rows read, 3 used, 1 counted once, 0 set aside;"
    )
    assert (
        "interactions.csv: 1 rows repeat another one in every column and were counted "
        "once." in tables.notes
    )


def test_facts_of_unknown_leads_are_set_aside(folder):
    write(
        folder,
        interactions=INTERACTIONS_CSV + "L9,2025-01-03T10:00Z,view\n",
        outcomes=OUTCOMES_CSV + "L8,lost,2025-01-03T10:00Z\n",
    )
    assert reasons(read(folder)) == [
        ["interactions.csv", 4, "lead_id", "L9", "unknown lead"],
        ["outcomes.csv", 3, "lead_id", "L8", "unknown lead"],
    ]


def test_an_outcome_from_before_its_lead_is_set_aside(folder):
    write(
        folder,
        outcomes=OUTCOMES_CSV
        + "L2,lost,2025-01-02T09:59:59Z\nL2,lost,2025-01-02\nL2,lost,2025-01-01\n"
        + "L2,reached,2025-01-02T10:00Z\n",
    )
    tables = read(folder)
    assert [(row[1], row[4]) for row in reasons(tables)] == [
        (3, "before the lead was created"),
        (5, "before the lead was created"),
    ]
    assert tables.outcomes["stage"].tolist() == ["opportunity", "lost", "reached"]
    assert str(tables.outcomes["known_at"][1]) == "2025-01-02 23:59:59.999999+00:00"


def test_an_interaction_from_before_its_lead_is_kept(folder):
    write(folder, interactions=INTERACTIONS_CSV + "L2,2024-01-01,view\n")
    assert len(read(folder).interactions) == 3


def test_a_declared_attribute_must_be_there(folder):
    toml = INDUSTRY + '[attributes.size]\nkind = "number"\nchanges = false\n'
    message = refusal(folder, toml)
    assert message.startswith("leads.csv: missing columns: size.")
    assert "(size) must not be declared under [attributes]" in message


def test_a_declared_attribute_of_our_own_name_must_be_there_too(folder):
    toml = '[attributes.account_id]\nkind = "category"\nchanges = false\n'
    assert "missing columns: account_id" in refusal(folder, toml)


def test_a_table_that_loses_a_row_is_refused(folder, monkeypatch):
    monkeypatch.setattr("leadscore.store.loaded.Loaded.n_read", 99)
    assert "the rows do not add up: 99 read, 3 used, 0 set aside" in refusal(folder)


def test_an_ambiguous_date_names_its_line_and_value(folder):
    write(folder, outcomes="lead_id,stage,occurred_at\nL1,lost,03/04/2025\n")
    message = refusal(folder)
    assert message.startswith(
        'outcomes.csv: column "occurred_at": day and month cannot be told apart '
        "(line 2: '03/04/2025' reads both ways;"
    )


def test_a_consent_column_must_be_there_and_is_a_flag(folder):
    toml = INDUSTRY + '[consent]\nexclude_when_true = ["no_mail"]\n'
    assert "missing columns: no_mail" in refusal(folder, toml)
    lines = LEADS_CSV.splitlines()
    marks = ["no_mail", "oui", "", "non"]
    write(folder, leads="\n".join(map(",".join, zip(lines, marks, strict=True))))
    assert read(folder, toml).leads["no_mail"].tolist() == [True, False, False]


@pytest.mark.parametrize(
    "leads",
    [
        "lead_id,created_at,industry\nL1,2025-01-01,retail\n",
        "lead_id,created_at,known_at,industry\nL1,2025-01-01,,retail\n",
    ],
)
def test_a_changing_attribute_without_history_is_refused_with_three_ways_out(
    folder, leads
):
    write(folder, leads=leads)
    message = refusal(folder)
    assert message.startswith("leads.csv: industry may change (changes = true)")
    for way in ("changes = false", "with its known_at", r"remove it from [attributes]"):
        assert way in message


def test_one_lead_with_a_history_does_not_speak_for_all(folder):
    told = LEADS_CSV.replace("L2", "L3")
    others = [f"M{i},2025-01-02T10:00Z,2025-01-02T10:00Z,retail" for i in range(30)]
    write(folder, leads="\n".join([*told.splitlines(), *others, ""]))
    message = refusal(folder)
    assert "a history of only 3.1 % of its leads (at least 5 % are needed)" in message
    write(folder, leads="\n".join([*told.splitlines(), *others[:17], ""]))
    assert len(read(folder).leads) == 20


def test_a_stable_attribute_needs_no_history(folder):
    write(folder, leads="lead_id,created_at,industry\nL1,2025-01-01,retail\n")
    tables = read(folder, GENEROUS + INDUSTRY.replace("true", "false"))
    assert tables.leads["industry"].tolist() == ["retail"]


def test_more_rejects_than_the_budget_stop_the_run_and_come_with_the_error(folder):
    bad = "".join(f"L{i},2025-02-30T10:00Z,view\n" for i in range(4))
    write(folder, interactions=INTERACTIONS_CSV + bad)
    with pytest.raises(DataError) as caught:
        read(folder, INDUSTRY)
    assert str(caught.value) == (
        "interactions.csv: 4 of 6 rows cannot be used (66.67%, the budget is 1.00%). "
        "First: interactions.csv:4 column \"occurred_at\": '2025-02-30T10:00Z' -> is "
        'not a day of the calendar; interactions.csv:5 column "occurred_at": '
        "'2025-02-30T10:00Z' -> is not a day of the calendar; interactions.csv:6 "
        "column \"occurred_at\": '2025-02-30T10:00Z' -> is not a day of the calendar. "
        "Repair the file, or raise max_reject_share under [source] in agreement.toml."
    )
    assert caught.value.rejects["line"].tolist() == [4, 5, 6, 7]


def test_a_share_at_the_budget_is_within_it(folder):
    write(folder, interactions=INTERACTIONS_CSV + "L9,2025-01-03T10:00Z,view\n" * 2)
    assert len(read(folder, "[source]\nmax_reject_share = 0.5\n").rejects) == 2
    assert "4 rows cannot be used" in refusal(
        folder, "[source]\nmax_reject_share = 0.49\n"
    )


def test_a_long_value_is_cut_in_the_message(folder):
    write(folder, outcomes=OUTCOMES_CSV + f"L1,lost,{'x' * 100}\n")
    assert f"'{'x' * 40}...'" in refusal(folder, INDUSTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-06-01", "2025-05-31 22:00:00+00:00"),
        ("2025-06-01 12:00", "2025-06-01 10:00:00+00:00"),
        ("2025-06-01T12:00Z", "2025-06-01 12:00:00+00:00"),
    ],
)
def test_data_end_is_read_as_other_instants(folder, text, expected):
    toml = f'time_zone = "Europe/Paris"\n[source]\ndata_end = "{text}"\n'
    tables = read(folder, toml)
    assert str(tables.data_end) == expected
    assert not any("data_end" in note for note in tables.notes)


def test_rows_known_after_data_end_are_kept_and_counted(folder):
    # One row at the very instant, one after it.
    tables = read(folder, '[source]\ndata_end = "2025-02-01T10:00Z"\n')
    assert len(tables.leads) == 3
    assert tables.notes[-1].startswith("2 rows are known at or after data_end, 2025-02")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("soon", "is not a date or time we read"), ("03/04/2025", "reads both ways")],
)
def test_a_data_end_that_cannot_be_read_is_an_agreement_error(folder, text, reason):
    with pytest.raises(AgreementError, match=rf"data_end '{text}' .*{reason}"):
        read(folder, f'[source]\ndata_end = "{text}"\n')


def test_a_french_export_is_read_as_it_is(tmp_path):
    (tmp_path / "leads.csv").write_bytes(
        "Réf;Créé le;Société\r\n007;13/01/2025;Gagné & Fils\r\n".encode("cp1252")
    )
    (tmp_path / "outcomes.csv").write_bytes(
        b"\xef\xbb\xbf"
        + "lead id;stage;occurred at;amount\n"
        "007;opportunity;25/02/2025 10:00;1\u202f234,50\n".encode()
    )
    tables = read(
        tmp_path,
        'time_zone = "Europe/Paris"\n'
        '[source.columns.leads]\nlead_id = "Réf"\ncreated_at = "Créé le"\n'
        'company = "Société"\n'
        '[attributes.company]\nkind = "category"\nchanges = false\n',
    )
    assert tables.leads["company"].tolist() == ["Gagné & Fils"]
    assert str(tables.leads["created_at"][0]) == "2025-01-12 23:00:00+00:00"
    assert str(tables.leads["known_at"][0]) == "2025-01-13 22:59:59.999999+00:00"
    assert tables.outcomes["amount"].tolist() == [1234.5]
    assert tables.outcomes["lead_id"].tolist() == ["007"]


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "L1,2025-01-03T10:00Z,view",
                "L2,2025-01-03T10:00Z,view",
                '"L1",2025-01-04,"a\nb"',
                "L9,2025-01-03T10:00Z,view",
                "L1,2025-02-30,view",
                'L1,"2025-01-01,view',
                "",
                "L1,2025",
            ]
        ),
        st.text('L1,"\n-2025 é', max_size=20),
    ),
    max_size=30,
)


@given(lines=LINES)
def test_every_row_is_used_repeated_or_set_aside(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("data")
    write(folder, leads=LEADS_CSV, outcomes=OUTCOMES_CSV)
    write(folder, interactions="lead_id,occurred_at,kind\n" + "\n".join(lines))
    tables = read(folder, "[source]\nmax_reject_share = 1.0\n")
    counts = next(
        n for n in tables.notes if n.startswith("interactions") and "read" in n
    )
    numbers = [int(word) for word in counts.replace(",", "").split() if word.isdigit()]
    assert numbers[0] == sum(numbers[1:])
    assert numbers[1] == len(tables.interactions)
    assert numbers[-1] == len(tables.rejects)


# Files under other names


FILES = '[source.files]\nleads = "people.csv"\ninteractions = "log.txt"\n'


def renamed(folder):
    (folder / "leads.csv").rename(folder / "people.csv")
    (folder / "interactions.csv").rename(folder / "log.txt")
    return folder


def test_files_are_read_under_the_names_that_the_agreement_gives(folder):
    expected = read(folder)
    tables = read(renamed(folder), GENEROUS + FILES + INDUSTRY)
    pd.testing.assert_frame_equal(tables.leads, expected.leads)
    pd.testing.assert_frame_equal(
        tables.interactions.frame(), expected.interactions.frame()
    )
    assert sorted(tables.digests) == ["log.txt", "outcomes.csv", "people.csv"]


def test_a_named_file_that_is_missing_says_what_is_there(folder):
    (folder / "leads.csv").rename(folder / "persons.csv")
    with pytest.raises(
        InputError,
        match=r"lacks people\.csv, which .* under \[source\.files\] as leads; there "
        r"is: interactions\.csv, outcomes\.csv, persons\.csv\.",
    ):
        read(folder, FILES)


def test_one_log_may_serve_as_interactions_and_outcomes(folder):
    (folder / "outcomes.csv").unlink()
    log = "L1,2024-12-01,view\nL1,2025-02-03T10:00Z,won\nL2,2025-02-04,gone\n"
    write(folder, log="lead_id,occurred_at,kind\n" + log + "L1,2025-02-30,view\n")
    toml = (
        GENEROUS
        + '[source.files]\ninteractions = "log.csv"\noutcomes = "log.csv"\n'
        + '[source.columns.outcomes]\nstage = "kind"\n'
        + '[conversion]\nstage = "won"\nlost = ["gone", "never heard"]\n'
    )
    tables = read(folder, toml)
    assert tables.outcomes["stage"].tolist() == ["won", "gone"]
    assert tables.interactions.frame()["kind"].tolist() == ["view", "won", "gone"]
    assert sorted(tables.digests) == ["leads.csv", "log.csv"]
    counts = [note for note in tables.notes if note.startswith("log.csv: 4 rows read")]
    assert counts[0].startswith("log.csv: 4 rows read, 3 used, 1 set aside;")
    assert counts[1].startswith("log.csv: 4 rows read, 2 used, 1 no outcome, 1 set")
    assert tables.rejects["line"].tolist() == [5], "one bad line is one reject"


@pytest.mark.parametrize("other", ["interactions", "outcomes"])
def test_leads_share_no_file(folder, other):
    toml = f'[source.files]\nleads = "leads.csv"\n{other} = "leads.csv"\n'
    with pytest.raises(AgreementError, match="only interactions and outcomes"):
        read(folder, toml)


DATED_LEADS = """\
lead_id,created_at,known_at,signed on
L1,2025-01-01T10:00Z,2025-01-01T10:00Z,
L1,2025-01-01T10:00Z,2025-02-01T10:00Z,2025-01-20
L1,2025-01-01T10:00Z,2025-03-01T10:00Z,2025-01-20
L2,2025-01-02T10:00Z,2025-01-02T10:00Z,-
L3,2025-01-03T10:00Z,2025-01-03T10:00Z,2025-02-30
L4,2025-01-04T10:00Z,2025-01-04T10:00Z,2024-12-31
"""
DATED = GENEROUS + '[source.dated_stages]\nwon = "Signed on"\n'


def test_dates_in_the_leads_file_are_outcomes_with_their_lines(folder):
    (folder / "outcomes.csv").unlink()
    write(folder, leads=DATED_LEADS)
    tables = read(folder, DATED)
    (outcome,) = tables.outcomes.to_dict("records")
    assert (outcome["lead_id"], outcome["stage"]) == ("L1", "won")
    assert str(outcome["occurred_at"]) == "2025-01-20 00:00:00+00:00"
    # Known when the first row said so, which is later than the end of the day.
    assert str(outcome["known_at"]) == "2025-02-01 10:00:00+00:00"
    assert [row[1:] for row in reasons(tables)] == [
        [6, "occurred_at", "2025-02-30", "is not a day of the calendar"],
        [7, "occurred_at", "2024-12-31", "before the lead was created"],
    ]
    assert (
        "leads.csv: 4 rows read, 1 used, 1 counted once, 2 set aside; cells of "
        "\"Signed on\", outcomes of stage 'won'; 2 are empty." in tables.notes
    )


def test_dated_stages_and_an_outcomes_file_add_up(folder):
    write(folder, leads=DATED_LEADS)
    tables = read(folder, DATED)
    assert tables.outcomes["stage"].tolist() == ["won", "opportunity"]
    assert list(tables.outcomes) == list(OUTCOMES.names)


def test_a_dated_column_that_is_missing_names_its_line_in_the_agreement(folder):
    message = refusal(folder, DATED)
    assert message.startswith(
        'agreement.toml: [source.dated_stages] won = "Signed on": leads.csv: missing'
    )


def test_a_file_is_read_raw_under_its_own_names(tmp_path):
    path = tmp_path / "contacts.csv"
    path.write_bytes("Réf;Créé le ;\nA;01/02/2025;\nB;-;\nC\n".encode("cp1252"))
    raw = read_raw(path)
    assert {name: cells.to_pylist() for name, cells in raw.columns.items()} == {
        "Créé le": ["01/02/2025", None],
        "Réf": ["A", "B"],
    }
    assert (raw.separator, raw.encoding) == (";", "cp1252")
    assert (raw.n_rows, raw.n_broken) == (2, 1)
    frame = pd.DataFrame({"b": [1, 2], "a": ["x", None]})
    frame.to_parquet(tmp_path / "t.parquet")
    raw = read_raw(tmp_path / "t.parquet")
    assert list(raw.columns) == ["a", "b"]
    assert raw.columns["b"].to_pylist() == ["1", "2"]
    assert (raw.separator, raw.encoding) == (None, None)
