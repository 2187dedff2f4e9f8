"""A mistake is reported in one message, before anything is sent, with exit code 2."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from openpyxl import Workbook
from support.lists import MAPPING, people
from support.posix import only_posix, pipe_at, small_files
from support.samples import mapping, sample
from support.waiting import TIMEOUT

from rdimport import api
from rdimport.core.errors import ExitCode, LedgerError
from rdimport.core.events import Event, RowFinished
from rdimport.core.key_file import owner_only
from rdimport.destination.rdstation import RDStation
from rdimport.sandbox.embedded import RunningSandbox

if TYPE_CHECKING:
    from support.command import Workspace


class Case(NamedTuple):
    """A mistake: arguments added to `run list.csv -m list.yaml`, and what has to be reported."""

    told: tuple[str, ...]
    words: tuple[str, ...] = ()
    files: tuple[tuple[str, str | bytes], ...] = ()
    keyless: bool = False
    usage: bool = False
    """argparse reports it, and says where all options are."""


def mapped(text: str, *messages: str) -> Case:
    return Case(("list.yaml", *messages), files=(("list.yaml", text),))


def listed(content: str | bytes, *messages: str, name: str = "list.csv") -> Case:
    return Case((name, *messages), (name,) * (name != "list.csv"), ((name, content),))


FIELDS = "version: 1\nconversion_identifier: x\nfields:\n"

ROOT = "/" if os.name == "posix" else ""
"""How the path of every folder begins; on Windows with some drive."""

CASES = {
    "mapping: not there": Case(("absent.yaml",), ("-m", "absent.yaml")),
    "mapping: a folder": Case((".",), ("-m", ".")),
    "mapping: empty": mapped(""),
    "mapping: no YAML": mapped("version: 1\nfields: {email: [\n", "list.yaml:3"),
    "mapping: a list": mapped("- 1\n- 2\n"),
    "mapping: bytes": Case(("list.yaml",), files=(("list.yaml", b"\xff\xfe\x00\x01\x80"),)),
    "mapping: the list itself": Case(
        ("list.csv: is a spreadsheet", "rdimport run list.csv -m list.yaml"), ("-m", "list.csv")
    ),
    "mapping: a list that has none": Case(
        ("new.csv: is a spreadsheet", "rdimport init new.csv -o new.yaml"),
        ("-m", "new.csv"),
        (("new.csv", people(1)),),
    ),
    "mapping: a workbook": Case(
        ("feira_abf_2026.xlsx: is a spreadsheet",), ("-m", str(sample("feira_abf_2026.xlsx")))
    ),
    "mapping: unknown key": mapped(MAPPING + "colour: red\n", "list.yaml:4:1", "colour"),
    "mapping: unknown field": mapped(
        f"{FIELDS}  emial: E-mail\n", "list.yaml:4:3", "emial", "email"
    ),
    "mapping: unknown cleaner": mapped(
        f"{FIELDS}  email: E-mail\n  name: {{column: Nome, clean: phon}}\n", "list.yaml:5", "phone"
    ),
    "mapping: an area in words": mapped(
        f"{FIELDS}  email: E-mail\n  mobile_phone: {{column: Fone, default_area: onze}}\n",
        "list.yaml:5",
        "two digits such as 11; found `onze`",
    ),
    "mapping: a country in words": mapped(
        f"{FIELDS}  email: E-mail\n  mobile_phone: {{column: Fone, default_country: Brasil}}\n",
        "two capital letters",
    ),
    "mapping: no e-mail": mapped(f"{FIELDS}  name: Nome\n", "email"),
    "mapping: twice the same": mapped(f"{FIELDS}  email: E-mail\n  email: Nome\n", "list.yaml:5:3"),
    "mapping: a later version": mapped(MAPPING.replace("version: 1", "version: 9"), "version"),
    "column: not in the file": Case(
        ("list.csv", "“Nomes”", "did you mean “Nome”"),
        files=(("list.yaml", MAPPING.replace("Nome}", "Nomes}")),),
    ),
    "file: not there": Case(("absent.csv", f"looked for in {ROOT}"), ("absent.csv",)),
    "file: not there, as cron names it": Case(
        ("/nowhere/absent.csv does not exist", "spelling.\n"), ("/nowhere/absent.csv",)
    ),
    "file: another suffix": Case(("Did you mean list.csv?", "looked for"), ("list.xlsx",)),
    "file: no suffix, other case": Case(("Did you mean list.csv?",), ("List",)),
    "file: a slip": Case(("Did you mean list.csv?",), ("./lsit.csv",)),
    "mapping: another suffix": Case(("Did you mean list.yaml?", "init"), ("-m", "list.yml")),
    "file: empty name": Case(("FILE: is empty", "variable"), ("",), usage=True),
    "state: an unset variable": Case(("--state-dir: is empty",), ("--state-dir", ""), usage=True),
    "state: no value": Case(("--state-dir: -- is not a value",), ("--state-dir=--",), usage=True),
    "log: no value": Case(("--log-file: -- is not a value",), ("--log-file=--",), usage=True),
    "address: an unset variable": Case(("--base-url: is empty",), ("--base-url=",), usage=True),
    "file: a folder": Case((". is a folder", f".{os.sep}*.csv"), (".",)),
    "file: a device": Case((f"{os.devnull} cannot be read", "a device"), (os.devnull,)),
    "file: the mapping": Case(
        ("list.yaml is a mapping", "rdimport run LIST -m MAPPING"), ("list.yaml",)
    ),
    "file: a mapping with a heading": listed(
        f"---\n# of the fair\n\n{MAPPING}", "is a mapping", name="fair.txt"
    ),
    "file: settings": listed(
        '# all of it\n[accounts.acme]\nplan = "pro"\n', "rdimport jobs run", name="rdimport.toml"
    ),
    "file: of a workbook that is open": listed(
        b"\x05Maria".ljust(55) + "\5Maria".ljust(55).encode("utf-16-le"),
        "who has a workbook open",
        "'*.xlsx'",
        name="~$leads.xlsx",
    ),
    "file: an address without its scheme": Case(
        ("does not exist", "https://"), ("docs.google.com/spreadsheets/d/1/edit",)
    ),
    "file: no match": Case(("*.tsv", f"looked for in {ROOT}"), ("*.tsv",)),
    "file: empty": listed(b"", name="empty.csv"),
    "file: header only": listed("E-mail,Nome\n"),
    "file: spaces only": listed(" \n \n\n", name="blank.csv"),
    "file: noise": listed(bytes(range(256)) * 40, name="noise.csv"),
    "file: damaged workbook": listed(
        sample("feira_abf_2026.xlsx").read_bytes()[:9_000], name="cut.xlsx"
    ),
    "file: damaged gzip": listed(b"\x1f\x8b\x08\x00garbage", name="list.csv.gz"),
    "file: damaged zip": listed(b"PK\x03\x04garbage", name="list.zip"),
    "sheet: not there": Case(
        ("Contatos", "Leads"), (str(sample("feira_abf_2026.xlsx")), "--sheet", "Contatos")
    ),
    "header row: not there": Case(("list.csv", "999"), ("--header-row", "999")),
    "header row: a person": Case(("row 3", "e-mail", "--header-row"), ("--header-row", "3")),
    "header row: not there, in a workbook": Case(
        ("No sheet", "row 99999", "--header-row"),
        (str(sample("feira_abf_2026.xlsx")), "--header-row", "99999"),
    ),
    **{
        f"encoding: {name} that it is not": Case(
            (f"list.csv is not encoded in {name}", "It looks like utf-8: name that"),
            ("--encoding", name),
        )
        for name in ("utf-16", "utf-32", "utf-16-be", "cp037")
    },
    "encoding: endless": Case(("There is no encoding “xxx", "…”"), ("--encoding", "x" * 5000)),
    "delimiter: endless": Case(("xxx…” cannot be",), ("--delimiter", "x" * 5000)),
    **{
        f"delimiter: {name}": Case((f"“{name}” cannot be",), ("--delimiter", name))
        for name in ("a", "0", "@")
    },
    "ledger: no database": Case(
        ("postgresql://USER@HOST/DATABASE", "--state-dir"), ("--ledger", "estado")
    ),
    "ledger: a port beyond the last": Case(
        ("a port that is none: 99999", "1 to 65535"), ("--ledger", "postgresql://h:99999/x")
    ),
    "ledger: a port in words": Case(
        ("a port that is none: onze",), ("--ledger", "postgresql://u@h:5432,h:onze/x")
    ),
    "condition: a number": mapped(
        f"{MAPPING}where: 5\n", "`where` (list.yaml:4:8) is not a condit"
    ),
    "condition: of numbers": mapped(f"{MAPPING}where: Nome / 2 = 1\n", "`where` (list.yaml:4:8) c"),
    "column: endless": mapped(f"{FIELDS}  email: {'x' * 3000}\n", f"“{'x' * 200}…”"),
    "quota: a long one": Case((f"“{'x' * 200}…”",), ("--quota", "x" * 3000)),
    "reserve: a long one": Case((f"“{'x' * 200}…”",), ("--reserve", "x" * 3000)),
    "catalogue: not there": Case(
        ("list.yaml:4:12: catalogue: ", "campos.json: cannot be read"),
        files=(("list.yaml", f"{MAPPING}catalogue: campos.json\n"),),
    ),
    "encoding: unknown": Case(("klingon",), ("--encoding", "klingon")),
    "quota: no number": Case(("--quota", "fast"), ("--quota", "fast")),
    "quota: nothing": Case(("--quota",), ("--quota", "0/min")),
    "quota: endless": Case(("--quota",), ("--quota", f"{'9' * 310}/min")),
    "limit: endless": Case(("not a whole number",), ("--limit", "9" * 5000), usage=True),
    "duration: endless": Case(
        ("is not a duration",), ("--max-duration", f"{'9' * 310}d"), usage=True
    ),
    "reserve: no share": Case(("--reserve", "much"), ("--reserve", "much")),
    "reserve: all of it": Case(("--reserve",), ("--reserve", "100%")),
    "quota: and plan": Case(("--quota", "--plan"), ("--quota", "9/s", "--plan", "pro")),
    "canary: and limit": Case(("--canary", "--limit"), ("--canary", "3", "--limit", "9")),
    "concurrency: none": Case(("--concurrency",), ("--concurrency", "0"), usage=True),
    "duration: no time": Case(("--max-duration",), ("--max-duration", "soon"), usage=True),
    "timeout: none": Case(("--timeout",), ("--timeout", "0s"), usage=True),
    "resend: unknown": Case(("--resend",), ("--resend", "all"), usage=True),
    "option: unknown": Case(("--fast",), ("--fast",), usage=True),
    "option: a letter": Case(("-q; did you mean --quiet?",), ("-q",), usage=True),
    "sandbox: and an address": Case(
        ("--sandbox", "--base-url"), ("--sandbox", "--base-url", "http://127.0.0.1:1")
    ),
    "address: no address": Case(("https://",), ("--base-url", "api.rd.services")),
    "address: in clear": Case(
        ("https://", "--insecure-http"), ("--base-url", "http://exemplo.com.br")
    ),
    "address: a query": Case(("no query",), ("--base-url", "https://exemplo.com.br/?a=b")),
    "address: a password": Case(("password",), ("--base-url", "https://a:b@exemplo.com.br")),
    **{
        f"address: {name!r}": Case(("is not the address",), ("--base-url", f"https://{name}"))
        for name in (
            *("a b.com", "\N{ZERO WIDTH SPACE}exemplo.com.br", "exemplo.com.br/\x01", "☃.com"),
            *("300.1.1.1", "[::1", "a<b.com", "á" * 90 + ".com.br", "a.com:0"),
            f"exemplo.com.br/{'x' * 9000}",
        )
    },
    "key: none": Case(
        ("RDIMPORT_API_KEY", "--api-key-file", "rdimport key set default", "--sandbox"),
        keyless=True,
    ),
    "key: no file": Case(
        ("absent.key does not exist", "--api-key-file", "RDIMPORT_API_KEY"),
        ("--api-key-file", "absent.key"),
    ),
    "key: readable by others": Case(
        ("open.key", "chmod 600"), ("--api-key-file", "open.key"), (("open.key", "abc"),)
    ),
    "key: a folder": Case(("key file",), ("--api-key-file", ".")),
    "state: a file": Case(("list.csv is a file", "Name a directory"), ("--state-dir", "list.csv")),
    "reports: a file": Case(
        ("list.csv does not accept files", "--report-dir"), ("--report-dir", "list.csv/reports")
    ),
    "state: no ledger": Case(
        ("ledger.sqlite3",),
        ("--state-dir", "s"),
        (("s/ledger.sqlite3", b"this is no database, and long enough to be read" * 9),),
    ),
}


def prepared(case: Case, workspace: Workspace) -> list[str]:
    """Write the files of a case; return the arguments of its command."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    for name, content in case.files:
        (workspace.home / name).parent.mkdir(exist_ok=True)
        workspace.write(name, content)
        (workspace.home / name).chmod(0o644)
    workspace.key = None if case.keyless else workspace.key
    files = [] if case.words and not case.words[0].startswith("-") else ["list.csv"]
    return ["run", *files, *([] if "-m" in case.words else ["-m", "list.yaml"]), *case.words]


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_reported_in_one_message_and_nothing_is_sent(
    name: str, workspace: Workspace, box: RunningSandbox
) -> None:
    if name == "key: readable by others":
        only_posix("the rights of files are not looked at")
    case = CASES[name]
    done = workspace.here(*prepared(case, workspace))
    assert (done.code, done.out, box.requests) == (2, "", 0)
    for words in case.told:
        assert words in done.err
    lines = done.err.splitlines()
    assert all(len(line) < 400 for line in lines)
    assert lines[0].startswith("rdimport run: error: " if case.usage else "rdimport: ")
    assert len(lines) <= 4


