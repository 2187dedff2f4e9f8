"""E-mail addresses, normalised to the form by which RD distinguishes contacts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl

from rdimport.prepare.clean.address import read
from rdimport.prepare.clean.lazily import distinct, where
from rdimport.prepare.clean.text import text

_TIDY: Final = r"^[a-z0-9._%+-]+@[a-z0-9.-]+[a-z]$"
"""Cells that need no cleaning; whether they are valid is decided by validation."""

_SLIPS: Final = {
    "gmail.com": (
        "gmial.com gmal.com gmai.com gmil.com gamil.com gnail.com gmaill.com gmail.co gmail.cm "
        "gmail.con gmail.com.br gmailcom.br gmail.comm gmail.om gmail.coml gmali.com gimail.com "
        "gmeil.com hmail.com gmail.cim gmail.vom"
    ),
    "hotmail.com": (
        "hotmail.con hotmail.co hotmail.cm hotmal.com hotmai.com hotmil.com hormail.com "
        "homail.com hotmaill.com hotamil.com hotmial.com hotmeil.com htmail.com hotmail.comm "
        "rotmail.com hotmail.om hotimail.com"
    ),
    "outlook.com": (
        "outlok.com outllok.com outlook.con outlook.co outlook.cm outloock.com autlook.com "
        "outlock.com outluk.com"
    ),
    "yahoo.com.br": (
        "yaho.com.br yahoo.com.b yahoo.com.be yhoo.com.br yahoo.con.br yaoo.com.br yahool.com.br "
        "yahho.com.br yahoo.om.br"
    ),
    "yahoo.com": "yaho.com yahoo.con yahoo.co yhoo.com yaoo.com yahool.com yahho.com",
    "icloud.com": "iclod.com icloud.con icloud.co iclound.com icloud.com.br icoud.com",
    "uol.com.br": "uol.con.br uol.com.b oul.com.br uol.com.be",
    "bol.com.br": "bol.con.br bol.com.b",
    "terra.com.br": "terra.con.br tera.com.br terra.com.b",
    "live.com": "live.con live.co",
}
TYPOS: Final = {slip: right for right, slips in _SLIPS.items() for slip in slips.split()}
"""Mistyped domains of mail providers, and the intended ones.

Each differs by one letter or by its ending, and none is a domain of a mail provider itself.
"""

ROLES: Final = (
    "abuse admin adm administracao administrativo atendimento comercial compras contabilidade "
    "contact contato diretoria email faleconosco financeiro hello info marketing mail noreply "
    "no-reply nao-responda naoresponda office ouvidoria postmaster recepcao rh sac sales "
    "secretaria suporte support vendas webmaster"
).split()
"""Local parts that denote a role, not a person."""

THROWAWAY: Final = (
    "10minutemail.com 10minutemail.net discard.email dispostable.com emailondeck.com "
    "fakeinbox.com getnada.com guerrillamail.com guerrillamail.net guerrillamail.org "
    "mailcatch.com maildrop.cc mailinator.com mailnesia.com mintemail.com moakt.com mohmal.com "
    "sharklasers.com spamgourmet.com temp-mail.org tempail.com tempmail.com tempmailo.com "
    "throwawaymail.com trashmail.com trashmail.net yopmail.com yopmail.fr yopmail.net"
).split()
"""Providers of disposable mailboxes."""


def email(cell: pl.Expr, *, first: bool, correct: bool) -> pl.Expr:
    """`Ana <mailto:ANA@x.com>,` -> `ana@x.com`; without an address, the tidied cell.

    `first`: take the first of several addresses. `correct`: correct the domains in `TYPOS`.
    """

    def address(plain: pl.Expr) -> pl.Expr:
        untouched = where(plain, lambda c: _has_at(c).not_(), text)
        return where(
            untouched, _has_at, lambda c: distinct(c, lambda v: read(v, first=first).address)
        )

    return tidied(cell, address, correct=correct)


def tidied(cell: pl.Expr, address: Callable[[pl.Expr], pl.Expr], *, correct: bool) -> pl.Expr:
    """The cell; if untidy, what `address` finds in it; with its domain corrected if wanted."""

    def tidy(raw: pl.Expr) -> pl.Expr:
        return where(raw.str.strip_chars().str.to_lowercase(), untidy, address)

    found = where(cell, untidy, tidy)
    return where(found, is_slip, suggestion) if correct else found


def untidy(cell: pl.Expr) -> pl.Expr:
    """Whether the cell may need cleaning."""
    return cell.str.contains(_TIDY).not_()


def _has_at(cell: pl.Expr) -> pl.Expr:
    return cell.str.contains("[@＠﹫]")


def from_text(raw: pl.Expr) -> pl.Expr:
    """Whether the address was found among other words in the original cell."""

    def among_words(cells: pl.Series) -> pl.Series:
        untidy = cells.str.strip_chars().str.to_lowercase().str.contains(_TIDY).not_()
        looked_at = cells.filter(untidy).drop_nulls().unique()
        return cells.is_in([cell for cell in looked_at if read(cell).from_text])

    return raw.map_batches(among_words, return_dtype=pl.Boolean, is_elementwise=True)


def domain(address: pl.Expr) -> pl.Expr:
    """The part after the @."""
    return address.str.splitn("@", 2).struct[1]


_SLIP: Final = rf"^[^@]*@(?:{'|'.join(map(re.escape, TYPOS))})$"


def is_slip(address: pl.Expr) -> pl.Expr:
    """Whether the domain is a common misspelling of a large provider's."""
    return address.str.contains(_SLIP)


def suggestion(address: pl.Expr) -> pl.Expr:
    """The address that was probably meant; null if the domain is not in `TYPOS`."""
    right = domain(address).replace_strict(TYPOS, default=None, return_dtype=pl.String)
    return pl.concat_str(address.str.extract(r"^([^@]+@)"), right)


_ACCENTS: Final = r"[^\x00-\x7f\s\p{Cf}<>;,][^\s<>;,]*@"


def has_accents(cell: pl.Expr) -> pl.Expr:
    """Whether the original cell has accents that the cleaner removed."""
    return cell.str.contains(_ACCENTS)


def is_role(address: pl.Expr) -> pl.Expr:
    """Whether the address belongs to a role (such as `info@`), not to a person."""
    return address.str.extract(r"^([^@+]+)").is_in(ROLES)


def is_throwaway(address: pl.Expr) -> pl.Expr:
    """Whether the address is a disposable one."""
    return domain(address).is_in(THROWAWAY)
