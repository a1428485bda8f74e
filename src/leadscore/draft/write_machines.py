"""The section ``[machines]`` of a draft: in force only where machines were found.

Goes in: a guess. Comes out: lines of TOML.
"""

from __future__ import annotations

from leadscore.agreement import Machines
from leadscore.draft.mail import MachineGuess
from leadscore.draft.toml import array, comment, guessed, quoted

__all__ = ["machines_section"]

_WHAT = (
    "Scanners of mail open it and click its links before anybody reads it. What "
    "machines did is kept apart and counted; it earns nothing."
)


def machines_section(guess: MachineGuess | None) -> list[str]:
    """Return the section, behind # where nothing speaks for it; or nothing."""
    if guess is None:
        return []
    rules = _rules(guess.rules)
    if guess.is_likely:
        said = guessed("machines made some of these", guess.said)
        return [*comment(_WHAT), rules[0], *said, *rules[1:]]
    if guess.is_coarse:
        why = (
            "These times have no seconds, so machines cannot be told from people: "
            "export the seconds, then take the # away."
        )
    else:
        why = "None was found here; if your leads have scanners, take the # away."
    off = [f"# {line}" for text in rules for line in text.splitlines()]
    return [*comment(f"{_WHAT} {why}"), *off]


def _rules(rules: Machines) -> list[str]:
    sent = [f"sent = {quoted(rules.sent)}"] if rules.sent else []
    return [
        "[machines]",
        f"kinds = {array(rules.kinds)}",
        *sent,
        f"within_s = {rules.within_s}",
        f"burst = {rules.burst}",
    ]
