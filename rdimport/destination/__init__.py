"""Port to an endpoint: it builds requests and reads answers; it has no socket, clock or retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rdimport.destination.verdict import Evidence

if TYPE_CHECKING:
    from rdimport.core.quota import Limits

    # `row` loads polars, a quarter of a second; the sandbox and `--help` read the field table only.
    from rdimport.core.row import Problem


class Request(NamedTuple):
    """One row on its way. The URL holds no secret: `Destination.credentials` adds it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What an endpoint's answer means.

    `receipt` is its own identifier for what it accepted; `wait` the seconds that it asked for,
    None when it did not say; `problems` what it found wrong with the row; `limits` what its headers
    say of the account's quota; `rule` names the rule of the endpoint's owner that decided.
    """

    evidence: Evidence
    receipt: str = ""
    problems: tuple[Problem, ...] = ()
    wait: float | None = None
    limits: Limits | None = None
    rule: str = ""


class Destination(Protocol):
    """What delivery needs of an endpoint."""

    @property
    def base_url(self) -> str:
        """Where it is, as a person would name it; no secret in it."""

    @property
    def account(self) -> str:
        """Whose ledger and quota this is."""

    @property
    def identity(self) -> str:
        """What tells this endpoint from others in the ledger: a row is new once for each."""

    @property
    def idempotent(self) -> bool:
        """Whether its owner says that a row may be sent twice without harm."""

    def build(self, payload: str) -> Request:
        """The request for one row's payload (JSON text)."""

    def credentials(self) -> Mapping[str, str]:
        """Query parameters that are added when the bytes leave, and never stored or printed."""

    def read(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """What an answer means. `headers` have lower-case names; any bytes may be the body."""

    def without_key(self, text: str) -> str:
        """A text from outside without the key, in whatever form it holds it."""
