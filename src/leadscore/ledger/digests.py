"""Digests: of content, and of a chain.

Goes in: cells or a line of text. Comes out: 32 bytes (SHA-256). The bytes that are
digested are the random bytes, then a JSON list of the cells in UTF-8: numbers as the
shortest text that reads back the same (Python's ``repr``), instants as microseconds,
nulls as ``null``. Two different rows never give the same text.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

__all__ = ["SALT_BYTES", "START", "canonical", "digest", "link", "salts"]

SALT_BYTES = 16  # nobody tries them all to guess what an erased row said
START = bytes(32)  # stands before the first link

canonical = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
).encode


def salts(n: int) -> list[bytes]:
    """Return ``n`` times `SALT_BYTES` random bytes from the system."""
    drawn = os.urandom(n * SALT_BYTES)
    return [drawn[i : i + SALT_BYTES] for i in range(0, len(drawn), SALT_BYTES)]


def digest(content: Any, salt: bytes = b"") -> bytes:
    """Return the digest of what an entry says.

    Raises
    ------
    TypeError, ValueError
        The content is nothing that the ledger ever writes.
    """
    return hashlib.sha256(salt + canonical(content).encode()).digest()


def link(before: bytes, seq: int, kind: str, of: bytes) -> bytes:
    """Return the link of entry ``seq``; ``of`` is its digest, ``before`` the last link.

    An entry that is removed, inserted or moved changes every link after it.
    """
    return hashlib.sha256(before + f"{seq}:{kind}:".encode() + of).digest()
