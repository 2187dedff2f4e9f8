"""The stack of a bug, as it may be mailed and posted."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Final

_HIDDEN: Final = "***"
_FRAME: Final = re.compile(r' +File "')
_PERSONAL: Final = re.compile(
    r"[^\s@<>()\[\]'\"=,;:]++@[\w.-]+|(?<!\w)\+?\d[\d ().\-/]{6,}\d(?!\w)"
)
"""An e-mail address; a number as long as a phone's."""


def stack(mask: Callable[[str], str]) -> str:
    """The traceback of the current exception, without keys, and without the addresses and numbers
    of people that the message of a library may quote.

    Keys are masked first: one with a number cut out would no longer be recognised.
    """
    lines = mask(traceback.format_exc()).splitlines(keepends=True)
    return "".join(line if _FRAME.match(line) else _PERSONAL.sub(_HIDDEN, line) for line in lines)
