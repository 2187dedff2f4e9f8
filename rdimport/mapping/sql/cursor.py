"""Where a parser stands in the tokens of an expression."""

from __future__ import annotations

from typing import Final

from rdimport.mapping.sql.tokens import Kind, Token, beginning

QUERY: Final = frozenset("SELECT FROM EXISTS WITH UNION JOIN VALUES TABLE ANY SOME ALL".split())
"""Words of a query, which an expression never holds."""


class Cursor:
    """The tokens, and how far they are read; `END` is read again and again."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _takes(self, *words: str) -> bool:
        """Whether these words come next; then they are taken."""
        coming = self._tokens[self._at : self._at + len(words)]
        if tuple(token.keyword for token in coming) != words:
            return False
        self._at += len(words)
        return True

    def _needs(self, word: str) -> None:
        if not self._takes(word):
            raise self._unexpected(f"where {word} is needed")

    def _unexpected(self, instead: str = "") -> ValueError:
        token = self._next
        where = f" {instead}" if instead else ""
        if token.kind is Kind.END:
            return ValueError(f"not an SQL expression: it ends{where or ' too early'}")
        if token.keyword in QUERY:
            return ValueError("an expression holds no query, and reads no files or tables")
        hint = ""
        if token.kind is Kind.WORD:
            hint = '; a name with blanks or marks in it stands in ""'
        word = beginning(token.value)
        return ValueError(f"not an SQL expression: “{word}” is not understood{where}{hint}")
