"""Memory: lists that remember the ledger label as the replay of the past does."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leadscore import cli
from leadscore.bundle import Bundle, name_current
from leadscore.entries import label_rises, nurtured_entries
from leadscore.errors import RefusedError
from leadscore.ledger import LEDGER_COLUMNS, open_ledger
from leadscore.movement import LEVELS, ROADS, Lines, State, lines_of
from leadscore.policy import Threshold
from leadscore.replay import max_gap_us, replay
from leadscore.snapshots import ELIGIBLE, past_lists
from leadscore.workflows.audit import audit
from leadscore.workflows.booking import (
    Issued,
    issue,
    other_cadence,
    remembering,
    standing_before,
)
from leadscore.workflows.labelled import Listed, label_list
from leadscore.workflows.memory import relive_state
from leadscore.workflows.relived import relive
from leadscore.workflows.score import rows_at, score
from leadscore.workflows.suspended import NOTHING, Suspended
from leadscore.workflows.verdicts import conversion_words
from tests.small_firm import MODEL_ID, Firm, small_firm

N_LISTS = 22
LAST = pd.Timestamp("2025-06-30", tz="Europe/Paris")
# A Monday each, through the night in which clocks go forward.
LISTS = [
    (LAST - pd.DateOffset(days=7 * back)).tz_convert("UTC").as_unit("us")
    for back in range(N_LISTS - 1, -1, -1)
]


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return small_firm(tmp_path_factory.mktemp("firm"))


def one_list(
    firm: Firm,
    ledger: Path,
    as_of: pd.Timestamp,
    *,
    bundle: Bundle | None = None,
    known: Suspended = NOTHING,
) -> tuple[Listed, Issued | None, pd.DataFrame]:
    """Label a list and enter it; give it with its snapshots."""
    bundle = bundle or firm.bundle
    rows, left_out = rows_at(bundle, firm.tables, as_of)
    with remembering(ledger, bundle, is_issued=True) as book:
        standing = standing_before(book, as_of)
        listed = label_list(
            bundle, firm.tables, rows, as_of, standing=standing, known=known
        )
        issued = issue(book, bundle, rows, listed, left_out, as_of)
    return listed, issued, rows.snapshots


def ledger_of(path: Path, bundle: Bundle) -> pd.DataFrame:
    words = conversion_words(bundle.agreement)
    with open_ledger(path, conversion=words, create=False) as ledger:
        return ledger.rows()


@pytest.fixture(scope="module")
def scored(
    firm: Firm, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame]:
    """Half a year of weekly lists with one ledger: what each said of whom."""
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    lists = []
    for as_of in LISTS:
        listed, _, snapshots = one_list(firm, ledger, as_of)
        columns = ["lead_id", "as_of", "label", "road", "label_since"]
        said = listed.scores[columns].assign(status=snapshots["status"])
        for when, state in (
            ("before", listed.memory.before),
            ("after", listed.judged.after),
        ):
            values = {f"{when} {name}": x for name, x in state._asdict().items()}
            said = said.assign(**values)
        lists.append(said)
    return ledger, pd.concat(lists, ignore_index=True)


@pytest.fixture(scope="module")
def relived(firm: Firm) -> pd.DataFrame:
    """The same leads at the same instants, replayed as a promise is proven."""
    bundle, tables = firm.bundle, firm.tables
    agreement = bundle.agreement
    pairs = past_lists(tables.leads, tables.outcomes, agreement, LISTS[-1])
    assert bundle.model is not None
    history = relive(
        tables,
        pairs,
        bundle.model,
        bundle.catalogue,
        bundle.engagement_edges,
        agreement,
    )
    at = lines_of(bundle.thresholds, agreement)
    lines = Lines(
        *(np.array([x]) for x in (at.mql, at.sql, at.keep_mql, at.keep_sql)),
        at.quarantine_us,
    )
    done = replay(history, lines, max_gap_us=max_gap_us(agreement))
    return history[["lead_id", "as_of"]].assign(
        replayed=np.array(LEVELS)[done.level[:, 0]],
        replayed_road=np.array(ROADS, dtype=object)[done.road[:, 0]],
    )


def test_scoring_with_a_ledger_labels_as_the_replay_of_the_same_leads_does(
    scored: tuple[Path, pd.DataFrame], relived: pd.DataFrame
) -> None:
    """So a promise is proven for the very moves that are made later."""
    lists = scored[1]
    eligible = lists[lists["status"] == ELIGIBLE]
    both = eligible.merge(
        relived[relived["as_of"].isin(LISTS)],
        on=["lead_id", "as_of"],
        how="outer",
        indicator=True,
    )
    assert (both["_merge"] == "both").all()
    unlike = both[
        (both["label"] != both["replayed"])
        | (both["road"].fillna("") != both["replayed_road"].fillna(""))
    ]
    assert unlike.empty, unlike.head(10).to_string()
    # The firm moves enough for that to mean something.
    counts = both.groupby(["label", both["road"].fillna("")]).size()
    assert counts.min() >= 15, counts


def test_the_quarantine_of_a_week_is_over_a_week_later_in_every_week(
    scored: tuple[Path, pd.DataFrame], firm: Firm
) -> None:
    rows = ledger_of(scored[0], firm.bundle)
    new = rows[(rows["change"] == "issued") & (rows["road"] == "nurtured")]
    days = (new["as_of"] - new["mql_above_since"]).dt.total_seconds() / 86_400
    assert days.round().min() == 7
    weeks = new.groupby("as_of").size()
    assert len(weeks) > 5
    # Nobody waits longer than the first list at which the week is over.
    is_quick = days.round() == 7
    assert is_quick[new["label"] == "MQL"].all()


def test_a_ledger_tells_what_became_of_each_lead(
    scored: tuple[Path, pd.DataFrame], firm: Firm
) -> None:
    rows = ledger_of(scored[0], firm.bundle)
    first, later = rows["as_of"] == LISTS[0], rows["as_of"] > LISTS[0]
    assert set(rows.loc[first, "change"]) >= {"stock", "waiting"}
    assert set(rows.loc[later, "change"]) == {
        "issued",
        "kept",
        "changed",
        "withdrawn",
        "waiting",
        "left",
    }
    assert rows.loc[rows["change"] == "stock", "promise"].isna().all()
    assert rows.loc[rows["road"] == "hand_raised", "promise"].isna().all()
    issued = rows[(rows["change"] == "issued") & (rows["road"] == "nurtured")]
    assert issued["promise"].notna().all()
    assert (rows.loc[rows["change"] == "left", "label"] == "NURTURE").all()
    assert (
        rows.loc[rows["change"] == "left", "reason"].str.match(r"Off the list: ").all()
    )
    assert not rows.duplicated(["lead_id", "as_of"]).any()


def test_each_row_of_a_ledger_follows_from_the_one_before(
    scored: tuple[Path, pd.DataFrame], firm: Firm
) -> None:
    rows = ledger_of(scored[0], firm.bundle).sort_values(["lead_id", "as_of"])
    rank = {"DISQUALIFIED": 0, "NURTURE": 0, "MQL": 1, "SQL": 2}
    for _, life in rows.groupby("lead_id"):
        before, road_before = 0, None
        for n, row in enumerate(life.itertuples()):
            now, road = rank[row.label], row.road if isinstance(row.road, str) else None
            if n == 0 and row.change in ("stock", "changed"):
                before, road_before = now, road  # it stood there before the ledger
            expected = {
                "stock": now == before > 0 and row.as_of == LISTS[0],
                "issued": before == 0 < now,
                "kept": now == before > 0 and road == road_before,
                "changed": now > 0 or row.label == "DISQUALIFIED" or before == 0,
                "withdrawn": now == 0 < before,
                "waiting": now == before == 0,
                "left": now == 0,
            }
            assert expected[row.change], (row, before)
            before, road_before = now, road


def test_what_stands_on_a_promise_entered_by_it(
    scored: tuple[Path, pd.DataFrame], firm: Firm
) -> None:
    """Nobody who fell, was stock, or came by a raised hand stands on a promise."""
    rows = ledger_of(scored[0], firm.bundle).sort_values(["lead_id", "as_of"])
    rank = rows["label"].map({"MQL": 1, "SQL": 2}).fillna(0)
    before = rank.groupby(rows["lead_id"]).shift(fill_value=0)
    road_before = rows.groupby("lead_id")["road"].shift()
    promise_before = rows.groupby("lead_id")["promise"].shift()
    is_nurtured = rows["road"] == "nurtured"
    rises = is_nurtured & (rank > before) & (rows["change"] != "stock")
    is_new = rows["as_of"] == LISTS[0]
    assert rows.loc[rises & ~is_new, "promise"].notna().all()
    stays = is_nurtured & (rank == before) & (road_before == "nurtured")
    kept = rows["promise"].fillna("") == promise_before.fillna("")
    assert kept[stays].all()
    neither = is_nurtured & ~rises & ~stays
    assert rows.loc[neither, "promise"].isna().all()


def test_a_second_run_of_the_same_job_enters_nothing(
    firm: Firm, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    one, first, _ = one_list(firm, ledger, LISTS[0])
    rows = ledger_of(ledger, firm.bundle)
    other, second, _ = one_list(firm, ledger, LISTS[0])
    assert first is not None
    assert second is not None
    assert (first.is_new, second.is_new) == (True, False)
    assert first.changes == second.changes
    pd.testing.assert_frame_equal(one.scores, other.scores)
    pd.testing.assert_frame_equal(rows, ledger_of(ledger, firm.bundle))


@pytest.mark.parametrize("is_issued", [True, False])
@pytest.mark.parametrize(
    "altering",
    [
        "UPDATE rows SET label = 'SQL' WHERE label = 'MQL'",
        "DELETE FROM rows WHERE seq = (SELECT max(seq) FROM rows WHERE label = 'SQL')",
    ],
)
def test_no_list_is_built_on_an_altered_ledger_and_the_audit_says_the_same(
    firm: Firm, tmp_path: Path, altering: str, is_issued: bool
) -> None:
    ledger, out = tmp_path / "ledger.sqlite", tmp_path / "scores.csv"
    one_list(firm, ledger, LISTS[0])
    with contextlib.closing(sqlite3.connect(ledger)) as connection, connection:
        assert connection.execute(altering).rowcount > 0
    held = ledger.read_bytes()
    with pytest.raises(RefusedError, match="is not what was written") as refused:
        score(
            firm.data,
            firm.bundle,
            as_of=LISTS[1],
            out=out,
            ledger=ledger,
            is_issued=is_issued,
        )
    assert not out.exists()
    assert ledger.read_bytes() == held
    with pytest.raises(RefusedError) as by_audit:
        audit(firm.data, firm.bundle, tmp_path, ledger=ledger)
    assert str(refused.value) == str(by_audit.value)


def test_a_list_says_where_each_lead_stood_before(firm: Firm, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    one = one_list(firm, ledger, LISTS[0])[0].scores.set_index("lead_id")
    two = one_list(firm, ledger, LISTS[1])[0].scores.set_index("lead_id")
    both = two.index.intersection(one.index)
    stood = one.loc[both, "label"].isin(["MQL", "SQL"])
    now, before = two.loc[both, "previous_label"], one.loc[both, "label"]
    assert (now[stood] == before[stood]).all()
    assert (two["label_since"].dropna() <= LISTS[1]).all()
    same = stood & (two.loc[both, "label"] == one.loc[both, "label"])
    assert (two.loc[both, "label_since"] == one.loc[both, "label_since"])[same].all()


def test_an_afternoon_list_remembers_the_past_at_any_cadence(firm: Firm) -> None:
    """A ledger that begins in the afternoon has the stock of that morning's replay."""
    movement = firm.bundle.agreement.movement.model_copy(update={"score_every_days": 1})
    agreement = firm.bundle.agreement.model_copy(update={"movement": movement})
    bundle = replace(firm.bundle, agreement=agreement)
    stock = []
    for hours in (0, 15):
        as_of = LISTS[-1] + pd.Timedelta(hours=hours)
        rows, _ = rows_at(bundle, firm.tables, as_of)
        listed = label_list(bundle, firm.tables, rows, as_of)
        stock.append(int((listed.memory.before.level > 0).sum()))
    assert stock[0] > 5
    assert abs(stock[1] - stock[0]) <= 2


