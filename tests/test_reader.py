"""Bytes to rows of text: nothing is lost in silence."""

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.agreement import Source
from leadscore.errors import AgreementError, DataError, InputError
from leadscore.store.header import plain_name
from leadscore.store.lines import Lines, read_lines, uncompress
from leadscore.store.reader import read_delimited
from leadscore.store.splitter import MAX_LINES_A_ROW, split_rows
from leadscore.tables import OUTCOMES, Column, Contract

HEADER = "lead_id,stage,occurred_at\n"


def read(data, contract=OUTCOMES, mapping=None, **source):
    if isinstance(data, str):
        data = data.encode()
    return read_delimited(
        data,
        file="outcomes.csv",
        contract=contract,
        mapping=mapping or {},
        source=Source(**source),
    )


def ids(rows):
    return rows.cells["lead_id"].to_pylist()


def notes(rows):
    return [note.sentence for note in rows.notes if note.n]


def rejected(rows):
    return [(reject.line, reject.reason) for reject in rows.rejects]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_found(separator, end):
    text = (HEADER + "L1,won,2025-01-01\n").replace(",", separator).replace("\n", end)
    rows = read(text)
    assert rows.separator == separator
    assert {name: cells.to_pylist() for name, cells in rows.cells.items()} == {
        "lead_id": ["L1"],
        "stage": ["won"],
        "occurred_at": ["2025-01-01"],
    }
    assert rows.lines.tolist() == [2]


def test_mixed_line_ends_and_a_missing_last_one_are_read():
    rows = read(HEADER + "L1,a,b\r\nL2,a,b\rL3,a,b\n\r\nL4,a,b")
    assert ids(rows) == ["L1", "L2", "L3", "L4"]
    assert rows.lines.tolist() == [2, 3, 4, 6]
    assert notes(rows) == ["outcomes.csv: 1 blank lines were skipped."]


@pytest.mark.parametrize(
    ("codec", "mark", "shown"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
        ("cp1252", b"", "cp1252"),
    ],
)
def test_encodings_are_found(codec, mark, shown):
    rows = read(mark + (HEADER + "L1,gagné €,b\n").encode(codec))
    assert rows.cells["stage"].to_pylist() == ["gagné €"]
    assert rows.form == f"separator ',', {shown}"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_asks_to_be_pinned_and_then_is_read(codec):
    data = (HEADER + "L1,é,b\n").encode(codec)
    with pytest.raises(InputError, match=r'looks like UTF-16.*encoding = "utf-16"'):
        read(data)
    assert read(data, encoding="utf-16").cells["stage"].to_pylist() == ["é"]


def test_a_guest_line_of_another_encoding_costs_itself():
    data = (HEADER + "L1,gagné,b\n").encode() + "L2,gagné,b\nL3,x,b\n".encode("cp1252")
    rows = read(data)
    assert ids(rows) == ["L1", "L3"]
    assert rejected(rows) == [(3, "invalid utf-8 at byte 8 of the line")]
    assert rows.rejects[0].raw == "L2,gagn\\xe9,b"


def test_a_pinned_encoding_is_not_guessed_away():
    data = (HEADER + "L1,é,b\nL2,x,b\n").encode("cp1252")
    assert ids(read(data, encoding="utf-8")) == ["L2"]
    assert read(data, encoding="cp1252").rejects == []


def test_half_a_utf16_character_costs_its_line():
    rows = read(b"\xff\xfe" + (HEADER + "L1,a,b\nL2,a,b").encode("utf-16-le") + b"x")
    assert ids(rows) == ["L1"]
    assert rejected(rows) == [(3, "invalid utf-16")]


def test_a_gzip_file_reads_like_the_file_in_it():
    rows = read(gzip.compress((HEADER + "L1,a,b\n").encode()))
    assert ids(rows) == ["L1"]


def test_a_gzip_file_cut_short_is_refused():
    data = gzip.compress((HEADER + "L1,a,b\n" * 100).encode())
    with pytest.raises(DataError, match="compressed file is truncated"):
        read(data[:-12])


def test_a_damaged_gzip_file_is_refused():
    data = bytearray(gzip.compress((HEADER + "L1,a,b\n" * 100).encode()))
    data[-6] ^= 0xFF
    with pytest.raises(DataError, match="compressed file is damaged"):
        uncompress(bytes(data), file="outcomes.csv.gz")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"  \r\n"])
def test_an_empty_file_is_an_input_error(data):
    with pytest.raises(InputError, match=r"outcomes\.csv is empty"):
        read(data)


