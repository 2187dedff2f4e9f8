"""A run that is stopped, killed, locked out or refused: nothing is lost, nothing sent twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command import KEY, Done, Workspace
from support.lists import MAPPING, address, people
from support.posix import interrupt, only_posix
from support.waiting import TIMEOUT, until

import rdimport
from rdimport.core.events import ReportStage, RowsRead, StopRequested
from rdimport.core.stop import StopReason
from rdimport.delivery.stopping import StopRequest
from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

STATES = "accepted already_imported duplicate invalid suppressed refused uncertain pending".split()


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with a list of 60 people and its mapping."""
    workspace.write("list.csv", people(60))
    workspace.write("list.yaml", MAPPING)
    return workspace


def command(*words: object) -> tuple[object, ...]:
    return ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json", *words)


def adds_up(done: Done, rows: int) -> bool:
    summary = done.summary
    return sum(summary[state] for state in STATES) == summary["rows"] == rows


def arrived(box: RunningSandbox) -> Counter[str]:
    return Counter(payload["email"] for payload in box.conversions())


def test_a_killed_run_loses_no_row_and_the_next_sends_none_twice(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(hang_after=1.0, skip=10))  # ten are answered, then up to four wait
    run = ready.start(*command("--concurrency", 4))
    until(lambda: box.requests > 10)
    run.kill()
    run.communicate()
    box.set_faults(Faults())
    done = ready.here(*command())
    summary = done.summary
    assert adds_up(done, 60)
    assert 1 <= summary["uncertain"] <= 14
    assert 11 <= summary["already_imported"] + summary["uncertain"] <= 14
    assert summary["pending"] == 0
    assert (done.code, summary["problems"]) == (1, {"uncertain.interrupted": summary["uncertain"]})
    emails = arrived(box)
    assert max(emails.values()) == 1
    assert len(emails) >= summary["accepted"] + summary["already_imported"]
    missing = {address(n) for n in range(60)} - set(emails)
    assert len(missing) <= summary["uncertain"]


def test_rows_in_doubt_are_sent_again_only_when_asked(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(reset_after=1.0, at_most=3))
    first = ready.here(*command("--concurrency", 1))
    assert (first.code, first.summary["uncertain"]) == (1, 3)
    unasked = ready.here(*command())
    assert (unasked.summary["requests"], unasked.summary["uncertain"]) == (0, 3)
    assert max(arrived(box).values()) == 1
    asked = ready.here(*command("--resend", "uncertain"))
    assert (asked.code, asked.summary["accepted"]) == (0, 3)
    assert sorted(arrived(box).values()) == [1] * 57 + [2] * 3


@pytest.mark.waits
def test_one_run_at_a_time_and_the_one_at_work_finishes_its_rows_when_it_is_told_to_stop(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=4.0))  # a minute for all rows
    run = ready.start(*command("--concurrency", 4))
    until(lambda: box.requests >= 4)
    second = ready.here(*command())
    assert second.code == 75
    assert f"process {run.pid}" in second.err
    interrupt(run)
    stopped = ready.wait(run)
    summary = stopped.summary
    assert (stopped.code, summary["stopped_because"]) == (3, "signal")
    assert adds_up(stopped, 60)
    assert (summary["uncertain"], summary["accepted"]) == (0, box.counts()["accepted"])
    assert summary["pending"] == 60 - summary["accepted"] > 0
    assert json.loads((ready.home / summary["summary_json"]).read_text("utf-8")) == summary
    box.set_faults(Faults())
    rest = ready.here(*command())
    assert (rest.code, rest.summary["accepted"]) == (0, summary["pending"])
    assert set(arrived(box).values()) == {1}


def test_a_second_signal_leaves_at_once_and_what_was_on_its_way_is_in_doubt(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(hang_after=1.0))
    run = ready.start(*command("--concurrency", 3))
    until(lambda: box.requests >= 3)
    interrupt(run, signal.SIGINT)
    interrupt(run, signal.SIGINT)  # two equal pending signals are merged: so the other one follows
    interrupt(run)
    ended = ready.wait(run)
    assert (ended.code, ended.out) == (3, "")
    box.set_faults(Faults())
    done = ready.here(*command())
    assert (done.summary["uncertain"], done.summary["accepted"]) == (3, 57)
    assert adds_up(done, 60)
    assert set(arrived(box).values()) == {1}


