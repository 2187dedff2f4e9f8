"""The first page: where to send, the keys, what arrives, how much of the quota is used."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rdimport.core.shell import joined, with_key
from rdimport.sandbox.page import lookups, words
from rdimport.sandbox.page.chart import chart
from rdimport.sandbox.page.markup import Child, Markup, faint, join, live, tag
from rdimport.sandbox.page.people import people
from rdimport.sandbox.page.turned_away import turned_away
from rdimport.sandbox.page.view import View
from rdimport.sandbox.profiles import Profile
from rdimport.sandbox.store import MAX_KEYS, Key

_ROWS = 8


@dataclass(frozen=True, slots=True)
class News:
    """The result of a person's last action: the key that was created, or why it was not."""

    created: int = 0
    wrong: str = ""


def overview(view: View, news: News) -> Markup:
    """The page's content."""
    contacts, conversions, refused = lookups.totals(view.store, view.account)
    own = lookups.keys(view.store, view.account)
    new = not conversions
    return join(
        tag("h1", view.say("Overview"), class_="hidden"),
        live("steps", _steps(view, own) if new else None),
        _figures(view, contacts, conversions, refused),
        tag(
            "div",
            tag("div", _traffic(view), _latest(view), class_="wide"),
            tag(
                "div",
                _address(view, own, new=new),
                _keys(view, own, news),
                _lost(view),
                class_="narrow",
            ),
            class_="columns",
        ),
        _refused(view),
    )


def _steps(view: View, own: list[Key]) -> Markup:
    key = _latest_active(own)
    steps: list[tuple[str, bool, Child]] = [
        _first_step(view, own),
        (
            "Send a spreadsheet here",
            False,
            _copyable(command(view, key.secret if key else ""), view.say("Copy the command"), view),
        ),
        ("Watch the contacts arrive", False, tag("p", view.say("This page updates by itself."))),
    ]
    items = []
    for number, (title, done, more) in enumerate(steps, 1):
        mark = tag("span", "✓" if done else number, class_="step", aria_hidden="true")
        spoken = tag("span", f" ({view.say('done')})", class_="hidden") if done else None
        text = tag("div", tag("h3", view.say(title), spoken), more)
        items.append(tag("li", mark, text, class_="done" if done else None))
    title = view.say("Three steps to the first contact")
    return view.card(title, tag("ol", items, class_="steps"), id_="start")


def _first_step(view: View, own: list[Key]) -> tuple[str, bool, Child]:
    if not view.profile.sees_keys:
        return "Ask for an API key", False, tag("p", view.say(words.WHOM_TO_ASK))
    named = view.say("Give it the name of the integration that will use it.")
    link = [" ", tag("a", view.say("Give it a name"), href="#key-name")]
    return "Create an API key", bool(own), tag("p", named, None if own else link)


def command(view: View, secret: str) -> str:
    """The command that sends a list here: with a key for a profile that may see it, otherwise with
    a key file.
    """
    names = view.say("FILE"), "-m", view.say("MAPPING")
    typed = ["rdimport", "run", *names, "--base-url", view.address]
    if not view.profile.sees_keys:
        return joined([*typed, "--api-key-file", view.say("KEY-FILE")])
    return with_key(secret, typed) if secret else joined(typed)


def _latest_active(own: list[Key]) -> Key | None:
    return next((key for key in reversed(own) if key.active), None)


def _figures(view: View, contacts: int, conversions: int, refused: int) -> Markup:
    return tag(
        "dl",
        _figure(view.say("Contacts received"), view.number(contacts)),
        _figure(view.say("Conversions"), view.number(conversions)),
        _figure(view.say("Requests refused"), view.number(refused), "bad" if refused else ""),
        _quota(view),
        class_="figures",
        id="figures",
        data_live=True,
    )


def _figure(name: str, value: str, kind: str = "") -> Markup:
    return tag("div", tag("dt", name), tag("dd", value, class_=kind or None))


