"""Lists that are elsewhere, by their address: copied whole before anything is planned."""

from __future__ import annotations

from typing import BinaryIO, Final

from rdimport.core.address import shown
from rdimport.core.errors import SourceError
from rdimport.core.messages import _

MOST_BYTES: Final = 2 << 30
"""Bytes of a list, as it is sent: ten million rows have less."""

_STORES: Final = frozenset({"s3", "gs", "az"})


def download(address: str, into: BinaryIO, *, whole: bool = False, most: int = MOST_BYTES) -> str:
    """Copy what is at an address. Returns what tells it from a later one: its ETag and size; empty
    where the server gives no ETag. `whole`: all sheets of a spreadsheet, and not only the one that
    the address shows. Raises SourceError, which repeats no credentials.
    """
    scheme, name = address.partition("://")[0].lower(), shown(address)
    try:
        if scheme in _STORES:
            from rdimport.source.remote import store  # noqa: PLC0415  an extra

            return store.fetch(address, name, into, most)
        if scheme not in ("http", "https"):
            raise SourceError(
                _(
                    "{name}: lists are not read from {scheme}:// addresses.",
                    name=name,
                    scheme=scheme,
                ),
                _("Name an address that begins with https:// or s3://, or download the list."),
            )
        from rdimport.source.remote import web  # noqa: PLC0415  costs the import of httpx

        return web.fetch(address, name, into, most, whole=whole)
    except OSError as error:
        raise SourceError(
            _("{name} cannot be kept on disk: {error}.", name=name, error=error.strerror or error),
            _("Nothing was sent. Free disk space, or name another --state-dir."),
        ) from error
