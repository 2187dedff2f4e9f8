"""Masks API keys in text from outside, in any encoding.

Text from an endpoint, a library or a person may contain the key: as it is, in different case, with
percent, JSON or HTML escapes, in base64 or hexadecimal, as part of something longer, or cut off.
All such text goes through a `Mask` before it is stored or shown.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from threading import Lock
from typing import Final

from rdimport.core.errors import KeyInNameError
from rdimport.core.messages import _

HIDDEN: Final = "***"

SHORTEST: Final = 8
"""A shorter key could be an ordinary word: it is masked only in `api_key=...`."""

PART: Final = 12
"""This many consecutive characters of a key are masked wherever they occur."""

TAIL: Final = 6
"""This many first characters of a key are masked at the end of the text, or before dots or closing
marks there: the text was cut off.
"""

_WINDOW: Final = TAIL
"""Any `PART` consecutive characters of a key contain one of its windows, which do not overlap. The
first one is what a key that is cut off has at least.
"""

_ROUNDS: Final = 4
"""How many levels of nested escapes are undone."""

_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANK: Final = dict.fromkeys("nrtfvb", " ")
_KINDS: Final = (
    r"%(?P<percent>[0-9a-f]{2})",
    r"\\u(?P<json>[0-9a-f]{4})|\\x(?P<byte>[0-9a-f]{2})|\\(?P<bare>.)",
    r"&\#x(?P<hex>[0-9a-f]{1,6});?|&\#(?P<number>[0-9]{1,7});?|&(?P<name>amp|lt|gt|quot|apos);",
)
_ESCAPES: Final = tuple(re.compile(kind, re.DOTALL) for kind in (*_KINDS, "|".join(_KINDS)))
"""Each kind alone, as a key may contain what looks like another kind, and all together."""

_UNSEEN: Final = re.compile(
    "[\\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+"
)
_NAME: Final = r"api[-_]?key[\"']?\s*[=:]\s*[\"']?"
_OURS: Final = "expected|esperava|must|não|unknown|chave"
"""How our own sentences about a wrong `api_key` of the settings begin."""
_STRUCTURE: Final = r"[{[]+(?:[\s\"']|$)|(?:null|true|false)(?:[\s,\]}]|$)"
"""What follows `api_key` in a schema or other JSON and is no key."""
_ASSIGNED: Final = re.compile(_NAME + rf"(?!(?:{_OURS}) |{_STRUCTURE})(?P<key>[^\s&\"'<>\\]+)")
"""A value of `api_key`."""
_CLOSING: Final = " .…,;:\"'`)]}>“”’"
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

_ID: Final = re.compile(r"[0-9a-f-]{1,64}")
"""Typical form of an endpoint's identifiers: every row has one, so this is the fast path."""

_KEY_SHAPED: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+=~-]{16,512}")
_RUN: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}(?:[0-9a-f]{4})?")
"""`names.run_name`; earlier releases used four digits at the end."""


def may_be_key(word: str) -> bool:
    """Whether a word may be an API key: 16 or more letters and digits without a path separator. Run
    names look similar and are excluded.
    """
    return bool(_KEY_SHAPED.fullmatch(word)) and not _RUN.fullmatch(word)


def refuse_key_in(names: Iterable[object], key: str | None) -> None:
    """Raise KeyInNameError if an option, the mapping, or the name of a file or folder contains the
    key: reports, the ledger and the log name them, and RD would get the mapping's constants.
    """
    if key and len(key) >= SHORTEST and any(key in str(name) for name in names):
        raise KeyInNameError(
            _(
                "An option, a variable, the mapping, or the name of a file or folder contains the "
                "API key."
            ),
            _("Remove it: it would be shown and stored."),
        )


