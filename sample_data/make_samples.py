"""Make the three sample files again, always the same bytes, and count what is wrong in them.

    python sample_data/make_samples.py

Everybody in them is invented. The defects are put in on purpose; `count_samples` reads the written
files again and counts them, and the script stops when they are not what was put in. Needs
XlsxWriter and openpyxl (dependency group `dev`).
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import count_samples
import xlsxwriter
from count_samples import FAIR_HEADER, STATES, plain

HERE = Path(__file__).parent
Cell = str | int | datetime | None
Row = dict[str, Cell]
Edit = Callable[[str], Cell]

FIRST = (
    "Ana Beatriz Bruno Caio Camila Cecília Cláudia Daniel Débora Diego Eduardo Elisa Fábio "
    "Fernanda Flávia Gabriel Gisele Gustavo Helena Heitor Inês Isabela Ítalo Joana João Júlia "
    "Karina Larissa Leandro Letícia Lúcia Luís Marcelo Márcia Mônica Natália Otávio Patrícia "
    "Paulo Rafael Renata Rogério Sandra Sérgio Simone Tânia Thiago Valéria Vinícius Vitória"
).split()
LAST = (
    "Almeida Andrade Araújo Barbosa Brandão Cardoso Carvalho Conceição Correia Costa Cunha Dias "
    "Esteves Falcão Farias Ferraz Fonseca Freitas Galvão Gonçalves Guimarães Leão Lima Macêdo "
    "Magalhães Martins Medeiros Melo Moraes Mourão Nóbrega Nogueira Paixão Peçanha Pinheiro "
    "Queirós Ramalho Ribeiro Sá Salomão Sampaio Siqueira Távora Teixeira Valença Vasconcelos"
).split()
PLACES = [  # city, state, area code
    (city, uf, int(area))
    for city, uf, area in (
        place.split("/")
        for place in (
            "São Paulo/SP/11|Campinas/SP/19|Ribeirão Preto/SP/16|Rio de Janeiro/RJ/21|"
            "Niterói/RJ/21|Belo Horizonte/MG/31|Uberlândia/MG/34|Curitiba/PR/41|Maringá/PR/44|"
            "Florianópolis/SC/48|Porto Alegre/RS/51|Salvador/BA/71|Recife/PE/81|Fortaleza/CE/85|"
            "São Luís/MA/98|Goiânia/GO/62|Brasília/DF/61|Belém/PA/91|Vitória/ES/27|Cuiabá/MT/65|"
            "João Pessoa/PB/83"
        ).split("|")
    )
]
DOMAINS = "exemplo.com.br exemplo.com.br exemplo.net.br example.com example.org".split()
TRADES = (
    "Padaria Cantina Açaí Ótica Livraria Clínica Café Pet Lavanderia Construções Móveis".split()
)
BRANDS = "Aurora Bem-te-vi Estação Horizonte Ipê Jacarandá Maré Pôr-do-Sol Sabiá Três-Rios".split()
JOBS = ["Sócia", "Sócio", "Diretora comercial", "Gerente", "Compras", "Investidor", "Proprietária"]
NOTES = [
    None,
    None,
    "Ligar depois das 18h, prefere WhatsApp",
    "Tem ponto próprio (80 m²), quer abrir em 2027\nMandar COF e tabela, com prazo",
    "Veio com o sócio, Sr. Otávio; conhece a marca\n\nRetornar na segunda",
    'Perguntou por "taxa zero", royalties e fundo de propaganda',
    "- já é franqueado de outra rede, sem pressa",
    "=) adorou o café",
]


class Person(NamedTuple):
    """Somebody invented, with one address that nobody else in the file has."""

    name: str
    email: str
    company: str
    place: tuple[str, str, int]
    mobile: str
    landline: str


def people(rng: random.Random, count: int) -> list[Person]:
    """So many people; the phone numbers have the right length and are made up."""
    pairs = rng.sample([(f, a) for f in FIRST for a in LAST], count)
    found = []
    for first, last in pairs:
        email = f"{plain(first)}.{plain(last)}@{rng.choice(DOMAINS)}"
        company = f"{rng.choice(TRADES)} {rng.choice(BRANDS)}"
        place = rng.choice(PLACES)
        mobile = f"90{rng.randrange(10**7):07d}"
        landline = f"30{rng.randrange(10**6):06d}"
        found.append(Person(f"{first} {last}", email, company, place, mobile, landline))
    return found


def phone(rng: random.Random, person: Person, *, as_number: float = 0.0) -> Cell:
    """The number as somebody happened to type it; in that share of cells as a number."""
    area, mobile, landline = person.place[2], person.mobile, person.landline
    if rng.random() < as_number:
        return int(f"{rng.choice(['', '', '', '', '55'])}{area}{mobile}")
    return rng.choice(
        [
            f"({area}) {mobile[:5]}-{mobile[5:]}",
            f"+55 {area} {mobile[:5]}-{mobile[5:]}",
            f"0xx{area} {mobile[:5]}-{mobile[5:]}",
            f"{area}{mobile}",
            f"({area}) {landline[:4]}-{landline[4:]}",
            f"0{area} {landline[:4]} {landline[4:]}",
            None,
        ]
    )


# ---- what is wrong in the lists: (column, edit), one row each ----------------------------------


def email_defects(column: str) -> list[tuple[str, Edit]]:
    """What makes a row invalid because of its e-mail."""
    return [
        (column, lambda _: None),
        (column, lambda _: None),
        (column, lambda _: "   "),
        (column, lambda mail: mail.split("@")[0] + "@"),
        (column, lambda mail: mail.replace("@", " ")),
        (column, lambda mail: f"{mail}; vendas@exemplo.com.br"),
        (column, lambda _: "N/D"),
    ]


def harmless(email: str, name: str, uf: str) -> list[tuple[str, Edit]]:
    """What cleaning mends, so that the row is sent."""
    return [
        *((email, str.upper), (email, lambda mail: f"  {mail.capitalize()} ")),
        *((email, lambda mail: f"mailto:{mail}"), (email, lambda mail: f"{mail}\u00a0")),
        (email, lambda mail: f"{mail.split('.')[0].capitalize()} <{mail}>"),
        *([(name, str.upper)] * 8),
        *((name, lambda text: f"{text}   "), (name, lambda text: text.replace(" ", "\u00a0"))),
        *((uf, str.lower), (uf, lambda code: f"{code} ")),
        *((uf, lambda code: STATES[code]), (uf, lambda code: plain(STATES[code]).title())),
        *((uf, lambda code: STATES[code].upper()), (uf, lambda _: None)),
    ]


def spoil(rng: random.Random, rows: list[Row], edits: list[tuple[str, Edit]]) -> list[int]:
    """Apply each edit to a row of its own; returns the rows that were left alone."""
    order = rng.sample(range(len(rows)), len(rows))
    for (column, edit), at in zip(edits, order, strict=False):
        rows[at][column] = edit(str(rows[at][column] or ""))
    return order[len(edits) :]


def again(row: Row, email: str, edit: Callable[[str], str], **other: Cell) -> Row:
    """The same person, noted down a second time."""
    return {**row, email: edit(str(row[email])), **other}


def arrange(rng: random.Random, rows: list[Row], later: list[tuple[int, Row]]) -> list[Row]:
    """Put each second entry somewhere below the row that it repeats."""
    placed = [(float(at), row) for at, row in enumerate(rows)]
    placed += [(rng.uniform(at + 1, len(rows)), row) for at, row in later]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


# ---- the three lists ---------------------------------------------------------------------------

FAIR = (
    "Data|Nome completo|E-mail|Celular/WhatsApp|Empresa|Cargo|Cidade |UF|Interesse|Tags|"
    "Aceita receber e-mails?|Observações"
).split("|")
FAIR_BLANKS = (61, 62, 158)
FAIR_OPENS = datetime(2026, 6, 24, 10)  # noqa: DTZ001  a workbook's dates have no zone


def fair_row(rng: random.Random, person: Person) -> Row:
    """One visitor, as the stand's team writes it down."""
    name, email, company, (city, uf, _), _, _ = person
    interest = rng.choice(["Franquia", "Franquia", "Loja própria", "Fornecedor", None])
    tags = rng.choice(["quente", "Quente; retorno", "morno;Franquia; morno", "frio", None])
    optin = rng.choice(["Sim", "Sim", "sim", "SIM ", "Não", "nao", "S", "N"])
    number = phone(rng, person, as_number=0.55)
    cells = [None, name, email, number, company, rng.choice(JOBS), city, uf, interest, tags, optin]
    return dict(zip(FAIR, [*cells, rng.choice(NOTES)], strict=True))


