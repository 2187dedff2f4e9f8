"""RD Station Marketing as bytes: what is sent, and what any answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rdimport.core.errors import UsageError
from rdimport.core.quota import Limits
from rdimport.core.visible import steers
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.destination.verdict import VERDICTS, Evidence

KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
STATION = RDStation(KEY)


def read(status: int, content: Any, **headers: str) -> tuple[Evidence, list[tuple[str, str, str]]]:
    """Evidence, and code, field and detail of each problem."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = STATION.read(status, headers, body)
    return answer.evidence, [(p.code, p.field, p.detail) for p in answer.problems]


def wait(status: int, content: Any = None, **headers: str) -> float | None:
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return STATION.read(status, lower, json.dumps(content).encode()).wait


def test_a_request_is_the_documented_envelope_around_the_payload() -> None:
    request = STATION.build('{"email":"josé@exemplo.com.br","tags":["a"]}')
    assert request.method == "POST"
    assert request.url == "https://api.rd.services/platform/conversions"
    assert json.loads(request.body) == {
        "event_type": "CONVERSION",
        "event_family": "CDP",
        "payload": {"email": "josé@exemplo.com.br", "tags": ["a"]},
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"


def test_the_key_is_in_the_credentials_and_in_nothing_that_can_be_printed() -> None:
    assert STATION.credentials() == {"api_key": KEY}
    shown = [repr(STATION), str(STATION), repr(STATION.build("{}")), STATION.identity]
    assert not any(KEY in text for text in shown)


def test_without_a_key_it_can_be_planned_for_but_not_sent_to() -> None:
    station = RDStation()
    assert station.build("{}").url
    with pytest.raises(UsageError, match="no API key"):
        station.credentials()


@pytest.mark.parametrize("key", ["", " ", "a b", "a\nb", "chave-ção", "x" * 513])
def test_what_cannot_be_a_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        RDStation(key)
    assert key.strip() == "" or key not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "api.rd.services", "ftp://exemplo.com.br", "http://exemplo.com.br", "https://",
     "https://a@exemplo.com.br", "https://exemplo.com.br?x=1", "https://exemplo.com.br#x",
     "http://127.0.0.1.exemplo.com.br", "https://[", "https://[::1", "https://e.org:0", "https://exemplo.com.br:99999",
     "https://xn--a", "https://xn--zz--", "https://e.org/.", "https://e.org/a/../b", "https://e.org/%2E",
     f"https://{'a' * 64}.com.br"],
)  # fmt: skip
def test_an_address_that_would_show_the_key_or_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        RDStation(KEY, base_url=address)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8090/", "http://localhost:1", "http://[::1]:8090", "https://e.org"],
)
def test_plain_http_is_for_this_machine(address: str) -> None:
    assert RDStation(KEY, base_url=address).base_url == address.rstrip("/")


def test_plain_http_to_another_machine_has_to_be_asked_for() -> None:
    with pytest.raises(UsageError, match="--insecure-http"):
        RDStation(KEY, base_url="http://exemplo.com.br")
    asked = RDStation(KEY, base_url="http://exemplo.com.br/", insecure_http=True)
    assert asked.base_url == "http://exemplo.com.br"
    with pytest.raises(UsageError):
        RDStation(KEY, base_url="ftp://exemplo.com.br", insecure_http=True)


def test_an_answer_with_a_receipt_is_an_acceptance() -> None:
    answer = STATION.read(200, {}, b'{"event_uuid": "5408c5a3-4711-4f2e-8d0b-13407a3e30f3"}')
    assert answer.evidence is Evidence.ACCEPTED
    assert answer.receipt == "5408c5a3-4711-4f2e-8d0b-13407a3e30f3"
    assert answer.problems == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"OK", b"null", b"[]", b"{}", b'{"event_uuid": ""}', b'{"event_uuid": null}',
     b'{"event_uuid": 7}', b'{"event_uuid": "5408c5a3', b"<html>", b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_a_success_without_a_receipt_is_doubt(body: bytes) -> None:
    assert STATION.read(200, {}, body).evidence is Evidence.SUCCESS_NOT_UNDERSTOOD


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_another_success_is_doubt_even_with_a_receipt(status: int) -> None:
    answer = STATION.read(status, {}, b'{"event_uuid": "x"}')
    assert answer.evidence is Evidence.SUCCESS_NOT_UNDERSTOOD


