"""At the end the endpoint reports its conversions by webhook, as unreliably as webhooks are: calls
are lost, come twice, are of earlier conversions of the same name, or forged.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from .checker import Checker, Ended
from .oracle import DOUBT
from .rows import Key

Command = Callable[[list[str], str, str], Awaitable[Ended]]


async def settle(checker: Checker, command: Command, key: str, rng: Random) -> None:
    """Reported rows in doubt are accepted afterwards, and nothing else has changed."""
    before = checker.read().known
    stored = {receipt.key for receipt in checker.receipts() if receipt.stored}
    for account in sorted({known.account for known in before}):
        checker.at(f"webhooks of account {account}")
        mine = sorted(k for k in before if k.account == account)
        reported = {k for k in mine if k in stored and rng.random() < 0.6}
        _write(checker.home / "calls.jsonl", mine, reported, rng)
        ended = await command(["settle", "calls.jsonl", "--account", account, "--json"], key, "ana")
        checker.well_behaved(ended)
        checker.must(ended.code == 0, f"settle ended with {ended.code}: {ended.err[-300:]}")
        after = checker.read().known
        doubt = {k for k in mine if before[k].state in DOUBT}
        for one in mine:
            state = "accepted" if one in reported & doubt else before[one].state
            same = (after[one].state in DOUBT) if state in DOUBT else after[one].state == state
            checker.must(same, f"{one.email} is {after[one].state}, not {state}")
        settled = (ended.summary or {}).get("settled")
        checker.must(settled == len(reported & doubt), f"it says that {settled} were settled")
        checker.counts["settled by webhook"] += len(reported & doubt)


def _write(path: Path, mine: list[Key], reported: set[Key], rng: Random) -> None:
    now = datetime.now(UTC)
    lines: list[str] = []
    for one in mine:
        if one in reported:
            lines += [_call(one, now + timedelta(hours=rng.random()))] * rng.choice((1, 1, 2))
        elif rng.random() < 0.5:
            lines.append(_call(one, now - timedelta(days=1)))
        lines.append(_call(one._replace(identifier=f"{one.identifier} de outros"), now))
    lines += ["", "no json", '{"event_type":']
    rng.shuffle(lines)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _call(one: Key, at: datetime) -> str:
    return json.dumps(
        {
            "event_type": "WEBHOOK.CONVERTED",
            "event_identifier": one.identifier,
            "event_timestamp": at.isoformat(),
            "contact": {"email": one.email},
        }
    )
