"""The prerequisites of `worker` and `fleet`: a ledger in PostgreSQL, and the libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import SharedArguments
from rdimport.config import Settings
from rdimport.core.errors import ExitCode, LedgerError, UsageError
from rdimport.core.messages import _
from rdimport.ledger import Store, fleet_of, missing_library, store_of


def needed_ledger(args: SharedArguments, settings: Settings | None = None) -> str:
    """The address of the shared ledger: from the option, the environment, or the settings'
    defaults. Raises UsageError if there is none.
    """
    url = resolve.ledger(args) or (settings.defaults.ledger if settings else None)
    if url is None:
        raise UsageError(
            _("No database is named."),
            _("Type: rdimport fleet init --ledger postgresql://USER@HOST/DATABASE"),
        )
    return url


def store(url: str) -> Store:
    """The shared ledger's place."""
    return store_of(url, keys.of_ledger())


def library() -> ModuleType:
    """Import the `fleet` package. Raises UsageError if its libraries are not installed."""
    try:
        from rdimport import fleet  # noqa: PLC0415  it is an extra
    except ImportError as error:
        raise missing_library(error) from error
    return fleet


def refuse_pooler(url: str) -> None:
    """Raise UsageError if the queue would go through a pooler."""
    with fleet_of(url) as fleet:
        fleet.refuse_pooler()


@contextmanager
def outages_pass() -> Iterator[None]:
    """Turn temporary failures, such as an unreachable database, into exit code 75: a service may
    restart the command without asking anyone.
    """
    try:
        yield
    except LedgerError as error:
        if error.exit_code is ExitCode.STOPPED:
            raise error.with_code(ExitCode.BUSY) from error
        raise


@contextmanager
def queue_explained(url: str) -> Iterator[None]:
    """Turn errors of the queue's library into LedgerError."""
    from procrastinate.exceptions import ConnectorException  # noqa: PLC0415  it is an extra

    try:
        yield
    except ConnectorException as error:
        with fleet_of(url) as fleet:
            raise fleet.queue_error(error) from error
