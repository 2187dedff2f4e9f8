"""Spellings of a conversion_identifier that runs have used.

The ledger has only the hash of an identifier that comes from a column, so a spelling is recognised
by trying it: those that people usually write, and those that the same list has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
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
) -> dict[str, list[str]]:
    """For each of a list's identifiers that runs have used in other spellings, and without
    --new-identity since: these spellings, as far as they can be recognised.
    """
    spelt = {digests_of(ledger.key, text)[0]: text for text in texts}
    own = {text: exact for exact, text in spelt.items()}
    several = [
        text
        for text, hashes in of_alike(ledger, _SPELT, texts, {}, _AT_ONCE)
        if any(exact != own[text] for (exact,) in hashes)
    ]
    found = {}
    for text, lines in lines_of(ledger, destination, several):
        used = _others(lines, own[text])
        if used:
            likely = [*usual(text), *(line.text for line in lines if line.text)]
            known = {digests_of(ledger.key, one)[0]: one for one in likely}
            named = (known.get(exact) or spelt.get(exact) for exact in used)
            found[text] = [one for one in named if one]
    return found


def _others(lines: Iterable[Line], exact: bytes) -> list[bytes]:
    """The hashes of the other spellings, as far as nobody has agreed to them being others."""
    first: dict[bytes, int] = {}
    agreed = 0
    for line in lines:
        first[line.exact] = min(line.run, first.get(line.exact, line.run))
        agreed = max(agreed, line.run if line.agreed and line.exact == exact else 0)
    return [one for one, run in first.items() if one != exact and run > agreed]
