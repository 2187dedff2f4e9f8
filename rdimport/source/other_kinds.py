"""Recognises text files that contain contacts but no table, and says how to convert them."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final, NamedTuple

from rdimport.core.errors import SourceError
from rdimport.core.messages import _, untranslated
from rdimport.source.files import is_of_office


class Kind(NamedTuple):
    """A pattern for the beginning of such a file, its name, and what to do."""

    begins: re.Pattern[bytes]
    what: str
    remedy: str


_ADDRESS_BOOK: Final = untranslated(
    "Export the contacts as csv from the address book or mail program that they are in (in Google "
    "Contacts: Export, Google CSV)."
)
_COMMENTS: Final = rb"(?:#[^\n]*\n|---[^\n]*\n|[ \t\r]*\n)*+"
_KINDS: Final = (
    Kind(
        re.compile(rb"(?i)begin:vcard\b"),
        untranslated("a vCard file (vcf) of an address book"),
        _ADDRESS_BOOK,
    ),
    Kind(
        re.compile(rb"(?i)(?:version: ?\d+\s+)?dn::? ?\S+="),
        untranslated("an LDIF file of an address book"),
        _ADDRESS_BOOK,
    ),
    Kind(
        re.compile(rb"(?i)begin:vcalendar\b"),
        untranslated("a calendar (ics)"),
        untranslated("Export the contacts as xlsx or csv and import that."),
    ),
    Kind(
        re.compile(rb"(?i)(?:from|mime-version|content-type|subject|date|snapshot-content-location)"
                   rb": ?[^\r\n]*\r?\n(?:[\w-]+:|\s+\S)"),
        untranslated("a mail or a saved web page (MHTML)"),
        untranslated(
            "Open it in the program that it comes from and export the contacts as xlsx or csv."
        ),
    ),
    Kind(
        re.compile(rb'(?i)\[InternetShortcut\]|\[Desktop Entry\]|\{[^{}]*"doc_id"\s*:'
                   rb"|(?:<[?!][^>]*>\s*)*<plist[^>]*>\s*<dict>\s*<key>URL<"),
        untranslated("a link to a page"),
        untranslated(
            "Open it in the browser, download the list as xlsx or csv and import that, or write "
            "the page's address (https://…) in place of the file."
        ),
    ),
    Kind(
        re.compile(rb'(?:\[\s*)?\{\s*(?:\}|"[^"\r\n]*"\s*:)|\[\s*(?:\]|\[|"[^"]*"\s*,)'),
        untranslated("a JSON file"),
        untranslated("Save it as xlsx or csv, with one row for each contact and a header."),
    ),
    Kind(
        re.compile(_COMMENTS + rb"(?:version|conversion_identifier|fields):"
                   rb"(?=[\s\S]*?\n(?:version|conversion_identifier|fields):)"),
        untranslated("a mapping"),
        untranslated("Name the list first, and the mapping after -m: rdimport run LIST -m MAPPING"),
    ),
    Kind(
        re.compile(_COMMENTS + rb"\[(?:defaults|(?:accounts|jobs|notify)\.[^\]\r\n]+)\]"),
        untranslated("a settings file"),
        untranslated("Its jobs are run by: rdimport jobs run --config FILE"),
    ),
)  # fmt: skip
_BEFORE: Final = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_LOOKED_AT: Final = 4096
_LOCK_FILE: Final = 165
"""Bytes in a lock file of Excel: the length of a name, the name padded to 54 bytes, then both
again in UTF-16.
"""


def refuse_other_kinds(name: str, head: bytes) -> None:
    """Raise SourceError if the file begins like one of these kinds, in any encoding, or is a lock
    file of Office by name and content.
    """
    if is_of_office(PurePath(name).name) and len(head) == _LOCK_FILE and 0 < head[0] <= 54:
        raise SourceError(
            _("{name} only says who has a workbook open; Office deletes it afterwards.", name=name),
            _("Name the list itself; a pattern in quotes ('*.xlsx') leaves such files out."),
        )
    start = head[:_LOOKED_AT].replace(b"\0", b"").lstrip(_BEFORE)
    for kind in _KINDS:
        if kind.begins.match(start):
            suffix = PurePath(name).suffix
            is_misleading = suffix in {".csv", ".txt", ".xls"}
            raise SourceError(
                _(
                    "{name} is {what}, not a spreadsheet{whatever}.",
                    name=name,
                    what=_(kind.what),
                    whatever=_(", whatever {suffix} says", suffix=suffix) if is_misleading else "",
                ),
                _(kind.remedy),
            )
