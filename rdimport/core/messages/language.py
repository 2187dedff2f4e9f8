"""The current language, set for a task or for the whole program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "pt-BR"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""The available languages. Codes and JSON keys are never translated."""

_chosen: ContextVar[Language | None] = ContextVar("language", default=None)
_everywhere: list[Language] = ["en"]
"""The language of threads that did not inherit a context."""


_is_named: ContextVar[bool] = ContextVar("is_named", default=True)
"""Whether the user has named the current language for this command, or it is the environment's."""


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


@contextmanager
def program_speaking(named: Language | None, otherwise: Language) -> Iterator[None]:
    """Use a command line's language in the whole program; `otherwise` until `prefer` is called."""
    before = _is_named.set(named is not None)
    try:
        with speaking(named or otherwise, everywhere=True):
            yield
    finally:
        _is_named.reset(before)


def prefer(lang: Language) -> None:
    """Use this language in the rest of the program, unless its command line names one."""
    if not _is_named.get():
        _chosen.set(lang)
        _everywhere[-1] = lang


def language_of(name: str) -> Language:
    """The language for a locale such as `pt_BR.UTF-8`; English if it is not available."""
    return next((lang for lang in LANGUAGES if name.lower().startswith(lang[:2])), "en")
