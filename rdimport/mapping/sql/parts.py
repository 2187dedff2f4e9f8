"""Checked parts of an expression, and upper bounds for the size of their results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from rdimport.core.messages import _
from rdimport.mapping.sql.tokens import beginning

MOST_DEPTH: Final = 40
"""Maximum nesting depth; polars' parser fails at 50."""
MOST_TIMES: Final = 50
"""Maximum growth of a cell, as a factor."""
MOST_FIXED: Final = 4_000
"""Maximum number of bytes that an expression may add to its cells."""

_SMALL: Final = 64
"""Maximum bytes of a number, date or boolean as text."""


@dataclass(frozen=True, slots=True)
class Size:
    """The maximum length of a part's result: a multiple of each column's cell, plus bytes.

    Raises ValueError if that exceeds the limits.
    """

    times: Mapping[str, float] = field(default_factory=dict)
    fixed: float = _SMALL

    def __post_init__(self) -> None:
        if max(self.times.values(), default=0) > MOST_TIMES or self.fixed > MOST_FIXED:
            raise ValueError(
                _(
                    "an expression may make a cell at most {times} times as long, and add at most "
                    "{fixed} characters",
                    times=MOST_TIMES,
                    fixed=MOST_FIXED,
                )
            )

    @classmethod
    def total(cls, sizes: Iterable[Size]) -> Self:
        """The size of a concatenation."""
        times: dict[str, float] = {}
        fixed = 0.0
        for size in sizes:
            fixed += size.fixed
            for name, factor in size.times.items():
                times[name] = times.get(name, 0) + factor
        return cls(times, fixed)

    @classmethod
    def widest(cls, sizes: Iterable[Size]) -> Self:
        """The size of the largest alternative."""
        times: dict[str, float] = {}
        fixed = float(_SMALL)
        for size in sizes:
            fixed = max(fixed, size.fixed)
            for name, factor in size.times.items():
                times[name] = max(times.get(name, 0), factor)
        return cls(times, fixed)

    def grown(self, factor: float) -> Size:
        """The size if every character is replaced by `factor` characters."""
        times = {name: times * factor for name, times in self.times.items()}
        return Size(times, self.fixed * factor)


class Form(StrEnum):
    """The type of a part's result. Cells are text."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    DATE = "date"
    NOTHING = "nothing"
    MIXED = "different things"

    @classmethod
    def common(cls, forms: Iterable[Form]) -> Form:
        """The type of one of several parts."""
        found = set(forms) - {cls.NOTHING}
        if len(found) > 1:
            return cls.MIXED
        return found.pop() if found else cls.NOTHING


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an expression as passed to polars.

    `literal` is its value if it is a literal. `bare` parts need no parentheses. `depth` is its
    nesting depth in polars' parser.
    """

    sql: str
    form: Form
    size: Size = field(default_factory=Size)
    literal: str | int | None = None
    bare: bool = False
    depth: int = 1

    def __post_init__(self) -> None:
        if self.depth > MOST_DEPTH:
            raise ValueError(too_deep())

    def inner(self) -> tuple[str, int]:
        """Its text and depth inside another part."""
        return (self.sql, self.depth) if self.bare else (f"({self.sql})", self.depth + 1)


def too_deep() -> str:
    """The message for nesting that is too deep."""
    return _("an expression may be nested at most {most} levels deep", most=MOST_DEPTH)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def column(name: str) -> Part:
    """A column; names that polars would treat as patterns are rejected."""
    if name == "*" or (name.startswith("^") and name.endswith("$")) or "\0" in name:
        raise ValueError(
            _("an expression cannot name a column that is called “{name}”", name=beginning(name))
        )
    written = '"' + name.replace('"', '""') + '"'
    return Part(written, Form.TEXT, Size({name: 1.0}, 0), bare=True)


def text(value: str) -> Part:
    """A text literal."""
    if "\0" in value:
        raise ValueError(_("an expression must not contain invisible characters"))
    return Part(quoted(value), Form.TEXT, Size({}, len(value.encode())), literal=value, bare=True)


def number(written: str) -> Part:
    """A number literal, without its sign."""
    if sum(map(str.isdigit, written)) > 18:
        raise ValueError(_("a number has at most {most} digits", most=18))
    whole = int(written) if written.isdecimal() else None
    return Part(written, Form.NUMBER, literal=whole, bare=True)


def call(name: str, parts: Iterable[Part], form: Form, size: Size) -> Part:
    """A function call."""
    given = tuple(parts)
    depth = 1 + max((part.depth for part in given), default=0)
    sql = f"{name}({', '.join(part.sql for part in given)})"
    return Part(sql, form, size, bare=True, depth=depth)


def chain(parts: list[tuple[str, Part]], form: Form, size: Size) -> Part:
    """Operators of one rank, left to right; the first operator is empty."""
    words, depth = [], 0
    for operator, part in parts:
        sql, deep = part.inner()
        words += [operator, sql] if operator else [sql]
        depth = max(depth, deep + 1)
    return Part(" ".join(words), form, size, depth=depth)
