"""The statements that prevent a row from being sent twice: claim, result, takeover.

A claim is a compare-and-swap on one row of one unique index: for each identity and attempt, at most
one worker gets the row back. A result is evidence of its attempt, whoever has the lease now.
"""

from __future__ import annotations

from typing import Final, LiteralString

from rdimport.ledger.postgres.schema import TIMELINE

ACCOUNT_FIRST: Final = """
SELECT FROM rdimport.destination WHERE id = %(destination)s FOR NO KEY UPDATE
"""
ALL_ACCOUNTS_FIRST: Final = "SELECT FROM rdimport.destination ORDER BY id FOR NO KEY UPDATE"
IN_ORDER: Final = """
SELECT FROM (SELECT * FROM unnest(%(identities)s::bytea[]) g(identity) ORDER BY 1) g
CROSS JOIN LATERAL (SELECT FROM rdimport.conversion c WHERE c.identity = g.identity
    AND c.destination = %(destination)s OFFSET 0 FOR UPDATE) c
"""
"""Every transaction takes its locks in this order, so that none deadlock: first the account, if it
changes what other runs have recorded, or records what they may change; then all conversions that it
changes, in order; then the records of runs.
"""

INTERRUPTED: Final = '[["uncertain.interrupted", "", "", "", ""]]'

_RESTORED: Final = """
(payload, run, file, row, receipt, source, left_at) = (SELECT coalesce(b.payload, c.payload),
    coalesce(b.run, c.run), coalesce(b.file, c.file), coalesce(b.row, c.row), b.receipt, b.source,
    b.left_at FROM jsonb_populate_record(NULL::rdimport.conversion, c.before) b)
"""

CLAIM: Final = """
INSERT INTO rdimport.conversion AS c (identity, destination, state, attempt, epoch, was, payload,
    run, file, row, source, left_at)
SELECT substr(%(identities)b, 16 * n::int - 15, 16), %(destination)s, 0, g.version / 16 + 1,
    l.epoch, nullif(g.version %% 16, 0), substr(%(payloads)b, 8 * n::int - 7, 8), %(run)s,
    g.file, g.row, g.source, %(left_at)s::bigint
FROM unnest(%(versions)s::bigint[], %(files)s::int[], %(rows)s::int[], %(sources)s::bigint[])
    WITH ORDINALITY AS g(version, file, row, source, n)
JOIN rdimport.lease l ON l.quota = %(quota)s AND l.epoch = %(epoch)s
ON CONFLICT (identity, destination) DO UPDATE SET state = 0, attempt = c.attempt + 1,
    epoch = excluded.epoch, was = nullif(c.state, 9), before = CASE WHEN c.state <> 9 THEN
    jsonb_build_object('payload', c.payload, 'run', c.run, 'file', c.file, 'row', c.row,
    'receipt', c.receipt, 'problems', c.problems, 'refused', c.refused, 'tried', c.tried,
    'source', c.source, 'left_at', c.left_at) END,
    payload = excluded.payload, run = excluded.run, file = excluded.file, row = excluded.row,
    receipt = NULL, problems = NULL, refused = NULL, tried = NULL, source = excluded.source,
    left_at = CASE c.state WHEN 2 THEN c.left_at ELSE excluded.left_at END
WHERE c.state = 9 OR (c.attempt = excluded.attempt - 1 AND c.state = excluded.was)
RETURNING c.identity, c.attempt
"""

_PLACE: Final = "width_bucket(c.identity, %(identities)b::bytea[])"
"""The position of a conversion among the given ones, which are sorted."""

_RECEIPT: Final = f"(%(receipts)b::text[])[{_PLACE}]"
_THIS_ATTEMPT: Final = f"""
c.identity = ANY(%(identities)b::bytea[]) AND c.destination = %(destination)s
    AND c.attempt = (%(attempts)s::int[])[{_PLACE}]
    AND c.run = %(run)s
"""
"""Not a join: each of these statements is planned once, also for an empty table, and a condition on
the table itself leaves the planner no choice but the primary key.
"""

