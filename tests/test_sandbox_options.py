"""The sandbox's options: valid values, as arguments, and passed to its process."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path

import pytest

from rdimport.core.errors import UsageError
from rdimport.sandbox import Faults, SandboxOptions
from rdimport.sandbox.arguments import add_arguments, options_from
from rdimport.sandbox.options import option_texts


@pytest.mark.parametrize(
    "wrong",
    [
        {"plan": "gold"},
        {"headers": "loud"},
        {"blanks": "maybe"},
        {"key_status": 500},
        {"error_shape": 3},
        {"port": 70_000},
        {"lead_limit": -1},
        {"profile": "Rei"},
        {"accounts": ()},
        {"certificate": Path("cert.pem")},
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_the_start(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(UsageError):
        SandboxOptions(**wrong)  # type: ignore[arg-type]


def test_options_survive_the_way_to_the_other_process() -> None:
    options = SandboxOptions(data=Path("x"), accounts=("a", "b"), faults=Faults(cut=0.5))
    assert SandboxOptions.from_json(options.to_json()) == options


def test_without_arguments_the_command_has_the_default_options() -> None:
    parser = ArgumentParser()
    add_arguments(parser)
    assert options_from(parser.parse_args([])) == SandboxOptions()


def test_every_option_can_be_given_as_an_argument_and_has_its_text() -> None:
    parser = ArgumentParser(prog="rdimport sandbox")
    add_arguments(parser)
    line = (
        "--port 1 --host ::1 --plan none --data d --account a --account b --new-key k"
        " --profile usuario"
        " --custom-fields any --headers none --lead-limit 0 --max-body 5 --max-length 0"
        " --blanks ignore --key-status 403 --error-shape 2 --fault cut=5% --fault latency=1s"
        " --seed 7 --token sixteen-letters- --header-timeout 5 --certificate c"
        " --private-key p --keep 3"
    )
    given = options_from(parser.parse_args(line.split()))
    for known in fields(SandboxOptions):
        assert getattr(given, known.name) != getattr(SandboxOptions(), known.name)
    assert given.accounts == ("a", "b")
    assert given.faults == Faults(cut=0.05, latency=1.0)
    help_text = " ".join(parser.format_help().split())
    for _, text in option_texts().values():
        assert text.split(";")[0].split(":")[0][:40] in help_text
