"""Text to typed columns."""

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.agreement import Source
from leadscore.errors import DataError
from leadscore.store.instants import parse_instants
from leadscore.store.loaded import FACT_END
from leadscore.store.numbers import detect_decimal, parse_flags, parse_numbers
from leadscore.store.parse import parse_rows
from leadscore.store.reader import read_delimited
from leadscore.tables import INSTANT, INTERACTIONS, LEADS, Column, Contract

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
UTC = zoneinfo.ZoneInfo("UTC")
FIRST = dt.datetime.fromisoformat("1970-01-02")
LAST = dt.datetime.fromisoformat("2200-12-30")
SPACES = st.sampled_from(["", " ", "\u00a0", "\u202f"])


def cells(*values):
    return pa.array(values, pa.large_string())


def instants(*values, zone=PARIS, order="auto"):
    return parse_instants(cells(*values), zone=zone, order=order, where='f: column "x"')


def one(value, **options):
    """Read one instant; return it in UTC as text, or why it is bad."""
    found = instants(value, **options)
    return found.bad.get(0) or str(found.start[0])


def table(text, contract=INTERACTIONS, zone=PARIS, **source):
    settings = Source(**source)
    rows = read_delimited(
        text.encode(), file="t.csv", contract=contract, mapping={}, source=settings
    )
    return parse_rows(rows, contract, source=settings, zone=zone)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-01T10:11:12Z", "2025-03-01T10:11:12.000000"),
        ("2025-03-01 10:11:12", "2025-03-01T09:11:12.000000"),
        ("2025-07-01 10:11", "2025-07-01T08:11:00.000000"),
        ("2025-03-01T10:11:12.5+02:00", "2025-03-01T08:11:12.500000"),
        ("2025-03-01T10:11:12,123456 -0130", "2025-03-01T11:41:12.123456"),
        ("2025-03-01T10:11:12.999999999Z", "2025-03-01T10:11:12.999999"),
        ("2025-03-01T10:11+05", "2025-03-01T05:11:00.000000"),
        ("2025-03-01", "2025-02-28T23:00:00.000000"),
        ("2025/3/1", "2025-02-28T23:00:00.000000"),
        ("31/12/2025 08:05", "2025-12-31T07:05:00.000000"),
        ("31.12.2025 08:05:06", "2025-12-31T07:05:06.000000"),
        ("12/31/2025", "2025-12-30T23:00:00.000000"),
        ("1970-01-01T00:00Z", "1970-01-01T00:00:00.000000"),
        ("2200-12-31T23:59Z", "2200-12-31T23:59:00.000000"),
    ],
)
def test_an_instant_is_read(text, expected):
    assert one(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "is not a date or time we read"),
        ("1714550000", "is not a date or time we read"),
        ("2025-03/01", "is not a date or time we read"),
        ("45658", "is not a date or time we read"),
        ("13/01/25", "needs a year of four digits"),
        ("2025-01-0001", "needs a year of four digits"),
        ("2025-02-29", "is not a day of the calendar"),
        ("2025-13-01", "is not a day of the calendar"),
        ("2025-00-10", "is not a day of the calendar"),
        ("31/11/2025", "is not a day of the calendar, read day first"),
        ("2025-03-01 24:00", "is not a time of day"),
        ("2025-03-01 10:60", "is not a time of day"),
        ("2025-03-01T10:11:60Z", "is not a time of day"),
        ("2025-03-01T10:11:12+16:00", "has an offset that does not exist"),
        ("0202-03-01", "has a year outside 1970 to 2200"),
        ("9999-12-31", "has a year outside 1970 to 2200"),
        ("2025-03-30 02:30", "does not exist in Europe/Paris: clocks skip it"),
    ],
)
def test_what_is_no_instant_says_why(text, reason):
    assert one(text).startswith(reason)


def test_nulls_stay_null():
    found = instants(None, "2025-03-01")
    assert np.isnat(found.start).tolist() == [True, False]
    assert found.bad == {}


