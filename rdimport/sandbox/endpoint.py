"""The endpoint's decisions in RD's order: key, quota, format, lead, fields. Synchronous, no socket.

Clock and storage are arguments, so a test can advance the date.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from rdimport.core.clock import Clock
from rdimport.sandbox import replies, webhooks
from rdimport.sandbox.faults import Fault, FaultInjector
from rdimport.sandbox.limits import LEAD_PERIOD, Leads, Window
from rdimport.sandbox.options import SandboxOptions
from rdimport.sandbox.profiles import Profile
from rdimport.sandbox.replies import Reason, Reply
from rdimport.sandbox.rules import NotJSONError, Reading, decode, read
from rdimport.sandbox.store import Accepted, Key, Refused, Store
from rdimport.sandbox.webhooks import Webhook

CONVERSIONS: Final = "/platform/conversions"

MAX_URL: Final = 8_000
"""Characters of path and query; beyond 8 kB RD answers 414 (page `mensagens-de-erro-rdsm`)."""

_BEARER_PATHS: Final = (
    "/platform/events",
    "/platform/contacts",
    "/platform/webhooks",
    "/platform/segmentations",
    "/marketing",
    "/auth",
    "/integrations",
)
"""Paths that RD serves only with OAuth, not with an API key."""

_NOT_SHOWN: Final = frozenset((b"content-length", b"authorization", b"cookie"))

_OF_THE_EVENT: Final = frozenset(
    "conversion_identifier email client_tracking_id "
    "traffic_source traffic_medium traffic_campaign traffic_value".split()
)
"""Fields of the conversion that are not stored with the contact."""


class Call(NamedTuple):
    """A request. Names in `headers` are in lower case; `body` is None until it is read."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes | None


@dataclass(slots=True)
class Counts:
    """Numbers of requests since the start, by outcome."""

    requests: int = 0
    accepted: int = 0
    refused: int = 0
    throttled: int = 0


@dataclass(slots=True)
class _Gate:
    """What the gateway knows about the caller."""

    account: int | None = None
    key: Key | None = None
    headers: replies.Headers = ()


