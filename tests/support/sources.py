"""The package's modules as syntax trees, for tests that go through all of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

READS_ALL = pytest.mark.xdist_group("sources")
"""Such a test runs where the others do, so that one process parses the modules."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
