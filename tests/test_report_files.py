"""All files of a report: they show one ledger and never disagree, however the run ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import Process, dying_with_parent
from support.reports import MAPPING, ApiWorkspace, csv_rows, xlsx_rows
from support.waiting import until

from rdimport import api
from rdimport.cli.screen import check
from rdimport.cli.screen.run import lines
from rdimport.core.errors import ReportError
from rdimport.core.events import Event, RowsReported
from rdimport.core.messages.written import second
from rdimport.core.quota import Quota
from rdimport.core.row import FAILED, Problem, State
from rdimport.ledger import LegalBases, Minute, Outcome, store_of
from rdimport.mapping import Mapping
from rdimport.report import write_report
from rdimport.report.data import load_report_data
from rdimport.report.html import page
from rdimport.report.html.chart import pace, thinned
from rdimport.report.html.privacy import shortened
from rdimport.report.words import Words
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

GOOD = [(f"pessoa{i}@exemplo.com.br", f"Pessoa {i}", "(11) 98765-4321") for i in range(30)]
BAD = [("sem arroba", "Maria Souza"), ("joana@exemplo.com.br", "Joana", "9", "XX"), ("", "Ninguém")]


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox) -> ApiWorkspace:
    return ApiWorkspace(tmp_path, box)


class Page(HTMLParser):
    """What a person sees on report.html, and what a browser would load for it."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.loaded: list[str] = []
        self.text = ""
        self._cells: list[list[str]] = []
        self.source = Path(path).read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.loaded += [v or "" for n, v in attrs if n in ("src", "href", "xlink:href", "data")]
        self.loaded += [n for n, _ in attrs if n.startswith("on")]
        if tag == "tr":
            self._cells.append([])
        if tag == "td":
            self._cells[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.lasttag in ("td", "span") and self._cells and self._cells[-1]:
            self._cells[-1][-1] += data

    @property
    def counts(self) -> dict[str, int]:
        """The totals, by their label on the page."""
        rows = [row for row in self._cells if len(row) == 3 and row[0].replace(",", "").isdigit()]
        return {name.strip(): int(number.replace(",", "")) for number, name, _ in rows}

    @property
    def problems(self) -> dict[str, int]:
        found = re.findall(r"<h3>([\d,]+) × .*? <code>(.*?)</code>", self.source)
        return {code: int(rows.replace(",", "")) for rows, code in found}


def assert_agree(summary: dict[str, Any]) -> None:
    """The four files of a run hold the same counts, rows and problems."""
    assert json.loads(Path(summary["summary_json"]).read_text("utf-8")) == summary
    rows = csv_rows(summary["failures_csv"])
    assert xlsx_rows(summary["failures_xlsx"]) == rows
    states = Counter(row["rdimport_state"] for row in rows)
    assert states == {s: summary[s] for s in FAILED if summary[s]}
    codes = Counter(c for row in rows for c in set(row["rdimport_code"].split(" | ")))
    assert codes == summary["problems"]
    page = Page(summary["report_html"])
    counts = {s.replace("_", " "): summary[s] for s in State if summary[s]}
    assert page.counts == counts | {"total": summary["rows"]}
    assert page.problems == summary["problems"]
    first = openpyxl.load_workbook(summary["failures_xlsx"]).worksheets[0]
    cells = [[c.value for c in row[:2]] for row in first.iter_rows()]
    assert [summary["rows"], "total"] in cells
    assert all([rows, code] in cells for code, rows in summary["problems"].items())
    assert sum(summary[s] for s in State) == summary["rows"]


def test_every_place_tells_how_many_have_a_legal_basis(workspace: ApiWorkspace) -> None:
    mapping = MAPPING.replace("  cf_aceite: {column: Aceite, type: boolean}\n", "")
    mapping += "legal_bases: [{type: consent, status: {column: Aceite}}]\n"
    answers = ("Sim, concordo", "Aceito", "Não concordo", "", "", "")
    rows = [(f"p{n}@exemplo.com", "Ana", *[""] * 4, answer) for n, answer in enumerate(answers)]
    checked = api.check([workspace.write(*rows)], Mapping.parse(mapping), keep=False)
    path = workspace.write(*rows, ("sem arroba", "Bia", *[""] * 4, "Sim"))
    summary = workspace.run(path, mapping=mapping).summary
    counted = {"granted": 2, "declined": 1, "none": 3}
    assert checked.legal_bases == summary.legal_bases == LegalBases(**counted)
    english = "6 valid rows not sent before, including duplicates: granted 2, declined 1, none 3."
    portuguese = "concedida 2, recusada 1, nenhuma 3."
    assert english in " ".join(" ".join(check.lines(checked, None, "en")).split())
    assert portuguese in " ".join(lines(summary, {}, 80, lang="pt-BR").split())
    page_text = Page(summary.report_html).text
    assert english in page_text or portuguese in page_text


def test_the_legal_basis_of_a_row_that_did_not_change_is_not_counted(
    workspace: ApiWorkspace,
) -> None:
    mapping = MAPPING.replace("  cf_aceite: {column: Aceite, type: boolean}\n", "")
    mapping += "legal_bases: [{type: consent, status: {column: Aceite}}]\non_change: send\n"
    rows = [(f"p{n}@exemplo.com", "Ana", *[""] * 4, "Sim") for n in range(4)]
    assert workspace.run(workspace.write(*rows), mapping=mapping).summary.legal_bases == (4, 0, 0)
    changed = workspace.write(*rows[1:], (rows[0][0], "Bia", *rows[0][2:]))
    summary = workspace.run(changed, mapping=mapping).summary
    assert (summary.counts[State.ACCEPTED], summary.legal_bases) == (1, LegalBases(1, 0, 0))


def test_a_run_that_finished(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD, *BAD, GOOD[0]))
    assert done.counts[State.ACCEPTED] == 30
    assert_agree(done.summary.as_json())


