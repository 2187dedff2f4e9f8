"""Lists as programs and people leave them, each with the answer that was written down before.

`corpus_wild/README.md` says what a case is, `corpus_wild/score.py` runs them by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import ending_with_us
from support.waiting import PATIENCE

HERE = Path(__file__).parent / "corpus_wild"
CASES = sorted(path.parent.name for path in HERE.glob("*/expect.json"))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What became of each case: the commands as a person types them. One at a time, as other tests
    run beside them.
    """
    found = tmp_path_factory.mktemp("wild") / "scores.json"
    command = Path(sys.executable).parent / "rdimport"
    subprocess.run(
        [sys.executable, HERE / "score.py", "--fast", "-j", "1", "--json", found],
        env={**os.environ, "RDIMPORT": str(command)},
        check=True,
        capture_output=True,
        timeout=10 * PATIENCE,
        preexec_fn=ending_with_us(),
    )
    return {case["name"]: case for case in json.loads(found.read_text(encoding="utf-8"))}


@pytest.mark.xdist_group("corpus_wild")
@pytest.mark.skipif(sys.platform == "win32", reason="the script waits with `select` on a pipe")
@pytest.mark.parametrize("name", CASES)
def test_a_list_arrives_as_it_was_meant(name: str, scores: dict[str, dict[str, object]]) -> None:
    case = scores[name]
    assert (case["verdict"], case["what"]) == ("ok", [])
