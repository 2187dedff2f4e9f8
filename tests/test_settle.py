"""`settle`: doubt is settled if RD's webhook or an export proves it, and only then."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from support.command import Workspace
from support.elsewhen import Elsewhen, run_by
from support.posix import interrupt, small_files
from support.reports import csv_rows
from support.waiting import TIMEOUT, until
from support.web import NO_TLS

from rdimport.cli import settle
from rdimport.core.errors import RdimportError, ReportError
from rdimport.core.events import Event, RowFinished
from rdimport.core.people import People
from rdimport.core.row import State
from rdimport.report.traces import remove_traces
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox
from rdimport.settle import listener

ROWS = 16
MAPPING = (
    "version: 1\nconversion_identifier: Feira\n"
    "fields: {email: email, name: name, cf_interese: interesse}\n"
)
EXPORT = (
    "version: 1\nconversion_identifier: {column: Evento de conversão}\nfields: {email: Email}\n"
)
LIST = "email;name;interesse\n" + "".join(
    f"p{i}@exemplo.com.br;Pessoa {i};Franquia\n" for i in range(ROWS)
)
RUN = ("run", "list.csv", "-m", "m.yaml", "--quota", "none", "--concurrency", "4", "--json")


@pytest.fixture
def doubtful(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace whose list was imported: all rows arrived, some of them without an answer."""
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", LIST)
    workspace.write("export.yaml", EXPORT)
    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
    summary = workspace.here(*RUN).summary
    box.set_faults(Faults())
    assert summary["uncertain"] > 0
    assert summary["accepted"] + summary["uncertain"] == ROWS == len(box.conversions())
    return workspace


def counts(workspace: Workspace) -> tuple[int, int]:
    """Uncertain and accepted rows of the run that sent them, as now in its report."""
    summary = workspace.here("report", "--json").summary
    return summary["uncertain"], summary["accepted"]


def settled(
    workspace: Workspace, *words: object, lines: list[object] | None = None
) -> dict[str, Any]:
    if lines is not None:
        text = "".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines)
        words = (workspace.write("calls.jsonl", text), *words)
    done = workspace.here("settle", *words, "--json")
    assert done.code == 0, done.err
    return done.summary


def call(number: int, at: datetime | None = None, **changes: object) -> dict[str, object]:
    contact = {"email": f"p{number}@exemplo.com.br", "name": f"Pessoa {number}", "uuid": "x"}
    return {
        "event_type": "WEBHOOK.CONVERTED",
        "event_identifier": "Feira",
        "event_timestamp": (at or datetime.now(UTC)).isoformat(),
        "contact": contact,
        **changes,
    }


def calls() -> list[object]:
    return [call(number) for number in range(ROWS)]


def test_a_call_for_each_conversion_settles_all_doubt_and_names_its_proof(
    doubtful: Workspace,
) -> None:
    before, accepted = counts(doubtful)
    result = settled(doubtful, lines=calls())
    assert (result["read"], result["known"], result["settled"]) == (ROWS, ROWS, before)
    assert result["seconds_to_timeline"] >= 0
    assert counts(doubtful) == (0, accepted + before)
    summary = doubtful.here("report", "--json").summary
    assert summary["proved"] == {"webhook": before}
    page = (doubtful.home / summary["report_html"]).read_text()
    assert f"proved later (webhook: {before})" in page
    assert not any(code.startswith(("uncertain", "proved")) for code in summary["problems"])
    assert failed(doubtful) == []
    again = doubtful.here(*RUN).summary
    assert (again["requests"], again["already_imported"], again["uncertain"]) == (0, ROWS, 0)


def test_the_report_of_a_run_that_is_concerned_is_written_again(doubtful: Workspace) -> None:
    (folder,) = doubtful.reports.iterdir()
    assert csv_rows(folder / "failures.csv")
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(one)}\n" for one in calls()))
    done = doubtful.here("settle", "calls.jsonl", "--lang", "pt-BR")
    assert str(folder) in done.out
    assert csv_rows(folder / "failures.csv") == []
    assert json.loads((folder / "summary.json").read_text("utf-8"))["uncertain"] == 0
    page = (folder / "report.html").read_text("utf-8")
    assert "proved later (webhook" in page, "in the language that the run had"


def test_a_report_that_was_half_written_again_is_written_by_the_next_command(
    doubtful: Workspace,
) -> None:
    (folder,) = doubtful.reports.iterdir()
    made = (folder / "summary.json").stat().st_mtime - 3600
    for path in folder.iterdir():  # yesterday's report
        os.utime(path, (made, made))
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()  # only the failure files are replaced
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(one)}\n" for one in calls()))
    first = doubtful.here("settle", "calls.jsonl", "--json")
    assert "report.html" in first.err
    assert (first.summary["settled"] > 0, csv_rows(folder / "failures.csv")) == (True, [])
    assert json.loads((folder / "summary.json").read_text("utf-8"))["uncertain"] > 0
    (folder / "report.html").rmdir()
    again = doubtful.here("settle", "calls.jsonl")
    assert str(folder) in again.out, again.err
    assert json.loads((folder / "summary.json").read_text("utf-8"))["uncertain"] == 0
    third = doubtful.here("settle", "calls.jsonl")
    assert str(folder) not in third.out, "all is said"


