"""What users may declare about an endpoint of their own, but not about RD's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from rdimport.core.errors import UsageError
from rdimport.core.messages import _

Meaning: TypeAlias = Literal["not_taken"]
"""The meaning of an otherwise unclear status: the row was not taken, so it may be sent again."""

_RD: Final = "rd.services"


def checked(base_url: str, unclear: Mapping[int, str], *, idempotent: bool) -> frozenset[int]:
    """Validate the statuses declared to mean "not taken".

    Raises UsageError for RD's own host, about which no user can know that, and for statuses that
    already have a clear meaning.
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
            _("Omit them: RD Station does not report what it has received, and counts repeats."),
        )
    for status, meaning in unclear.items():
        if not 500 <= status <= 599 or meaning not in get_args(Meaning):
            raise UsageError(
                _("unclear: {status}: {meaning} makes no sense.", status=status, meaning=meaning),
                _("It accepts a status from 500 to 599, and `not_taken`."),
            )
    return frozenset(unclear)
