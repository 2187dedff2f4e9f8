"""The language that is spoken: chosen for a while, in one task or in all of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "pt-BR"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "pt-BR")
"""The languages that there are. Codes and the keys of JSON are never translated."""

_chosen: ContextVar[Language | None] = ContextVar("language", default=None)
_everywhere: list[Language] = ["en"]
"""What threads speak that did not inherit the context of who started them."""


def language() -> Language:
    """The language that is spoken at present."""
    return _chosen.get() or _everywhere[-1]


@contextmanager
def speaking(lang: Language, *, everywhere: bool = False) -> Iterator[None]:
    """Speak this language for a while; `everywhere`: in all threads of the program."""
    before = _chosen.set(lang)
    if everywhere:
        _everywhere.append(lang)
    try:
        yield
    finally:
        _chosen.reset(before)
        if everywhere:
            _everywhere.pop()


def language_of(name: str) -> Language:
    """The language that a locale such as `pt_BR.UTF-8` asks for; English where we lack it."""
    return "pt-BR" if name.lower().startswith("pt") else "en"
