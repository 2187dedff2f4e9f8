"""The catalogues: the same entries in each language, every message of the code, and nothing
else.
"""

from __future__ import annotations

import argparse
import ast
import errno
import os
import re
import shutil
import sqlite3
import string
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import reference_words
import settings_reference
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from support.samples import ROOT
from support.sources import READS_ALL, parsed

import rdimport
from rdimport.core.errors import MappingError
from rdimport.core.messages import (
    LANGUAGES,
    gettext,
    language,
    language_of,
    ngettext,
    speaking,
    system,
    written,
)
from rdimport.core.messages.codes import Code, Detail
from rdimport.core.row import State
from rdimport.destination.rdstation.custom_fields import CustomFields
from rdimport.report.words import Words

FOLDER = ROOT / "rdimport" / "core" / "messages" / "locale"

PACKAGE = Path(str(rdimport.__file__)).parent
SOURCES = [*PACKAGE.rglob("*.py")]
MARKS = {"_": 1, "gettext": 1, "untranslated": 1, "ngettext": 2}
"""Functions whose first arguments are sentences in the catalogue."""


def read(name: str) -> Catalog:
    with (FOLDER / name / "LC_MESSAGES" / "rdimport.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


ENGLISH, PORTUGUESE = read("en"), read("pt_BR")


def texts(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def ids(message: Message) -> tuple[str, ...]:
    return message.id if isinstance(message.id, tuple) else (message.id,)


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def named(catalogue: Catalog) -> set[tuple[str, str]]:
    """The entries with a name."""
    return {(m.context, ids(m)[0]) for m in catalogue if m.context}


def said() -> Iterator[tuple[str, ...]]:
    """Every sentence that the code looks up in the catalogue."""
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                args = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if name in MARKS and len(args) >= MARKS[name]:
                    yield tuple(args[: MARKS[name]])


def test_each_language_has_the_same_entries_by_name() -> None:
    by_sentence = {key for key in named(PORTUGUESE) if key[0] in ("reference", "sandbox")}
    assert named(ENGLISH) == named(PORTUGUESE) - by_sentence
    of_pages = {*reference_words.of_the_mapping(), *settings_reference.sentences()}
    sentences = {" ".join(sentence.split()) for sentence in of_pages}
    assert {sentence for context, sentence in by_sentence if context == "reference"} == sentences
    assert not [m.id for m in ENGLISH if m.id and not m.context], (
        "English sentences are in the code"
    )


def test_each_code_detail_and_state_has_its_entries_and_nothing_else_has() -> None:
    known = named(ENGLISH)
    codes = set(map(str, Code))
    assert {key for context, key in known if context == "problem"} == codes
    assert {key for context, key in known if context == "remedy"} == codes
    details = {key for context, key in known if context == "detail"}
    assert details == {*map(str, Detail), "http_status"}
    for state in State:
        assert {("screen", str(state)), ("screen", f"means.{state}")} <= known


NOT_FOR_PEOPLE = {
    "__main__.py": "in both languages, where not even the catalogues may be there",
    "cli/resolve.py": "names of options",
    "core/child.py": "a program for the child",
    "core/yaml_document.py": "what ruamel.yaml says, by which its errors are recognised",
    "config/model.py": "descriptions of the JSON schema and of the reference page",
    "delivery/transport/connection.py": "stands for what a library says, and is stored",
    "delivery/transport/direct.py": "the same",
    "delivery/transport/fresh.py": "the same",
    "delivery/transport/httpx_sender.py": "the same",
    "delivery/transport/response_reader.py": "the same",
    "destination/verdict.py": "the table that docs/delivery.md is made of",
    "mapping/sql/functions.py": "the tables that docs/mapping.md is made of",
    "plan/corrected.py": "kinds of hashes",
    "prepare/clean/__init__.py": "the table that docs/mapping.md is made of",
    "prepare/clean/brazil.py": "words of lists",
    "proposal/consent.py": "words of lists",
    "proposal/vocabulary.py": "words of lists",
    "report/metrics.py": "help of metrics, which Prometheus expects in English",
    "sandbox/webhooks.py": "the headings of RD's export",
    "sandbox/control.py": "an interface for programs",
    "sandbox/faults.py": "names of switches; told by the page",
    "sandbox/replies.py": "what RD says, in English as RD says it",
    "sandbox/rules.py": "the same",
}
"""Modules with texts that no command prints, and why."""
EXEMPT = ("AttributeError", "Bug", "InternalError", "OperationalError", "RuntimeError", "split")
"""Calls whose texts are for programmers or programs."""


def is_sentence(text: str) -> bool:
    """Whether it has three words in a row, and is no command, SQL or pattern."""
    plain = re.sub(r"\{[^}]*\}", "{}", re.sub(r"<[^>]*>", "", text))
    if re.search(
        r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|FROM|WHERE|ORDER|PRAGMA|CASE|unnest)\b|\\b",
        plain,
    ):
        return False
    if plain.startswith("rdimport "):
        return False  # a command
    return re.search(r"[A-Za-z]{2,}[,:;]? (?:[a-z]+|\{\})[,:;]? [a-z]{2,}", plain) is not None


def unspoken(node: ast.AST) -> Iterator[str]:
    """Sentences that are not looked up in a catalogue."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in EXEMPT:
            return
        if called in {*MARKS, "say"}:
            for key in node.keywords:
                yield from unspoken(key)
            return
    if isinstance(node, ast.Constant | ast.JoinedStr):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)
        if isinstance(text, str) and is_sentence(text):
            yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from unspoken(child)


def bypassing(path: Path) -> list[str]:
    return list(unspoken(parsed(path)))


ROOMS = [path for path in SOURCES if path.parent.name != "messages"]


@READS_ALL
def test_no_sentence_of_a_room_bypasses_the_catalogue() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): bypassing(path) for path in ROOMS}
    spoken = {name: texts for name, texts in found.items() if texts}
    page = {name for name in spoken if name.startswith("sandbox/page/")}  # test_sandbox_page.py
    wrong = {name: spoken[name] for name in spoken.keys() - page - NOT_FOR_PEOPLE.keys()}
    assert wrong == {}
    assert NOT_FOR_PEOPLE.keys() - spoken.keys() == set(), "need no exception any more"


@READS_ALL
def test_no_function_that_looks_a_sentence_up_uses_the_name_for_something_else() -> None:
    wrong = []
    for path in ROOMS:
        for function in ast.walk(parsed(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                nodes = [*ast.walk(function)]
                calls = {getattr(n.func, "id", "") for n in nodes if isinstance(n, ast.Call)}
                own = {n.arg for n in nodes if isinstance(n, ast.arg)}
                names = (n for n in nodes if isinstance(n, ast.Name))
                own |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
                wrong += [f"{path}: {function.name}"] if "_" in calls & own else []
    assert wrong == []


def test_what_bypasses_it_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text(
        'raise UsageError(f"The file {name} is not there.", _("Check its name."))\n'
        'raise ValueError("needs a number there")\n'
        'to.add_argument("--x", help="what it really is")\n'
        'LINES = {"key": "expected text, found {found}"}\n'
        'yield f"run {name} counts {rows} rows"\n'
        'raise Bug("this cannot be so")\n'
    )
    assert len(bypassing(path)) == 5


@READS_ALL
def test_each_sentence_of_the_code_is_in_the_portuguese_catalogue_and_no_other() -> None:
    known = {ids(m) for m in PORTUGUESE if m.id and not m.context}
    spoken = set(said())
    assert spoken - known == set(), "add these to pt_BR.po"
    assert known - spoken - of_argparse() == set(), "nobody says these any more"


def of_argparse() -> set[tuple[str, ...]]:
    """The sentences that argparse passes to gettext."""
    source = Path(str(argparse.__file__)).read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        tuple(a.value for a in call.args if isinstance(a, ast.Constant))
        for call in calls
        if getattr(call.func, "id", "") in ("_", "ngettext")
    }


@pytest.mark.parametrize("of", [ENGLISH, PORTUGUESE], ids=["en", "pt-BR"])
def test_each_entry_has_its_texts_with_the_values_of_the_english_ones(of: Catalog) -> None:
    for message in of:
        if not message.id:
            continue
        english = ENGLISH.get(ids(message)[0], message.context) if message.context else None
        wanted = set().union(*map(values, texts(english) if english else ids(message)))
        assert len(texts(message)) == len(ids(message)), message.id
        for text in texts(message):
            assert text, message.id
            assert values(text) <= wanted, message.id
        assert set().union(*map(values, texts(message))) == wanted, message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("of", [ENGLISH, PORTUGUESE], ids=["en", "pt-BR"])
def test_each_entry_begins_and_ends_as_its_english_one(of: Catalog) -> None:
    """An entry that has swallowed its neighbour does not."""
    for message in of:
        english = ENGLISH.get(ids(message)[0], message.context) if message.context else None
        sources = texts(english) if english else ids(message)
        if not message.id or message.context in ("reference", "sandbox"):
            continue
        for text, source in zip(texts(message), sources, strict=True):
            assert (text[0] == " ", text[-1] == " ") == (source[0] == " ", source[-1] == " "), text
            marks = {text.removesuffix(" etc.")[-1], source[-1]} & set(".?!:")
            assert len(marks) == 0 or text[-1] == source[-1], text


@pytest.mark.parametrize("name", ["en", "pt_BR"])
def test_each_entry_of_a_catalogue_has_one_text(name: str) -> None:
    """Of two, Babel silently takes one."""
    lines = (FOLDER / name / "LC_MESSAGES" / "rdimport.po").read_text("utf-8").splitlines()
    follows = {"msgctxt": ["msgid"], "msgid": ["msgid_plural", "msgstr"]}
    follows |= {"msgid_plural": ["msgstr[0]"], "msgstr[0]": ["msgstr[1]"]}
    kinds = [line.partition(" ")[0] for line in lines if line.startswith("msg")]
    for before, after in pairwise(kinds):
        assert after in follows.get(before, ["msgctxt", "msgid"]), (before, after)
    text = "".join(f"{line}\n" for line in lines if not line.startswith("#"))
    names = Counter(entry.partition("\nmsgstr")[0] for entry in text.strip().split("\n\n"))
    assert names.most_common(1)[0][1] == 1, names.most_common(3)


SEVERAL = {
    "en": r"accounts|bytes|cells|characters|columns|contacts|conversions|days|digits|fields|files"
    r"|items|kinds|lines|lists|minutes|nights|requests|rows|seconds|sheets|times|words|\w+\(\w+\)",
    "pt_BR": r"(?!delas)\w{2,}[aeiouõ]e?s|\w+[aei]ram|\w+\(\w+\)",
}
"""Plural words after a value."""
LIMITS = ("most", "most_columns", "times", "fixed")
"""Values that are constants above 1 in the code."""
NEVER_ONE = {
    "expr.too_long": "a limit of ours",
    "more_comments": "a limit of ours",
    "rate": "has decimals",
    "row.too_large": "a limit of RD",
    "rows_a_second": "has decimals",
    "text.too_long": "in English; the check says it",
    "text.too_short": "in English; the check says it",
    "list.too_long": "in English; the check says it",
    "list.too_short": "in English; the check says it",
    "wrong_column": "more than half of ten rows",
    "More than {detail} requests for this e-mail in 24 hours.": "a limit of RD",
    "Of the first {lines} lines, {unsound} are blank or malformed.": "nine of ten of many",
    "The body is larger than {detail} bytes.": "a limit of RD",
    "The last {nights} nights": "30",
    "Which account does {name} belong to? {path} has {number} accounts.": "asked of several",
    "{name} has {book} sheets, too many to search.": "too many",
    "{name} has {number} columns with the same heading: {places}": "two at least",
    "{name} has {width} columns; a spreadsheet has at most {most_columns}.": "too many",
    "{name} contains {infos} files, too many to search.": "too many",
    "{name} contains {lists} different files named {member}.": "two at least",
    "{name} contains {lists} lists, and an import takes one: {named}.": "two at least",
    "{name} contains {members} files, too many to find the list among them.": "too many",
    "{number} fields; a mapping takes {most}": "too many",
}
"""Entries without a singular, and why none is needed."""


def without_singular(plural: bool, texts: tuple[str, ...], lang: str) -> list[str]:
    """The plural texts of an entry that are used for any number."""
    several = rf"\{{(\w+)\}} (?:(?:de|of) \{{(\w+)\}} )?(?:{SEVERAL[lang]})(?!\w)"
    found = []
    for form, text in enumerate(texts):
        for match in re.finditer(several, text):
            by_number = plural and form == 1 and "number" in match.groups()
            if match[1] not in LIMITS and not by_number:
                found.append(match[0])
    return found


def test_all_that_is_counted_has_a_singular() -> None:
    used = set()
    for lang, message in [*(("en", m) for m in ENGLISH), *(("pt_BR", m) for m in PORTUGUESE)]:
        plural, name = isinstance(message.id, tuple), ids(message)[0]
        found = without_singular(plural, texts(message), lang)
        found += [] if message.context else without_singular(plural, ids(message), "en")
        if found and name in NEVER_ONE:
            used.add(name)
        elif message.id:
            assert not found, (name, found)
    assert used == set(NEVER_ONE), "these need no exception any more"


def test_a_text_without_a_singular_would_be_found() -> None:
    said = ("{number} tarefa: {fine} deu certo", "{number} tarefas: {fine} deram certo")
    assert without_singular(True, said, "pt_BR") == ["{fine} deram"]
    assert without_singular(False, ("{n} linha(s)", "linhas: {n}"), "pt_BR") == ["{n} linha(s)"]
    assert without_singular(False, ("{n} of {m} rows",), "en") == ["{n} of {m} rows"]
    assert without_singular(True, ("{number} linha", "{number} linhas"), "pt_BR") == []


@pytest.mark.parametrize("of", [ENGLISH, PORTUGUESE], ids=["en", "pt-BR"])
def test_each_page_that_an_entry_names_is_there_and_in_its_language(of: Catalog) -> None:
    pages = {page for m in of for text in texts(m) for page in re.findall(r"docs/[\w/]+\.md", text)}
    assert [page for page in pages if not (ROOT / page).is_file()] == []
    assert {page.startswith("docs/pt/") for page in pages} <= {of is PORTUGUESE}


@READS_ALL
def test_each_key_of_the_screen_is_used_and_there() -> None:
    used = set()
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
    made = {*map(str, State), *(f"means.{state}" for state in State)}
    made |= {"means.accepted.sandbox", "means.refused.sandbox"}
    keys = {key for context, key in named(ENGLISH) if context == "screen"}
    unused = {key for key in keys - made - used if not key.startswith(("stage.", "pace."))}
    assert unused == set()
    plural = {ids(m)[0] for m in ENGLISH if isinstance(m.id, tuple)}
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "counted":
                key = node.args[0]
                assert not isinstance(key, ast.Constant) or key.value in plural, key


def test_the_library_chooses_the_plural_form() -> None:
    english, portuguese = Words("en"), Words("pt-BR")
    assert [english.counted("rows_to_send", n) for n in (1, 2)] == [
        "1 row to send",
        "2 rows to send",
    ]
    assert [portuguese.counted("rows_to_send", n) for n in (1, 2_000)] == [
        "1 linha a enviar",
        "2.000 linhas a enviar",
    ]
    assert portuguese.rows_in(State.ACCEPTED, 1) == "1 aceita"


def test_a_language_is_spoken_for_a_while_and_another_one_is_english() -> None:
    assert language() == "en"
    with speaking("pt-BR"):
        assert language() == "pt-BR"
        with speaking("en"):
            assert gettext("no such sentence") == "no such sentence"
        assert language() == "pt-BR"
    assert language() == "en"
    assert Words("fr")("sending") == Words("en")("sending") == "Sending"
    assert [ngettext("{number} row", "{number} rows", n) for n in (0, 1)] == ["0 rows", "1 row"]
    assert [language_of(name) for name in ("pt_BR.UTF-8", "PT", "en_US", "C", "")] == [
        "pt-BR",
        "pt-BR",
        "en",
        "en",
        "en",
    ]
    assert LANGUAGES == ("en", "pt-BR")


def test_what_the_system_says_of_a_file_is_reported_in_the_readers_language() -> None:
    gone = os.strerror(errno.ENOENT)
    with speaking("pt-BR"):
        said = gettext("{path}: cannot be read: {strerror}", path="a.yaml", strerror=gone)
    assert said == "a.yaml: não é possível ler: arquivo ou pasta não existe"
    assert gone in gettext("{path}: cannot be read: {strerror}", path="a.yaml", strerror=gone)


def test_what_sqlite_says_of_a_file_is_reported_in_the_readers_language(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "full", isolation_level=None)) as full:
        full.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as error:
            full.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as other:
        sqlite3.connect(tmp_path / "nowhere" / "ledger")
    sentence = "The ledger {path} cannot be used: {error}."
    with speaking("pt-BR"):
        said = [gettext(sentence, path="a", error=one.value) for one in (error, other)]
    assert said == [
        "Não é possível usar o registro a: não há espaço em disco.",
        "Não é possível usar o registro a: não foi possível abrir o arquivo.",
    ]


DENIED = os.strerror(errno.EACCES)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (None, "out.yaml cannot be written: Permission denied."),
        ("there/out.yaml", "out.yaml cannot be written: Permission denied."),
        (".out.yaml.1234.half", "out.yaml cannot be written: Permission denied."),
        ("/run/other", "out.yaml cannot be written: Permission denied: /run/other."),
    ],
)
def test_an_error_of_the_system_is_reported_without_its_number_and_names_no_file_twice(
    file: str | None, said: str
) -> None:
    error = OSError(errno.EACCES, DENIED, file)
    for path in ("out.yaml", Path("there/out.yaml")):
        message = gettext("{path} cannot be written: {error}.", path=path, error=error)
        assert message.removeprefix("there/") == said
    with speaking("pt-BR"):
        message = gettext("{path} cannot be written: {error}.", path="out.yaml", error=error)
    assert message == "Não é possível gravar out.yaml: " + said.split(": ", 1)[1].replace(
        "Permission denied", "sem permissão"
    )


def test_an_error_of_the_system_that_polars_reports_is_translated_too() -> None:
    error = pl.exceptions.ComputeError(f"{DENIED} (os error 13)")
    with speaking("pt-BR"):
        message = gettext("The rows to be sent cannot be kept on disk: {error}.", error=error)
    assert message == "Não é possível guardar em disco as linhas a enviar: sem permissão."


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EFBIG, errno.ENOTEMPTY, errno.EXDEV])
def test_a_rarer_error_of_the_system_is_reported_in_the_readers_language(number: int) -> None:
    error = OSError(number, os.strerror(number))
    with speaking("pt-BR"):
        message = gettext("{path} cannot be written: {error}.", path="out.yaml", error=error)
    assert message.startswith("Não é possível gravar out.yaml: ")
    assert os.strerror(number) not in message


def test_bytes_that_are_no_text_are_reported_in_the_readers_language(tmp_path: Path) -> None:
    (tmp_path / "campos.json").write_bytes("cf_opção".encode("cp1252"))
    with speaking("pt-BR"), pytest.raises(MappingError) as refused:
        CustomFields.load(tmp_path / "campos.json")
    assert "campos.json: não é possível ler: não é um texto em UTF-8 (byte 5)" in str(refused.value)


def test_windows_denies_a_file_that_excel_has_open_in_the_words_of_a_missing_permission() -> None:
    assert "Excel" in system.words("win32")[DENIED]
    assert system.words("linux")[DENIED] == DENIED
    with speaking("pt-BR"):
        assert "feche-o" in gettext(system.words("win32")[DENIED])


def test_the_messages_of_windows_itself_are_known_in_the_language_of_that_system() -> None:
    """Renaming a file that Excel has open fails with one of them."""
    of_windows = {5: "Acesso negado", 32: "O arquivo está em uso", 112: "Espaço insuficiente"}
    known = system.words("win32", lambda code: of_windows.get(code, f"code {code}"))
    assert "Excel" in known["Acesso negado"]
    assert "Excel" in known["O arquivo está em uso"]
    assert known["Espaço insuficiente"] == os.strerror(errno.ENOSPC)
    assert "Acesso negado" not in system.words("linux")


def test_what_windows_cannot_name_is_not_translated_as_an_error_of_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errno, "EDQUOT", 10_069)
    monkeypatch.setattr(os, "strerror", lambda number: str(number) if number < 9999 else "unknown")
    known = system.words("win32", lambda code: f"code {code}")
    assert "unknown" not in known
    assert known["code 10049"] == "Cannot assign requested address"


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has them")
def test_a_file_that_windows_does_not_replace_because_it_is_open_is_to_be_closed_there(
    tmp_path: Path,
) -> None:
    half = tmp_path / "half"
    half.touch()
    with (tmp_path / "open").open("w"), pytest.raises(PermissionError) as denied:
        half.replace(tmp_path / "open")
    assert "Excel" in gettext("{error}", error=denied.value)


def test_numbers_and_moments_are_written_as_the_language_writes_them() -> None:
    assert ngettext("{number} row is left.", "{number} rows are left.", 12_345) == (
        "12,345 rows are left."
    )
    with speaking("pt-BR"):
        said = ngettext("{number} row is left.", "{number} rows are left.", 12_345)
        assert "12.345" in said
        assert written.minute("2026-12-31T12:05:00+00:00").startswith("31/12/2026 ")
    assert written.second("2026-12-31T12:05:00+00:00").startswith("2026-12-31 ")
    assert [written.decimal("0.5 s", lang) for lang in LANGUAGES] == ["0.5 s", "0,5 s"]


@pytest.mark.parametrize("compiled_before", [True, False])
def test_a_checkout_without_babel_says_what_it_can(tmp_path: Path, compiled_before: bool) -> None:
    """After `pip install -e .` and a later `git pull`, the catalogues are older than the code."""
    shutil.copytree(
        ROOT / "rdimport", tmp_path / "rdimport", ignore=shutil.ignore_patterns("__pycache__")
    )
    for catalogue in (tmp_path / "rdimport").rglob("*.mo"):
        os.utime(catalogue, (0, 0))
        if not compiled_before:
            catalogue.unlink()
    start = (
        "import sys; sys.modules['babel'] = None; from rdimport.cli import main;"
        " sys.exit(main(['status', '--lang', 'pt-BR', '--state-dir', 'none']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("nenhuma importação" in done.stdout) is compiled_before
