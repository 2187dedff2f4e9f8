"""Escapes text for HTML."""

from __future__ import annotations

import html
import re

from rdimport.core.visible import shown_lines


def escape(text: str) -> str:
    """The text with markup escaped, and without characters that reverse, hide or move their
    neighbours.
    """
    return html.escape(shown_lines(text.split("\n")))


def command(text: str) -> str:
    """A command that may wrap between options, but not inside one."""
    return re.sub(
        r"(?<!\S)(--?[a-z][a-z-]*)(?!\S)", r'<span class="option">\1</span>', escape(text)
    )
