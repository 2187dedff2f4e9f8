"""For any input, RD's rules accept the payload or the row is invalid; and no row gets lost."""

from __future__ import annotations

import json
from collections import Counter

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.row import DEFECT, FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.mapping import Mapping
from rdimport.prepare import bind, prepare
from rdimport.sandbox.account_fields import AccountFields
from rdimport.sandbox.rules import Rules, read

COLUMNS = tuple("abcdefgh")
MAPPING = Mapping.parse("""\
conversion_identifier: {column: h, default: Feira}
fields:
  email: {column: a, several: first}
  name: b
  job_title: {column: b, clean: none}
  state: c
  city: {column: c, clean: city}
  mobile_phone: {column: d, default_area: "11"}
  personal_phone: {column: [d, e]}
  website: {column: e, clean: url}
  linkedin: {column: e, clean: social}
  client_tracking_id: e
  traffic_source: e
  traffic_medium: b
  tags: {column: f, split: ";", add: [Feira]}
  available_for_mailing: g
  cf_text: {column: b, cut: 40}
  cf_number: {column: g, type: integer, decimal: ","}
  cf_list: {column: f, type: list, split: ","}
  cf_cnpj: {column: d, clean: cnpj, values: {x: "11222333000181"}, otherwise: empty}
  cf_date: {column: g, clean: date, default: 31/12/2026}
legal_bases:
  - {type: consent, status: {column: g}}
  - {type: legitimate_interest, status: granted}
""")
BOUND = bind(MAPPING, COLUMNS, "lista.csv")
RULES = Rules(catalogue=AccountFields(takes_any=True))

GOOD = {
    "a": ["ana@exemplo.com", "Ana <ANA@exemplo.com>", "a@x.com; b@y.com"],
    "b": ["Ana Souza", "ANA", "x" * 255],
    "c": ["SP", "são paulo", "Santos/SP"],
    "d": ["11 98765-4321", "3456-7890", "+351 912 345 678"],
    "e": ["exemplo.com.br", "@ana", "encoded_eyJh", "0" * 8 + "-0000" * 3 + "-" + "0" * 12],
    "f": ["a;b;a", "Um, Dois", ";;"],
    "g": ["Sim", "N", "1", "0"],
    "h": ["Feira", None],
}
JUNK = st.one_of(
    st.none(), st.text(max_size=30), st.text("@.;,+-/()0123456789 \t\u00a0", max_size=20)
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            name: st.one_of(*[st.sampled_from([*GOOD[name], None])] * 6, JUNK)
            if name != "a"
            else st.one_of(*[st.sampled_from(GOOD[name])] * 9, JUNK)
            for name in COLUMNS
        }
    ),
    max_size=5,
)


def table(rows: list[dict[str, str | None]]) -> pl.DataFrame:
    """Rows as from the reader; every fifth is defective."""
    defects = ["row.too_long" if at % 5 == 4 else None for at in range(len(rows))]
    cells = {name: [row[name] or None for row in rows] for name in COLUMNS}
    return pl.DataFrame(
        {FILE: [0] * len(rows), ROW: range(2, len(rows) + 2), DEFECT: defects, **cells},
        schema={**ORIGIN, **dict.fromkeys(COLUMNS, pl.String)},
    )


@settings(deadline=None, max_examples=costly(60))
@given(ROWS)
def test_rds_rules_take_every_payload_and_every_row_has_one_end(
    rows: list[dict[str, str | None]],
) -> None:
    result = prepare(table(rows), BOUND)
    sent, invalid = set(result.rows[ROW]), set(result.problems[ROW])
    assert sent | invalid == set(range(2, len(rows) + 2))
    assert not sent & invalid
    for text in result.rows["payload"]:
        payload = json.loads(text)
        document = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
        answer = read(document, RULES)
        assert answer.refusals == [], (payload, answer.refusals)
        assert answer.dropped == ()
        assert set(answer.kept) == set(payload)


@settings(deadline=None, max_examples=costly(12))
@given(ROWS, st.integers(1, 4))
def test_the_size_of_batches_changes_nothing(rows: list[dict[str, str | None]], size: int) -> None:
    frame = table(rows)
    whole = prepare(frame, BOUND)
    parts = [prepare(frame[at : at + size], BOUND) for at in range(0, frame.height, size)]
    for name in ("rows", "problems", "warnings"):
        together = [line for part in parts for line in getattr(part, name).rows()]
        assert getattr(whole, name).rows() == together


@settings(deadline=None, max_examples=costly(20))
@given(ROWS)
def test_the_fields_that_are_counted_as_filled_are_those_of_the_payloads(
    rows: list[dict[str, str | None]],
) -> None:
    result = prepare(table(rows), BOUND)
    held = Counter(field for text in result.rows["payload"] for field in json.loads(text))
    filled = result.filled(result.rows[ROW])
    assert held == Counter({field: rows for field, rows in filled.items() if ":" not in field})
    assert not any(result.filled(result.rows[ROW][:0]).values())
