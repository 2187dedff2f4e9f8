"""No masked text contains the key, whatever its form."""

from __future__ import annotations

import base64
import html
import json
import tracemalloc
from collections.abc import Callable
from functools import cache
from statistics import median
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rdimport.core.masking import HIDDEN, PART, SHORTEST, TAIL, Mask

KEY = "0a1B2c3d4E5f60718293a4b5c6d7e8f9"
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
keys = st.text(PRINTABLE, min_size=SHORTEST, max_size=64)
around = st.text(st.sampled_from("abcXYZ 019?&=:/.,\"'<>()[]{}\n\tçãé€"), max_size=30)


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def aligned(text: str, before: bytes, after: bytes, *, safe: bool) -> str:
    data = before + text.encode() + after
    return (base64.urlsafe_b64encode(data) if safe else base64.b64encode(data)).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "other case": str.swapcase,
    "quoted": lambda key: quote(key, safe=""),
    "quoted lower": lambda key: quote(key, safe="").lower(),
    "quoted as a form": quote_plus,
    "percent": percent,
    "percent lower": lambda key: percent(key).lower(),
    "percent twice": lambda key: percent(percent(key)),
    "percent of every second": lambda key: "".join(
        percent(c) if n % 2 else quote(c, safe="") for n, c in enumerate(key)
    ),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "JSON escapes": escaped,
    "JSON escapes upper": lambda key: escaped(key).upper().replace("\\U", "\\u"),
    "JSON escapes in JSON": lambda key: json.dumps(escaped(key)),
    "bytes": lambda key: "".join(f"\\x{byte:02x}" for byte in key.encode()),
    "HTML": html.escape,
    "HTML numbers": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "HTML hex numbers": lambda key: "".join(f"&#x{ord(c):X};" for c in key),
    "hex": lambda key: key.encode().hex(),
    "hex upper": lambda key: key.encode().hex().upper(),
    "hex with spaces": lambda key: key.encode().hex(" "),
    "wide": "\0".join,
    "with breaks": lambda key: f"{key[:4]}\r\n {key[4:]}",
    "with nothing to see": "\u200b".join,
    **{
        f"base64 after {len(before)} before {len(after)}{' url' * safe}": (
            lambda key, before=before, after=after, safe=safe: aligned(  # type: ignore[misc]
                key, before, after, safe=safe
            )
        )
        for before in (b"", b"x", b"?=")
        for after in (b"", b"&b", b"\xff")
        for safe in (False, True)
    },
}


def core(form: str, name: str) -> str:
    """The part of a form that depends on the key alone: base64 mixes its ends with its
    neighbours.
    """
    return form[4:-8] if name.startswith("base64") else form


@given(key=keys, before=around, after=around)
@example(key=KEY, before="", after="")
@example(key="********", before="**", after="***")
@example(key="a%41b\\n/+=&", before="", after="")
@example(key="%41%42%43", before="", after="")
def test_no_form_of_the_key_is_left(key: str, before: str, after: str) -> None:
    quiet = Mask([key])
    for name, formed in FORMS.items():
        form = formed(key)
        masked = quiet(f"{before} {form} {after}")
        assert HIDDEN in masked, name
        for read in (masked, unquote(masked), html.unescape(masked)):
            assert key.lower() not in read.lower(), name
        if len(core(form, name)) >= SHORTEST:
            assert core(form, name).lower() not in masked.lower(), name
        assert quiet(masked) == masked, name


@given(key=keys, before=around, after=around)
def test_what_stands_beside_the_key_stays(key: str, before: str, after: str) -> None:
    quiet = Mask([key])
    text = f"{before} {after}"
    if quiet(text) == text and HIDDEN not in text:
        masked = quiet(f"{before} | {key} | {after}")
        assert masked.startswith(before.rstrip())
        assert masked.endswith(after.lstrip())


@pytest.mark.parametrize("end", ["", "…", "...", '"', "'}", " (cut)"])
@pytest.mark.parametrize("length", range(TAIL, len(KEY)))
def test_a_key_that_was_cut_at_the_end_of_a_text_is_masked(length: int, end: str) -> None:
    text = f"illegal line: {KEY[:length]}{end}"
    if end == " (cut)" and length < PART:
        return
    assert Mask([KEY])(text) == f"illegal line: {HIDDEN}{end}"
    assert KEY[:length].upper() not in Mask([KEY])(text.upper())


