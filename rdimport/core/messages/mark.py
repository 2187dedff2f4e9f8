"""Marks sentences for the catalogue."""

from __future__ import annotations


def untranslated(text: str) -> str:
    """Mark a sentence for the catalogue; `gettext` translates it when it is shown."""
    return text
