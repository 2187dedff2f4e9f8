"""Write the files in this folder with LibreOffice, from one list of invented people.

    apt-get install libreoffice-calc python3-uno
    /usr/bin/python3 tests/corpus/make_corpus.py

Everything is written by LibreOffice itself: the workbooks, the text files in several encodings and
delimiters, and the protected ones (password `segredo`). `make_others.py` makes what it cannot
write. The files are small and committed, so that the tests do not need LibreOffice.
"""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException

HERE = pathlib.Path(__file__).resolve().parent
PASSWORD = "segredo"

TITLE = "Leads da feira de 2026"
HEADER = ["Nome", "E-mail", "Celular", "CPF", "Nascimento", "Horário", "Observação", "Soma"]
ROWS = [
    [
        "Ana Conceição",
        "ana@exemplo.com.br",
        11987654321,
        "001.234.567-89",
        "1990-03-04",
        "08:30",
        'diz "oi"; e volta',
        "=1+1",
    ],
    [
        "Bia D'Ávila",
        "bia@exemplo.com.br",
        5511912345678,
        "00123456789",
        "1985-12-31",
        "17:05",
        "duas\nlinhas",
        "=10*1.5",
    ],
    None,
    [
        "João Peçanha",
        "joao@exemplo.com.br",
        "(11) 90000-0001",
        "98765432100",
        "2001-01-01",
        "00:00",
        "x" * 300,
        "=NA()",
    ],
    [
        "  Zélia  ",
        "zelia@exemplo.com.br",
        21900000002,
        "",
        "",
        "",
        "ªº – §",
        '=CONCATENATE("a";"b")',
    ],
]
"""Rows 5 to 9 of the sheet; row 7 is blank. Row 8 will be hidden, row 1 is the title."""

FORMATS = {
    "leads.xlsx": ("Calc MS Excel 2007 XML", ""),
    "leads.xls": ("MS Excel 97", ""),
    "leads.ods": ("calc8", ""),
    "leads_html.xls": ("HTML (StarCalc)", ""),
    "leads_2003.xls": ("MS Excel 2003 XML", ""),
    "leads_utf8.csv": ("Text - txt - csv (StarCalc)", "44,34,76,1,,0,false,true"),
    "leads_cp1252.csv": ("Text - txt - csv (StarCalc)", "59,34,1,1,,0,false,true"),
    "leads_mac.csv": ("Text - txt - csv (StarCalc)", "59,34,2,1,,0,false,true"),
    "leads_850.csv": ("Text - txt - csv (StarCalc)", "59,34,4,1,,0,false,true"),
    "leads_iso15.csv": ("Text - txt - csv (StarCalc)", "124,34,22,1,,0,true,true"),
    "leads_utf16.xls": ("Text - txt - csv (StarCalc)", "9,34,65535,1,,0,false,true"),
    "protected.xls": ("MS Excel 97", ""),
    "protected.ods": ("calc8", ""),
}


def option(name, value):
    found = PropertyValue()
    found.Name, found.Value = name, value
    return found


def desktop(pipe):
    """The running LibreOffice, once it answers."""
    context = uno.getComponentContext()
    resolver = context.ServiceManager.createInstance("com.sun.star.bridge.UnoUrlResolver")
    for _ in range(120):
        try:
            remote = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
            return remote.ServiceManager.createInstance("com.sun.star.frame.Desktop")
        except NoConnectException:
            time.sleep(0.5)
    raise SystemExit("LibreOffice did not start")


def number_format(book, code):
    locale = uno.createUnoStruct("com.sun.star.lang.Locale", "pt", "BR", "")
    formats = book.NumberFormats
    key = formats.queryKey(code, locale, False)
    return key if key >= 0 else formats.addNew(code, locale)


def fill(book):
    """Title in A1, header in row 4, people from row 5, a total below, a second sheet."""
    sheet = book.Sheets.getByIndex(0)
    sheet.Name = "Leads"
    sheet.getCellByPosition(0, 0).String = TITLE
    for column, name in enumerate(HEADER):
        sheet.getCellByPosition(column, 3).String = name
    date, clock = number_format(book, "DD/MM/AAAA"), number_format(book, "HH:MM")
    for row, cells in enumerate(ROWS, start=4):
        for column, value in enumerate(cells or []):
            cell = sheet.getCellByPosition(column, row)
            if value == "":
                continue
            if column == 4:
                cell.setFormula(value)
                cell.NumberFormat = date
            elif column == 5:
                cell.Value = (int(value[:2]) * 60 + int(value[3:])) / 1440
                cell.NumberFormat = clock
            elif isinstance(value, str) and not value.startswith("="):
                cell.String = value
            elif isinstance(value, str):
                cell.setFormula(value)
            else:
                cell.Value = float(value)
                cell.NumberFormat = number_format(book, "0")
    end = 4 + len(ROWS)
    sheet.getCellByPosition(0, end).String = "Total"
    sheet.getCellByPosition(2, end).Value = 4
    sheet.Rows.getByIndex(7).IsVisible = False
    book.Sheets.insertNewByName("Resumo", 1)
    book.Sheets.getByIndex(1).getCellByPosition(0, 0).String = "Resumo do evento"


def main():
    with tempfile.TemporaryDirectory() as profile:
        pipe = pathlib.Path(profile).name
        office = subprocess.Popen(
            [  # noqa: S607  found on the path
                "soffice",
                "--headless",
                "--norestore",
                f"--accept=pipe,name={pipe};urp;",
                f"-env:UserInstallation=file://{profile}",
            ],
            start_new_session=True,
        )
        try:
            write(desktop(pipe))
        finally:
            os.killpg(office.pid, signal.SIGTERM)
            office.wait(30)


def write(top):
    book = top.loadComponentFromURL("private:factory/scalc", "_blank", 0, (option("Hidden", True),))
    fill(book)
    for name, (kind, options) in FORMATS.items():
        words = [option("FilterName", kind), option("FilterOptions", options)]
        if name.startswith("protected"):
            words.append(option("Password", PASSWORD))
        book.storeToURL((HERE / name).as_uri(), tuple(words))
    book.close(True)


if __name__ == "__main__":
    main()
