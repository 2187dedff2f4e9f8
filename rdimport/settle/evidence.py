"""Evidence of conversions: RD's webhook calls, as JSON lines.

A line is the body of a call, or `{"received_at": ..., "call": body}` as the listener writes it.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.core.names import fold

CONVERTED: Final = "WEBHOOK.CONVERTED"
"""The event sent by RD's trigger "Nova conversão"."""

MAX_LINE: Final = 1_000_000
"""Maximum bytes of a line, far more than RD's calls have; longer lines are skipped."""

_DAY_FIRST: Final = re.compile(
    r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})"
    r"(?:,?\s+(?:às\s+)?(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
)


class Evidence(NamedTuple):
    """One conversion: contact, identifier, time and the fields that have a value.

    `kind` is `webhook` or `export`, `source` says where it was read.
    """

    email: str
    identifier: str
    at: datetime
    fields: Mapping[str, object]
    kind: str
    source: str


Unread = Counter[str]
"""Reasons why an entry is not evidence: not_json, not_conversion, no_email, no_identifier,
no_moment.
"""


def file_name(account: str) -> str:
    """An account's name as part of a file's name."""
    name = "-".join(fold(account).split())
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def calls_of(account: str) -> str:
    """The file of the calls received for an account, by its `file_name`; `*` for any."""
    return f"webhooks-{account}.jsonl"


def webhook_lines(path: Path, unread: Unread) -> Iterator[Evidence]:
    """The conversions in a file of received calls. Raises SourceError if it cannot be read, or if
    it has lines and none begins like a JSON object: it is something else, such as a spreadsheet.
    """
    starts = set()
    try:
        with path.open("rb") as file:
            for line in _lines(file, unread):
                starts.add(line.removeprefix(BOM_UTF8).lstrip()[:1])
                found = of_call(line, path.name, unread)
                if found is not None:
                    yield found
    except OSError as error:
        raise SourceError(
            _("{path} cannot be read: {why}.", path=path, why=error.strerror),
            _("Name a file with the calls of RD's webhook, one JSON object per line."),
        ) from error
    if starts and b"{" not in starts:
        raise SourceError(
            _("{path} has no call of RD's webhook: none of its lines is a JSON object.", path=path),
            _(
                "An export of conversions needs its mapping and the column of its moments: "
                'rdimport settle FILE -m MAPPING --moment "COLUMN"'
            ),
        )


def _lines(file: BinaryIO, unread: Unread) -> Iterator[bytes]:
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            if line.strip():
                yield line
            continue
        unread["not_json"] += 1
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)


def of_call(body: bytes, source: str, unread: Unread) -> Evidence | None:
    """The conversion in one call; None, and counted in `unread`, if there is none."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        unread["not_json"] += 1
        return None
    if isinstance(call, dict) and isinstance(call.get("call"), dict):
        call = call["call"]
    if not isinstance(call, dict) or call.get("event_type") != CONVERTED:
        unread["not_conversion"] += 1
        return None
    contact = call.get("contact")
    contact = contact if isinstance(contact, dict) else {}
    email, name = contact.get("email"), call.get("event_identifier")
    at = moment(call.get("event_timestamp"), UTC)
    if not isinstance(email, str) or "@" not in email:
        unread["no_email"] += 1
    elif not isinstance(name, str) or not name.strip():
        unread["no_identifier"] += 1
    elif at is None:
        unread["no_moment"] += 1
    else:
        return Evidence(_address(email), name.strip(), at, _fields(contact), "webhook", source)
    return None


def moment(value: object, zone: tzinfo | None) -> datetime | None:
    """Parse a time. Without an offset from UTC it is in `zone`; None means this machine's time
    zone.

    A date without a time is taken as its beginning, which proves least.
    """
    text = str(value or "").strip()
    found = _DAY_FIRST.fullmatch(text)
    try:
        if found:
            numbers = {name: int(part or 0) for name, part in found.groupdict().items()}
            read = datetime(**numbers)  # type: ignore[arg-type]  # noqa: DTZ001
        else:
            read = datetime.fromisoformat(text.removesuffix(" UTC"))
    except (ValueError, OverflowError):
        return None
    if read.tzinfo is not None:
        return read
    try:
        return read.replace(tzinfo=UTC if text.endswith(" UTC") else zone).astimezone(UTC)
    except (OSError, OverflowError, ValueError):
        return None


def _address(email: str) -> str:
    return email.strip().lower()


def _fields(contact: Mapping[str, Any]) -> dict[str, object]:
    """The contact's fields that have a value, by the names used in a mapping."""
    company = contact.get("company")
    named = {**contact, "company_name": company.get("name") if isinstance(company, dict) else None}
    return {name: value for name, value in named.items() if value not in (None, "", [], {})}
