"""Move jobs within the queue. Each move is one statement, so a process that is killed has done
all of it or nothing.

A job that is enqueued again gets a new number: a worker that comes back then ends the old one,
which no longer exists. The triggers of Procrastinate's tables notify the workers.
"""

from __future__ import annotations

from typing import Final, LiteralString

_ANEW: Final[LiteralString] = """
WITH taken AS (DELETE FROM procrastinate_jobs j WHERE {which}
    RETURNING id, task_name, lock, queueing_lock, args)
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
SELECT {place}, task_name, lock, queueing_lock, args FROM taken WHERE task_name = %(task)s
ORDER BY taken.id {order} ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id
"""

WAIT_NO_LONGER: Final = _ANEW.format(
    place="%(place)s",
    order="ASC",
    which="""j.task_name = %(task)s AND j.status = 'todo' AND j.lock = %(lock)s
    AND j.scheduled_at IS NOT NULL""",
)
"""Scheduled jobs of an account."""

FREE: Final = _ANEW.format(
    place="%(place)s",
    order="ASC",
    which="""j.task_name = %(task)s AND j.status = 'todo' AND j.queue_name <> ALL(%(known)s)""",
)
"""Jobs that wait for a worker other than the known ones."""

RIPE: Final = """
UPDATE procrastinate_jobs SET priority = 0, scheduled_at = NULL WHERE id IN (
    SELECT id FROM procrastinate_jobs WHERE task_name = %(task)s AND status = 'todo'
    AND scheduled_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
RETURNING id
"""
"""Jobs whose time has come: they become ordinary jobs, ahead of those enqueued later."""

SWEEP: Final = _ANEW.format(
    place="coalesce((%(places)s::text[])[row_number() OVER (ORDER BY id DESC)], %(place)s)",
    order="DESC",
    which="""j.status = 'doing' AND (j.worker_id IS NULL OR j.worker_id IN (
    SELECT w.id FROM procrastinate_workers w
    WHERE w.last_heartbeat < clock_timestamp() - make_interval(secs => %(silent)s)
    UNION ALL SELECT w.queue FROM rdimport.worker w WHERE w.gone AND w.queue IS NOT NULL))""",
)
"""Jobs of workers that have ended, or whose heartbeat is too old. They go to these places in
turn, the rest to any worker. Tasks other than jobs are only removed. The newest job goes first: it
may not have begun there, and a worker that died before may have left it.
"""

IF_MISSING: Final = """
DO $$ BEGIN IF to_regnamespace('{0}') IS NULL THEN CREATE SCHEMA {0}; END IF; END $$;
{1}
"""
"""Not `IF NOT EXISTS`: it is denied to users who may not create one, even if it exists."""

ANEW: Final = """
ALTER SCHEMA {0} RENAME TO {0}_before;
CREATE SCHEMA {0};
{1}
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args,
    scheduled_at)
SELECT '{place}', task_name, CASE WHEN scheduled_at IS NULL THEN 0 ELSE {later} END, lock,
    lock || ' ' || (args ->> 'job'), args, scheduled_at
FROM {0}_before.procrastinate_jobs
WHERE task_name = '{task}' AND status IN ('todo', 'doing') ORDER BY id
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING;
DROP SCHEMA {0}_before CASCADE;
"""
"""All of it or nothing: statements sent together, without parameters, are one transaction."""

FUNCTIONS: Final = """
SELECT p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s
"""

FORGOTTEN: Final = _ANEW.format(
    place="%(place)s",
    order="ASC",
    which="j.status = 'doing' AND j.worker_id = %(number)s AND j.id <> ALL(%(at_work)s)",
)
"""Jobs that this worker claimed, or ended, while the database did not respond."""

END: Final = "DELETE FROM procrastinate_jobs WHERE id = %(job)s"
"""Does nothing if the job was given to another worker."""

BEAT: Final = """
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
VALUES (%(number)s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat
"""
"""Also brings back a worker that was declared dead."""

LOADS: Final = """
SELECT w.name, coalesce(sum(j.number), 0)::int AS jobs, w.slots FROM rdimport.worker w
LEFT JOIN (SELECT queue_name, worker_id, count(*) AS number FROM procrastinate_jobs
    WHERE task_name = %(task)s AND (status = 'doing' OR status = 'todo' AND scheduled_at IS NULL)
    GROUP BY 1, 2) j
ON j.queue_name = %(place)s || ' ' || w.name OR (j.queue_name = %(place)s AND j.worker_id = w.queue)
WHERE w.name = ANY(%(names)s) GROUP BY w.name, w.slots
"""
"""How many jobs each of these workers runs, or has waiting for it alone."""

PUT_DUE: Final = """
WITH mine AS (INSERT INTO rdimport.due AS d (job, tick)
    SELECT * FROM unnest(%(names)s::text[], %(ticks)s::timestamptz[]) ORDER BY 1
    ON CONFLICT (job) DO UPDATE SET tick = excluded.tick WHERE d.tick < excluded.tick RETURNING job)
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
SELECT %(place)s, %(task)s, g.lock, mine.job,
    jsonb_build_object('account', g.account, 'job', g.job)
FROM mine JOIN unnest(%(names)s::text[], %(jobs)s::text[], %(accounts)s::text[], %(locks)s::text[])
    AS g(name, job, account, lock) ON g.name = mine.job
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id
"""
"""Jobs that were due at a moment, unless they were enqueued for that moment already. All
schedulers insert in one order, whatever the order of their settings, so they cannot deadlock.
"""
