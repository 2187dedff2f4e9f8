"""A run stopped while the input is still being read: no output says that all is done."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest
from support.reports import ApiWorkspace
from support.waiting import TIMEOUT

from rdimport.api.results import RunResult
from rdimport.cli.screen.run import lines
from rdimport.core.errors import ExitCode
from rdimport.core.events import Event, RowsRead
from rdimport.core.row import State
from rdimport.report.run_status import runs
from rdimport.sandbox.embedded import RunningSandbox

GOOD = [(f"pessoa{i}@exemplo.com.br", f"Pessoa {i}") for i in range(3)]


@pytest.mark.parametrize("imported", [False, True])
def test_a_stop_while_the_input_is_read_never_says_that_nothing_is_left(
    tmp_path: Path, box: RunningSandbox, imported: bool
) -> None:
    workspace = ApiWorkspace(tmp_path, box)
    first, second = workspace.write(*GOOD), workspace.write(*GOOD, name="outra.csv")
    if imported:  # then no row read so far is left, but the list continues
        workspace.run(first)

    async def stopped() -> RunResult:
        loop = asyncio.get_running_loop()

        def at_the_first_rows(event: Event) -> None:
            if isinstance(event, RowsRead):
                signal.raise_signal(signal.SIGTERM)
                for _ in range(5):  # iterations of the loop, until the signal has reached it
                    turned = threading.Event()
                    loop.call_soon_threadsafe(turned.set)
                    assert turned.wait(TIMEOUT)

        return await workspace.begin(first, second, on_event=at_the_first_rows, signals=True)

    done = asyncio.run(stopped())
    summary = done.summary
    assert (done.exit_code, summary.read_to_end, summary.rows) == (ExitCode.STOPPED, False, 3)
    said = "not read to the end: only 3 rows were read so far"
    page = Path(summary.report_html).read_text("utf-8")
    with workspace.ledger() as ledger:
        (newest, *_) = runs(ledger, lambda _: False, ledger.latest(2))
    screen = " ".join(lines(summary, done.examples).split())
    for text in (screen, page, newest.next):
        assert said in text
        assert "Nothing left" not in text
    assert "3 read so far" in screen
    rest = workspace.run(first, second)
    assert rest.summary.read_to_end
    assert rest.summary.counts[State.PENDING] == 0
