"""The send history: what earlier runs know about a row, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from collections.abc import Mapping as Map
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import Final, NamedTuple

import polars as pl

from rdimport.core.errors import UsageError
from rdimport.core.row import FILE, ROW, State
from rdimport.core.schemas import KNOWN
from rdimport.destination import Destination
from rdimport.ledger import (
    KeyClaim,
    Ledger,
    Met,
    Names,
    Outcome,
    Store,
    Unrecognised,
    hash_of,
    problems_of,
    refuse_elsewhere,
)
from rdimport.mapping import Mapping
from rdimport.mapping.targets import targets
from rdimport.plan.absence import Absence
from rdimport.plan.duplicates import IDENTITY, UNCHANGED
from rdimport.plan.written_otherwise import rewritable, written_otherwise
from rdimport.prepare.encode import Order, compared, in_any_order
from rdimport.source import Table

PAYLOAD_HASH: Final = "is"

EARLIER: Final = "__rdimport_earlier__"
"""Binary: the `IDENTITY` as an older version of a cleaner produced it; null if unchanged."""

UNORDERED: Final = "__rdimport_unordered__"
"""String: a merged payload with its members in the order of its rows; null if it is the same."""

VERSION: Final = "__rdimport_version__"
"""Int64: `schemas.KNOWN`'s `version` of a row's own identity; 0 if nothing is known about it."""

_SENT_AS: Final = "sent_as"
"""The identity under which the ledger knows a row: its own, otherwise the earlier one."""

_STORED: Final = "stored"
"""The hash of a row's payload as the ledger may have it: in an earlier order, or `PAYLOAD_HASH`."""

_HASHED: Final = 8
"""Bytes of a payload's hash. Hashes written by an older release are longer (`ledger.upgrade`)."""


Encode = Callable[[pl.Series], pl.Series]
"""Maps rows, by their `ROW`, to their payloads."""

Spellings = Callable[[Collection[str]], dict[str, dict[bytes, str]]]
"""See `spellings.other_spellings`."""

Recognised = Callable[[Map[str, Map[bytes, str]], Collection[str]], dict[str, list[str]]]
"""See `spellings.recognised`."""

Absent = Callable[[pl.DataFrame], pl.Series]
"""Maps rows, with what is known about them, to whether they are known not to have arrived."""


class Known(NamedTuple):
    """The rows of a batch, split into rows to send, rows that end here, and rows imported already.

    `rows` has the additional columns `UNCHANGED` and `VERSION`; `already` has only `ROW` and
    `IDENTITY`. `adopted` has `IDENTITY` and `PAYLOAD_HASH` of rows of which the ledger has another
    hash: the cleaners of an older release differed, so a different payload proves nothing, or the
    order of its members did, or its values were written in another way. Later runs compare with the
    hash from this run. `recognised` has the `ROW` of every row that is known, and `by_earlier` of
    those known only by their `EARLIER` identity. The identities in `already` and `adopted` are
    those under which the ledger knows the rows.
    """

    rows: pl.DataFrame
    ends: list[Outcome]
    already: pl.DataFrame
    adopted: pl.DataFrame
    recognised: pl.Series
    by_earlier: pl.Series


def _no_spellings(_: Collection[str]) -> dict[str, dict[bytes, str]]:
    """No identifiers: nothing was sent before."""
    return {}


def _none_recognised(*_: object) -> dict[str, list[str]]:
    return {}


