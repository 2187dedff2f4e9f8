"""The tables of a shared ledger, and whether they are the ones that were created."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from weakref import WeakKeyDictionary

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _
from rdimport.ledger.hashes import ledger_id
from rdimport.ledger.postgres.address import Address
from rdimport.ledger.postgres.connection import Connection
from rdimport.ledger.postgres.durability import DURABILITY, DurabilitySettings, refuse_weak
from rdimport.ledger.postgres.session import Session
from rdimport.ledger.postgres.trouble import notes_lost, restored, timeline_changed

VERSION: Final = 7

ON_ITS_WAY, ACCEPTED, UNCERTAIN, REFUSED, FREE = 0, 1, 2, 3, 9
"""The states of a conversion. FREE: it was claimed, and did not arrive."""

# A conversion has one row in one unique index, in flight or not: with a table for each, a claim
# that began before a row moved from one to the other would succeed. `was` and `before` are the
# state it returns to if it did not arrive. `attempt` counts its claims; with the state it shows
# whether anything has changed since the row was planned. No index contains `state`, so that
# accepting a row changes no index at all (HOT). Rows in flight are found by `written.flying`: the
# identities that a run's last write left in flight.
_SCHEMAS: Final = ("rdimport", "rdimport_queue")
_SCHEMA: Final = """
CREATE TABLE rdimport.setting (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE rdimport.destination (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, identity text NOT NULL UNIQUE,
    endpoint text NOT NULL, account text NOT NULL);
CREATE TABLE rdimport.account_key (
    endpoint text, hash bytea, destination integer NOT NULL, run integer, since text NOT NULL,
    PRIMARY KEY (endpoint, hash));
CREATE SEQUENCE rdimport.epoch;
CREATE TABLE rdimport.lease (
    quota bytea PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, machine text NOT NULL,
    process integer NOT NULL, since text NOT NULL, until timestamptz NOT NULL, standing bytea)
    WITH (fillfactor = 50);
CREATE TABLE rdimport.run (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,
    destination integer NOT NULL, process integer NOT NULL, started_at text NOT NULL,
    finished_at text, exit_code integer, stopped_because text, resume_at text, forgotten_at text,
    facts text NOT NULL, row_count integer NOT NULL DEFAULT 0, left_out integer NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0);
CREATE INDEX run_destination ON rdimport.run (destination);
CREATE TABLE rdimport.written (
    run integer PRIMARY KEY, writes bigint NOT NULL, claimed timestamptz,
    flying bytea) WITH (fillfactor = 20);
ALTER TABLE rdimport.written ALTER flying SET STORAGE MAIN;
CREATE TABLE rdimport.input (
    run integer, file integer, name text NOT NULL, columns text NOT NULL, encoding text NOT NULL,
    delimiter text NOT NULL, sheet text NOT NULL, header_row integer NOT NULL,
    repair boolean NOT NULL, fingerprint text NOT NULL, PRIMARY KEY (run, file));
CREATE TABLE rdimport.tally (
    run integer, state text, rows integer NOT NULL, PRIMARY KEY (run, state));
CREATE TABLE rdimport.minute (
    run integer, minute integer, requests integer NOT NULL, retries integer NOT NULL,
    throttled integer NOT NULL, seconds double precision NOT NULL, accepted integer NOT NULL,
    PRIMARY KEY (run, minute)) WITH (fillfactor = 20);
CREATE TABLE rdimport.filled (
    run integer, field text, rows integer NOT NULL, PRIMARY KEY (run, field));
CREATE TABLE rdimport.suspect (
    run integer, code text, cells integer NOT NULL, PRIMARY KEY (run, code));
CREATE TABLE rdimport.conversion (
    identity bytea, destination integer, state smallint NOT NULL, attempt integer NOT NULL,
    epoch bigint NOT NULL, was smallint, before jsonb, payload bytea NOT NULL,
    run integer NOT NULL, file integer NOT NULL, row integer NOT NULL, receipt text,
    problems text, refused bytea, tried integer, source bigint, left_at bigint,
    PRIMARY KEY (identity, destination)) WITH (fillfactor = 80);
CREATE TABLE rdimport.outcome (
    run integer, file integer, row integer, state text NOT NULL, cells text NOT NULL,
    problems text NOT NULL, instead_file integer, instead_row integer, warnings text NOT NULL,
    identity bytea, PRIMARY KEY (run, file, row));
CREATE INDEX doubted ON rdimport.outcome (identity) WHERE identity IS NOT NULL;
CREATE TABLE rdimport.named (
    folded bytea, run integer, exact bytea, fields text, text text NOT NULL, new integer NOT NULL,
    known integer NOT NULL, PRIMARY KEY (folded, run, exact, fields));
CREATE TABLE rdimport.attempt (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at text NOT NULL, account text NOT NULL,
    job text NOT NULL, exit_code integer NOT NULL, facts text NOT NULL);
CREATE TABLE rdimport.complete (
    destination integer, since bigint, until bigint, identifier bytea, source text NOT NULL,
    PRIMARY KEY (destination, since, until, identifier));
CREATE TABLE rdimport.worker (
    name text PRIMARY KEY, slots integer NOT NULL, since timestamptz NOT NULL,
    seen timestamptz NOT NULL, jobs text[] NOT NULL, drain boolean NOT NULL DEFAULT false,
    queue bigint, gone boolean NOT NULL DEFAULT false)
    WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS rdimport.lost (
    epoch bigint PRIMARY KEY, holder text NOT NULL, machine text NOT NULL, process integer NOT NULL,
    since text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE rdimport.paused (
    account text PRIMARY KEY, since timestamptz NOT NULL, why text NOT NULL);
CREATE TABLE rdimport.due (job text PRIMARY KEY, tick timestamptz NOT NULL)
"""

_IN_DOUBT: Final = """
CREATE INDEX in_doubt ON rdimport.conversion (destination, run) WHERE problems IS NOT NULL;
CREATE VIEW rdimport.in_flight AS SELECT w.run, r.destination, c.identity, c.file, c.row
    FROM rdimport.written w JOIN rdimport.run r ON r.id = w.run
    CROSS JOIN LATERAL generate_series(1, length(w.flying), 16) AS place
    CROSS JOIN LATERAL (SELECT c.identity, c.file, c.row FROM rdimport.conversion c
        WHERE c.identity = substr(w.flying, place, 16) AND c.destination = r.destination
        AND c.run = w.run AND c.state = 0 OFFSET 0) c;
CREATE VIEW rdimport.ends AS SELECT run, file, row, state, cells, problems, warnings
    FROM rdimport.outcome UNION ALL SELECT run, file, row, 'uncertain', '[]',
    '[["uncertain.interrupted", "", "", "", ""]]', '[]' FROM rdimport.in_flight
"""
"""Conversions whose result is open. Each uncertain one has `problems`. With OFFSET 0, the planner
looks them up one by one, and does not read all conversions.
"""

_CORRECTED: Final = """
CREATE TABLE rdimport.corrected (
    destination integer, origin bytea, row integer, identity bytea NOT NULL,
    PRIMARY KEY (destination, origin, row))
"""
"""A failed row (`origin` is the hash of its cells), and the conversion of its correction."""

PERSONAL: Final = {
    "outcome": ("cells", "problems", "warnings"),
    "conversion": ("problems", "receipt", "before"),
    "input": ("name", "columns"),
    "run": ("facts", "stopped_because"),
    "named": ("text",),
    "attempt": ("facts",),
    "complete": ("source",),
}
"""Columns that may hold personal data. The database keeps no statistics of them: these are samples
of their values, which would outlive a purge.
"""

_UNSAMPLED: Final = ";\n".join(
    f"ALTER TABLE rdimport.{table} "
    + ", ".join(f"ALTER COLUMN {name} SET STATISTICS 0" for name in columns)
    for table, columns in PERSONAL.items()
)
_SAMPLES_DROPPED: Final = ";\n".join(  # setting a column's type again drops its statistics
    f"ALTER TABLE rdimport.{table} "
    + ", ".join(
        f"ALTER COLUMN {name} TYPE {'jsonb' if name == 'before' else 'text'}" for name in columns
    )
    for table, columns in PERSONAL.items()
)

_STEPS: Final = {
    1: """
ALTER TABLE rdimport.outcome ADD COLUMN identity bytea;
CREATE INDEX doubted ON rdimport.outcome (identity) WHERE identity IS NOT NULL
""",
    2: """
CREATE TABLE IF NOT EXISTS rdimport.lost (
    epoch bigint PRIMARY KEY, holder text NOT NULL, machine text NOT NULL, process integer NOT NULL,
    since text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())
""",
    3: _CORRECTED,
    4: """
ALTER TABLE rdimport.written ADD COLUMN IF NOT EXISTS claimed timestamptz;
ALTER TABLE rdimport.worker ADD COLUMN IF NOT EXISTS queue bigint,
    ADD COLUMN IF NOT EXISTS gone boolean NOT NULL DEFAULT false
""",
    5: f"DROP VIEW rdimport.ends;{_SAMPLES_DROPPED};{_UNSAMPLED}",
    6: f"""
ALTER TABLE rdimport.written ADD COLUMN IF NOT EXISTS flying bytea;
ALTER TABLE rdimport.written ALTER flying SET STORAGE MAIN;
UPDATE rdimport.written w SET flying = coalesce((SELECT string_agg(c.identity, ''::bytea)
    FROM rdimport.conversion c WHERE c.destination = r.destination AND c.run = r.id
    AND c.state = 0), '') FROM rdimport.run r WHERE r.id = w.run AND r.finished_at IS NOT NULL;
UPDATE rdimport.conversion SET problems = '[]' WHERE state = 2 AND problems IS NULL;
DROP INDEX rdimport.in_doubt;
DROP VIEW IF EXISTS rdimport.ends, rdimport.in_flight;
{_IN_DOUBT}
""",
}
"""Migrations to the next version. An active run goes on with the new tables."""

_SINCE: Final = "INSERT INTO rdimport.setting VALUES ('since', clock_timestamp()::text)"
"""The time since which no record is known to be missing."""

_AGREED: Final = """
INSERT INTO rdimport.setting VALUES ('agreed', clock_timestamp()::text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
"""A person has decided to continue without records that are missing."""

TIMELINE: Final = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"
"""The timeline of the database; a promotion starts a new one. The last checkpoint shows the old one
for a while.
"""

_PLACE: Final = """
(SELECT oid FROM pg_database WHERE datname = current_database()) || '/' ||
    'rdimport.conversion'::regclass::oid
"""
_SYSTEM: Final = "SELECT system_identifier::text FROM pg_control_system()"
_MAY_ASK: Final = "SELECT has_function_privilege('pg_control_system()', 'execute')"
"""Identifies these tables and their server. A standby has the same; tables restored from a dump or
made from a template have others.
"""


_SYSTEMS: Final[WeakKeyDictionary[Connection, str]] = WeakKeyDictionary()
"""Which server it is, constant for as long as a direct connection lasts."""


def make(session: Session, key: bytes) -> bool:
    """Create the tables, or upgrade those of an earlier release; returns whether they were created.

    Raises LedgerError if they belong to a later release or to another key, or if the database may
    lose acknowledged commits.
    """
    refuse_weak(session)
    with session.transaction() as db:
        db.execute("SELECT pg_advisory_xact_lock(7303014)")  # two processes may make it at once
        version = _version(db)
        made = not version
        if made:
            _refuse_encoding(session.address, db)
            _create_schemas(db)
            for statement in f"{_SCHEMA};{_CORRECTED};{_UNSAMPLED};{_IN_DOUBT}".split(";"):
                db.execute(statement.encode())
            db.execute(
                "INSERT INTO rdimport.setting VALUES ('version', %s), ('key', %s), ('timeline',"
                f" {TIMELINE})",
                (str(VERSION), ledger_id(key)),
            )
            db.execute(_SINCE)
        else:
            _bring_up(db, version)
        _note_place(db)
    see(session, key)
    return made


def _create_schemas(db: Connection) -> None:
    """Create missing schemas; a user who may not create any may be given existing ones."""
    for name in _SCHEMAS:
        if db.execute("SELECT to_regnamespace(%s) IS NULL", (name,)).fetchone() == (True,):
            db.execute(f"CREATE SCHEMA {name}".encode())


def _refuse_encoding(address: Address, db: Connection) -> None:
    """Raise LedgerError for a database that cannot hold all names."""
    ((encoding,),) = db.execute("SHOW server_encoding").fetchall()
    if encoding != "UTF8":
        raise LedgerError(
            _(
                "The database {where} cannot hold the ledger: its encoding is {encoding}, and "
                "names need UTF8.",
                where=address.shown,
                encoding=encoding,
            ),
            _("Make another one: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"),
        )


def is_there(session: Session) -> bool:
    """Whether the database holds a ledger."""
    ((there,),) = session.query("SELECT to_regclass('rdimport.setting') IS NOT NULL")
    return bool(there)


def see(session: Session, key: bytes, *, trusting: bool = False) -> str:
    """Check that there is a ledger of this release and this key; returns the timeline it stores.

    Raises LedgerError; LedgerLostError if a run found records missing, unless `trusting`.
    """
    settings = dict(session.query("SELECT name, value FROM rdimport.setting"))
    where = session.address.shown
    version = int(settings.get("version", "0"))
    if version > VERSION:
        raise LedgerError(
            _("The ledger {where} was written by a later release of rdimport.", where=where),
            _("Install that release."),
        )
    if version < VERSION:
        raise LedgerError(
            _("The ledger {where} was written by an earlier release of rdimport.", where=where),
            _(
                "Bring it up to date: rdimport fleet init --ledger {where}\nNobody is sent again.",
                where=where,
            ),
        )
    if settings.get("key") != ledger_id(key):
        raise LedgerError(
            _(
                "This machine's key is not the key of the ledger {where}: nobody would be "
                "recognised, and everyone would be sent again.",
                where=where,
            ),
            _("Copy the key from a machine that uses this ledger: RDIMPORT_LEDGER_KEY."),
        )
    if "lost" in settings and not trusting:
        raise notes_lost(session.address, settings["lost"])
    return str(settings["timeline"])


def trust(session: Session) -> None:
    """Accept the database as it is, although records may be missing: the user has confirmed it."""
    with session.transaction() as db:
        db.execute("DELETE FROM rdimport.setting WHERE name IN ('lost', 'twin', 'since')")
        db.execute(_SINCE)
        db.execute(_AGREED)
        db.execute(f"UPDATE rdimport.setting SET value = {TIMELINE} WHERE name = 'timeline'")
        db.execute("DELETE FROM rdimport.setting WHERE name = 'place'")
        _note_place(db)


def put_aside(session: Session, key: bytes) -> str:
    """Rename the schema, and create new tables; returns its new name."""
    aside = f"rdimport_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    with session.transaction() as db:
        _refuse_encoding(session.address, db)
        db.execute(f"ALTER SCHEMA rdimport RENAME TO {aside}".encode())
    make(session, key)
    session.change(_AGREED)
    return aside


def timeline(session: Session) -> str:
    """The timeline of the database now."""
    ((now,),) = session.query(f"SELECT {TIMELINE}")
    return str(now)


def see_all(session: Session, noted: str) -> None:
    """Raise LedgerError if the database may lose acknowledged commits, LedgerLostError if these
    tables are a copy of those that were created, or the timeline is not the one that was `noted`.
    """
    ((*settings, place, now, was),) = session.query(
        f"SELECT {DURABILITY}, {_PLACE}, {TIMELINE},"
        " (SELECT value FROM rdimport.setting WHERE name = 'place')"
    )
    refuse_weak(session, DurabilitySettings(*settings))
    if was is not None:
        _see_place(session, was, place)
    see_timeline(session.address, noted, now)


def _see_place(session: Session, was: str, now: str) -> None:
    """Raise LedgerLostError if the tables are not those of the stored place. A place stored by a
    user who may not query the server does not name it.
    """
    *tables, server = f"{was}/".split("/")[:3]
    if "/".join(tables) != now or (server and server != _system(session)):
        raise restored(session.address)


def _system(session: Session) -> str:
    """Which server it is. Raises LedgerError if this user may not query it."""
    db = session.connection
    known = None if session.pooled else _SYSTEMS.get(db)
    if known is None:
        with session.transaction() as db:
            ((known,),) = db.execute(_SYSTEM).fetchall()
            _SYSTEMS[db] = known
    return known


def _place(db: Connection) -> str:
    parts = [f"SELECT {_PLACE}"]
    if db.execute(_MAY_ASK).fetchone() == (True,):
        parts.append(_SYSTEM)
    return "/".join(db.execute(part).fetchall()[0][0] for part in parts)


def _note_place(db: Connection) -> None:
    """Store the identity of these tables, unless it is stored."""
    db.execute(
        "INSERT INTO rdimport.setting VALUES ('place', %s) ON CONFLICT DO NOTHING", (_place(db),)
    )


def see_timeline(address: Address, noted: str, now: str) -> None:
    """Raise LedgerLostError if the timeline has changed."""
    if noted != now:
        raise timeline_changed(address, noted, now)


def _bring_up(db: Connection, version: int) -> None:
    for number in range(version, VERSION):
        for statement in _STEPS[number].split(";"):
            db.execute(statement.encode())
    if version < VERSION:
        db.execute("UPDATE rdimport.setting SET value = %s WHERE name = 'version'", (str(VERSION),))


def _version(db: Connection) -> int:
    there = db.execute("SELECT to_regclass('rdimport.setting')").fetchone()
    if there is None or there[0] is None:
        return 0
    found = db.execute("SELECT value FROM rdimport.setting WHERE name = 'version'").fetchone()
    return int(found[0]) if found else 0
