"""A ledger that release 0.1.0 wrote: it opens, after a copy, and nobody is sent again.

It is in `ledgers/`, with the script that made it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.command import Workspace
from support.ledgers import sqlite_ledger
from test_ledger import folder, somebody_without_rights  # noqa: F401  a fixture

from rdimport.ledger import store_of
from rdimport.sandbox.embedded import RunningSandbox

KEPT = Path(__file__).parent / "ledgers"
OLD = KEPT / "0.1.0.sqlite3"
PORT = ":8090"


@pytest.fixture
def old(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace that has used 0.1.0: its ledger, as if it had sent to the sandbox."""
    return brought(workspace, box, OLD)


def brought(workspace: Workspace, box: RunningSandbox, ledger: Path) -> Workspace:
    for path in [*KEPT.glob("*.csv"), *KEPT.glob("*.yaml")]:
        shutil.copy(path, workspace.home)
    workspace.state.mkdir(mode=0o700)
    shutil.copy(ledger, workspace.state / "ledger.sqlite3")
    port = f":{box.base_url.rpartition(':')[2]}"
    with plain(workspace) as db:
        db.execute("UPDATE destination SET identity = replace(identity, ?, ?)", (PORT, port))
        db.execute("UPDATE run SET facts = replace(facts, ?, ?)", (PORT, port))
        db.commit()
    return workspace


@contextmanager
def plain(workspace: Workspace) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db:
        yield db


def copies(workspace: Workspace) -> list[Path]:
    return sorted(workspace.state.glob("ledger-schema2-*"))


