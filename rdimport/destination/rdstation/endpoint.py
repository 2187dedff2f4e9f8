"""RD Station Marketing's conversion endpoint: builds requests and interprets responses.

Source: the pages `evento-de-conversao-via-api-key`, `mensagens-de-erro-rdsm` and
`limite-de-requisicoes-da-api` of RD Station's developer documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from rdimport.core.arguments import see
from rdimport.core.errors import UsageError
from rdimport.core.masking import SHORTEST, Mask, may_be_key
from rdimport.core.messages import _
from rdimport.core.messages.codes import Code
from rdimport.core.quota import Limits
from rdimport.core.row import Problem
from rdimport.core.shell import joined
from rdimport.core.visible import shown
from rdimport.destination import Answer, Request, address
from rdimport.destination.own_endpoint import checked
from rdimport.destination.verdict import Evidence

BASE_URL: Final = "https://api.rd.services"
"""RD's address (page `autenticacao-api-key`)."""

_PATH: Final = "/platform/conversions"
_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json",
    "accept-encoding": "identity",
}
_BEFORE: Final = b'{"event_type":"CONVERSION","event_family":"CDP","payload":'
_NUMBER: Final = re.compile(r"\s*\d{1,9}(\.\d{1,9})?\s*")
_LIMITS: Final = (
    *(
        tuple(
            f"{name}{quotas}"
            for name in (f"ratelimit-{what}", f"x-ratelimit-{what}-minute")
            for quotas in ("", "-quotas")
        )
        for what in ("limit", "remaining")
    ),
    ("ratelimit-reset", "ratelimit-reset-quotas"),
)
"""Spellings of the headers for the quota's limit, remainder and reset."""

_NOT_ALONE: Final = re.compile(
    r"\s*(?:(?:export\s+|set\s+|\$env:)?[A-Z_]*(?:KEY|TOKEN|CHAVE)\s*[=:]|[\"'`“‘])", re.IGNORECASE
)
"""Start of a key that was copied with its name, as from a file of variables, or in quotes."""

_DETAIL: Final = 300
"""Characters kept of an endpoint's error message."""

_BY_STATUS: Final = {
    400: Evidence.ROW_REFUSED,
    401: Evidence.KEY_REFUSED,
    403: Evidence.KEY_REFUSED,
    409: Evidence.ROW_REFUSED,
    413: Evidence.ROW_TOO_LARGE,
    422: Evidence.ROW_REFUSED,
    **dict.fromkeys((301, 302, 303), Evidence.REDIRECTED),
    **dict.fromkeys((307, 308, 404, 405, 406, 414, 415), Evidence.WRONG_ENDPOINT),
}


