"""Small data folders, written by hand, so that a reader can check them by eye."""

from __future__ import annotations

from pathlib import Path

LEADS = """\
lead_id,created_at,known_at,country
L1,2025-01-01T09:00:00Z,2025-01-01T09:00:00Z,fr
L2,2025-01-02T09:00:00Z,2025-01-02T09:00:00Z,de
L3,2025-01-03T09:00:00Z,2025-01-03T09:00:00Z,fr
"""

INTERACTIONS = """\
lead_id,occurred_at,kind
L1,2025-01-04T09:00:00Z,page_view
L2,2025-01-05T09:00:00Z,demo_request
"""

OUTCOMES = """\
lead_id,stage,occurred_at
L1,opportunity,2025-01-20T09:00:00Z
"""

AGREEMENT = """\
[conversion]
horizon_days = 30
reporting_lag_days = 0
[snapshots]
every_days = 7
[source]
data_end = "2025-06-01T00:00:00Z"
[attributes.country]
kind = "category"
changes = false
"""


def write_folder(folder: Path, **texts: str) -> Path:
    """Write a data folder; each text by the name of its table, or ``agreement``."""
    folder.mkdir(parents=True, exist_ok=True)
    defaults = {"leads": LEADS, "interactions": INTERACTIONS, "outcomes": OUTCOMES}
    for name, text in (defaults | texts).items():
        if name != "agreement":
            (folder / f"{name}.csv").write_text(text)
    (folder / "agreement.toml").write_text(texts.get("agreement", AGREEMENT))
    return folder


def many_leads(n: int, n_converted: int) -> dict[str, str]:
    """Tables of ``n`` leads a day apart; the first ones convert ten days later."""
    days = [f"2025-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(n)]
    later = [f"2025-{1 + (i + 10) // 28:02d}-{1 + (i + 10) % 28:02d}" for i in range(n)]
    leads = [f"L{i},{day}T09:00:00Z,fr" for i, day in enumerate(days)]
    outcomes = [f"L{i},opportunity,{later[i]}T10:00:00Z" for i in range(n_converted)]
    visits = [f"L{i},{day}T12:00:00Z,page_view" for i, day in enumerate(days)]
    return {
        "leads": "\n".join(["lead_id,created_at,country", *leads, ""]),
        "interactions": "\n".join(["lead_id,occurred_at,kind", *visits, ""]),
        "outcomes": "\n".join(["lead_id,stage,occurred_at", *outcomes, ""]),
    }
