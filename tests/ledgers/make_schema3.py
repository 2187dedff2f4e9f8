"""Make `schema3.sqlite3`, with the last commit whose ledgers had schema 3 (e2f59bd).

It has rows in doubt, and a later run that lists them. `python make_schema3.py FOLDER`, from where
that commit is installed.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import rdimport
from rdimport.sandbox import Faults, SandboxOptions
from rdimport.sandbox.embedded import running

HERE = Path(__file__).parent
PORT = 8090
"""The port in the file; it replaces the one that was really used."""


def main(folder: Path) -> None:
    for path in [*HERE.glob("*.csv"), *HERE.glob("*.yaml")]:
        (folder / path.name).write_bytes(path.read_bytes())
    os.chdir(folder)
    options = SandboxOptions(plan="none", max_length=40, custom_fields="any")
    with running(options) as box:

        def run(file: str) -> None:
            to = rdimport.RDStation(api_key=box.api_key, base_url=box.base_url)
            done = rdimport.run(
                file, "fair.yaml", to=to, state_dir="state", report_dir="reports", quota="none"
            )
            print(file, dict(done.counts))

        run("fair.csv")  # accepted, a duplicate, invalid, refused for a long name
        box.set_faults(Faults(reset_after=1.0))
        run("late.csv")  # uncertain
        box.set_faults(Faults())
        run("late.csv")  # known to be uncertain
        clean(box.base_url)


def clean(base_url: str) -> None:
    """Remove what belongs to the machine that made it."""
    real, named = f":{base_url.rpartition(':')[2]}", f":{PORT}"
    with closing(sqlite3.connect("state/ledger.sqlite3", isolation_level=None)) as db:
        for table, column in (("destination", "identity"), ("destination", "endpoint")):
            db.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (real, named))  # noqa: S608
        db.execute(
            "UPDATE run SET process = 4242, facts = replace(replace(facts, ?, ?), ?, '/home/ana')",
            (real, named, str(Path.cwd())),
        )
        db.execute("DELETE FROM account_key")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
    Path("state/ledger.sqlite3").rename("schema3.sqlite3")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
