"""Faults on demand: what may go wrong between a client and RD, for shares of the requests.

Pure: `Faults` configures, `FaultInjector` draws with a seed, the server applies.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from rdimport.core.errors import UsageError
from rdimport.core.messages import _


class Fault(StrEnum):
    """The fault of a request: `…_before` happens before it is stored, `…_after` afterwards."""

    THROTTLE = "throttle"
    THROTTLE_LEAD = "throttle_lead"
    UNAVAILABLE = "unavailable"
    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    CUT = "cut"
    GARBAGE = "garbage"
    ODD = "odd"
    CRM = "crm"


FAIL_STATUSES: Final = (500, 501, 502, 504)
"""Statuses of a failing server, chosen at random; 503 is a separate fault."""


def _share(text: str) -> Any:
    return field(default=0.0, metadata={"text": text, "kind": "share"})


def _number(text: str, kind: str, default: float = 0) -> Any:
    return field(default=default, metadata={"text": text, "kind": kind})


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the requests, from 0 to 1, with a sum of at most 1; times in seconds."""

    throttle: float = _share(
        "429 of the account, as if its other integrations had used up the quota"
    )
    throttle_lead: float = _share("429 of the lead")
    unavailable: float = _share("503 with Retry-After; nothing is stored")
    fail_before: float = _share("500, 501, 502 or 504; nothing is stored")
    fail_after: float = _share("500, 501, 502 or 504 after the conversion was stored")
    reset_before: float = _share("the connection is reset before the body is read")
    reset_after: float = _share("the conversion is stored, then the connection is reset")
    hang_before: float = _share("no response, ever; nothing is stored")
    hang_after: float = _share("no response, ever, but the conversion is stored")
    cut: float = _share("stored, but the response is cut off in the middle")
    garbage: float = _share("stored, but the response is 200 with a body that is not RD's")
    odd: float = _share("the status of odd_status; nothing is stored")
    crm: float = _share("400 UNABLE_TO_LOAD_CDP_SCHEMA, as for a key of RD Station CRM")
    odd_status: int = _number("the status that `odd` responds with", "integer", 418)
    latency: float = _number("every response is delayed by this much", "seconds")
    jitter: float = _number("plus up to this much more, at random", "seconds")
    slow: float = _number("pause between two bytes of a response body", "seconds")
    close_idle: float = _number("an idle connection is closed after this time (0: 75 s)", "seconds")
    retry_after: int = _number("Retry-After of throttle and unavailable", "integer", 1)
    skip: int = _number("this many requests pass before the first random fault", "integer")
    at_most: int = _number("this many random faults, then no more (0: no limit)", "integer")

    def __post_init__(self) -> None:
        shares = [getattr(self, fault) for fault in Fault]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise UsageError(
                _("The shares of the sandbox's faults are from 0 to 1, and at most 1 together.")
            )
        if min(getattr(self, name) for name in _NUMBERS) < 0:
            raise UsageError(_("No number in the sandbox's faults may be below 0."))
        if not 200 <= self.odd_status <= 599:
            raise UsageError(_("odd_status is an HTTP status from 200 to 599."))

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Faults:
        """Read `reset_after=5%`, `latency=200ms`, … Raises UsageError for anything else."""
        values: dict[str, float] = {}
        for text in texts:
            name, _sign, value = text.partition("=")
            name = name.strip().replace("-", "_")
            if name not in _KINDS:
                raise UsageError(
                    _("The sandbox has no fault “{name}”.", name=name),
                    _("It has {known}.", known=", ".join(_KINDS)),
                )
            values[name] = _value(name, value.strip())
        return cls(**values)  # type: ignore[arg-type]  # _value gives an int where one is due

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Faults:
        """The inverse of `as_dict`; an absent switch is off. Raises UsageError."""
        return cls.parse(f"{name}={value}" for name, value in values.items())

    def as_dict(self) -> dict[str, float]:
        """All switches by name."""
        return asdict(self)


_KINDS: Final[dict[str, str]] = {known.name: known.metadata["kind"] for known in fields(Faults)}
_NUMBERS: Final = tuple(name for name, kind in _KINDS.items() if kind != "share")

FAULT_TEXTS: Final[dict[str, str]] = {
    known.name: known.metadata["text"] for known in fields(Faults)
}
"""A sentence about each switch, for the help, the page and the documentation."""


def _value(name: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|ms|s)?", text)
    kind = _KINDS[name]
    allowed = {"share": ("%", None), "seconds": ("ms", "s", None), "integer": (None,)}[kind]
    if match is None or match[2] not in allowed or (kind == "integer" and not match[1].isdigit()):
        example = {"share": "0.05", "seconds": "200ms", "integer": "3"}[kind]
        raise UsageError(
            _("“{text}” is not a value for the sandbox's fault {name}.", text=text, name=name),
            _("Write it like this: {example}.", example=f"{name}={example}"),
        )
    if kind == "integer":
        return int(match[1])
    return float(match[1]) * {"%": 0.01, "ms": 0.001}.get(match[2], 1.0)


class FaultInjector:
    """Draws the faults of consecutive requests, reproducibly by its seed."""

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  chance for tests, no secret
        self.set(faults)

    def set(self, faults: Faults) -> None:
        """Replace the switches; `skip` and `at_most` count from here."""
        self.faults = faults
        self._skipped = 0
        self._drawn = 0
        self._edges: list[tuple[float, Fault]] = []
        edge = 0.0
        for fault in Fault:
            share = getattr(faults, fault)
            if share:
                edge += share
                # 10 × 10 % must leave no request out for a rounding error.
                self._edges.append((1.0 if edge > 1 - 1e-9 else edge, fault))

    def draw(self) -> Fault | None:
        """The fault of the next request; None for most."""
        if not self._edges:
            return None
        if self._skipped < self.faults.skip:
            self._skipped += 1
            return None
        if self.faults.at_most and self._drawn >= self.faults.at_most:
            return None
        point = self._random.random()
        for edge, fault in self._edges:
            if point < edge:
                self._drawn += 1
                return fault
        return None

    def delay(self) -> float:
        """Additional latency of the next response, in seconds."""
        faults = self.faults
        return faults.latency + (faults.jitter * self._random.random() if faults.jitter else 0.0)

    def fail_status(self) -> int:
        """One of the statuses of a failing server."""
        return self._random.choice(FAIL_STATUSES)

    def garbage(self) -> bytes:
        """A body that RD would not send: HTML, nothing, truncated JSON, other JSON."""
        return self._random.choice(GARBAGE)


GARBAGE: Final = (
    b"<!doctype html><title>502</title><h1>Bad gateway</h1>",
    b"",
    b'{"event_uuid": "3f2a',
    b'{"status": "ok"}',
    b"[]",
    b"\xff\xfe\x00garbage",
)
"""Bodies of responses with status 200 that are not receipts."""
