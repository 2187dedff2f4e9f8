"""RD's user profiles, two of which can see API keys."""

from __future__ import annotations

from enum import StrEnum

from rdimport.core.names import fold


class Profile(StrEnum):
    """A user profile, named as on RD's page in all languages."""

    OWNER = "Dono"
    MANAGER = "Gestor"
    USER = "Usuário"

    @property
    def sees_keys(self) -> bool:
        """Whether RD shows it the page with the keys."""
        return self is not Profile.USER

    @classmethod
    def named(cls, text: str) -> Profile | None:
        """The profile with that name, ignoring case and accents."""
        return next((profile for profile in cls if fold(profile) == fold(text)), None)
