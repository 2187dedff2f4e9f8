"""report.html in a real browser, on a phone and on a desktop."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from support.command import Workspace
from support.lists import MAPPING, people
from support.programs import working_browser

from rdimport.ledger import Minute
from rdimport.report.html.chart import pace
from rdimport.report.words import Words

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with working_browser() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page()
    yield opened
    opened.close()


def on_each_screen(page: Any) -> Iterator[int]:
    """Show the page on a phone, then on a desktop; it has to fit. Yields the width."""
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 850})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        yield width


def test_a_report_says_first_whether_it_worked_and_fits_its_screen(
    page: Any, workspace: Workspace
) -> None:
    workspace.write("list.yaml", MAPPING + "  # a comment\n")
    workspace.write("list.csv", people(3) + "ninguem,Fulano\n")
    words = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")
    summary = workspace.do(*words, "--lang", "pt-BR").summary
    page.goto(f"file://{workspace.home / summary['report_html']}")
    for width in on_each_screen(page):
        verdict = page.locator("h1 + p").inner_text()
        assert verdict == "Deu certo, mas 1 linha precisa de atenção."
        first, second = (page.locator(".mapping tr").nth(1).locator("td").nth(n) for n in (0, 1))
        is_stacked = second.bounding_box()["y"] > first.bounding_box()["y"]
        assert is_stacked == (width == 390)


def test_the_chart_of_a_long_run_is_whole(page: Any, tmp_path: Path) -> None:
    css = resources.files("rdimport.report.html").joinpath("page.css").read_text("utf-8")
    picture = pace([Minute(n, 120_000, 119_000, 40) for n in range(600)], 120_000.0, Words("pt-BR"))
    written = tmp_path / "chart.html"
    written.write_text(f"<!doctype html><style>{css}</style><body>{picture}</body>", "utf-8")
    page.goto(f"file://{written}")
    for width in on_each_screen(page):
        box = page.locator("svg").bounding_box()
        assert box["width"] > width / 2
        assert box["x"] + box["width"] <= width


def test_the_page_of_all_accounts_is_accessible_and_fits_its_screen(
    page: Any, workspace: Workspace
) -> None:
    """After a good and a bad night."""
    workspace.write("list.yaml", MAPPING)
    workspace.write("list.csv", people(3) + "ninguem,Fulano\n")
    words = ("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--account", "a" * 60)
    assert workspace.do(*words).code == 1
    assert workspace.do("run", "none.csv", "-m", "list.yaml", "--account", "another").code == 2
    assert workspace.do("status", "--html", "status.html", "--lang", "pt-BR").code == 0
    page.goto(f"file://{workspace.home / 'status.html'}")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for _width in on_each_screen(page):
            assert page.locator(".nights").first.locator("li").count() == 30
            found = axe.Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
