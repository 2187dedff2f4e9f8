"""Opens input files: plain, compressed, in an archive, or from a pipe. No other module does."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import os
import re
import stat
import struct
import sys
import tempfile
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

from rdimport.core.address import is_address, shown
from rdimport.core.arguments import see_utf8
from rdimport.core.errors import SourceError
from rdimport.core.looking import exists, is_file, is_folder, listed, nearest
from rdimport.core.messages import _, untranslated
from rdimport.core.shell import at_home
from rdimport.core.visible import shown_lines
from rdimport.source import remote
from rdimport.source.limits import MOST_RATIO, MOST_WHOLE, UNPACKED_FREE
from rdimport.source.refusals import harmful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdimport.source.port import Hints

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_ZSTD_ERRORS: tuple[type[Exception], ...] = ()
"""What zipfile raises for damaged Zstandard data, which it reads from 3.14 on."""
if sys.version_info >= (3, 14):
    with suppress(ImportError):  # a Python built without it: zipfile says so itself
        from compression.zstd import ZstdError

        _ZSTD_ERRORS = (ZstdError,)
_BROKEN_ZIP: Final[tuple[type[Exception], ...]] = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
    *_ZSTD_ERRORS,
)
UNPACK: Final = untranslated("Unpack the archive yourself and name the file that was in it.")
_PAGE: Final = re.compile(r"(?i)www\.|(?:docs|drive)\.google\.com/")
"""The beginning of an address as people type it, without its scheme."""
_DAMAGED: Final[tuple[type[Exception], ...]] = (
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    *_ZSTD_ERRORS,
)


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input file: its display name, the location of its bytes, and its compression.

    `packed` is empty, `gz`, `bz2`, `zst` or `zip`. `member` is the path inside a zip archive, or
    before it is opened, the requested one. `notes` say how the member was chosen.
    """

    name: str
    path: Path
    packed: str = ""
    member: str = ""
    notes: tuple[str, ...] = ()
    spool: Any = field(default=None, repr=False, compare=False)
    """Keeps the temporary copy of standard input or of a download open."""
    version: str = ""
    """Distinguishes a downloaded list from a later version: its ETag and size."""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open it at the beginning. Raises SourceError if it cannot be read."""
        if "\0" in str(self.path):
            raise SourceError(
                _("“{name}” is not a file path.", name=self.name), _("Check its spelling.")
            )
        try:
            with self.path.open("rb") as raw, self._unpacked(raw) as stream:
                yield stream
        except OSError as error:
            raise self._unreadable(error) from error
        except _DAMAGED as error:
            raise self._damaged() from error
        except NotImplementedError as error:  # this is also a RuntimeError
            raise SourceError(
                _("{name} uses a compression that is not supported.", name=self.name), _(UNPACK)
            ) from error
        except RuntimeError as error:
            if self.packed == "zip" and "password" in str(error):
                raise SourceError(
                    _("{name} is protected by a password.", name=self.name), _(UNPACK)
                ) from error
            raise

    @contextmanager
    def _unpacked(self, raw: BinaryIO) -> Iterator[BinaryIO]:
        if not self.packed:
            yield raw
        elif self.packed == "zip":
            with zipfile.ZipFile(raw) as archive, archive.open(self.member) as stream:
                begin = archive.getinfo(self.member).header_offset
                yield _counted(stream, lambda: raw.tell() - begin, self.name)
        elif self.packed == "zst":
            with _open_zstd(raw, self) as unpacked:
                yield _counted(unpacked, raw.tell, self.name)
        else:
            opener: Callable[[BinaryIO], Any] = gzip.open if self.packed == "gz" else bz2.open
            with opener(raw) as unpacked:
                yield _counted(unpacked, raw.tell, self.name)

    @contextmanager
    def package(self) -> Iterator[zipfile.ZipFile]:
        """The file as a zip archive. Raises SourceError if it is damaged."""
        with self.open() as stream:
            try:
                content = io.BytesIO(self._all_of(stream)) if self.packed else stream
                with zipfile.ZipFile(content) as found:
                    yield found
            except _BROKEN_ZIP as error:
                raise self._damaged() from error

    def head(self, size: int) -> bytes:
        """The first `size` bytes, or fewer if the file is shorter."""
        with self.open() as stream:
            return stream.read(size)

    def whole(self) -> bytes:
        """All bytes; only for formats that cannot be streamed."""
        with self.open() as stream:
            return self._all_of(stream)

    def _all_of(self, stream: BinaryIO) -> bytes:
        """All bytes. Raises SourceError if a small file decompresses to too much."""
        if not self.packed:
            return stream.read()
        whole = io.BytesIO()
        while data := stream.read(1 << 20):  # read to the end, where damage shows
            whole.write(data)
            if whole.tell() > MOST_WHOLE:
                raise SourceError(
                    _(
                        "{name} unpacks to a workbook of more than {most_whole} MiB.",
                        name=self.name,
                        most_whole=MOST_WHOLE >> 20,
                    ),
                    _(UNPACK),
                )
        return whole.getvalue()

    def fingerprint(self) -> tuple[int, int]:
        """Size and modification time: changes when the file is written to."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return found.st_size, found.st_mtime_ns

    def _damaged(self) -> SourceError:
        return SourceError(
            _("{name} is damaged: its compressed content ends early or is broken.", name=self.name),
            _("Copy or download it again."),
        )

    def _unreadable(self, error: OSError) -> SourceError:
        if isinstance(error, FileNotFoundError):
            remedy = _("Check the path and the spelling.") + _looked_in(self.path)
            if meant := nearest(self.path, _may_be_list):
                remedy = shown_lines([_("Did you mean {name}?", name=meant), remedy])
            if _PAGE.match(self.name):
                remedy = _("If it is the address of a page, write https:// in front of it.")
            return SourceError(_("{name} does not exist.", name=self.name), remedy)
        if is_folder(self.path):  # Windows reports a folder as a file without read permission
            return SourceError(
                _("{name} is a folder.", name=self.name),
                _(
                    "Name the files in it, for example {pattern}",
                    pattern=os.path.join(self.name, "*.csv"),  # noqa: PTH118  a bare C: stays one
                ),
            )
        if isinstance(error, PermissionError):
            return SourceError(
                _("{name} cannot be read: access was denied.", name=self.name),
                _("Check its permissions, and close it if another program (Excel) has it open."),
            )
        if self.packed:
            return self._damaged()
        reason = error.strerror or str(error)
        return SourceError(
            _("{name} cannot be read: {reason}.", name=self.name, reason=reason),
            _("Try a copy of it."),
        )


