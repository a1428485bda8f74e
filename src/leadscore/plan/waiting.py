"""Waiting: what happens when more leads arrive than sales can work.

Goes in: arrivals by span of time, how many can be worked in a span. Comes out: who
waits how long. Leads that raised a hand are worked first, then the others, in the order
of their arrival. What is not used of a span is lost, but for the part of a lead where
others wait: 2.5 a span works two and three in turn.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

__all__ = ["Queue", "queue_lengths", "serve"]


@dataclass(frozen=True)
class Queue:
    """How arrivals were worked.

    Parameters
    ----------
    left : int array of shape (n_spans,)
        Leads that still wait at the end of each span.
    mean_wait : float
        Spans that a lead waited before it was worked, on average; 0: in the span of its
        arrival. Of those who still wait, how long they have waited so far.
    longest_wait : int
    longest_queue : int
        Most spans in a row that ended with somebody waiting.
    """

    left: np.ndarray
    mean_wait: float
    longest_wait: int
    longest_queue: int


def serve(raised: np.ndarray, nurtured: np.ndarray, capacity: float) -> Queue:
    """Return how arrivals are worked, span by span, beginning with nobody waiting.

    Parameters
    ----------
    raised, nurtured : int array of shape (n_spans,)
    capacity : float
        Leads a span, above zero.
    """
    queues: tuple[deque[int], deque[int]] = (deque(), deque())
    left, waits, budget = np.zeros(len(raised), dtype=np.int64), [], 0.0
    for span, counts in enumerate(zip(raised, nurtured, strict=True)):
        for queue, count in zip(queues, counts, strict=True):
            queue.extend([span] * int(count))
        budget += capacity
        for queue in queues:
            while queue and budget >= 1:
                waits.append(span - queue.popleft())
                budget -= 1
        left[span] = sum(map(len, queues))
        budget = budget if left[span] else 0.0
    waits += [len(raised) - 1 - span for queue in queues for span in queue]
    return Queue(
        left,
        float(np.mean(waits)) if waits else 0.0,
        max(waits, default=0),
        max(_runs(left > 0), default=0),
    )


def queue_lengths(arrivals: np.ndarray, capacity: float) -> np.ndarray:
    """Return how many wait at the end of each span, parts of leads counted as such.

    Parameters
    ----------
    arrivals : int array of shape (n_draws, n_spans)
    capacity : float
        Leads a span.

    Returns
    -------
    float array of shape (n_draws, n_spans)
        ``max(0, before + arrivals - capacity)`` (Lindley, 1952).
    """
    left = np.zeros(arrivals.shape)
    before = np.zeros(len(arrivals))
    for span in range(arrivals.shape[1]):
        before = np.maximum(before + arrivals[:, span] - capacity, 0.0)
        left[:, span] = before
    return left


def _runs(flags: np.ndarray) -> list[int]:
    """Return the lengths of the runs of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [int(n) for n in edges[1::2] - edges[::2]]
