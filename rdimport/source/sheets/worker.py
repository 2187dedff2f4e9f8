"""The child process of `isolated.py`: reads one workbook under a memory limit."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from rdimport.core.messages import _, speaking
from rdimport.source.limits import MOST_COLUMNS
from rdimport.source.refusals import vast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from rdimport.source.sheets.book import Book

_CELLS: Final = 1 << 20
"""Cells of a frame that is sent in one piece."""


def main() -> None:
    """Open the workbook named on the first line of standard input, then answer each following line
    with a sheet.
    """
    # output of libraries must not mix with the answers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    first = json.loads(sys.stdin.buffer.readline())
    limit_memory(first["memory"])
    with speaking(first["lang"], everywhere=True):
        try:
            book = _opened(first["kind"], first["file"])
            _answer(answers, {"kind": book.kind, "sheets": list(book.sheets)})
        except Exception as error:  # noqa: BLE001  a reader may raise anything for hostile bytes
            _answer(answers, _failure(error))
            return
        for line in sys.stdin.buffer:
            try:
                _answer(answers, *_read(book, json.loads(line)["sheet"]))
            except Exception as error:  # noqa: BLE001  the same
                _answer(answers, _failure(error))


def _opened(kind: str, where: dict[str, str]) -> Book:
    from rdimport.source.files import InputFile  # noqa: PLC0415  each reader costs its imports

    file = InputFile(where["name"], Path(where["path"]), where["packed"], where["member"])
    if kind == "ods":
        from rdimport.source.sheets.ods import OdsBook  # noqa: PLC0415

        return OdsBook(file)
    if kind == "xml":
        from rdimport.source.sheets.xml2003 import Xml2003Book  # noqa: PLC0415

        return Xml2003Book(file)
    if kind == "html":
        from rdimport.source.sheets.html import HtmlBook  # noqa: PLC0415

        return HtmlBook(file)
    if kind == "parquet":
        from rdimport.source.sheets.parquet import ParquetBook  # noqa: PLC0415

        return ParquetBook(file)
    from rdimport.source.ole import refuse_no_xls  # noqa: PLC0415
    from rdimport.source.sheets.excel import CalamineBook  # noqa: PLC0415

    if kind == "ole":
        refuse_no_xls(file)
        kind = "xls"
    return CalamineBook(file, kind)


def _read(book: Book, sheet: str) -> tuple[dict[str, Any], list[pl.DataFrame]]:
    about = book.read(sheet)._asdict()
    frame = about.pop("cells")
    if frame.width > MOST_COLUMNS + 1:
        raise vast(_("Sheet “{sheet}”", sheet=sheet))
    rows = max(_CELLS // max(frame.width, 1), 1)
    return about, list(frame.iter_slices(rows)) or [frame]


def _answer(out: BinaryIO, answer: dict[str, Any], parts: Sequence[pl.DataFrame] = ()) -> None:
    packed = [*_packed(parts)]
    out.write(json.dumps({**answer, "parts": [len(part) for part in packed]}).encode() + b"\n")
    out.writelines(packed)
    out.flush()


def _packed(parts: Sequence[pl.DataFrame]) -> Iterator[bytes]:
    for part in parts:
        part.write_ipc(whole := io.BytesIO())
        yield whole.getvalue()


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, MemoryError):
        os._exit(1)
    from rdimport.core.errors import RdimportError  # noqa: PLC0415
    from rdimport.core.installation import installation_error  # noqa: PLC0415

    if isinstance(error, RdimportError):
        return {"error": [error.message, error.remedy]}
    if isinstance(error, ImportError) and (found := installation_error(error)):
        return {"not_installed": [found.message, found.remedy]}
    return {"failed": type(error).__name__}


def limit_memory(most: int) -> None:
    """Limit the memory of this process, so that it ends without affecting others."""
    if sys.platform == "win32":
        from rdimport.source.sheets.windows_job import limit_to  # noqa: PLC0415

        limit_to(most)
        return
    import resource  # noqa: PLC0415  not on Windows

    limits = {resource.RLIMIT_DATA: most, resource.RLIMIT_AS: most + (1 << 30)}
    for kind, size in {**limits, resource.RLIMIT_CORE: 0}.items():
        with suppress(OSError, ValueError):  # the system has no such limit: see `isolated.py`
            resource.setrlimit(kind, (size, size))


if __name__ == "__main__":
    main()
