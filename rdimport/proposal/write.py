"""Writes guesses as the text of a mapping file, each with its reason and an example."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from rdimport.core.messages import _, ngettext, untranslated
from rdimport.core.names import fold
from rdimport.core.visible import shown
from rdimport.destination.rdstation.fields import FIELDS
from rdimport.mapping import Clean
from rdimport.proposal.consent import Says
from rdimport.proposal.phones import area_codes, sql_name
from rdimport.proposal.vocabulary import PHONES, Holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rdimport.proposal.column_guess import Guess
    from rdimport.proposal.consent import Finding
    from rdimport.proposal.evidence import ColumnEvidence

NO_EMAIL: Final = untranslated("WHICH COLUMN?")

_HEAD: Final = untranslated(
    """\
# Proposed by `rdimport init` from {name}. Read it once, then see what it does:
#     {look}
version: 1
conversion_identifier: {title}  # the event on each contact's timeline: name the campaign
"""
)
_CUSTOM: Final = untranslated(
    """\

  # RD silently drops custom fields that the account does not have. To import one of these, create
  # it in RD with exactly this name, then remove the # in front of it.
"""
)
_FORMS: Final = {
    Clean.CPF: "clean: cpf",
    Clean.CNPJ: "clean: cnpj",
    Clean.CEP: "clean: cep",
    Clean.DATE: "clean: date",
    Clean.BOOLEAN: "type: boolean",
    Clean.PHONE: "clean: phone",
    Clean.EMAIL: "clean: email",
    Clean.URL: "clean: url",
}
"""Cleaners for custom fields by the format of nearly all cells, the more specific formats first."""

_MOSTLY: Final = 0.5
_SURE: Final = 0.95
_SEX: Final = re.compile(r"^(?:f|m)$|\b(?:sexo|sex|genero|gender)\b")
"""Columns for a person's sex, in which `f` does not mean `false`."""

_NO_CONSENT: Final = untranslated(
    """
# No column looks like an opt-in. If one legal basis (LGPD) applies to everyone, say so:
# legal_bases: [{type: legitimate_interest, status: granted}]
"""
)
_UNTOLD: Final = {
    Says.UNCLEAR: untranslated(
        "is about consent or refusal, but a yes in it may mean a no: it is not used as a\n"
        "# legal basis. Find out who refused, and leave those people out with `where`."
    ),
    Says.ABOUT: untranslated(
        "is about consent, but not about consent to e-mails alone: it is not used as a\n"
        "# legal basis."
    ),
}
_REFUSED: Final = untranslated(
    "says who refused or left the list (LGPD): those people are not sent.\n"
    "# They are counted as left out. Check what is in the column before you change the line."
)

# Editors mark a line that names a missing schema as an error, so this line does not name one yet:
# other words come first.
_EDITORS: Final = untranslated(
    """
# For an editor that completes keys: rdimport schema > mapping.schema.json, and as the first line
# here: # yaml-language-server: $schema=./mapping.schema.json
"""
)


def write(
    columns: Sequence[str],
    guesses: Mapping[str, Guess],
    evidence: Mapping[str, ColumnEvidence],
    name: str,
    hints: Mapping[str, object],
    *,
    people: str = "",
    look: str = "",
    findings: Sequence[Finding] = (),
) -> tuple[str, bool]:
    """The text of the mapping, and whether a column fills `email`; `people` is a comment."""
    fields = dict(_fields(guesses, evidence))
    has_email = "email" in fields
    if not has_email:
        fields["email"] = (
            f"{scalar(_(NO_EMAIL))}  # {_('no column looks like an e-mail address: name it here')}"
        )
    title = scalar(PurePath(name).stem or name)
    look = look or f"rdimport check {_shell(name)} -m {_('THIS-FILE')}"
    text = _(_HEAD).format(name=_whole(name), look=_whole(look), title=title)
    known = {key: value for key, value in hints.items() if value is not None}
    if known:
        inside = ", ".join(f"{key}: {scalar(str(value))}" for key, value in known.items())
        text += f"source: {{{inside}}}\n"
    text += f"{people}\nfields:\n"
    text += "".join(f"  {field}: {fields[field]}\n" for field in FIELDS if field in fields)
    custom = "".join(_custom(columns, guesses, evidence))
    text += _(_CUSTOM) + custom if custom else ""
    text += "".join(_droppable(fields, guesses, evidence))
    return text + _consent(guesses, evidence, findings) + _(_EDITORS), has_email


