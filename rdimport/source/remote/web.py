"""Lists at https:// addresses, downloaded completely or not at all."""

from __future__ import annotations

import ssl
import time
from typing import BinaryIO, Final

import httpx

from rdimport.core.errors import SourceError
from rdimport.core.messages import _
from rdimport.destination.address import is_loopback
from rdimport.destination.named_proxy import named_proxy
from rdimport.source.refusals import too_large
from rdimport.source.remote.google import export_of, refuse_login

_TRIES: Final = 3
_PAUSE: Final = 0.5
_MOST_REDIRECTS: Final = 5
_TIMES: Final = httpx.Timeout(60.0, connect=15.0)
_SLOWEST: Final = 1_000
"""Minimum bytes per second after the first minute, so that a slow server blocks no run."""
_LOGIN: Final = "accounts.google.com"


class _CutError(Exception):
    """The download was interrupted; `refusal` is the error if it cannot be resumed."""

    def __init__(self, refusal: SourceError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def fetch(address: str, name: str, into: BinaryIO, most: int, *, all_sheets: bool) -> str:
    """Download a file; returns its ETag and size. Raises SourceError."""
    export = export_of(address, all_sheets=all_sheets)
    try:
        url = httpx.URL(export.address if export else address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host:
        raise SourceError(
            _("{name} is not an address.", name=name), _("Copy it from the browser again.")
        )
    if url.scheme != "https" and not is_loopback(url.host):
        raise SourceError(
            _("{name} would be downloaded unencrypted.", name=name),
            _("Name its https:// address, or download the list."),
        )
    named = export.name if export else name
    return _Download(named, into, most, is_google=export is not None).copied(url)


def _client(url: httpx.URL, name: str, tls: ssl.SSLContext, cookies: httpx.Cookies) -> httpx.Client:
    """An httpx client that uses the proxy of the environment for this address."""
    variable, proxy = named_proxy(str(url)) or ("", None)
    try:
        return httpx.Client(
            verify=tls, timeout=_TIMES, trust_env=False, proxy=proxy, cookies=cookies
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise SourceError(
            _(
                "{name} cannot be reached through the proxy that {variable} names.",
                name=name,
                variable=variable,
            ),
            _("Name an HTTP proxy in {variable}, or download the list.", variable=variable),
        ) from error


class _Download:
    """A download that is resumed after an interruption if the file has not changed."""

    def __init__(self, name: str, into: BinaryIO, most: int, *, is_google: bool) -> None:
        self._tls = ssl.create_default_context()
        self._cookies = httpx.Cookies()
        self._name = name
        self._into = into
        self._most = most
        self._is_google = is_google
        self._size = 0
        self._etag = ""

    def copied(self, url: httpx.URL) -> str:
        """Download in several attempts if necessary; returns ETag and size."""
        for number in range(1, _TRIES + 1):
            try:
                self._once(url)
            except _CutError as error:
                if number == _TRIES:
                    raise error.refusal from error
                time.sleep(_PAUSE * number)
            else:
                break
        return f"{self._etag} {self._size}" if self._etag else ""

    def _once(self, url: httpx.URL) -> None:
        try:
            for _hop in range(_MOST_REDIRECTS + 1):
                with (
                    _client(url, self._name, self._tls, self._cookies) as client,
                    client.stream("GET", url, headers=self._headers()) as answer,
                ):
                    self._cookies = client.cookies  # a shared file may be redirected with one
                    if not answer.has_redirect_location:
                        self._take(answer)
                        return
                    url = self._next(url, answer.headers["location"])
        except httpx.TransportError as error:
            raise self._untaken(error) from error
        raise self._refused(_("it is redirected too many times"))

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "rdimport"}
        if self._size and self._etag and not self._etag.startswith("W/"):
            headers |= {"Range": f"bytes={self._size}-", "If-Range": self._etag}
        return headers

    def _next(self, url: httpx.URL, location: str) -> httpx.URL:
        """The target of a redirect. Credentials are not sent to another host, and nothing over
        plain HTTP.
        """
        there = url.join(location)
        same = (there.scheme, there.host, there.port) == (url.scheme, url.host, url.port)
        in_clear = there.scheme == "http" and url.scheme == "http" and is_loopback(there.host)
        if there.scheme != "https" and not in_clear:
            raise self._refused(_("it is redirected to an address without https://"))
        if self._is_google and there.host == _LOGIN:
            raise refuse_login(self._name)
        return there.copy_with(userinfo=url.userinfo if same else b"")

    def _take(self, answer: httpx.Response) -> None:
        """Write the response body. Raises SourceError, or _CutError if it ends early."""
        self._refuse_non_list(answer)
        if answer.status_code != httpx.codes.PARTIAL_CONTENT or not self._goes_on(answer):
            self._into.seek(0)
            self._into.truncate()
            self._size = 0
        self._etag = answer.headers.get("etag", "")
        length = answer.headers.get("content-length", "")
        if length.isdigit() and self._size + int(length) > self._most:
            raise too_large(self._name, self._most)
        if not length and "chunked" not in answer.headers.get("transfer-encoding", "").lower():
            raise self._refused(
                _("the server does not give its length, so a truncated file would go unnoticed")
            )
        began = time.monotonic()
        for piece in answer.iter_raw():
            self._into.write(piece)
            self._size += len(piece)
            spent = time.monotonic() - began
            if self._size > self._most:
                raise too_large(self._name, self._most)
            if spent > 60 and self._size < _SLOWEST * spent:
                raise self._refused(_("it arrives too slowly"))

    def _goes_on(self, answer: httpx.Response) -> bool:
        content_range: str = answer.headers.get("content-range", "")
        return content_range.startswith(f"bytes {self._size}-")

    def _refuse_non_list(self, answer: httpx.Response) -> None:
        """Raise for a response that is not a list."""
        status = answer.status_code
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        if self._is_google and (status in (401, 403) or is_page):
            raise refuse_login(self._name)
        if answer.headers.get("content-encoding", "identity") not in ("identity", "gzip"):
            raise self._refused(_("it is compressed in a way that was not requested"))
        if status in (200, 206):
            return
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._size = 0
        refusal = self._refused(_("the server responds with HTTP {status}", status=status))
        if status in (401, 403):
            refusal = SourceError(
                _("{name} is not public (HTTP {status}).", name=self._name, status=status),
                _(
                    "Ask for an address that needs no login, or download the list and name the "
                    "file."
                ),
            )
        if status in (404, 410):
            refusal = SourceError(
                _("There is nothing at {name} (HTTP {status}).", name=self._name, status=status),
                _("Copy the address from the browser again."),
            )
        raise _CutError(refusal) if status in (408, 416, 425, 429) or status >= 500 else refusal

    def _untaken(self, error: httpx.TransportError) -> Exception:
        """What to do about a missing or incomplete response."""
        cause = error.__cause__ or error.__context__
        if "location" in str(error):
            return self._refused(_("it is redirected to an invalid address"))
        if isinstance(error, httpx.UnsupportedProtocol):
            return self._refused(_("it is not an https:// address"))
        if "CERTIFICATE_VERIFY_FAILED" in f"{error}{cause}":
            return self._refused(_("the server's certificate is not trusted"))
        if isinstance(error, httpx.TimeoutException):
            why = _("the server does not respond in time")
        elif isinstance(error, httpx.ConnectError | httpx.ProxyError):
            why = _("the server cannot be reached")
        else:
            why = _("the connection breaks before the end of the file")
        return _CutError(self._refused(why))

    def _refused(self, why: str) -> SourceError:
        return SourceError(
            _("{name} cannot be downloaded: {why}.", name=self._name, why=why),
            _("Nothing was sent. Try again, or download the list yourself and name the file."),
        )
