"""The frame of every page: head, sections, account, language, and the notice of running faults."""

from __future__ import annotations

from rdimport.sandbox.faults import Fault
from rdimport.sandbox.page import lookups, words
from rdimport.sandbox.page.markup import Child, Markup, join, live, tag
from rdimport.sandbox.page.view import View

SECTIONS = {
    "/": "Overview",
    "/sandbox/contacts": "Contacts",
    "/sandbox/refused": "Refused",
    "/sandbox/faults": "Simulate failures",
}


def document(view: View, title: str, *content: Child, version: str = "") -> str:
    """A whole page. `version` is part of the addresses of style and script."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · RD Station sandbox"),
        tag("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href=f"/static/page.css?v={version}"),
        tag("script", src=f"/static/page.js?v={version}", defer=True),
    )
    body = tag(
        "body",
        tag("a", view.say("Skip to content"), href="#content", class_="skip"),
        _header(view),
        tag("main", *content, id="content", tabindex="-1"),
        _footer(view),
        data_copied=view.say("Copied"),
        data_offline=view.say("Disconnected"),
        data_online=view.say("Receiving"),
    )
    return "<!doctype html>" + tag("html", head, body, lang=view.language)


def _header(view: View) -> Markup:
    brand = tag(
        "a",
        _mark(),
        tag("span", "RD Station ", tag("b", "sandbox")),
        href=view.link("/"),
        class_="brand",
    )
    return tag(
        "header",
        tag("div", brand, _status(view), _account(view), _languages(view), class_="top"),
        tag("div", _sections(view), class_="below"),
        _notice(view),
        class_="frame",
    )


def _mark() -> Markup:
    """The icon: a tray with something falling into it."""
    return tag(
        "svg",
        tag("path", d="M12 3v9m0 0 4-4m-4 4-4-4"),
        tag("path", d="M4 13v5a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-5"),
        viewBox="0 0 24 24",
        class_="mark",
        aria_hidden="true",
    )


def _status(view: View) -> Markup:
    contacts, _, refused = lookups.totals(view.store, view.account)
    notice = view.say(
        "Contacts: {n}. Refused requests: {m}.", n=view.number(contacts), m=view.number(refused)
    )
    return join(
        tag(
            "span",
            tag("i", aria_hidden="true"),
            tag("span", view.say("Receiving"), id="state"),
            class_="status",
            id="status",
        ),
        # Screen readers announce its changes; the script changes it every few seconds at most.
        tag("span", notice, class_="hidden", role="status", id="notice", data_live=True),
    )


def _sections(view: View) -> Markup:
    items = []
    for path, name in SECTIONS.items():
        here = view.path == path or (path != "/" and view.path.startswith(path))
        current = "page" if here else None
        items.append(
            tag("li", tag("a", view.say(name), href=view.link(path), aria_current=current))
        )
    return tag("nav", tag("ul", items), aria_label=view.say("Sections"), class_="sections")


def _account(view: View) -> Markup:
    names = view.store.accounts
    items = [
        tag(
            "li",
            tag(
                "a",
                name,
                href=f"/?account={number}",
                aria_current="true" if number == view.account else None,
            ),
        )
        for number, name in sorted(names.items())
    ]
    label = view.say("Name of the new account")
    form = tag(
        "form",
        tag("label", label, for_="account-name"),
        tag(
            "div",
            tag("input", id="account-name", name="name", required=True, maxlength=60),
            tag("button", view.say("Create"), class_="quiet"),
            class_="line",
        ),
        method="post",
        action="/sandbox/accounts",
    )
    name = names.get(view.account, "")
    summary = tag(
        "summary", tag("span", view.say("Account"), class_="label"), tag("b", name), class_="pick"
    )
    return tag(
        "details",
        summary,
        tag("div", tag("ul", items), form, class_="menu"),
        class_="account",
        id="account",
    )


def _languages(view: View) -> Markup:
    links = [
        tag(
            "a",
            code[:2].upper(),
            href=f"/sandbox/language/{code}",
            hreflang=code,
            lang=code,
            title=name,
            aria_label=name,
            aria_current="true" if code == view.language else None,
        )
        for code, name in words.LANGUAGES.items()
    ]
    return tag("div", links, class_="languages", role="group", aria_label=view.say("Language"))


def running_faults(view: View) -> list[str]:
    """The switches that are on, as short texts."""
    faults = view.endpoint.injector.faults
    shares = [
        f"{fault} {getattr(faults, fault) * 100:g}%" for fault in Fault if getattr(faults, fault)
    ]
    times = [
        f"{name} {getattr(faults, name):g} s"
        for name in ("latency", "jitter", "slow", "close_idle")
        if getattr(faults, name)
    ]
    return shares + times


def _notice(view: View) -> Markup:
    running = running_faults(view)
    if not running:
        return live("notice")
    text = tag(
        "p",
        tag("b", f"{view.say('Faults are on')}: "),
        ", ".join(running),
        " ",
        tag("a", view.say("Change"), href=view.link("/sandbox/faults")),
    )
    return live("notice", text, class_="notice")


def _footer(view: View) -> Markup:
    text = view.say("A local RD Station Marketing. Nothing here reaches a real person.")
    return tag("footer", tag("p", text), class_="foot")
