"""Some seconds of what `make fuzz` does for an hour."""

from __future__ import annotations

import fuzz
import pytest
from support.examples import costly

SECONDS = float(costly(30))


@pytest.mark.long
def test_no_damage_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDIMPORT_API_KEY", raising=False)
    tried = fuzz.run(SECONDS)
    assert set(tried) == set(fuzz.TARGETS)
