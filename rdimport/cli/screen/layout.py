"""Lines common to several commands: counts by state, problems, notes."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rdimport.core.messages import _
from rdimport.core.messages.reasons import explain, remedy
from rdimport.core.row import FILE, ROW, Problem, State
from rdimport.core.visible import shown
from rdimport.report.words import Words

if TYPE_CHECKING:
    import polars as pl

    from rdimport.api.results import RunResult

_NARROWEST: Final = 40
_WIDEST: Final = 120


def width() -> int:
    """The number of columns for output: the terminal's minus one; without a terminal, a width that
    suits 80 columns and mails.
    """
    return min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST) - 1


def canary(done: RunResult) -> Iterator[str]:
    """What to check in RD Station after a trial."""
    sent = ", ".join(str(row) for _file, row in done.accepted(most=10)) or _("none")
    yield ""
    yield from wrapped(
        _("Now look in RD Station Marketing for the people of these rows: {rows}.", rows=sent)
    )
    yield _("Make sure that")
    yield from wrapped(_("their timeline shows the conversion that the mapping names"), "  - ")
    fields = ", ".join(done.fields)
    yield from wrapped(_("each of these fields has arrived: {fields}", fields=fields), "  - ")
    yield from wrapped(_("no unwanted automation has written to them"), "  - ")
    yield from wrapped(_("If all is well, the same command without --canary sends the rest."))


def counts(rows_in: dict[State, int], left_out: int, words: Words) -> Iterator[str]:
    """A line for each state that has rows."""
    for state, rows in rows_in.items():
        if rows:
            yield from line(rows, words.state(state), words.means(state), words)
    if left_out:
        yield from wrapped(words.counted("left_out", left_out))


def line(rows: int, name: str, meaning: str, words: Words) -> Iterator[str]:
    """A number, its label, and an explanation."""
    size = max(len(words.state(state)) for state in State)
    yield from wrapped(meaning, f"{words.number(rows):>9}  {name:<{size}}  ")


def problems(
    found: pl.DataFrame, by_code: dict[str, int], files: list[str], words: Words
) -> Iterator[str]:
    """The most frequent problems, each with its first row and what to do."""
    if not by_code:
        return
    yield ""
    yield words("problems")
    margin = " " * 11
    for code, rows in list(by_code.items())[:5]:
        first = found.filter(found["code"] == code).row(0, named=True)
        problem = Problem(*(first[name] for name in Problem._fields))
        file = files[first[FILE]] if len(files) > 1 else ""
        where = words.place(first[ROW], file, problem.column)
        sentence = printable(explain(problem, words.lang), 300)
        yield f"{words.number(rows):>9}  {code}"
        yield from wrapped(words("example", where=where, sentence=sentence), margin)
        if remedy(code):
            yield from wrapped(f"→ {remedy(code, words.lang)}", margin)
    if len(by_code) > 5:
        yield from wrapped(words.counted("more_kinds", len(by_code) - 5), margin)


def notes(sentences: tuple[str, ...]) -> Iterator[str]:
    """Notes about the files."""
    if sentences:
        yield ""
        for sentence in sentences:
            yield from wrapped(printable(sentence, 1000))


def table(
    rows: Sequence[Sequence[str]], right: Collection[int] = (), spare: Sequence[int] = ()
) -> Iterator[str]:
    """Rows of cells as columns, those in `right` aligned right. On a narrow terminal, columns in
    `spare` are omitted, the first ones first; if that is not enough, each cell has its own line.
    """
    shown = list(range(len(rows[0])))
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def fits(gap: str) -> bool:
        return len(gap.join(" " * sizes[i] for i in shown)) <= width()

    for column in spare:
        if not fits(" "):
            shown.remove(column)
    gap = "  " if fits("  ") else " "
    if fits(gap):
        for row in rows:
            cells = (f"{row[i]:{'>' if i in right else '<'}{sizes[i]}}" for i in shown)
            yield gap.join(cells).rstrip()
        return
    for at, row in enumerate(rows[1:]):
        yield from [""] if at else ()
        for head, cell in zip(rows[0], row, strict=True):
            yield from wrapped(cell, f"{head}: ") if cell else ()


def wrapped(text: str, start: str = "") -> Iterator[str]:
    """Lines of at most `width()`. The first begins with `start`, the others with an equal indent.

    Words that cannot be broken, such as a path, are kept whole.
    """
    yield from textwrap.wrap(
        text,
        width(),
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
        break_long_words=False,
    ) or [start.rstrip()]


def printable(text: str, most: int = 200) -> str:
    """Text from a file without control characters, on one line."""
    seen = shown(text[: most + 1])
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"
