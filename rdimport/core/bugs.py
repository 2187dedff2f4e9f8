"""The stack of a bug, as it may be mailed and posted."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from typing import Final

from rdimport.core.installation import changed_sources
from rdimport.core.messages import _

_HIDDEN: Final = "***"
_MOST: Final = 5
"""Changed files that are named."""
_FRAME: Final = re.compile(r' +File "')
_PERSONAL: Final = re.compile(
    r"[^\s@<>()\[\]'\"=,;:]++@[\w.-]+|(?<!\w)\+?\d[\d ().\-/]{6,}\d(?!\w)"
)
"""An e-mail address; a number as long as a phone's."""


def stack(mask: Callable[[str], str]) -> str:
    """The traceback of the current exception, without keys, and without the addresses and numbers
    of people that the message of a library may quote.

    Keys are masked first: one with a number cut out would no longer be recognised. Sources of ours
    that somebody has changed are named below it.
    """
    lines = mask(traceback.format_exc()).splitlines(keepends=True)
    said = (line if _FRAME.match(line) else _PERSONAL.sub(_HIDDEN, line) for line in lines)
    return "".join((*said, *_note(mask)))


def _note(mask: Callable[[str], str]) -> Iterator[str]:
    if changed := changed_sources():
        text = _(
            "Not as they were installed, so the bug may be theirs: {files}. Install rdimport again "
            "to undo the changes.",
            files=mask(", ".join(map(str, changed[:_MOST]))),
        )
        yield f"{text}\n"
