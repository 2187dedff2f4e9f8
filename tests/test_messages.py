"""The catalogues: the same entries in each language, all that the code says, and nothing else."""

from __future__ import annotations

import argparse
import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

import rdimport
from rdimport.core import errors
from rdimport.core.messages import LANGUAGES, catalogue, gettext, language, ngettext, speaking
from rdimport.core.messages.build import FOLDER
from rdimport.core.messages.codes import Code, Detail
from rdimport.core.row import State
from rdimport.report.words import Words

PACKAGE = Path(str(rdimport.__file__)).parent
SOURCES = [*PACKAGE.rglob("*.py")]
MARKS = {"_": 1, "gettext": 1, "untranslated": 1, "ngettext": 2}
"""Functions of the code whose first arguments are sentences of the catalogue."""


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
    """The entries that go by a name."""
    return {(m.context, ids(m)[0]) for m in catalogue if m.context}


def said() -> Iterator[tuple[str, ...]]:
    """Every sentence that the code gives to the catalogue."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                args = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if name in MARKS and len(args) >= MARKS[name] and path.parent.name != "messages":
                    yield tuple(args[: MARKS[name]])


def test_each_language_has_the_same_entries_by_name() -> None:
    assert named(ENGLISH) == named(PORTUGUESE)
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


SAYING = {
    *(name for name in vars(errors) if name.endswith("Error")),
    *("ArgumentTypeError", "add_argument_group", "ask", "print_error", "say"),
}
"""Calls whose texts a person reads."""


def plain(node: ast.AST) -> Iterator[str]:
    """The sentences in an argument, where it is made of texts and not of calls."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        text = "".join(str(p.value) for p in parts if isinstance(p, ast.Constant))
        if re.search(r"[A-Za-z]{3,} [a-z]{2,}", text):
            yield text
    elif isinstance(node, ast.IfExp | ast.List | ast.Tuple | ast.BinOp):
        for child in ast.iter_child_nodes(node):
            yield from plain(child)


def bypassing(path: Path) -> Iterator[str]:
    """Sentences that are given to such a call without having been looked up."""

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts = [*node.args, *(key.value for key in node.keywords if key.arg == "help")]
            for text in texts if name in SAYING or name == "add_argument" else ():
                yield from plain(text)


ROOMS = [path for path in SOURCES if "sandbox" not in path.relative_to(PACKAGE).parts]
"""The sandbox has a catalogue of its own."""


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_error_and_no_help_bypasses_the_catalogue(path: Path) -> None:
    assert list(bypassing(path)) == []


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_function_that_looks_a_sentence_up_uses_the_name_for_something_else(path: Path) -> None:
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes = [*ast.walk(function)]
            calls = {getattr(n.func, "id", "") for n in nodes if isinstance(n, ast.Call)}
            own = {n.arg for n in nodes if isinstance(n, ast.arg)}
            own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert "_" not in calls & own, function.name


def test_what_bypasses_it_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text(
        'raise UsageError(f"The file {name} is not there.", _("Check its name."))\n'
        'to.add_argument("--x", help="what it is")\n'
    )
    assert len(list(bypassing(path))) == 2


def test_each_sentence_of_the_code_is_in_the_portuguese_catalogue_and_no_other() -> None:
    known = {ids(m) for m in PORTUGUESE if m.id and not m.context}
    spoken = set(said())
    assert spoken - known == set(), "add these to pt_BR.po"
    assert known - spoken - of_argparse() == set(), "nobody says these any more"


def of_argparse() -> set[tuple[str, ...]]:
    """The sentences that argparse gives to gettext."""
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


def test_each_key_of_the_screen_is_used_and_there() -> None:
    used = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
    made = {*map(str, State), *(f"means.{state}" for state in State)}
    keys = {key for context, key in named(ENGLISH) if context == "screen"}
    unused = {key for key in keys - made - used if not key.startswith(("stage.", "pace."))}
    assert unused == set()
    plural = {ids(m)[0] for m in ENGLISH if isinstance(m.id, tuple)}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    assert [catalogue.language_of(name) for name in ("pt_BR.UTF-8", "PT", "en_US", "C", "")] == [
        "pt-BR",
        "pt-BR",
        "en",
        "en",
        "en",
    ]
    assert LANGUAGES == ("en", "pt-BR")
