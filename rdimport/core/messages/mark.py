"""Marks sentences for the catalogue."""

from __future__ import annotations


def untranslated(text: str) -> str:
    """Marks a sentence for the catalogue that is translated where it is said, by `gettext`."""
    return text
