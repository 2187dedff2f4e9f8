"""`rdimport init`: propose a mapping from a file's headers and values, and a job that uses it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rdimport import api
from rdimport.cli import resolve
from rdimport.cli.arguments import InitArguments
from rdimport.cli.streams import print_error, say_file
from rdimport.core.address import masked
from rdimport.core.errors import ExitCode, UsageError
from rdimport.core.key_file import owner_only
from rdimport.core.looking import exists
from rdimport.core.messages import _
from rdimport.core.shell import STDIN, joined, whole

if TYPE_CHECKING:
    from rdimport.config.new_job import Added


def execute(args: InitArguments) -> int:
    """Propose a mapping; an existing file is never overwritten."""
    settings = Path() if args.job is None else resolve.settings_file(args.config)
    output = None if args.output == Path(STDIN) else args.output
    if args.job is not None and output is None:
        output = settings.parent / f"{args.job}.yaml"
    job = _job(args, settings, output)
    found = api.propose(
        args.files[0], hints=resolve.hints(args), command=_look(args, output), lang=args.lang
    )
    if output is None:
        say_file(found.text.rstrip().split("\n"))
    else:
        if args.output is None:  # next to the settings, whose folder may be new too
            with suppress(OSError):
                output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(output, found.text)
        print_error(
            _(
                "wrote {output}. Read it, correct it, then type:\n  {look}",
                output=output,
                look=_look(args, output, near=sys.stderr.isatty()),
            )
        )
    if found.missing:
        print_error(
            _(
                "{missing}\nName the column yourself: RD needs an e-mail address in each row.",
                missing=found.missing,
            )
        )
    if job is not None:
        job.write()
        _tell(args, job)
    return ExitCode.FAILED_ROWS if found.missing else ExitCode.DONE


def _job(args: InitArguments, settings: Path, mapping: Path | None) -> Added | None:
    """The job to add, checked before anything is written. Raises UsageError."""
    if args.job is None or mapping is None:
        if args.account or args.api_key_file or args.config:
            raise UsageError(
                _("--account, --api-key-file and --config of `init` are for a job."),
                _("Name the job with --job, or omit them."),
            )
        return None
    if args.output == Path(STDIN):
        raise UsageError(
            _("A job needs its mapping in a file, not on standard output."),
            _("Name a file with -o, or omit -o."),
        )
    if STDIN in args.files:
        raise UsageError(
            _("A job reads its list again and again, and standard input can be read only once."),
            _("Name a file, or omit --job."),
        )
    if exists(mapping):
        raise _is_there(mapping)
    from rdimport.config import NewJob, add_job  # noqa: PLC0415  only a job needs the settings

    return add_job(settings, NewJob(args.job, args.files, mapping, args.account, args.api_key_file))


def _tell(args: InitArguments, job: Added) -> None:
    """Print what was added, and what remains to be done."""
    print_error(
        _(
            "added job {job} of account {account} to {path}.",
            job=args.job,
            account=job.account,
            path=job.path,
        )
    )
    if job.new_key_file is not None and not exists(job.new_key_file):
        print_error(
            _(
                "The key of {account} is expected in {file}, readable by you only: put it "
                "there, or set another location in the settings.",
                account=job.account,
                file=job.new_key_file,
            )
        )
    named = ["--config", str(job.path)] if args.config else []
    look = joined(["rdimport", "jobs", "check", str(args.job), *named])
    print_error(_("Then see what it would do:\n  {look}", look=look))


def _look(args: InitArguments, output: Path | None, *, near: bool = False) -> str:
    """The command that shows the mapping's effect; `near`: for a reader in this folder."""
    mapping = str(output) if output else _("THIS-FILE")
    if output and not near:
        mapping = whole(mapping)
    files = [masked(name) if near else whole(name) for name in args.files]
    return joined(["rdimport", "check", *files, "-m", mapping])


def _is_there(path: Path) -> UsageError:
    return UsageError(
        _("{path} already exists, and is not overwritten.", path=path),
        _("Name another file with -o."),
    )


def _write(path: Path, text: str) -> None:
    try:
        # for its owner only: reasons quote cells
        with open(path, "x", encoding="utf-8", opener=owner_only) as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                path.unlink()  # a partial file would block the next attempt
                raise
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise UsageError(
            _("{path} cannot be written: {error}.", path=path, error=error),
            _("With {option}, name a file in a folder that you can write to.", option="-o"),
        ) from None
