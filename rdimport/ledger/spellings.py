"""Spellings of a conversion_identifier that runs have used.

The ledger has only the hash of an identifier that comes from a column, so a spelling is recognised
by trying it: those that people usually write, and those that the same list has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from rdimport.core.names import without_accents
from rdimport.ledger.hashes import UNSEEN, digests_of
from rdimport.ledger.naming import ALIKE, Line, lines_of, of_alike
from rdimport.ledger.sql import Asked

_SPELT: Final = (
    ALIKE
    + """
SELECT DISTINCT n.folded, n.exact FROM alike CROSS JOIN rdimport.named n
WHERE n.folded = alike.folded
"""
)
_AT_ONCE: Final = 5_000
"""Identifiers about which the ledger is asked at once."""

_SMALL: Final = re.compile(
    r"(?<=\s)(?:a|an|and|as|com|da|das|de|do|dos|e|em|for|na|no|o|of|para|the)\b", re.IGNORECASE
)
"""Words that a title has in lowercase."""


def usual(text: str) -> Iterator[str]:
    """The text as people usually write it: in capitals, as a title, without accents."""
    for plain in dict.fromkeys((text, UNSEEN.sub("", text), without_accents(text))):
        title = plain.title()
        yield from (plain, plain.lower(), plain.upper(), plain.capitalize(), title)
        yield _SMALL.sub(lambda word: word[0].lower(), title)
        yield plain[:1].upper() + plain[1:]


def other_spellings(
    ledger: Asked, destination: int, texts: Collection[str]
) -> dict[str, dict[bytes, str]]:
    """For each of a list's identifiers that runs have used in other spellings, and without
    --new-identity since: the hashes of these spellings, and their texts if they were constants.
    """
    own = {text: digests_of(ledger.key, text)[0] for text in texts}
    several = [
        text
        for text, hashes in of_alike(ledger, _SPELT, texts, {}, _AT_ONCE)
        if any(exact != own[text] for (exact,) in hashes)
    ]
    found = {}
    for text, lines in lines_of(ledger, destination, several):
        constants = {line.exact: line.text for line in lines}
        used = {exact: constants[exact] for exact in _others(lines, own[text])}
        if used:
            found[text] = used
    return found


def recognised(
    key: bytes, spelt: Mapping[str, Mapping[bytes, str]], texts: Collection[str]
) -> dict[str, list[str]]:
    """The texts of `other_spellings`, as far as they are usual ones or among a list's `texts`."""
    found: dict[str, list[str]] = {}
    listed = {digests_of(key, text)[0]: text for text in texts} if spelt else {}
    for now, used in spelt.items():
        known = {digests_of(key, one)[0]: one for one in usual(now)}
        named = (text or known.get(exact) or listed.get(exact) for exact, text in used.items())
        found[now] = [one for one in named if one]
    return found


def _others(lines: Iterable[Line], exact: bytes) -> list[bytes]:
    """The hashes of the other spellings, as far as nobody has agreed to them being others."""
    first: dict[bytes, int] = {}
    agreed = 0
    for line in lines:
        first[line.exact] = min(line.run, first.get(line.exact, line.run))
        agreed = max(agreed, line.run if line.agreed and line.exact == exact else 0)
    return [one for one, run in first.items() if one != exact and run > agreed]
