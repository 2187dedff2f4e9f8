"""The page's texts: English sentences are in the code, Portuguese ones in the catalogue."""

from __future__ import annotations

from typing import Final

from rdimport.core.errors import Bug
from rdimport.core.messages.catalogue import catalogue

CONTEXT: Final = "sandbox"
"""The prefix of the page's entries in the catalogue, each under its English sentence."""

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
"""The sentence of each `replies.Reason` except `fields`, whose detail is enough."""


REMEDIES: Final = {
    "key_missing": "Put the key into the URL: ?api_key=… (rdimport does it by itself).",
    "key_unknown": (
        "Copy the complete key again from this account's keys; only the profiles Dono and "
        "Gestor see them."
    ),
    "key_inactive": "Switch the key on, or use another; only the profiles Dono and Gestor can.",
    "oauth_only": "Send conversions to /platform/conversions, or get a token by OAuth.",
    "not_found": "Send to /platform/conversions; check --base-url.",
    "method": "Send it by POST.",
    "url_too_long": "Put only the key into the URL; the fields belong in the body.",
    "media_type": "Send the header Content-Type: application/json.",
    "not_acceptable": "Send the header Accept: application/json, or none.",
    "too_large": "Shorten the longest fields, or leave them out.",
    "not_json": "Generate the body with a JSON library, as UTF-8.",
    "quota": ("Wait for Retry-After, then send it again; send more slowly (--quota, --reserve)."),
    "lead": "Send this person again tomorrow, and continue with the others.",
    "fault": (
        "Nothing is wrong with it: switch the fault off under “Simulate failures”, or see "
        "how your integration copes."
    ),
    "fields": (
        "Correct these cells in the list, or leave the field out of the mapping; then send "
        "the row again."
    ),
}
"""What to do about each `replies.Reason`."""

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
"""The meaning of each of RD's `error_type` for a field."""


def say(language: str, sentence: str, **values: object) -> str:
    """The sentence in that language, with its values."""
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


def remedy(language: str, code: str) -> str:
    """What to do about a request that was refused; empty for a reason of an older sandbox."""
    return say(language, REMEDIES[code]) if code in REMEDIES else ""


def choose(cookie: str, accepted: str) -> str:
    """The viewer's language: the one chosen before, otherwise the browser's first."""
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
"""Possible errors in the name of a new key."""
