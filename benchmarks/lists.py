"""Contact lists of invented people, the same ones every time, and the mapping that imports them."""

from __future__ import annotations

import csv
import random
from pathlib import Path

FIRST = "Ana Bia João José Conceição Inês Luís Antônio Thaís Zélia Márcia Cauã Íris Ângela".split()
LAST = "Silva Souza Gonçalves Araújo Assunção Leão Brandão Muniz Moura D'Ávila Sá Peçanha".split()
CITY = ["São Paulo", "Goiânia", "Belém", "Brasília", "Maceió", "Poá", "Foz do Iguaçu", "Recife"]
STATE = ["SP", "GO", "PA", "DF", "AL", "SP", "PR", "PE"]
COLUMNS = (
    "E-mail;Nome;Celular;Empresa;Cargo;Cidade;UF;Tags;Opt-in;Interesse;Origem;Observação".split(";")
)

MAPPING = """\
version: 1
conversion_identifier: Benchmark
fields:
  email: E-mail
  name: Nome
  mobile_phone: Celular
  company_name: Empresa
  job_title: Cargo
  city: Cidade
  state: UF
  tags: { column: Tags, split: ";" }
  cf_interesse: Interesse
  traffic_source: Origem
legal_bases:
  - { category: communications, type: consent, status: { column: Opt-in } }
"""


def write(folder: Path, rows: int, bad: float = 0.0) -> tuple[Path, Path]:
    """Write a CSV with 12 columns, a share of whose rows is bad, and its mapping."""
    rng = random.Random(rows)
    path, mapping = folder / f"list_{rows}_{bad}.csv", folder / "mapping.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    if path.exists():
        return path, mapping
    with path.open("w", newline="", encoding="utf-8") as file:
        to = csv.writer(file)
        to.writerow(COLUMNS)
        for number in range(rows):
            first, last = rng.choice(FIRST), rng.choice(LAST)
            at = rng.randrange(len(CITY))
            email = f"pessoa{number}@exemplo.com.br"
            phone = f"({10 * rng.randrange(1, 10) + 1}) 99{rng.randrange(10**6, 10**7)}"
            if rng.random() < bad:
                email, phone = ("pessoa sem arroba", phone) if number % 2 else (email, "123")
            person = (email, f"{first} {last}", phone, f"{last} & Filhos", "Compras", CITY[at])
            rest = (STATE[at], "feira;cliente", "Sim", "Franquia", "feira", "conversou bem")
            to.writerow((*person, *rest))
    return path, mapping
