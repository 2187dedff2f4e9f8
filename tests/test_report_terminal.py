"""The end of a run in a terminal."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reports import ApiWorkspace

from rdimport.cli.screen.run import lines
from rdimport.core.row import State
from rdimport.ledger import LegalBases
from rdimport.report.html.page import pace_facts
from rdimport.report.summary import RunSummary
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
def workspace(tmp_path: Path, box: RunningSandbox) -> ApiWorkspace:
    return ApiWorkspace(tmp_path, box)


def summary_of(**found: Any) -> RunSummary:
    """The summary of a run that sent one request, with the given changes."""
    usual: dict[str, Any] = {
        "run_id": "20261124-220000-ab12",
        **dict.fromkeys(("started_at", "finished_at"), "2026-11-24T22:00:00+00:00"),
        **dict.fromkeys(("exit_code", "left_out", "retries", "throttled"), 0),
        **dict.fromkeys(("stopped_because", "stopped_by", "resume_at", "quota_used"), None),
        **dict.fromkeys(("quota", "legal_bases", "wrong_column"), None),
        **{name: {} for name in ("problems", "suspect", "proved", "corrected", "rules")},
        **dict.fromkeys(("again", "resend"), ()),
        **dict.fromkeys(("files", "given"), ("a b.csv",)),
        "requests": 1,
        "rows_per_second": 0.0,
        "read_to_end": True,
        "sandbox": False,
        "mapping": "m.yaml",
        "base_url": "https://api.rd.services",
        "account": "loja",
        "job": "",
        "started_in": "/here",
        "summary_json": "/r/summary.json",
        "failures_csv": "/r/failures.csv",
        "failures_xlsx": "/r/failures.xlsx",
        "report_html": "/r/report.html",
    }
    return RunSummary(**usual | found)


def printed(
    workspace: ApiWorkspace, *rows: tuple[str, ...], width: int = 80, **options: object
) -> str:
    summary = workspace.run(workspace.write(*rows)).summary
    with workspace.ledger() as ledger:
        examples = ledger.run().examples(1)
    return lines(summary, examples, width, **options)  # type: ignore[arg-type]


def test_the_counts_stand_under_each_other_and_add_up(workspace: ApiWorkspace) -> None:
    text = printed(workspace, *ROWS)
    head = text.split("\n\n")[0]
    counts = {name: int(n) for n, name in re.findall(r"^ +(\d+)  (\w+)", head, re.MULTILINE)}
    assert counts == {"accepted": 1, "invalid": 4, "total": 5}


def test_the_three_most_frequent_problems_have_an_example_and_a_remedy(
    workspace: ApiWorkspace,
) -> None:
    text = printed(workspace, *ROWS, ("outro errado", "F"), width=100)
    assert "          2  email.no_at" in text
    assert "e.g. row 2, column “E-mail”: “sem arroba” is not an e-mail address: it has no @" in text
    assert "→ correct it, or leave the row out of the file" in text
    assert "and 2 more kinds of problems" in text
    assert len(re.findall(r"e\.g\. row", text)) == 3


def test_the_command_to_type_next_is_whole_and_works_as_it_stands(workspace: ApiWorkspace) -> None:
    text = printed(workspace, *ROWS, width=40)
    (command,) = re.findall(r"^  (rdimport run .*)$", text, re.MULTILINE)
    words = shlex.split(command)
    assert Path(words[2]).name == "failures.xlsx"
    assert Path(words[2]).exists()
    assert words[3:] == [
        *("-m", str(Path.cwd() / "lista.yaml")),
        *("--base-url", workspace.box.base_url),
        *("--state-dir", str(workspace.home / "state")),
        *("--report-dir", str(workspace.home / "reports")),
    ]


@pytest.mark.parametrize(
    ("lang", "sandbox", "said"),
    [
        ("en", False, "accepted          received by the endpoint"),
        ("en", True, "accepted          received by the sandbox, not by RD"),
        ("pt-BR", False, "aceitas        recebidas pelo endpoint"),
        ("pt-BR", True, "aceitas        recebidas pelo sandbox, não pelo RD"),
    ],
)
def test_what_a_sandbox_received_is_not_said_to_be_in_rd(
    lang: str, said: str, *, sandbox: bool
) -> None:
    counts = dict.fromkeys(State, 0) | {State.ACCEPTED: 1, State.REFUSED: 1}
    text = lines(summary_of(counts=counts, sandbox=sandbox), {}, lang=lang)
    assert f"  {said}\n" in text
    assert ("sandbox" in text) is sandbox


@given(st.integers(10, 160), st.sampled_from(["en", "pt-BR"]))
def test_no_line_but_a_path_or_a_command_is_wider_than_the_terminal(width: int, lang: str) -> None:
    summary = summary_of(
        counts=dict.fromkeys(State, 12_345_678),
        left_out=17,
        requests=90,
        retries=8,
        throttled=7,
        rows_per_second=1.91,
        quota_used=0.9,
        stopped_because="endpoint_down",
        stopped_by="net.tls certificate verify failed: unable to get local issuer certificate",
        problems={"email.no_at": 1, "rd.taken": 1, "uncertain.interrupted": 1, "x": 1},
        suspect={"email.typo": 7},
        legal_bases=LegalBases(1_234_567, 12, 0),
    )
    for line in lines(summary, {}, width, lang=lang).splitlines():
        whole = line.startswith("  rdimport ") or ": /r/" in line
        assert whole or len(line) <= max(width, 40), line


def test_colour_is_there_only_where_it_is_asked_for_and_changes_no_text(
    workspace: ApiWorkspace,
) -> None:
    summary = workspace.run(workspace.write(*ROWS)).summary
    plain = lines(summary, {})
    assert "\x1b" not in plain
    colourful = lines(summary, {}, colour=True)
    assert "\x1b[31m" in colourful
    assert re.sub(r"\x1b\[\d*m", "", colourful) == plain


def test_a_cell_cannot_command_the_terminal(workspace: ApiWorkspace) -> None:
    good = [(f"p{i}@exemplo.com.br", "Pessoa") for i in range(20)]
    text = printed(workspace, ("\x1b]0;pwned\x07sem arroba\x1b[2J", "Ana"), *good)
    assert "sem arroba" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def facts(accepted: int = 0, **changes: Any) -> str:
    counts = dict.fromkeys(State, 0) | {State.ACCEPTED: accepted}
    return ", ".join(pace_facts(summary_of(counts=counts, **changes), Words("en")))


def test_a_rate_is_told_only_where_there_was_enough_to_judge_by() -> None:
    assert facts(accepted=1, rows_per_second=218.9) == "1 request"
    assert facts(accepted=3, requests=3, retries=1, rows_per_second=3.93) == (
        "3 requests, 1 of them a retry"
    )
    assert facts(accepted=40_000, requests=40_000, rows_per_second=2305.26) == (
        "40,000 requests, 2,305 rows per second"
    )
    assert facts(accepted=120, requests=120, rows_per_second=1.98).endswith("2 rows per second")
    alone = facts(requests=4, retries=2, stopped_by="net.refused", rows_per_second=0.1)
    assert alone == "4 attempts to connect"


def test_cells_that_look_wrong_are_not_said_to_be_sent_before_they_are(
    workspace: ApiWorkspace,
) -> None:
    rows = [("ana@exemplo.com.br", "Ana"), ("bia@gmial.com", "Bia")]
    done = workspace.run(workspace.write(*rows), limit=1)
    assert done.counts[State.PENDING] == 1
    text = " ".join(lines(done.summary, done.examples).split())
    assert "1 cell looks wrong, but does not keep its row from being sent: email.typo." in text
    assert "were sent" not in text


def test_a_run_with_nothing_left_to_do_says_so(workspace: ApiWorkspace) -> None:
    text = printed(workspace, ("ana@exemplo.com.br", "Ana"), lang="pt-BR")
    assert "Nada mais a fazer: todas as linhas chegaram." in text
    assert "Relatório: " in text
    assert "rdimport run" not in text
