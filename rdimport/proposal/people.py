"""Determines which person each column is about: a row may describe several, and one is the lead.

A heading names a person by a role (`Nome do comprador`, `Telefone (mãe)`), or a group of headings
is repeated (`Nome;E-mail;Nome;E-mail`). The e-mail decides who the lead is. Name, phones and all
other personal columns must be about that person, or they are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from rdimport.core.messages import _
from rdimport.proposal.vocabulary import NAMES, PHONES, Holds, of_either, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rdimport.proposal.column_guess import Guess
    from rdimport.proposal.evidence import ColumnEvidence


class Role(StrEnum):
    """The person that a heading is about."""

    UNSAID = ""
    ATTENDEE = "attendee"
    HOLDER = "holder"
    PATIENT = "patient"
    STUDENT = "student"
    GUARDIAN = "guardian"
    MOTHER = "mother"
    FATHER = "father"
    BUYER = "buyer"
    REFERRED = "referred"
    REFERRER = "referrer"
    CHILD = "child"
    DEPENDENT = "dependent"
    SPOUSE = "spouse"
    BRIDE = "bride"
    GROOM = "groom"
    STAFF = "staff"
    SURETY = "surety"
    EMERGENCY = "emergency"
    RECIPIENT = "recipient"


_WORDS: Final = {
    Role.EMERGENCY: r"emerg\w*|recados?",
    Role.RECIPIENT: r"shipping|ship to|entrega|delivery",
    Role.REFERRER: r"indicador(?:a|es|as)?|indicad[oa] por|(?:de )?quem indicou|indicou|referrer|"
    r"referred by|referido por",
    Role.REFERRED: r"indicad[oa]s?|referred|referral|referidos?|amig[oa]s?|friend",
    Role.ATTENDEE: r"participantes?|attendees?|inscrit[oa]s?|convidad[oa]s?|guests?|visitantes?|"
    r"ouvintes?|registrant|participants?|asistentes?",
    Role.HOLDER: r"titular(?:es)?|holder",
    Role.PATIENT: r"pacientes?|patient",
    Role.STUDENT: r"alun[oa]s?|students?|estudantes?|alumn[oa]s?|atletas?",
    Role.CHILD: r"filh[oa]s?|criancas?|child|children|kid|hij[oa]s?|ninos?",
    Role.GUARDIAN: r"responsave(?:l|is)(?: legal| financeiro| pedagogico)?|resp(?: financeiro)?|"
    r"guardian|parents?|dos pais|acudiente|apoderado|representante legal|responsable",
    Role.MOTHER: r"mae|mother|mom|mum|madre|mamae",
    Role.FATHER: r"pai|father|dad|padre|papai",
    Role.BUYER: r"comprador(?:a|es)?|buyer|purchaser|pagador(?:a)?|pagante|payer|pagante",
    Role.DEPENDENT: r"dependentes?|dependents?|acompanhantes?|companion|agregad[oa]s?",
    Role.SPOUSE: r"conjuges?|espos[oa]|marido|spouse|husband|wife|companheir[oa]|conyuge",
    Role.BRIDE: r"noiva|bride|novia",
    Role.GROOM: r"noivo|groom|novio",
    Role.STAFF: r"vendedor(?:a|es)?|consultor(?:a|es)?|corretor(?:a|es)?|atendentes?|medic[oa]|"
    r"professor(?:a|es)?|assessor(?:a|es)?|instrutor(?:a|es)?|salesperson|sales rep",
    Role.SURETY: r"avalistas?|fiador(?:a|es)?|testemunhas?|contador(?:a)?",
}
"""The words for each role; if a heading has words for two roles, the first role counts."""

_ABOUT: Final = r"\b(?:(?:de|do|da|dos|das|del|la|el|of|the|para|por|s|em caso de|in case of) )*"

_SUBJECT: Final = frozenset({Role.ATTENDEE, Role.HOLDER, Role.PATIENT, Role.STUDENT})
"""Roles that a list can be about: if it names one, columns without a role belong to it."""

_NEVER: Final = frozenset(
    {Role.EMERGENCY, Role.RECIPIENT, Role.STAFF, Role.SURETY, Role.REFERRER, Role.SPOUSE}
)
"""Roles that are never the lead if there are others."""

_RANK: Final = (
    Role.ATTENDEE,
    Role.UNSAID,
    *(role for role in Role if role not in {Role.ATTENDEE, Role.UNSAID}),
)
"""Priority among several people with an e-mail: attendees before buyers."""

_KINDS: Final = {
    Holds.EMAIL: "e-mail",
    **dict.fromkeys(NAMES, "name"),
    **dict.fromkeys(PHONES, "phone"),
}
ANY_WORDS: Final = frozenset(
    {
        Holds.TAGS,
        Holds.TRAFFIC_SOURCE,
        Holds.TRAFFIC_MEDIUM,
        Holds.TRAFFIC_CAMPAIGN,
        Holds.TRAFFIC_VALUE,
    }
)
"""Fields for any words, which describe no person."""

_OF_NOBODY: Final = ANY_WORDS | {Holds.CONSENT}
_COPY: Final = re.compile(r"\((\d{1,2})\)\s*$|\.(\d{1,2})\s*$")
"""How programs mark a repeated heading: `Nome (2)`, `Nome.1`."""

_HALF: Final = 0.5
"""Minimum share of rows in which the lead has an e-mail."""


class Person(NamedTuple):
    """The person a column is about: a role, and its number if there are several."""

    role: Role
    number: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A parsed heading: its person, and the remaining words, which describe its content."""

    person: Person
    words: str
    copied: bool


