"""`rdimport jobs`: many accounts with one command, as in a server's crontab."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from support.clients import set_up
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import interrupt, interrupt_another_thread
from support.waiting import until

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

CLIENTS = ("acme", "lua")


@pytest.fixture
def secrets(key_of: Callable[[str], str]) -> dict[str, str]:
    return {client: key_of(client) for client in CLIENTS}


@pytest.fixture
def two_clients(workspace: Workspace, secrets: dict[str, str]) -> Workspace:
    """A server with two clients: keys in files, a list and a mapping for each."""
    return set_up(workspace, secrets, 'state_dir = "state"\nreport_dir = "reports"')


def add(workspace: Workspace, text: str) -> None:
    with (workspace.home / "rdimport.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def jobs(action: str, *words: object) -> tuple[object, ...]:
    return ("jobs", action, *words, "--config", "rdimport.toml")


def arrived(box: RunningSandbox) -> Counter[str]:
    return Counter(
        payload["email"].partition("@")[2].partition(".")[0] for payload in box.conversions()
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_may_be_written_as_editors_and_consoles_of_windows_write_them(
    encoding: str, two_clients: Workspace, box: RunningSandbox
) -> None:
    """PowerShell's `>` writes UTF-16, Notepad's UTF-8 has a BOM, and lines end with CRLF."""
    for name in ("rdimport.toml", "list.yaml", "acme.key", "lua.key"):
        path = two_clients.home / name
        path.write_bytes((path.read_text("utf-8") + "\n").replace("\n", "\r\n").encode(encoding))
    assert two_clients.here(*jobs("run")).code == 0
    assert arrived(box) == {"acme": 5, "lua": 5}


def test_each_client_gets_its_own_people_and_a_second_night_sends_nobody(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    first = two_clients.here(*jobs("run", "--json"))
    assert first.code == 0
    assert [job["job"] for job in first.summary["jobs"]] == ["acme-fair", "lua-fair"]
    assert {job["summary"]["job"] for job in first.summary["jobs"]} == {"acme-fair", "lua-fair"}
    assert arrived(box) == {"acme": 5, "lua": 5}
    again = two_clients.here(*jobs("run"))
    assert (again.code, arrived(box)) == (0, {"acme": 5, "lua": 5})
    assert again.out.count("done (exit code 0)") == 2
    quiet = two_clients.here(*jobs("run", "--quiet"))
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_a_job_that_fails_does_not_keep_the_others(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    add(two_clients, '[jobs.none]\naccount = "acme"\nfiles = "*.xlsx"\nmapping = "list.yaml"\n')
    (two_clients.home / "lua.key").unlink()
    done = two_clients.here(*jobs("run"))
    assert done.code == 2
    assert "== none (account acme): nothing was sent (exit code 2)\nNo file matches" in done.out
    assert "== lua-fair (account lua): nothing was sent" in done.out
    result = two_clients.here(*jobs("check"))
    assert "== none (account acme)\n  No file matches" in result.out
    assert "\\n" not in done.out + result.out
    assert arrived(box) == {"acme": 5}


def test_a_key_file_of_the_settings_that_is_missing_is_to_be_put_there(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    (two_clients.home / "acme.key").unlink()
    (two_clients.home / "lua.key").write_text("")
    for action in ("check", "run"):
        done = two_clients.here(*jobs(action))
        assert done.code == 2
        assert (done.out.count("Put it there"), "--api-key-file" in done.out) == (2, False)
        assert "0 rows to send" not in done.out, "nobody knows"
    assert box.requests == 0


@pytest.mark.parametrize("own", ["", "en"])
def test_jobs_speak_as_their_command_does_unless_they_have_a_language(
    own: str, two_clients: Workspace, box: RunningSandbox
) -> None:
    if own:
        path = two_clients.home / "rdimport.toml"
        path.write_text(path.read_text().replace("[defaults]", f'[defaults]\nlang = "{own}"'))
    (two_clients.home / "lua.key").unlink()
    done = two_clients.here(*jobs("run"), "--lang", "pt-BR")
    assert "== acme-fair (conta acme): concluída" in done.out
    assert ("5  aceitas" in done.out, "não existe" in done.out) == (not own, not own)
    assert len(box.conversions()) == 5


@pytest.mark.parametrize(
    ("own", "words", "says"),
    [
        ("pt-BR", (), "concluída"),
        ("pt-BR", ("--lang", "en"), "done"),
        ("en", ("--lang", "pt-BR"), "concluída"),
    ],
)
def test_the_language_of_the_defaults_is_that_of_commands_that_read_them(
    own: str, words: tuple[str, ...], says: str, two_clients: Workspace, box: RunningSandbox
) -> None:
    """cron sets no language, so it would be English, with reports in Portuguese."""
    path = two_clients.home / "rdimport.toml"
    path.write_text(path.read_text().replace("[defaults]", f'[defaults]\nlang = "{own}"'))
    done = two_clients.here(*jobs("run"), *words)
    assert (
        f"== acme-fair ({'conta' if says == 'concluída' else 'account'} acme): {says}" in done.out
    )
    page = two_clients.here("status", "--config", "rdimport.toml", *words).out
    assert ("tarefas: " in page, "jobs: " in page) == (says == "concluída", says == "done")
    assert "worked" in two_clients.here("status").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[accounts.x]\napi_key = {env = “X”}\n", "retas"),
        ('[jobs."feira são paulo"]\naccount = "acme"\n', "letras sem acento"),
        ('[accounts.acme]\napi_key = {env = "X"}\nunclear = {404 = "not_taken"}\n', "500 a 599"),
        ('[jobs.x]\nfiles = "C:\\leads\\a.csv"\n', r"'C:\leads'"),
    ],
)
def test_settings_typed_as_on_windows_or_in_a_word_processor_are_told_how_to_write_them(
    text: str, message: str, two_clients: Workspace
) -> None:
    two_clients.write("rdimport.toml", text)
    done = two_clients.here(*jobs("list"), "--lang", "pt-BR")
    assert (done.code, done.out, message in done.err) == (2, "", True), done.err


def test_jobs_are_chosen_by_name_or_pattern(two_clients: Workspace, box: RunningSandbox) -> None:
    assert two_clients.here(*jobs("run", "acme-*")).code == 0
    assert arrived(box) == {"acme": 5}
    wrong = two_clients.here(*jobs("run", "acme-fiar"))
    assert (wrong.code, "Did you mean acme-fair?" in wrong.err) == (2, True)


def test_check_tells_what_tonight_sends_how_long_it_takes_and_sends_nothing(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    settings = (
        (two_clients.home / "rdimport.toml").read_text("utf-8").replace('"none"', '"60/min"', 1)
    )
    two_clients.write("rdimport.toml", settings)
    done = two_clients.here(*jobs("check"))
    assert done.code == 0
    assert "== acme-fair (account acme)\n  5 of 5 rows to send, about 5" in done.out
    assert "  quota = 60/min  [accounts.acme]\n" in done.out
    assert f"  key: file {two_clients.home / 'acme.key'}  [accounts.acme]\n" in done.out
    assert "Account lua: 5 rows to send." in done.out
    assert two_clients.here(*jobs("check", "--json")).summary["jobs"][0]["to_send"] == 5
    assert box.requests == 0


def test_a_check_of_jobs_tells_why_rows_would_not_be_sent(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    assert two_clients.here(*jobs("run")).code == 0
    two_clients.write("acme.csv", people(7).replace("@", "@acme.") + "nobody,Ana\n")
    done = two_clients.here(*jobs("check", "acme-fair"))
    assert done.code == 1
    found = "  2 of 8 rows to send\n  5 already imported, 1 invalid\n  email.no_at: 1\n"
    assert found in done.out
    (job,) = two_clients.here(*jobs("check", "acme-fair", "--json")).summary["jobs"]
    assert (job["already_imported"], job["invalid"], job["problems"]) == (5, 1, {"email.no_at": 1})

    two_clients.write("list.yaml", f"{MAPPING}identity: [email, name]\n")
    done, ran = (two_clients.here(*jobs(action, "acme-fair")) for action in ("check", "run"))
    assert (done.code, ran.code, arrived(box)["acme"]) == (2, 2, 5)
    assert "5 conversions “Teste” identified by [email]" in done.out
    assert "--new-identity" in done.out
    assert "to send" not in done.out.replace("0 of 8 rows to send", "")
    assert "--new-identity" in two_clients.here("status", "--config", "rdimport.toml").out


def test_a_key_may_be_in_the_environment_or_come_from_a_program_and_is_never_shown(
    two_clients: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (two_clients.home / "rdimport.toml").read_text("utf-8")
    program = json.dumps(
        [sys.executable, "-c", f"print(open({str(two_clients.home / 'lua.key')!r}).read())"]
    )
    text = text.replace('{file = "lua.key"}', f"{{command = {program}}}")
    two_clients.write("rdimport.toml", text.replace('{file = "acme.key"}', '{env = "ACME_SECRET"}'))
    key = (two_clients.home / "acme.key").read_text()
    monkeypatch.setenv("ACME_SECRET", key)
    done = two_clients.here(*jobs("run"))
    checked = two_clients.here(*jobs("check"))
    assert (done.code, checked.code) == (0, 0), done.out
    assert arrived(box) == {"acme": 5, "lua": 5}
    kept = {
        name: data for name, data in two_clients.artefacts().items() if not name.endswith(".key")
    }
    assert not [name for name, data in kept.items() if key.encode() in data]


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_program_that_prints_no_end_is_ended_before_it_fills_the_memory(
    seconds: int, two_clients: Workspace, box: RunningSandbox
) -> None:
    """Whether it ends eventually or never."""
    endless = f"import time\nfor n in range(20): print('x' * 100_000)\ntime.sleep({seconds})"
    text = (two_clients.home / "rdimport.toml").read_text("utf-8")
    program = json.dumps([sys.executable, "-c", endless])
    two_clients.write(
        "rdimport.toml", text.replace('{file = "lua.key"}', f"{{command = {program}}}")
    )
    done = two_clients.here(*jobs("run", "lua-fair"))
    assert done.code == 2
    assert "prints more than a key can be (10 kB)" in done.out
    assert box.requests == 0


@pytest.mark.parametrize("every", ["61 * * * *", "0 0 31 2 *"])
def test_a_check_refuses_a_schedule_that_no_worker_could_follow(
    every: str, two_clients: Workspace
) -> None:
    text = (two_clients.home / "rdimport.toml").read_text("utf-8")
    two_clients.write("rdimport.toml", text.replace('"lua.csv"', f'"lua.csv"\nevery = "{every}"'))
    checked = two_clients.here(*jobs("check", "--json"))
    acme, lua = checked.summary["jobs"]
    assert (checked.code, acme["exit_code"], lua["exit_code"]) == (2, 0, 2)
    assert f"every = '{every}' is not a schedule" in lua["error"]


@pytest.mark.parametrize("apart", [False, True])
def test_one_key_of_two_accounts_is_refused(
    two_clients: Workspace, box: RunningSandbox, *, apart: bool
) -> None:
    """Also if each has its own ledger, which would know nothing of the other's."""
    two_clients.write("lua.key", (two_clients.home / "acme.key").read_text("utf-8"))
    if apart:
        two_clients.environment["RDIMPORT_STATE_DIR"] = ""
        text = (two_clients.home / "rdimport.toml").read_text("utf-8")
        text = text.replace("[accounts.lua]", '[accounts.lua]\nstate_dir = "elsewhere"')
        two_clients.write("rdimport.toml", text)
    for action in ("check", "run"):
        done = two_clients.here(*jobs(action, "--json"))
        codes = sorted(job["exit_code"] for job in done.summary["jobs"])
        (error,) = (job["error"] for job in done.summary["jobs"] if job["exit_code"])
        assert (done.code, codes) == (2, [0, 2])
        assert "have the same API key" in error
    assert len(arrived(box)) == 1


