"""The store of a shared ledger: a database, which also has the lease of each account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from rdimport.core.names import fold
from rdimport.ledger.content import Content
from rdimport.ledger.hashes import hashed
from rdimport.ledger.holds import HoldQuota
from rdimport.ledger.port import Elsewhere
from rdimport.ledger.postgres import lease, renewing, schema
from rdimport.ledger.postgres.address import Address, give_key, needed_key, parsed
from rdimport.ledger.postgres.content import take
from rdimport.ledger.postgres.durability import refuse_weak
from rdimport.ledger.postgres.ledger import PostgresLedger
from rdimport.ledger.postgres.session import Session


class PostgresStore:
    """A database. The key of the hashes is not stored in it (`address.key_of`)."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._address: Address = parsed(url)
        self._hex_key = key
        self._key: bytes | None = None

    def __str__(self) -> str:
        return self._address.shown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresStore) and other._address == self._address

    def __hash__(self) -> int:
        return hash(self._address)

    @property
    def location_options(self) -> tuple[str, ...]:
        """The options by which a command finds this ledger; without a password."""
        return ("--ledger", self._address.shown)

    @property
    def key(self) -> bytes:
        """The key of the hashes. Raises UsageError if this machine has none."""
        if self._key is None:
            self._key = needed_key(self._hex_key)
        return self._key

    def at(self, url: str) -> PostgresStore:
        """Another database, with the same key."""
        return PostgresStore(url, self._hex_key)

    def is_there(self) -> bool:
        """Whether the database holds a ledger."""
        with Session(self._address, reading=True) as session:
            return schema.is_there(session)

    def open(self, *, trusting: bool = False) -> PostgresLedger:
        """Open the ledger for writing.

        Raises LedgerError if there is none, or the database may lose acknowledged commits, and
        LedgerLostError if records may be missing, unless `trusting`.
        """
        with ExitStack() as unless_open:
            session = unless_open.enter_context(Session(self._address))
            noted = schema.see(session, self.key, trusting=trusting)
            if trusting:
                refuse_weak(session)
            else:
                schema.see_all(session, noted)
            unless_open.pop_all()
        return PostgresLedger(session, self.key, noted)

    def if_there(self) -> PostgresLedger | None:
        """Open the ledger for reading; None if there is none."""
        with ExitStack() as unless_open:
            session = unless_open.enter_context(Session(self._address, reading=True))
            if not schema.is_there(session):
                return None
            noted = schema.see(session, self.key)
            unless_open.pop_all()
        return PostgresLedger(session, self.key, noted)

    def bring_up(self) -> None:
        """Nothing to do: `rdimport fleet init` upgrades the tables."""

    def hold(self, account: str, *, at_once: bool = False) -> AbstractContextManager[renewing.Held]:
        """Hold the lease of an account. Raises LedgerBusyError, always at once."""
        return renewing.hold(self._address, self._quota(account), account)

    def hold_of_quota(self, name: str, account: str, destination: str) -> HoldQuota:
        """See `port.Store`. It is held among all machines."""
        quota = hashed(self.key, [f"quota {name}"], 16)[0]
        return partial(renewing.hold, self._address, quota, account, pace_of=destination)

    def is_held(self, account: str) -> bool:
        """Whether a run of this account is active."""
        with Session(self._address, reading=True) as session:
            return lease.is_taken(session, self._quota(account))

    def elsewhere(self) -> list[Elsewhere]:
        """None: it is in no directory."""
        return []

    @contextmanager
    def nobody_at_work(self) -> Iterator[bool]:
        """Hold the leases of all accounts; yields whether that was possible."""
        with Session(self._address) as session:
            mine = lease.take_all(session)
        held = [renewing.begin(one, self._address) for one in mine or []]
        try:
            yield mine is not None
        finally:
            for one in held:
                renewing.end(one, self._address)

    def put_away(self) -> list[Path]:
        """None: ledgers that were moved aside are in the database."""
        return []

    def forget_copies(self, before: datetime) -> int:
        """0: no backups are made."""
        return 0

    def take(self, content: Content) -> None:
        """Fill an empty ledger, created if necessary, with the contents of another one.

        Raises UsageError if it is not empty, or this machine has another key.
        """
        give_key(content.key, self._hex_key)
        self.make()
        with Session(self._address) as session:
            take(session, content)

    def accept(self) -> str:
        """Continue with a database that may lack records."""
        with Session(self._address) as session:
            schema.trust(session)
        return ""

    def begin_anew(self) -> str:
        """Move a ledger aside within its database, and create a new one; returns its new schema."""
        with Session(self._address) as session:
            return schema.put_aside(session, self.key)

    def make(self) -> bool:
        """Create the tables if necessary; returns whether it did. Raises LedgerError."""
        with Session(self._address) as session:
            return schema.make(session, self.key)

    def _quota(self, account: str) -> bytes:
        """The key of an account's lease."""
        return hashed(self.key, [f"turn {fold(account)}"], 16)[0]
