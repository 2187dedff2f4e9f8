"""The cost of a run does not grow with the accounts and reports of others: a worker starts hundreds
of runs at once.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rdimport.config import Settings
from rdimport.config.reading import parse
from rdimport.report.private_files import clean, cleaned_once

OTHERS = 400

ACCOUNT = """
[accounts.client-{n}]
api_key = {{file = "{n}.key"}}
quota = "2/min"
[jobs.client-{n}]
account = "client-{n}"
files = "{n}.csv"
mapping = "list.yaml"
"""


def calls(do: Callable[[], object]) -> int:
    """The number of function calls, ours and the libraries'."""
    counted = Counter[str]()

    def see(_frame: FrameType, event: str, _function: object) -> None:
        counted[event] += 1

    sys.setprofile(see)
    try:
        do()
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


def settings_of(accounts: int, folder: Path) -> Settings:
    return parse(folder / "rdimport.toml", "".join(ACCOUNT.format(n=n) for n in range(accounts)))


def test_the_command_of_a_job_takes_no_longer_with_many_accounts(tmp_path: Path) -> None:
    few, many = settings_of(2, tmp_path), settings_of(OTHERS, tmp_path)
    for one in (few, many):  # do one-off work first
        one.words("client-0")
    assert many.words("client-1") == few.words("client-1")
    assert calls(lambda: many.words("client-1")) == calls(lambda: few.words("client-1"))


def test_reports_are_looked_through_once_by_a_command_of_many_runs(tmp_path: Path) -> None:
    left = tmp_path / "20260101-000000-abcd" / ".failures.csv.00000000.half"
    left.parent.mkdir()
    with cleaned_once():
        clean(tmp_path)
        left.touch()
        clean(tmp_path)
        assert left.exists(), "it was looked through again"
    clean(tmp_path)
    assert not left.exists()
