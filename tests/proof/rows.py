"""What a list holds, and what its rows should become, without using the product."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, NamedTuple

COLUMNS = ("E-mail", "Nome", "Cidade", "Etiquetas")
Payload = dict[str, Any]


class Row(NamedTuple):
    """One line of a list, cell by cell."""

    email: str
    name: str
    city: str = ""
    tags: str = ""

    @property
    def valid(self) -> bool:
        return "@" in self.email

    def payload(self, identifier: str) -> Payload:
        """What should arrive of it: empty cells are left out."""
        tags = [tag for tag in self.tags.split("+") if tag]
        whole = {
            "conversion_identifier": identifier,
            "email": self.email.lower(),
            "name": self.name,
            "city": self.city,
            "tags": tags,
        }
        return {name: value for name, value in whole.items() if value}


class Key(NamedTuple):
    """What makes two rows the same conversion."""

    account: str
    identifier: str
    email: str


class Sheet(NamedTuple):
    """One file of a run's input. For a failure report, `origins` are the file and row that it names
    for each row, and `before` the rows before they were corrected.
    """

    name: str
    rows: tuple[Row, ...]
    origins: tuple[tuple[str, int], ...] = ()
    before: tuple[Row, ...] = ()

    def places(self) -> list[tuple[str, int]]:
        """The file and row by which a report names each row; the first row of a file is its
        header.
        """
        return list(self.origins) or [(self.name, at + 2) for at in range(len(self.rows))]


def canonical(payload: Payload) -> str:
    """A canonical text: the same for equal payloads."""
    return json.dumps(payload, sort_keys=True, ensure_ascii=False)


def merged(payloads: Sequence[Payload]) -> Payload:
    """What `merge` is documented to do: later values win, tags add up."""

    def both(one: Payload, other: Payload) -> Payload:
        tags = dict.fromkeys([*one.get("tags", ()), *other.get("tags", ())])
        return {**one, **other, **({"tags": list(tags)} if tags else {})}

    return reduce(both, payloads)


def written(rows: Iterable[Row]) -> str:
    """The text of a file with these rows."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    return out.getvalue()


def number_of(email: str) -> int:
    """The number of an invented person."""
    return int("".join(c for c in email if c.isdigit()) or 0)
