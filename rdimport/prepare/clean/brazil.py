"""Brazilian formats: states, cities, CPF, CNPJ, CEP."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import polars as pl

from rdimport.prepare.clean.lazily import stages
from rdimport.prepare.clean.mangled import unmangled
from rdimport.prepare.clean.text import bare, proper, text, tidied

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
"""The 26 states and the Federal District, by their two letters (IBGE)."""

_IBGE: Final = (
    "11RO 12AC 13AM 14RR 15PA 16AP 17TO 21MA 22PI 23CE 24RN 25PB 26PE 27AL 28SE 29BA 31MG 32ES "
    "33RJ 35SP 41PR 42SC 43RS 50MS 51MT 52GO 53DF"
).split()
"""The IBGE's state codes, which precede the name in the data of many systems."""

_LETTERS: Final = {
    spelling: letters
    for code, letters in ((state[:2], state[2:]) for state in _IBGE)
    for short, name in ((letters.lower(), STATES[letters]),)
    for spelling in (
        *(short, name, f"{short} {name}", f"{name} {short}", f"br {short}"),
        *(f"{code} {short}", f"{code} {name}", f"{code} {short} {name}", f"{code} {name} {short}"),
    )
}
"""Spellings of a state: its letters, its name, its code before either, or both if they agree."""
_BESIDE_CITY: Final = rf"^.*\S\s*[/,(–-]\s*({'|'.join(STATES)})\s*\)?$"

_MARKS: Final = r"[ .,:;/|()\[\]\x{2010}-\x{2015}-]+"

CPF: Final = r"^[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}$"
CNPJ: Final = r"^[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}$"
CEP: Final = r"^\d{5}-\d{3}$"

_CPF_WEIGHTS: Final = ((10, 9, 8, 7, 6, 5, 4, 3, 2), (11, 10, 9, 8, 7, 6, 5, 4, 3, 2))
_CNPJ_WEIGHTS: Final = (
    (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2),
    (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2),
)
"""The weights of the check digits (Receita Federal)."""


def uf(cell: pl.Expr) -> pl.Expr:
    """`são paulo`, `sp`, `Campinas/SP` -> `SP`; anything that is not a state of Brazil
    unchanged.
    """
    return stages(cell, _written_out, text)


def _written_out(cell: pl.Expr) -> pl.Expr:
    tidy = text(cell)
    apart = bare(tidy).str.replace(r"^estado d[aeo] ", "").str.replace_all(_MARKS, " ")
    written = apart.str.strip_chars(" ")
    found = written.replace_strict(_LETTERS, default=None, return_dtype=pl.String)
    return pl.coalesce(found, tidy.str.to_uppercase().str.extract(_BESIDE_CITY))


def city(cell: pl.Expr) -> pl.Expr:
    """`SAO PAULO / SP` -> `Sao Paulo`: without the state, and not all in capitals."""
    tidy = text(cell)
    alone = tidy.str.replace(rf"(?i)^(.*\S)\s*[/,(–-]\s*(?:{'|'.join(STATES)})\s*\)?$", "$1")
    return proper(alone)


def cpf(cell: pl.Expr) -> pl.Expr:
    """`39053344705` -> `390.533.447-05`; restores leading zeros removed by a spreadsheet
    program.
    """
    return stages(cell, _as_cpf, lambda c: _as_cpf(unmangled(c)), tidied(_as_cpf))


def cnpj(cell: pl.Expr) -> pl.Expr:
    """`11222333000181` -> `11.222.333/0001-81`; also the alphanumeric CNPJs issued from 2026."""
    return stages(
        cell,
        _as_cnpj,
        lambda c: _as_cnpj(unmangled(c)),
        lambda c: _letters_too(text(c)),
    )


def cep(cell: pl.Expr) -> pl.Expr:
    """`1310100` -> `01310-100`."""
    return stages(cell, _as_cep, lambda c: _as_cep(unmangled(c)), tidied(_as_cep))


def _as_cpf(cell: pl.Expr) -> pl.Expr:
    return _punctuated(cell, (3, 3, 3, 2), ("", ".", ".", "-"))


def _as_cnpj(cell: pl.Expr) -> pl.Expr:
    return _punctuated(cell, (2, 3, 3, 4, 2), ("", ".", ".", "/", "-"))


def _as_cep(cell: pl.Expr) -> pl.Expr:
    return _punctuated(cell, (5, 3), ("", "-"))