class RDStation:
    """One account of RD Station Marketing.

    `identity` distinguishes this endpoint and account in the ledger; by default it is derived from
    `base_url` and `account`. Without a key, a run can be planned but not sent. `insecure_http`
    allows plain HTTP to another machine. For an endpoint of one's own, `unclear` declares statuses
    that mean a row was not taken (`{503: "not_taken"}`), and `idempotent` that repeats do no harm.

    Raises UsageError for an invalid key or address.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str = BASE_URL,
        account: str = "default",
        identity: str | None = None,
        insecure_http: bool = False,
        unclear: Mapping[int, str] | None = None,
        idempotent: bool = False,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        see(RDStation.__init__.__annotations__, given)
        _check_key(api_key)
        self._api_key = api_key
        if api_key and len(api_key) >= SHORTEST and (api_key in account or api_key in base_url):
            raise UsageError(
                _("The account's name or the endpoint's address contains the API key."),
                _("Remove it: it would be shown and stored."),
            )
        self._mask = Mask([api_key] if api_key else ())
        self.base_url = _checked(base_url, insecure_http=insecure_http)
        self._not_taken = checked(self.base_url, unclear or {}, idempotent=idempotent)
        self.idempotent = idempotent
        self.account = " ".join(account.split())
        if not self.account:
            raise UsageError(
                _("The account's name is empty."), _("Omit --account, or give it a name.")
            )
        self.identity = identity or address.identity(self.base_url, self.account)
        self._url = self.base_url + _PATH

    def __repr__(self) -> str:
        return f"RDStation(base_url={self.base_url!r}, account={self.account!r})"

    def build(self, payload: str) -> Request:
        """Build the request for one row. `payload` is JSON text."""
        return Request("POST", self._url, _HEADERS, _BEFORE + payload.encode() + b"}")

    def credentials(self) -> Mapping[str, str]:
        """Query parameters added when a request is sent; never stored or printed.

        Raises UsageError if there is no key.
        """
        if self._api_key is None:
            raise UsageError(
                _("There is no API key, so nothing can be sent."),
                _(
                    "Create one in RD Station Marketing (Integrações > Chave de API; only the "
                    "profiles Dono and Gestor see it) and put it into the environment variable "
                    "RDIMPORT_API_KEY, into a file that only you can read and that "
                    "--api-key-file names, or into the system's keyring: rdimport key set "
                    "{account}\nTo try it without a key, add --sandbox.",
                    account=joined([self.account]),
                ),
            )
        return {"api_key": self._api_key}

    def read(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """Interpret a response. Header names are lower case; the body may be any bytes."""
        content = _content(body)
        limits = _limits(headers)
        if 200 <= status < 300:
            return _success(status, content, limits, self._mask)
        problems = tuple(_problems(content, self._mask)) or (
            Problem(Code.RD_NO_REASON, detail=f"HTTP {status}{_elsewhere(headers, self._mask)}"),
        )
        evidence = _evidence(status, headers, content, problems)
        if status in self._not_taken and evidence is Evidence.SERVER_FAILED:
            rule = f"unclear {status}"
            return Answer(Evidence.UNAVAILABLE, "", problems, None, limits, rule)
        return Answer(evidence, "", problems, _wait(evidence, headers, content), limits)

    def without_key(self, text: str) -> str:
        """`text` with every form of the key masked."""
        return self._mask(text)


def _check_key(api_key: str | None) -> None:
    """Raise UsageError for a string that cannot be a key."""
    if api_key is None:
        return
    if _NOT_ALONE.match(api_key):
        raise UsageError(
            _("There is more than the API key: its name, or quotation marks around it."),
            _("Write only the key."),
        )
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", api_key):
        raise UsageError(
            _(
                "The API key is empty, or contains spaces, line breaks or other "
                "characters that a key cannot have."
            ),
            _(
                "Copy it again from RD Station Marketing: Integrações > Chave de API (only the "
                "profiles Dono and Gestor see it)."
            ),
        )


def _content(body: bytes) -> Any:
    """The body parsed as JSON; None if it is not JSON."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _success(status: int, content: Any, limits: Limits | None, mask: Mask) -> Answer:
    """Interpret a 2xx. It proves acceptance only if it contains the receipt that RD documents."""
    receipt = content.get("event_uuid") if isinstance(content, dict) else None
    if status == 200 and isinstance(receipt, str) and receipt:
        return Answer(Evidence.ACCEPTED, _clean(receipt, mask), limits=limits)
    doubt = Problem(Code.UNCERTAIN_SUCCESS_NOT_UNDERSTOOD, detail=f"HTTP {status}")
    return Answer(Evidence.SUCCESS_NOT_UNDERSTOOD, "", (doubt,), limits=limits)


def _elsewhere(headers: Mapping[str, str], mask: Mask) -> str:
    """The target of a redirect, without its query, which may repeat the key."""
    location = re.split(r"[?#]", mask(headers.get("location", "")[: 4 * _DETAIL]))[0]
    return f"; Location: {_clean(location, mask)}" if location else ""


def _checked(base_url: str, *, insecure_http: bool) -> str:
    """The address without a trailing slash. Raises UsageError if it would expose the key."""
    try:
        parts = urlsplit(base_url)
        sound = address.is_sound(parts)
    except ValueError:  # an incomplete IPv6 address, or an invalid port
        sound = False
    if not sound or parts.query or parts.fragment:
        raise UsageError(
            _("{shown} is not the address of an endpoint.", shown=_shown(base_url)),
            _("Write it like {base_url}: scheme and host, no query.", base_url=BASE_URL),
        )
    if parts.username or parts.password:
        raise UsageError(
            _("The address contains a user name or password."), _("Remove them from it.")
        )
    if parts.scheme == "http" and not address.is_loopback(parts.hostname) and not insecure_http:
        raise UsageError(
            _("{base_url} would send the API key unencrypted over the network.", base_url=base_url),
            _(
                "Use https://. Plain http is for this machine only, unless --insecure-http "
                "accepts that anyone on the network may read the key and the leads."
            ),
        )
    return address.spelt(base_url)


def _shown(base_url: str) -> str:
    """The address up to its query, where a key may have been pasted."""
    shown = base_url.partition("?")[0].rpartition("@")[2][:100]
    return _("What may be a key") if may_be_key(shown) else repr(shown)


