"""Damage is not a bug: each case ends with one message and exit code 2."""

from __future__ import annotations

import csv
import gzip
import os
import shlex
import shutil
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from support import hostile
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import pipe_at

from rdimport.core import small_file

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture
def damaged(workspace: Workspace) -> Workspace:
    """A workspace with a valid list and its mapping."""
    workspace.write("list.csv", people(2))
    workspace.write("good.yaml", MAPPING)
    return workspace


def refused(workspace: Workspace, *words: object) -> str:
    done = workspace.here(*words)
    assert done.code == 2, done.err or done.out
    assert "bug" not in done.err
    return done.err


@pytest.mark.parametrize(
    "encoding",
    "none zlib rot13 bz2_codec hex idna punycode undefined unicode_escape ../../x \ud800 a\0b "
    "base64".split(" "),
)
def test_what_is_no_encoding_of_files(encoding: str, damaged: Workspace) -> None:
    damaged.write("m.yaml", f"{MAPPING}source: {{encoding: {encoding!a}}}\n".replace("'", '"'))
    assert refused(damaged, "check", "list.csv", "-m", "m.yaml")


@pytest.mark.parametrize("declared", ["nowhere", "zlib", "idna", "utf-7", "x" * 500])
def test_xml_and_pages_that_claim_such_an_encoding(declared: str, damaged: Workspace) -> None:
    book = hostile.xml2003(damaged.home / "book.xls", "").read_text()
    damaged.write("book.xls", book.replace("?>", f' encoding="{declared}"?>', 1))
    assert damaged.here("check", "book.xls").code in (0, 2)
    page = f"<html><meta charset={declared}><table><tr><td>E-mail<tr><td>jos\xe9@x.com</table>"
    damaged.write("page.xls", page.encode("latin-1"))
    assert damaged.here("check", "page.xls").code == 0


@pytest.mark.parametrize("cut", ["99999999999999999999", "9" * 5000, "-1", "1e400"])
def test_numbers_that_no_machine_holds(cut: str, damaged: Workspace) -> None:
    fields = "fields: {email: E-mail, name: {column: Nome, cut: %s}}"
    damaged.write("m.yaml", MAPPING.replace("fields: {email: E-mail, name: Nome}", fields % cut))
    assert "m.yaml" in refused(damaged, "check", "list.csv", "-m", "m.yaml")
    assert refused(damaged, "check", "list.csv", "-m", "good.yaml", "--header-row", cut)


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", "/dev/null", "a\0b", "folder", "x" * 5000])
def test_a_catalogue_a_mapping_or_a_key_file_that_is_none(
    name: str, damaged: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_file, "WAIT", 0.1)
    if name == "fifo":
        pipe_at(damaged.home / name)
    (damaged.home / "folder").mkdir()
    quoted = '"a\\0b"' if "\0" in name else name
    mapping = MAPPING.replace("name: Nome", "cf_x: Nome") + f"catalogue: {quoted}\n"
    damaged.write("m.yaml", mapping)
    assert refused(damaged, "check", "list.csv", "-m", "m.yaml")
    assert refused(damaged, "check", "list.csv", "-m", name)
    assert refused(damaged, "run", "list.csv", "-m", "good.yaml", "--api-key-file", name)


