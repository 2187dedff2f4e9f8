"""The model of the settings file; its JSON schema and its reference page are made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from rdimport.core.address import is_address, masked
from rdimport.core.document_errors import FAILURE, NAME
from rdimport.core.messages import Language, _, untranslated
from rdimport.core.names import fold
from rdimport.core.quota import Quota
from rdimport.core.shell import at_home
from rdimport.destination.own_endpoint import Meaning
from rdimport.notify.rules import Rule


def _quota(value: object) -> object:
    if isinstance(value, str):
        Quota.parse(value)  # raises ValueError with its sentence
    return value


def _one_or_more(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _of_form(pattern: str, sentence: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(_(sentence))
        return value

    return check


def _folder(value: object) -> object:
    if isinstance(value, str) and re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]+:/", value):
        raise ValueError(_("not a folder: the address of a database belongs in `ledger`"))
    return value


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError(_("must not hold a NUL character"))
    return value


Text = Annotated[
    str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_without_nul)
]
Count = Annotated[int, Field(ge=1, le=10**9)]
_TIME: Final = r"(?:[0-9]{1,5}|[0-9]{6,9}(?=[.0-9]*(?:s|m)))(?:\.[0-9]+)?(?:s|m|min|h|d)"
Time = Annotated[
    str,
    BeforeValidator(_of_form(_TIME, untranslated('not a duration: write "2h", "45m" or "30s"'))),
]
SomeTime = Annotated[
    str,
    BeforeValidator(
        _of_form(rf"(?=[^1-9]*[1-9]){_TIME}", untranslated('not a duration above 0: write "30s"'))
    ),
]
_OF_DAY: Final = r"([01]?[0-9]|2[0-3]):[0-5][0-9]"
TimeOfDay = Annotated[
    str,
    BeforeValidator(_of_form(_OF_DAY, untranslated('not a time of day: write "06:00", in quotes'))),
]
_IN_CRONTABS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
_FIELD: Final = rf"(?i:[0-9LW*,/#?-]|{_IN_CRONTABS})+"
Every = Annotated[
    str,
    BeforeValidator(
        _of_form(
            rf"\s*{_FIELD}(?:\s+{_FIELD}){{4}}\s*",
            untranslated('not five fields as in a crontab: write "30 22 * * 1-5"'),
        )
    ),
]
_SHARE: Final = r"[0-9]{1,2}(?:\.[0-9]+)?\s*%"
Share = Annotated[str, BeforeValidator(_of_form(_SHARE, untranslated('not a share: write "20%"')))]
_DATABASE: Final = r"postgres(?:ql)?://(?:[^@/:?#\s]+@)?[^@?#\s]*(?:\?(?!\S*password=)\S*)?"
Database = Annotated[
    str,
    BeforeValidator(
        _of_form(
            _DATABASE,
            untranslated(
                'not a database: write "postgresql://USER@HOST/DATABASE"; a password '
                "belongs in ~/.pgpass"
            ),
        )
    ),
]
Folder = Annotated[Text, BeforeValidator(_folder)]
QuotaText = Annotated[str, BeforeValidator(_quota)]
Paths = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Rules = Annotated[tuple[Rule, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""The name of a job, used on command lines and in file names."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _option(description: str) -> Any:
    """A field that may be left out."""
    return Field(default=None, description=description)


class _Location(_Table):
    """Where something secret is. Exactly one field is set."""

    env: Text | None = _option("environment variable that contains it")
    file: Text | None = _option("file that contains it, readable by you only")

    @model_validator(mode="after")
    def _one(self) -> Self:
        known = type(self).model_fields
        if sum(bool(getattr(self, name)) for name in known) != 1:
            raise ValueError(_("expected one of {known}", known=", ".join(known)))
        return self


class ApiKey(_Location):
    """The location of an API key, never the key itself. Exactly one field is set."""

    keyring: bool | None = _option("`true`: in the system's keyring under the account's name")
    command: Paths | None = _option('program that prints it: `["pass", "rd/acme"]`')


class Address(_Location):
    """The location of a secret address. Exactly one field is set."""

    command: Paths | None = _option("program that prints it")


class Notify(_Table):
    """A recipient of messages about how jobs ended."""

    url: Address | Text = Field(
        description="address for the library apprise, given directly or by its location: `{env = "
        '"OPS_URL"}`'
    )
    on: Rules = Field(
        default=("failed_rows", "stopped", "new_problem", "recovered"),
        description="when: `failed_rows`, `stopped`, `new_problem`, `recovered`, `uncertain`, "
        "`always`",
    )


class Common(_Table):
    """Settings of an account or a job; those of the job take precedence."""

    lang: Language | None = _option(
        "language of reports; in the defaults, also of what `jobs`, `status` and `worker` say"
    )
    report_dir: Text | None = _option("gets a folder for each run")
    state_dir: Folder | None = _option("folder of the ledger")
    ledger: Database | None = _option(
        "ledger that machines share: `postgresql://USER@HOST/DATABASE`"
    )
    base_url: Text | None = _option("endpoint, if it is not RD's")
    until: TimeOfDay | None = _option("stop at this time: `06:00`")
    max_duration: Time | None = _option("stop after this time: `2h`")
    wait: Time | None = _option("how long to wait for an account in use: `1h`")
    patience: Time | None = _option("how long RD may be down: `2m`")
    timeout: SomeTime | None = _option("how long a response may take: `1m`")
    concurrency: Count | None = _option("maximum number of open requests")
    notify: Paths | None = _option("who is notified: names of `[notify.NAME]`")
    ping: Address | Text | None = _option(
        "dead man's switch: GET when a job worked, with `/fail` appended when it did not"
    )
    full_report: bool | None = _option("`true`: report.html shows personal data unmasked")


class Defaults(Common):
    """Defaults for what neither the job nor its account sets."""

    metrics_file: Text | None = _option("gets the metrics of all jobs for Prometheus")


class Account(Common):
    """An account of RD Station Marketing. Its name is the one in the ledger (`--account`)."""

    api_key: ApiKey = Field(description="where its key is")
    plan: Literal["light", "basic", "pro", "advanced"] | None = _option(
        "RD plan, which sets the quota: 120 per minute, advanced 500"
    )
    quota: QuotaText | None = _option("instead of a plan: `120/min`")
    reserve: Share | None = _option("share of the quota left to other integrations: `20%`")
    suppress: Paths | None = _option(
        'lists of people who must not be sent: `["acme/saiu.csv"]` (`--suppress`)'
    )
    unclear: dict[Annotated[str, StringConstraints(pattern=FAILURE)], Meaning] = Field(
        default={},
        description=(
            'an endpoint of your own: responses that mean “not taken”: `{503 = "not_taken"}`'
        ),
    )
    idempotent: bool = Field(
        default=False,
        description="an endpoint of your own: `true` if repeated requests do no harm there",
    )


class Job(Common):
    """An import: files, a mapping and an account."""

    account: Text = Field(description="name of an account of this file")
    files: Paths = Field(description="paths or patterns, such as `acme/entrada/*.xlsx`")
    mapping: Text = Field(description="mapping file")
    every: Every | None = _option(
        "when `rdimport worker` runs it, as in a crontab: `30 22 * * 1-5`; ignored by `jobs run`"
    )
    move_done: Text | None = _option("folder that gets lists that were imported completely")
    move_failed: Text | None = _option(
        "folder that gets lists with rows that failed, and files that are not lists"
    )
    sheet: Text | None = _option("sheet of a workbook")
    member: Text | None = _option("the list to read in an archive with several")
    delimiter: Text | None = _option("delimiter of a text file; `tab` for a tab")
    encoding: Text | None = _option("encoding of a text file, such as `cp1252`")
    header_row: Count | None = _option("row with the column names")


_INHERITED: Final = tuple(Common.model_fields)
_OF_FILES: Final = ("sheet", "member", "delimiter", "encoding", "header_row")
_PATHS: Final = ("report_dir", "state_dir", "mapping")
_SWITCHES: Final = ("full_report",)
_OF_JOBS_RUN: Final = ("notify", "ping")
"""Settings handled by `jobs run`, which are not options of `run`."""


class Settings(_Table):
    """A whole settings file. Paths in it are relative to the file."""

    defaults: Defaults = Field(default=Defaults(), description="for all jobs")
    accounts: dict[Text, Account] = Field(default={}, description="by name")
    jobs: dict[Name, Job] = Field(default={}, description="by name")
    notify: dict[Name, Notify] = Field(default={}, description="who is notified, by name")
    _folder: Path = PrivateAttr(Path())

    def beside(self, folder: Path) -> Self:
        """A copy whose relative paths start at `folder`."""
        self._folder = folder
        return self

    def account_of(self, job: str) -> tuple[str, Account]:
        """Name and settings of a job's account. Raises KeyError for an unknown job."""
        return self._by_folded_name[fold(self.jobs[job].account)]

    @cached_property
    def _by_folded_name(self) -> dict[str, tuple[str, Account]]:
        return {fold(name): (name, account) for name, account in self.accounts.items()}

    def value(self, job: str, key: str) -> tuple[Any, str]:
        """A setting of a job, and the table that sets it (empty if none does)."""
        name, account = self.account_of(job)
        for table, place in (
            (self.jobs[job], f"jobs.{job}"),
            (account, f"accounts.{name}"),
            (self.defaults, "defaults"),
        ):
            found = getattr(table, key, None)
            if found is not None:
                return found, place
        return None, ""

    def path(self, text: str) -> Path:
        """An absolute path for a path in the settings."""
        return self._folder / at_home(text)

    def word(self, name: str) -> str:
        """A list as named on a command line: an absolute path, or an address."""
        return name if is_address(name) else str(self.path(name))

    def words(self, job: str) -> list[str]:
        """The command line of a job, starting with `run`, without the key."""
        entry = self.jobs[job]
        name, account = self.account_of(job)
        words = ["run", *(self.word(file) for file in entry.files), f"--account={name}"]
        words += [f"--plan={account.plan}"] if account.plan else []
        words += [f"--quota={account.quota}"] if account.quota else []
        words += [f"--reserve={account.reserve}"] if account.reserve else []
        if account.api_key.file is not None:
            words.append(f"--api-key-file={self.path(account.api_key.file)}")
        words += [f"--suppress={self.word(name)}" for name in account.suppress or ()]
        for key in ("mapping", *_INHERITED, *_OF_FILES):
            value, _ = self.value(job, key)
            if value is None or value is False or key in _OF_JOBS_RUN:
                continue
            option = f"--{key.replace('_', '-')}"
            given = self.path(value) if key in _PATHS else value
            words.append(option if key in _SWITCHES else f"{option}={given}")
        return words

    def effective(self, job: str) -> Iterator[tuple[str, Any, str]]:
        """The effective settings of a job: key, value, and the table that sets it."""
        for key in (
            "account",
            "files",
            "mapping",
            "plan",
            "quota",
            "reserve",
            "suppress",
            "unclear",
            "idempotent",
            *_INHERITED,
        ):
            value, place = self.value(job, key)
            is_set = value not in (None, {}) and (value or key != "idempotent")
            if is_set and key != "ping":
                yield key, _without_credentials(value), place


def _without_credentials(value: object) -> object:
    """The names of lists for display, without credentials."""
    return tuple(map(masked, value)) if isinstance(value, tuple) else value