def test_a_ledger_that_is_a_pipe_is_named_and_not_waited_for(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.state.mkdir(mode=0o700)
    pipe_at(workspace.state / "ledger.sqlite3")
    words = prepared(Case(("",)), workspace)
    for command in (words, ["check", *words[1:]], ["status"], ["purge", "--older-than", "1d"]):
        done = workspace.here(*command, "--state-dir", "state")
        assert (done.code, done.out, box.requests) == (2, "", 0), done.err
        assert "state" in done.err


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_list_said_to_be_utf_16_is_read_with_and_without_its_mark(
    codec: str, workspace: Workspace, *, marked: bool
) -> None:
    workspace.write("list.csv", ("\ufeff" * marked + people(3)).encode(codec))
    workspace.write("list.yaml", MAPPING)
    done = workspace.here("check", "list.csv", "-m", "list.yaml", "--encoding", codec[:6])
    assert (done.code, "3  to send" in done.out) == (0, True), done.err


@pytest.mark.parametrize(
    "name", ["mapping: no YAML", "column: not in the file", "file: noise", "key: none"]
)
def test_the_process_ends_with_the_same_code_and_without_a_traceback(
    name: str, workspace: Workspace
) -> None:
    done = workspace.do(*prepared(CASES[name], workspace))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("rdimport: ")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("import", ("run, check", "did you mean run?")),
        ("importar", ("did you mean run?",)),
        ("rum", ("did you mean run?",)),
        ("chek list.csv", ("did you mean check?",)),
        ("list.csv", ("list.csv is a file", "rdimport init list.csv", "rdimport run list.csv")),
        ("run", ("FILE, -m/--mapping", "For example: rdimport run leads.xlsx -m leads.yaml")),
        ("run list.csv", ("-m/--mapping", "rdimport init leads.xlsx -o leads.yaml")),
        ("init", ("FILE", "For example: rdimport init leads.xlsx -o leads.yaml")),
        ("run list.csv -m list.yaml --plan por", ("did you mean pro?",)),
        ("run list.csv -m list.yaml --plan avançado", ("did you mean advanced?",)),
        ("run list.csv -m list.yaml --resend incertas", ("did you mean uncertain?",)),
        ("purge", ("--older-than", "rdimport purge --older-than 90d")),
    ],
)
def test_a_guessed_command_is_answered_with_the_right_one(
    typed: str, message: tuple[str, ...], workspace: Workspace
) -> None:
    workspace.write("list.csv", people(1))
    done = workspace.here(*typed.split())
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) <= 3
    for words in message:
        assert words in done.err


