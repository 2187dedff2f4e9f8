"""Runs through the API against the sandbox, for tests of their reports."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from rdimport import api
from rdimport.api.results import RunResult
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.ledger import Ledger, store_of
from rdimport.mapping import Mapping
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = """\
conversion_identifier: Lista
fields:
  email: E-mail
  name: Nome
  mobile_phone: Celular
  state: UF
  cf_documento: Documento
  cf_interesse: {column: Interesse, values: {Franquia: franquia, Loja própria: loja}}
  cf_aceite: {column: Aceite, type: boolean}
"""
COLUMNS = ("E-mail", "Nome", "Celular", "UF", "Documento", "Interesse", "Aceite", "Nota")


@dataclass
class ApiWorkspace:
    """A folder with its ledger, whose runs send to a sandbox."""

    home: Path
    box: RunningSandbox

    def write(
        self, *rows: tuple[str, ...], name: str = "lista.csv", encoding: str = "utf-8"
    ) -> str:
        """A text file with `COLUMNS`, as Excel in Brazil saves it; short rows are padded."""
        path = self.home / name
        with path.open("w", encoding=encoding, newline="") as file:
            out = csv.writer(file, delimiter=";")
            out.writerows([COLUMNS, *((*row, *[""] * (len(COLUMNS) - len(row))) for row in rows)])
        return str(path)

    def run(self, *files: object, mapping: str | Path = MAPPING, **options: Any) -> RunResult:
        """Import files with a mapping: its text, or its path."""
        return asyncio.run(self.begin(*files, mapping=mapping, **options))

    async def begin(
        self, *files: object, mapping: str | Path = MAPPING, **options: Any
    ) -> RunResult:
        """Like `run`, inside an event loop."""
        is_path = isinstance(mapping, Path)
        known = Mapping.load(mapping) if is_path else Mapping.parse(str(mapping))
        defaults: dict[str, Any] = {
            "to": RDStation(self.box.api_key, base_url=self.box.base_url),
            "state_dir": self.home / "state",
            "report_dir": self.home / "reports",
            "quota": None,
            "mapping_name": str(mapping) if is_path else "lista.yaml",
        }
        return await api.run_async([str(file) for file in files], known, **defaults | options)

    def ledger(self) -> Ledger:
        return store_of(self.home / "state").open()


def csv_rows(path: str | Path) -> list[dict[str, str]]:
    """The lines of a failures.csv by column, in the encoding of its input."""
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
    delimiter = "\t" if "\t" in text.splitlines()[0] else ";"
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def xlsx_rows(path: str | Path) -> list[dict[str, str]]:
    """The lines of a failures.xlsx by column, all its sheets of rows together."""
    found: list[dict[str, str]] = []
    for sheet in openpyxl.load_workbook(path).worksheets:
        header, *rows = sheet.iter_rows(values_only=True)
        if "rdimport_row" in header:
            found += (
                {str(n): str(v or "") for n, v in zip(header, row, strict=True)} for row in rows
            )
    return found
