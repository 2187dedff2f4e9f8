"""Keyed hashes: without a ledger's key, nobody can find out whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from rdimport.core.names import fold


class Keyed(Protocol):
    """What has a key for its hashes."""

    @property
    def key(self) -> bytes:
        """32 bytes that all hashes are keyed with."""

    def digests(self, texts: Sequence[str], size: int = 16) -> list[bytes]:
        """Keyed hashes of `size` bytes."""


def hashed(key: bytes, texts: Sequence[str], size: int) -> list[bytes]:
    """Keyed hashes of `size` bytes."""
    keyed = blake2b(key=key, digest_size=size)

    def digest(text: str) -> bytes:
        one = keyed.copy()  # copying is faster: setting up the key takes as long as hashing
        one.update(text.encode())
        return one.digest()

    return list(map(digest, texts))


def ledger_id(key: bytes) -> str:
    """An identifier for a ledger and its copies, from which its key cannot be derived."""
    return blake2b(b"ledger", key=key, digest_size=8).hexdigest()


def digests_of(key: bytes, identifier: str) -> tuple[bytes, bytes]:
    """Keyed hashes of a conversion_identifier: exact, and without case, accents and blanks."""
    exact, folded = hashed(key, (f"identifier {identifier}", f"folded {fold(identifier)}"), 16)
    return exact, folded
