"""Removes the personal data of old runs from the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime


def forget(db: sqlite3.Connection, before: datetime, now: datetime, at_work: Sequence[str]) -> int:
    """Remove cells and values of runs before that time, except active ones; returns the number of
    runs.

    The keyed hashes are kept.
    """
    chosen = "IN (SELECT id FROM run WHERE forgotten_at = ?)"
    db.execute("PRAGMA secure_delete = ON")
    runs = db.execute(
        "UPDATE run SET forgotten_at = ? WHERE coalesce(finished_at, started_at) < ?"
        " AND forgotten_at IS NULL AND name NOT IN (SELECT value FROM json_each(?))",
        (now.isoformat(), before.isoformat(), json.dumps(list(at_work))),
    ).rowcount
    moment = (now.isoformat(),)
    db.execute(f"DELETE FROM outcome WHERE run {chosen}", moment)  # noqa: S608
    db.execute(f"UPDATE input SET columns = '[]' WHERE run {chosen}", moment)  # noqa: S608
    stripped = (
        "(SELECT json_group_array(json_array(p.value ->> 0, p.value ->> 1, '', '', ''))"
        " FROM json_each(problems) p)"
    )
    db.execute(
        f"UPDATE posted SET problems = {stripped} WHERE problems <> '[]'"  # noqa: S608
        f" AND coalesce(tried, run) {chosen}",
        moment,
    )
    db.execute("DELETE FROM attempt WHERE at < ?", (before.isoformat(),))
    return runs