@pytest.mark.parametrize(("asked_at", "during"), [(RowsRead, "reading"), (ReportStage, "report")])
def test_whoever_asks_for_a_stop_is_told_at_once_what_is_still_done(
    ready: Workspace, box: RunningSandbox, asked_at: type, during: str
) -> None:
    stop, told, seen = StopRequest(), threading.Event(), []

    def watch(event: rdimport.Event) -> None:
        if isinstance(event, StopRequested):
            seen.append(event.during)
            told.set()
        elif isinstance(event, asked_at) and not stop.is_set():
            stop.stop(StopReason.SIGNAL)
            told.wait(TIMEOUT)  # the stage is not over yet

    done = rdimport.run(
        ready.home / "list.csv",
        ready.home / "list.yaml",
        to=rdimport.RDStation(api_key=box.api_key, base_url=box.base_url),
        state_dir=ready.state,
        report_dir=ready.reports,
        quota=None,
        on_event=watch,
        stop=stop,
    )
    assert seen == [during]
    assert done.exit_code == (3 if during == "reading" else 0)
    assert len(box.conversions()) == (0 if during == "reading" else 60)


def test_a_wrong_key_stops_the_run_with_all_rows_pending_and_says_what_to_check(
    ready: Workspace, box: RunningSandbox
) -> None:
    right, ready.key = ready.key, KEY
    done = ready.here(*command())
    summary = done.summary
    assert (done.code, summary["stopped_because"]) == (3, "key_refused")
    assert (summary["pending"], summary["rows"]) == (60, 60)
    assert "Chave de API" in done.err
    ready.key = right
    assert ready.here(*command()).summary["accepted"] == 60


def test_a_key_of_the_crm_stops_the_run_and_is_told_apart(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(crm=1.0))
    done = ready.here(*command())
    assert (done.code, done.summary["stopped_because"]) == (3, "key_of_crm")
    assert done.summary["pending"] == 60
    assert "RD Station CRM" in done.err
    output = " ".join(ready.here("status").out.split())
    why = "It stopped because the API key belongs to RD Station CRM. Create a key in RD Station"
    assert 0 < output.index(why) < output.index("60 rows are left.")


def test_status_says_why_a_run_stopped(ready: Workspace, box: RunningSandbox) -> None:
    assert ready.here(*command("--limit", 20)).code == 3
    output = " ".join(ready.here("status", "--lang", "pt-BR").out.split())
    assert (
        "Parou porque: enviou o número de linhas que --limit permite. Faltam 40 linhas." in output
    )
    assert "parada" in output
    assert len(box.conversions()) == 20


