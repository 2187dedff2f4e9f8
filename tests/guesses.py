"""How well `init` guesses: for each field of each list in the corpus, is it right, wrong or missed?

    python tests/guesses.py [CASE...]

A field is wrong if any row would be sent with a value other than the expected one, missed if an
expected value is not sent. Custom fields are the mapping's own choice and do not count, nor does
what `expect.json` calls free.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rdimport import Mapping, RdimportError, check, propose
from rdimport.cli import resolve
from rdimport.cli.arguments import CheckArguments, read
from rdimport.core.row import ROW
from rdimport.plan.planner import PAYLOAD

HERE = Path(__file__).parent / "corpus_wild"
sys.path.insert(0, str(HERE))
import score  # noqa: E402  it is in the lists' folder

Payload = dict[str, Any]


def sent(case: Path, expected: Payload) -> dict[int, Payload]:
    """The payloads by row that the proposed mapping makes."""
    files = [str(case / name) for name in expected["files"]]
    command = read(["check", *files, *expected.get("options", [])])
    assert command is not None
    assert isinstance(command.arguments, CheckArguments)
    hints = resolve.hints(command.arguments)
    mapping = Mapping.parse(propose(files[0], hints=hints).text)
    done = check(files, mapping, hints=hints, quota=None)
    return {
        row: json.loads(payload)
        for frame in done.payloads()
        for row, payload in frame.select(ROW, PAYLOAD).iter_rows()
    }


def judged(wanted: Payload, got: Payload, free: set[str]) -> Iterator[tuple[str, str]]:
    """Each field of a row, and whether it is right, wrong or missed."""
    got = {key: value for key, value in got.items() if key not in free | score.NOCHECK}
    for field, value in wanted.items():
        names = score.PHONES if field == "phone" else (field,)
        have = [got.pop(name) for name in names if name in got]
        options = score.alternatives(value)
        if any(not any(score.same(one, it, field) for one in options) for it in have):
            yield field, "wrong"
        elif have:
            yield field, "right"
        elif None not in options:
            yield field, "missed"
    for field in got:
        if not field.startswith("cf_"):
            yield field, "wrong"


def figures(case: Path) -> dict[str, str]:
    """The verdict on each field of a list: that of its worst row."""
    expected = json.loads((case / "expect.json").read_text(encoding="utf-8"))
    if expected["mapping"] != "init" or expected["file"] != "read":
        return {}
    found: dict[str, set[str]] = {}
    payloads = sent(case, expected)
    for row in expected["rows"]:
        here = [payloads[n] for n in score.nums(row["row"]) if n in payloads]
        options = [one["send"] for one in row["ok"] if "send" in one]
        if not here or not options:
            continue
        verdicts = [list(judged(one, here[0], set(expected.get("free", [])))) for one in options]
        best = min(verdicts, key=lambda told: sum(verdict != "right" for _, verdict in told))
        for field, verdict in best:
            found.setdefault(field, set()).add(verdict)
    order = ("wrong", "missed", "right")
    return {field: next(one for one in order if one in told) for field, told in found.items()}


def main() -> None:
    """Print the figures, and each field that is not right."""
    total: Counter[str] = Counter()
    lists = 0
    for name in sys.argv[1:] or sorted(path.parent.name for path in HERE.glob("*/expect.json")):
        try:
            found = figures(HERE / name)
        except RdimportError as error:
            print(f"{name}: {error.message}")
            continue
        lists += bool(found)
        total.update(found.values())
        for field, verdict in found.items():
            if verdict != "right":
                print(f"{name}: {field} {verdict}")
    counts = ", ".join(f"{total[one]} {one}" for one in ("right", "wrong", "missed"))
    print(f"{lists} lists, {sum(total.values())} fields: {counts}")


if __name__ == "__main__":
    main()
