"""How fast are lists of contacts read, and with how much memory?

    python benchmarks/read.py [--rows 1000000] [--only clean,quoted] [--one-core]

Writes invented lists of 12 columns (160 bytes per row) to a temporary folder, reads each in its own
process, and prints rows per second and peak memory. Only reading: no cleaning, no validation.

Measured on one core of a shared machine (--one-core; rows per second, in brackets with opening):

    text, clean        1,280,000 (895,000)   140 MB; 10,000,000 rows of 1.6 GB: 1,147,000, 143 MB
    text, all quoted     701,000 (567,000)   130 MB
    text, line breaks    158,000 (148,000)   206 MB
    text, stray marks    276,000             160 MB
    text, Windows-1252   809,000 (571,000)   142 MB; 10,000,000 rows of 1.6 GB: 1,009,000, 142 MB
    text, UTF-16       1,120,000 (801,000)   119 MB
    text, gzip         1,105,000 (797,000)   140 MB
    xlsx                        (124,000)   1,240 MB; Excel's most, 1,048,576 rows: 1,400 MB
    ods                          (17,000)   219 MB for 100,000 rows

Since then, texts are read in batches of two chunks, which takes 17 to 26 MB more (600,000 rows, in
alternation).
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import xlsxwriter

HEADER = "Nome;E-mail;Celular;Cidade;UF;Interesse;Cargo;Empresa;Data;CEP;Aceite;Endereço".split(";")
CHILD = """
import resource, sys, time
from rdimport.source import Hints, open_tables
start = time.perf_counter()
(table,) = open_tables([sys.argv[1]], Hints())
opened = time.perf_counter()
rows = sum(frame.height for frame in table.batches())
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
speed, in_all = rows / (done - opened) / 1000, rows / (done - start) / 1000
print(f"{rows:>10,} rows, open {opened - start:5.1f} s, read {done - opened:6.1f} s,"
      f" {speed:6,.0f} k rows/s, {in_all:6,.0f} k with opening, {peak:6,} MB")
"""


def cells(i: int) -> list[str]:
    return [
        f"Ana Maria {i}", f"ana{i}@exemplo.com.br", f"(11) 9{i % 10**8:08d}", "São Paulo", "SP",
        "Franquia", "Analista", f"Padaria do Zé {i}", "2026-03-04", "12345-678", "sim",
        f"Rua das Flores {i}",
    ]  # fmt: skip


def lines(rows: int, address: str = "") -> Iterator[str]:
    """The list as text; `address` replaces the last cell and may be quoted."""
    yield ";".join(HEADER) + "\n"
    for i in range(rows):
        row = cells(i)
        if address:
            row[-1] = address.format(i)
        yield ";".join(row) + "\n"


def text(encoding: str, address: str = "") -> Callable[[Path, int], None]:
    def write(path: Path, rows: int) -> None:
        with path.open("w", encoding=encoding, newline="") as stream:
            stream.writelines(lines(rows, address))

    return write


def stray(path: Path, rows: int) -> None:
    """Write an unclosed quotation mark in every thousandth row."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        for i, line in enumerate(lines(rows)):
            stream.write(line.replace("Ana", '"Ana', 1) if i % 1000 == 999 else line)


def packed(path: Path, rows: int) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as stream:
        stream.writelines(lines(rows))


def xlsx(path: Path, rows: int) -> None:
    """Write at most as many rows as an Excel sheet holds."""
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_numbers": False})
    sheet = book.add_worksheet("Leads")
    for number in range(min(rows + 1, 1_048_576)):
        sheet.write_row(number, 0, cells(number - 1) if number else HEADER)
    book.close()


def ods(path: Path, rows: int) -> None:
    """Write a tenth of the rows: nobody keeps a million of them in this format."""
    names = ("office", "table", "text")
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names
    )
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        with archive.open("content.xml", "w") as out:
            out.write(
                f"<office:document-content {spaces}><office:body><office:spreadsheet>"
                '<table:table table:name="Leads">'.encode()
            )
            for i in range(-1, rows // 10):
                row = cells(i) if i >= 0 else HEADER
                inner = "".join(cell.format(value) for value in row)
                out.write(f"<table:table-row>{inner}</table:table-row>".encode())
            out.write(
                b"</table:table></office:spreadsheet></office:body></office:document-content>"
            )


KINDS: dict[str, Callable[[Path, int], None]] = {
    "clean": text("utf-8"),
    "quoted": text("utf-8", '"Rua das Flores; {}"'),
    "line breaks": text("utf-8", '"Rua das Flores\n{}"'),
    "stray marks": stray,
    "cp1252": text("cp1252"),
    "utf-16": text("utf-16"),
    "gzip": packed,
    "xlsx": xlsx,
    "ods": ods,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--one-core", action="store_true")
    args = parser.parse_args()
    environment = dict(os.environ)
    if args.one_core:
        environment["POLARS_MAX_THREADS"] = "1"
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.only.split(","):
            path = Path(folder) / "leads"
            KINDS[kind](path, args.rows)
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(path)],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            size = path.stat().st_size / 1e6
            print(f"{kind:12} {size:7,.0f} MB {done.stdout.strip() or done.stderr}", flush=True)


if __name__ == "__main__":
    main()
