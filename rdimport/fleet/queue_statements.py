"""What moves jobs within the queue: each is one statement, so that whoever is killed meanwhile has
done all of it, or nothing.

A job that is put in anew has a new number: a worker that comes back ends the old one, which is no
more. The triggers of Procrastinate's tables tell the workers of it.
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
"""Jobs of an account that wait for a time."""

FREE: Final = _ANEW.format(
    place="%(place)s",
    order="ASC",
    which="""j.task_name = %(task)s AND j.status = 'todo' AND j.queue_name <> ALL(%(known)s)""",
)
"""Jobs that wait for a worker that is none of the known ones."""

RIPE: Final = """
UPDATE procrastinate_jobs SET priority = 0, scheduled_at = NULL WHERE id IN (
    SELECT id FROM procrastinate_jobs WHERE task_name = %(task)s AND status = 'todo'
    AND scheduled_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
RETURNING id
"""
"""Jobs whose time has come: they wait like any other, before those that were put in later."""

SWEEP: Final = _ANEW.format(
    place="coalesce((%(places)s::text[])[row_number() OVER (ORDER BY id DESC)], %(place)s)",
    order="DESC",
    which="""j.status = 'doing' AND (j.worker_id IS NULL OR j.worker_id IN (
    SELECT w.id FROM procrastinate_workers w
    WHERE w.last_heartbeat < clock_timestamp() - make_interval(secs => %(silent)s)
    UNION ALL SELECT w.queue FROM rdimport.worker w WHERE w.gone AND w.queue IS NOT NULL))""",
)
"""Jobs at workers that are gone, or have said nothing for too long: to these places, one after the
other, the rest to anybody. What is no job of an account just ends. What came last comes first: it
may not have begun there, and was left by one that died before.
"""

FUNCTIONS: Final = """
SELECT p.proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(schema)s
"""

WAITING: Final = """
SELECT args->>'account' AS account, args->>'job' AS job, scheduled_at AS at FROM procrastinate_jobs
WHERE task_name = %(task)s AND status IN ('todo', 'doing') ORDER BY id
"""

FORGOTTEN: Final = _ANEW.format(
    place="%(place)s",
    order="ASC",
    which="j.status = 'doing' AND j.worker_id = %(number)s AND j.id <> ALL(%(at_work)s)",
)
"""Jobs that this worker took, or ended, while the database gave no answer."""

END: Final = "DELETE FROM procrastinate_jobs WHERE id = %(job)s"
"""Nothing, if another worker was given that job."""

BEAT: Final = """
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
VALUES (%(number)s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat
"""
"""A worker lives, perhaps one that was taken for dead."""

LOADS: Final = """
SELECT w.name, coalesce(sum(j.number), 0)::int AS jobs, w.slots FROM rdimport.worker w
LEFT JOIN (SELECT queue_name, worker_id, count(*) AS number FROM procrastinate_jobs
    WHERE task_name = %(task)s AND (status = 'doing' OR status = 'todo' AND scheduled_at IS NULL)
    GROUP BY 1, 2) j
ON j.queue_name = %(place)s || ' ' || w.name OR (j.queue_name = %(place)s AND j.worker_id = w.queue)
WHERE w.name = ANY(%(names)s) GROUP BY w.name, w.slots
"""
"""How many jobs these workers are at, with those that wait for them alone."""

PUT_DUE: Final = """
WITH mine AS (INSERT INTO rdimport.due AS d (job, tick)
    SELECT * FROM unnest(%(jobs)s::text[], %(ticks)s::timestamptz[]) ORDER BY 1
    ON CONFLICT (job) DO UPDATE SET tick = excluded.tick WHERE d.tick < excluded.tick RETURNING job)
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
SELECT %(place)s, %(task)s, g.lock, g.job, jsonb_build_object('account', g.account, 'job', g.job)
FROM mine JOIN unnest(%(jobs)s::text[], %(accounts)s::text[], %(locks)s::text[])
    AS g(job, account, lock) USING (job)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id
"""
"""Jobs that were due at a moment, unless they were put in for that moment already. All who keep
time take them in one order, whatever that of their settings: none waits for one who waits for him.
"""
