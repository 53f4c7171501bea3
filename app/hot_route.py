"""The hot routes under any ASGI server: routes that take a turn, answered before FastAPI's router.

It is one plain ASGI callable: an answer that FastAPI routes, injects and serialises costs four
times as much (docs/results/performance.md). Under our server, `app.door` answers them without ASGI.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bodies import too_large
from app.errors import ApiError
from app.handlers import ROUTES, USER_ROUTES, Handlers, Route
from app.requests import MAX_BODY
from app.responses import HttpResponse

_JSON = (b"content-type", b"application/json")


class HotRoute:
    """An ASGI app: our hot routes, and an app behind it for all remaining requests.

    Args:
        behind: The app for all remaining requests; its lifespan sets `handlers`.

    Attributes:
        handlers: Answers the hot routes; the lifespan sets it at start-up.
    """

    def __init__(self, behind: ASGIApp) -> None:
        self._behind = behind
        self.handlers: Handlers

    def drain(self) -> None:
        """Make `/readyz` say that the server is stopping; the server still answers requests."""
        handlers = getattr(self, "handlers", None)
        if handlers is not None:
            handlers.draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route, user = _find_route(scope)
        if route is None:
            await self._behind(scope, receive, send)
            return
        try:
            body = await _body_of(receive)
        except ApiError as error:
            response = self.handlers.refuse(error)
        else:
            response = self.handlers.answer(route, body, scope["headers"], user)
        await send(_head(response))
        await send({"type": "http.response.body", "body": response.body})


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


def _head(response: HttpResponse) -> Message:
    """Make the message with a response's status and headers."""
    headers = [_JSON, (b"content-length", b"%d" % len(response.body)), *response.headers]
    return {"type": "http.response.start", "status": response.status, "headers": headers}
