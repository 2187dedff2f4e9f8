"""Turn a seed into a scenario: lists, endpoint faults, client settings, signals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from .competition import Competition, with_rivals
from .endpoint import ACCEPTED, Fault
from .losses import BETWEEN, LOSSES
from .rows import Payload, Row, number_of

STAGES = ("connected", "read", "stored", "half", "answered")
SIGNALS = {
    "kill": 12,
    "stop": 3,
    "interrupt": 2,
    "stop twice": 2,
    "interrupt twice": 1,
    "stop, then kill": 2,
}
LISTS = ("list.csv", "other.csv")
CITIES = ("", "Natal", "Olinda", "Manaus")
TAGS = ("", "azul", "verde+azul", "rosa")
RESENDS = (
    ("uncertain",),
    ("uncertain",),
    ("refused",),
    ("accepted",),
    ("refused", "uncertain"),
    ("accepted", "uncertain"),
    ("accepted", "refused"),
    ("accepted", "refused", "uncertain"),
)


class Edit(NamedTuple):
    """A person edits a list before a run: `row` counts from 0 and wraps around; `fresh` is a unique
    number.
    """

    list: str
    kind: str  # rename, correct, restore, grow, double, drop
    row: int
    fresh: int

    def done(self, before: tuple[Row, ...]) -> tuple[Row, ...]:
        """The list after the edit."""
        rows = list(before)
        at = self.row % len(rows)
        row = rows[at]
        if self.kind == "grow":
            rows.append(Row(f"p{self.fresh}@exemplo.com.br", f"Nome {self.fresh}"))
        elif self.kind == "double":
            rows.append(row._replace(name=f"Outro {self.fresh}"))
        elif self.kind == "drop" and len(rows) > 1:
            del rows[at]
        elif self.kind in ("rename", "correct"):
            word = "Outro" if self.kind == "rename" else "Certo"
            rows[at] = row._replace(name=f"{word} {self.fresh}")
        elif self.kind == "restore":
            rows[at] = row._replace(name=f"Nome {number_of(row.email)}")
        return tuple(rows)


class Rules(NamedTuple):
    """What the mapping says in a run."""

    on_duplicate: str = "first"
    on_change: str = "skip"
    identifier: str = "Prova"

    def text(self) -> str:
        return (
            f"version: 1\nconversion_identifier: {self.identifier}\n"
            "fields:\n  email: E-mail\n  name: Nome\n  city: Cidade\n"
            '  tags: {column: Etiquetas, split: "+"}\n'
            f"on_duplicate: {self.on_duplicate}\non_change: {self.on_change}\n"
        )


RULES = Rules()


@dataclass(frozen=True)
class Interruption:
    """A signal (or two) to the client, or damage to its ledger (`LOSSES`): some milliseconds after
    the n-th request of this run has reached a stage, or, without a stage, after the start of the
    process.
    """

    kind: str
    stage: str
    count: int
    delay: float


@dataclass(frozen=True)
class Round:
    """One start of the command, and what is done before and alongside it.

    At most `limit` rows are sent, by `--canary` if it is one; no file of the client may grow beyond
    `file_size` bytes. `beside` is started at the same time, for another account; `second` is
    started for the same account while the first is at work. With `way_back` the failure report of
    the account's last run is corrected and imported instead of the lists. `purge` comes before, and
    `again` (an earlier run's report is written once more) after it.

    `ledger` is the state directory, `user` the one whose home it is in. `lost` is what happens to
    the ledger before, until it is noticed; `wrong_key` (another account's, or an unknown one) is
    tried before. With `second_key` the account's other key is used. In a `competition` several runs
    of the account run at once, each on its own machine.
    """

    rates: dict[Fault, float]
    interruption: Interruption | None = None
    resend: tuple[str, ...] = ()
    account: str = "a"
    files: tuple[str, ...] = LISTS[:1]
    rules: Rules = RULES
    edits: tuple[Edit, ...] = ()
    limit: int | None = None
    canary: bool = False
    max_duration: str = ""
    file_size: int | None = None
    beside: Round | None = None
    second: bool = False
    purge: bool = False
    way_back: bool = False
    again: bool = False
    ledger: str = "state"
    user: str = "ana"
    lost: str = ""
    wrong_key: str = ""
    second_key: bool = False
    competition: Competition | None = None

    @property
    def calm(self) -> bool:
        """Whether nothing hinders this run."""
        bounded = self.limit is not None or self.max_duration or self.file_size is not None
        return not (self.rates or self.interruption or bounded or self.competition)


@dataclass
class Scenario:
    """Everything that a seed decides. `lists` are the rows before the first run."""

    seed: int
    lists: dict[str, tuple[Row, ...]]
    options: list[str]
    rounds: list[Round]
    picky: int
    """The endpoint refuses people whose number this divides until their name is right, and half of
    those that got another name, even if they had been accepted; 0 refuses nobody.
    """
    upgraded: bool = False
    """The ledger was written by 0.1.0."""
    pooled: bool = False
    """Commands reach the database through PgBouncer."""

    def refuses(self, payload: Payload) -> bool:
        number, name = number_of(payload["email"]), payload.get("name", "")
        if not self.picky or name.startswith("Certo"):
            return False
        return number % self.picky == 0 or (name.startswith("Outro") and number % 2 == 0)

    @property
    def concurrency(self) -> int:
        return int(self.options[self.options.index("--concurrency") + 1])


def scenario(seed: int, *, shared: bool = False) -> Scenario:
    """The scenario of a seed, always the same. With a `shared` ledger, runs of one account
    compete.
    """
    plan = _scenario(seed)
    return with_rivals(plan) if shared else plan


def _scenario(seed: int) -> Scenario:
    rng = Random(seed)  # noqa: S311
    traits = {name for name, share in _TRAITS.items() if rng.random() < share}
    lists = _lists(rng, traits)
    options = [
        "--concurrency", str(rng.choice((1, 2, 3, 5, 8, 16, 40))),
        "--quota", rng.choice(("none", "none", "none", "90/s", "400/s")),
        "--patience", "1s",
    ]  # fmt: skip
    rules = Rules(rng.choice(("first", "last", "merge")), "send" if "changes" in traits else "skip")
    rounds: list[Round] = []
    for number in range(rng.choice((1, 2, 2, 3, 3, 4))):
        if number and "mapping" in traits and rng.random() < 0.5:
            rules = _other_rules(rng, rules)
        rounds.append(_round(rng, traits, rules, number))
    accounts = sorted({r.account for turn in rounds for r in (turn, turn.beside) if r})
    rounds += [Round({}, account=a, files=tuple(lists), rules=rules) for a in accounts]
    if "resend" in traits:
        last = rounds[-1]
        rounds += [replace(last, resend=rng.choice(RESENDS)) for _ in range(2)][: rng.randint(1, 2)]
    plan = Scenario(seed, lists, options, rounds, rng.choice((0, 0, 7, 3)))
    return _with_ledgers(Random(f"{seed} ledgers"), plan)  # noqa: S311


def _with_ledgers(rng: Random, plan: Scenario) -> Scenario:
    """The same scenario with several users, keys and ledgers, and what happens to those. It has its
    own random numbers, so that the rest of a seed's scenario stays as it was.
    """
    traits = {name for name, share in _LEDGERS.items() if rng.random() < share}
    rounds: list[Round] = []
    for number, turn in enumerate(plan.rounds):
        if "elsewhere" in traits and rng.random() < 0.4:
            rounds.append(Round({}, files=tuple(plan.lists), rules=turn.rules, ledger="elsewhere"))
        rounds.append(_befallen(rng, traits, turn, number))
    return replace(plan, rounds=rounds, upgraded="upgraded" in traits)


WRONG_KEYS = ("of another account", "of nobody", "under another name")
_LEDGERS = {"users": 0.4, "keys": 0.35, "lost": 0.45, "elsewhere": 0.15, "upgraded": 0.15}


def _befallen(rng: Random, traits: set[str], turn: Round, number: int) -> Round:
    if "users" in traits:
        turn = replace(turn, user=rng.choice(("ana", "bia")))
    if "keys" in traits:
        wrong = rng.choice(("", *WRONG_KEYS))
        turn = replace(turn, wrong_key=wrong, second_key=rng.random() < 0.4)
    if "lost" not in traits:
        return turn
    if number and rng.random() < 0.5:
        turn = replace(turn, lost=rng.choice(BETWEEN))
    alone = turn.beside is None and not turn.second and turn.file_size is None
    if alone and not turn.calm and rng.random() < 0.5:
        moment = rng.choice(STAGES), rng.choice((1, 1, 2, 3, 5, 8)), rng.random() * 0.02
        turn = replace(turn, interruption=Interruption(rng.choice(tuple(LOSSES)), *moment))
    return turn


_TRAITS = {
    "changes": 0.35,
    "edits": 0.5,
    "lists": 0.35,
    "accounts": 0.3,
    "mapping": 0.2,
    "resend": 0.45,
    "bounds": 0.35,
    "full": 0.15,
    "second": 0.2,
    "purge": 0.2,
    "back": 0.35,
    "again": 0.35,
}
"""What a seed's scenario may have besides faults and signals, and how often."""


def _lists(rng: Random, traits: set[str]) -> dict[str, tuple[Row, ...]]:
    people = range(1, rng.randint(10, 45))
    lists = {LISTS[0]: _list(rng, [_person(rng, n) for n in people])}
    if "lists" in traits:
        shared = rng.sample(people, rng.randint(1, len(people)))
        others = [_person(rng, n, rng.choice(("Nome", "Nome", "Outro"))) for n in shared]
        others += [_person(rng, n) for n in range(300, 300 + rng.randint(0, 9))]
        lists[LISTS[1]] = _list(rng, others)
    return lists


def _list(rng: Random, rows: list[Row]) -> tuple[Row, ...]:
    again = [
        Row(row.email.upper(), f"Outra vez {row.name}", rng.choice(CITIES), rng.choice(TAGS))
        for row in rng.sample(rows, rng.randint(0, min(4, len(rows))))
    ]
    broken = [Row(f"sem arroba {n}", f"x{n}") for n in range(rng.randint(0, 3))]
    for extra in again + broken:
        rows.insert(rng.randrange(len(rows) + 1), extra)
    return tuple(rows)


def _person(rng: Random, number: int, name: str = "Nome") -> Row:
    city, tags = CITIES[number % len(CITIES)], TAGS[number // 2 % len(TAGS)]
    return Row(f"p{number}@exemplo.com.br", f"{name} {number}", city, tags)


def _other_rules(rng: Random, rules: Rules) -> Rules:
    return rng.choice(
        (
            rules._replace(on_duplicate=rng.choice(("first", "last", "merge"))),
            rules._replace(on_change="skip" if rules.on_change == "send" else "send"),
            rules._replace(identifier="Prova dois" if rules.identifier == "Prova" else "Prova"),
        )
    )


def _round(rng: Random, traits: set[str], rules: Rules, number: int) -> Round:
    def maybe(trait: str, share: float) -> bool:
        return trait in traits and rng.random() < share

    files: tuple[str, ...] = LISTS[:1]
    if "lists" in traits:
        files = rng.choice((LISTS[:1], LISTS[1:], LISTS, LISTS[::-1]))
    turn = Round(
        _rates(rng),
        _interruption(rng),
        resend=rng.choice(RESENDS) if number and maybe("resend", 0.6) else (),
        account=rng.choice("ab") if "accounts" in traits else "a",
        files=files,
        rules=rules,
        edits=_edits(rng, number, files) if number and "edits" in traits else (),
        purge=maybe("purge", 0.4),
        again=maybe("again", 0.6),
        way_back=number > 0 and maybe("back", 0.6),
    )
    if maybe("bounds", 0.6):
        if rng.random() < 0.6:
            limit, canary = rng.choice((1, 2, 5, 20)), rng.random() < 0.4
            turn = replace(turn, limit=limit, canary=canary)
        else:
            turn = replace(turn, max_duration=rng.choice(("0s", "0.4s", "1s", "1.5s")))
    if maybe("full", 0.6):
        sizes = (4_096, 40_000, 75_000, 90_000, 110_000, 140_000, 200_000)
        turn = replace(turn, file_size=rng.choice(sizes), interruption=None)
    elif maybe("second", 0.6):
        turn = replace(turn, second=True, interruption=None, rates={}, max_duration="")
    elif maybe("accounts", 0.5):
        other = "b" if turn.account == "a" else "a"
        turn = replace(turn, beside=Round(_rates(rng), account=other, files=files, rules=rules))
    return turn


def _edits(rng: Random, number: int, files: tuple[str, ...]) -> tuple[Edit, ...]:
    kinds = rng.choices(
        ("rename", "correct", "restore", "grow", "double", "drop"),
        (4, 2, 2, 4, 1, 1),
        k=rng.choice((0, 1, 3, 8, 20)),
    )
    return tuple(
        Edit(rng.choice(files), kind, rng.randrange(100), 1000 * number + at)
        for at, kind in enumerate(kinds)
    )


def _interruption(rng: Random) -> Interruption | None:
    if rng.random() >= 0.75:
        return None
    return Interruption(
        rng.choices(list(SIGNALS), list(SIGNALS.values()))[0],
        rng.choice((*STAGES, *STAGES, "")),
        rng.choice((1, 1, 2, 3, 5, 8, 13, 21)),
        rng.choice((0.0, 0.0, rng.random() * 0.02, rng.random() * 0.4)),
    )


def _rates(rng: Random) -> dict[Fault, float]:
    """A few kinds of faults, together from rare to nearly every request; a storm is one kind
    only.
    """
    total = rng.choice((0.0, 0.03, 0.1, 0.1, 0.25, 0.5, 0.9))
    sort = rng.random()
    if sort < 0.2:
        kinds = [rng.choice([Fault.ACCOUNT, Fault.UNAVAILABLE, Fault.LEAD])]
    elif sort < 0.3:
        kinds = [Fault.ACCOUNT, Fault.LEAD, Fault.UNAVAILABLE]
    else:
        faults = sorted(set(Fault) - ACCEPTED)
        kinds = rng.sample(faults, rng.randint(1, 8))
    weights = [rng.random() * (0.1 if f in (Fault.KEY, Fault.PATH) else 1) for f in kinds]
    return {f: total * w / sum(weights) for f, w in zip(kinds, weights, strict=True)}