def apart(column: str) -> Heading:
    """The role, number and remaining words of a heading."""
    copied = _COPY.search(column)
    words = words_of(re.sub(r"[()\[\]]", " ", of_either(column)))
    role = next((r for r, w in _WORDS.items() if re.search(rf"\b(?:{w})\b", words)), Role.UNSAID)
    if role:
        words = re.sub(rf"{_ABOUT}(?:{_WORDS[role]})\b", " ", words)
    digits = re.search(r"\b(\d{1,2})(?: ?[oa])?\b|(?<=[a-z]{3})(\d{1,2})\b", words)
    number = next(filter(None, digits.groups()), "") if digits else ""
    if digits:
        words = words[: digits.start()] + " " + words[digits.end() :]
    words = re.sub(
        r"^(?:(?:de|do|da|of|s) )+|(?: (?:de|do|da|of|s))+$", "", " ".join(words.split())
    )
    return Heading(Person(role, number), words or "nome", copied is not None)


def remaining(columns: Sequence[str]) -> dict[str, str]:
    """The words that describe the column's content."""
    headings = {column: apart(column) for column in columns}
    times: defaultdict[tuple[Role, str], int] = defaultdict(int)
    for heading in headings.values():
        times[heading.person.role, heading.words] += 1
    return {
        column: heading.words
        for column, heading in headings.items()
        if heading.person.role
        or (heading.person.number and times[heading.person.role, heading.words] > 1)
    }


@dataclass(frozen=True, slots=True)
class Lead:
    """The guesses about one person, and notes about the others."""

    guesses: list[Guess]
    others: tuple[str, ...] = ()

    def note(self, kept: Iterable[Guess]) -> str:
        """A comment for the mapping; empty if a row describes one person."""
        if not self.others:
            return ""
        taken = list(kept)
        email = next((g.column for g in taken if g.holds is Holds.EMAIL), None)
        named = any(g.holds in NAMES for g in taken)
        others = ", ".join(f"“{' '.join(column.split())}”" for column in self.others)
        whom = _("not known from its columns")
        if email:
            whom = _("the one of “{email}”", email=email)
        note = "\n# " + _(
            "A row of this list describes several people. The lead is taken to be {whom}.",
            whom=whom,
        )
        if not named:
            note += "\n# " + _("No column is clearly this person's name, so none is proposed.")
        note += "\n# " + _("Not this person's, or not clearly: {columns}.", columns=others)
        more = _("If the lead is somebody else, name all of that person's columns.")
        return f"{note}\n# {more}\n"


def lead(found: Sequence[Guess], evidence: Mapping[str, ColumnEvidence]) -> Lead:
    """Drop the guesses about other people than the lead."""
    people = _people(found)
    chosen = _chosen(found, people, evidence)
    leads = [
        one
        for one in found
        if one.holds in _OF_NOBODY
        or people[one.column] == chosen
        or (one.holds not in _KINDS and people[one.column].role is Role.UNSAID)
    ]
    left = [g.column for g in found if g.holds in _KINDS and g not in leads]
    return Lead(leads, tuple(left))


