"""Messages: codes, and a catalogue of sentences for each language."""

from rdimport.core.messages.catalogue import gettext, ngettext
from rdimport.core.messages.language import (
    LANGUAGES,
    Language,
    language,
    language_of,
    prefer,
    program_speaking,
    speaking,
)
from rdimport.core.messages.mark import untranslated

_ = gettext

__all__ = [
    "LANGUAGES",
    "Language",
    "_",
    "gettext",
    "language",
    "language_of",
    "ngettext",
    "prefer",
    "program_speaking",
    "speaking",
    "untranslated",
]
