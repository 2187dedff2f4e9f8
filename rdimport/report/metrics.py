"""Prometheus metrics of the latest run of each job, for node_exporter's textfile collector."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from rdimport.core.errors import ReportError
from rdimport.core.looking import is_folder
from rdimport.core.messages import _
from rdimport.report.job_status import JobStatus
from rdimport.report.private_files import refuse_strangers
from rdimport.report.run_status import RunStatus


class _Metric(NamedTuple):
    name: str
    help: str
    of: Callable[[RunStatus], float | None]


_OF_RUNS: Final = (
    _Metric("last_run_exit_code", "Exit code of the latest run.", lambda run: run.exit_code),
    _Metric(
        "last_run_start_timestamp_seconds",
        "When the latest run began.",
        lambda run: _moment(run.started_at),
    ),
    _Metric("last_run_requests", "Requests of the latest run.", lambda run: run.requests),
    _Metric(
        "last_run_throttled_requests",
        "Requests that were answered with 429.",
        lambda run: run.throttled,
    ),
    _Metric(
        "last_run_quota_used_ratio",
        "Share of what the quota allowed while the run was sending.",
        lambda run: run.quota_used,
    ),
)


def text(found: Sequence[JobStatus]) -> str:
    """The metrics in Prometheus' text format."""
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Sequence[JobStatus]) -> Iterator[str]:
    runs = [(status, status.run) for status in found if status.run is not None]
    yield from _head("last_run_rows", "Rows of the latest run by state.")
    for status, run in runs:
        for state, rows in run.counts.items():
            yield _line("last_run_rows", status, rows, f'state="{state}"')
    for metric in _OF_RUNS:
        yield from _head(metric.name, metric.help)
        for status, run in runs:
            value = metric.of(run)
            if value is not None:
                yield _line(metric.name, status, value)
    name = "last_success_timestamp_seconds"
    yield from _head(name, "When a run last ended with every row where it should be.")
    for status in found:
        if status.last_success is not None:
            yield _line(name, status, _moment(status.last_success))


def _head(name: str, what: str) -> Iterator[str]:
    yield f"# HELP rdimport_{name} {what}"
    yield f"# TYPE rdimport_{name} gauge"


def _line(name: str, status: JobStatus, value: float, more: str = "") -> str:
    job = status.job or Path(status.mapping).name
    labels = [f'account="{_quoted(status.account)}"', f'job_name="{_quoted(job)}"', more]
    return f"rdimport_{name}{{{','.join(filter(None, labels))}}} {value:.12g}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def write(path: Path, found: Sequence[JobStatus]) -> None:
    """Write the metrics atomically and readable by everyone. Raises ReportError."""
    half = ""
    try:
        if is_folder(path):  # replacing `.` would fail with an error of its own
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        refuse_strangers(path, b"# HELP rdimport_")
        path.parent.mkdir(parents=True, exist_ok=True)
        number, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text(found))
        Path(half).chmod(0o644)
        Path(half).replace(path)
    except OSError as error:
        if half:
            with suppress(OSError):
                Path(half).unlink(missing_ok=True)
        raise ReportError(
            _(
                "The metrics {path} cannot be written: {strerror}.",
                path=path,
                strerror=error.strerror,
            ),
            _(
                "With {option}, name a file in a folder that you can write to.",
                option="--metrics-file",
            ),
        ) from None
