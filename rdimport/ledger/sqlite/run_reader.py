"""Reads the records of a run, for reports and status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rdimport.ledger.sqlite.database import LedgerFile
from rdimport.ledger.sqlite.refusals import see_name
from rdimport.ledger.stored_run import Queries, StoredRun

_LISTED: Final = "SELECT file, row, state, cells, problems, warnings FROM ends WHERE run = ?"

_QUERIES: Final = Queries(
    has_sent="""
SELECT 1 FROM minute WHERE run = :run AND requests > 0
UNION ALL SELECT 1 FROM sending WHERE run = :run LIMIT 1
""",
    counts="""
SELECT state, sum(rows) FROM (SELECT state, rows FROM tally WHERE run = :run
    UNION ALL SELECT 'accepted', accepted FROM minute WHERE run = :run
    UNION ALL SELECT 'uncertain', count(*) FROM sending WHERE run = :run) GROUP BY state
""",
    rows="SELECT row_count FROM run WHERE id = :run",
    facts="""
SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at, forgotten_at, left_out,
    coalesce(sum(requests), 0), coalesce(sum(retries), 0), coalesce(sum(throttled), 0),
    coalesce(sum(seconds), 0.0), facts
FROM run LEFT JOIN minute ON minute.run = run.id WHERE run.id = :run
""",
    later="""
SELECT later.name FROM run later JOIN run this ON later.destination = this.destination
    AND later.facts ->> '$.given' = this.facts ->> '$.given' AND later.id > this.id
WHERE this.id = :run AND later.exit_code IS NOT :nothing ORDER BY later.id DESC LIMIT 1
""",
    problems="""
SELECT json_extract(p.value, '$[0]') AS code, count(DISTINCT o.file || ' ' || o.row) AS rows
FROM ends o, json_each(o.problems) p WHERE o.run = :run AND o.state <> 'accepted'
GROUP BY code ORDER BY rows DESC, code
""",
    suspects="SELECT code, cells FROM suspect WHERE run = :run ORDER BY cells DESC, code",
    proofs="""
SELECT substr(p.value ->> '$[0]', :start), count(*) FROM outcome o, json_each(o.problems) p
WHERE o.run = :run AND o.state = 'accepted' GROUP BY 1 ORDER BY 1
""",
    corrected="""
SELECT p.value ->> '$[4]', count(*) FROM outcome o, json_each(o.warnings) p
WHERE o.run = :run AND o.state = 'already_imported' GROUP BY 1 ORDER BY 1
""",
    examples="""
SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value AS problem,
    json_extract(p.value, '$[0]') AS code,
    row_number() OVER (PARTITION BY json_extract(p.value, '$[0]') ORDER BY o.file, o.row) AS place
    FROM ends o, json_each(o.problems) p WHERE o.run = :run AND o.state <> 'accepted')
WHERE place <= :most ORDER BY code, file, row
""",
    without_cells="""
SELECT file, row FROM ends WHERE run = :run AND state = 'uncertain' AND cells = '[]'
ORDER BY file, row
""",
    accepted="""
SELECT file, row FROM conversion WHERE destination = :destination AND run = :run
    AND state = 'accepted' ORDER BY file, row LIMIT :most
""",
    inputs="""
SELECT file, name, columns, encoding, delimiter, sheet, header_row, repair, fingerprint
FROM input WHERE run = :run ORDER BY file
""",
    minutes="SELECT minute, requests, throttled, accepted FROM minute WHERE run = :run",
    warned="""
SELECT 1 FROM ends WHERE run = :run AND warnings <> '[]'
    AND state IN ('invalid', 'refused', 'uncertain') LIMIT 1
""",
    invalid_by_column="""
SELECT json_extract(p.value, '$[1]') AS field, json_extract(p.value, '$[2]'),
    count(DISTINCT o.file || ' ' || o.row)
FROM ends o, json_each(o.problems) p
WHERE o.run = :run AND o.state = 'invalid' AND field <> '' GROUP BY 1, 2
""",
    filled="SELECT field, rows FROM filled WHERE run = :run ORDER BY rows, field",
)


class RunReader(StoredRun[LedgerFile]):
    """A run as recorded in the ledger."""

    queries = _QUERIES

    def __init__(self, ledger: LedgerFile, number: int, destination: int, name: str) -> None:
        super().__init__(ledger, number, destination, see_name(ledger.path, name))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        self.ledger.query("BEGIN")
        try:
            yield
        finally:
            self.ledger.query("ROLLBACK")

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        marks = ", ".join("?" * len(states))
        asked = f"{_LISTED} AND state IN ({marks}) ORDER BY file, row"
        return self.ledger.stream(asked, self.number, *states)