@pytest.mark.parametrize("to", [interrupt, interrupt_another_thread])
def test_sigterm_stops_all_jobs_and_the_same_command_continues(
    two_clients: Workspace, box: RunningSandbox, to: Callable[[Popen[str]], None]
) -> None:
    for client in CLIENTS:
        two_clients.write(f"{client}.csv", people(300).replace("@", f"@{client}."))
    box.set_faults(Faults(latency=0.2))
    run = two_clients.start(*jobs("run"))
    until(lambda: set(arrived(box)) == set(CLIENTS))
    to(run)
    stopped = two_clients.wait(run)
    assert stopped.code == 3
    assert stopped.out.count("stopped before the end (exit code 3)") == 2
    box.set_faults(Faults())
    assert two_clients.do(*jobs("run")).code in (0, 1)
    sent = Counter(payload["email"] for payload in box.conversions())
    assert (len(sent), set(sent.values())) == (600, {1})


def test_without_settings_it_says_where_they_are_looked_for(two_clients: Workspace) -> None:
    there = two_clients.here("jobs", "list")  # the file in the current folder may be a stranger's
    assert there.code == 2
    assert "--config" in there.err
    listed = two_clients.here(*jobs("list"))
    assert listed.out.splitlines()[1].split() == ["acme-fair", "acme", "acme.csv", "list.yaml"]
    assert Path(two_clients.home / "state").exists() is False


