"""Tables in the docs whose lines are promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).parent.parent


def each_line_has_its_test(page: str, heading: str, tests: Mapping[str, str]) -> None:
    """Check that each line of the table in docs/ whose first column has this heading has its test:
    `tests` maps the start of a line to the end of the file's name and the test's name.
    """
    text = (TESTS.parent / "docs" / page).read_text(encoding="utf-8")
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    lines = [line[2:] for line in table.splitlines()[2:]]
    found = [begin for line in lines for begin in tests if line.startswith(begin)]
    assert sorted(found) == sorted(tests)
    assert len(found) == len(lines)
    for place in tests.values():
        file, _, name = place.partition(": ")
        code = (TESTS / f"test_{Path(page).stem}_{file}.py").read_text(encoding="utf-8")
        assert f"def test_{name}" in code, place
