"""The sentence and remedy for each code, in the current language.

Sentences may contain `{field}`, `{column}`, `{value}`, `{detail}`.
"""

from __future__ import annotations

import re
from functools import lru_cache
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
        Detail.PROXY_UNREACHED,
        Detail.UNSUPPORTED_PROTOCOL,
    )
)
"""Details which mean that the endpoint was not reachable."""

_REMEMBERED: Final = 1024
"""Reports of hundreds of thousands of rows have the same few codes and details."""

_CODES: Final = frozenset(Code)
_DETAILS: Final = frozenset(Detail)


class Reason(NamedTuple):
    """What happened, and what to do about it."""

    sentence: str
    remedy: str


@lru_cache(_REMEMBERED)
def reason(code: str, lang: str = "en") -> Reason | None:
    """The catalogue's entry; None for an unknown code, such as a new one of RD's."""
    known = code if code in _CODES or not code.startswith("rd.") else Code.RD_OTHER
    if known not in _CODES:
        return None
    found = catalogue(lang)
    return Reason(found.pgettext("problem", known), found.pgettext("remedy", known))


def explain(problem: Problem, lang: str = "en") -> str:
    """The sentence for a problem; an unknown code is shown as it is."""
    found = reason(problem.code, lang)
    if found is None:
        return problem.detail or problem.code
    values = problem._asdict() | {"detail": detail(problem.detail, lang)}
    return found.sentence.format(**values).removesuffix(": ")


@lru_cache(_REMEMBERED)
def detail(text: str, lang: str = "en") -> str:
    """The sentence for a key of `Detail` or an evidence; any other text unchanged."""
    key, _, rest = text.partition(" ")
    if key in _DETAILS:
        return detail_text(key, lang).format(said=rest).removesuffix(": ")
    return "; ".join(dict.fromkeys(_without_code(part, lang) for part in text.split("; ")))


def detail_text(key: str, lang: str = "en") -> str:
    """The sentence for a `Detail`. `{said}` stands for the text of a library or the system, which
    cannot be translated.
    """
    return catalogue(lang).pgettext("detail", key)


def _without_code(part: str, lang: str) -> str:
    """The text of a response without its code; a bare status as a sentence."""
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
    """What to do about problems with that code; empty for an unknown code."""
    found = reason(code, lang)
    return found.remedy if found else ""
