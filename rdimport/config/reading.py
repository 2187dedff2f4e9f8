"""Loads a settings file, or raises one error that lists everything wrong with it."""

from __future__ import annotations

import os
import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from rdimport.config.model import Settings
from rdimport.config.place import VARIABLE, leads_to
from rdimport.config.rules import contradictions
from rdimport.core import document_errors
from rdimport.core.errors import UsageError
from rdimport.core.messages import _, untranslated
from rdimport.core.shell import joined
from rdimport.core.small_file import decoded
from rdimport.core.yaml_document import Document, Place
from rdimport.core.yaml_document import Path as Keys

_MOST: Final = 1_000_000
"""Maximum bytes, enough for thousands of jobs."""

_REMEDY: Final = untranslated(
    "Correct the settings and try again; docs/jobs.md lists all keys with examples."
)
_AT: Final = re.compile(
    r"^(?P<what>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|[a-z ]+)\)$", re.DOTALL
)
_TWICE: Final = untranslated("a key or a table is given twice")
_QUOTE: Final = untranslated("a quotation mark is opened and never closed")
_BRACKET: Final = untranslated("a bracket is never closed, or a comma is missing")
_LINE: Final = untranslated("a line is neither `[TABLE]` nor `key = value`")
_CHARACTER: Final = untranslated("a character that TOML does not allow")
_ESCAPE: Final = untranslated("what follows the \\ in a text is not known to TOML")
_REASONS: Final = (
    ("Invalid value", untranslated("a value is missing, or a text has no quotation marks")),
    ("Cannot ", _TWICE),
    ("Duplicate ", _TWICE),
    ("Expected '=' ", _LINE),
    ("Invalid statement", _LINE),
    ("Invalid initial", _LINE),
    ("Expected ']", untranslated("the name of a table ends with ]")),
    ("Expected newline", untranslated("there is more on the line than a key and its value")),
    ("Unclosed ", _BRACKET),
    ("Expected ", _QUOTE),
    ("Unterminated string", _QUOTE),
    ("Illegal character '\\n'", _QUOTE),
    ("Illegal character", _CHARACTER),
    ("Found invalid", _CHARACTER),
    ("Unescaped", _ESCAPE),
    ("Invalid hex", _ESCAPE),
    ("Escaped", _ESCAPE),
    ("Invalid date", untranslated("there is no such date or time")),
    ("Exceeds ", untranslated("a number has thousands of digits")),
)
"""The beginnings of the parser's messages, and what they mean."""
_BARE: Final = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED: Final = rf"{_BARE}(?:\s*\.\s*{_BARE})*"
_TABLE: Final = re.compile(rf"^\s*\[\s*(?P<keys>{_DOTTED})\s*\]")
_KEY: Final = re.compile(rf"^(?P<blank>\s*)(?P<keys>{_DOTTED})\s*=")


def load(path: Path) -> Settings:
    """Read a settings file. Raises UsageError listing everything that is wrong with it."""
    return parse(path, read(path))


def parse(path: Path, text: str) -> Settings:
    """Parse settings from text. Raises UsageError as `load` does."""
    document = _document(path, text)
    problems = document_errors.from_rules(document, contradictions(document.data))
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as refused:
        problems += document_errors.from_model(document, Settings, refused)
    if problems:
        raise UsageError(document_errors.lines(str(path), problems), _(_REMEDY))
    return settings.beside(path.absolute().parent)


def read(path: Path) -> str:
    """The text of a settings file, if only its owner can write to it. Raises UsageError."""
    try:
        with path.open("rb") as file:
            _refuse_strangers(path, os.fstat(file.fileno()))
            content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise UsageError(_("{path}: too large for a settings file.", path=path), _(_REMEDY))
        return decoded(content)
    except OSError as error:
        raise UsageError(
            _("{path}: cannot be read: {strerror}.", path=path, strerror=error.strerror),
            _other_place(path),
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            _("{path}:{line}: is not UTF-8 text.", path=path, line=line),
            _("Save the settings as UTF-8."),
        ) from None


def _other_place(path: Path) -> str:
    home = leads_to(path, os.environ)
    if home:
        return _(
            "It is looked for there because of the environment variable {home}: correct that, or "
            "the permissions, or name the settings file with --config or in {variable}.",
            home=home,
            variable=VARIABLE,
        )
    return _(
        "Name the settings file with --config, or in the environment variable {variable}.",
        variable=VARIABLE,
    )


def _hint(text: str, what: str, place: Place) -> str:
    """A hint about mistakes of people who are used to Windows or to a word processor."""
    if what.startswith(("Unescaped", "Invalid hex", "Escaped")):
        return _("; write paths with / or in single quotation marks: {path}", path=r"'C:\leads'")
    line = "".join(text.split("\n")[place[0] - 1 : place[0]])
    if set("“”„‘’") & set(line):
        return _("; write straight quotation marks, \" or ', in place of curly ones")
    return ""


def _document(path: Path, text: str) -> Document:
    try:
        data = _plain(tomllib.loads(text))
    except ValueError as error:  # a TOMLDecodeError, or a number of thousands of digits
        match = _AT.match(str(error))
        what, place = str(error), (1, 1)
        if match:
            lines = text.splitlines() or [""]
            place = (int(match["line"] or len(lines)), int(match["column"] or len(lines[-1]) + 1))
            what = match["what"]
        meant = next((_(reason) for sign, reason in _REASONS if what.startswith(sign)), "")
        reason = (meant or f"{what[:1].lower()}{what[1:]}") + _hint(text, what, place)
        problems = [(place, (), _("not TOML: {reason}", reason=reason))]
        raise UsageError(document_errors.lines(str(path), problems), _(_REMEDY)) from None
    except RecursionError:
        problems = [((1, 1), (), _("not TOML: {reason}", reason=_("nested too deeply")))]
        raise UsageError(document_errors.lines(str(path), problems), _(_REMEDY)) from None
    keys = dict(_places(text))
    return Document(data, keys, {(): (1, 1), **keys})


def _refuse_strangers(path: Path, status: os.stat_result) -> None:
    """Raise unless only the user and root can write the file: settings can start programs."""
    if sys.platform == "win32":
        return
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(_("{path}: not a file.", path=path), _("Name the settings file."))
    if status.st_uid not in (0, os.geteuid()):
        raise UsageError(
            _(
                "{path} belongs to another user, who could have any program started through it.",
                path=path,
            ),
            _(
                "Make a copy of your own, or type: {path}",
                path=joined(["sudo", "chown", "root", str(path)]),
            ),
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            _(
                "Others on this machine can write to {path}, and so have any program "
                "started through it.",
                path=path,
            ),
            _("Type: {path}", path=joined(["chmod", "go-w", str(path)])),
        )


def _places(text: str) -> Iterator[tuple[Keys, Place]]:
    """The positions of tables and keys, which tomllib does not provide."""
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.match(line):
            table = _split(match["keys"])
            for length in range(1, len(table) + 1):
                yield table[:length], (number, line.index("[") + 1)
        elif match := _KEY.match(line):
            yield (*table, *_split(match["keys"])), (number, len(match["blank"]) + 1)


def _split(dotted: str) -> Keys:
    return tuple(part.strip("\"' \t") for part in re.findall(_BARE, dotted))


def _plain(value: Any) -> Any:
    """Dates and times as written: TOML parses `until = 06:00` as a time."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value
