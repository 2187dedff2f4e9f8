"""Text files that hold contacts, but no table: what each is, and how to get a table from it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final, NamedTuple

from rdimport.core.errors import SourceError


class Kind(NamedTuple):
    """A pattern for the beginning of such a file, what it is, and what to do."""

    begins: re.Pattern[bytes]
    what: str
    remedy: str


_ADDRESS_BOOK: Final = (
    "Export the contacts as csv from the address book or mail program that they are in (in Google "
    "Contacts: Export, Google CSV)."
)
_KINDS: Final = (
    Kind(
        re.compile(rb"(?i)begin:vcard\b"),
        "a vCard file (vcf) of an address book",
        _ADDRESS_BOOK,
    ),
    Kind(
        re.compile(rb"(?i)(?:version: ?\d+\s+)?dn::? ?\S+="),
        "an LDIF file of an address book",
        _ADDRESS_BOOK,
    ),
    Kind(
        re.compile(rb"(?i)begin:vcalendar\b"),
        "a calendar (ics)",
        "Export the contacts as xlsx or csv and import that.",
    ),
    Kind(
        re.compile(rb"(?i)(?:from|mime-version|content-type|subject|date|snapshot-content-location)"
                   rb": ?[^\r\n]*\r?\n(?:[\w-]+:|\s+\S)"),
        "a mail or a saved web page (MHTML)",
        "Open it in the program that it comes from and export the contacts as xlsx or csv.",
    ),
    Kind(
        re.compile(rb'(?:\[\s*)?\{\s*(?:\}|"[^"\r\n]*"\s*:)|\[\s*(?:\]|\[|"[^"]*"\s*,)'),
        "a JSON file",
        "Save it as xlsx or csv, with one row for each contact and a header.",
    ),
)  # fmt: skip
_BEFORE: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_LOOKED_AT: Final = 4096


def refuse_other_kinds(name: str, head: bytes) -> None:
    """Raise SourceError where the file's first bytes, in whatever encoding, are of such a kind."""
    start = head[:_LOOKED_AT].replace(b"\0", b"").lstrip(_BEFORE)
    for kind in _KINDS:
        if kind.begins.match(start):
            suffix = PurePath(name).suffix
            whatever = f", whatever {suffix} says" if suffix in {".csv", ".txt", ".xls"} else ""
            raise SourceError(f"{name} is {kind.what}, not a spreadsheet{whatever}.", kind.remedy)
