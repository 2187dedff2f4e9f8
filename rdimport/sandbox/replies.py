"""RD's responses. RD documents error bodies of seven shapes, numbered here from 1 to 7.

Sources: the pages `mensagens-de-erro-rdsm` and `limite-de-requisicoes-da-api` of RD Station's
developer documentation. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from rdimport.sandbox.limits import Taken
from rdimport.sandbox.rules import Refusal

Headers = tuple[tuple[bytes, bytes], ...]

SPELLINGS: Final = {
    "plain": ("",),
    "quotas": ("-Quotas",),
    "both": ("", "-Quotas"),
    "none": (),
}
"""Spellings of the quota's headers; RD has been observed with both, and without any."""

SHAPES: Final = (1, 2, 4, 5)
"""The shapes in which a refused field can be reported."""


class Reason(StrEnum):
    """The reason why a request was not accepted, shown on the page but not sent."""

    FIELDS = "fields"
    KEY_MISSING = "key_missing"
    KEY_UNKNOWN = "key_unknown"
    KEY_INACTIVE = "key_inactive"
    OAUTH_ONLY = "oauth_only"
    NOT_FOUND = "not_found"
    METHOD = "method"
    URL_TOO_LONG = "url_too_long"
    MEDIA_TYPE = "media_type"
    NOT_ACCEPTABLE = "not_acceptable"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    QUOTA = "quota"
    LEAD = "lead"
    FAULT = "fault"


class Reply(NamedTuple):
    """A response. `reason` and `detail` are shown on the page and not sent.

    `receipt` is the `event_uuid` of an accepted conversion, otherwise empty.
    """

    status: int
    body: bytes
    headers: Headers = ()
    reason: Reason | None = None
    detail: str = ""
    receipt: str = ""


def accepted(event_uuid: str) -> Reply:
    """200: the conversion is accepted and will be processed shortly."""
    return Reply(200, b'{"event_uuid":"%s"}' % event_uuid.encode(), receipt=event_uuid)


def refused(refusals: Sequence[Refusal], shape: int = 1) -> Reply:
    """400: the errors of fields, in shape 1, 2, 4 or 5."""
    detail = "; ".join(f"{refusal.path}: {refusal.error_type}" for refusal in refusals)
    return Reply(400, _json(_shaped(refusals, shape)), (), Reason.FIELDS, detail)


def _listed(refusals: Sequence[Refusal]) -> list[dict[str, object]]:
    return [
        {
            "error_type": refusal.error_type,
            "error_message": refusal.message,
            "validation_rules": refusal.rules,
            "path": refusal.path,
        }
        for refusal in refusals
    ]


def _by_field(refusals: Sequence[Refusal]) -> dict[str, list[dict[str, str]]]:
    fields: dict[str, list[dict[str, str]]] = {}
    for refusal in refusals:
        name = refusal.path.removeprefix("$.payload.").removeprefix("$.")
        fields.setdefault(name, []).append(
            {"error_type": refusal.error_type, "error_message": refusal.message}
        )
    return fields


def _shaped(refusals: Sequence[Refusal], shape: int) -> object:
    match shape:
        case 2:
            return [
                {"error_type": refusal.error_type, "error_message": refusal.message}
                for refusal in refusals
            ]
        case 4:
            return {"errors": _by_field(refusals)}
        case 5:
            by_field = _by_field(refusals)
            return {"errors": {name: {"pt-BR": errors} for name, errors in by_field.items()}}
        case _:
            return {"errors": _listed(refusals)}


def url_too_long() -> Reply:
    """414."""
    return _single(414, "URI_TOO_LONG", "The URL is longer than 8 kB.", Reason.URL_TOO_LONG)


def not_found() -> Reply:
    """404: RD has no such path."""
    return _single(404, "RESOURCE_NOT_FOUND", "The resource was not found.", Reason.NOT_FOUND)


