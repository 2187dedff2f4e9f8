from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from rdimport.core.ahead import ahead, let_go
from rdimport.core.errors import SourceError
from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

    from rdimport.source import Table

ROWS = [
    ("Nome", "E-mail", "Cidade"),
    ("Ana Conceição", "ana@exemplo.com.br", "São Paulo"),
    ("Bia D'Ávila", "bia@exemplo.com.br", "Goiânia"),
    ("Caio", "caio@exemplo.com.br", "Belém"),
]


def opened(path: Path, content: bytes | str, hints: Hints | None = None) -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_tables([str(path)], hints or Hints())[0]


def test_a_list_that_is_read_ahead_is_let_go_also_if_nobody_wants_its_rows(tmp_path: Path) -> None:
    """Otherwise Windows could not move it, as jobs do with a list whose import was refused."""
    table = opened(tmp_path / "list.csv", "E-mail\n" + "ana@exemplo.com.br\n" * 9)
    before = set(threading.enumerate())
    batches = table.batches()  # a traceback may still refer to them
    with let_go(batches):
        begun = [thread for thread in threading.enumerate() if thread not in before]
        reading = [thread for thread in begun if thread.name.startswith("rdimport-read")]
        assert reading
    assert [thread for thread in reading if thread.is_alive()] == []


def test_two_batches_are_made_before_the_first_is_used_and_then_one_at_a_time() -> None:
    """The planner is imported while they are made; afterwards one is used while the next is
    made.
    """
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    with let_go(ahead(items(), "test")) as numbers:
        assert made[1].wait(60)
        assert next(numbers) == 0
        assert not made[2].is_set()
        assert next(numbers) == 1
        assert made[2].wait(60)
        assert not made[3].is_set()
        assert list(numbers) == [2, 3]


def read(table: Table, rows: int = 20_000) -> list[tuple[object, ...]]:
    """Row number, defect and cells of every row."""
    frames = list(table.batches(rows))
    for frame in frames:
        assert frame.columns == [*ORIGIN, *table.columns]
        assert frame.schema[ROW] == ORIGIN[ROW]
    return [row for frame in frames for row in frame.drop(FILE).iter_rows()]


