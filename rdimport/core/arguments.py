"""Refuses arguments of the Python interface that do not have their declared types."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rdimport.core.errors import RdimportError, UsageError
from rdimport.core.messages import _
from rdimport.core.visible import is_utf8

Test = Callable[[Any], bool]

_LONGEST: Final = 365_250 * 86_400
"""A thousand years in seconds: longer durations cannot be subtracted from a date."""
_MOST: Final = 10**18
_ABOVE_ZERO: Final = frozenset({"concurrency", "requests", "seconds", "timeout"})


def instance_of(*kinds: type) -> Test:
    """The test for values of these types; True and False do not count as numbers."""
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def several(one: Test) -> Test:
    """The test for several values. An iterator is not consumed."""

    def are(value: object) -> bool:
        if isinstance(value, Collection):
            return not isinstance(value, str | bytes | Mapping) and all(map(one, value))
        return isinstance(value, Iterable)

    return are


_text, _path = instance_of(str), instance_of(str, os.PathLike)

KINDS: Final[Mapping[str, Test]] = {
    "None": lambda value: value is None,
    "str": _text,
    "Path": _path,
    "bool": instance_of(bool),
    "int": instance_of(int),
    "float": instance_of(int, float),
    "Files": lambda value: _path(value) or several(_path)(value),
    "Sequence[str]": several(_text),
    "Mapping[int, str]": instance_of(Mapping),
}
"""The tests for types that several packages use, by their spelling in a declaration."""


def see_utf8(words: Iterable[str], error: type[RdimportError] = UsageError) -> None:
    """Raise the error for a name that cannot be stored: a file's name may contain any bytes."""
    for word in words:
        if not is_utf8(word) or "\0" in word:
            raise error(
                _("{word} is not in UTF-8, or contains a NUL.", word=word),
                _("Rename it, or type it again."),
            )


def _explained() -> str:
    return _("help(rdimport.run) explains each argument.")


def _saved_first() -> str:
    """What to do with a frame: a run that is resumed reads the same rows again, by their file."""
    return _("Save the frame first, as with `frame.write_parquet(FILE)`, and name that file.")


def _is_in_range(name: str, value: object, most: int) -> bool:
    """Whether a number or a time, if it is one, can be calculated with."""
    if isinstance(value, datetime):
        try:
            value.astimezone()
        except (ValueError, OverflowError, OSError):
            return False
        return True
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return 0 < value <= most or (value == 0 and name not in _ABOVE_ZERO)


def see(
    declared: Mapping[str, str], given: Mapping[str, object], kinds: Mapping[str, Test] = KINDS
) -> None:
    """Raise UsageError for the first argument that is not of its declared type, or is an unusable
    number. `declared` are a function's annotations.
    """
    for name, value in given.items():
        wanted = declared.get(name)
        if wanted is None:
            continue  # Python itself raises for it
        if not any(kinds[kind](value) for kind in wanted.split(" | ")):
            raise UsageError(
                _(
                    "{name}: expected {wanted}, not {kind}.",
                    name=name,
                    wanted=wanted,
                    kind=type(value).__name__,
                ),
                _saved_first() if hasattr(value, "columns") else _explained(),
            )
        if "Path" in wanted and "\0" in str(value):
            error = _("a path cannot contain a NUL")
            raise UsageError(f"{name}: {error}.", _("Check its spelling."))
        if not _is_in_range(name, value, _LONGEST if "float" in wanted else _MOST):
            raise UsageError(
                _("{name}: {value} is too small or too large.", name=name, value=value),
                _explained(),
            )
