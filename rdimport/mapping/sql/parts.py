"""Checked pieces of an expression, and how large what they give can become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from rdimport.core.messages import _
from rdimport.mapping.sql.tokens import beginning

MOST_DEPTH: Final = 40
"""How deep an expression may be nested: polars' parser ends at 50."""
MOST_TIMES: Final = 50
"""How many times as long as a cell what becomes of it may be."""
MOST_FIXED: Final = 4_000
"""How many bytes an expression may add to its cells."""

_SMALL: Final = 64
"""Bytes that a number, a date, or yes and no take at most as text."""


@dataclass(frozen=True, slots=True)
class Size:
    """The longest text that a part can produce: a multiple of each column's cell, plus bytes.

    Raises ValueError where that is more than an expression may make.
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
        """One behind the other."""
        times: dict[str, float] = {}
        fixed = 0.0
        for size in sizes:
            fixed += size.fixed
            for name, factor in size.times.items():
                times[name] = times.get(name, 0) + factor
        return cls(times, fixed)

    @classmethod
    def widest(cls, sizes: Iterable[Size]) -> Self:
        """One of them."""
        times: dict[str, float] = {}
        fixed = float(_SMALL)
        for size in sizes:
            fixed = max(fixed, size.fixed)
            for name, factor in size.times.items():
                times[name] = max(times.get(name, 0), factor)
        return cls(times, fixed)

    def grown(self, factor: float) -> Size:
        """Every character replaced by `factor` others."""
        times = {name: times * factor for name, times in self.times.items()}
        return Size(times, self.fixed * factor)


class Form(StrEnum):
    """What a part gives. Cells are text."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "truth"
    DATE = "date"
    NOTHING = "nothing"
    MIXED = "different things"

    @classmethod
    def common(cls, forms: Iterable[Form]) -> Form:
        """What one of several parts gives."""
        found = set(forms) - {cls.NOTHING}
        if len(found) > 1:
            return cls.MIXED
        return found.pop() if found else cls.NOTHING


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an expression as polars gets it.

    `literal` is the text or number where the piece is one. `bare` pieces need no parentheses.
    `depth` is what they cost in polars' parser.
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
        """Its text and depth within something else."""
        return (self.sql, self.depth) if self.bare else (f"({self.sql})", self.depth + 1)


def too_deep() -> str:
    """What to say of parentheses in parentheses without an end."""
    return _("an expression may be nested at most {most} levels deep", most=MOST_DEPTH)


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def column(name: str) -> Part:
    """A column; some names are patterns to polars, and would name others too."""
    if name == "*" or (name.startswith("^") and name.endswith("$")) or "\0" in name:
        raise ValueError(
            _("an expression cannot name a column that is called “{name}”", name=beginning(name))
        )
    written = '"' + name.replace('"', '""') + '"'
    return Part(written, Form.TEXT, Size({name: 1.0}, 0), bare=True)


def text(value: str) -> Part:
    """A text of the mapping."""
    if "\0" in value:
        raise ValueError(_("an expression holds no character that cannot be seen"))
    return Part(quoted(value), Form.TEXT, Size({}, len(value.encode())), literal=value, bare=True)


def number(written: str) -> Part:
    """A number of the mapping, without its sign."""
    if sum(map(str.isdigit, written)) > 18:
        raise ValueError(_("a number has at most {most} digits", most=18))
    whole = int(written) if written.isdecimal() else None
    return Part(written, Form.NUMBER, literal=whole, bare=True)


def call(name: str, parts: Iterable[Part], form: Form, size: Size) -> Part:
    """A function of these parts."""
    given = tuple(parts)
    depth = 1 + max((part.depth for part in given), default=0)
    sql = f"{name}({', '.join(part.sql for part in given)})"
    return Part(sql, form, size, bare=True, depth=depth)


def chain(parts: list[tuple[str, Part]], form: Form, size: Size) -> Part:
    """Operators of one rank, from left to right; the first one's operator is empty."""
    words, depth = [], 0
    for operator, part in parts:
        sql, deep = part.inner()
        words += [operator, sql] if operator else [sql]
        depth = max(depth, deep + 1)
    return Part(" ".join(words), form, size, depth=depth)
