"""E-mail addresses as people type them, to the form in which RD keeps its contacts apart."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from rdimport.prepare.clean.lazily import where
from rdimport.prepare.clean.text import bare

_TIDY: Final = r"^[a-z0-9._%+-]+@[a-z0-9.-]+[a-z]$"
"""Nothing to clean; whether it is an address is for the validation to say."""

_IN_BRACKETS: Final = r"<\s*([^<>\s]+@[^<>\s]+)\s*>"
_FIRST: Final = r"([^\s;,/|<>()\[\]\"':@]+@[^\s;,/|<>()\[\]\"':@]+)"
_AROUND: Final = " \t'\"<>()[]{}.,;:/\\|"

SYNTAX: Final = (
    r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"
)
"""The dot-atom of RFC 5322 at a host name of RFC 1123, which is what mail providers give out.

Quoted local parts, comments and address literals are legal and belong to nobody's customer.
"""

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
"""Domains under which nobody has a mailbox of that provider, and what was meant.

Only slips of one letter or of the ending; none is a domain that a mail provider runs.
"""

ROLES: Final = (
    "abuse admin adm administracao administrativo atendimento comercial compras contabilidade "
    "contact contato diretoria email faleconosco financeiro hello info marketing mail noreply "
    "no-reply nao-responda naoresponda office ouvidoria postmaster recepcao rh sac sales "
    "secretaria suporte support vendas webmaster"
).split()
"""Local parts that stand for an office and not for a person."""

THROWAWAY: Final = (
    "10minutemail.com 10minutemail.net discard.email dispostable.com emailondeck.com "
    "fakeinbox.com getnada.com guerrillamail.com guerrillamail.net guerrillamail.org "
    "mailcatch.com maildrop.cc mailinator.com mailnesia.com mintemail.com moakt.com mohmal.com "
    "sharklasers.com spamgourmet.com temp-mail.org tempail.com tempmail.com tempmailo.com "
    "throwawaymail.com trashmail.com trashmail.net yopmail.com yopmail.fr yopmail.net"
).split()
"""Providers of mailboxes that live for minutes."""


def email(cell: pl.Expr, *, first: bool, correct: bool) -> pl.Expr:
    """`Ana <mailto:ANA@x.com>,` to `ana@x.com`.

    `first`: of several addresses take the first. `correct`: mend the slips of `TYPOS`.
    """

    def address(plain: pl.Expr) -> pl.Expr:
        return where(_folded(plain), _untidy, lambda c: _address(c, first))

    def tidy(raw: pl.Expr) -> pl.Expr:
        return where(raw.str.strip_chars().str.to_lowercase(), _untidy, address)

    tidied = where(cell, _untidy, tidy)
    return where(tidied, is_slip, _corrected) if correct else tidied


def _untidy(cell: pl.Expr) -> pl.Expr:
    return cell.str.contains(_TIDY).not_()


def _folded(cell: pl.Expr) -> pl.Expr:
    return bare(cell).str.replace_all(r"[\p{Cf}\p{Cc}]", " ").str.strip_chars()


def _address(cell: pl.Expr, first: bool) -> pl.Expr:
    """What is left when everything around an address is taken away.

    Never nothing, if there was something, so that the report can show it.
    """
    several = cell.str.count_matches("@", literal=True) > 1
    address = (
        pl.coalesce(cell.str.extract(_IN_BRACKETS), cell)
        .str.replace(r"^\s*(?:mailto|e-?mail)\s*:\s*", "")
        .str.replace_all(r"\s+", "")
        .str.strip_chars(_AROUND)
    )
    of_several = cell.str.extract(_FIRST).str.strip_chars(_AROUND) if first else pl.lit(None)
    cleaned = (
        pl.when(several)
        .then(pl.coalesce(of_several, cell))
        .when(cell.str.contains("@", literal=True).not_())
        .then(cell)
        .when(address != "")
        .then(address)
        .otherwise(cell)
    )
    return pl.when(cleaned != "").then(cleaned)


def domain(address: pl.Expr) -> pl.Expr:
    """What stands after the @."""
    return address.str.splitn("@", 2).struct[1]


_SLIP: Final = rf"^[^@]*@(?:{'|'.join(map(re.escape, TYPOS))})$"


def is_slip(address: pl.Expr) -> pl.Expr:
    """Whether the domain is a common slip of a big provider's."""
    return address.str.contains(_SLIP)


def suggestion(address: pl.Expr) -> pl.Expr:
    """The address that was probably meant; null where it is no slip."""
    right = domain(address).replace_strict(TYPOS, default=None, return_dtype=pl.String)
    return pl.concat_str(address.str.extract(r"^([^@]+@)"), right)


def _corrected(address: pl.Expr) -> pl.Expr:
    return suggestion(address)


_ACCENTS: Final = r"[^\x00-\x7f\s<>;,][^\s<>;,]*@|@[^\s<>;,]*[^\x00-\x7f\s<>;,]"


def has_accents(cell: pl.Expr) -> pl.Expr:
    """Whether an address, as it stands in the file, has letters that the cleaner took away."""
    return cell.str.contains(_ACCENTS)


def is_role(address: pl.Expr) -> pl.Expr:
    """Whether the address is that of an office."""
    return address.str.extract(r"^([^@+]+)").is_in(ROLES)


def is_throwaway(address: pl.Expr) -> pl.Expr:
    """Whether the provider gives out mailboxes that live for minutes."""
    return domain(address).is_in(THROWAWAY)
