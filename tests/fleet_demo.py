"""`make demo-fleet`: twelve accounts, three workers, one ledger; one worker is killed half-way.

PostgreSQL comes with the packages, RD Station is the sandbox: nothing leaves this machine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

from support.lists import MAPPING, people
from support.postgres import Server, serving
from support.processes import dying_with_parent

from rdimport.sandbox import SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

CLIENTS: Final = (
    "acai-do-porto aurora-imoveis bela-vista-odonto cafe-da-serra doce-lua escola-girassol "
    "ferragens-norte horta-viva ipe-turismo jardim-pet nuvem-contabil oficina-sol"
).split()
ROWS: Final = 90
QUOTA: Final = "3/s"
WORKERS: Final = 3
TIMEOUT: Final = 300.0


class Demo:
    """A folder with settings, lists and keys, and the processes that use it."""

    def __init__(self, folder: Path, box: RunningSandbox, server: Server) -> None:
        self.folder, self.box = folder, box
        self._environment = os.environ | {
            "RDIMPORT_LEDGER": server.new_database(),
            "RDIMPORT_LEDGER_KEY": secrets.token_hex(32),
            "RDIMPORT_CONFIG": str(folder / "rdimport.toml"),
            "RDIMPORT_BASE_URL": box.base_url,
            "RDIMPORT_STATE_DIR": str(folder / "state"),
        }

    def set_up(self) -> None:
        moment = time.localtime(time.time() - 120)
        every = f"{moment.tm_min} {moment.tm_hour} * * *"
        settings = ['[defaults]\nreport_dir = "reports"\n']
        (self.folder / "list.yaml").write_text(MAPPING)
        for client in CLIENTS:
            (self.folder / f"{client}.csv").write_text(people(ROWS).replace("@", f"@{client}."))
            key = self.folder / f"{client}.key"
            key.write_text(self.box.create_key("fleet", client))
            key.chmod(0o600)
            settings.append(
                f'[accounts.{client}]\napi_key = {{file = "{client}.key"}}\nquota = "{QUOTA}"\n'
                f'[jobs.{client}]\naccount = "{client}"\nfiles = "{client}.csv"\n'
                f'mapping = "list.yaml"\nevery = "{every}"\n'
            )
        (self.folder / "rdimport.toml").write_text("".join(settings))
        self.do("fleet", "init")

    def start(self, *args: str) -> subprocess.Popen[str]:
        with (self.folder / "workers.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "rdimport", *args],
                cwd=self.folder,
                env=self._environment,
                text=True,
                stdout=subprocess.PIPE if args[0] == "fleet" else log,
                stderr=log,
                preexec_fn=dying_with_parent(),
            )

    def do(self, *args: str) -> str:
        process = self.start(*args)
        out, _nothing = process.communicate(timeout=TIMEOUT)
        if process.returncode:
            sys.exit(f"{args} ended with {process.returncode}: {self.folder / 'workers.log'}")
        return out

    def status(self) -> dict[str, Any]:
        """The fleet's status; also writes the page."""
        self.do("fleet", "status", "--html", str(self.folder / "fleet.html"))
        found: dict[str, Any] = json.loads(self.do("fleet", "status", "--json"))
        return found

    def sent(self) -> int:
        return int(self.box.counts()["accepted"])


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def looks(demo: Demo) -> Iterator[dict[str, Any]]:
    """Poll the fleet's status, and print a line for each."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        found = demo.status()
        at_work = sum(one["at_work"] for one in found["queue"])
        living = sum(one["state"] == "working" for one in found["workers"])
        total = len(CLIENTS) * ROWS
        say(f"{demo.sent():5} of {total} rows sent, {at_work:2} jobs, {living} workers")
        yield found
    sys.exit("this takes too long")


def act(demo: Demo) -> None:
    demo.set_up()
    say(f"{len(CLIENTS)} accounts with {ROWS} rows each, at {QUOTA} an account")
    workers = [demo.start("worker", "--slots", "5") for _ in range(WORKERS)]
    say(f"{WORKERS} workers start; the page: file://{demo.folder / 'fleet.html'} (reload it)")
    killed: float | None = None
    victim = 0
    for found in looks(demo):
        busy = {one["name"].rpartition("-")[2]: one["jobs"] for one in found["workers"]}
        if killed is None and demo.sent() > len(CLIENTS) * ROWS // 5:
            victim = max(range(WORKERS), key=lambda n: len(busy.get(str(workers[n].pid), ())))
            workers[victim].kill()
            killed = time.monotonic()
            lost = busy.get(str(workers[victim].pid), [])
            say(f"worker {workers[victim].pid} is killed, at work on: {', '.join(lost)}")
        elif killed is not None and not found["queue"]:
            break
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.wait(TIMEOUT)
    report(demo, demo.status())


def report(demo: Demo, found: dict[str, Any]) -> None:
    """Print the result: the rows in the ledger next to the endpoint's own count."""
    arrived = Counter(one["email"] for one in demo.box.conversions())
    print(f"\n{'account':20}{'rows':>6}{'accepted':>10}{'in doubt':>10}{'RD has':>8}")
    whole = True
    for one in sorted(found["jobs"], key=lambda job: str(job["account"])):
        run, client = one["run"], one["account"]
        counts = run["counts"]
        accepted = counts["accepted"] + counts["already_imported"]
        has = sum(f"@{client}." in email for email in arrived)
        whole = whole and accepted + counts["uncertain"] == ROWS and has >= accepted
        print(f"{client:20}{run['rows']:6}{accepted:10}{counts['uncertain']:10}{has:8}")
    twice = sum(number > 1 for number in arrived.values())
    print(f"\nRows that are not accounted for: {0 if whole else 'SOME'}. Sent twice: {twice}.")
    print("In doubt are rows that were on their way when the worker was killed: nobody knows")
    print("whether they arrived, so they are not sent again unasked; rdimport settle finds out.")
    if twice or not whole or len(found["jobs"]) != len(CLIENTS):
        sys.exit(1)


def main() -> None:
    folder = Path.cwd() / ".demo" / "fleet"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    options = SandboxOptions(plan="none", lead_limit=0, custom_fields="any")
    with serving() as server, running(options) as box:
        act(Demo(folder, box, server))


if __name__ == "__main__":
    main()
