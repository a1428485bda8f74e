"""What is public stays public, is sorted, and is in the README."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import leadscore
from leadscore.cli import _parser
from tests.conftest import TOGETHER, scope_of

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(leadscore.__path__, "leadscore.")
    if not module.name.endswith("__main__")
)


def test_files_whose_tests_stay_together_are_there_and_others_are_dealt_out() -> None:
    found = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert found >= TOGETHER
    first, second = "tests/test_plan.py::test_a", "tests/test_plan.py::test_b[1-::-2]"
    assert scope_of(first) == scope_of(second)
    assert scope_of("tests/test_x.py::test_a") != scope_of("tests/test_x.py::test_b")


def test_the_public_names_are_these() -> None:
    assert leadscore.__all__ == [
        "Agreement",
        "Bundle",
        "LeadscoreError",
        "Tables",
        "__version__",
        "load_bundle",
        "read_agreement",
        "read_tables",
        "score",
        "score_tables",
        "train",
    ]
    for name in leadscore.__all__:
        assert getattr(leadscore, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        leadscore.predict  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_docstring_and_exports_what_exists(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    exported = getattr(module, "__all__", [])
    assert all(hasattr(module, public) for public in exported)


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == leadscore.__version__


def verbs() -> list[str]:
    actions = _parser()._subparsers._group_actions
    return sorted(actions[0].choices)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help_and_stands_in_the_readme(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leadscore", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"usage: leadscore {verb}")
    assert f"leadscore {verb}" in (ROOT / "README.md").read_text()


def test_no_file_names_where_packages_come_from() -> None:
    for name in ("requirements.lock", "pyproject.toml", "Makefile"):
        text = (ROOT / name).read_text()
        assert "://" not in text, name
        assert "index-url" not in text.replace("--no-emit-index-url", ""), name