def _people(found: Sequence[Guess]) -> dict[str, Person]:
    """The person of each column."""
    headings = {one.column: apart(one.column) for one in found}
    roles = {column: heading.person.role for column, heading in headings.items()}
    _by_name_before(found, headings, roles)
    numbered = _numbered(found, headings, roles)
    same = _same_person(found, roles)
    return {
        column: Person(
            Role.UNSAID if role in same else role,
            headings[column].person.number if role in numbered else "",
        )
        for column, role in roles.items()
    }


def _by_name_before(
    found: Sequence[Guess], headings: Mapping[str, Heading], roles: dict[str, Role]
) -> None:
    """`Comprador;E-mail;Participante;E-mail`: a repeated heading belongs to the name before it."""
    names = {roles[one.column] for one in found if one.holds in NAMES}
    if len(names) < 2:
        return
    unsaid = [one for one in found if roles[one.column] is Role.UNSAID]
    again = [one for one in unsaid if one.holds in _KINDS and one.holds not in NAMES]
    counts: defaultdict[str, int] = defaultdict(int)
    for one in again:
        counts[headings[one.column].words] += 1
    before: Role | None = None
    for one in found:
        if one.holds in NAMES:
            before = roles[one.column]
        elif one in again and before is not None and counts[headings[one.column].words] > 1:
            roles[one.column] = before


def _numbered(
    found: Sequence[Guess], headings: Mapping[str, Heading], roles: Mapping[str, Role]
) -> set[Role]:
    """The roles whose numbers distinguish people: their names are repeated, or whole groups are.

    `Telefone 2` alone is a second number of the same person.
    """
    numbers: defaultdict[tuple[Role, str], set[str]] = defaultdict(set)
    copied: set[tuple[Role, str]] = set()
    for one in found:
        if one.holds in _KINDS:
            key = roles[one.column], _KINDS[one.holds]
            numbers[key].add(headings[one.column].person.number)
            copied |= {key} if headings[one.column].copied else set()
    several = {key for key, seen in numbers.items() if len(seen) > 1}
    return {
        role
        for role in set(roles.values())
        if (role, "name") in several or {(role, "e-mail"), (role, "phone")} <= several & copied
    }


def _same_person(found: Sequence[Guess], roles: Mapping[str, Role]) -> set[Role]:
    """The role that the list is about, which columns without a role are about as well."""
    kinds: defaultdict[Role, set[str]] = defaultdict(set)
    for one in found:
        if one.holds in _KINDS:
            kinds[roles[one.column]].add(_KINDS[one.holds])
    unsaid = kinds.pop(Role.UNSAID, set())
    leads = [role for role in kinds if role not in _NEVER] or list(kinds)
    subjects = [role for role in leads if role in _SUBJECT]
    if len(leads) == 1:
        role = leads[0]
    elif len(subjects) == 1 and all(
        role in subjects or "name" not in kinds[role] or "e-mail" in kinds[role] for role in leads
    ):
        role = subjects[0]
    else:  # with several names and one e-mail, its owner is unknown
        return set()
    if role is Role.EMERGENCY or kinds[role] & unsaid:
        return set()
    others = unsaid if role in _NEVER else unsaid & {"name"}
    return {role} if role in _SUBJECT or not others else set()


def _chosen(
    found: Sequence[Guess], people: Mapping[str, Person], evidence: Mapping[str, ColumnEvidence]
) -> Person:
    """The person of the e-mail: one who usually has an e-mail, by rank and then by position."""
    share: dict[Person, float] = {}
    for one in found:
        person = people[one.column]
        if one.holds is Holds.EMAIL and person.role not in _NEVER:
            seen = evidence[one.column]
            filled = seen.filled / max(seen.rows, 1)
            share[person] = max(share.get(person, 0.0), filled)
    often = [person for person, filled in share.items() if filled >= _HALF]
    fullest = sorted(share, key=lambda person: -share[person])[:1]
    ranked = sorted(often or fullest, key=lambda person: _RANK.index(person.role))
    return ranked[0] if ranked else Person(Role.UNSAID)
