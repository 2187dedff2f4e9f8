"""The profiles that RD gives the people of an account: two of them see its API keys."""

from __future__ import annotations

from enum import StrEnum

from rdimport.core.names import fold


class Profile(StrEnum):
    """As RD's own page calls them, in every language."""

    OWNER = "Dono"
    MANAGER = "Gestor"
    USER = "Usuário"

    @property
    def sees_keys(self) -> bool:
        """Does RD show the key screen to it?"""
        return self is not Profile.USER

    @classmethod
    def named(cls, text: str) -> Profile | None:
        """The profile of that name, with or without capitals and accents."""
        return next((profile for profile in cls if fold(profile) == fold(text)), None)
