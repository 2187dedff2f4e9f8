"""What people read at the end of a run: numbers that add up, what is wrong, what now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rdimport.circuit import Stop
from rdimport.reasons import Reason, explain, remedy
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

STOPS: Final = {
    Stop.KEY_REFUSED: Reason(
        "the endpoint refuses the API key",
        "In RD Station Marketing open Integrações > Chave de API and see that this key is active "
        "and copied as a whole; then run the same command again.",
    ),
    Stop.KEY_OF_CRM: Reason(
        "the API key belongs to RD Station CRM",
        "Create a key in RD Station Marketing (Integrações > Chave de API) and run again.",
    ),
    Stop.WRONG_ENDPOINT: Reason(
        "the endpoint does not know the address or the form of our requests",
        "Check --base-url: it ends before /platform.",
    ),
    Stop.ENDPOINT_DOWN: Reason(
        "the endpoint cannot be reached",
        "Check the network and --base-url, then run the same command again: it goes on where it "
        "stopped.",
    ),
    Stop.ENDPOINT_UNCLEAR: Reason(
        "several answers in a row could not be understood",
        "Wait until the endpoint is well again, then run the same command: it sends only the rows "
        "that were not tried.",
    ),
    Stop.ALL_REFUSED: Reason(
        "the endpoint refuses every row for the same reason",
        "Correct the mapping or the account as the reason says, then run the same command again.",
    ),
    Stop.LEAD_QUOTA: Reason(
        "some e-mails have had their share of conversions for today",
        "Run the same command again tomorrow: it sends only what is left.",
    ),
    Stop.SIGNAL: Reason(
        "it was asked to stop", "Run the same command again: it goes on from here."
    ),
    Stop.MAX_DURATION: Reason(
        "its time was up",
        "Run the same command again: it goes on from here.",
    ),
    Stop.LIMIT: Reason(
        "it sent as many rows as --limit allows",
        "Look at them in RD Station Marketing; without --limit the same command sends the rest.",
    ),
}
"""Why a run stopped, and what to do about it."""


def imported(done: Imported) -> Iterator[str]:
    """The lines at the end of a run."""
    told = done.summary
    yield f"Run {told['run_id']}: {told['rows']} rows"
    yield from counts(done.counts, told["left_out"])
    yield from _how(told)
    if told["stopped_because"] in STOPS:
        stop = STOPS[Stop(told["stopped_because"])]
        yield ""
        yield f"It stopped because {stop.sentence}."
        yield stop.remedy
    yield from problems(done.problems, told["problems"], told["files"])
    yield from notes(done.notes)
    yield ""
    if any(told[state] for state in (State.INVALID, State.REFUSED, State.UNCERTAIN)):
        yield f"Failure report: {told['failures_csv']}"
        yield "Correct the rows in it and run it with the same mapping: only they are sent."
    yield f"Summary: {told['summary_json']}"


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


def _how(told: dict[str, Any]) -> Iterator[str]:
    if not told["requests"]:
        return
    used = f", {told['quota_used']:.0%} of the quota" if told["quota_used"] is not None else ""
    again = f", {told['retries']} of them retries" if told["retries"] else ""
    slowed = f", {told['throttled']} answered “too many requests”" if told["throttled"] else ""
    rate = f"{told['rows_per_second']:g} a second"
    yield f"{told['requests']} requests{again}{slowed}, {rate}{used}"


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