def test_a_run_without_failures(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD))
    assert_agree(done.summary.as_json())
    assert "Nothing left to do" in Page(done.summary.report_html).text


def test_a_run_that_met_refusals_and_doubts(workspace: ApiWorkspace) -> None:
    workspace.box.set_faults(Faults(odd=0.3, odd_status=422, reset_after=0.1, fail_before=0.1))
    done = workspace.run(workspace.write(*GOOD, *BAD))
    assert done.counts[State.UNCERTAIN]
    assert done.counts[State.REFUSED]
    assert_agree(done.summary.as_json())


def test_a_run_that_stopped_and_the_one_that_went_on(workspace: ApiWorkspace) -> None:
    file = workspace.write(*GOOD, *BAD)
    stopped = workspace.run(file, limit=10)
    assert stopped.counts[State.PENDING] == 20
    assert_agree(stopped.summary.as_json())
    page = Page(stopped.summary.report_html).text
    assert "It stopped because it sent as many rows as --limit allows." in page
    assert "Send the rows that are still pending" in page
    resumed = workspace.run(file)
    assert resumed.counts[State.ALREADY_IMPORTED] == 10
    assert_agree(resumed.summary.as_json())


def test_a_run_whose_key_was_refused(workspace: ApiWorkspace) -> None:
    workspace.box.switch_key(workspace.box.api_key, active=False)
    try:
        done = workspace.run(workspace.write(*GOOD, *BAD))
    finally:
        workspace.box.switch_key(workspace.box.api_key, active=True)
    assert done.summary.stopped_because == "key_refused"
    assert_agree(done.summary.as_json())


