"""Refuses a database that may lose what it has acknowledged."""

from __future__ import annotations

from typing import Final, NamedTuple

from rdimport.core.errors import LedgerError
from rdimport.core.messages import _
from rdimport.ledger.postgres.session import Session

DURABILITY: Final = """
current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('synchronous_standby_names'), array(SELECT sync_state FROM pg_stat_replication
    WHERE coalesce(state, '') <> 'backup' AND application_name IS DISTINCT FROM 'pg_basebackup')
"""
"""The fields of `DurabilitySettings`. A base backup in progress does not count as a standby."""


class DurabilitySettings(NamedTuple):
    """The settings of a database that decide whether commits are durable. `standbys` are their
    states, None where this user may not see them.
    """

    fsync: str
    full_page_writes: str
    synchronous_standbys: str
    standbys: list[str | None]


def weakness(found: DurabilitySettings) -> str:
    """Why acknowledged commits could be lost; empty if they are safe."""
    if found.fsync != "on":
        return _(
            "it runs with fsync = off, and loses what it has acknowledged if it is interrupted"
        )
    if found.full_page_writes != "on":
        return _("it runs with full_page_writes = off, and may be damaged if it is interrupted")
    safe = {"sync", "quorum"}
    seen = [state for state in found.standbys if state is not None]
    if found.standbys and not found.synchronous_standbys.strip():
        return _(
            "it has a standby, and `synchronous_standby_names` is empty: after a failover "
            "the standby does not have the latest records"
        )
    if seen and not safe & set(seen):
        return _(
            "its standbys are asynchronous: after a failover they do not have the latest records"
        )
    return ""


def refuse_weak(session: Session, found: DurabilitySettings | None = None) -> None:
    """Raise LedgerError for a database that may lose acknowledged commits."""
    why = weakness(found or DurabilitySettings(*session.query(f"SELECT {DURABILITY}")[0]))
    if why:
        raise LedgerError(
            _(
                "The database {where} cannot hold the ledger: {why}. Rows would be sent twice.",
                where=session.address.shown,
                why=why,
            ),
            _(
                "Ask whoever runs it to set fsync = on, and to name its standbys in "
                "`synchronous_standby_names`."
            ),
        )