def tables(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")
        return {name: " ".join(sql.replace('"', "").split()) for name, sql in found}


def imported(workspace: Workspace, file: str, mapping: str, *words: str) -> dict[str, int]:
    done = workspace.here("run", file, "-m", mapping, "--quota", "none", "--json", *words)
    assert done.code in (0, 1), done.err
    return {name: n for name, n in done.summary.items() if name in STATES and n}


STATES = "accepted already_imported duplicate invalid suppressed refused uncertain pending".split()

AGAIN = [
    ("fair.csv", "fair.yaml", []),
    ("late.csv", "fair.yaml", []),
    ("fair.csv", "change.yaml", ["--account", "acme"]),
    ("late.csv", "change.yaml", ["--account", "ACME"]),
    ("late.csv", "orders.yaml", []),
    ("late.csv", "column.yaml", []),
]


@pytest.mark.parametrize(("file", "mapping", "words"), AGAIN)
def test_the_list_that_an_earlier_release_imported_is_not_sent_again(
    old: Workspace, box: RunningSandbox, file: str, mapping: str, words: list[str]
) -> None:
    for _ in range(2):
        found = imported(old, file, mapping, *words)
        assert set(found) <= {"already_imported", "duplicate", "invalid", "refused"}
        assert box.requests == 0


@pytest.mark.parametrize("mapping", ["fair.yaml", "orders.yaml"])
@pytest.mark.parametrize("changes", [False, True])
def test_an_address_that_is_cleaned_in_another_way_now_is_known_all_the_same(
    workspace: Workspace, box: RunningSandbox, mapping: str, *, changes: bool
) -> None:
    """0.1.0 joined words and removed accents from domains. People it has sent are not sent
    again.
    """
    old = brought(workspace, box, KEPT / "0.1.0-addresses.sqlite3")
    if changes:
        with (old.home / mapping).open("a", encoding="utf-8") as text:
            text.write("on_change: send\n")
    for _ in range(2):
        found = imported(old, "addresses.csv", mapping)
        assert found == {"already_imported": 4, "invalid": 2}
    checked = old.here("check", "addresses.csv", "-m", mapping, "--json").summary
    assert checked["to_send"] == 0
    assert box.requests == 0


def test_a_person_whom_0_1_0_wrote_to_under_a_wrong_address_is_sent_once_mended(
    workspace: Workspace, box: RunningSandbox
) -> None:
    old = brought(workspace, box, KEPT / "0.1.0-addresses.sqlite3")
    path = old.home / "addresses.csv"
    text = path.read_text("utf-8").replace("Maria Silva maria@example.com", "maria@example.com")
    path.write_text(text, "utf-8")
    assert imported(old, "addresses.csv", "fair.yaml")["accepted"] == 1
    assert [sent["email"] for sent in box.conversions()] == ["maria@example.com"]


def test_a_ledger_of_0_1_0_gets_this_releases_tables_after_a_copy_for_its_owner(
    old: Workspace, tmp_path: Path
) -> None:
    before = tables(OLD)
    imported(old, "fair.csv", "fair.yaml")
    with sqlite_ledger(tmp_path / "new"):
        pass
    assert tables(old.state / "ledger.sqlite3") == tables(tmp_path / "new" / "ledger.sqlite3")
    (copy,) = copies(old)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert tables(copy) == before
    imported(old, "fair.csv", "fair.yaml")
    assert copies(old) == [copy]


def test_spellings_that_0_1_0_told_apart_are_one_and_nothing_accepted_is_lost(
    old: Workspace,
) -> None:
    with plain(old) as db:
        accepted = {
            (who.lower().replace("localhost", "127.0.0.1"), identity)
            for who, identity in db.execute(
                "SELECT d.identity, c.identity FROM conversion c JOIN destination d"
                " ON d.id = c.destination WHERE c.state = 'accepted'"
            )
        }
    with sqlite_ledger(old.state) as ledger:
        found = ledger.query(
            "SELECT d.identity, c.identity FROM conversion c JOIN destination d"
            " ON d.id = c.destination WHERE c.state = 'accepted'"
        )
        assert set(found) == accepted
        assert ledger.query("SELECT count(*) FROM destination") == [(3,)]
        assert ledger.query(
            "SELECT count(*) FROM run WHERE destination NOT IN (SELECT id FROM destination)"
        ) == [(0,)]
        for name, _ in ledger.unfinished():
            assert ledger.run(name).counts()


def test_who_only_looks_leaves_an_old_ledger_as_it_is(old: Workspace) -> None:
    before = (old.state / "ledger.sqlite3").read_bytes()
    status = old.here("status", "--json")
    assert status.code == 0
    assert len(status.summary["runs"]) == 9
    found = old.here("check", "fair.csv", "-m", "fair.yaml", "--json")
    assert (found.summary["to_send"], found.summary["already_imported"]) == (0, 6)
    assert old.here("report", status.summary["runs"][1]["run_id"]).code == 0
    assert (old.state / "ledger.sqlite3").read_bytes() == before
    assert copies(old) == []


def test_an_old_ledger_on_a_disk_that_cannot_be_written_can_be_looked_into(
    folder: Path,  # noqa: F811
) -> None:
    state = folder / "state"
    state.mkdir()
    shutil.copy(OLD, state / "ledger.sqlite3")
    (state / "ledger.sqlite3").chmod(0o400)
    state.chmod(0o500)
    with somebody_without_rights(state, *state.iterdir()):
        ledger = store_of(state).if_there()
        assert ledger is not None
        with ledger:
            assert len(ledger.unfinished()) == 1
    state.chmod(0o700)


def test_while_a_run_is_at_work_on_an_old_ledger_another_is_told_to_come_later(
    old: Workspace, box: RunningSandbox
) -> None:
    with store_of(old.state).hold("somebody"):
        done = old.here("run", "fair.csv", "-m", "fair.yaml")
    assert done.code == 75
    assert "earlier release" in done.err
    with plain(old) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert copies(old) == []
    assert box.requests == 0


def test_a_copy_that_cannot_be_made_leaves_the_ledger_old_and_sends_nothing(
    old: Workspace, box: RunningSandbox
) -> None:
    command = f"{shlex.quote(sys.executable)} -B -m rdimport run fair.csv -m fair.yaml"
    # coverage measurement would write a longer file
    done = old.shell(f"unset COVERAGE_PROCESS_CONFIG; ulimit -f 40; exec {command}")
    assert done.code == 2, done.err
    with plain(old) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert [path.name for path in old.state.iterdir() if "schema2" in path.name] == []
    assert box.requests == 0


def test_what_is_forgotten_is_in_no_copy_either(old: Workspace) -> None:
    imported(old, "fair.csv", "fair.yaml")
    assert copies(old)
    assert old.here("purge", "--older-than", "3650d").code == 0
    assert copies(old)
    assert old.here("purge", "--older-than", "0s").code == 0
    assert copies(old) == []


def test_a_row_that_changed_after_the_upgrade_is_sent_where_the_mapping_says_so(
    old: Workspace, box: RunningSandbox
) -> None:
    words = ["late.csv", "change.yaml", "--account", "acme"]
    assert imported(old, *words) == {"already_imported": 3}
    text = (old.home / "late.csv").read_text(encoding="utf-8")
    (old.home / "late.csv").write_text(text.replace("Hugo Reis", "Hugo dos Reis"), encoding="utf-8")
    assert imported(old, *words) == {"accepted": 1, "already_imported": 2}
    assert [c["email"] for c in map(_payload, box.conversions())] == ["hugo@example.com"]


def test_what_a_newer_release_makes_of_a_cell_is_no_change_of_the_row(
    old: Workspace, box: RunningSandbox
) -> None:
    with plain(old) as db:  # as if 0.1.0 had cleaned every cell differently
        db.execute("UPDATE posted SET payload = randomblob(8) WHERE state = 'accepted'")
        db.commit()
    for _ in range(2):
        found = imported(old, "fair.csv", "change.yaml", "--account", "acme")
        assert found["already_imported"] == 5
        assert box.requests == 0


@pytest.mark.parametrize("before", [True, False])
def test_the_identity_of_an_earlier_releases_conversions_is_known_too(
    old: Workspace,
    box: RunningSandbox,
    *,
    before: bool,
) -> None:
    words = ["--quota", "none", "--json"]
    if before:
        assert old.here("run", "fair.csv", "-m", "fair.yaml", *words).code == 1
    text = (old.home / "fair.yaml").read_text(encoding="utf-8")
    old.write("name.yaml", "identity: [email, name]\n" + text)
    old.write("case.yaml", text.replace("Feira ABF", "FEIRA ABF"))
    for name in ("name.yaml", "case.yaml"):
        done = old.here("run", "fair.csv", "-m", name, *words)
        assert done.code == 2, done.err
        assert "--new-identity" in done.err
    assert box.requests == 0


def test_people_who_are_new_after_an_upgrade_are_simply_sent(
    old: Workspace,
    box: RunningSandbox,
) -> None:
    old.write("new.csv", "E-mail,Nome,Celular,UF,Interesses\nzoe@example.com,Zoe,,,\n")
    done = old.here("run", "new.csv", "-m", "fair.yaml", "--quota", "none", "--json")
    assert done.summary["accepted"] == 1, done.err
    orders = old.here("run", "late.csv", "-m", "orders.yaml", "--quota", "none", "--json")
    assert orders.summary["already_imported"] == 3
    assert box.counts()["accepted"] == 1


def test_a_ledger_of_schema_3_opens_and_its_doubt_can_be_settled(
    workspace: Workspace, box: RunningSandbox, tmp_path: Path
) -> None:
    """Its rows in doubt are listed by two runs. Schema 3 did not record which ones the later run
    lists.
    """
    old = brought(workspace, box, KEPT / "schema3.sqlite3")
    status = old.here("status", "--json").summary["runs"]
    assert [one["counts"]["uncertain"] for one in status] == [2, 2, 0]
    again = imported(old, "late.csv", "fair.yaml")
    assert again == {"uncertain": 2, "already_imported": 1}
    assert imported(old, "fair.csv", "fair.yaml")["already_imported"] == 6
    assert box.requests == 0
    with sqlite_ledger(tmp_path / "new"):
        pass
    assert tables(old.state / "ledger.sqlite3") == tables(tmp_path / "new" / "ledger.sqlite3")
    assert [path.name[:14] for path in old.state.glob("ledger-schema*")] == ["ledger-schema3"]
    call = {
        "event_type": "WEBHOOK.CONVERTED",
        "event_identifier": "Feira ABF 2026",
        "event_timestamp": "2030-01-01T00:00:00Z",
    }
    people = re.findall(r"[^,\s]+@[^,\s]+", (old.home / "late.csv").read_text("utf-8"))
    lines = [json.dumps({**call, "contact": {"email": person}}) for person in people]
    old.write("calls.jsonl", "\n".join(lines))
    done = old.here("settle", "calls.jsonl", "--json")
    assert done.summary["settled"] == 2, done.err
    status = old.here("status", "--json").summary["runs"]
    assert [one["counts"]["uncertain"] for one in status] == [0, 0, 2, 0, 0]
    assert old.here("ledger", "check").code == 0


def test_a_ledger_of_schema_4_gets_the_table_of_corrections(
    workspace: Workspace, box: RunningSandbox, tmp_path: Path
) -> None:
    old = brought(workspace, box, KEPT / "schema3.sqlite3")
    imported(old, "fair.csv", "fair.yaml")
    with plain(old) as db:
        db.executescript("DROP TABLE corrected; PRAGMA user_version = 4")
    assert imported(old, "fair.csv", "fair.yaml")["already_imported"] == 6
    assert box.requests == 0
    with sqlite_ledger(tmp_path / "new"):
        pass
    assert tables(old.state / "ledger.sqlite3") == tables(tmp_path / "new" / "ledger.sqlite3")
    assert [path.name[:14] for path in old.state.glob("ledger-schema4*")] == ["ledger-schema4"]
    assert old.here("ledger", "check").code == 0


def _payload(conversion: dict[str, object]) -> dict[str, object]:
    inner = conversion.get("payload", conversion)
    assert isinstance(inner, dict)
    return inner


def test_the_kept_ledger_names_no_machine() -> None:
    content = OLD.read_bytes()
    for word in (b"/tmp", b"/root", b"/work"):
        assert word not in content
    with closing(sqlite3.connect(f"file:{OLD}?mode=ro&immutable=1", uri=True)) as db:
        found = [json.loads(facts) for (facts,) in db.execute("SELECT facts FROM run")]
    assert len(found) == 9


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET facts = substr(facts, 1, 300)",
        "UPDATE run SET facts = '[]'",
        "UPDATE run SET facts = '{\"mapping_used\": 1}'",
        "UPDATE run SET facts = x'ff'",
        'UPDATE run SET facts = \'{"mapping_used": {"fields": [1]}}\'',
        "DELETE FROM setting",
        "UPDATE setting SET value = 'x' WHERE name = 'hash_key'",
    ],
)
def test_an_old_ledger_with_values_that_nobody_wrote_is_damaged_and_sends_nobody(
    change: str, old: Workspace, box: RunningSandbox
) -> None:
    with plain(old) as db:
        db.execute(change)
        db.commit()
    for words in (("status",), ("run", "fair.csv", "-m", "fair.yaml"), ("ledger", "check")):
        done = old.here(*words)
        assert (done.code, "Traceback" in done.err) == (2, False), done.err
        assert "ledger" in done.err
    assert box.requests == 0


@pytest.mark.parametrize(
    ("lang", "remedy"),
    [
        ("en", "Install that release again. Another --state-dir would not know what was sent"),
        ("pt-BR", "Instale essa versão de novo. Em outro --state-dir não consta o que foi enviado"),
    ],
)
def test_an_earlier_release_refuses_the_ledger_of_a_later_one(
    old: Workspace, box: RunningSandbox, lang: str, remedy: str
) -> None:
    with plain(old) as db:
        db.execute("PRAGMA user_version = 99")
    done = old.do("run", "fair.csv", "-m", "fair.yaml", "--quiet", "--lang", lang)
    assert (done.code, remedy in done.err) == (2, True), done.err
    assert box.conversions() == []
