"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rdimport.cli import options
from rdimport.errors import ExitCode
from rdimport.row import State
from rdimport.verdict import markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command of ours in a code block of the README."""
    blocks = re.findall(r"```(?:console|sh|crontab)\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:^|[\s$])rdimport (?!&&)(\w.*)", line) for line in lines)
    return [match[1].split("  #")[0] for match in found if match and "clone" not in match.string]


def test_delivery_md_prints_the_decision_table() -> None:
    page = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    hint = 'python -c "from rdimport.verdict import markdown; print(markdown())"'
    assert markdown() in page, hint


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_is_one(command: str) -> None:
    words = [word for word in shlex.split(command) if word not in ("…", "&&")]
    told = options.parser().parse_args(words)
    assert told.command == words[0]


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("state", State)
def test_the_readme_explains_every_state(state: State) -> None:
    assert re.search(rf"^\| `{state}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("code", ExitCode)
def test_the_readme_explains_every_exit_code(code: ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \|", README, re.MULTILINE)
