"""Leads, interactions and outcomes made up for the tests, in the typed form.

Instants are written as integers, microseconds since 1970 UTC, where arithmetic matters,
and as ISO text where people read them. Every frame has the types and the order that the
store gives.
"""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from leadscore.agreement import Agreement, parse_agreement
from leadscore.buckets import in_memory, rows_of
from leadscore.features import Catalogue, declare_catalogue
from leadscore.interactions import Interactions
from leadscore.tables import INSTANT, Tables

DAY = 86_400_000_000
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

TOML = """
version = "7"
time_zone = "Europe/Paris"

[conversion]
stage = "opportunity"
horizon_days = 30
reporting_lag_days = 7

[snapshots]
every_days = 7
max_age_days = 365

[attributes.industry]
kind = "category"
changes = true
description = "the industry"

[attributes.employees]
kind = "number"
changes = true

[attributes.job_title]
kind = "text_presence"
changes = true

[attributes.renewal_on]
kind = "date"
changes = true

[engagement]
half_life_days = 14.0
weights = { demo_request = 5.0, page_view = 0.5 }

[features]
deny = ["call"]

[[personas]]
name = "large food"
criteria = [
    { attribute = "industry", any_of = ["food", "énergie"], weight = 2.0 },
    { attribute = "employees", min = 100.0 },
]

[[personas]]
name = "small shop"
criteria = [
    { attribute = "industry", any_of = ["retail"] },
    { attribute = "employees", max = 20.0, weight = 3.0 },
]

[points]
idle_points = -4
idle_days = 30
rules = [
    { kind = "whitepaper_download", points = 5 },
    { kind = "email_open", points = 2, cap = 10 },
    { kind = "pricing_view", points = 10, half_life_days = 7.0 },
    { kind = "unsubscribe", points = -8 },
]

[hand_raise]
kinds = ["demo_request", "contact_request"]

[consent]
exclude_when_true = ["objects"]
"""
AGREEMENT = parse_agreement(TOML)

# Everything that [features] can add.
MORE = """
windows_days = [45, 1, 2]
by_channel = true

[features.content_groups]
pricing = ["/prix*", "/page/1*"]
short = ["?", "[a-b]"]
empty = ["/nowhere"]

[[features.decays]]
name = "heat"
half_life_days = 3.5
weights = { page_view = 1.0, unsubscribe = -2.0, "webinaire_été" = 0.3 }

[[features.decays]]
name = "asked_ever"
weights = { demo_request = 1.0, pricing_view = 0.25 }
"""
_DENY = 'deny = ["call"]\n'
EXTENDED = parse_agreement(TOML.replace(_DENY, _DENY + MORE))

KNOWN_KINDS = ("page_view", "email_open", "webinaire_été")
CHANNELS = ("email", "web", "réseau social")
INDUSTRIES = ("food", "retail", "énergie")
KINDS = (
    *KNOWN_KINDS,
    "demo_request",
    "contact_request",
    "whitepaper_download",
    "pricing_view",
    "unsubscribe",
    "call",
    "other",
    "never heard of",
)

# 2025: clocks go forward on 30 March and back on 26 October in Europe/Paris.
AS_OFS = (
    "2025-03-30T00:00+01:00",
    "2025-03-31T00:00+02:00",
    "2025-10-26T00:00+02:00",
    "2025-10-27T00:00+01:00",
    "2025-06-01T13:07:11.000123+02:00",
    "2025-03-30T03:00+02:00",
)


def us(text: str) -> int:
    """Return ISO text with an offset as microseconds."""
    since = datetime.datetime.fromisoformat(text) - EPOCH
    return since // datetime.timedelta(microseconds=1)


def moment(when: int | str) -> pd.Timestamp:
    """Return an instant as the package takes it."""
    return instants([us(when) if isinstance(when, str) else when])[0]


def instants(values) -> pd.Series:
    """Return microseconds (None: null) as a column."""
    counted = [
        np.datetime64("NaT") if v is None else np.datetime64(v, "us") for v in values
    ]
    plain = pd.Series(np.array(counted, dtype="datetime64[us]"))
    return plain.dt.tz_localize("UTC")


def interactions_of(rows) -> pd.DataFrame:
    """Return (lead, occurred, known, kind, channel, content, duration_s) as a table."""
    return _frame(
        rows,
        lead_id="str",
        occurred_at=INSTANT,
        known_at=INSTANT,
        kind="str",
        channel="str",
        content="str",
        duration_s="float64",
    )


def outcomes_of(rows) -> pd.DataFrame:
    """Return (lead, stage, occurred, known) as a table."""
    full = [(*row, None, None) for row in rows]
    return _frame(
        full,
        lead_id="str",
        stage="str",
        occurred_at=INSTANT,
        known_at=INSTANT,
        reason="str",
        amount="float64",
    )


