"""RD's answers in RD's shapes. The seven shapes of an error body are numbered as in the contract.

Sources: the pages `mensagens-de-erro-rdsm` and `limite-de-requisicoes-da-api` of RD Station's
developer documentation. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
"""How the quota's headers are spelt; RD has been seen with either spelling and with none."""

SHAPES: Final = (1, 2, 4, 5)
"""The shapes in which a refused field can be told."""


class Reply(NamedTuple):
    """One answer. `reason` is for the person who looks on, and no part of what the client gets.

    `receipt` is the `event_uuid` of a conversion that was taken, else empty.
    """

    status: int
    body: bytes
    headers: Headers = ()
    reason: str = ""
    receipt: str = ""


def accepted(event_uuid: str) -> Reply:
    """200: RD has taken the conversion and processes it some moments later."""
    return Reply(200, b'{"event_uuid":"%s"}' % event_uuid.encode(), receipt=event_uuid)


def refused(refusals: Sequence[Refusal], shape: int = 1) -> Reply:
    """400: what is wrong with which field, in shape 1, 2, 4 or 5."""
    reason = "; ".join(f"{found.path}: {found.error_type}" for found in refusals)
    return Reply(400, _json(_shaped(refusals, shape)), reason=reason)


def _listed(refusals: Sequence[Refusal]) -> list[dict[str, object]]:
    return [
        {
            "error_type": found.error_type,
            "error_message": found.message,
            "validation_rules": found.rules,
            "path": found.path,
        }
        for found in refusals
    ]


def _by_field(refusals: Sequence[Refusal]) -> dict[str, list[dict[str, str]]]:
    fields: dict[str, list[dict[str, str]]] = {}
    for found in refusals:
        name = found.path.removeprefix("$.payload.").removeprefix("$.")
        fields.setdefault(name, []).append(
            {"error_type": found.error_type, "error_message": found.message}
        )
    return fields


def _shaped(refusals: Sequence[Refusal], shape: int) -> object:
    match shape:
        case 2:
            return [
                {"error_type": found.error_type, "error_message": found.message}
                for found in refusals
            ]
        case 4:
            return {"errors": _by_field(refusals)}
        case 5:
            by_field = _by_field(refusals)
            return {"errors": {name: {"pt-BR": errors} for name, errors in by_field.items()}}
        case _:
            return {"errors": _listed(refusals)}


def single(status: int, error_type: str, message: str, headers: Headers = ()) -> Reply:
    """Shape 1 with one error and no path: the request as a whole is wrong."""
    body = {"errors": [{"error_type": error_type, "error_message": message}]}
    return Reply(status, _json(body), headers, f"{error_type}: {message}")


def key_refused(status: int, why: str) -> Reply:
    """401 or 403 in shape 3. `why` is for the person who looks on; RD does not say it."""
    error = {"error_type": "UNAUTHORIZED", "error_message": "Invalid or inactive API key."}
    return Reply(status, _json({"errors": error}), reason=why)


def too_large(limit: int) -> Reply:
    """413 in the gateway's shape 7; RD does not document it."""
    return Reply(
        413,
        _json({"message": "Request size limit exceeded"}),
        reason=f"the body is larger than {limit} bytes",
    )


def account_throttled(headers: Headers, why: str) -> Reply:
    """429 of the account: it comes from the gateway, in shape 7."""
    return Reply(429, _json({"message": "API rate limit exceeded"}), headers, why)


def lead_throttled(limit: int, usage: int, remaining: int, period: int, email: str) -> Reply:
    """429 of one lead, in shape 6. RD calls `remaining_time` milliseconds; it holds seconds."""
    error = f"'lead_limiter' rate limit exceeded for {period} second(s) period for key '{email}'"
    body = {"error": error, "max": limit, "usage": usage, "remaining_time": remaining}
    return Reply(429, _json(body), reason=f"more than {limit} requests for this e-mail in a day")


def quota_headers(taken: Taken, spelling: str) -> Headers:
    """What the gateway tells about the account's window, for every answer that it lets pass."""
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