SHAPES: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {
    "1 list under errors, with a path": (
        {
            "errors": [
                {
                    "error_type": "INVALID_DATA_TYPE",
                    "error_message": "Must be an array.",
                    "validation_rules": {"type": "STRING[]"},
                    "path": "$.payload.tags",
                },
                {"error_type": "TOO_LONG", "error_message": "Longo.", "path": "$.payload.name[0]"},
            ]
        },
        [("rd.invalid_data_type", "tags", "Must be an array."), ("rd.too_long", "name", "Longo.")],
    ),
    "2 bare list": (
        [{"error_type": "CANNOT_BE_NULL", "error_message": "Cannot be null."}],
        [("rd.cannot_be_null", "", "Cannot be null.")],
    ),
    "3 one object under errors": (
        {"errors": {"error_type": "UNAUTHORIZED", "error_message": "Invalid token."}},
        [("rd.unauthorized", "", "Invalid token.")],
    ),
    "4 by field": (
        {
            "errors": {
                "email": [{"error_type": "INVALID_EMAIL_FORMAT", "error_message": "Bad."}],
                "name": [{"error_type": "TOO_SHORT", "error_message": "Short."}],
            }
        },
        [("rd.invalid_email_format", "email", "Bad."), ("rd.too_short", "name", "Short.")],
    ),
    "5 by field and language": (
        {
            "errors": {
                "label": {"pt-BR": [{"error_type": "TAKEN", "error_message": "Em uso."}]},
                "email": [{"error_type": "INVALID", "error_message": "Ruim."}],
            }
        },
        [("rd.taken", "label", "Em uso."), ("rd.invalid", "email", "Ruim.")],
    ),
    "6 error and numbers": (
        {"error": "Limite excedido", "max": 120, "usage": 121, "remaining_time": 43067},
        [("rd.no_reason", "", "Limite excedido")],
    ),
    "6 error and description": (
        {"error": "invalid_request", "error_description": "Missing field."},
        [("rd.no_reason", "", "Missing field.")],
    ),
    "7 message": (
        {"message": "API rate limit exceeded"},
        [("rd.no_reason", "", "API rate limit exceeded")],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_errors_becomes_code_field_and_reason(shape: str) -> None:
    content, problems = SHAPES[shape]
    assert read(400, content) == (Evidence.ROW_REFUSED, problems)
    assert read(422, content) == (Evidence.ROW_REFUSED, problems)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"errors": [', b"\x00\xff", b"7"])
def test_a_refusal_that_gives_no_reason_says_so(body: bytes) -> None:
    assert read(400, body) == (Evidence.ROW_REFUSED, [("rd.no_reason", "", "HTTP 400")])


@pytest.mark.parametrize(
    ("status", "evidence"),
    [
        (300, Evidence.UNKNOWN_ANSWER), (301, Evidence.REDIRECTED),
        (302, Evidence.REDIRECTED), (303, Evidence.REDIRECTED), (304, Evidence.UNKNOWN_ANSWER),
        (307, Evidence.WRONG_ENDPOINT), (308, Evidence.WRONG_ENDPOINT),
        (400, Evidence.ROW_REFUSED), (401, Evidence.KEY_REFUSED), (403, Evidence.KEY_REFUSED),
        (404, Evidence.WRONG_ENDPOINT), (405, Evidence.WRONG_ENDPOINT),
        (406, Evidence.WRONG_ENDPOINT), (408, Evidence.UNKNOWN_ANSWER),
        (409, Evidence.ROW_REFUSED), (413, Evidence.ROW_TOO_LARGE),
        (414, Evidence.WRONG_ENDPOINT), (415, Evidence.WRONG_ENDPOINT),
        (418, Evidence.UNKNOWN_ANSWER), (422, Evidence.ROW_REFUSED),
        (429, Evidence.ACCOUNT_QUOTA), (500, Evidence.SERVER_FAILED),
        (501, Evidence.SERVER_FAILED), (502, Evidence.SERVER_FAILED),
        (503, Evidence.SERVER_FAILED), (504, Evidence.SERVER_FAILED),
        (599, Evidence.SERVER_FAILED),
    ],
)  # fmt: skip
def test_each_status_is_read_as_the_contract_says(status: int, evidence: Evidence) -> None:
    for body in (b"", b"{}", b"<html>", b'{"event_uuid": "x"}'):
        assert STATION.read(status, {}, body).evidence is evidence


def test_503_that_names_a_time_is_for_later_and_without_one_it_is_doubt() -> None:
    assert STATION.read(503, {"retry-after": "5"}, b"").evidence is Evidence.UNAVAILABLE
    date = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}
    assert STATION.read(503, date, b"").evidence is Evidence.UNAVAILABLE
    for said in ({}, {"retry-after": ""}, {"retry-after": "soon"}, {"retry-after": "-1"}):
        assert STATION.read(503, said, b"").evidence is Evidence.SERVER_FAILED


def test_a_key_of_the_crm_is_told_apart_from_a_refused_row() -> None:
    content = {"errors": {"error_type": "UNABLE_TO_LOAD_CDP_SCHEMA", "error_message": "…"}}
    assert read(400, content)[0] is Evidence.KEY_OF_CRM
    assert read(422, content)[0] is Evidence.ROW_REFUSED


def test_the_two_kinds_of_429_are_told_apart() -> None:
    lead = (
        "'lead_limiter' rate limit exceeded for 86400 second(s) period for key 'a@exemplo.com.br'"
    )
    assert read(429, {"error": lead, "remaining_time": 43067})[0] is Evidence.LEAD_QUOTA
    assert read(429, {"message": "API rate limit exceeded"})[0] is Evidence.ACCOUNT_QUOTA
    assert read(429, b"<html>")[0] is Evidence.ACCOUNT_QUOTA


def test_the_wait_is_found_in_every_spelling() -> None:
    assert wait(429, retry_after="7") == 7
    assert wait(429, retry_after_quotas="8") == 8
    assert wait(429, ratelimit_reset="9") == 9
    assert wait(429, ratelimit_reset_quotas="10") == 10
    assert wait(429, {"error": "x", "remaining_time": 43067}) == 43067
    assert wait(503, retry_after="Wed, 21 Oct 2026 07:28:30 GMT",
                date="Wed, 21 Oct 2026 07:28:00 GMT") == 30  # fmt: skip
    assert wait(429) is None
    assert wait(429, retry_after="soon") is None
    assert wait(429, retry_after="-5") is None


HOSTILE = [
    b'{"remaining_time": 1' + b"0" * 400 + b"}",
    b'{"remaining_time": NaN}',
    b'{"remaining_time": true, "errors": [[[[[[[[[[{"error_type": "X"}]]]]]]]]]]}',
    b'{"errors": ' * 2_000,
    b'{"errors": [{"error_type": "\\ud800", "error_message": "\\u001b[2J\\u0000"}]}',
    b'{"errors": {"' + b"x" * 70_000 + b'": {"error_type": "' + b"y" * 70_000 + b'"}}}',
    b'{"errors": [{"error_type": 7, "path": ["$"]}], "error": {"a": 1}, "message": null}',
    json.dumps({"errors": [{"error_type": "A", "error_message": "b"}] * 9_000}).encode(),
]
DATES = ["1 Jan 99999999999999999999 00:00:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", "1 1 1 1", ""]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["errors", "error", "message", "error_type", "error_message", "path",
                         "event_uuid", "remaining_time", "email", "pt-BR"]) | st.text(),
        inner, max_size=4),
    max_leaves=15,
)  # fmt: skip
bodies = (
    st.binary(max_size=300)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(HOSTILE)
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-quotas", "ratelimit-reset", "date",
                     "ratelimit-limit", "ratelimit-remaining", "x-ratelimit-limit-minute"]),
    st.text(max_size=20) | st.integers().map(str) | st.sampled_from(DATES), max_size=4,
)  # fmt: skip


