"""The output of a check: what a run would do, with sample rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from rdimport.cli.screen.layout import counts, line, notes, printable, problems, width, wrapped
from rdimport.core.messages import _, ngettext
from rdimport.core.messages.reasons import remedy
from rdimport.core.row import State
from rdimport.report.words import Words

if TYPE_CHECKING:
    from rdimport.api.results import CheckResult
    from rdimport.ledger import Unrecognised
    from rdimport.prepare.preview import CellView, FieldView, RowView
    from rdimport.proposal.survey import Survey
    from rdimport.source import Table

SHOWN_ROWS = 2
"""Number of sample rows."""

_ROOMY: Final = 60
"""Columns of a terminal that has room for a field and its values side by side."""


def summary(done: CheckResult, quota: str | None) -> dict[str, Any]:
    """The object printed by `check --json`."""
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
        "legal_bases": done.legal_bases._asdict() if done.legal_bases else None,
        "corrected": dict(done.book.corrected),
        "advice": list(done.advice),
        "unrecognised": [one._asdict() for one in done.unrecognised],
        "files": [table.name for table in done.tables],
        "wrong_column": done.wrong_column._asdict() if done.wrong_column else None,
        "notes": _notes(done),
    }


def lines(done: CheckResult, quota: str | None, lang: str) -> Iterator[str]:
    """The lines of a check."""
    words = Words(lang)
    files = [table.name for table in done.tables]
    yield from wrapped(words.counted("checked", done.rows, files=", ".join(files)))
    yield from line(done.to_send, words("to_send"), words("to_send.means"), words)
    later = done.counts[State.PENDING] - done.to_send
    if later:
        yield from line(later, words("to_send_later"), words("to_send_later.means"), words)
    yield from counts(done.counts | {State.PENDING: 0}, done.left_out, words)
    for more in (words.legal_bases(done.legal_bases), words.corrected(done.book.corrected)):
        if more:
            yield from wrapped(more)
    if warning := words.wrong_column(done.wrong_column, done.rows):
        yield ""
        yield from wrapped(warning)
    if done.seconds:
        yield from wrapped(words("takes", quota=quota, time=words.duration(done.seconds)))
    yield from _first(done.preview.first[:SHOWN_ROWS], files, words)
    yield from _fields(done.preview.fields, words)
    yield from problems(done.book.examples(), done.by_code, files, words)
    yield from _suspect(done, words)
    yield from notes(_notes(done))
    missed = unrecognised(done, words)
    if done.advice or missed:
        yield ""
        yield words("before")
        for sentence in (*missed, *done.advice):
            yield from wrapped(sentence, "  - ")


def unrecognised(done: CheckResult, words: Words) -> list[str]:
    """Why a run would end with 2: the conversions that it would not recognise."""
    return [words("unrecognised", changed=_named(one, words)) for one in done.unrecognised[:3]]


def _notes(done: CheckResult) -> tuple[str, ...]:
    return tuple(note for table in done.tables for note in table.notes) + done.notes


def _named(one: Unrecognised, words: Words) -> str:
    """The number of conversions by conversion_identifier."""
    known = f"[{', '.join(one.fields)}]" if one.fields else "?"
    before = words.counted("unrecognised.named", one.conversions, text=one.text, fields=known)
    return f"{before} → “{one.now}”, [{', '.join(one.now_fields)}]"


def _first(rows: Sequence[RowView], files: Sequence[str], words: Words) -> Iterator[str]:
    for view in rows:
        yield ""
        file = files[view.file]
        key = "first_of" if len(files) > 1 else "first"
        yield from wrapped(words(key, row=view.row, file=file))
        for cell in view.cells:
            yield from _cell(cell, words)


def _cell(cell: CellView, words: Words) -> Iterator[str]:
    """A field before and after, side by side if there is room."""
    indent, start = 24, f"  {printable(cell.field, 21):<22}"
    if width() < _ROOMY:
        yield start.rstrip()
        indent, start = 4, " " * 4
    room = width() - indent
    start += printable(cell.before, room - 3) or words("fixed")
    if cell.before == cell.after:
        yield start
        return
    after = f"->  {printable(cell.after, room - 7) or words('left_empty')}"
    if len(start) + 2 + len(after) <= width():
        yield f"{start}  {after}"
    else:
        yield start
        yield " " * indent + after


def _fields(views: Sequence[FieldView], words: Words) -> Iterator[str]:
    if not views:
        return
    yield ""
    titles = [words("filled_cells"), words("suspect"), words("invalid_cells")]
    numbers = [attrgetter(name) for name in ("filled", "suspect", "invalid")]
    if width() >= _ROOMY:
        titles.insert(1, words("changed"))
        numbers.insert(1, attrgetter("changed"))
    sizes = [max(10, len(title) + 1) for title in titles]
    head = "".join(f"{title:>{size}}" for title, size in zip(titles, sizes, strict=True))
    narrow = width() < 36 + len(head)  # then the numbers have their own line
    yield f"{words('field'):<22}{'' if narrow else head}  {words('from')}"
    margin = " " * min(9, width() - len(head))
    if narrow:
        yield margin + head
    views = [view for view in views if view.columns or view.filled or view.invalid]
    empty = [view for view in views if not (view.filled or view.invalid)]
    for view in (one for one in views if one not in empty):
        counted = "".join(
            f"{words.number(number(view)) if number(view) else '':>{size}}"
            for number, size in zip(numbers, sizes, strict=True)
        )
        columns = _quoted(view.columns) or words("fixed")
        start = f"{view.field:<22}{'' if narrow else counted}  "
        yield from wrapped(printable(columns, 60), start)
        if narrow:
            yield margin + counted.rstrip()
    if empty:
        fields = (f"{one.field} ({printable(_quoted(one.columns), 40)})" for one in empty)
        yield from wrapped(words("empty_cells", fields=", ".join(fields)))


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f"“{column}”" for column in columns)


def _suspect(done: CheckResult, words: Words) -> Iterator[str]:
    reasons = [reason for reason in done.preview.reasons if reason.suspect]
    if not reasons:
        return
    yield ""
    yield words("look_at")
    margin = " " * 11
    for reason in reasons[:5]:
        values = ", ".join(f"“{printable(value, 40)}”" for value in reason.values)
        named = ", ".join(str(row) for _, row in reason.rows)
        rows = words("row" if len(reason.rows) == 1 else "rows_named", row=named, rows=named)
        yield f"{words.number(reason.cells):>9}  {reason.code}"
        yield from wrapped(f"{values} ({rows})", margin)
        yield from wrapped(f"→ {remedy(reason.code, words.lang)}", margin)


def surveyed(table: Table, found: Survey, propose: str) -> Iterator[str]:
    """The lines of a check without a mapping; `propose` is the next command."""
    from rdimport.proposal.survey import in_words  # noqa: PLC0415  no mapping, so guesses

    facts = table.facts
    described = [facts.format]
    described += [_("sheet {sheet}", sheet=facts.sheet)] if facts.sheet else []
    if facts.encoding:
        described += [facts.encoding, _("delimiter {mark}", mark=repr(facts.delimiter))]
    described += [_("header in row {row}", row=facts.header_row)]
    described += [ngettext("{number} row", "{number} rows", found.rows)]
    yield from wrapped(f"{table.name}: {', '.join(described)}")
    yield ""
    size = max(12, min(28, width() - 37))
    titles = (_("Column"), _("filled"), _("seems to be"), _("examples"))
    filled, guess = max(7, len(titles[1]) + 1), max(12, len(titles[2]) + 1)
    room = width() - size - filled - guess - 2
    example = titles[3] if room >= len(titles[3]) else ""
    yield f"{titles[0]:<{size}}{titles[1]:>{filled}}  {titles[2]:<{guess}}{example}".rstrip()
    for column in (one for one in found.columns if one.filled):
        examples = printable(" · ".join(printable(e, 26) for e in column.examples), room)
        name = f"{printable(column.name, size - 1):<{size}}"
        text = f"{name}{column.filled:>{filled}.0%}  {in_words(column.guess):<{guess}}"
        yield (text + examples if example else text).rstrip()
    yield from notes(found.warnings)
    yield ""
    yield from wrapped(_("Propose a mapping for it:"))
    yield f"  {propose}"


def survey_summary(table: Table, found: Survey) -> dict[str, Any]:
    """The object printed by `check --json` for one file without a mapping."""
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
