"""Shell completion offers commands, options and values, as argcomplete requests them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rdimport se", {"settle"}),
        ("rdimport run --can", {"--canary"}),
        ("rdimport run --plan ", {"light", "basic", "pro", "advanced"}),
        ("rdimport sandbox --prof", {"--profile"}),
    ],
)
def test_words_are_completed_also_those_of_commands_that_load_late(
    tmp_path: Path, line: str, found: set[str]
) -> None:
    answer = tmp_path / "answer"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    program = [sys.executable, "-m", "rdimport"]
    done = subprocess.run(program, env=os.environ | asked, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {word.strip() for word in answer.read_text().splitlines()} == found
