"""Uncertain rows have the same colour everywhere: violet."""

from __future__ import annotations

import colorsys
import re
from importlib import resources
from pathlib import Path

import openpyxl
import pytest
from support.reports import ApiWorkspace

from rdimport.cli.screen.run import lines
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox


def is_violet(colour: str) -> bool:
    """Whether `#rrggbb` is violet, however dark or pale."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, _lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    return 250 <= hue * 360 <= 285 and saturation > 0.15


@pytest.mark.parametrize(
    ("room", "sheet", "names"),
    [
        ("rdimport.report.html", "page.css", ["uncertain"]),
        ("rdimport.sandbox.page", "static/page.css", ["doubt", "doubt-soft"]),
    ],
)
def test_in_every_scheme_of_a_page(room: str, sheet: str, names: list[str]) -> None:
    css = resources.files(room).joinpath(sheet).read_text("utf-8")
    for name in names:
        found = re.findall(rf"--{name}: (#\w{{6}});", css)
        assert len(found) >= 2
        assert all(map(is_violet, found)), (name, found)


def test_in_the_workbook_and_on_the_terminal(tmp_path: Path, box: RunningSandbox) -> None:
    workspace = ApiWorkspace(tmp_path, box)
    box.set_faults(Faults(reset_after=1.0))
    summary = workspace.run(workspace.write(("ana@exemplo.com.br", "Ana"))).summary
    for sheet in openpyxl.load_workbook(summary.failures_xlsx).worksheets[:2]:
        fills = {
            f"#{cell.fill.fgColor.rgb[2:]}"
            for row in sheet.iter_rows()
            for cell in row
            if cell.value == "uncertain"
        }
        assert len(fills) == 1
        assert is_violet(fills.pop())
    assert "\x1b[35muncertain" in lines(summary, {}, colour=True)
