"""The functions and operators allowed in an expression, each with its rules and an example.

The grammar checks against these tables, the reference page prints them, and a test runs every
example over `SAMPLE`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rdimport.mapping.sql import arguments as arg
from rdimport.mapping.sql.parts import Form, Part, Size

SAMPLE: Final = {
    "Nome": "ana",
    "Sobrenome": "Souza Lima",
    "Empresa": None,
    "UF": "SP",
    "Idade": "42",
    "Valor": "-12.75",
    "Data": "31/12/2026",
    "Fone": "(11) 98765-4321",
}
"""The row used by the examples."""

Rule = Callable[[Sequence[Part]], Size]


def _small(_: Sequence[Part]) -> Size:
    return Size()


def _first(parts: Sequence[Part]) -> Size:
    return parts[0].size


def _widest(parts: Sequence[Part]) -> Size:
    return Size.widest(part.size for part in parts)


def _total(parts: Sequence[Part]) -> Size:
    return Size.total(part.size for part in parts)


def _joined(parts: Sequence[Part]) -> Size:
    """The size of several texts joined by a separator."""
    between = [parts[0].size] * max(len(parts) - 2, 0)
    return Size.total([*between, *(part.size for part in parts[1:])])


def _replaced(parts: Sequence[Part]) -> Size:
    old, new = (len(str(part.literal).encode()) for part in parts[1:3])
    return parts[0].size.grown(max(1.0, new / max(old, 1)))


def _rewritten(parts: Sequence[Part]) -> Size:
    """The size after replacing matches; a pattern may match before every character."""
    return parts[0].size.grown(1.0 + len(str(parts[2].literal).encode()))


def _padded(parts: Sequence[Part]) -> Size:
    width = int(parts[1].literal or 0) * 4
    return Size.widest([parts[0].size, Size({}, width)])


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its arguments, the size of its result, and its entry in the reference.

    `names` are its spellings, the canonical one first. If `endless`, the last of `takes` may be
    repeated; at least `least` arguments are required.
    """

    names: tuple[str, ...]
    form: str
    sentence: str
    example: str
    gives: str
    takes: tuple[arg.Rule, ...]
    least: int
    size: Rule = _small
    endless: bool = False
    gives_form: Form | None = Form.TEXT
    """`None` if the result has the form of one of its arguments."""


def _text(name: str, sentence: str, example: str, gives: str, *others: str) -> Function:
    """A function of one text whose result is not longer."""
    return Function(
        (name, *others), f"{name}(text)", sentence, example, gives, (arg.any_value,), 1, _first
    )


def _number(name: str, sentence: str, example: str, gives: str, *others: str) -> Function:
    """A function of one number."""
    return Function(
        (name, *others), f"{name}(number)", sentence, example, gives, (arg.number,), 1,
        gives_form=Form.NUMBER,
    )  # fmt: skip


def _of_date(name: str, sentence: str, gives: str) -> Function:
    """A function that returns a part of a date."""
    example = f"{name}(DATE(Data, '%d/%m/%Y'))"
    return Function((name,), f"{name}(date)", sentence, example, gives, (arg.any_value,), 1,
                    gives_form=Form.NUMBER)  # fmt: skip


_ANY, _WORDS = arg.any_value, arg.words

