"""The right to be forgotten: nothing of a lead stays, and the chain still holds."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from leadscore.cli import main
from leadscore.errors import BusyError, InputError
from leadscore.ledger import erase, open_ledger, verify
from leadscore.ledger.sweep import sweep
from tests.ledgers import CONVERSION, DAY, START, append, copied, rows_of

LEAD = "ÉRIC-0007-forget-me"
SAID = "asked for a demo of the unusual product"
ERASED_AT = START + 9 * DAY
N_RUNS = 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of some hundred pages, with one lead all over it."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    for n in range(N_RUNS):
        at = START + n * DAY
        leads = [f"lead-{i:04d}" for i in range(300)]
        rows = rows_of(at, [*leads[: 50 * n], LEAD, *leads[50 * n :]])
        rows.loc[rows["lead_id"] == LEAD, "reason"] = f"{SAID} {n}"
        append(path, at, rows)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return copied(whole, tmp_path)


def bytes_left(path: Path) -> set[str]:
    """Which files of the folder still hold the lead's id, or what was said of it."""
    traces = LEAD.encode(), SAID.encode()
    return {
        file.name
        for file in path.parent.iterdir()
        if any(trace in file.read_bytes() for trace in traces)
    }


def n_unswept(path: Path) -> int:
    with sqlite3.connect(path) as db:
        (n,) = db.execute("SELECT count(*) FROM unswept").fetchone()
    db.close()
    return int(n)


def test_nothing_of_the_lead_is_left_in_any_byte(path: Path) -> None:
    assert bytes_left(path) == {"ledger.sqlite"}
    receipt = erase(path, LEAD, at=ERASED_AT)
    assert (receipt.n_rows, receipt.number, receipt.at) == (N_RUNS, 1, ERASED_AT)
    assert bytes_left(path) == set()
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "ledger.sqlite",
        "ledger.sqlite.head",
        "ledger.sqlite.lock",
    ]


def test_the_others_stay_and_the_chain_verifies(path: Path) -> None:
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        rows, standing = ledger.rows(), ledger.standing(ERASED_AT)
    kept = verify(path).head
    erase(path, LEAD, at=ERASED_AT)
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        for before, after in (
            (rows, ledger.rows()),
            (standing, ledger.standing(ERASED_AT)),
        ):
            others = before[before["lead_id"] != LEAD].reset_index(drop=True)
            pd.testing.assert_frame_equal(after, others)
    found = verify(path, head=kept)
    assert found.problems == ()
    assert (found.n_rows, found.n_erased) == (N_RUNS * 300, N_RUNS)


def test_erased_leads_are_counted_by_model_and_never_named(path: Path) -> None:
    def counted() -> dict[str, int]:
        with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
            return ledger.erased_leads()

    assert counted() == {}
    erase(path, LEAD, at=ERASED_AT)
    (model,) = counted()
    assert counted() == {model: 1}
    erase(path, "lead-0001", at=ERASED_AT + DAY)
    assert counted() == {model: 2}


def test_the_receipt_says_which_and_when_and_never_whose(path: Path) -> None:
    erase(path, LEAD, at=ERASED_AT)
    erase(path, "lead-0001", at=ERASED_AT + DAY)
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT number, at, rows FROM receipts").fetchall()
        salts = db.execute("SELECT count(*) FROM rows WHERE salt IS NULL").fetchone()
    db.close()
    assert [(number, at) for number, at, _ in found] == [
        (1, int(ERASED_AT.timestamp()) * 10**6),
        (2, int((ERASED_AT + DAY).timestamp()) * 10**6),
    ]
    assert [len(json.loads(rows)) for *_, rows in found] == [N_RUNS, N_RUNS]
    assert salts == (0,)


