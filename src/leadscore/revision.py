"""The revision: which code ran, and from which commit of which checkout.

Comes out: a digest of the code, to the last byte; and a commit, which is what people
look up, and whether files differed from it: empty where the code is no checkout, or git
is not there.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from pathlib import Path

__all__ = ["code_digest", "git_revision"]

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


@functools.cache
def code_digest() -> str:
    """Return a digest of this package's source: other code may be another model."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
