"""Looks up many conversions at once."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rdimport.ledger.hashes import first_from
from rdimport.ledger.postgres.connection import BLOCKS
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.trouble import explained

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE: Final = 20_000

_KNOWN: Final = """
SELECT identity, CASE state WHEN 1 THEN 'accepted' WHEN 3 THEN 'refused' ELSE 'uncertain' END,
    payload, coalesce(problems, '[]'), refused, coalesce(tried, run), left_at,
    attempt::bigint * 16 + state
FROM rdimport.conversion WHERE destination = %s AND identity = ANY(%b::bytea[]) AND state <> 9
"""
_SOURCES: Final = """
SELECT source FROM rdimport.conversion WHERE destination = %s AND state = 1
    AND source IS NOT NULL AND identity < %b
"""


def known(
    query: Callable[..., list[tuple[Any, ...]]], destination: int, identities: pl.Series
) -> pl.DataFrame:
    """What is known about the given conversions, in the schema `KNOWN`, without unsent ones."""
    import polars as pl  # noqa: PLC0415  a fifth of a second, and most commands look nothing up

    from rdimport.core.schemas import KNOWN  # noqa: PLC0415

    wanted = identities.unique(maintain_order=True).to_list()
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        found += query(_KNOWN, destination, wanted[start : start + _AT_ONCE])
    return pl.DataFrame(found, schema=KNOWN, orient="row")


def sources(session: Session, destination: int, below: int) -> pl.Series:
    """The source hashes of accepted conversions; see `port.Run`."""
    import polars as pl  # noqa: PLC0415  as in `known`

    wanted = (destination, first_from(below))
    with explained(session.address), session.connection.cursor() as cursor:
        found = cursor.stream(_SOURCES, wanted, binary=True, size=_AT_ONCE if BLOCKS else 1)
        numbers = array("q", (number for (number,) in found))
    return pl.Series(numbers, dtype=pl.Int64).sort()
