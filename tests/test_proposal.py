"""`init`: a mapping proposed from headings and values."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.errors import MappingError
from rdimport.core.names import fold
from rdimport.core.row import FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.mapping import Mapping
from rdimport.prepare import bind, prepare
from rdimport.prepare.clean import text
from rdimport.proposal import Proposal, propose
from rdimport.proposal.evidence import gather
from rdimport.proposal.guess import guess
from rdimport.proposal.vocabulary import Holds
from rdimport.proposal.write import NO_EMAIL, identifier

ROOT = Path(__file__).parent.parent
LISTS = ROOT / "tests" / "data" / "header_lists.txt"
PHONES = {"phone", "mobile_phone", "personal_phone"}


class Column(NamedTuple):
    heading: str
    holds: str
    values: list[str]


def corpus() -> dict[str, list[Column]]:
    """The lists of the corpus by title."""
    lists: dict[str, list[Column]] = {}
    for line in LISTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            lists[line[3:]] = []
        elif " | " in line:
            heading, holds, *values = line.split(" | ")
            lists[next(reversed(lists))].append(Column(heading, holds, values))
    return lists


class Outcome(NamedTuple):
    verdict: str
    heading: str
    wanted: str
    found: str


def outcomes(lists: dict[str, list[Column]]) -> list[Outcome]:
    """The result for each column of each list: right, missed or wrong."""
    wide = {f"{title}\n{c.heading}": c.values for title, columns in lists.items() for c in columns}
    seen = gather(pl.DataFrame(wide))
    listed = []
    for title, columns in lists.items():
        evidence = {c.heading: seen[f"{title}\n{c.heading}"] for c in columns}
        guesses = guess([c.heading for c in columns], evidence)
        for heading, wanted, _ in columns:
            found = guesses[heading].holds.value if heading in guesses else "-"
            same = found == wanted or ("phone" in {found, wanted} and {found, wanted} <= PHONES)
            verdict = "right" if same else "missed" if found == "-" else "wrong"
            listed.append(Outcome(verdict, heading, wanted, found))
    return listed


def proposed(columns: list[Column]) -> tuple[Proposal, pl.DataFrame]:
    """The proposal for a list, and its rows as from the reader."""
    values = {c.heading: pl.Series(c.values, dtype=pl.String) for c in columns}
    rows = pl.DataFrame(values)
    origin = {
        FILE: pl.lit(0, dtype=pl.UInt32),
        ROW: pl.int_range(2, pl.len() + 2, dtype=pl.UInt32),
        **{name: pl.lit(None, dtype=pl.String) for name in list(ORIGIN)[2:]},
    }
    table = rows.select(**origin, **{name: text.column(name) for name in rows.columns})
    return propose(rows.columns, table, "lista.csv"), table


def test_on_sixty_lists_no_guess_is_wrong_and_few_are_missed() -> None:
    lists = corpus()
    assert len(lists) >= 60
    found = outcomes(lists)
    verdicts = Counter(outcome.verdict for outcome in found)
    assert [outcome for outcome in found if outcome.verdict == "wrong"] == []
    assert verdicts["missed"] <= 0.02 * len(found), verdicts


@pytest.mark.parametrize("columns", corpus().values(), ids=corpus())
def test_every_proposal_is_a_mapping_that_runs(columns: list[Column]) -> None:
    proposal, table = proposed(columns)
    assert not proposal.missing
    bound = bind(Mapping.parse(proposal.text), [c.heading for c in columns], "lista.csv")
    prepared = prepare(table, bound)
    assert (prepared.rows.height + prepared.left_out, prepared.problems.rows()) == (
        table.height,
        [],
    )


@pytest.mark.parametrize("columns", list(corpus().values())[::5], ids=list(corpus())[::5])
def test_a_custom_field_comes_to_life_when_its_mark_is_taken_away(columns: list[Column]) -> None:
    proposal, table = proposed(columns)
    text = proposal.text.replace("  # cf_", "  cf_")
    mapping = Mapping.parse(text)
    custom = [name for name in mapping.fields if name.startswith("cf_")]
    assert len(custom) == sum(c.heading not in proposal.guesses for c in columns)
    prepared = prepare(table, bind(mapping, [c.heading for c in columns], "lista.csv"))
    assert prepared.problems.rows() == []


def test_every_guess_bears_why_and_an_example() -> None:
    proposal, _ = proposed(corpus()["fair stand"])
    for line in proposal.text.split("fields:\n")[1].splitlines():
        if line.startswith("  ") and ":" in line.split("#")[0]:
            assert "; e.g. “" in line, line
    assert "# cf_observacoes: Observações  # e.g. “Ligar na segunda”" in proposal.text


def column(heading: str, *values: str) -> Column:
    return Column(heading, "", list(values))


EMAIL = column("E-mail", "ana@exemplo.com", "bia@exemplo.com")


def test_two_names_are_joined_and_capitals_are_mended() -> None:
    proposal, table = proposed(
        [column("Nome", "ANA", "BIA"), column("Sobrenome", "DA SÁ", "REIS"), EMAIL]
    )
    prepared = prepare(table, bind(Mapping.parse(proposal.text), table.columns[3:], "lista.csv"))
    assert '"name":"Ana da Sá"' in prepared.rows["payload"][0]


def test_a_column_of_city_and_state_fills_both() -> None:
    proposal, table = proposed([EMAIL, column("Cidade/UF", "SANTOS/SP", "Olinda - PE")])
    prepared = prepare(table, bind(Mapping.parse(proposal.text), table.columns[3:], "lista.csv"))
    assert '"state":"SP","city":"Santos"' in prepared.rows["payload"][0]
    assert '"state":"PE","city":"Olinda"' in prepared.rows["payload"][1]


def test_an_opt_in_becomes_a_legal_basis_and_an_opt_out_never_does() -> None:
    consent, _ = proposed([EMAIL, column("Aceita receber e-mails?", "Sim", "Não")])
    assert Mapping.parse(consent.text).legal_bases[0].status.column == ("Aceita receber e-mails?",)
    for heading in ("Opt-out", "Descadastrado", "Aceita SMS"):
        other, _ = proposed([EMAIL, column(heading, "Sim", "Não")])
        assert Mapping.parse(other.text).legal_bases == ()


def test_values_that_contradict_a_heading_win() -> None:
    civil, _ = proposed([EMAIL, column("Estado", "Casado", "Solteira")])
    assert "state" not in Mapping.parse(civil.text).fields
    phone, _ = proposed([EMAIL, column("Contato", "11987654321", "21998765432")])
    assert "mobile_phone" in Mapping.parse(phone.text).fields


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (("11987654321", "21998765432"), {"mobile_phone": "and its numbers are mobile"}),
        (("1134567891", "2134567892"), {"personal_phone": "and its numbers are landlines"}),
        (
            ("11987654321", "2134567892"),
            {
                "mobile_phone": "this column mixes both kinds; mobile numbers go here",
                "personal_phone": "this column mixes both kinds; landlines go here",
            },
        ),
    ],
)
def test_a_phone_whose_kind_its_values_decide_says_so(
    numbers: tuple[str, ...], message: dict[str, str]
) -> None:
    proposal, _ = proposed([EMAIL, column("Telefone", *numbers)])
    lines = [line for line in proposal.text.splitlines() if "_phone: Telefone" in line]
    assert len(lines) == len(message)
    assert all(
        any(f"{field}:" in line and why in line for line in lines) for field, why in message.items()
    )


def test_a_proposal_names_no_schema_that_is_not_there_and_says_how_to_have_it() -> None:
    proposal, _ = proposed([EMAIL])
    assert "rdimport schema > mapping.schema.json" in proposal.text
    assert "\n# yaml-language-server" not in f"\n{proposal.text}"


def test_without_a_column_of_addresses_the_mapping_asks_for_it() -> None:
    proposal, table = proposed([column("Nome", "Ana", "Bia")])
    assert proposal.missing == "lista.csv: no column seems to contain e-mail addresses."
    with pytest.raises(MappingError, match=f"has no column “{re_escape(NO_EMAIL)}”"):
        bind(Mapping.parse(proposal.text), table.columns[3:], "lista.csv")


def re_escape(text: str) -> str:
    return text.replace("?", r"\?")


def test_custom_fields_are_named_as_rd_names_them() -> None:
    used: set[str] = set()
    headings = ("Nº de Funcionários", "Nº  de funcionários", "???", "cf_segmento", "Ação/Reação")
    assert [identifier(heading, used) for heading in headings] == [
        "cf_no_de_funcionarios",
        "cf_no_de_funcionarios_2",
        "cf_campo",
        "cf_segmento",
        "cf_acao_reacao",
    ]


def test_the_sample_lists_get_the_mapping_that_people_wrote() -> None:
    path = ROOT / "sample_data" / "erp_clientes.csv"
    lines = list(csv.reader(io.StringIO(path.read_bytes().decode("cp1252")), delimiter=";"))
    kept = [line for line in lines[1:] if len(line) == len(lines[0])]
    columns = [Column(h, "", list(v)) for h, *v in zip(lines[0], *kept, strict=True)]
    proposal, _ = proposed(columns)
    mine = Mapping.parse(proposal.text)
    theirs = Mapping.load(ROOT / "mappings" / "erp_clientes.yaml")
    for field in ("email", "job_title", "company_address", "city", "state", "website"):
        assert mine.fields[field].column == theirs.fields[field].column
    assert mine.legal_bases[0].status.column == theirs.legal_bases[0].status.column


HEADINGS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=15),
    max_size=5,
    unique_by=fold,
)


@settings(deadline=None, max_examples=costly(30))
@given(HEADINGS, st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@example(["^[$", "^$"], "")
def test_whatever_the_headings_and_cells_are_the_proposal_can_be_read_and_bound(
    headings: list[str], cell: str
) -> None:
    named = [h for h in headings if fold(h) and fold(h) != fold(EMAIL.heading)]
    proposal, _ = proposed([EMAIL, *(column(h, cell, "") for h in named)])
    text = proposal.text.replace("  # cf_", "  cf_")
    bind(Mapping.parse(proposal.text), [EMAIL.heading, *named], "lista.csv")
    bind(Mapping.parse(text), [EMAIL.heading, *named], "lista.csv")


@pytest.mark.parametrize("unit", ["@", "a.", "1 ", "x", "<", "a@"])
def test_a_cell_of_a_million_characters_is_judged_by_its_beginning(unit: str) -> None:
    """It would take minutes or hours if the patterns went through all of it."""
    long = unit * (1_000_000 // len(unit))
    rows = pl.DataFrame({"E-mail": ["a@exemplo.com.br", long], "Nome": ["Ana", long]})
    found = propose(("E-mail", "Nome"), rows, "list.csv")
    assert found.guesses["E-mail"].holds is Holds.EMAIL
    assert "x" * 2000 not in found.text
