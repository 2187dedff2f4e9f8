from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.row import FILE
from rdimport.source import Hints, open_tables

NAMES = ("Nome", "E-mail", "Nota", "Cidade", "Cargo")
LETTERS = "abzA09 ;,|\t\"\n'áÇõÉ@.-"


class Dialect(NamedTuple):
    delimiter: str
    quoting: int
    end: str
    encoding: str


def rows_of(width: int) -> st.SearchStrategy[list[list[str]]]:
    text = st.text(LETTERS, max_size=12)
    cell = st.one_of(text, text.map(lambda cell: cell.replace("\n", "\r\n")))
    return st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)


tables = st.integers(1, len(NAMES)).flatmap(rows_of)
dialects = st.builds(
    Dialect,
    st.sampled_from(";,\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\r\n", "\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac_roman"]),
)


def written(rows: list[list[str]], dialect: Dialect) -> list[str]:
    """Each row as a CSV writer writes it."""
    found = []
    for row in rows:
        out = io.StringIO()
        csv.writer(
            out, delimiter=dialect.delimiter, quoting=dialect.quoting, lineterminator=dialect.end
        ).writerow(row)
        found.append(out.getvalue())
    return found


def looks_like_rows(record: str, dialect: Dialect, width: int) -> bool:
    """Whether all lines of this one record could be rows: the one case that cannot be
    distinguished.
    """
    lines = record.removesuffix(dialect.end).split("\n")
    return len(lines) > 1 and all(line.count(dialect.delimiter) == width - 1 for line in lines)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roundtrip") / "leads.csv"


@settings(max_examples=costly(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=tables, dialect=dialects)
def test_any_table_in_any_dialect_comes_back_to_the_letter(
    path: Path, rows: list[list[str]], dialect: Dialect
) -> None:
    width = len(rows[0])
    records = written([list(NAMES[:width]), *rows], dialect)
    assume(any(any(cell.strip() for cell in row) for row in rows))
    assume(width < 2 or not any(looks_like_rows(record, dialect, width) for record in records))
    path.write_bytes("".join(records).encode(dialect.encoding))
    encoding = dialect.encoding if dialect.encoding in ("cp1252", "mac_roman") else None
    hints = Hints(
        columns=NAMES, encoding=encoding, delimiter=dialect.delimiter if width < 2 else None
    )
    table = open_tables([str(path)], hints)[0]
    assert table.columns == NAMES[:width]
    expected, line = [], 1
    for row, record in zip([[], *rows], records, strict=True):
        if any(cell.strip() for cell in row):
            expected.append((line, None, *(cell or None for cell in row)))
        line += record.count("\n")
    found = [row for frame in table.batches(3) for row in frame.drop(FILE).iter_rows()]
    assert found == expected


@settings(max_examples=150, deadline=None)
@example(junk=";;;;a", before=0, after=1)  # not the second row of a header
@example(junk=";;;a;b", before=0, after=1)
@given(
    junk=st.text('ab;"@ \t\n', max_size=40),
    before=st.integers(0, 30),
    after=st.integers(1, 30),
)
def test_no_junk_in_the_middle_changes_the_rows_after_it(
    path: Path, junk: str, before: int, after: int
) -> None:
    good = [f"nome {i};a{i}@exemplo.com.br;nota {i};São Paulo" for i in range(before + after)]
    lines = ["Nome;E-mail;Nota;Cidade", *good[:before], *junk.split("\n"), *good[before:]]
    path.write_text("\n".join(lines), encoding="utf-8")
    table = open_tables([str(path)], Hints(columns=NAMES, delimiter=";"))[0]
    rows = {row[0]: row[1:] for frame in table.batches() for row in frame.drop(FILE).iter_rows()}
    for number, line in enumerate(lines, start=1):
        if line in good:
            assert rows[number] == (None, *line.split(";"))
