"""Lists in an inbox folder: taken when complete, one by one, and moved away when imported."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from support.cable import TO_CLIENT, cable
from support.command import Workspace
from support.lists import MAPPING, people
from support.posix import small_files
from support.waiting import until

from rdimport.sandbox.embedded import RunningSandbox

RUN = ("jobs", "run", "--config", "rdimport.toml")


@pytest.fixture
def secret(key_of: Callable[[str], str]) -> str:
    return key_of("acme")


@pytest.fixture
def workspace(workspace: Workspace, secret: str) -> Workspace:
    workspace.write("acme.key", secret)
    (workspace.home / "acme.key").chmod(0o600)
    workspace.key = None
    workspace.write("list.yaml", MAPPING)
    (workspace.home / "in").mkdir()
    workspace.write(
        "rdimport.toml",
        '[accounts.acme]\napi_key = {file = "acme.key"}\nquota = "none"\n'
        '[jobs.fair]\naccount = "acme"\nfiles = "in/*"\nmapping = "list.yaml"\n'
        'move_done = "done"\nmove_failed = "failed"\n',
    )
    return workspace


def names(workspace: Workspace, folder: str) -> list[str]:
    """The files of a folder, without the name of the run."""
    place = workspace.home / folder
    found = sorted(path.name for path in place.iterdir()) if place.exists() else []
    return [re.sub(r"\.\d{8}-\d{6}(-[0-9a-f]{8})?", "", name) for name in found]


def put(workspace: Workspace, name: str, text: str) -> None:
    workspace.write(f"in/{name}", text)
    workspace.write(f"in/{name}.done", "")


def test_check_looks_at_an_inbox_as_a_run_does(workspace: Workspace, box: RunningSandbox) -> None:
    check = ("jobs", "check", "--config", "rdimport.toml")
    empty = workspace.here(*check)
    assert (empty.code, "No list was waiting." in empty.out) == (0, True), empty.out
    put(workspace, "a.csv", people(2))
    put(workspace, "~$a.csv", "of Office, which has the list open")
    put(workspace, "b.xlsx", "no workbook")
    put(workspace, "c.csv", people(3))
    done = workspace.here(*check)
    assert done.code == 2
    assert "b.xlsx" in done.out
    assert "  5 of 5 rows to send" in done.out
    workspace.write("list.yaml", "fields: 3\n")
    assert workspace.here(*check).code == 2
    assert box.requests == 0


def test_each_list_is_put_away_by_how_it_ended_and_none_holds_the_others_up(
    workspace: Workspace, box: RunningSandbox
) -> None:
    put(workspace, "a.csv", people(2))
    put(workspace, "b.xlsx", "no workbook")
    put(workspace, "c.csv", people(2, first=2) + "ninguem,Fulano\n")
    put(workspace, "d.csv", people(2, first=4))
    done = workspace.here(*RUN)
    assert done.code == 2, "the worst of them"
    ends = re.findall(r"^== fair \(account acme\), (\S+): .*code (\d)", done.out, re.MULTILINE)
    assert ends == [("a.csv", "0"), ("b.xlsx", "2"), ("c.csv", "1"), ("d.csv", "0")]
    assert names(workspace, "done") == ["a.csv", "d.csv"]
    assert names(workspace, "failed") == ["b.xlsx", "c.csv"]
    assert names(workspace, "in") == []
    assert len(box.conversions()) == 6
    (known,) = workspace.here("status", "--json").summary["jobs"]
    assert (known["verdict"], "b.xlsx" in known["run"]["error"]) == (2, True)
    runs = {run["run_id"] for run in workspace.here("status", "--json").summary["runs"]}
    (moved, _) = sorted((workspace.home / "done").iterdir())
    assert moved.name.split(".")[1] in runs
    again = workspace.here(*RUN)
    assert (again.code, len(box.conversions())) == (0, 6)
    assert workspace.here("status", "--check").code == 2, "nothing to do mends nothing"


def test_a_list_whose_move_was_cut_off_is_not_sent_twice(
    workspace: Workspace, box: RunningSandbox
) -> None:
    put(workspace, "a.csv", people(3))
    assert workspace.here(*RUN).code == 0
    (moved,) = (workspace.home / "done").iterdir()
    shutil.move(moved, workspace.home / "in" / "a.csv")
    assert workspace.here(*RUN).code == 0
    assert len(box.conversions()) == 3
    assert names(workspace, "done") == ["a.csv"]


def test_what_is_not_the_lists_fault_leaves_it_where_it_is(
    workspace: Workspace, box: RunningSandbox
) -> None:
    put(workspace, "a.csv", people(3))
    key = (workspace.home / "acme.key").read_text()
    (workspace.home / "acme.key").unlink()
    assert workspace.here(*RUN).code == 2
    assert names(workspace, "in") == ["a.csv", "a.csv.done"]
    workspace.write("acme.key", key)
    (workspace.home / "acme.key").chmod(0o600)
    workspace.write("list.yaml", "version: 8\n")
    assert workspace.here(*RUN).code == 2
    assert names(workspace, "in") == ["a.csv", "a.csv.done"]


@pytest.mark.parametrize("marked", [False, True])
def test_a_list_that_is_being_written_is_left_for_the_next_time(
    workspace: Workspace, box: RunningSandbox, *, marked: bool
) -> None:
    put(workspace, "a.csv", people(1))
    if marked:  # that of a list which could not be imported, and is written over
        put(workspace, "b.csv", people(1, first=1))
    ended, later = threading.Event(), workspace.home / "in" / "b.csv"

    def write() -> None:
        with later.open("w", encoding="utf-8") as file:
            file.write("E-mail,Nome\n")
            while not ended.wait(0.05):
                file.write("x@exemplo.com.br,X\n")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: later.exists() and b"x@" in later.read_bytes())
        done = workspace.here(*RUN)
    finally:
        ended.set()
        writer.join()
    assert (done.code, names(workspace, "in")) == (0, ["b.csv", *["b.csv.done"] * marked])
    assert "still being written" in done.err
    assert len(box.conversions()) == 1


def test_a_list_that_came_under_the_same_name_meanwhile_stays(
    workspace: Workspace, box: RunningSandbox
) -> None:
    put(workspace, "a.csv", people(1))
    with cable(urlsplit(box.base_url).port or 0) as line:
        workspace.base_url = f"http://127.0.0.1:{line.port}"
        line.hold(TO_CLIENT)  # the first run cannot end before the other list exists
        run = workspace.start(*RUN)
        until(lambda: box.requests > 0)
        put(workspace, "a.csv", people(2, first=7))
        line.mend()
        assert workspace.wait(run).code == 0
        assert "a.csv" in names(workspace, "in")
        assert workspace.here(*RUN).code == 0
    assert (len(box.conversions()), names(workspace, "done")) == (3, ["a.csv"])


def test_a_list_that_another_run_has_taken_meanwhile_is_no_failure(
    workspace: Workspace, box: RunningSandbox
) -> None:
    """As on two machines with one inbox, of which the second waits for the account."""
    for number, name in enumerate(("a.csv", "b.csv")):
        put(workspace, name, people(1, first=number))
    with cable(urlsplit(box.base_url).port or 0) as line:
        workspace.base_url = f"http://127.0.0.1:{line.port}"
        line.hold(TO_CLIENT)  # the first list ends after the second one was taken
        run = workspace.start(*RUN)
        until(lambda: box.requests > 0)
        (workspace.home / "in" / "b.csv").rename(workspace.home / "taken.csv")
        line.mend()
        done = workspace.wait(run)
    assert (done.code, "b.csv is no longer there" in done.out) == (0, True), done.out
    assert len(box.conversions()) == 1
    assert workspace.here("status", "--check").code == 0


@pytest.fixture
def another_disk(workspace: Workspace) -> Iterator[Path]:
    """A folder in another file system."""
    for place in map(Path, ("/dev/shm", "/var/tmp", Path.home())):  # noqa: S108
        if place.is_dir() and place.stat().st_dev != workspace.home.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    pytest.skip("there is only one file system")


def test_a_list_that_comes_while_the_one_before_is_copied_to_another_disk_stays(
    workspace: Workspace, box: RunningSandbox, another_disk: Path
) -> None:
    settings = (workspace.home / "rdimport.toml").read_text()
    workspace.write("rdimport.toml", settings.replace('"done"', f'"{another_disk}"'))
    first, later = workspace.home / "in" / "a.zip", workspace.home / "later.zip"
    for path, content in ((first, people(1)), (later, people(2, first=7))):
        with ZipFile(path, "w") as archive:
            archive.writestr("list.csv", content)
            archive.writestr("photo.jpg", bytes(64 << 20 if path == first else 1))
    workspace.write("in/a.zip.done", "")

    def come() -> None:
        until(lambda: any(another_disk.iterdir()))  # the copy has begun
        later.replace(first)

    with ThreadPoolExecutor() as pool:
        coming = pool.submit(come)
        assert workspace.here(*RUN).code == 0
        coming.result()
    assert "a.zip" in names(workspace, "in")
    workspace.write("in/a.zip.done", "")
    assert workspace.here(*RUN).code == 0
    assert (len(box.conversions()), names(workspace, "in")) == (3, [])


def test_a_list_for_which_another_disk_has_no_room_stays_whole_and_leaves_no_half_there(
    workspace: Workspace, box: RunningSandbox, another_disk: Path
) -> None:
    settings = (workspace.home / "rdimport.toml").read_text()
    workspace.write("rdimport.toml", settings.replace('"done"', f'"{another_disk}"'))
    with ZipFile(workspace.home / "in" / "a.zip", "w") as archive:
        archive.writestr("list.csv", people(1))
        archive.writestr("photo.jpg", bytes(8 << 20))
    workspace.write("in/a.zip.done", "")
    with small_files(4 << 20):
        said = workspace.here(*RUN).err
    assert "could not be moved" in said
    assert [*another_disk.iterdir()] == []
    assert "a.zip" in names(workspace, "in")
    assert workspace.here(*RUN).code == 0
    assert (len(box.conversions()), names(workspace, "in")) == (1, [])


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("third", [False, True])
def test_a_list_that_comes_in_the_moment_of_a_move_stays_in_the_inbox(
    workspace: Workspace,
    box: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,
    third: bool,
) -> None:
    """Also without hard links, and if the next list is there already: each is imported once."""
    put(workspace, "a.csv", people(1))
    place = workspace.home / "in" / "a.csv"
    rename = Path.rename
    coming = [people(2, first=7), *[people(1, first=20)] * third]

    def come(path: Path, target: Path) -> Path:
        """A list comes right before the move, and the next one right after it."""
        if path == place and len(coming) > third:
            put(workspace, "new", coming.pop(0))
            place.with_name("new").replace(place)
            moved = rename(path, target)
            if coming:
                put(workspace, "a.csv", coming.pop())
            return moved
        return rename(path, target)

    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "rename", come)
    if not has_links:
        monkeypatch.setattr(os, "link", no_links)
    done = workspace.here(*RUN)
    assert (done.code, done.err) == (0, "")
    assert (len(box.conversions()), names(workspace, "done")) == (1, [])
    for path in (workspace.home / "in").glob("*.csv"):
        workspace.write(f"in/{path.name}.done", "")
    (workspace.home / "in" / "new.done").unlink()
    assert workspace.here(*RUN).code == 0
    assert len(box.conversions()) == 3 + third
    assert len(names(workspace, "done")) == 1 + third


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are in UTF-8")
def test_a_list_whose_name_is_not_in_utf_8_holds_no_other_up(
    workspace: Workspace, box: RunningSandbox
) -> None:
    odd = os.fsdecode(b"a\xff.csv")
    for name in (odd, "b.csv"):
        put(workspace, name, people(2))
    done = workspace.here(*RUN)
    assert done.code == 2, done.err
    assert "a\\udcff.csv is not in UTF-8" in done.out
    assert (names(workspace, "in"), names(workspace, "done")) == ([], ["b.csv"])
    assert names(workspace, "failed") == [odd]
    assert box.counts()["accepted"] == 2
    status = workspace.here("status", "--config", "rdimport.toml")
    assert "a\\udcff.csv" in status.out
