"""Every route as FastAPI documents it, and the one shape of its errors."""

import logging
from collections.abc import Callable

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from app.experiment_status import ServerStatus, server_status
from app.handlers import Handlers, Headers, too_large
from app.hot_route import UNEXPECTED, answer, refused
from app.requests import MAX_BODY, BotifyListen, FeedbackRequest, RecommendRequest, field_of
from app.responses import ApiError, HttpResponse, error_body
from app.schemas import (
    BotifyNextResponse,
    FeedbackResponse,
    RecommendResponse,
    ReloadResponse,
    TrackResponse,
    documented_responses,
    request_body,
)
from core.errors import InputError
from engine.metrics import PrometheusCollector

LOG = logging.getLogger("segue")


def add_routes(app: FastAPI) -> None:
    """Add all routes and error handlers."""
    _add_ours(app)
    _add_the_predecessors(app)
    _add_watching(app)
    _add_admin(app)
    _add_errors(app)


def _add_ours(app: FastAPI) -> None:
    @app.post(
        "/recommend",
        openapi_extra=request_body(RecommendRequest),
        responses=documented_responses(RecommendResponse),
    )
    async def recommend(request: Request) -> Response:
        """The next track for a listener, who may have just heard one."""
        return await _answered(request, _api(request).recommend)

    @app.post(
        "/feedback",
        openapi_extra=request_body(FeedbackRequest),
        responses=documented_responses(FeedbackResponse),
    )
    async def feedback(request: Request) -> Response:
        """What a listener heard, when no further track is wanted."""
        return await _answered(request, _api(request).feedback)

    @app.get("/tracks/{track}", responses=documented_responses(TrackResponse))
    async def track(request: Request, track: str) -> Response:
        """A track's artist and title."""
        return _track(request, track)

    @app.get("/experiments")
    async def experiments(request: Request) -> ServerStatus:
        """What is running, and what each arm did in this process since it started."""
        return server_status(_api(request).dispatcher)


def _add_the_predecessors(app: FastAPI) -> None:
    @app.get("/", tags=["predecessor"])
    async def hello() -> dict[str, str]:
        """Whether anybody is there."""
        return {"status": "alive", "message": "Segue: next-track recommendations"}

    @app.get("/track/{track}", tags=["predecessor"], responses=documented_responses(TrackResponse))
    async def track(request: Request, track: str) -> Response:
        """A track's artist and title."""
        return _track(request, track)

    @app.post(
        "/next/{user}",
        tags=["predecessor"],
        openapi_extra=request_body(BotifyListen),
        responses=documented_responses(BotifyNextResponse),
    )
    async def next_track(request: Request, user: str) -> Response:
        """The next track after one that was heard."""
        api = _api(request)
        return await _answered(request, lambda body, headers: api.next(user, body, headers))

    @app.post(
        "/last/{user}",
        tags=["predecessor"],
        openapi_extra=request_body(BotifyListen),
        responses=documented_responses(FeedbackResponse),
    )
    async def last_track(request: Request, user: str) -> Response:
        """What was heard last in a session."""
        api = _api(request)
        return await _answered(request, lambda body, headers: api.last(user, body, headers))


def _add_watching(app: FastAPI) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "alive"}

    @app.get("/readyz", tags=["operations"])
    async def readyz(request: Request) -> dict[str, str]:
        """Whether it can answer, and with which config."""
        return {"status": "ready", "config": _api(request).dispatcher.runtime.digest}

    @app.get("/metrics", tags=["operations"])
    async def metrics(request: Request) -> Response:
        """Counts and latencies in Prometheus' text form."""
        dispatcher = _api(request).dispatcher
        registry = CollectorRegistry(auto_describe=False)
        registry.register(PrometheusCollector(dispatcher.metrics, lambda: len(dispatcher.state)))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _add_admin(app: FastAPI) -> None:
    @app.post("/admin/reload", tags=["operations"], responses=documented_responses(ReloadResponse))
    async def reload(request: Request) -> Response:
        """Serve what the config file says now; with `Authorization: Bearer` and the token.

        A faulty config is answered with all its faults, and the one before still serves.
        """
        api = _api(request)
        try:
            api.admin.check(request.scope["headers"])
            before = await request.app.state.reloader.reload("POST /admin/reload")
        except InputError as error:
            return _json(refused(api, ApiError(422, "faulty_config", str(error))))
        except ApiError as refusal:
            return _json(refused(api, refusal))
        except Exception:
            LOG.exception("a reload failed by our mistake; the config before still serves")
            return _json(HttpResponse(500, UNEXPECTED))
        shown = {"config": api.dispatcher.runtime.digest, "before": before.digest}
        return _json(HttpResponse(200, orjson.dumps(shown)))


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        message = f"{request.method} {request.url.path}: {error.detail}"
        return Response(
            error_body(code, message),
            error.status_code,
            headers=error.headers,
            media_type="application/json",
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return Response(
            error_body("invalid", first["msg"], field_of(first["loc"][1:])),
            422,
            media_type="application/json",
        )

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return Response(UNEXPECTED, 500, media_type="application/json")


def _api(request: Request) -> Handlers:
    api: Handlers = request.app.state.api
    return api


async def _answered(request: Request, route: Callable[[bytes, Headers], HttpResponse]) -> Response:
    """Read the body up to the limit, and answer."""
    body = b""
    api = _api(request)
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return _json(refused(api, too_large()))
    return _json(answer(api, route, body, request.scope["headers"]))


def _track(request: Request, track: str) -> Response:
    catalog = _api(request).dispatcher.runtime.catalog
    index = catalog.index_of(track)
    if index < 0:
        refusal = ApiError(404, "not_found", f"no track {track!r:.80} in the catalog", "track")
        return _json(refusal.reply())
    return _json(HttpResponse(200, orjson.dumps(catalog.describe(index))))


def _json(reply: HttpResponse) -> Response:
    headers = dict(reply.headers)
    return Response(reply.body, reply.status, headers, media_type="application/json")
