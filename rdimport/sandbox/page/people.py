"""Contacts: the list, and one contact with its fields, its timeline and the raw request."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence

from rdimport.sandbox.page import lookups
from rdimport.sandbox.page.lookups import PAGE_ROWS, Contact
from rdimport.sandbox.page.markup import Child, Markup, faint, join, live, tag
from rdimport.sandbox.page.view import View


def contact_list(view: View, search: str, page: int) -> Markup:
    """The page of all contacts."""
    found = lookups.contacts(view.store, view.account, search, page)
    total, _, _ = lookups.totals(view.store, view.account)
    box = tag(
        "form",
        tag("label", view.say("Search by name or e-mail"), for_="search", class_="hidden"),
        tag(
            "input",
            id="search",
            name="search",
            type="search",
            value=search,
            placeholder=view.say("Search by name or e-mail"),
        ),
        tag("input", type="hidden", name="account", value=view.account),
        tag("button", view.say("Search"), class_="quiet"),
        method="get",
        action="/sandbox/contacts",
        class_="line search",
        role="search",
    )
    rows = found[:PAGE_ROWS]
    content = people(view, rows) if rows else _nobody(view, search)
    pages = pager(view, "/sandbox/contacts", page, more=len(found) > PAGE_ROWS, search=search)
    return view.page_list(view.say("Contacts"), total, "people", content, pages, beside=box)


def _nobody(view: View, search: str) -> Markup:
    if search:
        text = view.say("No contact matches “{search}”.", search=search)
        back = tag("a", view.say("Show all"), href=view.link("/sandbox/contacts"))
        return tag("p", text, " ", back, class_="empty")
    text = "No contact yet. Send something to the sandbox and it appears here by itself."
    return tag("p", view.say(text), tag("br"), tag("code", view.address), class_="empty")


def pager(view: View, path: str, page: int, *, more: bool, **values: str) -> Markup | None:
    """Links to the previous and next page; None if there is only one."""
    if not page and not more:
        return None
    newer = view.link(path, page=page - 1 or "", **values) if page else None
    older = view.link(path, page=page + 1, **values) if more else None
    return tag(
        "nav",
        tag("a", view.say("Newer"), href=newer, rel="prev") if newer else None,
        tag("a", view.say("Older"), href=older, rel="next") if older else None,
        class_="pager",
        aria_label=view.say("Pages"),
    )


def people(view: View, found: Sequence[Contact]) -> Markup:
    """Contacts as a table that becomes a list on a narrow screen."""
    head = tag(
        "tr",
        tag("th", view.say("Name"), scope="col"),
        tag("th", view.say("Last conversion"), scope="col"),
        tag("th", view.say("When"), scope="col", class_="end"),
    )
    return tag(
        "table",
        tag("thead", head),
        tag("tbody", (_person(view, one) for one in found)),
        class_="people",
    )


def _person(view: View, one: Contact) -> Markup:
    named = one.title != one.email
    name = tag("a", one.title, href=view.link(f"/sandbox/contacts/{one.id}"), class_="name")
    person = tag("div", name, faint(one.email) if named else None)
    more = f" ×{one.conversions}" if one.conversions > 1 else ""
    return tag(
        "tr",
        tag("td", tag("div", avatar(one.title), person, class_="who")),
        tag("td", one.latest, faint(more), class_="latest"),
        tag("td", view.time(one.updated), class_="end faint"),
        data_row=f"{one.id}-{one.conversions}",
    )


def avatar(title: str, size: str = "") -> Markup:
    """The initials, as a person would abbreviate the name."""
    parts = title.partition("@")[0].replace(".", " ").replace("_", " ").split()
    letters = "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts))
    return tag("span", letters.upper()[:2], class_=f"avatar {size}".strip(), aria_hidden="true")


# One contact.


def contact_page(view: View, one: Contact, chosen: int) -> Markup:
    """One contact; `chosen` is the conversion whose request is shown, 0 the newest."""
    events = lookups.timeline(view.store, view.account, one.email)
    event = next((row for row in events if row["id"] == chosen), events[0] if events else None)
    return join(
        tag(
            "p",
            tag("a", "← ", view.say("Back to contacts"), href=view.link("/sandbox/contacts")),
            class_="back",
        ),
        tag(
            "div",
            avatar(one.title, "large"),
            tag(
                "div",
                tag("h1", one.title),
                tag("p", one.email, class_="faint") if one.title != one.email else None,
            ),
            class_="who person",
        ),
        view.card(
            view.say("Fields"),
            live("fields-list", _fields(view, one)),
            id_="fields",
            aside=faint(
                f"{view.say('First seen')} ",
                view.time(one.created),
                f" · {view.say('Last change')} ",
                view.time(one.updated),
            ),
        ),
        tag(
            "div",
            _timeline(view, one, events, event),
            _request(view, event) if event else None,
            class_="beside",
        ),
    )


def _fields(view: View, one: Contact) -> Markup:
    if not one.fields:
        return view.empty("This contact has only its e-mail address.")
    pairs = [
        tag("div", tag("dt", name), tag("dd", _value(view, value)))
        for name, value in one.fields.items()
    ]
    return tag("dl", pairs, class_="fields")


def _value(view: View, value: object) -> Child:
    if isinstance(value, bool):
        return view.say("yes" if value else "no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [tag("span", item, class_="chip") for item in value]
    if isinstance(value, list):
        return [
            tag("span", " · ".join(map(str, item.values())))
            for item in value
            if isinstance(item, dict)
        ]
    return str(value)


def _timeline(
    view: View, one: Contact, events: Sequence[sqlite3.Row], chosen: sqlite3.Row | None
) -> Markup:
    items = []
    for event in events:
        here = chosen is not None and event["id"] == chosen["id"]
        lost = json.loads(event["dropped"]) if event["dropped"] else []
        dropped = view.say("{n} dropped", n=view.number(len(lost)))
        link = tag(
            "a",
            tag("b", event["identifier"]),
            faint(view.time(event["at"]), f" · {event['key_name']}"),
            tag("span", dropped, class_="chip warn") if lost else None,
            href=view.link(f"/sandbox/contacts/{one.id}", event=event["id"]) + "#request",
            aria_current="true" if here else None,
        )
        items.append(tag("li", link, data_row=event["id"]))
    if not items:
        gone = view.empty("The conversions of this contact are no longer kept.")
        return view.card(view.say("Timeline"), gone, id_="timeline")
    content = tag("ol", items, class_="timeline", id="events", data_live=True)
    return view.card(view.say("Timeline"), content, id_="timeline")


def _request(view: View, event: sqlite3.Row) -> Markup:
    lost = json.loads(event["dropped"]) if event["dropped"] else []
    raw = tag("a", view.say("as sent"), href=f"/sandbox/conversions/{event['id']}/raw")
    warning = None
    if lost:
        names = [tag("code", name[:80]) for name in lost]
        warning = tag("p", view.say("Silently dropped fields"), ": ", names, class_="warn-line")
    return view.card(
        view.say("Request"),
        warning,
        raw_request(event["head"], event["body"], lost),
        tag("p", view.say("Response"), class_="sub"),
        tag("pre", tag("code", f'200\n\n{{"event_uuid":"{event["uuid"]}"}}'), tabindex="0"),
        id_="request",
        aside=raw,
    )


def raw_request(head: str, body: bytes, lost: Sequence[str] = ()) -> Markup:
    """A request in readable form: its JSON indented, dropped names marked."""
    lines: list[Child] = []
    for line in pretty(body).split("\n"):
        name = line.strip().partition('":')[0].removeprefix('"')
        is_lost = name in lost and line.startswith("    ")
        lines += [tag("mark", line) if is_lost else line, "\n"]
    return tag("pre", tag("code", head, "\n\n", lines[:-1]), tabindex="0")


def pretty(body: bytes) -> str:
    """JSON indented, anything else unchanged; 20,000 characters at most."""
    text = body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    if len(text) > 20_000:
        text = text[:20_000] + " …"
    return text.encode("utf-8", "replace").decode()