def _clean(text: object, mask: Mask) -> str:
    """Text from the endpoint with the key masked, shortened, and without control characters."""
    return shown(" ".join(mask(str(text)[: 4 * _DETAIL]).split()))[:_DETAIL]


def _problems(content: Any, mask: Mask) -> Iterator[Problem]:
    """The errors of a response in any of RD's formats, at most 50."""
    errors = content.get("errors", content) if isinstance(content, dict) else content
    for count, (field, error) in enumerate(_errors(errors, "", mask)):
        if count == 50:
            return
        kind = _clean(error.get("error_type") or "", mask)
        message = _clean(
            error.get("error_message")
            or error.get("error_description")
            or error.get("message")
            or error.get("error")
            or "",
            mask,
        )
        path = error.get("path")
        named = _field(mask(path[: 4 * _DETAIL])) if isinstance(path, str) else field
        slug = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")[:60]
        yield Problem(f"rd.{slug or 'no_reason'}", field=named, detail=message)


def _errors(
    node: Any, field: str, mask: Mask, depth: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """All error objects below `node`, each with the name of the enclosing field."""
    if depth > 6:
        return
    if isinstance(node, list):
        for item in node[:50]:
            yield from _errors(item, field, mask, depth + 1)
    elif isinstance(node, dict):
        if any(isinstance(node.get(key), str) for key in ("error_type", "error", "message")):
            yield field, node
            return
        for name, below in list(node.items())[:50]:
            yield from _errors(below, field or _clean(name, mask), mask, depth + 1)


def _field(path: str) -> str:
    """The payload's field in a path such as `$.payload.tags[0]`; empty if there is none."""
    match = re.match(r"\$\.payload\.([A-Za-z0-9_]+)", path)
    return match[1] if match else ""


def _evidence(
    status: int, headers: Mapping[str, str], content: Any, problems: tuple[Problem, ...]
) -> Evidence:
    """What an error response proves."""
    if status == 400 and any(p.code == Code.RD_UNABLE_TO_LOAD_CDP_SCHEMA for p in problems):
        return Evidence.KEY_OF_CRM
    if status == 429:
        message = content.get("error") if isinstance(content, dict) else None
        return Evidence.LEAD_QUOTA if "lead_limiter" in str(message) else Evidence.ACCOUNT_QUOTA
    if status == 503 and _names_time(headers.get("retry-after", "")):
        return Evidence.UNAVAILABLE
    if status >= 500:
        return Evidence.SERVER_FAILED
    return _BY_STATUS.get(status, Evidence.UNKNOWN_ANSWER)


def _wait(evidence: Evidence, headers: Mapping[str, str], content: Any) -> float | None:
    """The delay the endpoint asked for in seconds, in any spelling; None if it gave none.

    The body refers to a lead's daily quota, `RateLimit-Reset` to the account's quota per minute.
    """
    remaining = content.get("remaining_time") if isinstance(content, dict) else None
    in_body = None
    if isinstance(remaining, int | float) and 0 <= remaining < 1e9:
        in_body = float(remaining)
    if in_body is not None and evidence is Evidence.LEAD_QUOTA:
        return in_body
    names = ["retry-after", "retry-after-quotas"]
    if evidence is not Evidence.LEAD_QUOTA:
        names += ["ratelimit-reset", "ratelimit-reset-quotas"]
    for name in names:
        seconds = _seconds(headers.get(name, ""), headers.get("date", ""))
        if seconds is not None:
            return seconds
    return in_body


def _limits(headers: Mapping[str, str]) -> Limits | None:
    """The quota according to the headers, in any spelling; None unless they are complete."""
    found: list[float] = []
    for spellings in _LIMITS:
        for spelling in spellings:
            value = headers.get(spelling)
            if value is not None and _NUMBER.fullmatch(value):
                found.append(float(value))
                break
        else:
            return None
    limit, remaining, reset = found
    return Limits(int(limit), int(remaining), reset)


def _names_time(value: str) -> bool:
    """Whether a Retry-After is a number of seconds or a date. Anything else proves nothing."""
    if _NUMBER.fullmatch(value):
        return True
    try:
        return bool(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError):
        return False


def _seconds(value: str, date: str) -> float | None:
    """A number of seconds, or a date relative to the response's own `Date` header."""
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        apart = parsedate_to_datetime(value) - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, apart.total_seconds())
