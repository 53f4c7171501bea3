"""Every route as FastAPI documents it, and the one shape of all errors."""

from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.board.routes import add_board
from app.bodies import too_large
from app.counts import Counter, Counts
from app.docs_page import content_policy, docs_page
from app.errors import ApiError, error_response
from app.experiment_status import ServerStatus, server_status
from app.handlers import (
    BOTIFY_LAST,
    BOTIFY_NEXT,
    FEEDBACK,
    RECOMMEND,
    BaseHandlers,
    Route,
    not_ready,
)
from app.reload import Reloads
from app.requests import MAX_BODY, BotifyListen, FeedbackRequest, RecommendRequest, field_of
from app.responses import HttpResponse
from app.schemas import (
    BotifyNextResponse,
    FeedbackResponse,
    ForgetResponse,
    ReadyResponse,
    RecommendResponse,
    ReloadResponse,
    TrackResponse,
    client_key,
    documented_responses,
    request_body,
)
from engine.prometheus import CONTENT_TYPE, prometheus_text

GONE = "the request's body did not arrive whole"


def add_routes(app: FastAPI, operations: bool = True, board: bool = True) -> None:
    """Add the routes of clients, the probes, the errors and, if wanted, operations and board."""
    _add_own_routes(app)
    _add_botify_routes(app)
    _add_probes(app)
    if operations:
        _add_operations(app)
        add_docs(app)
        _add_admin(app)
        if board:
            add_board(app)
    add_errors(app)


def _add_own_routes(app: FastAPI) -> None:
    @app.post(
        "/recommend",
        openapi_extra=request_body(RecommendRequest, {"user": 7}),
        responses=documented_responses(RecommendResponse),
    )
    async def recommend(request: Request) -> Response:
        """Recommend the next track to a listener, who may have just heard one."""
        return await _take_turn(request, RECOMMEND)

    @app.post(
        "/feedback",
        openapi_extra=request_body(FeedbackRequest, {"user": 7, "track": 1, "time": 0.8}),
        responses=documented_responses(FeedbackResponse),
    )
    async def feedback(request: Request) -> Response:
        """Report what a listener heard, without a request for the next track."""
        return await _take_turn(request, FEEDBACK)

    @app.get(
        "/tracks/{track:path}",
        openapi_extra={"parameters": [client_key()]},
        responses=documented_responses(TrackResponse),
    )
    async def track(request: Request, track: str) -> Response:
        """Give a track's artist and title."""
        return _json(_handlers(request).track(track, request.scope["headers"]))


def _add_botify_routes(app: FastAPI) -> None:
    @app.get("/", tags=["botify"])
    async def hello() -> dict[str, str]:
        """Say that the server is there."""
        return {"status": "alive", "message": "Segue: next-track recommendations"}

    @app.get(
        "/track/{track:path}",
        tags=["botify"],
        openapi_extra={"parameters": [client_key()]},
        responses=documented_responses(TrackResponse),
    )
    async def track(request: Request, track: str) -> Response:
        """Give a track's artist and title."""
        return _json(_handlers(request).track(track, request.scope["headers"]))

    @app.post(
        "/next/{user:path}",
        tags=["botify"],
        openapi_extra=request_body(BotifyListen, {"track": 1, "time": 0.8}),
        responses=documented_responses(BotifyNextResponse),
    )
    async def next_track(request: Request, user: str) -> Response:
        """Recommend the next track after one that the listener heard."""
        return await _take_turn(request, BOTIFY_NEXT, user)

    @app.post(
        "/last/{user:path}",
        tags=["botify"],
        openapi_extra=request_body(BotifyListen, {"track": 1, "time": 0.8}),
        responses=documented_responses(FeedbackResponse),
    )
    async def last_track(request: Request, user: str) -> Response:
        """Report the last track that the listener heard in a session."""
        return await _take_turn(request, BOTIFY_LAST, user)