def test_an_hour_that_exists_twice_is_its_first_occurrence_and_is_counted():
    found = instants("2025-10-26 02:30", "2025-10-26 02:30+01:00")
    assert found.start.tolist() == [
        dt.datetime.fromisoformat("2025-10-26T00:30"),
        dt.datetime.fromisoformat("2025-10-26T01:30"),
    ]
    assert found.n_twice == 1


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-05-01", 24)]
)
def test_a_date_ends_one_microsecond_before_the_next_day(day, hours):
    found = instants(day)
    length = found.end[0] - found.start[0] + np.timedelta64(1, "us")
    assert length == np.timedelta64(hours, "h")


def test_a_day_without_midnight_begins_when_it_begins():
    found = instants("2018-11-04", zone=zoneinfo.ZoneInfo("America/Sao_Paulo"))
    assert str(found.start[0]) == "2018-11-04T03:00:00.000000"


def test_one_component_above_twelve_decides_the_whole_column():
    found = instants("03/04/2025", "13/04/2025", zone=UTC)
    assert (found.order, str(found.start[0])[:10]) == ("dmy", "2025-04-03")
    found = instants("03/04/2025", "04/13/2025", zone=UTC)
    assert (found.order, str(found.start[0])[:10]) == ("mdy", "2025-03-04")


def test_the_majority_decides_and_the_others_are_set_aside():
    found = instants("13/04/2025", "14/04/2025", "04/15/2025")
    assert found.order == "dmy"
    assert list(found.bad) == [2]


@pytest.mark.parametrize(
    "values", [("03/04/2025", "01/01/2025"), ("13/04/2025", "04/13/2025", "03/04/2025")]
)
def test_what_stays_ambiguous_stops_and_asks(values):
    with pytest.raises(
        DataError, match=r'f: column "x": day and month .*date_order = "d'
    ):
        instants(*values)


def test_a_pinned_order_is_kept():
    assert one("03/04/2025", order="dmy", zone=UTC).startswith("2025-04-03")
    assert one("03/04/2025", order="mdy", zone=UTC).startswith("2025-03-04")
    assert "does not begin with the year" in one("03/04/2025", order="ymd")


def test_dates_that_read_the_same_both_ways_ask_nothing():
    assert one("05/05/2025", zone=UTC).startswith("2025-05-05")


@given(
    when=st.datetimes(FIRST, LAST),
    zone=st.sampled_from(
        ["UTC", "Europe/Paris", "America/Sao_Paulo", "Asia/Kathmandu"]
    ),
    separator=st.sampled_from("T "),
)
def test_local_times_agree_with_the_standard_library(when, zone, separator):
    place = zoneinfo.ZoneInfo(zone)
    local = when.replace(tzinfo=place)  # fold=0: the first occurrence
    there_and_back = local.astimezone(dt.UTC).astimezone(place).replace(tzinfo=None)
    found = instants(when.isoformat(separator), zone=place)
    if there_and_back != when:
        assert "clocks skip it" in found.bad[0]
    else:
        expected = local.astimezone(dt.UTC).replace(tzinfo=None)
        assert found.start[0] == np.datetime64(expected, "us")


@given(text=st.one_of(st.text(max_size=30), st.text("0123456789-/.:TZ+ ", max_size=30)))
def test_any_text_is_an_instant_or_a_reason(text):
    try:
        found = instants(text)
    except DataError:
        return
    assert np.isnat(found.start[0]) == (0 in found.bad)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("1", ".", 1.0),
        ("-1.5", ".", -1.5),
        (".5", ".", 0.5),
        ("5.", ".", 5.0),
        ("1e3", ".", 1000.0),
        ("1,234.5", ".", 1234.5),
        ("1 234.5", ".", 1234.5),
        ("1,5", ",", 1.5),
        ("1 234,56", ",", 1234.56),
        ("1\u00a0234,56", ",", 1234.56),
        ("1\u202f234\u202f567", ",", 1234567.0),
        ("1.234,56", ",", 1234.56),
        ("1.234", ",", 1234.0),
    ],
)
def test_a_number_is_read(text, decimal, expected):
    values, bad = parse_numbers(cells(text), decimal=decimal)
    assert (values.tolist(), bad) == ([expected], {})


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        (t, ".")
        for t in ["inf", "nan", "1,5", "12 34", "1.2.3", ".", "-", "1e", "٣", "0x1"]
    ]
    + [("1.5", ","), ("1,234.5", ",")],
)
def test_what_is_no_number_says_why(text, decimal):
    values, bad = parse_numbers(cells(text), decimal=decimal)
    assert np.isnan(values[0])
    assert bad == {0: f"is not a number with the decimal mark '{decimal}'"}


