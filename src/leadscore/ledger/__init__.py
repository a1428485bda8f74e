"""The ledger: every label that was ever issued, kept, changed or withdrawn.

One SQLite file of the owner's, and beside it a head file and a lock. Goes in: a table
of `LEDGER_COLUMNS` a run. Comes out: the same table, to the bit, whole or as it stood
before an instant. Nulls stay nulls. Whoever appends holds the ledger alone; a run is
there whole or not at all, and once.

What is written is chained: each row has a digest of 16 random bytes and its content,
and each link of the chain is a digest of the link before it, the entry's number, its
kind and its digest. Run headers, promises and receipts of erasures are entries of the
same chain. `verify` goes through it. `erase` removes a lead's rows and their random
bytes; their digests stay, so that the chain holds and nobody can guess from them what
was there.

What this does not do. **Digests are no signature.** Who may write to the ledger *and*
its head file can do three things unseen from here: write the whole chain anew with
other content; cut the end off and set the head back; erase rows with a receipt that
nobody asked for (the receipt says when, and stays). Against all of them helps one line
kept where that person cannot write, such as with each model in MLflow: the head that
`verify` returns. Given it again, `verify` finds that the chain no longer goes through
it. Nor does the ledger prove that what it was handed was true.

An erased row is gone from the ledger's file. What a file system still holds in freed
blocks, in snapshots or in backups is not within reach of a program.
"""

from __future__ import annotations

from leadscore.ledger.book import Ledger, open_ledger
from leadscore.ledger.columns import CHANGES, LEDGER_COLUMNS
from leadscore.ledger.erase import Receipt, erase
from leadscore.ledger.runs import Run
from leadscore.ledger.verify import Verified, verify

__all__ = [
    "CHANGES",
    "LEDGER_COLUMNS",
    "Ledger",
    "Receipt",
    "Run",
    "Verified",
    "erase",
    "open_ledger",
    "verify",
]
