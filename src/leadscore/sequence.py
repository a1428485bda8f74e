"""A confidence sequence: a bound for a share that may be looked at after every lead.

Goes in: how many leads there were, in order, and how many converted. Comes out: a bound
for the mean of their true probabilities. There are no nulls: who has no outcome yet is
not given.

An ordinary bound is right with 95 % confidence on the one day it is read. Read daily,
it is sooner or later wrong. This one is right on all days together.

Derivation
----------
Let X_1, X_2, ... be 0 or 1, S_t their sum, p_i = P(X_i = 1 | X_1 .. X_(i-1)) and
pbar_t = (p_1 + .. + p_t) / t. The p_i may differ, and may depend on the past; nothing
else is assumed.

1. E[exp(l X_i) | past] = 1 + p_i (e^l - 1) for each real l. Hence the product over i of
   exp(l X_i) / (1 + p_i (e^l - 1)) is a martingale of mean 1 that is never negative.
2. p -> log(1 + p (e^l - 1)) is concave: its second derivative is minus a square. By
   Jensen, the sum over i of log(1 + p_i (e^l - 1)) <= t log(1 + pbar_t (e^l - 1)).
3. So exp(l S_t - t log(1 + pbar_t (e^l - 1))) never exceeds the martingale of 1, and a
   mean of such terms over a set of l that was fixed beforehand, M_t(pbar_t), never
   exceeds the mean of the martingales, which is one itself.
4. Ville: P(there is a t with M_t(pbar_t) >= 1 / alpha) <= alpha.
5. So { m : M_t(m) < 1 / alpha } holds pbar_t at all t at once with 1 - alpha. For
   l < 0, log(1 + m (e^l - 1)) falls in m and M_t(m) grows in m: the set is an interval
   from 0, its upper end a root. M_t(S_t / t) <= 1 by Jensen once more, so the root lies
   at or above the realised share.

The set of l: M_t(target) is a mean of likelihood ratios of q against the target where
l = logit(q) - logit(target). `ALTERNATIVES` says which q, as shares of the target: some
far below, which notice a collapse after few leads, some near, which notice a small
shortfall at all. How it was chosen: ``python -m tests.benchmarks.sequence_power``.

References
----------
Ville (1939), Etude critique de la notion de collectif: the inequality.
Robbins (1970), Statistical methods related to the law of the iterated logarithm, Annals
of Mathematical Statistics 41, 1397-1409: mixtures of likelihood ratios.
Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic
confidence sequences, Annals of Statistics 49, 1055-1080: the general method. The Jensen
step for a running mean is written out here, as we use no more of it than that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import logit, logsumexp

from leadscore.errors import UsageError

__all__ = ["ALTERNATIVES", "log_evidence", "upper_bound"]

ALTERNATIVES = (
    0.2,
    0.45,
    0.65,
    0.8,
    0.9,
    0.96,
)  # shares of the target, each weighing alike

_Counts = npt.ArrayLike


def log_evidence(
    n_converted: _Counts,
    n: _Counts,
    *,
    target: float,
    mean: float | None = None,
    alternatives: tuple[float, ...] = ALTERNATIVES,
) -> npt.NDArray[np.float64]:
    """Return log M_t(mean): how much speaks against a running mean as high as that.

    Parameters
    ----------
    n_converted, n : array of shape (n_looks,)
        Among the first ``n`` leads; ``0 <= n_converted <= n``.
    target : float
        Above 0, below 1: where the set of l stands. It must not depend on the data.
    mean : float, default=None
        In [0, 1]; None: the target.
    alternatives : tuple of float, default=ALTERNATIVES
        Shares of the target, each above 0 and below 1.

    Returns
    -------
    float array of shape (n_looks,)
        At or above ``log(1 / alpha)``: a mean as high as that is rejected at alpha.
        0 where there was no lead.

    Raises
    ------
    UsageError
        The target is not above 0 and below 1.
    """
    _check_target(target)
    tried = logit(target * np.array(alternatives)) - logit(target)
    hits = np.asarray(n_converted, dtype=np.float64)[..., None]
    of = np.asarray(n, dtype=np.float64)[..., None]
    at = target if mean is None else mean
    terms = tried * hits - of * np.log1p(at * np.expm1(tried))
    return np.asarray(logsumexp(terms, axis=-1) - np.log(len(tried)))


def upper_bound(n_converted: int, n: int, *, target: float, alpha: float) -> float:
    """Return the bound that the mean lies below, at this and every other look.

    Parameters
    ----------
    n_converted, n : int
        Among the first ``n`` leads.
    target : float
        Above 0, below 1: where the bound is to be sharpest.
    alpha : float
        Above 0, below 1: how often any of all the bounds may be wrong.

    Returns
    -------
    float
        In (0, 1], not below ``n_converted / n``; 1 where too little is known.

    Raises
    ------
    UsageError
        The target or alpha is not above 0 and below 1.
    """
    if not 0 < alpha < 1:
        msg = f"alpha must be above 0 and below 1, got {alpha}."
        raise UsageError(msg)
    enough = np.log(1 / alpha)

    def beyond(mean: float) -> float:
        return float(log_evidence(n_converted, n, target=target, mean=mean) - enough)

    if beyond(1.0) < 0:
        return 1.0
    return float(brentq(beyond, n_converted / n, 1.0, xtol=1e-12))


def _check_target(target: float) -> None:
    if not 0 < target < 1:
        msg = f"a promised share must be above 0 and below 1, got {target}."
        raise UsageError(msg)
