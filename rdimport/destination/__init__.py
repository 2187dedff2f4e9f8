"""The destination port: builds requests and reads responses, without sockets, clock, retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rdimport.destination.verdict import Evidence

if TYPE_CHECKING:
    from rdimport.core.quota import Limits

    # `row` imports polars (0.25 s); the sandbox and `--help` need only the field table.
    from rdimport.core.row import Problem


class Request(NamedTuple):
    """One request. Its URL has no secret; `Destination.credentials` are added when it is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """The meaning of an endpoint's response.

    `receipt` is the endpoint's identifier for an accepted row. `wait` is the delay it asked for, in
    seconds; None if it gave none. `problems` are what it found wrong with the row. `limits` is the
    state of the account's quota according to the headers. `rule` names the user's rule for their
    own endpoint that decided the meaning, if one did.
    """

    evidence: Evidence
    receipt: str = ""
    problems: tuple[Problem, ...] = ()
    wait: float | None = None
    limits: Limits | None = None
    rule: str = ""


class Destination(Protocol):
    """An endpoint and account, as delivery needs them."""

    @property
    def base_url(self) -> str:
        """The endpoint's address; contains no secret."""

    @property
    def account(self) -> str:
        """The account's name, for the ledger and the quota."""

    @property
    def identity(self) -> str:
        """Distinguishes this endpoint and account from others in the ledger."""

    @property
    def idempotent(self) -> bool:
        """Whether the endpoint's owner states that sending a row twice does no harm."""

    def build(self, payload: str) -> Request:
        """Build the request for one row. `payload` is JSON text."""

    def credentials(self) -> Mapping[str, str]:
        """Query parameters added when a request is sent; never stored or printed."""

    def read(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """Interpret a response. Header names are lower case; the body may be any bytes."""

    def without_key(self, text: str) -> str:
        """`text` with every form of the key masked."""
