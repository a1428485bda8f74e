"""A thorough run tries ten times as many made-up worlds, whatever a test counts."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests import examples as module


@pytest.mark.parametrize(("profile", "tried"), [("usual", 30), ("thorough", 300)])
def test_each_run_tries_as_many_as_its_profile_says(
    profile: str, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "settings", lambda: settings.get_profile(profile))
    assert module.examples(30) == tried
