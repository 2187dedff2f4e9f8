from __future__ import annotations

import gc
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from support.command import Workspace, end_all
from support.examples import register
from support.folders import take_folder
from support.forks import START, start_child
from support.litter import DATA_HOME, entries, ledgers_behind, users_folders
from support.waiting import TIMEOUT, default_timeouts

from rdimport.core import child
from rdimport.sandbox import Faults, SandboxOptions, embedded, running
from rdimport.sandbox.embedded import RunningSandbox

if TYPE_CHECKING:
    from support.postgres import Server

register()
FOLDER = take_folder()
_TESTS = count(1)
_FOLDERS = count()

# If this were set, each command that a test starts would compile the whole package anew, and each
# pytest process all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A checkout may have changed the messages; every command would compile them when it starts.
if find_spec("rdimport.core.messages.build"):  # a wheel has compiled messages and no compiler
    from rdimport.core.messages.build import compile_all

    compile_all()

# How long a sandbox takes to start, answer and end depends on the machine, too.
embedded._CHILD_WITHIN = TIMEOUT  # type: ignore[misc]

if sys.platform == "linux":  # forks work on Linux only
    child.start = start_child

# A test's request may take as long as anything else that a test waits for, not five seconds.
for part in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, part, TIMEOUT)

# pytest-timeout's own variable: no test times out before what it waits for.
os.environ.setdefault("PYTEST_TIMEOUT", f"{5 * TIMEOUT:g}")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long tests first: started last, they would run alone at the end. Half of the workers
    run all tests that only wait, while the others run those that compute.
    """
    half = max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) // 2)
    for number, item in enumerate(item for item in items if item.get_closest_marker("waits")):
        item.add_marker(pytest.mark.xdist_group(f"waits {number % half}"))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Sort key of a test: 0 runs before 1, 1 before 2."""
    if item.get_closest_marker("waits"):
        return 0
    is_long = item.get_closest_marker("long") or item.get_closest_marker("xdist_group")
    return 1 if is_long else 2


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """Keep what the tests wrote only if one failed, until the next run."""
    if FOLDER and not exitstatus:
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Exclude loaded modules from garbage collection, now and later: they stay in memory."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[object]:
    with default_timeouts():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _witnesses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what runs leave in the user's data folder out of the developer's."""
    folders = users_folders()
    before = entries(folders)
    os.environ[DATA_HOME] = str(tmp_path_factory.mktemp("data"))
    yield
    left = ledgers_behind(entries(folders) - before, tmp_path_factory.getbasetemp())
    assert not left, f"commands without the tests' {DATA_HOME} used ledgers: {left}"


class KnownSandbox(RunningSandbox):
    """A sandbox that remembers whether it has faults."""

    def __init__(self, box: RunningSandbox) -> None:
        super().__init__(box.base_url, box.api_key, box._token)
        self.faults = Faults()

    def set_faults(self, faults: Faults) -> None:
        self.faults = faults
        super().set_faults(faults)


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[KnownSandbox]:
    with running(SandboxOptions(plan="none", lead_limit=0, custom_fields="any")) as box:
        yield KnownSandbox(box)


@pytest.fixture(scope="session")
def key_of(one_sandbox: RunningSandbox) -> Callable[[str], str]:
    """The key of a client's account: the same in all tests, as an account has at most five keys."""
    return cache(lambda client: one_sandbox.create_key("tests", client))


@pytest.fixture
def box(one_sandbox: KnownSandbox) -> RunningSandbox:
    """A sandbox without quota, empty and without faults.

    Requests of earlier tests never count, even if they are answered later (`Endpoint.clear`).
    """
    one_sandbox.clear()
    if one_sandbox.faults != Faults():
        one_sandbox.set_faults(Faults())
    return one_sandbox


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process; each uses its own database."""
    from support.postgres import serving  # noqa: PLC0415  most tests need none

    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _own_data_home(_witnesses: None) -> Iterator[None]:
    """No run looks through the records of all earlier tests: it reads those of every ledger."""
    shared = os.environ[DATA_HOME]
    os.environ[DATA_HOME] = str(Path(shared, str(next(_TESTS))))
    yield
    os.environ[DATA_HOME] = shared


@pytest.fixture
def children_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each child process as the program does, with a new interpreter."""
    monkeypatch.setattr(child, "start", START)


@pytest.fixture
def morning(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the local time to between eight and nine: the night began on another day, and neither
    night nor day begins during a test.
    """
    with monkeypatch.context() as place:
        place.setenv("TZ", f"HERE{datetime.now(UTC).hour - 8:+d}")
        if sys.platform != "win32":
            time.tzset()
        yield
    if sys.platform != "win32":
        time.tzset()


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own for each test, with few beside it. pytest's own fixture puts all of them
    in one folder, which it lists for each further one, as does every new ledger in there.
    """
    shelf, place = divmod(next(_FOLDERS), 50)
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / str(shelf) / f"{name}{place}"
    folder.mkdir(mode=0o700, parents=True)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, box: RunningSandbox) -> Workspace:
    """A folder to work in, with the sandbox's address and key in the environment."""
    return Workspace(tmp_path, box.api_key, box.base_url)
