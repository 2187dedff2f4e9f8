"""Encodes valid, cleaned rows as JSON: the payload, and the text that identifies the conversion.

RD rejects empty values and null, so empty fields are left out.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.destination.rdstation.fields import FIELDS
from rdimport.mapping import Mapping, Type

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Hashable, Sequence

    from rdimport.mapping import LegalBasis
    from rdimport.mapping.targets import Target


def payload(targets: Sequence[Target], mapping: Mapping, full: Container[str] = ()) -> pl.Expr:
    """RD's `payload` object as JSON text, for each row of a cleaned and valid frame.

    `full` names columns without nulls. Consecutive ones are encoded together, which takes half the
    time and gives the same text.
    """
    members = _in_order([target for target in targets if not target.is_status])
    parts: list[pl.Expr] = []
    for always, group in groupby(members, lambda t: t.required or t.name in full):
        if always:
            parts += [pl.lit(","), _inside(list(group))]
        else:
            for target in group:
                some = pl.col(target.name).is_not_null()
                parts += [pl.when(some).then(each) for each in (pl.lit(","), _inside([target]))]
    parts += [_legal_bases(mapping)] if mapping.legal_bases else []
    # The first member, the identifier, is always present and needs no comma.
    return pl.concat_str(pl.lit("{"), *parts[1:], pl.lit("}"), ignore_nulls=True)


def _in_order(targets: Sequence[Target]) -> list[Target]:
    """The targets in an order that does not depend on the mapping's: custom fields and legal bases
    by name, after RD's own fields, so that moving a line of the mapping changes no payload.
    """
    return sorted(targets, key=lambda target: target.name if target.name not in FIELDS else "")


def identity(targets: Sequence[Target], mapping: Mapping) -> pl.Expr:
    """What makes two rows the same conversion: identifier and identity fields, as JSON text.

    The values are cleaned, so `JOSE@X.COM ` and `jose@x.com` are the same.
    """
    wanted = ("conversion_identifier", *mapping.identity)
    by_name = {target.name: target for target in targets}
    values = [_member(by_name[name]) for name in dict.fromkeys(wanted)]
    return pl.struct(values).struct.json_encode()


def filled(targets: Sequence[Target]) -> dict[str, pl.Expr]:
    """For each field, how many rows of a cleaned and valid frame have it in their payload."""
    columns: dict[str, list[str]] = {}
    for target in targets:
        columns.setdefault(target.field, []).append(target.name)
    return {
        field: pl.any_horizontal(pl.col(names).is_not_null()).sum()
        for field, names in columns.items()
    }


GRANTED: Final = "legal_bases:granted"
DECLINED: Final = "legal_bases:declined"


def by_status(targets: Sequence[Target]) -> dict[str, pl.Expr]:
    """How many rows of a cleaned and valid frame have a legal basis granted, and how many declined.

    A row with both counts as declined.
    """
    statuses = [pl.col(target.name) for target in targets if target.is_status]
    nobody = pl.lit(value=False)
    declined = pl.any_horizontal(nobody, *(status == "false" for status in statuses))
    granted = pl.any_horizontal(nobody, *(status == "true" for status in statuses))
    sure = granted.fill_null(value=False) & declined.fill_null(value=False).not_()
    return {GRANTED: sure.sum(), DECLINED: declined.fill_null(value=False).sum()}


def _member(target: Target) -> pl.Expr:
    """The value as JSON; null where there is none."""
    cell = pl.col(target.name)
    if target.type is Type.BOOLEAN:
        return cell == "true"
    return cell.cast(pl.Int64).alias(target.name) if target.type is Type.INTEGER else cell


def _inside(targets: Sequence[Target]) -> pl.Expr:
    """`"name":value` for some members, separated by commas."""
    encoded = pl.struct(map(_member, targets)).struct.json_encode()
    return encoded.str.strip_prefix("{").str.strip_suffix("}")


def _legal_bases(mapping: Mapping) -> pl.Expr:
    """The `legal_bases` member with a leading comma, of bases with a status; null without one."""
    bases = [
        pl.when(pl.col(basis.target) == "true")
        .then(pl.lit(_basis(basis, "granted")))
        .when(pl.col(basis.target) == "false")
        .then(pl.lit(_basis(basis, "declined")))
        for basis in sorted(mapping.legal_bases, key=lambda basis: basis.target)
    ]
    some = pl.any_horizontal(pl.col(basis.target).is_not_null() for basis in mapping.legal_bases)
    listed = pl.concat_str(bases, separator=",", ignore_nulls=True)
    return pl.when(some).then(pl.concat_str(pl.lit(',"legal_bases":['), listed, pl.lit("]")))


def _basis(basis: LegalBasis, status: str) -> str:
    return f'{{"category":"{basis.category}","type":"{basis.type}","status":"{status}"}}'


def merge(earlier: str, later: str) -> str:
    """Merge two payloads of one conversion: later values win, tags and legal bases accumulate.

    A payload contains no empty values, so a field missing from the later one is kept.
    """
    first, second = json.loads(earlier), json.loads(later)
    whole = {**first, **second}
    if "tags" in whole:
        whole["tags"] = list(dict.fromkeys([*first.get("tags", ()), *second.get("tags", ())]))
    if "legal_bases" in whole:
        given = [*first.get("legal_bases", ()), *second.get("legal_bases", ())]
        whole["legal_bases"] = list({basis["type"]: basis for basis in given}.values())
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def compared(payload: str, about: Collection[str]) -> str:
    """The part of a payload that decides whether it has changed: all but the origin of the row."""
    if not about:
        return payload
    kept = {name: value for name, value in json.loads(payload).items() if name not in about}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def in_any_order(payload: str) -> str:
    """The same for all orders of the tags, and of the choices in a custom field: they are sets.

    Parsing each payload for that would take five times as long.
    """
    return _TEXTS.sub(_sorted, payload)


def _sorted(found: re.Match[str]) -> str:
    texts = '","'.join(sorted(_TEXT.findall(found[2])))
    return f'{found[1]}"{texts}"]'


class Order:
    """An order of a payload's members and legal bases."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place = {name: at for at, name in enumerate(names)}

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Order:
        """The order of the payloads that this release encodes."""
        return cls._of(_in_order(targets))

    @classmethod
    def earlier(cls, targets: Sequence[Target]) -> Order:
        """The order in earlier releases: custom fields and legal bases as in the mapping."""
        return cls._of(targets)

    @classmethod
    def _of(cls, targets: Sequence[Target]) -> Order:
        names = [target.name for target in targets if not target.is_status]
        return cls([*names, "legal_bases", *(t.name for t in targets if t.is_status)])

    def applied(self, payload: str) -> str:
        """The same payload in this order."""
        whole = json.loads(payload)
        if "legal_bases" in whole:
            whole["legal_bases"].sort(key=lambda basis: self._at(f"legal_bases.{basis['type']}"))
        ordered = {name: whole[name] for name in sorted(whole, key=self._at)}
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))

    def _at(self, name: str) -> int:
        return self._place.get(name, len(self._place))


_STRING: Final = r'"((?:[^"\\]|\\.)*)"'
_TEXT: Final = re.compile(_STRING)
_TEXTS: Final = re.compile(rf'(,"(?:tags|cf_[a-z0-9_]+)":\[)((?:{_STRING},)+{_STRING})\]')
"""A list of two texts or more. Quotation marks within a text are escaped, so no value can look like
this.
"""


class Merger:
    """Merges the payloads of each conversion, in the order of their rows.

    Holds one payload for each conversion whose last row is still to come.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self._order = Order.of(targets)
        self._held: dict[Hashable, str] = {}

    def feed(self, identity: Hashable, payload: str, *, last: bool) -> str | None:
        """The merged payload at the last row of a conversion, None at earlier rows."""
        held = self._held.pop(identity, None)
        merged = payload if held is None else merge(held, payload)
        if last:
            return merged
        self._held[identity] = merged
        return None

    def in_order(self, merged: str) -> str:
        """The same payload in the order of a single row's payload, so that the same content is the
        same text, however many rows it came from.
        """
        return self._order.applied(merged)

    @property
    def held(self) -> int:
        """Number of conversions whose last row is still to come."""
        return len(self._held)
