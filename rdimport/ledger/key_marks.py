"""Marks of the API keys with which rows are sent from a state directory, in the user's own folder
for it. Its ledger recognises none without the key of its hashes, which may not be at hand.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rdimport.destination import Destination
from rdimport.destination.address import endpoint
from rdimport.ledger.hashes import destination_id, ledger_id
from rdimport.ledger.notes import note, noted
from rdimport.ledger.opening import is_shared
from rdimport.ledger.port import Elsewhere, Ledger, Store
from rdimport.ledger.sqlite.witness import outside

_FILE: Final = "api-keys"
"""A line for each: ledger, destination, endpoint with API key. The last two are hashes."""


def mark_of(to: Destination) -> str:
    """A hash of the endpoint and the API key, which reveals neither. Raises UsageError without
    one.
    """
    facts = [endpoint(to.base_url), sorted(to.credentials().items())]
    return blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


def note_key(ledger: Ledger, own: Store, to: Destination) -> None:
    """Record that rows were sent with the API key and the directory's ledger, or may be."""
    file = _file(own)
    if file is not None and not is_shared(ledger.place):
        line = (ledger_id(ledger.key), destination_id(to.identity), mark_of(to))
        note(file, "\t".join(line))


def has_used(other: Elsewhere, to: Destination) -> bool | None:
    """Whether the API key was used with another ledger; None if nothing is recorded of its account
    of the same name. Raises UsageError without an API key.
    """
    file, mark = _file(other.store), mark_of(to)
    lines = [line.split("\t") for line in noted(file)] if file is not None else []
    marks = [(line[1], line[2]) for line in lines if len(line) == 3 and line[0] == other.ledger]
    if mark in {key for _destination, key in marks}:
        return True
    return False if destination_id(to.identity) in dict(marks) else None


def _file(store: Store) -> Path | None:
    folder = outside(Path(str(store)))
    return folder / _FILE if folder else None
