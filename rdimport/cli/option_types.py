"""Parsers for option values: numbers, durations, times.

Error messages do not repeat the value, which may be a key typed in the wrong place.
"""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from rdimport.core.messages import LANGUAGES, Language, _
from rdimport.core.shell import STDIN

_LONGEST: Final = 365_250 * 86_400.0
"""A thousand years in seconds: longer durations cannot be subtracted from a date."""

_DIGITS: Final = 18


def positive(text: str) -> int:
    """An integer above 0."""
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) == 0:
        raise ArgumentTypeError(_("is not a whole number above 0"))
    return int(text)


def seconds(text: str) -> float:
    """A duration such as 2h, in seconds; a bare number means seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?", text.strip().lower())
    units = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
    found = float(match[1]) * units[match[2] or "s"] if match else math.inf
    if found > _LONGEST:
        raise ArgumentTypeError(_("is not a duration: write 90d, 2h, 45m or 30s"))
    return found


def some_seconds(text: str) -> float:
    """A duration other than 0."""
    found = seconds(text)
    if found == 0:
        raise ArgumentTypeError(_("no response arrives in zero time"))
    return found


def age(text: str) -> float:
    """A duration with a unit, in seconds."""
    found = seconds(text)
    if not text.strip()[-1].isalpha():  # 90 would mean seconds, and deletion is final
        raise ArgumentTypeError(_("has no unit: write 90d or 12h"))
    return found


def time_of_day(text: str) -> tuple[int, int]:
    """Hour and minute."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if match is None:
        raise ArgumentTypeError(_("is not a time of day: write it as 06:00"))
    return int(match[1]), int(match[2])


def spoken(text: str) -> Language:
    """A language, in any common spelling."""
    typed = text.lower().replace("_", "-")
    for lang in LANGUAGES:
        if typed in (lang.lower(), lang[:2]):
            return lang
    raise ArgumentTypeError(_("is not one of {languages}", languages=", ".join(LANGUAGES)))


def new_file(text: str) -> Path:
    """A file to write. `-`, which elsewhere means a stream, would become a file of that name."""
    if text == STDIN:
        raise ArgumentTypeError(_("names no file; for a file called “-”, write ./-"))
    return Path(text)


def point_in_time(text: str) -> datetime:
    """A date, or a date and time, with or without an offset from UTC."""
    try:
        read = datetime.fromisoformat(text.strip())
        read.timestamp()
    except (ValueError, OverflowError, OSError):
        raise ArgumentTypeError(_("is not a time: write 2026-11-28 or 2026-11-28T18:00")) from None
    return read


def utc_offset(text: str) -> timezone:
    """An offset from UTC."""
    match = re.fullmatch(r"([+-])(0\d|1[0-4]):([0-5]\d)", text.strip())
    if match is None:
        raise ArgumentTypeError(_("is not a UTC offset: write -03:00"))
    apart = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-apart if match[1] == "-" else apart)


def listen_address(text: str) -> tuple[str, int]:
    """Host and port; a bare port means this machine."""
    host, __, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ArgumentTypeError(_("is not an address: write 127.0.0.1:8091"))
    return host.strip("[]") or "127.0.0.1", int(port)
