"""Converts options to the arguments of the API: destination, mapping, pace, limits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdimport.cli import keys
from rdimport.cli.arguments import (
    AddressArguments,
    CheckArguments,
    FileArguments,
    RunArguments,
    SharedArguments,
    StateArguments,
    read,
)
from rdimport.core.address import is_address
from rdimport.core.errors import UsageError
from rdimport.core.looking import exists
from rdimport.core.masking import refuse_key_in
from rdimport.core.messages import _, prefer
from rdimport.core.own_folders import default_state_dir, refuse_no_folder
from rdimport.core.shell import STDIN, at_home, whole
from rdimport.core.values import replace

if TYPE_CHECKING:
    from rdimport.cli.log import LogFile
    from rdimport.config import Settings
    from rdimport.core.quota import Quota
    from rdimport.core.row import State
    from rdimport.destination.rdstation.endpoint import RDStation
    from rdimport.ledger import Store
    from rdimport.source import Hints

# Imports are local: an error in one option should not cost the imports of the others.

VARIABLES: Final = {
    name: f"RDIMPORT_{name.upper()}" for name in ("state_dir", "base_url", "ledger")
}
"""The variables that replace options, by the option."""

_SANDBOX_ACCOUNT: Final = "sandbox"


def destination(args: CheckArguments, stack: ExitStack) -> RDStation:
    """The destination: a sandbox started for this run, or the given endpoint."""
    if not args.sandbox:
        key = keys.find(args.api_key_file, os.environ, args.account or "default")
        return station(args, key)
    refuse_key_at_hand(args)
    from rdimport import sandbox  # noqa: PLC0415
    from rdimport.destination.rdstation.endpoint import RDStation  # noqa: PLC0415

    wanted = sandbox.SandboxOptions(port=0, plan=args.plan or "none", custom_fields="any")
    box = stack.enter_context(sandbox.running(wanted))
    # each sandbox starts empty, so earlier results do not apply to it
    return RDStation(
        box.api_key,
        base_url=box.base_url,
        account=args.account or _SANDBOX_ACCOUNT,
        identity=f"sandbox {os.urandom(8).hex()}",
    )


def station(
    args: AddressArguments,
    key: str | None,
    unclear: Mapping[int, str] | None = None,
    *,
    idempotent: bool = False,
) -> RDStation:
    """The given endpoint, otherwise RD's, with its owner's declarations. Raises UsageError."""
    from rdimport.destination.rdstation.endpoint import BASE_URL, RDStation  # noqa: PLC0415

    refuse_key_in(_options(args), key)
    base_url = args.base_url or os.environ.get("RDIMPORT_BASE_URL") or BASE_URL
    return RDStation(
        key,
        base_url=base_url,
        account=args.account or "default",
        insecure_http=args.insecure_http,
        unclear=unclear,
        idempotent=idempotent,
    )


def _options(args: AddressArguments) -> Iterator[object]:
    """All that the command line and the environment say."""
    for one in (*vars(args).values(), *map(os.environ.get, VARIABLES.values())):
        yield from one if isinstance(one, tuple) else (one,)


def refuse_key_at_hand(args: CheckArguments) -> None:
    """Raise KeyInNameError as without --sandbox: the sandbox has another key than the one at hand,
    which must not be shown or stored either.
    """
    key = keys.at_hand(args.api_key_file, os.environ)
    refuse_key_in((*_options(args), Path.cwd()), key)
    if key and args.mapping is not None:
        from rdimport.mapping import Mapping  # noqa: PLC0415

        refuse_key_in([Mapping.load(args.mapping)], key)


def quota(args: CheckArguments) -> Quota | None:
    """The given quota, otherwise the plan's, otherwise RD's lowest; none for our own sandbox."""
    from rdimport.core.quota import Quota  # noqa: PLC0415
    from rdimport.destination.rdstation.fields import PLANS  # noqa: PLC0415

    default = "none" if args.sandbox else PLANS["light"]
    try:
        found = Quota.parse(args.quota or PLANS.get(args.plan or "") or default)
    except ValueError as error:
        raise UsageError(_("--quota: {error}.", error=error)) from None
    try:
        return found.leaving(args.reserve) if found and args.reserve else found
    except ValueError as error:
        raise UsageError(_("--reserve: {error}.", error=error)) from None


def again(args: CheckArguments) -> tuple[str, ...]:
    """The options for another command to do the same; never the key."""
    names = "base_url account plan quota reserve api_key_file state_dir report_dir timeout patience"
    names += " concurrency wait transport lang delimiter encoding header_row sheet member"
    from rdimport.api import REPORT_DIR  # noqa: PLC0415

    usual = read(["run", "FILE", "-m", "MAPPING"])
    words = ["--sandbox"] if args.sandbox else []
    words += ["--insecure-http"] if args.insecure_http else []
    for name in names.split():
        value = getattr(args, name)
        if name in ("base_url", "state_dir"):  # the reader may not have our environment
            value = value or os.environ.get(f"RDIMPORT_{name.upper()}")
        if name == "report_dir":
            value = value or REPORT_DIR
        if value and name in ("api_key_file", "state_dir", "report_dir"):
            value = Path(value).absolute()
        if value == "\t":
            value = "tab"
        if usual is not None and value != getattr(usual.arguments, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += [word for name in args.suppress for word in ("--suppress", whole(name))]
    return (*words, *store(args).location_options) if ledger(args) else tuple(words)


def refuse_contradictions(args: CheckArguments) -> None:
    """Raise UsageError for options that contradict each other."""
    for one, other, what in (
        ("canary", "limit", _("{options} both say how many rows are sent.")),
        ("until", "max_duration", _("{options} both end the run.")),
        ("quota", "plan", _("{options} both set the quota.")),
        ("sandbox", "base_url", _("{options} name two endpoints.")),
    ):
        given = [getattr(args, name) for name in (one, other)]
        if all(value is not None and value is not False for value in given):
            options = _("--{one} and --{other}", one=one, other=other.replace("_", "-"))
            raise UsageError(what.format(options=options), _("Omit one of them."))
    for option, path in (("--log-file", args.log_file), ("--metrics-file", args.metrics_file)):
        if path is not None and any(_is(path, name) for name in _read_by(args)):
            raise UsageError(
                _("{option} names {path}, which this command reads.", option=option, path=path),
                _("Name another file with {option}.", option=option),
            )


def _read_by(args: CheckArguments) -> list[str]:
    """The names of all files that a command reads, patterns as they were typed."""
    others = (args.mapping, args.api_key_file)
    return [*args.files, *args.suppress, *(str(path) for path in others if path is not None)]


def _is(path: Path, name: str) -> bool:
    """Whether a path is this file, or matches this pattern."""
    given = at_home(name)
    try:
        return given.samefile(path)
    except (OSError, ValueError):  # one of them does not exist
        return fnmatchcase(str(path.absolute()), str(given.absolute()))


def refuse_what_is_not_there(args: RunArguments) -> None:
    """Raise SourceError or MappingError for a list or mapping that does not exist as a file."""
    from rdimport.mapping import Mapping  # noqa: PLC0415
    from rdimport.source import open_tables  # noqa: PLC0415

    for name in args.files:
        if name != STDIN and not is_address(name) and not exists(at_home(name)):
            open_tables([name])
    if not exists(args.mapping):
        Mapping.load(args.mapping)


def until(args: CheckArguments) -> datetime | None:
    """The time at which the run has to stop; None if there is none."""
    from rdimport.core.clock import SystemClock  # noqa: PLC0415

    return args.until and next_time(SystemClock().now(), args.until)


def next_time(now: datetime, time: tuple[int, int]) -> datetime:
    """When this machine's clock next shows an hour and minute, also in a night in which it is
    changed. If the clock skips that time, as in Brazil at midnight, the result is later by the time
    skipped.
    """
    local = now.astimezone().replace(tzinfo=None)
    end = local.replace(hour=time[0], minute=time[1], second=0, microsecond=0)
    if end < local:
        end += timedelta(days=1)
    both = [end.replace(fold=fold).astimezone() for fold in (0, 1)]  # differ in such nights
    shown = [moment for moment in both if moment.replace(tzinfo=None) == end] or [max(both)]
    return next((moment for moment in sorted(shown) if moment >= now), now)


def quietly(args: RunArguments) -> RunArguments:
    """The same arguments without progress and JSON."""
    return replace(args, quiet=True, json=False)


def log_file(args: CheckArguments, stack: ExitStack) -> LogFile | None:
    """The log file, if requested; open until the stack closes."""
    if args.log_file is None:
        return None
    from rdimport.cli import log  # noqa: PLC0415
    from rdimport.core.clock import SystemClock  # noqa: PLC0415

    as_json = args.log_format == "json"
    return stack.enter_context(log.opened(args.log_file, SystemClock(), keys.MASK, as_json=as_json))


def hints(args: FileArguments) -> Hints:
    """The user's hints about the files."""
    from rdimport.source import Hints  # noqa: PLC0415

    delimiter = "\t" if args.delimiter in ("tab", "\\t") else args.delimiter
    return Hints(args.sheet, args.header_row, delimiter, args.encoding, member=args.member)


