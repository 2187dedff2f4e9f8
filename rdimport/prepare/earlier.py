"""Rows whose identity has changed because a cleaner was improved.

The ledger knows such a row by the identity it had when an earlier release sent it, so both
identities are looked up.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Final, NamedTuple

import polars as pl

from rdimport.core.messages.codes import Code
from rdimport.core.row import ROW
from rdimport.core.schemas import PROBLEMS
from rdimport.mapping import Clean
from rdimport.prepare.encode import identity
from rdimport.prepare.trace import Cells, in_order

SENT_AS: Final = Code.EMAIL_SENT_AS


class Earlier(NamedTuple):
    """`ROW` and `identity` of such rows, and the warnings to give if they were sent."""

    identities: pl.DataFrame
    warnings: pl.DataFrame


NOTHING: Final = Earlier(
    pl.DataFrame(schema={ROW: pl.UInt32, "identity": pl.String}), pl.DataFrame(schema=PROBLEMS)
)


def earlier(batch: Cells) -> Earlier:
    """The rows of a batch whose identity was different in an earlier release."""
    bound = batch.bound
    if not bound.before:
        return NOTHING
    before = batch.sound.select(bound.before)
    differ = {
        name: before[name].ne_missing(batch.frame[name]) & before[name].is_not_null()
        for name in before.columns
    }
    some = reduce(or_, differ.values())
    if not some.any():
        return NOTHING
    changed = batch.frame.with_columns(before).filter(some)
    names = changed.select(ROW, identity(bound.targets, bound.mapping).alias("identity"))
    found = []
    for target in bound.targets:
        if Clean.EMAIL in target.cleaners and target.name in differ:
            at = differ[target.name].arg_true()
            wrong = {"target": pl.lit(target.name), "code": pl.lit(SENT_AS)}
            cells = pl.DataFrame({"index": at, "detail": before[target.name].gather(at)})
            found += batch.traced(cells.with_columns(**wrong))
    return Earlier(names, in_order(found))