def test_an_endpoint_that_is_down_is_tried_for_a_while_then_all_rows_stay_pending(
    ready: Workspace, box: RunningSandbox
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{free.getsockname()[1]}"
        done = ready.here(*command("--base-url", down, "--patience", "0.5s", "--quiet"))
    summary = done.summary
    assert (done.code, summary["stopped_because"]) == (3, "endpoint_down")
    assert summary["stopped_by"] == "net.refused"
    cause = "cannot be reached: nothing is listening at the endpoint's address."
    assert cause in " ".join(done.err.split()), "what cron mails names the cause"
    assert cause in (ready.home / summary["report_html"]).read_text("utf-8").replace("&#x27;", "'")
    assert summary["requests"] > 1
    assert (summary["pending"], summary["uncertain"]) == (60, 0)
    assert "cannot be reached" in done.err


def test_the_same_refusal_for_every_row_stops_the_run_after_fifty(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(odd=1.0, odd_status=422))
    done = ready.here(*command("--concurrency", 1))
    assert (done.code, done.summary["stopped_because"]) == (3, "all_refused")
    assert (done.summary["refused"], done.summary["pending"]) == (50, 10)
    assert adds_up(done, 60)


def test_a_limit_sends_so_many_rows_and_the_next_run_continues(
    ready: Workspace, box: RunningSandbox
) -> None:
    first = ready.here(*command("--limit", 7))
    assert (first.code, first.summary["stopped_because"]) == (3, "limit")
    assert (first.summary["accepted"], first.summary["pending"]) == (7, 53)
    rest = ready.here(*command())
    assert (rest.code, rest.summary["accepted"]) == (0, 53)
    assert rest.summary["already_imported"] == 7
    assert {p["email"] for p in box.conversions()[:7]} == {address(n) for n in range(7)}
    assert set(arrived(box).values()) == {1}


def test_a_run_keeps_to_its_quota(ready: Workspace, box: RunningSandbox) -> None:
    done = ready.here(*command("--quota", "40/s"))
    assert done.summary["throttled"] == 0
    # the first row does not wait: 60 in 59/40 s; a share of it would be chance in so short a run
    assert done.summary["rows_per_second"] <= 40 * 1.06
    assert done.summary["quota_used"] is None
    times = [entry["at"] for entry in box.timeline()]
    began = min(at - n / 40 for n, at in enumerate(times[:20]))  # some may have been delayed
    assert times[-1] - began >= 58 / 40 - 0.1


def test_an_account_out_of_quota_is_waited_for_and_nothing_is_lost(ready: Workspace) -> None:
    ready.write("list.csv", people(12))  # any machine sends them in less than two seconds
    with running(SandboxOptions(plan="5/s", lead_limit=0)) as box:
        ready.key, ready.base_url = box.api_key, box.base_url
        done = ready.here(*command("--concurrency", 12))
        summary = done.summary
        assert (done.code, summary["accepted"]) == (0, 12)
        assert summary["throttled"] == summary["retries"] == box.counts()["throttled"] > 0
        assert summary["requests"] == box.requests == 12 + summary["retries"]
        assert set(arrived(box).values()) == {1}


def test_files_about_people_are_readable_by_their_owner_only(
    ready: Workspace, box: RunningSandbox
) -> None:
    only_posix("a file's mode does not say who may read it")
    ready.write("list.csv", people(3) + "nobody,Ninguém\n")
    previous = os.umask(0o022)
    try:
        assert ready.here(*command()).code == 1
    finally:
        os.umask(previous)
    made = [p for place in (ready.state, ready.reports) for p in place.rglob("*") if p.is_file()]
    assert {p.name for p in made} >= {"ledger.sqlite3", "failures.csv", "summary.json"}
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, path.parent


def test_the_key_is_in_no_artefact_of_runs_that_go_well_and_of_runs_that_do_not(
    ready: Workspace, box: RunningSandbox
) -> None:
    key = str(ready.key)
    ready.do(*command("--limit", 5))
    ready.key = KEY
    ready.do(*command())
    box.set_faults(Faults(reset_before=0.3, cut=0.3, garbage=0.3))
    ready.key = key
    ready.do(*command())
    ready.do(*command("--base-url", "http://127.0.0.1:1", "--patience", "0.1s"))
    ready.write("key", key)
    (ready.home / "key").chmod(0o600)
    ready.key = None
    ready.do(*command("--api-key-file", "key", "--resend", "uncertain"))
    ready.do("report", "--json")
    (ready.home / "key").unlink()
    found = ready.artefacts()
    assert any(Path(name).name == "ledger.sqlite3" for name in found)
    for name, content in found.items():
        assert key.encode() not in content, name
        assert KEY.encode() not in content, name


@pytest.mark.waits
def test_two_runs_of_one_account_share_its_quota_until_one_of_them_dies(ready: Workspace) -> None:
    ready.write("a.csv", people(500))
    ready.write("b.csv", people(500, 1000))
    a, b = (
        ("run", f"{name}.csv", "-m", "list.yaml", "--quota", "5/s", "--json", "--state-dir", name)
        for name in ("a", "b")
    )
    with running(SandboxOptions(plan="1000/s", headers="none")) as small:
        ready.key, ready.base_url = small.api_key, small.base_url
        for name, words in (("b", a), ("a", b)):  # both directories are meant
            assert ready.here(*words, "--limit", 1).code == 3
            assert ready.here("ledger", "accept", "--yes", "--state-dir", name).code == 0
        small.clear()

        def came(name: str) -> list[float]:
            """When the rows of a list were sent."""
            numbered = [(e["at"], int(e["email"][6:].partition("@")[0])) for e in small.timeline()]
            return [at for at, number in numbered if (number >= 1000) is (name == "b")]

        runs = [ready.start(*a), ready.start(*b)]
        until(lambda: len(came("b")) >= 20)
        runs[1].kill()
        runs[1].communicate()
        killed = datetime.now(UTC).timestamp()
        until(lambda: sum(at >= killed + 1 for at in came("a")) >= 15)
        interrupt(runs[0])
        done = ready.wait(runs[0])
        of_a, of_b = came("a"), came("b")
    assert done.code == 3
    assert adds_up(done, 500)
    both = [at for at in sorted(of_a + of_b) if of_b[0] + 1 <= at <= of_b[-1]]
    # one run with its half has 2.5, two that do not share have 10
    assert 2.75 <= len(both) / (both[-1] - both[0]) <= 7
    # neither starves; half each is not assured: one that gets no core for 120 ms loses a slot
    assert len(both) / 8 <= sum(at in of_b for at in both) <= len(both) * 7 / 8
    alone = [at for at in of_a if at >= killed + 1]
    assert len(alone) / (alone[-1] - alone[0]) >= 2.75


def test_a_report_that_cannot_be_written_changes_nothing_about_the_run(
    ready: Workspace, box: RunningSandbox
) -> None:
    box.set_faults(Faults(latency=1.0))  # a minute for all rows
    run = ready.start(*command("--concurrency", 1))
    until(lambda: box.counts()["accepted"] >= 1)
    ready.write(ready.reports.name, "in the way of the folder")
    box.set_faults(Faults())
    done = ready.wait(run)
    assert (done.code, done.summary["accepted"]) == (0, 60)
    assert adds_up(done, 60)
    assert "cannot be written" in done.summary["report_failed"]
    assert "failures.xlsx" not in done.err
    again = done.err.splitlines()[-1].split()
    assert again[:2] == ["rdimport", "report"]
    ready.reports.unlink()
    assert ready.here(*again[1:]).code == 0
    assert (ready.reports / done.summary["run_id"] / "report.html").exists()
