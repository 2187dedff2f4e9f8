"""What is written in Brazil only: states."""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.cleaning.text import bare, text

STATES: Final = {
    "AC": "acre",
    "AL": "alagoas",
    "AM": "amazonas",
    "AP": "amapa",
    "BA": "bahia",
    "CE": "ceara",
    "DF": "distrito federal",
    "ES": "espirito santo",
    "GO": "goias",
    "MA": "maranhao",
    "MG": "minas gerais",
    "MS": "mato grosso do sul",
    "MT": "mato grosso",
    "PA": "para",
    "PB": "paraiba",
    "PE": "pernambuco",
    "PI": "piaui",
    "PR": "parana",
    "RJ": "rio de janeiro",
    "RN": "rio grande do norte",
    "RO": "rondonia",
    "RR": "roraima",
    "RS": "rio grande do sul",
    "SC": "santa catarina",
    "SE": "sergipe",
    "SP": "sao paulo",
    "TO": "tocantins",
}
"""The 26 states and the Federal District (IBGE), by the two letters."""

_LETTERS: Final = {
    **{letters.lower(): letters for letters in STATES},
    **{name: letters for letters, name in STATES.items()},
}


def uf(cell: pl.Expr) -> pl.Expr:
    """`são paulo` and `sp` to `SP`; what is no state of Brazil stays as it is."""
    tidy = text(cell)
    written = bare(tidy).str.replace(r"^estado d[aeo] ", "").str.strip_chars(" .-/")
    found = written.replace_strict(_LETTERS, default=None, return_dtype=pl.String)
    return pl.when(cell.is_in(list(STATES))).then(cell).otherwise(pl.coalesce(found, tidy))
