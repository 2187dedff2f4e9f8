"""Where a table begins and ends, what its columns are called, and what is not data."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from rdimport.core.errors import SourceError
from rdimport.core.row import FILE
from rdimport.source import Hints, Table, open_tables


def text(tmp_path: Path, content: str, hints: Hints | None = None) -> Table:
    path = tmp_path / "leads.csv"
    path.write_text(content, encoding="utf-8")
    return open_tables([str(path)], hints or Hints())[0]


def book(tmp_path: Path, *rows: list[object], hints: Hints | None = None) -> Table:
    found = openpyxl.Workbook()
    for row in rows:
        found.active.append(row)
    path = tmp_path / "leads.xlsx"
    found.save(path)
    return open_tables([str(path)], hints or Hints())[0]


def read(table: Table) -> list[tuple[object, ...]]:
    return [row for frame in table.batches() for row in frame.drop(FILE).iter_rows()]


def test_groups_above_the_header_tell_doubled_names_apart(tmp_path: Path) -> None:
    table = book(
        tmp_path,
        ["Lista de clientes"],
        ["Titular", None, "Cônjuge", None, "Contato", None],
        ["Nome", "CPF", "Nome", "CPF", "E-mail", "Telefone"],
        ["Ana", "1", "Rui", "2", "ana@exemplo.com.br", "11 90000-0001"],
    )
    assert table.columns == (
        "Titular Nome", "Titular CPF", "Cônjuge Nome", "Cônjuge CPF", "E-mail", "Telefone",
    )  # fmt: skip
    assert [row[0] for row in read(table)] == [4]


def test_names_below_a_group_belong_to_the_header(tmp_path: Path) -> None:
    table = book(
        tmp_path,
        ["Nome", "E-mail", "Telefones", None],
        [None, None, "Celular", "Fixo"],
        ["Ana", "ana@exemplo.com.br", "11 90000-0001", "11 3000-0001"],
        ["Bia", "bia@exemplo.com.br", "11 90000-0002", None],
    )
    assert table.columns == ("Nome", "E-mail", "Celular", "Fixo")
    assert [row[0] for row in read(table)] == [3, 4]


def test_a_row_of_plain_words_below_the_header_is_a_person(tmp_path: Path) -> None:
    table = text(tmp_path, "Participante;Tipo;Cidade\nAna;Cliente;Recife\nBia;Contato;Belém\n")
    assert table.facts.header_row == 1
    assert [row[2] for row in read(table)] == ["Ana", "Bia"]


def test_the_mappings_columns_find_the_header_below_rows_that_look_like_one(tmp_path: Path) -> None:
    content = "Quem;Onde;Quando\nNome;Correio;Dia\nAna;ana@exemplo.com.br;2026-01-01\n"
    table = text(tmp_path, content, Hints(columns=("nome", "CORREIO")))
    assert table.columns == ("Nome", "Correio", "Dia")
    assert any("row 1," in note for note in table.notes)


def test_the_header_row_can_be_told(tmp_path: Path) -> None:
    content = "a@exemplo.com.br;b\nNome;E-mail\nAna;ana@exemplo.com.br\n"
    assert text(tmp_path, content, Hints(header_row=2)).columns == ("Nome", "E-mail")
    with pytest.raises(SourceError, match="no header in row 9"):
        text(tmp_path, content, Hints(header_row=9))


def test_a_row_with_a_persons_address_is_no_header_unless_the_mapping_calls_its_columns_so(
    tmp_path: Path,
) -> None:
    content = "Nome;E-mail\nAna;ana@exemplo.com.br\nBia;bia@exemplo.com.br\n"
    with pytest.raises(SourceError, match="row 2: it contains an e-mail address"):
        text(tmp_path, content, Hints(header_row=2))
    assert text(tmp_path, content, Hints(header_row=2, columns=("Ana",))).facts.header_row == 2


def test_a_header_cell_with_a_line_break_is_one_name_and_takes_no_row(tmp_path: Path) -> None:
    table = text(tmp_path, 'Nome;"E-mail\n(pessoal)"\nAna;ana@exemplo.com.br\n')
    assert table.columns == ("Nome", "E-mail (pessoal)")
    assert read(table) == [(3, None, "Ana", "ana@exemplo.com.br")]


def test_repeated_headers_totals_and_notes_are_left_out_and_named(tmp_path: Path) -> None:
    table = text(
        tmp_path,
        "Nome;E-mail;Valor\n"
        "Ana;ana@exemplo.com.br;10,00\n"
        "NOME;E-MAIL;VALOR\n"
        "Total Express;total@exemplo.com.br;20,00\n"
        "Total Ltda;;\n"
        "Subtotal;;30,00\n"
        "Bia;bia@exemplo.com.br;#N/D\n"
        "\n"
        "Total de registros: 3;;\n"
        "TOTAL GERAL;;R$ 30,00\n"
        "Gerado em 01/02/2026 10:00\n",
    )
    assert read(table) == [
        (2, None, "Ana", "ana@exemplo.com.br", "10,00"),
        (4, None, "Total Express", "total@exemplo.com.br", "20,00"),
        (5, None, "Total Ltda", None, None),
        (7, None, "Bia", "bia@exemplo.com.br", None),
    ]
    notes = " ".join(table.notes)
    assert "row 3: not imported" in notes
    assert "6, 9, 10, 11: not imported" in notes
    assert "1 cell contains an error such as #REF! or #N/D, in row 7, column “Valor”" in notes


def test_the_header_of_a_second_file_that_was_put_behind_the_first_is_left_out(
    tmp_path: Path,
) -> None:
    one = "\ufeffNome completo;E-mail\n{0};{0}@exemplo.com.br\n"
    again = "Nome\u00a0completo;E-mail\n"
    table = text(tmp_path, one.format("ana") + one.format("bia") + again)
    assert [row[2:] for row in read(table)] == [
        ("ana", "ana@exemplo.com.br"),
        ("bia", "bia@exemplo.com.br"),
    ]
    assert "The header is repeated in rows 3, 5" in " ".join(table.notes)


def test_columns_of_a_sheet_without_name_and_value_are_not_there(tmp_path: Path) -> None:
    table = book(
        tmp_path,
        ["Nome", None, "E-mail", None, None],
        ["Ana", None, "ana@exemplo.com.br", "x", None],
        ["Bia", None, "bia@exemplo.com.br", None, None],
    )
    assert table.columns == ("Nome", "E-mail", "Coluna 3")
    assert read(table)[0] == (2, None, "Ana", "ana@exemplo.com.br", "x")


def test_a_program_that_leaves_out_trailing_empty_cells_makes_no_broken_rows(
    tmp_path: Path,
) -> None:
    lines = [f"nome {i};a{i}@exemplo.com.br" + (f";{i}" if i % 3 == 0 else "") for i in range(30)]
    table = text(tmp_path, "Nome;E-mail;Nota\n" + "\n".join(lines) + "\n")
    assert {row[1] for row in read(table)} == {None}
    assert [row[4] for row in read(table)][:4] == ["0", None, None, "3"]
    assert any("omit empty cells" in note for note in table.notes)


def test_a_delimiter_at_the_end_of_every_row_is_no_defect(tmp_path: Path) -> None:
    lines = [f'nome {i};"a{i}@exemplo.com.br";' for i in range(30)]
    table = text(tmp_path, "Nome;E-mail;\n" + "\n".join(lines) + "\nmais;m@exemplo.com.br;x\n")
    rows = read(table)
    assert table.columns == ("Nome", "E-mail")
    assert {row[1] for row in rows[:-1]} == {None}
    assert rows[-1] == (32, "row.too_long", "mais", "m@exemplo.com.br;x")


def test_text_that_a_wrong_encoding_broke_is_put_right_and_counted(tmp_path: Path) -> None:
    content = (
        "Nome;E-mail;FunÃ§Ã£o\nJoÃ£o;j@exemplo.com.br;SÃ³cio\nIRMÃ LÃºcia;l@exemplo.com.br;Ã\n"
    )
    table = text(tmp_path, content)
    assert table.columns == ("Nome", "E-mail", "Função")
    assert read(table) == [
        (2, None, "João", "j@exemplo.com.br", "Sócio"),
        (3, None, "IRMÃ Lúcia", "l@exemplo.com.br", "Ã"),
    ]
    assert any(note.startswith("3 cells") for note in table.notes)


def test_broken_text_stays_when_the_person_wants_it(tmp_path: Path) -> None:
    content = "Nome;E-mail\nJoÃ£o;j@exemplo.com.br\n"
    assert read(text(tmp_path, content, Hints(repair=False)))[0][2] == "JoÃ£o"


def test_what_libreoffice_makes_of_utf_8_read_as_windows_1252_is_repaired_too(
    tmp_path: Path,
) -> None:
    content = "Nome;E-mail\nD'Ã\uf181vila;j@exemplo.com.br\nÃ\uf18dtalo;i@exemplo.com.br\n"
    assert [row[2] for row in read(text(tmp_path, content))] == ["D'Ávila", "Ítalo"]


def test_portuguese_capitals_are_not_taken_for_broken_text(tmp_path: Path) -> None:
    names = ["MAÇÃ", "“MAÇÔ", "Ângela", "ÂNGELA", "AMANHÃ…", "IRMÃ\u00a0DULCE", "PÃES"]
    rows = "".join(f"{name};{i}@exemplo.com.br\n" for i, name in enumerate(names))
    table = text(tmp_path, "Nome;E-mail\n" + rows)
    assert [row[2] for row in read(table)] == names


def test_nul_bytes_are_left_out_and_long_and_strange_cells_arrive(tmp_path: Path) -> None:
    long = "x" * 32_767
    table = text(
        tmp_path,
        f"Nome;E-mail;Nota\nA\x00na;ana@exemplo.com.br;{long}\nBe\u0301;b@exemplo.com.br;\u00a0y\u200b\n",
    )
    assert read(table) == [
        (2, None, "Ana", "ana@exemplo.com.br", long),
        (3, None, "Be\u0301", "b@exemplo.com.br", "\u00a0y\u200b"),
    ]
    assert any("NUL" in note for note in table.notes)


def test_numbers_in_a_text_file_come_as_they_are_written(tmp_path: Path) -> None:
    values = ["00123", "+5511900000001", "1.1987654321E+10", "119876543210.0", "1,5", "0"]
    rows = "".join(f"{i}@exemplo.com.br;{value}\n" for i, value in enumerate(values))
    assert [row[3] for row in read(text(tmp_path, "E-mail;Celular\n" + rows))] == values


def test_names_that_rdimport_uses_itself_get_another(tmp_path: Path) -> None:
    table = text(tmp_path, "__rdimport_row__;E-mail\n7;ana@exemplo.com.br\n")
    assert table.columns == ("__rdimport_row__ (2)", "E-mail")
    assert read(table) == [(2, None, "7", "ana@exemplo.com.br")]