def test_later_runs_that_list_the_same_row_know_it_too(
    doubtful: Workspace, box: RunningSandbox
) -> None:
    before, _ = counts(doubtful)
    doubtful.write("more.csv", LIST + "nova@exemplo.com.br;Nova;Franquia\n")
    more = doubtful.here("run", "more.csv", *RUN[2:]).summary
    assert (more["uncertain"], more["accepted"]) == (before, 1)
    result = settled(doubtful, lines=calls())
    assert (result["settled"], len(result["runs"])) == (before, 2)
    folder = doubtful.reports / more["run_id"]
    assert csv_rows(folder / "failures.csv") == []
    after = json.loads((folder / "summary.json").read_text("utf-8"))
    assert (after["uncertain"], after["accepted"]) == (0, before + 1)
    assert after["proved"] == {"webhook": before}
    assert after["rows"] == more["rows"]
    assert doubtful.here("ledger", "check").code == 0
    assert doubtful.here("status", "--check").code == 0, "no row needs a person any more"
    again = doubtful.here("run", "more.csv", *RUN[2:]).summary
    assert (again["requests"], again["already_imported"]) == (0, ROWS + 1)


def test_a_run_whose_cells_were_purged_counts_its_settled_rows(doubtful: Workspace) -> None:
    uncertain, accepted = counts(doubtful)
    assert doubtful.here("purge", "--older-than", "0s").code == 0
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(one)}\n" for one in calls()))
    for again in (False, True):
        done = doubtful.here("settle", "calls.jsonl")
        assert (done.code, "rdimport report" in done.out) == (0, False), done.out
        (run,) = doubtful.here("status", "--json").summary["runs"]
        assert run["counts"]["accepted"] == accepted + uncertain, again
        assert run["counts"]["uncertain"] == 0
        assert run["exit_code"] == 0
    assert doubtful.here("ledger", "check").code == 0
    assert doubtful.here("status", "--check").code == 0


def test_a_deleted_report_stays_deleted_and_the_command_that_rewrites_it_is_shown(
    doubtful: Workspace,
) -> None:
    (folder,) = doubtful.reports.iterdir()
    shutil.rmtree(folder)
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(one)}\n" for one in calls()))
    done = doubtful.here("settle", "calls.jsonl")
    assert f"rdimport report {folder.name}" in done.out
    assert not folder.exists()


def test_it_is_not_counted_twice(doubtful: Workspace) -> None:
    before, accepted = counts(doubtful)
    assert settled(doubtful, lines=[*calls(), *calls()])["settled"] == before
    assert settled(doubtful, lines=calls())["settled"] == 0
    assert counts(doubtful) == (0, accepted + before)


def test_lost_calls_leave_their_rows_in_doubt(doubtful: Workspace) -> None:
    uncertain = [int(row["email"][1:].partition("@")[0]) for row in failed(doubtful)]
    result = settled(doubtful, lines=[c for n, c in enumerate(calls()) if n != uncertain[0]])
    assert result["settled"] == len(uncertain) - 1
    assert [row["email"] for row in failed(doubtful)] == [f"p{uncertain[0]}@exemplo.com.br"]


def failed(workspace: Workspace) -> list[dict[str, str]]:
    return csv_rows(workspace.home / workspace.here("report", "--json").summary["failures_csv"])


def test_a_conversion_from_before_the_row_left_proves_nothing(doubtful: Workspace) -> None:
    before, _ = counts(doubtful)
    old = datetime.now(UTC) - timedelta(minutes=30)
    result = settled(doubtful, lines=[call(number, old) for number in range(ROWS)])
    assert (result["settled"], result["too_old"]) == (0, before)
    late = datetime.now(UTC) + timedelta(days=2)
    both = [call(number, at) for number in range(ROWS) for at in (old, late)]
    assert settled(doubtful, lines=both)["settled"] == before


def test_what_is_no_evidence_changes_nothing_and_is_counted(doubtful: Workspace) -> None:
    before = counts(doubtful)
    lines = [
        *(call(n, event_identifier="feira de outros") for n in range(ROWS)),
        *(call(n, event_type="WEBHOOK.MARKED_OPPORTUNITY") for n in range(ROWS)),
        *(call(n, event_timestamp="ontem") for n in range(ROWS)),
        call(0, contact=None), call(0, contact={"email": 7}), call(0, event_identifier=""),
        call(0, contact={"email": "somebody@else.com"}),
        "not json", "[]", "7", "null", '{"event_type":', "", '{"call": 3}', "[" * 5_000,
        "x" * 1_500_000,
    ]  # fmt: skip
    result = settled(doubtful, lines=lines)
    assert result["settled"] == 0
    assert counts(doubtful) == before
    assert result["unread"]["no_moment"] == ROWS
    assert result["unread"]["not_json"] >= 3
    assert result["unread"]["no_email"] == 2


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
@pytest.mark.parametrize("text", [LIST, "[]\n[]\n", "PK\x03\x04\n\x00"])
def test_a_file_without_any_json_object_is_refused_as_no_calls(
    doubtful: Workspace, text: str, lang: str
) -> None:
    before = counts(doubtful)
    done = doubtful.here("settle", doubtful.write("list.jsonl", text), "--lang", lang)
    assert (done.code, done.out) == (2, "")
    assert "JSON" in done.err
    assert "--moment" in done.err
    assert counts(doubtful) == before


