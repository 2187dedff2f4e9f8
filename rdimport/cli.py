"""Words in, one call of the API, words out and an exit code; it decides nothing.

Heavy modules are imported where they are used, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdimport import options
from rdimport.errors import ExitCode, RdimportError, UsageError

if TYPE_CHECKING:
    from rdimport.destination.rdstation import RDStation
    from rdimport.events import Observer
    from rdimport.mapping import Mapping
    from rdimport.mapping.catalogue import Catalogue
    from rdimport.pace import Quota
    from rdimport.row import State
    from rdimport.source import Hints

_SANDBOX_ACCOUNT: Final = "sandbox"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see `errors.ExitCode`)."""
    told = options.parser().parse_args(arguments)
    try:
        code = _COMMANDS[told.command](told)
        sys.stdout.flush()
    except RdimportError as error:
        _complain(str(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        _complain("Stopped before anything was sent. The same command starts again.")
        return ExitCode.STOPPED
    except BrokenPipeError:
        # who reads us has gone; Python would complain once more when it closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.STOPPED
    return int(code)


def _run(told: argparse.Namespace) -> int:
    if told.dry_run:
        return _check(told)
    with ExitStack() as stack:
        to = _destination(told, stack)
        return _import(told, to, _Terminal(told, stack))


def _import(told: argparse.Namespace, to: RDStation, terminal: _Terminal) -> int:
    from rdimport import pipeline  # noqa: PLC0415
    from rdimport.delivery import Settings  # noqa: PLC0415
    from rdimport.screen.run import imported  # noqa: PLC0415

    to.credentials()
    mapping = _mapping(told)
    done = pipeline.run(
        told.files,
        mapping,
        to=to,
        state_dir=_state_dir(told),
        report_dir=told.report_dir or pipeline.REPORT_DIR,
        quota=_quota(told),
        settings=Settings(told.concurrency, told.patience, told.limit, told.max_duration),
        hints=_hints(told),
        resend=_resend(told),
        catalogue=_catalogue(told, mapping),
        on_event=terminal.observer,
        signals=True,
        mapping_name=str(told.mapping),
    )
    terminal.close()
    terminal.show(done.summary, imported(done), needed=done.exit_code != ExitCode.DONE)
    return done.exit_code


def _check(told: argparse.Namespace) -> int:
    if told.mapping is None:
        return _survey(told)
    from rdimport import pipeline  # noqa: PLC0415
    from rdimport.screen import check  # noqa: PLC0415

    mapping = _mapping(told)
    with ExitStack() as stack:
        terminal = _Terminal(told, stack)
        quota = _quota(told)
        sandbox = told.sandbox
        done = pipeline.check(
            told.files,
            mapping,
            to=None if sandbox else _station(told, None),
            quota=quota,
            state_dir=None if sandbox else _state_dir(told),
            hints=_hints(told),
            limit=told.limit,
            resend=_resend(told),
            catalogue=_catalogue(told, mapping),
            on_event=terminal.observer,
        )
        terminal.close()
        named = str(quota) if quota else None
        summary, lines = check.summary(done, named), check.lines(done, named)
        terminal.show(summary, lines, needed=done.exit_code != ExitCode.DONE)
        return done.exit_code


def _survey(told: argparse.Namespace) -> int:
    """A check without a mapping: what was found in the files."""
    from rdimport.screen import check  # noqa: PLC0415
    from rdimport.source import open_tables  # noqa: PLC0415
    from rdimport.source.survey import survey  # noqa: PLC0415

    found = [(table, survey(table)) for table in open_tables(told.files, _hints(told))]
    if told.json:
        tables = [check.survey_summary(table, seen) for table, seen in found]
        _print([json.dumps({"tables": tables}, ensure_ascii=False)])
    else:
        for table, seen in found:
            _print(check.surveyed(table, seen))
    return ExitCode.DONE


def _report(told: argparse.Namespace) -> int:
    from rdimport import pipeline  # noqa: PLC0415
    from rdimport.ledger import Ledger  # noqa: PLC0415

    with Ledger.open(_state_dir(told)) as ledger:
        report_dir = told.report_dir or pipeline.REPORT_DIR
        summary = pipeline.write_report(ledger.run(told.run), report_dir)
    if told.json:
        _print([json.dumps(summary, ensure_ascii=False)])
    else:
        _print([f"Report written: {report_dir / summary['run_id']}"])
    return ExitCode.DONE


def _schema(_: argparse.Namespace) -> int:
    from rdimport.mapping import Mapping  # noqa: PLC0415

    _print([json.dumps(Mapping.schema(), ensure_ascii=False, indent=2)])
    return ExitCode.DONE


def _sandbox(told: argparse.Namespace) -> int:
    from rdimport import sandbox  # noqa: PLC0415
    from rdimport.sandbox.arguments import options_from  # noqa: PLC0415

    sandbox.serve(options_from(told))
    return ExitCode.DONE


_COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "run": _run,
    "check": _check,
    "report": _report,
    "sandbox": _sandbox,
    "schema": _schema,
}


class _Terminal:
    """Where a command speaks: results on standard output, the rest on standard error."""

    def __init__(self, told: argparse.Namespace, stack: ExitStack) -> None:
        from rdimport import progress  # noqa: PLC0415
        from rdimport.clock import SystemClock  # noqa: PLC0415
        from rdimport.events import silent  # noqa: PLC0415

        self._json: bool = told.json
        self._quiet: bool = told.quiet
        self._stack = stack.enter_context(ExitStack())
        self.observer: Observer = silent
        if not self._quiet:
            self.observer = self._stack.enter_context(progress.shown(sys.stderr, SystemClock()))

    def close(self) -> None:
        """Leave the progress as it is; from now on there are results."""
        self._stack.close()

    def show(self, summary: dict[str, Any], lines: Iterable[str], *, needed: bool) -> None:
        """The result: one JSON object, or lines for a person; quiet speaks only when needed."""
        if self._json:
            _print([json.dumps(summary, ensure_ascii=False)])
        if self._quiet and not needed:
            return
        _print(lines, sys.stderr if self._json or self._quiet else sys.stdout)


def _destination(told: argparse.Namespace, stack: ExitStack) -> RDStation:
    """Where the rows go: a sandbox that is started for them, or the endpoint that was named."""
    if not told.sandbox:
        from rdimport import keys  # noqa: PLC0415

        return _station(told, keys.find(told.api_key_file, os.environ))
    if told.base_url:
        raise UsageError("--sandbox and --base-url name two endpoints.", "Leave one of them out.")
    from rdimport import sandbox  # noqa: PLC0415
    from rdimport.destination.rdstation import RDStation  # noqa: PLC0415

    wanted = sandbox.SandboxOptions(port=0, plan=told.plan or "none", custom_fields="any")
    box = stack.enter_context(sandbox.running(wanted))
    # a sandbox begins empty each time, so what an earlier one accepted says nothing about it
    return RDStation(
        box.api_key,
        base_url=box.base_url,
        account=told.account or _SANDBOX_ACCOUNT,
        identity=f"sandbox {os.urandom(8).hex()}",
    )


def _station(told: argparse.Namespace, key: str | None) -> RDStation:
    from rdimport.destination.rdstation import BASE_URL, RDStation  # noqa: PLC0415

    base_url = told.base_url or os.environ.get("RDIMPORT_BASE_URL") or BASE_URL
    return RDStation(key, base_url=base_url, account=told.account or "default")


def _mapping(told: argparse.Namespace) -> Mapping:
    from rdimport.mapping import Mapping  # noqa: PLC0415

    return Mapping.load(told.mapping)


def _catalogue(told: argparse.Namespace, mapping: Mapping) -> Catalogue | None:
    """The catalogue of custom fields that the mapping names, beside it."""
    if mapping.catalogue is None:
        return None
    from rdimport.mapping.catalogue import Catalogue  # noqa: PLC0415

    return Catalogue.load(told.mapping.parent / mapping.catalogue)


def _quota(told: argparse.Namespace) -> Quota | None:
    """What was asked for, else the plan's, else RD's lowest; a sandbox of our own has none."""
    from rdimport.pace import PLANS, Quota  # noqa: PLC0415

    if told.quota and told.plan:
        raise UsageError("--quota and --plan both set the quota.", "Leave one of them out.")
    default = "none" if told.sandbox else PLANS["light"]
    try:
        return Quota.parse(told.quota or PLANS.get(told.plan or "") or default)
    except ValueError as error:
        raise UsageError(f"--quota: {error}.") from None


def _hints(told: argparse.Namespace) -> Hints:
    from rdimport.source import Hints  # noqa: PLC0415

    delimiter = {"tab": "\t", "\\t": "\t"}.get(told.delimiter, told.delimiter)
    return Hints(told.sheet, told.header_row, delimiter, told.encoding)


def _resend(told: argparse.Namespace) -> frozenset[State]:
    from rdimport.row import State  # noqa: PLC0415

    return frozenset(State(name) for name in told.resend)


def _state_dir(told: argparse.Namespace) -> Path:
    named = told.state_dir or os.environ.get("RDIMPORT_STATE_DIR")
    if named:
        return Path(named)
    from platformdirs import user_state_path  # noqa: PLC0415

    return user_state_path("rdimport", appauthor=False)


def _print(lines: Iterable[str], out: Any = None) -> None:
    for line in lines:
        print(line, file=out or sys.stdout)


def _complain(text: str) -> None:
    print(f"rdimport: {text}", file=sys.stderr)
