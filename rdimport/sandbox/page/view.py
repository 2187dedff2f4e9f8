"""The context of every part of the page: account, profile, language, and small helpers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from rdimport.core.messages.written import whole
from rdimport.sandbox.endpoint import Endpoint
from rdimport.sandbox.page import words
from rdimport.sandbox.page.markup import Child, Markup, join, live, tag
from rdimport.sandbox.profiles import Profile
from rdimport.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class View:
    """One view of the page. `address` is the base URL as the person's browser reached it."""

    endpoint: Endpoint
    language: str
    account: int
    address: str
    path: str

    @property
    def store(self) -> Store:
        """The store of the sandbox."""
        return self.endpoint.store

    @property
    def profile(self) -> Profile:
        """The profile that views the page."""
        return self.endpoint.profile

    def say(self, sentence: str, **values: object) -> str:
        """A sentence of `words` in the person's language."""
        return words.say(self.language, sentence, **values)

    def number(self, value: int) -> str:
        """A number with thousands separators."""
        return whole(value, self.language)

    def link(self, path: str, **values: object) -> str:
        """A link within the page that keeps the account."""
        first = min(self.store.accounts, default=self.account)
        account = {} if self.account == first else {"account": self.account}
        query = urlencode({**account, **{k: v for k, v in values.items() if v not in ("", None)}})
        return f"{path}?{query}" if query else path

    def time(self, at: float) -> Markup:
        """A time in the machine's time zone: the time of day today, the date before."""
        moment = datetime.fromtimestamp(at, UTC)
        local = moment.astimezone()
        today = self.endpoint.clock.now().astimezone().date()
        if local.date() == today:
            text = f"{local:%H:%M:%S}"
        else:
            text = f"{local:%d/%m %H:%M}" if self.language == "pt-BR" else f"{local:%d %b %H:%M}"
        return tag("time", text, datetime=moment.isoformat(timespec="seconds"))

    def card(self, title: str, *children: Child, id_: str, aside: Child = None) -> Markup:
        """A section of the page with a title."""
        heading = tag("h2", title, id=f"{id_}-title")
        return tag(
            "section",
            tag("header", heading, aside, class_="card-head"),
            *children,
            class_="card",
            aria_labelledby=f"{id_}-title",
            id=id_,
        )

    def empty(self, sentence: str) -> Markup:
        """The text of an empty section."""
        return tag("p", self.say(sentence), class_="empty")

    def form(self, path: str, *children: Child, class_: str | None = None) -> Markup:
        """A form that posts to a page of this account."""
        return tag("form", *children, method="post", action=self.link(path), class_=class_)

    def page_list(
        self,
        title: str,
        total: int,
        id_: str,
        *content: Child,
        beside: Child = None,
        intro: str = "",
    ) -> Markup:
        """A page with one list: its title, `beside` next to it, a sentence, the list."""
        heading = tag("h1", title, " ", tag("small", self.number(total)))
        return join(
            tag("div", live("title", heading), beside, class_="title-line"),
            tag("p", self.say(intro), class_="intro") if intro else None,
            live(id_, *content, class_="card flush"),
        )
