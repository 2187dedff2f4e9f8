"""Count what the sample files hold: rows, blank rows, and how many are to be sent, or are not.

    python sample_data/count_samples.py

It reads the files with other libraries than rdimport does and has the rules written out once more,
so that the tests can compare two independent answers. Needs openpyxl (dependency group `dev`).
"""

from __future__ import annotations

import contextlib
import csv
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
FAIR_HEADER = 4
STATES = dict(
    pair.split(":")
    for pair in (
        "AC:Acre|AL:Alagoas|AM:Amazonas|AP:Amapá|BA:Bahia|CE:Ceará|DF:Distrito Federal|"
        "ES:Espírito Santo|GO:Goiás|MA:Maranhão|MG:Minas Gerais|MS:Mato Grosso do Sul|"
        "MT:Mato Grosso|PA:Pará|PB:Paraíba|PE:Pernambuco|PI:Piauí|PR:Paraná|RJ:Rio de Janeiro|"
        "RN:Rio Grande do Norte|RO:Rondônia|RR:Roraima|RS:Rio Grande do Sul|SC:Santa Catarina|"
        "SE:Sergipe|SP:São Paulo|TO:Tocantins"
    ).split("|")
)


def plain(text: str) -> str:
    """Without accents, in lower case, outer and doubled spaces gone."""
    bare = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in bare if not unicodedata.combining(c)).lower().split())


def read_fair(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Row number and cells as text."""
    with contextlib.closing(openpyxl.load_workbook(path, read_only=True)) as book:
        values = list(book["Leads"].values)
    lines = [["" if c is None else str(c) for c in line] for line in values]
    for number, line in enumerate(lines[FAIR_HEADER:], FAIR_HEADER + 1):
        yield number, dict(zip(lines[FAIR_HEADER - 1], line, strict=True))


def read_csv(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the line on which the row starts, and cells as text."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = next(reader)
        number = reader.line_num + 1
        for line in reader:
            yield number, dict(zip(header, line or [""] * len(header), strict=True))
            number = reader.line_num + 1


def clean_email(cell: str) -> str:
    """Trimmed, lower case, without `mailto:` and `Name <…>`."""
    mail = plain(cell).removeprefix("mailto:")
    inside = re.fullmatch(r"[^<>]*<([^<>]*)>", mail)
    return inside[1] if inside else mail


def judge(email: str, number: str, uf: str, optin: str) -> list[str]:
    """What is wrong with a row, by kind; an empty phone, UF or opt-in is not wrong."""
    found = []
    if not clean_email(email):
        found.append("e-mail missing")
    elif not re.fullmatch(r"[a-z0-9._%+-]+@([a-z0-9-]+\.)+[a-z]{2,}", clean_email(email)):
        found.append("e-mail bad")
    digits = re.sub(r"\D", "", re.sub(r"^\s*0(xx)?", "", number, flags=re.IGNORECASE))
    if number.strip() and not 10 <= len(digits) <= 13:
        found.append("phone bad")
    if plain(uf) and plain(uf) not in {plain(s) for pair in STATES.items() for s in pair}:
        found.append("UF bad")
    if plain(optin) not in {"", "sim", "s", "nao", "n"}:
        found.append("opt-in bad")
    return found


def report(
    path: Path, columns: list[str], lines: Iterator[tuple[int, dict[str, str]]]
) -> Counter[str]:
    """Print what the file holds; returns the counts by state."""
    counts, where, seen = Counter[str](), defaultdict[str, list[int]](list), set[str]()
    for number, cells in lines:
        if not any(cell.strip() for cell in cells.values()):
            where["blank row, not counted"].append(number)
            continue
        checked = [cells.get(column, "") for column in columns]
        kinds = judge(*checked)
        again = not kinds and clean_email(checked[0]) in seen
        state = "invalid" if kinds else "duplicate" if again else "to send"
        if not kinds:
            seen.add(clean_email(checked[0]))
        counts.update(["rows", state])
        for kind in kinds or (["e-mail seen above"] if again else []):
            where[kind].append(number)
    states = ", ".join(f"{counts[state]} {state}" for state in ("to send", "duplicate", "invalid"))
    sys.stdout.write(f"{path.name}: {counts['rows']} rows = {states}\n")
    for kind, numbers in sorted(where.items()):
        sys.stdout.write(f"  {kind}: {len(numbers)} (rows {', '.join(map(str, numbers))})\n")
    return counts


def count() -> dict[str, Counter[str]]:
    """Print what the three files hold; returns the counts of each by its name."""
    fair, erp, news = (
        HERE / name for name in ("feira_abf_2026.xlsx", "erp_clientes.csv", "newsletter.csv")
    )
    columns = ["E-mail", "Celular/WhatsApp", "UF", "Aceita receber e-mails?"]
    return {
        fair.name: report(fair, columns, read_fair(fair)),
        erp.name: report(
            erp, ["EMAIL", "FONE", "UF", "ACEITA EMAIL"], read_csv(erp, ";", "cp1252")
        ),
        news.name: report(news, ["email", "", "state", ""], read_csv(news, ",", "utf-8")),
    }


if __name__ == "__main__":
    count()