def resend(args: CheckArguments) -> frozenset[State]:
    """The states of rows to resend."""
    from rdimport.core.row import State  # noqa: PLC0415

    if args.not_proved and State.UNCERTAIN not in args.resend:
        raise UsageError(
            _("--not-proved limits which uncertain rows are sent again."),
            _("Type it with --resend uncertain."),
        )
    if args.now and State.UNCERTAIN not in args.resend:
        raise UsageError(
            _("--now makes uncertain rows be sent again without waiting."),
            _("Type it with --resend uncertain."),
        )
    return frozenset(State(name) for name in args.resend)


def state_dir(args: StateArguments) -> Path:
    """The folder of the ledger: the given one, otherwise the system's folder for program state.

    Raises LedgerError for what cannot be a folder.
    """
    named = args.state_dir or os.environ.get("RDIMPORT_STATE_DIR")
    folder = Path(named) if named else default_state_dir()
    refuse_no_folder(folder)
    return folder


def store(args: StateArguments) -> Store:
    """The store of the ledger."""
    from rdimport.ledger import store_of_run  # noqa: PLC0415  it costs time

    shared = ledger(args)
    return store_of_run(shared, "" if shared else state_dir(args), keys.of_ledger())


def no_runs(store: Store) -> UsageError:
    """The error of a command for which there must be a ledger, if there is none."""
    return UsageError(
        _("There have been no runs in {state_dir} yet.", state_dir=store),
        _("Use --state-dir to name the directory of the runs."),
    )


