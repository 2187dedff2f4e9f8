"""A mapping that identifies conversions differently than before sends nobody unasked."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Done, Workspace
from support.lists import address, people
from support.postgres import Server

from rdimport.core.names import fold
from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = """\
version: 1
conversion_identifier: {name}
identity: [{identity}]
fields: {{email: E-mail, name: Nome}}
"""
COLUMN = """\
version: 1
conversion_identifier: {column: Campanha}
fields: {email: E-mail, name: Nome}
"""


def mapping(workspace: Workspace, name: str = "Feira 2026", identity: str = "email") -> None:
    workspace.write("list.yaml", MAPPING.format(name=f'"{name}"', identity=identity))


def run(workspace: Workspace, *words: str, file: str = "list.csv") -> Done:
    return workspace.here("run", file, "-m", "list.yaml", "--quota", "none", "--json", *words)


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    """A workspace that has sent three people."""
    workspace.write("list.csv", people(3))
    workspace.write("more.csv", people(5))
    mapping(workspace)
    assert run(workspace).summary["accepted"] == 3
    return workspace


@pytest.fixture
def fresh(tmp_path: Path, box: RunningSandbox) -> Workspace:
    """A workspace that has sent nobody."""
    return Workspace(tmp_path, box.api_key, box.base_url)


def use_a_shared_ledger(workspace: Workspace, postgres: Server) -> None:
    """One that knows nobody, as it is agreed."""
    workspace.environment["RDIMPORT_LEDGER"] = postgres.new_database()
    workspace.environment["RDIMPORT_STATE_DIR"] = str(workspace.home / "another")
    assert workspace.here("fleet", "init").code == 0
    assert workspace.here("ledger", "accept", "--yes").code == 0


CHANGED = [
    ("Feira 2026", "email, name"),
    ("Feira 2026", "name"),
    ("FEIRA 2026", "email"),
    ("feira  2026", "email, name"),
    ("Feira 2026", "name, email"),
    ("Féira 2026", "email"),
    ("Fei\u200dra 2026", "email"),
    ("Feira\u3164 2026\ufe0f", "email"),
    ("\u201cFeira 2026\u201d", "email"),
]


@pytest.mark.parametrize(("name", "identity"), CHANGED)
def test_a_changed_identity_sends_nothing_until_it_is_asked_for(
    workspace: Workspace, box: RunningSandbox, name: str, identity: str
) -> None:
    mapping(workspace, name, identity)
    done = run(workspace, "--yes")
    assert done.code == 2
    assert "3 conversions" in done.err
    assert "--new-identity" in done.err
    checked = workspace.here("check", "list.csv", "-m", "list.yaml", "--json")
    assert checked.code == 2
    assert [one["conversions"] for one in checked.summary["unrecognised"]] == [3]
    assert box.counts()["accepted"] == 3
    assert run(workspace, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(workspace).summary["accepted"] == 2


def test_a_changed_identity_is_said_in_both_languages(workspace: Workspace) -> None:
    mapping(workspace, identity="email, name")
    assert "3 conversions" in run(workspace).err  # also without --yes
    for lang, said in (("en", "3 conversions"), ("pt-BR", "3 conversões")):
        assert said in workspace.here("check", "list.csv", "-m", "list.yaml", "--lang", lang).out


SAME = [
    ("Feira 2026 ", "email"),
    ("Feira  2026", "email"),
    ("Feira 2026", "email, email"),
    ("Feira 2027", "email, name"),
]


@pytest.mark.parametrize(("name", "identity"), SAME)
def test_what_is_the_same_identity_or_another_conversion_is_not_asked_about(
    workspace: Workspace, name: str, identity: str
) -> None:
    mapping(workspace, name, identity)
    assert run(workspace).code == 0
    assert run(workspace, file="more.csv").code == 0


DASHES = ["Feira - 2026", "Feira \u2013 2026", "Feira \u2014 2026"]


@pytest.mark.parametrize(("before", "now"), list(itertools.permutations(DASHES, 2)))
def test_a_dash_that_a_word_processor_changed_makes_nobody_new(
    workspace: Workspace, before: str, now: str
) -> None:
    mapping(workspace, before)
    assert run(workspace).summary["accepted"] == 3
    mapping(workspace, now)
    assert run(workspace).code == 2
    assert run(workspace, "--new-identity").summary["accepted"] == 3


def test_what_was_agreed_to_before_and_after_an_upgrade_is_asked_about_once(
    workspace: Workspace,
) -> None:
    """Earlier releases told identifiers with different dashes apart."""
    for name in (DASHES[1], DASHES[0]):
        mapping(workspace, name)
        assert run(workspace, "--new-identity").summary["accepted"] == 3
    with store_of(workspace.state).open() as ledger:
        exact, folded = ledger.digests([f"identifier {DASHES[1]}", f"folded {fold(DASHES[1])}"])
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        changed = db.execute("UPDATE named SET folded = ? WHERE exact = ?", (folded, exact))
        assert changed.rowcount == 1
    mapping(workspace, DASHES[1])
    assert run(workspace, file="more.csv").code == 2
    assert run(workspace, "--new-identity", "--limit", "1", file="more.csv").code == 3
    assert run(workspace, file="more.csv").summary["accepted"] == 1


def test_to_go_back_to_an_earlier_identity_is_a_change_too(workspace: Workspace) -> None:
    mapping(workspace, identity="email, name")
    assert run(workspace, "--new-identity").summary["accepted"] == 3
    assert run(workspace, file="more.csv").summary["accepted"] == 2
    mapping(workspace)
    assert run(workspace).summary["already_imported"] == 3
    assert run(workspace, file="more.csv").code == 2
    assert run(workspace, "--new-identity", file="more.csv").summary["accepted"] == 2
    workspace.write("last.csv", people(6))
    assert run(workspace, file="last.csv").summary["accepted"] == 1


def test_an_identity_under_which_nothing_arrived_binds_nobody(
    workspace: Workspace, box: RunningSandbox
) -> None:
    mapping(workspace, "Outra feira")
    box.set_faults(Faults(odd=1.0, odd_status=422))
    assert run(workspace).code in (1, 3)
    box.set_faults(Faults())
    mapping(workspace, "OUTRA FEIRA", "email, name")
    assert run(workspace).summary["accepted"] == 3


def test_identifiers_from_a_column_are_told_apart_one_by_one(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.yaml", COLUMN)
    rows = ["a@exemplo.com.br,A,Expo", "b@exemplo.com.br,B,expo", "c@exemplo.com.br,C,Loja"]
    workspace.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows]))
    assert run(workspace).summary["accepted"] == 3
    workspace.write(
        "list.csv", "\n".join(["E-mail,Nome,Campanha", *rows, "d@exemplo.com.br,D,expo"])
    )
    assert run(workspace).summary["accepted"] == 1
    rows += ["c@exemplo.com.br,C,LOJA"]
    workspace.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows]))
    done = run(workspace)
    assert done.code == 2
    assert "LOJA" in done.err
    assert run(workspace, "--new-identity").summary["accepted"] == 1
    assert box.counts()["accepted"] == 8


SPELLINGS = [
    "http://localhost:{}",
    "http://LOCALHOST:{}/",
    "http://127.0.0.1:{}//",
    "http://localhost.:{}",
]


def test_another_spelling_of_the_endpoint_is_the_same_one(
    workspace: Workspace, box: RunningSandbox
) -> None:
    port = box.base_url.rpartition(":")[2]
    for spelling in SPELLINGS:
        done = run(workspace, "--base-url", spelling.format(port))
        assert done.summary["already_imported"] == 3, spelling
    assert box.counts()["accepted"] == 3


MIXED = ["a@exemplo.com.br,A,FEIRA DE ABRIL", "b@exemplo.com.br,B,feira  de abril ",
         "c@exemplo.com.br,C,Feira de Abril", "d@exemplo.com.br,D,Feira de Abríl"]  # fmt: skip
TIDY = [row.rpartition(",")[0] + ",Feira de Abril" for row in MIXED]


def campaigns(workspace: Workspace, *rows: str) -> None:
    workspace.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows]))


@pytest.fixture
def mixed(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace that has sent a list whose identifiers are spelt in several ways."""
    workspace.write("list.yaml", COLUMN)
    campaigns(workspace, *MIXED)
    box.clear()
    assert run(workspace).summary["accepted"] == 4
    assert run(workspace).summary["already_imported"] == 4
    return workspace


