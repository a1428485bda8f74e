"""The report: a bundle in words and figures that marketing can read.

`report_of` decides every word, `page` and `markdown` write them down.
"""

from __future__ import annotations

from leadscore.report.document import Report
from leadscore.report.text import report_of
from leadscore.report.write import markdown, page

__all__ = ["Report", "markdown", "page", "report_of"]
