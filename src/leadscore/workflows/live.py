"""Live: which model is in use, in the registry's words.

``models/current`` names the model in use, and it is what scoring reads. The registry's
aliases and descriptions follow it; here is how.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from leadscore import tracking
from leadscore.bundle import Bundle, current_model, load_bundle
from leadscore.errors import LeadscoreError
from leadscore.report import markdown, report_of
from leadscore.workflows.kept_proposal import kept_proposal

__all__ = ["describe_live", "in_use", "name_version"]

STATUSES = {"champion": "LIVE", "challenger": "challenger", "previous": "previous"}
RETIRED = "retired"


def name_version(
    store: tracking.Store,
    logged: tracking.Logged,
    models: Path,
    *,
    now: pd.Timestamp | None,
) -> str:
    """Give a version the alias it should have, and return it; empty where none.

    The first model in use is the champion, unless the registry, which others may share,
    has one; any other new version is the challenger. A version that replaces one of the
    same model takes its aliases over.
    """
    named = tracking.aliases(store)
    version = logged.version
    wanted = {
        alias: version.number
        for alias, other in named.items()
        if other.model_id == version.model_id
    }
    if version.model_id == in_use(models) and "champion" not in named:
        wanted["champion"] = version.number
    elif logged.is_new and not wanted:
        wanted["challenger"] = version.number
    moved = {
        alias: number
        for alias, number in wanted.items()
        if alias not in named or named[alias].number != number
    }
    tracking.set_aliases(store, moved)
    if "champion" in moved:
        replaced = named.get("champion")
        since = replaced.live_since if replaced else now.isoformat() if now else ""
        if since:
            tracking.set_live_since(store, version.number, since)
    return next((alias for alias in STATUSES if alias in wanted), "")


def describe_live(
    store: tracking.Store, models: Path, *, known: Bundle | None = None
) -> list[str]:
    """Say in words, in the registry and on the runs, what is live and since when.

    Parameters
    ----------
    store : Store
    models : Path
    known : Bundle, default=None
        One that was read already: if it is what is live, it is not read again.

    Returns
    -------
    list of str
        What could not be said, in sentences: runs that somebody deleted.
    """
    named = tracking.aliases(store)
    statuses = {
        named[alias].run_id: status
        for alias, status in reversed(STATUSES.items())
        if alias in named
    }
    # Who lost the alias must not go on calling itself live.
    marked = tracking.marked_runs(store, STATUSES.values())
    statuses = dict.fromkeys(marked, RETIRED) | statuses
    deleted = tracking.mark_runs(store, statuses)
    champion = named.get("champion")
    if champion is not None:
        words = [_live_words(champion), *_because_words(champion)]
        words += _other_words(named, models)
        words += _report_words(champion, models, known)
        tracking.describe(store, "\n\n".join(words))
    return [
        f"the run of version {version.number} ({alias}) was deleted in MLflow; "
        f"`leadscore log {version.model_id}` writes it again"
        for alias, version in named.items()
        if version.run_id in deleted
    ]


def _live_words(champion: tracking.Version) -> str:
    when = ""
    if champion.live_since:
        when = f", since {pd.Timestamp(champion.live_since):%Y-%m-%d %H:%M} UTC"
    return f"Live now: version {champion.number}, model {champion.model_id}{when}."


def _because_words(champion: tracking.Version) -> list[str]:
    if not champion.because:
        return []
    return [
        f"Put into use without being shown to be better, because: {champion.because}"
    ]


def _other_words(named: dict[str, tracking.Version], models: Path) -> list[str]:
    said = {
        "previous": "Before that: version {}, model {}. `leadscore promote --rollback` "
        "brings it back.",
        "challenger": "Waiting: version {}, model {}. `leadscore promote` puts it into "
        "use.",
    }
    words = [
        sentence.format(named[alias].number, named[alias].model_id)
        for alias, sentence in said.items()
        if alias in named
    ]
    proposal = None
    if "challenger" in named:
        proposal = kept_proposal(models, named["challenger"].model_id)
    if proposal is not None:
        said_of_it = (proposal.compared_said(), proposal.entries_said())
        words += [
            f"Version {named['challenger'].number}: {s}." for s in said_of_it if s
        ]
    return words


def _report_words(
    champion: tracking.Version, models: Path, known: Bundle | None
) -> list[str]:
    """Return what the report says in short, where the bundle is there to say it."""
    try:
        if known is None or known.model_id != champion.model_id:
            known = load_bundle(models, champion.model_id)
        return [markdown(report_of(known))]
    except LeadscoreError as error:
        return [f"What it can do stands in the report of its run. (Here: {error})"]


def in_use(models: Path) -> str:
    """Return the id of the model in use; empty where none is named.

    Raises
    ------
    InputError
        ``models/current`` is there and cannot be read.
    """
    current = models / "current"
    is_named = current.exists() and current.stat().st_size > 0
    return current_model(models) if is_named else ""
