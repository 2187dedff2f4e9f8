"""The commands for administrators: status, purge, canary, log file, keys."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.command import Workspace
from support.elsewhen import Elsewhen, run_by
from support.ledgers import sqlite_ledger

from rdimport import cli
from rdimport.cli.resolve import next_time
from rdimport.cli.screen.progress import both
from rdimport.cli.screen.status import table
from rdimport.core.events import Event, RowFinished, SendingFinished
from rdimport.core.row import State
from rdimport.delivery import dispatcher
from rdimport.ledger import store_of
from rdimport.report.run_status import RunStatus
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: email, name: name}\n"
LIST = "email,name\n" + "".join(f"p{i}@exemplo.com.br,Pessoa {i}\n" for i in range(6))


@pytest.fixture
def list_of_six(workspace: Workspace) -> list[str]:
    workspace.write("m.yaml", MAPPING)
    return ["run", workspace.write("list.csv", LIST + "nobody,Ninguém\n"), "-m", "m.yaml"]


@pytest.mark.parametrize(
    "command", [("report",), ("accounts", "rename", "a", "b"), ("settle", "list.csv")], ids=" ".join
)
def test_commands_that_need_a_ledger_say_where_there_is_none(
    command: tuple[str, ...], workspace: Workspace, list_of_six: list[str]
) -> None:
    del list_of_six
    done = workspace.here(*command)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"rdimport: There have been no runs in {workspace.state} yet.\n"
        "Use --state-dir to name the directory of the runs.\n"
    )


def test_status_tells_where_each_run_stands_and_what_to_do_next(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    assert f"no runs in {workspace.state} yet" in " ".join(
        workspace.here("status").out.splitlines()
    )
    workspace.here(*list_of_six, "--quota", "none", "--limit", 2)
    done = workspace.here("status")
    assert done.code == 0
    assert "stopped" in done.out
    assert "4 rows are left" in done.out
    workspace.here(*list_of_six, "--quota", "none")
    newest, older = json.loads(workspace.here("status", "--json").out)["runs"]
    assert (newest["where"], newest["counts"]["already_imported"]) == ("finished", 2)
    assert newest["rows"] == sum(newest["counts"].values()) == 7
    assert (older["where"], older["stopped_because"]) == ("stopped", "limit")
    said = workspace.here("status", older["run_id"], "--lang", "pt-BR").out
    assert "parada (enviou o número de linhas que --limit permite)" in " ".join(said.split())
    assert "already imported" in workspace.here("status", newest["run_id"]).out
    assert (newest["sandbox"], newest["local"]) == (False, True)  # it outlives the run
    went_on = f"Run {newest['run_id']} continued with the same list."
    assert older["next"] == f"4 rows were left then. {went_on}"
    lines = workspace.here("status").out.splitlines()
    assert lines[0].startswith("It worked, except for some rows. Run ")
    assert len(lines) < 24
    assert max(len(line) for line in lines if "/" not in line) < 80, "a path stays whole"
    unknown = workspace.here("status", "nothing")
    assert (unknown.code, "contains no run nothing" in unknown.err) == (2, True)


def test_what_status_says_to_type_can_be_typed_as_it_stands(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    there = ["--state-dir", "my state"]
    workspace.here(*list_of_six, "--quota", "none", "--report-dir", "a folder", *there)
    done = workspace.here("status", *there)
    name = next((workspace.home / "a folder").iterdir()).name
    kept = workspace.home / "a folder" / name
    assert "Correct failures.xlsx" in done.out
    assert f"  rdimport run '{kept}/failures.xlsx' -m {workspace.home}/m.yaml " in done.out
    shutil.rmtree(kept)
    last = workspace.here("status", *there).out.splitlines()
    typed = next(line for line in last if line.startswith("  rdimport report "))
    assert workspace.here(*shlex.split(typed)[1:]).code == 0
    assert (kept / "failures.xlsx").exists()


def test_status_tells_of_rows_in_doubt_and_how_to_send_them(
    workspace: Workspace, list_of_six: list[str], box: RunningSandbox
) -> None:
    box.set_faults(Faults(reset_after=1.0, at_most=1))
    workspace.here(*list_of_six, "--quota", "none")
    (typed,) = re.findall(
        "^  (rdimport run .*--resend uncertain)$", workspace.here("status").out, re.MULTILINE
    )
    assert "failures.xlsx" in typed
    assert "list.csv" not in typed


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
@pytest.mark.parametrize("columns", [40, 50, 64, 80, 120])
def test_commands_keep_to_the_terminal_whatever_its_width(
    workspace: Workspace, list_of_six: list[str], columns: int, lang: str
) -> None:
    workspace.environment["COLUMNS"] = str(columns)
    workspace.here(*list_of_six, "--quota", "none", "--limit", 1)
    widest = 0
    check = ("check", *list_of_six[1:])
    for words in (("status",), check, check[:2], ("accounts", "list"), ("--help",)):
        shown = workspace.here("--lang", lang, *words).out.splitlines()
        # paths, and commands to copy, are not broken
        lines = [line for line in shown if "/" not in line and not line.startswith("  rdimport")]
        assert [line for line in lines if len(line) >= columns] == [], words
        widest = max(widest, *map(len, lines))
    assert widest > min(columns, 90) * 0.8


def test_a_run_of_any_length_leaves_the_columns_of_status_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    long_ago, counts = "2026-11-25T04:02:00+00:00", dict.fromkeys(State, 1_000_000)
    runs = [
        RunStatus(
            f"20261125-04020{n}-abcd",
            "a long account",
            ("list.csv",),
            long_ago,
            long_ago,
            seconds,
            "finished",
            None,
            None,
            0,
            counts,
            None,
        )
        for n, seconds in enumerate((0.4, 143.0, 9_000_000.0))
    ]
    *_, short, longer, longest = table(runs, Path("state"))
    found = [re.split(r"\s{2,}", line) for line in (short, longer, longest)]
    assert [cells[2] for cells in found] == ["0.4 s", "2 min 23 s", "104 days 4 h"]
    assert {len(cells) for cells in found} == {8}


def test_purge_forgets_people_and_still_sends_nobody_twice(
    workspace: Workspace, list_of_six: list[str], box: RunningSandbox
) -> None:
    workspace.here(*list_of_six, "--quota", "none")
    kept = b"".join(path.read_bytes() for path in workspace.state.iterdir())
    assert b"Ningu" in kept
    assert workspace.here("purge", "--older-than", "1d").code == 0
    assert b"Ningu" in b"".join(path.read_bytes() for path in workspace.state.iterdir())
    report = next(workspace.reports.glob("*/failures.csv"))
    before = report.read_bytes()
    assert workspace.here("purge", "--older-than", "90").code == 2, "90 of what?"
    assert "1 run " in workspace.here("purge", "--older-than", "0s").out
    again = workspace.here("report")
    assert (again.code, "about people was deleted on" in " ".join(again.err.split())) == (2, True)
    assert report.read_bytes() == before
    assert b"Ningu" not in b"".join(path.read_bytes() for path in workspace.state.iterdir())
    workspace.here(*list_of_six, "--quota", "none")
    assert len(box.conversions()) == 6


def test_purge_deletes_the_reports_of_forgotten_runs_where_it_is_told_where_they_are(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    for _ in range(2):
        workspace.here(*list_of_six, "--quota", "none")
    one, other = sorted(workspace.reports.iterdir())
    (other / "notes.txt").write_text("what somebody wrote", encoding="utf-8")
    (workspace.reports / "mine").mkdir()
    there = ("--report-dir", workspace.reports)
    assert "Deleted: 0 reports" in workspace.here("purge", "--older-than", "1d", *there).out
    assert (one / "failures.xlsx").exists()
    assert "--report-dir DIR" in workspace.here("purge", "--older-than", "0s").out
    assert (one / "failures.xlsx").exists()
    assert "Deleted: 2 reports" in workspace.here("purge", "--older-than", "0s", *there).out
    left = {path.relative_to(workspace.reports) for path in workspace.reports.rglob("*")}
    assert left == {Path("mine"), Path(other.name), Path(other.name, "notes.txt")}


def test_purge_beside_a_run_forgets_but_does_not_write_the_whole_file_anew(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    workspace.here(*list_of_six, "--quota", "none")
    ledger = workspace.state / "ledger.sqlite3"
    before = ledger.stat().st_ino, ledger.stat().st_size
    with store_of(workspace.state).hold("default"):
        done = workspace.here("purge", "--older-than", "0s")
    assert "keeps its size" in done.out
    assert b"Ningu" not in b"".join(path.read_bytes() for path in workspace.state.iterdir())
    assert (ledger.stat().st_ino, ledger.stat().st_size) == before
    assert "keeps its size" not in workspace.here("purge", "--older-than", "0s").out


def test_purge_does_not_wait_for_readers_and_says_what_is_still_in_the_file(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    workspace.here(*list_of_six, "--quota", "none")
    with sqlite_ledger(workspace.state) as writer, sqlite_ledger(workspace.state) as reader:
        writer.query("PRAGMA busy_timeout = 5000")  # a sixth of the default wait
        reading = reader.stream("SELECT row FROM conversion")
        next(reading)
        with ThreadPoolExecutor(1) as pool:
            purging = pool.submit(workspace.here, "purge", "--older-than", "0s")
            while not purging.done():
                with writer.transaction() as db:
                    db.execute("UPDATE setting SET value = value")
        assert "1 run " in purging.result().out
        assert "leaves its file with the next purge" in purging.result().out
        assert b"Ningu" in b"".join(path.read_bytes() for path in workspace.state.iterdir())
        assert len(list(reading)) == 5
        assert "next purge" not in workspace.here("purge", "--older-than", "0s").out
        assert b"Ningu" not in b"".join(path.read_bytes() for path in workspace.state.iterdir())


def test_a_canary_sends_a_few_rows_and_says_what_to_look_for(
    workspace: Workspace, list_of_six: list[str], box: RunningSandbox
) -> None:
    done = workspace.here(*list_of_six, "--quota", "none", "--canary", 2)
    assert (done.code, len(box.conversions())) == (3, 2)
    assert "these rows: 2, 3" in done.out
    assert "email, name" in done.out


@pytest.mark.usefixtures("morning")
@pytest.mark.parametrize(
    ("option", "word", "stopped"),
    [("--canary", "trial sent", "canary"), ("--limit", "limit reached", "limit")],
)
def test_a_run_that_sent_as_many_rows_as_asked_has_not_failed(
    workspace: Workspace, list_of_six: list[str], option: str, word: str, stopped: str
) -> None:
    workspace.here(*list_of_six, "--quota", "none", option, 2)
    done = workspace.here("status", "--check")
    assert (done.code, word in done.out) == (1, True)
    assert "1 with rows that need attention, 0 failed" in done.out
    assert "It sent as many rows as asked." in workspace.here("status").out
    workspace.here("status", "--html", "status.html")
    page = (workspace.home / "status.html").read_text(encoding="utf-8")
    *_others, tonight = re.findall(r'<li title="[^"]*"><span class="mark (\w+)"', page)
    assert tonight == "rows"
    assert word in page
    (job,) = workspace.here("status", "--json").summary["jobs"]
    assert (job["verdict"], job["run"]["where"]) == (1, "stopped")
    assert (job["run"]["stopped_because"], job["run"]["exit_code"]) == (stopped, 3)
    workspace.here(*list_of_six, "--quota", "none")
    assert word not in workspace.here("status", "--check").out


def test_the_log_file_has_one_event_per_line_and_names_nobody(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    words = ["--quota", "none", "--quiet", "--log-file", "log.jsonl", "--log-format", "json"]
    workspace.here(*list_of_six, *words)
    log = workspace.home / "log.jsonl"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = [event["event"] for event in events]
    assert names == ["sending_started", "sending_finished", "run_finished"]
    assert (events[0]["rows_to_send"], events[-1]["accepted"]) == (6, 6)
    assert "exemplo.com.br" not in log.read_text(encoding="utf-8")
    workspace.here("run", "gone.csv", "-m", "m.yaml", *words)
    last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run_failed", 2)


@pytest.fixture
def full() -> Iterator[int]:
    """A file to which nothing more can be written."""
    with Path("/dev/full").open("wb", buffering=0) as device:
        yield device.fileno()


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has closed it."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


UNHEARD = {
    "standard error is full": ("PIPE", "full"),
    "standard output is full": ("full", "PIPE"),
    "nobody reads": ("unread", "unread"),
    "the log is full": ("PIPE", "PIPE"),
}
"""Where the two outputs go: the name of a fixture, or a pipe of ours."""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("how", [*UNHEARD, "all are closed"])
def test_a_run_whose_output_cannot_be_written_ends_as_it_would(
    workspace: Workspace,
    list_of_six: list[str],
    box: RunningSandbox,
    request: pytest.FixtureRequest,
    how: str,
) -> None:
    words = [*list_of_six, "--quota", "none", *["--log-file", "/dev/full"] * ("log" in how)]
    if how == "all are closed":
        typed = shlex.join([sys.executable, "-m", "rdimport", *words])
        done = workspace.shell(f"{typed} <&- >&- 2>&-")
    else:
        ways = [-1 if way == "PIPE" else request.getfixturevalue(way) for way in UNHEARD[how]]
        done = workspace.wait(workspace.start(*words, out=ways[0], err=ways[1]))
    assert (done.code, len(box.conversions())) == (1, 6)
    assert "gaps" in done.out or "log" not in how
    (row,) = json.loads(workspace.here("status", "--json").out)["runs"]
    assert (row["where"], row["exit_code"]) == ("finished", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_reader_who_leaves_early_is_no_failure_and_a_full_disk_is_reported(
    workspace: Workspace, list_of_six: list[str], full: int, unread: int
) -> None:
    workspace.here(*list_of_six, "--quota", "none")
    looks = (
        (["status"], 0),
        (["check", *list_of_six[1:]], 1),
        (["status", "--json"], 0),
        (["status", "--help"], 0),
        (["--version"], 0),
    )
    for words, code in looks:
        gone = workspace.wait(workspace.start(*words, out=unread, err=-1))
        assert (gone.code, gone.err.count("rdimport:")) == (code, 0), words
        done = workspace.wait(workspace.start(*words, out=full, err=-1))
        assert (done.code, "cannot be written: No space left" in done.err) == (2, True), words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_object_that_cannot_be_written_is_reported_and_the_run_stays_what_it_was(
    workspace: Workspace, list_of_six: list[str], full: int
) -> None:
    words = (*list_of_six, "--quota", "none", "--json")
    done = workspace.wait(workspace.start(*words, out=full, err=-1))
    assert done.code == 1
    assert "cannot be written: No space left" in done.err
    assert "6  accepted" in done.err


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_nothing_is_writable_by_others_whatever_the_umask(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    before = set(workspace.home.rglob("*"))
    words = shlex.join([sys.executable, "-m", "rdimport", *list_of_six, "--quota", "none"])
    assert (
        workspace.shell(f"umask 000; {words} --log-file log --metrics-file new/met.prom").code == 1
    )
    made = set(workspace.home.rglob("*")) - before
    assert len(made) > 8
    assert not [path for path in made if path.stat().st_mode & 0o022]


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes a stream")
@pytest.mark.parametrize("words", ["check - -m m.yaml", "run - -m m.yaml", "forget -"])
def test_a_standard_input_that_is_closed_is_empty(
    workspace: Workspace, list_of_six: list[str], words: str
) -> None:
    done = workspace.shell(f"{shlex.quote(sys.executable)} -m rdimport {words} <&-")
    assert done.code == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize(("directory", "writes"), [(0o700, "read"), (0o755, "write to")])
def test_the_ledger_of_another_user_is_reported_in_one_sentence(
    workspace: Workspace,
    list_of_six: list[str],
    directory: int,
    writes: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace.here(*list_of_six, "--quota", "none")
    workspace.state.chmod(directory)
    with TemporaryDirectory(dir="/tmp") as name:  # accessible to every user
        state = Path(name) / "state"
        shutil.copytree(workspace.state, state)
        Path(name).chmod(0o755)
        monkeypatch.setenv("HOME", name)  # the other user has another home
        for words, may_not in (("status", "read"), ("report", "read"), ("purge", writes)):
            command = ["rdimport", words, "--state-dir", str(state)]
            command += ["--older-than", "0s"] if words == "purge" else []
            said = io.StringIO()
            os.seteuid(65_534)
            try:
                with redirect_stderr(said):
                    code = cli.main(command[1:])
            finally:
                os.seteuid(0)
            message = said.getvalue()
            assert code == 2
            assert f"belongs to another user (root), and you cannot {may_not} it." in message, words
            assert "sent" not in message


def test_an_observer_that_can_no_longer_write_stops_without_affecting_others() -> None:
    asked, heard = list[Event](), list[Event]()

    def full(event: Event) -> None:
        asked.append(event)
        raise OSError("No space left on device")

    notify = both(full, heard.append)
    notify(SendingFinished())
    notify(SendingFinished())
    assert (len(asked), len(heard)) == (1, 2)


def test_quiet_says_nothing_unless_a_person_is_needed(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("m.yaml", MAPPING)
    good = workspace.write("good.csv", LIST)
    done = workspace.here("run", good, "-m", "m.yaml", "--quota", "none", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    bad = workspace.write("bad.csv", LIST + "nobody,Ninguém\n")
    done = workspace.here("run", bad, "-m", "m.yaml", "--quota", "none", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert "1  invalid" in done.err
    report = re.search(r"^Failure report: (.*)$", done.err, re.MULTILINE)
    assert report, "a mail has no directory from which a path could start"
    assert Path(report[1]).is_absolute()
    assert Path(report[1]).is_file()
    assert f"rdimport run {report[1]} -m {workspace.home / 'm.yaml'}" in done.err


def test_a_mail_says_whose_list_it_was_and_shows_no_person_whole(workspace: Workspace) -> None:
    workspace.write("m.yaml", MAPPING)
    bad = workspace.write("bad.csv", LIST + "maria.souza.exemplo.com.br,Maria\n")
    words = ("--account", "loja", "--lang", "pt-BR", "--quota", "none", "--quiet")
    output = workspace.here("run", bad, "-m", "m.yaml", *words).err
    assert f"{workspace.home / 'bad.csv'}, para conta loja" in " ".join(output.split())
    assert "maria.souza" not in output
    assert "m***" in output


def test_plain_http_is_sent_where_it_was_asked_for(
    workspace: Workspace, list_of_six: list[str], box: RunningSandbox
) -> None:
    words = ["--quota", "none", "--base-url", box.base_url.replace("127.0.0.1", "127.1")]
    refused = workspace.here(*list_of_six, *words)
    assert (refused.code, "--insecure-http" in refused.err, box.requests) == (2, True, 0)
    done = workspace.here(*list_of_six, *words, "--insecure-http")
    assert len(box.conversions()) == 6
    assert "--insecure-http" in done.out, "the command that goes on needs it too"


def test_until_ends_the_run_at_the_next_such_time(
    workspace: Workspace, list_of_six: list[str]
) -> None:
    now = datetime.now(UTC).astimezone()
    both = workspace.here(*list_of_six, "--until", f"{now:%H:%M}", "--max-duration", "1h")
    assert (both.code, "Omit one of them" in both.err) == (2, True)
    assert workspace.here(*list_of_six, "--until", "25:00").code == 2
    slow = workspace.here(*list_of_six, "--quota", "1/min", "--max-duration", "0.5s", "--json")
    assert slow.code == 3
    assert slow.summary["stopped_because"] == "max_duration"


NIGHTS = {
    "an ordinary night": (datetime(2026, 11, 24, 22, 30, tzinfo=UTC), 7.5),
    "set back": (datetime(2026, 10, 24, 21, 30, tzinfo=UTC), 8.5),
    "put forward": (datetime(2026, 3, 28, 22, 30, tzinfo=UTC), 6.5),
}


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no TZ")
@pytest.mark.parametrize("night", NIGHTS)
def test_until_six_is_six_by_the_clock_on_the_wall(
    night: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hours = NIGHTS[night]
    with monkeypatch.context() as place:
        place.setenv("TZ", "WET0WEST,M3.5.0/1,M10.5.0")
        time.tzset()
        end = next_time(begun, (6, 0))
    time.tzset()
    assert end - begun == timedelta(hours=hours)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has no TZ")
@pytest.mark.parametrize(
    "begun", [datetime(2018, 11, 4, 2, 59, tzinfo=UTC), datetime(2018, 11, 4, 1, tzinfo=UTC)]
)
def test_until_half_past_midnight_is_not_over_where_the_clock_passes_over_it(
    begun: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Brazil the clock went from midnight to 1:00 (03:00 UTC)."""
    with monkeypatch.context() as place:
        place.setenv("TZ", "BRT3BRST,M11.1.0/0,M2.3.0/0")
        time.tzset()
        end = next_time(begun, (0, 30))
    time.tzset()
    assert end == datetime(2018, 11, 4, 3, 30, tzinfo=UTC)


