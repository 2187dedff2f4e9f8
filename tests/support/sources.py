"""The package's modules as syntax trees, for tests that go through all of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

READS_ALL = pytest.mark.xdist_group("sources")
"""All such tests run in one process, so that the modules are parsed once."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
