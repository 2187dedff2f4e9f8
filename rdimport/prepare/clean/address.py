"""Extracts the e-mail address from a cell. Removes only what certainly does not belong to it.

The text around an address is often a part of it, split off by a typing error: `maria silva@x.com`,
`maria,silva@x.com`, `maria@x.com br`. Taking the rest for the address would write to a stranger. So
words are never joined, and such a cell is left unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from rdimport.core.names import without_accents

SYNTAX: Final = (
    r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"
)
"""The dot-atom of RFC 5322 at a host name of RFC 1123, as mail providers issue them.

Quoted local parts, comments and address literals are legal, but no customer has one.
"""

_VALID: Final = re.compile(SYNTAX)
_PIECE: Final = r"[^\s;,|<>()\[\]{}\"':@/\\]+"
_ADDRESS: Final = re.compile(rf"{_PIECE}@{_PIECE}")
_LABEL: Final = re.compile(r"^(?:(?:mailto|e-?mail)\s*:\s*)+")
_QUERY: Final = re.compile(r"(mailto\s*:[^?\s]*)\?\S*")
_IN_BRACKETS: Final = re.compile(rf"[<(\[{{]\s*(?:mailto:)?\s*({_PIECE}@{_PIECE})\s*[>)\]}}]")
_BEFORE: Final = " '\"<>()[]{},;:\\|"
_BEHIND: Final = _BEFORE + "./"

_COUNTRIES: Final = "br|ar|mx|uy|cl|pe|py|pt|uk"
_ENDINGS: Final = rf"(?:com|net|org|gov|edu|ind|adv|med|eng)(?:\. ?(?:{_COUNTRIES}))?|{_COUNTRIES}"
_BLANK_IN_DOMAIN: Final = re.compile(rf"^(\S+@\S+)\. ({_ENDINGS})$")
"""A full stop before a blank may end a sentence: only the end of a host may follow."""

_APART: Final = re.compile(r"(?:[:;|] | [-–—|/:;]+ ?|[<(\[{] ?)$")
"""What separates an address from the words before it. A comma may be a mistyped full stop."""

_BEHIND_IT: Final = re.compile(
    r"[.,!?]* (?:[^\W\d_]{4,}(?![\w.@-])|\d)|"  # a word or number, not part of a host name
    r" ?[<(\[{;|]| [-–—/] "
)
_NEXT: Final = re.compile(r"[\s;,|/<>()\[\]{}\"':]*(?:(?:ou|e|or|and|y|o) )?\S+@")


class Reading(NamedTuple):
    """The address, and whether it was among other words; without an address, the tidied cell."""

    address: str
    from_text: bool = False


def read(cell: str, *, first: bool = False) -> Reading:
    """`Ana <mailto:ANA@x.com>,` -> `ana@x.com`. `first`: take the first of several addresses."""
    plain = _plain(cell)
    label = _LABEL.sub("", _QUERY.sub(r"\1", plain))
    whole = _local_without_accents(label.lstrip(_BEFORE).rstrip(_BEHIND))
    if _VALID.match(whole):
        return Reading(whole)
    if whole.count("@") > 1:
        return Reading(_of_several(label, first=first) or plain)
    bracketed = _IN_BRACKETS.search(label)
    if bracketed and _VALID.match(inside := _local_without_accents(bracketed[1])):
        return Reading(inside)
    taken = next(iter(_standing_alone(label)), None)
    return Reading(taken, from_text=True) if taken else Reading(plain)


def _plain(cell: str) -> str:
    """Lower case; no repeated blanks, none around @ or before a full stop, nothing invisible.

    A zero-width space separates words, as a blank does; other invisible characters occur within
    them.
    """
    shown = unicodedata.normalize("NFKC", cell).lower().replace("\u200b", " ")
    visible = "".join(
        " " if (kind := unicodedata.category(c)) == "Cc" else "" if kind == "Cf" else c
        for c in shown
    )
    tight = re.sub(r" ?@ ?", "@", " ".join(visible.split()))
    tight = re.sub(r" \. ?(?=\S)", ".", tight)
    return _BLANK_IN_DOMAIN.sub(lambda m: m[0].replace(" ", ""), tight)


def _local_without_accents(address: str) -> str:
    """Remove accents from the local part: no provider issues them. A domain with accents is a
    different domain, so it keeps them.
    """
    local, at, domain = address.partition("@")
    return without_accents(local) + at + domain


def _standing_alone(text: str) -> list[str]:
    """The addresses in a text that cannot continue into the surrounding text, in order."""
    found = []
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".")
        before, behind = text[: match.start()], text[match.start() + len(address) :]
        rest = behind.lstrip(">)]}\"'")
        begins = not before.strip(_BEFORE) or _APART.search(before)
        ends = not rest.strip(_BEHIND) or _BEHIND_IT.match(rest) or _NEXT.match(rest)
        sound = _local_without_accents(address)
        if begins and ends and _VALID.match(sound):
            found.append(sound)
    return found


def _of_several(text: str, *, first: bool) -> str | None:
    """The address if all are the same, or the first one if `first`."""
    everything = [_local_without_accents(match[0].rstrip(".")) for match in _ADDRESS.finditer(text)]
    if text.count("@") == len(everything) and len(set(everything)) == 1:
        return everything[0]
    if not first or not everything:
        return None
    return next((a for a in _standing_alone(text) if a == everything[0]), None)
