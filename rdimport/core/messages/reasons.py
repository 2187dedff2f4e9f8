"""The one catalogue of what can be wrong with a row: code, sentence, remedy.

A code never changes its meaning. Sentences may use `{field}`, `{column}`, `{value}`, `{detail}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.messages.endpoint import ENDPOINT
from rdimport.core.messages.transport import TRANSPORT, UNREACHED

__all__ = [
    "LANGUAGES",
    "REASONS",
    "TRANSPORT",
    "UNREACHED",
    "Reason",
    "detail",
    "explain",
    "reason",
    "remedy",
]

if TYPE_CHECKING:
    from rdimport.core.row import Problem


class Reason(NamedTuple):
    """What happened, and what a person can do about it."""

    sentence: str
    remedy: str


REASONS: Final[dict[str, Reason]] = {
    "row.too_long": Reason(
        "the row has more cells than the header",
        "look for a delimiter inside a cell that is not quoted",
    ),
    "row.too_short": Reason(
        "the row has fewer cells than the header",
        "look for a line break inside a cell that is not quoted",
    ),
    "row.stray_quote": Reason(
        "a quotation mark in the row is never closed",
        "close or remove it",
    ),
    "value.missing": Reason(
        "“{field}” is empty, and every row needs it",
        "fill it in, or leave the row out of the file",
    ),
    "email.no_at": Reason(
        "“{value}” is no e-mail address: it has no @",
        "correct it, or leave the row out of the file",
    ),
    "email.several": Reason(
        "there are several e-mail addresses in “{value}”",
        "leave one of them in the cell",
    ),
    "email.syntax": Reason(
        "“{value}” is no valid e-mail address",
        "look for a missing part, a comma or a space in it",
    ),
    "email.words": Reason(
        "“{value}” holds words beside the e-mail address that may be a part of it",
        "leave the address alone in the cell",
    ),
    "email.domain_accents": Reason(
        "“{value}” has an accent or a foreign letter after the @; without it the address would be "
        "another one",
        "write the domain without accents, or in its form xn--… if it was registered with them",
    ),
    "email.too_long": Reason(
        "the e-mail address has more than 254 characters",
        "look for two cells that ran into one",
    ),
    "phone.no_digits": Reason(
        "“{value}” is no phone number: it has no digits",
        "correct it or empty the cell",
    ),
    "phone.too_short": Reason(
        "the phone number “{value}” has too few digits",
        "complete it or empty the cell",
    ),
    "phone.no_area": Reason(
        "the phone number “{value}” has no area code",
        "write the area code (DDD) before it",
    ),
    "phone.digits_lost": Reason(
        "a spreadsheet took the phone for a number and rounded it to “{value}”: digits are lost",
        "take the number from where the list came from; set the column to text before pasting it",
    ),
    "phone.several": Reason(
        "there are several phone numbers in “{value}”",
        "leave one of them in the cell",
    ),
    "phone.syntax": Reason(
        "“{value}” is no phone number that exists in Brazil",
        "look at its area code and its length; numbers of other countries begin with +",
    ),
    "email.typo": Reason(
        "“{value}” is probably a slip of {detail}",
        "correct it, or set `correct_typos: true` for the field in the mapping",
    ),
    "email.accents": Reason(
        "“{value}” has letters that no e-mail address has; it is sent as {detail}",
        "make sure that this is the address that was meant",
    ),
    "email.from_text": Reason(
        "“{value}” holds more than an e-mail address; it is sent as {detail}",
        "make sure that this is the address that was meant",
    ),
    "email.sent_as": Reason(
        "an earlier release sent “{value}” as {detail}; the row is not sent again",
        "where that was another person's address, leave only the right one in the cell",
    ),
    "email.role": Reason(
        "“{value}” is the address of an office, not of a person",
        "ask for the person's own address, or leave the row out of the file",
    ),
    "email.throwaway": Reason(
        "“{value}” is a mailbox that lives for minutes",
        "leave the row out of the file",
    ),
    "number.syntax": Reason(
        "“{value}” is no number",
        "write digits, and one decimal mark at most",
    ),
    "number.ambiguous": Reason(
        "“{value}” may be a thousand and some, or one and some",
        'say which in the mapping: `decimal: ","` or `decimal: "."`',
    ),
    "number.too_small": Reason(
        "“{value}” is less than {detail}",
        "correct it, or the check `min` in the mapping",
    ),
    "number.too_large": Reason(
        "“{value}” is more than {detail}",
        "correct it, or the check `max` in the mapping",
    ),
    "date.syntax": Reason(
        "“{value}” is no date",
        "write it as 31/12/2026 or 2026-12-31",
    ),
    "cpf.syntax": Reason(
        "“{value}” is no CPF: its length or its check digits are wrong",
        "look for a wrong or missing digit",
    ),
    "cnpj.syntax": Reason(
        "“{value}” is no CNPJ: its length or its check digits are wrong",
        "look for a wrong or missing character",
    ),
    "cep.syntax": Reason(
        "“{value}” is no CEP",
        "write its eight digits",
    ),
    "url.syntax": Reason(
        "“{value}” is no address of a web page",
        "write it as in the browser, without spaces",
    ),
    "value.not_listed": Reason(
        "“{value}” is none of the values that the mapping lists ({detail})",
        "correct the cell, add the value to the mapping, or set `otherwise`",
    ),
    "option.unknown": Reason(
        "“{value}” is no option of this field in RD ({detail})",
        "correct the cell, or add the option to the field in RD",
    ),
    "text.too_short": Reason(
        "the text has fewer than {detail} characters",
        "complete it, or correct the check `min_length` in the mapping",
    ),
    "text.pattern": Reason(
        "“{value}” does not have the form {detail}",
        "correct the cell, or the check `pattern` in the mapping",
    ),
    "list.too_short": Reason(
        "there are fewer than {detail} items",
        "add some, or correct the check `min_length` in the mapping",
    ),
    "list.too_long": Reason(
        "there are more than {detail} items",
        "take some away, or correct the check `max_length` in the mapping",
    ),
    "expr.failed": Reason(
        "the expression of “{field}” cannot be computed for this row: {detail}",
        "correct the cell, or use TRY_CAST in the expression",
    ),
    "expr.too_long": Reason(
        "the expression of “{field}” makes more than {detail} characters of this row",
        "shorten its cells, or take a part with LEFT in the expression",
    ),
    "client_tracking_id.syntax": Reason(
        "“{value}” is no value of the cookie _rdtrk",
        "take the UUID alone: 8-4-4-4-12 letters a to f and digits",
    ),
    "row.too_large": Reason(
        "the row is larger than the {detail} bytes that RD takes",
        "shorten its texts",
    ),
    "uf.unknown": Reason(
        "“{value}” is no state of Brazil",
        "write its two letters; for other countries set `clean: text` in the mapping",
    ),
    "boolean.unknown": Reason(
        "“{value}” is neither yes nor no",
        "write Sim or Não, or empty the cell",
    ),
    "integer.syntax": Reason(
        "“{value}” is no whole number of at most 18 digits",
        "write digits only, or change the type in the mapping",
    ),
    "text.too_long": Reason(
        "the text has more than {detail} characters",
        "shorten it, or set `cut` for the field in the mapping",
    ),
    "tags.capitals": Reason(
        "the tags “{value}” hold capitals, which RD refuses",
        "take `clean` away from `tags` in the mapping: it then writes them in lower case",
    ),
    "traffic.beside_cookie": Reason(
        "“{field}” is left out, because traffic_source holds the cookie of RD's own page",
        "nothing to do: the cookie holds the same facts",
    ),
    "advice.no_legal_bases": Reason(
        "legal_bases is missing: RD records no consent (LGPD) for these leads",
        "add it if the list has a column of opt-ins, or a legal basis holds for all",
    ),
    "advice.custom_fields": Reason(
        "RD drops a custom field in silence that the account lacks: {detail}",
        "make sure that it has them, or name its list of fields as `catalogue`",
    ),
    "advice.tags_whole": Reason(
        "tags has no `split`: each cell becomes one single tag",
        "set it to the mark that stands between two tags, where cells hold several",
    ),
}


REASONS.update((code, Reason(*texts)) for code, texts in ENDPOINT.items())

_STATUS: Final = ("the answer's HTTP status was {status}", "o status HTTP da resposta foi {status}")

LANGUAGES: Final = ("en", "pt-BR")
"""The languages of sentences and remedies. Codes are never translated."""


def reason(code: str, lang: str = "en") -> Reason | None:
    """The catalogue's entry, None for a code that is not in it; what RD newly invents is one."""
    known = code if code in REASONS or not code.startswith("rd.") else "rd.other"
    if lang == "pt-BR":
        from rdimport.core.messages.reasons_pt import REASONS_PT  # noqa: PLC0415  only who reads Portuguese

        translated = REASONS_PT.get(known)
        return Reason(*translated) if translated else REASONS.get(known)
    return REASONS.get(known)


