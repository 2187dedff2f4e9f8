"""Several payloads of one conversion put together."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import Workspace

from rdimport.ledger import store_of
from rdimport.prepare.encode import Merger, merge
from rdimport.sandbox.embedded import RunningSandbox


def text(**values: object) -> str:
    return json.dumps(values)


def test_later_values_win_and_what_is_missing_stays() -> None:
    merged = merge(text(email="a", name="Ana", city="Rio"), text(email="a", city="São Paulo"))
    assert json.loads(merged) == {"email": "a", "name": "Ana", "city": "São Paulo"}


def test_tags_add_up_each_once() -> None:
    merged = json.loads(merge(text(tags=["x", "y"]), text(tags=["y", "z"])))
    assert merged["tags"] == ["x", "y", "z"]
    assert json.loads(merge(text(tags=["x"]), text()))["tags"] == ["x"]


def test_of_each_legal_basis_the_later_status_holds() -> None:
    consent = {"category": "communications", "type": "consent", "status": "granted"}
    interest = {**consent, "type": "legitimate_interest"}
    later = {**consent, "status": "declined"}
    merged = json.loads(merge(text(legal_bases=[consent, interest]), text(legal_bases=[later])))
    assert merged["legal_bases"] == [later, interest]


PAYLOADS = st.dictionaries(st.sampled_from("abc"), st.text(max_size=3)).flatmap(
    lambda fields: st.lists(st.sampled_from("xyz"), unique=True).map(
        lambda tags: json.dumps({**fields, **({"tags": tags} if tags else {})})
    )
)


@given(PAYLOADS, PAYLOADS, PAYLOADS)
def test_it_does_not_matter_which_two_are_put_together_first(a: str, b: str, c: str) -> None:
    assert json.loads(merge(merge(a, b), c)) == json.loads(merge(a, merge(b, c)))


@given(PAYLOADS)
def test_a_payload_merged_with_itself_stays_as_it_is(a: str) -> None:
    assert json.loads(merge(a, a)) == json.loads(a)


@given(st.lists(st.tuples(st.integers(0, 3), PAYLOADS), max_size=12))
def test_the_merger_gives_one_payload_per_conversion_and_holds_nothing_after(
    rows: list[tuple[int, str]],
) -> None:
    last = {identity: at for at, (identity, _) in enumerate(rows)}
    merger = Merger([])
    given_out = {}
    for at, (identity, payload) in enumerate(rows):
        merged = merger.feed(identity, payload, last=last[identity] == at)
        assert (merged is not None) == (last[identity] == at)
        if merged is not None:
            given_out[identity] = json.loads(merged)
    for identity in last:
        wanted = "{}"
        for other, payload in rows:
            wanted = merge(wanted, payload) if other == identity else wanted
        assert given_out[identity] == json.loads(wanted)
    assert merger.held == 0


MAPPING = """\
version: 1
conversion_identifier: Feira
fields:
  email: E-mail
  name: Nome
  city: Cidade
  tags: {column: Tags, split: ";"}
  cf_novo: {column: Novo, type: boolean}
legal_bases:
  - {type: consent, status: {column: Consente}}
  - {type: legitimate_interest, status: {column: Interesse}}