@pytest.mark.parametrize("command", ["jobs", "key", "ledger", "accounts", "fleet"])
def test_a_command_without_what_to_do_shows_what_there_is(
    command: str, workspace: Workspace
) -> None:
    done = workspace.here(command)
    assert (done.code, done.err) == (2, "")
    assert done.out == workspace.here(command, "--help").out
    for spelling in (["--lang", "pt-BR"], ["--lang=pt"]):
        said = workspace.here(command, *spelling)
        assert (said.code, said.err) == (2, "")
        assert said.out == workspace.here("--lang", "pt-BR", command).out
        assert said.out.startswith(f"uso: rdimport {command}")
    wrong = workspace.here(command, "--lang", "fr")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--lang: is not one of en, pt-BR" in wrong.err


@pytest.mark.parametrize("command", ["", "run", "check", "report", "sandbox", "schema"])
def test_every_command_explains_itself(command: str, workspace: Workspace) -> None:
    done = workspace.here(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: rdimport {command}".strip())
    if command in ("", "run"):
        assert "75  another run is using this ledger" in done.out


def test_the_version_is_that_of_the_package(workspace: Workspace) -> None:
    from importlib.metadata import version  # noqa: PLC0415

    assert workspace.do("--version").out == f"rdimport {version('rdimport')}\n"


def test_a_report_before_the_first_run_says_that_there_was_none(workspace: Workspace) -> None:
    done = workspace.here("report")
    assert (done.code, done.out) == (2, "")
    assert "no run" in done.err


def test_a_check_needs_no_key_and_leaves_no_trace(workspace: Workspace) -> None:
    workspace.write("list.csv", people(4))
    workspace.write("list.yaml", MAPPING)
    workspace.key = None
    done = workspace.do("check", "list.csv", "-m", "list.yaml")
    assert done.code == 0
    assert "4  to send" in done.out
    assert sorted(p.name for p in workspace.home.iterdir()) == ["list.csv", "list.yaml"]


def test_quiet_says_nothing_when_all_went_well_and_speaks_on_stderr_when_not(
    workspace: Workspace,
) -> None:
    workspace.write("list.csv", people(2))
    workspace.write("list.yaml", MAPPING)
    words = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--quiet")
    well = workspace.do(*words)
    assert (well.code, well.out, well.err) == (0, "", "")
    workspace.write("list.csv", people(2) + "ninguem,x\n")
    done = workspace.do(*words)
    assert (done.code, done.out) == (1, "")
    assert "email.no_at" in done.err
    assert "failures.csv" in done.err


def test_standard_input_and_several_files_are_one_input(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("a.csv", people(2))
    workspace.write("b.csv", people(2, first=2))
    workspace.write("list.yaml", MAPPING)
    words = ("-m", "list.yaml", "--quota", "none", "--json")
    done = workspace.feed(people(2, first=3), "run", "a.csv", "b.csv", "-", *words)
    assert (done.code, done.summary["files"]) == (0, ["a.csv", "b.csv", "standard input"])
    assert (done.summary["accepted"], done.summary["duplicate"]) == (5, 1)
    assert len(box.conversions()) == 5


def test_a_report_is_written_again_from_the_ledger(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.csv", people(2) + "ninguem,x\n")
    workspace.write("list.yaml", MAPPING)
    summary = workspace.here(
        "run", "list.csv", "-m", "list.yaml", "--json", "--quota", "none"
    ).summary
    again = workspace.here(
        "report", summary["run_id"], "--json", "--report-dir", "elsewhere"
    ).summary
    moved = {
        name: path.replace("rdimport-reports", "elsewhere")
        for name, path in summary.items()
        if name in ("summary_json", "failures_csv", "failures_xlsx", "report_html")
    }
    assert again == summary | moved
    csv = [(workspace.home / t["failures_csv"]).read_bytes() for t in (summary, again)]
    assert csv[0] == csv[1]


def test_a_sandbox_of_its_own_needs_no_key_and_no_address(workspace: Workspace) -> None:
    workspace.key = workspace.base_url = None
    name = "newsletter.csv"
    done = workspace.do("run", sample(name), "-m", mapping(name), "--sandbox")
    assert done.code == 0
    assert "40  accepted" in done.out


def test_a_reader_that_closes_the_pipe_gets_no_traceback(workspace: Workspace) -> None:
    run = workspace.start("schema")
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    error = run.stderr.read()
    run.stderr.close()
    assert (run.wait(TIMEOUT), error) in ((0, ""), (3, ""))


def test_a_key_file_without_a_key_is_reported_before_anything_is_read(workspace: Workspace) -> None:
    workspace.write("list.yaml", MAPPING)
    workspace.write("empty.key", "\n")
    (workspace.home / "empty.key").chmod(0o600)
    done = workspace.here("run", "absent.csv", "-m", "list.yaml", "--api-key-file", "empty.key")
    assert done.code == 2
    assert "empty.key is empty" in done.err
    assert "Dono" in done.err.splitlines()[-1], "a line of its own"
    assert "--api-key-file" in done.err


@pytest.mark.parametrize(
    "written",
    [
        "RDIMPORT_API_KEY={key}",
        "export RDIMPORT_API_KEY={key}",
        "api_key: {key}",
        "ACME_KEY={key}",
        '"{key}"',
        "'{key}'",
        "“{key}”",
    ],
)
def test_a_key_with_its_name_or_quotation_marks_is_reported_and_nothing_is_sent(
    written: str, workspace: Workspace, box: RunningSandbox
) -> None:
    """As in a file of variables, or after `set RDIMPORT_API_KEY="…"` in cmd."""
    workspace.write("list.csv", people(1))
    workspace.write("list.yaml", MAPPING)
    workspace.environment["RDIMPORT_API_KEY"] = written.format(key=box.api_key)
    done = workspace.here("run", "list.csv", "-m", "list.yaml")
    assert (done.code, done.out) == (2, "")
    assert "its name, or quotation marks around it.\nWrite only the key." in done.err
    assert box.conversions() == []
    key = workspace.write("key", f"{written.format(key=box.api_key)}\n")
    (workspace.home / key).chmod(0o600)
    again = workspace.here("run", "list.csv", "-m", "list.yaml", "--api-key-file", key)
    assert (again.code, again.err) == (2, done.err)


@pytest.mark.parametrize(("lang", "asked"), [("en", "WHICH COLUMN?"), ("pt-BR", "QUAL COLUNA?")])
def test_a_list_without_addresses_leaves_the_question_in_the_mapping(
    lang: str, asked: str, workspace: Workspace
) -> None:
    workspace.write("list.csv", "Nome,Idade\nAna,31\nBia,27\n")
    done = workspace.here("init", "list.csv", "-o", "list.yaml", "--lang", lang)
    assert f'email: "{asked}"' in (workspace.home / "list.yaml").read_text("utf-8"), done.err
    assert asked in workspace.here("check", "list.csv", "-m", "list.yaml", "--lang", lang).err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('"E-mail;Nome"\n"a@exemplo.com.br;Ana"\n', ()),
        ('"E-mail,Nome"\n"a@exemplo.com.br,Ana"\n', ()),
        ("E-mail;Nome\na@exemplo.com.br;Ana\n", ("--delimiter", "|")),
    ],
)
@pytest.mark.parametrize(
    ("lang", "message"), [("en", "read as a single column"), ("pt-BR", "lido como uma coluna só")]
)
def test_a_list_that_is_read_as_one_column_is_told_and_how_to_split_it(
    lang: str, message: str, content: str, words: tuple[str, ...], workspace: Workspace
) -> None:
    workspace.write("list.csv", content)
    workspace.write("list.yaml", MAPPING)
    for command in (("check", "list.csv", "-m", "list.yaml"), ("init", "list.csv")):
        assert message in workspace.here(*command, *words, "--lang", lang).err
    workspace.write("list.csv", "Pessoas\na@exemplo.com.br\n")
    assert message not in workspace.here("check", "list.csv", "-m", "list.yaml", "--lang", lang).err


PERSON = "Ana;ana@exemplo.com.br;(11) 98765-4321;1.234,50;sim"


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (f"{PERSON}\n{PERSON.replace('ana', 'bia')}\n", (), ("no header", "“Coluna 5”")),
        (f"{PERSON}\n{PERSON}\n", ("--delimiter", ","), ("a person's row", "delimiter")),
        (f"N;E;T;V;A\n{PERSON}\n", ("--delimiter", ","), ("“N;E;T;V;A”",)),
        ("Loja;Fone\nA;1\nB;2\n", (), ("None of the mapping's columns", "“Loja”", "init FILE")),
        ("Nome;ana@b.com.br\nA;1\nB;2\n", (), ("Correct the column", "“***”")),
    ],
)
def test_a_list_with_other_columns_is_told_what_is_wrong_without_showing_people(
    content: str, words: tuple[str, ...], message: tuple[str, ...], workspace: Workspace
) -> None:
    workspace.write("list.csv", content)
    workspace.write("list.yaml", MAPPING)
    done = workspace.here("check", "list.csv", "-m", "list.yaml", *words)
    assert (done.code, done.out) == (2, "")
    assert [words for words in message if words not in done.err] == []
    assert "@" not in done.err


