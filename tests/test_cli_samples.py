"""The main job on real lists: every row of `sample_data/` ends as an independent count says."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support.command import Workspace
from support.samples import SAMPLES, counted, mapping, sample

from rdimport.sandbox.embedded import RunningSandbox

pytestmark = pytest.mark.xdist_group("samples")

Payloads = dict[str, dict[str, Any]]


class Story:
    """One list: checked, run, and run again."""

    def __init__(self, name: str, workspace: Workspace, box: RunningSandbox) -> None:
        words = (sample(name), "-m", mapping(name), "--json")
        box.clear()
        self.name, self.home = name, workspace.home
        self.check = workspace.here("check", *words)
        self.arrived_by_check = box.requests
        self.run = workspace.here("run", *words, "--quota", "none")
        self.arrived = box.conversions()
        self.again = workspace.here("run", *words, "--quota", "none")
        self.requests = box.requests
        self.dropped = box.dropped()


@pytest.fixture(scope="module")
def stories(
    one_sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Story]:
    workspace = Workspace(
        tmp_path_factory.mktemp("samples"), one_sandbox.api_key, one_sandbox.base_url
    )
    return {name: Story(name, workspace, one_sandbox) for name in SAMPLES}


@pytest.fixture(scope="module")
def expected() -> dict[str, Counter[str]]:
    return counted()


@pytest.fixture(params=SAMPLES)
def story(request: pytest.FixtureRequest, stories: dict[str, Story]) -> Story:
    return stories[request.param]


def payloads(stories: dict[str, Story], name: str) -> Payloads:
    return {payload["email"]: payload for payload in stories[name].arrived}


def failures(story: Story, encoding: str, delimiter: str) -> Iterator[dict[str, str]]:
    path = story.home / story.run.summary["failures_csv"]
    with path.open(encoding=encoding, newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter, strict=True)


def test_every_row_ends_where_an_independent_count_says(
    story: Story, expected: dict[str, Counter[str]]
) -> None:
    counts, summary = expected[story.name], story.run.summary
    assert summary["rows"] == counts["rows"]
    assert summary["accepted"] == counts["to send"] == summary["requests"]
    assert summary["duplicate"] == counts["duplicate"]
    assert summary["invalid"] == counts["invalid"]
    others = ("already_imported", "refused", "uncertain", "pending", "retries", "throttled")
    assert [summary[name] for name in others] == [0] * len(others)
    assert story.run.code == summary["exit_code"] == (1 if counts["invalid"] else 0)


def test_what_the_summary_calls_accepted_is_what_arrived(story: Story) -> None:
    emails = [payload["email"] for payload in story.arrived]
    assert len(emails) == len(set(emails)) == story.run.summary["accepted"]
    assert story.dropped == {}


def test_running_again_sends_nothing_and_still_accounts_for_every_row(
    story: Story, expected: dict[str, Counter[str]]
) -> None:
    summary, counts = story.again.summary, expected[story.name]
    assert story.requests == counts["to send"]
    assert summary["requests"] == summary["accepted"] == summary["pending"] == 0
    assert (
        summary["already_imported"] + summary["duplicate"]
        == counts["to send"] + counts["duplicate"]
    )
    assert summary["rows"] == counts["rows"]
    assert story.again.code == story.run.code


@pytest.mark.parametrize("lang", ["en", "pt-BR"])
def test_a_check_fits_a_terminal_of_80_columns_in_the_readers_language(
    workspace: Workspace, lang: str
) -> None:
    words = ("check", sample("feira_abf_2026.xlsx"), "-m", mapping("feira_abf_2026"))
    output = workspace.here(*words, "--lang", lang).out
    # a path cannot be broken
    assert [line for line in output.splitlines() if len(line) > 79 and "/" not in line] == []
    assert ("Before you send:" in output) == (lang == "en")
    assert ("o que uma importação enviaria" in output) == (lang == "pt-BR")


def test_a_check_says_what_the_run_then_does_and_sends_nothing(story: Story) -> None:
    plan, summary = story.check.summary, story.run.summary
    assert story.arrived_by_check == 0
    assert plan["to_send"] == plan["pending"] == summary["accepted"]
    same = ("rows", "invalid", "duplicate", "left_out", "problems", "files", "exit_code")
    assert {name: plan[name] for name in same} == {name: summary[name] for name in same}
    assert story.check.code == story.run.code
    assert plan["quota"] == "120/min"
    assert plan["seconds"] == pytest.approx(plan["to_send"] / 2)


def test_the_summary_on_disk_is_the_one_that_was_printed(story: Story) -> None:
    summary = story.run.summary
    written = (story.home / summary["summary_json"]).read_text(encoding="utf-8")
    assert json.loads(written) == summary


def test_payloads_of_the_fair_are_what_the_list_and_its_mapping_say(
    stories: dict[str, Story],
) -> None:
    for payload in payloads(stories, "feira_abf_2026.xlsx").values():
        assert payload["conversion_identifier"] == "Feira ABF 2026"
        assert payload["country"] == "Brasil"
        assert (payload["traffic_source"], payload["traffic_medium"]) == ("feira", "offline")
        tags = payload["tags"]
        assert tags[-1] == "feira-abf-2026"
        assert all(tag == tag.lower().strip() != "" for tag in tags)
        assert len(tags) == len(set(tags))
        assert payload.get("mobile_phone", "+55").startswith("+55")
        assert len(payload.get("state", "SP")) == 2
        assert "" not in payload.values()
        assert None not in payload.values()


def test_consent_arrives_as_granted_declined_or_not_at_all(stories: dict[str, Story]) -> None:
    fair = payloads(stories, "feira_abf_2026.xlsx").values()
    bases = [base for payload in fair for base in payload.get("legal_bases", ())]
    assert {(base["category"], base["type"]) for base in bases} == {("communications", "consent")}
    assert {base["status"] for base in bases} == {"granted", "declined"}
    silent = sum("legal_bases" not in payload for payload in fair)
    assert silent == 5  # as in sample_data/README.md: an empty opt-in is neither


def test_codes_and_booleans_of_the_erp_keep_their_form(stories: dict[str, Story]) -> None:
    arrived = payloads(stories, "erp_clientes.csv").values()
    with sample("erp_clientes.csv").open(encoding="cp1252", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    codes = {row["CODIGO"].strip() for row in rows}
    assert {payload["cf_codigo_erp"] for payload in arrived} <= codes
    assert any(payload["cf_codigo_erp"].startswith("00") for payload in arrived)
    assert {payload["cf_cliente_ativo"] for payload in arrived} == {True, False}
    assert all({"cliente", "erp"} <= set(payload["tags"]) for payload in arrived)
    assert any("ã" in payload["city"] for payload in arrived if "city" in payload)


def test_each_failure_is_the_row_as_it_was_and_beside_it_what_is_wrong(
    stories: dict[str, Story], expected: dict[str, Counter[str]]
) -> None:
    found = list(failures(stories["erp_clientes.csv"], "cp1252", ";"))
    assert len(found) == expected["erp_clientes.csv"]["invalid"]
    with sample("erp_clientes.csv").open(encoding="cp1252", newline="") as file:
        reader = csv.DictReader(file, delimiter=";")
        columns = list(reader.fieldnames or ())
        by_line, line = {}, reader.line_num + 1
        for row in reader:
            by_line[line] = row
            line = reader.line_num + 1
    ours = "row file state field column value code reason".split()
    assert list(found[0]) == [*columns, *(f"rdimport_{name}" for name in ours)]
    for failure in found:
        original = by_line[int(failure["rdimport_row"])]
        assert {name: failure[name] for name in columns} == original
        assert failure["rdimport_state"] == "invalid"
        assert failure["rdimport_file"] == str(sample("erp_clientes.csv"))
        for column in filter(None, failure["rdimport_column"].split(" | ")):
            assert original[column] in failure["rdimport_value"]
        assert failure["rdimport_code"]
        assert failure["rdimport_reason"]


def test_the_corrected_failure_report_runs_with_the_same_mapping(
    stories: dict[str, Story], workspace: Workspace, box: RunningSandbox
) -> None:
    rows = list(failures(stories["feira_abf_2026.xlsx"], "utf-8-sig", ";"))
    for number, row in enumerate(rows):
        row["E-mail"] = f"corrigido{number}@exemplo.com.br"
        row["Celular/WhatsApp"] = "11 91234-5678"
        row["UF"], row["Aceita receber e-mails?"] = "sp", "Sim"
    with (workspace.home / "corrected.csv").open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=";")
        out.writeheader()
        out.writerows(rows)
    name = "feira_abf_2026.xlsx"
    done = workspace.here("run", "corrected.csv", "-m", mapping(name), "--quota", "none", "--json")
    assert (done.code, done.summary["accepted"]) == (0, len(rows)), done.err
    assert {p["state"] for p in box.conversions()} == {"SP"}
    assert not any(name.startswith("rdimport") for p in box.conversions() for name in p)
