"""Damaged lists, mappings, settings, answers and ledgers: none may crash a command.

`python -m tests.fuzz --seconds 3600` (or `make fuzz`) runs for an hour and prints what it tried; in
the suite each target runs once. Hypothesis damages the files of the corpus, and shrinks what it
finds.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rdimport import cli
from rdimport.destination.rdstation.endpoint import RDStation

HERE = Path(__file__).parent
ROOT = HERE.parent
SETTINGS = """\
state_dir = "state"
[accounts.franquia]
api_key_file = "key"
[jobs.leads]
account = "franquia"
files = ["list.csv"]
mapping = "m.yaml"
quota = "100/min"
"""
LIST = b"E-mail;Nome\nana@exemplo.com.br;Ana\n"
MAPPING = "version: 1\nconversion_identifier: x\nfields: {email: E-mail, name: Nome}\n"
ANSWERS = (
    b'{"event_uuid": "5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}',
    b'{"errors": {"error_type": "VALIDATION_ERROR", "error_message": "no", "path": "$.email"}}',
    b'{"errors": [{"error_type": "CONFLICTING_FIELD", "validation_rules": {"valid": [1]}}]}',
    b'{"message": "API rate limit exceeded"}',
    b"<html><title>Login</title></html>",
)


class Edit(NamedTuple):
    """An edit of some bytes: at a position, some are removed, and others inserted."""

    at: float
    gone: int
    new: bytes


PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\0", b"\xff" * 4, b"9" * 30, b"-1", b'"', b"\n", b"<", b"]]>", b"&#0;"]),
)
EDITS = st.lists(
    st.builds(Edit, st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=4
)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        at = int(edit.at * len(data))
        data = data[:at] + edit.new + data[at + edit.gone :]
    return data


def repacked(data: bytes, which: float, edits: list[Edit]) -> bytes:
    """A zip package with one part damaged before packing."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {info.filename: package.read(info) for info in package.infolist()}
    names = list(parts)
    name = names[min(int(which * len(names)), len(names) - 1)]
    parts[name] = edited(parts[name], edits)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as package:
        for part, content in parts.items():
            package.writestr(part, content)
    return whole.getvalue()


def files(*names: str) -> list[Path]:
    return sorted(path for name in names for path in (HERE / "corpus").glob(name))


def command(folder: Path, *args: str) -> int:
    """Run a command in a folder; return its exit code. 70 is a bug, with its stack in the
    output.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = cli.main(list(args))
        except SystemExit as exiting:
            code = int(exiting.code or 0)
    if code not in (0, 1, 2, 3, 75):
        raise AssertionError(f"{args}: {code}\n{err.getvalue()}")
    return code


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "list.csv").write_bytes(LIST)
        (folder / "m.yaml").write_text(MAPPING)
        (folder / "key").touch(0o600)
        (folder / "key").write_text("0a1b2c3d4e5f60718293a4b5c6d7e8f9")
        yield folder


def check(name: str, data: bytes, *args: str) -> None:
    with workspace() as folder:
        (folder / name).write_bytes(data)
        command(folder, "check", name, *args)


def of_text(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files("*.csv")))
    check("damaged.csv", edited(path.read_bytes(), data.draw(EDITS)))


def of_xlsx(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files("*.xlsx")))
    with contextlib.suppress(zipfile.BadZipFile):  # the protected one is not a zip file
        check(
            "damaged.xlsx",
            repacked(path.read_bytes(), data.draw(st.floats(0, 1)), data.draw(EDITS)),
        )


def of_packages(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files("*.ods", "*.xlsb")))
    content, which, edits = path.read_bytes(), data.draw(st.floats(0, 1)), data.draw(EDITS)
    whole = path.name.startswith("protected") or data.draw(st.booleans())
    check(
        f"damaged{path.suffix}",
        edited(content, edits) if whole else repacked(content, which, edits),
    )


def of_other_books(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files("*.xls")))
    check("damaged.xls", edited(path.read_bytes(), data.draw(EDITS)))


def of_archives(data: st.DataObject) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("a.csv", LIST)
        package.writestr("leia-me.txt", b"nada")
    packed = data.draw(st.sampled_from([whole.getvalue(), gzip.compress(LIST * 50)]))
    check("damaged.zip", edited(packed, data.draw(EDITS)))


def of_mappings(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted((ROOT / "mappings").glob("*.yaml"))))
    with workspace() as folder:
        (folder / "bad.yaml").write_bytes(edited(path.read_bytes(), data.draw(EDITS)))
        command(folder, "check", "list.csv", "-m", "bad.yaml")


def of_settings(data: st.DataObject) -> None:
    with workspace() as folder:
        (folder / "rdimport.toml").write_bytes(edited(SETTINGS.encode(), data.draw(EDITS)))
        command(folder, "status")


def of_answers(data: st.DataObject) -> None:
    station = RDStation("0a1b2c3d4e5f60718293a4b5c6d7e8f9")
    body = edited(data.draw(st.sampled_from(ANSWERS)), data.draw(EDITS))
    value = edited(b"60", data.draw(EDITS)).decode("latin-1")
    names = ["retry-after", "content-type", "ratelimit-reset", "x-ratelimit-remaining-minute"]
    headers = {data.draw(st.sampled_from(names)): value}
    answer = station.read(data.draw(st.integers(100, 599)), headers, body)
    json.dumps([list(problem) for problem in answer.problems]).encode()


def of_ledgers(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted((HERE / "ledgers").glob("*.sqlite3"))))
    with workspace() as folder:
        state = folder / "state"
        state.mkdir(0o700)
        (state / "ledger.sqlite3").touch(0o600)
        (state / "ledger.sqlite3").write_bytes(edited(path.read_bytes(), data.draw(EDITS)))
        args = data.draw(st.sampled_from([["status"], ["ledger", "check"], ["report"]]))
        command(folder, *args, "--state-dir", "state")


TARGETS: dict[str, Callable[[st.DataObject], None]] = {
    "text": of_text,
    "xlsx": of_xlsx,
    "ods and xlsb": of_packages,
    "xls, HTML, Excel 2003": of_other_books,
    "archives": of_archives,
    "mappings": of_mappings,
    "settings": of_settings,
    "answers": of_answers,
    "ledgers": of_ledgers,
}


def run(first: int, rounds: Iterable[object]) -> Counter[str]:
    """Run every target once per round; return how often each was tried. Raises what hypothesis
    found, with the shortest example.
    """
    tried: Counter[str] = Counter()
    profile = settings(
        max_examples=10,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    at = first
    for _ in rounds:
        for name, target in TARGETS.items():
            at += 1
            seed(at)(profile(_property(name, target, tried)))()
    return tried


def _property(
    name: str, target: Callable[[st.DataObject], None], tried: Counter[str]
) -> Callable[[], None]:
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        tried[name] += 1
        target(data)

    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    os.environ.pop("RDIMPORT_API_KEY", None)
    print(f"seed {args.seed}, {args.seconds:.0f} s", flush=True)
    until = time.monotonic() + args.seconds
    rounds = takewhile(lambda _: time.monotonic() < until, count())
    for name, times in run(args.seed, rounds).items():
        print(f"{times:>9,}  {name}")


if __name__ == "__main__":
    sys.exit(main())