def ledger(args: SharedArguments) -> str | None:
    """The address of the ledger that machines share, if there is one."""
    return args.ledger or os.environ.get("RDIMPORT_LEDGER") or None


def names_ledger(args: StateArguments) -> bool:
    """Whether the command line or the environment says where the ledger is."""
    return bool(args.state_dir or os.environ.get("RDIMPORT_STATE_DIR") or ledger(args))


def settings(named: Path | None) -> Settings | None:
    """The settings, if any: the given file, otherwise the user's. From here on their language is
    used, unless the command line names one.
    """
    from rdimport.config import find, usual_folder  # noqa: PLC0415

    path = find(named, os.environ, usual_folder())
    if path is None:
        return None
    from rdimport.config import load  # noqa: PLC0415

    found = load(path)
    if found.defaults.lang:
        prefer(found.defaults.lang)
    return found


def settings_file(named: Path | None) -> Path:
    """The path of the settings, whether or not it exists. Raises NoHomeError."""
    from rdimport.config import find, usual, usual_folder  # noqa: PLC0415

    return find(named, os.environ, usual_folder()) or usual()


def needed_settings(named: Path | None) -> Settings:
    """The settings. Raises UsageError if there are none."""
    found = settings(named)
    if found is None:
        from rdimport.config import usual  # noqa: PLC0415

        raise UsageError(
            _("There are no settings: no file is named, and {file} does not exist.", file=usual()),
            _(
                "Name one with --config, or in the environment variable RDIMPORT_CONFIG; "
                "docs/jobs.md explains its contents. To create one: rdimport init LIST -o "
                "MAPPING --job NAME"
            ),
        )
    return found
