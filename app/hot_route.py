"""The hot route: `POST /recommend` is answered before FastAPI's router sees it.

One plain ASGI callable, since a routed, injected and serialised answer costs four times as much
(see docs/performance.md). It calls the same `Handlers.recommend` as the documented route.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.handlers import Handlers, Headers, too_large
from app.requests import MAX_BODY
from app.responses import ApiError, HttpResponse, error_body
from core.errors import EventLogError, NoCandidatesLeft

LOG = logging.getLogger("segue")
UNEXPECTED = error_body("internal", "something went wrong here; the server's log has the traceback")

_JSON = (b"content-type", b"application/json")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class HotRoute:
    """An ASGI app: our hot route, and another app for everything else.

    Args:
        behind: The app for everything else; its lifespan sets `api`.

    Attributes:
        api: What answers; there from start-up on.
    """

    def __init__(self, behind: ASGIApp) -> None:
        self._behind = behind
        self.api: Handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope.get("path") != "/recommend" or scope.get("method") != "POST":
            await self._behind(scope, receive, send)
            return
        api = self.api
        message = await receive()
        body = message.get("body", b"")
        if message.get("more_body"):
            try:
                body = await rest_of(body, receive)
            except ApiError as refusal:
                reply = refused(api, refusal)
            else:
                reply = answer(api, api.recommend, body, scope["headers"])
        else:
            reply = answer(api, api.recommend, body, scope["headers"])
        await send(_head(reply))
        await send({"type": "http.response.body", "body": reply.body})


def answer(
    api: Handlers, route: Callable[[bytes, Headers], HttpResponse], body: bytes, headers: Headers
) -> HttpResponse:
    """What a route replies; every error is made a reply here."""
    try:
        return route(body, headers)
    except ApiError as refusal:
        return refused(api, refusal)
    except NoCandidatesLeft as error:
        return refused(
            api, ApiError(422, "nothing_left", f"{error}; exclude fewer tracks", "exclude")
        )
    except EventLogError:
        LOG.exception("the event log takes no line")
        return refused(
            api,
            ApiError(503, "log_unwritable", "the event log takes no line, so nothing is served"),
        )
    except Exception:
        LOG.exception("a request failed by our mistake; it changed nothing")
        return HttpResponse(500, UNEXPECTED)


def refused(api: Handlers, refusal: ApiError) -> HttpResponse:
    """The reply of a refusal, counted."""
    api.dispatcher.metrics.refused(refusal.code)
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
            raise ApiError(400, "incomplete", "the request's body did not arrive whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            return b"".join(parts)


def _head(reply: HttpResponse) -> Message:
    """Status and headers of a reply."""
    headers = [_JSON, (b"content-length", b"%d" % len(reply.body))]
    if reply.headers:
        headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}
