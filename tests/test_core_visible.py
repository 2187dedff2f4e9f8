"""No outside text controls a terminal, a log or a page, in whatever message it comes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import string
import sys
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterable

import pytest
from babel.messages.pofile import read_po
from support.command import Workspace
from support.posix import only_posix

from rdimport.cli.streams import speaking
from rdimport.core import errors, messages
from rdimport.core.messages import LANGUAGES, Language, gettext, ngettext
from rdimport.core.messages.catalogue import FOLDER
from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import explain
from rdimport.core.row import Problem
from rdimport.core.visible import shown, shown_json
from rdimport.report.html.text import escape

ESCAPES = "\x1b[31mRED\x1b]0;title\x07\x1b[2J\x9b5m\x7f\x08"
HIDDEN = "\u202egnp.exe\u2066\u200b\u061c\ufeff\U000e0041"
FORGED = "\r\n\u2028\x0brdimport: forged"
HOSTILE = ESCAPES + HIDDEN + FORGED
STEERS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def steering(text: str, ours: str = "\n") -> set[str]:
    """What in a text would control a terminal, except our own sequences."""
    return {c for c in text if unicodedata.category(c) in STEERS and c not in ours}


def forged(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("rdimport: forged")]


def test_every_character_that_steers_is_written_out_and_no_other_is_touched() -> None:
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for character in map(chr, range(0x110000)):
        by_kind[unicodedata.category(character)].append(character)
    assert by_kind.keys() > set(STEERS)
    for kind, characters in by_kind.items():
        for character in characters if kind in STEERS else ():
            assert shown(f"a{character}b").isascii()
            assert json.loads(shown_json([character])) == [character]
            assert not steering(shown_json([character]))
        if kind not in STEERS:
            for some in range(0, len(characters), 256):
                text = "a".join(["", *characters[some : some + 256], ""])
                assert shown(text) == text


def test_what_was_shown_once_is_not_written_out_again() -> None:
    assert shown(shown("a\nb")) == "a\\nb"


def _kinds(kind: type[errors.RdimportError]) -> Iterable[type[errors.RdimportError]]:
    yield kind
    for more in kind.__subclasses__():
        yield from _kinds(more)


@pytest.mark.parametrize("kind", [*_kinds(errors.RdimportError)])
def test_no_error_holds_what_steers(kind: type[errors.RdimportError]) -> None:
    error = kind(f"{HOSTILE} is not there.", f"Look at {HOSTILE}.")
    assert not steering(f"{error}{error.message}{error.remedy}")
    assert str(error).count("\n") == 1


def _values(text: str) -> dict[str, object]:
    fields = [(name, form) for _, name, form, _ in string.Formatter().parse(text) if name]
    if any(" " in str(form) for _, form in fields):
        return {}  # YAML braces, in a sentence without values
    return {name: 2 if form else HOSTILE for name, form in fields}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_sentence_of_the_catalogue_holds_what_steers_whatever_its_values(lang: Language) -> None:
    with (FOLDER / "pt_BR/LC_MESSAGES/rdimport.po").open("rb") as file:
        known = [message for message in read_po(file) if message.id and not message.context]
    assert len(known) > 200
    with messages.speaking(lang):
        for message in known:
            one, *many = message.id if isinstance(message.id, tuple) else (message.id,)
            values = {**_values(one), **_values(many[0] if many else one)}
            values.pop("number", None) if many else None
            sentence = ngettext(one, many[0], 2, **values) if many else gettext(one, **values)
            assert not steering(sentence), one
            assert sentence.count("\n") == one.count("\n")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_sentence_about_a_row_holds_what_steers_on_a_screen_or_a_page(lang: Language) -> None:
    for code in Code:
        sentence = explain(Problem(code, *[HOSTILE] * 4), lang)
        assert not steering(shown(sentence), ours="")
        assert not steering(escape(sentence))


@pytest.fixture
def hostile(workspace: Workspace) -> Workspace:
    """A list, a mapping, an archive and a catalogue, hostile in every part."""
    only_posix("no file can have such a name")
    head = ["E-mail", "Nome", f"H{ESCAPES}{HIDDEN}", f"X{HIDDEN}"]
    out = io.StringIO()
    rows = csv.writer(out, delimiter=";")
    rows.writerow(head)
    rows.writerow([HOSTILE, HOSTILE, HOSTILE, HOSTILE])
    rows.writerow(["ana@exemplo.com.br", HOSTILE, HOSTILE, HOSTILE])
    rows.writerow([f"bia{ESCAPES}@exemplo.com.br", "Bia", HOSTILE, "=1+1"])
    for number in range(200):
        rows.writerow([f"pessoa{number}@exemplo.com.br", "Pessoa", "Rua das Flores", "x" * 20])
    workspace.write(f"l{ESCAPES}{HIDDEN}\n.csv".replace("/", "_"), out.getvalue())
    workspace.write("list.csv", out.getvalue())
    mapping = {
        "version": 1,
        "conversion_identifier": f"id{HIDDEN}",
        "fields": {"email": "E-mail", "name": "Nome", "city": {"value": HOSTILE}},
    }
    workspace.write("good.yaml", json.dumps(mapping))
    wrong = {**mapping["fields"], HOSTILE: "Nome", "state": HOSTILE}  # type: ignore[dict-item]
    workspace.write("keys.yaml", json.dumps({**mapping, "fields": wrong, HOSTILE: 1}))
    fields = {"email": "E-mail", "name": {"expr": f"LOWER({HOSTILE})"}}
    workspace.write("expr.yaml", json.dumps({**mapping, "fields": fields}))
    fields = {"email": "E-mail", "name": f"Nome{HOSTILE}"}
    workspace.write("column.yaml", json.dumps({**mapping, "fields": fields}))
    fields = {"email": "E-mail", "cf_x": {"column": "Nome", "date_format": HOSTILE}}
    workspace.write("date.yaml", json.dumps({**mapping, "fields": fields, "catalogue": HOSTILE}))
    source = {"sheet": HOSTILE, "member": HOSTILE, "encoding": HOSTILE}
    workspace.write("source.yaml", json.dumps({**mapping, "source": source}))
    with zipfile.ZipFile(workspace.home / "two.zip", "w") as archive:
        archive.writestr(f"a{HOSTILE}.csv", out.getvalue())
        archive.writestr("b.csv", out.getvalue())
    with zipfile.ZipFile(workspace.home / "one.zip", "w") as archive:
        archive.writestr(f"a{HOSTILE}.csv", out.getvalue())
        archive.writestr(f"b{HOSTILE}.pdf", b"%PDF-1.4")
    return workspace


def _named(workspace: Workspace) -> str:
    return next(path.name for path in workspace.home.glob("l*.csv") if path.name != "list.csv")


COMMANDS = [
    "check NAMED",
    "check NAMED -m good.yaml",
    "check NAMED -m good.yaml --json",
    "check NAMED -m good.yaml --lang pt-BR",
    "check one.zip",
    "check two.zip",
    "check two.zip --member HOSTILE",
    "check one.zip --json -m good.yaml",
    "init NAMED",
    "init list.csv -o HOSTILE.yaml",
    "check list.csv -m keys.yaml",
    "check list.csv -m expr.yaml",
    "check list.csv -m column.yaml",
    "check list.csv -m date.yaml",
    "check list.csv -m source.yaml",
    "check list.csv -m HOSTILE.yaml",
    "check HOSTILE.csv",
    "check list.csv --sheet HOSTILE",
    "check list.csv --encoding HOSTILE",
    "check list.csv --delimiter HOSTILE",
    "check list.csv --header-row HOSTILE",
    "run list.csv -m good.yaml --quota HOSTILE",
    "run list.csv -m good.yaml --HOSTILE",
    "run list.csv -m good.yaml --quota none --account HOSTILE",
    "run list.csv -m good.yaml --base-url http://HOSTILE/",
    "run list.csv -m good.yaml --log-file HOSTILE/log",
    "run list.csv -m good.yaml --state-dir HOSTILE --sandbox",
    "status HOSTILE",
    "report HOSTILE",
    "purge HOSTILE",
    "accounts rename HOSTILE x",
    "ledger copy HOSTILE",
    "HOSTILE",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_says_anything_that_steers(command: str, hostile: Workspace) -> None:
    named = {"NAMED": _named(hostile)}
    words = [named.get(word, word.replace("HOSTILE", HOSTILE)) for word in command.split()]
    done = hostile.here(*words)
    assert done.code != 70, done.err
    assert not steering(done.out + done.err), done.out + done.err
    assert not forged(done.out + done.err)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_or_report_holds_what_steers_nor_what_is_said_of_them_later(
    form: str, hostile: Workspace
) -> None:
    log = ["--log-file", "log", "--log-format", form]
    done = hostile.here("run", _named(hostile), "-m", "good.yaml", "--quota", "none", *log)
    assert done.code == 1, done.err
    (folder,) = hostile.reports.iterdir()
    more = [hostile.here("status"), hostile.here("status", folder.name)]
    more.append(hostile.here("report", folder.name, "--report-dir", "again"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    logged = (hostile.home / "log").read_text(encoding="utf-8")
    for text in (page, logged, *(said for one in [done, *more] for said in (one.out, one.err))):
        assert not steering(text)
        assert not forged(text)


def test_only_our_own_colours_reach_a_terminal() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), speaking(lambda text: text):
        sys.stdout.write("\x1b[32maccepted\x1b[0m \x1b]0;title\x07\r\n")
    assert out.getvalue() == "\x1b[32maccepted\x1b[0m \\x1b]0;title\\x07\r\n"
