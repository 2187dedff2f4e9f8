"""The catalogue of reasons: one code, its sentence and its remedy, in both languages."""

from __future__ import annotations

import ast
import re
import ssl
import string
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.sources import READS_ALL, parsed

import rdimport
from rdimport.core.messages import LANGUAGES
from rdimport.core.messages.codes import Code, Detail
from rdimport.core.messages.reasons import detail, detail_text, explain, reason, remedy
from rdimport.core.row import Problem
from rdimport.core.stop import StopReason
from rdimport.delivery.transport.error_detail import describe_error
from rdimport.delivery.transport.httpx_sender import error_of
from rdimport.destination.verdict import VERDICTS, Action

PACKAGE = Path(str(rdimport.__file__)).parent
FIELDS = set(Problem._fields) - {"code"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def literals(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("code", Code)
def test_a_code_says_in_each_language_what_happened_and_what_to_do(code: Code) -> None:
    english, portuguese = (reason(code, lang) for lang in LANGUAGES)
    assert english is not None
    assert portuguese is not None
    assert placeholders(english.sentence) <= FIELDS
    assert placeholders(portuguese.sentence) == placeholders(english.sentence)
    assert portuguese.sentence != english.sentence
    for found in (english, portuguese):
        assert found.sentence not in ("", code)
        assert found.remedy not in ("", code)
        assert placeholders(found.remedy) == set()
        assert not found.sentence.endswith(".")


@READS_ALL
def test_codes_are_spelt_in_their_enum_only() -> None:
    families = "|".join(sorted({code.partition(".")[0] for code in Code}))
    is_code = re.compile(rf"(?:{families})\.[a-z_]+(?:\|\S*)?")
    spelt = {
        path.name: text
        for path in PACKAGE.rglob("*.py")
        for text in literals(path)
        if is_code.fullmatch(text) and not text.endswith((".json", ".csv", ".py", ".services"))
    }
    assert set(spelt) == {"codes.py"}


def test_every_doubt_and_every_stop_has_its_entry() -> None:
    doubts = {f"uncertain.{e}" for e, line in VERDICTS.items() if line.action is Action.DOUBT}
    stops = {f"stop.{stop}" for stop in StopReason}
    assert doubts | stops | {"uncertain.interrupted"} <= set(Code)


def test_an_error_type_that_rd_invents_later_is_reported_in_its_own_words() -> None:
    new = Problem("rd.moon_phase", field="email", detail="only at full moon")
    for lang in LANGUAGES:
        assert explain(new, lang).endswith("only at full moon")
        assert remedy(new.code, lang)


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert explain(Problem("odd.thing")) == "odd.thing"
    assert reason("odd.thing", "pt-BR") is None
    assert remedy("odd.thing") == ""


def test_a_sentence_whose_detail_is_not_known_ends_without_a_colon() -> None:
    assert explain(Problem("rd.taken")) == "another contact already has this value"


def test_values_from_the_file_are_text_and_no_format() -> None:
    odd = Problem("email.no_at", value="{field} {0} {")
    assert explain(odd, "pt-BR") == "“{field} {0} {” não é um e-mail: falta o @"


@pytest.mark.parametrize("key", Detail)
def test_what_happened_to_a_request_is_reported_in_the_readers_language(key: str) -> None:
    problem = Problem("uncertain.not_answered", detail=f"{key} [Errno 5] odd")
    english, portuguese = (explain(problem, lang) for lang in LANGUAGES)
    assert english.startswith("the row was sent and no response came")
    assert portuguese.startswith("a linha foi enviada, mas não veio resposta")
    assert placeholders(detail_text(key)) == placeholders(detail_text(key, "pt-BR")) <= {"said"}
    assert (
        ("[Errno 5] odd" in english)
        == ("[Errno 5] odd" in portuguese)
        == ("{said}" in detail_text(key))
    )
    assert "net." not in english + portuguese


def test_whatever_a_transport_raises_has_a_key_of_the_catalogue() -> None:
    kinds = [kind for kind in vars(httpx).values() if _is_transport_error(kind)]
    assert len(kinds) > 12
    for kind in kinds:
        error = error_of(kind, "it says {why}")
        for cause in (None, TimeoutError(), ssl.SSLError(1, "bad"), ConnectionResetError()):
            error.__cause__ = cause
            key, _, said = describe_error(error).partition(" ")
            assert key in set(Detail)
            assert not said or "it says" in said


@READS_ALL
def test_details_are_spelt_in_their_enum_only() -> None:
    spelt = {
        (path.name, text)
        for path in PACKAGE.rglob("*.py")
        for text in literals(path)
        if re.fullmatch(r"net\.[a-z_]+", text)
    }
    assert spelt == {("codes.py", str(key)) for key in Detail if key.startswith("net.")}
    assert len(spelt) > 10


def _is_transport_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, httpx.TransportError)


SAID = {"_", "ngettext", "untranslated"}
"""Functions that look up a sentence in the catalogue."""


def sentences(path: Path) -> Iterator[str]:
    """String constants that read like words for a person, outside of docstrings and errors."""

    def look(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Raise):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"<[^>]*>?|\{[^}]*\}", "", node.value)
            if re.search(r"[A-Za-z]{3,} [a-z]{2,}", text) and not re.search('="|^rdimport ', text):
                yield node.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAID:
            return
        children = node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
        for child in children:
            yield from look(child)

    return look(ast.parse(path.read_text(encoding="utf-8")))


SCREENS = ("check", "jobs", "layout", "progress", "run", "status")
SPOKEN = [
    *(
        PACKAGE / "cli" / "screen" / f"{name}.py"
        for name in ("check", "jobs", "layout", "progress", "run", "status")
    ),
    *(PACKAGE / "report" / f"{name}.py" for name in ("data", "failures_csv", "next_steps", "rows")),
    *(PACKAGE / "report" / "html" / f"{name}.py" for name in ("chart", "page")),
    *(PACKAGE / "report" / "failures_xlsx" / f"{n}.py" for n in ("sheets", "summary_sheet")),
]


@pytest.mark.parametrize("path", SPOKEN, ids=lambda path: path.stem)
def test_no_text_for_a_person_bypasses_the_two_languages(path: Path) -> None:
    assert list(sentences(path)) == []


def test_a_text_that_bypasses_them_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "screen.py"
    path.write_text('yield "It did not end."\nyield _("It ended well.")\n', encoding="utf-8")
    assert list(sentences(path)) == ["It did not end."]


@pytest.mark.parametrize(
    ("kept", "english", "portuguese"),
    [
        (
            "HTTP 200",
            "the HTTP status of the response was 200",
            "o status HTTP da resposta foi 200",
        ),
        (
            "rd.no_reason HTTP 502",
            "the HTTP status of the response was 502",
            "o status HTTP da resposta foi 502",
        ),
        ("rd.other Falhou; rd.no_reason Falhou", "Falhou", "Falhou"),
        ("rd.service_unavailable", "RD was not available", "o RD estava fora do ar"),
        ("12; 13", "12; 13", "12; 13"),
    ],
)
def test_a_detail_is_a_sentence_without_the_codes_of_the_answer(
    kept: str, english: str, portuguese: str
) -> None:
    assert (detail(kept), detail(kept, "pt-BR")) == (english, portuguese)
