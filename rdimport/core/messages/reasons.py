"""What can be wrong with a row, by its code: the sentence and the remedy in the reader's language.

Sentences may use `{field}`, `{column}`, `{value}`, `{detail}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.messages.catalogue import catalogue
from rdimport.core.messages.codes import Code, Detail

if TYPE_CHECKING:
    from rdimport.core.row import Problem

UNREACHED: Final = frozenset(
    (
        Detail.NAME_UNKNOWN,
        Detail.REFUSED,
        Detail.TLS,
        Detail.CONNECT_TIMEOUT,
        Detail.CONNECT_ERROR,
        Detail.PROXY_ERROR,
        Detail.UNSUPPORTED_PROTOCOL,
    )
)
"""Details after which nobody was there to take a request."""

_CODES: Final = frozenset(Code)
_DETAILS: Final = frozenset(Detail)


class Reason(NamedTuple):
    """What happened, and what a person can do about it."""

    sentence: str
    remedy: str


def reason(code: str, lang: str = "en") -> Reason | None:
    """The catalogue's entry, None for a code that is not in it; what RD newly invents is one."""
    known = code if code in _CODES or not code.startswith("rd.") else Code.RD_OTHER
    if known not in _CODES:
        return None
    found = catalogue(lang)
    return Reason(found.pgettext("problem", known), found.pgettext("remedy", known))


def explain(problem: Problem, lang: str = "en") -> str:
    """The sentence for a problem; a code that is not in the catalogue speaks for itself."""
    found = reason(problem.code, lang)
    if found is None:
        return problem.detail or problem.code
    values = problem._asdict() | {"detail": detail(problem.detail, lang)}
    return found.sentence.format(**values).removesuffix(": ")


def detail(text: str, lang: str = "en") -> str:
    """A detail in words: what befell a request on its way has a key, a doubt names what the answer
    was judged to be; all else stands for itself.
    """
    key, _, said = text.partition(" ")
    if key in _DETAILS:
        return detail_text(key, lang).format(said=said).removesuffix(": ")
    return "; ".join(dict.fromkeys(_said(part, lang) for part in text.split("; ")))


def detail_text(key: str, lang: str = "en") -> str:
    """The sentence of a `Detail`; `{said}` is what a library or the system said of it, which nobody
    can translate.
    """
    return catalogue(lang).pgettext("detail", key)


def _said(part: str, lang: str) -> str:
    """What an answer said, without the code that it was given; a bare status in a sentence."""
    code, _, words = part.partition(" ")
    if re.fullmatch(r"(rd|uncertain)\.[a-z0-9_]+", code):
        part = words
        if not words:
            found = reason(code, lang)
            blank = dict.fromkeys(("field", "column", "value", "detail"), "")
            part = found.sentence.format(**blank).removesuffix(": ") if found else code
    status = re.fullmatch(r"HTTP (\d{3})", part)
    if status:
        return catalogue(lang).pgettext("detail", "http_status").format(status=status[1])
    return part


def remedy(code: str, lang: str = "en") -> str:
    """What to do about problems of that code; empty for a code that is not in the catalogue."""
    found = reason(code, lang)
    return found.remedy if found else ""
