"""One import according to its options, for `run` and for each job of `jobs run`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from rdimport.cli import keys, resolve
from rdimport.cli.arguments import CheckArguments, RunArguments
from rdimport.core.address import masked
from rdimport.core.errors import ExitCode, KeyInNameError, LedgerError, RdimportError
from rdimport.core.events import Observer, ignore_events
from rdimport.core.messages import _
from rdimport.core.visible import shown

if TYPE_CHECKING:
    from rdimport import CheckResult, RDStation, RunResult
    from rdimport.delivery.stopping import StopRequest
    from rdimport.plan.departure import Departure


class Caller(TypedDict, total=False):
    """What the command that starts a run decides, in `api.run`'s terms."""

    on_event: Required[Observer]
    agreed: Required[Callable[[Departure], bool]]
    signals: bool
    stop: StopRequest
    job: str
    batch: str


def carry_out(args: RunArguments, to: RDStation, **caller: Unpack[Caller]) -> RunResult:
    """Import according to the options. Raises what `api.run` raises."""
    from rdimport import api  # noqa: PLC0415

    return api.run(
        args.files,
        args.mapping,
        to=to,
        quota=resolve.quota(args),
        state_dir=resolve.state_dir(args),
        ledger=resolve.ledger(args),
        ledger_key=keys.of_ledger(),
        report_dir=args.report_dir or api.REPORT_DIR,
        resend=resolve.resend(args),
        resend_now=args.now,
        not_proved=args.not_proved,
        suppress=args.suppress,
        limit=args.canary or args.limit,
        canary=args.canary is not None,
        concurrency=args.concurrency,
        max_seconds=args.max_duration,
        until=resolve.until(args),
        wait=args.wait,
        timeout=args.timeout,
        patience=args.patience,
        hints=resolve.hints(args),
        lang=args.lang,
        full_report=args.full_report,
        share_quota=not args.sandbox,
        transport=args.transport,
        sandbox=args.sandbox,
        again=resolve.again(args),
        yes=args.yes,
        new_identity=args.new_identity,
        **caller,
    )


def check(
    args: CheckArguments,
    mapping: Path,
    to: RDStation | None,
    *,
    on_event: Observer = ignore_events,
    keep: bool = False,
) -> CheckResult:
    """Check according to the options. Raises what `api.check` raises."""
    from rdimport import api  # noqa: PLC0415

    return api.check(
        args.files,
        mapping,
        to=to,
        quota=resolve.quota(args),
        state_dir=None if args.sandbox else resolve.state_dir(args),
        ledger=None if args.sandbox else resolve.ledger(args),
        ledger_key=keys.of_ledger(),
        hints=resolve.hints(args),
        limit=args.canary or args.limit,
        resend=resolve.resend(args),
        not_proved=args.not_proved,
        suppress=args.suppress,
        on_event=on_event,
        lang=args.lang,
        keep=keep,
        yes=args.yes,
        new_identity=args.new_identity,
    )


def note_attempt(
    args: CheckArguments, error: RdimportError, started: datetime, *, job: str = "", batch: str = ""
) -> None:
    """Record a run that ended before it began, for `status`. If that fails, the original error is
    raised.
    """
    from rdimport.ledger import Attempt  # noqa: PLC0415

    if error.summary is not None or args.sandbox or isinstance(error, KeyInNameError):
        return
    with suppress(RdimportError, OSError):
        attempt = Attempt(
            started,
            args.account or "default",
            job,
            str(args.mapping),
            tuple(shown(masked(name)) for name in args.files),
            ExitCode(error.exit_code),
            keys.MASK(str(error)),
            batch,
        )
        with resolve.store(args).open() as ledger:
            ledger.note_attempt(attempt)


def to_know(args: RunArguments, done: RunResult, gaps: tuple[str, ...]) -> Iterator[str]:
    """Notes for the user: about the files, fields that RD may drop, `gaps` in the log, and what to
    check after a canary.
    """
    from rdimport.cli.screen.layout import canary, notes  # noqa: PLC0415

    custom = [name for name in done.fields if name.startswith("cf_")]
    warned = [f"{s[0].upper()}{s[1:]}" for s in done.advice if custom and custom[0] in s]
    yield from notes((*done.notes, *warned, *gaps))
    if args.canary and not args.sandbox:
        try:
            lines = list(canary(done))
        except LedgerError as error:  # rows were sent, even if the ledger has failed since
            where = _("The report of this run: {folder}", folder=done.report_dir)
            known = {**done.summary.as_json(), "exit_code": int(ExitCode.STOPPED)}
            raise error.with_code(ExitCode.STOPPED, where, known) from error
        yield from lines