_TABLE: Final = (
    Function(
        ("CONCAT",), "CONCAT(a, b, …)", "joined together; an empty cell adds nothing",
        "CONCAT(Nome, '/', Empresa)", "ana/", (_ANY,), 1, _total, endless=True,
    ),
    Function(
        ("CONCAT_WS",), "CONCAT_WS('mark', a, b, …)", "the separator between those that are not "
        "empty",
        "CONCAT_WS(' ', Nome, Empresa, Sobrenome)", "ana Souza Lima", (arg.text, _ANY), 2,
        _joined, endless=True,
    ),
    _text("UPPER", "in uppercase", "UPPER(Nome)", "ANA"),
    _text("LOWER", "in lowercase", "LOWER(UF)", "sp"),
    _text("INITCAP", "each word capitalised", "INITCAP(Nome)", "Ana"),
    _text("TRIM", "without blanks around; TRIM(BOTH 'x' FROM text), LEADING, TRAILING: without "
          "other characters", "TRIM(BOTH '()' FROM '(11)')", "11"),
    Function(
        ("LTRIM",), "LTRIM(text), LTRIM(text, 'characters')", "without blanks, or these "
        "characters, on the left", "LTRIM('0042', '0')", "42", (_ANY, _WORDS), 1, _first,
    ),
    Function(
        ("RTRIM",), "RTRIM(text), RTRIM(text, 'characters')", "the same on the right",
        "RTRIM(Valor, '5')", "-12.7", (_ANY, _WORDS), 1, _first,
    ),
    Function(
        ("SUBSTR", "SUBSTRING"), "SUBSTR(text, start, length)", "a substring; the first character "
        "is 1; without a length, up to the end", "SUBSTR(Fone, 2, 2)", "11", (_ANY, _ANY, _ANY), 2,
        _first,
    ),
    Function(("LEFT",), "LEFT(text, length)", "the first characters", "LEFT(Data, 2)", "31",
             (_ANY, _ANY), 2, _first),
    Function(("RIGHT",), "RIGHT(text, length)", "the last characters", "RIGHT(Data, 4)", "2026",
             (_ANY, _ANY), 2, _first),
    Function(
        ("REPLACE",), "REPLACE(text, 'old', 'new')", "every `old` replaced by `new`",
        "REPLACE(Fone, '-', '')", "(11) 987654321", (_ANY, _WORDS, arg.text), 3, _replaced,
    ),
    Function(
        ("REGEXP_REPLACE",), "REGEXP_REPLACE(text, 'pattern', 'new', 'g')", "the first match of a "
        "regular expression, or all with 'g', replaced by `new`; 'i' ignores case",
        "REGEXP_REPLACE(Fone, '[^0-9]', '', 'g')", "11987654321",
        (_ANY, arg.pattern, arg.plain, arg.flags), 3, _rewritten,
    ),
    Function(
        ("REGEXP_LIKE",), "REGEXP_LIKE(text, 'pattern')", "whether a regular expression is found",
        "REGEXP_LIKE(Fone, '^[(]1[1-9]')", "true", (_ANY, arg.pattern, arg.flags), 2,
        gives_form=Form.TRUTH,
    ),
    Function(
        ("SPLIT_PART",), "SPLIT_PART(text, 'mark', number)", "the part with that number between "
        "separators; -1 is the last", "SPLIT_PART(Sobrenome, ' ', 1)", "Souza",
        (_ANY, _WORDS, _ANY), 3, _first,
    ),
    Function(
        ("LPAD",), "LPAD(text, length, 'c')", "cut, or filled on the left, to that length",
        "LPAD(Idade, 5, '0')", "00042", (_ANY, arg.width, arg.mark), 3, _padded,
    ),
    Function(
        ("RPAD",), "RPAD(text, length, 'c')", "cut, or filled on the right, to that length",
        "RPAD(UF, 3, '.')", "SP.", (_ANY, arg.width, arg.mark), 3, _padded,
    ),
    _text("REVERSE", "in reverse order", "REVERSE(UF)", "PS"),
    Function(
        ("LENGTH", "CHAR_LENGTH", "CHARACTER_LENGTH"), "LENGTH(text)", "how many characters",
        "LENGTH(Nome)", "3", (_ANY,), 1, gives_form=Form.NUMBER,
    ),
    Function(
        ("STRPOS",), "STRPOS(text, 'piece'), POSITION('piece' IN text)", "where the substring "
        "begins, or 0", "STRPOS(Nome, 'n')", "2", (_ANY, _ANY), 2,
        gives_form=Form.NUMBER,
    ),
    Function(("STARTS_WITH",), "STARTS_WITH(text, 'piece')", "whether it begins with the substring",
             "STARTS_WITH(Data, '31')", "true", (_ANY, _ANY), 2, gives_form=Form.TRUTH),
    Function(("ENDS_WITH",), "ENDS_WITH(text, 'piece')", "whether it ends with the substring",
             "ENDS_WITH(Data, '2025')", "false", (_ANY, _ANY), 2, gives_form=Form.TRUTH),
    Function(
        ("COALESCE",), "COALESCE(a, b, …)", "the first one that is not empty",
        "COALESCE(Empresa, Nome)", "ana", (_ANY,), 1, _widest, endless=True, gives_form=None,
    ),
    Function(("IFNULL",), "IFNULL(a, b)", "`b` if `a` is empty", "IFNULL(Empresa, 'nenhuma')",
             "nenhuma", (_ANY, _ANY), 2, _widest, gives_form=None),
    Function(("NULLIF",), "NULLIF(a, b)", "nothing if both are the same, else `a`",
             "COALESCE(NULLIF(UF, 'SP'), 'outro')", "outro", (_ANY, _ANY), 2, _first,
             gives_form=None),
    Function(("IF",), "IF(condition, a, b)", "`a` if the condition holds, else `b`",
             "IF(UF = 'SP', 'sim', 'não')", "sim", (_ANY, _ANY, _ANY), 3, _widest,
             gives_form=None),
    Function(
        ("GREATEST",), "GREATEST(a, b, …)", "the largest", "GREATEST(Nome, UF)", "ana", (_ANY,),
        1, _widest, endless=True, gives_form=None,
    ),
    Function(
        ("LEAST",), "LEAST(a, b, …)", "the smallest", "LEAST(Nome, UF)", "SP", (_ANY,), 1,
        _widest, endless=True, gives_form=None,
    ),
    Function(
        ("ROUND",), "ROUND(number), ROUND(number, places)", "rounded",
        "ROUND(CAST(Valor AS DOUBLE), 1)", "-12.8", (arg.number, arg.places), 1,
        gives_form=Form.NUMBER,
    ),
    _number("ABS", "without its sign", "ABS(CAST(Valor AS DOUBLE))", "12.75"),
    _number("FLOOR", "rounded down", "FLOOR(CAST(Valor AS DOUBLE))", "-13"),
    _number("CEIL", "rounded up", "CEIL(CAST(Valor AS DOUBLE))", "-12", "CEILING"),
    _number("TRUNC", "without decimal places", "TRUNC(CAST(Valor AS DOUBLE))", "-12"),
    _number("SIGN", "-1, 0 or 1", "SIGN(CAST(Valor AS DOUBLE))", "-1"),
    _number("SQRT", "the square root", "SQRT(CAST('16' AS DOUBLE))", "4"),
    Function(("MOD",), "MOD(a, b)", "the remainder of a division", "MOD(CAST(Idade AS INT), 10)",
             "2",
             (arg.number, arg.number), 2, gives_form=Form.NUMBER),
    Function(("DIV",), "DIV(a, b)", "a division without decimal places",
             "DIV(CAST(Idade AS INT), 10)", "4", (arg.number, arg.number), 2,
             gives_form=Form.NUMBER),
    Function(("POW", "POWER"), "POW(a, b)", "a power", "POW(2, 3)", "8",
             (arg.number, arg.number), 2, gives_form=Form.NUMBER),
    Function(
        ("DATE",), "DATE(text), DATE(text, 'form')", "the date in a text; without a format it is "
        "written 2026-12-31", "DATE(Data, '%d/%m/%Y')", "2026-12-31",
        (_ANY, arg.date_form), 1, gives_form=Form.DATE,
    ),
    Function(
        ("STRPTIME", "TIMESTAMP"), "STRPTIME(text, 'form')", "the date and time in a text",
        "STRFTIME(STRPTIME(Data, '%d/%m/%Y'), '%H:%M')", "00:00", (_ANY, arg.date_form), 2,
        gives_form=Form.DATE,
    ),
    Function(
        ("STRFTIME",), "STRFTIME(date, 'form')", "the date in another format: %d day, %m month, "
        "%Y year, %H hour, %M minute, %S second, and so on",
        "STRFTIME(DATE(Data, '%d/%m/%Y'), '%m/%y')",
        "12/26", (_ANY, arg.date_form), 2,
    ),
    Function(
        ("DATE_PART",), "DATE_PART('part', date), EXTRACT(part FROM date)", "a part: "
        + ", ".join(arg.DATE_PARTS), "DATE_PART('quarter', DATE(Data, '%d/%m/%Y'))", "4",
        (arg.part_of_date, _ANY), 2, gives_form=Form.NUMBER,
    ),
    _of_date("YEAR", "its year", "2026"),
    _of_date("MONTH", "its month", "12"),
    _of_date("DAY", "its day", "31"),
)  # fmt: skip

