"""Text as a page holds it."""

from __future__ import annotations

import html
import re

from rdimport.core.visible import shown_lines


def escape(text: str) -> str:
    """The text without markup, and without what would turn, hide or move what stands beside it."""
    return html.escape(shown_lines(text.split("\n")))


def command(text: str) -> str:
    """A command that may go on in a second line, but not within an option."""
    return re.sub(
        r"(?<!\S)(--?[a-z][a-z-]*)(?!\S)", r'<span class="option">\1</span>', escape(text)
    )
