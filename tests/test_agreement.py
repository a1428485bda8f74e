"""The agreement: typed, frozen, and plain about what is wrong with it."""

from __future__ import annotations

import pydantic
import pytest

from leadscore.agreement import Agreement, parse_agreement
from leadscore.errors import AgreementError


def test_an_empty_agreement_is_the_defaults_of_the_field() -> None:
    agreement = parse_agreement("")
    assert agreement.conversion.horizon_days == 90
    points = {rule.kind: rule.points for rule in agreement.points.rules}
    assert points == {"whitepaper_download": 5, "email_open": 2}
    assert (agreement.points.idle_points, agreement.points.idle_days) == (-4, 30)
    assert agreement.labels.MQL.precision == 0.15
    assert agreement.labels.SQL.precision == 0.30
    assert {"call", "quote", "proposal"} <= set(agreement.features.deny)


def test_settings_are_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        parse_agreement("").conversion.horizon_days = 30


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[conversion]\nhorizn_days = 3\n",
            r"line 2: unknown key 'horizn_days' in \[conversion\]\. Did you mean "
            r"'horizon_days'\? Allowed: .*horizon_days.*stage\.",
        ),
        ("speed = 1\n", r"line 1: unknown key 'speed' in the top level\. Allowed: "),
        (
            "[conversion]\nhorizon_days = '90'\n",
            r"line 2: 'horizon_days' in \[conversion\] is '90'\. Input should be a "
            "valid integer",
        ),
        (
            "[labels.SQL]\nprecision = 15\n",
            r"line 2: \[labels.SQL.precision\]: 15 is more than 1; write 0.15 for 15 %",
        ),
        ("[labels.SQL]\nprecision = 200\n", "line 2: 'precision'.*less than 1"),
        ("[movement]\nkeep_share = 80\n", "line 2: .*write 0.8 for 80 %"),
        (
            "[labels.SQL]\nprecision = 0.3\nconfidence = 0.2\n",
            r"line 3: \[labels.SQL.confidence\]: 0.2: a promise that is right less "
            "often than a coin; write 0.5 or more, 0.95 is usual",
        ),
        (
            "[labels.SQL]\nprecision = 0.3\nconfidence = 95\n",
            "line 3: .*write 0.95 for 95 %",
        ),
        (
            "[labels.SQL]\ncapacity_per_week = '25/Week'\n",
            "line 2: .*'25/Week' is text; write 25, without quotes",
        ),
        (
            "[labels.SQL]\ncapacity_per_week = '100/month'\n",
            "line 2: .*write how many leads a week, like 25, without quotes",
        ),
        ("[labels.SQL]\nconfidence = 0.9\n", "either precision or capacity_per_week"),
        (
            "[labels.SQL]\nprecision = 0.1\n[labels.MQL]\nprecision = 0.2\n",
            "line 2: .*SQL promises 10%, below MQL's 20%",
        ),
        ("[labels.SQL]\nprecision = 1\n", "no number of outcomes proves 100 %"),
        ("[labels.SQL]\nprecision = 1.0\n", "no number of outcomes proves 100 %"),
        (
            "[labels.SQL]\ncapacity_per_week = 0\n",
            "'capacity_per_week'.*greater than 0",
        ),
        (
            "[labels.SQL]\ncapacity_per_week = 9\n"
            "[labels.MQL]\ncapacity_per_week = 5\n",
            "line 2: .*SQL takes 9 leads a week, MQL or better 5",
        ),
        (
            "[labels.MQL]\nprecision = 0.1\nmin_fit = 'A'\n",
            "line 3: .*MQL needs fit A, SQL takes B; who may be SQL must be allowed to "
            "be MQL",
        ),
        (
            "[labels.MQL]\nprecision = 0.1\nmin_engagement = 3\n",
            "line 3: .*MQL needs engagement 3, SQL 1; who may be SQL must be allowed",
        ),
        (
            "version = '2'\ntime_zone = 'Mars'\n",
            "line 2: .*'Mars' is not known; write one like 'Europe/Paris'",
        ),
        (
            "[attributes.y]\nkind = 'number'\nchanges = false\n[[personas]]\nname = 'x'"
            "\ncriteria = [\n{ attribute = 'y', min = 3 },\n"
            "{ attribute = 'yy', min = 3 },\n]\n",
            "line 8: .*persona 'x' asks for 'yy'",
        ),
        (
            "[snapshots]\nevery_days = 7\nat_age_hours = [24]\n",
            "either every_days or at_age_hours, not both",
        ),
        ("[snapshots]\nat_age_hours = [0]\n", "ages must be above zero hours"),
        (
            "[[personas]]\nname = 'x'\n[[personas.criteria]]\nattribute = 'y'\n"
            "any_of = ['a']\n",
            r"line 4: .*persona 'x' asks for 'y', which \[attributes\] does not "
            "declare",
        ),
        (
            "[attributes.y]\nkind = 'number'\nchanges = false\n[[personas]]\nname = 'x'"
            "\n[[personas.criteria]]\nattribute = 'y'\nany_of = ['a']\n",
            "line 7: .*any_of needs a category, 'y' is not one",
        ),
        (
            "[attributes.owner]\nkind = 'category'\nchanges = false\n",
            "line 1: .*both declared and on the deny-list: owner",
        ),
        (
            "[attributes.x]\nkind = 'category'\nchanges = false\n"
            "[consent]\nexclude_when_true = ['x']\n",
            "line 1: .*consent columns cannot be attributes too: x",
        ),
        (
            "[points]\n"
            "rules = [{ kind = 'a', points = 1 }, { kind = 'a', points = 2 }]",
            "two rules for the same kind: a",
        ),
        (
            "[hand_raise]\nkinds = ['meeting']\n",
            "kinds on the deny-list earn no points.*: meeting",
        ),
        (
            "[[features.decays]]\nname = 'x'\nweights = { call = 1 }\n",
            "kinds on the deny-list .* weigh nothing in a decay.*: call",
        ),
        ("[engagement.weights]\na = inf\n", "is inf. .* should be a finite number"),
        ("[engagement.weights]\na = nan\n", "is nan. .* should be a finite number"),
        ("[features]\nwindows_days = [7, 0]\n", "is 0. Input should be greater than 0"),
        ("[features]\nwindows_days = [7, 7]\n", "names a window twice: 7"),
        (
            "[features.content_groups]\nTarifs = ['/t*']\n",
            "a content group cannot be called 'Tarifs': take lower-case letters",
        ),
        (
            "[features.content_groups]\npricing = []\n",
            "content groups without a pattern: pricing",
        ),
        (
            "[[features.decays]]\nname = 'status'\nweights = { a = 1 }\n",
            "a decay cannot be called 'status'",
        ),
        (
            "[[features.decays]]\nname = 'x'\nweights = {}\n",
            "'weights' in .* at least 1 item",
        ),
        (
            "[[features.custom]]\nname = 'x'\ndescription = 'y'\n"
            "function = '../a.py:f'\n",
            "'../a.py:f' does not name a function in a file beside agreement.toml",
        ),
        (
            "[[features.custom]]\nname = 'x'\nfunction = 'a.py:f'\n",
            "lacks the key 'description'",
        ),
        (
            "[[features.custom]]\nname = 'x'\nfunction = 'a.py:f'\n"
            "description = 'y'\n[[features.decays]]\nname = 'x'\n"
            "weights = { a = 1 }\n",
            "two features would be called x",
        ),
        (
            "[[features.custom]]\nname = 'x'\nfunktion = 'a.py:f'\n",
            "unknown key 'funktion'.*Did you mean 'function'",
        ),
        ("[fit]\nA = 50\nB = 60\n", "edges must fall from A to C"),
        ("a = b\n", "not valid TOML"),
        (
            "[source.files]\nleads = '../contacts.csv'\n",
            r"line 1: \[source\.files\]: '\.\./contacts\.csv' is not the name of",
        ),
        (
            "[source.files]\ncontacts = 'contacts.csv'\n",
            "unknown key 'contacts'.*Allowed: interactions, leads, outcomes",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(AgreementError, match=sentence) as caught:
        parse_agreement(text)
    assert str(caught.value).startswith("agreement.toml")
    assert caught.value.exit_code == 2


def test_all_findings_come_at_once() -> None:
    with pytest.raises(AgreementError) as caught:
        parse_agreement("[conversion]\nhorizon_days = 0\nstag = 'x'\n")
    assert len(str(caught.value).splitlines()) == 2


def test_a_resolved_agreement_reads_back_as_itself() -> None:
    agreement = parse_agreement(
        "[snapshots]\nat_age_hours = [24.0, 168.0]\n[attributes.y]\nkind = 'number'\n"
        "changes = false\n[[personas]]\nname = 'x'\n"
        "criteria = [{ attribute = 'y', min = 3 }]\n"
        "[features]\nwindows_days = [1, 45]\nby_channel = true\n"
        "[features.content_groups]\npricing = ['/pricing*']\n"
        "[[features.decays]]\nname = 'heat'\nweights = { view = 2 }\n"
        "[[features.custom]]\nname = 'x'\nfunction = 'a.py:f'\ndescription = 'y'\n"
    )
    assert Agreement.model_validate_json(agreement.model_dump_json()) == agreement


def test_a_finding_names_the_line_of_its_own_section() -> None:
    """The same key stands in every attribute; the third one is wrong."""
    good = "kind = 'number'\nchanges = false\n"
    text = (
        f"[attributes.a]\n{good}[attributes.b]\n{good}[attributes.c]\n"
        + good.replace("false", "'no'")
    )
    with pytest.raises(AgreementError, match=r"line 9: 'changes' in \[attributes\.c\]"):
        parse_agreement(text)