def test_a_run_that_was_killed_and_the_one_that_took_it_up(workspace: ApiWorkspace) -> None:
    file = workspace.write(*GOOD, *BAD)
    workspace.box.set_faults(Faults(hang_after=1.0, skip=4))
    script = (
        "import sys; from pathlib import Path; from support.reports import ApiWorkspace;"
        "from rdimport.sandbox.embedded import RunningSandbox;"
        "home, url, key, file = sys.argv[1:];"
        "ApiWorkspace(Path(home), RunningSandbox(url, key, '')).run(file, concurrency=1)"
    )
    words = [str(workspace.home), workspace.box.base_url, workspace.box.api_key, file]
    child = Process(
        [sys.executable, "-c", script, *words],
        cwd=Path(__file__).parent,
        stderr=subprocess.PIPE,
        preexec_fn=dying_with_parent(),
    )
    until(lambda: workspace.box.requests >= 5)
    child.kill()
    child.communicate()
    with workspace.ledger() as ledger:
        killed = ledger.run()
        unfinished = write_report(killed, workspace.home / "reports").as_json()
        assert unfinished["finished_at"] is None
    assert_agree(unfinished)
    workspace.box.set_faults(Faults())
    resumed = workspace.run(file)
    assert_agree(resumed.summary.as_json())
    with workspace.ledger() as ledger:
        known = ledger.run(killed.name)
        written = write_report(known, workspace.home / "reports").as_json()
    assert written["stopped_because"] == "killed"
    assert written["uncertain"] == resumed.counts[State.UNCERTAIN]
    assert_agree(written)
    assert_cells_were_read_again(written)
    Path(file).write_text(Path(file).read_text("utf-8") + "\n", "utf-8")
    with workspace.ledger() as ledger:
        changed = write_report(ledger.run(killed.name), workspace.home / "reports").as_json()
    assert_agree(changed)
    (blank,) = doubtful(changed)
    assert (blank["E-mail"], blank["rdimport_code"]) == ("", "uncertain.interrupted")
    assert "1 uncertain row is listed without its cells" in Page(changed["report_html"]).text
    emails = [c["email"] for c in workspace.box.conversions()]
    assert len(emails) == len(set(emails))


def doubtful(summary: dict[str, Any]) -> list[dict[str, str]]:
    lines = csv_rows(summary["failures_csv"])
    return [line for line in lines if line["rdimport_state"] == State.UNCERTAIN]


def assert_cells_were_read_again(summary: dict[str, Any]) -> None:
    """The ledger has no cells of a row that was in flight: they come from the input."""
    (line,) = doubtful(summary)
    number = int(line["rdimport_row"]) - 2
    assert (line["E-mail"], line["Nome"], line["Celular"]) == GOOD[number]


def test_cells_that_look_wrong_are_counted_where_their_rows_can_be_sent(
    workspace: ApiWorkspace,
) -> None:
    rows = [("vendas@exemplo.com.br", "Ana"), ("contato@exemplo.com.br", "Bia", "9")]
    mapping = MAPPING + "checks: {email: {role: suspect}}\n"
    done = workspace.run(workspace.write(*GOOD, *rows), mapping=mapping)
    assert (done.counts[State.ACCEPTED], done.counts[State.INVALID]) == (31, 1)
    assert done.summary.suspect == {"email.role": 1}
    assert done.summary.problems == {"phone.too_short": 1}
    assert_agree(done.summary.as_json())
    assert "No reason not to send, but worth checking" in Page(done.summary.report_html).text


def test_the_same_report_can_be_written_again(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD, *BAD))
    names = ("summary_json", "failures_csv", "report_html")
    was = {name: Path(done.summary.as_json()[name]).read_bytes() for name in names}
    with workspace.ledger() as ledger:
        again = write_report(ledger.run(), done.report_dir.parent)
    assert again == done.summary
    assert {name: Path(again.as_json()[name]).read_bytes() for name in names} == was
    assert_agree(again.as_json())


@pytest.mark.parametrize("name", ["failures.csv", "failures.xlsx"])
def test_what_a_person_has_corrected_is_not_replaced(name: str, workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD, *BAD))
    corrected = done.report_dir / name
    corrected.write_bytes(b"corrected")
    written = (done.report_dir / "summary.json").stat().st_mtime
    os.utime(corrected, (written + 60, written + 60))
    with workspace.ledger() as ledger:
        with pytest.raises(ReportError, match="was changed after the report was written"):
            write_report(ledger.run(), done.report_dir.parent)
        assert corrected.read_bytes() == b"corrected"
        corrected.rename(done.report_dir / f"my-{name}")
        write_report(ledger.run(), done.report_dir.parent)
    assert corrected.exists()