def test_a_number_too_large_is_not_infinite():
    values, bad = parse_numbers(cells("1e400", None), decimal=".")
    assert np.isnan(values).all()
    assert bad == {0: "is too large for a number"}


@given(value=st.floats(-1e9, 1e9), decimal=st.sampled_from(".,"))
def test_a_number_reads_back_as_itself(value, decimal):
    text = repr(value).replace(".", decimal)
    assert parse_numbers(cells(text), decimal=decimal) == ([value], {})


@given(value=st.integers(0, 10**12), cents=st.integers(0, 99), space=SPACES)
def test_french_thousands_are_read(value, cents, space):
    text = f"{value:,}".replace(",", space) + f",{cents:02d}"
    values, bad = parse_numbers(cells(text), decimal=",")
    assert (values[0], bad) == (float(f"{value}.{cents:02d}"), {})


@pytest.mark.parametrize(
    ("values", "separator", "expected"),
    [
        (["1,5", "2"], ";", ","),
        (["1.5", "2"], ";", "."),
        (["1.234,5"], ";", ","),
        (["1,234.5"], ",", "."),
        (["1.234.567"], ";", ","),
        (["1,234", "0.5"], ",", "."),
        (["1.234", "0,5"], ";", ","),
        (["0.125"], ";", "."),
        (["1.234"], ",", "."),
        (["1 234"], ";", "."),
        (["1.5", "1.5", "1,5"], ";", "."),
        ([None, "x"], ";", "."),
        ([], ";", "."),
    ],
)
def test_the_decimal_mark_is_found(values, separator, expected):
    found = detect_decimal({"x": cells(*values)}, separator=separator, file="f.csv")
    assert found == expected


@pytest.mark.parametrize(
    ("values", "separator"),
    [(["1.234"], ";"), (["1,234"], ","), (["1,5", "1.5"], ";")],
)
def test_a_decimal_mark_that_stays_ambiguous_stops_and_asks(values, separator):
    with pytest.raises(DataError, match=r"f\.csv: the decimal mark .*Write decimal ="):
        detect_decimal({"x": cells(*values)}, separator=separator, file="f.csv")


def test_flags_are_read_in_four_languages():
    values, bad = parse_flags(
        cells("TRUE", "oui", "Ja", "Sí", "1", "NON", "nein", "0", None)
    )
    assert values.tolist() == [True] * 5 + [False] * 4
    assert bad == {}
    values, bad = parse_flags(cells("maybe", None))
    assert values.tolist() == [False, False]
    assert bad[0].startswith("is not a flag; write one of 0, 1, falsch, false")


INTERACTION = "lead_id,occurred_at,kind,duration_s\n"


def test_columns_have_the_types_of_the_contract():
    loaded = table(INTERACTION + "007,2025-01-01T00:00Z,view,1.5\n")
    types = loaded.frame.dtypes.astype(str).to_dict()
    assert types == {
        "lead_id": "str",
        "occurred_at": INSTANT,
        "known_at": INSTANT,
        "kind": "str",
        "channel": "str",
        "content": "str",
        "duration_s": "float64",
        "event_id": "str",
        FACT_END: INSTANT,
    }
    assert loaded.frame["lead_id"].tolist() == ["007"]
    assert loaded.frame["channel"].isna().all()


def test_types_do_not_depend_on_there_being_rows():
    full = table(INTERACTION + "007,2025-01-01T00:00Z,view,1.5\n").frame
    pd.testing.assert_series_equal(table(INTERACTION).frame.dtypes, full.dtypes)


