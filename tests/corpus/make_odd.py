"""Write odd.ods, odd.xls and odd.xlsx with LibreOffice: links to e-mail addresses, durations.

    python tests/corpus/make_odd.py

LibreOffice makes all three from a sheet written here (flat OpenDocument).
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
  xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
  xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"
  xmlns:xlink="http://www.w3.org/1999/xlink">
<office:automatic-styles>
  <number:time-style style:name="N1" number:truncate-on-overflow="false">
    <number:hours/><number:text>:</number:text><number:minutes number:style="long"/>
  </number:time-style>
  <number:time-style style:name="N2">
    <number:hours number:style="long"/><number:text>:</number:text>
    <number:minutes number:style="long"/>
  </number:time-style>
  <number:date-style style:name="N3"><number:day number:style="long"/><number:text>/</number:text>
    <number:month number:style="long"/><number:text>/</number:text>
    <number:year number:style="long"/></number:date-style>
  <style:style style:name="long" style:family="table-cell" style:data-style-name="N1"/>
  <style:style style:name="clock" style:family="table-cell" style:data-style-name="N2"/>
  <style:style style:name="day" style:family="table-cell" style:data-style-name="N3"/>
</office:automatic-styles>
<office:body><office:spreadsheet><table:table table:name="Leads">
"""
TAIL = "</table:table></office:spreadsheet></office:body></office:document>\n"
HEADER = ("Nome", "Contato", "Ligação", "Nascimento")
ROWS = (
    ("Ana", "mailto:ana@exemplo.com.br", "e-mail", "long", "PT36H00M00S", "1902-05-06"),
    ("Bia", "mailto:bia@exemplo.com.br", "bia@exemplo.com.br", "clock", "PT08H30M00S", "2001-01-01"),  # noqa: E501
    ("Caio", "https://exemplo.com.br/caio", "página", "long", "PT1452H30M00S", "1985-12-31"),
    ("Duda", "mailto:duda@exemplo.com.br", "Duda Sá", "long", "PT48H00M00S", "1990-03-04"),
)  # fmt: skip
ROW = """<table:table-row>
<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p
  ><text:a xlink:type="simple" xlink:href="{}">{}</text:a></text:p></table:table-cell>
<table:table-cell table:style-name="{}" office:value-type="time" office:time-value="{}"/>
<table:table-cell table:style-name="day" office:value-type="date" office:date-value="{}"/>
</table:table-row>
"""


def header() -> str:
    cells = (
        f'<table:table-cell office:value-type="string"><text:p>{n}</text:p></table:table-cell>'
        for n in HEADER
    )
    return f"<table:table-row>{''.join(cells)}</table:table-row>\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        flat = pathlib.Path(folder) / "odd.fods"
        flat.write_text(
            HEAD + header() + "".join(ROW.format(*row) for row in ROWS) + TAIL, encoding="utf-8"
        )
        for kind in ("ods", "xls", "xlsx"):
            subprocess.run(
                ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless",  # noqa: S607
                 "--convert-to", kind, "--outdir", str(HERE), str(flat)],
                check=True,
            )  # fmt: skip
