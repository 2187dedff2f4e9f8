"""`check --payloads FILE`: all payloads as JSON lines, each with its row."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rdimport.core.errors import ReportError, UsageError
from rdimport.core.looking import exists
from rdimport.core.messages import _
from rdimport.core.visible import shown_json
from rdimport.report.private_files import private

if TYPE_CHECKING:
    from rdimport.api.results import CheckResult


def refuse_to_overwrite(path: Path) -> None:
    """Raise UsageError if the file exists: it may be the list itself."""
    if exists(path):
        raise UsageError(
            _("{path} already exists, and is not overwritten.", path=path),
            _("Name another file with {option}.", option="--payloads"),
        )


def write(done: CheckResult, path: Path) -> None:
    """Write the payloads to a file for its owner only. Raises UsageError if that fails."""
    try:
        _write(done, path)
    except ReportError as error:
        raise UsageError(
            _("{path} cannot be written: {error}.", path=path, error=error.__cause__ or error),
            _("With {option}, name a file in a folder that you can write to.", option="--payloads"),
        ) from None


def _write(done: CheckResult, path: Path) -> None:
    names = [shown_json(table.name) for table in done.tables]
    rows = islice(done.plan.pending_rows(), done.to_send)
    with private(path) as half, half.open("w", encoding="utf-8") as lines:
        for row in (pending.outgoing for pending in rows):
            head = f'"file":{names[row.file]},"row":{row.row}'
            lines.write(f'{{{head},"payload":{row.payload}}}\n')
