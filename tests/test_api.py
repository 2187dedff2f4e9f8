"""The Python interface, used as by a program that embeds rdimport."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import pickle
import pydoc
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import NoReturn

import polars as pl
import pytest
from support.command import without_coverage
from support.waiting import TIMEOUT

import rdimport
from rdimport.sandbox import running
from rdimport.sandbox.embedded import RunningSandbox

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
LEADS = "E-mail,Nome\nana@example.com,Ana\nbruno@example.com,Bruno\nsem arroba,Carla\n"
MAPPING = "conversion_identifier: Feira\nfields: {email: E-mail, name: Nome}\n"


@pytest.fixture(scope="module")
def box() -> Iterator[RunningSandbox]:
    with running() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    (tmp_path / "leads.yaml").write_text(MAPPING, encoding="utf-8")
    return tmp_path


def station(box: RunningSandbox, account: str) -> rdimport.RDStation:
    return rdimport.RDStation(box.api_key, base_url=box.base_url, account=account)


def test_a_call_speaks_the_language_that_it_is_asked_for(box: RunningSandbox, folder: Path) -> None:
    for lang, said in (("en", "does not exist"), ("pt-BR", "não existe")):
        with pytest.raises(rdimport.SourceError, match=said):
            rdimport.check(folder / "no.csv", folder / "leads.yaml", lang=lang)
        with pytest.raises(rdimport.SourceError, match=said):
            rdimport.run(folder / "no.csv", folder / "leads.yaml", to=station(box, "x"), lang=lang)
    with pytest.raises(rdimport.SourceError, match="does not exist"):
        rdimport.check(folder / "no.csv", folder / "leads.yaml")


def test_a_run_that_is_cancelled_twice_ends_when_its_thread_does(
    box: RunningSandbox, folder: Path
) -> None:
    """The thread reads the list and queries the ledger, which would both be closed under it."""
    begun, may_go_on = threading.Event(), threading.Event()

    def hold(_event: rdimport.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            may_go_on.wait(TIMEOUT)

    where = {"to": station(box, "twice"), "state_dir": folder / "state", "report_dir": folder}
    work = partial(rdimport.run_async, folder / "leads.csv", folder / "leads.yaml", **where)

    async def cancel_twice() -> None:
        run = asyncio.ensure_future(work(on_event=hold))
        assert await asyncio.to_thread(begun.wait, TIMEOUT)
        for _ in range(2):
            run.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        assert not run.done()
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancel_twice())
    counts = asyncio.run(work()).counts
    assert counts[rdimport.State.ACCEPTED] == 2
    assert counts[rdimport.State.INVALID] == 1


def test_every_public_name_is_there_and_listed_in_order() -> None:
    assert sorted(rdimport.__all__) == rdimport.__all__
    for name in rdimport.__all__:
        assert getattr(rdimport, name) is not None
        assert name in dir(rdimport)
    with pytest.raises(AttributeError, match="Imported"):
        rdimport.Imported  # noqa: B018


def printed_by(code: str) -> list[str]:
    """The words of the last line that this code prints in a separate interpreter."""
    command = [sys.executable, "-I", "-c", code]
    found = subprocess.run(
        command, env=without_coverage(), capture_output=True, text=True, check=True
    )
    return found.stdout.splitlines()[-1].split()


def test_importing_the_package_loads_nothing_else() -> None:
    modules = printed_by("import rdimport, sys; print(*sys.modules)")
    dear = {"asyncio", "httpx", "pandera", "polars", "pydantic", "sqlite3", "typing"}
    assert not dear & set(modules)


def test_commands_that_read_no_list_load_no_frames() -> None:
    names = "accounts jobs key ledger purge run sandbox status worker"  # read by the run later
    loads = f"import sys; [__import__(f'rdimport.cli.{{name}}') for name in '{names}'.split()]"
    modules = printed_by(f"{loads}; print(*sys.modules)")
    assert not {"asyncio", "httpx", "pandera", "polars", "uvicorn"} & set(modules)


def test_without_settings_their_model_is_not_loaded(tmp_path: Path) -> None:
    looks = f"main(['status', '--state-dir', {str(tmp_path)!r}])"
    code = f"import sys; from rdimport.cli import main; {looks}; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=without_coverage() | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"polars", "pydantic", "rdimport.config.model"} & set(found.stdout.split())


def test_a_mapping_and_its_constants_are_understood_without_what_validates_rows() -> None:
    code = (
        "import sys, rdimport.api.pipeline\n"
        "from rdimport.mapping import Mapping\n"
        "from rdimport.prepare import bind\n"
        "mapping = Mapping.parse('conversion_identifier: A\\nfields: {email: E-mail}')\n"
        "bind(mapping, ['E-mail'], 'list.csv')\n"
        "print(*sys.modules)"
    )
    modules = printed_by(code)
    dear = {"httpx", "pandera", "rapidfuzz", "rdimport.mapping.sql.grammar", "xlsxwriter"}
    assert not dear & set(modules)


def test_a_run_says_what_became_of_every_row_and_a_second_one_resumes(
    folder: Path, box: RunningSandbox
) -> None:
    where = {"to": station(box, "resume"), "state_dir": folder / "state"}
    reports = folder / "reports"
    first = rdimport.run(folder / "leads.csv", folder / "leads.yaml", report_dir=reports, **where)
    assert first.counts[rdimport.State.ACCEPTED] == 2
    assert first.counts[rdimport.State.INVALID] == 1
    assert first.exit_code is rdimport.ExitCode.FAILED_ROWS
    assert first.problems["code"].to_list() == ["email.no_at"]
    again = rdimport.run(folder / "leads.csv", folder / "leads.yaml", report_dir=reports, **where)
    assert again.counts[rdimport.State.ALREADY_IMPORTED] == 2
    assert again.summary.requests == 0


def test_a_run_of_nothing_new_loads_no_sender(folder: Path, box: RunningSandbox) -> None:
    to = station(box, "new")
    files = (str(folder / "leads.csv"), str(folder / "leads.yaml"))
    where = {"state_dir": str(folder / "state"), "report_dir": str(folder / "reports")}
    code = (
        "import sys, rdimport\n"
        f"to = rdimport.RDStation({box.api_key!r}, base_url={box.base_url!r}, account='new')\n"
        f"done = rdimport.run(*{files!r}, to=to, **{where!r})\n"
        "print(done.counts[rdimport.State.ALREADY_IMPORTED], *sys.modules)"
    )
    assert rdimport.run(*files, to=to, **where).summary.requests == 2
    known, *modules = printed_by(code)
    assert known == "2"
    assert not {"httpx", "httptools", "rdimport.delivery.dispatcher"} & set(modules)


def test_what_has_been_loaded_when_the_first_row_is_answered(
    folder: Path, box: RunningSandbox
) -> None:
    code = (
        "import sys, rdimport\n"
        "loaded = []\n"
        "def look(event):\n"
        "    if type(event).__name__ == 'RowFinished' and not loaded: loaded.extend(sys.modules)\n"
        f"to = rdimport.RDStation({box.api_key!r}, base_url={box.base_url!r}, account='first')\n"
        f"rdimport.run({str(folder / 'leads.csv')!r}, {str(folder / 'leads.yaml')!r}, to=to,\n"
        f"    state_dir={str(folder / 'state')!r}, report_dir={str(folder / 'reports')!r},\n"
        "    quota=None, on_event=look)\n"
        "print(*loaded)"
    )
    modules = printed_by(code)
    assert {"pandera", "rdimport.delivery.transport.direct"} <= set(modules)
    dear = {"fastexcel", "http.client", "httpcore", "httpx", "keyring", "logging.handlers"}
    dear |= {"phonenumbers", "psycopg", "rdimport.report.summary", "xlsxwriter"}
    assert not dear & set(modules)
    ours = [name for name in modules if name.startswith("rdimport")]
    assert len(ours) <= 192  # there are 650 more of Python's, polars' and pandera's


def test_a_list_is_opened_before_what_plans_it_is_loaded() -> None:
    loads = "import sys, rdimport.api, rdimport.cli.run, rdimport.cli.terminal"
    modules = printed_by(f"{loads}; print(*sys.modules)")
    later = {"asyncio", "rdimport.ledger", "rdimport.plan.planner", "rdimport.prepare"}
    assert not later & set(modules)


def test_what_a_check_of_few_rows_loads(folder: Path) -> None:
    words = ["check", str(folder / "leads.csv"), "-m", str(folder / "leads.yaml"), "--quiet"]
    code = (
        "import sys\n"
        "from rdimport.cli import main\n"
        f"main({[*words, '--state-dir', str(folder / 'state')]!r})\n"
        "print(*sys.modules)"
    )
    modules = printed_by(code)
    assert "pandera" in modules
    dear = {"asyncio", "fastexcel", "httpx", "keyring", "phonenumbers", "ssl", "xlsxwriter"}
    assert not dear & set(modules)
    ours = [name for name in modules if name.startswith("rdimport")]
    assert len(ours) <= 186


def test_a_check_sends_nothing_and_hands_out_the_payloads(folder: Path) -> None:
    done = rdimport.check([str(folder / "leads.csv")], str(folder / "leads.yaml"))
    assert (done.rows, done.to_send) == (3, 2)
    assert done.seconds == 1.0  # 120 a minute by default
    assert sum(frame.height for frame in done.payloads()) == 2


def test_a_mapping_may_be_an_object_and_a_loop_may_be_running(
    folder: Path, box: RunningSandbox
) -> None:
    seen: list[rdimport.Event] = []

    async def work() -> rdimport.RunResult:
        return await rdimport.run_async(
            folder / "leads.csv",
            rdimport.Mapping.parse(MAPPING),
            to=station(box, "loop"),
            quota=rdimport.Quota(600, 60),
            state_dir=str(folder / "state"),
            report_dir=str(folder / "reports"),
            limit=1,
            on_event=seen.append,
        )

    done = asyncio.run(work())
    assert done.counts[rdimport.State.ACCEPTED] == 1
    assert done.counts[rdimport.State.PENDING] == 1
    assert seen


def test_a_proposal_is_a_mapping_that_can_be_used(folder: Path) -> None:
    found = rdimport.propose(folder / "leads.csv")
    assert set(rdimport.Mapping.parse(found.text).fields) == {"email", "name"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"quota": "often"}, rdimport.UsageError),
        ({"mapping": "no.yaml"}, rdimport.MappingError),
        ({"files": "no.csv"}, rdimport.SourceError),
    ],
)
def test_what_stops_a_run_is_an_error_of_its_kind(
    folder: Path, box: RunningSandbox, wrong: dict[str, str], error: type[rdimport.RdimportError]
) -> None:
    given = {"files": folder / "leads.csv", "mapping": folder / "leads.yaml", **wrong}
    with pytest.raises(error) as caught:
        rdimport.run(**given, to=station(box, "wrong"), state_dir=folder / "state")
    assert caught.value.exit_code == rdimport.ExitCode.NOTHING_SENT


def test_a_bug_is_raised_as_it_is_and_recorded_as_one(folder: Path, box: RunningSandbox) -> None:
    class Broken(rdimport.RDStation):
        def read(self, *_: object) -> NoReturn:
            raise LookupError("a mistake of ours")

    to = Broken(box.api_key, base_url=box.base_url, account="bug")
    with pytest.raises(LookupError, match="a mistake of ours") as raised:
        rdimport.run(
            folder / "leads.csv",
            folder / "leads.yaml",
            to=to,
            state_dir=folder / "state",
            report_dir=folder / "reports",
        )
    assert not hasattr(raised.value, "exit_code")
    (report,) = (folder / "reports").iterdir()
    summary = json.loads((report / "summary.json").read_text("utf-8"))
    assert (summary["exit_code"], summary["accepted"]) == (rdimport.ExitCode.BUG, 0)
    assert summary["uncertain"] + summary["pending"] == 2


def test_a_notebook_that_runs_a_loop_is_told_what_to_write(
    folder: Path, box: RunningSandbox
) -> None:
    files = folder / "leads.csv", folder / "leads.yaml"

    async def notebook() -> None:
        rdimport.check(*files)
        with pytest.raises(rdimport.UsageError, match="await rdimport"):
            rdimport.run(*files, to=station(box, "notebook"), state_dir=folder / "state")

    asyncio.run(notebook())
    assert not (folder / "state").exists()


_OF_A_RUN = inspect.signature(rdimport.run_async).parameters


@pytest.mark.parametrize("name", [name for name in _OF_A_RUN if name not in ("files", "mapping")])
def test_an_argument_of_a_wrong_type_is_named(name: str, folder: Path) -> None:
    """Also arguments that are used only after rows were sent, such as an observer or a timeout."""
    where = {"state_dir": folder / "state", "report_dir": folder / "reports"}
    for value in (object(), b"x", [5], {"a": 1}, 5j):
        given = {"to": rdimport.RDStation("k" * 20), **where, name: value}
        with pytest.raises(rdimport.UsageError, match=f"^{name}: expected .*, not "):
            rdimport.run(folder / "leads.csv", folder / "leads.yaml", **given)
    assert not (folder / "state").exists()


_EAST, _WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))


@pytest.mark.parametrize(
    "until", [datetime.min.replace(tzinfo=_EAST), datetime.max.replace(tzinfo=_WEST)]
)
def test_a_time_that_this_machine_cannot_reckon_with_is_named(
    until: datetime, folder: Path
) -> None:
    with pytest.raises(rdimport.UsageError, match=r"^until: .* is too small or too large"):
        rdimport.run(
            *(folder / "leads.csv", folder / "leads.yaml"),
            to=rdimport.RDStation("k" * 20),
            state_dir=folder / "state",
            until=until,
        )
    assert not (folder / "state").exists()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rdimport.check(None, "leads.yaml"), "files: expected Files, not NoneType"),
        (lambda: rdimport.check("leads.csv", 5), "mapping: expected Mapping | str | Path, not int"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", limit="5"), "limit: expected int"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", limit=True), "limit: expected int"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", limit=-1), "limit: -1 is too small"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", resend="uncertain"), "resend: expected"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", resend=["sent"]), "resend: expected"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", quota=120), "quota: expected Quota"),
        (lambda: rdimport.check("leads.csv", "leads.yaml", to="acme"), "to: expected Destination"),
        (lambda: rdimport.check("leads.csv", "x\0"), "mapping: a path cannot contain a NUL"),
        (lambda: rdimport.propose(["leads.csv"]), "file: expected str | Path, not list"),
        (lambda: rdimport.open_tables(5), "files: expected Files, not int"),
        (lambda: rdimport.open_tables("leads.csv", "Leads"), "hints: expected Hints"),
        (lambda: rdimport.Mapping.load(5), "path: expected str | Path, not int"),
        (lambda: rdimport.Mapping.parse(b""), "text: expected str, not bytes"),
        (lambda: rdimport.RDStation(5), "api_key: expected str | None, not int"),
        (lambda: rdimport.RDStation("k", account=None), "account: expected str, not NoneType"),
        (lambda: rdimport.RDStation("k", insecure_http="no"), "insecure_http: expected bool"),
        (lambda: rdimport.Quota("120", 60), "requests: expected int, not str"),
        (lambda: rdimport.Quota(0, 60), "requests: 0 is too small"),
        (lambda: rdimport.Quota(120, math.nan), "seconds: nan is too small or too large"),
        (lambda: rdimport.Quota(120, 60, 1), "reserve leaves nothing"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(
    call: Callable[[], object], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(rdimport.UsageError, match=re.escape(said)):
        call()


def test_files_may_be_one_name_several_or_those_of_a_pattern(folder: Path) -> None:
    (one,) = rdimport.open_tables(str(folder / "leads.csv"))
    (same,) = rdimport.open_tables(folder.glob("*.csv"))
    assert one.columns == same.columns == ("E-mail", "Nome")
    assert rdimport.check(folder.glob("*.csv"), folder / "leads.yaml").rows == 3


def test_run_tells_its_arguments_and_takes_those_of_run_async() -> None:
    assert inspect.signature(rdimport.run) == inspect.signature(rdimport.run_async)
    text = inspect.getdoc(rdimport.run) or ""
    for name in inspect.signature(rdimport.run).parameters:
        assert re.search(rf"^(\w+, )*{name}\b", text, re.MULTILINE), name


def test_run_is_known_by_its_own_name() -> None:
    """To help(), and to pickle, with which schedulers hand a function to other processes."""
    assert "function run in" in pydoc.render_doc(rdimport.run)
    for function in (rdimport.run, rdimport.run_async, rdimport.check, rdimport.propose):
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301  our own


def test_results_are_short_in_a_notebook_and_show_nobody(folder: Path, box: RunningSandbox) -> None:
    checked = rdimport.check(folder / "leads.csv", folder / "leads.yaml")
    where = {"state_dir": folder / "state", "report_dir": folder / "reports"}
    done = rdimport.run(
        folder / "leads.csv", folder / "leads.yaml", to=station(box, "repr"), quota=None, **where
    )
    assert checked.rows == done.rows == sum(done.counts.values()) == 3
    for shown in (repr(checked), repr(done)):
        assert "example.com" not in shown
        assert "sem arroba" not in shown
        assert " object at 0x" not in shown


def test_a_frame_in_place_of_a_file_is_told_to_be_saved(folder: Path, box: RunningSandbox) -> None:
    frame = pl.DataFrame({"E-mail": ["ana@example.com"]})
    with pytest.raises(rdimport.UsageError, match=r"files: expected .*, not DataFrame") as error:
        rdimport.run(frame, folder / "leads.yaml", to=station(box, "frame"))
    assert "write_parquet" in error.value.remedy


TYPES = """
[mypy]
strict = true
[mypy-anyio.*,filelock.*,httpcore.*,httptools.*,httpx.*,hypothesis.*,pandera.*]
follow_imports = skip
[mypy-psycopg.*,psycopg_pool.*,rich.*,ruamel.*,typeguard.*]
follow_imports = skip
"""
"""No public name has a type from these libraries, and checking them takes longer than all else."""


@pytest.mark.long
def test_public_names_have_types(tmp_path: Path) -> None:
    uses = HERE / "typing_api.py"
    known = HERE.parent / ".mypy_cache" / uses.stem  # most modules are unchanged
    assert set(re.findall(r"rdimport\.(\w+)", uses.read_text())) == set(rdimport.__all__)
    settings = tmp_path / "mypy.ini"
    settings.write_text(TYPES)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", known, "--config-file", settings, uses],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("page", ["python.md", "pt/python.md"])
@pytest.mark.parametrize("number", range(2))
def test_the_examples_of_the_docs_run_as_they_stand(
    number: int, page: str, folder: Path, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)[number]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RDIMPORT_API_KEY", box.api_key)
    monkeypatch.setenv("RDIMPORT_BASE_URL", box.base_url)
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "home"))
    monkeypatch.setenv("RDIMPORT_STATE_DIR", str(folder / "state"))
    exec(compile(code, page, "exec"), {"__name__": "docs"})  # noqa: S102  our own docs
