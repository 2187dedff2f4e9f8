"""The command-line grammar: no abbreviated options, and no rejected argument is repeated.

A rejected argument may be a key typed in the wrong place, and error messages may end up in mails or
journals. So messages name the option, but not its value.
"""

from __future__ import annotations

import argparse
import gettext
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from rdimport.cli.streams import write_output
from rdimport.core.looking import exists
from rdimport.core.messages import Language, _, ngettext, untranslated
from rdimport.core.messages.catalogue import DOMAIN, FOLDER
from rdimport.core.names import did_you_mean
from rdimport.core.shell import joined

_KINDS: Final = r"(?:[a-z]+[-_])*(?:api[-_]?)?(?:key|token|secret|password|senha|chave)"
_SECRET_OPTION: Final = re.compile(rf"--?{_KINDS}", re.IGNORECASE)
_SETTING: Final = re.compile(
    rf"(?:export\s+|set\s+)?(?:rdimport_\w+|{_KINDS})\s*[=:]", re.IGNORECASE
)
_SHOWN: Final = re.compile(r"-[A-Za-z]|--[A-Za-z][A-Za-z-]{0,24}")
_NUMBER: Final = re.compile(r"-\d+(?::\d\d)?$|-\d*\.\d+$")
"""Values that begin with -: a number, or an offset from UTC."""
_LIST_MARK: Final = re.compile(r" +\d+ +")

_HOW_TO_GIVE_A_KEY: Final = untranslated(
    "a key is never given on the command line, where other users of this machine can read "
    "it. Put it into the environment variable RDIMPORT_API_KEY, into a file that only you "
    "can read (--api-key-file FILE), or into the keyring (rdimport key set NAME). What you "
    "typed may be in your shell's history: remove it there"
)


_SHORT: Final = {"-q": "quiet", "-y": "yes", "-v": "version", "-V": "version"}
"""Options of other programs that have one letter, and what they are called here."""
_REQUIRED: Final = untranslated("the following arguments are required: %s")
"""argparse's sentence, which it translates itself."""

_VALUES: Final = {
    name: name
    for name in (
        untranslated("FILE"),
        untranslated("NAME"),
        untranslated("DIR"),
        untranslated("TIME"),
        untranslated("COMMAND"),
        untranslated("ACTION"),
        untranslated("PATTERN"),
        untranslated("CHAR"),
        untranslated("ADDRESS"),
        untranslated("SHARE"),
        untranslated("RUN"),
        untranslated("SECONDS"),
        untranslated("SPELLING"),
        untranslated("PROFILE"),
        untranslated("PLAN"),
        untranslated("NAME=VALUE"),
        untranslated("none|any|FILE"),
        untranslated("FROM"),
        untranslated("TO"),
        untranslated("COLUMN"),
        untranslated("ACCOUNT"),
    )
}
"""The placeholders that help shows for the values of options and arguments."""


