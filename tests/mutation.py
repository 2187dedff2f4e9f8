"""Mutation testing: change the code in small ways, and print the changes that no test notices.

    python -m pip install cosmic-ray          # in an environment of its own, with the dev packages
    python -m tests.mutation pacer --sample 60

works on a clone in a temporary folder, with cosmic-ray and the module's tests. The sample is the
same in each run. docs/decisions/0008-mutation.md has the scores.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PLACES: Final = {
    "verdict": ("rdimport/destination/verdict.py", "tests/test_destination_verdict.py"),
    "pacer": ("rdimport/delivery/pacing/pacer.py", "tests/test_delivery_pacer.py"),
    "endpoint": (
        "rdimport/destination/rdstation/endpoint.py",
        "tests/test_destination_rdstation.py",
    ),
    "encode": (
        "rdimport/prepare/encode.py",
        " ".join(
            f"tests/test_{name}.py"
            for name in ("prepare", "plan_merge", "mapping_about", "prepare_contract")
        ),
    ),
    "email": (
        "rdimport/prepare/clean/email.py",
        "tests/test_prepare_cleaning.py tests/test_prepare_validation.py",
    ),
    "address": ("rdimport/prepare/clean/address.py", "tests/test_prepare_cleaning.py"),
    "phone": (
        "rdimport/prepare/clean/phone.py",
        "tests/test_prepare_cleaning.py tests/test_prepare_language.py tests/test_prepare.py",
    ),
}
"""Each module, and the tests that should notice a change in it."""

CONFIG: Final = """\
[cosmic-ray]
module-path = "{module}"
timeout = 300.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"
[cosmic-ray.distributor]
name = "local"
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=PLACES)
    parser.add_argument("--sample", type=int, default=60, help="mutants to try (60)")
    args = parser.parse_args()
    module, tests = PLACES[args.name]
    with tempfile.TemporaryDirectory() as folder:
        clone, session = Path(folder) / "clone", Path(folder) / "session.sqlite"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607
        config = Path(folder) / "config.toml"
        python = shlex.quote(sys.executable)
        config.write_text(CONFIG.format(module=module, tests=tests, python=python))
        cosmic = [str(Path(sys.executable).with_name("cosmic-ray"))]
        environment = {"PYTHONPATH": ".", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
        build = [sys.executable, "-m", "rdimport.core.messages.build"]
        for command in (build, [*cosmic, "init", str(config), str(session)]):
            subprocess.run(command, check=True, cwd=clone, env=environment)
        _sample(session, args.sample)
        subprocess.run(
            [*cosmic, "exec", str(config), str(session)], check=True, cwd=clone, env=environment
        )
        return _report(session)


def _sample(session: Path, most: int) -> None:
    """Keep a sample of at most `most` mutants, the same in each run."""
    with sqlite3.connect(session) as db:
        order = "SELECT job_id FROM mutation_specs ORDER BY module_path, operator_name, occurrence"
        jobs = [job for (job,) in db.execute(order)]
        kept = set(random.Random(2026).sample(jobs, min(most, len(jobs))))  # noqa: S311
        for job in set(jobs) - kept:
            db.execute("DELETE FROM mutation_specs WHERE job_id = ?", (job,))
            db.execute("DELETE FROM work_items WHERE job_id = ?", (job,))


def _report(session: Path) -> int:
    """Print the changes that no test noticed; changes to signatures have no effect at run time."""
    with sqlite3.connect(session) as db:
        found = db.execute("SELECT test_outcome, diff FROM work_results").fetchall()
    changes = [(outcome, _changed(diff)) for outcome, diff in found]
    real = [(o, change) for o, change in changes if not change.startswith(("-def ", "-    def "))]
    for outcome, change in real:
        if outcome == "SURVIVED":
            print(change, end="\n\n")
    killed = sum(outcome != "SURVIVED" for outcome, _ in real)
    print(f"{killed} of {len(real)} changes were noticed; {len(found) - len(real)} in annotations")
    return 0


def _changed(diff: str) -> str:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    return "\n".join(line for line in lines if line.startswith(("-", "+")))


if __name__ == "__main__":
    raise SystemExit(main())
