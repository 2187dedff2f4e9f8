from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Desk

from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[RunningSandbox]:
    with running(SandboxOptions(plan="none", lead_limit=0, custom_fields="any")) as box:
        yield box


@pytest.fixture
def box(one_sandbox: RunningSandbox) -> RunningSandbox:
    """A sandbox without quota, empty and without faults."""
    one_sandbox.clear()
    one_sandbox.set_faults(Faults())
    return one_sandbox


@pytest.fixture
def desk(tmp_path: Path, box: RunningSandbox) -> Desk:
    """A folder to work in, with the sandbox's address and key in the environment."""
    return Desk(tmp_path, box.api_key, box.base_url)