def _quota(view: View) -> Markup:
    used, window = view.endpoint.window(view.account)
    if window is None:
        minutes = view.endpoint.minutes.get(view.account)
        minute = int(view.endpoint.clock.now().timestamp() // 60)
        used = sum(minutes.by_minute.get(minute, ())) if minutes else 0
        value = tag("dd", view.number(used), " ", tag("small", view.say("no quota")))
        return tag("div", tag("dt", view.say("Requests in this minute")), value)
    limit, seconds = window.quota.requests, window.quota.seconds
    name = "Requests in this minute" if seconds == 60 else "Requests in this window"
    now = view.endpoint.clock.now().timestamp()
    rest = int(seconds - now % seconds) + 1
    kind = "full" if used >= limit else None
    label = view.say(name)
    return tag(
        "div",
        tag("dt", label),
        tag(
            "dd",
            view.number(used),
            " ",
            tag("small", view.say("of {limit}", limit=view.number(limit))),
            class_=kind,
        ),
        tag(
            "dd",
            tag("progress", max=limit, value=used, aria_label=label, class_=kind),
            tag("span", view.say("Window resets in {n} s", n=rest), class_="faint")
            if used
            else None,
            class_="meter",
        ),
    )


def _traffic(view: View) -> Markup:
    aside = faint(view.say("Last 30 minutes"))
    drawing = live("chart", chart(view))
    return view.card(view.say("Requests per minute"), drawing, id_="traffic", aside=aside)


def _latest(view: View) -> Markup:
    found = lookups.contacts(view.store, view.account)[:_ROWS]
    text = "No contact yet. Send something to the sandbox and it appears here by itself."
    content = live("latest-rows", people(view, found) if found else view.empty(text))
    more = _see_all(view, "/sandbox/contacts", "Contacts")
    return view.card(view.say("Latest contacts"), content, id_="latest", aside=more)


def _refused(view: View) -> Markup:
    found = lookups.refusals(view.store, view.account, rows=5)[:5]
    text = "Nothing was refused."
    content = live("refused-rows", turned_away(view, found) if found else view.empty(text))
    more = _see_all(view, "/sandbox/refused", "Refused")
    return view.card(view.say("Latest refused requests"), content, id_="refused", aside=more)


def _see_all(view: View, path: str, what: str) -> Markup:
    text = view.say("See all")
    return tag("a", text, href=view.link(path), aria_label=f"{text}: {view.say(what)}")


def _address(view: View, own: list[Key], *, new: bool) -> Markup:
    """Where to send, and the whole command, which the first steps show until a row arrives."""
    sending = None
    if not new:
        title = tag("p", view.say("Send a spreadsheet here"), class_="faint sub")
        sending = [title, _whole_command(view, own)]
    copyable = _copyable(view.address, view.say("Copy the address"), view)
    content = live("address-rows", copyable, sending)
    return view.card(view.say("Address"), content, id_="address")


def _whole_command(view: View, own: list[Key]) -> Markup:
    """Its key is only fetched when it is copied: the page shows a key once."""
    key, label = _latest_active(own), view.say("Copy the command")
    if key is None or not view.profile.sees_keys:
        return _copyable(command(view, ""), label, view)
    shown = command(view, f"…{key.secret[-4:]}")
    return _copyable(shown, label, view, source=f"/sandbox/keys/{key.id}/command")


def _copyable(text: str, label: str, view: View, *, source: str = "") -> Markup:
    """A text with a button that copies it, or the response of its `source`."""
    button = _copy_button(view, label, text, source)
    # An option and its value stay on one line.
    shown = [[tag("span", part), " "] for part in re.split(r" (?=--)", text)]
    return tag("div", tag("code", shown, tabindex="0"), button, class_="copyable")


def _copy_button(view: View, label: str, text: str = "", source: str = "") -> Markup:
    return tag(
        "button",
        view.say("Copy"),
        type="button",
        class_="quiet",
        data_copy=None if source else text,
        data_copy_from=source or None,
        aria_label=label,
    )


def _lost(view: View) -> Markup:
    found = lookups.dropped(view.store, view.account)
    if not found:
        return live("lost-box")
    why = view.say(
        "RD answers 200 and keeps nothing of a field that the account does not have. "
        "Check the spelling, or create the field first."
    )
    items = [
        tag("li", tag("code", name[:80]), tag("span", f"{view.number(times)}×"))
        for name, times in found
    ]
    card = view.card(
        view.say("Silently dropped fields"),
        tag("p", why, class_="faint"),
        tag("ul", items, class_="lost"),
        id_="lost",
    )
    return live("lost-box", card)


# Keys.


def _keys(view: View, own: list[Key], news: News) -> Markup:
    if not view.profile.sees_keys:
        hidden = view.empty(words.NO_KEYS)
        return view.card(view.say("API keys"), hidden, _profiles(view), id_="keys")
    created = next((key for key in own if key.id == news.created), None)
    count = view.say("{n} of {max}", n=len(own), max=MAX_KEYS)
    return view.card(
        view.say("API keys"),
        _handed_out(view, created) if created else None,
        tag("ul", (_key(view, key) for key in own), class_="keys")
        if own
        else view.empty("No key yet. Without one, every request is refused with 401."),
        _new_key(view, own, news.wrong),
        _profiles(view),
        id_="keys",
        aside=faint(count),
    )


def _profiles(view: View) -> Markup:
    """The profile that views the page: RD has three, and shows keys to two of them."""
    buttons = [
        tag(
            "button",
            profile,
            name="profile",
            value=profile,
            aria_pressed="true" if profile is view.profile else "false",
        )
        for profile in Profile
    ]
    label = view.say("View as")
    group = tag("div", buttons, class_="choice", role="group", aria_label=label, lang="pt-BR")
    return view.form("/sandbox/profile", faint(label), group, class_="profiles")


def _handed_out(view: View, key: Key) -> Markup:
    text = view.say("Key {name} created. Copy it now and keep it like a password.", name=key.name)
    return tag(
        "div",
        tag("p", text),
        _copyable(key.secret, view.say("Copy the key {name}", name=key.name), view),
        class_="handed-out",
        role="status",
    )


def _key(view: View, key: Key) -> Markup:
    verb = "Switch {name} off" if key.active else "Switch {name} on"
    switch = view.form(
        f"/sandbox/keys/{key.id}",
        tag("input", type="hidden", name="active", value="" if key.active else "1"),
        tag(
            "button",
            tag("span", class_="knob"),
            class_="switch",
            role="switch",
            aria_checked="true" if key.active else "false",
            aria_label=key.name,
            title=view.say(verb, name=key.name),
        ),
    )
    label = view.say("Copy the key {name}", name=key.name)
    copy = _copy_button(view, label, source=f"/sandbox/keys/{key.id}/secret")
    state = view.say("active" if key.active else "inactive")
    end = faint(tag("code", f"…{key.secret[-4:]}"), f" · {state}")
    text = tag("div", tag("b", key.name), end, class_="grow")
    return tag("li", text, copy, switch, class_=None if key.active else "off")


def _new_key(view: View, own: list[Key], wrong: str) -> Markup:
    if len(own) >= MAX_KEYS:
        text = "An account has at most 5 keys. None can be deleted: switch one off instead."
        return tag("p", view.say(text), class_="faint")
    mistake = tag("p", view.say(wrong), class_="mistake", id="key-mistake") if wrong else None
    return view.form(
        "/sandbox/keys",
        tag("label", view.say("Name of the new key"), for_="key-name"),
        tag(
            "div",
            tag(
                "input",
                id="key-name",
                name="name",
                required=True,
                maxlength=60,
                autocomplete="off",
                placeholder=view.say("e.g. spreadsheets"),
                aria_invalid="true" if wrong else None,
                aria_describedby="key-mistake" if wrong else None,
            ),
            tag("button", view.say("Create key"), class_="main"),
            class_="line",
        ),
        mistake,
        class_="new-key",
    )
