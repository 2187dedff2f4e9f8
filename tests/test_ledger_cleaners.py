"""Rows that release 0.1.0 sent and read differently from this one: nobody is sent again.

Its ledger, the list and the mappings are in `ledgers/`, with the script that made them.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from support.command import Workspace
from test_ledger_upgrade import KEPT, PORT

from rdimport.sandbox.embedded import RunningSandbox

OTHER_ADDRESS = {
    "Maria - nina@example.com": "maria-nina@example.com",
    "olga@example.com 11999999999": "olga@example.com11999999999",
    "ivo@example.com - ivo": "ivo@example.com-ivo",
}
"""Cells that both releases read as an address, and what 0.1.0 made of them."""


@pytest.fixture
def old(workspace: Workspace, box: RunningSandbox) -> Workspace:
    """A workspace that has imported the list with 0.1.0, as if to the sandbox."""
    for path in KEPT.glob("cells*"):
        shutil.copy(path, workspace.home)
    workspace.state.mkdir(mode=0o700)
    shutil.copy(KEPT / "0.1.0-cells.sqlite3", workspace.state / "ledger.sqlite3")
    port = f":{box.base_url.rpartition(':')[2]}"
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db:
        db.execute("UPDATE destination SET identity = replace(identity, ?, ?)", (PORT, port))
        db.execute("UPDATE run SET facts = replace(facts, ?, ?)", (PORT, port))
        db.commit()
    return workspace


def imported(workspace: Workspace, mapping: str, *words: str) -> dict[str, int]:
    done = workspace.here("run", "cells.csv", "-m", mapping, "--quota", "none", "--json", *words)
    assert done.code in (0, 1), done.err
    return done.summary


def addresses(box: RunningSandbox) -> list[str]:
    return [each["email"] for each in box.conversions()]


@pytest.mark.parametrize("mapping", sorted(path.name for path in KEPT.glob("cells*.yaml")))
def test_a_row_that_was_cleaned_otherwise_is_not_sent_again(
    old: Workspace, box: RunningSandbox, mapping: str
) -> None:
    for _ in range(2):
        found = imported(old, mapping)
        assert found["rows"] == found["already_imported"] + found["invalid"]
        assert found["already_imported"] >= len(OTHER_ADDRESS)
        assert found["suspect"]["email.sent_as"] == len(OTHER_ADDRESS)
        assert box.requests == 0


def test_check_names_the_wrong_address_that_was_sent(old: Workspace) -> None:
    checked = old.here("check", "cells.csv", "-m", "cells.yaml", "--lang", "en")
    assert "already imported" in checked.out + checked.err
    assert "email.sent_as" in checked.out + checked.err


def test_a_row_whose_payload_changes_after_the_upgrade_is_sent_once_to_the_right_address(
    old: Workspace, box: RunningSandbox
) -> None:
    imported(old, "cells_change.yaml")
    path = old.home / "cells.csv"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("Pessoa C", "Nina Alves"), encoding="utf-8")
    for _ in range(2):
        imported(old, "cells_change.yaml")
        assert addresses(box) == ["nina@example.com"]


def test_a_cell_with_nothing_but_the_right_address_is_a_new_row(
    old: Workspace, box: RunningSandbox
) -> None:
    path = old.home / "cells.csv"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("Maria - nina@", "nina@"), encoding="utf-8")
    assert imported(old, "cells.yaml")["accepted"] == 1
    assert addresses(box) == ["nina@example.com"]


def test_accepted_rows_are_sent_again_where_a_person_asks_for_it(
    old: Workspace, box: RunningSandbox
) -> None:
    found = imported(old, "cells.yaml", "--resend", "accepted", "--yes")
    assert found["accepted"] == found["rows"] - found["invalid"]
    assert {"nina@example.com", "olga@example.com"} <= set(addresses(box))
