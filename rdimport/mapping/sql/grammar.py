"""The grammar of expressions: text in, SQL out that contains only what was parsed.

A precedence-climbing parser with the precedences of polars. The output is built from the parsed
parts: names in double quotes, texts in single quotes, functions by their canonical name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rdimport.core.messages import _
from rdimport.core.names import did_you_mean
from rdimport.mapping.sql import arguments
from rdimport.mapping.sql.cursor import QUERY, Cursor
from rdimport.mapping.sql.functions import FUNCTIONS, NOT_RANK, RANKS, Function
from rdimport.mapping.sql.parts import (
    MOST_DEPTH,
    Form,
    Part,
    Size,
    call,
    chain,
    column,
    number,
    text,
    too_deep,
)
from rdimport.mapping.sql.tokens import Kind, Token, beginning, tokens
from rdimport.mapping.sql.types import DATES, FORMS, date_literal, type_called

MOST_OPERATIONS: Final = 200
"""Maximum number of operators and functions: polars' time more than doubles when they double."""
MOST_PATTERNS: Final = 10
"""Maximum number of regular expressions, each of which may use some megabytes."""

_INNER: Final = frozenset("AND OR IN IS LIKE ILIKE BETWEEN WHEN THEN ELSE END AS NOT".split())
"""Keywords that cannot begin an expression."""
_ROWS: Final = frozenset(
    """ARRAY_AGG AVG CORR COUNT COVAR DENSE_RANK FIRST FIRST_VALUE LAG LAST LAST_VALUE LEAD MAX
    MEDIAN MIN QUANTILE_CONT QUANTILE_DISC RANK ROW_NUMBER STDDEV STDEV STRING_AGG SUM VAR
    VARIANCE""".split()
)
_CHAINED: Final = (RANKS["OR"], RANKS["AND"], RANKS["+"], RANKS["*"])


@dataclass(frozen=True, slots=True)
class Checked:
    """A safe expression: its SQL, and the columns that it names."""

    sql: str
    columns: tuple[str, ...]


def check(given: str) -> Checked:
    """Parse an expression. Raises ValueError describing what is wrong with it."""
    parser = _Parser(tokens(given))
    part = parser.whole()
    return Checked(part.sql, tuple(dict.fromkeys(parser.named)))


