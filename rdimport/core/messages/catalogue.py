"""Translations by gettext: a catalogue for each language in `locale/`.

Sentences are written in the code in English, as `_("...")`. Where English needs a catalogue too, as
for codes, an entry has a key and a context.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path, PurePath
from typing import Final

from rdimport.core.messages.language import LANGUAGES, language
from rdimport.core.messages.system import SAID
from rdimport.core.messages.written import whole
from rdimport.core.visible import Shown, shown

FOLDER: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "rdimport"
_OF_RUST: Final = re.compile(r" \(os error \d+\)$")
"""What polars adds to the system's words."""


@cache
def catalogue(lang: str) -> NullTranslations:
    """The catalogue of that language, or the English one if there is none.

    In a checkout a sentence can be newer than its catalogue. Without Babel, which only building
    needs, the last catalogue serves, and without any each sentence stays as it is in the code.
    """
    name = lang.replace("-", "_") if lang in LANGUAGES else "en"
    folder = FOLDER / name / "LC_MESSAGES"
    source, binary = folder / f"{DOMAIN}.po", folder / f"{DOMAIN}.mo"
    if _is_newer(source, binary):
        with suppress(ModuleNotFoundError):
            from rdimport.core.messages.build import compiled  # noqa: PLC0415  needs Babel

            return GNUTranslations(io.BytesIO(compiled(source)))
    if not binary.exists():
        return NullTranslations()
    with binary.open("rb") as file:
        return GNUTranslations(file)


def _is_newer(source: Path, binary: Path) -> bool:
    if not source.exists():
        return False
    return not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime


def gettext(text: str, /, **values: object) -> str:
    """Translate a sentence into the current language and insert values, with control characters
    escaped: `_("The file {file} is empty.", file=file)`.
    """
    lang = language()
    found = text if lang == "en" else catalogue(lang).gettext(text)
    return Shown(found.format(**_shown(values)) if values else found)


def _shown(values: dict[str, object]) -> dict[str, object]:
    return {name: _one_shown(value, values.values()) for name, value in values.items()}


def _one_shown(value: object, beside: Iterable[object]) -> object:
    """Text made visible; error messages of the system are also translated."""
    if isinstance(value, OSError) and value.strerror:
        return shown(_of_the_system(value, beside))
    if isinstance(value, UnicodeDecodeError):
        return gettext("it is not text in UTF-8 (byte {start})", start=value.start)
    if isinstance(value, str | Exception):
        said = _OF_RUST.sub("", str(value))
        value = _system_message(said) if said in SAID else value
    return shown(str(value)) if isinstance(value, str | Path) else value


def _of_the_system(error: OSError, beside: Iterable[object]) -> str:
    """The system's words without its number, and with the file's name unless the sentence names it
    already, or it is a temporary file next to it.
    """
    message = _system_message(error.strerror or str(error))
    file = PurePath(str(error.filename or "")).name
    paths = (PurePath(str(path)).name for path in beside if isinstance(path, str | PurePath))
    is_named = not file or any(name and name in file for name in paths)
    return message if is_named else f"{message}: {error.filename}"


def _system_message(text: str) -> str:
    found = SAID.get(text, text)
    return found if language() == "en" else catalogue(language()).gettext(found)


def ngettext(one: str, many: str, number: int, /, **values: object) -> str:
    """The same for a sentence with a plural; the number is inserted as `{number}`."""
    lang = language()
    if lang == "en":
        found = one if number == 1 else many
    else:
        found = catalogue(lang).ngettext(one, many, number)
    return Shown(found.format(number=whole(number, lang), **_shown(values)))
