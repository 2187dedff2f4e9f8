"""The page's routes: from a request to a view and its HTML."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from rdimport.core.errors import RdimportError
from rdimport.sandbox.page import lookups, words
from rdimport.sandbox.page.frame import document
from rdimport.sandbox.page.markup import Markup, join, tag
from rdimport.sandbox.page.overview import News, command, overview
from rdimport.sandbox.page.people import contact_list, contact_page
from rdimport.sandbox.page.switches import faults_from, faults_page
from rdimport.sandbox.page.turned_away import refused_page
from rdimport.sandbox.page.view import View
from rdimport.sandbox.profiles import Profile

if TYPE_CHECKING:
    from starlette.requests import Request

    from rdimport.sandbox.endpoint import Endpoint

_LANGUAGE: Final = "rdimport_language"
_TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_SAFE: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Page:
    """One method per route."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._store = endpoint.store

    def routes(self) -> list[Route]:
        """The paths that a person's browser requests."""
        at = "/sandbox"
        return [
            Route("/", self.overview),
            Route(f"{at}/contacts", self.contacts),
            Route(f"{at}/contacts/{{contact:int}}", self.contact),
            Route(f"{at}/conversions/{{conversion:int}}/raw", self.raw),
            Route(f"{at}/refused", self.refused),
            Route(f"{at}/faults", self.faults, methods=["GET", "POST"]),
            Route(f"{at}/accounts", self.new_account, methods=["POST"]),
            Route(f"{at}/profile", self.profile, methods=["POST"]),
            Route(f"{at}/keys", self.new_key, methods=["POST"]),
            Route(f"{at}/keys/{{key:int}}", self.switch_key, methods=["POST"]),
            Route(f"{at}/keys/{{key:int}}/{{what}}", self.secret, methods=["POST"]),
            Route(f"{at}/language/{{code}}", self.language),
            Route("/static/{name}", static),
            # Browsers request it for pages without an icon.
            Route("/favicon.ico", icon),
        ]

    async def overview(self, request: Request) -> Response:
        """`/`: an overview."""
        view = self._view(request)
        news = News(number(request, "created"), request.query_params.get("wrong", ""))
        if news.wrong not in words.KEY_MISTAKES:
            news = News(news.created)
        return _html(view, view.say("Overview"), overview(view, news))

    async def contacts(self, request: Request) -> Response:
        """All contacts of the account."""
        view = self._view(request)
        search = request.query_params.get("search", "")[:200].strip()
        content = contact_list(view, search, number(request, "page"))
        return _html(view, view.say("Contacts"), content)

    async def contact(self, request: Request) -> Response:
        """One contact."""
        view = self._view(request)
        found = lookups.contact(self._store, view.account, request.path_params["contact"])
        if found is None:
            return self.missing(request)
        content = contact_page(view, found, number(request, "event"))
        return _html(view, found.title, content)

    async def raw(self, request: Request) -> Response:
        """The exact bytes of one conversion's body."""
        rows = self._store.rows(
            "SELECT body FROM conversion WHERE id = ?", (request.path_params["conversion"],)
        )
        if not rows:
            return self.missing(request)
        return Response(rows[0]["body"], headers=_SAFE, media_type="text/plain; charset=utf-8")

    async def refused(self, request: Request) -> Response:
        """All requests that were not accepted."""
        view = self._view(request)
        content = refused_page(view, number(request, "page"))
        return _html(view, view.say("Refused"), content)

    async def faults(self, request: Request) -> Response:
        """The switches; a POST sets them."""
        view = self._view(request)
        wrong = False
        if request.method == "POST":
            try:
                self._endpoint.injector.set(faults_from(await _form(request)))
            except RdimportError:
                wrong = True
            else:
                return RedirectResponse(view.link("/sandbox/faults"), 303)
        status = 422 if wrong else 200
        return _html(view, view.say("Simulate failures"), faults_page(view, wrong), status)

    async def new_account(self, request: Request) -> Response:
        """A POST creates an account and redirects to it."""
        name = (await _form(request)).get("name", "").strip()[:60]
        if not name:
            return RedirectResponse("/", 303)
        return RedirectResponse(f"/?account={self._store.account(name)}", 303)

    async def profile(self, request: Request) -> Response:
        """A POST changes the profile of the viewer."""
        named = Profile.named((await _form(request)).get("profile", ""))
        if named is None:
            return self.missing(request)
        self._endpoint.profile = named
        return RedirectResponse(self._view(request).link("/") + "#keys", 303)

    async def new_key(self, request: Request) -> Response:
        """A POST creates a key, and shows it once."""
        view = self._view(request)
        if not view.profile.sees_keys:
            return _forbidden(view)
        name = (await _form(request)).get("name", "")[:60]
        try:
            now = self._endpoint.clock.now().timestamp()
            key = self._store.create_key(view.account, name, now)
        except RdimportError:
            wrong = words.KEY_MISTAKES[1 if name.strip() else 0]
            return RedirectResponse(view.link("/", wrong=wrong) + "#keys", 303)
        return RedirectResponse(view.link("/", created=key.id) + "#keys", 303)

    async def switch_key(self, request: Request) -> Response:
        """A POST switches a key on (`active=1`) or off."""
        view = self._view(request)
        if not view.profile.sees_keys:
            return _forbidden(view)
        active = bool((await _form(request)).get("active"))
        if self._store.switch_key(request.path_params["key"], active=active) is None:
            return self.missing(request)
        return RedirectResponse(view.link("/") + "#keys", 303)

    async def secret(self, request: Request) -> Response:
        """A POST returns one key in full, or the command with it, to be copied."""
        view = self._view(request)
        if not view.profile.sees_keys:
            return _forbidden(view)
        for key in self._store.keys.values():
            if key.id == request.path_params["key"]:
                whole = request.path_params["what"] == "command"
                text = command(view, key.secret) if whole else key.secret
                return PlainTextResponse(text, headers=_SAFE)
        return self.missing(request)

    async def language(self, request: Request) -> Response:
        """Store a language and go back."""
        referer = request.headers.get("referer", "")
        base = str(request.base_url)
        response = RedirectResponse(referer if referer.startswith(base) else "/", 303)
        code = request.path_params["code"]
        if code in words.LANGUAGES:
            response.set_cookie(_LANGUAGE, code, max_age=31_536_000, httponly=True, samesite="lax")
        return response

    async def not_found(self, request: Request, _error: Exception) -> Response:
        """Any other address."""
        return self.missing(request)

    def missing(self, request: Request) -> Response:
        """404 for a person."""
        view = self._view(request)
        content = join(
            tag("h1", view.say("There is no such page.")),
            tag("p", tag("a", view.say("Go to the overview"), href=view.link("/"))),
        )
        return _html(view, "404", content, 404)

    def _view(self, request: Request) -> View:
        accounts = self._store.accounts
        account = number(request, "account")
        return View(
            self._endpoint,
            words.choose(
                request.cookies.get(_LANGUAGE, ""), request.headers.get("accept-language", "")
            ),
            account if account in accounts else min(accounts),
            str(request.base_url).rstrip("/"),
            request.url.path,
        )


