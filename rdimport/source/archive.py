"""Chooses the list in a zip archive.

An export may contain the people who unsubscribed next to those who did not, so if there are several
lists the user has to choose. Anything that is not a list (a note, a picture, an empty file) is
mentioned and skipped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.errors import SourceError
from rdimport.core.messages import _, ngettext
from rdimport.core.names import fold
from rdimport.source.files import UNPACK, InputFile, is_of_office, is_zip
from rdimport.source.limits import MOST_MEMBERS, MOST_OPENED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zipfile import ZipInfo

    import polars as pl

    from rdimport.source.port import Hints, Table

    Open = Callable[[InputFile, int, Hints], tuple[Table, ...]]

_WORKBOOK_PARTS: Final = ("[Content_Types].xml", "mimetype", "content.xml")
_SYSTEM: Final = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
_LISTS: Final = frozenset({".csv", ".tsv", ".tab", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods"})
_PACKED: Final = frozenset({".zip", ".gz", ".tgz", ".bz2", ".zst", ".xz", ".rar", ".7z", ".tar"})
_NOT_LISTS: Final = frozenset(
    ".pdf .png .jpg .jpeg .gif .bmp .svg .webp .ico .doc .docx .rtf .odt .ppt .pptx .json .yaml"
    " .yml .md .url .lnk .eml .css .js .log .sql .vcf".split()
)
"""Suffixes of files that are not tables, or not lists of people."""
_NOTE: Final = re.compile(r"(?:read|leia)[ _.-]?me|licen[cs][ea]\b|copying\b|instruc|changelog")
_EMAIL: Final = r"[^@\s;,<>]+@[^@\s;,<>]+\.[a-zA-Z]{2,}"
_HEADING: Final = re.compile(r"\be-?mails?\b|\bcorreio\b")
_JUDGED: Final = 50
"""Number of rows used to tell a list from other text."""
_SHOWN: Final = 10
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800


class _Member(NamedTuple):
    """A file in the archive: its display name, and its entry."""

    name: str
    info: ZipInfo

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()


def the_list(file: InputFile, hints: Hints, opens: Open) -> InputFile:
    """The list in an archive; any other file unchanged. `opens` tests for a table.

    Raises SourceError if the user has to choose.
    """
    if not is_zip(file):
        if file.member:
            raise SourceError(
                _("{name}/{member} does not exist.", name=file.name, member=file.member),
                _("{name} is a file.", name=file.name),
            )
        return file
    with file.package() as archive:
        infos = archive.infolist()
    if any(info.filename in _WORKBOOK_PARTS for info in infos):
        return file
    _refuse_other_archives(file, infos)
    members = _members(infos)
    if not members:
        raise SourceError(
            _("{name} is an archive without a file in it.", name=file.name), _("Check the archive.")
        )
    fits = _fitting(file, members, file.member or hints.member)
    chosen = fits[0] if len(fits) == 1 else _only(file, fits, hints, opens)
    if chosen.suffix in _PACKED:
        raise _nested(f"{file.name}/{chosen.name}")
    left = [member for member in fits if member is not chosen]
    return replace(_opened(file, chosen), notes=_notes(file, left))


def _refuse_other_archives(file: InputFile, infos: Sequence[ZipInfo]) -> None:
    """Raise SourceError for a zip file that is not an archive of lists, or has too many members."""
    if any(info.filename.endswith(".iwa") for info in infos):
        raise SourceError(
            _(
                "{name} is a Numbers document, a format that only Apple's programs read.",
                name=file.name,
            ),
            _("Open it in Numbers, choose File > Export To > CSV or Excel, and import that."),
        )
    if file.packed:
        raise _nested(file.name)
    if len(infos) > MOST_MEMBERS:
        raise SourceError(
            _(
                "{name} contains {infos} files, too many to search.",
                name=file.name,
                infos=len(infos),
            ),
            _(UNPACK),
        )


def _nested(name: str) -> SourceError:
    return SourceError(_("{name} is an archive inside another.", name=name), _(UNPACK))


def _members(infos: Sequence[ZipInfo]) -> list[_Member]:
    """The visible files; identical entries added twice count once."""
    seen = {(info.filename, info.CRC, info.file_size): info for info in infos if not info.is_dir()}
    return [
        _Member(_readable(info), info) for info in seen.values() if not _is_system(info.filename)
    ]


def _is_system(name: str) -> bool:
    parts = PurePosixPath(name).parts
    last = parts[-1] if parts else "."
    if last.startswith(".") or is_of_office(last):
        return True
    return parts[:1] == ("__MACOSX",) or last.lower() in _SYSTEM


def _readable(info: ZipInfo) -> str:
    """The name as it was written: few programs declare UTF-8 or the Brazilian code page."""
    if info.flag_bits & _UTF8 or info.filename.isascii():
        return info.filename
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp850")


def _fitting(file: InputFile, members: list[_Member], wanted: str | None) -> list[_Member]:
    """Members called `wanted`, otherwise those that match it as a pattern; all if it is empty.

    Case and accents are ignored unless they distinguish two names. Raises SourceError if there is
    none.
    """
    if not wanted:
        return members
    very = [member for member in members if member.name == wanted]
    if very:
        return very
    name = fold(wanted.replace("\\", "/"))
    fits = [member for member in members if name in _names(member)]
    fits = fits or [
        member for member in members if any(fnmatchcase(n, name) for n in _names(member))
    ]
    if not fits:
        raise SourceError(
            _(
                "No file in {name} matches {wish}. It contains {named}.",
                name=file.name,
                wish=wanted,
                named=_named(members),
            ),
            _("Name one of them with --member."),
        )
    return fits


def _names(member: _Member) -> tuple[str, ...]:
    """The names that refer to a member: with folders, without folders, without suffix."""
    path = PurePosixPath(fold(member.name))
    return str(path), path.name, path.stem


def _only(file: InputFile, members: list[_Member], hints: Hints, opens: Open) -> _Member:
    """The only list among the members. Raises SourceError if there is none or more than one."""
    recognised = [member for member in members if _recognised_by_name(member) is not None]
    if len(members) - len(recognised) > MOST_OPENED:
        raise SourceError(
            _(
                "{name} contains {members} files, too many to find the list among them.",
                name=file.name,
                members=len(members),
            ),
            _("Name it with --member."),
        )
    lists = [member for member in members if _may_be_list(file, member, hints, opens)]
    if not lists:
        raise SourceError(
            _("{name} contains no list, only {named}.", name=file.name, named=_named(members)),
            _("If one of them is a list after all, name it with --member."),
        )
    if len(lists) > 1:
        raise _several(file, lists)
    return lists[0]


def _several(file: InputFile, lists: Sequence[_Member]) -> SourceError:
    example = lists[0].name
    if len({member.info.filename for member in lists}) == 1:
        return SourceError(
            _(
                "{name} contains {lists} different files named {member}.",
                name=file.name,
                lists=len(lists),
                member=example,
            ),
            _(UNPACK),
        )
    return SourceError(
        _(
            "{name} contains {lists} lists, and an import takes one: {named}.",
            name=file.name,
            lists=len(lists),
            named=_named(lists),
        ),
        _(
            'Choose one: --member "{example}", or in the mapping source: {{member: "{example}"}}.',
            example=example,
        ),
    )


def _recognised_by_name(member: _Member) -> bool | None:
    """Whether its name says that it may be a list; None if the name is inconclusive."""
    if not member.info.file_size or member.suffix in _NOT_LISTS:
        return False
    if member.suffix in _LISTS | _PACKED:
        return True
    return False if _NOTE.match(fold(PurePosixPath(member.name).name)) else None


def _may_be_list(file: InputFile, member: _Member, hints: Hints, opens: Open) -> bool:
    """Whether skipping it would be a guess."""
    recognised = _recognised_by_name(member)
    if recognised is not None:
        return recognised
    opened = _opened(file, member)
    if member.info.flag_bits & _ENCRYPTED or is_zip(opened):
        return True  # other unpacking errors have been reported by now
    try:
        tables = opens(opened, 0, hints)
    except SourceError:
        return False
    return any(_has_people(table, hints) for table in tables)


def _opened(file: InputFile, member: _Member) -> InputFile:
    name = f"{file.name}/{member.name}"
    return replace(file, name=name, packed="zip", member=member.info.filename)


def _has_people(table: Table, hints: Hints) -> bool:
    """Whether it has the mapping's columns, an e-mail heading, or a column of addresses."""
    import polars as pl  # noqa: PLC0415  only such archives need it

    columns = [fold(name) for name in table.columns]
    if {fold(name) for name in hints.columns}.intersection(columns):
        return True
    if len(columns) > 1 and any(_HEADING.search(name) for name in columns):
        return True
    rows = next(table.batches(_JUDGED), None)
    if rows is None or rows.is_empty():
        return False
    cells = rows.select(pl.col(*table.columns).fill_null(""))
    if _share(cells, rf"^\s*{_EMAIL}\s*$") > 0.5:
        return True
    return len(columns) > 1 and rows.height > 1 and _share(cells, _EMAIL) > 0.5


def _share(cells: pl.DataFrame, form: str) -> float:
    """The share of rows with such a cell."""
    import polars as pl  # noqa: PLC0415

    found = cells.select(pl.any_horizontal(pl.all().str.contains(form)).mean())
    return float(found.item() or 0)


def _notes(file: InputFile, left: Sequence[_Member]) -> tuple[str, ...]:
    if not left:
        return ()
    note = ngettext(
        "{names} in {file} is not a list and was left out.",
        "{names} in {file} are not lists and were left out.",
        len(left),
        names=_named(left),
        file=file.name,
    )
    return (note,)


def _named(members: Sequence[_Member]) -> str:
    names = [member.name for member in members]
    shown = ", ".join(names[:_SHOWN])
    if len(names) <= _SHOWN:
        return shown
    return ngettext(
        "{names} and {number} more", "{names} and {number} more", len(names) - _SHOWN, names=shown
    )
