"""The routes of the board."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal

import orjson
from fastapi import FastAPI, Query, Request, Response
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from app.board import seat
from app.board.access import CHALLENGE
from app.board.assets import GUIDE, PAGE, POLICY, Asset, assets, is_known
from app.board.parts import BoardParts
from app.board.schemas.answers import described, described_text, seat_body
from app.board.schemas.config import BoardConfig
from app.board.schemas.decisions import BoardDecision, BoardDecisions
from app.board.schemas.experiments import BoardSnapshot
from app.board.schemas.learn import BoardArtifacts, BoardList, BoardOverlap, BoardTrack, BoardTracks
from app.board.schemas.seat import BoardComparison, SeatTurn
from app.bodies import too_large
from app.errors import ApiError, error_response
from app.requests import MAX_BODY
from app.responses import HttpResponse
from engine.base_dispatcher import BaseDispatcher

Form = Annotated[
    Literal["json", "csv", "md"],
    Query(alias="format", description="`json`, or the table as `csv` or `md`."),
]
Limit = Annotated[int, Query(ge=1, le=500, description="Most entries of the answer.")]
TABLES = Annotated[
    Literal["arms", "effects", "checks", "over_time", "by_day"],
    Query(description="Which table, where `format` is `csv` or `md`."),
]
PRIVATE = {"Cache-Control": "no-store"}
Answer = Callable[[BoardParts, Request], Awaitable[Response]]


def add_board(app: FastAPI) -> None:
    """Add the page, its API and the seat; the app's state has the `BoardParts` as `board`."""
    _add_page(app)
    _add_experiments(app)
    _add_decisions(app)
    _add_data(app)
    _add_seat(app)
    _add_config(app)


def _add_page(app: FastAPI) -> None:
    @app.get("/board", include_in_schema=False)
    async def page(request: Request) -> Response:
        """Show the board."""
        return await _seen(request, lambda _, request: _asset(PAGE, request))

    @app.get("/board/guide", include_in_schema=False)
    async def guide(request: Request) -> Response:
        """Explain the checks."""
        return await _seen(request, lambda _, request: _asset(GUIDE, request))

    @app.get("/board/assets/{name:path}", include_in_schema=False)
    async def asset(request: Request, name: str) -> Response:
        """Give a script or a style of the page."""
        return await _seen(request, lambda _, request: _asset(name, request))


def _add_experiments(app: FastAPI) -> None:
    @app.get("/board/api/experiments", tags=["board"], responses=described(BoardSnapshot))
    async def experiments(
        request: Request, form: Form = "json", table: TABLES = "arms"
    ) -> Response:
        """Give the snapshot: what `segue report` says of the server's log now."""
        return await _asked(request, "experiments", format=form, table=table)

    @app.get(
        "/board/api/experiments.csv",
        tags=["board"],
        response_class=Response,
        responses=described_text("text/csv"),
    )
    async def as_csv(request: Request, table: TABLES = "arms") -> Response:
        """Give a table of the snapshot as CSV."""
        return await _asked(request, "experiments", format="csv", table=table)

    @app.get(
        "/board/api/experiments.md",
        tags=["board"],
        response_class=Response,
        responses=described_text("text/markdown"),
    )
    async def as_markdown(request: Request, table: TABLES = "arms") -> Response:
        """Give a table of the snapshot as Markdown."""
        return await _asked(request, "experiments", format="md", table=table)

    @app.get(
        "/board/api/live",
        tags=["board"],
        response_class=Response,
        responses=described_text("text/event-stream"),
    )
    async def live(request: Request) -> Response:
        """Stream the snapshot as server-sent events: the state, then a JSON Patch each."""
        return await _seen(request, _stream)


def _add_decisions(app: FastAPI) -> None:
    @app.get("/board/api/decisions", tags=["board"], responses=described(BoardDecisions))
    async def decisions(
        request: Request,
        listener: Annotated[str | None, Query(description="Only of this listener.")] = None,
        limit: Limit = 50,
        form: Form = "json",
    ) -> Response:
        """List the latest decisions, the newest first."""
        return await _asked(
            request, "decisions", listener=listener or None, limit=limit, format=form
        )

    @app.get("/board/api/decisions/{decision}", tags=["board"], responses=described(BoardDecision))
    async def decision(request: Request, decision: str, form: Form = "json") -> Response:
        """Explain a decision, and make it again now; the table has its candidates."""
        return await _asked(request, "decision", decision=decision, format=form)


def _add_data(app: FastAPI) -> None:
    @app.get("/board/api/tracks", tags=["board"], responses=described(BoardTracks))
    async def tracks(
        request: Request,
        q: Annotated[str, Query(max_length=200, description="Words of title or artist.")] = "",
        limit: Limit = 20,
        form: Form = "json",
    ) -> Response:
        """Find tracks by title or artist, or by their id."""
        return await _asked(request, "tracks", q=q, limit=limit, format=form)

    @app.get("/board/api/tracks/{track:path}", tags=["board"], responses=described(BoardTrack))
    async def track(request: Request, track: str, form: Form = "json") -> Response:
        """Describe a track."""
        return await _asked(request, "track", track=track, format=form)

    @app.get("/board/api/artifacts", tags=["board"], responses=described(BoardArtifacts))
    async def artifacts(request: Request, form: Form = "json") -> Response:
        """Describe the catalog, the lists and the vectors in use, with their manifests."""
        return await _asked(request, "artifacts", format=form)

    @app.get("/board/api/lists/overlap", tags=["board"], responses=described(BoardOverlap))
    async def overlap(
        request: Request,
        a: Annotated[str, Query(description="Name of a list file in the config.")],
        b: Annotated[str, Query(description="Name of a list file in the config.")],
        k: Annotated[int, Query(ge=1, le=100, description="Tracks of each list.")] = 10,
        form: Form = "json",
    ) -> Response:
        """Compare the first `k` tracks of each list in two files."""
        return await _asked(request, "overlap", a=a, b=b, k=k, format=form)

    @app.get("/board/api/lists/{name}/{owner:path}", tags=["board"], responses=described(BoardList))
    async def one_list(request: Request, name: str, owner: str, form: Form = "json") -> Response:
        """Show the list of a track or of a listener, with titles."""
        return await _asked(request, "list", name=name, id=owner, format=form)


