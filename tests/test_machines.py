"""Machines are recognised by rule, and the verdict never sees the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.agreement import Machines, parse_agreement
from leadscore.errors import AgreementError
from leadscore.machines import (
    AFTER_SENDING,
    BURST,
    PERSON,
    Rules,
    find_machines,
    rules_for,
)
from leadscore.simulate import simulate
from leadscore.simulate.population import draw_leads
from leadscore.snapshots import microseconds
from tests.examples import examples

OPEN, CLICK, SENT, VISIT = range(4)
KINDS = ("email_open", "email_click", "email_sent", "page_view")
SECOND = 1_000_000
WITHIN = 10 * SECOND
MACHINES = Machines(kinds=("email_open", "email_click"), sent="email_sent")
RULES = rules_for(MACHINES, KINDS)


@dataclass(frozen=True)
class Row:
    """One interaction; ``content`` -1 is null; ``number`` tells equal ones apart."""

    lead: int
    occurred: int
    known: int
    kind: int
    content: int
    number: int = 0


def row(at: int, kind: int, content: int = -1, *, known: int | None = None) -> Row:
    """Return an interaction of the only lead."""
    return Row(0, at, at if known is None else known, kind, content)


def found(rows: list[Row], rules: Rules = RULES) -> list[tuple[Row, int, int]]:
    """Return each row with its verdict and the instant from which it is visible."""
    ordered = sorted(rows, key=lambda r: (r.lead, r.occurred))
    n_leads = max((r.lead for r in rows), default=-1) + 1
    start = np.searchsorted([r.lead for r in ordered], np.arange(n_leads + 1))
    names = ("occurred", "known", "kind", "content")
    columns = [np.array([getattr(r, n) for r in ordered], np.int64) for n in names]
    verdict, visible = find_machines(start.astype(np.int64), *columns, rules)
    assert verdict.dtype == np.int8
    assert visible.dtype == np.int64
    return list(zip(ordered, verdict.tolist(), visible.tolist(), strict=True))


def verdicts(rows: list[Row], rules: Rules = RULES) -> list[int]:
    return [verdict for _, verdict, _ in found(rows, rules)]


def oracle(one: Row, rows: list[Row], rules: Rules) -> tuple[int, int]:
    """Return the verdict on one row by trying everything."""
    if not rules.is_judged[one.kind]:
        return PERSON, one.known
    visible = max(one.known, one.occurred + rules.within_us)
    by_then = [r for r in rows if r.lead == one.lead and r.known <= visible]
    for r in by_then:
        is_same = r.content == one.content or -1 in (r.content, one.content)
        is_soon = 0 <= one.occurred - r.occurred < rules.within_us
        if rules.is_sent[r.kind] and is_same and is_soon:
            return AFTER_SENDING, visible
    judged = [r for r in by_then if rules.is_judged[r.kind]]
    for t in {r.occurred for r in judged}:
        group = [r for r in judged if t <= r.occurred < t + rules.within_us]
        contents = {r.content for r in group} - {-1}
        differs = len({r.kind for r in group}) > 1 or len(contents) > 1
        if one in group and differs and len(group) >= rules.burst:
            return BURST, visible
    return PERSON, visible


# Instants at the edges of each other's windows, so that ties and edges are common.
_STEPS = st.sampled_from([0, 0, 0, 1, 2, 5, 9, 10, 11])
_LATE = st.sampled_from([0, 0, 0, 0, 1, 3, 9, 10, 11, 20, 50])


@st.composite
def histories(draw, max_rows: int = 14) -> tuple[list[Row], Rules]:
    """Draw rows of up to three leads and rules; ``within`` is ten small steps."""
    rows, clock = [], 0
    for number in range(draw(st.integers(0, max_rows))):
        clock += draw(_STEPS)
        rows.append(
            Row(
                lead=draw(st.sampled_from([0, 0, 0, 2])),
                occurred=clock,
                known=clock + draw(_LATE),
                kind=draw(st.sampled_from([OPEN, CLICK, CLICK, SENT, VISIT])),
                content=draw(st.sampled_from([-1, 0, 0, 1])),
                number=number,
            )
        )
    sent = draw(st.sampled_from([RULES.is_sent, np.zeros(4, dtype=bool)]))
    judged = draw(st.sampled_from([RULES.is_judged, np.eye(4, dtype=bool)[CLICK]]))
    within = draw(st.sampled_from([1, 10, 10, 10]))
    return rows, Rules(judged, sent, within, draw(st.integers(2, 4)))


@settings(max_examples=examples(500), deadline=None)
@given(histories())
def test_verdicts_are_those_of_trying_everything(drawn) -> None:
    rows, rules = drawn
    for one, verdict, visible in found(rows, rules):
        assert (verdict, visible) == oracle(one, rows, rules)


@settings(max_examples=examples(500), deadline=None)
@given(histories(), st.data())
def test_what_is_known_at_as_of_or_later_changes_nothing_seen_before(
    drawn, data
) -> None:
    rows, rules = drawn
    edges = {t + by for _, _, t in found(rows, rules) for by in (0, 1)}
    edges |= {r.known + by for r in rows for by in (0, 1)}
    as_of = data.draw(st.sampled_from(sorted(edges | {0})))
    future, _ = data.draw(histories())
    added = [
        Row(
            r.lead,
            r.occurred,
            max(r.occurred, as_of + r.known - r.occurred),
            r.kind,
            r.content,
            number=100 + r.number,
        )
        for r in future
    ]
    past = [r for r in rows if r.known < as_of]

    def seen(some: list[Row]) -> set[tuple[Row, int, int]]:
        return {one for one in found(some, rules) if one[2] < as_of}

    assert seen(rows) == seen(past)
    assert seen(rows) == seen(past + added)
    assert seen(rows) == seen(rows + added)


@settings(max_examples=examples(100), deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_order_within_an_instant_makes_no_difference(drawn, random) -> None:
    rows, rules = drawn
    before = set(found(rows, rules))
    random.shuffle(rows)
    assert set(found(rows, rules)) == before


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(-1, PERSON), (0, AFTER_SENDING), (WITHIN - 1, AFTER_SENDING), (WITHIN, PERSON)],
)
def test_after_sending_is_half_open(after: int, verdict: int) -> None:
    sent = row(5 * WITHIN, SENT, 7)
    opened = row(5 * WITHIN + after, OPEN, 7)
    assert [v for r, v, _ in found([opened, sent]) if r.kind == OPEN] == [verdict]


@pytest.mark.parametrize(
    ("of", "opened", "verdict"),
    [(7, 8, PERSON), (7, -1, AFTER_SENDING), (-1, 8, AFTER_SENDING)],
)
def test_contents_must_agree_where_both_are_known(of, opened, verdict) -> None:
    assert verdicts([row(0, SENT, of), row(1, OPEN, opened)]) == [PERSON, verdict]


@pytest.mark.parametrize(("last", "verdict"), [(WITHIN - 1, BURST), (WITHIN, PERSON)])
def test_a_burst_is_half_open(last: int, verdict: int) -> None:
    rows = [row(0, OPEN, 1), row(3, CLICK, 2), row(last, CLICK, 3)]
    assert verdicts(rows) == [verdict] * 3


def test_a_burst_is_inside_some_window_not_around_each() -> None:
    step = 6 * SECOND
    rows = [row(0, CLICK, 1), row(step, CLICK, 2), row(2 * step, CLICK, 3)]
    assert verdicts(rows) == [PERSON] * 3


def test_the_same_mail_opened_again_and_again_is_no_burst() -> None:
    opened = [row(n, OPEN, 1) for n in range(5)]
    assert verdicts(opened) == [PERSON] * 5
    assert verdicts([*opened, row(6, OPEN)]) == [PERSON] * 6  # a null is no content
    assert verdicts([*opened, row(6, CLICK)]) == [BURST] * 6
    assert verdicts([*opened, row(6, OPEN, 2)]) == [BURST] * 6


def test_a_burst_is_only_of_those_inside_its_window() -> None:
    rules = Rules(RULES.is_judged, RULES.is_sent, WITHIN, 2)
    before = [row(0, OPEN, 1), row(5, OPEN, 1), row(WITHIN, CLICK, 2)]
    assert verdicts(before, rules) == [PERSON, BURST, BURST]
    after = [row(0, OPEN, 1), row(5, CLICK, 2), row(WITHIN, CLICK, 2)]
    assert verdicts(after, rules) == [BURST, BURST, PERSON]


def test_a_row_that_was_not_known_is_not_taken_out_either() -> None:
    late = row(0, CLICK, 9, known=99 * WITHIN)
    rows = [row(4, CLICK, 1), row(5, CLICK, 2), row(WITHIN, CLICK, 3)]
    assert verdicts([late, *rows])[1:] == [BURST] * 3


def test_another_lead_has_no_part_in_a_burst() -> None:
    rows = [row(0, OPEN, 1), row(1, CLICK, 2), Row(1, 1, 1, CLICK, 3)]
    assert verdicts(rows) == [PERSON] * 3


def test_other_kinds_have_no_part_in_a_burst_and_no_delay() -> None:
    rows = [row(0, OPEN, 1), row(1, VISIT, 2), row(2, VISIT, 3), row(3, CLICK, 4)]
    visible = [t for _, _, t in found(rows)]
    assert verdicts(rows) == [PERSON] * 4
    assert visible == [WITHIN, 1, 2, 3 + WITHIN]


@pytest.mark.parametrize(("late", "verdict"), [(0, BURST), (1, PERSON)])
def test_a_late_row_counts_up_to_the_instant_of_the_verdict(late, verdict) -> None:
    rows = [row(0, OPEN, 1), row(0, CLICK, 2), row(5, CLICK, 3, known=WITHIN + late)]
    first, second, third = verdicts(rows)
    assert first == second == verdict
    assert third == BURST  # it was known last, and knew the others


def test_a_sending_known_too_late_leaves_the_verdict_as_it_was() -> None:
    opened = row(SECOND, OPEN, 1)
    for late, verdict in ((0, AFTER_SENDING), (1, PERSON)):
        sent = row(0, SENT, 1, known=SECOND + WITHIN + late)
        assert verdicts([sent, opened]) == [PERSON, verdict]


def test_a_late_row_is_judged_when_it_is_known() -> None:
    rows = [row(0, SENT, 1), row(1, OPEN, 1, known=9 * WITHIN)]
    assert found(rows)[1][1:] == (AFTER_SENDING, 9 * WITHIN)


def test_sending_comes_before_burst() -> None:
    rows = [row(0, SENT, 1), row(1, OPEN, 1), row(2, CLICK, 2), row(3, CLICK, 3)]
    assert verdicts(rows) == [PERSON, AFTER_SENDING, BURST, BURST]


def test_without_judged_kinds_nothing_is_judged_or_delayed() -> None:
    known = np.array([3, 9])
    rules = rules_for(Machines(), KINDS)
    # Kinds out of range: nothing may look at them.
    verdict, visible = find_machines(
        np.array([0, 2]), known, known, np.array([99, 99]), np.array([0, 1]), rules
    )
    assert verdict.tolist() == [PERSON] * 2
    assert visible.tolist() == [3, 9]
    assert visible is not known


def test_no_interactions_are_no_verdicts() -> None:
    assert found([]) == []


@pytest.mark.parametrize("step", [0, 1])
def test_a_burst_may_be_very_large(step: int) -> None:
    n = 3000
    rows = [row(step * number, CLICK, number % 2) for number in range(n)]
    for burst, verdict in ((n, BURST), (n + 1, PERSON)):
        some = Rules(RULES.is_judged, RULES.is_sent, WITHIN, burst)
        assert set(verdicts(rows, some)) == {verdict}


def test_the_rules_of_an_agreement() -> None:
    text = "[machines]\nkinds = ['email_open', 'gone']\nsent = 'email_sent'\n"
    machines = parse_agreement(f"{text}within_s = 3600\nburst = 2\n").machines
    rules = rules_for(machines, KINDS)
    assert rules.is_judged.tolist() == [True, False, False, False]
    assert rules.is_sent.tolist() == [False, False, True, False]
    assert (rules.within_us, rules.burst) == (3600 * SECOND, 2)
    assert parse_agreement("").machines == Machines(
        kinds=(), sent=None, within_s=10, burst=3
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kinds = ['a', 'b']\nsent = 'b'", r"\[machines\]: 'b' is the sending itself"),
        ("sent = 'b'", "sent is 'b', but kinds does not say what machines make"),
        ("within_s = 0", "line 2: 'within_s' in .* is 0. .*greater than 0"),
        ("within_s = 3601", "'within_s' .* is 3601. .*less than or equal to 3600"),
        ("within_s = 2.5", "'within_s' .* is 2.5. .*valid integer"),
        ("burst = 1", "'burst' .* is 1. .*greater than or equal to 2"),
        (
            "kinds = ['email_open', 'demo_request', 'contact_request']",
            "name the same kinds: .* one of the two: contact_request, demo_request",
        ),
        ("seconds = 1", "unknown key 'seconds' .* Allowed: burst, kinds, sent, within"),
    ],
)
def test_what_cannot_be_a_rule_is_said(text: str, sentence: str) -> None:
    with pytest.raises(AgreementError, match=sentence):
        parse_agreement(f"[machines]\n{text}\n")


@dataclass(frozen=True)
class Mail:
    """Opens and clicks of a simulated firm, and which of them a scanner made."""

    log: pd.DataFrame
    is_machine: np.ndarray

    def judged(self, within_s: int) -> tuple[float, float]:
        """Return recall and precision of the burst rule, over interactions."""
        log, kinds = self.log, ("email_click", "email_open")
        lead = pd.factorize(log["lead_id"])[0]
        verdict, _ = find_machines(
            np.searchsorted(lead, np.arange(lead.max() + 2)).astype(np.int64),
            microseconds(log["occurred_at"]),
            microseconds(log["known_at"].fillna(log["occurred_at"])),
            pd.Index(kinds).get_indexer(log["kind"]).astype(np.int64),
            pd.factorize(log["content"])[0].astype(np.int64),
            rules_for(Machines(kinds=kinds, within_s=within_s), kinds),
        )
        right = (self.is_machine & (verdict == BURST)).sum()
        return right / self.is_machine.sum(), right / (verdict == BURST).sum()


@pytest.fixture(scope="module")
def mail() -> Mail:
    """Return the mail of a firm.

    Campaigns leave on Tuesdays at 09:30:00; scanners act within 30 seconds, people not
    before 100. Who has a scanner is drawn first of all, by the first stream.
    """
    firm = simulate(n_leads=300, seed=5)
    accounts, leads = draw_leads(300, np.random.default_rng(5).spawn(8)[0])
    scanned = set(leads.ids[accounts.has_scanner[leads.account]])
    log = firm.interactions.sort_values(["lead_id", "occurred_at"], ignore_index=True)
    log = log[log["kind"].isin(["email_open", "email_click"])]
    local = log["occurred_at"].dt.tz_convert("Europe/Paris")
    seconds = (local - local.dt.normalize()).dt.total_seconds() - 9.5 * 3600
    at_sending = (local.dt.day_of_week == 1) & seconds.between(0, 30)
    is_machine = at_sending & log["lead_id"].isin(scanned)
    return Mail(log.reset_index(drop=True), is_machine.to_numpy())


def test_bursts_are_the_scanners_of_the_simulated_firm(mail: Mail) -> None:
    assert mail.is_machine.sum() > 300
    # The scanner's clicks come up to 14 seconds after its open.
    assert mail.judged(within_s=15) == (1.0, 1.0)
    recall, precision = mail.judged(within_s=10)
    assert 0.3 < recall < 0.6
    assert precision == 1.0
