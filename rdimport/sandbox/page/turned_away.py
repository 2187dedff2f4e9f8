"""Requests that were not accepted, each with its reason, what was sent and what was answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rdimport.sandbox.page import lookups, words
from rdimport.sandbox.page.lookups import PAGE_ROWS
from rdimport.sandbox.page.markup import Child, Markup, tag
from rdimport.sandbox.page.people import pager, pretty, raw_request
from rdimport.sandbox.page.view import View


def refused_page(view: View, page: int) -> Markup:
    """The page of all refused requests."""
    found = lookups.refusals(view.store, view.account, page)
    _, _, total = lookups.totals(view.store, view.account)
    rows = found[:PAGE_ROWS]
    text = "No request was refused. Wrong keys, fields and quotas show up here."
    content = turned_away(view, rows) if rows else view.empty(text)
    intro = (
        "Every request that was not accepted, with the reason that RD gives and the one "
        "that it does not."
    )
    pages = pager(view, "/sandbox/refused", page, more=len(found) > PAGE_ROWS)
    title = view.say("Refused")
    return view.page_list(title, total, "refused-rows", content, pages, intro=intro)


def turned_away(view: View, rows: Sequence[sqlite3.Row]) -> Markup:
    """The requests, each of which can be expanded."""
    return tag("ul", (_one(view, row) for row in rows), class_="turned-away")


def _one(view: View, row: sqlite3.Row) -> Markup:
    status = row["status"]
    badge = tag(
        "span",
        status or view.say("no response"),
        class_=f"badge {_kind(status)}".rstrip(),
    )
    why = words.reason(view.language, row["reason"], row["detail"])
    summary = tag(
        "summary",
        badge,
        tag("span", _reason(view, row["reason"], why), class_="why"),
        tag("span", row["email"], class_="faint whom"),
        tag("span", view.time(row["at"]), class_="faint end"),
    )
    answer = f"{status or '—'}\n\n{pretty(row['answer'])}"
    more = tag(
        "div",
        tag(
            "div",
            tag("p", view.say("Request"), class_="sub"),
            raw_request(row["head_text"], row["body"]),
        ),
        tag(
            "div",
            tag("p", view.say("Response"), class_="sub"),
            tag("pre", tag("code", answer), tabindex="0"),
        ),
        class_="beside even",
    )
    what = words.remedy(view.language, row["reason"])
    advice = tag("p", f"→ {what}", class_="remedy") if what else None
    return tag(
        "li", tag("details", summary, advice, more, id=f"refusal-{row['id']}"), data_row=row["id"]
    )


def _kind(status: int) -> str:
    """What it means for the client: a wait, doubt whether it arrived (no response, or a failing
    server that does not say when to come back), or a refusal.
    """
    if status == 429:
        return "throttled"
    return "doubt" if not status or (status >= 500 and status != 503) else ""


def _reason(view: View, code: str, sentence: str) -> Child:
    """Fields come as `name: ERROR; name: ERROR`: each gets its own sentence."""
    if code != "fields":
        return sentence
    parts: list[Child] = []
    for pair in sentence.split("; "):
        name, _, error = pair.partition(": ")
        sentence_of_error = view.say(words.ERRORS[error]) if error in words.ERRORS else ""
        field = tag("code", name)
        parts.append(
            tag(
                "span",
                field,
                f" {sentence_of_error} ",
                tag("span", error, class_="type"),
                class_="pair",
            )
        )
    return parts
