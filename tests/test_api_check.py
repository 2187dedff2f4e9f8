"""What a check notes of the rows that cannot be sent."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.api.results import CheckTally
from rdimport.core.row import FILE, ROW, State
from rdimport.core.schemas import PROBLEMS
from rdimport.plan.invalid import Invalid

BATCHES = st.lists(
    st.lists(st.tuples(st.integers(2, 6), st.sampled_from("abc"), st.text(max_size=2)), max_size=8)
)


def noted(batches: list[list[tuple[int, str, str]]], *, row_by_row: bool) -> CheckTally:
    book = CheckTally()
    for file, batch in enumerate(batches):
        lines = [(file, row, code, "email", "E-mail", value, None) for row, code, value in batch]
        problems = pl.DataFrame(lines, schema=PROBLEMS, orient="row").sort(ROW, maintain_order=True)
        cells = pl.DataFrame(
            {ROW: range(2, 7), "E-mail": list("vwxyz")}, {ROW: pl.UInt32, "E-mail": pl.String}
        )
        invalid = Invalid(problems, cells, problems.clear())
        assert len(invalid) == len(list(invalid))
        book.record_rows(5, 0, list(invalid) if row_by_row else invalid)
    return book


@settings(deadline=None, max_examples=costly(100))
@given(BATCHES)
def test_a_frame_of_problems_is_noted_as_its_rows_would_be_one_by_one(
    batches: list[list[tuple[int, str, str]]],
) -> None:
    whole, single = (noted(batches, row_by_row=by_row) for by_row in (False, True))
    assert whole.counts() == single.counts()
    assert whole.by_code == single.by_code
    assert whole.problems().rows() == single.problems().rows()
    assert sorted(whole.examples().rows()) == sorted(single.examples().rows())
    firsts: dict[str, tuple[int, int]] = {}
    for file, row, code in whole.problems().select(FILE, ROW, "code").iter_rows():
        firsts.setdefault(code, (file, row))
    assert {
        code: (file, row)
        for file, row, code in whole.examples().select(FILE, ROW, "code").iter_rows()
    } == firsts
    for book in (whole, single):
        book._spool.__exit__()
    assert whole.counts()[State.INVALID] == sum(len({row for row, _, _ in b}) for b in batches)
