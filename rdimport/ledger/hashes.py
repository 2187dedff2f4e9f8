"""Keyed hashes: addresses cannot be recovered from them without the ledger's key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from rdimport.core.names import fold

UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200d\u2800\u3164\ufe00-\ufe0f\uffa0]"
)
"""Joiners, variation selectors and invisible letters, which the cleaners keep."""

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES: Final = "\"'\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\xab\xbb"
_TYPED: Final = str.maketrans(_DASHES, "-" * len(_DASHES), _QUOTES)
"""What word processors put in the place of a hyphen, and quotation marks."""


def hashed(key: bytes, texts: Sequence[str], size: int) -> list[bytes]:
    """Keyed hashes of `size` bytes."""
    keyed = blake2b(key=key, digest_size=size)

    def digest(text: str) -> bytes:
        one = keyed.copy()  # copying is faster: setting up the key takes as long as hashing
        one.update(text.encode())
        return one.digest()

    return list(map(digest, texts))


def first_from(byte: int) -> bytes:
    """The lower bound of the hashes whose first byte is at least `byte`; from 256 on, of none."""
    return bytes([byte]) if byte < 256 else b"\xff" * 17


def ledger_id(key: bytes) -> str:
    """An identifier for a ledger and its copies, from which its key cannot be derived."""
    return blake2b(b"ledger", key=key, digest_size=8).hexdigest()


def destination_id(identity: str) -> str:
    """An identifier for a destination outside of ledgers: not keyed, as all of them know it."""
    return blake2b(identity.encode(), digest_size=8).hexdigest()


def digests_of(key: bytes, identifier: str) -> tuple[bytes, bytes]:
    """Keyed hashes of a conversion_identifier: exact, and ignoring case, accents, blanks, invisible
    characters, quotation marks and kinds of dashes.
    """
    seen = fold(UNSEEN.sub("", identifier).translate(_TYPED))
    exact, folded = hashed(key, (f"identifier {identifier}", f"folded {seen}"), 16)
    return exact, folded


def folded_of(key: bytes, identifier: str) -> list[bytes]:
    """The folded hash, and those that earlier releases computed, also of the identifier with the
    usual other dashes.
    """
    seen = UNSEEN.sub("", identifier)
    typed = seen.translate(_TYPED)
    others = [typed.replace("-", dash) for dash in "\u2013\u2014"] if "-" in typed else []
    texts = dict.fromkeys(map(fold, (typed, identifier, seen, *others)))
    return hashed(key, [f"folded {text}" for text in texts], 16)
