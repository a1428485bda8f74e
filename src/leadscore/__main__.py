"""``python -m leadscore``."""

from __future__ import annotations

import sys

from leadscore.cli import main

sys.exit(main())
