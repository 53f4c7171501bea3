"""The hot routes under any ASGI server: routes that take a turn, answered before FastAPI's router.

It is one plain ASGI callable: an answer that FastAPI routes, injects and serialises costs four
times as much (docs/results/performance.md). Under our server, `app.door` answers them without ASGI.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bodies import too_large
from app.cors import Cors
from app.errors import ApiError, error_response
from app.handlers import ROUTES, USER_ROUTES, BaseHandlers, Route
from app.hosts import HostCheck
from app.requests import MAX_BODY
from app.responses import NO_SNIFF, HttpResponse

_JSON = (b"content-type", b"application/json")


class HotRoute:
    """An ASGI app: our hot routes, and an app behind it for all remaining requests.

    Args:
        behind: The app for all remaining requests; its lifespan sets `handlers`.
        hosts: Checks the Host header; None if any may stand there.
        cors: Answers browsers that run pages of other origins; None if they may not call.

    Attributes:
        handlers: Answers the hot routes; the lifespan sets it at start-up.
        on_end: Ends the board's streams, which would hold up the end; the lifespan sets it.
    """

    def __init__(
        self, behind: ASGIApp, hosts: HostCheck | None = None, cors: Cors | None = None
    ) -> None:
        self._behind = behind
        self._hosts = hosts
        self._cors = cors
        self.handlers: BaseHandlers
        self.on_end: Callable[[], object] = lambda: None

    def drain(self) -> None:
        """Make `/readyz` say that the server is stopping; the server still answers requests."""
        handlers = getattr(self, "handlers", None)
        if handlers is not None:
            handlers.draining = True
        self.on_end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route, user = _find_route(scope)
        if route is None:
            await self._answer_behind(scope, receive, send)
            return
        try:
            body = await _body_of(receive)
            self._check_host(scope)
        except ApiError as error:
            response = self.handlers.refuse(error)
        else:
            response = await self.handlers.answer_later(route, body, scope["headers"], user)
        await _respond(response, send)

    async def _answer_behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app behind answer, with the headers that every answer needs."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        more = [NO_SNIFF]
        try:
            self._check_host(scope)
        except ApiError as error:
            await _respond(error_response(error), send)
            return
        if (cors := self._cors) is not None:
            if scope["method"] == "OPTIONS" and (asked := cors.preflight(scope["headers"])):
                await _respond(asked, send)
                return
            more += cors.headers_for(scope["headers"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._behind(scope, receive, send_with_headers)

    def _check_host(self, scope: Scope) -> None:
        fault = None if self._hosts is None else self._hosts.fault(scope["headers"])
        if fault is not None:
            raise fault


def _find_route(scope: Scope) -> tuple[Route | None, str]:
    """Find the hot route of a request, and the user in its path."""
    if scope.get("method") != "POST":
        return None, ""
    path: str = scope["path"]
    route = ROUTES.get(path)
    if route is None and (route := USER_ROUTES.get(path[:6])) is not None:
        user = path[6:]
        return (route, user) if user else (None, "")
    return route, ""


async def _body_of(receive: Receive) -> bytes:
    """Read a body, which may come in parts.

    Raises:
        ApiError: The body is longer than allowed, or the client went away.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ApiError(400, "incomplete", "the request's body did not arrive whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise too_large()
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(response: HttpResponse, send: Send) -> None:
    """Send an answer."""
    length = (b"content-length", b"%d" % len(response.body))
    headers = [_JSON, NO_SNIFF, length, *response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
