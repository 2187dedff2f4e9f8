"""A mapping that makes most rows invalid in one field: is it the right column?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.command import Workspace

    from rdimport.sandbox.embedded import RunningSandbox

MAPPING = "conversion_identifier: Feira\nfields: {email: E-mail, mobile_phone: Documento}\n"


def listed(workspace: Workspace, wrong: int, right: int) -> None:
    rows = [f"a{i}@example.com;{i}" for i in range(wrong)]
    rows += [f"b{i}@example.com;11 90000-{i:04}" for i in range(right)]
    workspace.write("leads.csv", "\n".join(["E-mail;Documento", *rows, ""]))
    workspace.write("m.yaml", MAPPING)


@pytest.mark.parametrize(("lang", "says"), [("en", "right column"), ("pt-BR", "coluna certa")])
def test_a_column_in_which_most_rows_fail_is_named_before_any_cell(
    workspace: Workspace, box: RunningSandbox, lang: str, says: str
) -> None:
    listed(workspace, wrong=12, right=3)
    checked = workspace.here("check", "leads.csv", "-m", "m.yaml", "--lang", lang)
    done = workspace.here("run", "leads.csv", "-m", "m.yaml", "--quota", "none", "--lang", lang)
    for result in (checked, done):
        text = " ".join((result.out + result.err).split())
        assert says in text
        assert text.index(says) < text.index("phone.")
    (page,) = workspace.reports.glob("*/report.html")
    assert says in page.read_text(encoding="utf-8")
    found = workspace.here("check", "leads.csv", "-m", "m.yaml", "--json").summary["wrong_column"]
    assert found == {"field": "mobile_phone", "column": "Documento", "rows": 12}


@pytest.mark.parametrize(("wrong", "right"), [(5, 6), (1, 0), (0, 9)])
def test_some_wrong_cells_are_no_wrong_column(workspace: Workspace, wrong: int, right: int) -> None:
    listed(workspace, wrong, right)
    assert (
        workspace.here("check", "leads.csv", "-m", "m.yaml", "--json").summary["wrong_column"]
        is None
    )


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
@pytest.mark.parametrize("name", ["failures.csv", "failures.xlsx"])
def test_a_failure_report_run_uncorrected_says_nothing_about_the_mapping(
    workspace: Workspace, box: RunningSandbox, name: str, lang: str
) -> None:
    listed(workspace, wrong=6, right=9)
    run = ("run", "-m", "m.yaml", "--quota", "none", "--lang", lang)
    workspace.here(*run, "leads.csv")
    (report,) = workspace.reports.glob(f"*/{name}")
    checked = workspace.here("check", report, "-m", "m.yaml", "--json", "--lang", lang)
    done = workspace.here(*run, report, "--json")
    assert [one.summary["invalid"] for one in (checked, done)] == [6, 6]
    assert [one.summary["wrong_column"] for one in (checked, done)] == [None, None]


def test_of_columns_that_are_as_bad_the_same_one_is_named_each_time(workspace: Workspace) -> None:
    names = [f"cf_{letter}" for letter in "fdbace"]
    keys = ", ".join(f"{name}: {{column: {name}, clean: cpf}}" for name in names)
    workspace.write("m.yaml", f"conversion_identifier: Feira\nfields: {{email: E-mail, {keys}}}\n")
    rows = [";".join([f"a{i}@example.com", *["x"] * len(names)]) for i in range(9)]
    workspace.write("leads.csv", "\n".join([";".join(["E-mail", *names]), *rows, ""]))
    found = workspace.here("check", "leads.csv", "-m", "m.yaml", "--json").summary["wrong_column"]
    assert found == {"field": "cf_a", "column": "cf_a", "rows": 9}
