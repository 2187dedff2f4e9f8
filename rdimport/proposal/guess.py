"""Guesses which column fills which field. A wrong guess is worse than none.

The heading suggests a field, and a guess contradicted by the values is dropped. If a heading is
ambiguous, the values decide.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from rdimport.core.messages import _, untranslated
from rdimport.mapping import Clean
from rdimport.proposal import people
from rdimport.proposal.column_guess import Guess, Trust
from rdimport.proposal.consent import Says, says
from rdimport.proposal.vocabulary import NAMES, PHONES, VOCABULARY, WHOLE_NAMES, Holds, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdimport.proposal.evidence import ColumnEvidence

_MOST: Final = 0.5
"""Share of cells that must have a format to confirm the heading."""

_NEARLY_ALL: Final = 0.8
"""Share that is sufficient without a heading."""

_CLOSE: Final = 84
"""Similarity, in per cent, of a misspelt heading to a known one."""


_SHORTEST: Final = 5
"""Minimum letters of a heading that is checked for misspellings."""


_WHY: Final = {
    Trust.VALUES: untranslated("by its values"),
    Trust.SLIP: untranslated("the heading looks like a typo for “{heading}”"),
    Trust.PATTERN: untranslated("the heading says so"),
    Trust.EXACT: untranslated("the heading says so"),
}


def guess(columns: Sequence[str], evidence: Mapping[str, ColumnEvidence]) -> dict[str, Guess]:
    """A guess for each column that gets one, at most one per field except for phones and names."""
    return of_lead(columns, people.lead(candidates(columns, evidence), evidence), evidence)


def candidates(columns: Sequence[str], evidence: Mapping[str, ColumnEvidence]) -> list[Guess]:
    """What each column probably contains, whichever person it is about."""
    words = people.remaining(columns) | _campaign(columns)
    found = [
        one
        for column in columns
        if (one := _guess(column, words.get(column, words_of(column)), evidence[column]))
    ]
    if not any(g.holds is Holds.EMAIL for g in found):
        found = _emails_by_value(columns, evidence, found)
    return sorted(found, key=lambda one: columns.index(one.column))


def of_lead(
    columns: Sequence[str], lead: people.Lead, evidence: Mapping[str, ColumnEvidence]
) -> dict[str, Guess]:
    """The guesses about the lead, with one column for each field."""
    by_field: defaultdict[Holds, list[Guess]] = defaultdict(list)
    for one in lead.guesses:
        by_field[one.holds].append(one)
    _first_and_last(by_field, evidence)
    email = _best(by_field.get(Holds.EMAIL, []), evidence, ())
    about = _qualifiers(email.column) if email else ()
    kept: dict[str, Guess] = {}
    for holds, guesses in by_field.items():
        several = holds in _SEVERAL
        best = email if holds is Holds.EMAIL else _best(guesses, evidence, about)
        chosen = guesses if several else [best] if best else []
        kept |= {one.column: one for one in chosen}
    return {column: kept[column] for column in columns if column in kept}


def _guess(column: str, words: str, seen: ColumnEvidence) -> Guess | None:
    meaning = says(column)
    consent = Guess(column, Holds.CONSENT, Trust.PATTERN, len(words), _(_WHY[Trust.PATTERN]))
    likely = [] if meaning is Says.REFUSAL else _by_heading(column, words)
    for candidate in [consent, *likely] if meaning is Says.CONSENT else likely:
        if _agrees(candidate.holds, seen):
            return candidate
    if _UNTOLD.fullmatch(words) and seen.mobile >= _NEARLY_ALL:
        return Guess(column, Holds.PHONE, Trust.VALUES, 0, _(_WHY[Trust.VALUES]))
    return None


_UNTOLD: Final = re.compile(r"(?:numeros?|numbers?|n|coluna(?: \d+)?)")
"""Headings that do not say what the numbers below them are; `Coluna 2` has no heading."""


def _campaign(columns: Sequence[str]) -> dict[str, str]:
    """`Source`, `Medium` and `Campaign` side by side are those of the UTM parameters."""
    words = {column: words_of(column) for column in columns}
    found = {column: _UTM[word] for column, word in words.items() if word in _UTM}
    named = any(word.startswith("utm ") for word in words.values())
    return {} if named or not {"utm source", "utm medium"} <= set(found.values()) else found


_UTM: Final = {
    "source": "utm source",
    "medium": "utm medium",
    "campaign": "utm campaign",
    "term": "utm term",
}


def _by_heading(column: str, words: str) -> list[Guess]:
    """The possible meanings of a heading, the most likely first."""
    exact = [
        Guess(column, entry.holds, Trust.EXACT, entry.words.index(words), _(_WHY[Trust.EXACT]))
        for entry in VOCABULARY
        if words in entry.words
    ]
    by_pattern = [
        Guess(column, entry.holds, Trust.PATTERN, len(words), _(_WHY[Trust.PATTERN]))
        for entry in VOCABULARY
        if entry.pattern
        and re.search(entry.pattern, words)
        and not (entry.but and re.search(entry.but, words))
    ]
    found = exact or by_pattern or _slips(column, words)
    return [one for one in found if one.holds is Holds.EMAIL or not _KEY.search(words)]


_KEY: Final = re.compile(r"\b(?:ids?|uuid|guid|hash)\b")
"""Words for keys of records: `ID WhatsApp`. `E-mail ID` is an address."""


def _slips(column: str, words: str) -> list[Guess]:
    """Known headings of which this one is probably a misspelling."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415  only `init` needs it

    known = _known(words.count(" "))
    if len(words) < _SHORTEST or words in _NO_SLIPS:
        return []
    best = process.extractOne(words, known.keys(), scorer=fuzz.ratio, score_cutoff=_CLOSE)
    if best is None:
        return []
    why = _(_WHY[Trust.SLIP], heading=best[0])
    return [Guess(column, known[best[0]], Trust.SLIP, len(words), why)]