def test_until_six_is_six_after_the_machine_has_slept(
    workspace: Workspace, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its monotonic clock, by which durations are measured, stands still while it sleeps."""
    monkeypatch.setattr(dispatcher, "LOOKS_EVERY", 0.05)
    rows = (f"p{i}@exemplo.com.br,Pessoa {i}\n" for i in range(2_000))
    workspace.write("list.csv", "email,name\n" + "".join(rows))
    workspace.write("list.yaml", MAPPING)
    clock = Elsewhen(timedelta())

    def on_event(event: Event) -> None:
        if isinstance(event, RowFinished):
            clock.off = timedelta(hours=8)

    box.set_faults(Faults(latency=0.1))  # minutes for all rows
    until = clock.now() + timedelta(hours=7)
    done = run_by(clock, workspace, box, "list.yaml", concurrency=1, until=until, on_event=on_event)
    box.set_faults(Faults())
    assert (done.exit_code, done.summary.stopped_because) == (3, "max_duration")
    assert 0 < done.counts[State.ACCEPTED] < 1_000


def test_a_machine_without_a_keyring_says_what_to_do_instead(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    done = workspace.do("key", "list")
    assert (done.code, "RDIMPORT_API_KEY" in done.err) == (2, True)


def test_a_key_in_the_keyring_is_used_by_its_account(
    workspace: Workspace,
    list_of_six: list[str],
    box: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = workspace.home / "keyring_file.py"
    plain.write_text(KEYRING, encoding="utf-8")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring_file.Keyring")
    monkeypatch.setenv("PYTHONPATH", str(workspace.home))
    key, workspace.key = box.api_key, None
    assert workspace.wait(workspace.start("key", "set", "fair", stdin=-1), f"{key}\n").code == 0
    assert workspace.do("key", "list").out == "fair\n"
    done = workspace.do(*list_of_six, "--quota", "none", "--account", "fair", "--json")
    assert done.summary["accepted"] == 6
    assert not any(key in said for said in workspace.output)
    assert workspace.do("key", "remove", "fair").code == 0
    assert workspace.do(*list_of_six, "--account", "fair").code == 2


KEYRING = """
import json, pathlib
from keyring.backend import KeyringBackend

FILE = pathlib.Path(__file__).with_suffix(".json")


class Keyring(KeyringBackend):
    priority = 1

    def _all(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps({**self._all(), f"{service} {username}": password}))

    def delete_password(self, service, username):
        left = self._all()
        del left[f"{service} {username}"]
        FILE.write_text(json.dumps(left))
"""
