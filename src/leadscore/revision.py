"""The revision: which commit of which checkout a training ran from.

Comes out: a commit and whether files differed from it; empty where the code is no
checkout, or git is not there. The digest of the code says the same to the last byte;
a commit is what people look up.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["git_revision"]

_WAIT_S = 10.0


def git_revision(folder: Path) -> dict[str, str]:
    """Return ``commit`` (40 hex digits) and ``changed`` (``true`` or ``false``)."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {"commit": "", "changed": ""}
    changed = _git(folder, "status", "--porcelain", "--", ".")
    return {"commit": commit, "changed": "true" if changed else "false"}


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with our own words
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
