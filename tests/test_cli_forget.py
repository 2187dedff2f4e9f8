"""`rdimport forget`: no trace of the person is left in ledger, reports and logs."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from support.command import Workspace
from support.posix import only_posix

from rdimport.core.people import People
from rdimport.ledger import store_of
from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = """\
version: 1
conversion_identifier: Feira
fields:
  email: E-mail
  name: Nome
  mobile_phone: {column: Fone, clean: phone}
  cf_nota: {column: Nota}
checks: {cf_nota: {one_of: [boa]}}
"""
HEAD = "Nome;E-mail;Fone;Nota\n"
PERSON = "Zuleica Quaresma;{};(11) 98765-4321;{}\n"
OTHERS = "Ana Outra;ana@exemplo.com.br;;ruim\nBia Terceira;outra.zuleica@exemplo.com.br;;ruim\n"
TRACES = ("zuleica quaresma", "98765", "\nzuleica@", ";zuleica@", '"zuleica@', ">zuleica@")
EMAIL = "zuleica@exemplo.com.br"


@pytest.fixture
def known(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace whose ledger, reports and log know a person in each state, and others."""
    workspace.write("a.yaml", MAPPING)
    forms = [EMAIL, EMAIL.upper(), f" {EMAIL} ", "zuleica @ exemplo . com.br"]
    lines = [PERSON.format(form, "ruim") for form in forms]
    workspace.write("invalid.csv", HEAD + "".join(lines) + OTHERS)
    workspace.write("lost.csv", HEAD + PERSON.format(EMAIL, "boa"))
    workspace.write("lost2.csv", HEAD + PERSON.format("zuleica@exemplo.com.br", "boa"))
    assert run(workspace, "invalid.csv").code == 1
    box.set_faults(Faults(reset_after=1.0, at_most=1))
    assert run(workspace, "lost.csv").code == 1
    box.set_faults(Faults())
    assert run(workspace, "lost.csv", "--resend", "uncertain").code == 0
    (workspace.state / "cron.log").write_text(f"at 10:00 asked by {EMAIL}\nand nobody\n")
    assert found(workspace)
    return workspace


def run(workspace: Workspace, name: str, *more: object):
    return workspace.here("run", name, "-m", "a.yaml", "--quota", "none", *more)


def texts(data: bytes) -> list[str]:
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [archive.read(name).decode("utf-8", "replace") for name in archive.namelist()]
    return [data.decode("utf-8", "replace")]


def found(workspace: Workspace) -> list[str]:
    """Files in the state and report folders with a trace of the person."""
    names = []
    for path in [*workspace.state.rglob("*"), *workspace.reports.rglob("*")]:
        for text in texts(path.read_bytes()) if path.is_file() else []:
            plain = text.casefold().replace("outra.zuleica@", "")
            if "zuleica" in plain or "quaresma" in plain or "98765" in plain:
                names.append(path.name)
    return names


def test_no_trace_of_the_person_is_left_who_is_not_sent_again_and_the_others_are_known(
    known: Workspace, box: RunningSandbox
) -> None:
    before = len(box.conversions())
    done = known.here("forget", EMAIL)
    assert done.code == 0, done.err
    assert found(known) == []
    kept = {text for path in known.reports.rglob("*.csv") for text in texts(path.read_bytes())}
    assert any("Ana Outra" in text and "outra.zuleica@exemplo.com.br" in text for text in kept)
    assert (known.state / "cron.log").read_text() == "at 10:00 asked by ***\nand nobody\n"
    assert known.here("report").code == 0
    assert known.here("ledger", "check").code == 0
    assert found(known) == []
    again = run(known, "lost.csv", "--json")
    assert (again.code, again.summary["already_imported"]) == (0, 1)
    assert len(box.conversions()) == before


