"""As which conversions release 0.1.0 took the rows that are cleaned in another way now.

Its ledgers know people by the address that it made of a cell. Whoever it sent is not sent again
under the address that this release makes of the same cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from rdimport.core.row import ROW
from rdimport.mapping import Clean
from rdimport.prepare.clean import cleaned_by_0_1
from rdimport.prepare.clean.email import untidy
from rdimport.prepare.encode import identity

if TYPE_CHECKING:
    from rdimport.prepare import Prepared


def identities(prepared: Prepared) -> pl.DataFrame:
    """`ROW` and `identity` of the rows that can be sent and had another identity then."""
    bound = prepared.cells.bound
    target = next(target for target in bound.targets if target.name == "email")
    raw = bound.raw(target)
    if raw is None or Clean.EMAIL not in target.cleaners or "email" not in bound.mapping.identity:
        return prepared.rows.select(ROW, "identity").clear()
    then = prepared.cells.sound.filter(untidy(raw)).select(ROW, cleaned_by_0_1(raw, target))
    changed = prepared.good.join(then, on=ROW, how="inner", suffix="_then", maintain_order="left")
    changed = changed.filter(pl.col("email").ne_missing(pl.col("email_then")))
    changed = changed.with_columns(pl.col("email_then").alias("email"))
    return changed.select(ROW, identity(bound.targets, bound.mapping).alias("identity"))