def _punctuated(cell: pl.Expr, lengths: tuple[int, ...], marks: tuple[str, ...]) -> pl.Expr:
    """The digits with punctuation; null for letters or a wrong number of digits.

    Only a cell of bare digits may have lost leading zeros to a spreadsheet program, at most three.
    """
    whole = sum(lengths)
    digits = cell.str.replace_all(rf"[\s{re.escape(''.join(marks))}]", "")
    full = digits.str.contains(rf"^[0-9]{{{whole}}}$")
    lost = cell.str.contains(rf"^\s*[0-9]{{{whole - 3},{whole}}}\s*$")
    padded = digits.str.zfill(whole)
    parts, at = [], 0
    for length, mark in zip(lengths, marks, strict=True):
        parts += [pl.lit(mark), padded.str.slice(at, length)]
        at += length
    return pl.when(full | lost).then(pl.concat_str(parts))


def _letters_too(cell: pl.Expr) -> pl.Expr:
    """An alphanumeric CNPJ with punctuation; anything else unchanged."""
    characters = cell.str.to_uppercase().str.replace_all(r"[^0-9A-Z]", "")
    groups = r"^(\S{2})(\S{3})(\S{3})(\S{4})(\S{2})$"
    number = characters.str.replace(groups, "$1.$2.$3/$4-$5")
    return pl.when(is_cnpj(number)).then(number).otherwise(cell)


def is_cpf(cell: pl.Expr) -> pl.Expr:
    """Whether a cleaned cell is a CPF with correct check digits."""
    same = cell.is_in([f"{d * 3}.{d * 3}.{d * 3}-{d * 2}" for d in "0123456789"])
    return cell.str.contains(CPF) & same.not_() & _checks_of_cpf(cell)


def is_cnpj(cell: pl.Expr) -> pl.Expr:
    """Whether a cleaned cell is a CNPJ with correct check digits."""
    characters = cell.str.replace_all(r"[./-]", "")
    zero = characters == "0" * 14
    return cell.str.contains(CNPJ) & zero.not_() & _checks(characters, _CNPJ_WEIGHTS)


def _checks_of_cpf(cell: pl.Expr) -> pl.Expr:
    """Check digits modulo 11, by tables over three digits at a time: thirty times as fast as digit
    by digit.
    """
    sums = [
        pl.lit(table).gather(cell.str.slice(4 * at, 3).cast(pl.UInt16, strict=False))
        for at, table in enumerate(_cpf_sums())
    ]
    both = sums[0] + sums[1] + sums[2]
    return pl.lit(_cpf_digits()).gather(both) == cell.str.slice(12, 2).cast(pl.UInt8, strict=False)


_APART: Final = 64
"""Base that packs a pair of sums into one number."""


@cache
def _cpf_sums() -> tuple[pl.Series, ...]:
    """Tables for the first, second and third group of three digits: their contribution to both
    sums.
    """

    def pair(at: int, digits: str) -> int:
        first, second = (
            sum(int(d) * w for d, w in zip(digits, weights[at : at + 3], strict=True)) % 11
            for weights in _CPF_WEIGHTS
        )
        return first * _APART + second

    return tuple(
        pl.Series([pair(at, f"{number:03}") for number in range(1000)], dtype=pl.UInt16)
        for at in (0, 3, 6)
    )


@cache
def _cpf_digits() -> pl.Series:
    """The two check digits, as one number, for each pair of sums."""
    digits = []
    for pair in range(_APART * 31):
        first = -(pair // _APART) % 11 % 10
        second = -(pair % _APART + 2 * first) % 11 % 10
        digits.append(10 * first + second)
    return pl.Series(digits, dtype=pl.UInt8)


def _checks(characters: pl.Expr, weights: tuple[tuple[int, ...], ...]) -> pl.Expr:
    """Weighted sum modulo 11; each character counts as its ASCII code minus that of 0."""
    good = pl.lit(value=True)
    for series in weights:
        total = pl.sum_horizontal(
            _worth(characters.str.slice(at, 1)) * weight for at, weight in enumerate(series)
        )
        remainder = total % 11
        digit = pl.when(remainder < 2).then(0).otherwise(11 - remainder)
        good = good & (_worth(characters.str.slice(len(series), 1)) == digit)
    return good


_WORTH: Final = {c: ord(c) - ord("0") for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _worth(character: pl.Expr) -> pl.Expr:
    return character.replace_strict(_WORTH, default=0, return_dtype=pl.Int32)