def _html(view: View, title: str, content: Markup, status: int = 200) -> Response:
    page = document(view, title, content, version=_version())
    return HTMLResponse(page, status, headers=_SAFE)


def _forbidden(view: View) -> Response:
    """403 for a profile that may not see the keys."""
    content = join(
        tag("h1", view.say("API keys")),
        tag("p", view.say(words.NO_KEYS)),
        tag("p", tag("a", view.say("Go to the overview"), href=view.link("/"))),
    )
    return _html(view, view.say("API keys"), content, 403)


async def static(request: Request) -> Response:
    """Style, script and icon; their addresses change with their contents."""
    name = request.path_params["name"]
    if name not in _TYPES:
        return PlainTextResponse("not found", 404)
    headers = {"cache-control": "max-age=3600", "x-content-type-options": "nosniff"}
    return Response(_read(name), headers=headers, media_type=_TYPES[name])


async def icon(_request: Request) -> Response:
    """The icon at the address that browsers guess."""
    return Response(_read("icon.svg"), media_type=_TYPES["icon.svg"])


@cache
def _read(name: str) -> bytes:
    return (files("rdimport.sandbox.page") / "static" / name).read_bytes()


@cache
def _version() -> str:
    return hashlib.sha256(b"".join(map(_read, _TYPES))).hexdigest()[:10]


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, without the package that parses uploads."""
    body = (await request.body())[:10_000]
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def number(request: Request, name: str, default: int = 0) -> int:
    """A number in the query string."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default
