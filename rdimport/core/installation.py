"""Tells an incomplete installation, or limits of the system, from a bug, and says what is wrong.

It is asked after an unexpected error only, as it looks at every installed file.
"""

from __future__ import annotations

import csv
import errno
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Final

from rdimport.core.errors import InstallationError, RdimportError, is_unexpected
from rdimport.core.messages import _, ngettext
from rdimport.core.shell import installing

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from packaging.requirements import Requirement

_OURS: Final = "rdimport"
_LOADED: Final = (".py", *EXTENSION_SUFFIXES)
"""Endings of files that Python loads; others may be missing where space is scarce."""
_KEEP_THEIR_FILES: Final = frozenset({"pip", "uv"})
"""Installers that leave files as they are recorded. Distributions of Linux change some."""
_LACKING: Final = re.compile(r"not detected:\s*(.+)")
"""What polars says on a processor that it was not compiled for, before it crashes."""
_SCARCE: Final = re.compile(r"new\sthread|map\ssegment|allocate\smemory")
"""What Python and the system's loader say where memory or threads are scarce."""
_FEWEST_FILES: Final = 32
"""Files that a run has open with one connection, and some to spare."""


def refuse_unfit_processor() -> None:
    """Let polars raise its warning about this processor, as it would crash while rows are sent."""
    warnings.filterwarnings("error", "Missing required CPU features", RuntimeWarning)


def refuse_few_files() -> None:
    """Raise InstallationError if this process may not open as many files as a run needs."""
    if sys.platform == "win32":  # which has no such limit
        return
    import resource  # noqa: PLC0415  not on Windows

    most, _highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= most < _FEWEST_FILES:  # -1 where there is no limit
        raise InstallationError(
            ngettext(
                "This process may open only {number} file.",
                "This process may open only {number} files.",
                most,
            ),
            _raise_limits(),
        )


def _raise_limits() -> str:
    """What to do where the system does not give more to this process."""
    return _("End other programs, or raise the limits for this one (ulimit -a).")


@contextmanager
def installation_explained() -> Iterator[None]:
    """Turn unexpected errors into InstallationError where the installation is incomplete."""
    try:
        yield
    except RdimportError:
        raise
    except BaseException as error:
        if found := installation_error(error):
            raise found from error
        raise


def installation_error(error: BaseException) -> InstallationError | None:
    """What is wrong with the installation, if that explains an unexpected error."""
    if not is_unexpected(error):
        return None
    with suppress(Exception):  # the error that is to be explained is the one to report
        return (
            _of_limits(error)
            or _of_python(error)
            or _of_processor(error)
            or incomplete_package()
            or _of_library(error)
            or _of_ours()
        )
    return None


def incomplete_package() -> InstallationError | None:
    """A package that rdimport needs and that is missing, of another version, or incomplete."""
    return next(_of_packages(), None)