def test_a_report_of_a_run_at_work_tells_of_one_moment(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD, *BAD))
    with workspace.ledger() as reading, store_of(workspace.home / "state").open() as writing:
        at_work = writing.run()
        more = iter(range(1000, 2000))

        def go_on(event: Event) -> None:
            if not isinstance(event, RowsReported):
                return
            end = Outcome(0, next(more), State.INVALID, (Problem("email.no_at"),), ())
            at_work.record_rows(1, 0, [end])

        report = write_report(reading.run(), done.report_dir.parent, on_event=go_on)
        assert next(more) > 1000
    assert report == done.summary
    assert_agree(report.as_json())


def test_progress_tells_of_every_row_of_each_list(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*BAD))
    seen: list[Event] = []
    with workspace.ledger() as ledger:
        write_report(ledger.run(), done.report_dir.parent, on_event=seen.append)
    assert sum(event.rows for event in seen if isinstance(event, RowsReported)) == 2 * len(BAD)


def test_the_page_needs_nothing_but_itself_and_runs_nothing(workspace: ApiWorkspace) -> None:
    attack = "<script>alert(1)</script><img src=http://example.com/x onerror=alert(1)>"
    mapping = 'conversion_identifier: "<b>&"\nfields: {email: "<i>E-mail</i>", name: Nome}\n'
    file = workspace.home / "<u>lista&.csv"
    file.write_text(f"<i>E-mail</i>;Nome;Nota\n{attack};Ana;x\nana@exemplo.com.br;{attack};y\n")
    done = workspace.run(file, mapping=mapping, quota=Quota(100, 1.0), full_report=True)
    page = Page(done.summary.report_html)
    assert page.loaded == []
    assert not {"script", "img", "link", "iframe", "i", "u", "b"} & set(page.tags)
    assert "default-src 'none'" in page.source
    assert attack in page.text
    assert "<u>lista&.csv" in page.text


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_personal_data_is_shortened_unless_all_of_it_is_asked_for(
    workspace: ApiWorkspace, lang: str
) -> None:
    rows = [
        ("maria.souza exemplo.com.br", "Maria"),
        ("a@exemplo.com.br; paulo.lima@exemplo.com.br", "Paulo"),
        ("caio@exemplo.com.br", "Caio", "91234-5678", "XX"),
    ]
    done = workspace.run(workspace.write(*rows), lang=lang)
    page = Page(done.summary.report_html)
    for personal in ("maria", "souza", "paulo", "lima", "91234", "5678"):
        assert personal not in page.text.lower()
    assert "p***@exemplo.com.br" in page.text
    assert "“XX”" in page.text
    full = Page(
        workspace.run(workspace.write(*rows), lang=lang, full_report=True).summary.report_html
    )
    assert "paulo.lima@exemplo.com.br" in full.text
    assert "91234-5678" in full.text


def test_a_long_cell_is_shortened_in_one_pass() -> None:
    """It would take hours if each letter were tried as the start of an address."""
    assert shortened("x" * 1_000_000) == "x***"
    assert shortened("x" * 1_000_000 + "@exemplo.com.br") == "x***@exemplo.com.br"


@given(st.from_regex(r"[a-z]{2,12}\.[a-z]{2,12}", fullmatch=True), st.integers(0, 10**11))
def test_no_address_and_no_number_survives_being_shortened(name: str, number: int) -> None:
    phone = f"{number:011d}"
    short = shortened(f"{name}@exemplo.com.br / ({phone[:2]}) {phone[2:7]}-{phone[7:]}")
    assert name not in short
    assert f"{name[0]}***@exemplo.com.br" in short
    assert len(re.sub(r"\D", "", short)) <= 2