def _add_probes(app: FastAPI) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Say that the process is alive: its loop turns, whatever else may be wrong."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"], responses=documented_responses(ReadyResponse))
    async def readyz(request: Request) -> Response:
        """Say whether the server can acknowledge a turn, and with which config.

        503 only if it cannot. Everything else that is wrong stands in `warnings`.
        """
        handlers: BaseHandlers | None = getattr(request.app.state, "handlers", None)
        if handlers is None:
            return _json(not_ready("loading", "the server has not loaded its config and data yet"))
        return _json(handlers.ready())


def _add_operations(app: FastAPI) -> None:
    @app.get("/experiments", tags=["operations"])
    async def experiments(request: Request) -> ServerStatus:
        """List the running experiments, with each arm's counts since the start of the server."""
        return server_status(_handlers(request).dispatcher.runtime, _counts(request))

    @app.get(
        "/metrics",
        tags=["operations"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(request: Request) -> Response:
        """Give counts and latencies in Prometheus' text format."""
        counts = _counts(request)
        text = prometheus_text(counts.metrics, counts.listeners)
        return Response(text, media_type=CONTENT_TYPE)


def add_docs(app: FastAPI) -> None:
    """Add the page that documents the routes."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        headers = {"Content-Security-Policy": content_policy()}
        return HTMLResponse(docs_page(app.openapi()), headers=headers)


def _add_admin(app: FastAPI) -> None:
    @app.post("/admin/reload", tags=["operations"], responses=documented_responses(ReloadResponse))
    async def reload(request: Request) -> Response:
        """Load the config file again and serve it; needs `Authorization: Bearer` and the token.

        The answer to a faulty config lists all its faults, and the config before still serves.
        """
        handlers = _handlers(request)
        try:
            handlers.admin.check(request.scope["headers"])
            reloads: Reloads = request.app.state.reloader
            reloaded = await reloads.reload("POST /admin/reload")
        except Exception as error:
            return _json(handlers.refuse(error))
        body = {"config": reloaded.served, "before": reloaded.before}
        return _json(HttpResponse(200, orjson.dumps(body)))

    @app.delete(
        "/listeners/{user:path}",
        tags=["operations"],
        responses=documented_responses(ForgetResponse),
    )
    async def forget(request: Request, user: str) -> Response:
        """Delete a listener's history; needs `Authorization: Bearer` and the token.

        The event log is not changed; it gets a line that says so. Answers that are kept for retried
        requests expire within minutes.
        """
        return _json(await _handlers(request).forget(user, request.scope["headers"]))


def add_errors(app: FastAPI) -> None:
    """Give every error the one shape."""

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        message = f"{request.method} {request.url.path}: {error.detail}"
        return _error(ApiError(error.status_code, code, message), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _error(ApiError(422, "invalid", first["msg"], field_of(first["loc"][1:])))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        handlers: BaseHandlers | None = getattr(request.app.state, "handlers", None)
        return _json(error_response(error) if handlers is None else handlers.refuse(error))


def _handlers(request: Request) -> BaseHandlers:
    handlers: BaseHandlers = request.app.state.handlers
    return handlers


def _counts(request: Request) -> Counts:
    counter: Counter = request.app.state.counter
    return counter.total()


async def _take_turn(request: Request, route: Route, user: str = "") -> Response:
    """Read the body up to the limit, and answer."""
    body = b""
    handlers = _handlers(request)
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                return _json(handlers.refuse(too_large()))
    except ClientDisconnect:  # nobody reads the answer
        return _json(handlers.refuse(ApiError(400, "incomplete", GONE)))
    return _json(await handlers.answer_later(route, body, request.scope["headers"], user))


def _json(response: HttpResponse, headers: Mapping[str, str] | None = None) -> Response:
    own = {name.decode(): value.decode() for name, value in response.headers}
    return Response(
        response.body, response.status, {**own, **(headers or {})}, media_type="application/json"
    )


def _error(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    return _json(error_response(error), headers)
