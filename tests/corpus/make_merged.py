"""Write merged.ods, .xls, .xlsx, .html and merged_2003.xls with LibreOffice: a table that begins in
C4, with merged cells and links to e-mail addresses.

    python tests/corpus/make_merged.py

LibreOffice makes all of them from a sheet written here (flat OpenDocument).
"""

from __future__ import annotations

import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<office:document office:version="1.3"
  office:mimetype="application/vnd.oasis.opendocument.spreadsheet"
  xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  xmlns:xlink="http://www.w3.org/1999/xlink">
<office:body><office:spreadsheet><table:table table:name="Leads">
<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>
"""
TAIL = "</table:table></office:spreadsheet></office:body></office:document>\n"
ROW = '<table:table-row><table:table-cell table:number-columns-repeated="2"/>{}</table:table-row>\n'
CELL = '<table:table-cell office:value-type="string" {}><text:p>{}</text:p></table:table-cell>'
COVERED = "<table:covered-table-cell/>"
LINK = '<text:a xlink:type="simple" xlink:href="mailto:{0}@exemplo.com.br">{1}</text:a>'
SPAN = 'table:number-rows-spanned="{}" table:number-columns-spanned="{}"'


def person(company: str, name: str) -> str:
    address = f"{name.lower()}@exemplo.com.br"
    cells = (LINK.format(name.lower(), name), LINK.format(name.lower(), address))
    return ROW.format(company + "".join(CELL.format("", cell) for cell in cells))


def table() -> str:
    header = "".join(CELL.format("", name) for name in ("Empresa", "Nome", "E-mail"))
    acme, beta = (CELL.format(SPAN.format(rows, 1), name) for rows, name in ((3, "Acme"), (2, "B")))
    title = CELL.format(SPAN.format(1, 3), "Sul") + COVERED * 2
    names = (("Ana", acme), ("Bia", COVERED), ("Caio", COVERED), ("Duda", beta), ("Eva", COVERED))
    people = [person(company, name) for name, company in names]
    return ROW.format(header) + "".join(people) + ROW.format(title)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        flat = pathlib.Path(folder) / "merged.fods"
        flat.write_text(HEAD + table() + TAIL, encoding="utf-8")
        kinds = ("ods", "xls", "xlsx", "html", "xls:MS Excel 2003 XML")
        for kind in kinds:
            to = pathlib.Path(folder) if " " in kind else HERE
            subprocess.run(
                ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless",  # noqa: S607
                 "--convert-to", kind, "--outdir", str(to), str(flat)],
                check=True,
            )  # fmt: skip
        (pathlib.Path(folder) / "merged.xls").replace(HERE / "merged_2003.xls")
