"""The recipes for other schedulers in docs/fleet.md, if these are installed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from support.lists import MAPPING, people
from support.samples import ROOT

from rdimport.sandbox.embedded import RunningSandbox


def block(page: str, word: str) -> str:
    """The first Python block on a page that contains this word."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return next(b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in b)


def run(source: str, names: dict[str, Any]) -> None:
    """Run it as a separate file."""
    exec(compile(source, "recipe", "exec", dont_inherit=True), names)  # noqa: S102  it is ours


@pytest.fixture
def names(tmp_path: Path, box: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a recipe uses: the function of python.md, and two clients with a list."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RDIMPORT_API_KEY", box.api_key)
    monkeypatch.setenv("RDIMPORT_BASE_URL", box.base_url)
    monkeypatch.setenv("RDIMPORT_STATE_DIR", str(tmp_path / "state"))
    Path("list.yaml").write_text(MAPPING)
    Path("acme.csv").write_text(people(3))
    source = block("python.md", "def import_leads").replace("print(", "(lambda _: None)(")
    source = source.replace('import_leads("leads.csv", "leads.yaml", "acme")', "0")
    client = {"file": "acme.csv", "mapping": "list.yaml", "account": "acme"}
    found: dict[str, Any] = {"CLIENTS": [client], "os": os}
    run(source, found)
    return found


def test_the_function_of_the_recipes_imports_a_list(
    names: dict[str, Any], box: RunningSandbox
) -> None:
    assert names["import_leads"](**names["CLIENTS"][0])["accepted"] == 3
    assert len(box.conversions()) == 3


def test_dagster(names: dict[str, Any], box: RunningSandbox) -> None:
    dagster = pytest.importorskip("dagster")
    run(block("fleet.md", "import dagster"), names)
    assert dagster.materialize([names["leads"]], partition_key="acme").success
    assert len(box.conversions()) == 3


def test_airflow(names: dict[str, Any]) -> None:
    pytest.importorskip("airflow.sdk")
    source = block("fleet.md", "airflow.sdk").rpartition("leads()")[0]
    run(source, names)
    task = names["leads"]().task_dict["one"]
    assert (task.partial_kwargs["retries"], task.partial_kwargs["pool"]) == (2, "rdimport")


def test_prefect(names: dict[str, Any]) -> None:
    prefect = pytest.importorskip("prefect")
    run(block("fleet.md", "from prefect"), names)
    assert isinstance(names["leads"], prefect.Flow)
    assert prefect.task(names["import_leads"], retries=3, retry_delay_seconds=60).retries == 3
