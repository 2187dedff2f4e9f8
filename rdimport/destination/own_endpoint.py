"""What a person may know of an endpoint of their own, and nobody of RD's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from rdimport.core.errors import UsageError
from rdimport.core.messages import _

Meaning: TypeAlias = Literal["not_taken"]
"""What an unclear answer may mean: the row was not taken, so it may be sent again."""

_RD: Final = "rd.services"


def checked(base_url: str, unclear: Mapping[int, str], *, idempotent: bool) -> frozenset[int]:
    """The statuses that mean “not taken”. Raises UsageError for RD's own host, of which nobody
    knows that, and for a status whose meaning is clear.
    """
    if not unclear and not idempotent:
        return frozenset()
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    if host == _RD or host.endswith(f".{_RD}"):
        raise UsageError(
            _(
                "`unclear` and `idempotent` are for an endpoint of your own, not for {host}.",
                host=host,
            ),
            _("Leave them out: RD Station does not say what it has taken, and counts repeats."),
        )
    for status, meaning in unclear.items():
        if not 500 <= status <= 599 or meaning not in get_args(Meaning):
            raise UsageError(
                _("unclear: {status}: {meaning} makes no sense.", status=status, meaning=meaning),
                _("It takes a status from 500 to 599, and `not_taken`."),
            )
    return frozenset(unclear)
