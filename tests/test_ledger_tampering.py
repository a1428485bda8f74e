"""Whatever is altered in a ledger is found, and named."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from leadscore.errors import RefusedError, UsageError
from leadscore.ledger import LEDGER_COLUMNS, checks, erase, open_ledger, verify
from leadscore.ledger.columns import STORED
from leadscore.ledger.database import TABLES
from tests.ledgers import CONVERSION, DAY, PROMISE, START, append, copied, rows_of

# Entries: 1 begun; 2 run, 3-5 rows, 6 promise; 7 run, 8-10 rows; 11 receipt of 4, 9.
FIRST, SECOND = "run of 2026-01-05T00:00:00Z", "run of 2026-01-06T00:00:00Z"
IN_FIRST, IN_SECOND = rf"\(a row of the {FIRST}\)", rf"\(a row of the {SECOND}\)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    append(path, START, rows_of(START, ["ann", "bob", "cid"]), promises=[PROMISE])
    append(path, START + DAY, rows_of(START + DAY, ["ann", "bob", "dee"]))
    erase(path, "bob", at=START + 2 * DAY)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path)


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def relink(path: Path, *, and_head: bool = True) -> None:
    """What an attacker does who knows this page: all links anew, and the head."""
    with sqlite3.connect(path) as db:
        before = bytes(32)
        for seq, kind, of in db.execute(
            "SELECT seq, kind, digest FROM chain"
        ).fetchall():
            before = hashlib.sha256(before + f"{seq}:{kind}:".encode() + of).digest()
            db.execute("UPDATE chain SET link = ? WHERE seq = ?", (before, seq))
    db.close()
    if and_head:
        path.with_name(f"{path.name}.head").write_text(f"{seq} {before.hex()}\n")


def problems(path: Path) -> str:
    return "\n".join(verify(path).problems)


def test_a_ledger_that_nobody_touched_has_no_problem(path: Path) -> None:
    found = verify(path)
    assert (found.n_runs, found.n_rows, found.n_erased) == (2, 4, 2)
    assert found.problems == ()
    assert re.fullmatch(r"11 [0-9a-f]{64}", found.head)
    assert path.with_name("ledger.sqlite.head").read_text() == f"{found.head}\n"


# Each column to another value, and to another type or null where the table allows it.
VALUES = {
    "lead_id": ["'eve'"],
    "as_of": [f"{int(START.timestamp()) * 10**6 + 1}"],
    "change": ["'kept'"],
    "label": ["'MQL'"],
    "road": ["'hand_raised'", "NULL", "''"],
    "label_since": ["label_since + 1", "NULL"],
    "mql_above_since": ["mql_above_since - 1", "NULL"],
    "sql_above_since": ["0", "NULL"],
    "probability": ["probability + 1e-16", "0", "NULL", "'0.5'", "9e999"],
    "threshold": ["0.25000000000000006", "'0.25'", "x'00'", "NULL"],
    "promise": ["'SQL-2'", "NULL", "CAST(x'ff' AS TEXT)"],
    "reason": ["reason || ' '", "''"],
    "features_digest": ["upper(features_digest) || 'F'", "NULL"],
    "salt": ["x'00112233445566778899aabbccddeeff'", "x''"],
    "model_version": ["'m2'"],
    "agreement_version": ["'a2'"],
}


def test_every_column_is_tampered_with() -> None:
    assert VALUES.keys() == {*LEDGER_COLUMNS, "salt"}


@pytest.mark.parametrize(
    ("column", "value"),
    [(c, value) for c, values in VALUES.items() for value in values],
)
def test_an_altered_cell_is_found_and_its_row_or_run_named(
    path: Path, column: str, value: str
) -> None:
    if column in (*STORED, "salt"):
        change(path, f"UPDATE rows SET {column} = {value} WHERE seq = 5")
        named = f"entry 5 (a row of the {FIRST}) is not what was written"
    else:
        change(path, f"UPDATE runs SET {column} = {value} WHERE seq = 2")
        named = f"the header of the {FIRST} (entry 2) is not what was written"
    assert verify(path).problems == (named,)


def renumber(table: str, frm: int, to: int) -> str:
    return f"UPDATE {table} SET seq = {to} WHERE seq = {frm}"


def swap(table: str, one: int, other: int) -> list[str]:
    steps = ((one, 999), (other, one), (999, other))
    return [renumber(table, frm, to) for frm, to in steps]


TAMPERINGS: dict[str, tuple[list[str], str]] = {
    "a row's content is removed": (
        ["DELETE FROM rows WHERE seq = 8"],
        rf"entry 8 {IN_SECOND} is gone, and no receipt names it",
    ),
    "a row and its entry are removed": (
        ["DELETE FROM rows WHERE seq = 8", "DELETE FROM chain WHERE seq = 8"],
        rf"an entry of the chain is gone after the header of the {SECOND}.*: 8\n",
    ),
    "several entries are removed": (
        ["DELETE FROM rows WHERE seq < 6", "DELETE FROM chain WHERE seq IN (3, 4, 5)"],
        rf"3 entries of the chain are gone after the header of the {FIRST}.*: 3 to 5\n",
    ),
    "a row is removed and those after it are renumbered": (
        [
            "DELETE FROM rows WHERE seq = 3",
            "DELETE FROM chain WHERE seq = 3",
            *[renumber("chain", n, n - 1) for n in range(4, 12)],
            *[renumber("rows", n, n - 1) for n in (5, 8, 10)],
            *[renumber("runs", n, n - 1) for n in (7,)],
            *[renumber("promises", n, n - 1) for n in (6,)],
            *[renumber("receipts", n, n - 1) for n in (11,)],
        ],
        rf"the chain breaks at entry 3 {IN_FIRST}",
    ),
    "a whole run is removed": (
        [
            "DELETE FROM rows WHERE seq < 6",
            "DELETE FROM runs WHERE seq = 2",
            "DELETE FROM chain WHERE seq IN (2, 3, 4, 5)",
        ],
        r"4 entries of the chain are gone after the begun at entry 1: 2 to 5\n",
    ),
    "the beginning is removed": (
        ["DELETE FROM chain WHERE seq = 1", "DELETE FROM begun"],
        r"an entry of the chain is gone at the beginning: 1\n",
    ),
    "a run header is removed": (
        ["DELETE FROM runs WHERE seq = 2"],
        r"the header of the run at entry 2 \(entry 2\) is gone",
    ),
    "two rows are swapped": (
        swap("rows", 3, 5),
        rf"entry 3 {IN_FIRST} is not what .*\nentry 5 {IN_FIRST} is not what",
    ),
    "two rows are swapped with their entries": (
        [*swap("rows", 3, 5), *swap("chain", 3, 5)],
        rf"breaks at entry 3 {IN_FIRST}.*\n.*breaks at entry 4.*\n.*breaks at entry 5",
    ),
    "two leads swap their rows": (
        [
            "UPDATE rows SET lead_id = 'tmp' WHERE seq = 3",
            "UPDATE rows SET lead_id = 'ann' WHERE seq = 5",
            "UPDATE rows SET lead_id = 'cid' WHERE seq = 3",
        ],
        rf"entry 3 {IN_FIRST} is not what .*\nentry 5 {IN_FIRST} is not what",
    ),
    "a row is duplicated": (
        [
            "CREATE TEMP TABLE t AS SELECT * FROM rows WHERE seq = 3",
            "UPDATE t SET seq = 12, lead_id = 'eve'",
            "INSERT INTO rows SELECT * FROM t",
        ],
        r"row 12 stands in no chain: it was inserted",
    ),
    "a row is duplicated with its entry": (
        [
            "CREATE TEMP TABLE t AS SELECT * FROM rows WHERE seq = 3",
            f"UPDATE t SET seq = 12, as_of = as_of + {86_400 * 10**6 * 3}",
            "INSERT INTO rows SELECT * FROM t",
            "INSERT INTO chain SELECT 12, kind, digest, link FROM chain WHERE seq = 3",
        ],
        rf"breaks at entry 12 {IN_SECOND}.*\nentry 12 {IN_SECOND} is not what was",
    ),
    "an erased row is filled again": (
        [
            "CREATE TEMP TABLE t AS SELECT * FROM rows WHERE seq = 3",
            "UPDATE t SET seq = 4, lead_id = 'bob'",
            "INSERT INTO rows SELECT * FROM t",
        ],
        rf"entry 4 {IN_FIRST} is not what .*\nreceipt 1 names row 4, which is still",
    ),
    "a promise is lowered": (
        ["""UPDATE promises SET content = replace(content, '0.3', '0.2')"""],
        r"the promise at entry 6 is not what was written",
    ),
    "a promise is removed": (
        ["DELETE FROM promises"],
        r"the promise at entry 6 is gone",
    ),
    "a promise is inserted": (
        ["INSERT INTO promises VALUES (12, 'MQL-1', '{\"id\":\"MQL-1\"}')"],
        r"promise 12 stands in no chain",
    ),
    "a receipt names one more row, which is then removed": (
        ["UPDATE receipts SET rows = '[3,4,9]'", "DELETE FROM rows WHERE seq = 3"],
        r"the receipt at entry 11 is not what was written",
    ),
    "a receipt is dated back": (
        ["UPDATE receipts SET at = at - 1"],
        r"the receipt at entry 11 is not what was written",
    ),
    "a receipt cannot be read": (
        ["UPDATE receipts SET rows = '[4,'"],
        r"receipt at entry 11 is not.*\nentry 4 .* is gone, and.*\nentry 9 .* is gone",
    ),
    "a receipt is removed": (
        ["DELETE FROM receipts"],
        r"entry 4 .* is gone, and.*\nentry 9 .* is gone.*\nthe receipt at entry 11",
    ),
    "a receipt is added without the chain": (
        [
            "DELETE FROM rows WHERE seq = 3",
            "INSERT INTO receipts VALUES (12,2,0,'[3]')",
        ],
        r"receipt 12 stands in no chain",
    ),
    "the conversion is another": (
        ["UPDATE begun SET conversion = 'customer within 30 days'"],
        r"the begun at entry 1 is not what was written",
    ),
    "the count of a run is another": (
        ["UPDATE runs SET n_rows = 2 WHERE seq = 7"],
        rf"the header of the {SECOND} \(entry 7\) is not what.*\n.*has 3 rows in the "
        r"chain; its header says 2",
    ),
    "the date of a run is as late as can be": (
        [f"UPDATE runs SET as_of = {2**63 - 1} WHERE seq = 7"],
        r"the header of the run of 294247-01-10T04:00:54.775807Z \(entry 7\) is not",
    ),
    "the date of a run is as early as can be": (
        [f"UPDATE runs SET as_of = -{2**63 - 1} - 1 WHERE seq = 7"],
        r"the header of the run of NaT \(entry 7\) is not what was written",
    ),
    "a digest is another": (
        ["UPDATE chain SET digest = zeroblob(32) WHERE seq = 9"],
        rf"the chain breaks at entry 9 {IN_SECOND}",
    ),
    "a link is another": (
        ["UPDATE chain SET link = zeroblob(32) WHERE seq = 9"],
        rf"breaks at entry 9 {IN_SECOND}.*\n.*breaks at entry 10 {IN_SECOND}",
    ),
    "an entry is of another kind": (
        ["UPDATE chain SET kind = 'receipt' WHERE seq = 9"],
        r"the chain breaks at the receipt at entry 9",
    ),
    "the tail is cut off": (
        [
            "DELETE FROM chain WHERE seq > 9",
            "DELETE FROM rows WHERE seq > 9",
            "DELETE FROM receipts",
        ],
        r"head knows of 11 entries, the chain has 9: entries 10 to 11 are gone from",
    ),
    "the last run is cut off": (
        [
            f"DELETE FROM {table} WHERE seq > 6"
            for table in ("chain", "rows", "runs", "receipts")
        ],
        r"head knows of 11 entries, the chain has 6: entries 7 to 11 are gone from its",
    ),
    "a trigger waits for the next run": (
        [
            "CREATE TRIGGER softly AFTER INSERT ON rows BEGIN UPDATE rows SET "
            "label = 'NURTURE' WHERE seq = new.seq; END"
        ],
        r"the table, index or trigger 'softly' is not as leadscore makes it",
    ),
    "the index forgets what is unique": (
        ["DROP INDEX rows_of_lead", "CREATE INDEX rows_of_lead ON rows (as_of)"],
        r"'rows_of_lead' is not as leadscore makes it",
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found_and_named(path: Path, what: str) -> None:
    statements, named = TAMPERINGS[what]
    change(path, *statements)
    assert re.search(named, problems(path) + "\n"), problems(path)


def test_leads_are_never_named(path: Path) -> None:
    for statements, _named in TAMPERINGS.values():
        copy = path.with_name("copy.sqlite")
        copy.write_bytes(path.read_bytes())
        change(copy, *statements)
        assert not re.search(r"\b(ann|bob|cid|dee|eve)\b", problems(copy))


# ------------------------------------------------- attackers who know how it is chained


def last_row_cut(path: Path) -> None:
    """With its entry, and the head set back."""
    append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann", "dee"]))
    change(
        path, *[f"DELETE FROM {table} WHERE seq = 14" for table in ("rows", "chain")]
    )
    relink(path)


def forged_receipt(path: Path, rows: str) -> None:
    content = json.dumps([2, 0, rows], separators=(",", ":")).encode()
    change(
        path,
        f"INSERT INTO receipts VALUES (12, 2, 0, '{rows}')",
        f"INSERT INTO chain VALUES (12, 'receipt', "
        f"x'{hashlib.sha256(content).hexdigest()}', x'')",
    )
    relink(path)


def redated_promise(path: Path) -> None:
    change(path, 'UPDATE promises SET content = \'{"id":"SQL-1"}\'')
    relink(path)


def spare_entry_removed(path: Path) -> None:
    change(path, "DELETE FROM promises", "DELETE FROM chain WHERE seq = 6")
    relink(path)


def erased_without_receipt(path: Path) -> None:
    change(path, "DELETE FROM rows WHERE seq = 3")


def other_digest(path: Path) -> None:
    change(path, "UPDATE chain SET digest = zeroblob(32) WHERE seq = 9")


def trigger(path: Path) -> None:
    change(path, "CREATE VIEW softly AS SELECT 1")


def index_edited(path: Path) -> None:
    """Another letter in the index alone: `standing` would answer for another lead."""
    content = path.read_bytes()
    places = [found.start() for found in re.finditer(b"dee", content)]
    for place in places:
        edited = bytearray(content)
        edited[place : place + 3] = b"def"
        path.write_bytes(edited)
        if "is not what was written" not in problems(path):
            return
    pytest.fail("the index was not found")


KNOWING: dict[Callable[[Path], None], tuple[str, str]] = {
    trigger: ("_altered_tables", "'softly' is not as leadscore makes it"),
    index_edited: ("_torn_pages", "the file is damaged: .*rows_of_lead"),
    spare_entry_removed: ("_gaps", "an entry of the chain is gone after entry 5"),
    other_digest: ("_broken_links", "the chain breaks at entry 9"),
    redated_promise: ("_altered_contents", "promise at entry 6 is not what was writ"),
    erased_without_receipt: ("_missing_contents", "entry 3 .* no receipt names it"),
    lambda path: forged_receipt(path, "[3]"): (
        "_false_receipts",
        "receipt 2 names row 3, which is still there",
    ),
    lambda path: forged_receipt(path, "[7,99]"): (
        "_false_receipts",
        "receipt 2 names row 7, which never was\nreceipt 2 names row 99, which never",
    ),
    last_row_cut: ("_wrong_counts", "has 1 rows in the chain; its header says 2"),
}


@pytest.mark.parametrize("attack", KNOWING)
def test_each_check_finds_what_no_other_one_does(
    path: Path, attack: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutation: without the check, the alteration passes."""
    name, named = KNOWING[attack]
    attack(path)
    assert re.search(named, problems(path)), problems(path)
    others = tuple(check for check in checks.CHECKS if check.__name__ != name)
    assert len(others) == len(checks.CHECKS) - 1
    monkeypatch.setitem(verify.__globals__, "CHECKS", others)
    assert problems(path) == ""


