"""The users of this machine."""

from __future__ import annotations

import sys

from rdimport.core.messages import _


def name_of(user: int) -> str:
    """The name of a user of this machine."""
    if sys.platform == "win32":  # Windows has no user numbers
        return _("number {user}", user=user)
    import pwd  # noqa: PLC0415  Windows has none

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return _("number {user}", user=user)