def leads_of(rows) -> pd.DataFrame:
    """Return leads from dicts; ``known_at`` is ``created_at`` where it is not given."""
    names = {
        "lead_id": "str",
        "created_at": INSTANT,
        "known_at": INSTANT,
        "account_id": "str",
        "merged_into": "str",
        "industry": "str",
        "employees": "float64",
        "job_title": "str",
        "renewal_on": INSTANT,
        "objects": "bool",
    }
    full = [
        tuple(
            {"known_at": row["created_at"], "objects": False, **row}.get(n)
            for n in names
        )
        for row in rows
    ]
    return _frame(full, **names)


def _frame(rows, **types) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    made = {}
    for (name, kind), values in zip(types.items(), columns, strict=True):
        if kind == INSTANT:
            made[name] = instants(values)
        elif kind == "str":
            made[name] = pd.Series(list(values), dtype="object").astype("str")
        else:
            filled = [np.nan if v is None else v for v in values]
            made[name] = pd.Series(filled, dtype=kind)
    first = (
        ["lead_id", "occurred_at"]
        if "occurred_at" in types
        else ["lead_id", "known_at"]
    )
    order = (
        first
        if "created_at" in types
        else [*first, *(n for n in types if n not in first)]
    )
    return pd.DataFrame(made).sort_values(order, ignore_index=True)


def snapshots_of(pairs, created=None) -> pd.DataFrame:
    """Return (lead, as_of) as snapshots; ``created``: instants by lead."""
    lead_ids, as_ofs = zip(*pairs, strict=True) if pairs else ((), ())
    born = [(created or {}).get(lead, 0) for lead in lead_ids]
    return pd.DataFrame(
        {
            "lead_id": pd.Series(list(lead_ids), dtype="object").astype("str"),
            "account_id": pd.Series([None] * len(lead_ids), dtype="object").astype(
                "str"
            ),
            "created_at": instants(born),
            "as_of": instants(as_ofs),
        }
    )


def log_of(rows: pd.DataFrame, agreement: Agreement = AGREEMENT) -> Interactions:
    """Return interactions as the store gives them."""
    plain = rows.drop(columns=["visible_at", "machine"], errors="ignore")
    return in_memory(rows_of(plain), agreement.machines)


def catalogue_of(agreement: Agreement) -> Catalogue:
    """Return the catalogue of a training that saw every known word in enough leads."""
    ids = [f"t{n}" for n in range(25)]
    leads = leads_of(
        {"lead_id": f"{i}-{w}", "created_at": 0, "industry": w}
        for i in ids
        for w in INDUSTRIES
    )
    rows = [
        (i, 1, 1, kind, c, None, None)
        for i in ids
        for kind in KNOWN_KINDS
        for c in CHANNELS
    ]
    return declare_catalogue(agreement, leads, log_of(interactions_of(rows)))


CATALOGUE = catalogue_of(AGREEMENT)
MANY_COLUMNS = catalogue_of(EXTENDED)


@dataclass(frozen=True)
class World:
    """Tables, and the instants at which they are looked at."""

    tables: Tables
    as_ofs: tuple[int, ...]

    @property
    def log(self) -> pd.DataFrame:
        return self.tables.interactions.frame()

    @property
    def lead_ids(self) -> list[str]:
        return sorted(self.tables.leads["lead_id"].unique())

    def snapshots(self, *as_ofs: int) -> pd.DataFrame:
        """Return every lead at every as_of (all of the world's when none is given)."""
        leads = self.tables.leads.groupby("lead_id")["created_at"].first()
        created = {
            lead: at.value // 1000
            for lead, at in leads.astype("datetime64[ns, UTC]").items()
        }
        asked = as_ofs or self.as_ofs
        return snapshots_of([(i, t) for t in asked for i in self.lead_ids], created)


def world_of(leads, interactions, outcomes, as_ofs) -> World:
    """Return a world whose export is after everything."""
    tables = Tables(leads, log_of(interactions), outcomes, moment("2027-01-01T00:00Z"))
    return World(tables, tuple(as_ofs))


