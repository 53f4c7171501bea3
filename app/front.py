"""The hot route: `POST /recommend` is answered before FastAPI's router sees it.

One plain ASGI callable, since a routed, injected and serialised answer costs four times as much
(see docs/performance.md). It calls the same `Api.recommend` as the documented route.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.api import Api, Headers, too_large
from app.replies import Refusal, Reply, error_body
from app.requests import MAX_BODY

LOG = logging.getLogger("segue")
UNEXPECTED = error_body("internal", "something went wrong here; the server's log has the traceback")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """An ASGI app: our hot route, and another app for everything else.

    Args:
        behind: The FastAPI app, whose `state.api` its lifespan sets.
        api_of: Gives the `Api`, once the lifespan has built it.
    """

    def __init__(self, behind: ASGIApp, api_of: Callable[[], Api]) -> None:
        self._behind = behind
        self._api_of = api_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/recommend" and scope["method"] == "POST":
            api = self._api_of()
            try:
                message = await receive()
                body = message.get("body", b"")
                if message.get("more_body"):
                    body = await rest_of(body, receive)
                reply = answer(api, api.recommend, body, scope["headers"])
            except Refusal as refusal:
                reply = refused(api, refusal)
            await respond(reply, send)
        else:
            await self._behind(scope, receive, send)


def answer(
    api: Api, route: Callable[[bytes, Headers], Reply], body: bytes, headers: Headers
) -> Reply:
    """What a route replies, its refusals included; anything else is our mistake, and a 500."""
    try:
        return route(body, headers)
    except Refusal as refusal:
        return refused(api, refusal)
    except Exception:
        LOG.exception("a request failed by our mistake; it changed nothing")
        return Reply(500, UNEXPECTED)


def refused(api: Api, refusal: Refusal) -> Reply:
    """The reply of a refusal, counted."""
    api.dispatcher.meters.refused(refusal.code)
    return refusal.reply()


async def rest_of(body: bytes, receive: Receive) -> bytes:
    """The whole of a body that came in parts.

    Raises:
        Refusal: It is longer than allowed, or the client went away.
    """
    parts = [body]
    size = len(body)
    while True:
        if size > MAX_BODY:
            raise too_large()
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "incomplete", "the request's body did not arrive whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            return b"".join(parts)


async def respond(reply: Reply, send: Send) -> None:
    """Send a reply."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(reply.body)),
    ]
    if reply.headers:
        headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
