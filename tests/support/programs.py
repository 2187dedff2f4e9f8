"""Programs that some tests need; they are skipped if one is missing or does not work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from support.processes import dying_with_parent
from support.waiting import TIMEOUT, until

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OFFICE = shutil.which("soffice")
_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""For glibc: LibreOffice allocates and frees a gigabyte in large blocks while it starts. Clearing
each block anew is half the cost of a conversion.
"""


def convert(profile: Path, *args: str) -> None:
    """Convert with LibreOffice, using its own profile folder, as one serves one process at a time.
    Raises OSError or SubprocessError.
    """
    subprocess.run(
        _office(profile, *args),
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
        env=_environment(),
    )


@contextmanager
def working_office(profile: Path) -> Iterator[None]:
    """Start LibreOffice once: conversions with the same profile are handed over to the running
    instance, which takes a tenth of the time. Skip unless a trial conversion works: the exit code
    is 0 either way.
    """
    if OFFICE is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    with TemporaryDirectory(prefix="rdimport-office-") as folder:
        file = Path(folder) / "probe.csv"
        file.write_text("a;b\n1;2\n", encoding="utf-8")
        try:
            convert(profile, "--convert-to", "xlsx", "--outdir", folder, str(file))
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"LibreOffice is installed but does not work: {error}")
        book = file.with_suffix(".xlsx")
        if not book.is_file():
            pytest.skip("LibreOffice is installed but converts nothing; is libreoffice-calc there?")
        with _opened(profile, book):
            yield


@contextmanager
def _opened(profile: Path, book: Path) -> Iterator[None]:
    """An instance that lives as long as this process: with a file open, it does not exit after a
    conversion. Linux only: elsewhere, each conversion starts one.
    """
    program = Path(str(OFFICE)).resolve().with_name("soffice.bin")  # `soffice` would not pass on
    if sys.platform != "linux" or not program.exists():  # that it has to end
        yield
        return
    running = subprocess.Popen(
        [program, *_office(profile, "--norestore", "--nologo", "--invisible", str(book))[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        preexec_fn=dying_with_parent(),
    )
    lock = book.with_name(f".~lock.{book.name}#")
    try:
        until(lambda: lock.exists() or running.poll() is not None)
        yield
    finally:
        running.kill()
        running.wait(TIMEOUT)


def _office(profile: Path, *args: str) -> list[str]:
    return [str(OFFICE), f"-env:UserInstallation={profile.as_uri()}", "--headless", *args]


def _environment() -> dict[str, str]:
    return {**os.environ, **_KEEPS_MEMORY}


@contextmanager
def working_browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; skip unless it opens a page. The tests may run as root in a
    container, where Chromium's own sandbox does not start.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with ExitStack() as until_closed:
        try:
            started = until_closed.enter_context(playwright.sync_playwright())
            browser = started.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"], timeout=TIMEOUT * 1000
            )
            until_closed.callback(browser.close)
            page = browser.new_page()
            page.goto("data:text/html,<title>ready</title>", timeout=TIMEOUT * 1000)
            page.close()
        except Exception as error:  # noqa: BLE001  Playwright raises this if its driver cannot start
            pytest.skip(
                f"Chromium is installed but does not work: {str(error).partition(chr(10))[0]}"
            )
        yield browser
