"""What a run shows while it works: bars on a real terminal, nothing elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.command import Workspace

from rdimport.cli.screen.progress import Lines
from rdimport.core.clock import SystemClock
from rdimport.core.events import (
    ReportStage,
    RowFinished,
    RowsRead,
    RowsReported,
    SendingFinished,
    SendingStarted,
    Stopping,
    StopRequested,
    Waiting,
)
from rdimport.core.row import State
from rdimport.report.words import Words

REASON = "Windows: a program cannot be a terminal"
pty = pytest.importorskip("pty", reason=REASON)
termios = pytest.importorskip("termios", reason=REASON)

MAPPING = "conversion_identifier: Lista\nfields: {email: E-mail}\n"


def on_a_terminal(workspace: Workspace, *words: object, width: int = 100) -> str:
    """Everything that a command shows on its own terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, width))
    with workspace.start(*words, out=theirs):
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # how Linux reports that the other end was closed
                break
            if not data:
                break
            shown += data
    os.close(ours)
    return shown.decode()


@pytest.fixture
def bad(workspace: Workspace) -> Workspace:
    workspace.write("lista.csv", "E-mail\n" + "".join(f"sem arroba {i}\n" for i in range(300)))
    workspace.write("m.yaml", MAPPING)
    return workspace


def test_a_terminal_shows_reading_and_each_file_of_the_report(bad: Workspace) -> None:
    shown = on_a_terminal(bad, "run", "lista.csv", "-m", "m.yaml")
    for stage in (
        "Reading and checking: 300 rows",
        "Report: counting the problems",
        "Report: failures.csv   0% |",
        "Report: failures.xlsx   0% |",
        "0/300",
        "Report: packing failures.xlsx",
        "Report: report.html",
    ):
        assert stage in shown, stage
    assert "Sending" not in shown  # there was no row to send


def test_writing_a_report_again_shows_itself_on_a_terminal_and_stays_silent_when_quiet(
    bad: Workspace,
) -> None:
    bad.here("run", "lista.csv", "-m", "m.yaml", "--quiet")
    assert "Relatório: failures.xlsx" in on_a_terminal(bad, "report", "--lang", "pt-BR")
    assert on_a_terminal(bad, "report", "--quiet") == ""


@pytest.mark.parametrize(
    ("variable", "value", "coloured"),
    [("TERM", "xterm", True), ("TERM", "dumb", False), ("NO_COLOR", "1", False)],
)
def test_colours_are_for_terminals_that_have_them(
    bad: Workspace, variable: str, value: str, *, coloured: bool
) -> None:
    bad.environment |= {"TERM": "xterm", "NO_COLOR": "", variable: value}
    shown = on_a_terminal(bad, "run", "lista.csv", "-m", "m.yaml")
    assert ("\x1b[3" in shown) == coloured


def test_without_a_terminal_no_bar_is_drawn(bad: Workspace) -> None:
    again = bad.do("run", "lista.csv", "-m", "m.yaml")
    assert again.err == "0 rows to send\n"
    assert bad.do("report").err == ""


@pytest.mark.waits
def test_after_a_stop_no_time_is_said_to_be_left(workspace: Workspace) -> None:
    workspace.write("lista.csv", "E-mail\n" + "".join(f"p{i}@exemplo.com.br\n" for i in range(400)))
    workspace.write("m.yaml", MAPPING)
    words = ("run", "lista.csv", "-m", "m.yaml", "--quota", "20/s", "--max-duration", "6s")
    pictures = re.split(r"[\r\n]+", on_a_terminal(workspace, *words))
    sending = [picture for picture in pictures if picture.startswith("Sending")]
    assert " left" in "".join(sending)
    assert " left" not in sending[-1]
    assert "accepted" in sending[-1]


@pytest.mark.parametrize("width", [60, 110])
def test_the_bar_counts_what_a_limit_lets_through_and_shows_the_time_that_is_left(
    workspace: Workspace, width: int
) -> None:
    workspace.write("lista.csv", "E-mail\n" + "".join(f"p{i}@exemplo.com.br\n" for i in range(50)))
    workspace.write("m.yaml", MAPPING)
    words = ("run", "lista.csv", "-m", "m.yaml", "--quota", "20/s", "--limit", "30")
    shown = on_a_terminal(workspace, *words, "--lang", "pt-BR", width=width)
    sending = [p for p in re.split(r"[\r\n]+", shown) if p.startswith("Enviando")]
    during = sending[len(sending) // 2]
    assert re.search(r"\| \d+/30, .*faltam \d+,\d s\s*$", during), sending
    assert (re.search(r" \d+(,\d+)? linhas/s", during) is not None) == (width > 60), during
    assert all(len(picture.rstrip()) <= width for picture in sending)


def test_lines_speak_the_language_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "said"
    with path.open("w") as out:
        lines = Lines(out, SystemClock(), Words("pt-BR"))
        for event in (
            RowsRead("lista.csv", 2),
            SendingStarted(2000, 2.0),
            RowFinished(State.ACCEPTED),
            Waiting("net.refused", 3.0),
            StopRequested("reading"),
            Stopping(1),
            ReportStage("failures.csv", 1),
            RowsReported(1),
            SendingFinished(),
            StopRequested("report"),
        ):
            lines(event)
    assert path.read_text().splitlines() == [
        "2.000 linhas a enviar, cerca de 16 min",
        "Parando: nenhuma linha é enviada. Ctrl+C de novo encerra na hora.",
        (
            "Parando: aguardando 1 requisição por até 10 segundos. Ctrl+C de novo encerra na hora e"
            " deixa a linha dela incerta."
        ),
        "1 de 2.000 linhas enviadas: 1 aceita",
        (
            "Nada mais é enviado; só falta terminar de gravar o relatório. Ctrl+C de novo o deixa "
            "incompleto: `rdimport report` grava depois."
        ),
    ]
