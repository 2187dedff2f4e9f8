"""What to do about a request that was refused."""

from __future__ import annotations

from typing import Final

from rdimport.sandbox.page import words

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


def remedy(language: str, code: str) -> str:
    """What to do about a request that was refused; empty for a reason of an older sandbox."""
    return words.say(language, REMEDIES[code]) if code in REMEDIES else ""