@dataclass(frozen=True, slots=True)
class SendHistory:
    """What earlier runs know, by keyed hashes of identities and payloads.

    `known` returns one line per conversion sent before: `identity`, `state`, `payload`, `problems`,
    `refused`, `run`. `resend` has the states to send again, except for rows of the runs that
    `resend_begun` has. With `changed`, an accepted row is also sent when its payload has changed.
    `of_0_1`: release 0.1.0 may have sent some of the rows. With `absent`, an uncertain row is sent
    again only if it is known not to have arrived. `order_earlier` puts a payload in the order that
    earlier releases encoded; `spellings` are those of identifiers, as far as they are `recognised`.
    `rules` are how earlier runs read identity fields. `rewritable` are the fields with values that
    programs write in different ways.
    """

    digests: Callable[[Sequence[str], int], list[bytes]]
    known: Callable[[pl.Series], pl.DataFrame]
    resend: frozenset[State] = frozenset()
    changed: bool = False
    resend_begun: Met = field(default_factory=Met)
    of_0_1: bool = False
    about: frozenset[str] = frozenset()
    absent: Absent | None = None
    order_earlier: Callable[[str], str] = str
    spellings: Spellings = _no_spellings
    recognised: Recognised = _none_recognised
    rules: Callable[[], list[str]] = list
    rewritable: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever sent to the destination."""
        return self.known is _no_matches

    def identities(self, texts: pl.Series) -> pl.Series:
        """The `IDENTITY` of rows, from the texts that make them the same conversion."""
        return pl.Series(IDENTITY, self.digests(texts.to_list(), 16), pl.Binary)

    def part(
        self, rows: pl.DataFrame, cells: pl.DataFrame, *, final: bool, encode: Encode | None = None
    ) -> Known:
        """Split the rows of a batch by what is known about them.

        `rows` has `FILE`, `ROW`, `IDENTITY`, `EARLIER` and `payload`; `cells` has `ROW` and the
        source's columns. Payloads are compared only if they are `final`, i.e. already merged; where
        there are none, they are those of `encode`.
        """
        either = pl.concat([rows[IDENTITY], rows[EARLIER].drop_nulls().alias(IDENTITY)])
        known = self.known(either)
        if known.is_empty():
            return _all_new(rows)
        seen = self._compared(rows, known, final=final, encode=encode)
        adopted = seen.filter("adopted").select(pl.col(_SENT_AS).alias(IDENTITY), PAYLOAD_HASH)
        recognised = seen.filter(pl.col("state").is_not_null())[ROW]
        by_earlier = seen.filter(pl.col(_SENT_AS).eq(pl.col(EARLIER)))[ROW]
        seen = self._decided(seen)
        left = seen.filter(~pl.col("already") & ~pl.col("ended"))
        return Known(
            rows=left.select(*rows.columns, UNCHANGED, VERSION),
            ends=list(_ends(seen.filter("ended"), cells)),
            already=seen.filter("already").select(ROW, pl.col(_SENT_AS).alias(IDENTITY)),
            adopted=adopted,
            recognised=recognised,
            by_earlier=by_earlier,
        )

    def _compared(
        self, rows: pl.DataFrame, known: pl.DataFrame, *, final: bool, encode: Encode | None
    ) -> pl.DataFrame:
        """The rows with what is known about each (null if nothing), and `PAYLOAD_HASH`.

        Boolean columns: `same`, the payload is that of the last time; `denied`, it is the one that
        was refused after an earlier one had been accepted; `adopted`, see `Known`.
        """
        was = known.rename({"identity": _SENT_AS, "payload": "was"})
        seen = rows.with_columns(_sent_as(known["identity"]).alias(_SENT_AS))
        seen = seen.join(was, on=_SENT_AS, how="left", maintain_order="left")
        seen = self._hashed(seen, encode, final=final)
        hashed = pl.col(_STORED)
        equal = pl.col("was").eq(hashed)
        reordered = equal & hashed.ne(pl.col(PAYLOAD_HASH))
        older = pl.col("was").bin.size().gt(_HASHED) | reordered
        adopted = older & final & self.changed
        denied = pl.col("state").eq(State.ACCEPTED) & pl.col("refused").eq(hashed)
        return seen.with_columns(
            (denied & (final and self.changed)).fill_null(value=False).alias("denied"),
            ((equal & final) | adopted).fill_null(value=False).alias("same"),
            adopted.fill_null(value=False).alias("adopted"),
        )

    def _decided(self, seen: pl.DataFrame) -> pl.DataFrame:
        """Add the decision about each row: `already`, `ended`, `UNCHANGED` and `VERSION`."""
        same = pl.col("same") | pl.col("denied")
        refused = pl.when("denied").then(pl.lit(str(State.REFUSED))).otherwise("state")
        seen = seen.with_columns(refused.alias("state"))
        state = pl.col("state")
        asked = state.is_in([str(s) for s in self.resend])
        if self.absent is not None:
            absent = pl.lit(self.absent(seen))
            asked &= state.ne(State.UNCERTAIN) | absent
        begun = pl.col("run").is_in(list(self.resend_begun.begun))
        if self.resend_begun.begun:
            self.resend_begun.note(seen.filter(begun).select("run", _SENT_AS).iter_rows())
        kept = ~(asked & ~begun)
        accepted = state.eq(State.ACCEPTED) & kept
        ended = (state.eq(State.UNCERTAIN) | (state.eq(State.REFUSED) & same)) & kept
        own = pl.when(pl.col(_SENT_AS).eq(pl.col(IDENTITY)))
        return seen.with_columns(
            (accepted & (not self.changed)).fill_null(value=False).alias("already"),
            ended.fill_null(value=False).alias("ended"),
            (accepted & same).fill_null(value=False).alias(UNCHANGED),
            own.then("version").fill_null(0).alias(VERSION),
        )

    def _hashed(self, seen: pl.DataFrame, encode: Encode | None, *, final: bool) -> pl.DataFrame:
        """Add `PAYLOAD_HASH` and `_STORED` to rows that were sent before and depend on whether they
        have changed: only these are compared.
        """
        state = pl.col("state")
        depend = state.is_not_null() if self.changed else state.eq(State.REFUSED)
        some = seen.with_row_index("at").filter(depend.fill_null(value=False))
        texts = some["payload"]
        if encode is not None and texts.null_count():
            texts = encode(some[ROW])
        payloads = [compared(payload, self.about) for payload in texts.to_list()]
        now = self.digests(list(map(in_any_order, payloads)), _HASHED)
        merged = some[UNORDERED] if UNORDERED in some.columns else repeat(None)
        known = some.select("was", "refused").rows()
        stored = [
            digest if digest in hashes else self._earlier(payload, text, hashes) or digest
            for digest, payload, text, hashes in zip(now, payloads, merged, known, strict=False)
        ]
        if final and self.changed:
            stored = self._as_written(stored, payloads, known)
        found = some.select(
            "at", pl.Series(PAYLOAD_HASH, now, pl.Binary), pl.Series(_STORED, stored, pl.Binary)
        )
        return seen.with_row_index("at").join(found, on="at", how="left", maintain_order="left")

    def _as_written(
        self, stored: list[bytes], payloads: list[str], known: list[tuple[bytes | None, ...]]
    ) -> list[bytes]:
        """The hashes, or those of the same payloads as they were written when they were sent."""
        changed = [at for at, digest in enumerate(stored) if digest not in known[at]]
        if not changed:
            return stored
        found = written_otherwise(
            [payloads[at] for at in changed],
            [known[at] for at in changed],
            self.rewritable,
            lambda texts: self.digests(texts, _HASHED),
        )
        was = {changed[place]: digest for place, digest in found.items()}
        return [was.get(at, digest) for at, digest in enumerate(stored)]

    def _earlier(
        self, payload: str, merged: str | None, known: tuple[bytes | None, ...]
    ) -> bytes | None:
        """The hash of the payload in an order of earlier releases, if it is `known`: tags as in the
        row, other members as in the mapping, all members of a `merged` payload as in its rows.
        """
        texts = [payload, self.order_earlier(payload)]
        texts += [] if merged is None else [compared(merged, self.about)]
        digests = self.digests([*texts, *map(in_any_order, texts)], _HASHED)
        return next((digest for digest in digests if digest in known), None)


def _all_new(rows: pl.DataFrame) -> Known:
    """A batch of which no row is known."""
    new = rows.with_columns(
        pl.lit(value=False).alias(UNCHANGED), pl.lit(0, pl.Int64).alias(VERSION)
    )
    nothing = pl.DataFrame(schema={IDENTITY: pl.Binary, PAYLOAD_HASH: pl.Binary})
    none = rows[ROW].clear()
    return Known(new, [], rows.select(ROW, IDENTITY).clear(), nothing, none, none)


def _sent_as(known: pl.Series) -> pl.Expr:
    own, earlier = (pl.col(name).is_in(known.implode()) for name in (IDENTITY, EARLIER))
    return pl.when(own.not_() & earlier).then(EARLIER).otherwise(IDENTITY)


class EmptyHistory(SendHistory):
    """The history before the first run. Nothing is looked up, so nothing is hashed."""

    __slots__ = ()

    def identities(self, texts: pl.Series) -> pl.Series:
        """The texts themselves."""
        return texts.cast(pl.Binary).alias(IDENTITY)


def cells_of(rows: pl.Series, cells: pl.DataFrame) -> dict[int, tuple[str | None, ...]]:
    """The cells of some rows of a batch, by row number."""
    wanted = cells.filter(pl.col(ROW).is_in(rows.implode()))
    return {row[0]: row[1:] for row in wanted.select(ROW, pl.exclude(ROW)).iter_rows()}


def _ends(seen: pl.DataFrame, cells: pl.DataFrame) -> Iterator[Outcome]:
    """Rows that an earlier run left refused or uncertain and that are not sent again."""
    at = cells_of(seen[ROW], cells)
    columns = (FILE, ROW, "state", "problems", _SENT_AS)
    for file, row, state, problems, identity in seen.select(columns).iter_rows():
        doubted = identity if state == State.UNCERTAIN else None
        yield Outcome(file, row, State(state), problems_of(problems), at[row], identity=doubted)


def history_of(
    ledger: Ledger,
    destination: int,
    resend: frozenset[State],
    mapping: Mapping,
    resend_begun: Met | None = None,
    *,
    not_proved: bool = False,
) -> SendHistory:
    """The send history of a destination. With `not_proved`, an uncertain row is sent again only if
    a complete list of conversions lacks it.
    """
    absent = Absence(ledger, destination) if not_proved else None
    known = _no_matches if ledger.is_new(destination) else partial(ledger.known, destination)
    of_0_1 = ledger.knows_of_0_1(destination)
    changes = mapping.on_change == "send"
    return SendHistory(
        ledger.digests,
        known,
        resend,
        changes,
        resend_begun or Met(),
        of_0_1,
        absent=absent,
        about=mapping.about,
        order_earlier=Order.earlier(targets(mapping)).applied,
        spellings=partial(ledger.spellings, destination),
        recognised=ledger.recognised,
        rules=partial(ledger.identity_rules, destination),
        rewritable=rewritable(targets(mapping)) if changes else frozenset(),
    )


class Before(NamedTuple):
    """What earlier runs know, and where it is stored."""

    history: SendHistory
    ledger: Ledger
    destination: int

    def unrecognised(
        self, names: Names | None, tables: Sequence[Table]
    ) -> tuple[Unrecognised, ...]:
        """The conversions known to earlier runs that the new rows would not match."""
        if names is None:
            return ()

        def fingerprints() -> list[str]:
            return [table.fingerprint for table in tables]

        return tuple(self.ledger.unrecognised(self.destination, names, None, fingerprints))


def known_before(
    to: Destination | None,
    store: Store | None,
    resend: frozenset[State],
    mapping: Mapping,
    stack: ExitStack,
    *,
    own_store: Store | None,
    not_proved: bool = False,
    sure: bool = False,
) -> Before | None:
    """What earlier runs know; None if there were none. The ledger stays open until `stack`
    closes. Raises UsageError as a run would if the account, `sure` or not, may not use the key, and
    LedgerLostError if a copy of the ledger, or another one, knows more.
    """
    if not store or not to:
        return None
    ledger = store.if_there()
    if ledger is not None:
        stack.enter_context(ledger)
    if own_store is not None:
        refuse_elsewhere(ledger, store, own_store, to)
    if ledger is None:
        return None
    claim = KeyClaim(_key_of(to, ledger), store.is_held, sure)
    ledger.accounts.see_claim(to.identity, to.base_url, to.account, claim)
    ledger.refuse_behind(to.account)
    number = ledger.destination(to.identity)
    if number is None:
        return None
    history = history_of(ledger, number, resend, mapping, not_proved=not_proved)
    return Before(history, ledger, number)


def _key_of(to: Destination, ledger: Ledger) -> bytes | None:
    try:
        return hash_of(ledger, list(to.credentials().items()))
    except UsageError:  # a check needs no key
        return None


def no_history(resend: frozenset[State], mapping: Mapping) -> SendHistory:
    """The history before the first run."""
    return EmptyHistory(_no_hashes, _no_matches, resend, mapping.on_change == "send")


def _no_matches(_: pl.Series) -> pl.DataFrame:
    """An empty lookup result."""
    return pl.DataFrame(schema=KNOWN)


def _no_hashes(texts: Sequence[str], _: int) -> list[bytes]:
    """No hashes: nothing was sent before."""
    return [b""] * len(texts)
