"""The form for the fault switches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rdimport.core.errors import UsageError
from rdimport.sandbox.faults import FAULT_TEXTS, Fault, Faults
from rdimport.sandbox.page.markup import Markup, faint, join, tag
from rdimport.sandbox.page.view import View

PRESETS: Final = {
    "429 storm": Faults(throttle=0.7, throttle_lead=0.05, retry_after=2),
    "Flaky network": Faults(reset_before=0.05, reset_after=0.05, cut=0.02, latency=0.1, jitter=0.4),
    "Server in trouble": Faults(unavailable=0.2, fail_before=0.1, fail_after=0.1, hang_after=0.02),
}
"""Sets of faults that occur together in practice."""

_TIMES: Final = ("latency", "jitter", "slow", "close_idle")
_COUNTS: Final = ("retry_after", "odd_status", "skip", "at_most")


def faults_page(view: View, wrong: bool) -> Markup:
    """All switches in one form."""
    faults = view.endpoint.injector.faults
    intro = (
        "Make something go wrong, and see whether your integration notices. Faults are "
        "drawn at random for each request; together, the shares are at most 100%."
    )
    mistake = "The shares add up to more than 100%, or a value cannot be read. Nothing was changed."
    return join(
        tag("div", tag("h1", view.say("Simulate failures")), class_="title-line"),
        tag("p", view.say(intro), class_="intro"),
        tag("p", view.say(mistake), class_="mistake", role="alert") if wrong else None,
        _presets(view),
        view.form(
            "/sandbox/faults",
            _group(view, "Share of the requests", [_share(view, faults, one) for one in Fault]),
            tag(
                "div",
                _group(view, "Times", [_time(view, faults, name) for name in _TIMES]),
                _group(
                    view, "Details of the faults", [_count(view, faults, name) for name in _COUNTS]
                ),
            ),
            tag(
                "div",
                tag("button", view.say("Apply"), class_="main"),
                tag("button", view.say("All off"), class_="quiet", name="off", value="1"),
                class_="actions",
            ),
            class_="faults",
        ),
    )


def _presets(view: View) -> Markup:
    buttons = [
        tag("button", view.say(name), name="preset", value=name, class_="quiet") for name in PRESETS
    ]
    start = faint(view.say("Start with"))
    return view.form("/sandbox/faults", start, buttons, class_="presets")


def _group(view: View, title: str, rows: list[Markup]) -> Markup:
    return tag("fieldset", tag("legend", view.say(title)), rows, class_="card")


def _share(view: View, faults: Faults, fault: Fault) -> Markup:
    return _row(view, fault, f"{getattr(faults, fault) * 100:g}", "%", step="0.1", most=100)


def _time(view: View, faults: Faults, name: str) -> Markup:
    return _row(view, name, f"{getattr(faults, name):g}", "s", step="any", most=3_600)


def _count(view: View, faults: Faults, name: str) -> Markup:
    limit = 599 if name == "odd_status" else 1_000_000
    return _row(view, name, f"{getattr(faults, name):g}", "", step="1", most=limit)


def _row(view: View, name: str, value: str, unit: str, *, step: str, most: int) -> Markup:
    return tag(
        "div",
        tag(
            "label",
            tag("code", name),
            faint(view.say(FAULT_TEXTS[name])),
            for_=name,
        ),
        tag(
            "span",
            tag(
                "input",
                id=name,
                name=name,
                type="number",
                min=0,
                max=most,
                step=step,
                value=value,
                class_="on" if float(value) and name in set(Fault) | set(_TIMES) else None,
            ),
            tag("span", unit, class_="unit"),
            class_="with-unit",
        ),
        class_="fault",
    )


def faults_from(form: Mapping[str, str]) -> Faults:
    """The faults entered in the form. Raises UsageError."""
    if form.get("off"):
        return Faults()
    preset = form.get("preset")
    if preset is not None:
        if preset not in PRESETS:
            raise UsageError("There is no such set of faults.")
        return PRESETS[preset]
    shares = set(Fault)
    filled = {name: form[name].strip() for name in FAULT_TEXTS if form.get(name, "").strip()}
    return Faults.parse(
        f"{name}={value}{'%' if name in shares else ''}" for name, value in filled.items()
    )
