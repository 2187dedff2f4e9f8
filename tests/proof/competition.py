"""Two to four concurrent runs of one account, on separate machines with one ledger: what a seed
makes happen to them.

A moment is when one of them claims its next rows, when it is told that it has them (known only to
the ledger so far), when the endpoint has read one of their rows, when it has answered; or any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .scenario import Round, Scenario

MOMENTS = ("asks", "is told", "read", "answered", "any")
ACTS = {
    "frozen": 8,
    "killed": 3,
    "torn out": 2,
    "cut to the server": 2,
    "cut to the client": 2,
    "held": 2,
}
TO_ALL = ("turns lapse", "sessions are ended", "the server is killed")


class Peril(NamedTuple):
    """What happens for some seconds to the machine that reaches the n-th such moment (with "any":
    to `machine`). `lapses`: its lease expires meanwhile.
    """

    machine: int
    moment: str
    count: int
    act: str
    seconds: float
    lapses: bool


class Blow(NamedTuple):
    """What happens to the database, `after` seconds from the start."""

    kind: str
    after: float


class Competition(NamedTuple):
    """`waits` is how long each run waits for its lease, and `delays` when it starts. With
    `fails_over`, a standby replaces the database while they are running.
    """

    waits: tuple[str, ...]
    delays: tuple[float, ...]
    perils: tuple[Peril, ...]
    blows: tuple[Blow, ...]
    fails_over: bool


def with_rivals(plan: Scenario) -> Scenario:
    """The same scenario with at least one round as a competition; the rest stays as it was."""
    rng = Random(f"{plan.seed} rivals")  # noqa: S311
    fails_over = rng.random() < 0.12
    rounds = list(_rounds(rng, plan, fails_over=fails_over))
    return replace(plan, rounds=rounds, pooled=not fails_over and rng.random() < 0.4)


def _rounds(rng: Random, plan: Scenario, *, fails_over: bool) -> Iterator[Round]:
    first = rng.randrange(min(2, len(plan.rounds)))
    for number, turn in enumerate(plan.rounds):
        calm = turn.calm and not (turn.beside or turn.second or turn.resend)
        if number == first or (not calm and not turn.resend and rng.random() < 0.5):
            yield replace(
                turn,
                ledger="state",
                interruption=None,
                resend=(),
                limit=None,
                canary=False,
                max_duration="",
                file_size=None,
                beside=None,
                second=False,
                way_back=False,
                again=False,
                competition=_competition(rng, fails_over=fails_over and number == first),
            )
            if calm:  # the scenario still ends with an unhindered run
                yield turn
        else:
            yield turn


def _competition(rng: Random, *, fails_over: bool) -> Competition:
    machines = rng.randint(2, 4)
    return Competition(
        waits=tuple(rng.choice(("0s", "1s", "4s", "10s")) for _ in range(machines)),
        delays=tuple(rng.choice((0.0, rng.random() * 1.5)) for _ in range(machines)),
        perils=tuple(_peril(rng, machines) for _ in range(rng.randint(1, 5))),
        blows=tuple(
            Blow(rng.choices(TO_ALL, (5, 2, 1))[0], 0.5 + rng.random() * 3)
            for _ in range(rng.choice((0, 1, 1, 2)))
        ),
        fails_over=fails_over,
    )


def _peril(rng: Random, machines: int) -> Peril:
    ((act),) = rng.choices(list(ACTS), list(ACTS.values()))
    return Peril(
        rng.randrange(machines),
        rng.choices(MOMENTS, (3, 4, 2, 2, 2))[0],
        rng.choice((1, 1, 2, 3, 5, 8)),
        act,
        rng.choice((0.2, 0.5, 1.0, 2.5)),
        rng.random() < 0.7,
    )
