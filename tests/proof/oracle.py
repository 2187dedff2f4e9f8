"""What a run may send, must send, and may say: the documented rules, one conversion at a time.

It knows what arrived (from the endpoint) and what the ledger said before the run, which was checked
against what arrived. It shares nothing with the product, and is short enough to be read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from .endpoint import ACCEPTED, NOT_NOW, Fault, Receipt
from .rows import Payload, canonical, merged
from .scenario import Round

DOUBT = ("uncertain", "sending")
_REPORTED_AS = {"accepted": "already_imported"}


class Known(NamedTuple):
    """What the ledger says of a conversion: `sending` is in flight in a run that died, which to all
    others is the same as `uncertain`; `round` is the run that sent it.
    """

    state: str
    receipt: str
    round: int


NEVER = Known("", "", -1)


@dataclass(frozen=True)
class Wanted:
    """Payloads that may be sent for a conversion in this run, whether one of them must be if
    nothing hinders the run, what may be reported of its rows if none is, and the payload by which
    one row stands for the others.
    """

    may: frozenset[str]
    must: bool
    states: frozenset[str]
    asked: bool = False


class Past(NamedTuple):
    """One earlier run of an account that began work; `ended` if it ended in order, with all
    rows.
    """

    number: int
    resend: tuple[str, ...]
    sheets: frozenset[str]
    ended: bool


def wish(past: Sequence[Past], resend: tuple[str, ...], sheets: AbstractSet[str]) -> set[int]:
    """The earlier runs that began this resend request and did not complete it."""
    rounds: set[int] = set()
    completed: list[frozenset[str]] = []
    for run in reversed(past):
        if run.resend != resend or not resend:
            continue
        if run.ended:
            completed.append(run.sheets)
            if sheets <= run.sheets:
                break
        elif not any(run.sheets <= later for later in completed):
            rounds.add(run.number)
    return rounds


def wanted(
    turn: Round,
    known: Known,
    history: Sequence[Receipt],
    payloads: Sequence[Payload],
    before: AbstractSet[int],
) -> Wanted:
    """`history` are the conversion's earlier requests, `payloads` those of its rows in the input,
    `before` the runs that began this run's resend request.
    """
    merge, last = turn.rules.on_duplicate == "merge", turn.rules.on_duplicate != "first"
    texts = [canonical(p) for p in ([merged(payloads)] if merge else payloads)]
    states = frozenset({_REPORTED_AS.get(known.state, known.state)})
    if known == NEVER:
        return Wanted(_chosen(texts, last=last), must=True, states=frozenset())
    tries = [receipt for receipt in history if receipt.fault not in NOT_NOW]
    latest = max([known.round, *(receipt.round for receipt in tries)])
    asked = known.state in turn.resend and latest not in before
    denied = tries[-1].payload if tries and tries[-1].fault is Fault.REFUSE else None
    fresh = [text for text in texts if text != denied]
    may = _chosen(texts, last=last) if asked else frozenset[str]()
    if known.state == "uncertain":
        return Wanted(may, asked, states, asked)
    if known.state == "refused":
        return Wanted(
            may | _chosen(fresh, last=last), asked or len(fresh) == len(texts), states, asked
        )
    if turn.rules.on_change != "send":
        return Wanted(may, asked, states, asked)
    # an accepted person gets another conversion if changed rows are to be sent
    had = {receipt.payload for receipt in history if receipt.uuid == known.receipt}
    whole = len(fresh) == len(texts)
    may |= _chosen(fresh, last=last) - (frozenset() if asked else had)
    if "refused" in turn.resend:
        may |= _chosen(texts, last=last) - had
    must = whole and (asked or not had & set(texts))
    return Wanted(may, must, states | (frozenset() if whole else {"refused"}), asked)


def _chosen(texts: Sequence[str], *, last: bool) -> frozenset[str]:
    return frozenset([texts[-1] if last else texts[0]] if texts else [])


def accepted_of(got: Sequence[Receipt], number: int) -> Known | None:
    """What the last accepted one of these requests says of a conversion."""
    for one in reversed(got):
        if one.fault in ACCEPTED and one.answered:
            return Known("accepted", one.uuid, number)
    return None


def again(
    turn: Round, got: Sequence[Receipt], before: Sequence[Receipt], payloads: Sequence[Payload]
) -> frozenset[str] | None:
    """The payloads that a run may send after these requests of others; None if any."""
    last, number = got[-1], got[-1].round
    if last.fault in NOT_NOW and last.answered:
        return None
    if not last.answered or last.fault not in {*ACCEPTED, Fault.REFUSE}:
        return frozenset()
    known = accepted_of(got, number) or Known("refused", "", number)
    return wanted(turn, known, [*before, *got], payloads, frozenset()).may


def ends(was: Known, got: Sequence[Receipt], number: int, *, strict: bool) -> set[Known]:
    """What the ledger may say after these requests of one or several runs. Unless `strict`, the
    client may have died or stopped waiting before it knew the result of the last one.
    """
    final = got[-1]
    doubt = {Known(state, "", number) for state in DOUBT}
    if final.fault in NOT_NOW and final.answered:
        left = ends(was, got[:-1], number, strict=True) if len(got) > 1 else {was}
        return left if strict else left | doubt
    if final.fault is Fault.REFUSE and final.answered:
        kept = accepted_of(got, number) or was
        refused = kept if kept.state in ("accepted", "uncertain") else Known("refused", "", number)
        return {refused} if strict else {refused, *doubt}
    if final.stored and final.answered:
        accepted = Known("accepted", final.uuid, number)
        return {accepted} if strict else {accepted, *doubt}
    return doubt