@given(st.integers(100, 999), headers, bodies)
@example(429, {}, HOSTILE[0])
@example(503, {"retry-after": DATES[0], "date": DATES[1]}, b"")
def test_any_answer_is_read_without_an_error_and_means_a_line_of_the_table(
    status: int, sent: dict[str, str], body: bytes
) -> None:
    answer = STATION.read(status, sent, body)
    assert answer.evidence in VERDICTS
    assert answer.wait is None or answer.wait >= 0
    assert len(answer.problems) <= 50
    json.dumps(answer.problems, ensure_ascii=False).encode()  # as the ledger keeps them
    for text in (answer.receipt, *(value for problem in answer.problems for value in problem)):
        assert len(text) <= 310
        assert not any(map(steers, text))
    if answer.evidence is Evidence.ACCEPTED:
        assert status == 200
        assert answer.receipt


@given(st.integers(200, 599), json_values, st.sampled_from(["{}", "x{}y", "api_key={}", "{0} {0}"]))
def test_no_answer_leaks_the_key_that_it_repeats(status: int, value: Any, around: str) -> None:
    echo = around.format(KEY)
    body = json.dumps({"errors": [{"error_type": echo, "error_message": echo, "path": echo}],
                       "event_uuid": echo, echo: value}).encode()  # fmt: skip
    escaped = body.replace(KEY.encode(), "".join(f"\\u{ord(c):04x}" for c in KEY).encode())
    for content in (body, escaped, escaped.replace(b"\\u0030", b"0")):
        assert KEY not in repr(STATION.read(status, {"retry-after": echo}, content))
        assert KEY[:20] not in repr(STATION.read(status, {"retry-after": echo}, content))