on_duplicate: merge
on_change: send
"""
HEAD = "E-mail,Nome,Cidade,Tags,Novo,Consente,Interesse\n"
TWO_ROWS = f"{HEAD}ana@exemplo.com,Ana,,a,sim,,sim\nana@exemplo.com,,Maceió,b,,sim,\n"
ONE_ROW = f"{HEAD}ana@exemplo.com,Ana,Maceió,a;b,sim,sim,sim\n"


INTEREST = "legitimate_interest"


def basis(kind: str) -> dict[str, str]:
    return {"category": "communications", "type": kind, "status": "granted"}


def sent(workspace: Workspace, rows: str) -> int:
    workspace.write("map.yaml", MAPPING)
    workspace.write("list.csv", rows)
    done = workspace.here("run", "list.csv", "-m", "map.yaml", "--quota", "none", "--json")
    assert done.code == 0, done.err
    return int(done.summary["accepted"])


@pytest.mark.parametrize("rows", [[TWO_ROWS, ONE_ROW], [ONE_ROW, TWO_ROWS]])
def test_the_same_content_is_no_change_however_many_rows_it_comes_from(
    rows: list[str], workspace: Workspace, box: RunningSandbox
) -> None:
    assert [sent(workspace, each) for each in [*rows, *rows]] == [1, 0, 0, 0]
    assert len(box.conversions()) == 1


def test_what_was_merged_by_an_earlier_release_is_known(
    workspace: Workspace, box: RunningSandbox
) -> None:
    assert sent(workspace, TWO_ROWS) == 1
    known = {"conversion_identifier": "Feira", "email": "ana@exemplo.com"}
    plain = [
        {**known, "name": "Ana", "tags": ["a"], "cf_novo": True, "legal_bases": [basis(INTEREST)]},
        {**known, "city": "Maceió", "tags": ["b"], "legal_bases": [basis("consent")]},
    ]
    with store_of(workspace.state).open() as ledger:
        (noted,) = ledger.digests([merge(*map(json.dumps, plain))], 8)
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db:
        (now,) = db.execute("SELECT payload FROM posted").fetchone()
        assert now != noted
        db.execute("UPDATE posted SET payload = ?", (noted,))
        db.commit()
    assert sent(workspace, TWO_ROWS) == 0
    assert len(box.conversions()) == 1


ON_CHANGE = "version: 1\nconversion_identifier: Feira\non_change: send\non_duplicate: {keep}\n"
TAGS = ON_CHANGE + "fields: {{email: E-mail, tags: {{column: T, split: ';'}}}}\n"


def sends(workspace: Workspace, box: RunningSandbox, rows: str, header: str = "E-mail,T") -> int:
    """How many rows of a list with tags are sent."""
    before = len(box.conversions())
    workspace.write("a.csv", f"{header}\n{rows}")
    assert workspace.here("run", "a.csv", "-m", "a.yaml", "--quota", "none").code == 0
    return len(box.conversions()) - before


@pytest.mark.parametrize("keep", ["merge", "last"])
def test_with_on_change_send_the_order_of_tags_is_no_change(
    workspace: Workspace, box: RunningSandbox, keep: str
) -> None:
    workspace.write("a.yaml", TAGS.format(keep=keep))
    tags = ["alfa", "beta", "gama"]
    for order, sent in ((tags, 1), (tags[::-1], 0), ([*tags, "novo"], 1)):
        cells = order if keep == "merge" else [";".join(order)]
        rows = "".join(f"p@exemplo.com.br,{cell}\n" for cell in cells)
        assert sends(workspace, box, rows) == sent


CHOICES = TAGS.replace("tags: {{column: T", "cf_escolhas: {{type: list, column: T")


@pytest.mark.parametrize("one", ["b", 'b "", ""x"":[', "b é, \\ }", 'z,""tags"":[""z"",""a""]'])
@pytest.mark.parametrize("mapping", [CHOICES, TAGS])
def test_nor_is_that_of_choices_whatever_they_are(
    workspace: Workspace, box: RunningSandbox, mapping: str, one: str
) -> None:
    workspace.write("a.yaml", mapping.format(keep="last"))
    for order, sent in ((f"{one};a", 1), (f"a;{one}", 0), (f"a;{one};c", 1)):
        assert sends(workspace, box, f'p@exemplo.com.br,"{order}"\n') == sent


def test_a_ledger_with_tags_in_the_order_of_their_row_sends_nobody_again(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("a.yaml", TAGS.format(keep="last"))
    assert sends(workspace, box, "p@exemplo.com.br,gama;alfa\n") == 1
    (payload,) = box.conversions()
    literal = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    with store_of(workspace.state).open() as ledger:
        (hashed,) = ledger.digests([literal], 8)
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        changed = [
            db.execute("UPDATE posted SET payload = ?", (hashed,)),
            db.execute("UPDATE daybook SET payload = ?", (hashed,)),
        ]
        assert sum(one.rowcount for one in changed) == 1
    assert sends(workspace, box, "p@exemplo.com.br,gama;alfa\n") == 0
    assert sends(workspace, box, "p@exemplo.com.br,gama;alfa;novo\n") == 1


CUSTOM = "  cf_b: {column: B}\n  cf_a: {column: A, type: integer}\n"
BASES = "  - {type: legitimate_interest, status: granted}\n  - {type: consent, status: granted}\n"
LINES = """\
version: 1
conversion_identifier: Feira
fields:
  email: E-mail
  tags: {{column: T, split: ";"}}
{custom}legal_bases:
{bases}on_change: send
on_duplicate: {keep}
"""


def swapped(lines: str) -> str:
    """Two lines the other way round."""
    return "".join(lines.splitlines(keepends=True)[::-1])


def moved(workspace: Workspace, keep: str) -> None:
    """Write the mapping with its custom fields and legal bases in another order."""
    lines = {"custom": swapped(CUSTOM), "bases": swapped(BASES), "keep": keep}
    workspace.write("a.yaml", LINES.format(**lines))


WIDE = "p@exemplo.com.br,x;y,2,1\nq@exemplo.com.br,,,1\n"


def wide(workspace: Workspace, box: RunningSandbox, rows: str = WIDE) -> int:
    """How many rows of a list with tags and custom fields are sent."""
    return sends(workspace, box, rows, "E-mail,T,B,A")


@pytest.mark.parametrize("keep", ["merge", "last"])
def test_lines_of_the_mapping_in_another_order_are_no_change(
    workspace: Workspace, box: RunningSandbox, keep: str
) -> None:
    workspace.write("a.yaml", LINES.format(custom=CUSTOM, bases=BASES, keep=keep))
    assert wide(workspace, box) == 2
    moved(workspace, keep)
    assert wide(workspace, box) == 0
    assert wide(workspace, box, WIDE.replace("2,1", "2,3")) == 1


def test_a_ledger_with_the_order_of_the_mapping_learns_one_that_does_not_depend_on_it(
    workspace: Workspace, box: RunningSandbox
) -> None:
    workspace.write("a.yaml", LINES.format(custom=CUSTOM, bases=BASES, keep="last"))
    one = "p@exemplo.com.br,y;x,2,1\n"
    assert wide(workspace, box, one) == 1
    (payload,) = box.conversions()
    as_mapped = ("conversion_identifier", "email", "tags", "cf_b", "cf_a", "legal_bases")
    payload["legal_bases"].sort(key=lambda basis: basis["type"], reverse=True)
    text = {name: payload[name] for name in as_mapped}
    literal = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
    with store_of(workspace.state).open() as ledger:
        (hashed,) = ledger.digests([literal], 8)
    with closing(sqlite3.connect(workspace.state / "ledger.sqlite3")) as db, db:
        assert db.execute("SELECT payload FROM posted").fetchone() != (hashed,)
        assert db.execute("UPDATE posted SET payload = ?", (hashed,)).rowcount == 1
    assert wide(workspace, box, one) == 0
    moved(workspace, "last")
    assert wide(workspace, box, one) == 0
