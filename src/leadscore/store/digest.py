"""The digest of a file.

Goes in: a path. Comes out: sha256 of its bytes; the file is never held in memory.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from leadscore.errors import InputError

__all__ = ["sha256_of"]


def sha256_of(path: Path) -> str:
    """Return the digest of a whole file.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}. Check its permissions."
        raise InputError(msg) from error
