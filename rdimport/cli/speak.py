"""Where a command speaks: results on standard output, the rest on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO


def say(lines: Iterable[str], out: TextIO | None = None) -> None:
    """Results, a line each, on standard output unless told otherwise."""
    for line in lines:
        print(line, file=out or sys.stdout)


def say_json(told: object, **layout: Any) -> None:
    """One JSON object on standard output."""
    say([json.dumps(told, ensure_ascii=False, **layout)])


def complain(text: str) -> None:
    """What went wrong, or what to do next, on standard error."""
    print(f"rdimport: {text}", file=sys.stderr)