@dataclass(slots=True)
class Minutes:
    """Requests of an account per minute: `{minute: [accepted, refused, throttled]}`."""

    by_minute: dict[int, list[int]] = field(default_factory=dict)

    def add(self, at: float, kind: int) -> None:
        """Count one request; kind is 0 accepted, 1 refused, 2 throttled."""
        minute = int(at // 60)
        counts = self.by_minute.get(minute)
        if counts is None:
            counts = self.by_minute[minute] = [0, 0, 0]
            for old in [known for known in self.by_minute if known < minute - 60]:
                del self.by_minute[old]
        counts[kind] += 1


class Endpoint:
    """Handles `POST /platform/conversions`, and refuses all other paths of RD."""

    def __init__(self, options: SandboxOptions, store: Store, clock: Clock) -> None:
        self.options = options
        self.store = store
        self.clock = clock
        self.injector = FaultInjector(options.faults, options.seed)
        self.counts = Counts()
        self.webhook = Webhook()
        self.profile = Profile.named(options.profile) or Profile.OWNER
        self.clears = 0
        self.minutes: defaultdict[int, Minutes] = defaultdict(Minutes)
        self._rules = options.rules()
        self._quota = options.quota()
        self._windows: dict[int, Window] = {}
        self._leads = Leads(options.lead_limit)
        self._leads.restore(store.leads_since(clock.now().timestamp() - LEAD_PERIOD))

    def answer(self, call: Call, fault: Fault | None = None) -> Reply:
        """RD's response to this request; stores what RD would store."""
        now = self.clock.now().timestamp()
        gate = _Gate()
        reading = Reading([])
        reply = self._gateway(call, gate, now)
        if reply is None:
            reply = self._forged(fault)
        if reply is None:
            reply, reading = self._conversion(call, gate, now)
        self._remember(call, gate, reading, reply, now)
        return reply._replace(headers=gate.headers + reply.headers)

    # The gateway: address, key, quota.

    def _gateway(self, call: Call, gate: _Gate, now: float) -> Reply | None:
        if len(call.path) + len(call.query) > MAX_URL:
            return replies.url_too_long()
        if call.path != CONVERSIONS:
            return self._other_path(call.path)
        if call.method != "POST":
            return replies.wrong_method(call.method)
        refused = self._key(call.query, gate)
        if refused or gate.account is None or self._quota is None:
            return refused
        return self._take(gate, self._quota_window(gate.account), now)

    def _other_path(self, path: str) -> Reply:
        if path.startswith(_BEARER_PATHS):
            return replies.key_refused(401, Reason.OAUTH_ONLY, path[:200])
        return replies.not_found()

    def _key(self, query: str, gate: _Gate) -> Reply | None:
        given = [value for name, value in parse_qsl(query) if name == "api_key"]
        status = self.options.key_status
        if not given:
            return replies.key_refused(status, Reason.KEY_MISSING)
        key = self.store.keys.get(given[0]) if len(given) == 1 else None
        if key is None:
            return replies.key_refused(status, Reason.KEY_UNKNOWN)
        gate.account = key.account
        if not key.active:
            return replies.key_refused(status, Reason.KEY_INACTIVE, key.name)
        gate.key = key
        return None

    def _quota_window(self, account: int) -> Window | None:
        window = self._windows.get(account)
        if window is None and self._quota:
            window = self._windows[account] = Window(self._quota)
        return window

    def _take(self, gate: _Gate, window: Window | None, now: float) -> Reply | None:
        if window is None:
            return None
        taken = window.take(now)
        gate.headers = replies.quota_headers(taken, self.options.headers)
        if taken.allowed:
            return None
        return replies.account_throttled(
            replies.retry_headers(taken.reset, self.options.headers),
            str(window.quota),
        )

    def window(self, account: int) -> tuple[int, Window | None]:
        """The number of requests in the account's current window, and the window."""
        window = self._quota_window(account)
        return (window.used(self.clock.now().timestamp()) if window else 0), window

    # Faults that are answers. The others are carried out at the socket.

    def _forged(self, fault: Fault | None) -> Reply | None:
        if fault is None:
            return None
        reply = self._forge(fault)
        return reply and reply._replace(reason=Reason.FAULT, detail=str(fault))

    def _forge(self, fault: Fault) -> Reply | None:
        faults = self.injector.faults
        seconds, spelling = faults.retry_after, self.options.headers
        forged = {
            Fault.THROTTLE: replies.account_throttled(replies.retry_headers(seconds, spelling), ""),
            Fault.THROTTLE_LEAD: replies.lead_throttled(120, 121, 43_200, LEAD_PERIOD, ""),
            Fault.UNAVAILABLE: replies.unavailable(seconds),
            Fault.ODD: Reply(faults.odd_status, b""),
            Fault.CRM: replies.key_of_crm(),
        }
        if fault is Fault.FAIL_BEFORE:
            return Reply(self.injector.fail_status(), b"")
        return forged.get(fault)

    # The conversion itself: form of the request, lead, fields.

    def _conversion(self, call: Call, gate: _Gate, now: float) -> tuple[Reply, Reading]:
        nothing = Reading([])
        wrong = self._form(call)
        if wrong is not None or call.body is None:
            return wrong or replies.too_large(self.options.max_body), nothing
        try:
            document = decode(call.body)
        except NotJSONError as error:
            return replies.not_json(str(error)), nothing
        reading = read(document, self._rules)
        if reading.email and self.options.lead_limit:
            over = self._leads.take(gate.account or 0, reading.email, now)
            if over is not None:
                usage, remaining = over
                return replies.lead_throttled(
                    self._leads.limit, usage, remaining, LEAD_PERIOD, reading.email
                ), reading
        if reading.refusals:
            return replies.refused(reading.refusals, self.options.error_shape), reading
        return replies.accepted(str(uuid.uuid4())), reading

    def _form(self, call: Call) -> Reply | None:
        content_type = accept = b""
        for name, value in call.headers:
            if name == b"content-type":
                content_type = value
            elif name == b"accept":
                accept = accept + b"," + value if accept else value
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            return replies.wrong_media_type()
        if accept and not _accepts_json(accept):
            return replies.not_acceptable()
        if call.body is None or len(call.body) > self.options.max_body:
            return replies.too_large(self.options.max_body)
        return None

    # Books.

    def note(self, call: Call, fault: Fault) -> None:
        """Record a request that gets no response and was not stored."""
        now = self.clock.now().timestamp()
        gate = _Gate()
        self._key(call.query, gate)
        self._remember(call, gate, Reading([]), Reply(0, b"", (), Reason.FAULT, str(fault)), now)

    def _remember(
        self, call: Call, gate: _Gate, reading: Reading, reply: Reply, now: float
    ) -> None:
        counts = self.counts
        counts.requests += 1
        if reply.status == 200:
            counts.accepted += 1
            self._store_accepted(call, gate, reading, reply, now)
            kind = 0
        else:
            kind = 2 if reply.status == 429 else 1
            if kind == 2:
                counts.throttled += 1
            else:
                counts.refused += 1
            self.store.add_refused(
                Refused(
                    gate.account,
                    now,
                    reply.status,
                    reply.reason or "",
                    reply.detail,
                    reading.email,
                    reply.body,
                    _head(call),
                    call.body or b"",
                )
            )
        if gate.account is not None:
            self.minutes[gate.account].add(now, kind)

    def _store_accepted(
        self, call: Call, gate: _Gate, reading: Reading, reply: Reply, now: float
    ) -> None:
        if gate.key is None:  # pragma: no cover  the gateway stops requests without a key
            raise RuntimeError("a conversion was accepted without a key")
        kept = reading.kept
        contact = {name: value for name, value in kept.items() if name not in _OF_THE_EVENT}
        self.store.add_accepted(
            Accepted(
                gate.key.account,
                gate.key.id,
                now,
                reading.email,
                reply.receipt,
                str(kept["conversion_identifier"]),
                json.dumps(contact),
                reading.dropped,
                _head(call),
                call.body or b"",
            )
        )
        if self.webhook.url:
            name = str(kept["conversion_identifier"])
            self.webhook.tell(webhooks.body(reading.email, name, now, contact))

    def clear(self) -> None:
        """Delete contacts, conversions, refused requests, counts and windows; keep keys. Requests
        still being handled are discarded too: `clears` has changed since they began.
        """
        self.clears += 1
        self.store.clear()
        self.counts = Counts()
        self.minutes.clear()
        self._windows.clear()
        self._leads.clear()


def _accepts_json(accept: bytes) -> bool:
    """Whether a media range allows `application/json`, not with `q=0`."""
    for part in accept.lower().split(b","):
        media, _, parameters = part.partition(b";")
        if media.strip() in (b"application/json", b"application/*", b"*/*"):
            return parameters.replace(b" ", b"") not in (b"q=0", b"q=0.0")
    return False


def _head(call: Call) -> str:
    """The request's head for display, without its length and with the key masked."""
    headers = tuple([pair for pair in call.headers if pair[0] not in _NOT_SHOWN])
    return _head_text(call.method, call.path[:200], bool(call.query), headers)


@lru_cache(256)
def _head_text(
    method: str, path: str, has_query: bool, headers: tuple[tuple[bytes, bytes], ...]
) -> str:
    """The cached text of a head: clients repeat the same one."""
    first = f"{method} {path}{'?api_key=…' if has_query else ''}"
    lines = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers]
    return "\n".join([first, *lines])
