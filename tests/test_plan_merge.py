"""Several payloads of one conversion put together."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rdimport.prepare.encode import Merger, merge


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
    merger = Merger()
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
