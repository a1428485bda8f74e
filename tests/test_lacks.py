"""Lacks: what is missing is said with its cost and the next step; nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadscore.agreement import parse_agreement
from leadscore.bundle import Bundle
from leadscore.store import read_agreement, read_tables
from leadscore.tables import Tables
from leadscore.workflows import lacks
from leadscore.workflows.lacks import lacks_of
from tests.folders import AGREEMENT, many_leads, write_folder


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a folder lacks that has next to nothing."""
    texts = many_leads(60, 30)
    texts["interactions"] = "lead_id,occurred_at,kind\n"
    texts["leads"] = texts["leads"].replace(",fr\n", ",\n")
    folder = write_folder(tmp_path_factory.mktemp("thin") / "data", **texts)
    agreement, _ = read_agreement(folder)
    return lacks_of(read_tables(folder, agreement), agreement)


@pytest.mark.parametrize(
    "said",
    [
        "There are no interactions",
        "Most rows of outcomes (100%) are taken as known the moment they happened",
        "Every lead has a single row",
        "Few leads have a known country (0%)",
        "Leads have no account_id",
        "No lead is ever lost or disqualified",
        "Outcomes carry no amount",
        "No consent column is declared",
    ],
)
def test_what_is_missing_is_said_once(thin: list[str], said: str) -> None:
    assert sum(said in sentence for sentence in thin) == 1


def test_every_lack_ends_with_a_next_step(thin: list[str]) -> None:
    steps = ("Export", "Ask", "Keep", "Name", "Train", "Add", "Declare")
    for sentence in thin:
        assert sentence.split(". ")[-1].startswith(steps), sentence


def test_leads_that_came_too_late_are_counted(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "data",
        **many_leads(60, 30),
        agreement=AGREEMENT.replace("2025-06-01", "2025-03-10"),
    )
    agreement, _ = read_agreement(folder)
    found = lacks_of(read_tables(folder, agreement), agreement)
    assert any("leads came in the last 30 days" in sentence for sentence in found)


def test_what_the_sample_has_is_not_missing(bundle: Bundle, tables: Tables) -> None:
    found = lacks_of(tables, bundle.agreement)
    assert bundle.metrics["lacks"] == found
    text = " ".join(found)
    for there in ("no interactions", "account_id", "consent", "amount", "single row"):
        assert there not in text


def test_few_conversions_are_those_of_the_contest(
    bundle: Bundle, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lacks, "FEW_CONVERSIONS", 10_000)
    found = " ".join(lacks_of(tables, bundle.agreement))
    counts = [period["n_test_converted"] for period in bundle.metrics["periods"]]
    assert f"One of the {len(counts)} later periods" in found
    assert f"holds only {min(counts)} converted" in found


def test_where_nothing_was_judged_no_period_is_said_to_be_thin(
    thin: list[str],
) -> None:
    """The contest needs more conversions than there are."""
    assert not any("later periods" in sentence for sentence in thin)


def test_a_period_that_judges_nobody_is_not_counted(
    bundle: Bundle, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lacks, "FEW_CONVERSIONS", 10_000)
    periods = bundle.metrics["periods"]
    needed = periods[0]["n_fit_converted"] + 1  # the oldest origin has too few
    training = bundle.agreement.training.model_copy(update={"min_conversions": needed})
    strict = bundle.agreement.model_copy(update={"training": training})
    n_used = sum(period["n_fit_converted"] >= needed for period in periods)
    assert 0 < n_used < len(periods)
    found = " ".join(lacks_of(tables, strict))
    assert f"One of the {n_used} later periods" in found


def test_without_attributes_nobody_has_a_fit(tables: Tables) -> None:
    found = lacks_of(tables, parse_agreement(""))
    assert any("declares no attributes" in sentence for sentence in found)
