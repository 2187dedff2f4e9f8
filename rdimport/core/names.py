"""Compares column names, and suggests the closest known one."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rdimport.core.messages import _

_SHORT: Final = 4
"""Minimum length of a word in which one wrong letter counts as a typing error."""

_FEWEST: Final = 3
"""Fewest letters and digits by which a name resembles another one: `a` is in most of them."""

_LONG: Final = 10
"""Minimum length of a name in which two wrong letters do."""

_RUN: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


def run_name(began: datetime) -> str:
    """The name of a run that began at this time, as in `20261128-223000-ab12cd34`.

    Names are unique in a shared ledger, and workers begin hundreds of runs within a second: with
    four digits two of them would often have had the same name, and one would have waited a minute.
    """
    return f"{began:%Y%m%d-%H%M%S}-{os.urandom(4).hex()}"


def is_run(name: str) -> bool:
    """Whether a name is valid for a run, and so cannot lead to another folder than its report's."""
    return bool(_RUN.fullmatch(name))


def read_as_one(columns: Sequence[str]) -> str:
    """What to do about a table whose only column was meant to be several; else empty."""
    marks = [mark for mark in ";,|\t" if mark in columns[0]] if len(columns) == 1 else []
    if not marks:
        return ""
    return _(
        "The file is read as a single column, although its heading contains “{mark}”. If "
        "each whole line is in quotation marks, split the column in a spreadsheet program "
        "(Data > Text to Columns) and save it again; if a delimiter is given, omit it.",
        mark=marks[0],
    )


def fold(name: str) -> str:
    """The form in which column names are compared: no case, accents, outer or repeated spaces."""
    if name.isascii():
        return " ".join(name.lower().split())
    bare = without_accents(name.replace("\u200b", "").replace("\ufeff", ""))
    return " ".join(bare.casefold().split())


def without_accents(text: str) -> str:
    """The text with plain letters; case and all else are kept."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


_IN_ENGLISH: Final = {
    **dict.fromkeys(("nome", "nomes", "nome proprio"), "name"),
    **dict.fromkeys(("telefone", "celular", "fone", "whatsapp"), "phone"),
    **dict.fromkeys(("minuscula", "minusculas", "minusculo"), "lower"),
    **dict.fromkeys(("booleano", "sim/nao", "sim_nao"), "boolean"),
    **dict.fromkeys(("estado", "estados"), "uf"),
    "texto": "text", "data": "date", "numero": "number", "cidade": "city", "nenhum": "none",
    "etiquetas": "tags", "inteiro": "integer", "lista": "list", "obrigatorio": "required",
    "formato": "format", "padrao": "default", "coluna": "column", "valor": "value",
    "campos": "fields", "limpar": "clean", "identidade": "identity", "onde": "where",
    **dict.fromkeys(("importar", "import", "enviar", "send", "start"), "run"),
    **dict.fromkeys(("verificar", "conferir", "checar", "validar", "validate", "test"), "check"),
    **dict.fromkeys(("iniciar", "propor", "mapear", "map", "mapping"), "init"),
    "situacao": "status", "relatorio": "report", "chave": "key", "contas": "accounts",
    **dict.fromkeys(("aceita", "aceitas", "aceitos"), "accepted"),
    **dict.fromkeys(("recusada", "recusadas", "recusados"), "refused"),
    **dict.fromkeys(("incerta", "incertas", "incertos"), "uncertain"),
    **dict.fromkeys(("primeiro", "primeira"), "first"),
    **dict.fromkeys(("ultimo", "ultima"), "last"),
    "nenhuma": "none", "basico": "basic", "avancado": "advanced", "juntar": "merge",
    "manter": "keep", "tarefas": "jobs", "esquecer": "forget", "registro": "ledger",
}  # fmt: skip
"""Other words, most of them Portuguese, for keywords of the mapping language and commands."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that `name` is most likely a misspelling of; empty if there is none."""
    from rapidfuzz import fuzz, process, utils  # noqa: PLC0415  only a mistake needs it

    names = list(known)
    if (meant := _IN_ENGLISH.get(fold(name))) in names:
        return meant or ""
    if sum(map(str.isalnum, name)) < _FEWEST:
        return next((one for one in names if fold(one) == fold(name)), "")
    best = process.extractOne(
        fold(name),
        names,
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        score_cutoff=70,
    )
    if best and _is_by_chance(fold(name), fold(best[0])):
        return ""
    return best[0] if best else _one_letter_off(fold(name), names)


def _is_by_chance(name: str, known: str) -> bool:
    """Whether a short word is only among the letters of a much longer name, not a word of it: `pro`
    in `postgresql`.
    """
    words = re.findall(r"[^\W_]+", name)
    return len(known) <= _SHORT and len(name) > 2 * len(known) and known not in words


def _one_letter_off(name: str, known: Sequence[str]) -> str:
    """The same for words so short that one letter is much of them: `rum` for `run`."""
    from rapidfuzz.distance import OSA  # noqa: PLC0415  only a mistake needs it

    near = [one for one in known if len(one) >= 3 and OSA.distance(name, fold(one)) == 1]
    return near[0] if len(near) == 1 and len(name) >= 3 else ""


def is_slip(name: str, known: str) -> bool:
    """Whether a name is probably a misspelling of a known one.

    Names that differ in a number or a short word (`loja 1` and `loja 2`, `client-a` and `client-b`)
    are intentionally different.
    """
    one, other = (re.findall(r"[^\W\d_]+|\d+", fold(text)) for text in (name, known))
    if [word for word in one if word.isdigit()] != [word for word in other if word.isdigit()]:
        return False
    if len(one) == len(other):
        apart = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
        if any(min(map(len, pair)) < _SHORT for pair in apart):
            return False
    from rapidfuzz.distance import OSA  # noqa: PLC0415  only a new name needs it

    together, known_together = "".join(one), "".join(other)
    allowed = 1 if len(known_together) < _LONG else 2
    return OSA.distance(together, known_together) <= allowed
