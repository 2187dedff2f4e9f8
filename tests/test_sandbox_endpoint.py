"""The endpoint's order of decisions, its quotas over time, and its records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.endpoint import JSON_HEADERS, EndpointInMemory

from rdimport.core.errors import UsageError
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.destination.verdict import Evidence
from rdimport.sandbox import SandboxOptions
from rdimport.sandbox.endpoint import CONVERSIONS, Call, Endpoint
from rdimport.sandbox.replies import SHAPES
from rdimport.sandbox.store import KeyRefusedError, Store


def test_a_sound_conversion_gets_an_event_uuid() -> None:
    reply = EndpointInMemory().post()
    assert reply.status == 200
    assert json.loads(reply.body) == {"event_uuid": reply.receipt}


@pytest.mark.parametrize(
    ("changes", "status", "evidence"),
    [
        ({"query": ""}, 401, Evidence.KEY_REFUSED),
        ({"query": "api_key=wrong"}, 401, Evidence.KEY_REFUSED),
        ({"query": "api_key="}, 401, Evidence.KEY_REFUSED),
        ({"path": "/platform/events"}, 401, Evidence.KEY_REFUSED),
        ({"path": "/platform/contacts/fields"}, 401, Evidence.KEY_REFUSED),
        ({"path": "/platform/conversion"}, 404, Evidence.WRONG_ENDPOINT),
        ({"path": "/x" * 4_001}, 414, Evidence.WRONG_ENDPOINT),
        ({"method": "GET"}, 405, Evidence.WRONG_ENDPOINT),
        ({"headers": []}, 415, Evidence.WRONG_ENDPOINT),
        ({"headers": [(b"content-type", b"text/plain")]}, 415, Evidence.WRONG_ENDPOINT),
        ({"headers": [JSON_HEADERS[0], (b"accept", b"text/html")]}, 406, Evidence.WRONG_ENDPOINT),
        ({"body": None}, 413, Evidence.ROW_TOO_LARGE),
        ({"body": b" " * 200_001}, 413, Evidence.ROW_TOO_LARGE),
        ({"body": b"{"}, 400, Evidence.ROW_REFUSED),
        ({"body": b"{}"}, 400, Evidence.ROW_REFUSED),
    ],
)
def test_a_request_that_is_wrong_as_a_whole_is_refused_and_our_reader_knows_why(
    changes: dict[str, object], status: int, evidence: Evidence
) -> None:
    workspace = EndpointInMemory()
    reply = workspace.post(**changes)
    assert reply.status == status
    assert workspace.evidence(reply) is evidence
    assert workspace.store.rows("SELECT status FROM refusal")[0][0] == status


def test_an_inactive_key_is_refused_until_it_is_active_again() -> None:
    workspace = EndpointInMemory(SandboxOptions(key_status=403))
    workspace.store.switch_key(workspace.key.id, active=False)
    assert workspace.post().status == 403
    workspace.store.switch_key(workspace.key.id, active=True)
    assert workspace.post().status == 200


@pytest.mark.parametrize("shape", SHAPES)
def test_our_reader_finds_the_refused_field_in_every_shape(shape: int) -> None:
    workspace = EndpointInMemory(SandboxOptions(error_shape=shape))
    reply = workspace.post(email="ana")
    assert reply.status == 400
    (problem,) = RDStation("k").read(400, {}, reply.body).problems
    assert problem.code == "rd.invalid_email_format"
    # Shape 2 does not name the field.
    assert problem.field == ("" if shape == 2 else "email")


def test_the_account_quota_is_counted_in_windows_that_begin_with_the_minute() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="3/min", lead_limit=0))
    assert [workspace.post().status for _ in range(5)] == [200, 200, 200, 429, 429]
    workspace.clock.move(29)
    assert workspace.post().status == 429
    workspace.clock.move(1)
    assert [workspace.post().status for _ in range(4)] == [200, 200, 200, 429]


def test_a_throttled_answer_says_how_long_to_wait_and_our_reader_understands() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="1/min", headers="quotas"))
    workspace.post()
    reply = workspace.post()
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    answer = RDStation("k").read(reply.status, headers, reply.body)
    assert (answer.evidence, answer.wait) == (Evidence.ACCOUNT_QUOTA, 30.0)
    assert json.loads(reply.body) == {"message": "API rate limit exceeded"}


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("plain", {"ratelimit-limit", "x-ratelimit-remaining-minute"}),
        ("quotas", {"ratelimit-limit-quotas", "x-ratelimit-remaining-minute-quotas"}),
        ("both", {"ratelimit-reset", "ratelimit-reset-quotas"}),
        ("none", set()),
    ],
)
def test_the_headers_of_the_quota_come_in_the_chosen_spelling(
    spelling: str, expected: set[str]
) -> None:
    headers = {
        name.decode()
        for name, _ in EndpointInMemory(SandboxOptions(headers=spelling)).post().headers
    }
    assert expected <= headers
    assert {name.endswith("-quotas") for name in headers} == {
        "plain": {False},
        "quotas": {True},
        "both": {True, False},
        "none": set(),
    }[spelling]


def test_the_quota_of_one_account_does_not_touch_another() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="1/min"))
    other = workspace.store.create_key(workspace.store.account("filial"), "import", 0.0)
    assert workspace.post().status == 200
    assert workspace.post().status == 429
    assert workspace.post(query=f"api_key={other.secret}").status == 200


def test_without_a_quota_nothing_is_counted_against_the_account() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="none", lead_limit=0))
    assert {workspace.post().status for _ in range(1_000)} == {200}
    assert workspace.post().headers == ()


def test_one_lead_has_120_requests_in_24_hours_however_its_address_is_written() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="none"))
    assert {workspace.post("ana@exemplo.com.br").status for _ in range(60)} == {200}
    assert {workspace.post("ANA@exemplo.com.br").status for _ in range(60)} == {200}
    reply = workspace.post()
    assert (reply.status, workspace.evidence(reply)) == (429, Evidence.LEAD_QUOTA)
    assert json.loads(reply.body)["remaining_time"] == 86_400
    assert workspace.post("bia@exemplo.com.br").status == 200
    workspace.clock.move(86_399)
    assert workspace.post().status == 429
    workspace.clock.move(1)
    assert workspace.post().status == 200


@settings(max_examples=50)
@given(st.lists(st.floats(0, 50), max_size=60))
def test_no_window_ever_lets_more_requests_pass_than_the_quota(pauses: list[float]) -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="5/min", lead_limit=0))
    passed: dict[int, int] = {}
    for pause in pauses:
        workspace.clock.move(pause)
        minute = int(workspace.clock.at.timestamp() // 60)
        passed[minute] = passed.get(minute, 0) + (workspace.post().status == 200)
    assert max(passed.values(), default=0) <= 5
    workspace.store.close()


@settings(max_examples=200)
@given(
    body=st.binary() | st.text().map(lambda text: json.dumps(text).encode()),
    query=st.text(st.characters(max_codepoint=255)),
    value=st.binary(),
)
def test_no_request_makes_it_fail_and_each_is_counted(
    body: bytes, query: str, value: bytes
) -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="none"))
    headers = [*JSON_HEADERS, (b"x-any", value)]
    assert workspace.post(body=body, headers=headers).status in (200, 400)
    assert workspace.post(query=query).status == 401
    assert workspace.post(headers=[(b"content-type", value)]).status in (200, 415)
    assert workspace.post(headers=[JSON_HEADERS[0], (b"accept", value)]).status in (200, 406)
    workspace.store.flush()
    assert workspace.endpoint.counts.requests == 4
    workspace.store.close()


def test_a_contact_is_one_for_its_email_and_keeps_what_later_conversions_leave_out() -> None:
    workspace = EndpointInMemory()
    for payload in (
        {"email": "ana@exemplo.com.br", "name": "Ana", "city": "Recife"},
        {"email": "Ana@exemplo.com.br", "name": "Ana Souza", "tags": ["a"]},
    ):
        body = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
        payload["conversion_identifier"] = "Feira"
        assert workspace.post(body=json.dumps(body).encode()).status == 200
    (contact,) = workspace.store.rows("SELECT email, fields, conversions FROM contact")
    assert json.loads(contact["fields"]) == {"name": "Ana Souza", "city": "Recife", "tags": ["a"]}
    assert (contact["email"], contact["conversions"]) == ("ana@exemplo.com.br", 2)


def test_every_request_is_counted_once() -> None:
    workspace = EndpointInMemory(SandboxOptions(plan="3/min"))
    for email in ("ana@exemplo.com.br", "nobody", "bia@exemplo.com.br", "caio@exemplo.com.br"):
        workspace.post(email)
    counts = workspace.endpoint.counts
    assert (counts.requests, counts.accepted, counts.refused, counts.throttled) == (4, 2, 1, 1)
    minutes = workspace.endpoint.minutes[workspace.account].by_minute
    assert list(minutes.values()) == [[2, 1, 1]]


def test_the_key_is_in_nothing_that_is_stored_of_a_request() -> None:
    workspace = EndpointInMemory()
    workspace.post()
    workspace.post("nobody")
    texts = [row[0] for row in workspace.store.rows("SELECT text FROM head")]
    assert texts
    assert not any(workspace.key.secret in text for text in texts)


def test_an_account_has_at_most_five_keys_each_with_a_name_of_its_own() -> None:
    workspace = EndpointInMemory()
    with pytest.raises(KeyRefusedError, match="already has a key named"):
        workspace.store.create_key(workspace.account, " IMPORT ", 0.0)
    with pytest.raises(KeyRefusedError, match="needs a name"):
        workspace.store.create_key(workspace.account, "  ", 0.0)
    for number in range(4):
        workspace.store.create_key(workspace.account, f"key {number}", 0.0)
    with pytest.raises(KeyRefusedError, match="at most 5"):
        workspace.store.create_key(workspace.account, "a sixth", 0.0)
    workspace.store.create_key(workspace.store.account("filial"), "import", 0.0)


def test_with_a_directory_all_of_it_is_there_at_the_next_start(tmp_path: Path) -> None:
    options = SandboxOptions(data=tmp_path / "data", plan="none")
    workspace = EndpointInMemory(options)
    for _ in range(120):
        workspace.post()
    workspace.store.close()
    store = Store(options.data)
    assert store.keys == {workspace.key.secret: workspace.key}
    assert store.rows("SELECT conversions FROM contact")[0][0] == 120
    endpoint = Endpoint(options, store, workspace.clock)
    body = {"conversion_identifier": "Feira", "email": "ana@exemplo.com.br"}
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": body}
    call = Call("POST", CONVERSIONS, f"api_key={workspace.key.secret}", JSON_HEADERS, b"")
    # The lead's day continues after a restart.
    assert endpoint.answer(call._replace(body=json.dumps(envelope).encode())).status == 429
    store.close()
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()} == {0}


def test_only_the_latest_conversions_are_kept_but_all_are_counted() -> None:
    workspace = EndpointInMemory(SandboxOptions(keep=10, plan="none", lead_limit=0))
    for _ in range(25):
        workspace.post()
        workspace.store.flush()
    assert [row[0] for row in workspace.store.rows("SELECT id FROM conversion")] == list(
        range(16, 26)
    )
    assert workspace.endpoint.counts.accepted == 25


def test_two_sandboxes_do_not_share_a_directory(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="no other sandbox"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite3").write_text("not a database" * 100)
    with pytest.raises(UsageError, match="cannot keep its data"):
        Store(tmp_path)