WRITE: Final = f"""
WITH mine AS (UPDATE rdimport.written SET writes = %(write)s, flying = %(flying)s,
    claimed = CASE WHEN %(claims)s THEN clock_timestamp() ELSE claimed END
    WHERE run = %(run)s AND writes = %(write)s - 1 AND {TIMELINE} = %(timeline)s RETURNING 1),
done AS (UPDATE rdimport.conversion c SET state = 1, receipt = {_RECEIPT}, was = NULL,
    before = NULL WHERE {_THIS_ATTEMPT} AND c.state = 0 RETURNING 1)
INSERT INTO rdimport.minute AS m VALUES (%(run)s, %(minute)s, %(requests)s, %(retries)s,
    %(throttled)s, %(seconds)s, (SELECT count(*) FROM done))
ON CONFLICT (run, minute) DO UPDATE SET requests = m.requests + excluded.requests,
    retries = m.retries + excluded.retries, throttled = m.throttled + excluded.throttled,
    seconds = m.seconds + excluded.seconds, accepted = m.accepted + excluded.accepted
RETURNING (SELECT count(*) FROM done), 1 / (SELECT count(*) FROM mine)
"""
"""Records accepted rows, and adds to the counts of a minute of sending. Fails with the transaction
(division by zero) if this write was done before, or the timeline has changed: nothing is counted
twice.
"""

REVERT: Final = f"""
UPDATE rdimport.conversion c SET state = CASE WHEN c.before IS NULL THEN 9 ELSE c.was END,
    {_RESTORED}, problems = c.before ->> 'problems', refused = (c.before ->> 'refused')::bytea,
    tried = (c.before ->> 'tried')::int, was = NULL, before = NULL
WHERE {_THIS_ATTEMPT} AND c.state = ANY(%(states)s)
RETURNING c.identity, c.attempt, c.state
"""
"""Rows that did not arrive return to their earlier state, or are free. Only their own worker may
execute this.
"""

_BOOK: Final = """
listed AS (INSERT INTO rdimport.outcome SELECT %(run)s, %(file)s, %(row)s, %(state)s, %(cells)s,
    %(problems)s, NULL, NULL, %(warnings)s FROM done)
INSERT INTO rdimport.tally AS t SELECT %(run)s, %(state)s, 1 FROM done
ON CONFLICT (run, state) DO UPDATE SET rows = t.rows + excluded.rows RETURNING 1
"""

DOUBT: Final = f"""
WITH done AS (UPDATE rdimport.conversion c SET state = 2, receipt = {_RECEIPT},
    problems = %(problems)s, was = NULL, before = NULL
    WHERE {_THIS_ATTEMPT} AND c.state = ANY(%(states)s) RETURNING 1),
{_BOOK}
"""

REFUSE: Final = f"""
WITH done AS (UPDATE rdimport.conversion c SET state = CASE WHEN c.was IN (1, 2)
        AND c.before IS NOT NULL THEN c.was ELSE 3 END,
    (payload, run, file, row, receipt, source, left_at) = (SELECT coalesce(b.payload, c.payload),
        coalesce(b.run, c.run), coalesce(b.file, c.file), coalesce(b.row, c.row),
        CASE WHEN b.run IS NULL THEN {_RECEIPT} ELSE b.receipt END,
        CASE WHEN b.run IS NULL THEN c.source ELSE b.source END,
        CASE WHEN b.run IS NULL THEN c.left_at ELSE b.left_at END
        FROM jsonb_populate_record(NULL::rdimport.conversion,
            CASE WHEN c.was IN (1, 2) THEN c.before END) b),
    refused = CASE WHEN c.was IN (1, 2) AND c.before IS NOT NULL THEN c.payload END,
    tried = CASE WHEN c.was IN (1, 2) AND c.before IS NOT NULL THEN c.run END,
    problems = %(problems)s, was = NULL, before = NULL
    WHERE {_THIS_ATTEMPT} AND c.state = ANY(%(states)s) RETURNING 1),
{_BOOK}
"""
"""An accepted or uncertain conversion stays so if a later payload is refused."""

