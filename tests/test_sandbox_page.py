"""The sandbox's page as HTML over HTTP."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Self

import httpx
import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from support.samples import ROOT
from support.waiting import TIMEOUT
from support.web import NO_TLS

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox
from rdimport.sandbox.faults import FAULT_TEXTS
from rdimport.sandbox.page import markup, words
from rdimport.sandbox.replies import Reason

FOLDER = ROOT / "rdimport" / "core" / "messages" / "locale"

HEADERS = {"content-type": "application/json"}
PAGES = ("/", "/sandbox/contacts", "/sandbox/refused", "/sandbox/faults")


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSandbox]:
    with running(SandboxOptions(plan="300/min", accounts=("default", "filial"))) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: RunningSandbox) -> RunningSandbox:
    shared.clear()
    shared.set_faults(Faults())
    return shared


class Browser:
    """A person's browser without scripts."""

    def __init__(self, sandbox: RunningSandbox, language: str = "en") -> None:
        headers = {"accept-language": language, "origin": sandbox.base_url}
        self.client = httpx.Client(
            base_url=sandbox.base_url, follow_redirects=True, headers=headers, verify=NO_TLS
        )
        assert self.client.get(sandbox.page_url).status_code == 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200
        return answer.text

    def post(self, path: str, **form: str) -> str:
        answer = self.client.post(path, data=form)
        assert answer.status_code in (200, 422)
        return answer.text


def send(sandbox: RunningSandbox, key: str = "", **payload: object) -> int:
    payload = {"conversion_identifier": "Feira", "email": "ana@exemplo.com.br", **payload}
    envelope = {"event_type": "CONVERSION", "event_family": "CDP", "payload": payload}
    url = f"{sandbox.base_url}/platform/conversions"
    params = {"api_key": key or sandbox.api_key}
    return httpx.post(
        url, params=params, content=json.dumps(envelope), headers=HEADERS, verify=NO_TLS
    ).status_code


@pytest.mark.parametrize("language", list(words.LANGUAGES))
@pytest.mark.parametrize("filled", [False, True])
def test_every_page_is_there_in_both_languages_empty_and_filled(
    sandbox: RunningSandbox, language: str, filled: bool
) -> None:
    if filled:
        send(sandbox, cf_perdido="x", tags=["a"], available_for_mailing=True, name="Ana Souza")
        send(sandbox, email="ana", tags=["A"])
        send(sandbox, key="wrong")
        sandbox.set_faults(Faults(odd=1.0, latency=0.001))
        send(sandbox)
    contact = sandbox.contacts()[0]["id"] if filled else 0
    with Browser(sandbox, language) as browser:
        for path in (*PAGES, *([f"/sandbox/contacts/{contact}"] if filled else [])):
            assert f'<html lang="{language}">' in browser.get(path)
        assert browser.client.get("/sandbox/nothing").status_code == 404


def test_no_sentence_of_the_page_lacks_its_translation_and_none_is_left_over() -> None:
    folder = Path(words.__file__).parent
    sources = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "words.py")
    joined = re.sub(r'"\s*\n\s*"', "", sources).replace("'", '"')
    sentences = {words.NO_KEYS, words.WHOM_TO_ASK, *words.KEY_MISTAKES}
    for table in (words.REASONS, words.ERRORS, words.REMEDIES, FAULT_TEXTS):
        sentences.update(table.values())
    with (FOLDER / "pt_BR" / "LC_MESSAGES" / "rdimport.po").open("rb") as file:
        known = {str(m.id): m.string for m in read_po(file) if m.context == words.CONTEXT}
    unused = [
        text
        for text in known
        if f'"{text}"'.replace("'", '"') not in joined and text not in sentences
    ]
    assert unused == []
    assert sentences <= set(known)
    assert not {english for english, portuguese in known.items() if english == portuguese}
    assert set(words.REASONS) == {reason.value for reason in Reason} - {"fields"}


def test_a_language_is_remembered_and_leads_back_to_the_same_page(sandbox: RunningSandbox) -> None:
    with Browser(sandbox) as browser:
        referer = f"{sandbox.base_url}/sandbox/faults"
        answer = browser.client.get("/sandbox/language/pt-BR", headers={"referer": referer})
        assert answer.url.path == "/sandbox/faults"
        assert "Simular falhas" in browser.get("/")
        answer = browser.client.get(
            "/sandbox/language/en", headers={"referer": "https://example.com/"}
        )
        assert str(answer.url) == f"{sandbox.base_url}/"


