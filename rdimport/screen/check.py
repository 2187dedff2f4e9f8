"""What people read after a check: what a run would do, and enough of the rows to judge it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rdimport.report.words import Words
from rdimport.row import State
from rdimport.screen.parts import counts, line, notes, printable, problems

if TYPE_CHECKING:
    from rdimport.prepare.preview import FieldView, RowView
    from rdimport.results import Checked
    from rdimport.source import Table
    from rdimport.source.survey import Survey

SHOWN_ROWS = 2
"""Rows that are shown as they are and as they will be sent."""


def summary(done: Checked, quota: str | None) -> dict[str, Any]:
    """The object that `check --json` prints."""
    return {
        "rows": done.rows,
        **{str(state): rows for state, rows in done.counts.items()},
        "left_out": done.left_out,
        "to_send": done.to_send,
        "quota": quota,
        "seconds": done.seconds,
        "exit_code": int(done.exit_code),
        "problems": done.by_code,
        "suspect": done.suspect,
        "advice": list(done.advice),
        "files": [table.name for table in done.tables],
        "notes": [note for table in done.tables for note in table.notes],
    }


def lines(done: Checked, quota: str | None) -> Iterator[str]:
    """The lines of a check."""
    files = [table.name for table in done.tables]
    yield f"Checked {', '.join(files)}: {done.rows} rows"
    yield line(done.to_send, "to send", "what a run would send")
    later = done.counts[State.PENDING] - done.to_send
    if later:
        yield line(later, "to send later", "--limit keeps them for another run")
    yield from counts(done.counts | {State.PENDING: 0}, done.left_out)
    if done.seconds:
        yield f"At {quota} the sending takes about {Words('en').duration(done.seconds)}."
    yield from _first(done.preview.first[:SHOWN_ROWS], files)
    yield from _fields(done.preview.fields)
    yield from problems(done.book.examples(), done.by_code, files)
    yield from _suspect(done)
    yield from notes(tuple(note for table in done.tables for note in table.notes))
    if done.advice:
        yield ""
        yield "Before you send:"
        yield from (f"  - {sentence}" for sentence in done.advice)


def _first(rows: Sequence[RowView], files: Sequence[str]) -> Iterator[str]:
    for view in rows:
        yield ""
        where = f" of {files[view.file]}" if len(files) > 1 else ""
        yield f"Row {view.row}{where}, as it is and as it will be sent:"
        for cell in view.cells:
            before = printable(cell.before, 36) or "(fixed)"
            same = cell.before == cell.after
            after = "" if same else f"  ->  {printable(cell.after, 48) or '(left out)'}"
            yield f"  {cell.field:<22}{before}{after}"


def _fields(views: Sequence[FieldView]) -> Iterator[str]:
    if not views:
        return
    yield ""
    yield f"{'Field':<24}{'filled':>9}{'changed':>9}{'suspect':>9}{'invalid':>9}  from"
    for view in views:
        numbers = (view.filled, view.changed, view.suspect, view.invalid)
        told = "".join(f"{number or '':>9}" for number in numbers)
        columns = ", ".join(f"“{column}”" for column in view.columns) or "(fixed)"
        yield f"{view.field:<24}{told}  {printable(columns, 60)}"


def _suspect(done: Checked) -> Iterator[str]:
    reasons = [reason for reason in done.preview.reasons if reason.code in done.suspect]
    if not reasons:
        return
    yield ""
    yield "Sent all the same, but look at them:"
    for reason in reasons[:5]:
        values = ", ".join(f"“{printable(value, 40)}”" for value in reason.values)
        rows = ", ".join(str(row) for _, row in reason.rows)
        yield f"{reason.cells:>9}  {reason.code}: {values} (rows {rows})"


def surveyed(table: Table, found: Survey) -> Iterator[str]:
    """The lines of a check without a mapping: what a file holds."""
    facts = table.facts
    told = [facts.format]
    told += [f"sheet {facts.sheet}"] if facts.sheet else []
    told += [facts.encoding, f"delimiter {facts.delimiter!r}"] if facts.encoding else []
    yield f"{table.name}: {', '.join(told)}, header in row {facts.header_row}, {found.rows} rows"
    yield ""
    yield f"{'Column':<28}{'filled':>7}  {'seems to be':<12}examples"
    for column in found.columns:
        examples = " · ".join(printable(example, 26) for example in column.examples)
        name = printable(column.name, 27)
        yield f"{name:<28}{column.filled:>7.0%}  {column.guess:<12}{examples}"
    yield from notes(found.warnings)
    yield ""
    yield f"Propose a mapping for it: rdimport init {shlex.quote(table.name)} -o mapping.yaml"


def survey_summary(table: Table, found: Survey) -> dict[str, Any]:
    """The object that `check --json` prints for one file without a mapping."""
    facts = table.facts
    return {
        "file": table.name,
        "format": facts.format,
        "encoding": facts.encoding,
        "delimiter": facts.delimiter,
        "sheet": facts.sheet,
        "header_row": facts.header_row,
        "rows": found.rows,
        "columns": [
            {
                "name": column.name,
                "filled": round(column.filled, 4),
                "guess": column.guess,
                "examples": list(column.examples),
                "odd": column.odd,
            }
            for column in found.columns
        ],
        "defects": found.defects,
        "notes": list(found.warnings),
    }