def test_an_endpoint_of_ones_own_may_be_known_better(
    two_clients: Workspace, box: RunningSandbox
) -> None:
    settings = two_clients.home / "rdimport.toml"
    known = 'quota = "none"\nunclear = {503 = "not_taken", 500 = "not_taken", 502 = "not_taken"}\n'
    text = settings.read_text().replace('quota = "none"\n', f'{known}reserve = "20%"\n', 1)
    settings.write_text(text.replace("unclear = {", 'unclear = {504 = "not_taken", ', 1))
    box.set_faults(Faults(odd=1, odd_status=502, at_most=3))
    done = two_clients.here(*jobs("run", "acme-fair", "--json"))
    assert done.code == 0, done.err
    (job,) = done.summary["jobs"]
    assert job["summary"]["accepted"] == arrived(box)["acme"] == 5
    assert sum(job["summary"]["rules"].values()) == job["summary"]["retries"] == 3
    two_clients.here(*jobs("check", "acme-fair"))
    add(two_clients, '[jobs.real]\naccount = "acme"\nfiles = "acme.csv"\nmapping = "list.yaml"\n')
    add(two_clients, 'base_url = "https://api.rd.services"\n')
    two_clients.base_url = None  # the environment would take precedence
    refused = two_clients.here(*jobs("check", "real"))
    assert refused.code == 2
    assert "not for api.rd.services" in refused.out + refused.err