@pytest.mark.parametrize("text", ["", "\ufeff{}\n", '{"event_type":'])
def test_a_file_with_no_whole_call_yet_is_no_error(doubtful: Workspace, text: str) -> None:
    assert settled(doubtful, doubtful.write("calls.jsonl", text))["settled"] == 0


def test_a_field_that_never_lands_is_named(doubtful: Workspace) -> None:
    result = settled(doubtful, lines=calls())
    assert {"field": "cf_interese", "rows": ROWS, "seen": ROWS} in result["missing_fields"]
    assert not [one for one in result["missing_fields"] if one["field"] in ("email", "name")]


def test_a_field_is_named_once_three_conversions_came_without_it(doubtful: Workspace) -> None:
    assert settled(doubtful, lines=calls()[:2])["missing_fields"] == []
    missing = settled(doubtful, lines=calls()[:3])["missing_fields"]
    assert {"field": "cf_interese", "rows": ROWS, "seen": 3} in missing


def test_another_account_is_not_touched(doubtful: Workspace) -> None:
    before = counts(doubtful)
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(c)}\n" for c in calls()))
    done = doubtful.here("settle", "calls.jsonl", "--account", "somebody else")
    assert done.code == 2
    assert "accounts list" in done.err
    assert counts(doubtful) == before


def test_what_another_account_has_received_settles_nothing(doubtful: Workspace) -> None:
    before = counts(doubtful)
    text = "".join(f"{json.dumps(c)}\n" for c in calls())
    theirs = doubtful.state / "webhooks-acme.jsonl"
    theirs.write_text(text)
    done = doubtful.here("settle", theirs)
    assert (done.code, "another account" in done.err, "--account" in done.err) == (2, True, True)
    assert counts(doubtful) == before
    (doubtful.state / "webhooks-default.jsonl").write_text(text)
    assert doubtful.here("settle", doubtful.state / "webhooks-default.jsonl").code == 0
    assert counts(doubtful) == (0, sum(before))


EXPORTED = ("settle", "export.csv", "-m", "export.yaml", "--moment", "Data da conversão", "--json")


def test_an_export_settles_what_is_in_it(doubtful: Workspace, box: RunningSandbox) -> None:
    before, accepted = counts(doubtful)
    doubtful.write("export.csv", box.export())
    summary = doubtful.here(*EXPORTED).summary
    assert (summary["read"], summary["settled"]) == (ROWS, before)
    assert counts(doubtful) == (0, accepted + before)
    assert doubtful.here("report", "--json").summary["proved"] == {"export": before}


AGO = timedelta(hours=3)


@pytest.fixture
def long_ago(doubtful: Workspace) -> Workspace:
    """The same, three hours later: a list is complete for a period that has ended."""
    age(doubtful)
    return doubtful


def age(workspace: Workspace, ago: timedelta = AGO) -> None:
    """Let all runs so far be that long ago."""
    set_back(workspace, ago)
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        for run, *times in db.execute("SELECT id, started_at, finished_at FROM run").fetchall():
            earlier = [at and (datetime.fromisoformat(at) - ago).isoformat() for at in times]
            db.execute(
                "UPDATE run SET started_at = ?, finished_at = ? WHERE id = ?", (*earlier, run)
            )


def set_back(workspace: Workspace, by: timedelta) -> None:
    """Let the times of requests be those of a clock that was behind when they left."""
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        db.execute("UPDATE posted SET left_at = left_at - ?", (by // timedelta(milliseconds=1),))


def export_of(box: RunningSandbox) -> str:
    """The export of that period."""
    head, *lines = box.export().splitlines()
    split = (line.rpartition(",") for line in lines)
    rows = (f"{rest},{(datetime.fromisoformat(at) - AGO).isoformat()}" for rest, _, at in split)
    return "\n".join([head, *rows, ""])


def hours(number: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=number)).isoformat()


@pytest.mark.parametrize(
    ("since", "end", "sent"), [(-5, -1, 1), (-5, -3, 0), (-2, -1, 0), (-6, -5, 0)]
)
def test_only_a_complete_export_frees_what_it_does_not_have(
    long_ago: Workspace, box: RunningSandbox, since: float, end: float, sent: int
) -> None:
    one = failed(long_ago)[0]["email"]
    head, *lines = export_of(box).splitlines()
    long_ago.write("export.csv", "\n".join([head, *(x for x in lines if one not in x)]))
    span = ("--complete-from", hours(since), "--complete-until", hours(end))
    assert long_ago.here(*EXPORTED, *span).code == 0
    assert [row["email"] for row in failed(long_ago)] == [one]
    again = long_ago.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["accepted"], again["uncertain"]) == (sent, sent, 1 - sent)


