"""The promise: a label's least precision, proven on leads the model has not seen.

Goes in: the replayed past of held-out leads, and what was expected of each threshold
before they were looked at. Comes out: a threshold for each label with what it promises,
or why it promises nothing.

The test. Thresholds are fixed beforehand, strict to loose. Of the leads (accounts) that
enter the label first in the period, by the nurtured road, n enter at a threshold and k
convert. Null hypothesis: the true precision is below the promised one, p. It is
rejected where ``P(Bin(n, p) >= k) <= 1 - confidence``, exactly. From a start that was
chosen without the held-out leads, thresholds are loosened until the first one fails;
the loosest that passed is taken. A fixed sequence of tests needs no correction (Maurer,
Hothorn and Lehmacher, 1995; for risk control: Angelopoulos, Bates, Candes, Jordan and
Lei, "Learn then Test", 2021): so, where leads are exchangeable, a promise that does not
hold is made with a probability of at most ``1 - confidence``.

The start is the threshold of the highest expected power, of those at which who stands
in the label reaches the promise on average: from the entries of the leads that the
model was fitted on, by their out-of-fold probabilities, with 50 leads of the base rate
added.

Where sales' capacity sets the threshold, the number of entries does, not their
outcomes; so the exact lower bound of their share may be promised as it stands.

    slice.py     the leads that prove, and those that tell where to start
    counted.py   what each threshold would have done
    power.py     how many entries prove what
    judged.py    which thresholds hold for a label
    words.py     how that is said
    prove.py     all of it, for both labels
"""

from __future__ import annotations

from leadscore.promise.counted import LEVELS
from leadscore.promise.power import entries_needed, power
from leadscore.promise.prove import hand_raised_rate, prove
from leadscore.promise.slice import Slice

__all__ = [
    "LEVELS",
    "Slice",
    "entries_needed",
    "hand_raised_rate",
    "power",
    "prove",
]
