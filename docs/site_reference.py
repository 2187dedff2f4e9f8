"""Generate the site's reference pages that come from the code alone: commands, codes, states.

Called by `conf.py` before the pages are read; its output is not committed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from summary_reference import MEANINGS

from rdimport.cli import options
from rdimport.core.messages import Language, language, speaking
from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import reason
from rdimport.core.row import State
from rdimport.report.metrics import text
from rdimport.report.summary import RunSummary

_WORDS: Final = {
    "en": {
        "commands": "Commands",
        "option": "option",
        "what": "what it does",
        "codes": "Reason codes and remedies",
        "code": "code",
        "sentence": "what it says",
        "remedy": "what to do",
        "summary": "Keys of summary.json",
        "key": "key",
        "meaning": "meaning",
        "intro": "Codes never change their meaning and are never translated.",
        "metrics": "Metrics",
        "textfile": "`--metrics-file FILE` writes these for Prometheus' textfile collector."
        " Names and help are in English in every language, as is usual with Prometheus.",
        "object": "The object that `--json` prints, and that `summary.json` holds.",
    },
    "pt-BR": {
        "commands": "Comandos",
        "option": "opção",
        "what": "o que faz",
        "codes": "Motivos e o que fazer",
        "code": "código",
        "sentence": "o que diz",
        "remedy": "o que fazer",
        "summary": "Chaves de summary.json",
        "key": "chave",
        "meaning": "significado",
        "intro": "Os códigos nunca mudam de significado e nunca são traduzidos.",
        "metrics": "Métricas",
        "textfile": "`--metrics-file FILE` grava isto para o textfile collector do Prometheus."
        " Nomes e textos de ajuda ficam em inglês, como é costume no Prometheus.",
        "object": "O objeto que `--json` mostra e que `summary.json` guarda.",
    },
}


def write_all(folder: Path, lang: Language) -> None:
    """Write the pages into a folder, in one language."""
    folder.mkdir(parents=True, exist_ok=True)
    with speaking(lang):
        pages = (
            ("commands", commands),
            ("codes", codes),
            ("summary", summary),
            ("metrics", metrics),
        )
        for name, page in pages:
            (folder / f"{name}.md").write_text("\n".join(page()) + "\n", "utf-8")


def commands() -> Iterator[str]:
    """Every command with its options, as in `--help`."""
    words = _WORDS[language()]
    yield f"# {words['commands']}\n"
    whole = options.parser()
    yield from _command("rdimport", whole)
    (found,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
    helps = {choice.dest: choice.help for choice in found._choices_actions}  # noqa: SLF001
    for name in found.choices:
        yield f"\n## rdimport {name}\n"
        yield f"{helps.get(name) or ''}\n"
        one = options.parser()
        (again,) = (a for a in one._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001
        parser = again.choices[name]
        parser.format_help()  # it is filled on demand
        yield from _command(f"rdimport {name}", parser)


def _command(_name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    words = _WORDS[language()]
    yield f"| {words['option']} | {words['what']} |\n|---|---|"
    for action in parser._actions:  # noqa: SLF001  argparse has no other way
        hidden = (argparse._SubParsersAction, argparse._HelpAction)  # noqa: SLF001
        if isinstance(action, hidden) or action.help == argparse.SUPPRESS:
            continue
        names = ", ".join(f"`{flag}`" for flag in action.option_strings)
        value = action.metavar if isinstance(action.metavar, str) else ""
        value = value or ("" if action.nargs == 0 else "|".join(map(str, action.choices or ())))
        shown = f"{names} `{value}`" if value and names else names or f"`{value or action.dest}`"
        text = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
        yield f"| {_cell(shown)} | {_cell(text)} |"


def codes() -> Iterator[str]:
    """Every code with its sentence and its remedy."""
    words, lang = _WORDS[language()], language()
    yield f"# {words['codes']}\n\n{words['intro']}\n"
    yield f"| {words['code']} | {words['sentence']} | {words['remedy']} |\n|---|---|---|"
    for code in Code:
        found = reason(code, lang)
        if found is not None:
            yield f"| `{code}` | {_cell(found.sentence)} | {_cell(found.remedy)} |"


def summary() -> Iterator[str]:
    """The keys of summary.json."""
    words = _WORDS[language()]
    yield f"# {words['summary']}\n\n{words['object']}\n"
    yield f"| {words['key']} | {words['meaning']} |\n|---|---|"
    for field in fields(RunSummary):
        for key in ("rows", *map(str, State)) if field.name == "counts" else (field.name,):
            meaning = MEANINGS[key]
            yield f"| `{key}` | {_cell(meaning.pt if language() == 'pt-BR' else meaning.en)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def metrics() -> Iterator[str]:
    """The Prometheus metrics."""
    words = _WORDS[language()]
    yield f"# {words['metrics']}\n\n{words['textfile']}\n"
    yield "```text"
    yield from (line for line in text([]).splitlines() if line.startswith("# HELP"))
    yield "```"
