"""The documentation matches the code."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rdimport.cli import options
from rdimport.core.errors import ExitCode
from rdimport.core.row import State
from rdimport.destination.verdict import VERDICTS, markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every rdimport command in the README's code blocks."""
    blocks = re.findall(r"```(?:console|sh|crontab)\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = (re.search(r"(?:^|[\s$/])rdimport (?!&&)([a-z]\w* .*)", line) for line in lines)
    listed = [match[1] for match in found if match and "clone" not in match.string]
    return [re.split("  #| >/", command)[0] for command in listed]


def test_delivery_md_prints_the_decision_table() -> None:
    page = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    hint = (
        'python -c "from rdimport.destination.verdict import VERDICTS, markdown; print(markdown())"'
    )
    assert markdown() in page, hint


ACTIONS = {
    "retry": "repetir",
    "stop": "parar",
    "doubt": "dúvida",
    "doubt, and stop": "dúvida, e parar",
    "accept": "aceitar",
    "refuse": "recusar",
    "park": "adiar",
}


def test_the_portuguese_page_has_the_same_decision_table() -> None:
    page = (ROOT / "docs" / "pt" / "entrega.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| o que se vê .*\n\|-.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    translated = {"no": "não", "yes": "sim", "cannot be known": "não há como saber"}
    assert [(arrived, then) for _seen, arrived, then, _why in cells] == [
        (translated[line.arrived], ACTIONS[line.then]) for line in VERDICTS.values()
    ]
    for line, (seen, *_) in zip(VERDICTS.values(), cells, strict=True):
        assert re.findall(r"\d{3}", line.seen) == re.findall(r"\d{3}", seen)


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_readme_is_one(command: str) -> None:
    words = [word for word in shlex.split(command) if word not in ("…", "&&")]
    args = options.parser().parse_args(words)
    assert args.command == words[0]


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("state", State)
def test_the_readme_explains_every_state(state: State) -> None:
    assert re.search(rf"^\| `{state}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("code", ExitCode)
def test_the_readme_explains_every_exit_code(code: ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \|", README, re.MULTILINE)


def unit(name: str) -> dict[str, str]:
    """The settings of a systemd unit by name."""
    lines = (ROOT / "systemd" / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def test_the_systemd_service_runs_a_command_of_ours_and_knows_its_exit_codes() -> None:
    service = unit("rdimport.service")
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/rdimport")
    args = options.parser().parse_args(words)
    assert args.quiet
    assert args.api_key_file == Path("${CREDENTIALS_DIRECTORY}/key")
    codes = {ExitCode(int(code)) for code in service["SuccessExitStatus"].split()}
    assert codes == {ExitCode.FAILED_ROWS}
    assert service["OnFailure"] == "rdimport-failed@%n.service"
    assert "%i" in unit("rdimport-failed@.service")["ExecStart"], (
        "the mail is of the unit that failed"
    )


SERVICES = pytest.mark.parametrize(
    "name", ["rdimport.service", "rdimport@.service", "rdimport-worker.service"]
)


@SERVICES
def test_a_service_keeps_what_was_sent_apart_from_the_ledger_where_it_may_write(name: str) -> None:
    """It may not look into the user's home, and a lost state directory would go unnoticed."""
    service = unit(name)
    assert service["ProtectHome"] == "true"
    assert service["CacheDirectory"] != "" != service["StateDirectory"]
    text = (ROOT / "systemd" / name).read_text(encoding="utf-8")
    assert f"XDG_DATA_HOME=/var/cache/{service['CacheDirectory']}" in text


def test_a_worker_is_restarted_unless_it_needs_a_person_and_gets_the_key_of_the_ledger() -> None:
    service = unit("rdimport-worker.service")
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/rdimport")
    assert options.parser().parse_args(words)
    assert service["RestartPreventExitStatus"] == f"{ExitCode.NOTHING_SENT:d} {ExitCode.BUG:d}"
    name, _, _file = service["LoadCredential"].partition(":")
    text = (ROOT / "systemd" / "rdimport-worker.service").read_text(encoding="utf-8")
    assert f"RDIMPORT_LEDGER_KEY_FILE=%d/{name}" in text
    assert f"RDIMPORT_STATE_DIR=%S/{service['StateDirectory']}" in text


@SERVICES
def test_the_ledger_of_a_service_is_closed_to_others_from_the_start(name: str) -> None:
    """Otherwise each run would restrict it and say so, as systemd opens it again at the next
    start.
    """
    service = unit(name)
    assert (service["StateDirectoryMode"], service["CacheDirectoryMode"]) == ("0700", "0700")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    units = [tmp_path / path.name for path in (ROOT / "systemd").iterdir()]
    for path in units:  # the verifier has it installed elsewhere, or not at all
        text = (ROOT / "systemd" / path.name).read_text(encoding="utf-8")
        path.write_text(text.replace("/opt/rdimport/bin/rdimport", "/bin/true"), encoding="utf-8")
    words = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_container_is_built_from_what_is_there_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in (name for name in copied if not name.startswith(("--", "/"))):
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 10001" in last
    assert "VOLUME /state" in last
    assert any("--require-hashes -r requirements.lock" in line for line in lines)


def test_the_workflow_gives_the_key_to_one_step_and_runs_a_command_of_ours() -> None:
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(name: leads\n.*?)```", page, re.DOTALL)
    (job,) = YAML(typ="safe").load(text)["jobs"].values()
    assert "env" not in job
    (_checkout, step) = job["steps"]
    assert list(step["env"]) == ["RDIMPORT_API_KEY"]
    assert options.parser().parse_args(shlex.split(step["run"])[1:]).quiet