def test_a_bad_cell_sends_its_row_to_the_rejects_with_its_place():
    loaded = table(
        INTERACTION
        + "L1,2025-01-01,view,1\n"
        + "L2,2025-02-30,view,x\n"
        + ",2025-01-01,view,1\n"
        + "L4,2025-01-01,view,-1\n"
        + '"1,23E+15",2025-01-01,view,1\n'
        + "L6,2025-01-01, n/a ,1\n"
    )
    found = [(r.line, r.column, r.value) for r in loaded.rejects]
    assert found == [
        (3, "occurred_at", "2025-02-30"),
        (4, "lead_id", ""),
        (5, "duration_s", "-1"),
        (6, "lead_id", "1,23E+15"),
        (7, "kind", " n/a "),
    ]
    assert [r.reason.split(";")[0] for r in loaded.rejects] == [
        "is not a day of the calendar",
        "is empty",
        "is a duration below zero",
        "is an id that a spreadsheet turned into a number",
        "is empty",
    ]
    assert loaded.rejects[0].raw == "L2,2025-02-30,view,x"
    assert loaded.frame["lead_id"].tolist() == ["L1"]


def test_an_accent_has_one_spelling_the_composed_one():
    rows = "Zoe\u0301,2025-01-01,view,\nZo\u00e9,2025-01-01,view,\n"
    loaded = table(INTERACTION + rows)
    assert loaded.frame["lead_id"].tolist() == ["Zo\u00e9"] * 2


def test_null_words_are_those_of_the_agreement():
    loaded = table(INTERACTION + "-,2025-01-01,view,néant\n", null_words=("néant",))
    assert loaded.frame["lead_id"].tolist() == ["-"]
    assert loaded.frame["duration_s"].isna().all()


def test_the_decimal_mark_found_is_shown():
    text = "lead_id;occurred_at;kind;duration_s\nL1;13/01/2025;view;1,5\n"
    loaded = table(text)
    assert loaded.form == "separator ';', utf-8, decimal ','"
    assert loaded.frame["duration_s"].tolist() == [1.5]
    assert 't.csv: dates in "occurred_at" are read day first.' in loaded.notes


def known(*rows, zone=UTC):
    """Return known_at of rows of ``occurred_at,known_at``, as text without the zone."""
    lines = "".join(f"L1,{row},view\n" for row in rows)
    loaded = table("lead_id,occurred_at,known_at,kind\n" + lines, zone=zone)
    texts = loaded.frame["known_at"].dt.tz_localize(None).astype("str").tolist()
    return texts, loaded.notes


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2025-01-01T10:00Z,2025-01-03T10:00Z", "2025-01-03 10:00:00"),
        ("2025-01-01T10:00Z,2024-12-01T10:00Z", "2025-01-01 10:00:00"),
        ("2025-01-01T10:00Z,", "2025-01-01 10:00:00"),
        ("2025-01-01,", "2025-01-01 23:59:59.999999"),
        ("2025-01-01,2025-01-01T10:00Z", "2025-01-01 23:59:59.999999"),
        ("2025-01-01T10:00Z,2025-01-02", "2025-01-02 23:59:59.999999"),
    ],
)
def test_known_at_is_the_later_of_the_file_and_the_fact(row, expected):
    assert known(row)[0] == [expected]


def test_what_was_assumed_about_known_at_is_counted():
    row, early, silent = "2025-01-02,2025-01-03", "2025-01-02,2025-01-01", "2025-01-02,"
    assert known(row)[1] == []
    assert known(early, silent, row)[1] == [
        "t.csv: known_at is empty in 1 rows; they count as known at their occurred_at.",
        "t.csv: known_at lies before occurred_at in 1 rows; they count as known at "
        "their occurred_at.",
    ]
    assert table(INTERACTION + "L1,2025-01-02,view,\n").notes == [
        "t.csv: no known_at column; rows count as known at their occurred_at."
    ]


def test_the_fact_of_a_lead_is_its_creation():
    loaded = table("lead_id,created_at\nL1,2025-01-01T10:00Z\n", contract=LEADS)
    assert (loaded.frame["known_at"] == loaded.frame["created_at"]).all()
    assert not loaded.has_known_at


def test_an_empty_flag_is_false_and_noted():
    no_mail = Column("no_mail", "flag", "objects")
    contract = Contract(LEADS.name, (*LEADS.columns, no_mail))
    text = "lead_id,created_at,known_at,no_mail\nL1,2025-01-01,2025-01-01,oui\n"
    loaded = table(text + "L2,2025-01-01,2025-01-01,\n", contract=contract)
    assert loaded.frame["no_mail"].tolist() == [True, False]
    assert loaded.frame["no_mail"].dtype == bool
    assert loaded.notes == ['t.csv: "no_mail" is empty in 1 rows; read as false.']
