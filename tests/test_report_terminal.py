"""The end of a run in a terminal."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reports import Office

from rdimport.cli.screen.run import lines
from rdimport.core.row import State
from rdimport.ledger import figures
from rdimport.report.html.page import pace_facts
from rdimport.report.words import Words
from rdimport.sandbox.embedded import RunningSandbox

ROWS = (
    ("sem arroba", "Ana"),
    ("bia@exemplo.com.br", "Bia", "9", "XX"),
    ("caio@exemplo.com.br", "Caio", "", "", "", "nada"),
    ("dora@exemplo.com.br", "Dora", "", "", "", "", "talvez"),
    ("eva@exemplo.com.br", "Eva"),
)


@pytest.fixture
def office(tmp_path: Path, box: RunningSandbox) -> Office:
    return Office(tmp_path, box)


def told(office: Office, *rows: tuple[str, ...], width: int = 80, **options: object) -> str:
    summary = office.run(office.write(*rows)).summary
    with office.ledger() as ledger:
        examples = figures.examples(ledger.run(), 1)
    return lines(summary, examples, width, **options)  # type: ignore[arg-type]


def test_the_counts_stand_under_each_other_and_add_up(office: Office) -> None:
    text = told(office, *ROWS)
    head = text.split("\n\n")[0]
    counts = {name: int(n) for n, name in re.findall(r"^ +(\d+)  (\w+)", head, re.MULTILINE)}
    assert counts == {"accepted": 1, "invalid": 4, "total": 5}


def test_the_three_most_frequent_problems_have_an_example_and_a_remedy(office: Office) -> None:
    text = told(office, *ROWS, ("outro errado", "F"), width=100)
    assert "          2  email.no_at" in text
    assert "e.g. row 2, column “E-mail”: “sem arroba” is no e-mail address: it has no @" in text
    assert "→ correct it, or leave the row out of the file" in text
    assert "and 2 more kinds of problems" in text
    assert len(re.findall(r"e\.g\. row", text)) == 3


def test_the_command_to_type_next_is_whole_and_works_as_it_stands(office: Office) -> None:
    text = told(office, *ROWS, width=40)
    (command,) = re.findall(r"^  (rdimport run .*)$", text, re.MULTILINE)
    words = shlex.split(command)
    assert Path(words[2]).name == "failures.xlsx"
    assert Path(words[2]).exists()
    assert words[3:] == [
        *("-m", str(Path.cwd() / "lista.yaml")),
        *("--base-url", office.box.base_url),
        *("--state-dir", str(office.home / "state")),
        *("--report-dir", str(office.home / "reports")),
    ]


@given(st.integers(10, 160), st.sampled_from(["en", "pt-BR"]))
def test_no_line_but_a_path_or_a_command_is_wider_than_the_terminal(width: int, lang: str) -> None:
    summary = {
        **dict.fromkeys(State, 12_345_678),
        "rows": 86_419_746,
        "read_to_end": True,
        "left_out": 17,
        "run_id": "20261124-220000-ab12",
        "requests": 9,
        "retries": 8,
        "throttled": 7,
        "rows_per_second": 1.91,
        "quota_used": 0.9,
        "stopped_because": "endpoint_down",
        "stopped_by": "net.tls certificate verify failed: unable to get local issuer certificate",
        "problems": {"email.no_at": 1, "rd.taken": 1, "uncertain.interrupted": 1, "x": 1},
        "suspect": {"email.typo": 7},
        "legal_bases": {"granted": 1_234_567, "declined": 12, "none": 0},
        "proved": {},
        "rules": {"unclear 503": 2},
        "files": ["a b.csv"],
        "mapping": "m.yaml",
        "base_url": "https://api.rd.services",
        "sandbox": False,
        "again": [],
        "given": ["a b.csv"],
        "started_in": "/here",
        "resend": [],
        "account": "loja",
        "failures_xlsx": "/r/failures.xlsx",
        "report_html": "/r/report.html",
    }
    for line in lines(summary, {}, width, lang=lang).splitlines():
        whole = line.startswith("  rdimport ") or ": /r/" in line
        assert whole or len(line) <= max(width, 40), line


def test_colour_is_there_only_where_it_is_asked_for_and_changes_no_text(office: Office) -> None:
    summary = office.run(office.write(*ROWS)).summary
    plain = lines(summary, {})
    assert "\x1b" not in plain
    colourful = lines(summary, {}, colour=True)
    assert "\x1b[31m" in colourful
    assert re.sub(r"\x1b\[\d*m", "", colourful) == plain


def test_a_cell_cannot_command_the_terminal(office: Office) -> None:
    good = [(f"p{i}@exemplo.com.br", "Pessoa") for i in range(20)]
    text = told(office, ("\x1b]0;pwned\x07sem arroba\x1b[2J", "Ana"), *good)
    assert "sem arroba" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def facts(**told: object) -> str:
    usual = {"accepted": 0, "refused": 0, "uncertain": 0, "retries": 0, "throttled": 0}
    usual |= {"requests": 1, "rows_per_second": 0.0, "quota_used": None}
    return ", ".join(pace_facts(usual | {"stopped_by": None} | told, Words("en")))


def test_a_rate_is_told_only_where_there_was_enough_to_judge_by() -> None:
    assert facts(accepted=1, rows_per_second=218.9) == "1 request"
    assert facts(accepted=3, requests=3, retries=1, rows_per_second=3.93) == (
        "3 requests, 1 of them a retry"
    )
    assert facts(accepted=40_000, requests=40_000, rows_per_second=2305.26) == (
        "40,000 requests, 2,305 a second"
    )
    assert facts(accepted=120, requests=120, rows_per_second=1.98).endswith("2 a second")
    alone = facts(requests=4, retries=2, stopped_by="net.refused", rows_per_second=0.1)
    assert alone == "4 attempts to connect"


def test_cells_that_look_wrong_are_not_said_to_be_sent_before_they_are(office: Office) -> None:
    rows = [("ana@exemplo.com.br", "Ana"), ("bia@gmial.com", "Bia")]
    done = office.run(office.write(*rows), limit=1)
    assert done.summary["pending"] == 1
    text = " ".join(lines(done.summary, done.examples).split())
    assert "1 cell looks wrong, but keeps no row from being sent: email.typo." in text
    assert "were sent" not in text


def test_a_run_with_nothing_left_to_do_says_so(office: Office) -> None:
    text = told(office, ("ana@exemplo.com.br", "Ana"), lang="pt-BR")
    assert "Nada mais a fazer: todas as linhas chegaram." in text
    assert "Relatório: " in text
    assert "rdimport run" not in text
