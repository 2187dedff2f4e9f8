"""Parts common to all pages: escaped text, the head, the bar of states."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Final

from rdimport.core.row import State
from rdimport.core.visible import shown_lines

_NO_NETWORK: Final = "default-src 'none'; style-src 'unsafe-inline'"


def head(title: str, lang: str, *styles: str) -> Iterator[str]:
    """The page up to its heading, with these style sheets; nothing is loaded from elsewhere."""
    folder = resources.files("rdimport.report.html")
    css = "".join(folder.joinpath(name).read_text("utf-8") for name in styles)
    yield f'<!doctype html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_NO_NETWORK}">'
    yield f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>"


def bar(counts: Mapping[State, int]) -> Iterator[str]:
    """The shares of the states that have rows, in their colours."""
    yield '<div class="bar" aria-hidden="true">'
    for state, rows in counts.items():
        if rows:
            yield f'<span style="flex: {rows}; background: var(--{state})"></span>'
    yield "</div>"


def dot(state: State) -> str:
    """The colour of a state."""
    return f'<span class="dot" style="background: var(--{state})"></span>'


def escape(text: str) -> str:
    """The text, escaped, without characters that reverse, hide or move their neighbours."""
    return html.escape(shown_lines(text.split("\n")))


def command(text: str) -> str:
    """A command that may wrap between options, but not inside one."""
    return re.sub(
        r"(?<!\S)(--?[a-z][a-z-]*)(?!\S)", r'<span class="option">\1</span>', escape(text)
    )