def test_what_people_send_is_text_on_the_page_and_never_markup(sandbox: RunningSandbox) -> None:
    evil = "<script>alert(1)</script>"
    assert send(sandbox, name=evil, conversion_identifier=evil, **{evil: 1}) == 200
    assert send(sandbox, email=evil) == 400
    with Browser(sandbox) as browser:
        contact = sandbox.contacts()[0]["id"]
        for path in (*PAGES, f"/sandbox/contacts/{contact}", f"/sandbox/contacts?search={evil}"):
            assert "<script>alert" not in browser.get(path)


def test_the_page_loads_nothing_from_elsewhere(sandbox: RunningSandbox) -> None:
    with Browser(sandbox) as browser:
        html = browser.get("/")
        links = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert links
        assert all(link.startswith(("/", "#")) for link in links)
        for link in re.findall(r'"(/static/[^"]+)"', html):
            assert "http" not in browser.get(link).replace("http://www.w3.org/2000/svg", "")
        policy = browser.client.get("/").headers["content-security-policy"]
        assert "default-src 'none'" in policy


def test_a_key_is_shown_in_full_once_and_copied_on_demand(sandbox: RunningSandbox) -> None:
    with Browser(sandbox) as browser:
        html = browser.post("/sandbox/keys?account=2", name="planilhas")
        secret = re.search(r'data-copy="([0-9a-f]{32})"', html)
        assert secret is not None
        assert send(sandbox, key=secret[1]) == 200
        later = browser.get("/?account=2")
        assert secret[1] not in later
        paths = re.findall(r'data-copy-from="([^"]+)"', later)
        whole = f"rdimport run FILE -m MAPPING --base-url {sandbox.base_url}"
        line = f"RDIMPORT_API_KEY={secret[1]} {whole}"
        assert {*map(browser.post, paths)} == {secret[1], line}
        assert "This name is already taken" in browser.post(
            "/sandbox/keys?account=2", name="Planilhas"
        )
        assert "A key needs a name" in browser.post("/sandbox/keys?account=2", name=" ")


def test_a_key_that_is_switched_off_on_the_page_is_refused(sandbox: RunningSandbox) -> None:
    with Browser(sandbox) as browser:
        html = browser.post("/sandbox/accounts", name="matriz")
        assert "0 of 5" in html
        account = re.search(r"account=(\d+)", html)
        assert account is not None
        key = sandbox.create_key("loja", account="matriz")
        html = browser.get(f"/?{account[0]}")
        action = re.search(r'action="(/sandbox/keys/\d+[^"]*)"', html)
        assert action is not None
        assert 'aria-checked="false"' in browser.post(action[1].replace("&amp;", "&"), active="")
        assert send(sandbox, key=key) == 401
        assert "The key loja is inactive." in browser.get(f"/sandbox/refused?{account[0]}")
        browser.post(action[1], active="1")
        assert send(sandbox, key=key) == 200


@pytest.mark.parametrize("language", list(words.LANGUAGES))
def test_a_usuario_sees_no_key_makes_none_and_learns_whom_to_ask(
    sandbox: RunningSandbox, language: str
) -> None:
    (key,) = re.findall(r"/sandbox/keys/(\d+)/secret", page_of(sandbox, "/", language))[:1]
    with Browser(sandbox, language) as browser:
        try:
            html = browser.post("/sandbox/profile", profile="Usuário")
            assert words.say(language, words.NO_KEYS) in html
            assert sandbox.api_key not in html
            assert sandbox.api_key[-4:] not in html
            assert f"--api-key-file {words.say(language, 'KEY-FILE')}" in re.sub(
                r"<[^>]+>", "", html
            )
            for path, form in (
                ("/sandbox/keys", {"name": "mine"}),
                (f"/sandbox/keys/{key}", {"active": ""}),
                (f"/sandbox/keys/{key}/secret", {}),
                (f"/sandbox/keys/{key}/command", {}),
            ):
                answer = browser.client.post(path, data=form)
                assert answer.status_code == 403
                assert "Gestor" in answer.text
            assert send(sandbox) == 200, "a key works whoever looks"
        finally:
            html = browser.post("/sandbox/profile", profile="Gestor")
        assert f"/sandbox/keys/{key}/secret" in html
        assert browser.client.post("/sandbox/profile", data={"profile": "Rei"}).status_code == 404


def page_of(sandbox: RunningSandbox, path: str, language: str) -> str:
    with Browser(sandbox, language) as browser:
        return browser.get(path)


@pytest.mark.parametrize("language", list(words.LANGUAGES))
def test_a_refused_request_says_what_to_do(sandbox: RunningSandbox, language: str) -> None:
    send(sandbox, key="wrong")
    send(sandbox, email="ana")
    html = page_of(sandbox, "/sandbox/refused", language)
    for reason in ("key_unknown", "fields"):
        assert escape(words.remedy(language, reason)) in html
    assert set(words.REMEDIES) == {reason.value for reason in Reason}


