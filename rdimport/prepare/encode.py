"""A valid, cleaned frame to JSON: the payload of each row, and the text by which it is known.

RD refuses empty values and null, so what is empty is left out, field by field.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.mapping import Mapping, Type

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Hashable, Sequence

    from rdimport.mapping import LegalBasis
    from rdimport.mapping.targets import Target


def payload(targets: Sequence[Target], mapping: Mapping, full: Container[str] = ()) -> pl.Expr:
    """RD's `payload` object as JSON text, for each row of a cleaned and valid frame.

    `full` are columns without a null. Those that stand together are encoded together, which takes
    half as long; the text is the same.
    """
    members = [target for target in targets if not target.is_status]
    parts: list[pl.Expr] = []
    for always, group in groupby(members, lambda t: t.required or t.name in full):
        if always:
            parts += [pl.lit(","), _inside(list(group))]
        else:
            for target in group:
                some = pl.col(target.name).is_not_null()
                parts += [pl.when(some).then(each) for each in (pl.lit(","), _inside([target]))]
    parts += [_legal_bases(mapping)] if mapping.legal_bases else []
    # The first member, the identifier, is always there, and no comma stands before it.
    return pl.concat_str(pl.lit("{"), *parts[1:], pl.lit("}"), ignore_nulls=True)


def identity(targets: Sequence[Target], mapping: Mapping) -> pl.Expr:
    """What makes a row the same conversion: the identifier and the identity fields, as JSON text.

    The values are the cleaned ones, so `JOSE@X.COM ` and `jose@x.com` are one.
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
    """How many rows of a cleaned and valid frame have a legal basis granted, or one declined.

    Who has both counts as declined.
    """
    statuses = [pl.col(target.name) for target in targets if target.is_status]
    nobody = pl.lit(value=False)
    declined = pl.any_horizontal(nobody, *(status == "false" for status in statuses))
    granted = pl.any_horizontal(nobody, *(status == "true" for status in statuses))
    sure = granted.fill_null(value=False) & declined.fill_null(value=False).not_()
    return {GRANTED: sure.sum(), DECLINED: declined.fill_null(value=False).sum()}


def _member(target: Target) -> pl.Expr:
    """The value as JSON has it; null where there is none."""
    cell = pl.col(target.name)
    if target.type is Type.BOOLEAN:
        return cell == "true"
    return cell.cast(pl.Int64).alias(target.name) if target.type is Type.INTEGER else cell


def _inside(targets: Sequence[Target]) -> pl.Expr:
    """`"name":value` of some members, with commas between them."""
    encoded = pl.struct(map(_member, targets)).struct.json_encode()
    return encoded.str.strip_prefix("{").str.strip_suffix("}")


def _legal_bases(mapping: Mapping) -> pl.Expr:
    """The member of the bases whose status is known, with a comma before it; null where none is."""
    bases = [
        pl.when(pl.col(basis.target) == "true")
        .then(pl.lit(_basis(basis, "granted")))
        .when(pl.col(basis.target) == "false")
        .then(pl.lit(_basis(basis, "declined")))
        for basis in mapping.legal_bases
    ]
    some = pl.any_horizontal(pl.col(basis.target).is_not_null() for basis in mapping.legal_bases)
    listed = pl.concat_str(bases, separator=",", ignore_nulls=True)
    return pl.when(some).then(pl.concat_str(pl.lit(',"legal_bases":['), listed, pl.lit("]")))


def _basis(basis: LegalBasis, status: str) -> str:
    return f'{{"category":"{basis.category}","type":"{basis.type}","status":"{status}"}}'


def merge(earlier: str, later: str) -> str:
    """Two payloads of one conversion as one: later values win, tags and legal bases add up.

    A payload holds no empty values, so what is missing in the later one stays as it was.
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
    """What of a payload tells whether it has changed: all but where its row comes from."""
    if not about:
        return payload
    kept = {name: value for name, value in json.loads(payload).items() if name not in about}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


class Merger:
    """Payloads of the same conversion put together, in the order in which their rows come.

    It holds one payload for each conversion whose last row has not come yet, and nothing else.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, str] = {}

    def feed(self, identity: Hashable, payload: str, *, last: bool) -> str | None:
        """The merged payload at the last row of a conversion, None at those before it."""
        held = self._held.pop(identity, None)
        merged = payload if held is None else merge(held, payload)
        if last:
            return merged
        self._held[identity] = merged
        return None

    @property
    def held(self) -> int:
        """Conversions whose last row has not come yet."""
        return len(self._held)
