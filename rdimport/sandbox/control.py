"""The sandbox's own API, under `/sandbox/api`: what arrived, and the fault switches.

Tests read here what the endpoint received, and switch faults. All bodies are JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rdimport.core.errors import RdimportError
from rdimport.sandbox.access import Access
from rdimport.sandbox.app import ASGIApp
from rdimport.sandbox.endpoint import Endpoint
from rdimport.sandbox.faults import Faults
from rdimport.sandbox.page.routes import Page, number
from rdimport.sandbox.rules import decode
from rdimport.sandbox.webhooks import export

if TYPE_CHECKING:
    from starlette.requests import Request

_TURNS: Final = 20
"""Event loop iterations from a connection in the backlog to its request: five, plus a reserve.
"""


def control(endpoint: Endpoint, token: str) -> ASGIApp:
    """The ASGI application for all paths that are not RD's."""
    api = Api(endpoint)
    page = Page(endpoint)
    app = Starlette(
        routes=[*api.routes(), *page.routes()], exception_handlers={404: page.not_found}
    )
    return Access(app, token, local=endpoint.options.is_loopback)


class Api:
    """The request handlers, one method per route."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._store = endpoint.store

    def routes(self) -> list[Route]:
        """The routes under `/sandbox/api`."""
        at = "/sandbox/api"
        return [
            Route(f"{at}/counts", self.counts),
            Route(f"{at}/conversions", self.conversions),
            Route(f"{at}/contacts", self.contacts),
            Route(f"{at}/refused", self.refused),
            Route(f"{at}/dropped", self.dropped),
            Route(f"{at}/faults", self.faults, methods=["GET", "PUT"]),
            Route(f"{at}/keys", self.keys, methods=["GET", "POST"]),
            Route(f"{at}/keys/{{key:int}}", self.switch, methods=["PATCH"]),
            Route(f"{at}/data", self.clear, methods=["DELETE"]),
            Route(f"{at}/webhook", self.webhook, methods=["GET", "PUT"]),
            Route(f"{at}/export.csv", self.export),
        ]

    async def counts(self, _request: Request) -> Response:
        """`{"requests", "accepted", "refused", "throttled"}` since the start or `clear`."""
        return JSONResponse(asdict(self._endpoint.counts))

    async def conversions(self, request: Request) -> Response:
        """Accepted conversions in order of arrival: at most `limit`, after the id `after`.

        Each has `id`, `account`, `key`, `at`, `email`, `event_uuid`, `dropped`, `body` (as sent).
        """
        rows = self._store.rows(
            "SELECT c.id, a.name AS account, k.name AS key, c.at, c.email, c.uuid, c.dropped,"
            " c.body FROM conversion c"
            " JOIN account a ON a.id = c.account JOIN key k ON k.id = c.key"
            " WHERE c.id > ? ORDER BY c.id LIMIT ?",
            _part(request),
        )
        entries = [
            f'{{"id": {row["id"]}, "account": {json.dumps(row["account"])},'
            f' "key": {json.dumps(row["key"])}, "at": {row["at"]},'
            f' "email": {json.dumps(row["email"])}, "event_uuid": "{row["uuid"]}",'
            f' "dropped": {row["dropped"] or "[]"}, "body": {row["body"].decode()}}}'
            for row in rows
        ]
        return Response(f"[{', '.join(entries)}]", media_type="application/json")

    async def contacts(self, request: Request) -> Response:
        """The contacts in order of first arrival: `id`, `account`, `email`, `fields`…"""
        rows = self._store.rows(
            "SELECT c.id, a.name AS account, c.email, c.fields, c.conversions, c.created, c.updated"
            " FROM contact c JOIN account a ON a.id = c.account"
            " WHERE c.id > ? ORDER BY c.id LIMIT ?",
            _part(request),
        )
        return JSONResponse([{**dict(row), "fields": json.loads(row["fields"])} for row in rows])

    async def refused(self, request: Request) -> Response:
        """Requests that were not accepted: `status` (0: no answer), `reason`, `detail`, `head`."""
        rows = self._store.rows(
            "SELECT r.id, r.at, r.status, r.reason, r.detail, r.email, r.answer, r.body,"
            " h.text AS head FROM refusal r JOIN head h ON h.id = r.head"
            " WHERE r.id > ? ORDER BY r.id LIMIT ?",
            _part(request),
        )
        return JSONResponse(
            [
                {
                    **dict(row),
                    "answer": base64.b64encode(row["answer"]).decode(),
                    "body": base64.b64encode(row["body"]).decode(),
                }
                for row in rows
            ]
        )

    async def dropped(self, _request: Request) -> Response:
        """Names of ignored fields and how often they occurred: `{name: times}`."""
        rows = self._store.rows("SELECT name, sum(times) FROM dropped GROUP BY 1 ORDER BY 2 DESC")
        return JSONResponse({row[0]: row[1] for row in rows})

    async def faults(self, request: Request) -> Response:
        """The fault switches; PUT replaces them all, an absent one is off."""
        if request.method == "PUT":
            try:
                self._endpoint.injector.set(Faults.of(await _document(request)))
            except (RdimportError, ValueError, AttributeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self._endpoint.injector.faults.as_dict())

    async def webhook(self, request: Request) -> Response:
        """The URL called for each conversion, and the numbers of successful and dropped calls; PUT
        `{"url": "…"}` sets it, an empty one disables it.
        """
        webhook = self._endpoint.webhook
        if request.method == "PUT":
            try:
                url = str((await _document(request))["url"])
            except (ValueError, KeyError, TypeError) as error:
                return JSONResponse({"error": f"no url: {error}"}, 400)
            if url and not url.startswith(("http://", "https://")):
                return JSONResponse({"error": "no address of the web"}, 400)
            webhook.url = url
        state = {"url": webhook.url, "delivered": webhook.delivered, "dropped": webhook.dropped}
        return JSONResponse(state)

    async def export(self, _request: Request) -> Response:
        """All conversions as exported by RD: a CSV of e-mail address, conversion and time."""
        rows = self._store.rows("SELECT email, body, at FROM conversion ORDER BY id", ())
        named = (
            (row["email"], json.loads(row["body"])["payload"]["conversion_identifier"], row["at"])
            for row in rows
        )
        lines = "\n".join(export(named))
        return Response(f"{lines}\n", media_type="text/csv; charset=utf-8")

    async def keys(self, request: Request) -> Response:
        """The keys with their secrets; POST `{"name", "account"?}` creates one."""
        names = self._store.accounts
        if request.method == "POST":
            try:
                wanted = await _document(request)
                account = self._store.account(str(wanted.get("account", names[min(names)])))
                now = self._endpoint.clock.now().timestamp()
                key = self._store.create_key(account, str(wanted.get("name", "")), now)
            except (RdimportError, ValueError, AttributeError) as error:
                return JSONResponse({"error": str(error)}, 400)
            return JSONResponse(key._asdict() | {"account": names[account]}, 201)
        return JSONResponse(
            [key._asdict() | {"account": names[key.account]} for key in self._store.keys.values()]
        )

    async def switch(self, request: Request) -> Response:
        """Activate or deactivate a key: PATCH `{"active": false}`."""
        try:
            active = (await _document(request))["active"]
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"no active: {error}"}, 400)
        key = self._store.switch_key(request.path_params["key"], active=bool(active))
        if key is None:
            return JSONResponse({"error": "no such key"}, 404)
        return JSONResponse({"id": key.id, "name": key.name, "active": key.active})

    async def clear(self, _request: Request) -> Response:
        """Delete everything except accounts and keys, requests not yet read included.

        Requests of a killed client may still be in the kernel's buffers. A few iterations of the
        event loop read them first, so that they are deleted too.
        """
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._endpoint.clear()
        return Response(status_code=204)


async def _document(request: Request) -> Any:
    """The JSON of a request. Raises NotJSONError, which is a ValueError."""
    return decode(await request.body())


def _part(request: Request) -> tuple[int, int]:
    """Which rows are asked for: those after an id, and how many at most."""
    return number(request, "after"), number(request, "limit", 1_000)
