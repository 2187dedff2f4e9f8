"""Generate the reference of `rdimport.toml` from its model.

    python docs/settings_reference.py

rewrites the part of `docs/jobs.md` and of `docs/pt/configuracoes.md` below the heading “All keys”;
a test fails if it differs from what this module would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from reference_words import translated

from rdimport.config import Account, Address, ApiKey, Defaults, Job, Notify
from rdimport.core.messages import Language, language, speaking

_DOCS: Final = Path(__file__).parent
PAGE_FILES: Final[dict[Language, Path]] = {
    "en": _DOCS / "jobs.md",
    "pt-BR": _DOCS / "pt" / "configuracoes.md",
}
_WORDS: Final = {
    "en": {
        "heading": "## All keys\n",
        "of": "of an account",
        "name": "NAME",
        "and": "and",
        "keys": "| key | what it says |",
        "required": "required",
        "inherited": "Also every key of `[defaults]`; the one nearest to the job counts.",
    },
    "pt-BR": {
        "heading": "## Todas as chaves\n",
        "of": "de uma conta",
        "name": "NOME",
        "and": "e",
        "keys": "| chave | o que diz |",
        "required": "obrigatória",
        "inherited": "E todas as chaves de `[defaults]`; vale a mais próxima da tarefa.",
    },
}
_TABLES: Final = (
    (Defaults, "`[defaults]`"),
    (Account, "`[accounts.{name}]`"),
    (ApiKey, "`api_key` {of}"),
    (Job, "`[jobs.{name}]`"),
    (Notify, "`[notify.{name}]`"),
    (Address, "`url` {and} `ping`"),
)


def page(lang: Language = "en") -> str:
    """The whole page: the handwritten part, then the tables."""
    text, heading = PAGE_FILES[lang].read_text("utf-8"), _WORDS[lang]["heading"]
    with speaking(lang):
        return text[: text.index(heading)] + heading + "\n" + "\n".join(map(_table, _TABLES))


def sentences() -> Iterator[str]:
    """Every sentence that the page takes from the code."""
    for model, _title in _TABLES:
        yield _first(model)
        yield from (described.description or "" for described in model.model_fields.values())


def _first(model: type[Defaults | Account | ApiKey | Job | Notify | Address]) -> str:
    return (model.__doc__ or "").split("\n\n", maxsplit=1)[0]


def _table(which: tuple[type[Defaults | Account | ApiKey | Job | Notify | Address], str]) -> str:
    model, title = which
    words = _WORDS[language()]
    inherited = set() if model is Defaults else set(Defaults.model_fields)
    title = title.format(**words)
    lines = [f"### {title}", "", translated(_first(model)), "", words["keys"], "|---|---|"]
    for key, described in model.model_fields.items():
        if key not in inherited:
            needed = f" ({words['required']})" if described.is_required() else ""
            lines.append(f"| `{key}` | {translated(described.description or '')}{needed} |")
    if inherited & set(model.model_fields):
        lines += ["", words["inherited"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for _lang, _path in PAGE_FILES.items():
        _path.write_text(page(_lang), "utf-8")
