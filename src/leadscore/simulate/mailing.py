"""E-mail campaigns: sent every two or three weeks, opened by people and by machines.

Every campaign leaves at 09:30 local on a Tuesday. The mail scanner of some accounts
opens it and clicks its links within seconds, whatever the lead does; a person takes
minutes to days. Who has faded unsubscribes more, and gets no mail afterwards.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadscore.simulate.days import (
    HOUR,
    MAX_AGE,
    N_DAYS,
    Bools,
    Floats,
    Ints,
    moment,
)
from leadscore.simulate.events import events
from leadscore.simulate.paths import Paths
from leadscore.simulate.population import Accounts, Leads

__all__ = ["draw_mail"]

LAST_AGE = 270  # leads older than this are taken off the list
N_LINKS = 2


def draw_mail(
    accounts: Accounts, leads: Leads, paths: Paths, rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints]:
    """Draw the mail's echo.

    Returns
    -------
    DataFrame
        Opens, clicks and unsubscriptions, as in `events`.
    ndarray of shape (n_leads,)
        When each lead unsubscribed; a far future where it did not.
    """
    days = _send_days(rng)
    sent = moment(days, np.full(len(days), 9.5))
    age = days - leads.created_day[:, None]
    reached = (age >= 1) & (age <= LAST_AGE) & leads.reads_mail[:, None]
    index = np.clip(age, 0, MAX_AGE - 1)
    busy = np.take_along_axis(paths.engagement, index, axis=1)
    peak = np.maximum.accumulate(paths.engagement, axis=1)
    faded = 1.0 - busy / np.take_along_axis(peak, index, axis=1)
    left = _unsubscribed(reached, faded, sent, rng)
    frames = [
        _by_people(reached, busy, paths, sent, rng),
        _by_machines(accounts.has_scanner[leads.account], reached, sent, rng),
    ]
    echo = pd.concat(frames, ignore_index=True)
    echo = echo[echo["occurred"].to_numpy() < left[echo["lead"].to_numpy()]]
    gone = np.flatnonzero(left < np.iinfo(np.int64).max)
    bye = events(gone, left[gone], "unsubscribe", "email")
    return pd.concat([echo, bye], ignore_index=True), left


def _send_days(rng: np.random.Generator) -> Ints:
    weeks = np.cumsum(rng.integers(2, 4, N_DAYS // 14))
    days: Ints = 7 * weeks + 1  # day 0 was a Monday
    return days[days < N_DAYS]


def _unsubscribed(
    reached: Bools, faded: Floats, sent: Ints, rng: np.random.Generator
) -> Ints:
    """Return when each lead leaves the list, hours after some campaign, or never."""
    leaves = reached & (rng.random(faded.shape) < 0.003 + 0.03 * faded)
    at = sent[leaves.argmax(axis=1)] + rng.integers(HOUR, 12 * HOUR, len(faded))
    return np.where(leaves.any(axis=1), at, np.iinfo(np.int64).max)


def _by_people(
    reached: Bools, busy: Floats, paths: Paths, sent: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    chance = 1.0 - np.exp(-0.5 * busy)
    lead, which = np.nonzero(reached & (rng.random(busy.shape) < chance))
    hours = np.clip(rng.lognormal(1.2, 1.3, len(lead)), 0.03, 240.0)
    opened = sent[which] + (hours * HOUR).astype(np.int64)
    clicks = rng.random(len(lead)) < 0.12 + 0.4 * paths.intent[lead]
    link = 1 + rng.integers(0, N_LINKS, len(lead))
    wait = rng.integers(5, 180, len(lead))
    frames = [
        _mail(lead, which, opened, link=None),
        _mail(lead[clicks], which[clicks], (opened + wait)[clicks], link=link[clicks]),
    ]
    return pd.concat(frames, ignore_index=True)


def _by_machines(
    is_scanned: Bools, reached: Bools, sent: Ints, rng: np.random.Generator
) -> pd.DataFrame:
    """Return an open and a click on each link, 2-30 seconds after sending."""
    lead, which = np.nonzero(reached & is_scanned[:, None])
    opened = sent[which] + rng.integers(2, 16, len(lead))
    frames = [_mail(lead, which, opened, link=None)]
    for number in range(1, N_LINKS + 1):
        clicked = opened + rng.integers(0, 15, len(lead))
        frames.append(_mail(lead, which, clicked, link=np.full(len(lead), number)))
    return pd.concat(frames, ignore_index=True)


def _mail(lead: Ints, which: Ints, at: Ints, *, link: Ints | None) -> pd.DataFrame:
    """Return opens, or clicks on a link; content is mail/NN or mail/NN/L."""
    name = [f"mail/{number + 1:02d}" for number in which]
    if link is None:
        return events(lead, at, "email_open", "email", content=np.array(name, object))
    name = [f"{mail}/{number}" for mail, number in zip(name, link, strict=True)]
    return events(lead, at, "email_click", "email", content=np.array(name, object))
