"""Lists as programs and people write them, each with an expected result written down beforehand.

`corpus_wild/README.md` says what a case is; `corpus_wild/score.py` runs them by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus_wild import score
from support.command import command_here

CASES = sorted(path.parent.name for path in score.HERE.glob("*/expect.json"))


def typed(args: list[str], env: dict[str, str], cwd: Path) -> tuple[int, str, str]:
    """Run the commands as a person types them, in this process."""
    done = command_here(cwd, env, args)
    return done.code, done.out, done.err


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[score.Mock]:
    mock = score.Mock(tmp_path_factory.mktemp("wild"))
    with mock.p:  # ends with its standard input
        yield mock


@pytest.mark.skipif(sys.platform == "win32", reason="the corpus was never scored there")
@pytest.mark.parametrize("name", CASES)
def test_a_list_arrives_as_it_was_meant(name: str, endpoint: score.Mock) -> None:
    case = score.one(name, endpoint, keep=False, server=typed)
    assert (case["verdict"], case["what"]) == ("ok", [])
