"""Lists written by programs other than Excel, and files that are no lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import hostile
from support.hostile import xml_cell

from rdimport.core.errors import SourceError
from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from pathlib import Path

    from rdimport.source import Table


def opened(path: Path, content: bytes | str) -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (table,) = open_tables([str(path)], Hints())
    return table


def defects(table: Table) -> dict[int, str | None]:
    return {
        row: defect
        for frame in table.batches()
        for row, defect in frame.select(ROW, DEFECT).iter_rows()
    }


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_rows_that_end_before_their_blank_cells_are_sound(tmp_path: Path, mark: str) -> None:
    lines = ["Nome;E-mail;Celular;Obs", "Ana;ana@example.com;11;x", "Bia;bia@example.com;22;"]
    lines += ["Caio;caio@example.com", "Duda;duda@example.com;33", '"Eva";"eva@example.com"']
    table = opened(tmp_path / "leads.csv", "\n".join(lines).replace(";", mark) + "\n")
    assert defects(table) == dict.fromkeys(range(2, 7))


@pytest.mark.parametrize("short", [1, 40])
@pytest.mark.parametrize("long", [2, 40])
def test_a_torn_row_is_refused_however_many_rows_are_short(
    tmp_path: Path, short: int, long: int
) -> None:
    """Half a phone number must not be sent as a whole one."""
    rows = ["Bia;bia@example.com;(11) 90000-0001;SP\n"] * long
    rows += ["Caio;caio@example.com\n"] * short
    torn = ["Ana;ana@example.com;(11) 90000\n", "-0000;SP\n"]
    text = ["Nome;E-mail;Celular;UF\n", *rows, *torn, *rows]
    found = defects(opened(tmp_path / "leads.csv", "".join(text)))
    first = len(rows) + 2
    assert {row for row, defect in found.items() if defect} == {first, first + 1}


def test_a_piece_with_the_second_address_in_its_place_is_no_row(tmp_path: Path) -> None:
    """`Obs` is torn: the rest looks like a name and an address."""
    text = (
        "Nome;E-mail;Obs;E-mail 2\n"
        "Ana;ana@example.com;;ana2@example.com\n"
        "Bia;bia@example.com;quer\norçamento;bia2@example.com\n"
        "Caio;caio@example.com;;caio2@example.com\n"
    )
    found = defects(opened(tmp_path / "leads.csv", text))
    assert found == {2: None, 3: "row.too_short", 4: "row.too_short", 5: None}


def test_a_file_that_was_cut_off_in_its_last_row_does_not_send_half_of_it(tmp_path: Path) -> None:
    text = "Nome;E-mail;Celular\nAna;ana@example.com;11\nBia;bia@example.com;22\nCaio;caio@exa.co"
    assert defects(opened(tmp_path / "leads.csv", text))[4] == "row.too_short"


@pytest.mark.parametrize("end", ["\x1a", "\x1a\r\n", "\r\n\x1a\x1a\x1a"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_the_mark_of_dos_at_the_end_is_no_row(tmp_path: Path, end: str, encoding: str) -> None:
    text = f"Nome;E-mail\r\nAna;ana@example.com\r\nJosé;jose@example.com\r\n{end}"
    table = opened(tmp_path / "leads.csv", text.encode(encoding))
    assert defects(table) == {2: None, 3: None}


OTHERS = {
    "vCard": "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana\r\nEMAIL:ana@example.com\r\nEND:VCARD\r\n",
    "LDIF": "dn: cn=Ana,dc=x\nobjectclass: person\nmail: ana@example.com\n",
    "JSON": '[\n  {"nome": "Ana", "email": "ana@example.com"}\n]\n',
    "calendar": "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n",
    "link to a page": '{"url": "https://docs.google.com/open?id=1", "doc_id": "1"}',
    "a link": "[InternetShortcut]\r\nURL=https://docs.google.com/spreadsheets/d/1/edit\r\n",
    "link": '<?xml version="1.0"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x.dtd">\n'
    '<plist version="1.0">\n<dict>\n\t<key>URL</key><string>https://x.co</string></dict></plist>',
    "MHTML": "MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<table></table>\r\n",
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["contatos.vcf", "contatos.csv"])
def test_what_is_no_table_is_named_with_the_way_to_one(
    tmp_path: Path, what: str, encoding: str, name: str
) -> None:
    with pytest.raises(SourceError) as found:
        opened(tmp_path / name, OTHERS[what].encode(encoding))
    assert what in str(found.value)
    assert "csv" in str(found.value)


BOOK = """<?xml version="1.0"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Styles>{styles}</Styles>
<Worksheet ss:Name="L"><Table>{columns}<Row>{head}</Row><Row>{row}</Row></Table></Worksheet>
</Workbook>
"""
TEXT = '<Cell><Data ss:Type="String">{}</Data></Cell>'
SHOWN = [
    ("dd/mm/yyyy", "33010", "1990-05-17"),
    ("Short Date", "33010", "1990-05-17"),
    ('[$-416]d" de "mmm" de "yyyy;@', "33010", "1990-05-17"),
    ("dd/mm/yyyy\\ hh:mm", "33010.5", "1990-05-17 12:00:00"),
    ("General", "33010", "33010"),
    ("Standard", "33010", "33010"),
    ('"R$"\\ #,##0.00', "33010", "33010"),
    ("0.00E+00", "33010", "33010"),
    ("[h]:mm", "33010", "33010"),
]


@pytest.mark.parametrize("of", ["cell", "column"])
def test_a_number_that_excel_2003_shows_as_a_date_is_one(tmp_path: Path, of: str) -> None:
    styles = columns = ""
    head, row = TEXT.format("E-mail"), TEXT.format("ana@example.com")
    for at, (form, number, _) in enumerate(SHOWN):
        quoted = form.replace('"', "&quot;")
        styles += f'<Style ss:ID="s{at}"><NumberFormat ss:Format="{quoted}"/></Style>'
        own = f' ss:StyleID="s{at}"'
        columns += f'<Column ss:Index="{at + 2}"{own}/>' if of == "column" else ""
        head += TEXT.format(f"X{at}")
        row += f'<Cell{own if of == "cell" else ""}><Data ss:Type="Number">{number}</Data></Cell>'
    text = BOOK.format(styles=styles, columns=columns, head=head, row=row)
    (frame,) = opened(tmp_path / "leads.xls", text).batches()
    shown = [text for _, _, text in SHOWN]
    assert frame.drop(FILE, ROW, DEFECT).row(0) == ("ana@example.com", *shown)


def test_a_heading_above_some_rows_is_no_person_without_an_address(tmp_path: Path) -> None:
    text = (
        "Nome;E-mail;Celular\nDia 1 – quinta-feira;;\nAna;ana@example.com;11\nTurma B;;\n"
        "Bia;bia@example.com;22\nDia;;\nSala Verde;;\nLote 12 (manhã);;\n"
    )
    table = opened(tmp_path / "leads.csv", text)
    assert list(defects(table)) == [3, 5, 6, 7]
    assert any("rows 2, 4, 8" in note for note in table.notes)


def test_merged_cells_of_excel_2003_are_reported_and_leave_the_others_in_their_columns(
    tmp_path: Path,
) -> None:
    rows = [
        xml_cell("Feira", 'ss:MergeDown="1"') + xml_cell("ana@exemplo.com.br"),
        xml_cell("bia@exemplo.com.br", 'ss:Index="2"'),
    ]
    path = hostile.xml2003(tmp_path / "list.xls", "".join(f"<Row>{row}</Row>" for row in rows))
    (table,) = open_tables([str(path)], Hints())
    assert [row[-2:] for frame in table.batches() for row in frame.iter_rows()][-2:] == [
        ("Feira", "ana@exemplo.com.br"),
        (None, "bia@exemplo.com.br"),
    ]
    assert any("1 cell is empty because it is merged" in note for note in table.notes)


def test_cells_below_no_heading_make_a_column_where_all_rows_end_with_it(tmp_path: Path) -> None:
    people = ["ana@exemplo.com.br;Ana;", "bia@exemplo.com.br;Bia;vip", "caio@exemplo.com.br;Caio;x"]
    table = opened(tmp_path / "leads.csv", "\n".join(["E-mail;Nome;", *people]) + "\n")
    assert table.columns == ("E-mail", "Nome", "Coluna 3")
    assert defects(table) == dict.fromkeys(range(2, 5))
    longer = [*people, "duda@exemplo.com.br;Duda;;x", "eva@exemplo.com.br;Eva;"]
    table = opened(tmp_path / "longer.csv", "\n".join(["E-mail;Nome;", *longer]) + "\n")
    assert [row for row, defect in defects(table).items() if defect] == [5]


def test_a_longer_row_is_an_accident_where_only_the_header_ends_with_a_delimiter(
    tmp_path: Path,
) -> None:
    people = ["ana@exemplo.com.br;Ana", "bia@exemplo.com.br;Bia; vip", "caio@exemplo.com.br;Caio"]
    table = opened(tmp_path / "leads.csv", "\n".join(["E-mail;Nome;", *people]) + "\n")
    assert table.columns == ("E-mail", "Nome")
    assert [row for row, defect in defects(table).items() if defect] == [3]