class Help(argparse.HelpFormatter):
    """Wraps a description line by line, with an indent where a line of a list goes on."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        del indent  # that of a description is empty
        return "\n".join(part for line in text.split("\n") for part in _fitted(line, width))


def _fitted(line: str, width: int) -> list[str]:
    from textwrap import wrap  # noqa: PLC0415  only help needs it

    mark = _LIST_MARK.match(line)
    return wrap(line, width, subsequent_indent=" " * len(mark[0] if mark else "")) or [""]


class Grammar(argparse.ArgumentParser):
    """A parser whose arguments are added by `fill` on first use: most commands are not typed."""

    fill: Callable[[argparse.ArgumentParser], None] | None = None
    example: str = ""
    """What to type instead, shown where an argument is missing."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **named})
        self._negative_number_matcher = _NUMBER

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like the base class, except for the message about surplus arguments."""
        found, surplus = self.parse_known_args(args, namespace)
        if surplus:
            self.error(_too_many(surplus))
        return found

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Like the base class with all arguments, after checking for unknown options and keys."""
        self.complete()
        words = sys.argv[1:] if args is None else list(args)
        if self._is_bare(words) and any(map(_is_choice, self._actions)):
            self.print_help(sys.stdout)
            self.exit(2)
        for word in self._own(words):
            trouble = self._trouble(word)
            if trouble:
                self.error(trouble)
        return super().parse_known_args(words, namespace)

    def _is_bare(self, words: Sequence[str]) -> bool:
        """Whether the command is typed alone, or with only its language."""
        if not words:
            return True
        name, mark, value = words[0].partition("=")
        given = [value] if mark else list(words[1:])
        if name != "--lang" or len(given) != 1:
            return False
        with suppress(argparse.ArgumentError):
            self._get_value(self._option_string_actions[name], given[0])
            return True
        return False

    def format_help(self) -> str:
        """Like the base class, with the names of values in the current language."""
        self.complete()
        return super().format_help()

    def complete(self) -> None:
        """Add the arguments that are not there yet, and name values in the current language."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        for action in self._actions:
            if isinstance(action.metavar, str) and action.metavar in _VALUES:
                action.metavar = _(action.metavar)

    def error(self, message: str) -> NoReturn:
        """End with the error alone: all options before it, as in argparse, would hide it."""
        lines = [_("{command}: error: {message}", command=self.prog, message=message)]
        if self.example and message.startswith(gettext.gettext(_REQUIRED).partition("%s")[0]):
            lines.append(_("For example: {command}", command=self.example))
        lines.append(_("All options: {command}", command=f"{self.prog} --help"))
        self.exit(2, "\n".join(lines) + "\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Like the base class, but report that help cannot be written. Raises OutputError."""
        if file is sys.stdout:
            write_output(message)
        else:
            super()._print_message(message, file)

    def _own(self, words: Sequence[str]) -> Iterable[str]:
        """The arguments that do not belong to a subparser: those before the command."""
        for word in words:
            if word == "--":
                return
            yield word
            if self._subparsers is not None and not word.startswith("-"):
                return

    def _trouble(self, word: str) -> str:
        """What is wrong with an argument by itself, if anything."""
        if _SETTING.match(word) and (word.lower().startswith("rdimport_") or not is_file(word)):
            return _("NAME=VALUE is not an argument, and {how}.", how=_(_HOW_TO_GIVE_A_KEY))
        if not word.startswith("-") or word == "-" or _NUMBER.fullmatch(word):
            return ""
        name = re.split(r"[=\s]", word, maxsplit=1)[0]
        known = self._option_string_actions
        if name in known:
            with_value = "=" in word and known[name].nargs == 0
            return _("{option} takes no value.", option=name) if with_value else ""
        joined = not word.startswith("--") and (word[:2] in known or " " in word)
        return "" if joined else self._unknown(name, known)

    def _unknown(self, name: str, known: Iterable[str]) -> str:
        if _SECRET_OPTION.fullmatch(name):
            return f"{_(_HOW_TO_GIVE_A_KEY)}."
        shown = f" {name}" if _SHOWN.fullmatch(name) else ""
        names = [option.lstrip("-") for option in known if option.startswith("--")]
        best = _SHORT.get(name, "")
        best = best if best in names else did_you_mean(name.lstrip("-"), names)
        hint = _("did you mean {name}?", name=f"--{best}")
        if not best:
            hint = _("{command} --help lists the options.", command=self.prog)
        return _("unknown option{shown}; {hint}", shown=shown, hint=hint)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Like the base class, but rejects empty values: with a script's unset variable, another
        ledger or endpoint would be used.
        """
        if "" in arg_strings and not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            raise _wrong(
                action, _("is empty, as with a variable that is not set; leave it out or set it")
            )
        if action.option_strings and "--" in arg_strings:  # which argparse may take away
            raise argparse.ArgumentError(action, _("-- is not a value"))
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Like the base class, without repeating an invalid choice."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError:
            choices = [str(choice) for choice in action.choices or ()]
            if action.dest == "command" and is_file(str(value)):
                raise argparse.ArgumentError(None, _no_command(str(value))) from None
            best = did_you_mean(str(value), choices)
            hint = "; " + _("did you mean {name}?", name=best) if best else ""
            message = _("must be one of {choices}", choices=", ".join(choices)) + hint
            raise _wrong(action, message) from None


def _wrong(action: argparse.Action, message: str) -> argparse.ArgumentError:
    """The error at an argument, in which one that is a choice is called as in help."""
    error = argparse.ArgumentError(action, message)
    if action.dest == "action" and action.metavar is None:
        error.argument_name = _("ACTION")
    return error


def as_sentence(text: str) -> str:
    """A command's line in the list of commands, as the first sentence of its own help."""
    whole = text[0].upper() + text[1:]
    return whole if whole.endswith("?") else f"{whole}."


def _is_choice(action: argparse.Action) -> bool:
    """Whether an argument selects an action, as in `jobs run`. Without one, help is printed."""
    one = not action.option_strings and action.nargs is None and bool(action.choices)
    return one or (isinstance(action, argparse._SubParsersAction) and action.required)  # noqa: SLF001


def _no_command(file: str) -> str:
    return _(
        "{file} is a file; type what to do with it first: {init} proposes a mapping for it, "
        "{run} imports it.",
        file=file,
        init=joined(["rdimport", "init", file]),
        run=f"{joined(['rdimport', 'run', file])} -m {_('MAPPING')}",
    )


def is_file(word: str) -> bool:
    """Whether an argument names an existing file or folder."""
    return exists(Path(word))


def _too_many(words: Sequence[str]) -> str:
    """The message about surplus arguments. Only files are named: others may be keys."""
    files = [word for word in words if is_file(word)]
    if len(files) == len(words):
        return _(
            "name all files together: {files} is separated from the others.",
            files=", ".join(files),
        )
    count = len(words) - len(files)
    return ngettext(
        "{number} word is too many for this command (not shown here, as it may be a key).",
        "{number} words are too many for this command (not shown here, as one may be a key).",
        count,
    )


@contextmanager
def translated(lang: Language) -> Iterator[None]:
    """Translate argparse's own messages, which use gettext's global domain."""
    if lang == "en":
        yield
        return
    domain, before = gettext.textdomain(), os.environ.get("LANGUAGE")
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = lang.replace("-", "_")
    try:
        yield
    finally:
        gettext.textdomain(domain)
        os.environ.pop("LANGUAGE")
        if before is not None:
            os.environ["LANGUAGE"] = before