def _add_seat(app: FastAPI) -> None:
    @app.post(
        "/board/api/seat",
        tags=["board"],
        openapi_extra=seat_body(),
        responses=described(SeatTurn),
    )
    async def take(request: Request) -> Response:
        """Take a turn of a person on the board; its line has `seat: true`."""
        return await _changed(request, seat.take_turn)

    @app.post(
        "/board/api/seat/compare",
        tags=["board"],
        openapi_extra=seat_body(),
        responses=described(BoardComparison),
    )
    async def compare(request: Request) -> Response:
        """Say what each arm would play next, and why; nothing is changed or logged."""
        return await _changed(request, seat.compare)


def _add_config(app: FastAPI) -> None:
    @app.get("/board/api/config", tags=["board"], responses=described(BoardConfig))
    async def config(request: Request, form: Form = "json") -> Response:
        """Compare the config that serves with the file on the disk, and check the file."""
        return await _seen(request, lambda parts, request: _config(parts, request, form))


async def _seen(request: Request, answer: Answer) -> Response:
    """Answer somebody who may see the board."""
    parts: BoardParts = request.app.state.board
    try:
        parts.access.check(request.scope["headers"])
        return await answer(parts, request)
    except ApiError as error:
        return _refused(error)


async def _asked(request: Request, what: str, **question: Any) -> Response:
    """Have the analyst answer."""

    async def answer(parts: BoardParts, request: Request) -> Response:
        found = await parts.analyst.ask(what, config=_digest(parts), **question)
        return Response(found.body, found.status, PRIVATE, found.media_type)

    return await _seen(request, answer)


async def _changed(
    request: Request,
    act: Callable[[Any, seat.SeatRequest], Awaitable[dict[str, Any]]],
) -> Response:
    """Answer somebody who may see the board, and sends a body from the board's own page."""
    parts: BoardParts = request.app.state.board
    headers = request.scope["headers"]
    try:
        parts.access.check(headers, changes=True)
        if parts.handlers is None:
            raise ApiError(
                404, "not_found", "this board shows logs; a seat needs the board of a server"
            )
        sent = seat.read_seat(await _body_of(request), headers)
        found = await act(parts.handlers, sent)
    except ApiError as error:
        return _refused(error)
    except Exception as error:
        refuse = error_response if parts.handlers is None else parts.handlers.refuse
        return _response(refuse(error))
    return Response(orjson.dumps(found), headers=PRIVATE, media_type="application/json")


async def _body_of(request: Request) -> bytes:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise too_large()
    except ClientDisconnect as error:
        raise ApiError(400, "incomplete", "the request's body did not arrive whole") from error
    return body


async def _asset(name: str, request: Request) -> Response:
    found: Asset | None = assets().get(name)
    if found is None:
        raise ApiError(404, "not_found", f"the board has no file {name!r:.80}")
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if name in (PAGE, GUIDE):
        headers |= {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    if is_known(found.tag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)


async def _stream(parts: BoardParts, request: Request) -> Response:
    await parts.analyst.start()  # once the answer has begun, it could no longer be refused
    last_id = request.headers.get("last-event-id") or request.query_params.get("last")

    async def events() -> AsyncIterator[bytes]:
        async with parts.analyst.watched() as news:
            async for event in news.stream(last_id):
                yield event

    headers = {**PRIVATE, "X-Accel-Buffering": "no"}  # nginx would hold events back
    return StreamingResponse(events(), headers=headers, media_type="text/event-stream")


async def _config(parts: BoardParts, request: Request, form: str) -> Response:
    found = await parts.analyst.ask("config", config=_digest(parts), format=form)
    if found.status != 200 or form != "json" or parts.handlers is None:
        return Response(found.body, found.status, PRIVATE, found.media_type)
    dispatcher: BaseDispatcher = parts.handlers.dispatcher
    content = orjson.loads(found.body)
    content["served"] |= {"since_ms": dispatcher.since_ms}
    content["reload"] = {
        "allowed": parts.handlers.admin.has_token,
        "token": dispatcher.runtime.settings.admin.token_env,
        "failure": request.app.state.reloader.failure,
    }
    return Response(orjson.dumps(content), headers=PRIVATE, media_type="application/json")


def _digest(parts: BoardParts) -> str | None:
    return None if parts.handlers is None else parts.handlers.dispatcher.runtime.digest


def _refused(error: ApiError) -> Response:
    response = error_response(error)
    if error.status == 401:
        response.headers = (CHALLENGE,)
    return _response(response)


def _response(response: HttpResponse) -> Response:
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Response(
        response.body, response.status, {**PRIVATE, **headers}, media_type="application/json"
    )
