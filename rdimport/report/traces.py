"""Finds people in files written by runs (reports, logs) and in other files next to them."""

from __future__ import annotations

import html
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core.errors import ReportError
from rdimport.core.looking import files_within, is_file
from rdimport.core.messages import _
from rdimport.core.names import is_run
from rdimport.core.people import People
from rdimport.report.private_files import REPORT_FILES, delete, private, seen_in, unlisted

_LOG: Final = re.compile(r".+\.log(\.\d+)?|webhooks-.+\.jsonl")
"""Line-based files that a run or the listener of `settle` writes."""

_LEDGER: Final = re.compile(r"ledger[^/]*\.sqlite3.*|.*\.(?:lock|sent)")
"""Files of ledgers, which are handled elsewhere."""


class Gone(NamedTuple):
    """The deleted report folders, the log files that were rewritten, and other files that still
    name the people.
    """

    reports: tuple[Path, ...]
    logs: tuple[Path, ...]
    left: tuple[Path, ...]


def remove_traces(places: Iterable[Path], people: People, runs: Sequence[str]) -> Gone:
    """Delete the reports that name the people, and those of `runs`; remove the people from logs.

    Raises ReportError for what cannot be deleted, and for a folder that may not be listed.
    """
    reports, logs, left = [], [], []
    for place in dict.fromkeys(place.absolute() for place in places):
        for folder in _reports(place):
            if folder.name in runs or any(_names(file, people) for file in _report_files(folder)):
                delete(folder)
                reports.append(folder)
        for file in _files(place):
            if _LEDGER.fullmatch(file.name) or not _names(file, people):
                continue
            if _LOG.fullmatch(file.name) and _rewritten(file, people):
                logs.append(file)
            else:
                left.append(file)
    return Gone(tuple(reports), tuple(logs), tuple(dict.fromkeys(left)))


def names_people(folder: Path, people: People) -> bool:
    """Whether the report in this folder names the people."""
    return any(_names(file, people) for file in _report_files(folder))


def _reports(place: Path) -> list[Path]:
    return [
        folder for folder in seen_in(place) if is_run(folder.name) and any(_report_files(folder))
    ]


def _report_files(folder: Path) -> Iterator[Path]:
    for name in REPORT_FILES:
        if is_file(folder / name):
            yield folder / name


def _files(place: Path) -> Iterator[Path]:
    try:
        found = list(files_within(place))
    except OSError as error:
        raise unlisted(error) from error
    yield from (path for path in found if is_file(path) and not path.is_symlink())


def _names(path: Path, people: People) -> bool:
    """Whether a file names the people; an unreadable one may."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(_in_bytes(archive.read(name), people) for name in archive.namelist())
        return _in_bytes(path.read_bytes(), people)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return True


def _in_bytes(data: bytes, people: People) -> bool:
    kinds = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8", "latin-1"]
    texts = (data.decode(kind, "replace") for kind in kinds)
    return any(people.are_in(text) or people.are_in(html.unescape(text)) for text in texts)


def _rewritten(log: Path, people: People) -> bool:
    """Remove the people from a log, line by line; returns whether none is left. The listener may
    append meanwhile: what it has written to the old file is read once nobody can find that any more
    (on Windows, which replaces no open file, just before). Raises ReportError if that cannot be
    added to the new one.
    """
    rest = b""
    with suppress(ReportError, OSError), log.open("rb") as old:
        with private(log) as half, half.open("wb") as new:
            whole, begun = _lines_of(old.read())
            new.write(_without(people, whole))
            if os.name == "nt":
                new.write(_without(people, begun + old.read()))
                old.close()
            new.flush()
            os.fsync(new.fileno())
        if not old.closed:
            rest = begun + old.read()
    if rest:
        _carry_over(_without(people, rest), log)
    return not _names(log, people)


def _carry_over(rest: bytes, log: Path) -> None:
    """Add what was written meanwhile: the webhook does not repeat calls that were answered."""
    try:
        with log.open("ab") as new:
            new.write(rest)
    except OSError as error:
        raise ReportError(
            _(
                "What was written to {path} while people were removed from it is lost: {error}.",
                path=log,
                error=error,
            ),
            _(
                "Free disk space, then type the same command again. If these were calls of RD's "
                "webhook, settle the rows in question with an export of conversions: "
                "docs/settle.md."
            ),
        ) from error


def _lines_of(data: bytes) -> tuple[bytes, bytes]:
    """The whole lines, and a last one that is still being written."""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _without(people: People, data: bytes) -> bytes:
    """Lines without the people, each with its end: the next one begins a new line."""
    text = data.decode(errors="surrogateescape")
    lines = [people.out_of(line) for line in text.splitlines(keepends=True)]
    end = "" if not text or text.endswith("\n") else "\n"
    return "".join([*lines, end]).encode(errors="surrogateescape")