class Mask:
    """A function that masks the keys it knows, and any value in `api_key=...`."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._forms: list[str] = []
        self._with: dict[str, list[str]] = {}
        """The forms that have a window."""
        self._in_ids: list[str] = []
        self._short: dict[str, None] = {}
        self._short_ones: re.Pattern[str] | None = None
        """A pattern of all short keys, compiled on first use."""
        self._keys: set[str] = set()
        self._learning = Lock()
        for key in keys:
            self.learn(key)

    def learn(self, key: str) -> None:
        """Add a key."""
        with self._learning:
            if not key or key in self._keys:
                return
            self._keys.add(key)
            if len(key) < SHORTEST:
                self._short[re.escape(key.translate(_LOWER))] = None
                self._short_ones = None
                return
            for form in dict.fromkeys(_forms(key)):
                windows = dict.fromkeys(form[at : at + _WINDOW] for at in _places(form))
                for window in windows:
                    self._with.setdefault(window, []).append(form)
                self._in_ids += (window for window in windows if _ID.fullmatch(window))
                self._forms.append(form)

    def forget(self) -> None:
        """Remove all keys."""
        with self._learning:
            self._forms, self._with, self._in_ids = [], {}, []
            self._short, self._short_ones, self._keys = {}, None, set()

    def __call__(self, text: str) -> str:
        """The text with all keys masked."""
        if _ID.fullmatch(text) and not self._may_be_in_id(text):
            return text
        while spans := self._spans(text):  # joining what is left may form a key again
            text = _without(text, spans)
        return text

    def _may_be_in_id(self, text: str) -> bool:
        if len(self._in_ids) <= len(text):
            return any(window in text for window in self._in_ids)
        return any(window in self._with for window in _windows(text))

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """The positions of keys in a text, in any order."""
        found: list[tuple[int, int]] = []
        for reading in _readings(text):
            for pattern in self._assigned():
                found += [
                    reading.span(*match.span("key"))
                    for match in pattern.finditer(reading.text)
                    if match["key"] != HIDDEN
                ]
            found += self._forms_in(reading)
            bare = reading.undone(_UNSEEN)
            found += self._forms_in(bare) if bare else ()
        return found

    def _assigned(self) -> Iterator[re.Pattern[str]]:
        """Patterns for the values of `api_key`: any value, and short keys, perhaps in quotes."""
        yield _ASSIGNED
        with self._learning:
            if self._short and not self._short_ones:
                self._short_ones = re.compile(f"{_NAME}(?P<key>{'|'.join(self._short)})")
            short = self._short_ones
        if short:
            yield short

    def _forms_in(self, reading: _Reading) -> Iterator[tuple[int, int]]:
        for form in self._perhaps_in(reading.text):
            for start, end in (*_parts(form, reading.text), *_tail(form, reading.text)):
                yield reading.span(start, end)

    def _perhaps_in(self, text: str) -> Iterable[str]:
        """The forms that may be in a text: a worker knows hundreds of keys, and masks all of its
        output.
        """
        if len(self._with) <= len(text):
            return self._forms
        found = (form for window in _windows(text) for form in self._with.get(window, ()))
        return dict.fromkeys(found)


class _Reading:
    """A text in lower case, or `before` with the matches of `pattern` decoded."""

    def __init__(
        self, text: str, before: _Reading | None = None, pattern: re.Pattern[str] = _UNSEEN
    ) -> None:
        self.text = text
        self._before = before
        self._pattern = pattern

    def undone(self, pattern: re.Pattern[str]) -> _Reading | None:
        """The next reading; None if nothing matches."""
        text = pattern.sub(_meant, self.text)
        return _Reading(text, self, pattern) if len(text) < len(self.text) else None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span in the original text of a span in this reading."""
        starts, ends = self._places
        return starts[start], ends[end - 1]

    @cached_property
    def _places(self) -> tuple[Sequence[int], Sequence[int]]:
        """The span in the original text of each character; computed only after a match."""
        if self._before is None:
            return range(len(self.text)), range(1, len(self.text) + 1)
        text, (from_starts, from_ends) = self._before.text, self._before._places  # noqa: SLF001
        starts: list[int] = []
        ends: list[int] = []
        last = 0
        for match in self._pattern.finditer(text):
            start, end = match.span()
            starts += from_starts[last:start]
            ends += from_ends[last:start]
            for _unused in _meant(match):
                starts.append(from_starts[start])
                ends.append(from_ends[end - 1])
            last = end
        return [*starts, *from_starts[last:]], [*ends, *from_ends[last:]]


def _readings(text: str) -> Iterator[_Reading]:
    """The text, then with its escapes undone repeatedly."""
    plain = _Reading(text.translate(_LOWER))
    yield plain
    for pattern in _ESCAPES:
        reading = plain
        for _unused in range(_ROUNDS):
            undone = reading.undone(pattern)
            if undone is None:
                break
            yield undone
            reading = undone


def _meant(match: re.Match[str]) -> str:
    """The character that an escape encodes; empty for an invisible one."""
    kind = match.lastgroup
    if kind is None:
        return ""
    written = match[kind]
    if kind == "name":
        return _NAMED[written]
    if kind == "bare":
        return _BLANK.get(written, written)
    code = int(written, 10 if kind == "number" else 16)
    return chr(code).translate(_LOWER) if code <= 0x10FFFF else "\ufffd"


def _forms(key: str) -> Iterator[str]:
    """The key and its encodings, in lower case. For base64, the characters that do not depend on
    the text around the key, for each of the three alignments.
    """
    raw = key.encode("utf-8", "surrogateescape")  # a variable may hold any bytes
    yield key.translate(_LOWER)
    yield raw.hex()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode()
        inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        for form in (inner, inner.replace("+", "-").replace("/", "_")):
            yield form.translate(_LOWER)


def _windows(text: str) -> Iterator[str]:
    """All consecutive characters of a text, as many as a window has."""
    return (text[at : at + _WINDOW] for at in range(len(text) - _WINDOW + 1))


def _places(form: str) -> range:
    """The positions of a form's windows."""
    return range(0, len(form) - _WINDOW + 1, _WINDOW)


def _parts(form: str, text: str) -> Iterator[tuple[int, int]]:
    """The positions of a form, or of `PART` consecutive characters of it, in a text."""
    enough = min(PART, len(form))
    for at in _places(form):
        window = form[at : at + _WINDOW]
        found = text.find(window)
        while found >= 0:
            start, end = _extended(form, at, text, found)
            if end - start >= enough:
                yield start, end
            found = text.find(window, max(found + 1, end - _WINDOW + 1))


def _extended(form: str, at: int, text: str, found: int) -> tuple[int, int]:
    """The longest common run of a form and a text around a window."""
    start, before = found, at
    while start and before and text[start - 1] == form[before - 1]:
        start, before = start - 1, before - 1
    end, after = found + _WINDOW, at + _WINDOW
    while end < len(text) and after < len(form) and text[end] == form[after]:
        end, after = end + 1, after + 1
    return start, end


def _tail(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the text ends with the first characters of a form."""
    for whole in dict.fromkeys((text, text.rstrip(_CLOSING))):
        start = whole.find(form[:TAIL], max(0, len(whole) - len(form)))
        while start >= 0:
            if form.startswith(whole[start:]):
                yield start, len(whole)
            start = whole.find(form[:TAIL], start + 1)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with `HIDDEN` for each span, once for adjacent spans."""
    pieces: list[str] = []
    last = 0
    for start, end in sorted(spans):
        if start > last or not last:
            pieces += (text[last:start], HIDDEN)
        last = max(last, end)
    return "".join([*pieces, text[last:]])
