"""Half a minute of what `make fuzz` does for an hour."""

from __future__ import annotations

import fuzz
import pytest

SECONDS = 30.0


def test_no_damage_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDIMPORT_API_KEY", raising=False)
    tried = fuzz.run(SECONDS)
    assert sum(tried.values()) > 0