def wrong_method(method: str) -> Reply:
    """405."""
    reply = _single(405, "METHOD_NOT_ALLOWED", "Only POST is allowed.", Reason.METHOD, method[:20])
    return reply._replace(headers=((b"allow", b"POST"),))


def wrong_media_type() -> Reply:
    """415."""
    message = "The Content-Type must be application/json."
    return _single(415, "UNSUPPORTED_MEDIA_TYPE", message, Reason.MEDIA_TYPE)


def not_acceptable() -> Reply:
    """406."""
    message = "The Accept header must allow application/json."
    return _single(406, "NOT_ACCEPTABLE", message, Reason.NOT_ACCEPTABLE)


def not_json(why: str) -> Reply:
    """400: the body is not JSON."""
    return _single(400, "BAD_REQUEST", f"The body is not JSON: {why}.", Reason.NOT_JSON, why)


def key_of_crm() -> Reply:
    """400: RD's response to a key of RD Station CRM."""
    message = "The key belongs to RD Station CRM."
    return _single(400, "UNABLE_TO_LOAD_CDP_SCHEMA", message, Reason.FAULT)


def unavailable(seconds: int) -> Reply:
    """503 with a plain Retry-After: it comes from RD's servers, not from the quota."""
    reply = _single(503, "SERVICE_UNAVAILABLE", "Service unavailable.", Reason.FAULT)
    return reply._replace(headers=retry_headers(seconds, "plain"))


def _single(status: int, error_type: str, message: str, reason: Reason, detail: str = "") -> Reply:
    """Shape 1 with one error and no path, for a request that is invalid as a whole."""
    body = {"errors": [{"error_type": error_type, "error_message": message}]}
    return Reply(status, _json(body), (), reason, detail)


def key_refused(status: int, reason: Reason, detail: str = "") -> Reply:
    """401 or 403 in shape 3, which does not contain the reason."""
    error = {"error_type": "UNAUTHORIZED", "error_message": "Invalid or inactive API key."}
    return Reply(status, _json({"errors": error}), (), reason, detail)


def too_large(limit: int) -> Reply:
    """413 in the gateway's shape 7; RD does not document it."""
    body = _json({"message": "Request size limit exceeded"})
    return Reply(413, body, (), Reason.TOO_LARGE, str(limit))


def account_throttled(headers: Headers, quota: str) -> Reply:
    """429 for the account's quota, from the gateway, in shape 7."""
    body = _json({"message": "API rate limit exceeded"})
    return Reply(429, body, headers, Reason.QUOTA, quota)


def lead_throttled(limit: int, usage: int, remaining: int, period: int, email: str) -> Reply:
    """429 for a lead's quota, in shape 6. `remaining_time` is in seconds, documented as
    milliseconds.
    """
    error = f"'lead_limiter' rate limit exceeded for {period} second(s) period for key '{email}'"
    body = {"error": error, "max": limit, "usage": usage, "remaining_time": remaining}
    return Reply(429, _json(body), (), Reason.LEAD, str(limit))


def quota_headers(taken: Taken, spelling: str) -> Headers:
    """The gateway's headers about the account's window, on every response that it passes on."""
    limit, remaining = b"%d" % taken.limit, b"%d" % taken.remaining
    reset = b"%d" % taken.reset
    headers: list[tuple[bytes, bytes]] = []
    for suffix in SPELLINGS[spelling]:
        end = suffix.lower().encode()
        headers += [
            (b"ratelimit-limit" + end, limit),
            (b"ratelimit-remaining" + end, remaining),
            (b"ratelimit-reset" + end, reset),
        ]
        if taken.seconds == 60:
            headers += [
                (b"x-ratelimit-limit-minute" + end, limit),
                (b"x-ratelimit-remaining-minute" + end, remaining),
            ]
    return tuple(headers)


def retry_headers(seconds: int, spelling: str) -> Headers:
    """`Retry-After`, in the chosen spelling."""
    return tuple(
        (b"retry-after" + suffix.lower().encode(), b"%d" % seconds)
        for suffix in SPELLINGS[spelling]
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
