"""Zip archives: an archive is one list, and a person chooses if it has several."""

from __future__ import annotations

import io
import shlex
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from rdimport.core.errors import SourceError
from rdimport.core.row import FILE
from rdimport.mapping import Mapping
from rdimport.source import Hints, Table, open_tables
from tests.support.command import Workspace

LEADS = "Nome;E-mail\nAna Conceição;ana@exemplo.com.br\nBia;bia@exemplo.com.br\n"
GONE = "Nome;E-mail\nCaio;caio@exemplo.com.br\nDuda;duda@exemplo.com.br\n"
README = (
    "Exportado em 12/05/2026, às 14:30.\n"
    "Dúvidas: fale com suporte@exemplo.com, de segunda a sexta.\n"
    "Obrigado, equipe do sistema\n"
)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"
MAPPING = "version: 1\nconversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"
TWO = {"subscribed_members.csv": LEADS, "unsubscribed_members.csv": GONE}


def packed(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def opened(path: Path | str, member: str | None = None) -> Table:
    (table,) = open_tables([str(path)], Hints(member=member))
    return table


def people(table: Table) -> list[str]:
    return [row[-1] for frame in table.batches() for row in frame.drop(FILE).iter_rows()]


LISTED = ["ana@exemplo.com.br", "bia@exemplo.com.br"]


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"README.txt": README},
        {"leia-me.TXT": "E-mail: suporte@exemplo.com"},
        {"sobre.txt": README},
        {"sobre.txt": README.encode("utf-16")},
        {"__MACOSX/sul/._leads.csv": b"\0\5", ".DS_Store": b"\0\0\0\1Bud1", "a/Thumbs.db": b"x"},
        {"sul/~$leads.csv": b"\4Bia\0"},
        {"manual.pdf": PDF, "logo.png": b"\x89PNG\r\n\x1a\n\0", "folha": PDF},
        {"vazio.csv": "", "pasta/": ""},
        {"pagina.html": "<html><body><h1>Exportado</h1></body></html>"},
        {"metadata.json": '{"email": "a@exemplo.com"}'},
    ],
)
def test_an_archive_with_one_list_is_that_list_and_tells_what_it_leaves(
    tmp_path: Path, beside: dict[str, str | bytes]
) -> None:
    path = packed(tmp_path / "export.zip", {**beside, "sul/leads.csv": LEADS})
    table = opened(path)
    assert table.name == f"{path}/sul/leads.csv"
    assert people(table) == LISTED
    hidden = ("/", "_Store", ".db", "._leads.csv", "~$leads.csv")
    shown = [n for n in beside if not n.endswith(hidden)]
    assert all(name in "".join(table.notes) for name in shown)
    assert bool(shown) == ("left out" in "".join(table.notes))


@pytest.mark.parametrize("name", ["leads.dat", "lista", "contatos.TXT", "export.csv"])
def test_the_only_file_is_the_list_whatever_its_name(tmp_path: Path, name: str) -> None:
    assert people(opened(packed(tmp_path / "a.zip", {name: LEADS}))) == LISTED


@pytest.mark.parametrize(
    "other",
    [
        {"unsubscribed_members.csv": GONE},
        {"descadastrados.txt": GONE},
        {"bounced": "caio@exemplo.com.br\nduda@exemplo.com.br\n"},
        {"tab.txt": GONE.replace(";", "\t")},
        {"nomes.txt": "Caio, caio@exemplo.com.br\nDuda, duda@exemplo.com.br\nEva, e@exemplo.com\n"},
        {"outra.xlsx": (Path(__file__).parent / "corpus" / "leads.xlsx").read_bytes()},
        {"pdf.csv": PDF},
        {"header_only.csv": "Nome;E-mail\n"},
        {"SUBSCRIBED_MEMBERS.csv": GONE},
        {"mais.zip": b"PK\3\4", "README.txt": README},
        {"mais": b"PK\3\4"},
    ],
)
def test_several_lists_are_named_and_a_person_chooses(
    tmp_path: Path, other: dict[str, str | bytes]
) -> None:
    path = packed(tmp_path / "export.zip", {"subscribed_members.csv": LEADS, **other})
    with pytest.raises(SourceError, match="contains 2 lists") as refused:
        opened(path)
    assert all(name in refused.value.message for name in list(other)[:1])
    assert "subscribed_members.csv" in refused.value.message
    assert "--member" in refused.value.remedy
    assert "README" not in refused.value.message
    assert people(opened(path, "subscribed_members.csv")) == LISTED


@pytest.mark.parametrize(
    ("member", "first"),
    [
        ("subscribed_members.csv", "ana"),
        ("Subscribed_Members.CSV", "ana"),
        ("subscribed_members", "ana"),
        ("subscribed*", "ana"),
        ("un*.csv", "caio"),
        ("listas/unsubscribed*", "caio"),
        ("listas\\unsubscribed_members.csv", "caio"),
        ("*/Uns*", "caio"),
    ],
)
def test_a_list_is_chosen_by_name_or_pattern(tmp_path: Path, member: str, first: str) -> None:
    listed = {f"listas/{name}": content for name, content in TWO.items()}
    table = opened(packed(tmp_path / "export.zip", {**listed, "README.txt": README}), member)
    assert people(table)[0].startswith(first)


def test_a_pattern_that_fits_several_lists_or_none_is_reported(tmp_path: Path) -> None:
    path = packed(tmp_path / "export.zip", {**TWO, "README.txt": README})
    with pytest.raises(SourceError, match="contains 2 lists"):
        opened(path, "*subscribed*")
    with pytest.raises(SourceError, match=r"matches limpos\.csv.*unsubscribed_members"):
        opened(path, "limpos.csv")
    del_ = packed(tmp_path / "one.zip", {"subscribed.csv": LEADS, "README.txt": README})
    assert people(opened(del_, "*")) == LISTED


