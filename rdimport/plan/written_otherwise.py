"""Payloads whose values are only written in another way than when they were sent.

A spreadsheet program that saves a list in another format writes dates, decimals and leading zeros
in its own way. That changes no row, so with `on_change: send` nobody is sent again for it. The
ledger has only the hash of a payload, so the ways in which its values may have been written are
tried: those of a few rows, and what is found there for all others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from rdimport.mapping import Clean, Type
from rdimport.prepare.encode import in_any_order

if TYPE_CHECKING:
    from rdimport.mapping.targets import Target

_TRIES: Final = (1_000, 15_000)
"""Combinations that are tried for one row: few for many rows, then many for few."""

_TRIES_APART: Final = 2_000
"""Combinations in which fields of one kind are written in different ways."""

_IN_VAIN: Final = 20_000
"""Combinations tried without success after which the other rows count as changed, for each."""

_A_ROW: Final = 20
"""As many of these as a row without combinations counts for."""

_AT_ONCE: Final = 250
"""Rows for which all ways are computed together."""

_HITS: Final = 3
"""Ways found last that are tried first."""

_DAY: Final = re.compile(r"\d{1,4}[-/]\d{1,2}[-/]\d{2,4}\b.*|\d{1,2}:\d\d\b.*")
_WHOLE: Final = re.compile(r"\d+")

_HASHED_AT_ONCE: Final = 1_000

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
_Choice = dict[str, int]
"""The number of a way by field; -1: as it is."""

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

    def __init__(self, fields: frozenset[str]) -> None:
        from rdimport.prepare.rewritten import WAYS  # noqa: PLC0415  few runs need it

        self._fields = fields
        self._ways = WAYS
        self._written: list[dict[str, str]] = [{} for _ in WAYS]

    def learn(self, wholes: Iterable[_Values], ways: Iterable[int] | None = None) -> None:
        """Compute some ways (by default all) of writing the values of payloads."""
        texts = {value for one in wholes for value in self.of(one).values()}
        numbers = [*(range(len(self._ways)) if ways is None else ways)]
        values = pl.Series("value", sorted(texts), dtype=pl.String)
        each = (self._ways[number](pl.col("value")).alias(f"{number}") for number in numbers)
        written = values.to_frame().select(each).iter_columns()
        for number, way in zip(numbers, written, strict=True):
            self._written[number].update(zip(values, way, strict=True))

    def of(self, whole: _Values) -> dict[str, str]:
        """The values of a payload that may have been written in another way."""
        fields = self._fields & whole.keys()
        return {name: whole[name] for name in sorted(fields) if isinstance(whole[name], str)}

    def combinations(self, whole: _Values, hits: Sequence[_Choice], most: int) -> Iterator[_Choice]:
        """The way to rewrite each field: first those found before, then a way for all dates of the
        row, one for all amounts and one for each code, as a program does it, then any.
        """
        own = self.of(whole)
        apart = [self._choices([name], own) for name in own]
        for hit in hits:
            known = {name: hit[name] for name in own if name in hit}
            others = [one for name, one in zip(own, apart, strict=True) if name not in known]
            yield from ({**known, **some} for some in islice(_likeliest(others), most))
        days = [name for name, value in own.items() if _DAY.fullmatch(value)]
        codes = [name for name, value in own.items() if _WHOLE.fullmatch(value)]
        amounts = [name for name in own if name not in days and name not in codes]
        kinds = [days, amounts, *([name] for name in codes)]
        yield from islice(_likeliest([self._choices(names, own) for names in kinds]), 1, most)
        if len(days) > 1 or len(amounts) > 1:
            yield from islice(_likeliest(apart), 1, _TRIES_APART)

    def _choices(self, names: Sequence[str], own: Mapping[str, str]) -> list[_Choice]:
        """The ways to rewrite these fields together, as far as they differ; first: not at all."""
        found = {
            tuple(self._at(number, own[name]) for name in names): number
            for number in range(len(self._ways))
        }
        found.pop(tuple(own[name] for name in names), None)
        return [dict.fromkeys(names, number) for number in (-1, *found.values())]

    def rewritten(self, whole: _Values, ways: _Choice) -> str:
        """The payload with its fields rewritten in these ways; -1: not at all."""
        own = self.of(whole)
        new = {name: self._at(way, own[name]) for name, way in ways.items() if name in own}
        return json.dumps(whole | new, ensure_ascii=False, separators=(",", ":"))

    def _at(self, way: int, value: str) -> str:
        return value if way < 0 else self._written[way].get(value) or value


def _likeliest(choices: Sequence[Sequence[_Choice]]) -> Iterator[_Choice]:
    """One choice of each, in all combinations; those of choices that come early come first."""
    for total in range(sum(len(some) - 1 for some in choices) + 1):
        yield from _of_rank(choices, total)


def _of_rank(choices: Sequence[Sequence[_Choice]], total: int) -> Iterator[_Choice]:
    """The combinations of choices whose places add up to `total`."""
    if not choices:
        yield {}
        return
    first, *others = choices
    room = sum(len(some) - 1 for some in others)
    for place in range(max(0, total - room), min(len(first) - 1, total) + 1):
        yield from (first[place] | some for some in _of_rank(others, total - place))


def written_otherwise(
    payloads: Sequence[str],
    known: Sequence[Sequence[bytes | None]],
    fields: frozenset[str],
    digests: _Digests,
) -> dict[int, bytes]:
    """Of the payloads whose hash is not `known`: the known hashes under which they were sent with
    values that were written in another way, by position.

    They are tried in an order of chance, because rows that really changed may stand together.
    """
    search = _Search(list(map(json.loads, payloads)), known, _Ways(fields), digests)
    for most in _TRIES:
        search.go_on(most)
    return search.found


class _Search:
    """Looks for the ways in which some payloads were written."""

    def __init__(
        self,
        wholes: Sequence[_Values],
        known: Sequence[Sequence[bytes | None]],
        ways: _Ways,
        digests: _Digests,
    ) -> None:
        self._wholes = wholes
        self._known = known
        self._ways = ways
        self._digests = digests
        order = Random(0).sample(range(len(wholes)), len(wholes))  # noqa: S311  no secret
        self._left = dict.fromkeys(order)
        self._learned: set[int] = set()
        self._hits: list[_Choice] = []
        self.found: dict[int, bytes] = {}

    def go_on(self, most: int) -> None:
        """Try row after row, each in at most so many ways, while it is not in vain."""
        in_vain, places = 0, list(self._left)
        for number, at in enumerate(places):
            if in_vain >= _IN_VAIN:
                return
            if at in self.found:
                continue
            self._learn(places[number : number + _AT_ONCE], at)
            hit, tries = self._tried(at, most)
            in_vain = 0 if hit else in_vain + tries + _A_ROW
            if hit:
                self._apply(hit)

    def _learn(self, places: Sequence[int], at: int) -> None:
        if at not in self._learned:
            self._ways.learn(self._wholes[at] for at in places)
            self._learned.update(places)

    def _tried(self, at: int, most: int) -> tuple[_Choice | None, int]:
        """The ways to rewrite a payload's fields that give a known one, or None if there are none;
        and how many were tried.
        """
        whole, tries = self._wholes[at], 0
        combinations = self._ways.combinations(whole, self._hits, most)
        while some := list(islice(combinations, _HASHED_AT_ONCE)):
            tries += len(some)
            hashes = self._hashed(self._ways.rewritten(whole, one) for one in some)
            for one, own in zip(some, hashes, strict=True):
                if own in self._known[at]:
                    return one, tries
        return None, tries

    def _apply(self, hit: _Choice) -> None:
        """Rewrite all rows that are left in these ways."""
        self._hits = [hit, *self._hits][:_HITS]
        ways = {way for way in hit.values() if way >= 0}
        self._ways.learn((self._wholes[at] for at in self._left), ways)
        texts = (self._ways.rewritten(self._wholes[at], hit) for at in self._left)
        for at, own in zip(self._left, self._hashed(texts), strict=True):
            if own in self._known[at]:
                self.found[at] = own
        self._left = dict.fromkeys(at for at in self._left if at not in self.found)

    def _hashed(self, payloads: Iterable[str]) -> list[bytes]:
        return self._digests([in_any_order(text) for text in payloads])