@given(st.integers(0, len(KEY) - PART), st.integers(PART, len(KEY)))
def test_a_long_part_of_the_key_is_masked_wherever_it_stands(start: int, size: int) -> None:
    part = KEY[start : start + size]
    if len(part) >= PART:
        assert Mask([KEY])(f"said “x{part}y” here") == f"said “x{HIDDEN}y” here"


@pytest.mark.parametrize("key", ["abc", "name", "a&b", "***", "seven77"])
def test_a_short_key_is_masked_only_where_it_stands_as_the_key(key: str) -> None:
    mask = Mask([key])
    assert mask(f"the {key} of a lead") == f"the {key} of a lead"
    for text in (
        "?api_key={}&x",
        "API_KEY={}",
        "api-key: {}",
        "?api_key%3D{}",
        "{{'api_key': '{}'}}",
    ):
        assert text.format(HIDDEN) in (mask(text.format(key)), text.format(key))
    assert mask('{"api_key": "abc", "b": 1}') == '{"api_key": "***", "b": 1}'


@pytest.mark.parametrize(
    "text",
    ['{"api_key": {"a": 1}}', '{"api_key": null, "b": []}', '{"api_key":null}', "api_key: [\n"],
)
def test_the_structure_of_json_is_no_key(text: str) -> None:
    assert Mask([KEY, "abc"])(text) == text


def test_a_value_that_stands_as_a_key_is_masked_whoever_it_belongs_to() -> None:
    assert Mask()("GET /x?api_key=somebody-elses&y=1 HTTP/1.1") == "GET /x?api_key=***&y=1 HTTP/1.1"
    assert Mask()("POST /platform/conversions?api_key=***") == (
        "POST /platform/conversions?api_key=***"
    )


@given(st.dictionaries(around, around), st.sampled_from(["{}", "x{}y", "api_key={}&b", '"{}"']))
def test_json_stays_json(found: dict[str, str], form: str) -> None:
    text = json.dumps({**found, "said": form.format(KEY)}, ensure_ascii=False)
    data = json.loads(Mask([KEY])(text))
    assert KEY not in repr(data)
    assert {name: data[name] for name in found if name != "said"} == {
        name: value for name, value in found.items() if name != "said"
    }


@pytest.mark.parametrize(
    "text",
    [
        "20260718-143000-ab12",
        "/var/lib/rdimport/reports/20260718-143000-ab12/failures.csv",
        "the name of the endpoint could not be resolved (DNS)",
        "5b1b9c1e-6a0f-4c1b-9f57-0242ac120002",
        "100%25 of “ação” & 12&#37; \\u00e7",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Mask([KEY])(text) == text


def test_a_text_made_to_be_slow_takes_no_time() -> None:
    mask = Mask([KEY])
    for piece in ("%25", "\\\\", "&#38;", KEY[:6], "api_key=", " \n", "%u"):
        assert KEY not in mask(piece * (64_000 // len(piece)) + KEY)


@cache
def one_of_hundreds() -> Mask:
    many = Mask(f"{KEY[::-1]}{number:04x}" for number in range(300))
    many.learn(KEY)
    return many


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("size", [len(KEY), PART, TAIL])
def test_one_of_hundreds_of_keys_is_masked_as_it_is_alone(name: str, size: int) -> None:
    many = one_of_hundreds()
    for text in (f"said “{FORMS[name](KEY)}” here", f"cut: {FORMS[name](KEY)[:size]}", KEY.lower()):
        assert many(text) == Mask([KEY])(text)


@pytest.mark.parametrize("key", ["{:032x}", KEY[::-1] + "{:04x}", "a{:05d}"])
def test_a_key_is_learnt_without_going_through_those_that_are_known(key: str) -> None:
    """Temporary memory would grow with their number if they were copied."""
    mask, moments = Mask(), []
    tracemalloc.start()
    for number in range(600):
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        mask.learn(key.format(number))
        moments.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    assert median(moments[-100:]) <= 1.5 * median(moments[:100])


def test_short_keys_are_masked_however_many_there_are() -> None:
    mask = Mask(f"a{number:05d}" for number in range(3))
    assert mask("?api_key=a00001&x") == f"?api_key={HIDDEN}&x"
    mask.learn("b&c")
    assert mask("api_key: b&c a") == f"api_key: {HIDDEN} a"


def test_keys_that_are_forgotten_are_masked_no_more() -> None:
    mask = Mask([KEY, "short"])
    mask.forget()
    assert mask(KEY) == KEY
    mask.learn(KEY)
    assert mask(KEY) == HIDDEN
