"""One import as its options say, for `run` and for each job of `jobs run`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rdimport.cli import resolve
from rdimport.cli.arguments import RunArguments

if TYPE_CHECKING:
    from rdimport import RDStation, RunResult
    from rdimport.core.events import Observer
    from rdimport.delivery.stopping import StopRequest
    from rdimport.plan.departure import Departure


def carry_out(
    args: RunArguments,
    to: RDStation,
    *,
    on_event: Observer,
    agreed: Callable[[Departure], bool],
    signals: bool = False,
    stop: StopRequest | None = None,
    job: str = "",
) -> RunResult:
    """Import as the options say. Raises what `api.run` raises."""
    from rdimport import api  # noqa: PLC0415

    return api.run(
        args.files,
        args.mapping,
        to=to,
        quota=resolve.quota(args),
        state_dir=resolve.state_dir(args),
        report_dir=args.report_dir or api.REPORT_DIR,
        resend=resolve.resend(args),
        limit=args.canary or args.limit,
        canary=args.canary is not None,
        concurrency=args.concurrency,
        max_seconds=resolve.time_to_spend(args),
        timeout=args.timeout,
        patience=args.patience,
        hints=resolve.hints(args),
        on_event=on_event,
        lang=args.lang,
        full_report=args.full_report,
        share_quota=not args.sandbox,
        signals=signals,
        stop=stop,
        job=job,
        transport=args.transport,
        sandbox=args.sandbox,
        again=resolve.again(args),
        yes=args.yes,
        new_identity=args.new_identity,
        agreed=agreed,
    )


def to_know(args: RunArguments, done: RunResult, gaps: tuple[str, ...]) -> Iterator[str]:
    """What was found in the files, what RD may drop, `gaps` of the log, and what to look at after
    a canary.
    """
    from rdimport.cli.screen.layout import canary, notes  # noqa: PLC0415

    custom = [name for name in done.fields if name.startswith("cf_")]
    warned = [sentence for sentence in done.advice if custom and custom[0] in sentence]
    yield from notes((*done.notes, *warned, *gaps))
    if args.canary and not args.sandbox:
        yield from canary(done)
