"""Which of several rows of one conversion is sent, however many rows there are."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.row import FILE, ROW
from rdimport.plan.duplicates import AT, IDENTITY, UNCHANGED, Choice, Index

Rows = list[tuple[int, bool]]
"""For each row, a number for its conversion, and whether it is known unchanged."""

TABLES = st.lists(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40), max_size=6)


def chosen(
    batches: list[Rows], keep: Literal["first", "last"], most_rows: int, digests: bool
) -> list[Choice]:
    who_is = digest if digests else text
    with Index(most_rows=most_rows, digests=digests) as index:
        for file, batch in enumerate(batches):
            index.add(
                pl.DataFrame(
                    {
                        FILE: pl.Series([file] * len(batch), dtype=pl.UInt32),
                        ROW: pl.Series(range(2, len(batch) + 2), dtype=pl.UInt32),
                        IDENTITY: pl.Series([who_is(who) for who, _ in batch], dtype=pl.Binary),
                        UNCHANGED: pl.Series([same for _, same in batch], dtype=pl.Boolean),
                    }
                )
            )
        return list(index.choose(keep))


def digest(who: int) -> bytes:
    return blake2b(str(who).encode(), digest_size=16).digest()


def text(who: int) -> bytes:
    return b'["Feira","%d@exemplo.com.br"]' % who


@pytest.mark.parametrize("keep", ["first", "last"])
@settings(deadline=None, max_examples=costly(120))
@given(batches=TABLES, most_rows=st.sampled_from([1, 50, 1000]), digests=st.booleans())
def test_one_row_of_each_conversion_is_sent_and_the_others_name_it(
    keep: Literal["first", "last"], batches: list[Rows], most_rows: int, digests: bool
) -> None:
    flat = [
        (who, same, (file, row))
        for file, batch in enumerate(batches)
        for row, (who, same) in enumerate(batch, start=2)
    ]
    winner: dict[int, int] = {}
    for at, (who, _, _) in enumerate(flat):
        if keep == "last" or who not in winner:
            winner[who] = at

    found = chosen(batches, keep, most_rows, digests)

    losers = {
        (file, row): (won_file, won_row)
        for choice in found
        for file, row, won_file, won_row in choice.losers.iter_rows()
    }
    assert losers == {
        place: flat[winner[who]][2] for at, (who, _, place) in enumerate(flat) if winner[who] != at
    }
    dropped = sorted(at for choice in found for at in choice.dropped)
    assert dropped == [at for at, (who, same, _) in enumerate(flat) if winner[who] != at or same]
    assert sum(choice.unchanged for choice in found) == sum(flat[at][1] for at in winner.values())
    several = {who for who, _, _ in flat if sum(other == who for other, _, _ in flat) > 1}
    assert {at: wins for c in found for at, wins in c.groups.select(AT, "wins").iter_rows()} == {
        at: winner[who] == at for at, (who, _, _) in enumerate(flat) if who in several
    }
