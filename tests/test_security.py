"""The tests named in SECURITY.md exist, and its limits hold."""

from __future__ import annotations

import re
from pathlib import Path

from rdimport.source import limits

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_threat_names_a_test_that_is_there() -> None:
    lines = [line for line in TEXT.split("## Limits")[0].splitlines() if line.startswith("| ")]
    assert len(lines) > 10
    for line in lines[1:]:
        named = re.findall(r"`(tests/[\w/]+\.py)`", line)
        assert named, line
        assert all((ROOT / name).is_file() for name in named), line


def test_the_limits_are_those_of_the_program() -> None:
    for limit in (limits.MOST_ROWS, limits.MOST_COLUMNS, limits.MOST_MEMBERS, limits.MOST_SHEETS):
        assert f"{limit:,}" in TEXT
    assert f"{limits.MOST_WHOLE >> 20} MiB" in TEXT
    assert f"{limits.MOST_RATIO} times" in TEXT
    assert f"{limits.SPARSE // 10**6} million, and {limits.FILLED_ONE_IN - 1} for each" in TEXT
