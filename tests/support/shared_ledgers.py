"""A ledger in PostgreSQL as the contract suite expects it."""

from __future__ import annotations

from contextlib import closing

from rdimport.ledger.postgres.store import PostgresStore
from support.claims import KEY, template_tables
from support.postgres import Server

_TABLES = "SELECT array_agg(relid::regclass::text) FROM pg_stat_user_tables"


class _Store(PostgresStore):
    """Creates its tables when opened, as the other kind does."""

    def open(self, *, trusting: bool = False):  # type: ignore[no-untyped-def]
        self.make()
        return super().open(trusting=trusting)


class PostgresPlace:
    """A separate database, by default with the tables of an unused ledger."""

    def __init__(self, server: Server, *, made: bool = True) -> None:
        self._server = server
        self.url = server.new_database(template_tables(server)) if made else server.new_database()
        self.store = _Store(self.url, KEY.hex())

    def crash(self) -> None:
        """Simulate a crash: connections end and leases expire."""
        self._server.do("UPDATE rdimport.lease SET until = '-infinity'", database=self._name)
        self._server.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            self._name,
        )

    def analyze(self) -> None:
        self._server.do("ANALYZE", database=self._name)

    def holds(self, text: bytes) -> bool:
        """Whether its files contain the text after VACUUM FULL."""
        tidied = ", ".join(["pg_statistic", *self._server.ask(_TABLES, database=self._name)])
        self._server.do(f"VACUUM (FULL) {tidied}", "CHECKPOINT", database=self._name)
        with closing(self._server.connect(self._name)) as db:
            (oid,) = db.execute(
                "SELECT oid FROM pg_database WHERE datname = %s", (self._name,)
            ).fetchone() or (0,)
        files = (self._server.data / "base" / str(oid)).glob("[0-9]*")  # not the server's caches
        return any(text in file.read_bytes() for file in files)

    @property
    def _name(self) -> str:
        return self.url.rpartition("/")[2].replace("%20", " ")
