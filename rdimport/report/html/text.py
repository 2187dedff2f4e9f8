"""Text as a page holds it."""

from __future__ import annotations

import html

from rdimport.core.visible import shown_lines


def escape(text: str) -> str:
    """The text without markup, and without what would turn, hide or move what stands beside it."""
    return html.escape(shown_lines(text.split("\n")))