def test_a_name_with_brackets_is_a_name_before_it_is_a_pattern(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"leads [1].csv": LEADS, "leads 1.csv": GONE})
    assert people(opened(path, "leads [1].csv")) == LISTED


@pytest.mark.parametrize("code", ["utf-8", "cp850"])
def test_names_with_accents_are_read_whatever_packed_them(tmp_path: Path, code: str) -> None:
    path = packed(tmp_path / "a.zip", {"@@@@@@@@@@@.csv": LEADS, "outra.csv": GONE})
    name = "inscrição.csv".encode(code)
    old = b"@" * (len(name) - 4) + b".csv"
    path = packed(tmp_path / "a.zip", {old.decode(): LEADS, "outra.csv": GONE})
    path.write_bytes(path.read_bytes().replace(old, name))
    with pytest.raises(SourceError, match=r"inscrição\.csv"):
        opened(path)
    for member in ("inscrição.csv", "INSCRICAO*", "inscric\u0327a\u0303o.csv"):
        table = opened(path, member)
        assert people(table) == LISTED
        assert table.name == f"{path}/inscrição.csv"


def test_two_files_of_one_name_are_no_choice_unless_they_are_the_same(tmp_path: Path) -> None:
    for second, right in ((GONE, False), (LEADS, True)):
        path = tmp_path / f"{right}.zip"
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr("leads.csv", LEADS)
            archive.writestr("leads.csv", second)
        if right:
            assert people(opened(path)) == LISTED
        else:
            with pytest.raises(SourceError, match="2 different files named leads"):
                opened(path, "leads.csv")


def test_what_cannot_be_unpacked_is_reported_and_not_taken_for_a_note(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("leads.csv", LEADS)
    path = packed(tmp_path / "nested.zip", {"lista.zip": inner.getvalue()})
    with pytest.raises(SourceError, match="archive inside another"):
        opened(path)
    for flag, method, says in ((1, 0, "protected by a password"), (0, 9, "not supported")):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("contatos.txt", LEADS)
            archive.writestr("leads.csv", GONE)
        data = bytearray(path.read_bytes())
        head, central = data.index(b"PK\3\4"), data.index(b"PK\1\2")
        struct.pack_into("<HH", data, head + 6, flag, method)
        struct.pack_into("<HH", data, central + 8, flag, method)
        path.write_bytes(data)
        with pytest.raises(SourceError, match=f"{says}|contains 2 lists"):
            opened(path)
        with pytest.raises(SourceError, match=says):
            opened(path, "contatos.txt")


def test_an_archive_without_any_list_names_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no list, only README\.txt, a\.pdf"):
        opened(packed(tmp_path / "a.zip", {"README.txt": README, "a.pdf": PDF}))
    with pytest.raises(SourceError, match="without a file"):
        opened(packed(tmp_path / "b.zip", {"pasta/": ""}))


def test_a_numbers_document_is_named_with_how_to_export_it(tmp_path: Path) -> None:
    parts = {"Index/Document.iwa": b"\0", "Metadata/Properties.plist": b"\0", "preview.jpg": b"\0"}
    with pytest.raises(SourceError, match="Numbers document") as refused:
        opened(packed(tmp_path / "lista.csv", parts))
    assert "CSV or Excel" in refused.value.remedy


def test_the_name_that_a_report_gives_opens_the_same_list(tmp_path: Path) -> None:
    path = packed(tmp_path / "export.zip", TWO)
    table = opened(path, "unsub*")
    assert people(opened(table.name)) == people(table)
    with pytest.raises(SourceError, match="matches nada"):
        opened(f"{path}/nada.csv")
    (tmp_path / "leads.csv").write_text(LEADS)
    with pytest.raises(SourceError, match="does not exist"):
        opened(tmp_path / "leads.csv" / "x.csv")


def test_the_member_hint_means_nothing_to_a_file_that_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(LEADS)
    assert people(opened(tmp_path / "leads.csv", "outra*")) == LISTED


def test_commands_refuse_several_lists_and_take_the_one_that_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    packed(tmp_path / "export.zip", TWO)
    workspace.write("m.yaml", MAPPING)
    workspace.write("chosen.yaml", MAPPING + "source: {member: subscribed*}\n")
    for words in ("check", "init", "check -m m.yaml", "run --sandbox -m m.yaml"):
        done = workspace.here(*words.split(), "export.zip")
        assert done.code == 2
        assert all(name in done.err for name in TWO)
        assert "--member" in done.err
        assert "source: {member:" in done.err
    asked = workspace.here("run", "--sandbox", "-m", "chosen.yaml", "export.zip", "--json").summary
    assert (asked["accepted"], asked["rows"]) == (2, 2)
    again = ["run", "--sandbox", "--json", "--member", "uns*"]
    asked = workspace.here(*again, "-m", "m.yaml", "export.zip").summary
    assert asked["files"] == ["export.zip/unsubscribed_members.csv"]


def test_init_writes_down_which_list_it_was_told_to_take(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    packed(tmp_path / "export.zip", TWO)
    assert workspace.here("init", "export.zip", "--member", "sub*", "-o", "m.yaml").code == 0
    assert Mapping.load(tmp_path / "m.yaml").source.member == "sub*"
    command = workspace.here("init", "export.zip", "--member", "sub*", "-o", "n.yaml").err
    line = next(line for line in command.splitlines() if line.startswith("  rdimport"))
    assert workspace.here(*shlex.split(line)[1:]).code == 0
