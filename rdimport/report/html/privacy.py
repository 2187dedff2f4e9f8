"""Shortens personal data so that it can be shown to others and still be found."""

from __future__ import annotations

import re
from typing import Final

from rdimport.core.row import Problem

_LOCAL: Final = r"[^\s@<>;,:\"“”']"
_ADDRESS: Final = re.compile(rf"(?<!{_LOCAL})({_LOCAL}++)@([^\s@<>;,\"“”']+)")
"""Begins only at a word: tried at each letter, a cell of a million would take hours."""
_DIGITS: Final = re.compile(r"[(+]?\d(?:[\d\s().\-/]*\d)?")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")

_NOT_PERSONAL: Final = frozenset(
    "state country city tags available_for_mailing legal_bases conversion_identifier"
    " traffic_source traffic_medium traffic_campaign traffic_value".split()
)
"""Fields whose values are not personal, and show what is wrong."""


def shortened(text: str) -> str:
    """Shorten each e-mail address, long number and word.

    >>> shortened("maria.souza@exemplo.com.br; (11) 98765-4321; Maria Souza; N/D")
    'm***@exemplo.com.br; ***21; M***; N/D'
    """
    masked = _ADDRESS.sub(lambda m: f"{m[1][0]}***@\0{m[2]}\0", text)
    parts = masked.split("\0")  # every second part is the domain of an address
    parts[::2] = [_plain(part) for part in parts[::2]]
    return re.sub(r"\*\*\*(?:\s+\S\*\*\*)+", "***", "".join(parts))


def _plain(text: str) -> str:
    numbers = _DIGITS.sub(lambda m: f"***{m[0][-2:]}" if len(m[0]) > 4 else m[0], text)
    return _WORD.sub(lambda m: f"{m[0][0]}***", numbers)


def discreet(problem: Problem) -> Problem:
    """A problem with its personal data shortened."""
    if problem.field in _NOT_PERSONAL:
        return problem
    short = shortened(problem.value)
    detail = problem.detail.replace(problem.value, short) if problem.value else problem.detail
    return problem._replace(value=short, detail=_ADDRESS.sub(_of_address, detail))


def _of_address(found: re.Match[str]) -> str:
    return f"{found[1][0]}***@{found[2]}"
