"""Reads the records of a run, for reports and status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rdimport.ledger.postgres.database import Database
from rdimport.ledger.stored_run import Queries, StoredRun

_AT_ONCE: Final = 2_000
_LISTED: Final = """
SELECT file, row, state, cells, problems, warnings FROM rdimport.ends
WHERE run = %s AND state = ANY(%s::text[]) AND (file, row) > (%s, %s) ORDER BY file, row LIMIT %s
"""

_QUERIES: Final = Queries(
    has_sent="""
SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND requests > 0
UNION ALL SELECT 1 FROM rdimport.in_flight WHERE run = %(run)s LIMIT 1
""",
    counts="""
SELECT state, sum(rows) FROM (SELECT state, rows FROM rdimport.tally WHERE run = %(run)s
    UNION ALL SELECT 'accepted', accepted FROM rdimport.minute WHERE run = %(run)s
    UNION ALL SELECT 'uncertain', count(*) FROM rdimport.in_flight WHERE run = %(run)s) AS counted
GROUP BY state
""",
    rows="SELECT row_count FROM rdimport.run WHERE id = %(run)s",
    facts="""
SELECT name, started_at, finished_at, exit_code, stopped_because, resume_at, forgotten_at, left_out,
    coalesce(sum(requests), 0), coalesce(sum(retries), 0), coalesce(sum(throttled), 0),
    coalesce(sum(seconds), 0.0), facts
FROM rdimport.run r LEFT JOIN rdimport.minute m ON m.run = r.id WHERE r.id = %(run)s GROUP BY r.id
""",
    later="""
SELECT later.name FROM rdimport.run later JOIN rdimport.run this
    ON later.destination = this.destination
    AND later.facts::json ->> 'given' = this.facts::json ->> 'given' AND later.id > this.id
WHERE this.id = %(run)s AND later.exit_code IS DISTINCT FROM %(nothing)s
ORDER BY later.id DESC LIMIT 1
""",
    problems="""
SELECT p.value ->> 0 AS code, count(DISTINCT (o.file, o.row)) AS rows
FROM rdimport.ends o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state <> 'accepted' GROUP BY 1 ORDER BY 2 DESC, 1
""",
    suspects="""
SELECT code, cells FROM rdimport.suspect WHERE run = %(run)s ORDER BY cells DESC, code
""",
    proofs="""
SELECT substr(p.value ->> 0, %(start)s), count(*)
FROM rdimport.outcome o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state = 'accepted' GROUP BY 1 ORDER BY 1
""",
    corrected="""
SELECT p.value ->> 4, count(*) FROM rdimport.outcome o, json_array_elements(o.warnings::json) p
WHERE o.run = %(run)s AND o.state = 'already_imported' GROUP BY 1 ORDER BY 1
""",
    examples="""
SELECT code, file, row, problem FROM (SELECT o.file, o.row, p.value::text AS problem,
    p.value ->> 0 AS code,
    row_number() OVER (PARTITION BY p.value ->> 0 ORDER BY o.file, o.row) AS place
    FROM rdimport.ends o, json_array_elements(o.problems::json) p
    WHERE o.run = %(run)s AND o.state <> 'accepted') AS found
WHERE place <= %(most)s ORDER BY code, file, row
""",
    without_cells="""
SELECT file, row FROM rdimport.ends
WHERE run = %(run)s AND state = 'uncertain' AND cells = '[]' ORDER BY file, row
""",
    accepted="""
SELECT file, row FROM rdimport.conversion WHERE destination = %(destination)s AND run = %(run)s
    AND state = 1 ORDER BY file, row LIMIT %(most)s
""",
    inputs="""
SELECT file, name, columns, encoding, delimiter, sheet, header_row, repair, fingerprint
FROM rdimport.input WHERE run = %(run)s ORDER BY file
""",
    minutes="""
SELECT minute, requests, throttled, accepted FROM rdimport.minute WHERE run = %(run)s
""",
    warned="""
SELECT 1 FROM rdimport.ends WHERE run = %(run)s AND warnings <> '[]'
    AND state IN ('invalid', 'refused', 'uncertain') LIMIT 1
""",
    invalid_by_column="""
SELECT p.value ->> 1, p.value ->> 2, count(DISTINCT (o.file, o.row))
FROM rdimport.ends o, json_array_elements(o.problems::json) p
WHERE o.run = %(run)s AND o.state = 'invalid' AND p.value ->> 1 <> '' GROUP BY 1, 2
""",
    filled="SELECT field, rows FROM rdimport.filled WHERE run = %(run)s ORDER BY rows, field",
)


class RunReader(StoredRun[Database]):
    """A run as recorded in the ledger."""

    queries = _QUERIES

    def __init__(self, ledger: Database, number: int, destination: int, name: str) -> None:
        super().__init__(ledger, number, destination, ledger.see_name(name))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A consistent snapshot, so that all files describe the same moment."""
        with self.ledger.snapshot():
            yield

    def _listed(self, *states: str) -> Iterator[tuple[Any, ...]]:
        """A few thousand rows at a time: other queries may come between."""
        after = (-1, -1)
        while found := self.ledger.query(_LISTED, self.number, list(states), *after, _AT_ONCE):
            yield from found
            after = found[-1][:2]