def test_a_sixth_key_is_not_offered(sandbox: RunningSandbox) -> None:
    for number in range(5):
        sandbox.create_key(f"key {number}", account="cheia")
    with Browser(sandbox) as browser:
        html = browser.post("/sandbox/accounts", name="cheia")
        assert "at most 5 keys" in html
        assert 'id="key-name"' not in html


def test_an_account_shows_its_own_contacts_only(sandbox: RunningSandbox) -> None:
    key = sandbox.create_key("só dela", account="filial")
    send(sandbox, email="ana@exemplo.com.br")
    send(sandbox, key=key, email="bia@exemplo.com.br")
    with Browser(sandbox) as browser:
        first, second = browser.get("/sandbox/contacts"), browser.get("/sandbox/contacts?account=2")
    assert "ana@exemplo.com.br" in first
    assert "bia@exemplo.com.br" not in first
    assert "bia@exemplo.com.br" in second
    assert "ana@exemplo.com.br" not in second


def test_contacts_are_found_by_name_and_email_and_paged(sandbox: RunningSandbox) -> None:
    for number in range(60):
        send(sandbox, email=f"p{number}@exemplo.com.br", name=f"Pessoa Número {number}")
    with Browser(sandbox) as browser:
        assert browser.get("/sandbox/contacts").count('class="name"') == 50
        assert browser.get("/sandbox/contacts?page=1").count('class="name"') == 10
        assert browser.get("/sandbox/contacts?search=NUMERO 3").count('class="name"') == 11
        assert browser.get("/sandbox/contacts?search=pessoa número 7").count('class="name"') == 1
        assert browser.get("/sandbox/contacts?search=p59@").count('class="name"') == 1
        assert "No contact matches “zz”" in browser.get("/sandbox/contacts?search=zz")


def test_a_contact_shows_its_fields_its_timeline_and_what_was_dropped(
    sandbox: RunningSandbox,
) -> None:
    send(sandbox, name="Ana Souza", conversion_identifier="Primeira")
    send(sandbox, city="Recife", cf_interese="x", conversion_identifier="Segunda")
    contact = sandbox.contacts()[0]["id"]
    with Browser(sandbox) as browser:
        html = browser.get(f"/sandbox/contacts/{contact}")
        assert "<h1>Ana Souza</h1>" in html
        assert html.index("Segunda") < html.index("Primeira")
        assert "<mark>    &quot;cf_interese&quot;: &quot;x&quot;" in html
        assert sandbox.api_key not in html
        raw = re.search(r'"(/sandbox/conversions/\d+/raw)"', html)
        assert raw is not None
        assert json.loads(browser.get(raw[1]))["payload"]["city"] == "Recife"
        assert "1 dropped" in html
        assert "cf_interese" in browser.get("/")


def test_the_figures_follow_the_quota(sandbox: RunningSandbox) -> None:
    for _ in range(3):
        send(sandbox)
    with Browser(sandbox) as browser:
        html = browser.get("/")
    used = re.search(r'<progress max="300" value="(\d+)"', html)
    assert used is not None
    # A new minute may have begun since.
    assert int(used[1]) in range(4)
    assert "of 300" in html


def test_the_faults_form_switches_presets_and_refuses_nonsense(sandbox: RunningSandbox) -> None:
    with Browser(sandbox) as browser:
        html = browser.post("/sandbox/faults", odd="100", odd_status="451", latency="0.001")
        assert "Faults are on" in html
        assert send(sandbox) == 451
        assert "Nothing was changed" in browser.post("/sandbox/faults", odd="80", cut="30")
        assert "Nothing was changed" in browser.post("/sandbox/faults", preset="nope")
        assert send(sandbox) == 451
        assert "throttle 70%" in browser.post("/sandbox/faults", preset="429 storm")
        assert "Faults are on" not in browser.post("/sandbox/faults", off="1", odd="100")
        assert send(sandbox) == 200


@given(st.text())
def test_any_text_in_an_element_comes_back_as_that_text(text: str) -> None:
    html = markup.tag("p", text, title=text, hidden=False)
    assert not re.search(r"<(?!/?p)", html)
    assert html.count('"') == 2


def test_another_http_method_or_garbage_on_the_socket_does_not_disturb_it(
    sandbox: RunningSandbox,
) -> None:
    host, port = sandbox.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert httpx.put(f"{sandbox.base_url}/platform/conversions").status_code == 405
    assert send(sandbox) == 200
