"""Words in, one call of the API, words out and an exit code; it decides nothing.

Heavy modules are imported where they are used, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdimport import options
from rdimport.errors import ExitCode, RdimportError, UsageError

if TYPE_CHECKING:
    from rdimport.destination.rdstation import RDStation
    from rdimport.events import Observer
    from rdimport.log import LogFile
    from rdimport.mapping import Mapping
    from rdimport.mapping.catalogue import Catalogue
    from rdimport.pace import Quota
    from rdimport.results import Imported
    from rdimport.row import State
    from rdimport.source import Hints

_SANDBOX_ACCOUNT: Final = "sandbox"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see `errors.ExitCode`)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks “ must not end a run
    told = options.parser().parse_args(arguments)
    try:
        code = _COMMANDS[told.command](told)
        sys.stdout.flush()
    except RdimportError as error:
        _complain(str(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        _complain("Interrupted. The same command goes on where it was: no row is sent twice.")
        return ExitCode.STOPPED
    except BrokenPipeError:
        # who reads us has gone; Python would complain once more when it closes the stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.STOPPED
    except Exception:  # noqa: BLE001  a bug: its stack helps whoever mends it
        traceback.print_exc()
        _complain("this is a bug in rdimport. The ledger is right: the same command goes on.")
        return ExitCode.BUG
    return int(code)


def _run(told: argparse.Namespace) -> int:
    if told.dry_run:
        return _check(told)
    with ExitStack() as stack:
        to = _destination(told, stack)
        log = _log_file(told, stack)
        try:
            return _import(told, to, _Terminal(told, stack, log), log)
        except RdimportError as error:
            if log:
                log.write("run_failed", exit_code=int(error.exit_code), message=error.message)
            raise


def _import(
    told: argparse.Namespace, to: RDStation, terminal: _Terminal, log: LogFile | None
) -> int:
    from rdimport import pipeline  # noqa: PLC0415
    from rdimport.delivery import Settings  # noqa: PLC0415
    from rdimport.prepare.preview import advice  # noqa: PLC0415
    from rdimport.screen.parts import canary, notes  # noqa: PLC0415

    to.credentials()
    mapping = _mapping(told)
    done = pipeline.run(
        told.files,
        mapping,
        to=to,
        state_dir=_state_dir(told),
        report_dir=told.report_dir or pipeline.REPORT_DIR,
        quota=_quota(told),
        settings=Settings(
            told.concurrency,
            told.patience,
            told.canary or told.limit,
            _time_to_spend(told),
            told.timeout,
            canary=told.canary is not None,
        ),
        hints=_hints(told),
        resend=_resend(told),
        catalogue=_catalogue(told, mapping),
        on_event=terminal.observer,
        signals=True,
        mapping_name=str(told.mapping),
        sandbox=told.sandbox,
        again=_again(told),
        transport=told.transport,
        lang=told.lang,
        full_report=told.full_report,
    )
    terminal.close()
    if log:
        log.write("run_finished", **done.summary)
    warned = [said for said in advice(mapping) if "custom field" in said]
    lines = chain(
        [terminal.ending(done)],
        notes((*done.notes, *warned)),
        canary(done, mapping) if told.canary and not told.sandbox else (),
    )
    terminal.show(done.summary, lines, needed=done.exit_code != ExitCode.DONE)
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


def _init(told: argparse.Namespace) -> int:
    """Propose a mapping; a file that is there is never written over."""
    from rdimport.errors import SourceError  # noqa: PLC0415
    from rdimport.proposal import SAMPLE_ROWS, propose  # noqa: PLC0415
    from rdimport.source import open_tables  # noqa: PLC0415

    table = open_tables(told.files, _hints(told))[0]
    sample = next(table.batches(SAMPLE_ROWS), None)
    if sample is None:
        raise SourceError(f"{table.name} has no rows to judge its columns by.")
    found = propose(
        table.columns, sample, table.name, sheet=told.sheet or "", header_row=told.header_row
    )
    if told.output is None:
        _print([found.text.rstrip()])
    else:
        try:
            with told.output.open("x", encoding="utf-8") as file:
                file.write(found.text)
        except FileExistsError:
            raise UsageError(
                f"{told.output} is there already, and is not written over.",
                "Name another file with -o.",
            ) from None
        except OSError as error:
            raise UsageError(f"{told.output} cannot be written: {error}.") from None
        _complain(
            f"wrote {told.output}. Read it, correct it, then type:\n"
            f"  rdimport check {shlex.join(told.files)} -m {shlex.quote(str(told.output))}"
        )
    if found.missing:
        _complain(f"{found.missing}\nName the column yourself: RD needs an e-mail for each row.")
        return ExitCode.FAILED_ROWS
    return ExitCode.DONE


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
        run = ledger.run(told.run)
        summary = pipeline.write_report(run, report_dir, lang=told.lang, full=told.full_report)
    if told.json:
        _print([json.dumps(summary, ensure_ascii=False)])
    else:
        _print([f"Report written: {report_dir / summary['run_id']}"])
    return ExitCode.DONE


def _status(told: argparse.Namespace) -> int:
    from rdimport import status  # noqa: PLC0415
    from rdimport.ledger import Ledger  # noqa: PLC0415
    from rdimport.lock import is_locked  # noqa: PLC0415
    from rdimport.screen.status import one, table  # noqa: PLC0415

    state_dir = _state_dir(told)
    ledger = Ledger.if_there(state_dir)
    if ledger is None:
        found = []
    else:
        with ledger:
            found = list(status.runs(ledger, partial(is_locked, state_dir), told.run))
    if told.json:
        _print([json.dumps({"runs": [run.told() for run in found]}, ensure_ascii=False)])
    else:
        _print(one(found[0]) if told.run else table(found))
    return ExitCode.DONE


def _purge(told: argparse.Namespace) -> int:
    from rdimport import status  # noqa: PLC0415
    from rdimport.clock import SystemClock  # noqa: PLC0415
    from rdimport.ledger import Ledger  # noqa: PLC0415
    from rdimport.lock import is_locked  # noqa: PLC0415

    state_dir = _state_dir(told)
    ledger = Ledger.if_there(state_dir)
    now = SystemClock().now()
    forgotten = 0
    if ledger is not None:
        with ledger:
            before = now - timedelta(seconds=told.older_than)
            known = status.runs(ledger, partial(is_locked, state_dir))
            at_work = [run.run_id for run in known if run.where == "running"]
            forgotten = ledger.forget(before, now, at_work)
    _print(
        [
            f"Forgotten: what {forgotten} run(s) knew of people; younger runs were left alone.",
            "Their reports are files of their own: delete them too if nobody needs them.",
        ]
    )
    return ExitCode.DONE


def _key(told: argparse.Namespace) -> int:
    from rdimport import keys  # noqa: PLC0415

    if told.action == "list":
        _print(keys.accounts() or ["The keyring holds no keys of rdimport."])
    elif told.name is None:
        raise UsageError("Which account?", f"Type: rdimport key {told.action} NAME")
    elif told.action == "remove":
        keys.remove(told.name)
        _print([f"The key of account “{told.name}” is no longer in the keyring."])
    else:
        key = _asked_for_key()
        _station(told, key)  # a key that cannot be right is not stored
        keys.store(told.name, key)
        _print([f"Stored. Use it with: rdimport run … --account {told.name}"])
    return ExitCode.DONE


def _asked_for_key() -> str:
    """From the terminal without showing it, else the first line of standard input."""
    if sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415

        return getpass("API key (it is not shown): ").strip()
    return sys.stdin.readline().strip()


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
    "init": _init,
    "report": _report,
    "sandbox": _sandbox,
    "schema": _schema,
    "status": _status,
    "purge": _purge,
    "key": _key,
}


class _Terminal:
    """Where a command speaks: results on standard output, the rest on standard error."""

    def __init__(
        self, told: argparse.Namespace, stack: ExitStack, log: LogFile | None = None
    ) -> None:
        from rdimport import progress  # noqa: PLC0415
        from rdimport.clock import SystemClock  # noqa: PLC0415
        from rdimport.events import silent  # noqa: PLC0415

        self._json: bool = told.json
        self._lang: str = told.lang
        self._quiet: bool = told.quiet
        self._stack = stack.enter_context(ExitStack())
        shown: Observer = silent
        if not self._quiet:
            shown = self._stack.enter_context(progress.shown(sys.stderr, SystemClock()))
        self.observer: Observer = shown if log is None else progress.both(shown, log)

    def close(self) -> None:
        """Leave the progress as it is; from now on there are results."""
        self._stack.close()

    def ending(self, done: Imported) -> str:
        """What a person reads at the end of a run, as wide and as colourful as it may be."""
        from rdimport.report.terminal import lines  # noqa: PLC0415

        out = sys.stderr if self._json or self._quiet else sys.stdout
        colour = out.isatty() and not os.environ.get("NO_COLOR")
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        return lines(done.summary, done.examples, width, colour=colour, lang=self._lang)

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

        key = keys.find(told.api_key_file, os.environ, told.account or "default")
        return _station(told, key)
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


def _again(told: argparse.Namespace) -> tuple[str, ...]:
    """The options that another command needs in order to do the same; never the key itself."""
    names = "base_url account plan quota api_key_file state_dir report_dir timeout patience"
    names += " concurrency delimiter encoding header_row sheet"
    usual = options.parser().parse_args(["run", "FILE", "-m", "MAPPING"])
    words = ["--sandbox"] if told.sandbox else []
    for name in names.split():
        value = getattr(told, name)
        if value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return tuple(words)


def _time_to_spend(told: argparse.Namespace) -> float | None:
    """Seconds until the run has to stop; None when it may take as long as it takes."""
    if told.until is None:
        return told.max_duration  # type: ignore[no-any-return]
    if told.max_duration is not None:
        raise UsageError("--until and --max-duration both end the run.", "Leave one of them out.")
    from rdimport.clock import SystemClock  # noqa: PLC0415

    now = SystemClock().now().astimezone()
    hour, minute = told.until
    end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (end - now).total_seconds() % timedelta(days=1).total_seconds()


def _log_file(told: argparse.Namespace, stack: ExitStack) -> LogFile | None:
    if told.log_file is None:
        return None
    from rdimport import log  # noqa: PLC0415
    from rdimport.clock import SystemClock  # noqa: PLC0415

    as_json = told.log_format == "json"
    return stack.enter_context(log.opened(told.log_file, SystemClock(), as_json=as_json))


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
