"""A seed to a scenario: the list, the endpoint's faults, the client's settings, the signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from .endpoint import ACCEPTED, Fault

MAPPING = """\
version: 1
conversion_identifier: Prova
fields: {email: E-mail, name: Nome}
on_duplicate: first
"""

STAGES = ("connected", "read", "stored", "half", "answered")


@dataclass(frozen=True)
class Interruption:
    """A signal (or two) to the client: some milliseconds after the n-th request of this run has
    come to a stage, or, without a stage, after the start of the process.
    """

    kind: str  # kill, stop, stop twice
    stage: str
    count: int
    delay: float


@dataclass(frozen=True)
class Round:
    """One start of the command."""

    rates: dict[Fault, float]
    interruption: Interruption | None = None
    resend: bool = False


@dataclass
class Scenario:
    """All that a seed decides. `lines` are the cells of each row of the list, header excluded."""

    seed: int
    lines: list[tuple[str, str]]
    options: list[str]
    rounds: list[Round]
    picky: int
    """Whose number this divides is refused by the endpoint; 0 refuses nobody."""
    unique: list[str] = field(default_factory=list)

    def refuses(self, email: str) -> bool:
        number = int("".join(c for c in email if c.isdigit()))
        return self.picky > 0 and number % self.picky == 0

    @property
    def concurrency(self) -> int:
        return int(self.options[self.options.index("--concurrency") + 1])


def scenario(seed: int) -> Scenario:
    """The scenario of a seed: always the same for the same seed."""
    chance = Random(seed)  # noqa: S311
    people = [f"p{n}@exemplo.com.br" for n in range(1, chance.randint(12, 60))]
    lines = [(email, f"Nome {n}") for n, email in enumerate(people)]
    again = [(email.upper(), "outra vez") for email in chance.sample(people, chance.randint(0, 4))]
    broken = [(f"sem arroba {n}", "x") for n in range(chance.randint(0, 3))]
    for extra in again + broken:
        lines.insert(chance.randrange(len(lines) + 1), extra)
    options = [
        "--concurrency", str(chance.choice((1, 2, 3, 5, 8, 16, 40))),
        "--quota", chance.choice(("none", "none", "none", "90/s", "400/s")),
        "--timeout", f"{chance.choice((0.5, 0.8))}s",
        "--patience", "1s",
    ]  # fmt: skip
    rounds = [_round(chance) for _ in range(chance.choice((1, 1, 2, 2, 3)))]
    rounds.append(Round({}))
    if chance.random() < 0.25:
        rounds.append(Round({}, resend=chance.random() < 0.6))
    return Scenario(seed, lines, options, rounds, chance.choice((0, 0, 0, 7, 2)), people)


def _round(chance: Random) -> Round:
    interruption = None
    if chance.random() < 0.75:
        interruption = Interruption(
            chance.choices(("kill", "stop", "stop twice"), (6, 2, 1))[0],
            chance.choice((*STAGES, *STAGES, "")),
            chance.choice((1, 2, 3, 5, 8, 13, 21, 34)),
            chance.choice((0.0, 0.0, chance.random() * 0.02, chance.random() * 0.4)),
        )
    return Round(_rates(chance), interruption)


def _rates(chance: Random) -> dict[Fault, float]:
    """A few kinds of faults, together between rare and nearly always; a storm is one kind alone."""
    total = chance.choice((0.0, 0.03, 0.1, 0.1, 0.25, 0.5, 0.9))
    sort = chance.random()
    if sort < 0.2:
        kinds = [chance.choice([Fault.ACCOUNT, Fault.UNAVAILABLE, Fault.LEAD])]
    elif sort < 0.3:
        kinds = [Fault.ACCOUNT, Fault.LEAD, Fault.UNAVAILABLE]
    else:
        faults = sorted(set(Fault) - ACCEPTED)
        kinds = chance.sample(faults, chance.randint(1, 8))
    weights = [chance.random() * (0.1 if f in (Fault.KEY, Fault.PATH) else 1) for f in kinds]
    return {f: total * w / sum(weights) for f, w in zip(kinds, weights, strict=True)}
