"""The lists in `sample_data/`, with what an independent reader counts in them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ("feira_abf_2026.xlsx", "erp_clientes.csv", "newsletter.csv")


def sample(name: str) -> Path:
    return ROOT / "sample_data" / name


def mapping(name: str) -> Path:
    return ROOT / "mappings" / f"{name.partition('.')[0]}.yaml"


def counted() -> dict[str, Counter[str]]:
    """Counts by file: `rows`, `to send`, `duplicate`, `invalid`."""
    spec = importlib.util.spec_from_file_location("count_samples", sample("count_samples.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with contextlib.redirect_stdout(io.StringIO()):
        found: dict[str, Counter[str]] = module.count()
    return found
