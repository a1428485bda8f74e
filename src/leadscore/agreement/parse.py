"""From the text of ``agreement.toml`` to an `Agreement`, or to plain sentences.

All findings come at once, each with file, line, key, what is allowed and what is near.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import Any

from pydantic import ValidationError

from leadscore.agreement.base import PlacedError
from leadscore.agreement.sections import Agreement, Section
from leadscore.errors import AgreementError

__all__ = ["parse_agreement"]


def parse_agreement(text: str, *, name: str = "agreement.toml") -> Agreement:
    """Return the typed agreement written in ``text``.

    Parameters
    ----------
    text : str
        TOML.
    name : str, default="agreement.toml"
        What to call the file in messages.

    Raises
    ------
    AgreementError
        The text is not TOML, a key is unknown (the message lists the allowed ones), or
        a value is of the wrong type or out of range. All findings are in one message.
    """
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{name}: not valid TOML: {error}."
        raise AgreementError(msg) from error
    try:
        return Agreement.model_validate(settings)
    except ValidationError as error:
        findings = [_explain(finding, text, name) for finding in error.errors()]
        raise AgreementError("\n".join(findings)) from error


def _explain(finding: Any, text: str, name: str) -> str:
    """Say one pydantic finding as a sentence with file, line, key and next step."""
    path = [str(part) for part in finding["loc"]]
    key = path[-1] if path else ""
    error = finding.get("ctx", {}).get("error")
    is_placed = isinstance(error, PlacedError)
    line = _placed_line(error, path, text) if is_placed else _line_of(path, text)
    where = f"{name}{line}"
    place = _section_name(path[:-1])
    if finding["type"] == "extra_forbidden":
        allowed = sorted(_allowed(path[:-1]))
        close = difflib.get_close_matches(key, allowed, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        unknown = f"{where}: unknown key {key!r} in {place}."
        return f"{unknown}{hint} Allowed: {', '.join(allowed)}."
    reason = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "missing":
        return f"{where}: {place} lacks the key {key!r}."
    if finding["type"] == "value_error":
        return f"{where}: {_section_name(path)}: {reason}."
    return f"{where}: {key!r} in {place} is {finding['input']!r}. {reason}."


def _section_name(path: list[str]) -> str:
    return f"[{'.'.join(path)}]" if path else "the top level"


def _placed_line(error: PlacedError, path: list[str], text: str) -> str:
    """Return the line of the first place that the text sets, or of its section."""
    if error.sets is not None:
        key, value = error.sets
        sets = rf"\b{key}\s*=\s*([\"']){re.escape(value)}\1"
        lines = enumerate(text.splitlines(), start=1)
        return next((f" line {n}" for n, line in lines if re.search(sets, line)), "")
    places = [[*path, *more] for more in error.paths]
    found = (_line_of(place, text) for place in [*places, *(p[:-1] for p in places)])
    return next(filter(None, found), "")


def _line_of(path: list[str], text: str) -> str:
    """Return " line N" of the line that sets the key at ``path``, or nothing.

    The first line that sets it from the section's own header on; without such a header
    (inline tables have none) the first of all.
    """
    names = [part for part in path if not part.isdigit()]
    if not names:
        return ""
    lines = text.splitlines()
    header = rf"\s*\[+\s*{re.escape('.'.join(names[:-1]))}\s*\]+"
    sets = rf"\s*(\[+\s*{re.escape('.'.join(names))}\s*\]+|{re.escape(names[-1])}\s*=)"
    starts = [n for n, line in enumerate(lines) if re.match(header, line)]
    for number in [*range(starts[0] if starts else 0, len(lines)), *range(len(lines))]:
        if re.match(sets, lines[number]):
            return f" line {number + 1}"
    return ""


def _allowed(path: list[str]) -> list[str]:
    """Return the keys that the section at ``path`` may hold."""
    model: Any = Agreement
    for part in path:
        if model is not None and part in model.model_fields:
            model = _section_type(model.model_fields[part].annotation)
    return [] if model is None else list(model.model_fields)


def _section_type(annotation: Any) -> Any:
    """Return the Section inside an annotation such as tuple[Persona, ...]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_type(argument)
        if found is not None:
            return found
    return None
