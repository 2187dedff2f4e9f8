"""The stages of a check: plan, and count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rdimport.api.results import CheckResult, CheckTally
from rdimport.core.ahead import load_ahead
from rdimport.core.clock import SystemClock, today
from rdimport.core.errors import UsageError
from rdimport.core.events import Observer
from rdimport.core.masking import refuse_key_in
from rdimport.core.quota import Quota
from rdimport.core.row import State
from rdimport.plan.corrected import Corrections
from rdimport.plan.duplicates import Index
from rdimport.plan.history import Before, SendHistory, known_before, no_history
from rdimport.plan.planner import Planner
from rdimport.plan.spool import Spool
from rdimport.plan.suppression import Suppression
from rdimport.prepare.preview import Preview, advice
from rdimport.prepare.validate import LIBRARIES

if TYPE_CHECKING:
    import polars as pl

    from rdimport.destination import Destination
    from rdimport.destination.rdstation.custom_fields import CustomFields
    from rdimport.ledger import Store
    from rdimport.mapping import Mapping
    from rdimport.source import Table


class CheckOptions(NamedTuple):
    """The options of a check; `api.run_async` explains the names."""

    to: Destination | None
    quota: Quota | None
    store: Store | None
    own_store: Store | None
    limit: int | None
    resend: frozenset[State]
    not_proved: bool
    custom_fields: CustomFields | None
    on_event: Observer
    lang: str
    keep: bool
    suppress: tuple[str, ...]
    sure: bool
    """The account is the intended one, even if its name resembles another one."""
    new_identity: bool


def checked(
    tables: tuple[Table, ...],
    begun: Iterator[pl.DataFrame],
    mapping: Mapping,
    options: CheckOptions,
) -> CheckResult:
    """Plan what a run would send; `begun` are the batches of the first table."""
    _refuse_key(tables, mapping, options.to)
    load_ahead(*LIBRARIES)
    people, book, preview = Suppression.read(options.suppress), CheckTally(), Preview()
    with ExitStack() as stack:
        known, history, corrections = _earlier(mapping, options, stack)
        spool = Spool() if options.keep or mapping.on_duplicate == "merge" else None
        plan = Planner(
            mapping,
            history,
            book,
            spool,
            stack.enter_context(Index(digests=known is not None)),
            catalogue=options.custom_fields,
            suppression=people,
            corrections=corrections,
            observer=options.on_event,
            look=preview.add,
            today=today(SystemClock()),
            payloads=spool is not None or options.not_proved,
        ).make(tables, begun)
        names = None if options.new_identity else book.names
        missed = known.unrecognised(names, tables) if known else ()
    to_send = plan.at_most(options.limit)
    return CheckResult(
        book=book,
        tables=tables,
        to_send=to_send,
        seconds=to_send * options.quota.interval if options.quota else None,
        plan=plan,
        preview=preview,
        advice=advice(mapping, options.lang),
        unrecognised=missed,
        notes=(*people.notes, *(corrections.notes if corrections else ())),
    )


def _refuse_key(tables: tuple[Table, ...], mapping: Mapping, to: Destination | None) -> None:
    """Raise KeyInNameError, as a run would, for a name or a mapping that contains the key."""
    keys: Iterable[str] = ()
    with suppress(UsageError):  # there is no key to look for
        keys = to.credentials().values() if to else ()
    for key in keys:
        refuse_key_in((*(table.name for table in tables), Path.cwd(), mapping), key)


def _earlier(
    mapping: Mapping, options: CheckOptions, stack: ExitStack
) -> tuple[Before | None, SendHistory, Corrections | None]:
    """What earlier runs know, how it decides about rows, and the corrections of their reports."""
    known = known_before(
        options.to,
        options.store,
        options.resend,
        mapping,
        stack,
        own_store=options.own_store,
        not_proved=options.not_proved,
        sure=options.sure,
    )
    if known is None:
        return None, no_history(options.resend, mapping), None
    return known, known.history, Corrections(mapping, known.ledger, known.destination)