_NO_SLIPS: Final = frozenset({"apelido", "apelidos"})
"""Words of their own: a nickname is no `apellido`."""


@cache
def _known(spaces: int) -> dict[str, Holds]:
    """The known headings with that many words; short ones would match anything."""
    return {
        word: entry.holds
        for entry in reversed(VOCABULARY)
        for word in entry.words
        if len(word) >= _SHORTEST and word.count(" ") == spaces
    }


def _agrees(holds: Holds, seen: ColumnEvidence) -> bool:
    """Whether the values are compatible with the heading; an empty column always is."""
    if not seen.filled:
        return True
    needed: dict[Holds, float] = {
        Holds.EMAIL: seen.share(Clean.EMAIL),
        Holds.STATE: seen.share(Clean.UF),
        Holds.AREA: seen.area,
        Holds.COUNTRY_CODE: seen.country,
        Holds.CITY_STATE: seen.city_state,
        Holds.CONSENT: seen.share(Clean.BOOLEAN),
        Holds.WEBSITE: seen.share(Clean.URL),
        Holds.SITE_OF_COMPANY: seen.share(Clean.URL),
        Holds.LINKEDIN: max(seen.page, seen.share(Clean.URL)),
        Holds.FACEBOOK: max(seen.page, seen.share(Clean.URL)),
        Holds.TWITTER: max(seen.page, seen.share(Clean.URL)),
        **dict.fromkeys(PHONES, seen.digits),
    }
    if holds in needed:
        return needed[holds] >= _MOST and not (
            holds is not Holds.EMAIL and seen.share(Clean.EMAIL) >= _MOST
        )
    if holds is Holds.ADDRESS or holds in people.ANY_WORDS:
        return seen.share(Clean.EMAIL) < _MOST
    if holds in NAMES and seen.numbered >= _MOST:
        return False
    words = 1 - max(seen.share(f) for f in _NOT_WORDS)
    return min(words, 1 - seen.digits) >= _MOST


_SEVERAL: Final = PHONES | {Holds.AREA, Holds.COUNTRY_CODE}
_NOT_WORDS: Final = (Clean.EMAIL, Clean.BOOLEAN, Clean.DATE, Clean.NUMBER, Clean.URL)


def _emails_by_value(
    columns: Sequence[str], evidence: Mapping[str, ColumnEvidence], found: list[Guess]
) -> list[Guess]:
    """The only column whose values are addresses, if no heading says e-mail."""
    holders = [c for c in columns if evidence[c].share(Clean.EMAIL) >= _NEARLY_ALL]
    if len(holders) != 1:
        return found
    one = Guess(holders[0], Holds.EMAIL, Trust.VALUES, 0, _(_WHY[Trust.VALUES]))
    return [*(g for g in found if g.column != one.column), one]


def _first_and_last(
    by_field: defaultdict[Holds, list[Guess]], evidence: Mapping[str, ColumnEvidence]
) -> None:
    """`Nome` next to `Sobrenome` is the first name; a first name alone is used as the name.

    A column of full names is better than their parts.
    """
    lasts, names = by_field.get(Holds.LAST_NAME, []), by_field.get(Holds.NAME, [])
    plain = [g for g in names if words_of(g.column) in {"nome", "nombre", "name"}]
    if lasts and plain and not by_field.get(Holds.FIRST_NAME):
        by_field[Holds.FIRST_NAME] = [replace(plain[0], holds=Holds.FIRST_NAME)]
        names = [g for g in names if g is not plain[0]]
    firsts = by_field.get(Holds.FIRST_NAME, [])
    often = max((evidence[g.column].filled for g in firsts), default=0)
    whole = [
        g for g in names if words_of(g.column) in WHOLE_NAMES and evidence[g.column].filled >= often
    ]
    by_field[Holds.NAME] = whole or names
    if whole or (names and not (firsts and lasts)):
        by_field.pop(Holds.FIRST_NAME, None)
        by_field.pop(Holds.LAST_NAME, None)
    elif firsts and lasts:
        by_field.pop(Holds.NAME)
    if not (by_field.get(Holds.FIRST_NAME) and by_field.get(Holds.LAST_NAME)):
        by_field.pop(Holds.MIDDLE_NAME, None)


def _best(
    guesses: Sequence[Guess], evidence: Mapping[str, ColumnEvidence], about: Sequence[str]
) -> Guess | None:
    """The column that fills a field, if there are several candidates."""

    def merit(one: Guess) -> tuple[int, int, int, int, int]:
        words = words_of(one.column).split()
        shared = len(set(about) & set(words))
        second = any(word in _SECOND for word in words)
        fullness = round(4 * evidence[one.column].filled / max(evidence[one.column].rows, 1))
        return (shared, -int(second), one.trust, fullness, -one.rank)

    return max(guesses, key=merit, default=None)


_SECOND: Final = frozenset(
    "pessoal secundario alternativo alternative secondary other outro outra 2 3 ii adicional "
    "recado personal backup".split()
)
"""Words that mark a column as second choice."""


def _qualifiers(column: str) -> tuple[str, ...]:
    """Whose e-mail it is: `E-mail do responsável` belongs to `Nome do responsável`."""
    general = set("e mail email mails emails de do da of correio eletronico address".split())
    return tuple(word for word in words_of(column).split() if word not in general)
