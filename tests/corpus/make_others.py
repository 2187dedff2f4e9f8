"""Write what LibreOffice cannot: leads.xlsb, and protected.xlsx from leads.xlsx.

pip install pyxlsbwriter msoffcrypto-tool
python tests/corpus/make_others.py
"""

from __future__ import annotations

import datetime as dt
import pathlib

from msoffcrypto.format.ooxml import OOXMLFile
from pyxlsbwriter import XlsbWriter

ROWS = [
    ["Nome", "E-mail", "Celular", "CPF", "Nascimento", "Valor"],
    ["Ana Conceição", "ana@exemplo.com.br", 11987654321, "00123456789", dt.date(1990, 3, 4), 1.5],
    ["Bia D'Ávila", "bia@exemplo.com.br", 5511912345678, "", None, 0.1],
]

if __name__ == "__main__":
    here = pathlib.Path(__file__).parent
    with (here / "leads.xlsx").open("rb") as plain, (here / "protected.xlsx").open("wb") as out:
        OOXMLFile(plain).encrypt("segredo", out)
    with XlsbWriter(str(here / "leads.xlsb")) as book:
        book.add_sheet("Leads")
        book.write_sheet(ROWS)
