"""A draft of the agreement: guesses from the files alone, each with its reason.

Goes in: the files of a folder under their own names, then the tables read from them.
Comes out: the text of an ``agreement.toml`` that a person reads and corrects. Nothing
here enters a feature.
"""

from __future__ import annotations

from leadscore.draft.guess import Draft, First, first_agreement, guess
from leadscore.draft.hints import Denied, leaking_attributes, leaking_kinds
from leadscore.draft.mail import guess_machines
from leadscore.draft.profile import FileProfile, profile_file
from leadscore.draft.roles import Roles, find_roles
from leadscore.draft.timing import conversion_delays
from leadscore.draft.write import toml_of

__all__ = [
    "Denied",
    "Draft",
    "FileProfile",
    "First",
    "Roles",
    "conversion_delays",
    "find_roles",
    "first_agreement",
    "guess",
    "guess_machines",
    "leaking_attributes",
    "leaking_kinds",
    "profile_file",
    "toml_of",
]
