"""Files as found in practice: compressed, several, piped, damaged, or no tables at all."""

from __future__ import annotations

import bz2
import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.posix import pipe_at
from support.waiting import TIMEOUT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from rdimport.core.errors import SourceError
from rdimport.core.row import FILE
from rdimport.source import Hints, open_tables

LEADS = "Nome;E-mail\nAna Conceição;ana@exemplo.com.br\nBia;bia@exemplo.com.br\n".encode()
ROWS = [(2, None, "Ana Conceição", "ana@exemplo.com.br"), (3, None, "Bia", "bia@exemplo.com.br")]
XLSX = Path(__file__).parent / "corpus" / "leads.xlsx"


def read(*paths: Path | str, hints: Hints | None = None) -> list[list[tuple[object, ...]]]:
    """The rows of every table."""
    return [
        [row for frame in table.batches() for row in frame.drop(FILE).iter_rows()]
        for table in open_tables([str(path) for path in paths], hints or Hints())
    ]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd.compress])
@pytest.mark.parametrize("name", ["leads.csv.gz", "leads.dat"])
def test_a_compressed_file_is_read_whatever_its_name(tmp_path: Path, pack, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pack(LEADS))
    assert read(path) == [ROWS]


def test_a_compressed_workbook_is_read(tmp_path: Path) -> None:
    path = tmp_path / "leads.xlsx.gz"
    path.write_bytes(gzip.compress(XLSX.read_bytes()))
    assert len(read(path)[0]) == 4


def test_a_pattern_names_its_files_in_order_and_rows_know_their_file(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "~$a.csv"):  # the last is Office's lock file of an open list
        (tmp_path / name).write_bytes(LEADS)
    tables = open_tables([str(tmp_path / "*.csv"), str(XLSX)], Hints())
    assert [Path(table.name).name for table in tables] == ["a.csv", "b.csv", "leads.xlsx"]
    assert [set(next(table.batches())[FILE]) for table in tables] == [{0}, {1}, {2}]


@pytest.mark.parametrize("name", ["~leads.csv", "~$leads.csv"])
def test_a_name_that_begins_with_a_tilde_is_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(LEADS)
    monkeypatch.chdir(tmp_path)
    assert read(Path(name)) == [ROWS]
    with pytest.raises(SourceError, match="does not exist"):
        read(Path("~nobody at all/leads.csv"))
    with pytest.raises(SourceError, match="No file"):
        read(Path("~nobody at all/*.csv"))


@pytest.mark.parametrize("data", [LEADS, XLSX.read_bytes(), gzip.compress(LEADS, mtime=0)])
def test_standard_input_can_be_any_kind_of_file(data: bytes) -> None:
    code = (
        "from rdimport.source import Hints, open_tables\n"
        "table, = open_tables(['-'], Hints())\n"
        "for _ in range(2): print(sum(frame.height for frame in table.batches()), table.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, check=True, timeout=TIMEOUT
    )
    rows = 4 if data.startswith(b"PK") else 2
    assert done.stdout.decode().splitlines() == [f"{rows} standard input"] * 2


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = pipe_at(tmp_path / "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(LEADS,))
    writer.start()
    assert read(pipe) == [ROWS]
    writer.join()


def test_a_named_pipe_that_ends_at_once_is_an_empty_file(tmp_path: Path) -> None:
    pipe = pipe_at(tmp_path / "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(b"",))
    writer.start()
    with pytest.raises(SourceError, match="is empty"):
        read(pipe)
    writer.join()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
        (bytes(range(1, 256)) * 20, "not a text file"),
        (b"<html><body><h1>Sess\xe3o expirada</h1></body></html>", "without a table"),
        (gzip.compress(LEADS * 2000, mtime=0)[:-20], "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 20, "unknown kind"),
        (b"PK\x03\x04" + bytes(range(256)), "damaged"),
    ],
)
def test_what_is_no_table_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=says):
        read(path)


def test_a_file_that_is_damaged_far_behind_its_beginning_stops_the_run(tmp_path: Path) -> None:
    lines = "".join(f"nome {i};a{i * 7919 % 99_991}@exemplo.com.br\n" for i in range(400_000))
    packed = gzip.compress(b"Nome;E-mail\n" + lines.encode())
    path = tmp_path / "leads.csv.gz"
    path.write_bytes(packed[:-1000])
    (table,) = open_tables([str(path)], Hints())
    with pytest.raises(SourceError, match="damaged"):
        list(table.batches())


def test_folders_and_names_that_are_not_there_are_reported(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "x.csv", "does not exist")):
        with pytest.raises(SourceError, match=says):
            read(path)
    with pytest.raises(SourceError, match="No file matches"):
        read(tmp_path / "*.csv")
    with pytest.raises(SourceError, match="No file was named"):
        read()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(LEADS)
    path.chmod(0)
    with pytest.raises(SourceError, match="access was denied"):
        read(path)


@pytest.mark.parametrize(
    ("hints", "says"),
    [
        (Hints(encoding="klingon"), "no encoding “klingon”"),
        (Hints(delimiter="§"), "cannot be a delimiter"),
        (Hints(delimiter=";;"), "cannot be a delimiter"),
    ],
)
def test_impossible_hints_are_reported(tmp_path: Path, hints: Hints, says: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(LEADS)
    with pytest.raises(SourceError, match=says):
        read(path, hints=hints)


def test_hints_win_over_what_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes("Nome;E-mail\tObs\nJos\u00e9;a@exemplo.com.br\tx\n".encode("mac_roman"))
    (table,) = open_tables([str(path)], Hints(encoding="cp1252", delimiter="tab"))
    assert table.columns == ("Nome;E-mail", "Obs")
    assert next(table.batches()).row(0)[3] == "Jos\u017d;a@exemplo.com.br"


def test_the_port_is_cheap_to_import() -> None:
    code = "import sys, rdimport.source; print('polars' in sys.modules, 'fastexcel' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == [b"False", b"False"]


@pytest.mark.parametrize("name", ["list.xls", "list.ods", "list.xlsb", "list.csv", "list"])
def test_a_workbook_is_read_whatever_its_name_says(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(XLSX.read_bytes())
    assert read(tmp_path / name) == read(XLSX)
