"""Machines are kept apart, counted, and how many labels hang on them is said."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from leadscore.agreement import Machines, parse_agreement
from leadscore.bundle import Bundle
from leadscore.errors import AgreementError
from leadscore.interactions import Interactions
from leadscore.judge import judge
from leadscore.kept_apart import clock_units, machine_counts, tried
from leadscore.report.text import report_of
from leadscore.store import read_agreement, read_tables
from leadscore.summary import (
    check_facts,
    check_lines,
    score_facts,
    score_lines,
    train_facts,
    train_lines,
)
from leadscore.tables import Tables
from leadscore.workflows.check import check
from leadscore.workflows.doubts import unheard_words
from leadscore.workflows.init import init
from leadscore.workflows.machine_facts import (
    Hanging,
    coarse_clocks,
    undeclared_machines,
)
from leadscore.workflows.record import Recorded
from leadscore.workflows.rows import Rows, build_rows
from leadscore.workflows.score import Scored, rows_at, score
from leadscore.workflows.train import Trained, train
from tests.folders import AGREEMENT, write_folder

START = pd.Timestamp("2025-01-01T09:17:07Z")
HOURS = 12  # between two leads
N_PEOPLE, N_SCANNERS = 400, 10
END = START + pd.Timedelta(hours=HOURS * N_PEOPLE)
AS_OF = END.ceil("D")
PEOPLE = range(N_PEOPLE)  # of those who read, three in five convert; nobody else
SCANNERS = range(N_PEOPLE - 15, N_PEOPLE - 15 + N_SCANNERS)
RULES = '[machines]\nkinds = ["email_open", "email_click"]\nwithin_s = 30\n'
KINDS = ("email_click", "email_open")
NO_POINTS = "[points]\nrules = []\n[features]\n"
PLAIN = AGREEMENT.replace("2025-06-01T00:00:00Z", f"{END + pd.Timedelta(days=9)}")
PLAIN += "[training]\npromise_days = 180\norigins = 1\n"
PLAIN += "[labels.MQL]\nprecision = 0.4\n[labels.SQL]\nprecision = 0.5\n"


def created(lead: int) -> pd.Timestamp:
    return START + pd.Timedelta(hours=HOURS * lead)


def said_at(lead: int, **later: float) -> str:
    return f"{created(lead) + pd.Timedelta(**later or {'days': 0}):%Y-%m-%dT%H:%M:%SZ}"


def reading(lead: int) -> list[str]:
    """A person opens on the first day, and clicks a minute and a half later."""
    return [
        f"L{lead},{said_at(lead, hours=5)},email_open,mail/1",
        f"L{lead},{said_at(lead, hours=5, seconds=90)},email_click,mail/1/1",
    ]


def scanning(lead: int, **later: float) -> list[str]:
    """A machine opens, and clicks both links within seconds."""
    first = pd.Timedelta(**later)
    kinds = [("email_open", "mail/1"), ("email_click", "a"), ("email_click", "b")]
    return [
        f"L{lead},{said_at(lead, seconds=first.total_seconds() + 9 * i)},{kind},{what}"
        for i, (kind, what) in enumerate(kinds)
    ]


def texts(agreement: str) -> dict[str, str]:
    leads = ["lead_id,created_at,country"]
    log = ["lead_id,occurred_at,kind,content"]
    outcomes = ["lead_id,stage,occurred_at"]
    for lead in PEOPLE:
        leads.append(f"L{lead},{said_at(lead)},fr")
        log.append(f"L{lead},{said_at(lead, hours=1)},page_view,home")
        if lead in SCANNERS:
            log += scanning(lead, hours=2) + scanning(lead, hours=7)
        elif lead % 2:
            log += reading(lead)
            if lead % 10 < 6:
                outcomes.append(f"L{lead},opportunity,{said_at(lead, days=16)}")
    # Not on the list any more (converted); not yet seen at as_of.
    log += scanning(1, days=20)
    days = (AS_OF - created(SCANNERS[0])).total_seconds()
    log += scanning(SCANNERS[0], seconds=days - 8)
    tables = {"leads": leads, "interactions": log, "outcomes": outcomes}
    written = {name: "\n".join([*lines, ""]) for name, lines in tables.items()}
    return written | {"agreement": agreement}


@pytest.fixture(scope="module", autouse=True)
def unrecorded() -> Iterator[None]:
    """Log no run: it takes as long as the training, and nothing here looks at it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "leadscore.workflows.train.record_run",
            lambda bundle, models, now: Recorded("none", why_not="nobody looks"),
        )
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("machines") / "data"
    return write_folder(data, **texts(PLAIN + RULES))


