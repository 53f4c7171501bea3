"""Origins whose pages may call the server from a browser: those that `server.cors` names."""

from collections.abc import Iterable

from app.errors import ApiError, error_response
from app.responses import HttpResponse

Headers = Iterable[tuple[bytes, bytes]]
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Content-Type, Idempotency-Key, Segue-Key, Segue-Listener"),
    (b"access-control-max-age", b"600"),
)
_VARY = (b"vary", b"Origin")


class Cors:
    """The answers to questions of browsers.

    Args:
        origins: Allowed origins, for instance `https://player.example`; `*` allows every one.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers_for(self, request: Headers) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that an answer to this request needs."""
        origin = next((value for name, value in request if name == b"origin"), None)
        if origin is None or not self._allows(origin):
            return (_VARY,)
        return ((b"access-control-allow-origin", origin), _VARY)

    def allow(self, response: HttpResponse, request: Headers) -> HttpResponse:
        """Return the answer with these headers; the answer itself may be kept for a retry."""
        headers = response.headers + self.headers_for(request)
        return HttpResponse(response.status, response.body, headers)

    def preflight(self, request: Headers) -> HttpResponse | None:
        """Answer a browser that asks before it sends; None if the request is no such question."""
        found = dict(request)
        origin = found.get(b"origin")
        if origin is None or b"access-control-request-method" not in found:
            return None
        if not self._allows(origin):
            shown = origin.decode("latin-1")
            message = f"server.cors does not name this origin, got {shown!r:.80}"
            return error_response(ApiError(403, "origin_not_allowed", message, "Origin"))
        return HttpResponse(200, b"{}", (*self.headers_for(found.items()), *_PREFLIGHT))

    def _allows(self, origin: bytes) -> bool:
        return origin in self._origins or b"*" in self._origins
