"""The preview: what a person sees before a run."""

from __future__ import annotations

import polars as pl

from rdimport.core.row import FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.mapping import Mapping
from rdimport.prepare import bind, prepare
from rdimport.prepare.preview import CellView, Preview, advice

MAPPING = Mapping.parse("""\
conversion_identifier: Feira
fields:
  email: E-mail
  mobile_phone: [Cel, Fone]
  tags: {column: Tags, split: ";"}
  country: {value: Brasil}
""")
COLUMNS = ("E-mail", "Cel", "Fone", "Tags")


def previewed(
    rows: list[tuple[str | None, ...]], size: int = 100, mapping: Mapping = MAPPING
) -> Preview:
    """The preview of rows in batches of a size."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    origin = {
        FILE: pl.lit(0, dtype=pl.UInt32),
        ROW: pl.int_range(2, pl.len() + 2, dtype=pl.UInt32),
        **{name: pl.lit(None, dtype=pl.String) for name in list(ORIGIN)[2:]},
    }
    frame = frame.select(**origin, **{name: pl.col(name) for name in COLUMNS})
    bound = bind(mapping, COLUMNS, "lista.csv")
    preview = Preview()
    for start in range(0, frame.height, size):
        preview.add(prepare(frame[start : start + size], bound))
    return preview


ROWS: list[tuple[str | None, ...]] = [
    ("ana@exemplo.com", None, "11 98765-4321", "Quente; frio"),
    ("x", None, None, None),
    (" BIA@exemplo.com", "+5511987654321", None, "frio"),
    ("caio@gmial.com", "123", None, None),
    ("duda@gmial.com", None, None, "morno"),
]


def test_valid_rows_are_shown_before_and_after_those_with_suspect_cells_first() -> None:
    for size in (1, 2, 100):
        first = previewed(ROWS, size).first
        assert [(view.file, view.row) for view in first] == [(0, 6), (0, 2), (0, 4)]
    assert first[1].cells[1:] == (
        CellView("email", "E-mail", "ana@exemplo.com", "ana@exemplo.com"),
        CellView("country", "", "", "Brasil"),
        CellView("mobile_phone", "Cel", "11 98765-4321", "+5511987654321"),
        CellView("tags", "Tags", "Quente; frio", "quente; frio"),
    )


def test_each_field_counts_filled_changed_suspect_and_invalid_rows() -> None:
    fields = {view.field: view for view in previewed(ROWS).fields}
    email, phone, tags = fields["email"], fields["mobile_phone"], fields["tags"]
    assert (email.filled, email.changed, email.suspect, email.invalid) == (5, 1, 1, 1)
    assert (phone.filled, phone.changed, phone.invalid) == (3, 1, 1)
    assert (tags.filled, tags.changed) == (3, 1)
    assert email.examples == [CellView("email", "E-mail", " BIA@exemplo.com", "bia@exemplo.com")]


def test_reasons_come_with_examples_and_row_numbers_the_most_frequent_first() -> None:
    reasons = previewed([*ROWS, ("y", None, None, None)]).reasons
    assert (reasons[0].code, reasons[0].cells) == ("email.no_at", 2)
    assert (reasons[0].rows, reasons[0].values) == ([(0, 3), (0, 7)], ["x", "y"])
    assert {reason.code for reason in reasons} == {"email.no_at", "email.typo", "phone.too_short"}


def test_the_size_of_batches_does_not_change_the_preview() -> None:
    rows = ROWS * 7
    whole, parts = previewed(rows), previewed(rows, size=3)
    assert whole.first == parts.first
    assert whole.fields == parts.fields
    found = [sorted((r.code, r.cells, tuple(r.rows)) for r in p.reasons) for p in (whole, parts)]
    assert found[0] == found[1]


def test_advice_names_what_the_mapping_leaves_to_chance() -> None:
    bare = "conversion_identifier: x\nfields: {email: a, cf_b: b, tags: c}\n"
    assert [sentence.split()[0] for sentence in advice(Mapping.parse(bare))] == [
        "legal_bases",
        "RD",
        "tags",
    ]
    cared = (
        "conversion_identifier: x\nfields: {email: a, cf_b: b, tags: {column: c, split: ','}}\n"
        "legal_bases: [{type: consent, status: granted}]\ncatalogue: campos.json\n"
    )
    assert advice(Mapping.parse(cared)) == ()


def test_a_legal_basis_is_shown_as_it_is_sent() -> None:
    text = "conversion_identifier: x\nfields: {email: E-mail}\nlegal_bases: [{type: consent, "
    mapping = Mapping.parse(text + "status: {column: Tags}}]\n")
    rows = [("a@exemplo.com.br", None, None, "Sim"), ("b@exemplo.com.br", None, None, "Não")]
    shown = [c for row in previewed(rows, mapping=mapping).first for c in row.cells]
    assert [(c.before, c.after) for c in shown if c.field == "legal_bases"] == [
        ("Sim", "granted"),
        ("Não", "declined"),
    ]
