"""Make the ledgers in this folder, with release 0.1.0 itself, which had schema 2 (commit 5831b23).

Kept to document their content. A later release would make another file: `python make.py FOLDER`,
from where that release is installed.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rdimport.row import State

from rdimport import pipeline
from rdimport.destination.rdstation import RDStation
from rdimport.ledger import Counters, Ledger, Outcome, Settled
from rdimport.mapping import Mapping
from rdimport.sandbox import Faults, SandboxOptions, running

HERE = Path(__file__).parent
PORT = 8090
"""The port in the file; it replaces the one that was really used."""


def main(folder: Path) -> None:
    for path in [*HERE.glob("*.csv"), *HERE.glob("*.yaml")]:
        (folder / path.name).write_bytes(path.read_bytes())
    os.chdir(folder)
    with running(SandboxOptions(port=0, plan="none", max_length=40, custom_fields="any")) as box:
        here, named = box.base_url, box.base_url.replace("127.0.0.1", "localhost")

        def run(file: str, mapping: str, base_url: str = here, account: str = "default") -> None:
            done = pipeline.run(
                [file],
                Mapping.load(mapping),
                to=RDStation(box.api_key, base_url=base_url, account=account),
                state_dir=Path("state"),
                report_dir=Path("reports"),
                mapping_name=mapping,
                quota=None,
            )
            print(file, mapping, base_url, account, dict(done.counts))

        run("fair.csv", "fair.yaml")  # accepted, a duplicate, invalid, refused for a long name
        box.set_faults(Faults(reset_after=1.0))
        run("late.csv", "fair.yaml")  # uncertain
        box.set_faults(Faults())
        run("late.csv", "fair.yaml", named)  # the same people under another spelling
        run("fair.csv", "fair.yaml", named)
        run("fair.csv", "change.yaml", account="Acme")
        run("late.csv", "change.yaml", account="acme")
        run("late.csv", "orders.yaml")
        run("late.csv", "column.yaml")
        of_rd()
        clean(box.base_url, "0.1.0.sqlite3")
        run("addresses.csv", "fair.yaml")  # cells that are cleaned differently since
        run("addresses.csv", "orders.yaml")
        clean(box.base_url, "0.1.0-addresses.sqlite3")
        for mapping in sorted(HERE.glob("cells*.yaml")):
            run("cells.csv", mapping.name)  # by each of these mappings
        clean(box.base_url, "0.1.0-cells.sqlite3")


def of_rd() -> None:
    """The ledger for RD's own address: without network, so it is written by hand."""
    to = RDStation("no-key-of-anybody")
    with Ledger.open(Path("state")) as ledger:
        plan = pipeline.check(["fair.csv"], Mapping.load("fair.yaml"), to=to).plan
        facts = {
            "mapping": "fair.yaml",
            "mapping_used": pipeline.mapped.told(Mapping.load("fair.yaml")),
            "base_url": to.base_url,
            "sandbox": False,
            "again": [],
            "account": "default",
            "report_dir": "reports",
            "given": ["fair.csv"],
            "resend": [],
            "quota": "120/min",
            "quota_per_second": 2.0,
        }
        run = ledger.start_run("20260301-120000-real", to.identity, datetime.now(UTC), facts)
        index = pipeline.Index()
        planner = pipeline.Planner(
            Mapping.load("fair.yaml"),
            pipeline.remembered(ledger, run.destination, frozenset(), Mapping.load("fair.yaml")),
            run,
            pipeline.Spool(),
            index,
        )
        plan = planner.make(pipeline.open_tables(["fair.csv"], pipeline.Hints()))
        rows = [parcel.outgoing for parcel in plan.parcels()]
        run.apply(rows, [], Counters())
        ends = [
            Settled(row, Outcome(0, row.row, State.ACCEPTED), f"receipt {row.row}")
            for row in rows[:-1]  # the last one is in flight: the machine went down
        ]
        run.apply([], ends, Counters(len(rows), 0, 0, 4.0))


def clean(base_url: str, name: str) -> None:
    """Remove what belongs to the machine that made it, and name it."""
    real = base_url.rpartition(":")[2]
    with closing(sqlite3.connect("state/ledger.sqlite3", isolation_level=None)) as db:
        db.execute(
            "UPDATE destination SET identity = replace(identity, ?, ?)", (f":{real}", f":{PORT}")
        )
        db.execute(
            "UPDATE run SET process = 4242, facts = replace(replace(facts, ?, ?), ?, '/home/ana')",
            (f":{real}", f":{PORT}", str(Path.cwd())),
        )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
    Path("state/ledger.sqlite3").rename(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