@pytest.mark.parametrize(
    ("variable", "key", "value", "shown"),
    [
        ("RDIMPORT_BASE_URL", "base_url", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("RDIMPORT_STATE_DIR", "state_dir", "elsewhere", "elsewhere"),
    ],
)
@pytest.mark.parametrize("is_set", [True, False])
def test_a_check_of_jobs_shows_the_value_of_the_environment_which_counts(
    variable: str, key: str, value: str, shown: str, workspace: Workspace, *, is_set: bool
) -> None:
    workspace.write("list.csv", people(1))
    workspace.write("list.yaml", MAPPING)
    other = "https://exemplo.com.br" if key == "base_url" else "state"
    workspace.write(
        "rdimport.toml",
        f'[accounts.acme]\napi_key = {{env = "K"}}\n{f"{key} = {other!r}" if is_set else ""}\n'
        "[jobs.a]\naccount = 'acme'\nfiles = 'list.csv'\nmapping = 'list.yaml'\n",
    )
    workspace.environment |= {"K": "k3y-0f-acme-a9f8c7e6", variable: value}
    done = workspace.here("jobs", "check", "--config", "rdimport.toml", "--json")
    (job,) = json.loads(done.out)["jobs"]
    assert job["settings"][key] == {"value": shown, "from": variable}
