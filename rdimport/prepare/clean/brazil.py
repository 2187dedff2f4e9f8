"""Brazilian formats: states, cities, CPF, CNPJ, CEP."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import polars as pl

from rdimport.prepare.clean.lazily import in_turn, stages, where
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
CNPJ: Final = r"^[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}$"
CEP: Final = r"^\d{5}-\d{3}$"

_CPF_WEIGHTS: Final = ((10, 9, 8, 7, 6, 5, 4, 3, 2), (11, 10, 9, 8, 7, 6, 5, 4, 3, 2))
_CNPJ_WEIGHTS: Final = (
    (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2),
    (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2),
)
"""The weights of the check digits (Receita Federal)."""


def uf(cell: pl.Expr) -> pl.Expr:
    """`são paulo`, `sp`, `Campinas/SP` -> `SP`; what is no state of Brazil is unchanged."""
    return stages(cell, in_turn(text, _letters_of), text)


def _letters_of(tidy: pl.Expr) -> pl.Expr:
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
    """`39053344705` -> `390.533.447-05`, also where a program removed leading zeros."""
    return stages(cell, _as_cpf, in_turn(unmangled, _as_cpf), tidied(_as_cpf))


def cnpj(cell: pl.Expr) -> pl.Expr:
    """`11222333000181` -> `11.222.333/0001-81`; also the alphanumeric CNPJs issued from 2026."""
    return stages(
        cell,
        _as_cnpj,
        in_turn(unmangled, _as_cnpj),
        in_turn(text, _letters_too),
    )


def cep(cell: pl.Expr) -> pl.Expr:
    """`1310100` -> `01310-100`."""
    return stages(cell, _as_cep, in_turn(unmangled, _as_cep), tidied(_as_cep))


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
    return pl.when(full | lost).then(_grouped(digits.str.zfill(whole), lengths, marks))


def _grouped(number: pl.Expr, lengths: tuple[int, ...], marks: tuple[str, ...]) -> pl.Expr:
    """The number's groups of characters, each after its mark."""
    parts, at = [], 0
    for length, mark in zip(lengths, marks, strict=True):
        parts += [pl.lit(mark), number.str.slice(at, length)]
        at += length
    return pl.concat_str(parts)


def _letters_too(cell: pl.Expr) -> pl.Expr:
    """An alphanumeric CNPJ with punctuation; anything else unchanged."""
    return where(
        cell,
        lambda c: _characters(c).str.len_bytes() == 14,
        lambda c: pl.coalesce(in_turn(_characters, _with_letters)(c), c),
    )


def _characters(cell: pl.Expr) -> pl.Expr:
    return cell.str.to_uppercase().str.replace_all(r"[^0-9A-Z]", "")


def _with_letters(characters: pl.Expr) -> pl.Expr:
    number = _grouped(characters, (2, 3, 3, 4, 2), ("", ".", ".", "/", "-"))
    return pl.when(is_cnpj(number)).then(number)


def is_cpf(cell: pl.Expr) -> pl.Expr:
    """Whether a cleaned cell is a CPF with correct check digits."""
    same = cell.is_in([f"{d * 3}.{d * 3}.{d * 3}-{d * 2}" for d in "0123456789"])
    return cell.str.contains(CPF) & same.not_() & _checks_of_cpf(cell)


def is_cnpj(cell: pl.Expr) -> pl.Expr:
    """Whether a cleaned cell is a CNPJ with correct check digits."""
    characters = cell.str.replace_all(r"[./-]", "")
    zero = characters == "0" * 14
    return cell.str.contains(CNPJ) & zero.not_() & _checks_of_cnpj(characters)


def _checks_of_cpf(cell: pl.Expr) -> pl.Expr:
    """Check digits modulo 11, three at a time by tables: thirty times as fast."""
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
    """Tables for each group of three digits: what it adds to both sums."""

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


def _checks_of_cnpj(characters: pl.Expr) -> pl.Expr:
    """Check digits modulo 11; each character counts as its ASCII code minus that of 0."""
    codes = characters.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, 14))
    worth = codes.cast(pl.Array(pl.Int16, 14)) - ord("0")
    good = pl.lit(value=True)
    for weights in _CNPJ_WEIGHTS:
        at = len(weights)
        factors = pl.lit([*weights, *[0] * (14 - at)], dtype=pl.Array(pl.Int16, 14))
        good &= -(worth * factors).arr.sum() % 11 % 10 == worth.arr.get(at)
    return good
