"""Lists at s3:// addresses, from a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.command import Workspace
from support.lists import MAPPING, people

from rdimport.sandbox.embedded import RunningSandbox

pytestmark = pytest.mark.filterwarnings("default")  # the server library's warnings are its own

SECRET = "s3gr3d0-d0-b4ld3-0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an object store with one list in it."""
    import boto3  # noqa: PLC0415  both take long to load, and every worker collects this module
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="acme",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket="listas")
    client.put_object(Bucket="listas", Key="março/leads 1.csv", Body=people(30).encode())
    yield address
    moto.stop()


@pytest.fixture
def workspace(workspace: Workspace, server: str, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace.write("list.yaml", MAPPING)
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "acme",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    return workspace


def test_a_list_in_a_bucket_is_imported(workspace: Workspace, box: RunningSandbox) -> None:
    address = "s3://listas/março/leads 1.csv"
    words = ("run", address, "-m", "list.yaml", "--quota", "none", "--json")
    first = workspace.here(*words, "--limit", "10")
    again = workspace.here(*words)
    assert (first.code, again.code) == (3, 0)
    assert (again.summary["already_imported"], again.summary["accepted"]) == (10, 20)
    assert again.summary["files"] == [address]
    assert all(SECRET.encode() not in content for content in workspace.artefacts().values())


WRONG = {
    "s3://listas/nada.csv": ("There is nothing at", "Não há nada em"),
    "s3://nenhum/leads.csv": ("There is nothing at", "Não há nada em"),
    "s3://listas": ("not the address of an object", "não é o endereço de um objeto"),
    "s3://ana:segredo@listas/a.csv": ("not the address of an object", "não é o endereço"),
}


@pytest.mark.parametrize("address", WRONG)
def test_what_is_not_there_ends_with_2(workspace: Workspace, address: str) -> None:
    for lang, said in zip(("en", "pt-BR"), WRONG[address], strict=True):
        done = workspace.here("check", address, "-m", "list.yaml", "--lang", lang)
        assert (done.code, said in done.err) == (2, True), done.err
        assert "segredo" not in done.err


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://127.0.0.1:1", "GenericError: Generic S3 error: Error performing GET ***"),
        ("nonsense", "PanicException"),
        ("http://[::", "ValueError: Invalid IPv6 URL"),
    ],
)
def test_a_store_that_cannot_be_reached_ends_with_2(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, endpoint: str, said: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    done = workspace.do("check", "s3://listas/a.csv", "-m", "list.yaml")
    assert done.code == 2, done.err
    assert f"cannot be read from its store ({said}" in done.err
    assert "segredo" not in done.err
