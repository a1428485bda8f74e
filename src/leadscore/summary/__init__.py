"""What the terminal shows at the end of a verb: plain lines of at most 80 columns.

Goes in: what a workflow made. Comes out: lines, and the same as plain data for
``--json``. Nothing is computed or decided here. One module a verb.
"""

from __future__ import annotations

from leadscore.summary.auditing import (
    audit_degraded,
    audit_facts,
    audit_lines,
    ledger_facts,
    ledger_lines,
)
from leadscore.summary.check import check_facts, check_lines, refusal
from leadscore.summary.forgetting import forget_facts, forget_lines
from leadscore.summary.init import init_facts, init_lines
from leadscore.summary.lines import WIDTH
from leadscore.summary.plan import plan_facts, plan_lines
from leadscore.summary.promotion import promote_facts, promote_lines
from leadscore.summary.recording import recorded_facts, recorded_lines
from leadscore.summary.scoring import score_facts, score_lines
from leadscore.summary.training import train_facts, train_lines

__all__ = [
    "WIDTH",
    "audit_degraded",
    "audit_facts",
    "audit_lines",
    "check_facts",
    "check_lines",
    "forget_facts",
    "forget_lines",
    "init_facts",
    "init_lines",
    "ledger_facts",
    "ledger_lines",
    "plan_facts",
    "plan_lines",
    "promote_facts",
    "promote_lines",
    "recorded_facts",
    "recorded_lines",
    "refusal",
    "score_facts",
    "score_lines",
    "train_facts",
    "train_lines",
]
