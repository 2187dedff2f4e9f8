"""The options of a sandbox, each with a sentence for the help."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from rdimport.core.errors import UsageError
from rdimport.core.messages import _, untranslated
from rdimport.core.quota import Quota
from rdimport.destination.rdstation.fields import MAX_BODY, MAX_LENGTH, PLANS
from rdimport.sandbox.account_fields import AccountFields
from rdimport.sandbox.faults import Faults
from rdimport.sandbox.profiles import Profile
from rdimport.sandbox.replies import SHAPES, SPELLINGS
from rdimport.sandbox.rules import Rules

_MOST: Final = 10**15
"""The largest number of an option: more than any disk holds, and within SQLite's numbers."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_~.-]{16,}")


def _choice(default: object, text: str, metavar: str = "") -> Any:
    return field(default=default, metadata={"text": text, "metavar": metavar})


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Options of a sandbox. Defaults are RD's behaviour or, undocumented, the stricter one."""

    port: int = _choice(8090, untranslated("port to listen on; 0 uses a free one"), "N")
    host: str = _choice(
        "127.0.0.1",
        untranslated("address to listen on; anything but loopback gives other machines access"),
        "ADDRESS",
    )
    plan: str = _choice(
        "light",
        untranslated("quota of an account: {plans}, none, or a number such as 600/min"),
        "PLAN",
    )
    data: Path | None = _choice(  # noqa: RUF009
        None,
        untranslated("keep accounts, keys, contacts and requests here; without it nothing is kept"),
        "DIR",
    )
    accounts: tuple[str, ...] = _choice(
        ("default",),
        untranslated(
            "account that exists from the start, with keys and contacts of its own; repeatable"
        ),
        "NAME",
    )
    profile: str = _choice(
        str(Profile.OWNER),
        untranslated(
            "who views the page: Dono, Gestor or Usuario, who cannot see keys; the page can "
            "switch it"
        ),
        "PROFILE",
    )
    new_key: str = _choice(
        "", untranslated("create a key of this name in the first account and print it"), "NAME"
    )
    custom_fields: str = _choice(
        "none",
        untranslated(
            "custom fields that the accounts have: none, any, or a JSON file "
            "(the answer of GET /platform/contacts/fields); all other cf_ fields are dropped"
        ),
        "none|any|FILE",
    )
    headers: str = _choice(
        "both",
        untranslated(
            "spelling of the quota headers: plain (RateLimit-Limit), quotas "
            "(RateLimit-Limit-Quotas), both or none"
        ),
        "SPELLING",
    )
    lead_limit: int = _choice(
        120, untranslated("requests per e-mail address in 24 hours; 0 means no limit"), "N"
    )
    max_body: int = _choice(
        MAX_BODY, untranslated("maximum size of a request's body, in bytes"), "BYTES"
    )
    max_length: int = _choice(
        MAX_LENGTH,
        untranslated(
            "maximum length of a text, in characters; 0 means no limit (RD does not document one)"
        ),
        "N",
    )
    blanks: str = _choice(
        "refuse",
        untranslated("empty texts and nulls: refuse or ignore (not documented by RD)"),
        "refuse|ignore",
    )
    key_status: int = _choice(
        401, untranslated("status for a wrong or inactive key: 401 or 403"), "401|403"
    )
    error_shape: int = _choice(
        1, untranslated("format of the body that names refused fields: {shapes}"), "N"
    )
    faults: Faults = field(
        default_factory=Faults,
        metadata={
            "text": untranslated(
                "make something go wrong, e.g. reset_after=0.05 or latency=200ms; repeatable"
            ),
            "metavar": "NAME=VALUE",
        },
    )
    seed: int = _choice(0, untranslated("seed for the random choice of faults"), "N")
    token: str = _choice(
        "",
        untranslated("token that the page asks for, 16 characters or more (generated if omitted)"),
        "TOKEN",
    )
    header_timeout: int = _choice(
        30, untranslated("seconds within which the head of a request must arrive"), "SECONDS"
    )
    certificate: Path | None = _choice(  # noqa: RUF009
        None, untranslated("serve HTTPS with this certificate (PEM; needs a private key)"), "FILE"
    )
    private_key: Path | None = _choice(  # noqa: RUF009
        None, untranslated("private key of the certificate (PEM)"), "FILE"
    )
    keep: int = _choice(
        200_000,
        untranslated("conversions that are kept for the page; older ones are discarded"),
        "N",
    )

    def __post_init__(self) -> None:
        self.quota()
        if Profile.named(self.profile) is None:
            raise UsageError(
                _("{option} {value} is not known.", option="--profile", value=self.profile),
                _("It accepts {known}.", known=", ".join(Profile)),
            )
        _one_of("--headers", self.headers, tuple(SPELLINGS))
        _one_of("--blanks", self.blanks, ("refuse", "ignore"))
        _one_of("--key-status", self.key_status, (401, 403))
        _one_of("--error-shape", self.error_shape, SHAPES)
        if not 0 <= self.port <= 65_535:
            raise UsageError(
                _("--port {port} is not a port.", port=self.port),
                _("Write a number from 0 to 65535."),
            )
        for option, value, least in (
            ("--lead-limit", self.lead_limit, 0),
            ("--max-length", self.max_length, 0),
            ("--max-body", self.max_body, 1),
            ("--keep", self.keep, 1),
        ):
            if not least <= value <= _MOST:
                raise UsageError(
                    _("{option} does not accept this number.", option=option),
                    _("Write one from {least} to {most}.", least=least, most=_MOST),
                )
        if not self.accounts or not all(name.strip() for name in self.accounts):
            raise UsageError(_("The sandbox needs at least one account, and each needs a name."))
        if self.token and not _TOKEN.fullmatch(self.token):
            raise UsageError(
                _(
                    "--token is too short, or contains characters other than letters, digits "
                    "and `_~.-`."
                ),
                _("Use 16 characters or more, or omit it: a token is then generated."),
            )
        if self.header_timeout < 1:
            raise UsageError(
                _("{option} does not accept this number.", option="--header-timeout"),
                _("Write whole seconds."),
            )
        if (self.certificate is None) != (self.private_key is None):
            raise UsageError(_("--certificate and --private-key go together."))

    def quota(self) -> Quota | None:
        """The quota of an account; None if unlimited. Raises UsageError."""
        try:
            return Quota.parse(PLANS.get(self.plan, self.plan))
        except ValueError as error:
            raise UsageError(
                _("--plan {plan} is neither a plan nor a quota.", plan=self.plan),
                _("Write {plans}, none, or a number such as 600/min.", plans=", ".join(PLANS)),
            ) from error

    def rules(self) -> Rules:
        """The options of the rules. Raises UsageError if the catalogue cannot be read."""
        return Rules(
            AccountFields.load(self.custom_fields), self.max_length, self.blanks == "refuse"
        )

    def to_json(self) -> str:
        """The options as one line of JSON, for the process of an embedded sandbox."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> SandboxOptions:
        """The inverse of `to_json`."""
        values = json.loads(text)
        for name in ("data", "certificate", "private_key"):
            values[name] = Path(values[name]) if values[name] else None
        values["accounts"] = tuple(values["accounts"])
        values["faults"] = Faults(**values["faults"])
        return cls(**values)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect to it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _one_of(option: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise UsageError(
            _("{option} {value} is not known.", option=option, value=value),
            _("It accepts {known}.", known=", ".join(map(str, choices))),
        )


def option_texts() -> dict[str, tuple[str, str]]:
    """Metavar and help of each option by field name, in the current language."""
    named = {"plans": ", ".join(PLANS), "shapes": ", ".join(map(str, SHAPES))}
    return {
        known.name: (known.metadata["metavar"], _(known.metadata["text"], **named))
        for known in fields(SandboxOptions)
    }