def _of_limits(error: BaseException) -> InstallationError | None:
    """What the system does not give to this process: files, memory or threads."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EMFILE, errno.ENFILE):
        what = _("No more files can be opened: {error}.", error=error)
    elif isinstance(error, MemoryError) or number == errno.ENOMEM or _SCARCE.search(str(error)):
        what = _("There is not enough memory, or no room for another thread.")
    else:
        return None
    return InstallationError(what, _raise_limits())


def _of_python(error: BaseException) -> InstallationError | None:
    """A module of Python itself that is missing, as where it was compiled without a library."""
    if not isinstance(error, ImportError) or error.name is None:
        return None
    is_built_in = error.name.partition(".")[0] in sys.stdlib_module_names
    if not is_built_in or not (isinstance(error, ModuleNotFoundError) or error.path):
        return None
    return InstallationError(
        _("Python's own module {name} cannot be loaded: {error}.", name=error.name, error=error),
        _(
            "{python} is incomplete. Install rdimport with another Python, such as the system's. "
            "One that is compiled by hand needs the system's headers (libsqlite3-dev, libssl-dev).",
            python=sys.executable,
        ),
    )


def _of_processor(error: BaseException) -> InstallationError | None:
    lacking = _LACKING.search(str(error)) if isinstance(error, RuntimeWarning) else None
    if lacking is None:
        return None
    return InstallationError(
        _(
            "The package {name} does not run on this machine's processor, which lacks {features}.",
            name="polars",
            features=lacking[1],
        ),
        _("Type: {command}", command=installing("polars[rtcompat]")),
    )


def _of_packages() -> Iterator[InstallationError]:
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    try:
        ours = distribution(_OURS)
        waiting = [(needed, _OURS) for needed in _needed_by(ours)]
    except (ImportError, PackageNotFoundError):  # a copy that was never installed
        return
    seen, names = set[str](), set[str]()
    for needed, by in waiting:
        if str(needed) in seen:
            continue
        seen.add(str(needed))
        try:
            found = distribution(needed.name)
        except PackageNotFoundError:
            yield _missing(needed)
            continue
        is_another = needed.name not in names
        names.add(needed.name)
        described = found.metadata  # read anew each time that it is asked for
        if not needed.specifier.contains(described["Version"], prereleases=True):
            yield _unfit(needed, found, by)
        elif is_another and (file := _damaged(found)):
            yield _incomplete(found, file)
        name = described["Name"]
        waiting += [(other, name) for other in _needed_by(found, *needed.extras)]


def _of_ours() -> InstallationError | None:
    """A file of ours that is missing or empty. One that differs may have been changed on purpose,
    and then a bug is one (see `changed_sources`).
    """
    from importlib.metadata import distribution  # noqa: PLC0415

    ours = distribution(_OURS)
    lacking = (file for file, size in _differing(ours) if not size)
    return next((_incomplete(ours, file) for file in lacking), None)


def changed_sources() -> list[Path]:
    """Our sources that differ from those that were installed."""
    from importlib.metadata import distribution  # noqa: PLC0415

    with suppress(Exception):  # a copy that was never installed; a bug is about to be reported
        return [file for file, size in _differing(distribution(_OURS)) if size]
    return []


def _needed_by(found: Distribution, *extras: str) -> Iterator[Requirement]:
    """What a package with these extras needs on this system."""
    from packaging.requirements import Requirement  # noqa: PLC0415  pandera needs it

    for needed in map(Requirement, found.requires or ()):
        of_extras = ({"extra": extra} for extra in ("", *extras))
        if needed.marker is None or any(map(needed.marker.evaluate, of_extras)):
            yield needed


def _damaged(found: Distribution) -> Path | None:
    return next((file for file, _size in _differing(found)), None)


def _differing(found: Distribution) -> Iterator[tuple[Path, int]]:
    """The files that Python may load and that are missing, and sources of another size than
    recorded, with their size: 0 for what is missing. Libraries are smaller once they are stripped
    to save space.
    """
    if (found.read_text("INSTALLER") or "").strip() not in _KEEP_THEIR_FILES:
        return
    # `found.files` lacks those that are missing, from Python 3.12 on
    folder = Path(str(found.locate_file("")))
    for name, _hash, recorded in csv.reader((found.read_text("RECORD") or "").splitlines()):
        if not recorded or not name.endswith(_LOADED) or "tests" in name.split("/"):
            continue
        try:
            size = os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118  thousands
        except OSError:
            yield folder / name, 0
            continue
        if size != int(recorded) and name.endswith(".py"):
            yield folder / name, size


def _missing(needed: Requirement) -> InstallationError:
    return InstallationError(
        _("The package {name} is not installed.", name=needed.name),
        _("Type: {command}", command=installing(_of(needed))),
    )


def _unfit(needed: Requirement, found: Distribution, by: str) -> InstallationError:
    return InstallationError(
        _(
            "The package {name} is installed in version {version}, but {by} needs {needed}.",
            name=found.name,
            version=found.version,
            by=by,
            needed=needed.specifier,
        ),
        _("Type: {command}", command=installing(_of(needed))),
    )


def _of(needed: Requirement) -> str:
    """What to install, without the conditions under which it is needed."""
    extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
    return f"{needed.name}{extras}{needed.specifier}"


def _incomplete(found: Distribution, file: Path) -> InstallationError:
    return InstallationError(
        _(
            "The package {name} is not completely installed: {file} is missing or damaged.",
            name=found.name,
            file=file,
        ),
        _again(found),
    )


def _again(found: Distribution) -> str:
    if found.name == _OURS:
        return _("Install rdimport again.")
    named = f"{found.name}=={found.version}"
    command = installing("--force-reinstall", "--no-deps", named)
    return _("Install it again: {command}", command=command)


def _of_library(error: BaseException) -> InstallationError | None:
    """A package that cannot be loaded although its files are all there: a library of the system is
    missing, or does not fit.

    Some packages hide why (polars fails later, with a NameError), so their libraries are tried.
    """
    from importlib.metadata import distribution, packages_distributions  # noqa: PLC0415

    named = tuple(_packages_of(error))
    if sys.stdlib_module_names.issuperset({*named} - {_OURS}):
        return None  # at once: to find out whose each package is, all of them are read
    owners = packages_distributions()
    name = next((one for one in named if one in owners), _OURS)
    if name == _OURS:
        return None
    found = [distribution(owner) for owner in dict.fromkeys(owners[name])]
    parts = [distribution(needed.name) for one in found for needed in _needed_by(one)]
    for part in [*found, *parts]:
        for module in _compiled_modules(part):
            try:
                import_module(module)
            except ImportError as why:
                if why.path:  # the system could not load it
                    return _unloadable(part.name, why, part)
    if isinstance(error, ImportError):
        return _unloadable(name, error, found[0])
    return None


def _compiled_modules(found: Distribution) -> Iterator[str]:
    for file in found.files or ():
        module = (*file.parent.parts, file.name.partition(".")[0])
        if file.name.endswith(tuple(EXTENSION_SUFFIXES)) and all(map(str.isidentifier, module)):
            yield ".".join(module)


def _packages_of(error: BaseException) -> Iterator[str]:
    """The package that could not be imported, and the one whose code raised the error. The first
    may be the bare name of a library in the second.
    """
    if isinstance(error, ImportError) and error.name:
        yield error.name.partition(".")[0]
    frames = [frame.f_globals.get("__name__", "") for frame, _line in walk_tb(error.__traceback__)]
    yield from (name.partition(".")[0] for name in frames[-1:])


def _unloadable(name: str, why: ImportError, found: Distribution) -> InstallationError:
    return InstallationError(
        _(
            "The package {name} cannot be loaded: {error}. Either it is damaged, or the system "
            "lacks a library that it needs.",
            name=name,
            error=why,
        ),
        _again(found),
    )
