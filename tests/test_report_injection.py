"""What a stranger writes in a list reaches every output as text only."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from support.command import Workspace
from test_cli_notify import Web, notifying, secret, web

__all__ = ["notifying", "secret", "web"]

# apprise and its libraries use what Python 3.13 removes
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MARK = "Zqx7"
ATTACKS = {
    "formula": f'=HYPERLINK("http://127.0.0.1:9/?"&A1,"{MARK}")',
    "plus": f"+{MARK}|' /C calc'!A0",
    "minus": f"-2+3+{MARK}",
    "at": f"@SUM(1){MARK}",
    "tab": f"\t=1+1{MARK}",
    "fullwidth": f"＝1+1{MARK}",
    "array": f"{{={MARK}}}",
    "colours": f"\x1b[31m{MARK}\x1b]0;owned\x07\x1b[2J",
    "c1": f"\x9b31m{MARK}",
    "backspaces": f"ok{chr(8) * 2}{MARK}\x7f",
    "direction": f"\u202e{MARK}.exe",
    "invisible": f"\u200b\ufeff{MARK}\u2066",
    "markup": f'"><script>alert("{MARK}")</script><img src=x onerror=alert(1)>',
    "attribute": f"' onmouseover='alert(1)' {MARK}",
    "shell": f"`{MARK}` $(id) --resend",
    "format": f"{MARK} {{0}} {{name}} %s %(name)s",
    "line": f"a\r\n2026-01-01 run_finished forged={MARK}",
    "separator": f"a\u2028rdimport: {MARK}",
}
STEERS = ("Cc", "Cf", "Cs", "Zl", "Zp")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MAPPING = {
    "version": 1,
    "conversion_identifier": "x",
    "fields": {"email": "E-mail", "name": "Nome"},
}

attacks = pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))


def reached(text: str, *, by_lines: bool = True) -> None:
    """Whether the text came through as nothing but text."""
    assert MARK in text
    assert not {c for c in text if unicodedata.category(c) in STEERS and c != "\n"}
    assert not by_lines or not [
        x for x in text.splitlines() if x.startswith(("2026-01-01", f"rdimport: {MARK}"))
    ]


def run(workspace: Workspace, attack: str) -> Path:
    """Import a list whose name, heading and cells are the attack; returns the report's folder."""
    name = f"{attack.replace('/', '_')}.csv"
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["E-mail", "Nome", attack])
    rows.writerow([attack, attack, attack])
    for _ in range(50):  # a few control characters in much text, which is a list then
        rows.writerow(["pessoa@exemplo.com.br", "Pessoa da Silva", "Rua das Flores"])
    workspace.write(name, out.getvalue())
    workspace.write("list.yaml", json.dumps(MAPPING))
    log = ("--quota", "none", "--full-report", "--log-file", "log", "--log-format", "text")
    done = workspace.here("run", f"./{name}", "-m", "list.yaml", *log)
    assert done.code == 1, done.err
    reached(done.out + done.err)
    reached((workspace.home / "log").read_text(encoding="utf-8"))
    (folder,) = workspace.reports.iterdir()
    return folder


class Page(HTMLParser):
    """The text of a page, with its elements and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.built: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.built.add(tag)
        self.built |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@attacks
def test_a_list_of_a_stranger_is_text_on_the_screen_in_the_log_and_in_every_file_of_a_report(
    attack: str, workspace: Workspace
) -> None:
    folder = run(workspace, attack)
    page = (folder / "report.html").read_text(encoding="utf-8")
    reached(page, by_lines=False)
    built = Page(page)
    assert any(MARK in text for text in built.text)
    assert not built.built & {"img", "onerror", "onmouseover"}
    assert "alert(" not in "".join(page.split("<script")[1:])

    summary = (folder / "summary.json").read_text(encoding="utf-8")
    reached(summary)
    assert json.loads(summary)["given"] == [f"./{attack.replace('/', '_')}.csv"]

    with (folder / "failures.csv").open(encoding="utf-8-sig", newline="") as opened:
        text = opened.read()
    (failed,) = csv.DictReader(io.StringIO(text))
    theirs = {"E-mail", "Nome", *(name for name in failed if MARK in name)}
    assert failed["Nome"] == attack  # unchanged: it is corrected there and read again
    ours = {name: value for name, value in failed.items() if name not in theirs}
    assert ours
    assert not [value for value in ours.values() if value.startswith(FORMULA)]

    book = openpyxl.load_workbook(folder / "failures.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    found = [cell for cell in cells if MARK in str(cell.value)]
    assert len(found) >= 2
    assert {cell.data_type for cell in found} <= {"s", "inlineStr"}
    assert not [cell for cell in found if cell.hyperlink]


@attacks
def test_a_notification_has_it_as_text_too(attack: str, notifying: Workspace, web: Web) -> None:
    fields = {"email": "E-mail", "name": attack}
    notifying.write("list.yaml", json.dumps({**MAPPING, "fields": fields}))
    done = notifying.here("jobs", "run", "--config", "rdimport.toml", "--quiet")
    assert done.code == 2
    assert web.posted
    for letter in web.posted:
        reached(f"{letter['title']}\n{letter['message']}")
