"""Monotone: what everybody agrees on holds for the shipped model, column by column."""

from __future__ import annotations

import pandas as pd
import pytest

from leadscore.agreement import parse_agreement
from leadscore.bundle import Bundle
from leadscore.errors import AgreementError
from leadscore.monotone import held_columns
from leadscore.snapshots import training_snapshots
from leadscore.tables import Tables
from leadscore.workflows.rows import build_rows


@pytest.fixture(scope="module")
def features(bundle: Bundle, tables: Tables) -> pd.DataFrame:
    """Some hundred rows of the sample."""
    agreement = bundle.agreement
    snapshots = training_snapshots(
        tables.leads, tables.outcomes, agreement, tables.data_end
    )
    some = snapshots.sample(600, random_state=0)
    return build_rows(tables, some, bundle.catalogue, agreement).features


def test_the_columns_of_a_kind_are_held_and_days_since_turn_round(
    bundle: Bundle,
) -> None:
    held = held_columns(bundle.catalogue, bundle.agreement)
    assert "n_demo_request_30d" in held.raises
    assert "decayed_demo_request" in held.raises
    assert "days_since_last_unsubscribe" in held.raises
    assert "days_since_last_contact_request" in held.lowers
    assert "n_unsubscribe_ever" in held.lowers
    named = {*held.raises, *held.lowers}
    kinds = ("demo_request", "contact_request", "unsubscribe")
    assert all(any(kind in name for kind in kinds) for name in named)


@pytest.mark.parametrize(
    ("kind", "sign"), [("demo_request", 1), ("contact_request", 1), ("unsubscribe", -1)]
)
def test_one_more_never_turns_the_shipped_probability_round(
    kind: str, sign: int, bundle: Bundle, features: pd.DataFrame
) -> None:
    model = bundle.model
    assert model is not None
    more = features.copy()
    for name in more:
        if name.startswith(f"n_{kind}_"):
            more[name] += 1
        elif name == f"decayed_{kind}":
            more[name] += 1.0
    more[f"days_since_last_{kind}"] = 0.04
    moved = sign * (model.predict(more) - model.predict(features))
    assert moved.min() >= -1e-12
    assert (moved > 0).any()


def test_a_kind_cannot_raise_and_lower() -> None:
    with pytest.raises(AgreementError, match="both in raises and in lowers: visit"):
        parse_agreement('[monotone]\nraises = ["visit"]\nlowers = ["visit"]\n')


def test_a_denied_kind_turns_nothing() -> None:
    with pytest.raises(AgreementError, match="turn no probability: call"):
        parse_agreement('[monotone]\nraises = ["call"]\n[features]\ndeny = ["call"]\n')


def test_what_is_no_kind_is_refused() -> None:
    with pytest.raises(AgreementError, match="these are none: persona_fit"):
        parse_agreement('[monotone]\nraises = ["persona_fit"]\n')
