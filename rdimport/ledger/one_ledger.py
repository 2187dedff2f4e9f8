"""Sees that the runs of a state directory use one ledger for each account: another one does not
know whom they have sent.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core.errors import LedgerError, UsageError
from rdimport.core.looking import listed
from rdimport.core.messages import _
from rdimport.core.shell import joined
from rdimport.core.visible import shown_lines
from rdimport.ledger import twins
from rdimport.ledger.hashes import destination_id
from rdimport.ledger.notes import note, noted
from rdimport.ledger.opening import is_shared
from rdimport.ledger.port import Ledger, Store
from rdimport.ledger.sqlite.witness import outside

_MARK: Final = "shared-ledger"
"""The file in a state directory with the shared ledgers that its runs have used, one a line."""


class Use(NamedTuple):
    """A shared ledger that runs have used, and for which destination: the hash of its identity."""

    address: str
    destination: str

    def is_of(self, identity: str) -> bool:
        """Whether it was used for the destination of this identity."""
        return self.destination == destination_id(identity)


def see_which(state_dir: Path, store: Store, own: Store, destination: str) -> None:
    """Raise UsageError for a run without the shared ledger that runs of its state directory, whose
    own ledger is `own`, use, or for one with a shared ledger although others used another one
    (`see_moved`): it would not know what they have sent.
    """
    if is_shared(str(store)):
        see_moved(state_dir, store, own, destination)
        return
    used, mark = _used(state_dir), state_dir / _MARK
    if not used:
        return
    raise UsageError(
        _(
            "Runs of {state_dir} use the shared ledger {where}, but this command does not "
            "name it: it would not know whom they sent, and would send them again.",
            state_dir=state_dir,
            where=used[-1].address,
        ),
        _(
            "Name it with --ledger, or set RDIMPORT_LEDGER. To continue with the state "
            "directory's own ledger anyway, delete {mark}.",
            mark=mark,
        ),
    )


def note_which(state_dir: Path, store: Store, destination: str) -> None:
    """Record in a state directory that its runs use a shared ledger, once nothing refuses it."""
    if not is_shared(str(store)):
        return
    now = _use(store, destination)
    for folder in (state_dir, outside(state_dir)):
        if folder is not None:
            note(folder / _MARK, "\t".join(now))


def see_moved(state_dir: Path, store: Store, own: Store, destination: str) -> None:
    """Raise UsageError for a shared ledger if rows were sent to the destination from the state
    directory's own one, which was not copied to it, or whose key is not at hand, or from another
    shared one.

    Raises nothing if the directory's runs have used this one for the destination before.
    """
    used, now = _used(state_dir), _use(store, destination)
    if now in used or (_anywhere(now) in used and _has_sent(store, destination)):
        return
    own_has_sent, twin = _sent_from(own, destination)
    if own_has_sent and not twin:
        raise _own_one(state_dir, store, own)
    recorded = [one.address for one in used if one.destination in (now.destination, "")]
    others = {one for one in (twin, *recorded) if one} - {now.address}
    if not others or _has_sent(store, destination):
        return
    for other in sorted(others):
        if _may_have_sent(other, store, destination):
            raise _other_one(state_dir, store, other, own if other == twin else None)


def _own_one(state_dir: Path, store: Store, own: Store) -> UsageError:
    """The error for a shared ledger that does not know what was sent with the directory's own."""
    copy = ["rdimport", "ledger", "copy", str(state_dir.absolute()), str(store)]
    return UsageError(
        _(
            "Runs of {state_dir} have sent rows of this account with the directory's own ledger. "
            "The shared ledger {where} does not know whom, and they would be sent again.",
            state_dir=state_dir,
            where=store,
        ),
        shown_lines(
            [
                _(
                    "Nothing was sent. Copy it there first, into an empty database without "
                    "`rdimport fleet init`: {command}",
                    command=joined(copy),
                ),
                _set_aside(own),
            ]
        ),
    )


def _set_aside(own: Store) -> str:
    return _(
        "To set the directory's own aside, knowing that whoever only it knows is sent "
        "again: rdimport ledger new {where}",
        where=joined(own.location_options),
    )


def _other_one(state_dir: Path, store: Store, other: str, copied: Store | None) -> UsageError:
    """The error for a shared ledger that does not know what was sent with the `other` one, to which
    the directory's own may have been `copied`.
    """
    anyway = _(
        "To use it as it is, knowing that whoever only the other one knows is sent again, delete "
        "the lines of {other} from {mark}.",
        other=other,
        mark=state_dir / _MARK,
    )
    return UsageError(
        _(
            "Runs of {state_dir} have used the shared ledger {other} for this account. {where} "
            "does not know whom they sent, and they would be sent again.",
            state_dir=state_dir,
            other=other,
            where=store,
        ),
        shown_lines(
            [
                _("Nothing was sent. Use that one: {where}", where=joined(["--ledger", other])),
                _(
                    "To continue with {where}, copy that one into it while it is empty: {command}",
                    where=store,
                    command=joined(["rdimport", "ledger", "copy", other, str(store)]),
                ),
                anyway if copied is None else _set_aside(copied),
            ]
        ),
    )


def shared_elsewhere(own: Store) -> list[Use]:
    """The shared ledgers that this user's runs of other state directories have used, besides that
    of the directory's `own` ledger.
    """
    place = outside(Path(str(own)))
    with suppress(OSError):  # cron may have another user's home
        folders = listed(place.parent) if place else []
        return [use for folder in folders if folder != place for use in _used(folder)]
    return []


def _use(store: Store, destination: str) -> Use:
    return Use(str(store), destination_id(destination))


def _anywhere(use: Use) -> Use:
    """As the mark was written before it told destinations apart."""
    return use._replace(destination="")


def _used(folder: Path) -> list[Use]:
    """The shared ledgers that runs of a state directory have used, in that order: as recorded there
    or in the user's folder for it.
    """
    parts = (line.partition("\t") for line in noted(folder / _MARK))
    return [Use(address, destination) for address, _tab, destination in parts]


def has_sent(own: Store, destination: str) -> bool:
    """Whether rows were sent there from a state directory, as far as its ledger can be read."""
    return _sent_from(own, destination)[0]


def _sent_from(own: Store, destination: str) -> tuple[bool, str]:
    """Whether rows were sent there, as far as the ledger can be read, and the address of its twin,
    empty if it has none.
    """
    with suppress(LedgerError):
        ledger = own.if_there()
        if ledger is not None:
            with ledger:
                return _has_sent_in(ledger, destination), twins.of(ledger)
    return False, ""


def _may_have_sent(other: str, store: Store, destination: str) -> bool:
    """Whether rows may have been sent there with another shared ledger: yes if it does not say."""
    from rdimport.ledger.postgres.store import PostgresStore  # noqa: PLC0415  `store` is one

    try:
        return not isinstance(store, PostgresStore) or _has_sent(store.at(other), destination)
    except LedgerError:
        return True


def _has_sent(store: Store, destination: str) -> bool:
    """Whether rows were sent there. Raises LedgerError if the ledger cannot be read."""
    ledger = store.if_there()
    if ledger is None:
        return False
    with ledger:
        return _has_sent_in(ledger, destination)


def _has_sent_in(ledger: Ledger, destination: str) -> bool:
    number = ledger.destination(destination)
    return number is not None and not ledger.is_new(number)
