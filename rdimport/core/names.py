"""When are two column names the same, and which one was probably meant?"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def fold(name: str) -> str:
    """The form in which column names are compared: no case, accents, outer or doubled spaces."""
    if name.isascii():
        return " ".join(name.lower().split())
    bare = unicodedata.normalize("NFKD", name.replace("\u200b", "").replace("\ufeff", ""))
    return " ".join("".join(c for c in bare if not unicodedata.combining(c)).casefold().split())


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that `name` is most likely a slip of, or an empty string."""
    from rapidfuzz import fuzz, process, utils  # noqa: PLC0415  only a mistake needs it

    best = process.extractOne(
        fold(name),
        list(known),
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        score_cutoff=70,
    )
    return best[0] if best else ""