def test_a_key_file_may_be_what_a_command_prints(damaged: Workspace, tmp_path: Path) -> None:
    key = damaged.key
    damaged.key = None
    run = "-m rdimport run list.csv -m good.yaml --api-key-file"
    done = damaged.shell(f"{shlex.quote(sys.executable)} {run} <(echo {key})")
    assert done.code == 0, done.err


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:9", "nonsense", "http://[::1"])
def test_a_proxy_that_cannot_be_used(
    value: str, damaged: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    done = damaged.here("run", "list.csv", "-m", "good.yaml", "--transport", "httpx")
    assert done.code != 70, done.err


def test_a_run_that_never_was(damaged: Workspace) -> None:
    assert damaged.here("run", "list.csv", "-m", "good.yaml").code == 0
    for command in ("status", "report"):
        assert "20260101-000000-abcd" in refused(damaged, command, "20260101-000000-abcd")


def test_a_folder_that_is_gone(damaged: Workspace) -> None:
    (damaged.home / "gone").mkdir()
    command = f"cd gone && rmdir ../gone && {shlex.quote(sys.executable)} -m rdimport"
    for words in ("check ../list.csv", "run list.csv -m m.yaml --sandbox", "status", "init x"):
        done = damaged.shell(f"mkdir -p gone; {command} {words}")
        assert done.code == 2, done.err
        assert "current folder" in done.err


def test_names_that_are_not_in_utf8(damaged: Workspace) -> None:
    name = os.fsdecode(b"l\xff.csv")
    shutil.copy(damaged.home / "list.csv", damaged.home / name)
    for words in (["check", name], ["run", name, "-m", "good.yaml"], ["check", "l?.csv"]):
        assert "\\udcff" in refused(damaged, *words)


def test_a_folder_that_is_not_in_utf8(damaged: Workspace) -> None:
    """Its reports would have to name it; files that are only read may be there."""
    there = Workspace(damaged.home / os.fsdecode(b"jos\xe9"), damaged.key, damaged.base_url)
    there.home.mkdir()
    for name in ("list.csv", "good.yaml"):
        shutil.copy(damaged.home / name, there.home / name)
    assert there.do("check", "list.csv", "-m", "good.yaml").code in (0, 1)
    done = there.do("run", "list.csv", "-m", "good.yaml")
    assert done.code == 2
    assert "jos\\udce9 is not in UTF-8" in done.err
    assert there.do("status").code == 0


def test_a_key_that_is_not_in_utf8(damaged: Workspace) -> None:
    damaged.environment["RDIMPORT_API_KEY"] = os.fsdecode(b"k\xff" * 20)
    assert damaged.do("status").code == 0
    done = damaged.do("run", "list.csv", "-m", "good.yaml")
    assert done.code == 2
    assert "characters that a key cannot have" in done.err


def _patched(path: Path, mark: bytes, at: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    place = data.rindex(mark) + at
    data[place : place + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize("method", [99, 1, 6, 12, 14, 93, 95, 97, 98])
def test_archives_packed_in_ways_that_are_not_supported(method: int, damaged: Workspace) -> None:
    path = hostile.archive(damaged.home / "a.zip", [("a.csv", people(2).encode())])
    _patched(path, b"PK\1\2", 10, struct.pack("<H", method))
    assert refused(damaged, "check", "a.zip")
    path = hostile.xlsx(damaged.home / "a.xlsx")
    _patched(path, b"PK\1\2", 10, struct.pack("<H", method))
    assert refused(damaged, "check", "a.xlsx")


@pytest.mark.parametrize("name", ["leads.xlsx", "leads.xls", "leads.xlsb", "leads.ods"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.97])
def test_workbooks_that_end_early(name: str, part: float, damaged: Workspace) -> None:
    data = (CORPUS / name).read_bytes()
    damaged.write(name, data[: int(len(data) * part)])
    assert refused(damaged, "check", name)
    packed = gzip.compress(data)
    damaged.write(f"{name}.gz", packed[: int(len(packed) * part)])
    assert refused(damaged, "check", f"{name}.gz")


@pytest.mark.parametrize("name", ["leads.xlsb", "leads.ods", "leads.xlsx"])
def test_workbooks_whose_parts_are_cut(name: str, damaged: Workspace) -> None:
    with zipfile.ZipFile(CORPUS / name) as package:
        parts = {info.filename: package.read(info) for info in package.infolist()}
    for cut in (name for name, content in parts.items() if content):
        with zipfile.ZipFile(damaged.home / name, "w") as package:
            for part, content in parts.items():
                package.writestr(part, content[: len(content) // 2] if part == cut else content)
        assert damaged.here("check", name).code in (0, 2)


def test_a_mapping_in_json_may_escape_what_is_beyond_the_first_characters(
    damaged: Workspace,
) -> None:
    damaged.write("m.yaml", MAPPING.replace("Teste", '"Feira \\ud83d\\ude00"'))
    assert damaged.here("run", "list.csv", "-m", "m.yaml").code == 0
    damaged.write("m.yaml", MAPPING.replace("Teste", '"Feira \\ud83d"'))
    assert "half of a character" in refused(damaged, "check", "list.csv", "-m", "m.yaml")


def test_the_columns_that_a_report_adds_never_begin_with_a_formula_sign(damaged: Workspace) -> None:
    signs = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "＝1"]
    rows = "".join(f'"{sign}","{sign}"\n' for sign in signs)
    damaged.write("=list.csv", f"E-mail,Nome\n{rows}")
    assert damaged.here("run", "=list.csv", "-m", "good.yaml").code == 1
    (report,) = damaged.reports.glob("*/failures.csv")
    with report.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file, delimiter=","))
    assert [row["E-mail"] for row in found] == signs
    ours = [text for row in found for name, text in row.items() if name.startswith("rdimport_")]
    assert not [text for text in ours if text.strip().startswith(("=", "+", "-", "@", "＝"))]
    assert not [text for text in ours if text[:1] in ("\t", "\r", "\n")]