@pytest.fixture
def sent_twice(doubtful: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace whose uncertain rows arrived 9 hours ago, and were lost when sent again 3 hours
    ago: they are uncertain still.
    """
    before, _ = counts(doubtful)
    age(doubtful, timedelta(hours=6))
    box.set_faults(Faults(reset_before=1.0))
    assert doubtful.here(*RUN, "--resend", "uncertain").summary["uncertain"] == before
    box.set_faults(Faults())
    age(doubtful)
    assert len(box.conversions()) == ROWS
    return doubtful


def test_a_row_that_was_sent_twice_is_settled_by_what_its_first_request_did(
    sent_twice: Workspace,
) -> None:
    before, _ = counts(sent_twice)
    first = datetime.now(UTC) - timedelta(hours=9)
    result = settled(sent_twice, lines=[call(number, first) for number in range(ROWS)])
    assert (result["settled"], result["too_old"]) == (before, 0)
    again = sent_twice.here(*RUN, "--resend", "uncertain").summary
    assert (again["requests"], again["already_imported"]) == (0, ROWS)


def test_an_earlier_conversion_proves_nothing_if_the_clock_was_behind_at_the_first_request(
    lossy: Workspace, box: RunningSandbox
) -> None:
    behind = timedelta(hours=1)
    lost = run_by(Elsewhen(-behind), lossy, box, "m.yaml").counts[State.UNCERTAIN]
    set_back(lossy, behind)
    box.set_faults(Faults(reset_before=1.0))
    assert lossy.here(*RUN, "--resend", "uncertain").summary["uncertain"] == lost
    earlier = datetime.now(UTC) - timedelta(minutes=20)
    result = settled(lossy, lines=[call(number, earlier) for number in range(ROWS)])
    assert (result["settled"], result["too_old"]) == (0, lost)
    assert settled(lossy, lines=calls())["settled"] == lost


@pytest.mark.parametrize(
    ("since", "end", "frees"), [(-10, -1, True), (-5, -1, False), (-10, -5, False)]
)
def test_a_list_frees_a_row_that_was_sent_twice_if_it_would_have_both_its_conversions(
    sent_twice: Workspace, since: float, end: float, frees: bool
) -> None:
    before, _ = counts(sent_twice)
    now = datetime.now(UTC).isoformat()
    sent_twice.write(
        "export.csv",
        f"Email,Evento de conversão,Data da conversão\noutra@exemplo.com.br,Feira,{now}\n",
    )
    span = ("--complete-from", hours(since), "--complete-until", hours(end))
    assert sent_twice.here(*EXPORTED, *span).code == 0
    again = sent_twice.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert again["requests"] == (before if frees else 0)


@pytest.mark.parametrize("how", ["of another zone", "of that zone", "unread", "no date"])
def test_an_export_whose_times_are_in_doubt_frees_nobody(
    long_ago: Workspace, box: RunningSandbox, how: str
) -> None:
    """All rows are in it, and all of them arrived: each one sent again would arrive twice."""
    before, _ = counts(long_ago)
    head, *lines = export_of(box).splitlines()
    west = timezone(timedelta(hours=-3))
    found = []
    for line in lines:
        rest, _comma, at = line.rpartition(",")
        there = datetime.fromisoformat(at).astimezone(west)
        found.append(f"{rest},{there:%d/%m/%Y %H:%M:%S}" if "zone" in how else line)
    if how == "unread":
        found = [line.rpartition(",")[0] + ",ontem" for line in found]
        found.append(f'"outro@exemplo.com.br","Feira",{datetime.now(UTC).isoformat()}')
    long_ago.write("export.csv", "\n".join([head, *found]))
    span = ["--complete-from", hours(-24), "--complete-until", hours(-1)]
    if how == "no date":
        span = ["--complete-from", "ontem", "--complete-until", "hoje"]
    zone = ["--utc-offset", "-03:00"] if how == "of that zone" else []
    done = long_ago.here(*EXPORTED, *span, *zone)
    assert done.code == {"of that zone": 0, "no date": 2}.get(how, 1), done.err
    assert ("does not count as complete" in done.err) == (done.code == 1)
    again = long_ago.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, 0 if how == "of that zone" else before)


def test_an_export_without_all_that_tells_conversions_apart_frees_nobody(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("m.yaml", MAPPING + "identity: [email, name]\n")
    workspace.write("list.csv", LIST)
    workspace.write("export.yaml", EXPORT)
    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
    before = workspace.here(*RUN).summary["uncertain"]
    box.set_faults(Faults())
    age(workspace)
    workspace.write("export.csv", export_of(box))
    span = ("--complete-from", hours(-5), "--complete-until", hours(-1))
    done = workspace.here(*EXPORTED, *span)
    assert (done.code, "also identified by name" in done.err) == (1, True), done.err
    again = workspace.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, before)


def test_the_span_of_an_export_is_in_the_zone_of_its_times(
    long_ago: Workspace, box: RunningSandbox
) -> None:
    """Its end is before the rows were sent in one zone, and an hour after that in another."""
    long_ago.write("export.csv", "\n".join(export_of(box).splitlines()[:2]))
    end = f"{datetime.now(UTC) - timedelta(hours=5):%Y-%m-%dT%H:%M}"
    span = ("--complete-from", "2026-01-01", "--complete-until", end)
    for zone, sent in (("+00:00", 0), ("-03:00", 1)):
        assert long_ago.here(*EXPORTED, *span, "--utc-offset", zone).code == 0
        again = long_ago.here(*RUN, "--resend", "uncertain", "--not-proved").summary
        assert bool(again["requests"]) == bool(sent), zone


def test_a_list_says_nothing_of_rows_that_were_sent_after_it_was_made(
    workspace: Workspace, box: RunningSandbox
) -> None:
    """The clock is put back by two hours after the list was declared complete."""
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", LIST)
    workspace.write(
        "first.csv", LIST.splitlines()[0] + "\nprimeira@exemplo.com.br;Primeira;Franquia\n"
    )
    workspace.write("export.yaml", EXPORT)
    assert workspace.here("run", "first.csv", *RUN[2:]).code == 0
    workspace.write("export.csv", box.export())
    span = ("--complete-from", hours(-5), "--complete-until", hours(0))
    assert workspace.here(*EXPORTED, *span).code == 0
    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
    done = run_by(Elsewhen(-AGO), workspace, box, "m.yaml")
    box.set_faults(Faults())
    set_back(workspace, AGO)  # as by that clock
    assert done.counts[State.UNCERTAIN] > 0
    again = workspace.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, done.counts[State.UNCERTAIN])


@pytest.fixture
def lossy(workspace: Workspace, box: RunningSandbox) -> Iterator[Workspace]:
    """A workspace with a list, for which three responses will be lost."""
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", LIST)
    workspace.write("export.yaml", EXPORT)
    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
    yield workspace
    box.set_faults(Faults())


def test_evidence_is_compared_with_the_endpoints_clock_if_this_one_is_ahead(
    lossy: Workspace, box: RunningSandbox
) -> None:
    ahead = timedelta(hours=1)
    done = run_by(Elsewhen(ahead), lossy, box, "m.yaml")
    assert "ahead of that of the endpoint" in " ".join(done.notes)
    uncertain = done.counts[State.UNCERTAIN]
    set_back(lossy, -ahead)  # as by that clock
    lossy.write("export.csv", box.export())
    summary = lossy.here(*EXPORTED, "--utc-offset", "+00:00").summary
    assert (summary["settled"], summary["too_old"]) == (uncertain, 0)


def test_an_earlier_conversion_proves_nothing_if_this_clock_is_behind(
    lossy: Workspace, box: RunningSandbox
) -> None:
    behind = timedelta(hours=1)
    done = run_by(Elsewhen(-behind), lossy, box, "m.yaml")
    assert "behind that of the endpoint" in " ".join(done.notes)
    uncertain = done.counts[State.UNCERTAIN]
    set_back(lossy, behind)  # as by that clock
    earlier = datetime.now(UTC) - timedelta(minutes=20)
    result = settled(lossy, lines=[call(number, earlier) for number in range(ROWS)])
    assert (result["settled"], result["too_old"]) == (0, uncertain)
    assert settled(lossy, lines=calls())["settled"] == uncertain


def test_no_list_shows_that_rows_did_not_arrive_if_the_clock_was_set_meanwhile(
    lossy: Workspace, box: RunningSandbox
) -> None:
    clock = Elsewhen(timedelta())

    def on_event(event: Event) -> None:
        if isinstance(event, RowFinished):
            clock.off = timedelta(hours=2)

    box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3, latency=0.25))  # it takes seconds
    done = run_by(clock, lossy, box, "m.yaml", on_event=on_event, concurrency=2)
    assert "was set during the run" in " ".join(done.notes)
    age(lossy)
    lossy.write("export.csv", "\n".join(export_of(box).splitlines()[:2]))
    span = ("--complete-from", hours(-8), "--complete-until", hours(0))
    assert lossy.here(*EXPORTED, *span).code == 0
    again = lossy.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, done.counts[State.UNCERTAIN])


def test_an_export_that_says_nothing_of_itself_frees_nobody(
    doubtful: Workspace, box: RunningSandbox
) -> None:
    before, _ = counts(doubtful)
    doubtful.write("export.csv", box.export().splitlines()[0] + "\n")
    doubtful.here(*EXPORTED)
    again = doubtful.here(*RUN, "--resend", "uncertain", "--not-proved").summary
    assert (again["requests"], again["uncertain"]) == (0, before)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("calls.jsonl", "--listen", "127.0.0.1:0"),
        ("export.csv", "-m", "export.yaml"),
        ("calls.jsonl", "--complete-from", "2026-01-01", "--complete-until", "2026-02-01"),
        (*EXPORTED[1:-1], "--complete-from", "2026-01-01"),
        (*EXPORTED[1:-1], "--complete-from", "2026-02-01", "--complete-until", "2026-01-01"),
        (*EXPORTED[1:-1], "--complete-from", "2026-01-01", "--complete-until", hours(1)),
        ("export.csv", "-m", "export.yaml", "--moment", "Hora"),
        ("nowhere.jsonl",),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    doubtful: Workspace, box: RunningSandbox, words: tuple[str, ...]
) -> None:
    before = counts(doubtful)
    doubtful.write("export.csv", box.export())
    doubtful.write("calls.jsonl", "".join(f"{json.dumps(c)}\n" for c in calls()))
    assert doubtful.here("settle", *words).code == 2
    assert counts(doubtful) == before


@contextmanager
def listening(workspace: Workspace, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running listener, and its address."""
    process = workspace.start("settle", "--listen", "127.0.0.1:0", "--json", *words)
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    process.stderr.readline()  # what to do with it
    assert found
    try:
        yield found[0], process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def posted(url: str, body: bytes) -> int:
    return httpx.post(
        url, content=body, timeout=TIMEOUT, trust_env=False, verify=NO_TLS
    ).status_code


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_calls_that_are_received_settle_the_rows_of_a_run(
    workspace: Workspace, box: RunningSandbox, how: signal.Signals
) -> None:
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", LIST)
    before = sum(box.webhook_calls())
    with listening(workspace) as (url, process):
        box.set_webhook(url)
        try:
            box.set_faults(Faults(reset_after=1.0, skip=4, at_most=3))
            uncertain = workspace.here(*RUN).summary["uncertain"]
            until(lambda: sum(box.webhook_calls()) >= before + ROWS)
        finally:
            box.set_faults(Faults())
            box.set_webhook("")
        interrupt(process, how)
        done = workspace.wait(process)
    assert (done.code, done.summary["received"]) == (0, ROWS)
    assert done.summary["settled"] == uncertain > 0
    assert counts(workspace) == (0, ROWS)
    assert Path(done.summary["file"]).stat().st_mode & 0o77 == 0


def test_only_callers_with_the_secret_are_accepted_and_accepted_calls_are_on_the_disk(
    doubtful: Workspace,
) -> None:
    before = counts(doubtful)
    good = json.dumps(call(1)).encode()
    with listening(doubtful) as (url, process):
        root = url.rpartition("/")[0]
        assert posted(f"{root}/guess", good) == 404
        assert posted(f"{root}/", good) == 404
        assert posted(f"{url}x", good) == 404
        assert posted(url, b"x" * 300_000) == 413
        assert posted(url, b"no json") == 400
        assert posted(url, good) == 200
        process.kill()  # everything answered with 200 is there
        process.communicate()
    (file,) = doubtful.state.glob("webhooks-*.jsonl")
    assert len(file.read_text().splitlines()) == 1
    file.write_text(file.read_text() + '{"cut short')
    with listening(doubtful) as (again, process):
        assert again.rpartition("/")[2] == url.rpartition("/")[2]  # RD keeps its address
        assert posted(again, json.dumps(call(2)).encode()) == 200
        interrupt(process)
        assert doubtful.wait(process).code == 0
    assert len(file.read_text().splitlines()) == 3
    assert counts(doubtful)[0] >= before[0] - 2


def test_each_account_has_an_address_of_its_own(workspace: Workspace, box: RunningSandbox) -> None:
    with (
        listening(workspace) as (url, _),
        listening(workspace, "--account", "Acme São Paulo") as (other, _),
    ):
        secret, others = (address.rpartition("/")[2] for address in (url, other))
        assert secret != others
        assert posted(f"{url.rpartition('/')[0]}/{others}", json.dumps(call(1)).encode()) == 404
        assert posted(other, json.dumps(call(1)).encode()) == 200
    assert (workspace.state / "webhooks-acme-sao-paulo.jsonl").stat().st_size
    assert not (workspace.state / "webhooks-default.jsonl").stat().st_size


def of_account(workspace: Workspace, account: str, email: str) -> str:
    """The secret of an account's listener, which receives one call."""
    with listening(workspace, "--account", account) as (url, _):
        assert posted(url, json.dumps(call(1) | {"email": email}).encode()) == 200
        return url.rpartition("/")[2]


@pytest.mark.parametrize("order", [("a-b", "a b"), ("A b", "a-b"), ("a/b", "a_b", "a:b")])
def test_accounts_whose_files_would_have_the_same_name_share_none(
    workspace: Workspace, order: tuple[str, ...]
) -> None:
    emails = {account: f"pessoa{at}@exemplo.com.br" for at, account in enumerate(order)}
    secrets = {account: of_account(workspace, account, email) for account, email in emails.items()}
    assert len(set(secrets.values())) == len(order)
    files = [path.read_text() for path in sorted(workspace.state.glob("webhooks-*.jsonl"))]
    assert sorted(e in text for text in files for e in emails.values()).count(True) == len(order)
    assert {
        account: of_account(workspace, account, emails[account]) for account in order
    } == secrets


def test_a_command_that_was_killed_while_it_took_a_name_leaves_it_free(
    workspace: Workspace,
) -> None:
    workspace.state.mkdir()
    mark = workspace.state / "webhook-account-a-b"
    mark.touch()
    secret = of_account(workspace, "a b", "a@exemplo.com.br")
    assert mark.read_text() == "a b"
    assert (workspace.state / "webhook-token-a-b").read_text().strip() == secret
    assert of_account(workspace, "a-b", "b@exemplo.com.br") != secret


def test_files_of_an_earlier_release_stay_those_of_each_account_that_used_them(
    workspace: Workspace,
) -> None:
    workspace.state.mkdir()
    secret = "s" * 32
    (workspace.state / "webhook-token-a-b").write_text(secret)
    (workspace.state / "webhooks-a-b.jsonl").write_text('{"call": "of before"}\n')
    for account in ("a b", "a-b"):
        assert of_account(workspace, account, f"{account[1:2].strip()}x@exemplo.com.br") == secret
    first, second = (path.read_text() for path in sorted(workspace.state.glob("webhooks-*.jsonl")))
    for mine, yours in ((first, second), (second, first)):
        assert len(mine.splitlines()) == 2, "that of before and its own"
        assert "of before" in mine
        assert mine != yours


def test_a_listener_of_an_account_that_the_ledger_does_not_have_says_so(
    doubtful: Workspace,
) -> None:
    process = doubtful.start("settle", "--listen", "127.0.0.1:0", "--account", "mistyped")
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found
    process.stderr.readline()
    assert posted(found[0], json.dumps(call(1)).encode()) == 200
    interrupt(process)
    done = doubtful.wait(process)
    assert (done.code, done.err.count("no record of account “mistyped”")) == (0, 1), done.err
    again = " ".join(done.out.split()).split(": ", 1)[1]
    assert f"--account mistyped --state-dir {doubtful.state}" in again
    assert "--base-url" in again


@pytest.mark.skipif(os.name != "posix", reason="SIGHUP is POSIX's")
@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN], ids=["shell", "nohup"])
def test_a_lost_terminal_ends_a_listener_unless_under_nohup(
    workspace: Workspace, handler: signal.Handlers
) -> None:
    before = signal.signal(signal.SIGHUP, handler)
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGHUP, before)
        url, process = stack.enter_context(listening(workspace))
        status = Path(f"/proc/{process.pid}/status")
        assert posted(url, json.dumps(call(0)).encode()) == 200
        process.send_signal(signal.SIGHUP)
        if handler is signal.SIG_IGN:
            if status.exists():  # Linux: the kernel drops the signal, so there is no need to wait
                ignored = re.search(r"^SigIgn:\s*(\w+)$", status.read_text(), re.MULTILINE)
                assert ignored is not None
                assert int(ignored[1], 16) >> (signal.SIGHUP - 1) & 1
            assert posted(url, json.dumps(call(1)).encode()) == 200
            interrupt(process)
        assert workspace.wait(process).code == 0