def _fields(
    guesses: Mapping[str, Guess], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[tuple[str, str]]:
    """RD's fields with their lines."""
    by_field: defaultdict[Holds, list[Guess]] = defaultdict(list)
    for one in guesses.values():
        by_field[one.holds].append(one)
    yield from _names(by_field, evidence)
    yield from _phones(by_field, evidence)
    yield from _places(by_field, evidence)
    plain = set(Holds) - _MADE_INTO_OTHERS
    for holds in sorted(plain & set(by_field)):
        one = by_field[holds][0]
        seen = evidence[one.column]
        options = dict(_options(holds, seen))
        yield holds.value, _line(one, seen, options)


_MADE_INTO_OTHERS: Final = frozenset(
    {
        Holds.FIRST_NAME,
        Holds.MIDDLE_NAME,
        Holds.LAST_NAME,
        Holds.NAME,
        Holds.PHONE,
        Holds.MOBILE,
        Holds.LANDLINE,
        Holds.AREA,
        Holds.COUNTRY_CODE,
        Holds.CITY,
        Holds.STATE,
        Holds.CITY_STATE,
        Holds.CONSENT,
    }
)


def _options(holds: Holds, seen: ColumnEvidence) -> Iterator[tuple[str, str]]:
    """Options that a field's cells need in addition to the default cleaners."""
    if holds is Holds.TAGS and seen.separator:
        yield "split", scalar(seen.separator)
    if holds in {Holds.WEBSITE, Holds.SITE_OF_COMPANY}:
        yield "clean", "url"
    if holds in {Holds.LINKEDIN, Holds.FACEBOOK, Holds.TWITTER}:
        yield "clean", "social"
    if holds in {Holds.NAME, Holds.CITY} and seen.capitals >= _CAPITALS:
        yield "clean", "name" if holds is Holds.NAME else "city"


_CAPITALS: Final = 0.3


def _names(
    by_field: Mapping[Holds, list[Guess]], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[tuple[str, str]]:
    firsts, lasts = by_field.get(Holds.FIRST_NAME, []), by_field.get(Holds.LAST_NAME, [])
    if firsts and lasts:
        parts = [firsts[0], *by_field.get(Holds.MIDDLE_NAME, [])[:1], lasts[0]]
        quoted = ", ".join(sql_name(g.column) for g in parts)
        seen = [evidence[g.column] for g in parts]
        capitals = ", clean: name" if seen[0].capitals >= _CAPITALS else ""
        expression = scalar(f"concat_ws(' ', {quoted})", quoted=True)
        example = comment(" ".join(e.example for e in seen if e.example))
        named = _("first and last name; e.g. {example}", example=example)
        yield "name", f"{{expr: {expression}{capitals}}}  # {named}"
    for holds in (Holds.NAME, Holds.FIRST_NAME):
        for one in by_field.get(holds, [])[:1]:
            if not (firsts and lasts):
                seen_one = evidence[one.column]
                yield "name", _line(one, seen_one, dict(_options(Holds.NAME, seen_one)))


def _phones(
    by_field: Mapping[Holds, list[Guess]], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[tuple[str, str]]:
    """Assign each phone column to its field; a column with both kinds goes to both fields."""
    mobiles = list(by_field.get(Holds.MOBILE, []))
    landlines = list(by_field.get(Holds.LANDLINE, []))
    mixed = []
    joined = area_codes(by_field, evidence)
    for one in by_field.get(Holds.PHONE, []):
        seen = evidence[one.column]
        if min(seen.mobile, seen.landline) >= 0.1:
            mixed.append(one.adding(_("with mobile numbers and landlines mixed")))
        elif seen.landline > seen.mobile:
            landlines.append(one.adding(_("and its numbers are landlines")))
        elif seen.mobile:
            mobiles.append(one.adding(_("and its numbers are mobile")))
        else:
            mobiles.append(one)
    if mixed and not mobiles and not landlines:
        both = mixed[0]
        mobiles = [replace(both, why=_("this column mixes both kinds; mobile numbers go here"))]
        landlines = [replace(both, why=_("this column mixes both kinds; landlines go here"))]
    elif mixed:
        (mobiles if not mobiles else landlines).extend(mixed)
    for field, guesses in (("mobile_phone", mobiles), ("personal_phone", landlines)):
        if guesses:
            yield field, _several(guesses, evidence, joined)


def _places(
    by_field: Mapping[Holds, list[Guess]], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[tuple[str, str]]:
    both = by_field.get(Holds.CITY_STATE, [])
    for holds, cleaner in ((Holds.CITY, "city"), (Holds.STATE, "uf")):
        for one in by_field.get(holds, [])[:1]:
            seen = evidence[one.column]
            yield holds.value, _line(one, seen, dict(_options(holds, seen)))
        if both and not by_field.get(holds):
            one = both[0]
            yield holds.value, _line(one, evidence[one.column], {"clean": cleaner})


def _several(
    guesses: Sequence[Guess], evidence: Mapping[str, ColumnEvidence], joined: Mapping[str, str]
) -> str:
    if any(one.column in joined for one in guesses):
        each = [joined.get(one.column) or sql_name(one.column) for one in guesses]
        whole = each[0] if len(each) == 1 else f"COALESCE({', '.join(each)})"
        example = comment(evidence[guesses[0].column].example)
        why = _("with its area code; e.g. {example}", example=example)
        return f"{{expr: {scalar(whole, quoted=True)}}}  # {why}"
    if len(guesses) == 1:
        return _line(guesses[0], evidence[guesses[0].column], {})
    listed = ", ".join(scalar(one.column) for one in guesses)
    filled = [evidence[one.column].example for one in guesses if evidence[one.column].filled]
    example = comment(next(iter(filled), ""))
    why = _("the first one that is not empty; e.g. {example}", example=example)
    return f"[{listed}]  # {why}"


def _line(one: Guess, seen: ColumnEvidence, options: Mapping[str, str]) -> str:
    """The value of a field's key, followed by its comment."""
    column = scalar(one.column)
    if options:
        inside = ", ".join(f"{key}: {value}" for key, value in options.items())
        column = f"{{column: {column}, {inside}}}"
    return f"{column}  # {_because(one, seen)}"


def _because(one: Guess, seen: ColumnEvidence) -> str:
    if not seen.filled:
        return _("{why}; the column is empty in the rows examined", why=one.why)
    part = ngettext(
        ", {number} of {rows} filled", ", {number} of {rows} filled", seen.filled, rows=seen.rows
    )
    text = _("{why}; e.g. {example}", why=one.why, example=comment(seen.example))
    return text if seen.filled == seen.rows else text + part


def _droppable(
    fields: Mapping[str, str], guesses: Mapping[str, Guess], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[str]:
    """What to write so that an invalid phone number does not keep people back."""
    bad = {
        one.column: round(seen.filled * (1 - seen.share(Clean.PHONE)))
        for one in guesses.values()
        if one.holds in PHONES and (seen := evidence[one.column]).local < _MOSTLY
    }
    named = [name for name in ("mobile_phone", "personal_phone") if name in fields]
    if sum(bad.values()) and named:
        drop = ", ".join(f"{name}: drop" for name in named)
        text = ngettext(
            "{number} phone number of the rows examined is not valid,\n"
            "# so its row would not be sent. To send that person without a phone:",
            "{number} phone numbers of the rows examined are not valid,\n"
            "# so their rows would not be sent. To send those people without a phone:",
            sum(bad.values()),
        )
        yield f"\n# {text}\n# invalid: {{{drop}}}\n"


def _custom(
    columns: Sequence[str], guesses: Mapping[str, Guess], evidence: Mapping[str, ColumnEvidence]
) -> Iterator[str]:
    """The columns without a guess, as comments."""
    used: set[str] = set()
    for column in columns:
        if column in guesses:
            continue
        seen = evidence[column]
        name = identifier(column, used)
        form = _form(column, seen)
        source = scalar(column)
        if form is not None:
            source = f"{{column: {source}, {_FORMS[form]}}}"
        remark = _("e.g. {example}", example=comment(seen.example)) if seen.filled else _("empty")
        yield f"  # {name}: {source}  # {remark}\n"


def _form(column: str, seen: ColumnEvidence) -> Clean | None:
    """The format of nearly all cells; only the heading distinguishes a CEP from other numbers."""
    text = re.search(r"\b(?:cep|zip|postal)\b", fold(column)) is not None
    unlikely = set() if text else {Clean.CEP}
    if _SEX.search(fold(column)) or _SEX.search(fold(seen.example)):
        unlikely.add(Clean.BOOLEAN)
    if seen.distinct == 1 and seen.share(Clean.NUMBER) >= _SURE:  # noughts alone may be counts
        unlikely.add(Clean.BOOLEAN)
    return next(
        (
            form
            for form in _FORMS
            if seen.filled and seen.share(form) >= _SURE and form not in unlikely
        ),
        None,
    )


def _consent(
    guesses: Mapping[str, Guess],
    evidence: Mapping[str, ColumnEvidence],
    findings: Sequence[Finding],
) -> str:
    """The legal bases, and the condition that excludes people. No basis for everyone if a column is
    about consent.
    """
    found = next((g for g in guesses.values() if g.holds is Holds.CONSENT), None)
    if found is None and not findings:
        return _(_NO_CONSENT)
    text = "".join(
        f"\n# {comment(one.column)} {_(_UNTOLD[one.says])}\n"
        for one in findings
        if one.says in _UNTOLD
    )
    refusals = [one for one in findings if one.says is Says.REFUSAL]
    if refusals:
        remark = ", ".join(comment(one.column) for one in refusals)
        condition = " AND ".join(one.keeps for one in refusals)
        text += f"\n# {remark} {_(_REFUSED)}\nwhere: {scalar(condition, quoted=True)}\n"
    if found is None:
        return text
    status = f"{{column: {scalar(found.column)}}}"
    remark = _because(found, evidence[found.column])
    question = _(
        "{why}. Is it consent to be contacted by e-mail? If not, delete the line.\n"
        "# A yes is sent as granted, a no as declined, an empty cell without a basis.",
        why=remark,
    )
    return f"{text}\n# {question}\nlegal_bases: [{{type: consent, status: {status}}}]\n"


def identifier(column: str, used: set[str]) -> str:
    """The API identifier that RD gives a custom field: no accents, lower case, underscores."""
    bare = unicodedata.normalize("NFKD", fold(column))
    words = re.sub(r"[^a-z0-9]+", "_", bare.encode("ascii", "ignore").decode()).strip("_")
    stem = "cf_" + (words.removeprefix("cf_") or "campo")
    name, number = stem, 2
    while name in used:
        name, number = f"{stem}_{number}", number + 1
    used.add(name)
    return name


_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off"})
_SIMPLE: Final = re.compile(r"[^\W\d_](?:[\w .()/+-]*[\w)+])?\Z")


def scalar(text: str, *, quoted: bool = False) -> str:
    """Text as a YAML scalar, also inside brackets; quoted only if needed."""
    if not quoted and _SIMPLE.match(text) and text.casefold() not in _WORDS and text.isprintable():
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)


def comment(example: str) -> str:
    """A cell as text for a comment: one line, shortened."""
    line = shown(" ".join(example.split()))
    return f"“{line[:37]}…”" if len(line) > 40 else f"“{line}”"


def _whole(text: str) -> str:
    """Text that cannot end its comment line."""
    return shown(" ".join(text.split("\n")))


def _shell(name: str) -> str:
    return f'"{name}"' if re.search(r"[^\w./-]", name) else name