def test_every_check_has_its_attack() -> None:
    assert {name for name, _ in KNOWING.values()} == {
        check.__name__ for check in checks.CHECKS
    }


def rewritten(path: Path) -> None:
    """All of it anew, with another label: what only a head kept elsewhere shows."""
    with open_ledger(path, conversion=CONVERSION) as ledger:
        rows = ledger.rows(START + DAY)
    for file in path.parent.iterdir():
        file.unlink()
    append(path, START, rows.assign(label="MQL"))
    for n in range(1, 5):
        append(path, START + n * DAY, rows_of(START + n * DAY, ["x", "y"]))


def test_a_ledger_written_anew_is_found_by_a_head_that_was_kept(path: Path) -> None:
    kept = verify(path).head
    assert verify(path, head=kept).problems == ()
    append(path, START + 2 * DAY, rows_of(START + 2 * DAY, ["ann"]))
    assert verify(path, head=kept).problems == ()  # it went on from there
    rewritten(path)
    assert verify(path).problems == ()  # digests are no signature
    assert verify(path, head=kept).problems == (
        "the head that was given knows another entry 11: the chain was written anew",
    )


def test_a_ledger_cut_back_with_its_head_is_found_by_a_head_that_was_kept(
    path: Path,
) -> None:
    kept = verify(path).head
    change(path, *TAMPERINGS["the last run is cut off"][0])
    relink(path)
    found = verify(path, head=kept)
    # The rows whose receipt went along show as well; a run without them would not.
    assert found.problems[-1] == (
        "the head that was given knows of 11 entries, the chain has 6: entries 7 to 11 "
        "are gone from its end"
    )


