"""A key typed where no key belongs is refused and never shown."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.command import KEY, Workspace
from support.lists import MAPPING, people

from rdimport import Mapping, run
from rdimport.cli.options import parser
from rdimport.core.errors import UsageError
from rdimport.core.masking import may_be_key
from rdimport.core.names import run_name
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.sandbox.embedded import RunningSandbox

SHORT = "s3cr3t"
RUN = ("run", "list.csv", "-m", "list.yaml")


@pytest.fixture
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace without a key: nothing says which word is the key."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    return workspace


@pytest.mark.parametrize("key", [KEY, SHORT, "0123456789abcdef0123456789abcdef"])
@pytest.mark.parametrize(
    "words",
    [
        (*RUN, "--api-key", "{}"),
        (*RUN, "--api-key={}"),
        (*RUN, "--key", "{}"),
        (*RUN, "--apikey={}"),
        (*RUN, "--API-KEY", "{}"),
        (*RUN, "--api_key", "{}"),
        (*RUN, "--rd-token={}"),
        (*RUN, "--api-key {}"),
        (*RUN, "-key", "{}"),
        (*RUN, "--api", "{}"),
        (*RUN, "--foo={}"),
        (*RUN, "--foo", "{}"),
        (*RUN, "--{}"),
        (*RUN, "-{}"),
        (*RUN, "-k{}"),
        (*RUN, "{}"),
        (*RUN, "RDIMPORT_API_KEY={}"),
        ("run", "RDIMPORT_API_KEY={}", "list.csv", "-m", "list.yaml"),
        ("RDIMPORT_API_KEY={}", *RUN),
        ("run", "list.csv", "api_key={}", "-m", "list.yaml"),
        ("run", "export RDIMPORT_API_KEY={}"),
        ("run", "--key", "{}", "list.csv"),
        ("--api-key", "{}", *RUN),
        ("--api-key={}", *RUN),
        ("{}",),
        ("{}", *RUN),
        (*RUN, "--json={}"),
        (*RUN, "--sandbox={}"),
        (*RUN, "--plan", "{}"),
        (*RUN, "--plan={}"),
        (*RUN, "--transport", "{}"),
        (*RUN, "--concurrency", "{}"),
        (*RUN, "--max-duration", "{}"),
        (*RUN, "--timeout", "{}"),
        (*RUN, "--until", "{}"),
        (*RUN, "--resend={}"),
        (*RUN, "--api-key-file", "{}"),
        ("check", *RUN[1:], "--api-key", "{}"),
        ("status", "--key={}"),
        ("purge", "--older-than", "{}"),
        ("key", "{}"),
        ("key", "set", "acme", "{}"),
        ("key", "set", "acme", "--key", "{}"),
        ("sandbox", "--port", "{}"),
        ("sandbox", "--api-key", "{}"),
        ("init", "list.csv", "--api-key={}"),
        ("schema", "{}"),
    ],
)
def test_it_is_refused_and_not_repeated(
    keyless: Workspace, words: tuple[str, ...], key: str
) -> None:
    done = keyless.here(*(word.format(key) for word in words))
    assert (done.code, done.out) == (2, "")
    assert key not in done.err
    assert done.err


@pytest.mark.parametrize(
    "words",
    [
        ("run", "{}", "-m", "list.yaml"),
        ("run", "list.csv", "-m", "{}"),
        (*RUN, "--quota", "{}"),
        (*RUN, "--base-url", "{}"),
        (*RUN, "--base-url", "https://example.com/?api_key={}"),
        (*RUN, "--delimiter", "{}"),
        (*RUN, "--encoding", "{}"),
        ("status", "{}"),
        ("report", "{}"),
        ("key", "set", "{}"),
        ("key", "remove", "{}"),
        ("check", "{}"),
        ("init", "{}"),
    ],
)
def test_a_word_that_may_be_a_key_is_masked_in_what_is_said_of_it(
    keyless: Workspace, words: tuple[str, ...]
) -> None:
    keyless.key = SHORT
    if words[0] in ("status", "report"):
        down = ("--base-url", "http://127.0.0.1:9", "--patience", "0.1s")
        assert keyless.here(*RUN, *down).code == 3
    done = keyless.here(*(word.format(KEY) for word in words))
    assert done.code == 2
    assert KEY not in done.err + done.out


@pytest.mark.parametrize(
    "words",
    [
        ("run", "{}", "-m", "list.yaml"),
        ("run", "{}.csv", "-m", "list.yaml"),
        ("run", "folder/{}", "-m", "list.yaml"),
        ("run", "list.csv", "-m", "{}.yaml"),
        ("status", "{}"),
        (*RUN, "--state-dir", "list.csv/{}"),
    ],
)
def test_the_key_of_the_environment_is_masked_as_a_part_of_any_word(
    keyless: Workspace, words: tuple[str, ...]
) -> None:
    keyless.key = "/.k3y:of(the)env"
    done = keyless.here(*(word.format(keyless.key) for word in words))
    assert keyless.key not in done.err + done.out
    keyless.key = KEY
    done = keyless.here(*(word.format(keyless.key) for word in words))
    assert KEY not in done.err + done.out


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
@pytest.mark.parametrize(
    "words",
    [
        ("--state-dir", "{}"),
        ("--report-dir", "reports/{}"),
        ("--log-file", "{}.log"),
        ("--metrics-file", "{}.prom"),
        ("--suppress", "{}.csv"),
        ("--member", "{}"),
        ("{}.csv",),
        ("--mapping", "{}.yaml"),
    ],
)
def test_a_key_in_an_option_or_a_file_name_sends_and_writes_nothing(
    keyless: Workspace, words: tuple[str, ...], lang: str
) -> None:
    """Reports, the ledger and the log would name it."""
    keyless.key = KEY
    keyless.write(f"{KEY}.csv", people(2))
    keyless.write(f"{KEY}.yaml", MAPPING)
    before = sorted(keyless.home.rglob("*"))
    down = ("--base-url", "http://127.0.0.1:9", "--patience", "0.1s", "--lang", lang)
    typed = (*down, "-m", "list.yaml", "list.csv", *(word.format(KEY) for word in words))
    for command in ("run", "check"):
        done = keyless.here(command, *typed)
        assert done.code == 2
        assert {"en": "contains the API key", "pt-BR": "contém a chave de API"}[lang] in done.err
    assert sorted(keyless.home.rglob("*")) == before


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RDIMPORT_STATE_DIR", "states/{}"),
        ("RDIMPORT_BASE_URL", "http://127.0.0.1:9/{}"),
        ("RDIMPORT_LEDGER", "postgresql://127.0.0.1:9/{}"),
    ],
)
def test_a_key_in_a_variable_that_replaces_an_option_sends_and_writes_nothing(
    keyless: Workspace, command: str, variable: str, value: str
) -> None:
    keyless.key = KEY
    keyless.environment[variable] = value.format(KEY)
    before = sorted(keyless.home.rglob("*"))
    done = keyless.here(command, *RUN[1:], "--patience", "0.1s")
    assert done.code == 2
    assert "contains the API key" in done.err
    assert sorted(keyless.home.rglob("*")) == before


@pytest.mark.parametrize("place", ["state_dir", "report_dir", "ledger", "mapping_name", "job"])
def test_a_key_in_a_name_that_a_program_gives_is_recorded_nowhere(
    tmp_path: Path, place: str
) -> None:
    value = f"postgresql://127.0.0.1:9/{KEY}" if place == "ledger" else str(tmp_path / KEY)
    (tmp_path / "list.csv").write_text(people(2), encoding="utf-8")
    to = RDStation(KEY, base_url="http://127.0.0.1:9")
    places: dict[str, Any] = {"state_dir": tmp_path / "state", "report_dir": tmp_path / "reports"}
    with pytest.raises(UsageError, match="contains the API key"):
        run(tmp_path / "list.csv", Mapping.parse(MAPPING), to=to, **places | {place: value})
    assert [path.name for path in tmp_path.rglob("*")] == ["list.csv"]


def test_a_key_in_the_name_of_the_current_folder_is_recorded_nowhere(keyless: Workspace) -> None:
    keyless.key = KEY
    folder = keyless.home / f"folder-{KEY}"
    folder.mkdir()
    for name in RUN[1::2]:
        (keyless.home / name).rename(folder / name)
    inside = replace(keyless, home=folder, environment={"RDIMPORT_STATE_DIR": str(keyless.state)})
    before = sorted(keyless.home.rglob("*"))
    done = inside.here(*RUN, "--base-url", "http://127.0.0.1:9", "--patience", "0.1s")
    assert done.code == 2
    assert "contains the API key" in done.err
    assert sorted(keyless.home.rglob("*")) == before


@pytest.mark.parametrize(
    "line", ['report_dir = "{}"', 'state_dir = "{}"', 'ledger = "postgresql://127.0.0.1:9/{}"']
)
def test_a_key_in_a_setting_sends_and_writes_nothing(keyless: Workspace, line: str) -> None:
    keyless.key = KEY
    keyless.environment["RDIMPORT_STATE_DIR"] = ""
    settings = f"""
