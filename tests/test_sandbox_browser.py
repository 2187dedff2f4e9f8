"""The sandbox's page in a real browser: an import from the first key to the last refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import Process, dying_with_parent
from support.programs import working_browser
from support.waiting import TIMEOUT
from support.web import NO_TLS

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = pytest.mark.xdist_group("browser")

MAPPING = """
version: 1
conversion_identifier: Feira
fields: {email: E-mail, name: Nome, cf_interese: Interesse}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with working_browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running(SandboxOptions(plan="600/min", new_key="outra")) as started:
        yield started


class Opened:
    """A page without errors so far."""

    def __init__(self, browser: Any, sandbox: RunningSandbox, **context: Any) -> None:
        self.context = browser.new_context(**{"locale": "en-US", **context})
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT * 1000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        self.page.goto(sandbox.page_url)
        self.page.wait_for_url(f"{sandbox.base_url}/")
        self.base_url = sandbox.base_url

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert self.complaints == []


def start_import(folder: Path, sandbox: RunningSandbox, key: str) -> subprocess.Popen[str]:
    """Start the command as a person does, on 400 rows, 20 a second."""
    lines = [f"p{n}@exemplo.com.br,Pessoa {n},x" for n in range(400)]
    (folder / "leads.csv").write_text("E-mail,Nome,Interesse\n" + "\n".join(lines) + "\n")
    (folder / "leads.yaml").write_text(MAPPING)
    command = f"run leads.csv -m leads.yaml --base-url {sandbox.base_url} --quota 20/s --json"
    return Process(
        [sys.executable, "-m", "rdimport", *command.split(), "--state-dir", "state"],
        cwd=folder,
        env={**os.environ, "RDIMPORT_API_KEY": key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent(),
    )


def test_a_person_makes_a_key_watches_an_import_arrive_and_stops_it_by_switching_the_key_off(
    browser: Any, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    sandbox.clear()
    with Opened(browser, sandbox, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.get_by_label("Name of the new key").fill("planilhas")
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("status").get_by_role("button", name="Copy the key planilhas").click()
        page.get_by_text("Copied").wait_for()
        key = page.evaluate("navigator.clipboard.readText()")

        started = start_import(tmp_path, sandbox, key)
        # No reload: the page updates itself.
        page.get_by_role("link", name="Pessoa").first.wait_for()
        page.get_by_text("cf_interese").wait_for()

        page.get_by_role("switch", name="planilhas").press("Space")
        output, errors = started.communicate(timeout=TIMEOUT)
        page.get_by_text("The key planilhas is inactive.").first.wait_for()
        page.get_by_role("link", name="See all: Contacts").click()
        page.get_by_label("Search by name or e-mail").fill("p0@")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Pessoa 0", exact=True).click()
        assert page.get_by_role("heading", level=1).inner_text() == "Pessoa 0"
        assert "cf_interese" in page.locator("#request mark").inner_text()
        assert key not in page.content()

    summary = json.loads(output)
    assert started.returncode == 3
    assert summary["accepted"] == len(sandbox.conversions()) > 0
    assert summary["accepted"] + summary["pending"] == summary["rows"] == 400
    assert "the endpoint refuses the API key" in errors
    assert key not in output + errors


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_no_page_has_a_barrier_that_axe_finds_nor_scrolls_sideways(
    browser: Any, sandbox: RunningSandbox, scheme: str, width: int
) -> None:
    sandbox.clear()
    sandbox.set_faults(Faults())
    url = f"{sandbox.base_url}/platform/conversions?api_key={sandbox.api_key}"
    payload: dict[str, object] = {"conversion_identifier": "Feira", "email": "ana@exemplo.com.br"}
    payload |= {"name": "Ana " * 40, "tags": ["feira"], "cf_perdido": "x"}
    for changes in ({}, {"email": "ana" * 50}, {"tags": ["A"]}):
        envelope = {"event_type": "CONVERSION", "event_family": "CDP"}
        httpx.post(url, json={**envelope, "payload": {**payload, **changes}}, verify=NO_TLS)
    contact = sandbox.contacts()[0]["id"]
    sandbox.set_faults(Faults(odd=0.5))
    viewport = {"width": width, "height": 850}
    with Opened(browser, sandbox, viewport=viewport, color_scheme=scheme) as page:
        for path in ("/", "/sandbox/contacts", f"/sandbox/contacts/{contact}", "/sandbox/faults"):
            page.goto(sandbox.base_url + path)
            assert barriers(page) == []
        page.goto(f"{sandbox.base_url}/sandbox/refused")
        page.locator(".turned-away summary").first.click()
        page.locator("#account summary").click()
        assert barriers(page) == []
    sandbox.set_faults(Faults())


def barriers(page: Any) -> list[str]:
    found = [
        f"{page.url} {violation['id']}: {violation['nodes'][0]['html']}"
        for violation in axe.Axe().run(page).response["violations"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{page.url} scrolls sideways")
    return found


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
def test_the_names_of_all_pages_fit_on_a_phone(
    browser: Any, sandbox: RunningSandbox, locale: str
) -> None:
    with Opened(browser, sandbox, viewport={"width": 390, "height": 850}, locale=locale) as page:
        page.locator(".sections a").last.click()
        page.locator(".sections li").last.locator("[aria-current]").wait_for()
        assert page.locator("html").get_attribute("lang") == locale.removesuffix("-US")
        is_cut = page.locator(".sections ul").evaluate(
            "list => list.scrollWidth > list.clientWidth"
        )
        assert not is_cut


def test_everything_can_be_reached_and_used_by_keyboard(
    browser: Any, sandbox: RunningSandbox
) -> None:
    with Opened(browser, sandbox) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.locator("#account summary").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Name of the new account").wait_for()
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.localName") == "summary"
        page.get_by_label("Name of the new key").focus()
        page.keyboard.type("pelo teclado")
        page.keyboard.press("Enter")
        page.get_by_role("switch", name="pelo teclado").wait_for()


def test_what_a_person_types_and_opens_survives_the_page_following_along(
    browser: Any, sandbox: RunningSandbox
) -> None:
    sandbox.clear()
    url = f"{sandbox.base_url}/platform/conversions"
    httpx.post(url)
    with Opened(browser, sandbox) as page:
        page.get_by_label("Name of the new key").fill("meio escri")
        page.locator(".turned-away summary").first.click()
        httpx.post(f"{url}?api_key=wrong", verify=NO_TLS)
        page.get_by_text("No account has this key.").wait_for()
        assert page.get_by_label("Name of the new key").input_value() == "meio escri"
        assert page.locator(".turned-away details[open]").count() == 1
        assert "No api_key" in page.locator(".turned-away details[open] summary").inner_text()


def test_the_page_says_when_the_sandbox_is_gone(browser: Any) -> None:
    with running() as sandbox:
        opened = Opened(browser, sandbox)
    opened.page.get_by_text("Disconnected").wait_for()
    opened.context.close()