def test_a_workbook_that_finds_no_room_is_reported_in_the_words_of_any_other_file(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.csv", f"{people(1)}ninguem,Fulano\n")
    workspace.write("list.yaml", MAPPING)
    assert workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none").code == 1
    with small_files(8_000):
        done = workspace.here("report", "--report-dir", "other")
    assert (done.code, "failures.xlsx cannot be written: File too large." in done.err) == (3, True)


def test_a_run_whose_ledger_and_report_find_no_room_names_no_report(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.csv", people(40))
    workspace.write("list.yaml", MAPPING)
    with ExitStack() as stack:

        def fill_the_disk(event: Event) -> None:
            if isinstance(event, RowFinished) and box.counts()["accepted"] == 20:
                stack.enter_context(small_files(100))

        with pytest.raises(LedgerError) as ended:
            api.run(
                [workspace.home / "list.csv"],
                workspace.home / "list.yaml",
                to=RDStation(box.api_key, base_url=box.base_url),
                state_dir=workspace.state,
                report_dir=workspace.reports,
                quota=None,
                share_quota=False,
                concurrency=1,
                on_event=fill_the_disk,
            )
    assert ended.value.exit_code == ExitCode.STOPPED
    assert "failures.csv cannot be written: File too large" in ended.value.remedy
    assert "The report of this run" not in ended.value.remedy
    again = workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")
    assert again.summary["already_imported"] + again.summary["uncertain"] == 20


def test_a_report_that_finds_no_room_for_all_rows_ends_with_its_message_alone(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.csv", people(1) + "ninguem,Fulano\n" * 300)
    workspace.write("list.yaml", MAPPING)
    assert workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none").code == 1
    with small_files(8_000):
        done = workspace.here("report", "--report-dir", "other")
    assert done.code == 3
    assert done.err.splitlines()[0].endswith("failures.csv cannot be written: File too large.")
    assert len(done.err.splitlines()) == 2, done.err


def test_a_mapping_that_finds_no_room_is_not_in_the_way_of_the_next_attempt(
    workspace: Workspace,
) -> None:
    workspace.write("list.csv", people(3))
    with small_files(100):
        done = workspace.here("init", "list.csv", "-o", "new.yaml")
    assert (done.code, "new.yaml cannot be written" in done.err) == (2, True)
    assert workspace.here("init", "list.csv", "-o", "new.yaml").code == 0


def test_a_quota_that_is_none_is_reported_before_a_key_that_is_missing(
    workspace: Workspace,
) -> None:
    workspace.write("list.csv", people(1))
    workspace.write("list.yaml", MAPPING)
    workspace.key = None
    done = workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "120")
    assert (done.code, "120/min" in done.err, "API key" in done.err) == (2, True, False)


def test_a_key_that_systemd_hands_over_may_show_a_right_of_the_group(
    workspace: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    (workspace.home / "credentials").mkdir()
    workspace.write("credentials/key", box.api_key)
    (workspace.home / "credentials" / "key").chmod(0o440)
    words = ("run", "list.csv", "-m", "list.yaml", "--api-key-file", "credentials/key")
    workspace.key = None
    assert workspace.here(*words).code == 2
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(workspace.home / "credentials"))
    assert workspace.here(*words, "--quota", "none").code == 0
    (workspace.home / "credentials" / "key").chmod(0o444)
    assert workspace.here(*words).code == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root's rights")
def test_a_key_that_its_reader_cannot_close_to_others_is_to_be_given_to_them(
    workspace: Workspace,
) -> None:
    """As in a container, whose secrets are root's."""
    workspace.write("list.csv", people(3))
    workspace.write("list.yaml", MAPPING)
    workspace.write("key", workspace.key or "")
    (workspace.home / "key").chmod(0o444)
    os.chown(workspace.home / "key", 12345, 12345)
    words = ("run", "list.csv", "-m", "list.yaml", "--api-key-file", "key")
    for lang, remedy in (("en", "Give it to user 0 alone"), ("pt-BR", "só ao usuário 0")):
        done = workspace.here(*words, "--lang", lang)
        assert (done.code, remedy in done.err) == (2, True), done.err
        assert "--secret N" in done.err
        assert "chmod" not in done.err


def test_a_file_that_cannot_be_written_is_reported_with_another_place_to_name(
    workspace: Workspace,
) -> None:
    workspace.write("list.csv", people(1))
    for words, option in (
        (("init", "list.csv", "-o", "list.csv/list.yaml"), "-o"),
        (("status", "--html", "list.csv/status.html"), "--html"),
    ):
        done = workspace.here(*words)
        assert (done.code, done.out) == (2, "")
        assert "list.csv/" in done.err
        assert "Not a directory" in done.err
        assert f"With {option}, name a file in a folder that you can write to" in done.err
        assert "[Errno" not in done.err


def test_a_sheet_is_feminine_in_portuguese(workspace: Workspace) -> None:
    book = Workbook()
    book.worksheets[0].title = "Contatos"
    book.save(workspace.home / "list.xlsx")
    said = workspace.here("check", "list.xlsx", "--lang", "pt-BR").err
    assert "Aba “Contatos” de list.xlsx não tem nada: nem cabeçalho nem linhas." in said


@pytest.mark.parametrize("folder", ["x" * 300, "reports/" + "x" * 300])
def test_reports_in_a_folder_that_no_system_would_name_are_refused_before_anything_is_sent(
    folder: str, workspace: Workspace, box: RunningSandbox
) -> None:
    refused_reports(folder, workspace, box)


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has drives and such rules")
@pytest.mark.parametrize("folder", ["a|b", "NUL/reports", "{drive}reports"])
def test_so_are_reports_on_a_drive_that_is_not_there(
    folder: str, workspace: Workspace, box: RunningSandbox
) -> None:
    drives = (Path(f"{letter}:\\") for letter in "WVUTS")
    drive = next(drive for drive in drives if not drive.exists())
    refused_reports(folder.format(drive=drive), workspace, box)


def refused_reports(folder: str, workspace: Workspace, box: RunningSandbox) -> None:
    words = prepared(Case((), ("--report-dir", folder)), workspace)
    before = sorted(workspace.home.iterdir())
    done = workspace.here(*words)
    assert (done.code, done.out, box.requests) == (2, "", 0), done.err
    assert "--report-dir" in done.err
    left = sorted(path for path in workspace.home.iterdir() if path != workspace.state)
    assert left == before


def test_a_mapping_for_standard_output_makes_no_file_with_that_name(workspace: Workspace) -> None:
    workspace.write("list.csv", people(3))
    done = workspace.here("init", "list.csv", "-o", "-")
    assert (done.code, "fields:" in done.out, "wrote" in done.err) == (0, True, False), done.err
    assert not (workspace.home / "-").exists()
    workspace.write("rdimport.toml", "")
    words = ("--job", "fair", "--config", "rdimport.toml", "--lang", "pt-BR")
    job = workspace.here("init", "list.csv", "-o", "-", *words)
    assert (job.code, "Indique um arquivo com -o" in job.err) == (2, True), job.err


def test_nothing_that_has_to_be_read_again_is_written_to_a_device(workspace: Workspace) -> None:
    with pytest.raises(OSError, match="it is not a file, but a device"):
        open(os.devnull, "w", encoding="utf-8", opener=owner_only).close()
    if sys.platform == "win32":  # where every folder has it, and opening makes it "new"
        workspace.write("list.csv", people(3))
        done = workspace.here("init", "list.csv", "-o", "NUL")
        assert (done.code, "wrote" in done.err) == (2, False), done.err
        assert "NUL cannot be written: it is not a file, but a device" in done.err


@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1:1", "a conexão foi recusada."), ("db.invalid", "o nome não é conhecido.")],
)
def test_what_the_library_of_a_database_says_is_not_quoted_in_english(
    host: str, told: str, workspace: Workspace
) -> None:
    only_posix("Windows has other words for it")
    done = workspace.here("status", "--ledger", f"postgresql://{host}/x", "--lang", "pt-BR")
    assert done.code == 3
    assert f"o registro postgresql://{host}/x: {told}" in done.err
