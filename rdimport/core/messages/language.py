"""The current language, set for a task or for the whole program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "pt-BR"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "pt-BR")
"""The available languages. Codes and JSON keys are never translated."""

_chosen: ContextVar[Language | None] = ContextVar("language", default=None)
_everywhere: list[Language] = ["en"]
"""The language of threads that did not inherit a context."""


def language() -> Language:
    """The current language."""
    return _chosen.get() or _everywhere[-1]


@contextmanager
def speaking(lang: Language, *, everywhere: bool = False) -> Iterator[None]:
    """Use this language in the context; `everywhere`: in all threads of the program."""
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
    """The language for a locale such as `pt_BR.UTF-8`; English if it is not available."""
    return "pt-BR" if name.lower().startswith("pt") else "en"
