from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import openpyxl
import pytest

from rdimport.errors import SourceError
from rdimport.row import FILE
from rdimport.source import Hints, Table, open_tables

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, book: openpyxl.Workbook, hints: Hints | None = None) -> Table:
    book.save(path)
    return open_tables([str(path)], hints or Hints())[0]


def read(table: Table) -> list[tuple[object, ...]]:
    return [row for frame in table.batches() for row in frame.drop(FILE).iter_rows()]


def test_row_numbers_are_those_that_the_program_shows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["B3"], sheet["C3"] = "Nome", "E-mail"
    sheet["B4"], sheet["C4"] = "Ana", "ana@exemplo.com.br"
    sheet["B7"], sheet["C7"] = "Bia", "bia@exemplo.com.br"
    table = opened(tmp_path / "leads.xlsx", book)
    assert (table.facts.format, table.facts.header_row) == ("xlsx", 3)
    assert table.columns == ("Nome", "E-mail")
    assert read(table) == [
        (4, None, "Ana", "ana@exemplo.com.br"),
        (7, None, "Bia", "bia@exemplo.com.br"),
    ]


def test_cells_come_as_the_text_that_a_person_meant(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Nome", "Celular", "Data", "Hora", "Aceite", "Valor"])
    sheet.append(
        ["Ana", 11987654321, dt.date(2026, 3, 4), dt.time(8, 30), True, 1.5],
    )
    sheet.append(["Bia", "011 98", dt.datetime(2026, 3, 4, 10, 11, 12), "9h", False, 1e15])  # noqa: DTZ001
    assert read(opened(tmp_path / "leads.xlsx", book)) == [
        (2, None, "Ana", "11987654321", "2026-03-04", "08:30:00", "true", "1.5"),
        (3, None, "Bia", "011 98", "2026-03-04 10:11:12", "9h", "false", "1000000000000000"),
    ]


def test_the_sheet_that_has_the_mappings_columns_is_taken(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Instruções", "de uso"])
    book.active.append(["Preencha", "tudo"])
    leads = book.create_sheet("Leads")
    leads.append(["Nome", "E-mail"])
    leads.append(["Ana", "ana@exemplo.com.br"])
    hints = Hints(columns=("nome", "e-mail"))
    table = opened(tmp_path / "leads.xlsx", book, hints)
    assert table.facts.sheet == "Leads"
    assert len(read(table)) == 1


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Contatos"
    book.active.append(["Nome"])
    with pytest.raises(SourceError, match="did you mean 'Contatos'"):
        opened(tmp_path / "leads.xlsx", book, Hints(sheet="Contato"))
