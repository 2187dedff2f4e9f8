"""Lists at an address, downloaded completely before anything is planned."""

from __future__ import annotations

from typing import BinaryIO, Final

from rdimport.core.address import shown
from rdimport.core.errors import SourceError
from rdimport.core.messages import _

MOST_BYTES: Final = 2 << 30
"""Maximum bytes of a download; ten million rows have fewer."""

_STORES: Final = frozenset({"s3", "gs", "az"})


def download(
    address: str, into: BinaryIO, *, all_sheets: bool = False, most: int = MOST_BYTES
) -> str:
    """Download the file at an address.

    Returns its ETag and size, which identify this version; empty if the server sends no ETag.
    `all_sheets`: all sheets of a Google spreadsheet, not only the one in the address. Raises
    SourceError, whose message contains no credentials.
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

        return web.fetch(address, name, into, most, all_sheets=all_sheets)
    except ValueError as error:  # such as a host that no name can be
        raise SourceError(
            _("{name} is not an address.", name=name), _("Copy it from the browser again.")
        ) from error
    except OSError as error:
        raise SourceError(
            _("{name} cannot be kept on disk: {error}.", name=name, error=error.strerror or error),
            _("Nothing was sent. Free disk space, or correct the permissions."),
        ) from error