def joined(frames: list[pl.DataFrame], column: str) -> list[object]:
    return [value for frame in frames for value in frame[column].to_list()]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-be", "utf-16-be"),
        ("mac_roman", "mac_roman"),
        ("cp850", "cp850"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_dialect_is_found_out_and_read_alike(
    tmp_path: Path, delimiter: str, encoding: str, found: str, end: str
) -> None:
    text = "".join(delimiter.join(row) + end for row in ROWS)
    table = opened(tmp_path / "leads.csv", text.encode(encoding))
    assert table.columns == ROWS[0]
    assert (table.facts.encoding, table.facts.delimiter, table.facts.header_row) == (
        found,
        delimiter,
        1,
    )
    assert read(table) == [(i, None, *row) for i, row in enumerate(ROWS[1:], start=2)]


def test_a_broken_row_is_marked_and_its_neighbours_are_right(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "leads.csv",
        "Nome;E-mail;Nota\n"
        'Ana;ana@exemplo.com.br;"uma linha\noutra"\n'
        "\n"
        'Bia;bia@exemplo.com.br;"diz ""oi"" sempre"\n'
        'Caio;caio@exemplo.com.br;"aberta\n'
        "Duda;duda@exemplo.com.br;boa\n"
        "Eva;eva@exemplo.com.br\n"
        "Fabi;fabi@exemplo.com.br;um;dois\n"
        'Gil "Gigi" Reis;gil@exemplo.com.br;tubo 5" longo\n'
        'Hugo "Hu" Sá;hugo@exemplo.com.br;"fim"\n'
        '"Iva;iva@exemplo.com.br;última\n',
    )
    assert read(table) == [
        (2, None, "Ana", "ana@exemplo.com.br", "uma linha\noutra"),
        (5, None, "Bia", "bia@exemplo.com.br", 'diz "oi" sempre'),
        (6, "row.stray_quote", "Caio", "caio@exemplo.com.br", '"aberta'),
        (7, None, "Duda", "duda@exemplo.com.br", "boa"),
        (8, None, "Eva", "eva@exemplo.com.br", None),
        (9, "row.too_long", "Fabi", "fabi@exemplo.com.br", "um;dois"),
        (10, "row.stray_quote", 'Gil "Gigi" Reis', "gil@exemplo.com.br", 'tubo 5" longo'),
        (11, None, 'Hugo "Hu" Sá', "hugo@exemplo.com.br", "fim"),
        (12, "row.stray_quote", '"Iva', "iva@exemplo.com.br", "última"),
    ]


def test_two_stray_marks_do_not_swallow_the_rows_between_them(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "leads.csv",
        'Nome;Rua;UF\nAna;"Rua A;SP\nBia;Rua B;RJ\nCaio;Rua C;MG\nDuda;Rua D";BA\nEva;Rua E;PE\n',
    )
    assert [row[:3] for row in read(table)] == [
        (2, "row.stray_quote", "Ana"),
        (3, None, "Bia"),
        (4, None, "Caio"),
        (5, "row.stray_quote", "Duda"),
        (6, None, "Eva"),
    ]


def test_two_stray_marks_in_a_list_of_two_columns_do_not_either(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "leads.csv",
        "Nome;E-mail\n"
        '"Ana;ana@exemplo.com.br\n'
        "Bia;bia@exemplo.com.br\n"
        'Caio";caio@exemplo.com.br\n'
        'Duda;"duas\nlinhas"\n',
    )
    assert [row[:3] for row in read(table)] == [
        (2, "row.stray_quote", '"Ana'),
        (3, None, "Bia"),
        (4, "row.stray_quote", 'Caio"'),
        (5, None, "Duda"),
    ]


def test_the_person_can_say_that_there_is_no_header(tmp_path: Path) -> None:
    table = opened(tmp_path / "leads.csv", "Ana;SP\nBia;RJ\n", Hints(header_row=0))
    assert table.columns == ("Coluna 1", "Coluna 2")
    assert [row[0] for row in read(table)] == [1, 2]


def test_title_rows_above_the_header_are_no_data_and_numbers_stay(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "leads.csv",
        "Relatório de leads;;\nGerado em 01/02/2026;;\n\n"
        "Nome;E-mail;Telefone\nAna;ana@exemplo.com.br;00123\n;;\nBia;bia@exemplo.com.br;+55 11\n",
    )
    assert table.facts.header_row == 4
    assert read(table) == [
        (5, None, "Ana", "ana@exemplo.com.br", "00123"),
        (7, None, "Bia", "bia@exemplo.com.br", "+55 11"),
    ]


def test_a_first_line_of_excels_own_tells_the_delimiter(tmp_path: Path) -> None:
    table = opened(tmp_path / "leads.csv", "sep=|\r\nNome|Nota\r\nAna|a;b,c\r\nBia|d;e,f\r\n")
    assert read(table) == [(3, None, "Ana", "a;b,c"), (4, None, "Bia", "d;e,f")]


def test_batches_hold_at_most_so_many_rows_and_can_be_read_again(tmp_path: Path) -> None:
    lines = [f"{i},nome {i},a{i}@exemplo.com.br" for i in range(1, 200_001)]
    table = opened(tmp_path / "leads.csv", "Id,Nome,E-mail\n" + "\n".join(lines))
    for _ in range(2):
        frames = list(table.batches(7_000))
        assert max(frame.height for frame in frames) == 7_000
        assert min(frame.height for frame in frames) > 0
        assert joined(frames, ROW) == list(range(2, 200_002))
        assert joined(frames, "Id") == [str(i) for i in range(1, 200_001)]


def test_records_that_lie_across_chunks_are_whole(tmp_path: Path) -> None:
    note = "x" * 500 + "\n" + "y" * 500
    lines = [f'{i};"{note}";a{i}@exemplo.com.br' for i in range(20_000)]
    table = opened(tmp_path / "leads.csv", "Id;Nota;E-mail\n" + "\n".join(lines))
    frames = list(table.batches())
    assert joined(frames, ROW) == list(range(2, 40_002, 2))
    assert set(joined(frames, "Nota")) == {note}
    assert set(joined(frames, DEFECT)) == {None}


def test_a_mark_that_opens_in_row_one_of_a_large_file_costs_one_row(tmp_path: Path) -> None:
    lines = [f"{i};nome {i};a{i}@exemplo.com.br" for i in range(300_000)]
    lines[0] = '0;"nome 0;a0@exemplo.com.br'
    table = opened(tmp_path / "leads.csv", "Id;Nome;E-mail\n" + "\n".join(lines))
    frames = list(table.batches())
    defects = joined(frames, DEFECT)
    assert defects[0] == "row.stray_quote"
    assert set(defects[1:]) == {None}
    assert joined(frames, ROW) == list(range(2, 300_002))


def test_one_windows_byte_late_in_a_utf8_file_is_read_and_reported(tmp_path: Path) -> None:
    good = "".join(f"{i};João {i};a{i}@exemplo.com.br\n" for i in range(200_000))
    table = opened(
        tmp_path / "leads.csv",
        b"Id;Nome;E-mail\n" + good.encode() + "x;Inês;i@exemplo.com.br\n".encode("cp1252"),
    )
    frames = list(table.batches())
    assert table.facts.encoding == "utf-8"
    assert joined(frames, "Nome")[-1] == "Inês"
    assert joined(frames, "Nome")[-2] == "João 199999"
    assert any("line 200002" in note for note in table.notes)


def test_doubled_and_empty_header_names_become_names_that_a_mapping_can_use(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "leads.csv", "Nome;\u200bE-mail ; ;nome\nAna;a@exemplo.com.br;x;Reis\n"
    )
    assert table.columns == ("Nome", "E-mail", "Coluna 3", "nome (2)")


def test_a_file_without_a_header_loses_no_person(tmp_path: Path) -> None:
    table = opened(tmp_path / "leads.csv", "ana@exemplo.com.br;Ana\nbia@exemplo.com.br;Bia\n")
    assert table.facts.header_row == 0
    assert read(table) == [
        (1, None, "ana@exemplo.com.br", "Ana"),
        (2, None, "bia@exemplo.com.br", "Bia"),
    ]


def test_a_person_without_address_is_not_taken_for_the_header_of_one_above(tmp_path: Path) -> None:
    table = opened(tmp_path / "leads.csv", "Ana;ana@exemplo.com.br;SP\nBia;;RJ\nCaio;;MG\n")
    assert [row[:3] for row in read(table)] == [
        (1, None, "Ana"),
        (2, None, "Bia"),
        (3, None, "Caio"),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "is empty"), ("\n\n  \n", "is empty"), ("Nome;E-mail\n", "no rows below it")],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        opened(tmp_path / "leads.csv", content)