@pytest.mark.parametrize("head", ["", "11", "x" * 64, "11 " + "g" * 64])
def test_a_head_that_is_none_is_said(path: Path, head: str) -> None:
    with pytest.raises(UsageError, match="is no head of a ledger"):
        verify(path, head=head)


# ---------------------------------------------------------------------- the head file


def test_a_head_behind_the_chain_is_what_a_kill_leaves(path: Path) -> None:
    head = path.with_name("ledger.sqlite.head")
    before = head.read_text()
    append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann"]))
    head.write_text(before)
    found = verify(path)
    assert found.problems == ()
    assert not append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann"]))
    assert head.read_text() == f"{found.head}\n"


def test_nothing_is_appended_where_the_end_is_gone(path: Path) -> None:
    """The next head would hide it."""
    change(path, *TAMPERINGS["the tail is cut off"][0])
    at = START + 3 * DAY
    for do in (
        lambda: append(path, at, rows_of(at, ["ann"])),
        lambda: erase(path, "ann", at=at),
    ):
        with pytest.raises(
            RefusedError, match=r"nothing is appended.*10 to 11 are gone.*same backup"
        ):
            do()
    assert "10 to 11 are gone" in problems(path)


def test_a_missing_head_is_said_with_the_line_that_mends_it(path: Path) -> None:
    head = path.with_name("ledger.sqlite.head")
    head.unlink()
    said = problems(path)
    assert "nobody can tell whether rows at the end are gone" in said
    with pytest.raises(RefusedError, match="nobody can tell"):
        append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann"]))
    head.write_text(said.rpartition("write this line into it: ")[2])
    assert problems(path) == ""
    assert append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann"]))


def test_a_ledger_of_which_only_the_head_is_left_is_said(path: Path) -> None:
    path.unlink()
    with pytest.raises(RefusedError, match=r"is gone, but its head file.*same backup"):
        verify(path)
    with (
        pytest.raises(RefusedError, match="is gone, but its head file"),
        open_ledger(path, conversion="", create=False),
    ):
        pass


def test_a_head_that_is_no_head_is_said(path: Path) -> None:
    path.with_name("ledger.sqlite.head").write_bytes(b"\xff\x00")
    assert "is not as it was written" in problems(path)
    with pytest.raises(RefusedError, match="is not as it was written"):
        append(path, START + 3 * DAY, rows_of(START + 3 * DAY, ["ann"]))


def test_a_ledger_of_which_only_the_beginning_was_committed_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path, conversion=CONVERSION):
        pass
    path.with_name("ledger.sqlite.head").unlink()  # killed before it was written
    assert verify(path).problems == ()
    assert append(path, START, rows_of(START, ["ann"]))


def test_the_tables_are_the_ones_that_are_declared(path: Path) -> None:
    with sqlite3.connect(path) as db:
        found = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql > ''"))
    db.close()
    assert found == TABLES
