"""Parsing the command line: typed arguments, and the same line for `run` and `check`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from test_cost_of_a_run import counting

from rdimport.cli.arguments import (
    KINDS,
    Arguments,
    CheckArguments,
    RunArguments,
    SandboxArguments,
    StatusArguments,
    read,
)
from rdimport.cli.options import parser
from rdimport.core.values import names


def commands(of: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every parser without subcommands, by its command."""
    found = {}
    of.format_help()  # adds its arguments
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                found |= commands(below, f"{name} {word}".strip())
    return found or {name: of}


def options(of: argparse.ArgumentParser) -> set[str]:
    return {word for action in of._actions for word in action.option_strings}


def test_each_command_has_a_class_with_exactly_its_arguments() -> None:
    known = commands(parser())
    words = {kind: set[str]() for kind in KINDS}
    for name, of in known.items():
        kind = name if name in KINDS else name.split()[0]  # `jobs list` and `jobs run` share one
        if kind != "sandbox":
            words[kind] |= {action.dest for action in of._actions} - {"help"}
    for name, kind in KINDS.items():
        known_names = set(names(kind)) - {"action"}
        more = {"payloads"} if name == "run" else set()  # only in `check`
        assert known_names - more == words[name] - {"action"}, name


@pytest.mark.parametrize("name", sorted(commands(parser())))
def test_a_dash_is_no_file_to_write(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    written = {"--log-file", "--metrics-file", "--payloads", "--html"}
    for option in sorted(written & options(commands(parser())[name])):
        with pytest.raises(SystemExit) as left:
            read([*name.split(), option, "-"])
        assert left.value.code == 2
        assert f"argument {option}: names no file; for a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(commands(parser())))
def test_an_option_that_is_empty_does_not_mean_the_default(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Like `--state-dir "$STATE"` in a script that has not set it: that would use another
    ledger.
    """
    takers = [a for a in commands(parser())[name]._actions if a.option_strings and a.nargs != 0]
    for option in {word for action in takers for word in action.option_strings}:
        for words in ([option, ""], [f"{option}="] if option.startswith("--") else [option, ""]):
            with pytest.raises(SystemExit) as ended:
                read([*name.split(), *words])
            said = capsys.readouterr().err
            assert (ended.value.code, option in said, "is empty" in said) == (2, True, True), said


def test_what_is_typed_comes_typed() -> None:
    run = read(["run", "a.csv", "b.csv", "-m", "m.yaml", "--until", "06:00", "--resend", "refused"])
    assert run is not None
    assert isinstance(run.arguments, RunArguments)
    assert run.arguments.files == ("a.csv", "b.csv")
    assert (run.arguments.mapping, run.arguments.until) == (Path("m.yaml"), (6, 0))
    assert run.arguments.resend == ("refused",)
    status = read(["status", "--state-dir", "here"])
    assert status is not None
    assert isinstance(status.arguments, StatusArguments)
    assert status.arguments.state_dir == Path("here")
    sandbox = read(["sandbox", "--port", "0"])
    assert sandbox is not None
    assert isinstance(sandbox.arguments, SandboxArguments)
    assert sandbox.arguments.options.port == 0
    assert read([]) is None


def test_only_the_options_of_the_command_that_is_typed_are_made() -> None:
    with counting() as counted:
        parser().parse_args(["status"])
    assert 0 < counted.all["add_argument"] <= 60  # of all commands: some 250


def test_check_takes_every_option_of_run_and_reads_it_in_the_same_way() -> None:
    known = commands(parser())
    assert options(known["check"]) >= options(known["run"])
    line = (
        "list.csv -m list.yaml --account acme --plan pro --api-key-file key --concurrency 3 "
        "--max-duration 2h --limit 5 --timeout 10s --patience 1m --transport httpx --resend refused"
        " --resend uncertain --sheet A --member B --delimiter tab --encoding cp1252 --header-row 2 "
        "--state-dir s --report-dir r --json --quiet --lang pt-BR --full-report --log-file l "
        "--log-format json --yes --new-identity --insecure-http --base-url http://127.0.0.1:1"
    ).split()
    run, check = read(["run", *line]), read(["check", *line])
    assert run is not None
    assert check is not None
    assert isinstance(check.arguments, CheckArguments)
    for name in names(CheckArguments):
        assert getattr(run.arguments, name) == getattr(check.arguments, name), name


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    workspace.write("list.csv", people(4))
    workspace.write("list.yaml", MAPPING)
    return workspace


def test_a_line_of_a_crontab_is_checked_by_changing_one_word(ready: Workspace) -> None:
    line = (
        "list.csv -m list.yaml --quota none --limit 3 --concurrency 2 --max-duration 2h --json "
        "--log-file log.txt --log-format json --report-dir reports --transport httpx"
    ).split()
    check = ready.do("check", *line)
    assert (check.code, check.summary["to_send"]) == (0, 3)
    assert not (ready.home / "reports").exists()
    logged = [json.loads(line) for line in (ready.home / "log.txt").read_text().splitlines()]
    assert [entry["event"] for entry in logged] == ["check_finished"]
    assert ready.do("run", *line).summary["accepted"] == 3


@pytest.mark.parametrize(
    "options",
    [
        "--canary 1 --limit 2",
        "--until 06:00 --max-duration 0s",
        "--quota none --plan pro",
        "--sandbox --base-url http://127.0.0.1:1",
    ],
)
def test_what_contradicts_itself_is_refused_by_run_and_check_alike(
    ready: Workspace, options: str
) -> None:
    line = ["list.csv", "-m", "list.yaml", *options.split()]
    run, check, dry = (
        ready.here(*command, *line) for command in (["run"], ["check"], ["run", "--dry-run"])
    )
    assert (run.code, run.err) == (check.code, check.err) == (dry.code, dry.err)
    assert run.code == 2
    assert all(word in run.err for word in options.split() if word.startswith("--"))
    assert "Omit one of them." in run.err


@pytest.mark.parametrize("words", ["--lang pt-BR {}", "{} --lang=pt", "{} --lang PT-br"])
def test_a_language_may_be_asked_for_before_and_after_the_command(words: str) -> None:
    for command in ("status", "ledger check", "check a.csv"):
        found = read(words.format(command).split())
        assert found is not None
        assert isinstance(found.arguments, Arguments)
        assert found.arguments.lang == "pt-BR"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--help", "uso: rdimport [-h]"),
        ("run --help", "repetir o comando continua de onde parou"),
        ("run", "erro: falta informar: ARQUIVO, -m/--mapping"),
        ("run a -m b --limt 3", "opção desconhecida --limt; você quis dizer --limit?"),
        ("run a -m b --limit x", "argumento --limit: não é um número inteiro maior que 0"),
        ("run a -m b --api-key x", "a chave nunca vai na linha de comando"),
        ("chek a", "você quis dizer check?"),
        ("run a -m b --canary 1 --limit 2", "--canary e --limit: as duas dizem quantas linhas"),
        ("accounts list", "O registro ainda não tem nenhuma conta"),
        ("accounts rename a", "`accounts rename` pede dois nomes."),
        ("ledger check", "Não há registro em"),
        ("purge --older-than 1d", "Apagados: os dados de pessoas de 0 importações"),
        ("purge --older-than 90", "está sem a unidade: escreva 90d ou 12h"),
        ("purge --older-than=-5", "não é uma duração: escreva 90d, 2h, 45m ou 30s"),
        ("run a -m b --max-duration 1w", "não é uma duração: escreva 90d, 2h, 45m ou 30s"),
        ("run --help", "(só o número: segundos)"),
        ("key set", "Qual conta?"),
        ("check list.csv", "parece ser"),
    ],
)
def test_every_command_speaks_portuguese_where_it_is_asked_to(
    ready: Workspace, words: str, said: str
) -> None:
    done = ready.here(*words.split(), "--lang", "pt-BR")
    assert said in " ".join((done.out + done.err).split())
    english = ready.here(*words.split())
    assert english.code == done.code
    assert said not in " ".join((english.out + english.err).split())


def test_without_a_word_the_help_is_printed_and_nothing_was_sent(ready: Workspace) -> None:
    done = ready.here()
    assert (done.code, done.err) == (2, "")
    assert done.out == ready.here("--help").out
    assert done.out.startswith("usage: rdimport")


@pytest.mark.parametrize("command", ["key", "accounts"])
@pytest.mark.parametrize("word", ["", "mostrar"])
def test_what_to_do_is_called_in_an_error_as_in_help(
    workspace: Workspace, command: str, word: str
) -> None:
    done = workspace.here(command, word, "--lang", "pt-BR")
    assert done.code == 2
    assert f"rdimport {command}: erro: argumento AÇÃO: " in done.err