_INTERRUPT: Final[LiteralString] = f"""
UPDATE rdimport.conversion c SET state = 2, problems = '{INTERRUPTED}', receipt = NULL,
    refused = NULL, tried = NULL, source = NULL
"""
_BOOKED: Final[LiteralString] = f"""
listed AS (INSERT INTO rdimport.outcome SELECT run, file, row, 'uncertain', '[]', '{INTERRUPTED}',
    NULL, NULL, '[]' FROM gone ON CONFLICT DO NOTHING)
INSERT INTO rdimport.tally AS t SELECT run, 'uncertain', count(*) FROM gone GROUP BY run
ON CONFLICT (run, state) DO UPDATE SET rows = t.rows + excluded.rows
"""

IN_FLIGHT: Final = """
SELECT identity FROM rdimport.in_flight
WHERE run = ANY(ARRAY(SELECT id FROM rdimport.run WHERE destination = %(destination)s))
"""
"""Not a join, here and below: with outdated statistics, it would read the runs of all accounts."""

RECOVER: Final[LiteralString] = f"""
WITH gone AS ({_INTERRUPT} WHERE c.destination = %(destination)s AND c.state = 0
    AND c.epoch < %(epoch)s AND c.identity = ANY(%(identities)s) RETURNING run, file, row),
{_BOOKED}
"""
"""Rows that an earlier run left in flight may have arrived: they become uncertain."""

DOUBT_LATE: Final = RECOVER
"""The same for rows whose claims may have been committed after the takeover's query."""

UNLISTED: Final = """
UPDATE rdimport.written SET flying = '' WHERE flying IS NULL AND run = ANY(ARRAY(
    SELECT id FROM rdimport.run WHERE destination = %(destination)s AND epoch < %(epoch)s))
RETURNING 1
"""
"""The runs begun by an earlier release, which did not record their rows in flight."""

RECOVER_UNLISTED: Final[LiteralString] = f"""
WITH gone AS ({_INTERRUPT} WHERE c.destination = %(destination)s AND c.state = 0
    AND c.epoch < %(epoch)s RETURNING run, file, row),
{_BOOKED}
"""
"""The same for these runs; reads all conversions of the destination, once."""

OURS: Final = f"""
SELECT c.identity, c.state FROM rdimport.conversion c WHERE {_THIS_ATTEMPT}
ORDER BY c.identity FOR UPDATE OF c
"""

LATE_ACCEPT: Final = f"""
WITH done AS (UPDATE rdimport.conversion c SET state = 1, receipt = {_RECEIPT}, problems = NULL,
    was = NULL, before = NULL WHERE {_THIS_ATTEMPT} AND c.state = 2 RETURNING 1)
INSERT INTO rdimport.tally AS t SELECT %(run)s, 'accepted', 1 FROM done
ON CONFLICT (run, state) DO UPDATE SET rows = t.rows + 1
"""
"""A row that a takeover marked as uncertain was accepted: its answer came late."""

NO_LONGER_UNCERTAIN: Final = """
WITH gone AS (DELETE FROM rdimport.outcome WHERE run = %(run)s AND file = %(file)s
    AND row = %(row)s AND state = 'uncertain')
UPDATE rdimport.tally SET rows = rows - 1 WHERE run = %(run)s AND state = 'uncertain'
"""