LIMITS = {
    "limit": ("ratelimit-limit", "ratelimit-limit-quotas", "x-ratelimit-limit-minute"),
    "remaining": (
        "ratelimit-remaining",
        "ratelimit-remaining-quotas",
        "x-ratelimit-remaining-minute",
    ),
    "reset": ("ratelimit-reset", "ratelimit-reset-quotas", "ratelimit-reset"),
}


@pytest.mark.parametrize("spelling", [0, 1, 2])
def test_the_accounts_window_is_read_in_every_spelling_and_only_whole(spelling: int) -> None:
    values = {"limit": "120", "remaining": "7", "reset": "31"}
    headers = {LIMITS[name][spelling]: value for name, value in values.items()}
    assert STATION.read(200, headers, b"{}").limits == Limits(120, 7, 31.0)
    for name in headers:
        assert STATION.read(200, headers | {name: "soon"}, b"{}").limits is None
        less = {other: value for other, value in headers.items() if other != name}
        assert STATION.read(200, less, b"{}").limits is None


@pytest.mark.parametrize(
    ("status", "evidence"),
    [
        (418, Evidence.UNKNOWN_ANSWER),
        (499, Evidence.UNKNOWN_ANSWER),
        (500, Evidence.SERVER_FAILED),
        (503, Evidence.SERVER_FAILED),
    ],
)
def test_only_a_servers_own_status_says_that_the_server_failed(
    status: int, evidence: Evidence
) -> None:
    assert read(status, {})[0] is evidence


@pytest.mark.parametrize("errors", [60, 50, 49])
def test_at_most_fifty_errors_of_an_answer_are_kept(errors: int) -> None:
    each = [{"error_type": "INVALID", "error_message": str(n)} for n in range(errors)]
    assert [detail for _, _, detail in read(400, {"errors": each})[1]] == [
        str(n) for n in range(min(errors, 50))
    ]


def test_a_leads_own_wait_counts_more_than_a_header_of_the_account() -> None:
    lead = {"error": "'lead_limiter' rate limit exceeded", "remaining_time": 500}
    assert wait(429, lead, retry_after="9") == 500
    assert wait(429, lead | {"remaining_time": 0}, retry_after="9") == 0
    assert wait(429, {"error": lead["error"]}, retry_after="9") == 9
    assert wait(429, {"error": lead["error"]}, ratelimit_reset="9") is None
    assert [wait(s, None, ratelimit_reset="9") for s in (408, 429, 500, 503)] == [9] * 4


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504])
def test_only_a_503_with_its_time_proves_that_nothing_was_taken(status: int) -> None:
    wanted = Evidence.UNAVAILABLE if status == 503 else Evidence.SERVER_FAILED
    assert STATION.read(status, {"retry-after": "5"}, b"{}").evidence is wanted


def test_fifty_errors_are_kept_of_several_fields_too() -> None:
    each = [{"error_type": "INVALID", "error_message": "x"}] * 40
    found = read(400, {"errors": {"name": each, "city": each}})[1]
    assert [field for _, field, _ in found] == ["name"] * 40 + ["city"] * 10
