"""The commands in the README are understood by the program."""

from __future__ import annotations

import re
import shlex

import pytest
from support.samples import ROOT

from rdimport.cli import options
from rdimport.core.errors import ExitCode
from rdimport.core.row import State

README = (ROOT / "README.md").read_text(encoding="utf-8")


COMMANDS = ("run", "check", "report", "sandbox", "schema", "status", "purge")


def typed() -> list[str]:
    """The commands of all code blocks, one per line; continued lines are joined, comments
    dropped.
    """
    found = []
    for block in re.findall(r"```(?:sh|console|bash)\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:2] == ["uv", "run"]:
                words = words[2:]
            if words[:1] == ["rdimport"]:
                found.append(shlex.join(words[1:]))
    return list(dict.fromkeys(found))


def in_code() -> list[str]:
    """The options mentioned in running text."""
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    return sorted(set(re.findall(r"`(?:rdimport \w+ )?(--[a-z][a-z-]+)[^`]*`", prose)))


def test_there_is_something_to_hold_the_readme_to() -> None:
    assert len(typed()) >= 3


@pytest.mark.parametrize("line", typed())
def test_a_command_of_the_readme_is_understood(line: str) -> None:
    args = options.parser().parse_args(shlex.split(line))
    assert args.command == line.split(maxsplit=1)[0]


@pytest.mark.parametrize("option", in_code())
def test_an_option_of_the_readme_exists(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    helps = [[command, "--help"] for command in COMMANDS]
    for words in helps:
        with pytest.raises(SystemExit):
            options.parser().parse_args(words)
    assert option in re.findall(r"--[a-z-]+", capsys.readouterr().out)


def test_files_that_the_readmes_commands_name_are_there() -> None:
    words = [word for line in typed() for word in shlex.split(line)]
    named = [word for word in words if word.startswith(("sample_data/", "mappings/"))]
    assert named
    assert [word for word in named if not (ROOT / word).exists()] == []


def test_files_that_the_readme_links_to_are_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", README) if "//" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_state_and_every_exit_code_is_explained() -> None:
    assert {state for state in State if f"| `{state}` |" not in README} == set()
    assert {code for code in ExitCode if f"| {int(code)} |" not in README} == set()
