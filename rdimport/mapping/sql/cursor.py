"""A parser's position in the tokens of an expression."""

from __future__ import annotations

from typing import Final

from rdimport.core.messages import _
from rdimport.mapping.sql.tokens import Kind, Token, beginning

QUERY: Final = frozenset("SELECT FROM EXISTS WITH UNION JOIN VALUES TABLE ANY SOME ALL".split())
"""Keywords of queries, which are not allowed in an expression."""


class Cursor:
    """The tokens and the current position; reading past `END` returns `END` again."""

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
        """Consume the given words if they come next; returns whether they did."""
        coming = self._tokens[self._at : self._at + len(words)]
        if tuple(token.keyword for token in coming) != words:
            return False
        self._at += len(words)
        return True

    def _needs(self, word: str) -> None:
        if not self._takes(word):
            raise self._unexpected(word)

    def _unexpected(self, needed: str = "") -> ValueError:
        """The error for a token that is not understood, or is not the needed word."""
        token, word = self._next, beginning(self._next.value)
        if token.kind is Kind.END:
            if needed:
                return ValueError(
                    _("not an SQL expression: it ends where {needed} is needed", needed=needed)
                )
            return ValueError(_("not an SQL expression: it ends too early"))
        if token.keyword in QUERY:
            return ValueError(_("an expression must not contain a query, or read files or tables"))
        message = (
            _(
                "not an SQL expression: “{word}” is not understood where {needed} is needed",
                word=word,
                needed=needed,
            )
            if needed
            else _("not an SQL expression: “{word}” is not understood", word=word)
        )
        if token.kind is Kind.WORD:
            message += _('; a name with blanks or symbols goes in ""')
        return ValueError(message)