FUNCTIONS: Final = {name: function for function in _TABLE for name in function.names}
"""All functions, by each of their names."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator written without parentheses, or with keywords; a higher `rank` binds tighter.

    `words` are the keywords with which it begins between two values.
    """

    words: tuple[str, ...]
    rank: int
    form: str
    sentence: str
    example: str
    gives: str


NOT_RANK: Final = 15
OPERATORS: Final = (
    Operator(("||",), 40, "a || b", "joined together; nothing if one is empty",
             "Nome || ' ' || Sobrenome", "ana Souza Lima"),
    Operator(("=", "==", "<>", "!=", "<", "<=", ">", ">="), 20, "=  <>  <  <=  >  >=",
             "comparison; text with text, a number with a number", "UF = 'SP'", "true"),
    Operator(("AND",), 10, "a AND b", "both", "UF = 'SP' AND Nome <> 'x'", "true"),
    Operator(("OR",), 5, "a OR b", "one of them", "UF = 'RJ' OR Nome = 'ana'", "true"),
    Operator((), NOT_RANK, "NOT a", "the opposite", "NOT UF = 'SP'", "false"),
    Operator(("IN",), 20, "a IN (b, c), a NOT IN (b, c)", "one of these", "UF IN ('SP', 'RJ')",
             "true"),
    Operator(("BETWEEN",), 20, "a BETWEEN b AND c", "from b to c", "CAST(Idade AS INT) BETWEEN 18 "
             "AND 65", "true"),
    Operator(("LIKE", "ILIKE"), 19, "a LIKE 'pattern'", "% is any text, _ a character; ILIKE in "
             "any case; NOT before them", "Sobrenome ILIKE 'souza%'", "true"),
    Operator(("IS",), 17, "a IS NULL, a IS NOT NULL", "whether a cell is empty; likewise TRUE and "
             "FALSE",
             "Empresa IS NULL", "true"),
    Operator(("+", "-"), 30, "a + b, a - b", "sum and difference", "CAST(Idade AS INT) + 1", "43"),
    Operator(("*", "/", "%"), 40, "a * b, a / b, a % b", "product, quotient, remainder",
             "CAST(Idade AS INT) * 2", "84"),
    Operator((), 0, "CASE WHEN a THEN b ELSE c END", "the first that holds; also CASE a WHEN b "
             "THEN c END", "CASE UF WHEN 'SP' THEN 'São Paulo' ELSE 'fora' END", "São Paulo"),
    Operator((), 0, "CAST(a AS type)", "as INT, BIGINT, DOUBLE, DECIMAL(p, s), VARCHAR, BOOLEAN; "
             "a cell that cannot be converted makes its row invalid", "CAST(Idade AS INT) / 4",
             "10.5"),
    Operator(("::",), 50, "a::type", "the same", "Idade::INT", "42"),
    Operator((), 0, "TRY_CAST(a AS type)", "the same; a cell that cannot be converted becomes "
             "empty",
             "COALESCE(TRY_CAST(Nome AS INT), 0)", "0"),
    Operator((), 0, "DATE '2026-12-31', TIMESTAMP '2026-12-31 23:59:00'", "a date, or one with a "
             "time", "DATE(Data, '%d/%m/%Y') >= DATE '2026-01-01'", "true"),
)  # fmt: skip

RANKS: Final = {word: operator.rank for operator in OPERATORS for word in operator.words}
"""The precedence of each binary operator, as in polars' parser."""