# Where an interaction lies from an as_of: at the edges of all windows, of the idle
# limit of the rhythm columns (14 days), of local days, and anywhere.
_EDGES = [0, *(d * DAY for d in (1, 2, 7, 14, 28, 30, 42, 45, 60, 90))]
_OFFSETS = st.one_of(
    st.builds(
        lambda edge, by: by - edge, st.sampled_from(_EDGES), st.sampled_from([-1, 0, 1])
    ),
    st.integers(-200 * DAY, 5 * DAY),
    st.builds(lambda h: -h * DAY // 24, st.integers(0, 72)),
)
_TEXTS = st.one_of(
    st.sampled_from([None, "a", "b", "É", "e\u0301", "/prix?x=1", "名前", "'quoted'"]),
    st.integers(0, 99).map(lambda n: f"/page/{n}"),
)
_DURATIONS = st.one_of(st.none(), st.integers(0, 10**7).map(lambda ms: ms / 1000))


@st.composite
def worlds(draw, max_events: int = 25) -> World:
    """Draw a small world: odd as_ofs, ties, late and empty leads, unknown words."""
    texts = draw(st.lists(st.sampled_from(AS_OFS), min_size=1, max_size=3, unique=True))
    as_ofs = [
        us(text) + draw(st.sampled_from([0, 0, 1, 12 * 3_600_000_000]))
        for text in texts
    ]
    lead_ids = ["L1", "L2", "ÿ é"][: draw(st.integers(1, 3))]
    rows = []
    for _ in range(draw(st.integers(0, max_events))):
        occurred = draw(st.sampled_from(as_ofs)) + draw(_OFFSETS)
        known = occurred
        if draw(st.integers(0, 4)) == 0:
            late = [occurred + 1, occurred + 3 * DAY, occurred + 40 * DAY]
            exact = [t + by for t in as_ofs for by in (-1, 0, 1)]
            known = max(occurred, draw(st.sampled_from(late + exact)))
        row = (
            draw(st.sampled_from(lead_ids)),
            occurred,
            known,
            draw(st.sampled_from(KINDS)),
            draw(st.sampled_from([None, *CHANNELS, "other", "fax"])),
            draw(_TEXTS),
            draw(_DURATIONS),
        )
        rows += [row] * draw(st.sampled_from([1, 1, 1, 2]))
        if draw(st.integers(0, 3)) == 0:  # another one at the same microsecond
            rows.append((*row[:3], draw(st.sampled_from(KINDS)), "web", None, 0.5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    leads = leads_of(row for i in lead_ids for row in lead_rows(rng, i, as_ofs))
    return world_of(leads, interactions_of(rows), outcomes_of([]), as_ofs)


def lead_rows(rng, lead_id: str, as_ofs, n_rows: int = 3) -> list[dict]:
    """Return a lead with a history of attributes; some change exactly at an as_of."""
    created = min(as_ofs) - int(rng.integers(1, 300 * DAY))
    edges = [t + by for t in as_ofs for by in (-1, 0, 1)]
    changes = {created, *(int(t) for t in rng.choice(edges, n_rows - 1))}
    return [
        {
            "lead_id": lead_id,
            "created_at": created,
            "known_at": known,
            "account_id": f"A{lead_id[-1]}",
            **attributes(rng),
        }
        for known in sorted(changes)
    ]


def attributes(rng) -> dict:
    """Return random attributes, each at times not known."""
    values = {
        "industry": str(rng.choice([*INDUSTRIES, "other", "mining"])),
        "employees": float(rng.choice([5.0, 20.0, 99.5, 100.0, 5000.0])),
        "job_title": "CTO",
        "renewal_on": us("2025-05-01T00:00Z") + int(rng.integers(0, 400 * DAY)),
    }
    return {k: v if rng.random() < 0.7 else None for k, v in values.items()}


def seeded_world(
    seed: int,
    *,
    n_leads: int,
    n_events: int,
    n_as_ofs: int = 3,
    late_share: float = 0.1,
) -> World:
    """Return a larger world: about ``n_events`` a lead, some leads without any."""
    rng = np.random.default_rng(seed)
    first = us("2025-03-30T00:00+01:00")
    odd = rng.integers(0, 150 * DAY, n_as_ofs)
    as_ofs = [first, *(first + int(t) for t in np.sort(odd)[1:])]
    edges = [t - edge + by for t in as_ofs for edge in _EDGES for by in (-1, 0, 1)]
    rows = []
    leads = []
    for n in range(n_leads):
        lead_id = f"L{n:04d}"
        leads += lead_rows(rng, lead_id, as_ofs)
        some = 0 if n % 10 == 9 else int(rng.integers(1, 2 * n_events))
        is_late_lead = rng.random() < 0.5
        rows += _seeded_rows(
            rng, lead_id, as_ofs, edges, some, late_share * is_late_lead
        )
    return world_of(leads_of(leads), interactions_of(rows), outcomes_of([]), as_ofs)


def _seeded_rows(rng, lead_id, as_ofs, edges, n_events, late_share) -> list[tuple]:
    rows = []
    for _ in range(n_events):
        occurred = int(rng.integers(as_ofs[0] - 150 * DAY, as_ofs[-1] + 5 * DAY))
        if rng.random() < 0.3:
            occurred = int(rng.choice(edges))
        elif rng.random() < 0.3:
            occurred -= occurred % (DAY // 2)  # many at the same microsecond
        known = occurred
        if rng.random() < late_share:
            late = [occurred + int(rng.exponential(10) * DAY), *as_ofs]
            known = max(occurred, int(rng.choice(late)))
        content = rng.choice([*"abcdefgh", ""])
        channel = rng.choice([*CHANNELS, "other", "fax", ""])
        duration = int(rng.integers(0, 10**6)) / 1000 if rng.random() < 0.7 else None
        kind = str(rng.choice(KINDS))
        rows.append(
            (lead_id, occurred, known, kind, channel or None, content or None, duration)
        )
    return rows