@pytest.mark.waits
def test_silent_clients_keep_no_call_out(workspace: Workspace) -> None:
    with listening(workspace) as (url, _), ExitStack() as silent:
        place = httpx.URL(url)
        for number in range(300):
            client = silent.enter_context(socket.create_connection((place.host, place.port)))
            client.sendall(b"POST /x HTTP/1.1\r\n"[: number % 20])
        until(lambda: posted(url, json.dumps(call(1)).encode()) == 200)


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: readers never see part of it."""
    other = path.with_name("other")
    other.write_bytes(content)
    shutil.copymode(path, other)
    other.replace(path)


def test_a_ledger_that_fails_ends_no_listener_and_is_reported_once(
    doubtful: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, accepted = counts(doubtful)
    ledger = doubtful.state / "ledger.sqlite3"
    content = ledger.read_bytes()
    urls: Queue[str] = Queue()
    failed: list[Exception] = []

    def settled_or_not(*args: Any) -> Any:
        try:
            return really_settled(*args)
        except RdimportError as error:
            failed.append(error)
            raise

    def clients() -> None:
        try:
            url = urls.get(timeout=TIMEOUT)
            replace(ledger, b"x" * len(content))
            assert posted(url, json.dumps(call(0)).encode()) == 200
            until(lambda: len(failed) > 2)
            replace(ledger, content)
            for number in range(ROWS):
                assert posted(url, json.dumps(call(number)).encode()) == 200
        finally:
            signal.raise_signal(signal.SIGTERM)

    really_settled = settle._settled
    monkeypatch.setattr(settle, "_settled", settled_or_not)
    monkeypatch.setattr(settle, "_greet", urls.put)
    monkeypatch.setattr(listener, "_SETTLE_EVERY", 0.05)
    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(clients)
        done = doubtful.here("settle", "--listen", "127.0.0.1:0", "--json")
        client.result()
    assert (done.code, done.summary["received"]) == (0, ROWS + 1), done.err
    assert len(failed) > 2
    assert done.err.count("damaged") == 1
    assert counts(doubtful) == (0, accepted + before)


def test_a_call_that_does_not_fit_on_the_disk_spoils_no_later_one(workspace: Workspace) -> None:
    with listening(workspace) as (url, process):
        with small_files(1_000, process.pid):
            answers = [posted(url, json.dumps(call(number)).encode()) for number in range(8)]
        assert set(answers) == {200, 503}
        assert posted(url, json.dumps(call(9)).encode()) == 200
    (file,) = workspace.state.glob("webhooks-*.jsonl")
    heard = [json.loads(line)["call"] for line in file.read_text().splitlines()]
    assert len(heard) == answers.count(200) + 1


def test_a_person_erased_by_forget_is_gone_from_the_received_calls_too(doubtful: Workspace) -> None:
    with listening(doubtful) as (url, process):
        assert posted(url, json.dumps(call(1)).encode()) == 200
        assert posted(url, json.dumps(call(2)).encode()) == 200
        assert doubtful.here("forget", "p1@exemplo.com.br").code in (0, 1)
        assert posted(url, json.dumps(call(3)).encode()) == 200
        interrupt(process)
        assert doubtful.wait(process).code == 0
    (file,) = doubtful.state.glob("webhooks-*.jsonl")
    text = file.read_text()
    assert "p1@exemplo" not in text
    assert "p2@exemplo" in text
    assert "p3@exemplo" in text


def test_no_call_that_was_answered_is_lost_while_a_person_is_erased(doubtful: Workspace) -> None:
    answered = 0
    with listening(doubtful) as (url, process), ThreadPoolExecutor() as pool:
        assert posted(url, json.dumps(call(1)).encode()) == 200
        (file,) = doubtful.state.glob("webhooks-*.jsonl")
        line = json.dumps({"received_at": "", "call": call(9)})
        with file.open("a") as calls:
            calls.write(f"{line}\n" * 20_000)  # rewriting it takes a while
        done = pool.submit(doubtful.here, "forget", "p1@exemplo.com.br")
        while not done.done():
            assert posted(url, json.dumps(call(2) | {"number": answered}).encode()) == 200
            answered += 1
        assert done.result().code in (0, 1)
        interrupt(process)
        assert doubtful.wait(process).code == 0
    kept = [json.loads(line)["call"] for line in file.read_text().splitlines()]
    assert {one["number"] for one in kept if "number" in one} == set(range(answered))
    assert {one["contact"]["email"] for one in kept} == {f"p{n}@exemplo.com.br" for n in (2, 9)} | {
        "***"
    }


def test_rows_of_a_killed_run_are_settled_too(workspace: Workspace, box: RunningSandbox) -> None:
    workspace.write("m.yaml", MAPPING)
    workspace.write("list.csv", LIST)
    box.set_faults(Faults(hang_after=1.0))
    process = workspace.start(*RUN)
    until(lambda: len(box.conversions()) == 4)  # all that may be open
    process.kill()
    process.communicate()
    box.set_faults(Faults())
    arrived = {c["email"] for c in box.conversions()}
    before, accepted = counts(workspace)
    result = settled(workspace, lines=[c for n, c in enumerate(calls()) if address(n) in arrived])
    assert result["settled"] == before == 4
    assert counts(workspace) == (0, accepted + before)
    again = workspace.here(*RUN).summary
    assert again["already_imported"] == len(arrived)
    assert len(box.conversions()) == ROWS


def address(number: int) -> str:
    return f"p{number}@exemplo.com.br"


class Meanwhile(People):
    """People to forget while another call arrives, for which the disk then has no room."""

    def __init__(self, email: str, log: Path, full: ExitStack) -> None:
        super().__init__([email])
        self.log, self.full, self.called = log, full, False

    def out_of(self, text: str) -> str:
        if not self.called:
            self.called = True
            with self.log.open("a") as calls:
                calls.write('{"call": "of another"}\n')
            self.full.enter_context(small_files(30))
        return super().out_of(text)


def test_a_call_that_cannot_be_carried_over_while_a_person_is_erased_is_said_to_be_lost(
    tmp_path: Path,
) -> None:
    log = tmp_path / "webhooks-x.jsonl"
    log.write_text('{"call": "p1@exemplo.com.br"}\n')
    with ExitStack() as full, pytest.raises(ReportError, match=r"webhooks-x\.jsonl .* is lost"):
        remove_traces([tmp_path], Meanwhile("p1@exemplo.com.br", log, full), [])
    assert log.read_text().startswith('{"call": "***"}\n')
