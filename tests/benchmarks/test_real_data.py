"""The data folders made of real data: read whole, and without the outcome in disguise.

A subset of cases, so that it costs little; the figures come from real_data.py.
"""

import pandas as pd
import pytest

from leadscore.store import read_agreement, read_tables

from . import bpi2012, completejourney
from .datasets import datasets_folder

# One group, one worker: the folders are made once.
pytestmark = pytest.mark.real_data

EVERY_NTH = 20


@pytest.fixture(scope="module")
def source():
    try:
        return datasets_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def read(folder):
    agreement, _ = read_agreement(folder)
    return read_tables(folder, agreement), agreement


@pytest.fixture(scope="module")
def bank(source, tmp_path_factory):
    part = tmp_path_factory.mktemp("part")
    cases = pd.read_csv(source / "bpi2012" / "bpi2012_cases.csv", dtype=str)
    cases = cases.iloc[::EVERY_NTH]
    events = pd.read_csv(source / "bpi2012" / "bpi2012_events.csv.gz", dtype=str)
    events = events[events["case_id"].isin(cases["case_id"])]
    cases.to_csv(part / "bpi2012_cases.csv", index=False)
    events.to_csv(part / "bpi2012_events.csv.gz", index=False)
    folder = tmp_path_factory.mktemp("bank")
    bpi2012.write_folder(part, folder)
    return read(folder)


@pytest.fixture(scope="module")
def grocer(source, tmp_path_factory):
    part = tmp_path_factory.mktemp("part")
    for path in (source / "completejourney").iterdir():
        table = pd.read_csv(path, dtype=str)
        if "household_id" in table:
            table = table[table["household_id"].astype(int) % EVERY_NTH == 0]
        table.to_csv(part / path.name, index=False)
    folder = tmp_path_factory.mktemp("grocer")
    completejourney.write_folder(part, folder)
    return read(folder)


@pytest.mark.parametrize("name", ["bank", "grocer"])
def test_no_row_is_set_aside(name, request):
    tables, _ = request.getfixturevalue(name)
    assert tables.rejects.empty
    assert len(tables.leads) > 100
    assert len(tables.interactions) > len(tables.leads)
    assert len(tables.outcomes) > 0


@pytest.mark.parametrize("name", ["bank", "grocer"])
def test_every_kind_that_earns_points_is_in_the_data_of_some_lead(name, request):
    tables, agreement = request.getfixturevalue(name)
    rare = {"w_beoordelen_fraude_schedule"}  # 108 cases of 13,087
    earning = {rule.kind for rule in agreement.points.rules} - rare
    assert earning <= set(tables.interactions.by_kind().index)


def test_no_outcome_in_disguise_is_an_interaction(bank):
    tables, _ = bank
    disguised = {a.lower() for a in (*bpi2012.DISGUISED, *bpi2012.STAGES)}
    log = tables.interactions.frame()
    assert disguised.isdisjoint(log["kind"])
    decided = tables.outcomes.groupby("lead_id")["occurred_at"].min()
    before = log["lead_id"].map(decided) - log["occurred_at"]
    times = log.assign(before=before).dropna(subset="before")
    assert (times["before"] >= pd.Timedelta(0)).all()
    cancelled = times[times["kind"] == "o_cancelled"]
    assert (cancelled["before"] > bpi2012.CLOSING).all()


def test_a_household_s_own_redemption_is_only_an_outcome(grocer):
    tables, _ = grocer
    log = tables.interactions.frame()
    redeemed = log[log["kind"] == "coupon_redemption"]
    # The redemption of a campaign is seen by all leads of the household but its own,
    # so a household in one campaign only has none.
    households = tables.leads.groupby("account_id")["lead_id"]
    alone = households.first()[households.size() == 1]
    assert len(redeemed) > 0
    assert not redeemed["lead_id"].isin(alone).any()


def test_a_redemption_is_known_at_the_end_of_its_local_day(grocer):
    tables, agreement = grocer
    known = tables.outcomes["known_at"].dt.tz_convert(agreement.zone)
    assert (known.dt.strftime("%H:%M:%S.%f") == "23:59:59.999999").all()
