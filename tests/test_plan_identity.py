"""A mapping that identifies conversions differently than before sends nobody unasked."""

from __future__ import annotations

import pytest
from support.command import Desk, Done
from support.lists import people

from rdimport.sandbox import Faults
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = """\
version: 1
conversion_identifier: {name}
identity: [{identity}]
fields: {{email: E-mail, name: Nome}}
"""
COLUMN = """\
version: 1
conversion_identifier: {column: Campanha}
fields: {email: E-mail, name: Nome}
"""


def mapping(desk: Desk, name: str = "Feira 2026", identity: str = "email") -> None:
    desk.write("list.yaml", MAPPING.format(name=f'"{name}"', identity=identity))


def run(desk: Desk, *words: str, file: str = "list.csv") -> Done:
    return desk.here("run", file, "-m", "list.yaml", "--quota", "none", "--json", *words)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk that has sent three people."""
    desk.write("list.csv", people(3))
    desk.write("more.csv", people(5))
    mapping(desk)
    assert run(desk).summary["accepted"] == 3
    return desk


CHANGED = [
    ("Feira 2026", "email, name"),
    ("Feira 2026", "name"),
    ("FEIRA 2026", "email"),
    ("feira  2026", "email, name"),
    ("Feira 2026", "name, email"),
    ("Féira 2026", "email"),
    ("Fei\u200dra 2026", "email"),
    ("Feira\u3164 2026\ufe0f", "email"),
]


@pytest.mark.parametrize(("name", "identity"), CHANGED)
def test_a_changed_identity_sends_nothing_until_it_is_asked_for(
    desk: Desk, box: RunningSandbox, name: str, identity: str
) -> None:
    mapping(desk, name, identity)
    for words in ([], ["--yes"]):
        done = run(desk, *words)
        assert done.code == 2
        assert "3 conversions" in done.err
        assert "--new-identity" in done.err
    checked = desk.here("check", "list.csv", "-m", "list.yaml", "--json")
    assert checked.code == 2
    assert [one["conversions"] for one in checked.summary["unrecognised"]] == [3]
    for lang, said in (("en", "3 conversions"), ("pt-BR", "3 conversões")):
        assert said in desk.here("check", "list.csv", "-m", "list.yaml", "--lang", lang).out
    assert box.counts()["accepted"] == 3
    assert run(desk, "--new-identity", "--limit", "1").summary["accepted"] == 1
    assert run(desk).summary["accepted"] == 2


SAME = [
    ("Feira 2026 ", "email"),
    ("Feira  2026", "email"),
    ("Feira 2026", "email, email"),
    ("Feira 2027", "email, name"),
]


@pytest.mark.parametrize(("name", "identity"), SAME)
def test_what_is_the_same_identity_or_another_conversion_is_not_asked_about(
    desk: Desk, name: str, identity: str
) -> None:
    mapping(desk, name, identity)
    assert run(desk).code == 0
    assert run(desk, file="more.csv").code == 0


def test_to_go_back_to_an_earlier_identity_is_a_change_too(desk: Desk) -> None:
    mapping(desk, identity="email, name")
    assert run(desk, "--new-identity").summary["accepted"] == 3
    assert run(desk, file="more.csv").summary["accepted"] == 2
    mapping(desk)
    assert run(desk).summary["already_imported"] == 3
    assert run(desk, file="more.csv").code == 2
    assert run(desk, "--new-identity", file="more.csv").summary["accepted"] == 2
    desk.write("last.csv", people(6))
    assert run(desk, file="last.csv").summary["accepted"] == 1


def test_an_identity_under_which_nothing_arrived_binds_nobody(
    desk: Desk, box: RunningSandbox
) -> None:
    mapping(desk, "Outra feira")
    box.set_faults(Faults(odd=1.0, odd_status=422))
    assert run(desk).code in (1, 3)
    box.set_faults(Faults())
    mapping(desk, "OUTRA FEIRA", "email, name")
    assert run(desk).summary["accepted"] == 3


def test_identifiers_from_a_column_are_told_apart_one_by_one(
    desk: Desk, box: RunningSandbox
) -> None:
    desk.write("list.yaml", COLUMN)
    rows = ["a@exemplo.com.br,A,Expo", "b@exemplo.com.br,B,expo", "c@exemplo.com.br,C,Loja"]
    desk.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows]))
    assert run(desk).summary["accepted"] == 3
    desk.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows, "d@exemplo.com.br,D,expo"]))
    assert run(desk).summary["accepted"] == 1
    rows += ["c@exemplo.com.br,C,LOJA"]
    desk.write("list.csv", "\n".join(["E-mail,Nome,Campanha", *rows]))
    done = run(desk)
    assert done.code == 2
    assert "LOJA" in done.err
    assert run(desk, "--new-identity").summary["accepted"] == 1
    assert box.counts()["accepted"] == 8


SPELLINGS = [
    "http://localhost:{}",
    "http://LOCALHOST:{}/",
    "http://127.0.0.1:{}//",
    "http://localhost.:{}",
]


def test_another_spelling_of_the_endpoint_is_the_same_one(desk: Desk, box: RunningSandbox) -> None:
    port = box.base_url.rpartition(":")[2]
    for spelling in SPELLINGS:
        done = run(desk, "--base-url", spelling.format(port))
        assert done.summary["already_imported"] == 3, spelling
    assert box.counts()["accepted"] == 3
