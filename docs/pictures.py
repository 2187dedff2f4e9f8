"""Make the pictures of the tutorial by following it: `make pictures`.

They are kept in the repository, as PNG files of some 50 kB each, so that the site is built without
a browser. They are made with the installed Chromium, from the list in the tutorial's page, in its
language: the terminal, the report, and the sandbox's page.
"""

from __future__ import annotations

import html
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rdimport.sandbox import SandboxOptions, running

if TYPE_CHECKING:
    from rdimport.core.messages import Language

DOCS: Final = Path(__file__).parent
_COLOURS: Final = {
    "1": "font-weight:bold",
    "2": "color:#9aa",
    "31": "color:#ff8a80",
    "32": "color:#7ddc9a",
    "34": "color:#8ab4f8",
    "35": "color:#e3a3f5",
}
_TERMINAL: Final = """<!doctype html><meta charset=utf-8><body style="margin:0">
<pre style="margin:0;width:max-content;padding:14px 18px;
background:#14191c;color:#e6eaea;font:13px/1.45 monospace">"""


class Tutorial(NamedTuple):
    """One language's page, and the folder of its pictures."""

    lang: Language
    page: Path

    @property
    def folder(self) -> Path:
        """The folder next to the page."""
        return self.page.parent / "pictures"


TUTORIALS: Final = (
    Tutorial("pt-BR", DOCS / "pt" / "tutorial.md"),
    Tutorial("en", DOCS / "tutorial.md"),
)


def make(tutorial: Tutorial, folder: Path, browser: Any) -> None:
    """Do the tutorial's first import, and save its pictures in a folder."""
    folder.mkdir(exist_ok=True)
    text = tutorial.page.read_text("utf-8")
    (name,) = set(re.findall(r"`(\w+\.csv)`", text)) - {"failures.csv"}
    mapping = f"{Path(name).stem}.yaml"
    with tempfile.TemporaryDirectory() as there, running(SandboxOptions(plan="pro")) as box:
        home = Path(there)
        (home / name).write_text(re.findall(r"```csv\n(.*?)```", text, re.DOTALL)[0], "utf-8")
        environment = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
        }
        environment |= {"HOME": there, "TERM": "xterm", "RDIMPORT_API_KEY": box.api_key}
        # Only its messages: the locale itself may not be installed, and paths may have accents.
        environment |= {"LC_CTYPE": "C.UTF-8", "LC_MESSAGES": tutorial.lang.replace("-", "_")}
        _typed(["init", name, "-o", mapping], home, environment)
        shown = _typed(["run", name, "-m", mapping, "--sandbox"], home, environment)
        _typed(["run", name, "-m", mapping, "--base-url", box.base_url], home, environment)
        (home / "run.html").write_text(_TERMINAL + _coloured(shown), "utf-8")
        report = max(home.glob("rdimport-reports/*/report.html"))
        context = browser.new_context(
            viewport={"width": 900, "height": 620}, locale=tutorial.lang, color_scheme="light"
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto((home / "run.html").as_uri())
        page.locator("pre").screenshot(path=folder / "run.png")
        page.goto(report.as_uri())
        page.screenshot(path=folder / "report.png")
        page.goto(box.page_url)
        page.wait_for_url(f"{box.base_url}/")  # it has removed the token from its address
        page.goto(f"{box.base_url}/sandbox/contacts/1")
        page.screenshot(path=folder / "sandbox.png")
        context.close()


def _typed(args: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a terminal shows for one command."""
    mine, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 100))
    with os.fdopen(mine, "rb") as screen:
        started = subprocess.Popen(  # noqa: S603  ours
            [sys.executable, "-m", "rdimport", *args],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        seen = bytearray()
        try:
            while piece := screen.read1():
                seen += piece
        except OSError:  # how Linux reports that the other end was closed
            pass
        started.wait()
    lines = seen.decode().replace("\r\n", "\n").split("\n")
    shown = (line.rstrip("\r").rpartition("\r")[2] for line in lines)
    text = f"$ rdimport {' '.join(args)}\n" + "\n".join(shown)
    return re.sub(r"\n\s*\n\s*\n", "\n\n", text)


def _coloured(text: str) -> str:
    """A terminal's text as HTML; of its escape sequences, only colours are kept."""
    text = html.escape(re.sub(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]", "", text.strip()))
    text = re.sub(r"\x1b\[0?m", "</span>", text)
    return re.sub(
        r"\x1b\[(\d+)m", lambda order: f'<span style="{_COLOURS.get(order[1], "")}">', text
    )


def main() -> None:
    """Make all pictures again."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  of the tests

    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for tutorial in TUTORIALS:
            make(tutorial, tutorial.folder, browser)
        browser.close()


if __name__ == "__main__":
    main()