def test_rows_that_only_spell_their_identifier_otherwise_are_asked_about(
    mixed: Workspace, box: RunningSandbox
) -> None:
    campaigns(mixed, *TIDY[:3], "e@exemplo.com.br,E,Feira de Abril")
    done = run(mixed)
    assert done.code == 2
    assert "1 conversion of “FEIRA DE ABRIL”" in done.err
    assert "1 conversion of “feira de abril”" in done.err
    checked = mixed.here("check", "list.csv", "-m", "list.yaml", "--json")
    assert checked.code == 2
    assert [one["conversions"] for one in checked.summary["unrecognised"]] == [1, 1]
    assert box.counts()["accepted"] == 4
    assert run(mixed, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(mixed).summary["accepted"] == 2


def test_an_identifier_is_recognised_that_the_list_spells_so_elsewhere(
    mixed: Workspace, box: RunningSandbox
) -> None:
    campaigns(mixed, *TIDY, "e@exemplo.com.br,E,Feira de Abríl")
    assert "1 conversion of “Feira de Abríl”" in run(mixed).err
    assert box.counts()["accepted"] == 4


def test_a_person_whom_a_list_has_under_two_spellings_is_sent_under_both(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.yaml", COLUMN)
    both = [row for pair in zip(MIXED, TIDY, strict=True) for row in pair]
    campaigns(workspace, *both, "e@exemplo.com.br,E,Feira de Abril")
    before = box.counts()["accepted"]
    assert run(workspace, "--limit", "4").summary["accepted"] == 4
    assert run(workspace).summary["accepted"] == 4
    assert box.counts()["accepted"] == before + 8


ORDERS = """\
version: 1
conversion_identifier: Pedido
identity: [email, cf_pedido]
fields: {{email: E-mail, cf_pedido: {column}}}
"""


def orders(workspace: Workspace, column: str, rows: range, head: str = "E-mail,Pedido,NF") -> Done:
    """Import orders, whose number is read from a column."""
    workspace.write("list.yaml", ORDERS.format(column=column))
    lines = [f"{address(number)},P{number},N{number}" for number in rows]
    workspace.write("list.csv", "\n".join([head, *lines]))
    return run(workspace)


def test_an_identity_that_reads_another_column_is_asked_about(
    fresh: Workspace, box: RunningSandbox
) -> None:
    before = box.counts()["accepted"]
    assert orders(fresh, "Pedido", range(3)).code == 0
    done = orders(fresh, "NF", range(3))
    assert done.code == 2
    assert "3 conversions of “Pedido” (identity [email, cf_pedido (Pedido)])" in done.err
    assert "cf_pedido (NF)" in done.err
    assert fresh.here("check", "list.csv", "-m", "list.yaml").code == 2
    assert orders(fresh, "{expr: \"concat(NF, '/1')\"}", range(3)).code == 2
    assert box.counts()["accepted"] == before + 3
    orders(fresh, "NF", range(3))
    assert run(fresh, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(fresh).summary["accepted"] == 2
    assert orders(fresh, "Pedido", range(3, 5)).summary["accepted"] == 2
    assert orders(fresh, "NF", range(5, 6)).summary["accepted"] == 1


def test_a_column_with_another_name_is_not_asked_about_while_its_rows_are_recognised(
    fresh: Workspace,
) -> None:
    assert orders(fresh, "Pedido", range(3)).code == 0
    assert orders(fresh, "PEDIDO", range(3, 5)).summary["accepted"] == 2
    renamed = orders(fresh, "Número", range(6), "E-mail,Número,NF")
    assert (renamed.summary["already_imported"], renamed.summary["accepted"]) == (5, 1)
    assert orders(fresh, "Número", range(6, 8), "E-mail,Número,NF").summary["accepted"] == 2


@pytest.mark.parametrize("shared", [False, True])
def test_a_list_of_many_identifiers_in_two_spellings_is_sent_to_its_end(
    fresh: Workspace, postgres: Server, *, shared: bool
) -> None:
    fresh.write("list.yaml", COLUMN)
    numbers = range(1, 1_011)
    rows = [
        f"{address(number)},A,{name} {number}" for name in ("Feira", "FEIRA") for number in numbers
    ]
    campaigns(fresh, *rows)
    if shared:
        use_a_shared_ledger(fresh, postgres)
    assert run(fresh, "--limit", "1010").summary["accepted"] == 1_010
    assert run(fresh, "--limit", "1").summary["accepted"] == 1
    campaigns(fresh, *rows[1_010:])
    done = run(fresh)
    assert done.code == 2
    assert "1 conversion of “Feira 2”" in done.err


def read_as(workspace: Workspace, source: str, *cells: str) -> None:
    """Write a list, and a mapping whose second identity field is read in that way."""
    workspace.write("list.yaml", ORDERS.format(column=source))
    lines = [f"{address(number)},{cell},{cell}9" for number, cell in enumerate(cells)]
    workspace.write("list.csv", "\n".join(["E-mail,Pedido,NF", *lines]))


READ = [
    ("Pedido", "{column: Pedido, clean: lower}", ("Ab", "Cd"), "clean: lower"),
    ("{column: Pedido, clean: number}", "Pedido", ("R$ 10", "R$ 20"), "cf_pedido"),
    (
        "{column: Pedido, clean: date}",
        "{column: Pedido, clean: date, date_format: '%d/%m/%Y'}",
        ("1/2/2026", "3/2/2026"),
        "date_format: %d/%m/%Y",
    ),
    (
        "{column: Pedido, clean: phone, default_area: '11'}",
        "{column: Pedido, clean: phone, default_area: '21'}",
        ("98765-4321", "98765-4322"),
        "default_area: 21",
    ),
    ("Pedido", "{column: Pedido, values: {a: x, b: y}}", ("a", "b"), "values"),
    ("Pedido", "{column: [NF, Pedido]}", ("a", "b"), "NF, Pedido"),
    ("Pedido", "{expr: \"concat(Pedido, '/1')\"}", ("a", "b"), "expr: concat"),
]


@pytest.mark.parametrize(("before", "now", "cells", "said"), READ)
def test_an_identity_field_that_is_read_in_another_way_is_asked_about(
    fresh: Workspace, before: str, now: str, cells: tuple[str, ...], said: str
) -> None:
    read_as(fresh, before, *cells)
    assert run(fresh).summary["accepted"] == 2
    read_as(fresh, now, *cells)
    done = run(fresh, "--yes")
    assert done.code == 2
    assert "2 conversions of “Pedido”" in done.err
    assert said in " ".join(done.err.split())
    checked = fresh.here("check", "list.csv", "-m", "list.yaml", "--json")
    assert checked.code == 2
    assert [one["conversions"] for one in checked.summary["unrecognised"]] == [2]
    assert run(fresh, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(fresh).summary["accepted"] == 1
    assert run(fresh).summary["already_imported"] == 2


@pytest.mark.parametrize("shared", [False, True])
def test_only_values_that_change_are_asked_about(
    fresh: Workspace, box: RunningSandbox, postgres: Server, *, shared: bool
) -> None:
    if shared:
        use_a_shared_ledger(fresh, postgres)
    before, plain, lower = box.counts()["accepted"], "Pedido", "{column: Pedido, clean: lower}"
    read_as(fresh, plain, "a", "b", "C")
    assert run(fresh).summary["accepted"] == 3
    read_as(fresh, lower, "a", "b")
    assert run(fresh).summary["already_imported"] == 2
    read_as(fresh, lower, "a", "b", "D", "E")
    assert run(fresh).summary["accepted"] == 2
    read_as(fresh, lower, "a", "b", "C")
    assert "1 conversion of “Pedido”" in run(fresh).err
    read_as(fresh, plain, "a", "b", "D", "E")
    assert "2 conversions of “Pedido”" in run(fresh).err
    assert box.counts()["accepted"] == before + 5


def test_what_counts_as_empty_is_part_of_how_a_field_is_read(fresh: Workspace) -> None:
    read_as(fresh, "{column: Pedido, default: none}", "-", "b")
    assert run(fresh).summary["accepted"] == 2
    fresh.write("list.yaml", (fresh.home / "list.yaml").read_text() + "empty: ['-']\n")
    done = run(fresh)
    assert done.code == 2
    assert "1 conversion of “Pedido”" in done.err
    assert "empty: -" in done.err


@pytest.mark.parametrize("rule", ['{"fields": {"cf_pedido": {"later": 1}}}', "no JSON", 7])
def test_what_a_later_release_says_about_a_run_is_passed_over(
    workspace: Workspace, rule: str | int
) -> None:
    assert orders(workspace, "Pedido", range(3)).code == 0
    changed = "UPDATE run SET facts = json_set(facts, '$.mapping_used.identity', ?)"
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        assert db.execute(changed, (rule,)).rowcount
    assert orders(workspace, "Pedido", range(4)).summary["accepted"] == 1
    done = orders(workspace, "NF", range(3))
    assert done.code == 2
    assert "cf_pedido (NF)" in done.err


def test_an_address_that_is_read_in_another_way_is_asked_about(workspace: Workspace) -> None:
    workspace.write("list.csv", "E-mail,Nome\nana@gmial.com,Ana\n")
    workspace.write("list.yaml", "conversion_identifier: Feira\nfields: {email: E-mail}\n")
    assert run(workspace).summary["accepted"] == 1
    corrected = "{column: E-mail, correct_typos: true}"
    workspace.write("list.yaml", f"conversion_identifier: Feira\nfields: {{email: {corrected}}}\n")
    done = run(workspace)
    assert done.code == 2
    assert "email (correct_typos: True)" in " ".join(done.err.split())


def test_two_mappings_that_send_one_list_to_other_people_are_asked_about_once(
    workspace: Workspace,
) -> None:
    def job(column: str, people_there: int, *options: str) -> Done:
        lines = [f"mae{number}@x.com.br,pai{number}@x.com.br" for number in range(people_there)]
        workspace.write("list.csv", "\n".join(["Mãe,Pai", *lines]))
        mapping = f"conversion_identifier: Escola\nfields: {{email: {column}}}\n"
        workspace.write("list.yaml", mapping)
        return run(workspace, *options)

    assert job("Mãe", 2).summary["accepted"] == 2
    assert "2 conversions of “Escola”" in job("Pai", 2).err
    assert job("Pai", 2, "--new-identity").summary["accepted"] == 2
    for people_there in (3, 4):
        assert job("Pai", people_there).summary["accepted"] == 1
        assert job("Mãe", people_there).summary["accepted"] == 1
    assert job("Pai", 4).summary["already_imported"] == 4
    workspace.write("more.csv", "Mãe,Pai\nmae5@x.com.br,pai5@x.com.br\n")
    both = ("list.csv", "more.csv", "-m", "list.yaml", "--quota", "none", "--json")
    assert workspace.here("run", *both).summary["accepted"] == 1
    mapping = (workspace.home / "list.yaml").read_text()
    workspace.write("list.yaml", mapping.replace("Pai", "Mãe"))
    assert workspace.here("run", *both).summary["accepted"] == 1


def test_a_spelling_that_only_a_later_file_has_is_tried(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.yaml", COLUMN)
    campaigns(workspace, "a@exemplo.com.br,A,fEIRA", "b@exemplo.com.br,B,Feira")
    before = box.counts()["accepted"]
    assert run(workspace).summary["accepted"] == 2
    campaigns(workspace, "a@exemplo.com.br,A,Feira", "b@exemplo.com.br,B,Feira")
    workspace.write("more.csv", "E-mail,Nome,Campanha\nc@exemplo.com.br,C,fEIRA\n")
    done = workspace.here("run", "list.csv", "more.csv", "-m", "list.yaml", "--quota", "none")
    assert done.code == 2
    assert "1 conversion of “fEIRA”" in done.err
    assert box.counts()["accepted"] == before + 2


WRITTEN = [
    ("00012", "12"),
    ("12", "00012"),
    ("1/2/2026", "2026-02-01"),
    ("2026-02-01", "01/02/2026"),
    ("01/02/2026 09:30", "2026-02-01 09:30:00"),
    ("2026-02-01 09:30:00", "01/02/2026 09:30"),
    ("2026-02-13", "2/13/2026"),
    ("13/02/2026", "13/02/26"),
    ("01/02/2026", "1/2/2026"),
    ("1/2/2026", "01/02/2026"),
    ("2000", "2.000,00"),
    ("2.000,00", "2000"),
    ("09:30", "09:30:00"),
    ("09:30:00", "09:30"),
    ("1.234,50", "1234.5"),
    ("1234.5", "1234,50"),
    ("0.25", "0,25"),
]


@pytest.mark.parametrize(("was", "now"), WRITTEN)
def test_a_list_that_another_program_saved_is_asked_about(
    fresh: Workspace, box: RunningSandbox, was: str, now: str
) -> None:
    before = box.counts()["accepted"]
    fresh.write("list.yaml", ORDERS.format(column="Pedido"))
    for cell, people_there in ((was, 3), (now, 4)):
        lines = [f"{address(number)};{cell}" for number in range(people_there)]
        fresh.write("list.csv", "\n".join(["E-mail;Pedido", *lines]))
        done = run(fresh)
    assert done.code == 2
    assert "3 conversions" in done.err
    assert "cf_pedido (written in another way)" in " ".join(done.err.split())
    assert fresh.here("check", "list.csv", "-m", "list.yaml").code == 2
    assert box.counts()["accepted"] == before + 3


IDENTIFIER = """\
version: 1
conversion_identifier: {expr: "concat('Turma ', Pedido)"}
fields: {email: E-mail}
"""
MADE = [
    IDENTIFIER,
    ORDERS.format(column="{expr: \"concat(Pedido, '/', Pedido)\"}"),
    ORDERS.format(column="{column: Pedido, otherwise: keep, values: {'007': a, '1.234,50': b}}"),
]


@pytest.mark.parametrize("mapping", MADE)
@pytest.mark.parametrize(("was", "now"), [("007", "7"), ("1.234,50", "1234.5")])
def test_so_is_one_where_the_mapping_makes_the_identity_from_cells(
    fresh: Workspace, box: RunningSandbox, mapping: str, was: str, now: str
) -> None:
    before = box.counts()["accepted"]
    fresh.write("list.yaml", mapping)
    for cell, people_there in ((was, 3), (now, 4)):
        lines = [f"{address(number)};{cell}" for number in range(people_there)]
        fresh.write("list.csv", "\n".join(["E-mail;Pedido", *lines]))
        done = run(fresh)
    assert done.code == 2
    assert "3 conversions" in done.err
    assert fresh.here("check", "list.csv", "-m", "list.yaml").code == 2
    assert box.counts()["accepted"] == before + 3


SAVED = {
    "01/02/2026": "2026-02-01",
    "1/2/2026": "2026-02-01",
    "01/02/2026 09:30": "2026-02-01 09:30:00",
    "1.234,50": "1234.5",
    "1234,50": "1234.5",
    "1.234,56": "1234.56",
    "00012": "12",
    "12": "12",
    "2.000,00": "2000",
}
DAY_AND_AMOUNT = """\
version: 1
conversion_identifier: Compras
identity: [email, cf_dia, cf_valor, cf_pedido]
fields: {email: E-mail, cf_dia: Dia, cf_valor: Valor, cf_pedido: Pedido}
"""


@pytest.mark.parametrize(
    "was",
    ["01/02/2026;1.234,50;00012", "1/2/2026;1234,50;12", "01/02/2026 09:30;1.234,56;2.000,00"],
)
def test_so_is_one_with_dates_amounts_and_codes_each_in_its_own_way(
    fresh: Workspace, box: RunningSandbox, was: str
) -> None:
    before = box.counts()["accepted"]
    fresh.write("list.yaml", DAY_AND_AMOUNT)
    now = ";".join(SAVED[cell] for cell in was.split(";"))
    for cells, people_there in ((was, 3), (now, 4)):
        lines = [f"{address(number)};{cells}" for number in range(people_there)]
        fresh.write("list.csv", "\n".join(["E-mail;Dia;Valor;Pedido", *lines]))
        done = run(fresh)
    assert done.code == 2
    assert "3 conversions" in done.err
    assert fresh.here("check", "list.csv", "-m", "list.yaml").code == 2
    assert box.counts()["accepted"] == before + 3


def test_a_list_saved_by_another_program_may_begin_with_many_new_people(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("list.yaml", ORDERS.format(column="Pedido"))
    before = box.counts()["accepted"]
    sent = [f"{address(number)},{number:03}" for number in range(30)]
    workspace.write("list.csv", "\n".join(["E-mail,Pedido", *sent]))
    assert run(workspace).summary["accepted"] == 30
    new = [f"{address(number)},{number}" for number in range(1_000, 1_600)]
    again = [f"{address(number)},{number}" for number in range(30)]
    workspace.write("list.csv", "\n".join(["E-mail,Pedido", *new, *again]))
    assert "30 conversions of “Pedido”" in run(workspace).err
    assert box.counts()["accepted"] == before + 30


def test_tags_that_another_program_wrote_are_asked_about(workspace: Workspace) -> None:
    mapping = ORDERS.replace("cf_pedido", "tags").format(column="{column: Pedido, split: '|'}")
    workspace.write("list.yaml", mapping)
    workspace.write("list.csv", f"E-mail,Pedido\n{address(1)},vip|01/02/2026\n")
    assert run(workspace).summary["accepted"] == 1
    workspace.write("list.csv", f"E-mail,Pedido\n{address(2)},vip\n")
    assert run(workspace).summary["accepted"] == 1
    workspace.write("list.csv", f"E-mail,Pedido\n{address(1)},vip|2026-02-01\n")
    assert "1 conversion of “Pedido”" in run(workspace).err


def test_what_was_agreed_to_in_another_format_is_asked_about_once(workspace: Workspace) -> None:
    read_as(workspace, "Pedido", "01", "02", "03")
    assert run(workspace).summary["accepted"] == 3
    read_as(workspace, "Pedido", "1", "2", "3")
    assert run(workspace).code == 2
    assert run(workspace, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(workspace).summary["accepted"] == 2


def test_values_that_one_list_has_in_both_ways_are_not_asked_about(workspace: Workspace) -> None:
    read_as(workspace, "Pedido", "01", "02")
    assert run(workspace).summary["accepted"] == 2
    both = [
        f"{address(number)},{cell},x" for number in range(2) for cell in (f"0{number + 1}", "1")
    ]
    workspace.write("list.csv", "\n".join(["E-mail,Pedido,NF", *both]))
    assert run(workspace).summary["accepted"] == 2


def test_an_identifier_that_another_program_wrote_is_asked_about(workspace: Workspace) -> None:
    workspace.write("list.yaml", COLUMN)
    campaigns(workspace, "a@exemplo.com.br,A,01/02/2026", "b@exemplo.com.br,B,Feira")
    assert run(workspace).summary["accepted"] == 2
    campaigns(workspace, "a@exemplo.com.br,A,2026-02-01", "b@exemplo.com.br,B,Feira")
    assert "1 conversion of “01/02/2026”" in run(workspace).err