def fair(rng: random.Random) -> tuple[list[Row], Counter[str]]:
    """The fair's list, and how many rows of each state were put in."""
    rows = [fair_row(rng, person) for person in people(rng, 233)]
    email, mobile, optin = "E-mail", "Celular/WhatsApp", "Aceita receber e-mails?"
    bad: list[tuple[str, Edit]] = [
        *email_defects(email),
        *((mobile, lambda _: 912340056), (mobile, lambda _: "3222-0199"), (mobile, lambda _: "11")),
        *(("UF", lambda _: "XX"), ("UF", lambda _: "Brasil"), (optin, lambda _: "talvez")),
    ]
    untouched = spoil(
        rng, rows, bad + harmless(email, "Nome completo", "UF") + [(optin, lambda _: None)] * 5
    )
    one, two, three, four, short, both = untouched[:6]
    corrected = dict(rows[short])
    rows[short][mobile] = 32220177  # noted in a hurry; the row further down has it right
    corrected[mobile] = "(11) 90000-7770"
    rows[both].update({email: "N/D", "UF": "EX", "Observações": "=SOMA(A1), ver cartão"})
    later = [
        (one, again(rows[one], email, str.upper, Observações="Voltou no sábado, quer a COF")),
        (two, again(rows[two], email, lambda mail: f" {mail} ", Tags="Quente")),
        (three, again(rows[three], email, lambda mail: f"mailto:{mail}")),
        (three, again(rows[three], email, str.title)),
        (four, again(rows[four], email, lambda mail: f"{mail}\u00a0", Cargo="Sócia e diretora")),
        (four, again(rows[four], email, str)),
        (short, corrected),
    ]
    placed = arrange(rng, rows, later)
    minutes = sorted(rng.randrange(4 * 600) for _ in placed)
    for row, minute in zip(placed, minutes, strict=True):
        row["Data"] = FAIR_OPENS + timedelta(days=minute // 600, minutes=minute % 600)
    return placed, Counter(rows=len(placed), invalid=len(bad) + 2, duplicate=6)


ERP = (
    "CODIGO|RAZAO SOCIAL|NOME FANTASIA|CONTATO|CARGO|EMAIL|FONE|ENDERECO|CIDADE|UF|SITE|SEGMENTO|"
    "ATIVO|ACEITA EMAIL|ULTIMA COMPRA|LIMITE CREDITO|OBSERVACAO"
).split("|")
ERP_BLANKS = {88: 0, 171: len(ERP), 172: 0}
"""Before which row stands a blank one, and of how many cells (0: an empty line)."""


def erp_row(rng: random.Random, person: Person, number: int) -> Row:
    """One customer, as an ERP of some age exports it."""
    name, email, company, (city, uf, _), _, _ = person
    legal = f"{company.upper()} {rng.choice(['LTDA', 'LTDA - ME', 'COMÉRCIO – EIRELI', 'S/A'])}"
    trading = rng.choice([company, company, f'{company} "Matriz"', None])
    street = f"RUA {rng.choice(LAST).upper()}, {rng.randrange(9, 3000)}"
    site = f"HTTPS://WWW.EXEMPLO.COM.BR/{number}" if rng.random() < 0.3 else None
    bought = f"{rng.randrange(1, 29):02d}/{rng.randrange(1, 13):02d}/{rng.randrange(2019, 2026)}"
    flags = [rng.choice("SSSN"), rng.choice("SSN")]
    limit = f"{rng.randrange(1, 90)}.{rng.randrange(1000):03d},00"
    cells: list[Cell] = [f"{number:05d}", legal, trading]
    cells += [
        rng.choice([name, name, name, name.upper(), None]),
        rng.choice([*JOBS, None]),
        email,
        phone(rng, person),
        street,
        city,
        uf,
        site,
    ]
    segment = rng.choice(["VAREJO", "ATACADO", "FOOD SERVICE", None])
    note = rng.choice(["CLIENTE DESDE 2012", "N/D", None, None, None])
    return dict(zip(ERP, [*cells, segment, *flags, bought, limit, note], strict=True))


def erp(rng: random.Random) -> tuple[list[Row], Counter[str]]:
    """The ERP's export, and how many rows of each state were put in."""
    numbers = sorted(rng.sample(range(7, 2400), 293))
    found = zip(people(rng, 293), numbers, strict=True)
    rows = [erp_row(rng, person, number) for person, number in found]
    bad: list[tuple[str, Edit]] = [
        *email_defects("EMAIL"),
        *(("EMAIL", lambda _: "-"), ("EMAIL", lambda mail: mail.replace(".", ","))),
        *([("FONE", lambda _: "3222-0144"), ("FONE", lambda _: "91234-0056")] * 2),
        ("FONE", lambda _: "(11) 3000-4321 / (11) 90000-1234"),
        *(("UF", lambda _: "EX"), ("UF", lambda _: "XX")),
        *(("ACEITA EMAIL", lambda _: "?"), ("ACEITA EMAIL", lambda _: "A CONFIRMAR")),
    ]
    quoted: list[tuple[str, Edit]] = [
        *([("ENDERECO", lambda street: f"{street}; SALA 3")] * 4),
        ("OBSERVACAO", lambda _: "ENTREGA SÓ PELA MANHÃ\nFALAR COM A PORTARIA"),
    ]
    padded: list[tuple[str, Edit]] = [("CONTATO", lambda text: text.ljust(40))] * 12
    mended = [*harmless("EMAIL", "CONTATO", "UF"), *padded]
    untouched = spoil(rng, rows, [*bad, *quoted, *mended])
    edits: list[Callable[[str], str]] = [str.upper, str, lambda mail: f"{mail}  ", str.title]
    later = []
    for at, edit in zip(untouched[:7], [*edits, *edits][:7], strict=True):
        copy = again(rows[at], "EMAIL", edit, CIDADE="Campinas", UF="SP", OBSERVACAO="FILIAL")
        later.append((at, copy))
    placed = arrange(rng, rows, later)
    for number, (_, branch) in enumerate(later, 2400):
        branch["CODIGO"] = f"{number:05d}"
    return placed, Counter(rows=len(placed), invalid=len(bad), duplicate=7)


def newsletter(rng: random.Random) -> tuple[list[Row], Counter[str]]:
    """A small list in which nothing is wrong."""
    rows: list[Row] = []
    for person in people(rng, 40):
        tags = rng.choice(["newsletter", "newsletter;blog", "newsletter;e-book"])
        city, uf, _ = person.place
        rows.append(
            {"email": person.email, "name": person.name, "city": city, "state": uf, "tags": tags}
        )
    return rows, Counter(rows=len(rows))


# ---- writing -----------------------------------------------------------------------------------


def write_fair(path: Path, rows: list[Row]) -> None:
    """A workbook with two title rows and an empty one above the header, and a second sheet."""
    book = xlsxwriter.Workbook(path)
    book.set_properties({"created": datetime(2026, 6, 29, 9)})  # noqa: DTZ001  else it is today
    bold = book.add_format({"bold": True})
    date, whole = (book.add_format({"num_format": f}) for f in ("dd/mm/yyyy hh:mm", "0"))
    sheet = book.add_worksheet("Leads")
    sheet.merge_range(0, 0, 0, len(FAIR) - 1, "Feira ABF 2026 – leads do estande", bold)
    sheet.write_string(1, 0, "Estande C-112, São Paulo, 24 a 27/06/2026")
    sheet.write_row(FAIR_HEADER - 1, 0, FAIR, bold)
    sheet.set_column(0, len(FAIR) - 1, 20)
    line = FAIR_HEADER
    for row in rows:
        while line + 1 in FAIR_BLANKS:
            line += 1
        for at, cell in enumerate(row.values()):
            if isinstance(cell, datetime):
                sheet.write_datetime(line, at, cell, date)
            elif isinstance(cell, int):
                sheet.write_number(line, at, cell, whole if cell % 2 else None)
            elif cell is not None:
                sheet.write_string(line, at, cell)  # never as a formula or a link
        line += 1
    summary = book.add_worksheet("Resumo")
    days = Counter(f"{row['Data']:%d/%m}" for row in rows)
    for at, pair in enumerate([("Dia", "Visitas"), *days.items()]):
        summary.write_row(at, 0, pair)
    book.close()


def write_csv(path: Path, rows: list[Row], blanks: dict[int, int], **dialect: str) -> None:
    """A text file with a blank row before each row that `blanks` names."""
    encoding = dialect.pop("encoding")
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, **dialect)  # type: ignore[arg-type]
        writer.writerow(rows[0])
        for at, row in enumerate(rows):
            if at in blanks:
                writer.writerow([""] * blanks[at])
            writer.writerow(row.values())


def main() -> None:
    """Write the three files beside this script and print what they hold."""
    fair_rows, fair_wanted = fair(random.Random(2026))  # noqa: S311  nothing here is secret
    erp_rows, erp_wanted = erp(random.Random(1252))  # noqa: S311
    news_rows, news_wanted = newsletter(random.Random(40))  # noqa: S311
    write_fair(HERE / "feira_abf_2026.xlsx", fair_rows)
    write_csv(
        HERE / "erp_clientes.csv",
        erp_rows,
        ERP_BLANKS,
        encoding="cp1252",
        delimiter=";",
        lineterminator="\r\n",
    )
    write_csv(HERE / "newsletter.csv", news_rows, {}, encoding="utf-8", lineterminator="\n")
    for found, wanted in zip(
        count_samples.count().items(), (fair_wanted, erp_wanted, news_wanted), strict=True
    ):
        name, counts = found
        if any(counts[key] != wanted[key] for key in ("rows", "duplicate", "invalid")):
            raise SystemExit(f"{name}: put in {dict(wanted)}, found {dict(counts)}")


if __name__ == "__main__":
    main()
