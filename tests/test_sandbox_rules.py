"""What the sandbox refuses, and what it silently drops."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdimport.core.errors import UsageError
from rdimport.destination.rdstation.custom_fields import CustomField, CustomFields
from rdimport.destination.rdstation.fields import FIELDS, Kind
from rdimport.sandbox.account_fields import AccountFields
from rdimport.sandbox.rules import NotJSONError, Reading, Rules, decode, read

ANA = {"conversion_identifier": "Feira", "email": "ana@exemplo.com.br"}
ACCOUNT = CustomFields.of(
    [
        CustomField("cf_texto", "STRING"),
        CustomField("cf_numero", "INTEGER"),
        CustomField("cf_aceite", "BOOLEAN"),
        CustomField("cf_varios", "STRING[]", ("a", "b")),
        CustomField("cf_escolha", "STRING", ("Franquia", "Loja própria")),
    ]
)
CATALOGUE = AccountFields(ACCOUNT)


def reading(rules: Rules | None = None, **payload: object) -> Reading:
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": {**ANA, **payload}}
    return read(envelope, rules or Rules(CATALOGUE))


def refusals(rules: Rules | None = None, **payload: object) -> list[tuple[str, str]]:
    found = reading(rules, **payload).refusals
    return [(one.path.removeprefix("$.payload."), one.error_type) for one in found]


EVERYTHING: dict[str, object] = {
    **{name: f"Valor de {name}" for name, known in FIELDS.items() if known.kind is Kind.STRING},
    **ANA,
    "client_tracking_id": "0b2ef1c4-5a0e-4f6a-9d1f-3f1a2b3c4d5e",
    "mobile_phone": "+5511987654321",
    "tags": ["feira-2026", "são paulo"],
    "available_for_mailing": True,
    "legal_bases": [{"category": "communications", "type": "consent", "status": "granted"}],
    "cf_texto": "x",
    "cf_numero": 3,
    "cf_aceite": False,
    "cf_varios": ["a", "b"],
    "cf_escolha": "Loja própria",
}


def test_a_payload_with_every_documented_field_is_kept_whole() -> None:
    found = reading(**EVERYTHING)
    assert found.refusals == []
    assert found.kept == EVERYTHING
    assert found.dropped == ()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("email", "", "CANNOT_BE_BLANK"),
        ("email", None, "CANNOT_BE_NULL"),
        ("email", "ana@exemplo", "INVALID_EMAIL_FORMAT"),
        ("email", "ana souza@exemplo.com.br", "INVALID_EMAIL_FORMAT"),
        ("email", "ana..souza@exemplo.com.br", "INVALID_EMAIL_FORMAT"),
        ("email", "ana@exemplo.com.br\n", "INVALID_EMAIL_FORMAT"),
        ("email", f"{'a' * 65}@exemplo.com.br", "INVALID_EMAIL_FORMAT"),
        ("conversion_identifier", "  ", "CANNOT_BE_BLANK"),
        ("conversion_identifier", "x" * 256, "TOO_LONG"),
        ("name", 3, "INVALID_DATA_TYPE"),
        ("name", "\ud800", "INVALID"),
        ("city", "", "CANNOT_BE_BLANK"),
        ("client_tracking_id", "123", "INVALID_FORMAT"),
        ("tags", "feira", "INVALID_DATA_TYPE"),
        ("tags", ["Feira"], "VALUES_MUST_BE_LOWERCASE"),
        ("tags", ["É"], "VALUES_MUST_BE_LOWERCASE"),
        ("tags", ["a", "a"], "VALUES_MUST_BE_UNIQUE"),
        ("tags", [], "CANNOT_BE_BLANK"),
        ("available_for_mailing", "true", "MUST_BE_BOOLEAN"),
        ("legal_bases", {}, "INVALID_DATA_TYPE"),
        ("cf_texto", 3, "INVALID_DATA_TYPE"),
        ("cf_numero", "3", "INVALID_DATA_TYPE"),
        ("cf_numero", True, "INVALID_DATA_TYPE"),
        ("cf_numero", 3.5, "INVALID_DATA_TYPE"),
        ("cf_aceite", 1, "MUST_BE_BOOLEAN"),
        ("cf_varios", "a", "INVALID_DATA_TYPE"),
        ("cf_escolha", "Outra", "INVALID_OPTION"),
    ],
)
def test_a_value_that_rd_refuses_is_refused_at_its_path(
    field: str, value: object, error: str
) -> None:
    assert refusals(**{field: value}) == [(field, error)]


def test_a_wrong_item_is_named_by_its_place_in_the_list() -> None:
    assert refusals(tags=["a", 3]) == [("tags[1]", "INVALID_DATA_TYPE")]
    assert refusals(cf_varios=["a", "c"]) == [("cf_varios[1]", "INVALID_OPTION")]
    base = {"category": "communications", "type": "favour", "status": None}
    assert refusals(legal_bases=["x", base]) == [
        ("legal_bases[0]", "INVALID_DATA_TYPE"),
        ("legal_bases[1].type", "INVALID_OPTION"),
        ("legal_bases[1].status", "CANNOT_BE_NULL"),
    ]


def test_all_that_is_wrong_comes_in_one_answer() -> None:
    found = refusals(email=None, tags="x", available_for_mailing=0)
    assert [field for field, _ in found] == ["email", "tags", "available_for_mailing"]


@pytest.mark.parametrize("field", ["email", "conversion_identifier"])
def test_a_required_field_that_is_absent_is_refused(field: str) -> None:
    payload = {name: value for name, value in ANA.items() if name != field}
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
    (found,) = read(envelope, Rules()).refusals
    assert (found.path, found.error_type) == (f"$.payload.{field}", "CANNOT_BE_NULL")


@pytest.mark.parametrize("blank", ["", None, " "])
def test_where_blanks_are_ignored_an_optional_one_passes_and_a_required_one_does_not(
    blank: str | None,
) -> None:
    lenient = Rules(refuse_blanks=False)
    assert refusals(lenient, name=blank) == []
    assert "name" not in reading(lenient, name=blank).kept
    (found,) = refusals(lenient, email=blank)
    assert found[0] == "email"


def test_other_fields_of_the_traffic_beside_the_cookie_conflict_with_it() -> None:
    assert refusals(traffic_source="encoded_eyJ", traffic_medium="cpc", traffic_value="x") == [
        ("traffic_medium", "CONFLICTING_FIELD"),
        ("traffic_value", "CONFLICTING_FIELD"),
    ]
    assert refusals(traffic_source="google", traffic_medium="cpc", traffic_value="x") == []


def test_fields_that_the_account_does_not_have_are_dropped_and_named() -> None:
    found = reading(cf_interese="Franquia", first_name="Ana", cf_Grande="x")
    assert found.refusals == []
    assert found.dropped == ("cf_interese", "first_name", "cf_Grande")
    assert dict(found.kept) == ANA


def test_an_account_with_any_field_still_refuses_what_no_custom_field_takes() -> None:
    rules = Rules(AccountFields.load("any"))
    assert reading(rules, cf_novo="x", cf_lista=["a"], cf_n=3, cf_b=True).dropped == ()
    assert refusals(rules, cf_novo={"a": 1}) == [("cf_novo", "INVALID_DATA_TYPE")]
    assert refusals(rules, cf_novo=1.5) == [("cf_novo", "INVALID_DATA_TYPE")]
    assert reading(rules, CF_NOVO="x").dropped == ("CF_NOVO",)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "$"),
        (None, "$"),
        ({"event_family": "CDP", "payload": ANA}, "$.event_type"),
        ({"event_type": "SALE", "event_family": "CDP", "payload": ANA}, "$.event_type"),
        ({"event_type": ["CONVERSION"], "event_family": "CDP", "payload": ANA}, "$.event_type"),
        ({"event_type": "CONVERSION", "event_family": "X", "payload": ANA}, "$.event_family"),
        ({"event_type": "CONVERSION", "event_family": "CDP"}, "$.payload"),
        ({"event_type": "CONVERSION", "event_family": "CDP", "payload": [ANA]}, "$.payload"),
    ],
)
def test_an_envelope_of_another_form_is_refused_at_its_path(document: object, path: str) -> None:
    assert [found.path for found in read(document, Rules()).refusals] == [path]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b"{} {}"],
)
def test_what_is_no_json_is_told_from_what_is(body: bytes) -> None:
    with pytest.raises(NotJSONError):
        decode(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(
    payload=st.dictionaries(st.sampled_from([*FIELDS, "cf_texto", "cf_varios"]) | st.text(), JSON)
)
def test_any_payload_is_read_and_every_field_is_refused_kept_or_dropped(
    payload: dict[str, object],
) -> None:
    document = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
    found = read(decode(json.dumps(document).encode()), Rules(CATALOGUE))
    refused = {one.path.split(".", 2)[-1].split("[")[0].split(".")[0] for one in found.refusals}
    assert set(payload) <= refused | set(found.kept) | set(found.dropped)
    assert not refused & set(found.dropped)
    if not found.refusals:
        assert found.email


def test_rds_own_list_of_fields_is_a_catalogue(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "fields.json"
    options = [{"value": "a", "label": {"pt-BR": "A"}}, {"value": "b"}]
    custom = {"api_identifier": "cf_x", "data_type": "STRING", "custom_field": True}
    path.write_text(
        json.dumps(
            {
                "fields": [
                    {"api_identifier": "email", "data_type": "STRING"},
                    {**custom, "validation_rules": {"valid_options": options}},
                ]
            }
        )
    )
    expected = {"cf_x": CustomField("cf_x", "STRING", ("a", "b"))}
    assert AccountFields.load(str(path)).known.fields == expected
    assert CustomFields.load(path).fields == expected


@pytest.mark.parametrize(
    "text", ["{", "3", '{"fields": 3}', '{"cf_x": "TEXT"}', '{"Nome": "STRING"}', '[{"a": 1}, 2]']
)
def test_a_catalogue_that_cannot_be_understood_names_its_file(tmp_path, text: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "fields.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"fields\.json"):
        AccountFields.load(str(path))