def test_the_ledger_remembers_where_each_lead_stood(
    scored: tuple[Path, pd.DataFrame],
) -> None:
    """All of it: what a raised hand hides, too, of which the ledger has no column."""
    lists = scored[1]
    then = lists[lists["as_of"] < LISTS[-1]]
    then = then.assign(as_of=then["as_of"].map(dict(itertools.pairwise(LISTS))))
    both = lists.merge(then, on=["lead_id", "as_of"], suffixes=("", " then"))
    assert len(both) > 400
    for name in State._fields:
        assert (both[f"before {name}"] == both[f"after {name} then"]).all(), name
    is_hidden = (both["road then"] == "hand_raised") & (both["before nurtured"] > 0)
    assert is_hidden.sum() > 3


def test_who_stays_where_it_was_without_a_label_has_no_row(
    scored: tuple[Path, pd.DataFrame], firm: Firm
) -> None:
    lists = scored[1].merge(
        ledger_of(scored[0], firm.bundle)[["lead_id", "as_of", "change"]], how="left"
    )
    later = lists[lists["as_of"] > LISTS[0]]
    has_moved = np.zeros(len(later), dtype=bool)
    for name in State._fields:
        has_moved |= (later[f"before {name}"] != later[f"after {name}"]).to_numpy()
    is_labelled = later["label"].isin(["MQL", "SQL"])
    is_idle = ~has_moved & ~is_labelled & (later["label"] == "NURTURE")
    assert later.loc[is_idle, "change"].isna().mean() == 1
    assert later.loc[has_moved | is_labelled, "change"].notna().all()
    assert is_idle.sum() > 50


