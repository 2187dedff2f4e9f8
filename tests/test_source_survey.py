from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest

from rdimport.proposal import propose
from rdimport.proposal.survey import Survey, survey
from rdimport.source import Hints, open_tables

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

LEADS = """\
Nome;E-mail;Fone;Documento;CEP;UF;Cadastro;Aceita e-mail;Valor;Vazia
Ana;ana@exemplo.com.br;(11) 90000-0001;12.345.678/0001-90;01310-100;SP;04/03/2026;sim;10,50;
Bia;bia@exemplo.com.br;11900000002;98.765.432/0001-10;20040-002;RJ;05/03/2026;não;9;
Caio;caio#exemplo;11900000003;;30110-001;MG;;sim;8;
;eva@exemplo.com.br;+5511900000004;;40010-000;BA;06/03/2026;não;7;
Duda;duda@exemplo.com.br;11900000005\
"""


def surveyed(tmp_path: Path, text: str) -> Survey:
    path = tmp_path / "leads.csv"
    path.write_text(text, encoding="utf-8")
    return survey(open_tables([str(path)], Hints())[0])


def test_a_survey_says_what_each_column_seems_to_hold(tmp_path: Path) -> None:
    found = surveyed(tmp_path, LEADS)
    assert {column.name: column.guess for column in found.columns} == {
        "Nome": "name",
        "E-mail": "email",
        "Fone": "phone",
        "Documento": "cnpj",
        "CEP": "postcode",
        "UF": "state",
        "Cadastro": "date",
        "Aceita e-mail": "yes/no",
        "Valor": "number",
        "Vazia": "text",
    }


def test_what_the_cleaners_understand_is_not_odd(tmp_path: Path) -> None:
    rows = ["sim;https://a.com.br", "não;www.b.com.br", "Sim, aceito;c.com.br", "talvez;no site"]
    found = surveyed(tmp_path, "\n".join(["Aceita receber e-mails?;Site", *rows]))
    assert [(column.guess, column.odd) for column in found.columns] == [("yes/no", 1), ("url", 1)]


def test_a_survey_counts_rows_fill_rates_and_examples(tmp_path: Path) -> None:
    found = surveyed(tmp_path, LEADS)
    columns = {column.name: column for column in found.columns}
    assert found.rows == 5
    assert columns["Nome"].filled == pytest.approx(0.8)
    assert columns["Nome"].examples == ("Ana", "Bia", "Caio")
    assert columns["UF"].filled == pytest.approx(0.8)
    assert columns["E-mail"].odd == 1
    assert found.defects == {"row.too_short": 1}


def test_a_survey_warns_of_what_looks_wrong(tmp_path: Path) -> None:
    warnings = " ".join(surveyed(tmp_path, LEADS).warnings)
    assert "1 row: The row has fewer cells" in warnings
    assert "Columns that are empty: “Vazia”" in warnings
    assert "Column “E-mail”: 1 value is not a valid e-mail" in warnings
    without = surveyed(tmp_path, "Nome;Cidade\nAna;Recife\n")
    assert any("No column seems to contain e-mail addresses" in word for word in without.warnings)


HEADINGS = (
    "E-MAIL COMERCIAL;Telefone Celular;Razão Social;Município;Contact owner;NM_CLIENTE;Valor\n"
)


def test_check_and_init_guess_the_same(tmp_path: Path) -> None:
    cells = "ana@exemplo.com.br;(11) 90000-0001;Padaria Sol;Recife;Zé;Ana Lima;10,50\n"
    found = surveyed(tmp_path, HEADINGS + cells * 5)
    assert [column.guess for column in found.columns] == [
        *("email", "phone", "company", "city", "text", "name", "number"),
    ]
    (table,) = open_tables([str(tmp_path / "leads.csv")], Hints())
    guesses = propose(table.columns, next(iter(table.batches())), table.name).guesses
    named = {column.name for column in found.columns if column.guess not in ("text", "number")}
    assert set(guesses) == named


def test_values_that_cleaning_mends_and_empty_ones_are_not_odd(tmp_path: Path) -> None:
    rows = ["SP;(11) 98765-4321", "RJ;(21) 98765-4321", "MG;(31) 98765-4321"]
    rows += ["São Paulo;(11) 98765-4321 ramal 3", "\u00a0;   ;Duda", "XX;123"]
    uf, phone, _ = surveyed(tmp_path, "\n".join(["UF;Celular;Nome", *rows])).columns
    assert (uf.guess, uf.odd, phone.guess, phone.odd) == ("state", 1, "phone", 1)
    assert uf.filled == phone.filled == pytest.approx(5 / 6)


@pytest.mark.parametrize("heading", ["Nome", "Nome {}"])
def test_what_is_said_of_repeated_headings_is_short_however_many_there_are(
    heading: str, tmp_path: Path
) -> None:
    head = ["E-mail", *(heading.format(number // 2) for number in range(2000))]
    path = tmp_path / "wide.csv"
    path.write_text(f"{';'.join(head)}\na@b.co{';x' * 2000}\n", encoding="utf-8")
    (table,) = open_tables([str(path)], Hints())
    assert len(next(iter(table.batches())).columns) > 2000
    assert 0 < len(table.notes) <= 21
    assert sum(map(len, table.notes)) < 5_000
    assert "and 1980 more" in table.notes[-1] or "980 more headings" in table.notes[-1]


def test_describing_a_column_does_not_go_through_all_columns(tmp_path: Path) -> None:
    """A query of a whole table is planned for all its columns: do so once, not per column."""
    path = tmp_path / "wide.csv"
    head = ";".join(f"Coluna {number}" for number in range(300))
    path.write_text(f"E-mail;{head}\na@b.co{';x' * 300}\n", encoding="utf-8")
    (table,) = open_tables([str(path)], Hints())
    wide: list[int] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        table = frame.f_locals.get("self") if event == "call" else None
        if frame.f_code.co_name == "lazy" and isinstance(table, pl.DataFrame):
            wide.append(table.width)

    sys.setprofile(note)
    try:
        survey(table)
    finally:
        sys.setprofile(None)
    assert len(wide) > 300
    assert sum(width > 300 for width in wide) < 50