_PIECE: Final = 1 << 16
"""Bytes decompressed at a time: zipfile reads as many compressed ones ahead."""


class _Counted:
    """Decompressed data with a limit on the compression ratio of what has been read so far: a file
    that exceeds it only later has until then cost no more than a legitimate one.
    """

    def __init__(self, stream: IO[bytes], packed: Callable[[], int], name: str) -> None:
        self._stream = stream
        self._packed = packed
        self._name = name
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes. Raises SourceError if the ratio is exceeded."""
        pieces, left = [], size if size >= 0 else sys.maxsize
        while left and (data := self._stream.read(min(left, _PIECE))):
            pieces.append(data)
            left -= len(data)
            self._size += len(data)
            if self._size > UNPACKED_FREE and self._size > self._packed() * MOST_RATIO:
                raise harmful(
                    self._name, _("it unpacks to many times its size, more than any list does")
                )
        return b"".join(pieces)


def _counted(stream: IO[bytes], packed: Callable[[], int], name: str) -> BinaryIO:
    """`packed` returns the number of compressed bytes read so far."""
    return cast("BinaryIO", _Counted(stream, packed, name))


@contextmanager
def _open_zstd(raw: BinaryIO, file: InputFile) -> Iterator[BinaryIO]:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415  only .zst files need it
    else:
        from backports import zstd  # noqa: PLC0415
    try:
        with zstd.open(raw) as stream:
            yield cast("BinaryIO", stream)
    except zstd.ZstdError as error:
        raise file._damaged() from error  # noqa: SLF001  the same module


def input_files(paths: Sequence[str], hints: Hints) -> list[InputFile]:
    """The files with these names, in order; archives are not opened yet.

    Files at an address are copied into the folder `hints.downloads`.

    `archive.zip/leads.csv`, as written in reports, requests that member of the archive. Raises
    SourceError for a file that does not exist, is a directory, or is not readable.
    """
    named = [file for path in paths for file in _named(path, hints)]
    see_utf8((file.name for file in named), SourceError)
    found = [_unpacked(file) for file in named]
    if not found:
        raise SourceError(_("No file was named."), _("Name at least one spreadsheet."))
    return found


def _named(path: str, hints: Hints) -> list[InputFile]:
    if is_address(path):
        return [_downloaded(path, hints)]
    if path == STDIN:
        return [_spooled(_("standard input"), sys.stdin.buffer)]
    plain = InputFile(path, at_home(path))
    within = _within(path)
    if within:
        return [within]
    if glob.has_magic(path) and not exists(plain.path):
        files = [InputFile(match, Path(match)) for match in matching(str(plain.path))]
        if not files:
            raise SourceError(
                _("No file matches {path}.", path=path),
                _("Check the folder and the pattern.") + _looked_in(plain.path),
            )
        return files
    _refuse_devices(plain)
    with plain.open() as stream:
        if stat.S_ISFIFO(plain.path.stat().st_mode):
            return [_spooled(path, stream)]
    return [plain]


def _refuse_devices(file: InputFile) -> None:
    """Raise SourceError for a device, which may never end: on Windows `aux.csv` is one."""
    with suppress(OSError, ValueError):  # reported when it is opened
        mode = file.path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise SourceError(
                _(
                    "{name} cannot be read: {reason}.",
                    name=file.name,
                    reason=_("it is not a file, but a device or a socket"),
                ),
                _("Check the path and the spelling."),
            )


def _may_be_list(suffix: str) -> bool:
    return suffix not in (".yaml", ".yml", ".toml", ".json", ".log")


def _looked_in(path: Path) -> str:
    """The folder in which a relative path was looked up: cron starts in another than a person."""
    with suppress(OSError):  # a folder that was deleted
        if not path.root:  # on Windows one with a root may still lack a drive
            return _(" It was looked for in {folder}.", folder=Path.cwd())
    return ""


def matching(pattern: str) -> list[str]:
    """The files that match a pattern, sorted, without the lock files that Office puts next to
    lists.

    Raises SourceError if there is none because a folder may not be listed.
    """
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  ** and ~
    if not found:
        _refuse_unlisted(pattern)
    return [name for name in found if is_file(Path(name)) and not is_of_office(Path(name).name)]


def _refuse_unlisted(pattern: str) -> None:
    """Raise SourceError if a folder in which a pattern's files would be may not be listed."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)  # noqa: PTH120  as glob does
        for folder in glob.glob(pattern or ".", recursive=True):  # noqa: PTH207
            try:
                listed(Path(folder))
            except OSError as error:
                raise SourceError(
                    _(
                        "The folder {folder} cannot be listed: {error}.",
                        folder=folder,
                        error=error.strerror,
                    ),
                    _("Correct its permissions, or name the files one by one."),
                ) from error


