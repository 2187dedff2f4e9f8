"""An export of conversions as evidence: a list in any format, with a mapping of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final

import polars as pl

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.row import ROW
from rdimport.mapping import Mapping
from rdimport.prepare import Prepared, bind, prepare
from rdimport.settle.evidence import Evidence, Unread, moment
from rdimport.source import Hints, Table, open_tables

_NAME: Final = "conversion_identifier"


def exported(
    files: Sequence[str], mapping: Mapping, column: str, zone: tzinfo | None, unread: Unread
) -> Iterator[Evidence]:
    """The conversions of an export; `column` contains their times.

    Raises MappingError, SourceError, and UsageError if there is no such column.
    """
    for table in open_tables(files, Hints(columns=(*mapping.columns(), column))):
        named = {fold(name): name for name in table.columns}
        if fold(column) not in named:
            raise UsageError(
                _(
                    "{file} has no column “{column}”, which would say when each conversion was"
                    " made.",
                    file=table.name,
                    column=column,
                ),
                _(
                    "Name the column with --moment. There are: {columns}",
                    columns=", ".join(table.columns),
                ),
            )
        yield from _of_table(table, mapping, named[fold(column)], zone, unread)


def _of_table(
    table: Table, mapping: Mapping, column: str, zone: tzinfo | None, unread: Unread
) -> Iterator[Evidence]:
    bound = bind(mapping, table.columns, table.name)
    for batch in table.batches():
        prepared = prepare(batch, bound)
        _count_invalid(prepared.problems, unread)
        for fields, time in _rows(prepared, batch.select(ROW, pl.col(column).alias("__moment__"))):
            at = moment(time, zone)
            if at is None:
                unread["no_moment"] += 1
                continue
            email, name = str(fields["email"]), str(fields[_NAME])
            yield Evidence(email, name, at, fields, "export", table.name)


def _count_invalid(problems: pl.DataFrame, unread: Unread) -> None:
    """Count invalid rows. A row without a valid address cannot be a row that was sent; other
    invalid rows may be.
    """
    nobody = problems.filter(pl.col("field") == "email")[ROW].unique()
    unread["no_email"] += nobody.len()
    unread["invalid"] += problems.filter(~pl.col(ROW).is_in(nobody.implode()))[ROW].n_unique()


def _rows(
    prepared: Prepared, moments: pl.DataFrame
) -> Iterator[tuple[dict[str, object], str | None]]:
    names = {target.name for target in prepared.cells.bound.targets}
    good = prepared.good.join(moments, on=ROW, how="left", maintain_order="left")
    for row in good.iter_rows(named=True):
        fields = {name: row[name] for name in names if row[name] not in (None, [])}
        yield fields, row["__moment__"]