@pytest.fixture(scope="module")
def kept_apart(folder: Path) -> Trained:
    return train(folder, folder.parent / "models")


@pytest.fixture(scope="module")
def scored(folder: Path, kept_apart: Trained) -> Scored:
    out = folder.parent / "scores.csv"
    return score(folder, kept_apart.bundle, as_of=AS_OF, out=out)


@pytest.fixture(scope="module")
def undeclared(folder: Path, kept_apart: Trained) -> Tables:
    """The same folder, read as if nobody had thought of machines."""
    settled = kept_apart.bundle.agreement.model_copy(update={"machines": Machines()})
    return read_tables(folder, settled)


def one_line(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


def test_scanners_get_no_label_and_it_is_said_how_many_would(
    scored: Scored, undeclared: Tables
) -> None:
    """With machines: as an agreement that has no rules would have had it."""
    rows, _ = rows_at(scored.bundle, undeclared, AS_OF)
    known, _ = rows_at(scored.bundle, scored.tables, AS_OF)
    other, own = labels_alone(scored.bundle, rows), labels_alone(scored.bundle, known)
    differ = own.index[own["label"] != other.loc[own.index, "label"]]
    scanners = [f"L{lead}" for lead in SCANNERS]
    assert sorted(differ) == sorted(scanners)
    assert set(own.loc[scanners, "label"]) == {"NURTURE"}
    assert not set(other.loc[scanners, "label"]) & {"NURTURE", "DISQUALIFIED"}

    points = int((other["points"] - own["points"]).sum())
    # The last three rows of a scanner were not yet clear at as_of, with or without.
    points_unclear = points_of_late_rows(other, own)
    hanging = scored.machines
    assert hanging is not None
    assert (hanging.n_higher, hanging.n_lower) == (N_SCANNERS, 0)
    assert hanging.points == points - points_unclear


def labels_alone(bundle: Bundle, rows: Rows) -> pd.DataFrame:
    """What rows alone are worth, whatever was before: nothing is in quarantine."""
    status, missing = rows.snapshots["status"], rows.persona["missing"]
    said = judge(bundle, rows.features, status, missing).said
    return said.set_index(rows.snapshots["lead_id"])


def points_of_late_rows(other: pd.DataFrame, own: pd.DataFrame) -> int:
    """Return how much more the first scanner differs than all the others."""
    gain = (other["points"] - own["points"]).loc[[f"L{lead}" for lead in SCANNERS]]
    return int(gain.iloc[0] - gain.iloc[1])


def test_the_counts_are_those_of_the_list_before_as_of(scored: Scored) -> None:
    facts = score_facts(scored, AS_OF, Path("list.csv"))["machines"]
    n = 2 * N_SCANNERS  # mails
    assert json.loads(json.dumps(facts)) == facts
    assert facts["by"] == [
        {"rule": "burst", "kind": "email_click", "n_rows": 2 * n, "n_leads": 10},
        {"rule": "burst", "kind": "email_open", "n_rows": n, "n_leads": 10},
    ]
    assert (facts["n_rows"], facts["n_leads"]) == (3 * n, N_SCANNERS)
    assert sum(row["n_leads"] for row in facts["labels"]) == N_SCANNERS
    lines = one_line(score_lines(scored, AS_OF, Path("list.csv")))
    assert (
        "machines: 60 opens and clicks on 10 leads (burst: email_click 40, email_open "
        "20) were kept apart; with them 10 labels would be higher and 0 lower, and "
        f"there would be {facts['points']} points more"
    ) in lines


def test_labels_that_would_be_lower_are_said_apart() -> None:
    by = [{"rule": "after sending", "kind": "open", "n_rows": 3, "n_leads": 1}]
    labels = (("MQL", "NURTURE", 2), ("MQL", "SQL", 1), ("SQL", "NURTURE", 1))
    hanging = Hanging({"n_rows": 3, "n_leads": 1, "by": by}, labels, -7)
    assert hanging.said == (
        "machines: 3 opens and clicks on 1 lead (after sending: open 3) were kept "
        "apart; with them 1 label would be higher and 3 lower, and there would be 7 "
        "points fewer"
    )


def test_counts_of_many_buckets_are_those_of_one(
    kept_apart: Trained, undeclared: Tables
) -> None:
    rules = Machines(kinds=KINDS, within_s=30)
    one, free = kept_apart.tables.interactions, undeclared.interactions
    assert machine_counts(in_two(one)) == machine_counts(one)
    assert machine_counts(in_two(one))["n_leads"] == N_SCANNERS + 1
    assert tried(in_two(free), rules) == tried(free, rules)
    assert clock_units(in_two(free), KINDS, datetime.UTC) == {}


def in_two(log: Interactions) -> Interactions:
    def half(is_odd: int) -> Callable[[tuple[str, ...]], pa.Table]:
        def read(names: tuple[str, ...]) -> pa.Table:
            table = log.readers[0](names)
            lead = log.readers[0](("lead_id",)).column("lead_id").to_pylist()
            return table.filter(pa.array([int(x[1:]) % 2 == is_odd for x in lead]))

        return read

    return replace(log, readers=(half(0), half(1)))


def test_without_machines_nothing_is_built_twice(
    folder: Path, kept_apart: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = created(10).ceil("D")
    monkeypatch.setattr("leadscore.workflows.machine_facts.build_rows", None)
    made = score(folder, kept_apart.bundle, as_of=early, out=folder.parent / "s.csv")
    assert made.machines is None
    assert score_facts(made, early, Path("s.csv"))["machines"] is None


def test_training_and_report_say_what_was_kept_apart(kept_apart: Trained) -> None:
    words = "66 opens and clicks on 11 leads (burst: email_click 44, email_open 22)"
    assert f"machines: {words} kept apart" in one_line(train_lines(kept_apart))
    assert train_facts(kept_apart)["provenance"]["machines"]["n_rows"] == 66
    section = next(
        s for s in report_of(kept_apart.bundle).sections if "lacks" in s.heading
    )
    assert section.paragraphs[-1].startswith(f"Machines made {words}. ")


def test_a_bundle_of_before_has_a_report_without_machines(kept_apart: Trained) -> None:
    bundle = kept_apart.bundle
    facts = {k: v for k, v in bundle.provenance.items() if k != "machines"}
    report = report_of(replace(bundle, provenance=facts))
    assert not any("Machines made" in p for s in report.sections for p in s.paragraphs)


def test_with_machines_rows_are_as_without_rules_but_for_the_delay(
    folder: Path, kept_apart: Trained, undeclared: Tables
) -> None:
    """Bit for bit, except while something is known and not yet clear.

    That is, for an as_of in ``(known, max(known, occurred + within)]`` of any row.
    """
    bundle, agreement = kept_apart.bundle, kept_apart.bundle.agreement
    lead, seconds = SCANNERS[3], 2 * 3600 + 18  # the last of a machine's clicks
    leads = pd.DataFrame({"lead_id": [f"L{lead}"], "created_at": [created(lead)]})

    def built(tables: Tables, after: float, *, with_machines: bool) -> pd.DataFrame:
        as_of = created(lead) + pd.Timedelta(seconds=seconds + after)
        asked = leads.assign(as_of=as_of.as_unit("us"))
        asked["created_at"] = asked["created_at"].dt.as_unit("us")
        rows = build_rows(
            tables, asked, bundle.catalogue, agreement, with_machines=with_machines
        )
        return rows.features

    tables = kept_apart.tables
    for after, n_clicks in ((30.000001, 2.0), (86_400, 4.0)):
        with_them = built(tables, after, with_machines=True)
        pd.testing.assert_frame_equal(
            with_them, built(undeclared, after, with_machines=False), check_exact=True
        )
        assert with_them["n_email_click_30d"].item() == n_clicks
        without = built(tables, after, with_machines=False)
        assert without["n_email_click_30d"].item() == 0.0
    for after, n_seen in ((20.0, 0.0), (30.0, 1.0)):
        late = built(tables, after, with_machines=True)["n_email_click_30d"].item()
        at_once = built(undeclared, after, with_machines=False)[
            "n_email_click_30d"
        ].item()
        assert (late, at_once) == (n_seen, 2.0)


@pytest.mark.usefixtures("brief")
def test_check_counts_what_is_kept_apart(folder: Path) -> None:
    checked = check(folder)
    text = one_line(check_lines(checked))
    assert "machines: 66 opens and clicks on 11 leads (burst: email_click" in text
    assert check_facts(checked)["machines"]["n_leads"] == 11
    assert not any("machines" in sentence for sentence in checked.advice)


def test_check_advises_rules_where_there_are_none(undeclared: Tables) -> None:
    (advice,) = undeclared_machines(undeclared, parse_agreement(PLAIN))
    n_read = sum(lead % 2 for lead in PEOPLE if lead not in SCANNERS)
    assert advice.startswith(
        f"email_click: 44 of {44 + n_read} rows, email_open: 22 of {22 + n_read} rows "
        "came in bursts within 30 s, on 11 leads: machines?"
    )
    assert undeclared_machines(undeclared, parse_agreement(PLAIN + RULES)) == []
    denied = f'{PLAIN}{NO_POINTS}deny = ["email_open", "email_click"]\n'
    assert undeclared_machines(undeclared, parse_agreement(denied)) == []


def test_check_advises_no_rule_that_the_agreement_would_refuse(
    undeclared: Tables,
) -> None:
    """Who asks to be contacted by a click of a mail is no machine."""
    raising = parse_agreement(PLAIN + '\n[hand_raise]\nkinds = ["email_click"]\n')
    assert not any(
        "email_click" in said for said in undeclared_machines(undeclared, raising)
    )


def with_clock(folder: Path, form: str, rules: str = RULES) -> tuple[Tables, str]:
    """The folder's log as a coarser clock writes it."""
    given = texts(PLAIN + rules)
    head, *rows = given["interactions"].splitlines()
    cells = [row.split(",") for row in rows]
    for cell in cells:
        if cell[2] == "email_open":
            cell[1] = f"{pd.Timestamp(cell[1]):{form}}"
    given["interactions"] = "\n".join([head, *map(",".join, cells), ""])
    agreement, text = read_agreement(write_folder(folder, **given))
    return read_tables(folder, agreement), text


@pytest.mark.parametrize(
    ("form", "unit"),
    [("%Y-%m-%dT%H:%M:00Z", "minute"), ("%Y-%m-%dT%H:00:00Z", "hour"), ("%F", "day")],
)
def test_a_clock_that_is_too_coarse_is_warned_of(
    tmp_path: Path, form: str, unit: str
) -> None:
    tables, text = with_clock(tmp_path / "data", form)
    (said,) = coarse_clocks(tables, parse_agreement(text))
    assert said.startswith(
        f"the clock of email_open is to the {unit}, and [machines] looks at 30 seconds:"
    )
    assert undeclared_machines(tables, parse_agreement(PLAIN)) == []


def test_days_are_days_where_the_agreement_says(tmp_path: Path) -> None:
    paris = f'time_zone = "Europe/Paris"\n{PLAIN}'
    given = with_clock(tmp_path / "data", "%F")[1].replace(PLAIN, paris)
    (tmp_path / "data" / "agreement.toml").write_text(given)
    agreement, _ = read_agreement(tmp_path / "data")
    (said,) = coarse_clocks(read_tables(tmp_path / "data", agreement), agreement)
    assert "is to the day" in said


def test_a_clock_that_is_fine_enough_is_not(tmp_path: Path, folder: Path) -> None:
    agreement, _ = read_agreement(folder)
    assert coarse_clocks(read_tables(folder, agreement), agreement) == []
    rules = RULES.replace("30", "60")
    tables, text = with_clock(tmp_path / "data", "%Y-%m-%dT%H:%M:00Z", rules)
    assert coarse_clocks(tables, parse_agreement(text)) == []


@pytest.mark.usefixtures("brief")
def test_check_and_training_warn_of_a_coarse_clock(tmp_path: Path) -> None:
    tables, text = with_clock(tmp_path / "data", "%Y-%m-%dT%H:%M:00Z")
    said = coarse_clocks(tables, parse_agreement(text))
    assert set(said) <= set(check(tmp_path / "data").advice)
    outcomes = tmp_path / "data" / "outcomes.csv"
    few = outcomes.read_text().splitlines()[:9]  # too few for a classifier
    outcomes.write_text("\n".join([*few, ""]))
    made = train(tmp_path / "data", tmp_path / "models")
    assert [n for n in made.bundle.provenance["notes"] if "the clock of" in n] == said


def test_a_draft_declares_machines_where_it_finds_them(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", **texts(""))
    (data / "agreement.toml").unlink()
    drafted = init(data)
    assert drafted.agreement.machines == Machines(
        kinds=("email_click", "email_open"), within_s=30, burst=3
    )
    assert "# GUESS: machines made some of these, because email_click: 44" in (
        drafted.text
    )
    assert any("machines made some" in guess for guess in drafted.guesses)


def test_a_draft_only_offers_rules_where_nothing_speaks_for_them(
    tmp_path: Path,
) -> None:
    given = texts("")
    rows = given["interactions"].splitlines()
    people = [row for row in rows if not row.endswith((",a", ",b"))]
    given["interactions"] = "\n".join([*people, ""])
    data = write_folder(tmp_path / "data", **given)
    drafted = init(data, overwrite=True)
    assert drafted.agreement.machines == Machines()
    lines = drafted.text.splitlines()
    place = lines.index("# [machines]")
    assert lines[place + 1] == '# kinds = ["email_click", "email_open"]'
    offered = "\n".join(line.removeprefix("# ") for line in lines[place : place + 4])
    assert parse_agreement(offered).machines.within_s == 30


def test_a_draft_takes_nobody_who_asks_for_a_demo_for_a_machine(
    tmp_path: Path,
) -> None:
    given = texts("")
    asks = "email_click_demo_request"
    given["interactions"] = given["interactions"].replace("email_click", asks)
    drafted = init(write_folder(tmp_path / "data", **given), overwrite=True)
    assert drafted.agreement.hand_raise.kinds == (asks,)
    lines = drafted.text.splitlines()
    assert '# kinds = ["email_open"]' in lines


def test_a_draft_takes_the_sending_in(tmp_path: Path) -> None:
    given = texts("")
    sent = [f"L{i},{said_at(i, hours=1.9)},E-mail envoyé," for i in SCANNERS]
    given["interactions"] += "\n".join([*sent, ""])
    data = write_folder(tmp_path / "data", **given)
    drafted = init(data, overwrite=True)
    assert drafted.agreement.machines.sent == "E-mail envoyé"


def test_kinds_that_nobody_hears_are_said(folder: Path) -> None:
    text = f'{PLAIN}[machines]\nkinds = ["email_open", "opend"]\nsent = "snt"\n'
    agreement = parse_agreement(text)
    said = unheard_words(read_tables(folder, agreement), agreement)
    assert any(
        "names kinds that interactions never has:" in sentence
        and "opend" in sentence
        and "snt" in sentence
        for sentence in said
    )


def test_rules_for_denied_kinds_alone_are_refused() -> None:
    denied = f'{NO_POINTS}deny = ["email_open", "email_click"]\n'
    with pytest.raises(AgreementError, match="has nothing to keep apart: all its"):
        parse_agreement(f"{denied}{RULES}")
    # Clicks that count for nothing still show who opens: one of the two is enough.
    parse_agreement(f'{NO_POINTS}deny = ["email_click"]\n{RULES}')
