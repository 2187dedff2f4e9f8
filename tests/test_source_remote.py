"""Lists at URLs: copied completely from real servers, or the run does not begin."""

from __future__ import annotations

import gzip
import io
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.command import Done, Workspace
from support.lists import MAPPING, people
from support.web import Site, Visit, proxy, site

from rdimport import SourceError
from rdimport.core.address import masked, shown
from rdimport.sandbox.embedded import RunningSandbox
from rdimport.source import remote
from rdimport.source.remote.google import export_of

LEADS = people(50).encode()


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.write("list.yaml", MAPPING)
    return workspace


def leads(visit: Visit) -> None:
    visit.say(LEADS, etag='"one"')


def run(workspace: Workspace, *words: str) -> Done:
    return workspace.here("run", *words, "-m", "list.yaml", "--quota", "none", "--json")


def copied(address: str, most: int = remote.MOST_BYTES) -> tuple[bytes, str]:
    into = io.BytesIO()
    copy = remote.download(address, into, most=most)
    return into.getvalue(), copy


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of TLS; the client trusts its certificate authority."""
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "docs.google.com", "accounts.google.com").configure_cert(
        context
    )
    return context


def test_a_list_over_tls_is_imported_and_nothing_of_it_stays(
    workspace: Workspace, box: RunningSandbox, tls: ssl.SSLContext
) -> None:
    with site(leads, tls) as server:
        address = server.at("/l/leads.csv?token=s3gr3do-123456", user="ana:s3nh4-123456@")
        first = workspace.here(
            "run", address, "-m", "list.yaml", "--quota", "none", "--limit", "10"
        )
        again = run(workspace, address)
    assert (first.code, again.code) == (3, 0)
    assert (again.summary["accepted"], again.summary["already_imported"]) == (40, 10)
    assert again.summary["files"] == [server.at("/l/leads.csv")]
    assert len(server.seen) == 2
    assert server.seen[0].headers["authorization"].startswith("Basic ")
    for name, content in workspace.artefacts().items():
        assert b"s3gr3do" not in content, name
        assert b"s3nh4" not in content, name
        if name.startswith(str(workspace.state)) and "sqlite" not in name:
            assert b"pessoa1@" not in content, name


def test_check_init_and_a_suppression_list_take_addresses_too(
    workspace: Workspace, tls: ssl.SSLContext
) -> None:
    with site(leads, tls) as server:
        address = server.at("/leads.csv?key=abcdef")
        proposed = workspace.here("init", address)
        looked = workspace.here("check", address)
        checked = workspace.here(
            "check", address, "-m", "list.yaml", "--suppress", address, "--json"
        )
    assert "email: E-mail" in proposed.out
    assert server.at("/leads.csv") in looked.out
    assert checked.summary["suppressed"] == 50
    assert "abcdef" not in "".join(workspace.output)


def test_a_list_that_has_changed_between_two_runs_sends_only_what_is_new(
    workspace: Workspace, box: RunningSandbox
) -> None:
    with site(leads) as server:
        assert (
            workspace.here(
                "run", server.at("/a.csv"), "-m", "list.yaml", "--quota=none", "--limit=10"
            ).code
            == 3
        )
        server.answer = lambda visit: visit.say(people(60).encode(), etag='"two"')
        done = run(workspace, server.at("/a.csv"))
    assert (done.summary["already_imported"], done.summary["accepted"]) == (10, 50)
    assert box.counts()["accepted"] == 60


def test_its_etag_and_size_tell_it_from_a_later_one() -> None:
    with site(leads) as server:
        assert copied(server.at("/a"))[1] == f'"one" {len(LEADS)}'
        server.answer = lambda visit: visit.say(LEADS)
        assert copied(server.at("/a"))[1] == ""


def test_a_download_resumes_after_a_cut_connection() -> None:
    def answer(visit: Visit) -> None:
        wanted = visit.headers["range"]
        if not wanted:
            visit.send_response(200)
            visit.send_header("Content-Length", str(len(LEADS)))
            visit.send_header("ETag", '"one"')
            visit.end_headers()
            visit.wfile.write(LEADS[:700])
            visit.cut()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        content_range = f"bytes {start}-{len(LEADS) - 1}/{len(LEADS)}"
        visit.say(LEADS[start:], 206, etag='"one"', content_range=content_range)

    with site(answer) as server:
        assert copied(server.at("/a"))[0] == LEADS
    assert [visit.headers["if-range"] for visit in server.seen] == [None, '"one"']


def test_a_list_that_changes_while_it_comes_is_taken_from_its_beginning() -> None:
    other = people(20).encode()

    def answer(visit: Visit) -> None:
        if visit.headers["range"]:
            visit.say(other, etag='"two"')
            return
        visit.send_response(200)
        visit.send_header("Content-Length", str(len(LEADS)))
        visit.send_header("ETag", '"one"')
        visit.end_headers()
        visit.wfile.write(LEADS[:700])
        visit.cut()

    with site(answer) as server:
        assert copied(server.at("/a")) == (other, f'"two" {len(other)}')


def cut(visit: Visit) -> None:
    visit.send_response(200)
    visit.send_header("Content-Length", "1000")
    visit.end_headers()
    visit.wfile.write(b"E-mail,Nome\n")
    visit.cut()


def endless(visit: Visit) -> None:
    visit.send_response(200)
    visit.send_header("Connection", "close")
    visit.end_headers()
    visit.wfile.write(LEADS)
    visit.cut()


def forever(visit: Visit) -> None:
    visit.send_response(200)
    visit.send_header("Transfer-Encoding", "chunked")
    visit.end_headers()
    while True:
        visit.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")


def to(where: str, status: int = 302) -> object:
    return lambda visit: visit.say(b"", status, location=where)


REFUSED = {
    "always cut": (cut, "breaks before"),
    "of no known length": (endless, "its length"),
    "larger than announced to be possible": (
        lambda visit: visit.say(b"", content_length=str(3 << 30)),
        "too large",
    ),
    "without an end": (forever, "too large"),
    "not there": (lambda visit: visit.say(b"no", 404), "nothing at"),
    "forbidden": (lambda visit: visit.say(b"no", 403), "is not public"),
    "login": (lambda visit: visit.say(b"no", 401), "is not public"),
    "broken": (lambda visit: visit.say(b"no", 500), "HTTP 500"),
    "forwarded in clear": (to("http://example.com/leads.csv"), "without https"),
    "forwarded to a file": (to("file:///etc/passwd"), "without https"),
    "forwarded for ever": (to("/again"), "too many times"),
    "forwarded to nowhere": (to("http://[::1"), "an invalid address"),
    "packed oddly": (lambda visit: visit.say(LEADS, content_encoding="br"), "compressed"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_a_whole_list_is_refused(kind: str) -> None:
    answer, said = REFUSED[kind]
    with site(answer) as server, pytest.raises(SourceError, match=said) as found:  # type: ignore[arg-type]
        copied(server.at("/leads.csv?token=abcdef", user="ana:segredo@"), most=1 << 20)
    assert server.at("/leads.csv") in found.value.message
    assert not {"segredo", "abcdef"} & set(str(found.value).replace("=", " ").split())


def test_a_failure_that_passes_is_waited_for() -> None:
    def answer(visit: Visit) -> None:
        if len(visit.site.seen) == 1:
            visit.say(b"later", 503)
        else:
            leads(visit)

    with site(answer) as server:
        assert copied(server.at("/a"))[0] == LEADS


def test_a_cookie_of_a_redirect_is_returned_to_its_host_only() -> None:
    """Shared files of some services are given only to a client with the cookie of their link."""

    def answer(visit: Visit) -> None:
        if "pass=yes" in (visit.headers["cookie"] or ""):
            visit.say(b"", 302, location=other.at("/list").replace("127.0.0.1", "localhost"))
        else:
            visit.say(b"", 302, location="/again", set_cookie="pass=yes; Path=/")

    with site(leads) as other, site(answer) as server:
        assert copied(server.at("/a"))[0] == LEADS
    assert len(server.seen) == 2
    assert other.seen[0].headers["cookie"] is None


def test_credentials_go_to_nobody_else() -> None:
    with site(leads) as other, site(to(other.at("/b"))) as server:  # type: ignore[arg-type]
        assert copied(server.at("/a", user="ana:segredo@"))[0] == LEADS
    assert server.seen[0].headers["authorization"]
    assert other.seen[0].headers["authorization"] is None


def test_a_list_that_is_packed_on_its_way_is_unpacked(
    workspace: Workspace, box: RunningSandbox
) -> None:
    packed = gzip.compress(LEADS)
    with site(lambda visit: visit.say(packed, content_encoding="gzip")) as server:
        assert run(workspace, server.at("/leads.csv")).summary["accepted"] == 50
        server.answer = lambda visit: visit.say(gzip.compress(people(55).encode()))
        assert run(workspace, server.at("/leads.csv.gz")).summary["accepted"] == 5


BAD = {
    "http://example.com/leads.csv": "unencrypted",
    "ftp://example.com/leads.csv": "ftp://",
    "https:///leads.csv": "is not an address",
    "https://[::1/leads.csv": "is not an address",
    "https://xn--a/leads.csv": "is not an address",
    f"https://{'a' * 70}.com/leads.csv": "is not an address",
    "https://127.0.0.1:1/leads.csv?token=abcdef": "cannot be reached",
}


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_cannot_be_used_ends_with_2(
    workspace: Workspace, box: RunningSandbox, address: str
) -> None:
    done = run(workspace, address)
    assert (done.code, box.requests) == (2, 0)
    assert BAD[address] in done.err
    assert "abcdef" not in done.err
    portuguese = workspace.here("check", address, "-m", "list.yaml", "--lang", "pt-BR")
    assert portuguese.code == 2
    assert BAD[address] not in portuguese.err or "://" in BAD[address]


def test_a_certificate_that_nobody_trusts_is_said(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with site(leads, tls) as server, pytest.raises(SourceError, match="not trusted"):
        copied(server.at("/a"))


ID = "1AbC-dEf_GhIjKlMnOpQrStUv"
SHEET = f"https://docs.google.com/spreadsheets/d/{ID}"
LINKS = {
    f"{SHEET}/edit?gid=0#gid=0": f"{SHEET}/export?format=csv&gid=0",
    f"{SHEET}/edit#gid=1234": f"{SHEET}/export?format=csv&gid=1234",
    f"{SHEET}/edit?usp=sharing": f"{SHEET}/export?format=xlsx",
    f"{SHEET}/": f"{SHEET}/export?format=xlsx",
    SHEET: f"{SHEET}/export?format=xlsx",
    f"{SHEET.replace('/d/', '/u/1/d/')}/edit#gid=7": f"{SHEET}/export?format=csv&gid=7",
    f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pubhtml?gid=5&single=true": (
        f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pub?output=csv&single=true&gid=5"
    ),
    f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pubhtml": (
        f"https://docs.google.com/spreadsheets/d/e/2PACX-{ID}/pub?output=xlsx"
    ),
    f"https://drive.google.com/file/d/{ID}/view?usp=sharing": (
        f"https://drive.google.com/uc?export=download&id={ID}"
    ),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_a_google_sheet_becomes_the_address_of_its_cells(link: str) -> None:
    found = export_of(link, all_sheets=False)
    assert found is not None
    assert found.address == LINKS[link]
    assert ID in found.name
    whole = export_of(link, all_sheets=True)
    assert whole is not None
    assert "csv" not in whole.address


@pytest.mark.parametrize(
    "link", ["https://docs.google.com.example.com/spreadsheets/d/" + ID, "https://example.com/a"]
)
def test_other_addresses_stay_what_they_are(link: str) -> None:
    assert export_of(link, all_sheets=False) is None


def google(visit: Visit) -> None:
    if visit.path == f"/spreadsheets/d/{ID}/export?format=csv&gid=7":
        visit.say(LEADS, content_type="text/csv")
    else:
        visit.say(b"", 307, location="https://accounts.google.com/ServiceLogin?continue=x")


@pytest.fixture
def behind_proxy(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> Iterator[Site]:
    with site(google, tls) as server, proxy(server.port) as address:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HTTPS_PROXY", address)
        yield server


def test_a_sheet_that_is_shared_is_imported_through_a_proxy_and_a_private_one_is_explained(
    behind_proxy: Site, workspace: Workspace, box: RunningSandbox
) -> None:
    done = run(workspace, f"{SHEET}/edit?gid=7#gid=7")
    assert (done.code, done.summary["accepted"]) == (0, 50)
    assert done.summary["files"] == [f"{SHEET}/edit"]
    for lang, said in (("en", "Anyone with the link"), ("pt-BR", "Qualquer pessoa com o link")):
        private = workspace.here("check", f"{SHEET}/edit#gid=8", "-m", "list.yaml", "--lang", lang)
        assert private.code == 2
        assert said in private.err
    page = b"<html><title>Sign in - Google Accounts</title></html>"
    behind_proxy.answer = lambda visit: visit.say(page, content_type="text/html; charset=utf-8")
    assert "private" in workspace.here("check", f"{SHEET}/edit#gid=7").err


@pytest.mark.parametrize("entry", ["[::1]", "fe80::/10", "a:b:c", "%zz"])
def test_an_entry_of_no_proxy_that_names_no_host_is_passed_over(
    behind_proxy: Site, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("NO_PROXY", f"{entry},outro.com.br")
    assert workspace.here("check", f"{SHEET}/edit?gid=7#gid=7", "-m", "list.yaml").code == 0


def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    behind_proxy: Site, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.setenv("ALL_PROXY", "http://a:bc")
    done = workspace.here("check", f"{SHEET}/edit?gid=7#gid=7", "-m", "list.yaml")
    assert (done.code, "proxy that ALL_PROXY names" in done.err) == (2, True)


SHOWN = {
    "https://ana:x@h.com:8443/a/b.csv?token=y#z": (
        "https://h.com:8443/a/b.csv",
        "https://***@h.com:8443/a/b.csv?token=***",
    ),
    f"{SHEET}/edit?gid=7#gid=7": (f"{SHEET}/edit", f"{SHEET}/edit?gid=7#gid=7"),
    "s3://bucket/a.csv": ("s3://bucket/a.csv", "s3://bucket/a.csv"),
    "https://[::1/a?b=c": ("https://[::1", "https://[::1"),
    "leads.csv": ("leads.csv", "leads.csv"),
}


@pytest.mark.parametrize("word", SHOWN)
def test_an_address_is_shown_without_what_lets_somebody_in(word: str) -> None:
    assert (shown(word), masked(word)) == SHOWN[word]


def test_a_job_may_have_a_list_at_an_address(workspace: Workspace, box: RunningSandbox) -> None:
    workspace.write("acme.key", workspace.key or "")
    (workspace.home / "acme.key").chmod(0o600)
    with site(leads) as server:
        text = (
            f'[accounts.acme]\napi_key = {{file = "acme.key"}}\nquota = "none"\n'
            f'base_url = "{box.base_url}"\nstate_dir = "state"\n[jobs.feira]\naccount = "acme"\n'
            f'files = "{server.at("/leads.csv?token=abcdef")}"\nmapping = "list.yaml"\n'
        )
        workspace.write("rdimport.toml", text)
        checked = workspace.here("jobs", "check", "--config", "rdimport.toml")
        done = workspace.here("jobs", "run", "--config", "rdimport.toml", "--json")
    assert (checked.code, done.code) == (0, 0), checked.err
    assert "abcdef" not in checked.out + done.out
    workspace.write("rdimport.toml", text + 'move_done = "feitos"\n')
    refused = workspace.here("jobs", "check", "--config", "rdimport.toml")
    assert (refused.code, "cannot be moved" in refused.err) == (2, True)
