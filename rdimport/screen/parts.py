"""Lines that several commands say: states with their counts, problems, notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdimport.reasons import explain, remedy
from rdimport.row import FILE, ROW, Problem, State

if TYPE_CHECKING:
    import polars as pl

    from rdimport.mapping import Mapping
    from rdimport.results import Imported

MEANINGS: Final = {
    State.ACCEPTED: "the endpoint has them",
    State.ALREADY_IMPORTED: "accepted in an earlier run, not sent again",
    State.DUPLICATE: "the same conversion as another row that is sent instead",
    State.INVALID: "cannot be sent as they are; nothing left this machine",
    State.REFUSED: "the endpoint refused them",
    State.UNCERTAIN: "may have arrived; not sent again unless you ask for it",
    State.PENDING: "not sent yet",
}


def canary(done: Imported, mapping: Mapping) -> Iterator[str]:
    """What to look for in RD Station after a few rows were sent to try."""
    yield ""
    sent = ", ".join(str(row) for _, row in done.accepted(most=10))
    yield f"Now look in RD Station Marketing for the people of these rows: {sent or 'none'}."
    yield "See that"
    yield "  - their timeline shows the conversion that the mapping names"
    yield f"  - each of these fields has arrived: {', '.join(mapping.fields)}"
    yield "  - no automation has written to them that you did not want"
    yield "If all is well, the same command without --canary sends the rest."


def counts(rows_in: dict[State, int], left_out: int) -> Iterator[str]:
    """One line for each state that has rows."""
    for state, rows in rows_in.items():
        if rows:
            yield line(rows, state.replace("_", " "), MEANINGS[state])
    if left_out:
        yield f"Besides, {left_out} rows are left out by `where` in the mapping."


def line(rows: int, name: str, meaning: str) -> str:
    """A number, what it counts, and what that means."""
    return f"{rows:>9}  {name:<16}  {meaning}"


def problems(found: pl.DataFrame, by_code: dict[str, int], files: list[str]) -> Iterator[str]:
    """The most frequent problems, each with its first row and what to do."""
    if not by_code:
        return
    yield ""
    yield "What is wrong:"
    for code, rows in list(by_code.items())[:5]:
        first = found.filter(found["code"] == code).row(0, named=True)
        problem = Problem(*(first[name] for name in Problem._fields))
        where = f"row {first[ROW]}" + (f" of {files[first[FILE]]}" if len(files) > 1 else "")
        column = f", column “{problem.column}”" if problem.column else ""
        yield f"{rows:>9}  {code}: {remedy(code)}".rstrip(": ")
        yield f"           e.g. {where}{column}: {printable(explain(problem))}"
    if len(by_code) > 5:
        yield f"           and {len(by_code) - 5} more kinds"


def notes(sentences: tuple[str, ...]) -> Iterator[str]:
    """What was found in the files, for people."""
    if sentences:
        yield ""
        yield from (printable(sentence, 1000) for sentence in sentences)


def printable(text: str, most: int = 200) -> str:
    """Text from a file, without what a terminal would obey or a line could not hold."""
    return "".join(c if c.isprintable() else " " for c in text[: 4 * most])[:most]