def test_a_workbook_is_told_how_to_be_saved():
    with pytest.raises(InputError, match=r"Excel workbook\. Save it as CSV UTF-8"):
        read(b"PK\x03\x04....")


def test_a_header_without_rows_is_a_table_without_rows():
    assert ids(read(HEADER)) == []


def test_columns_are_matched_by_name_not_by_position():
    rows = read("Occurred At;STAGE;Lead-ID\n2025-01-01;won;L1\n")
    assert ids(rows) == ["L1"]
    assert rows.cells["stage"].to_pylist() == ["won"]


def test_names_are_mapped_by_the_agreement():
    mapping = {"lead_id": "Réf. client", "stage": "étape"}
    rows = read("REF CLIENT,Etape,occurred_at\nL1,won,x\n", mapping=mapping)
    assert ids(rows) == ["L1"]


def test_plain_names_ignore_case_accents_and_space():
    assert plain_name("\ufeff Date de  Création ") == "date_de_creation"


def test_a_mapping_of_no_column_is_refused():
    with pytest.raises(AgreementError, match=r"maps foo, which outcomes does not have"):
        read(HEADER, mapping={"foo": "bar"})


def test_a_mapped_name_that_is_not_there_is_missing_even_if_optional():
    with pytest.raises(DataError, match="missing columns: amount"):
        read(HEADER, mapping={"amount": "Montant"})


def test_all_missing_columns_are_named_with_the_closest_and_the_line_to_write():
    with pytest.raises(DataError) as caught:
        read("Lead Id Number,step,occurred_on\n1,2,3\n")
    assert str(caught.value) == (
        'outcomes.csv: missing columns: lead_id (closest: "Lead Id Number"), '
        'occurred_at (closest: "occurred_on"), stage (closest: "step"). The file has '
        '"Lead Id Number", "step", "occurred_on". If a column has another name, write '
        "under [source.columns.outcomes] in agreement.toml: "
        'lead_id = "Lead Id Number"; occurred_at = "occurred_on"; stage = "step".'
    )


def test_a_declared_column_that_is_missing_says_that_it_need_not_be_declared():
    size = Column("size", "number", "", required=True)
    declared = Contract(OUTCOMES.name, (*OUTCOMES.columns, size))
    with pytest.raises(DataError, match=r"\(size\) must not be declared under \[attr"):
        read(HEADER, contract=declared)


def test_a_first_line_of_data_is_told_so():
    with pytest.raises(DataError, match="line 1 looks like data, not like column"):
        read("L1,won,2025-01-01\nL2,won,2025-01-01\n")


def test_a_column_name_that_stands_twice_is_refused_with_both_positions():
    with pytest.raises(DataError, match=r'"Stage" stands twice .* positions 2 and 4'):
        read("lead_id,stage,occurred_at,Stage\n1,2,3,4\n")


def test_extra_columns_are_ignored_and_noted_once():
    rows = read("lead_id,stage,occurred_at,Owner,Zip\nL1,a,b,c,d\nL2,a,b,c,d\n")
    assert set(rows.cells) == {"lead_id", "stage", "occurred_at"}
    assert notes(rows) == [
        "outcomes.csv: columns that nobody asked for were ignored: Owner, Zip."
    ]


def test_a_file_of_one_column_is_refused():
    with pytest.raises(DataError, match="line 1 has one column only"):
        read("lead_id stage occurred_at\nL1 a b\n")


def test_a_pinned_separator_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="one column only, split at ';'"):
        read(HEADER, separator=";")


def test_a_broken_header_is_refused():
    with pytest.raises(DataError, match="line 1, the header, cannot be read"):
        read('lead_id,"stage"x,occurred_at\nL1,a,b\n')


def test_a_minority_with_another_separator_is_set_aside():
    rows = read(HEADER + "L1,a,b\nL2,a,b\nL3;a;b\n")
    assert ids(rows) == ["L1", "L2"]
    assert rejected(rows)[0][0] == 4


def test_a_header_that_stands_again_is_set_aside():
    rows = read(HEADER + "L1,a,b\n" + HEADER + "L2,a,b\n")
    assert ids(rows) == ["L1", "L2"]
    assert rejected(rows) == [(3, "the header stands here again")]