def test_a_suspended_label_is_kept_but_not_issued_and_shown_so(
    firm: Firm, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    for as_of in LISTS[:4]:
        one_list(firm, ledger, as_of)
    before = ledger_of(ledger, firm.bundle)
    closed = Suspended(
        frozenset(["MQL", "SQL"]),
        frozenset(
            t.promise_id(MODEL_ID) or "" for t in firm.bundle.thresholds.values()
        ),
        ("closed by a test",),
    )
    plain = one_list(firm, tmp_path / "other.sqlite", LISTS[4])[0].scores
    listed, _, _ = one_list(firm, ledger, LISTS[4], known=closed)
    scores = listed.scores
    nurtured = scores[scores["road"] == "nurtured"]
    standing = before.drop_duplicates("lead_id", keep="last")
    stood = standing.loc[standing["label"].isin(["MQL", "SQL"]), "lead_id"]
    assert set(nurtured["lead_id"]) <= set(stood)
    assert len(nurtured) > 3
    assert set(plain.loc[plain["road"] == "nurtured", "lead_id"]) - set(stood)
    assert set(nurtured["promise"].dropna()) == {"suspended"}
    assert nurtured["label_reason"].str.contains("is suspended").all()
    kept = ledger_of(ledger, firm.bundle)
    kept = kept[(kept["as_of"] == LISTS[4]) & kept["promise"].notna()]
    assert kept["promise"].str.contains(MODEL_ID).all(), "the ledger keeps the promise"


def test_a_new_model_keeps_the_labels_of_the_old_one_and_their_promises(
    firm: Firm, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    for as_of in LISTS[:4]:
        one_list(firm, ledger, as_of)
    new = replace(firm.bundle, model_id="2026-02-01-11111111")
    one_list(firm, ledger, LISTS[4], bundle=new)
    rows = ledger_of(ledger, new)
    now = rows[(rows["as_of"] == LISTS[4]) & (rows["road"] == "nurtured")]
    kept = now[now["change"] == "kept"]["promise"].dropna()
    issued = now[now["change"] == "issued"]["promise"]
    assert len(kept)
    assert len(issued)
    assert kept.str.endswith(MODEL_ID).all()
    assert issued.str.endswith("2026-02-01-11111111").all()


def test_a_label_that_a_new_model_does_not_issue_is_withdrawn_with_its_reason(
    firm: Firm, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    for as_of in LISTS[:2]:
        one_list(firm, ledger, as_of)
    nothing = {label: Threshold(label, None, "") for label in ("MQL", "SQL")}
    new = replace(firm.bundle, model_id="2026-02-01-11111111", thresholds=nothing)
    scores = one_list(firm, ledger, LISTS[2], bundle=new)[0].scores
    assert set(scores["road"].dropna()) <= {"hand_raised"}
    gone = scores[scores["label_reason"].str.contains("withdrawn")]
    said = "is not issued by probability any more"
    assert gone["label_reason"].str.contains(said).sum() > 3


def test_a_label_that_nobody_stands_in_yet_is_no_sign_of_other_leads(
    firm: Firm, tmp_path: Path
) -> None:
    """After a model that issued nothing, the next one must be able to begin."""
    ledger = tmp_path / "ledger.sqlite"
    nothing = {label: Threshold(label, None, "") for label in ("MQL", "SQL")}
    old = replace(firm.bundle, thresholds=nothing)
    for as_of in LISTS[:4]:
        one_list(firm, ledger, as_of, bundle=old)
    open_to_many = replace(firm.bundle.thresholds["MQL"], probability=0.01)
    first = replace(
        firm.bundle,
        model_id="2026-02-01-11111111",
        thresholds={"MQL": open_to_many},
    )
    alone = one_list(firm, tmp_path / "other.sqlite", LISTS[4], bundle=first)[0].scores
    usual = (alone["road"] == "nurtured").mean()
    assert usual > 0.4
    alike = replace(open_to_many, selected=usual)
    new = replace(first, thresholds={"MQL": alike})
    begun, _, _ = one_list(firm, ledger, LISTS[4], bundle=new)
    assert begun.suspended == NOTHING
    # Its own replay finds them standing there: hardly anybody enters by this list.
    nurtured = begun.changes[begun.scores["road"] == "nurtured"]
    assert (nurtured == "stock").mean() > 0.8
    later = one_list(firm, ledger, LISTS[5], bundle=new)[0].scores
    assert (later["road"] == "nurtured").mean() > usual / 2


def test_a_replay_does_not_say_that_a_ledger_is_empty_which_is_not(
    firm: Firm, tmp_path: Path
) -> None:
    """The same list again, and one before it, find a ledger with nothing before."""
    ledger = tmp_path / "ledger.sqlite"
    one_list(firm, ledger, LISTS[1])
    for as_of in (LISTS[1], LISTS[0]):
        told: list[str] = []
        rows, _ = rows_at(firm.bundle, firm.tables, as_of)
        with remembering(ledger, firm.bundle, is_issued=False) as book:
            standing = standing_before(book, as_of)

        def tell(step: str, told: list[str] = told, **_: object) -> None:
            told.append(step)

        label_list(firm.bundle, firm.tables, rows, as_of, standing=standing, tell=tell)
        said = [step for step in told if step.startswith("replaying the past")]
        assert said == [
            "replaying the past of the leads: no list before this as_of is entered"
        ]


def test_lists_at_another_pace_than_agreed_are_told(firm: Firm, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    agreement = firm.bundle.agreement
    one_list(firm, ledger, LISTS[0])
    with remembering(ledger, firm.bundle, is_issued=True) as book:
        day = pd.Timedelta(days=1)
        assert other_cadence(book, agreement, LISTS[1]) == ()
        assert other_cadence(book, agreement, LISTS[0]) == ()
        ages = (1, "is 1 day old"), (14, "is 14 days old"), (9000, "is 9,000 days old")
        for days, said in ages:
            (note,) = other_cadence(book, agreement, LISTS[0] + days * day)
            assert said in note
            assert "scores every 7" in note


def test_whom_a_new_model_finds_standing_is_stock_and_no_entry(
    firm: Firm, tmp_path: Path
) -> None:
    """As in the slice that proved its promise: they stood there before it began."""
    ledger = tmp_path / "ledger.sqlite"
    nothing = {label: Threshold(label, None, "") for label in ("MQL", "SQL")}
    for as_of in LISTS[:8]:
        one_list(firm, ledger, as_of, bundle=replace(firm.bundle, thresholds=nothing))
    new = replace(firm.bundle, model_id="2026-02-01-22222222")
    rows, _ = rows_at(new, firm.tables, LISTS[8])
    lived = relive_state(new, firm.tables, rows, LISTS[8])
    standing = set(rows.snapshots["lead_id"][lived.level > 0])
    assert len(standing) > 5
    for as_of in LISTS[8:12]:
        listed, _, _ = one_list(firm, ledger, as_of, bundle=new)
        if as_of == LISTS[8]:
            stock = listed.scores["lead_id"][listed.changes == "stock"]
            assert set(stock) <= standing
            assert len(stock) > 5
            assert listed.promised[listed.changes == "stock"].isna().all()
    n_entered = 0
    for level, label in enumerate(("MQL", "SQL"), start=1):
        rises = label_rises(ledger_of(ledger, new), label)
        entered = set(nurtured_entries(rises, model_version=new.model_id)["lead_id"])
        assert not entered & set(rows.snapshots["lead_id"][lived.level >= level])
        n_entered += len(entered)
    assert n_entered > 5


@pytest.fixture
def in_use(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models, of which the firm's is in use."""
    models = tmp_path / "models"
    models.mkdir()
    name_current(models, MODEL_ID)

    def loaded(_: Path, model_id: str) -> Bundle:
        return replace(firm.bundle, model_id=model_id)

    monkeypatch.setattr("leadscore.bundle.load_bundle", loaded)
    return models


def run(
    capsys: pytest.CaptureFixture[str],
    firm: Firm,
    models: Path,
    *more: str,
    as_of: str = LISTS[0].tz_convert("Europe/Paris").date().isoformat(),
) -> dict[str, Any]:
    out = models.parent / "scores.csv"
    asked = [str(firm.data), "--models", str(models), "--as-of", as_of]
    code = cli.main(["score", *asked, "--out", str(out), "--json", *more])
    told = capsys.readouterr()
    assert code in (0, 10), told.err
    assert out.exists()
    facts: dict[str, Any] = json.loads(told.out)
    return facts


def test_the_command_enters_the_list_of_the_model_in_use_once(
    firm: Firm, in_use: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, firm, in_use)
    ledger = in_use / "ledger.sqlite"
    once = ledger_of(ledger, firm.bundle)
    run(capsys, firm, in_use)
    pd.testing.assert_frame_equal(once, ledger_of(ledger, firm.bundle))
    assert set(once["change"]) >= {"stock", "waiting"}
    assert list(once) == list(LEDGER_COLUMNS)


@pytest.mark.parametrize("looks", [["--no-ledger"], ["--model", "2026-02-01-11111111"]])
def test_a_look_enters_nothing(
    firm: Firm, in_use: Path, capsys: pytest.CaptureFixture[str], looks: list[str]
) -> None:
    run(capsys, firm, in_use, *looks)
    assert not (in_use / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("as_of", "why"),
    [
        (
            "2126-01-01",
            "the data ends 36,524 days before as_of; export anew and score again, or "
            "score with --as-of 2026-01-01",
        ),
        (
            "2026-02-25",
            "the data ends 55 days before as_of; export anew and score again, or score "
            "with --as-of 2026-01-01",
        ),
        (
            "2015-01-01",
            "no lead is on the list; look at the export and at --as-of",
        ),
    ],
)
def test_a_list_that_is_stale_or_empty_is_written_and_not_entered(
    firm: Firm,
    in_use: Path,
    capsys: pytest.CaptureFixture[str],
    as_of: str,
    why: str,
) -> None:
    ledger = in_use / "ledger.sqlite"
    alone = run(capsys, firm, in_use, as_of=as_of)
    assert (alone["ledger"], alone["not_entered"]) == (None, why)
    assert not ledger.exists(), "none is begun for it"
    run(capsys, firm, in_use)
    once = ledger_of(ledger, firm.bundle)
    facts = run(capsys, firm, in_use, as_of=as_of)
    assert (facts["ledger"], facts["not_entered"]) == (None, why)
    assert facts["is_degraded"]
    pd.testing.assert_frame_equal(once, ledger_of(ledger, firm.bundle))
    look = run(capsys, firm, in_use, "--no-ledger", as_of=as_of)
    assert look["labels"] == facts["labels"]
    assert look["not_entered"] is None
    # The next list in time is entered as if nothing had been.
    then = LISTS[1].tz_convert("Europe/Paris").date().isoformat()
    assert run(capsys, firm, in_use, as_of=then)["ledger"]["is_new"]


@pytest.mark.parametrize("looks", [[], ["--no-ledger"]])
def test_a_list_of_a_time_that_the_model_has_learned_from_promises_nothing(
    firm: Firm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_use: Path,
    looks: list[str],
) -> None:
    """Up to the newest snapshot of the training; a list after it is any other list."""
    ledger, out = in_use / "ledger.sqlite", tmp_path / "scores.csv"
    one_list(firm, ledger, LISTS[0])
    before = ledger_of(ledger, firm.bundle)
    then = LISTS[1].tz_convert("Europe/Paris").date().isoformat()
    learned: dict[str, Any] = firm.bundle.provenance | {
        "last_as_of": LISTS[1].isoformat()
    }
    after = learned | {
        "last_as_of": (LISTS[1] - pd.Timedelta(microseconds=1)).isoformat()
    }
    for provenance in (learned, after):
        bundle = replace(firm.bundle, provenance=provenance)
        monkeypatch.setattr("leadscore.bundle.load_bundle", lambda *_, b=bundle: b)
        facts = run(capsys, firm, in_use, *looks, as_of=then)
        scores = pd.read_csv(out)
        is_learned = provenance is learned
        said = [w for w in facts["warnings"] if "has learned from outcomes" in w]
        assert len(said) == is_learned
        assert scores["label"].isin(["MQL", "SQL"]).sum() > 3
        assert scores["promise"].notna().any() != is_learned
        assert (facts["ledger"] is None) == (is_learned or bool(looks))
        if is_learned:
            assert f"snapshot is of {then}" in said[0]
            pd.testing.assert_frame_equal(before, ledger_of(ledger, firm.bundle))


def test_the_summary_says_in_a_sentence_that_nothing_was_entered(
    firm: Firm, in_use: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(in_use.parent / "s.csv")
    asked = ["score", str(firm.data), "--models", str(in_use), "--out", out]
    assert cli.main([*asked, "--as-of", "2026-02-25"]) == 10
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "nothing was entered into the ledger: the data ends 55 days before as_of; "
        "export anew and score again, or score with --as-of 2026-01-01" in said
    )


@pytest.mark.parametrize("is_issued", [True, False])
def test_a_look_labels_as_the_list_that_is_issued_would(
    firm: Firm, tmp_path: Path, is_issued: bool
) -> None:
    ledger = tmp_path / "ledger.sqlite"
    one_list(firm, ledger, LISTS[0])
    before = ledger_of(ledger, firm.bundle)
    out = tmp_path / "scores.csv"
    done = score(
        firm.data,
        firm.bundle,
        as_of=LISTS[1],
        out=out,
        ledger=ledger,
        is_issued=is_issued,
    )
    expected = one_list(firm, ledger, LISTS[1])[0].scores
    pd.testing.assert_frame_equal(done.scores, expected)
    assert (done.issued is not None) is is_issued
    assert len(ledger_of(ledger, firm.bundle)) > len(before)
