"""A valid, cleaned frame to JSON: the payload of each row, and the text by which it is known.

RD refuses empty values and null, so what is empty is left out, field by field.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from rdimport.mapping import Mapping, Type

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from rdimport.mapping.targets import Target


def payload(targets: Sequence[Target], mapping: Mapping) -> pl.Expr:
    """RD's `payload` object as JSON text, for each row of a cleaned frame."""
    members = [_member(target) for target in targets if not target.is_status]
    members += [_legal_bases(mapping)] if mapping.legal_bases else []
    inside = pl.concat_str(members, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), inside, pl.lit("}"))


def identity(targets: Sequence[Target], mapping: Mapping) -> pl.Expr:
    """What makes a row the same conversion: the identifier and the identity fields, as JSON text.

    The values are the cleaned ones, so `JOSE@X.COM ` and `jose@x.com` are one.
    """
    wanted = ("conversion_identifier", *mapping.identity)
    by_name = {target.name: target for target in targets}
    values = [_value(by_name[name]) for name in dict.fromkeys(wanted)]
    return pl.concat_str(pl.lit("["), pl.concat_str(values, separator=","), pl.lit("]"))


def _member(target: Target) -> pl.Expr:
    """`"name":value`, null where the value is."""
    if target.type in {Type.BOOLEAN, Type.INTEGER}:  # the cleaned text is the JSON literal
        return pl.concat_str(pl.lit(f'"{target.name}":'), pl.col(target.name))
    encoded = pl.struct(pl.col(target.name)).struct.json_encode()
    bare = encoded.str.strip_prefix("{").str.strip_suffix("}")
    return pl.when(pl.col(target.name).is_not_null()).then(bare)


def _value(target: Target) -> pl.Expr:
    return _member(target).str.strip_prefix(f'"{target.name}":')


def _legal_bases(mapping: Mapping) -> pl.Expr:
    """The bases whose status is known; null where none is."""
    bases = [
        pl.concat_str(
            pl.lit(f'{{"category":"{basis.category}","type":"{basis.type}","status":"'),
            pl.when(pl.col(basis.target) == "true")
            .then(pl.lit("granted"))
            .when(pl.col(basis.target) == "false")
            .then(pl.lit("declined")),
            pl.lit('"}'),
        )
        for basis in mapping.legal_bases
    ]
    listed = pl.concat_str(bases, separator=",", ignore_nulls=True)
    some = pl.any_horizontal(pl.col(basis.target).is_not_null() for basis in mapping.legal_bases)
    return pl.when(some).then(pl.concat_str(pl.lit('"legal_bases":['), listed, pl.lit("]")))


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


def filled(payloads: pl.Series, fields: Iterable[str]) -> dict[str, int]:
    """How many payloads hold each field.

    A key cannot be mistaken for text: within a JSON string the quotation mark is escaped.
    """
    return {
        field: int(payloads.str.contains(f'"{field}":', literal=True).sum()) for field in fields
    }
