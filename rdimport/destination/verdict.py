"""The decision table: what an outcome proves about a row, and what is done about it.

One line per kind of evidence. The endpoint has no idempotency key and cannot be queried, so the
column `arrived` decides: a row is sent again only if the outcome proves that it did not arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Evidence(StrEnum):
    """What is known after one attempt to send a row."""

    NOT_CONNECTED = "not_connected"
    NOT_TRUSTED = "not_trusted"
    NOT_ANSWERED = "not_answered"
    ACCEPTED = "accepted"
    SUCCESS_NOT_UNDERSTOOD = "success_not_understood"
    ROW_REFUSED = "row_refused"
    ROW_TOO_LARGE = "row_too_large"
    KEY_REFUSED = "key_refused"
    KEY_OF_CRM = "key_of_crm"
    WRONG_ENDPOINT = "wrong_endpoint"
    REDIRECTED = "redirected"
    ACCOUNT_QUOTA = "account_quota"
    LEAD_QUOTA = "lead_quota"
    UNAVAILABLE = "unavailable"
    SERVER_FAILED = "server_failed"
    UNKNOWN_ANSWER = "unknown_answer"


class Arrived(StrEnum):
    """Whether the row may have arrived."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "cannot be known"


class Action(StrEnum):
    """What is done with the row, and with the run."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    RETRY = "retry"
    PARK = "park"
    DOUBT = "doubt"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table. `stops`: the run stops, although the row is uncertain."""

    seen: str
    arrived: Arrived
    action: Action
    because: str
    stops: bool = False

    @property
    def then(self) -> str:
        """The action in a few words, for the documentation."""
        return f"{self.action.value}, and stop" if self.stops else self.action.value


VERDICTS: Final[dict[Evidence, Verdict]] = {
    Evidence.NOT_CONNECTED: Verdict(
        "no connection: name not found, refused, TLS failed, no free connection, proxy said no",
        Arrived.NO,
        Action.RETRY,
        "not one byte of the request left, so a second attempt cannot be a second arrival",
    ),
    Evidence.NOT_TRUSTED: Verdict(
        "the endpoint's certificate is not trusted: self-signed, expired, of another name",
        Arrived.NO,
        Action.STOP,
        "no request leaves before a certificate is trusted, and waiting does not mend it",
    ),
    Evidence.NOT_ANSWERED: Verdict(
        "connected, then a time-out, a reset or a close before a whole answer",
        Arrived.UNKNOWN,
        Action.DOUBT,
        "the endpoint closes the same way before and after it has stored a conversion",
    ),
    Evidence.ACCEPTED: Verdict(
        "200 with an event_uuid",
        Arrived.YES,
        Action.ACCEPT,
        "the documented receipt of a conversion",
    ),
    Evidence.SUCCESS_NOT_UNDERSTOOD: Verdict(
        "another 2xx, or a 200 without an event_uuid",
        Arrived.UNKNOWN,
        Action.DOUBT,
        "it says success, but shows no receipt; sending again could mail the person twice",
    ),
    Evidence.ROW_REFUSED: Verdict(
        "400, 409 or 422",
        Arrived.NO,
        Action.REFUSE,
        "the same row would be refused again; the report says which field to correct",
    ),
    Evidence.ROW_TOO_LARGE: Verdict(
        "413",
        Arrived.NO,
        Action.REFUSE,
        "only a shorter row can pass",
    ),
    Evidence.KEY_REFUSED: Verdict(
        "401 or 403",
        Arrived.NO,
        Action.STOP,
        "every other row would be refused too, until somebody corrects the key",
    ),
    Evidence.KEY_OF_CRM: Verdict(
        "400 with UNABLE_TO_LOAD_CDP_SCHEMA",
        Arrived.NO,
        Action.STOP,
        "the key belongs to RD Station CRM, which takes no conversions",
    ),
    Evidence.WRONG_ENDPOINT: Verdict(
        "307, 308, 404, 405, 406, 414 or 415",
        Arrived.NO,
        Action.STOP,
        "the address or the request is wrong for all rows alike",
    ),
    Evidence.REDIRECTED: Verdict(
        "301, 302 or 303",
        Arrived.UNKNOWN,
        Action.DOUBT,
        "a 303 may follow a POST that was carried out; no redirect is followed, and every other "
        "row would meet the same",
        stops=True,
    ),
    Evidence.ACCOUNT_QUOTA: Verdict(
        "429 of the account",
        Arrived.NO,
        Action.RETRY,
        "the gateway turned it away before it was read; the whole run waits as Retry-After says",
    ),
    Evidence.LEAD_QUOTA: Verdict(
        "429 of one lead",
        Arrived.NO,
        Action.PARK,
        "only this e-mail has had its share of the day; the other rows go on",
    ),
    Evidence.UNAVAILABLE: Verdict(
        "503 with Retry-After",
        Arrived.NO,
        Action.RETRY,
        "it names the time for another attempt, which it cannot do for a row that it has taken",
    ),
    Evidence.SERVER_FAILED: Verdict(
        "any other 5xx",
        Arrived.UNKNOWN,
        Action.DOUBT,
        "the failure may have come after the conversion was stored",
    ),
    Evidence.UNKNOWN_ANSWER: Verdict(
        "anything else",
        Arrived.UNKNOWN,
        Action.DOUBT,
        "what is not understood is read in the way that harms nobody: it may have arrived",
    ),
}
"""One line for each member of `Evidence`; `docs/delivery.md` prints this table."""


def decide(evidence: Evidence) -> Verdict:
    """The line of the table for `evidence`."""
    return VERDICTS[evidence]


def markdown() -> str:
    """The table in Markdown, as in `docs/delivery.md`."""
    lines = ["| what is seen | may it have arrived? | then | because |", "|---|---|---|---|"]
    lines += [
        f"| {line.seen} | {line.arrived} | {line.then} | {line.because} |"
        for line in VERDICTS.values()
    ]
    return "\n".join(lines)
