"""Spellings of a conversion_identifier that runs have used.

The ledger has only the hash of an identifier that comes from a column, so a spelling is recognised
by trying it: those that people usually write, and those that the same list has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from rdimport.core.names import without_accents
from rdimport.ledger.hashes import UNSEEN, digests_of, folded_earlier
from rdimport.ledger.naming import Line, lines_of
from rdimport.ledger.sql import Asked

_OTHERS: Final = """
SELECT 1 FROM rdimport.named WHERE folded = %(folded)s AND exact <> %(exact)s LIMIT 1
"""
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
    ledger: Asked, destination: int, texts: Collection[str], seen: Collection[str]
) -> dict[str, list[str]]:
    """For each of the `texts`, its other spellings under which runs have sent, unless
    --new-identity was given since. `seen` are the identifiers of the same list.
    """
    found = {}
    for text in texts:
        exact, folded = digests_of(ledger.key, text)
        if not _has_others(ledger, exact, [folded, *folded_earlier(ledger.key, text)]):
            continue  # nearly always, and without reading what each run was like
        lines = lines_of(ledger, destination, text)
        used = _others(lines, exact)
        if used:
            constants = [line.text for line in lines if line.text]
            found[text] = _matching(ledger.key, [*usual(text), *seen, *constants], used)
    return {text: others for text, others in found.items() if others}


def _has_others(ledger: Asked, exact: bytes, alike: Iterable[bytes]) -> bool:
    return any(ledger.ask(_OTHERS, {"folded": folded, "exact": exact}) for folded in alike)


def _others(lines: Iterable[Line], exact: bytes) -> Collection[bytes]:
    """The hashes of the other spellings, as far as nobody has agreed to them being others."""
    first: dict[bytes, int] = {}
    agreed = 0
    for line in lines:
        first[line.exact] = min(line.run, first.get(line.exact, line.run))
        agreed = max(agreed, line.run if line.agreed and line.exact == exact else 0)
    return {one for one, run in first.items() if one != exact and run > agreed}


def _matching(key: bytes, texts: Iterable[str], hashes: Collection[bytes]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if digests_of(key, text)[0] in hashes]
