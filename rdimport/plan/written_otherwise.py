"""Payloads whose values are only written in another way than when they were sent.

A spreadsheet program that saves a list in another format writes dates, decimals and leading zeros
in its own way. That changes no row, so with `on_change: send` nobody is sent again for it. The
ledger has only the hash of a payload, so the ways in which its values may have been written are
tried: those of a few rows, and what is found there for all others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from rdimport.mapping import Clean, Type
from rdimport.prepare.encode import in_any_order

if TYPE_CHECKING:
    from rdimport.mapping.targets import Target

_MISSES: Final = 10
"""Rows tried without success after which the others count as changed."""

_TRIES: Final = 2_000
"""Combinations that are tried for one row."""

_ONE_FORM: Final = frozenset(Clean) - {
    Clean.NONE,
    Clean.TEXT,
    Clean.LOWER,
    Clean.NAME,
    Clean.CITY,
    Clean.NUMBER,
}
"""Cleaners that make all ways of writing a value one, or whose values no program rewrites."""

_Values = dict[str, Any]
_Digests = Callable[[Sequence[str]], list[bytes]]


def rewritable(targets: Sequence[Target]) -> frozenset[str]:
    """The fields with values that programs write in different ways."""
    return frozenset(
        target.name
        for target in targets
        if target.type is Type.TEXT
        and target.name != "conversion_identifier"
        and target.source.value is None
        and not target.source.values
        and _ONE_FORM.isdisjoint(target.cleaners)
    )


class _Ways:
    """The ways in which the values of some fields may have been written."""

    def __init__(self, fields: frozenset[str], wholes: Sequence[_Values]) -> None:
        from rdimport.prepare.rewritten import WAYS  # noqa: PLC0415  few runs need it

        self._fields = fields
        texts = dict.fromkeys(value for one in wholes for value in self.of(one).values())
        values = pl.Series("value", list(texts), dtype=pl.String)
        each = (way(pl.col("value")).alias(f"{number}") for number, way in enumerate(WAYS))
        written = values.to_frame().select(each).iter_columns()
        self._written = [dict(zip(values, way, strict=True)) for way in written]

    def of(self, whole: _Values) -> dict[str, str]:
        """The values of a payload that may have been written in another way."""
        fields = self._fields & whole.keys()
        return {name: whole[name] for name in sorted(fields) if isinstance(whole[name], str)}

    def combinations(self, whole: _Values) -> Iterator[dict[str, int]]:
        """The way to rewrite each field, all combinations that make a difference."""
        choices = []
        for name, value in self.of(whole).items():
            found = {self._at(number, value): number for number in range(len(self._written))}
            found.pop(value, None)
            if found:
                choices.append([(name, number) for number in (-1, *found.values())])
        yield from map(dict, islice(product(*choices), 1, _TRIES))

    def rewritten(self, whole: _Values, ways: Mapping[str, int]) -> str:
        """The payload with its fields rewritten in these ways; -1: not at all."""
        own = self.of(whole)
        new = {name: self._at(way, own[name]) for name, way in ways.items() if name in own}
        return json.dumps(whole | new, ensure_ascii=False, separators=(",", ":"))

    def _at(self, way: int, value: str) -> str:
        return value if way < 0 else self._written[way].get(value) or value


def written_otherwise(
    payloads: Sequence[str],
    known: Sequence[Sequence[bytes | None]],
    fields: frozenset[str],
    digests: _Digests,
) -> dict[int, bytes]:
    """Of the payloads whose hash is not `known`: the known hashes under which they were sent with
    values that were written in another way, by position.
    """
    wholes = list(map(json.loads, payloads))
    ways = _Ways(fields, wholes)
    left = dict.fromkeys(range(len(wholes)))
    found: dict[int, bytes] = {}
    misses = 0
    while left and misses < _MISSES:
        tried = next(iter(left))
        hit = _hit(ways, wholes[tried], known[tried], digests)
        del left[tried]
        if hit is None:
            misses += 1
            continue
        misses = 0
        for at in (tried, *left):
            (digest,) = _hashed([ways.rewritten(wholes[at], hit)], digests)
            if digest in known[at]:
                found[at] = digest
        left = dict.fromkeys(at for at in left if at not in found)
    return found


def _hit(
    ways: _Ways, whole: _Values, known: Sequence[bytes | None], digests: _Digests
) -> dict[str, int] | None:
    """The ways to rewrite a payload's fields that give a known one; None if there are none."""
    tried = list(ways.combinations(whole))
    hashes = _hashed([ways.rewritten(whole, one) for one in tried], digests)
    return next((one for one, own in zip(tried, hashes, strict=True) if own in known), None)


def _hashed(payloads: Sequence[str], digests: _Digests) -> list[bytes]:
    return digests(list(map(in_any_order, payloads)))