def test_trailing_separators_are_harmless():
    assert ids(read("lead_id,stage,occurred_at,\nL1,a,b,\nL2,a,b\n")) == ["L1", "L2"]
    assert ids(read(HEADER + "L1,a,b,\n")) == ["L1"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"L0"01,a,b', "text after a closing quote"),
        ('L2,"a,b', "a quote is opened and not closed within 50 lines"),
        ("L2,a", "2 cells where the header has 3"),
        ("L2,a,b,c,d", "5 cells where the header has 3"),
        ("L2,a\0,b", "a NUL byte"),
    ],
)
def test_a_broken_line_costs_itself_and_not_its_neighbours(line, reason):
    rows = read(HEADER + f"L1,a,b\n{line}\nL3,a,b\n")
    assert ids(rows) == ["L1", "L3"]
    assert rows.lines.tolist() == [2, 4]
    (reject,) = rows.rejects
    assert (reject.file, reject.line, reject.raw) == ("outcomes.csv", 3, line)
    assert reason in reject.reason


def test_a_last_line_cut_short_says_so():
    rows = read(HEADER + "L1,a,b\nL2,a")
    assert rejected(rows)[0][1].endswith("the file may be cut short")


def test_a_quoted_cell_may_hold_line_breaks_quotes_and_separators():
    rows = read(HEADER + '"L1","a ""b""\r\nc,d",x\nL2,a,b\n')
    assert rows.cells["stage"].to_pylist() == ['a "b"\nc,d', "a"]
    assert rows.lines.tolist() == [2, 4]
    assert rows.raw(0) == '"L1","a ""b""\nc,d",x'


@pytest.mark.parametrize("n_lines", [MAX_LINES_A_ROW, MAX_LINES_A_ROW + 1])
def test_a_row_may_span_fifty_lines_and_no_more(n_lines):
    note = "\n".join(["x"] * n_lines)
    rows = read(HEADER + f'L1,"{note}",b\nL2,a,b\n')
    assert ids(rows) == (["L1", "L2"] if n_lines == MAX_LINES_A_ROW else ["L2"])


def test_unclosed_quotes_do_not_swallow_the_good_rows_between_them():
    good = "".join(f"L{i},a,b\n" for i in range(100))
    rows = read(HEADER + 'X,"a,b\n' + good + 'Y,"a,b\n' + good)
    assert len(ids(rows)) == 200
    assert [line for line, _ in rejected(rows)] == [2, 103]


def test_a_reader_that_loses_a_line_refuses_the_file(monkeypatch):
    def losing(lines, **options):
        split = split_rows(lines, **options)
        del split.rows[-1:], split.first[-1:], split.n_lines[-1:]
        return split

    monkeypatch.setattr("leadscore.store.reader.split_rows", losing)
    with pytest.raises(DataError, match="the lines do not add up: 3 in the file, but"):
        read(HEADER + "L1,a,b\nL2,a,b\n")


CELL = st.text(st.characters(exclude_characters="\0\r", codec="utf-8"), max_size=8)


@given(
    table=st.lists(st.tuples(CELL, CELL, CELL), max_size=20),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_well_formed_files_split_as_the_csv_module_splits_them(
    table, separator, quoting, end
):
    buffer = io.StringIO()
    writer = csv.writer(
        buffer, delimiter=separator, quoting=quoting, lineterminator=end
    )
    writer.writerows(table)
    text = buffer.getvalue()
    oracle = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines = Lines(text.replace("\r\n", "\n").split("\n")[:-1], {}, "utf-8")
    split = split_rows(lines, separator=separator, n_cells=3)
    blank = separator + " \t\u00a0"
    expected = [row for row in oracle if "".join(row).strip(blank)]
    got = [row for row in split.rows if "".join(row).strip(blank)]
    assert (got, split.rejected) == (expected, [])


GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.text('ab",;\n\r\0é ', max_size=200).map(str.encode),
    st.text('ab",\n', max_size=400).map(str.encode),
)


@given(garbage=GARBAGE)
def test_every_physical_line_of_any_garbage_is_accounted_for(garbage):
    data = HEADER.encode() + garbage
    rows = read(data)
    texts = read_lines(data, file="outcomes.csv").texts
    used = sum(rows.raw(i).count("\n") + 1 for i in range(len(rows.lines)))
    n_blank = sum(int(n.split()[1]) for n in notes(rows) if "blank" in n)
    assert 1 + used + n_blank + len(rows.rejects) == len(texts)
    for reject in rows.rejects:
        assert reject.raw == texts[reject.line - 1]
        assert reject.reason


@given(data=st.binary(min_size=0, max_size=100))
def test_any_bytes_at_all_are_read_or_refused_in_words(data):
    refusal = "outcomes.csv: not refused"
    try:
        read(data)
    except (DataError, InputError) as error:
        refusal = str(error)
    assert refusal.startswith("outcomes.csv")
