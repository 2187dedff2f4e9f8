"""A round of what `make fuzz` does for an hour."""

from __future__ import annotations

import fuzz
import pytest
from support.examples import costly

ROUNDS = costly(6)


@pytest.mark.long
def test_no_damage_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDIMPORT_API_KEY", raising=False)
    tried = fuzz.run(0, range(ROUNDS))
    assert set(tried) == set(fuzz.TARGETS)