def test_a_file_that_grows_while_it_is_read_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    table = opened(path, "Nome;E-mail\nAna;ana@exemplo.com.br\n")
    with path.open("a") as stream:
        stream.write("Bia;bia@exemplo.com.br\n")
    with pytest.raises(SourceError, match="changed while it was being read"):
        list(table.batches())


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("Nome;Endereço\n" + "Ana;Rua A, Bloco B, Casa C, Centro\n" * 9, ("Nome", "Endereço")),
        ("Nome;Valor\n" + "Ana;10,50\n" * 9, ("Nome", "Valor")),
        ("Nome,Tags\n" + "Ana,a;b;c\n" * 9, ("Nome", "Tags")),
        ("Nome\tEndereço\n" + "Ana\tRua A, 10; fundos\n" * 9, ("Nome", "Endereço")),
        ("Nome|Nota\n" + "Ana|x; y, z\n" * 9, ("Nome", "Nota")),
        (
            "Lista, de 2026; nova\n\nNome;E-mail;UF\n" + "A;ana@exemplo.com.br;SP\n" * 9,
            ("Nome", "E-mail", "UF"),
        ),
        (  # a title as spreadsheet programs save it, above amounts with a comma in each row
            "Feira;;;\n;;;\nNome;E-mail;UF;Valor\n" + "A;ana@exemplo.com.br;SP;R$ 1,50\n" * 9,
            ("Nome", "E-mail", "UF", "Valor"),
        ),
        ('"Nome","E-mail"\n' + '"Reis; Ana","ana@exemplo.com.br"\n' * 9, ("Nome", "E-mail")),
        ("E-mail\n" + "ana@exemplo.com.br\n" * 9, ("E-mail",)),
    ],
)
def test_a_delimiter_is_not_confused_with_marks_inside_of_cells(
    tmp_path: Path, content: str, columns: tuple[str, ...]
) -> None:
    table = opened(tmp_path / "leads.csv", content)
    assert table.columns == columns
    assert {row[1] for row in read(table)} == {None}
    assert len(read(table)) == 9
