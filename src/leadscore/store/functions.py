"""Functions of one's own: read from the data folder, run when they are asked for.

Goes in: a data folder and an agreement that names files and functions in it. Comes out:
`Functions`. The bytes that are run are the bytes whose digest is known. A file may
import what is installed, but no other file of the folder. What it prints goes to the
error stream: the other one is for results.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leadscore.agreement import Agreement, CustomFeature
from leadscore.errors import AgreementError
from leadscore.functions import NO_FUNCTIONS, Function, Functions

__all__ = ["read_functions"]


def read_functions(folder: str | Path, agreement: Agreement) -> Functions:
    """Read the functions that an agreement names; none of them is run.

    Parameters
    ----------
    folder : str or Path
        The data folder.
    agreement : Agreement

    Raises
    ------
    AgreementError
        A file is missing, or is no Python.
    """
    custom = agreement.features.custom
    if not custom:
        return NO_FUNCTIONS
    paths = {feature.file: Path(folder) / feature.file for feature in custom}
    sources = {file: _source(path) for file, path in paths.items()}
    code = {file: _compiled(source, paths[file]) for file, source in sources.items()}
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in sources.items()}
    return Functions(functools.partial(_load, code, custom), digests)


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = (
            f"{path} cannot be read: {error.strerror}. [[features.custom]] names a "
            "function in it; put the file beside agreement.toml."
        )
        raise AgreementError(msg) from error


def _compiled(source: bytes, path: Path) -> types.CodeType:
    try:
        return compile(source, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        msg = f"{path}{line}: no valid Python: {what}."
        raise AgreementError(msg) from error


def _load(
    code: Mapping[str, types.CodeType], custom: tuple[CustomFeature, ...]
) -> dict[str, Function]:
    """Run each file anew, and return the functions by the columns that they make."""
    modules = {file: _run(file, compiled) for file, compiled in code.items()}
    found: dict[str, Function] = {}
    for feature in custom:
        function = getattr(modules[feature.file], feature.call, None)
        if not callable(function):
            msg = (
                f"{feature.file} has no function {feature.call}, which the column "
                f"{feature.name} under [[features.custom]] needs."
            )
            raise AgreementError(msg)
        found[feature.name] = functools.partial(_aside, function)
    return found


def _run(file: str, code: types.CodeType) -> types.ModuleType:
    module = types.ModuleType(f"leadscore_own_{file.removesuffix('.py')}")
    try:
        with _findable(module), contextlib.redirect_stdout(sys.stderr):
            exec(code, module.__dict__)  # noqa: S102 - the user's own, as they asked
    except (Exception, SystemExit) as error:
        said = str(error).strip().splitlines()
        why = f" ({said[0]})" if said else ""
        msg = f"{file} cannot be loaded: it raised {type(error).__name__}{why}."
        raise AgreementError(msg) from error
    return module


@contextlib.contextmanager
def _findable(module: types.ModuleType) -> Iterator[None]:
    """Let a module be found by its name while it runs: dataclasses look theirs up."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        sys.modules.pop(module.__name__, None)


def _aside(function: Function, *arguments: Any) -> float | None:
    with contextlib.redirect_stdout(sys.stderr):
        return function(*arguments)