def test_an_unknown_lead_leaves_the_file_as_it_is(path: Path) -> None:
    erase(path, LEAD, at=ERASED_AT)
    content = path.read_bytes()
    for lead in (LEAD, "lead-1", "%", "lead-0001 "):
        receipt = erase(path, lead, at=ERASED_AT)
        assert (receipt.n_rows, receipt.number) == (0, None)
    assert path.read_bytes() == content


def test_the_last_run_again_is_nothing_to_do_with_or_without_the_lead(
    path: Path,
) -> None:
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        rows = ledger.rows()
    erase(path, LEAD, at=ERASED_AT)
    at = START + (N_RUNS - 1) * DAY
    rows = rows[rows["as_of"] == at]
    assert not append(path, at, rows)
    assert not append(path, at, rows[rows["lead_id"] != LEAD])
    assert bytes_left(path) == set()


def test_a_lead_that_is_scored_again_is_a_new_lead(path: Path) -> None:
    erase(path, LEAD, at=ERASED_AT)
    append(path, ERASED_AT, rows_of(ERASED_AT, [LEAD]))
    with open_ledger(path, conversion=CONVERSION, create=False) as ledger:
        assert (ledger.rows()["lead_id"] == LEAD).sum() == 1
    assert erase(path, LEAD, at=ERASED_AT).number == 2
    assert bytes_left(path) == set()
    assert verify(path).problems == ()


def test_a_kill_before_the_file_was_swept_is_made_good_by_the_next_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(erase.__globals__, "sweep", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(path, LEAD, at=ERASED_AT)
    assert n_unswept(path) == 1
    n_bytes, swept = path.stat().st_size, []

    def noting(connection: sqlite3.Connection) -> None:
        sweep(connection)
        swept.append(path.stat().st_size)

    monkeypatch.setattr("leadscore.ledger.access.sweep", noting)
    assert erase(path, LEAD, at=ERASED_AT).n_rows == 0
    assert swept[0] <= n_bytes
    assert n_unswept(path) == 0
    assert bytes_left(path) == set()
    assert verify(path).problems == ()


def test_an_erasure_waits_for_nobody(path: Path) -> None:
    with (
        open_ledger(path, conversion=CONVERSION),
        pytest.raises(BusyError, match="held by another run"),
    ):
        erase(path, LEAD, at=ERASED_AT)


def test_no_ledger_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no ledger yet"):
        erase(tmp_path / "ledger.sqlite", LEAD, at=ERASED_AT)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ the command line

Capture = pytest.CaptureFixture[str]


def test_forget_prints_the_receipt_and_what_it_does_not_reach(
    path: Path, capsys: Capture
) -> None:
    assert main(["forget", LEAD, "--models", str(path.parent)]) == 0
    shown = capsys.readouterr().out
    said = " ".join(shown.split())
    assert said.startswith(
        "receipt 1: 6 rows of this lead erased from the ledger at 20"
    )
    assert f"\nledger: {path}\n" in shown
    assert "lists that were written, exports" in said
    assert "comes back into the ledger with the next scoring unless" in said
    assert LEAD not in shown
    assert bytes_left(path) == set()
    assert main(["forget", LEAD, "--models", str(path.parent)]) == 0
    assert "holds no row of this lead; nothing to do" in capsys.readouterr().out


def test_forget_answers_as_json(path: Path, capsys: Capture) -> None:
    assert main(["forget", "lead-0003", "--ledger", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["n_rows"], facts["receipt"]) == (N_RUNS, 1)
    assert facts["said"].startswith("receipt 1: 6 rows")
    assert main(["forget", "lead-0003", "--ledger", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["n_rows"], facts["receipt"], facts["at"]) == (0, None, None)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (["x"], 66, "holds no ledger yet"),
        ([""], 2, "'' is no lead id"),
        (["\udcff"], 2, "is no lead id"),
    ],
)
def test_forget_turns_an_error_into_a_line(
    arguments: list[str],
    exit_code: int,
    sentence: str,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    assert main(["forget", *arguments, "--models", str(tmp_path)]) == exit_code
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