[defaults]
{line.format(KEY)}
[accounts.acme]
api_key = {{ env = "RDIMPORT_API_KEY" }}
base_url = "http://127.0.0.1:9"
[jobs.leads]
account = "acme"
files = ["list.csv"]
mapping = "list.yaml"
"""
    keyless.write("rdimport.toml", settings)
    before = sorted(keyless.home.rglob("*"))
    done = keyless.here("jobs", "run", "--config", "rdimport.toml")
    assert done.code == 2
    assert "contains the API key" in done.err + done.out
    assert sorted(keyless.home.rglob("*")) == before


@pytest.mark.parametrize("by_job", [False, True])
def test_a_key_in_the_name_of_a_file_that_a_pattern_finds_is_recorded_nowhere(
    keyless: Workspace, *, by_job: bool
) -> None:
    keyless.key = KEY
    keyless.write(f"lista-{KEY}.csv", people(2))
    settings = """
[accounts.acme]
api_key = { env = "RDIMPORT_API_KEY" }
[jobs.leads]
account = "acme"
files = ["lista-*.csv"]
mapping = "list.yaml"
"""
    keyless.write("rdimport.toml", settings)
    down = ("--base-url", "http://127.0.0.1:9", "--patience", "0.1s")
    run = ("run", "lista-*.csv", "-m", "list.yaml", *down)
    done = keyless.here(*(("jobs", "run", "--config", "rdimport.toml") if by_job else run))
    assert done.code == 2
    assert "contains the API key" in done.err + done.out
    assert KEY not in done.err + done.out
    assert not [name for name, content in keyless.artefacts().items() if KEY.encode() in content]


@pytest.mark.parametrize("line", ["api_key: {}", "version: {}", "fields: {}", "on_duplicate: {}"])
def test_a_key_in_a_mapping_is_not_repeated(keyless: Workspace, line: str) -> None:
    keyless.write("list.yaml", MAPPING + line.format(KEY) + "\n")
    assert keyless.here("check", "list.csv", "-m", "list.yaml").code == 2
    assert KEY not in "".join(keyless.output)


def test_what_is_said_tells_how_a_key_is_given(keyless: Workspace) -> None:
    for words in ((*RUN, "--api-key", KEY), (*RUN, f"RDIMPORT_API_KEY={KEY}")):
        said = keyless.here(*words).err
        for way in ("RDIMPORT_API_KEY", "--api-key-file", "rdimport key set NAME"):
            assert way in said


@pytest.mark.parametrize(
    ("option", "meant"),
    [("--mappings", "--mapping"), ("--transpot=lean", "--transport"), ("--quote", "--quota")],
)
def test_an_unknown_option_is_named_with_what_was_probably_meant(
    keyless: Workspace, option: str, meant: str
) -> None:
    done = keyless.here(*RUN, option, "x")
    assert f"unknown option {option.split('=', maxsplit=1)[0]}; did you mean {meant}?" in done.err


def options() -> Iterator[tuple[str, str]]:
    """Every long option of every command."""
    commands = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        if command.fill:
            command.fill(command)
        for option in command._option_string_actions:
            if option.startswith("--"):
                yield name, option


def test_no_option_of_any_command_is_abbreviated(keyless: Workspace) -> None:
    known = {word for _, word in options()}
    assert len(known) > 30
    for command, option in options():
        short = option[:-1]
        if short not in known and not option.endswith(("-key", "-token")):
            assert keyless.here(command, f"{short}={KEY}").code == 2
    assert keyless.here("--versio").code == 2
    assert KEY not in "".join(keyless.output)


def test_files_that_stand_apart_are_named(keyless: Workspace) -> None:
    keyless.write("b.csv", people(1))
    done = keyless.here(*RUN, "b.csv")
    assert done.code == 2
    assert "together: b.csv" in done.err


def test_words_that_are_no_keys_stay_readable(keyless: Workspace) -> None:
    for word in ("absent.csv", "leads-november.csv", "pasta/lista2026novembro"):
        assert word in keyless.here("check", word, "-m", "list.yaml").err
    assert "list.csv" in keyless.here("check", "list.csv", "-m", "list.csv").err


def test_what_may_be_a_key() -> None:
    for key in (KEY, "0123456789abcdef0123456789abcdef", "AIzaSyD-1234567890_abc"):
        assert may_be_key(key)
    runs = ("20260718-143000-ab12", run_name(datetime(2026, 7, 18, 14, 30, tzinfo=UTC)))
    for other in (*runs, "feira_abf_2026.xlsx", "a/b1234567890123456", "novembro"):
        assert not may_be_key(other)


def test_runs_that_begin_in_one_second_have_different_names() -> None:
    now = datetime(2026, 7, 18, 14, 30, tzinfo=UTC)
    assert len({run_name(now) for _ in range(700)}) == 700


@pytest.mark.parametrize("where", [{"account": KEY}, {"base_url": f"https://example.com/{KEY}"}])
def test_a_key_in_the_name_of_an_account_or_in_the_address_is_refused(
    where: dict[str, str],
) -> None:
    with pytest.raises(UsageError) as refused:
        RDStation(KEY, **where)  # type: ignore[arg-type]
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    "line",
    [
        "conversion_identifier: '{}'",
        "fields: {{email: E-mail, name: {{value: '{}'}}}}",
        "fields: {{email: E-mail, tags: {{column: Nome, add: ['feira-{}']}}}}",
        "fields: {{email: E-mail, name: {{expr: \"concat(Nome, '{}')\"}}}}",
        "fields: {{email: E-mail, name: {{column: [Nome, '{}']}}}}",
        "fields: {{email: E-mail, cf_x: {{column: Nome, values: {{'{}': a}}, otherwise: keep}}}}",
    ],
)
def test_a_key_in_the_mapping_sends_and_writes_nothing(
    keyless: Workspace, command: str, line: str
) -> None:
    keyless.key = KEY
    keyless.write("list.csv", "E-mail,Nome\nana@exemplo.com.br,Ana\n")
    lines = [line.format(KEY)]
    if not line.startswith("fields"):
        lines.append("fields: {email: E-mail}")
    else:
        lines.append("conversion_identifier: Feira")
    keyless.write("list.yaml", "\n".join(lines))
    before = sorted(keyless.home.rglob("*"))
    words = ("list.csv", "-m", "list.yaml", "--base-url", "http://127.0.0.1:9", "--patience", "1s")
    done = keyless.here(command, *words)
    assert done.code == 2, done.err
    assert "contains the API key" in done.err, done.err
    assert sorted(keyless.home.rglob("*")) == before


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_key_in_a_comment_of_the_mapping_is_shown_and_stored_nowhere(
    keyless: Workspace, box: RunningSandbox, key_of: Callable[[str], str], command: str
) -> None:
    keyless.base_url = box.base_url
    key = keyless.key = key_of(f"commented-{command}")
    keyless.write("list.csv", people(2))
    keyless.write("list.yaml", f"# the key is {key}\n{MAPPING}")
    done = keyless.here(command, "list.csv", "-m", "list.yaml", "--account", f"commented-{command}")
    assert done.code == 0, done.err
    found = [name for name, data in keyless.artefacts().items() if key.encode() in data]
    assert [Path(name).name for name in found] == ["list.yaml"]


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_sandbox_keeps_no_real_key_either(keyless: Workspace, command: str) -> None:
    keyless.key = KEY
    keyless.write("list.csv", people(2))
    keyless.write("list.yaml", MAPPING)
    keyless.write("bad.yaml", MAPPING.replace("Teste", KEY))
    assert keyless.here(command, "list.csv", "-m", "list.yaml", "--sandbox").code == 0
    before = sorted(keyless.home.rglob("*"))
    for words in (("-m", "bad.yaml"), ("-m", "list.yaml", "--account", f"of-{KEY}")):
        done = keyless.here(command, "list.csv", *words, "--sandbox")
        assert (done.code, "contains the API key" in done.err) == (2, True), done.err
    assert sorted(keyless.home.rglob("*")) == before


def test_a_check_in_a_folder_that_is_named_with_the_key_is_refused(keyless: Workspace) -> None:
    keyless.key = KEY
    folder = keyless.home / f"of-{KEY}"
    folder.mkdir()
    keyless.write(f"of-{KEY}/list.csv", people(2))
    keyless.write(f"of-{KEY}/list.yaml", MAPPING)
    inside = replace(keyless, home=folder)
    done = inside.here("check", "list.csv", "-m", "list.yaml")
    assert (done.code, "contains the API key" in done.err) == (2, True), done.err
