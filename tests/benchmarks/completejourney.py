"""The Complete Journey as a data folder: households and coupon campaigns of a grocer.

A lead is a household in a campaign, its account is the household. It is created when
the campaign starts and converts when the household first redeems a coupon of that
campaign; redemptions are dated without a time, hence known at the end of the day.

Interactions are what the household bought, and which coupons of *other* campaigns it
redeemed. They are written for each of its leads, whenever they happened: what is known
at an as_of is leadscore's to decide. Never used: ``coupon_disc`` and
``coupon_match_disc``, which show the redemption itself, and the lead's own redemptions.

Campaigns that start in 2016 are no leads, since the redemption log begins in 2017;
redemptions of their coupons still are interactions of later leads. Campaigns that end
in 2018 need no exception: a snapshot whose outcome window reaches past the end of the
log is not mature.

Purchases are stamped in UTC (trade stands still from 07 to 10 h and the last stamp of
2017 is 2018-01-01 03:47), dates are local days in the eastern United States.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leadscore.files import write_table, write_text

from .datasets import run

__all__ = ["write_folder"]

ZONE = "America/New_York"
LOG_START = pd.Timestamp("2017-01-01")

ATTRIBUTES = {
    "campaign_type": "type of the campaign",
    "age": "age of the household's head",
    "income": "household income",
    "home_ownership": "home ownership",
    "marital_status": "marital status of the household's head",
    "household_size": "household size",
    "household_comp": "household composition",
    "kids_count": "number of children",
}

AGREEMENT = f"""\
# The Complete Journey: households in coupon campaigns. Made by tests/benchmarks.
version = "completejourney-1"
time_zone = "{ZONE}"

[source]
data_end = "2018-01-01T00:00:00-05:00" # the last redemptions are those of 31 December

[conversion]
stage = "redeemed"
horizon_days = 45 # most campaigns last 32 to 54 days
reporting_lag_days = 0
lost = []
disqualified = []
recycled = []

[snapshots]
at_age_hours = [24]
max_age_days = 45

{{attributes}}
[points]
idle_points = -2
idle_days = 30
rules = [
    {{{{ kind = "coupon_redemption", points = 10, cap = 40 }}}},
    {{{{ kind = "purchase_discounted", points = 1, cap = 20, half_life_days = 60 }}}},
    {{{{ kind = "purchase", points = 1, cap = 10, half_life_days = 60 }}}},
]

[engagement]
half_life_days = 30
weights = {{{{ coupon_redemption = 5 }}}}

[hand_raise]
kinds = []

[labels.MQL]
precision = 0.20

[labels.SQL]
precision = 0.35

[training]
origins = 3
test_days = 45
"""

ATTRIBUTE = """\
[attributes.{name}]
kind = "category"
changes = false
description = "{description}"
"""


def write_folder(source: Path, target: Path) -> None:
    """Write the data folder.

    Parameters
    ----------
    source : Path
        Holds the five tables.
    target : Path
        Gets ``leads.csv, interactions.csv, outcomes.csv, agreement.toml``.
    """
    redemptions = _redemptions(source)
    leads = _leads(source)
    interactions = pd.concat(
        [_of_each_lead(_purchases(source), leads), _elsewhere(redemptions, leads)]
    )
    declared = "\n".join(
        ATTRIBUTE.format(name=name, description=description)
        for name, description in ATTRIBUTES.items()
    )
    columns = ["lead_id", "created_at", "account_id", *ATTRIBUTES]
    write_table(target / "leads.csv", leads[columns])
    write_table(target / "interactions.csv", interactions)
    write_table(target / "outcomes.csv", _outcomes(redemptions, leads))
    write_text(target / "agreement.toml", AGREEMENT.format(attributes=declared))


def _read(source: Path, name: str) -> pd.DataFrame:
    texts = {"household_id": str, "campaign_id": str, "product_id": str}
    return pd.read_csv(source / name, dtype=texts)


def _leads(source: Path) -> pd.DataFrame:
    leads = _read(source, "campaigns.csv").merge(
        _read(source, "campaign_descriptions.csv"), on="campaign_id"
    )
    leads = leads.merge(
        _read(source, "demographics.csv"), on="household_id", how="left"
    )
    started = pd.to_datetime(leads["start_date"])
    leads = leads.assign(
        lead_id="H" + leads["household_id"] + "-C" + leads["campaign_id"],
        account_id=leads["household_id"],
        created_at=started.dt.tz_localize(ZONE).astype("datetime64[us, UTC]"),
    )
    return leads[started >= LOG_START]


def _redemptions(source: Path) -> pd.DataFrame:
    redemptions = _read(source, "coupon_redemptions.csv")
    return redemptions.rename(
        columns={
            "campaign_id": "redeemed_of",
            "redemption_date": "occurred_at",
            "coupon_upc": "content",
        }
    )


def _purchases(source: Path) -> pd.DataFrame:
    lines = _read(source, "transactions_sample_union.csv.gz")
    stamped = pd.to_datetime(lines["transaction_timestamp"]).dt.tz_localize("UTC")
    is_discounted = lines["retail_disc"] > 0
    return pd.DataFrame(
        {
            "household_id": lines["household_id"],
            "occurred_at": stamped.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "kind": is_discounted.map({True: "purchase_discounted", False: "purchase"}),
            "content": lines["product_id"],
        }
    )


def _of_each_lead(of_households: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Return what a household did as interactions of each of its leads."""
    joined = of_households.merge(
        leads[["household_id", "campaign_id", "lead_id"]], on="household_id"
    )
    return joined[["lead_id", "occurred_at", "kind", "content"]]


def _elsewhere(redemptions: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Return redemptions as interactions of the household's leads in other campaigns.

    A date without a time is known at its end, which leadscore sees to.
    """
    joined = redemptions.merge(
        leads[["household_id", "campaign_id", "lead_id"]], on="household_id"
    )
    joined = joined[joined["redeemed_of"] != joined["campaign_id"]]
    return joined.assign(kind="coupon_redemption")[
        ["lead_id", "occurred_at", "kind", "content"]
    ]


def _outcomes(redemptions: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    first = redemptions.groupby(["household_id", "redeemed_of"])["occurred_at"].min()
    first = first.rename_axis(["household_id", "campaign_id"]).reset_index()
    own = first.merge(leads, on=["household_id", "campaign_id"])
    return own.assign(stage="redeemed")[["lead_id", "stage", "occurred_at"]]


if __name__ == "__main__":
    run("completejourney", write_folder)
