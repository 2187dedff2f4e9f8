"""What is tried around a run: a ledger that is lost or old, and another account's keys."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from random import Random

from .checker import Checker, Ended
from .endpoint import Endpoint
from .ledgers import OLD_LISTS, Keeper
from .losses import BETWEEN
from .scenario import Interruption, Round

Command = Callable[..., Awaitable[Ended]]


class Perils:
    """`command` starts one: its arguments, the key, the user and what interrupts it."""

    def __init__(
        self,
        keeper: Keeper,
        endpoint: Endpoint,
        checker: Checker,
        command: Command,
        rng: Random,
    ) -> None:
        self.keeper = keeper
        self.endpoint = endpoint
        self.checker = checker
        self.command = command
        self.rng = rng
        self.keys = {
            account: {
                kind: f"proof-{kind}-key-{rng.getrandbits(64):016x}" for kind in ("own", "second")
            }
            for account in "ab"
        }
        self._older_had: int | None = None
        self._used_by = "ana"

    def key(self, turn: Round) -> str:
        return self.keys[turn.account]["second" if turn.second_key else "own"]

    def bound(self, account: str) -> bool:
        """Whether a row of this account has arrived, as far as the ledger knows."""
        known = self.checker.books.known.items()
        return any(key.account == account and of.state == "accepted" for key, of in known)

    async def before(self, turn: Round, args: list[str]) -> Round:
        """Try what comes before a run with these arguments; return what is left of its turn when
        that was not possible.
        """
        if turn.lost and self._rows_left(turn.lost):
            self.keeper.befalls(turn.lost)
            await self.noticed(turn.lost, args, turn)
        if turn.wrong_key and self.bound(turn.account):
            await self._wrong_key(turn, args)
        if turn.second_key and not self.bound(turn.account):
            turn = Round(**{**vars(turn), "second_key": False})
        if turn.second_key:
            added = ["accounts", "add-key", "--account", turn.account]
            done = await self.command(added, self.key(turn), turn.user)
            self.checker.must(done.code == 0, f"add-key ended with {done.code}: {done.err[-900:]}")
            self.checker.counts["with another key of the account"] += 1
        if self._older_had is None and self.keeper.is_there():
            self.keeper.keep_older()
            self._older_had = len(self.checker.receipts())
        self._used_by = turn.user
        return turn

    async def _wrong_key(self, turn: Round, args: list[str]) -> None:
        other = "b" if turn.account == "a" else "a"
        key = self.keys[turn.account]["own"]
        if turn.wrong_key == "of another account":
            key = self.keys[other]["own"]
        elif turn.wrong_key == "of nobody":
            key = f"proof-nobody-key-{self.rng.getrandbits(64):016x}"
        else:
            at = args.index("--account") + 1
            args = [*args[:at], "the same people", *args[at + 1 :]]
        await self.nothing_leaves(f"a key {turn.wrong_key}", args, key, turn.user)

    def _rows_left(self, lost: str) -> bool:
        """A loss is only noticed if something was sent; an older copy must know less."""
        sent = len(self.checker.receipts())
        if "older" in lost:
            return self._older_had is not None and sent > self._older_had
        return sent > 0

    async def noticed(self, kind: str, args: list[str], turn: Round) -> None:
        """Nothing is sent while the ledger is lost; then the loss is undone."""
        user = turn.user if kind != "its folder vanishes" else self._used_by
        await self.nothing_leaves(kind, args, self.keys[turn.account]["own"], user)
        self.keeper.put_right(kind)

    async def nothing_leaves(self, why: str, args: list[str], key: str, user: str) -> None:
        """A run with these arguments sends nothing, and says so."""
        self.checker.at(f"a run although: {why}")
        before = self._requests()
        ended = await self.command(args, key, user)
        self.checker.well_behaved(ended)
        may = self.keeper.lost_codes if why in BETWEEN else (2,)
        self.checker.must(ended.code in may, f"code {ended.code}, not {may}: {ended.err[-900:]}")
        gone = self._requests() - before
        self.checker.must(not gone, f"{gone} rows were sent")
        self.checker.counts[f"noticed: {why}"] += 1

    def _requests(self) -> int:
        return len(self.endpoint.receipts) + self.endpoint.unread.total()

    async def upgrade(self) -> None:
        """A ledger of 0.1.0 knows everybody; also if the first command is killed."""
        self.checker.at("a ledger of 0.1.0")
        before = self._requests()
        key = f"proof-old-key-{self.rng.getrandbits(64):016x}"
        for args in self.keeper.old(self.endpoint.base_url):
            done = await self.command(args, key, "ana")
            self.checker.must(done.code == 0, f"{args} ended with {done.code}: {done.err[-900:]}")
        for number, (file, mapping, account) in enumerate(OLD_LISTS):
            args = ["run", file, "-m", mapping, "--account", account, "--json", "--quota", "none"]
            killed = Interruption("kill", "", 1, self.rng.random() * 0.3)
            ended = await self.command(args, key, "ana", None if number else killed)
            self.checker.well_behaved(ended)
            fine = ended.code in (0, 1) or (not number and ended.code == -signal.SIGKILL)
            self.checker.must(fine, f"{args} ended with {ended.code}: {ended.err[-900:]}")
        self.checker.others = self.keeper.processes()
        gone = self._requests() - before
        self.checker.must(not gone, f"{gone} rows were sent again after the upgrade")
        self.checker.counts["with a ledger of 0.1.0"] += 1