def test_without_the_hash_the_person_is_new(known: Workspace, box: RunningSandbox) -> None:
    before = len(box.conversions())
    assert "1 conversion" in known.here("forget", EMAIL, "--also-hash").out
    assert found(known) == []
    assert run(known, "lost.csv").code == 0
    assert len(box.conversions()) == before + 1


def test_a_person_accepted_at_once_is_found_by_the_hash_alone(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("a.yaml", MAPPING)
    workspace.write("a.csv", HEAD + PERSON.format(EMAIL, "boa") + "Ana;ana@exemplo.com.br;;boa\n")
    assert run(workspace, "a.csv").code == 0
    assert "0 rows" in workspace.here("forget", EMAIL, "--also-hash").out
    assert run(workspace, "a.csv", "--json").summary["already_imported"] == 1
    assert len(box.conversions()) == 3


def test_a_row_whose_address_stands_in_two_cells_is_found_by_what_was_sent(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write(
        "two.yaml",
        "version: 1\nconversion_identifier: Feira\nfields:\n"
        "  email: {expr: \"concat(Conta, '@', Casa)\"}\n  name: Nome\n",
    )
    workspace.write("two.csv", "Conta;Casa;Nome\nzuleica;exemplo.com.br;Zuleica Quaresma\n")
    box.set_faults(Faults(reset_after=1.0, at_most=1))
    assert workspace.here("run", "two.csv", "-m", "two.yaml", "--quota", "none").code == 1
    assert found(workspace)
    assert workspace.here("forget", EMAIL).code == 0
    assert found(workspace) == []


def test_a_file_that_is_called_by_an_address_is_not_named_any_more(workspace: Workspace) -> None:
    workspace.write("a.yaml", MAPPING)
    workspace.write(f"{EMAIL}.csv", HEAD + OTHERS)
    run(workspace, f"{EMAIL}.csv")
    assert run(workspace, f"{EMAIL}.xlsx").code == 2, "an attempt, of a file that is not there"
    assert found(workspace)
    assert workspace.here("forget", EMAIL).code == 0
    assert found(workspace) == []


def test_copies_of_the_ledger_that_know_the_person_do_not_any_more(known: Workspace) -> None:
    aside = known.state / "aside-20260101-000000-abcd"
    copy = known.state / "ledger-schema2-20260101-000000.sqlite3"
    assert known.here("ledger", "copy", known.state, aside).code == 0
    assert known.here("ledger", "copy", known.state, copy).code == 0
    done = known.here("forget", EMAIL)
    assert done.code == 0, done.err
    assert not copy.exists()
    assert found(known) == []
    with closing(sqlite3.connect(aside / "ledger.sqlite3")) as db:
        assert "Ana Outra" in str(db.execute("SELECT cells FROM outcome").fetchall())


def test_a_file_of_somebody_else_is_named_and_left_alone(known: Workspace) -> None:
    mine = next(known.reports.iterdir()) / "notes.txt"
    mine.write_text(f"write to {EMAIL}")
    done = known.here("forget", EMAIL)
    assert done.code == 1
    assert str(mine) in done.out
    assert mine.read_text() == f"write to {EMAIL}"
    assert found(known) == ["notes.txt"]


def test_nothing_is_erased_while_a_run_is_active(known: Workspace) -> None:
    before = sorted(found(known))
    with store_of(known.state).hold("default"):
        done = known.here("forget", EMAIL)
    assert (done.code, sorted(found(known))) == (75, before)


def test_addresses_come_from_standard_input_too_and_a_word_that_is_none_erases_nothing(
    known: Workspace,
) -> None:
    before = sorted(found(known))
    assert known.here("forget", EMAIL, "zuleica").code == 2
    assert sorted(found(known)) == before
    assert known.feed(f"{EMAIL}\n", "forget", "-").code == 0
    assert found(known) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ana@x.com", True),
        ("Ana <ANA@X.COM>; bia@x.com", True),
        ("ana @ x . com", True),
        ("ana%40x.com", True),
        ("mailto:ana@x.com?subject=a", True),
        ("\uff41na\uff20x.com", True),
        ("ana\u200b@x.com", True),
        ("ana@x.com. Brasil", True),
        ("mariana@x.com", False),
        ("m.ana@x.com", False),
        ("ana+b@x.com", False),
        ("ana@x.com.br", False),
        ("ana@x.company", False),
        ("anaXxYcom", False),
        ("ana@xycom", False),
    ],
)
def test_an_address_is_found_in_its_spellings_and_not_in_longer_ones(text, named) -> None:
    people = People(["ana@x.com"])
    assert people.are_in(text) is named
    assert (people.out_of(text) != text) is named
    assert not people.are_in(people.out_of(text))


