"""Typed command-line arguments: no other module uses argparse's namespace.

Each class has the options of its command under argparse's names (`parser` in `options`).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from gettext import textdomain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from rdimport.cli.options import language_here, parser
from rdimport.core.messages import Language, language
from rdimport.core.values import Values, names

if TYPE_CHECKING:
    from rdimport.sandbox.options import SandboxOptions


class Arguments(Values):
    """Common to all commands: the language of all output."""

    lang: Language


class SharedArguments(Arguments):
    """Which database holds the ledger."""

    ledger: str | None = None


class StateArguments(SharedArguments):
    """The place of the ledger."""

    state_dir: Path | None = None


class AddressArguments(Arguments):
    """Endpoint and account."""

    base_url: str | None = None
    insecure_http: bool = False
    account: str | None = None


class OutputArguments(Arguments):
    """Output format."""

    json: bool
    quiet: bool


class FileArguments(Arguments):
    """Lists, and hints about them."""

    files: tuple[str, ...]
    member: str | None
    sheet: str | None
    delimiter: str | None
    encoding: str | None
    header_row: int | None


class CheckArguments(FileArguments, AddressArguments, StateArguments, OutputArguments):
    """`check`: the arguments of `run`; without a mapping it describes the files."""

    mapping: Path | None
    resend: tuple[str, ...]
    now: bool
    not_proved: bool
    suppress: tuple[str, ...]
    sandbox: bool
    plan: str | None
    quota: str | None
    reserve: str | None
    yes: bool
    new_identity: bool
    api_key_file: Path | None
    concurrency: int
    limit: int | None
    max_duration: float | None
    wait: float
    patience: float
    until: tuple[int, int] | None
    canary: int | None
    timeout: float
    transport: Literal["auto", "lean", "httpx"]
    dry_run: bool
    report_dir: Path | None
    full_report: bool
    log_file: Path | None
    log_format: Literal["text", "json"]
    metrics_file: Path | None
    payloads: Path | None = None


class RunArguments(CheckArguments):
    """`run`: the same, with a mapping."""

    mapping: Path


class InitArguments(FileArguments):
    """`init`."""

    output: Path | None
    job: str | None
    account: str | None
    api_key_file: Path | None
    config: Path | None


class StatusArguments(StateArguments):
    """`status`."""

    run: str | None
    report_dir: Path | None
    account: str | None
    job: str | None
    since: float | None
    check: bool
    max_age: float | None
    config: Path | None
    html: Path | None
    json: bool


class ReportArguments(StateArguments, OutputArguments):
    """`report`."""

    run: str | None
    report_dir: Path | None
    full_report: bool


class SettleArguments(AddressArguments, StateArguments, OutputArguments):
    """`settle`: `listen` instead of files."""

    files: tuple[str, ...]
    listen: tuple[str, int] | None
    mapping: Path | None
    moment: str | None
    utc_offset: timezone | None
    complete_from: datetime | None
    complete_until: datetime | None


class KeyArguments(Arguments):
    """`key`."""

    action: Literal["set", "list", "remove"]
    name: str | None


class AccountsArguments(AddressArguments, StateArguments):
    """`accounts`."""

    action: Literal["list", "add-key", "rename"]
    names: tuple[str, ...]
    api_key_file: Path | None
    json: bool


class PurgeArguments(StateArguments):
    """`purge`."""

    older_than: float
    report_dir: Path | None


class ForgetArguments(StateArguments):
    """`forget`."""

    emails: tuple[str, ...]
    also_hash: bool
    report_dir: Path | None
    full_report: bool


class LedgerCopyArguments(Arguments):
    """`ledger copy`."""

    source: str
    target: str


class LedgerCheckArguments(StateArguments):
    """`ledger check`."""


class LedgerAcceptArguments(StateArguments):
    """`ledger accept`."""

    yes: bool


class LedgerKeyArguments(StateArguments):
    """`ledger key`."""

    move_to: Path


class LedgerNewArguments(LedgerAcceptArguments):
    """`ledger new`."""


class FleetInitArguments(SharedArguments):
    """`fleet init`."""


class FleetStatusArguments(SharedArguments):
    """`fleet status`."""

    config: Path | None
    json: bool
    html: Path | None


class FleetOrderArguments(SharedArguments):
    """`fleet pause`, `fleet resume` and `fleet drain`."""

    action: Literal["pause", "resume", "drain"]
    names: tuple[str, ...]


class WorkerArguments(SharedArguments):
    """`worker`."""

    config: Path | None
    slots: int
    once: bool
    quiet: bool


class SchemaArguments(Arguments):
    """`schema`."""

    what: Literal["mapping", "config"]


class JobsArguments(Arguments):
    """`jobs`."""

    action: Literal["list", "check", "run"]
    names: tuple[str, ...]
    config: Path | None
    json: bool
    quiet: bool = False
    metrics_file: Path | None = None


class SandboxArguments(Values):
    """`sandbox`: its options are a class of the sandbox package."""

    options: SandboxOptions


LedgerArguments: TypeAlias = (
    LedgerCopyArguments | LedgerCheckArguments | LedgerAcceptArguments | LedgerKeyArguments
)

KINDS: Final[Mapping[str, type[Arguments]]] = {
    "run": RunArguments,
    "check": CheckArguments,
    "init": InitArguments,
    "status": StatusArguments,
    "report": ReportArguments,
    "settle": SettleArguments,
    "key": KeyArguments,
    "accounts": AccountsArguments,
    "purge": PurgeArguments,
    "forget": ForgetArguments,
    "ledger copy": LedgerCopyArguments,
    "ledger check": LedgerCheckArguments,
    "ledger accept": LedgerAcceptArguments,
    "ledger new": LedgerNewArguments,
    "ledger key": LedgerKeyArguments,
    "fleet init": FleetInitArguments,
    "fleet status": FleetStatusArguments,
    "fleet pause": FleetOrderArguments,
    "fleet resume": FleetOrderArguments,
    "fleet drain": FleetOrderArguments,
    "worker": WorkerArguments,
    "schema": SchemaArguments,
    "jobs": JobsArguments,
}
"""The class of each command, except `sandbox`, which would cost an import."""


class Command(NamedTuple):
    """A parsed command line: the command's name, and an instance of its class in `KINDS`."""

    name: str
    arguments: object


_PARSING: Final = Lock()
"""Runs of a worker share the parser."""


def read(words: Sequence[str]) -> Command | None:
    """Parse a command line; None without a command. Raises SystemExit like argparse."""
    with _PARSING:
        namespace = _parser(language(), language_here(), textdomain()).parse_args(list(words))
    if namespace.command is None:
        return None
    return Command(namespace.command, _typed(namespace))


@lru_cache(maxsize=4)
def _parser(*_spoken: str) -> ArgumentParser:
    """The parser, made once for each language: making it takes longer than all the rest of a run's
    start, and a worker starts hundreds of runs.
    """
    return parser()


def _typed(namespace: Namespace) -> object:
    if namespace.command == "sandbox":
        from rdimport.sandbox.arguments import options_from  # noqa: PLC0415

        return SandboxArguments(options=options_from(namespace))
    action = f" {namespace.action}" if namespace.command in ("ledger", "fleet") else ""
    kind = KINDS[namespace.command + action]
    given = vars(namespace)
    values = {name: given[name] for name in names(kind) if name in given}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return kind(**values | lists)