class _Parser(Cursor):
    def __init__(self, found: list[Token]) -> None:
        super().__init__(found)
        self.named: list[str] = []
        self._level = 0
        self._operations = 0
        self._patterns = 0
        self._special: dict[str, Callable[[], Part]] = {
            "CAST": lambda: self._cast("CAST"),
            "TRY_CAST": lambda: self._cast("TRY_CAST"),
            "EXTRACT": self._extract,
            "POSITION": self._position,
            "SUBSTRING": self._substring,
            "TRIM": self._trim,
        }

    def whole(self) -> Part:
        part = self._expression(0)
        if self._next.kind is not Kind.END:
            raise self._unexpected()
        return part

    def _counts(self) -> None:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            raise ValueError(
                _(
                    "an expression has at most {most} operators and functions; write many "
                    "ORs of one column as IN (…)",
                    most=MOST_OPERATIONS,
                )
            )

    # ---- operators ------------------------------------------------------------------------------

    def _expression(self, rank: int) -> Part:
        """Parse everything that binds tighter than `rank`."""
        self._level += 1
        if self._level > MOST_DEPTH:
            raise ValueError(too_deep())
        left = self._value()
        while (power := self._rank()) > rank:
            self._counts()
            left = self._chain(left, power) if power in _CHAINED else self._unchained(left, power)
        self._level -= 1
        return left

    def _rank(self) -> int:
        """The precedence of the next operator; 0 if there is none."""
        token = self._next
        if token.keyword == "NOT":
            after = self._tokens[self._at + 1].keyword
            return RANKS[after] if after in {"IN", "LIKE", "ILIKE", "BETWEEN"} else 0
        return RANKS.get(token.keyword, 0)

    def _chain(self, left: Part, power: int) -> Part:
        parts = [("", left)]
        while self._rank() == power:
            operator = self._take().keyword
            if len(parts) > 1:
                self._counts()
            right = self._expression(power)
            if operator in {"+", "-", "*", "/", "%"}:
                _no_date(parts[0][1], right)
            parts.append((operator, right))
        form = _chained([part.form for _, part in parts], power, operator)
        longer = form not in {Form.TRUTH, Form.NUMBER}
        return chain(parts, form, Size.total(p.size for _, p in parts) if longer else Size())

    def _unchained(self, left: Part, power: int) -> Part:
        """Parse a binary operator that cannot be chained."""
        negated = "NOT " if self._takes("NOT") else ""
        operator = self._take().keyword
        if operator == "::":
            return self._as_type("CAST", left)
        if operator == "IS":
            negated = "NOT " if self._takes("NOT") else ""
            word = self._take().keyword
            if word not in {"NULL", "TRUE", "FALSE"}:
                raise ValueError(_("not an SQL expression: IS needs NULL, TRUE or FALSE after it"))
            return chain([("", left), (f"IS {negated}{word}", _NONE)], Form.TRUTH, Size())
        if operator == "IN":
            self._needs("(")
            return chain([("", left), (f"{negated}IN", self._list())], Form.TRUTH, Size())
        right = self._expression(power)
        if operator == "BETWEEN":
            self._needs("AND")
            last = self._expression(power)
            parts = [("", left), (f"{negated}BETWEEN", right), ("AND", last)]
            return chain(parts, Form.TRUTH, Size())
        if operator in {"LIKE", "ILIKE"}:
            if not isinstance(right.literal, str) or len(right.literal) > arguments.MOST_PATTERN:
                most = arguments.MOST_PATTERN
                raise ValueError(
                    _(
                        "{operator} needs a text in '' of at most {most} characters",
                        operator=operator,
                        most=most,
                    )
                )
            operator = f"{negated}{operator}"
        return chain([("", left), (operator, right)], Form.TRUTH, Size())

    def _list(self) -> Part:
        """Parse the values in parentheses; the first has been consumed."""
        given = self._arguments()
        if not given:
            raise ValueError(_("not an SQL expression: IN needs values between its parentheses"))
        return call("", given, Form.NOTHING, Size())

    # ---- values ---------------------------------------------------------------------------------

    def _value(self) -> Part:
        token = self._take()
        if token.kind is Kind.TEXT:
            return text(token.value)
        if token.kind is Kind.NUMBER:
            return number(token.value)
        if token.kind is Kind.NAME:
            return self._column(token.value)
        if token.keyword in {"-", "+", "NOT"}:
            return self._prefix(token.keyword)
        if token.keyword == "(":
            part = self._expression(0)
            self._needs(")")
            return part
        if token.kind is Kind.WORD and token.keyword not in QUERY | _INNER:
            return self._word(token)
        self._at -= token.kind is not Kind.END
        raise self._unexpected()

    def _column(self, name: str) -> Part:
        part = column(name)
        self.named.append(name)
        return part

    def _prefix(self, operator: str) -> Part:
        self._counts()
        part = self._expression(NOT_RANK if operator == "NOT" else RANKS["*"])
        if operator != "NOT":
            _no_date(part)
            if isinstance(part.literal, int):
                value = -part.literal if operator == "-" else part.literal
                return Part(str(value), Form.NUMBER, literal=value)
        sql, depth = part.inner()
        form = Form.TRUTH if operator == "NOT" else Form.NUMBER
        return Part(f"{operator} {sql}", form, depth=depth + 1)

    def _word(self, token: Token) -> Part:
        if token.keyword in {"TRUE", "FALSE", "NULL"}:
            form = Form.NOTHING if token.keyword == "NULL" else Form.TRUTH
            return Part(token.keyword, form, bare=True)
        if token.keyword == "CASE":
            return self._case()
        if token.keyword in DATES and self._next.kind is Kind.TEXT:
            return date_literal(token.keyword, self._take().value)
        if self._takes("("):
            self._counts()
            special = self._special.get(token.keyword)
            return special() if special else self._call(token)
        return self._column(token.value)

    def _case(self) -> Part:
        words, depth = ["CASE"], 0
        given: list[Part] = []

        def add(word: str) -> None:
            nonlocal depth
            part = self._expression(0)
            words.append(f"{word} {part.sql}".strip())
            depth = max(depth, part.depth)
            if word in {"THEN", "ELSE"}:
                given.append(part)

        if self._next.keyword != "WHEN":
            add("")
        while self._takes("WHEN"):
            self._counts()
            add("WHEN")
            self._needs("THEN")
            add("THEN")
        if not given:
            raise self._unexpected("WHEN")
        if self._takes("ELSE"):
            add("ELSE")
        self._needs("END")
        sql = " ".join([*words, "END"])
        form = Form.common(part.form for part in given)
        size = Size.widest(part.size for part in given)
        return Part(sql, form, size, bare=True, depth=depth + 1)

    # ---- functions ------------------------------------------------------------------------------

    def _arguments(self) -> list[Part]:
        """Parse everything up to the closing parenthesis."""
        given: list[Part] = []
        if self._takes(")"):
            return given
        while True:
            given.append(self._expression(0))
            if self._takes(")"):
                return given
            self._needs(",")

    def _call(self, token: Token) -> Part:
        function = FUNCTIONS.get(token.keyword)
        if function is None:
            raise _unknown(token)
        return self._apply(function, self._arguments())

    def _apply(self, function: Function, given: list[Part]) -> Part:
        name, takes = function.names[0], function.takes
        most = len(given) if function.endless else len(takes)
        if not function.least <= len(given) <= most:
            raise ValueError(_("{name} is written {form}", name=name, form=function.form))
        for at, part in enumerate(given):
            rule = takes[min(at, len(takes) - 1)]
            try:
                rule(part)
            except ValueError as error:
                raise ValueError(f"{name} {error}: {function.form}") from None
            if rule is arguments.pattern:
                self._patterns += 1
        if self._patterns > MOST_PATTERNS:
            raise ValueError(
                _("an expression has at most {most} regular expressions", most=MOST_PATTERNS)
            )
        one_of = given[1:] if name == "IF" else given
        form = function.gives_form or Form.common(part.form for part in one_of)
        return call(name, given, form, function.size(given))

    def _cast(self, name: str) -> Part:
        part = self._expression(0)
        self._needs("AS")
        made = self._as_type(name, part)
        self._needs(")")
        return made

    def _as_type(self, name: str, part: Part) -> Part:
        word = self._take()
        kind = type_called(word)
        if word.keyword == "DOUBLE":
            self._takes("PRECISION")
        if kind in DATES and part.form is not Form.DATE:
            raise ValueError(_("to parse a date from text, write DATE(text, '%d/%m/%Y')"))
        digits = self._digits() if kind in {"DECIMAL", "VARCHAR"} and self._takes("(") else ""
        sql = f"{name}({part.sql} AS {kind}{digits if kind == 'DECIMAL' else ''})"
        size = part.size if kind == "VARCHAR" else Size()
        form = FORMS.get(kind, Form.NUMBER)
        return Part(sql, form, size, bare=True, depth=part.depth + 1)

    def _digits(self) -> str:
        given = [part.literal for part in self._arguments()]
        if not given or len(given) > 2 or any(not isinstance(n, int) or n < 0 for n in given):
            raise ValueError(_("a type has whole numbers between its parentheses: DECIMAL(10, 2)"))
        return f"({', '.join(map(str, given))})"

    def _extract(self) -> Part:
        part = text(self._take().value)
        self._needs("FROM")
        return self._closed("DATE_PART", part, self._expression(0))

    def _position(self) -> Part:
        piece = self._expression(RANKS["IN"])
        self._needs("IN")
        return self._closed("STRPOS", self._expression(0), piece)

    def _substring(self) -> Part:
        whole = self._expression(0)
        pieces = [
            self._expression(0) for word in ("FROM", "FOR") if self._takes(word) or self._takes(",")
        ]
        return self._closed("SUBSTR", whole, *pieces)

    def _closed(self, name: str, *given: Part) -> Part:
        self._needs(")")
        return self._apply(FUNCTIONS[name], list(given))

    def _trim(self) -> Part:
        side = next((w for w in ("BOTH", "LEADING", "TRAILING") if self._takes(w)), "")
        part = self._expression(0)
        if not side and not self._takes("FROM"):
            return self._closed("TRIM", part)
        if side:
            self._needs("FROM")
        arguments.words(part)
        whole = self._expression(0)
        self._needs(")")
        sql = f"TRIM({side or 'BOTH'} {part.sql} FROM {whole.sql})"
        return Part(sql, Form.TEXT, whole.size, bare=True, depth=whole.depth + 1)


_NONE: Final = Part("", Form.NOTHING, bare=True)


def _no_date(*parts: Part) -> None:
    """Reject date arithmetic: polars aborts the process outside its calendar."""
    if any(part.form in {Form.DATE, Form.MIXED} for part in parts):
        raise ValueError(_("an expression does not calculate with dates; see DATE_PART"))


def _chained(forms: list[Form], power: int, operator: str) -> Form:
    """The form of a chain of operators of one rank; `operator` is the last of them."""
    if power in {RANKS["AND"], RANKS["OR"]}:
        return Form.TRUTH
    return Form.TEXT if operator == "||" else Form.common(forms)


def _unknown(token: Token) -> ValueError:
    if token.keyword in _ROWS:
        return ValueError(
            _("an expression may only use its own row; it cannot count, sum or rank rows")
        )
    best = did_you_mean(token.keyword, FUNCTIONS)
    message = _("“{word}” is not a function of expressions", word=beginning(token.value))
    hint = _("; did you mean {name}?", name=best) if best else _("; docs/mapping.md lists them all")
    return ValueError(message + hint)
