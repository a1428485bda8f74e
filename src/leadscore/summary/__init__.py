"""What the terminal shows at the end of a verb: plain lines of at most 80 columns.

Goes in: what a workflow made. Comes out: lines. Nothing is computed or decided here.
One module a verb.
"""

from __future__ import annotations

from leadscore.summary.lines import WIDTH
from leadscore.summary.scoring import score_lines
from leadscore.summary.training import train_lines

__all__ = ["WIDTH", "score_lines", "train_lines"]