def test_the_pace_adds_up_to_the_requests_and_has_every_minute(workspace: ApiWorkspace) -> None:
    workspace.box.set_faults(Faults(throttle=0.2, retry_after=0, at_most=5))
    done = workspace.run(workspace.write(*GOOD))
    with workspace.ledger() as ledger:
        minutes = ledger.run().minutes()
    assert sum(m.requests for m in minutes) == done.summary.requests > 30
    assert sum(m.throttled for m in minutes) == done.summary.throttled > 0
    assert sum(m.accepted for m in minutes) == done.counts[State.ACCEPTED]
    assert [m.minute for m in minutes] == list(range(len(minutes)))


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 3), max_size=1500))
def test_a_long_run_is_drawn_with_few_points_and_no_peak_above_its_own(
    counts: list[tuple[int, int, int]],
) -> None:
    minutes = [Minute(i, *row) for i, row in enumerate(counts)]
    points = thinned(minutes)
    assert len(points) <= 120
    assert (len(points) > 0) == (len(minutes) > 0)
    assert max((p.requests for p in points), default=0) <= max((c[0] for c in counts), default=0)


def test_a_field_that_no_row_fills_is_named(workspace: ApiWorkspace) -> None:
    done = workspace.run(workspace.write(*GOOD))
    page = Page(done.summary.report_html)
    (message,) = re.findall(r"Fields that are empty in every row: ([^.]*)\.", page.text)
    assert set(message.split(", ")) == {"cf_aceite", "cf_documento", "cf_interesse", "state"}


def test_a_field_is_filled_where_its_value_is_sent(workspace: ApiWorkspace) -> None:
    rows = [
        ("a@exemplo.com.br", '"name":'),
        ("b@exemplo.com.br", "", "", "SP"),
        ("sem arroba", "C"),
    ]
    workspace.run(workspace.write(*rows))
    with workspace.ledger() as ledger:
        filled = ledger.run().filled()
    assert filled["email"] == 2
    assert filled["name"] == 1
    assert filled["state"] == 1
    assert filled["cf_documento"] == 0


def test_a_run_over_several_minutes_is_drawn_with_its_quota() -> None:
    minutes = [Minute(i, 100, i % 3, 95) for i in range(30)]
    svg = pace(minutes, 120.0, Words("en"))
    assert "<svg" in svg
    for text in ("other responses, or none", "accepted", "429, too many requests", "quota 120"):
        assert f">{text}</li>" in svg
    assert "<script" not in svg
    assert 'aria-label="Requests in each of 30 minutes; the busiest had 100."' in svg


@pytest.mark.parametrize("length", [2, 17, 300, 1440])
def test_a_column_stays_within_the_picture_and_no_minute_gets_lost(length: int) -> None:
    minutes = [Minute(i, 100 + i % 7, i % 3, 90) for i in range(length)]
    svg = pace(minutes, 120.0, Words("en"))
    drawn = re.findall(r'class="column (\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', svg)
    assert {kind for kind, *_ in drawn} >= {"accepted", "other"}
    assert all(float(x) >= 0 and float(x) + float(w) <= 600.1 for _, x, _, w in drawn)
    assert all(0 <= float(y) <= 120 for _, _, y, _ in drawn)
    assert sum(kind == "accepted" for kind, *_ in drawn) >= min(length, 60)


def test_no_command_of_the_page_breaks_within_an_option(workspace: ApiWorkspace) -> None:
    source = Page(workspace.run(workspace.write(*BAD)).summary.report_html).source
    # quoted if this checkout's path has a space
    assert re.search(r'/lista\.yaml(&#x27;)? <span class="option">--base-url</span> http', source)
    assert ".option { white-space: nowrap; }" in source


def test_a_time_is_that_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    time.tzset()
    try:
        assert second("2026-11-25T02:30:00+00:00") == "2026-11-24 23:30:00 (UTC-03:00)"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_disk_that_is_full_is_reported_with_what_to_do(workspace: ApiWorkspace) -> None:
    workspace.run(workspace.write(*GOOD))
    with workspace.ledger() as ledger:
        run = ledger.run()
        story = load_report_data(run, workspace.home)
        with pytest.raises(ReportError, match="cannot be written") as caught:
            page.write(story, Path("/dev/null/report.html"))
    assert "safe in the ledger" in caught.value.remedy