def explain(problem: Problem, lang: str = "en") -> str:
    """The sentence for a problem; a code that is not in the catalogue speaks for itself."""
    found = reason(problem.code, lang)
    if found is None:
        return problem.detail or problem.code
    values = problem._asdict() | {"detail": detail(problem.detail, lang)}
    return found.sentence.format(**values).removesuffix(": ")


def detail(text: str, lang: str = "en") -> str:
    """A detail in words: what befell a request on its way has a key, a doubt names what the answer
    was judged to be; all else stands for itself.
    """
    key, _, said = text.partition(" ")
    if key in TRANSPORT:
        return TRANSPORT[key][lang == "pt-BR"].format(said=said).removesuffix(": ")
    return "; ".join(dict.fromkeys(_said(part, lang) for part in text.split("; ")))


def _said(part: str, lang: str) -> str:
    """What an answer said, without the code that it was given; a bare status in a sentence."""
    code, _, words = part.partition(" ")
    if re.fullmatch(r"(rd|uncertain)\.[a-z0-9_]+", code):
        part = words
        if not words:
            found = reason(code, lang)
            blank = dict.fromkeys(("field", "column", "value", "detail"), "")
            part = found.sentence.format(**blank).removesuffix(": ") if found else code
    status = re.fullmatch(r"HTTP (\d{3})", part)
    return _STATUS[lang == "pt-BR"].format(status=status[1]) if status else part


def remedy(code: str, lang: str = "en") -> str:
    """What to do about problems of that code; empty for a code that is not in the catalogue."""
    found = reason(code, lang)
    return found.remedy if found else ""