def is_of_office(name: str) -> bool:
    """Whether its name is that of an Office lock file, which records who has a workbook open."""
    return name.startswith("~$")


def _spooled(name: str, stream: BinaryIO) -> InputFile:
    """A copy that can be read twice, by its owner only. It is unlinked where the system allows
    reading an unlinked file, so nothing is left behind if the process is killed.
    """
    copy, path = _scratch()
    while data := stream.read(1 << 20):
        copy.write(data)
    copy.flush()
    return InputFile(name, path, spool=_Open(copy))


def _scratch(folder: Path | None = None) -> tuple[Any, Path]:
    """A temporary file, unlinked where the system can still open it by a path, and that path."""
    copy: Any = tempfile.TemporaryFile(prefix="rdimport-", dir=folder)  # noqa: SIM115  it lives on
    path = Path(f"/proc/{os.getpid()}/fd/{copy.fileno()}")
    if not exists(path):  # not Linux; Windows cannot open a delete-on-close file by its name
        lasts = sys.platform == "win32"
        copy = tempfile.NamedTemporaryFile(prefix="rdimport-", dir=folder, delete=not lasts)  # noqa: SIM115
        path = Path(copy.name)
    return copy, path


def _downloaded(address: str, hints: Hints) -> InputFile:
    """A downloaded copy of an address, named without its credentials."""
    all_sheets = bool(hints.sheet or hints.sheets)
    copy, path = _scratch(hints.downloads)
    try:
        version = remote.download(address, copy, all_sheets=all_sheets)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    return InputFile(shown(address), path, spool=_Open(copy), version=version)


class _Open:
    """Keeps a file open while referenced, then closes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __del__(self) -> None:
        self._file.close()
        if sys.platform == "win32":
            with suppress(OSError):
                Path(self._file.name).unlink(missing_ok=True)


def _within(path: str) -> InputFile | None:
    """Split a path that leads into a file, into that file and the member's name."""
    for parent in list(Path(path).parents)[:-1]:
        if is_file(at_home(parent)):
            member = Path(path).relative_to(parent).as_posix()
            return InputFile(str(parent), at_home(parent), member=member)
    return None


def _unpacked(file: InputFile) -> InputFile:
    head = file.head(8)
    for magic, packed in ((_GZIP, "gz"), (_BZIP2, "bz2"), (_ZSTD, "zst")):
        if head.startswith(magic):
            return replace(file, packed=packed)
    return file


def is_zip(file: InputFile) -> bool:
    """Whether it is a zip archive, or a format based on one."""
    return file.head(4) in (_ZIP, _EMPTY_ZIP)
