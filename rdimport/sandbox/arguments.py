"""Command-line arguments of `rdimport sandbox`, generated from `SandboxOptions`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from rdimport.core.messages import _
from rdimport.sandbox.faults import Faults
from rdimport.sandbox.options import SandboxOptions, option_texts


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(_("is not a whole number")) from None


_TYPES: Final[dict[str, Callable[[str], object]]] = {
    **dict.fromkeys(("data", "certificate", "private_key"), Path),
    **dict.fromkeys(
        (
            "port",
            "lead_limit",
            "max_body",
            "max_length",
            "key_status",
            "error_shape",
            "seed",
            "keep",
            "header_timeout",
        ),
        _whole,
    ),
}
_REPEATED: Final = {"accounts": "--account", "faults": "--fault"}


def add_arguments(parser: ArgumentParser) -> None:
    """One argument for each field of SandboxOptions, with its text and default."""
    texts = option_texts()
    for known in fields(SandboxOptions):
        metavar, text = texts[known.name]
        has_default = _has_default(known.default)
        shown = _(" (default: {default})", default=known.default) if has_default else ""
        option: dict[str, Any] = {"dest": known.name, "metavar": metavar, "help": text + shown}
        if known.name in _REPEATED:
            parser.add_argument(_REPEATED[known.name], action="append", **option)
        else:
            kind = _TYPES.get(known.name, str)
            flag = f"--{known.name.replace('_', '-')}"
            parser.add_argument(flag, type=kind, default=known.default, **option)


def _has_default(default: object) -> bool:
    return isinstance(default, str | int) and default not in ("", 0)


def options_from(arguments: Namespace) -> SandboxOptions:
    """The options given. Raises UsageError for contradictory values."""
    values = {known.name: getattr(arguments, known.name) for known in fields(SandboxOptions)}
    values["accounts"] = tuple(values["accounts"] or ("default",))
    values["faults"] = Faults.parse(values["faults"] or ())
    return SandboxOptions(**values)