CORRECT: Final = """
WITH known AS (SELECT o.run, o.file, o.row, c.state, c.problems
    FROM rdimport.outcome o JOIN rdimport.run r ON r.id = o.run
    JOIN rdimport.conversion c ON (c.identity, c.destination) = (o.identity, r.destination)
    WHERE o.identity = ANY(%(identities)s) AND c.destination = %(destination)s
    AND o.state = 'uncertain' AND o.run > c.run AND c.state IN (1, 3, 9)),
refused AS (UPDATE rdimport.outcome o SET state = 'refused', problems = k.problems FROM known k
    WHERE (o.run, o.file, o.row) = (k.run, k.file, k.row) AND k.state = 3),
others AS (DELETE FROM rdimport.outcome o USING known k
    WHERE (o.run, o.file, o.row) = (k.run, k.file, k.row) AND k.state <> 3),
fewer AS (UPDATE rdimport.tally t SET rows = t.rows - k.rows
    FROM (SELECT run, count(*) AS rows FROM known GROUP BY run) k
    WHERE t.run = k.run AND t.state = 'uncertain'),
counted AS (INSERT INTO rdimport.tally AS t
    SELECT run, CASE state WHEN 1 THEN 'already_imported' ELSE 'refused' END, count(*) FROM known
    WHERE state <> 9 GROUP BY 1, 2
    ON CONFLICT (run, state) DO UPDATE SET rows = t.rows + excluded.rows)
SELECT run, bool_or(state = 9) FROM known GROUP BY run
"""
"""Corrects the rows that later runs listed as uncertain, after a late answer: they get the result
that they would have had if it had come in time. A row that did not arrive becomes pending. Returns
the runs, and whether any of their rows is pending now.
"""

THEIR_ENDS: Final = "SELECT FROM rdimport.run WHERE id = ANY(%s::int[]) ORDER BY id FOR UPDATE"
"""Locks the runs, so that none of them can end."""

NOT_OVER: Final = """
UPDATE rdimport.run SET exit_code = 3 WHERE id = ANY(%s::int[]) AND exit_code IN (0, 1)
"""
"""A run that had ended is unfinished: one of its rows is pending."""

LIST: Final = """
INSERT INTO rdimport.outcome (run, file, row, state, cells, problems, warnings, instead_file,
    instead_row, identity) SELECT %s, * FROM unnest(%s::int[], %s::int[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::int[], %s::int[], %s::bytea[]) ON CONFLICT DO NOTHING
"""

NOTE_CLOCK: Final = """
UPDATE rdimport.run SET facts = (SELECT json_object_agg(key, value)::text FROM (
    SELECT key, value FROM json_each(facts::json) WHERE key <> 'clock'
    UNION ALL SELECT 'clock', %(clock)s::json) AS fact)
WHERE id = %(run)s
"""
"""Keeps the spelling of the other values, by which lists of runs are compared."""

COMMITTED: Final = """
UPDATE rdimport.written SET writes = writes WHERE run = %s RETURNING writes
"""
"""The number of writes of a run. As an update, it commits after them, also on a standby."""

MINE: Final = """
SELECT identity, attempt FROM rdimport.conversion WHERE destination = %s AND run = %s
    AND epoch = %s AND state = 0 AND identity = ANY(%s)
"""
FOUND: Final = """
SELECT identity, state, coalesce(problems, '[]') FROM rdimport.conversion
WHERE destination = %(destination)s AND identity = ANY(%(identities)s) AND state <> 9
ORDER BY identity FOR UPDATE
"""
"""The rows are locked, so that a late answer waits, and then corrects what was listed meanwhile."""

NEW_RUN: Final = """
WITH made AS (
    INSERT INTO rdimport.run (name, destination, process, started_at, facts, epoch)
    VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
)
INSERT INTO rdimport.written SELECT id, 0, NULL, '' FROM made RETURNING run
"""
"""A run, and that nothing was written for it so far."""

EPOCH: Final = "SELECT epoch FROM rdimport.lease WHERE quota = %s"

LOST: Final = "INSERT INTO rdimport.setting VALUES ('lost', %s) ON CONFLICT DO NOTHING"
FOLLOW: Final = "UPDATE rdimport.setting SET value = %s WHERE name = 'timeline' AND value = %s"
"""An active run found its last record after a failover: nothing acknowledged is missing."""
