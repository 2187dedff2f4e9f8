"""Lists of invented people, and the short mapping that fits them."""

from __future__ import annotations

MAPPING = """\
version: 1
conversion_identifier: Teste
fields: {email: E-mail, name: Nome}
"""


def people(rows: int, first: int = 0) -> str:
    """A list as CSV; the e-mail of person n is `pessoa<n>@exemplo.com.br`."""
    numbers = range(first, first + rows)
    return "E-mail,Nome\n" + "".join(f"{address(n)},Pessoa {n}\n" for n in numbers)


def address(number: int) -> str:
    return f"pessoa{number}@exemplo.com.br"
