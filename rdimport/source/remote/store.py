"""Lists in an object store (s3://bucket/key), read with the library obstore."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from rdimport.core.errors import SourceError, is_unexpected
from rdimport.core.masking import Mask
from rdimport.core.messages import _
from rdimport.core.shell import installing
from rdimport.destination.address import is_loopback
from rdimport.source.refusals import too_large

_PIECE: Final = 1 << 20
_SECRET: Final = re.compile(r"KEY|SECRET|TOKEN|PASS|CREDENTIAL", re.IGNORECASE)


def fetch(address: str, name: str, into: BinaryIO, most: int) -> str:
    """Download an object; returns its ETag and size. Raises SourceError."""
    try:
        from obstore import exceptions, get  # noqa: PLC0415
        from obstore.store import from_url  # noqa: PLC0415
    except ImportError:
        raise SourceError(
            _("{name} is read with the library obstore, which is not installed.", name=name),
            _("Install it with: {command}", command=installing("rdimport[s3]")),
        ) from None
    bucket, key = _bucket_and_key(address, name)
    try:
        store = from_url(
            bucket,
            client_options={
                "connect_timeout": "15s",
                "read_timeout": "60s",
                "timeout": "1h",
                "allow_http": _allows_http(),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        )
        found = get(store, key)
        size = found.meta["size"]
        if size > most:
            raise too_large(name, most)  # noqa: TRY301  passes below
        into.writelines(found.stream(min_chunk_size=_PIECE))
    except (exceptions.BaseError, FileNotFoundError, PermissionError, ValueError) as error:
        raise _refused(name, error) from error
    except BaseException as error:
        if is_unexpected(error) and not isinstance(error, Exception):  # a panic
            raise _refused(name, error) from None
        raise
    return f"{found.meta['e_tag'] or ''} {size}"


def _bucket_and_key(address: str, name: str) -> tuple[str, str]:
    """The address of the bucket and the key of the object. Raises SourceError."""
    parts = urlsplit(address)
    key = unquote(parts.path.lstrip("/"))
    if not parts.hostname or not key or "@" in parts.netloc or parts.query:
        raise SourceError(
            _("{name} is not the address of an object: s3://bucket/key.", name=name),
            _("Credentials come from the environment (AWS_ACCESS_KEY_ID and so on)."),
        )
    return f"{parts.scheme}://{parts.netloc}", key


def _allows_http() -> bool:
    """Whether plain HTTP is allowed: for a store on this machine, or if configured."""
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    message = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
    return message or is_loopback(urlsplit(named).hostname)


def _refused(name: str, error: BaseException) -> SourceError:
    """The error message; that of the library may contain addresses with credentials."""
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError) or kind == "NotFoundError":
        return SourceError(
            _("There is nothing at {name}.", name=name),
            _("Check the bucket, the key and the region (AWS_REGION)."),
        )
    if kind in ("PermissionError", "PermissionDeniedError", "UnauthenticatedError"):
        return SourceError(
            _("The credentials of the environment do not allow reading {name}.", name=name),
            _("Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of their owner."),
        )
    return SourceError(
        _("{name} cannot be read from its store ({kind}).", name=name, kind=_said(error)),
        _(
            "Check the network and the variables AWS_REGION, AWS_ENDPOINT_URL and "
            "AWS_ACCESS_KEY_ID."
        ),
    )


def _said(error: BaseException) -> str:
    """What the library says, without addresses and the values of variables that may be secret."""
    lines = str(error).splitlines() or [""]
    text = re.sub(r"\S+://\S+", "***", lines[0])
    secrets = (value for name, value in os.environ.items() if _SECRET.search(name))
    text = " ".join(Mask(secrets)(text).split())[:200].rstrip(" .")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