def test_the_folder_of_a_report_may_be_named_where_no_ledger_is(
    known: Workspace, tmp_path: Path
) -> None:
    words = ("--state-dir", tmp_path / "none", "--report-dir", known.reports)
    assert known.here("forget", EMAIL, *words).code == 0
    assert [name for name in found(known) if "ledger" not in name] == ["cron.log"]


@pytest.mark.parametrize("given", ["", " \n\n"])
def test_an_empty_list_of_addresses_erases_nobody(
    given: str, workspace: Workspace, box: object
) -> None:
    workspace.write(
        "list.yaml", "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail}\n"
    )
    workspace.write("list.csv", "E-mail\nana@exemplo.com.br\nbia\n")
    done = workspace.here("run", "list.csv", "-m", "list.yaml", "--quota", "none", "--json")
    before = {path: path.read_bytes() for path in workspace.reports.rglob("*") if path.is_file()}
    result = workspace.feed(given, "forget", "-")
    assert result.code == 2
    assert "nothing was erased" in result.err
    assert {path: path.read_bytes() for path in before} == before
    again = workspace.here("report", done.summary["run_id"])
    assert again.code == 0
    assert "bia" in (workspace.reports / done.summary["run_id"] / "failures.csv").read_text(
        "utf-8-sig"
    )


def test_an_empty_set_of_people_matches_no_text() -> None:
    assert not People([]).are_in("ana@exemplo.com.br")
    assert People([]).out_of("ana@exemplo.com.br") == "ana@exemplo.com.br"


def test_a_person_is_erased_also_from_runs_in_folders_that_are_not_in_utf_8(
    known: Workspace,
) -> None:
    """As 0.1.0 accepted them: in Latin-1, as many home folders still are."""
    ledger = known.state / "ledger.sqlite3"
    with closing(sqlite3.connect(ledger)) as db, db:
        odd = json.dumps(str(known.home / "jos\udce9" / "reports"))
        change = "UPDATE run SET facts = json_set(facts, '$.report_dir', json(?)) WHERE id = 1"
        db.execute(change, (odd,))
    done = known.here("forget", EMAIL)
    assert done.code == 0, done.err
    assert known.here("ledger", "check").code == 0


@pytest.mark.parametrize("command", [("forget", EMAIL), ("purge", "--older-than", "1d")])
def test_where_there_is_no_ledger_it_is_said(
    command: tuple[str, ...], workspace: Workspace
) -> None:
    done = workspace.here(*command, "--state-dir", "sate")
    assert done.code == 0, done.err
    assert done.out.startswith("There is no ledger in sate.")
    assert "There is no ledger" not in workspace.here(*command, "--lang", "pt-BR").out


@pytest.mark.parametrize("command", [("forget", EMAIL), ("purge", "--older-than", "1s")])
def test_a_folder_of_reports_that_cannot_be_there_is_refused_before_anything_is_erased(
    command: tuple[str, ...], known: Workspace
) -> None:
    only_posix("a long name is only one that is not there")
    before = found(known)
    done = known.here(*command, "--report-dir", "é" * 300)
    assert (done.code, done.out) == (2, "")
    assert "cannot be there: File name too long" in done.err
    assert found(known) == before
