"""What the page says: English sentences are in the code, Portuguese ones in the catalogue."""

from __future__ import annotations

from typing import Final

from rdimport.core.errors import Bug
from rdimport.core.messages.catalogue import catalogue
from rdimport.core.messages.written import whole

CONTEXT: Final = "sandbox"
"""Of the page's entries in the catalogue, each under its English sentence."""

LANGUAGES: Final = {"en": "English", "pt-BR": "Português"}

NO_KEYS: Final = (
    "RD does not show this screen to the profile Usuário. Ask somebody with the profile "
    "Dono or Gestor in this account for a key."
)
WHOM_TO_ASK: Final = (
    "Only the profiles Dono and Gestor see API keys: ask one of them, and keep the key in a file "
    "that only you can read."
)

REASONS: Final = {
    "key_missing": "No api_key in the URL.",
    "key_unknown": "No account has this key.",
    "key_inactive": "The key {detail} is inactive.",
    "oauth_only": "An API key is for conversions only; {detail} needs OAuth.",
    "not_found": "RD has no such path.",
    "method": "{detail} instead of POST.",
    "url_too_long": "The URL is longer than 8 kB.",
    "media_type": "The Content-Type is not application/json.",
    "not_acceptable": "The Accept header does not allow JSON.",
    "too_large": "The body is larger than {detail} bytes.",
    "not_json": "The body is not JSON: {detail}.",
    "quota": "The account's quota of {detail} is used up.",
    "lead": "More than {detail} requests for this e-mail in 24 hours.",
    "fault": "A simulated fault: {detail}.",
}
"""The sentence of each `replies.Reason` but `fields`, whose detail speaks for itself."""


ERRORS: Final = {
    "CANNOT_BE_NULL": "is missing",
    "CANNOT_BE_BLANK": "is empty",
    "INVALID_EMAIL_FORMAT": "is not an e-mail address",
    "INVALID_FORMAT": "has the wrong format",
    "INVALID": "is not valid text",
    "INVALID_DATA_TYPE": "has the wrong type",
    "INVALID_OPTION": "is not one of the options",
    "MUST_BE_BOOLEAN": "must be true or false",
    "TOO_LONG": "is too long",
    "VALUES_MUST_BE_LOWERCASE": "must be in lowercase",
    "VALUES_MUST_BE_UNIQUE": "must not repeat",
    "CONFLICTING_FIELD": "must be absent if the __trf.src cookie is there",
}
"""What each of RD's `error_type` says of a field."""


def say(language: str, sentence: str, **values: object) -> str:
    """The sentence in that language, its places filled."""
    text = sentence
    if language != "en":
        text = catalogue(language).pgettext(CONTEXT, sentence)
        if text == sentence:
            raise Bug(f"the catalogue lacks this sentence of the page: {sentence}")
    return text.format(**values) if values else text


def reason(language: str, code: str, detail: str) -> str:
    """Why a request was refused, as a sentence."""
    if code not in REASONS:
        return detail.replace("$.payload.", "")
    return say(language, REASONS[code], detail=detail)


def number(language: str, value: int) -> str:
    """12345 as 12,345 or 12.345."""
    return whole(value, language)


def choose(cookie: str, accepted: str) -> str:
    """The language of a person: what was chosen before, else what the browser asks for first."""
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(","):
        wanted = part.partition(";")[0].strip().lower()
        if wanted.startswith("pt"):
            return "pt-BR"
        if wanted.startswith("en"):
            return "en"
    return "en"


KEY_MISTAKES: Final = ("A key needs a name.", "This name is already taken.")
"""What can be wrong with the name of a new key."""
