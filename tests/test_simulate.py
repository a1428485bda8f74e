"""The simulated firm keeps its contract, and its truth is the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import roc_auc_score

from leadscore.agreement import parse_agreement
from leadscore.errors import UsageError
from leadscore.simulate import Simulation, simulate
from leadscore.simulate.days import MAX_AGE
from leadscore.simulate.paths import true_probability
from leadscore.simulate.sales import HAND_OVER_AT, HAND_OVER_POINTS
from leadscore.tables import INSTANT, INTERACTIONS, LEADS, OUTCOMES

SALES = ["call", "sales_email", "quote"]
HORIZON = pd.Timedelta(days=90)
LAG = pd.Timedelta(days=7)
TABLES = ("leads", "interactions", "outcomes")


@pytest.fixture(scope="module")
def firm() -> Simulation:
    return simulate(n_leads=6000, seed=20)


@pytest.fixture(scope="module")
def log(firm: Simulation) -> pd.DataFrame:
    """Return the interactions with known_at filled, as a reader would."""
    known_at = firm.interactions["known_at"].fillna(firm.interactions["occurred_at"])
    return firm.interactions.assign(known_at=known_at)


@pytest.fixture(scope="module")
def rows(firm: Simulation) -> pd.DataFrame:
    """Return mature fortnightly rows up to 180 days of age, and what came of them."""
    created = firm.leads.drop_duplicates("lead_id").set_index("lead_id")["created_at"]
    truth = firm.truth.merge(created, left_on="lead_id", right_index=True)
    converted = truth["lead_id"].map(_reached(firm, "opportunity"))
    local = truth["as_of"].dt.tz_convert("Europe/Paris").dt.tz_localize(None)
    truth["on_grid"] = (local - pd.Timestamp("2024-01-01")).dt.days % 14 == 0
    truth["age"] = (truth["as_of"] - truth["created_at"]).dt.days
    truth["converted"] = converted < truth["as_of"] + HORIZON
    is_mature = truth["as_of"] + HORIZON + LAG <= firm.data_end
    return truth[is_mature & truth["on_grid"] & (truth["age"] <= 180)]


def _reached(firm: Simulation, stage: str) -> pd.Series:
    is_stage = firm.outcomes["stage"] == stage
    return firm.outcomes[is_stage].set_index("lead_id")["occurred_at"]


def _z(rows: pd.DataFrame) -> float:
    """Return realised minus expected conversions, in standard errors by lead."""
    surplus = (rows["converted"] - rows["probability"]).groupby(rows["lead_id"]).sum()
    return float(surplus.sum() / np.sqrt((surplus**2).sum()))


def _did_lately(
    rows: pd.DataFrame, log: pd.DataFrame, kinds: list[str], days: int
) -> pd.Series:
    """Return whether one of the kinds occurred in the days before as_of."""
    seen = log.loc[log["kind"].isin(kinds), ["lead_id", "occurred_at"]]
    last = pd.merge_asof(
        rows.reset_index().sort_values("as_of"),
        seen.sort_values("occurred_at"),
        left_on="as_of",
        right_on="occurred_at",
        by="lead_id",
        allow_exact_matches=False,
    ).set_index("index")["occurred_at"]
    return last.reindex(rows.index) >= rows["as_of"] - pd.Timedelta(days=days)


def test_same_arguments_give_the_same_firm() -> None:
    one, two = (simulate(n_leads=150, seed=3) for _ in range(2))
    for name in (*TABLES, "truth"):
        assert_frame_equal(getattr(one, name), getattr(two, name), check_exact=True)
    other = simulate(n_leads=150, seed=4)
    assert not one.interactions.equals(other.interactions)


def test_a_single_lead_is_a_firm_too() -> None:
    firm = simulate(n_leads=1, seed=0)
    assert set(firm.leads["lead_id"]) == {"L00001"}
    assert list(firm.outcomes.columns) == list(OUTCOMES.names)


@pytest.mark.parametrize(("n_leads", "seed"), [(0, 1), (-5, 1), (10, -1)])
def test_impossible_arguments_are_refused(n_leads: int, seed: int) -> None:
    with pytest.raises(UsageError, match="at least 1 lead"):
        simulate(n_leads=n_leads, seed=seed)


def test_frames_hold_the_columns_of_their_contracts(firm: Simulation) -> None:
    assert tuple(firm.leads.columns[: len(LEADS.names)]) == LEADS.names
    optional = {"event_id"}
    given = [name for name in INTERACTIONS.names if name not in optional]
    assert list(firm.interactions.columns) == given
    assert tuple(firm.outcomes.columns) == OUTCOMES.names
    assert list(firm.truth.columns) == ["lead_id", "as_of", "probability"]
    for contract, name in zip((LEADS, INTERACTIONS, OUTCOMES), TABLES, strict=True):
        frame = getattr(firm, name)
        for column in contract.columns:
            if column.name in optional:
                continue
            assert not (column.filled and frame[column.name].isna().any())
            if column.kind == "instant":
                assert frame[column.name].dtype == INSTANT
    assert set(firm.interactions["lead_id"]) <= set(firm.leads["lead_id"])
    assert set(firm.outcomes["lead_id"]) <= set(firm.leads["lead_id"])


def test_instants_are_whole_seconds(firm: Simulation) -> None:
    for name in TABLES:
        for column in getattr(firm, name).select_dtypes("datetimetz"):
            instants = getattr(firm, name)[column].dropna()
            assert (instants == instants.dt.floor("s")).all()


def test_nothing_is_from_the_export_or_after(firm: Simulation) -> None:
    for name in TABLES:
        for column in getattr(firm, name).select_dtypes("datetimetz"):
            assert not (getattr(firm, name)[column] >= firm.data_end).any()
    assert (firm.truth["as_of"] < firm.data_end).all()


def test_nothing_happens_before_the_lead_exists(firm: Simulation) -> None:
    created = firm.leads.drop_duplicates("lead_id").set_index("lead_id")["created_at"]
    for frame in (firm.interactions, firm.outcomes):
        assert (frame["occurred_at"] >= frame["lead_id"].map(created)).all()
        late = frame["known_at"].notna()
        assert (frame["known_at"] > frame["occurred_at"])[late].all()


def test_leads_fill_in_over_several_rows(firm: Simulation) -> None:
    by_lead = firm.leads.groupby("lead_id")
    assert by_lead.size().mean() > 2
    steps = by_lead["known_at"].diff().dropna()
    assert (steps > pd.Timedelta(0)).all()
    known = firm.leads[["industry", "employees", "job_function", "seniority"]].notna()
    assert known[~firm.leads["lead_id"].duplicated()].mean().max() < 0.1
    at_last = known[~firm.leads["lead_id"].duplicated(keep="last")].mean()
    assert at_last.between(0.5, 0.95).all()
    assert (by_lead["employees"].nunique() > 1).any()
    assert 0.003 < by_lead["objects_to_profiling"].any().mean() < 0.02


def test_some_rows_are_late(log: pd.DataFrame) -> None:
    delay = log["known_at"] - log["occurred_at"]
    web = delay[log["channel"] == "web"]
    assert 0.01 < (web > pd.Timedelta(0)).mean() < 0.06
    attended = delay[log["kind"] == "webinar_attended"]
    assert attended.min() > pd.Timedelta(hours=23)
    assert attended.max() < pd.Timedelta(days=11)


def test_figures_are_those_of_a_firm(firm: Simulation, rows: pd.DataFrame) -> None:
    assert 0.12 < len(_reached(firm, "opportunity")) / 6000 < 0.20
    assert 0.07 < rows["converted"].mean() < 0.105
    assert 0.80 < roc_auc_score(rows["converted"], rows["probability"]) < 0.86
    assert 20 < len(firm.interactions) / 6000 < 30


def test_the_sample_is_small_on_disk() -> None:
    firm = simulate(n_leads=2000, seed=1)
    texts = [
        getattr(firm, name).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        for name in TABLES
    ]
    assert sum(len(text.encode()) for text in texts) < 4_000_000


def test_truth_is_the_closed_form() -> None:
    hazard = np.random.default_rng(0).exponential(0.003, (3, MAX_AGE))
    told = true_probability(hazard)
    assert told.shape == (3, 365)
    for age in (1, 2, 200, 365):
        survival = np.prod(np.exp(-hazard[:, age : age + 90]), axis=1)
        np.testing.assert_allclose(told[:, age - 1], 1 - survival, atol=1e-11)


def test_truth_stands_at_local_midnights_of_open_leads(firm: Simulation) -> None:
    truth = firm.truth
    assert not truth.duplicated(["lead_id", "as_of"]).any()
    local = truth["as_of"].dt.tz_convert("Europe/Paris")
    assert (local == local.dt.normalize()).all()
    created = firm.leads.drop_duplicates("lead_id").set_index("lead_id")["created_at"]
    age = truth["as_of"] - truth["lead_id"].map(created)
    assert age.between(pd.Timedelta(0), pd.Timedelta(days=366)).all()
    for stage in ("opportunity", "disqualified"):
        reached = truth["lead_id"].map(_reached(firm, stage))
        assert not (reached < truth["as_of"]).any()


def test_realised_conversions_agree_with_the_truth(rows: pd.DataFrame) -> None:
    assert abs(_z(rows)) < 3
    # Below 1 % too few convert for a sum to be anywhere near normal.
    told = rows[rows["probability"] > 0.01]
    deciles = pd.qcut(told["probability"], 10, labels=False)
    # 3.5 standard errors: one decile in two thousand would lie outside by chance.
    assert max(abs(_z(part)) for _, part in told.groupby(deciles)) < 3.5
    rest = rows[rows["probability"] <= 0.01]
    assert rest["converted"].mean() < 0.01


def test_signs_add_nothing_to_the_truth_but_sales_actions_do(
    rows: pd.DataFrame, log: pd.DataFrame
) -> None:
    asked = rows[_did_lately(rows, log, ["demo_request", "contact_request"], 30)]
    assert len(asked) > 500
    assert abs(_z(asked)) < 3.5
    # The trap: a recent quote says more than all there is to know beforehand.
    quoted = rows[_did_lately(rows, log, ["quote", "call"], 7)]
    assert _z(quoted) > 5


def test_rejected_and_lost_leads_say_nothing_about_the_truth(
    firm: Simulation, rows: pd.DataFrame
) -> None:
    for stage in ("rejected", "lost"):
        is_stage = firm.outcomes["stage"] == stage
        first = firm.outcomes[is_stage].groupby("lead_id")["occurred_at"].min()
        given_up = rows[rows["lead_id"].map(first) < rows["as_of"]]
        assert len(given_up) > 500
        assert abs(_z(given_up)) < 3.5


def test_the_base_rate_changes_over_the_calendar(firm: Simulation) -> None:
    created = firm.leads.drop_duplicates("lead_id").set_index("lead_id")["created_at"]
    age = (firm.truth["as_of"] - firm.truth["lead_id"].map(created)).dt.days
    like = firm.truth[age.between(20, 60)]
    month = like["as_of"].dt.tz_convert("Europe/Paris").dt.strftime("%Y-%m")
    rate = like.groupby(month)["probability"].mean()
    assert rate["2025-01":"2025-09"].mean() > 1.15 * rate["2024-01":"2024-09"].mean()
    assert rate["2024-03"] > 1.25 * rate["2024-09"]


def test_sales_acts_only_after_the_hand_over(log: pd.DataFrame) -> None:
    own = log[~log["kind"].isin(SALES)].sort_values(["lead_id", "known_at"])
    points = own["kind"].map(HAND_OVER_POINTS).fillna(0)
    reached = points.groupby(own["lead_id"]).cumsum() >= HAND_OVER_AT
    handed = own[reached].groupby("lead_id")["known_at"].min()
    actions = log[log["kind"].isin(SALES)]
    assert len(actions) > 1000
    assert (actions["occurred_at"] > actions["lead_id"].map(handed)).all()
    assert (actions["known_at"] > actions["occurred_at"]).all()


def test_machines_open_within_seconds_and_click_everything(log: pd.DataFrame) -> None:
    mail = log[log["kind"].isin(["email_open", "email_click"])]
    local = mail["occurred_at"].dt.tz_convert("Europe/Paris")
    sent = local.dt.normalize() + pd.Timedelta(hours=9, minutes=30)
    delay = (local - sent).dt.total_seconds()
    is_machine = (local.dt.day_of_week == 1) & delay.between(0, 60)
    assert delay[is_machine].between(2, 30).all()
    campaign = mail["content"].str.slice(0, 7)
    kinds = mail[is_machine].groupby(["lead_id", campaign])["kind"].value_counts()
    kinds = kinds.unstack(fill_value=0)
    assert len(kinds) > 1000
    assert (kinds["email_open"] == 1).all()
    assert (kinds["email_click"] == 2).all()


def test_nobody_opens_mail_after_unsubscribing(log: pd.DataFrame) -> None:
    left = log[log["kind"] == "unsubscribe"].set_index("lead_id")["occurred_at"]
    opens = log[log["kind"] == "email_open"]
    assert len(left) > 300
    assert not (opens["occurred_at"] > opens["lead_id"].map(left)).any()


def test_the_curious_read_on_without_prices_or_services(log: pd.DataFrame) -> None:
    pages = log[log["kind"].isin(["page_view", "pricing_view", "service_view"])]
    is_blog = pages["content"].str.startswith("blog/")
    by_lead = is_blog.groupby(pages["lead_id"]).agg(["mean", "size"])
    readers = by_lead[(by_lead["mean"] == 1.0) & (by_lead["size"] >= 10)]
    assert len(readers) > 300


def test_competitors_and_students_never_convert(firm: Simulation) -> None:
    out = firm.outcomes[firm.outcomes["stage"] == "disqualified"]
    assert set(out["reason"]) == {"competitor", "student"}
    assert not out["lead_id"].isin(_reached(firm, "opportunity").index).any()
    ours = firm.truth[firm.truth["lead_id"].isin(out["lead_id"])]
    assert (ours["probability"] == 0).all()


def test_outcomes_are_mostly_known_within_the_lag(firm: Simulation) -> None:
    delay = firm.outcomes["known_at"] - firm.outcomes["occurred_at"]
    assert 0.95 < (delay <= LAG).mean() < 1.0
    stages = set(firm.outcomes["stage"])
    assert stages == {
        "opportunity",
        "customer",
        "lost",
        "rejected",
        "recycled",
        "disqualified",
    }
    is_customer = firm.outcomes["stage"] == "customer"
    assert (firm.outcomes["amount"].notna() == is_customer).all()


def test_the_agreement_parses_and_names_what_is_there(
    firm: Simulation, log: pd.DataFrame
) -> None:
    agreement = parse_agreement(firm.agreement)
    attributes = set(firm.leads.columns) - set(LEADS.names)
    consent = set(agreement.consent.exclude_when_true)
    assert set(agreement.attributes) == attributes - consent
    assert consent <= attributes
    kinds = set(log["kind"])
    assert {rule.kind for rule in agreement.points.rules} <= kinds
    assert set(agreement.engagement.weights) <= kinds
    assert set(agreement.hand_raise.kinds) <= kinds
    assert set(agreement.features.deny) == set(SALES)
    assert agreement.source.data_end is not None
    assert pd.Timestamp(agreement.source.data_end) == firm.data_end


def test_stable_attributes_do_not_change(firm: Simulation) -> None:
    agreement = parse_agreement(firm.agreement)
    for name, attribute in agreement.attributes.items():
        values = firm.leads.groupby("lead_id")[name].nunique()
        assert (values.max() > 1) == attribute.changes
